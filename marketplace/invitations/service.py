"""Hold a lead out to a provider, and take the provider's answer."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import insert

from marketplace.catalogue import queries as catalogue
from marketplace.core.actors import SYSTEM, Actor
from marketplace.core.context import Context, Transaction
from marketplace.core.db import new_id
from marketplace.core.direct import Direct
from marketplace.core.errors import Conflict
from marketplace.core.events import record, record_each
from marketplace.core.jobs import Job
from marketplace.invitations import extension, looks, queries, rules, standing
from marketplace.invitations.endings import end, pass_on, those_who_could_answer
from marketplace.invitations.letters import Letter, tell_holders
from marketplace.invitations.misses import Then, tell_of_miss
from marketplace.invitations.models import Invitation
from marketplace.invitations.rules import DeclineReason, InvitationEvent, InvitationState, MissKind
from marketplace.leads import rules as rules_of_leads
from marketplace.leads.models import Lead
from marketplace.notifications import commitment
from marketplace.notifications.commitment import Terms
from marketplace.providers import coverage

_invitations: Any = Invitation.__table__
_WRITE = Direct(
    insert(_invitations),
    columns=(
        "id", "lead_id", "provider_id", "place", "state", "by_hand_because", "sent_at", "open_by",
        "respond_by", "extended_by", "remind_at", "reminders",
    ),
)  # fmt: skip


def invite(
    tx: Transaction,
    actor: Actor,
    lead: Lead,
    places: Mapping[int, UUID],
    *,
    by_hand_because: str | None = None,
) -> list[Invitation]:
    """Hold the lead out to a provider in each of these places, and tell them so.

    The lead is locked, and so are the providers. What is returned says what was written.
    """
    if not places:
        return []
    terms = commitment.terms_of(tx.session, lead.id, otherwise=tx.now)
    deadline, reminders = _deadline(tx, terms)
    open_by = rules.open_by(
        now=tx.now,
        within=tx.policy.open_within,
        respond_by=deadline,
        calendar=terms.calendar,
    )
    nudge = rules.nudge_time(tx.now, open_by, shares=tx.policy.remind_at, calendar=terms.calendar)
    rows = [
        {
            "id": new_id(),
            "lead_id": lead.id,
            "provider_id": provider_id,
            "place": place,
            "state": InvitationState.SENT,
            "by_hand_because": by_hand_because,
            "sent_at": tx.now,
            "open_by": open_by,
            "respond_by": deadline,
            "extended_by": timedelta(0),
            "remind_at": nudge,
            "reminders": reminders,
        }
        for place, provider_id in places.items()
    ]
    _WRITE.run(tx.session, *rows)
    invitations = [Invitation(**row) for row in rows]
    coverage.take_places(tx, list(places.values()))
    extension.look_again(tx, lead.id)
    sent = {each.id: {"lead": str(lead.id), "place": each.place} for each in invitations}
    record_each(tx, actor, "invitation.sent", sent)
    called = catalogue.region_names(tx.session, lead.regions)
    values = {
        "reference": lead.reference,
        "service": lead.service,
        "standards": lead.standards,
        "region": ", ".join(called.get(code, code) for code in lead.regions),
        "headcount": lead.headcount,
        "open_by": open_by,
        "respond_by": deadline,
        "places": tx.policy.places,
    }
    tell_holders(tx, [Letter("invitation", each, values) for each in invitations])
    return invitations


def _deadline(
    tx: Transaction, terms: Terms, *, not_before: datetime | None = None
) -> tuple[datetime, list[datetime]]:
    """Return until when an invitation of now can be answered, and when its holder is reminded."""
    deadline = rules.respond_by(
        now=tx.now,
        due_at=max(terms.due_at, not_before or terms.due_at),
        at_least=tx.policy.min_response_window,
        calendar=terms.calendar,
    )
    return deadline, rules.reminder_times(
        tx.now, deadline, shares=tx.policy.remind_at, calendar=terms.calendar
    )


def look_at_invitation(ctx: Context, actor: Actor, invitation_id: UUID) -> Invitation:
    """Return an invitation to its holder. A person's first look opens it; a program's does not.

    One that was released unopened comes back, with a fresh window, if a place is free.
    """
    with ctx.transaction() as tx:
        invitation = queries.invitation_of(tx.session, actor, invitation_id)
        may_open = actor.looks_for_provider and invitation.state in (
            InvitationState.SENT,
            InvitationState.RELEASED,
        )
        is_unread = invitation.is_live and invitation.looked_at is None
        if not may_open and not (is_unread and actor.provider_id):
            return invitation
        lead, invitation = queries.lock_with_lead(tx.session, invitation)
        if not may_open:
            _note_reading(tx, actor, invitation)
            return invitation
        if not rules_of_leads.is_running(lead.state, now=tx.now, expires_at=lead.expires_at):
            return invitation  # it ends with its request, if no sweep has met that yet
        release = InvitationEvent.RELEASE
        was_overdue = invitation.due_event(tx.now) is release
        if was_overdue:  # and no sweep has met it yet
            if not those_who_could_answer(tx, [(lead, invitation, release)]):
                return invitation
            end(tx, SYSTEM, invitation, release)
        if invitation.state is InvitationState.SENT:
            looks.note_look(tx, invitation)
            invitation.apply(InvitationEvent.OPEN, now=tx.now)
            record(tx, actor, "invitation.opened", invitation.id)
        elif invitation.state is InvitationState.RELEASED:
            came_back = _return_if_possible(tx, actor, lead, invitation)
            if was_overdue:
                then = Then.CAME_BACK if came_back else Then.PASSED_ON
                tell_of_miss(tx, lead, invitation, MissKind.RELEASED, then)
            if was_overdue and not came_back:
                pass_on(tx, lead, invitation)
        return invitation


def _note_reading(tx: Transaction, actor: Actor, invitation: Invitation) -> None:
    """Write down that a brief is read for the first time by what opens nothing: a program."""
    if invitation.is_live and invitation.looked_at is None:
        looks.note_look(tx, invitation)
        record(tx, actor, "invitation.read", invitation.id)


def accept_invitation(ctx: Context, actor: Actor, invitation_id: UUID) -> Invitation:
    """Take the provider's yes: from here on it sees who the business is. Twice is once."""
    with ctx.transaction() as tx:
        lead, invitation = _answering(tx, actor, invitation_id)
        if invitation.state in rules.ANSWERED_YES:
            lead.require_running(tx.now)
            invitation.require_answerable(tx.now)
            return invitation
        accept(tx, actor, lead, invitation)
        return invitation


def accept(tx: Transaction, actor: Actor, lead: Lead, invitation: Invitation) -> None:
    """Reveal the contact to the provider; a quote does this too. Both rows are locked."""
    require_may_answer(tx, lead, invitation)
    invitation.apply(InvitationEvent.ACCEPT, now=tx.now)
    record(tx, actor, "invitation.accepted", invitation.id, lead=str(lead.id))


def require_may_answer(tx: Transaction, lead: Lead, invitation: Invitation) -> None:
    """Raise `Conflict` unless the request runs and its holder may (still) take part."""
    lead.require_running(tx.now)
    hindered = standing.obstacle_of(tx.session, invitation.id, policy=tx.policy, now=tx.now)
    if hindered is not None:
        raise Conflict(hindered)


def decline_invitation(
    ctx: Context,
    actor: Actor,
    invitation_id: UUID,
    *,
    reason: DeclineReason,
    comment: str | None = None,
) -> Invitation:
    """Take the provider's no, and look for another at once."""
    with ctx.transaction() as tx:
        lead, invitation = _answering(tx, actor, invitation_id)
        lead.require_running(tx.now)
        invitation.decline_reason, invitation.decline_comment = reason, comment
        end(tx, actor, invitation, InvitationEvent.DECLINE, reason=reason)
        pass_on(tx, lead, invitation)
        return invitation


def comment_on_decline(
    ctx: Context, actor: Actor, invitation_id: UUID, *, comment: str
) -> Invitation:
    """Add a word to the reason of a decline, for administrators. Once; the same again is fine."""
    with ctx.transaction() as tx:
        lead, invitation = _answering(tx, actor, invitation_id)
        if invitation.state is not InvitationState.DECLINED or lead.erased_at is not None:
            raise Conflict("there is no decline to comment on")
        if invitation.decline_comment not in (None, comment):
            raise Conflict("you have commented on it already")
        invitation.decline_comment = comment
        return invitation


def note_response(tx: Transaction, lead: Lead, invitation: Invitation) -> None:
    """Count what the business can see of this provider: a quote, or a question. Both are locked."""
    is_first = invitation.responded_at is None
    invitation.responded_at = invitation.responded_at or tx.now
    commitment.respond(tx, lead.id, is_first_of_provider=is_first)


def lock_for_answer(tx: Transaction, actor: Actor, invitation_id: UUID) -> tuple[Lead, Invitation]:
    """Return lead and invitation, locked in that order, for its own provider to answer."""
    return _answering(tx, actor, invitation_id)


def _answering(tx: Transaction, actor: Actor, invitation_id: UUID) -> tuple[Lead, Invitation]:
    actor.own_provider()
    held = queries.lock_with_lead(
        tx.session, queries.invitation_of(tx.session, actor, invitation_id)
    )
    extension.catch_up(tx, [held])
    return held


def _return_if_possible(tx: Transaction, actor: Actor, lead: Lead, invitation: Invitation) -> bool:
    holdings = [each.holding for each in queries.invitations_for_lead(tx.session, lead.id)]
    free = rules.free_places(holdings, places=tx.policy.places)
    if not free or standing.obstacle_of(tx.session, invitation.id, policy=tx.policy, now=tx.now):
        return False
    looks.note_look(tx, invitation)
    invitation.place = free[0]
    invitation.respond_by, invitation.reminders = _deadline(
        tx,
        commitment.terms_of(tx.session, lead.id, otherwise=tx.now),
        not_before=invitation.respond_by,
    )
    invitation.extended_by = timedelta(0)  # this window is a fresh one
    invitation.apply(InvitationEvent.RETURN, now=tx.now)
    invitation.ended_at = None
    invitation.plan_reminder(tx.now)
    coverage.take_place_again(tx, invitation.provider_id)
    extension.look_again(tx, lead.id)
    record(tx, actor, "invitation.returned", invitation.id, lead=str(lead.id))
    # Much may have changed while it was away: the run takes it back if it may not stand, and sees
    # whether the lead still waits for anybody.
    tx.afterwards(Job.MATCH_LEADS, lead.id)
    return True
