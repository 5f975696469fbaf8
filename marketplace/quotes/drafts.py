"""Keep what a provider's people have typed of a quote until they send it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from marketplace.core.actors import Actor
from marketplace.core.context import Context
from marketplace.core.db import new_id
from marketplace.invitations import endings, extension
from marketplace.invitations import queries as invitations
from marketplace.invitations.models import Invitation, QuoteDraft
from marketplace.leads.models import Lead
from marketplace.quotes import queries

Typed = Mapping[str, list[str]]


@dataclass(frozen=True, repr=False)
class Draft:
    """What is kept of an unsent quote, if anything, and how to say that one has seen it."""

    typed: Typed | None
    saved_at: datetime | None
    mark: str
    """Which draft and which version of the quote this is: a save names the one it was made from."""
    is_saved: bool = True
    """Whether what was to be saved was. If not, this is what somebody else saved or sent since."""


def draft_of(session: Session, actor: Actor, invitation_id: UUID) -> Draft:
    """Return what the provider's people have typed under one of its invitations."""
    invitation = _own(session, actor, invitation_id)
    return _seen(session, invitation.id, session.get(QuoteDraft, invitation.id))


def drafted(session: Session, invitation_ids: Collection[UUID]) -> dict[UUID, datetime]:
    """Return under which of these invitations there is a draft, and when it was saved."""
    rows = session.execute(
        select(QuoteDraft.invitation_id, QuoteDraft.saved_at).where(
            QuoteDraft.invitation_id.in_(invitation_ids)
        )
    )
    return dict(rows.all())


def save_draft(
    ctx: Context, actor: Actor, invitation_id: UUID, typed: Typed, *, seen: str
) -> Draft:
    """Keep what was typed, as it was typed; nothing is accepted, opened or answered by it.

    `seen` is the mark of what it was typed over. Where another has saved since, or sent the quote,
    what they saved is left as it is and returned, and this is for its writer to decide. The same
    once more changes nothing.
    """
    with ctx.transaction() as tx:
        invitation = _own(tx.session, actor, invitation_id)
        # Alone, without its lead: nothing that is locked before an invitation is locked after it.
        invitation = invitations.lock_invitation(tx.session, invitation.id)
        extension.require_answerable(tx, tx.session.get_one(Lead, invitation.lead_id), invitation)
        kept = tx.session.get(QuoteDraft, invitation.id, populate_existing=True)
        found = _seen(tx.session, invitation.id, kept)
        # PostgreSQL holds no NUL in a text; nobody types one.
        clean = {name: [each.replace("\x00", "") for each in typed[name]] for name in typed}
        if kept is not None and kept.typed == clean:
            return found
        if seen != found.mark:
            return Draft(found.typed, found.saved_at, found.mark, is_saved=False)
        if kept is None:
            kept = QuoteDraft(invitation_id=invitation.id)
            tx.session.add(kept)
        kept.typed, kept.saved_at, kept.saved_as = clean, tx.now, new_id()
        tx.session.flush()
        return _seen(tx.session, invitation.id, kept)


def discard_draft(ctx: Context, actor: Actor, invitation_id: UUID) -> None:
    """Forget what was typed and not sent. Nothing there is fine."""
    with ctx.transaction() as tx:
        invitation = _own(tx.session, actor, invitation_id)
        invitations.lock_invitation(tx.session, invitation.id)
        endings.forget_drafts(tx, [invitation.id])


def _own(session: Session, actor: Actor, invitation_id: UUID) -> Invitation:
    """Return the invitation to a person of the provider that holds it, and to nobody else."""
    actor.own_provider()
    return invitations.invitation_of(session, actor, invitation_id)


def _seen(session: Session, invitation_id: UUID, kept: QuoteDraft | None) -> Draft:
    quote = queries.latest(session, invitation_id)
    version = quote.version if quote else 0
    if kept is None:
        return Draft(None, None, f"{version}-")
    return Draft(kept.typed, kept.saved_at, f"{version}-{kept.saved_as}")
