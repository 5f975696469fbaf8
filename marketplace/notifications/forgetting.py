"""Forget what messages said and to whom, once somebody has asked for it."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, delete, select

from marketplace.core.context import Transaction
from marketplace.notifications.models import MailboxMessage, Notification
from marketplace.notifications.rules import NOTIFICATION_LIFECYCLE, NotificationEvent


def forget_messages(
    tx: Transaction, subject_ids: Collection[UUID], *, template: str | None = None
) -> None:
    """Empty every message about these subjects; what was still queued is not sent any more.

    That each was written, when, and how it ended, stays. `template`: those of one alone.
    """
    theirs: ColumnElement[bool] = Notification.subject_id.in_(subject_ids)
    if template is not None:
        theirs &= Notification.template == template
    for notification in _stopped(tx, theirs):
        empty(notification)


def forget_reader(tx: Transaction, address: str, *, until: datetime | None = None) -> None:
    """Forget to whom messages to an address went, and send it no more of them.

    What they said stays in the inbox of the provider that they were for. `until`: what was written
    later is somebody else's.
    """
    theirs = Notification.recipient == address
    if until is not None:
        theirs &= Notification.created_at <= until
    for notification in _stopped(tx, theirs):
        _forget_reader(notification)


def forget_readers_of(tx: Transaction, provider_id: UUID) -> None:
    """Forget to whom letters to a provider ever went; what they said stays in its inbox."""
    for notification in _stopped(tx, Notification.provider_id == provider_id):
        _forget_reader(notification)


def _forget_reader(notification: Notification) -> None:
    if notification.provider_id is None:
        empty(notification)
        return
    notification.recipient, notification.recipient_name = notification.reader_gone, "erased"
    notification.mailbox = notification.last_error = None


def _stopped(tx: Transaction, which: ColumnElement[bool]) -> Sequence[Notification]:
    """Return these messages, locked; none of them is sent any more, or lies in a mailbox."""
    rows = tx.session.scalars(
        select(Notification)
        .where(which)
        .order_by(Notification.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    for notification in rows:
        if NOTIFICATION_LIFECYCLE.allows(notification.state, NotificationEvent.SUPPRESS):
            notification.apply(NotificationEvent.SUPPRESS)
    ids = [notification.id for notification in rows]
    tx.session.execute(delete(MailboxMessage).where(MailboxMessage.id.in_(ids)))
    return rows


def forget_message(tx: Transaction, notification_id: UUID) -> None:
    """Empty a message that was settled long ago."""
    for notification in _stopped(tx, Notification.id == notification_id):
        empty(notification)


EMPTIED = (
    "recipient", "recipient_name", "values", "provider_id", "mailbox", "last_error", "path",
    "occasion",
)  # fmt: skip
"""What that changes of a message."""


def empty(notification: Notification) -> None:
    """Take out of a message to whom it went and what it said; no inbox holds it any longer."""
    notification.recipient = notification.nobody
    notification.recipient_name = "erased"
    notification.values = {}
    notification.provider_id = notification.mailbox = notification.last_error = None
    # Ids, times and marks of devices; what tells it from every other message is `recipient` now.
    notification.path, notification.occasion = None, ""
