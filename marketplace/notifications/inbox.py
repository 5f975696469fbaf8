"""A provider's inbox: the messages that were mailed to it, so that nothing depends on e-mail alone.

The rows are those of the outbox and the words are made from the same source; nothing is copied.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from marketplace.core.actors import Actor
from marketplace.core.context import Context
from marketplace.notifications.models import Notification
from marketplace.notifications.wording import CannotBeWritten, Words, action_address, words

NO_WORDS = Words("A message that can no longer be shown", "", "")
"""What stands for one from before its template was changed."""


@dataclass(frozen=True, repr=False)
class Letter:
    """A message as it stands in the inbox."""

    id: UUID
    template: str
    subject_id: UUID
    """What it is about."""
    subject: str
    text: str
    path: str | None
    """Where its one action leads."""
    written_at: datetime
    was_read: bool
    """Somebody had looked at it before."""


@dataclass(frozen=True)
class Inbox:
    """A page of an inbox, the newest first."""

    items: Sequence[Letter]
    unread: int
    """How many nobody has looked at, on all pages, before this look."""
    last: UUID | None
    """Behind which the next page begins, if there is one."""


def own_messages(
    ctx: Context, actor: Actor, *, public_url: str, limit: int, after: UUID | None = None
) -> Inbox:
    """Return what was written to the actor's provider. A person's look marks it as read."""
    provider_id = actor.own_provider()
    with ctx.transaction() as tx:
        rows = _rows(tx.session, provider_id, limit=limit + 1, after=after)
        shown = rows[:limit]
        unread = unread_messages(tx.session, provider_id)
        items = [_letter(each, public_url, now=tx.now) for each in shown]
        new = [each.id for each in shown if each.read_at is None]
        if new and actor.looks_for_provider:
            tx.session.execute(
                update(Notification).where(Notification.id.in_(new)).values(read_at=tx.now)
            )
    return Inbox(items, unread, shown[-1].id if len(rows) > limit else None)


def unread_messages(session: Session, provider_id: UUID) -> int:
    """Return how many messages of a provider's inbox nobody has looked at."""
    rows = select(func.count()).where(
        Notification.provider_id == provider_id, Notification.read_at.is_(None)
    )
    return session.scalar(rows) or 0


def _rows(
    session: Session, provider_id: UUID, *, limit: int, after: UUID | None
) -> Sequence[Notification]:
    rows = select(Notification).where(Notification.provider_id == provider_id)
    if after is not None:
        rows = rows.where(Notification.id < after)
    return session.scalars(rows.order_by(Notification.id.desc()).limit(limit)).all()


def _letter(row: Notification, public_url: str, *, now: datetime) -> Letter:
    try:
        said = words(
            row.template,
            row.values,
            name=row.recipient_name,
            time_zone=row.time_zone,
            now=now,
            public_url=public_url,
            # no token, no secret
            action_url=action_address(public_url, path=row.path, link=None, token=""),  # nosec B106
        )
    except CannotBeWritten:
        said = NO_WORDS
    return Letter(
        row.id,
        row.template,
        row.subject_id,
        said.subject,
        said.text,
        row.path,
        row.created_at,
        row.read_at is not None,
    )
