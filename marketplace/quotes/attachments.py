"""PDF files that a provider attaches to its quote.

A file belongs to the invitation. The people of its provider add and remove files while they may
quote, which is no step: nothing is opened, accepted, revealed or told by it. A quote that is sent
takes along the files that are there, and its version says which. So what the business sees changes
only when a quote is sent, never behind its back: a file added later comes with the next version,
one removed later stays with the versions that brought it. What was sent is kept with its version,
as the version itself is; what was not goes when it is removed, or with the invitation.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session, undefer

from marketplace.core.actors import Actor
from marketplace.core.context import Context, Transaction
from marketplace.core.db import Json, new_id
from marketplace.core.errors import Conflict, FieldError, NotFound
from marketplace.core.events import record
from marketplace.core.files import SentFile
from marketplace.core.forms import Form
from marketplace.core.texts import N_, Told
from marketplace.invitations import queries as invitations
from marketplace.invitations import service as answering
from marketplace.invitations.models import Attachment, Invitation
from marketplace.quotes import queries
from marketplace.quotes.models import Quote

TOO_MANY = N_("may not be added: a quote has at most %(most)d files, so please remove one first")


@dataclass(frozen=True)
class Held:
    """A file under an invitation, as its provider sees it."""

    attachment: Attachment
    is_with_business: bool
    """Whether the quote as it stands brought it; otherwise the next version does."""
    is_removed: bool
    """Whether the next version leaves it out."""


def add_attachment(ctx: Context, actor: Actor, invitation_id: UUID, form: Form) -> Held:
    """Keep a file for the quote. The same content twice is one file, under its first name."""
    with ctx.transaction() as tx:
        invitation = _hold_own(tx, actor, invitation_id)
        form.accept()
        file: SentFile = form.values["file"]
        digest = sha256(file.content).digest()
        kept = tx.session.scalars(
            select(Attachment).where(Attachment.invitation_id == invitation.id)
        ).all()
        found = next((each for each in kept if each.digest == digest), None)
        if found is None or found.removed_at is not None:
            _require_room(tx, form, kept, is_new=found is None)
            if found is None:
                found = Attachment(
                    id=new_id(),
                    invitation_id=invitation.id,
                    name=file.name,
                    size=len(file.content),
                    digest=digest,
                    content=file.content,
                    added_at=tx.now,
                )
                tx.session.add(found)
            found.removed_at = None
            record(
                tx, actor, "attachment.added", invitation.id, file=str(found.id), size=found.size
            )
        return Held(found, found.id in _sent_with(tx.session, invitation.id), is_removed=False)


def _require_room(tx: Transaction, form: Form, kept: Sequence[Attachment], *, is_new: bool) -> None:
    most = tx.policy.attachments_at_most
    if sum(each.removed_at is None for each in kept) >= most:
        form.accept([FieldError("/file", Told(TOO_MANY, most=most))])
    if is_new and len(kept) >= tx.policy.attachments_kept_at_most:
        raise Conflict("so many files were sent under this invitation that it takes no other")


def remove_attachment(ctx: Context, actor: Actor, invitation_id: UUID, attachment_id: UUID) -> None:
    """Leave a file out of the next version of the quote; one that was never sent is gone."""
    with ctx.transaction() as tx:
        invitation = _hold_own(tx, actor, invitation_id)
        found = tx.session.get(Attachment, attachment_id, populate_existing=True)
        if found is None or found.invitation_id != invitation.id or found.removed_at is not None:
            raise NotFound("there is no such file")
        if found.sent_at is None:
            tx.session.delete(found)
        else:
            found.removed_at = tx.now
        record(tx, actor, "attachment.removed", invitation.id, file=str(found.id))


def _hold_own(tx: Transaction, actor: Actor, invitation_id: UUID) -> Invitation:
    """Return an invitation under which its provider may quote or revise, with its lead locked."""
    lead, invitation = answering.lock_for_answer(tx, actor, invitation_id)
    answering.require_may_answer(tx, lead, invitation)
    invitation.require_answerable(tx.now)
    return invitation


def send_along(tx: Transaction, invitation_id: UUID) -> list[UUID]:
    """Return the files that a quote of now brings; they stay with it. The invitation is locked."""
    unremoved = Attachment.invitation_id == invitation_id, Attachment.removed_at.is_(None)
    ids = tx.session.scalars(select(Attachment.id).where(*unremoved).order_by(Attachment.id)).all()
    tx.session.execute(
        update(Attachment).where(*unremoved, Attachment.sent_at.is_(None)).values(sent_at=tx.now)
    )
    return list(ids)


def attachments_of(session: Session, actor: Actor, invitation_id: UUID) -> list[Held]:
    """Return the files under an own invitation: of the quote as it stands, and of the next."""
    actor.own_provider()
    invitation = invitations.invitation_of(session, actor, invitation_id)
    sent = _sent_with(session, invitation.id)
    rows = session.scalars(
        select(Attachment)
        .where(Attachment.invitation_id == invitation.id, _is_shown(sent))
        .order_by(Attachment.id)
    )
    return [Held(each, each.id in sent, each.removed_at is not None) for each in rows]


def own_attachment(
    session: Session, actor: Actor, invitation_id: UUID, attachment_id: UUID
) -> Attachment:
    """Return one of these files with its content, or raise `NotFound`."""
    actor.own_provider()
    invitation = invitations.invitation_of(session, actor, invitation_id)
    sent = _sent_with(session, invitation.id)
    found = session.scalar(
        _with_content(attachment_id).where(
            Attachment.invitation_id == invitation.id, _is_shown(sent)
        )
    )
    return _found(found)


def sent_attachment(session: Session, quotes: Collection[Quote], attachment_id: UUID) -> Attachment:
    """Return a file with its content if one of these quotes brought it, or raise `NotFound`."""
    is_theirs = any(attachment_id in quote.attachment_ids for quote in quotes)
    return _found(session.scalar(_with_content(attachment_id)) if is_theirs else None)


def views(session: Session, quotes: Collection[Quote]) -> dict[UUID, Json]:
    """Return each quote as it was sent, by its id: with what it adds up to, and its files."""
    ids = [each for quote in quotes for each in quote.attachment_ids]
    rows = session.scalars(select(Attachment).where(Attachment.id.in_(ids))) if ids else ()
    files = {each.id: described(each) for each in rows}
    return {
        quote.id: {
            **quote.view,
            "attachments": [files[each] for each in quote.attachment_ids if each in files],
        }
        for quote in quotes
    }


def described(attachment: Attachment) -> Json:
    """Return what is said of a file beside its quote."""
    return {
        "id": str(attachment.id),
        "name": attachment.name,
        "size": attachment.size,
        "added_at": attachment.added_at.isoformat().replace("+00:00", "Z"),
    }


def _sent_with(session: Session, invitation_id: UUID) -> Collection[UUID]:
    quote = queries.latest(session, invitation_id)
    return quote.attachment_ids if quote else ()


def _is_shown(sent: Collection[UUID]) -> Any:
    return or_(Attachment.removed_at.is_(None), Attachment.id.in_(sent))


def _with_content(attachment_id: UUID) -> Any:
    return (
        select(Attachment)
        .where(Attachment.id == attachment_id)
        .options(undefer(Attachment.content))
    )


def _found(attachment: Attachment | None) -> Attachment:
    if attachment is None:
        raise NotFound("there is no such file")
    return attachment
