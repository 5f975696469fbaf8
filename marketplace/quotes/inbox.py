"""What a provider sees of its own: invitations with briefs, and its own quotes. Nobody else's."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from marketplace.core.actors import Actor
from marketplace.core.context import Context
from marketplace.core.events import record_contact_reads
from marketplace.invitations import brief, extension
from marketplace.invitations import queries as invitations
from marketplace.invitations.letters import NAMES_THE_CONTACT
from marketplace.invitations.queries import Urgency
from marketplace.invitations.rules import InvitationState
from marketplace.leads.models import Lead
from marketplace.leads.rules import CertificationStatus
from marketplace.quotes import attachments, audit_time, comparison, queries
from marketplace.quotes.audit_time import Expected, Need


def own_invitations(
    ctx: Context,
    actor: Actor,
    *,
    state: InvitationState | None,
    limit: int,
    after: Urgency | None,
) -> tuple[list[dict[str, Any]], Urgency | None]:
    """Return the provider's invitations, the most urgent first, and where the next page begins."""
    with ctx.reading() as session:
        rows, last = invitations.invitations_of_provider(
            session, actor.own_provider(), state=state, limit=limit, after=after
        )
        held = [(lead, invitation) for invitation, lead in rows]
        now, policy = ctx.clock(), ctx.policy
        stand = extension.windows(session, held, policy=policy, now=now)
        items = [
            brief.summary(each, lead, stand[each.id], now=now, policy=policy) for lead, each in held
        ]
    _note_reads(
        ctx, actor, [lead.id for (lead, _), it in zip(held, items, strict=True) if _names(it)]
    )
    return items, last


def own_invitation(ctx: Context, actor: Actor, invitation_id: UUID) -> dict[str, Any]:
    """Return one invitation of the provider: brief, thread, and the quote as it stands."""
    actor.own_provider()
    with ctx.reading() as session:
        invitation = invitations.invitation_of(session, actor, invitation_id)
        lead = session.get_one(Lead, invitation.lead_id)
        held = [(lead, invitation)]
        now, policy = ctx.clock(), ctx.policy
        stand = extension.windows(session, held, policy=policy, now=now)
        versions = queries.versions(session, invitation.id)
        shown = {
            **brief.full(session, invitation, lead, stand[invitation.id], now=now, policy=policy),
            "quote": attachments.views(session, versions[:1])[versions[0].id] if versions else None,
            "quote_versions": len(versions),
            "standing": comparison.standing_of(session, invitation, lead),
        }
    _note_reads(ctx, actor, [lead.id] if _names(shown) else [])
    return shown


def note_letters_shown(ctx: Context, actor: Actor, letters: Iterable[tuple[str, UUID]]) -> None:
    """Write down whose contacts stand in letters, each a template and what it is about.

    Before the actor is shown them.
    """
    naming = [about for template, about in letters if template in NAMES_THE_CONTACT]
    if naming:
        with ctx.reading() as session:
            leads = invitations.leads_told_of(session, naming)
        _note_reads(ctx, actor, leads)


def _names(shown: Mapping[str, Any]) -> bool:
    """Return whether what is shown of an invitation names the contact."""
    return not shown["lead"]["masked"]


def _note_reads(ctx: Context, actor: Actor, leads: Sequence[UUID]) -> None:
    """Write down whose contacts the provider is about to be shown."""
    if leads:
        with ctx.transaction() as tx:
            record_contact_reads(tx, actor, leads, provider=str(actor.own_provider()))


def expected_audit_days(session: Session, lead: Mapping[str, Any], counted: int | None) -> Expected:
    """Return the audit days that the tables suggest for a brief, by no more than stands in it.

    `counted` is effective personnel, where the provider has said it; else the headcount serves.
    """
    bases = queries.audit_time_bases(session, lead["standards"])
    need = Need(
        bases,
        personnel=counted or lead["headcount"],
        is_counted=counted is not None,
        sites=lead["sites"],
        sector=lead["sector"],
        is_transfer=lead["certification_status"] == CertificationStatus.TRANSFER,
    )
    return audit_time.expected(need, queries.audit_tables(session, bases.values()))
