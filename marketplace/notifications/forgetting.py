"""Forget what messages said and to whom, once somebody has asked for it."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import delete, select

from marketplace.core.context import Transaction
from marketplace.notifications.models import MailboxMessage, Notification
from marketplace.notifications.rules import NOTIFICATION_LIFECYCLE, NotificationEvent


def forget_messages(tx: Transaction, subject_ids: Collection[UUID]) -> None:
    """Empty every message about these subjects; what was still queued is not sent any more.

    That each was written, when, and how it ended, stays.
    """
    rows = tx.session.scalars(
        select(Notification)
        .where(Notification.subject_id.in_(subject_ids))
        .order_by(Notification.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    for notification in rows:
        if NOTIFICATION_LIFECYCLE.allows(notification.state, NotificationEvent.SUPPRESS):
            notification.apply(NotificationEvent.SUPPRESS)
        empty(notification)
    ids = [notification.id for notification in rows]
    tx.session.execute(delete(MailboxMessage).where(MailboxMessage.id.in_(ids)))


EMPTIED = ("recipient", "recipient_name", "values", "provider_id", "mailbox")
"""What that changes of a message."""


def empty(notification: Notification) -> None:
    """Take out of a message to whom it went and what it said; no inbox holds it any longer."""
    notification.recipient = notification.nobody
    notification.recipient_name = "erased"
    notification.values = {}
    notification.provider_id = notification.mailbox = None
