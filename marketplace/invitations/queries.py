"""How invitations are found, and for whom."""

from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Float,
    Select,
    Uuid,
    any_,
    bindparam,
    case,
    cast,
    exists,
    extract,
    func,
    select,
    tuple_,
    union_all,
)
from sqlalchemy.orm import Session

from marketplace.core.actors import Actor
from marketplace.core.db import one_of
from marketplace.core.errors import NotFound
from marketplace.core.events import Event
from marketplace.invitations.models import Invitation, Question
from marketplace.invitations.rules import ANSWERABLE, LIVE, InvitationState
from marketplace.invitations.waits import Asked
from marketplace.leads.models import Lead
from marketplace.leads.queries import lock_lead, lock_leads


def invitation_of(session: Session, actor: Actor, invitation_id: UUID) -> Invitation:
    """Return the invitation if it is this provider's, or one under this business' request."""
    invitation = session.get(Invitation, invitation_id)
    if invitation is None or not (
        actor.is_admin
        or (actor.provider_id is not None and invitation.provider_id == actor.provider_id)
        or (actor.lead_id is not None and invitation.lead_id == actor.lead_id)
    ):
        raise NotFound("no such invitation")
    return invitation


def lock_invitation(session: Session, invitation_id: UUID) -> Invitation:
    """Hold the row until the transaction ends, read afresh. The lead is locked before."""
    return session.get_one(Invitation, invitation_id, with_for_update=True, populate_existing=True)


def lock_with_lead(session: Session, invitation: Invitation) -> tuple[Lead, Invitation]:
    """Hold the lead and then the invitation, as the order of locks is, and read both afresh."""
    lead = lock_lead(session, invitation.lead_id)
    return lead, lock_invitation(session, invitation.id)


def lock_each_with_lead(
    session: Session, invitation_ids: Collection[UUID]
) -> list[tuple[Lead, Invitation]]:
    """Hold these as `lock_with_lead` does one: all the leads, then all the invitations, by id."""
    ids = bindparam("ids", list(invitation_ids), type_=ARRAY(Uuid()))
    these = Invitation.id == any_(ids)
    leads = lock_leads(session, session.scalars(select(Invitation.lead_id).where(these)).all())
    rows = session.scalars(
        select(Invitation)
        .where(these)
        .order_by(Invitation.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return [(leads[invitation.lead_id], invitation) for invitation in rows]


def lead_id_of(session: Session, invitation_id: UUID) -> UUID | None:
    """Return the lead of an invitation, without loading or locking either."""
    return session.scalar(select(Invitation.lead_id).where(Invitation.id == invitation_id))


def invitations_for_lead(session: Session, lead_id: UUID) -> list[Invitation]:
    """Return every invitation that the lead ever led to, the oldest first."""
    return list(session.scalars(_OF_LEAD, {"lead_id": lead_id}))


def leads_told_of(session: Session, invitation_ids: Collection[UUID]) -> Sequence[UUID]:
    """Return the leads of these invitations, but for those of which nothing is left."""
    rows = select(Lead.id).join(Invitation, Invitation.lead_id == Lead.id)
    return session.scalars(
        rows.where(Invitation.id.in_(invitation_ids), Lead.erased_at.is_(None))
    ).all()


_OF_LEAD = (
    select(Invitation)
    .where(Invitation.lead_id == bindparam("lead_id"))
    .order_by(Invitation.id)
    .execution_options(populate_existing=True)
)


def lock_live_invitations(session: Session, lead_id: UUID) -> list[Invitation]:
    """Hold every live invitation of a lead that the caller has locked."""
    return list(
        session.scalars(
            select(Invitation)
            .where(Invitation.lead_id == lead_id, one_of(Invitation.state, *LIVE))
            .order_by(Invitation.id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
    )


def questions_for_lead(session: Session, lead_id: UUID) -> list[Question]:
    """Return the thread of a lead, in the order in which it was asked."""
    return list(
        session.scalars(select(Question).where(Question.lead_id == lead_id).order_by(Question.id))
    )


def unanswered_questions(session: Session, lead_id: UUID) -> list[Question]:
    """Return the questions of a lead, which the caller has locked, that have no answer; afresh."""
    return list(
        session.scalars(
            select(Question)
            .where(Question.lead_id == lead_id, Question.answered_at.is_(None))
            .order_by(Question.id)
            .execution_options(populate_existing=True)
        )
    )


def asked_under(session: Session, lead_ids: Collection[UUID]) -> dict[UUID, list[Asked]]:
    """Return when the questions of these leads were asked and answered, by lead; all, if any."""
    if not lead_ids:
        return {}
    ids = bindparam("ids", list(lead_ids), type_=ARRAY(Uuid()))
    found: dict[UUID, list[Asked]] = {}
    for lead_id, asked_at, answered_at in session.execute(
        select(Question.lead_id, Question.asked_at, Question.answered_at).where(
            Question.lead_id == any_(ids)
        )
    ):
        found.setdefault(lead_id, []).append(Asked(asked_at, answered_at))
    return found


def questions_to_look_at(session: Session, *, now: datetime, limit: int) -> list[UUID]:
    """Return questions that wait for their answers and do something by now, the first due first."""
    return list(
        session.scalars(
            select(Question.id)
            .where(Question.look_at <= now)
            .order_by(Question.look_at)
            .limit(limit)
        )
    )


def invitations_to_end(session: Session, *, now: datetime, limit: int) -> list[UUID]:
    """Return invitations that were not opened or not answered in time, the most overdue first."""
    unopened = _due(Invitation.open_by, (InvitationState.SENT,), now, limit)
    opened = tuple(state for state in ANSWERABLE if state is not InvitationState.SENT)
    unanswered = _due(Invitation.respond_by, opened, now, limit)
    due = union_all(unopened, unanswered).subquery()
    return list(session.scalars(select(due.c.id).order_by(due.c.moment).limit(limit)))


def invitations_to_remind(session: Session, *, now: datetime, limit: int) -> list[UUID]:
    """Return invitations of which their holders should be reminded, the most overdue first."""
    due = _due(Invitation.remind_at, ANSWERABLE, now, limit).subquery()
    return list(session.scalars(select(due.c.id)))


def _due(
    moment: Any, states: Collection[InvitationState], now: datetime, limit: int
) -> Select[tuple[UUID, datetime]]:
    return (
        select(Invitation.id, moment.label("moment"))
        .where(one_of(Invitation.state, *states), moment <= now)
        .order_by(moment)
        .limit(limit)
    )


def unsettled_invitations(session: Session, *, limit: int) -> list[UUID]:
    """Return invitations whose end is not entered in the fairness ledger yet, the earliest first.

    By when each came to what it is settled as: a late sweep enters them as one in time would have.
    """
    settled_as_at = func.least(Invitation.released_at, Invitation.quoted_at, Invitation.ended_at)
    return list(
        session.scalars(
            select(Invitation.id)
            .where(Invitation.settled_at.is_(None), ~one_of(Invitation.state, *ANSWERABLE))
            .order_by(settled_as_at, Invitation.id)
            .limit(limit)
        )
    )


def refunded_declines(session: Session, provider_id: UUID, *, month: date) -> int:
    """Return how many of its declines of a month (UTC) have had their turn back."""
    given_back = exists().where(
        Event.subject_id == Invitation.id, Event.verb == "invitation.turn_given_back"
    )
    return (
        session.scalar(
            select(func.count())
            .select_from(Invitation)
            .where(
                Invitation.provider_id == provider_id,
                Invitation.state == InvitationState.DECLINED,
                func.date_trunc("month", Invitation.ended_at, "UTC") == _midnight(month),
                given_back,
            )
        )
        or 0
    )


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def leads_held_by(session: Session, provider_id: UUID) -> list[UUID]:
    """Return the leads in which this provider holds a live invitation."""
    return list(
        session.scalars(
            select(Invitation.lead_id).where(
                Invitation.provider_id == provider_id, one_of(Invitation.state, *LIVE)
            )
        )
    )


# Urgency as two numbers that sort upwards: what can still be answered by its deadline, then the
# rest with the latest first.
_group = case((Invitation.state.in_(ANSWERABLE), 0), else_=1)
# What was not looked at yet is lost when it has to be opened, which may be sooner.
_deadline = case(
    (
        Invitation.state == InvitationState.SENT,
        func.least(Invitation.open_by, Invitation.respond_by),
    ),
    else_=Invitation.respond_by,
)
_moment = cast(extract("epoch", _deadline), Float)
_key = case((Invitation.state.in_(ANSWERABLE), _moment), else_=-_moment)


class Urgency(NamedTuple):
    """Where an invitation stood in its provider's list: by the next page it may have moved."""

    group: int
    key: float
    id: UUID


def invitations_of_provider(
    session: Session,
    provider_id: UUID,
    *,
    state: InvitationState | None,
    limit: int,
    after: Urgency | None,
) -> tuple[Sequence[tuple[Invitation, Lead]], Urgency | None]:
    """Return a provider's invitations with their leads, the most urgent first, a page at a time."""
    rows: Select[Invitation, Lead, int, float] = (
        select(Invitation, Lead, _group, _key)
        .join(Lead, Lead.id == Invitation.lead_id)
        .where(Invitation.provider_id == provider_id)
    )
    if state is not None:
        rows = rows.where(Invitation.state == state)
    if after is not None:
        rows = rows.where(tuple_(_group, _key, Invitation.id) > after)
    found = session.execute(rows.order_by(_group, _key, Invitation.id).limit(limit + 1)).all()
    kept = [(invitation, lead) for invitation, lead, _, _ in found[:limit]]
    if len(found) <= limit:
        return kept, None
    last, _, group, key = found[limit - 1]
    return kept, Urgency(group, key, last.id)


RESPONSE_HOURS = cast(
    extract("epoch", Invitation.responded_at - Invitation.sent_at) / 3600.0, Float
)
"""How long a provider took to its first response: everything that is said of it comes from here."""


def response_hours(session: Session, provider_ids: Collection[UUID]) -> dict[UUID, float]:
    """Return the median hours to a response of each provider that has responded three times."""
    rows = session.execute(
        select(
            Invitation.provider_id,
            func.percentile_cont(0.5).within_group(RESPONSE_HOURS),
        )
        .where(Invitation.provider_id.in_(provider_ids), Invitation.responded_at.is_not(None))
        .group_by(Invitation.provider_id)
        .having(func.count() >= 3)
    )
    return {provider_id: round(float(median), 1) for provider_id, median in rows}
