"""Windows that stand still while the business leaves a question unanswered for long.

How much later an invitation may be answered follows from when questions were asked and answered
(`waits.py`). Whoever judges a deadline catches up with that first, in the same transaction, so that
it is true at its instant though no sweep has run; the sweep writes down how it grows meanwhile, and
tells those who wait and the one who is waited for.

The 24-hour commitment does not move: a question that the business can see has answered it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from uuid import UUID

from sqlalchemy import DateTime, Uuid, bindparam, text
from sqlalchemy.orm import Session

from marketplace.core.actors import SYSTEM
from marketplace.core.calendars import CLOCK_HOURS, Calendar
from marketplace.core.context import Context, Transaction
from marketplace.core.direct import Direct
from marketplace.core.events import record
from marketplace.core.policy import Policy
from marketplace.core.sweeps import sweep
from marketplace.invitations import queries
from marketplace.invitations.letters import Letter, tell_holders
from marketplace.invitations.models import Invitation, Question
from marketplace.invitations.rules import ANSWERABLE
from marketplace.invitations.waits import Wait, Window, waits, waits_since, window
from marketplace.leads import queries as leads
from marketplace.leads import rules as rules_of_leads
from marketplace.leads import service as leading
from marketplace.leads.models import Lead
from marketplace.notifications import commitment
from marketplace.notifications.service import Message, notify_each

Held = Sequence[tuple[Lead, Invitation]]

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class _Waited:
    """How long the providers of a lead have waited, and in which time that counts."""

    waits: Sequence[Wait]
    calendar: Calendar


def windows(
    session: Session, held: Held, *, policy: Policy, now: datetime
) -> Mapping[UUID, Window]:
    """Return the time to answer of each of these invitations as it stands now, swept or not."""
    waited = _waited(session, held, policy=policy, now=now)
    return {each.id: _window(lead, each, waited, policy) for lead, each in held}


def catch_up(
    tx: Transaction, held: Held, *, at_least: timedelta = timedelta(0)
) -> Mapping[UUID, Window]:
    """Extend these invitations, all locked with their leads, by what the business owes them.

    While one stands still it is written down only where it has grown by `at_least`: for sweeps,
    which come often. Return the windows as they stand, written down or not.
    """
    waited = _waited(tx.session, held, policy=tx.policy, now=tx.now)
    found = {each.id: _window(lead, each, waited, tx.policy) for lead, each in held}
    for lead, each in held:
        stands = found[each.id]
        later = stands.extended_by - each.extended_by
        if not later or (stands.stands_still and later < at_least):
            continue
        each.extend(stands, waited[lead.id].calendar)
        record(
            tx,
            SYSTEM,
            "invitation.extended",
            each.id,
            lead=str(lead.id),
            because="question_unanswered",
            minutes=int(later / MINUTE),
            minutes_in_all=int(each.extended_by / MINUTE),
            respond_by=each.respond_by.isoformat(),
        )
    return found


def first_look(tx: Transaction, lead_id: UUID) -> datetime:
    """Return when a question that is asked now begins to keep providers waiting."""
    calendar = commitment.terms_of(tx.session, lead_id, otherwise=tx.now).calendar
    return waits_since(tx.now, answer_within=tx.policy.answer_within, calendar=calendar)


def awaited_since(
    session: Session, questions: Sequence[Question], *, policy: Policy, now: datetime
) -> Mapping[UUID, datetime]:
    """Return which of these questions of a lead keep providers waiting, and since when."""
    open_ = [each for each in questions if each.answered_at is None]
    if not open_:
        return {}
    calendar = commitment.terms_of(session, open_[0].lead_id, otherwise=now).calendar
    since = {
        each.id: waits_since(each.asked_at, answer_within=policy.answer_within, calendar=calendar)
        for each in open_
    }
    return {key: moment for key, moment in since.items() if moment <= now}


def require_answerable(tx: Transaction, lead: Lead, invitation: Invitation) -> None:
    """Raise `Conflict` unless its holder may still say something, for whoever lets the lead be."""
    held = [(lead, invitation)]
    stands = windows(tx.session, held, policy=tx.policy, now=tx.now)[invitation.id]
    invitation.require_answerable(tx.now, respond_by=stands.respond_by)


def _waited(
    session: Session, held: Held, *, policy: Policy, now: datetime
) -> Mapping[UUID, _Waited]:
    """Return what has to be known of those of these leads in which questions were asked."""
    asked = queries.asked_under(
        session, {lead.id for lead, each in held if each.state in ANSWERABLE}
    )
    terms = commitment.terms_of_each(session, asked) if asked else {}
    found = {}
    for lead_id, questions in asked.items():
        calendar = terms[lead_id].calendar if lead_id in terms else CLOCK_HOURS
        found[lead_id] = _Waited(
            waits(questions, now=now, answer_within=policy.answer_within, calendar=calendar),
            calendar,
        )
    return found


def _window(
    lead: Lead, invitation: Invitation, waited: Mapping[UUID, _Waited], policy: Policy
) -> Window:
    known = waited.get(lead.id)
    if known is None or invitation.state not in ANSWERABLE:
        return Window(invitation.respond_by, invitation.extended_by)
    return window(
        known.waits,
        since=invitation.runs_since,
        respond_by=invitation.respond_by,
        extended_by=invitation.extended_by,
        at_most=policy.extension_at_most,
        ends_by=lead.expires_at,
        calendar=known.calendar,
    )


_LOOK_AGAIN = Direct(
    text(
        """
        UPDATE questions SET look_at = :now
        WHERE lead_id = :lead_id AND answered_at IS NULL AND look_at IS NULL
        """
    ).bindparams(
        bindparam("now", type_=DateTime(timezone=True)), bindparam("lead_id", type_=Uuid())
    )
)


def look_again(tx: Transaction, lead_id: UUID) -> None:
    """Let the sweep see somebody new wait for an answer that kept nobody waiting any more."""
    _LOOK_AGAIN.run(tx.session, {"now": tx.now, "lead_id": lead_id})


def extend_windows(ctx: Context) -> int:
    """See what every question does that waits for its answer; return how many there were."""
    return sweep(
        ctx,
        "extend_windows",
        lambda session, now, limit: queries.questions_to_look_at(session, now=now, limit=limit),
        _look,
    )


def _look(tx: Transaction, question_id: UUID) -> None:
    """Extend whom it keeps waiting, tell them and the business, and say when to look again.

    All the questions of the lead at once: of two that are awaited together nobody hears twice.
    """
    lead = leads.lock_lead(tx.session, tx.session.get_one(Question, question_id).lead_id)
    unanswered = queries.unanswered_questions(tx.session, lead.id)
    is_due = {each.id for each in unanswered if each.look_at and each.look_at <= tx.now}
    if question_id not in is_due:
        return
    if not rules_of_leads.is_running(lead.state, now=tx.now, expires_at=lead.expires_at):
        for each in unanswered:
            each.look_at = None
        return
    live = queries.lock_live_invitations(tx.session, lead.id)
    before = {each.id: each.extended_by for each in live}
    found = catch_up(tx, [(lead, each) for each in live], at_least=tx.policy.extension_step)
    someone_waits = any(each.stands_still for each in found.values())
    calendar = commitment.terms_of(tx.session, lead.id, otherwise=tx.now).calendar
    step = tx.policy.extension_step
    awaited, for_a_step = [], []
    for each in unanswered:
        since = waits_since(each.asked_at, answer_within=tx.policy.answer_within, calendar=calendar)
        if since > tx.now:
            each.look_at = since
            continue
        each.look_at = calendar.after(tx.now, step) if someone_waits else None
        awaited.append(each)
        if calendar.after(since, step) <= tx.now:
            for_a_step.append(each)
    if live:
        _nudge(tx, lead, awaited, stands_still=someone_waits)
    if for_a_step:
        extended = [
            each
            for each in live
            # Those as well for whom another sweep has just written down what they have more.
            if each.extended_by >= step
            and (found[each.id].stands_still or each.extended_by > before[each.id])
        ]
        _tell_of_extension(tx, lead, extended, for_a_step[0])


def _nudge(
    tx: Transaction, lead: Lead, awaited: Collection[Question], *, stands_still: bool
) -> None:
    """Tell the business, once for each question, that its answer is waited for."""
    notify_each(
        tx,
        [
            Message(
                "answer_awaited",
                leading.contact_of(lead),
                lead.id,
                {
                    "reference": lead.reference,
                    "question": each.text,
                    "at": each.asked_at,
                    "at_most_minutes": _at_most_minutes(tx) if stands_still else None,
                },
                occasion=str(each.id),
                link=leading.request_link(tx, lead),
            )
            for each in awaited
        ],
    )


def _tell_of_extension(
    tx: Transaction, lead: Lead, extended: Sequence[Invitation], awaited: Question
) -> None:
    """Tell holders until when they have now: once for the question that is awaited the longest.

    Not at every step: the page shows the time as it stands, and the answer comes with it too.
    """
    values = {"reference": lead.reference, "at_most_minutes": _at_most_minutes(tx)}
    tell_holders(
        tx,
        [
            Letter(
                "deadline_extended",
                each,
                {**values, "respond_by": each.respond_by},
                occasion=str(awaited.id),
            )
            for each in extended
        ],
    )


def _at_most_minutes(tx: Transaction) -> int:
    return ceil(tx.policy.extension_at_most / MINUTE)
