"""Write down what is to be said, in the transaction that causes it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert

from marketplace.core.context import Transaction
from marketplace.core.db import new_id
from marketplace.core.jobs import Job
from marketplace.core.links import Purpose
from marketplace.notifications.models import Notification
from marketplace.notifications.rules import NotificationState


@dataclass(frozen=True)
class Recipient:
    """Who is written to, and in which time zone (IANA name) times are told."""

    address: str
    name: str
    time_zone: str = "UTC"


@dataclass(frozen=True)
class LinkTo:
    """A link that works without signing in, to be minted when the message is sent."""

    purpose: Purpose
    subject_id: UUID
    expires_at: datetime


def notify(
    tx: Transaction,
    template: str,
    to: Recipient,
    subject_id: UUID,
    *,
    occasion: str = "",
    path: str | None = None,
    link: LinkTo | None = None,
    **values: Any,
) -> None:
    """Write a message down; it is handed on once the transaction has been committed.

    The same template, recipient, subject and occasion exist once, however often this is called.
    `path` is where the one action leads a recipient who signs in, `link` one who does not.
    `values` are what the template fills in: strings, numbers, lists of them; a datetime is stored
    as ISO 8601 and told in the recipient's time zone.
    """
    stored = {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in values.items()
    }
    written = tx.session.scalar(
        insert(Notification)
        .values(
            id=new_id(),
            template=template,
            recipient=to.address,
            recipient_name=to.name,
            time_zone=to.time_zone,
            subject_id=subject_id,
            occasion=occasion,
            values=stored,
            path=path,
            link_purpose=link.purpose if link else None,
            link_subject_id=link.subject_id if link else None,
            link_expires_at=link.expires_at if link else None,
            state=NotificationState.QUEUED,
            attempts=0,
            next_attempt_at=tx.now,
            created_at=tx.now,
        )
        .on_conflict_do_nothing()
        .returning(Notification.id)
    )
    if written is not None:
        tx.afterwards(Job.DELIVER_NOTIFICATIONS)
