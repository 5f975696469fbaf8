"""How messages are found."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, Integer, Select, String, bindparam, select, update
from sqlalchemy.orm import Session

from marketplace.core.db import one_of
from marketplace.core.direct import Direct
from marketplace.notifications.models import MailboxMessage, Notification
from marketplace.notifications.rules import NotificationState, Way

_WAITING = (NotificationState.QUEUED, NotificationState.SENDING)


_DUE = Direct(
    select(
        Notification.id,
        Notification.state,
        Notification.attempts,
        Notification.recipient,
        Notification.request_id,
    )
    .where(
        Notification.channel == bindparam("way", type_=String()),
        one_of(Notification.state, *_WAITING),
        Notification.next_attempt_at <= bindparam("now", type_=DateTime(timezone=True)),
    )
    .order_by(Notification.next_attempt_at, Notification.id)
    .limit(bindparam("at_most", type_=Integer()))
    .with_for_update(skip_locked=True)
)


def lock_due(session: Session, way: Way, *, now: datetime, limit: int) -> list[Any]:
    """Return messages whose time has come or whose claim has lapsed, locked; skip what others hold.

    The longest due comes first; of each its id, state, attempts, recipient and the
    id of the request behind it.
    """
    return _DUE.rows(session, {"way": way, "now": now, "at_most": limit})


def lock_notification(session: Session, notification_id: UUID) -> Notification | None:
    """Hold the message until the transaction ends, read afresh; None if there is none."""
    return session.get(Notification, notification_id, with_for_update=True, populate_existing=True)


def lock_notifications(
    session: Session, notification_ids: Collection[UUID]
) -> dict[UUID, Notification]:
    """Hold those of the messages that exist, in the order of their ids."""
    rows = session.scalars(
        select(Notification)
        .where(Notification.id.in_(notification_ids))
        .order_by(Notification.id)
        .with_for_update()
    )
    return {row.id: row for row in rows}


def write_back(
    session: Session, notifications: Sequence[Notification], columns: Collection[str]
) -> None:
    """Write these columns of messages that the session does not hold, in one go."""
    rows = [
        {"id": each.id, **{name: getattr(each, name) for name in columns}} for each in notifications
    ]
    if rows:
        session.execute(update(Notification), rows)


def notifications(state: NotificationState | None) -> Select[Notification]:
    """Return the outbox, or what of it is in `state`, to be read a page at a time."""
    rows = select(Notification)
    return rows if state is None else rows.where(Notification.state == state)


def postpone(session: Session, call: Notification) -> None:
    """Let what is queued for the same webhook wait as long as this call does."""
    others = (
        select(Notification.id)
        .where(
            one_of(Notification.channel, Way.WEBHOOK),
            one_of(Notification.state, NotificationState.QUEUED),
            Notification.recipient == call.recipient,
            Notification.next_attempt_at < call.next_attempt_at,
        )
        .with_for_update(skip_locked=True)
    )
    session.execute(
        update(Notification)
        .where(Notification.id.in_(others))
        .values(next_attempt_at=call.next_attempt_at)
        .execution_options(synchronize_session=False)
    )


LAST_CALLS = 10


def last_calls(session: Session, webhook: str) -> list[Notification]:
    """Return the last messages to a webhook, the newest first."""
    to_it = select(Notification).where(
        one_of(Notification.channel, Way.WEBHOOK), Notification.recipient == webhook
    )
    return list(session.scalars(to_it.order_by(Notification.id.desc()).limit(LAST_CALLS)))


MAILBOX_AT_MOST = 1000


def mailbox(session: Session, *, to: str | None = None) -> list[MailboxMessage]:
    """Return what the development mailbox holds (for one address), the newest first."""
    rows = select(MailboxMessage)
    if to is not None:
        rows = rows.where(MailboxMessage.recipient.in_({to.strip(), to.strip().lower()}))
    newest_first = rows.order_by(MailboxMessage.sent_at.desc(), MailboxMessage.id.desc())
    return list(session.scalars(newest_first.limit(MAILBOX_AT_MOST)))


def mailbox_message(session: Session, message_id: UUID) -> MailboxMessage | None:
    """Return one message of the development mailbox."""
    return session.get(MailboxMessage, message_id)


def request_behind(session: Session, subject_id: UUID) -> str | None:
    """Return the id of the request that caused the first message about something."""
    first = select(Notification.request_id).where(Notification.subject_id == subject_id)
    return session.scalar(first.order_by(Notification.created_at, Notification.id).limit(1))
