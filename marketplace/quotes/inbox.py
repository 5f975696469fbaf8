"""What a provider sees of its own: invitations with briefs, and its own quotes. Nobody else's."""

from typing import Any
from uuid import UUID

from marketplace.core.actors import Actor
from marketplace.core.context import Context
from marketplace.invitations import brief
from marketplace.invitations import queries as invitations
from marketplace.invitations.rules import InvitationState
from marketplace.leads.models import Lead
from marketplace.quotes import queries


def own_invitations(
    ctx: Context,
    actor: Actor,
    *,
    state: InvitationState | None,
    limit: int,
    after: UUID | None,
) -> tuple[list[dict[str, Any]], UUID | None]:
    """Return the provider's invitations, the most urgent first, and where the next page begins."""
    with ctx.reading() as session:
        rows, last = invitations.invitations_of_provider(
            session, actor.own_provider(), state=state, limit=limit, after=after
        )
        return [brief.summary(invitation, lead) for invitation, lead in rows], last


def own_invitation(ctx: Context, actor: Actor, invitation_id: UUID) -> dict[str, Any]:
    """Return one invitation of the provider: brief, thread, and the quote as it stands."""
    actor.own_provider()
    with ctx.reading() as session:
        invitation = invitations.invitation_of(session, actor, invitation_id)
        lead = session.get_one(Lead, invitation.lead_id)
        versions = queries.versions(session, invitation.id)
        return {
            **brief.full(session, invitation, lead),
            "quote": versions[0].view if versions else None,
            "quote_versions": len(versions),
        }
