"""Forget what messages said and to whom, once somebody has asked for it."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import delete, select, update

from marketplace.core.context import Transaction
from marketplace.notifications.models import MailboxMessage, Notification
from marketplace.notifications.rules import NotificationState


def forget_messages(tx: Transaction, subject_ids: Collection[UUID]) -> None:
    """Empty every message about these subjects; what was still queued is not sent any more.

    That each was written, when, and how it ended, stays.
    """
    about = Notification.subject_id.in_(subject_ids)
    ids = select(Notification.id).where(about)
    tx.session.execute(delete(MailboxMessage).where(MailboxMessage.id.in_(ids)))
    unsent = Notification.state.in_([NotificationState.QUEUED, NotificationState.FAILED])
    tx.session.execute(
        update(Notification).where(about, unsent).values(state=NotificationState.SUPPRESSED)
    )
    tx.session.execute(
        update(Notification)
        .where(about)
        .values(recipient="erased", recipient_name="erased", values={}, link_purpose=None)
    )
