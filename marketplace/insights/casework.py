"""What an administrator sees of leads: the list, one whole case, the clocks that run."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import case, select, tuple_
from sqlalchemy.orm import Session

from marketplace.core.actors import Actor
from marketplace.core.context import Context
from marketplace.core.events import Event
from marketplace.invitations import extension
from marketplace.invitations import queries as invitations
from marketplace.invitations.models import Invitation
from marketplace.invitations.rules import InvitationState
from marketplace.invitations.waits import Window
from marketplace.leads import advisers, certificates
from marketplace.leads import queries as leads
from marketplace.leads.contact_reads import note_leads_shown
from marketplace.leads.models import Lead
from marketplace.leads.rules import LeadState
from marketplace.notifications import commitment, suppressions
from marketplace.notifications.models import Commitment
from marketplace.notifications.rules import CommitmentState
from marketplace.providers.models import Provider
from marketplace.quotes import attachments, comparison

HISTORY_AT_MOST = 500


def found_leads(
    ctx: Context,
    actor: Actor,
    *,
    state: LeadState | None,
    q: str | None,
    limit: int,
    after: UUID | None,
) -> tuple[Sequence[Lead], UUID | None]:
    """Return leads, the newest first, by state and by words in reference, company or address."""
    actor.require_admin()
    with ctx.reading() as session:
        rows = leads.found_leads(state, q)
        if after is not None:
            rows = rows.where(Lead.id < after)
        found = session.scalars(rows.order_by(Lead.id.desc()).limit(limit + 1)).all()
    note_leads_shown(ctx, actor, found[:limit])
    return found[:limit], found[limit - 1].id if len(found) > limit else None


def lead_case(ctx: Context, actor: Actor, lead_id: UUID) -> dict[str, Any]:
    """Return all of a lead: form, signals, clock, invitations with quotes, and its history."""
    actor.require_admin()
    with ctx.reading() as session:
        lead = leads.lead_of(session, actor, lead_id)
        held = invitations.invitations_for_lead(session, lead.id)
        stand = extension.windows(
            session, [(lead, each) for each in held], policy=ctx.policy, now=ctx.clock()
        )
        quotes = comparison.quotes_of_lead(session, actor, lead)
        views = attachments.views(session, quotes.values())
        providers = _providers(session, held)
        shown = {
            **lead.columns,
            "consultants_used": advisers.advisers_of(session, lead),
            "mail_stopped": suppressions.suppression_of(session, lead.contact_email),
            "commitment": commitment.commitment_of(session, lead.id),
            "reminders": certificates.reminders_for_lead(session, lead.id, ctx.policy),
            "invitations": [
                {
                    **_row(each, stand[each.id], providers[each.provider_id]),
                    "quote": views[quotes[each.id].id] if each.id in quotes else None,
                }
                for each in held
            ],
            "questions": invitations.questions_for_lead(session, lead.id),
            "history": _history(session, [lead.id, *(each.id for each in held)]),
        }
    note_leads_shown(ctx, actor, [lead])
    return shown


def _providers(session: Session, held: Sequence[Invitation]) -> dict[UUID, Provider]:
    ids = [each.provider_id for each in held]
    rows = session.scalars(select(Provider).where(Provider.id.in_(ids)))
    return {provider.id: provider for provider in rows}


def _row(invitation: Invitation, stands: Window, provider: Provider) -> dict[str, Any]:
    declined = invitation.state is InvitationState.DECLINED
    return {
        "id": invitation.id,
        "provider": provider,
        "place": invitation.place,
        "state": invitation.state,
        "sent_at": invitation.sent_at,
        "open_by": invitation.open_by,
        "respond_by": stands.respond_by,
        "extended_minutes": int(stands.extended_by / extension.MINUTE),
        "stands_still": stands.stands_still,
        "opened_at": invitation.opened_at,
        "accepted_at": invitation.accepted_at,
        "answered_at": invitation.responded_at or (invitation.ended_at if declined else None),
        "decline_reason": invitation.decline_reason,
        "decline_comment": invitation.decline_comment,
        "by_hand_because": invitation.by_hand_because,
    }


def _history(session: Session, subjects: list[UUID]) -> list[Event]:
    rows = session.scalars(
        select(Event)
        .where(Event.subject_id.in_(subjects))
        .order_by(Event.id.desc())
        .limit(HISTORY_AT_MOST)
    )
    return list(rows)


class Place(NamedTuple):
    """Where a commitment stood in the list: it moves once there is a response, or none in time."""

    group: int
    due_at: datetime
    lead_id: UUID


def clocks(
    ctx: Context, actor: Actor, *, state: CommitmentState | None, limit: int, after: Place | None
) -> tuple[list[dict[str, Any]], Place | None]:
    """Return the commitments, those still running first and the next due before the later."""
    actor.require_admin()
    running = Commitment.state.in_([CommitmentState.RUNNING, CommitmentState.AT_RISK])
    group = case((running, 0), else_=1)
    with ctx.reading() as session:
        rows = select(Commitment, Lead, group).join(Lead, Lead.id == Commitment.lead_id)
        if state is not None:
            rows = rows.where(Commitment.state == state)
        if after is not None:
            rows = rows.where(tuple_(group, Commitment.due_at, Commitment.lead_id) > after)
        found = session.execute(
            rows.order_by(group, Commitment.due_at, Commitment.lead_id).limit(limit + 1)
        ).all()
        kept = [
            {**promise.columns, "reference": lead.reference} for promise, lead, _ in found[:limit]
        ]
        if len(found) <= limit:
            return kept, None
        last, _, place = found[limit - 1]
        return kept, Place(place, last.due_at, last.lead_id)
