"""Write down what is to be said, in the transaction that causes it, and what becomes of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from marketplace.core.actors import Actor
from marketplace.core.context import Context, Origin, Transaction
from marketplace.core.db import new_id
from marketplace.core.direct import Direct
from marketplace.core.errors import Conflict, NotFound
from marketplace.core.events import record
from marketplace.core.jobs import Job
from marketplace.core.links import Purpose
from marketplace.notifications import caps, queries, suppressions
from marketplace.notifications.models import Notification
from marketplace.notifications.rules import NotificationEvent, NotificationState, Way


@dataclass(frozen=True, repr=False)
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


@dataclass(frozen=True, repr=False)
class Message:
    """One message to one person, before it is written down.

    `path` is where the one action leads a recipient who signs in, `link` one who does not.
    `values` fill in the words: strings, numbers, lists of them; a datetime is stored as ISO 8601
    and told in the recipient's time zone. `occasion` tells apart messages from one template to one
    recipient about one subject.
    """

    template: str
    to: Recipient
    subject_id: UUID
    values: Mapping[str, Any]
    occasion: str = ""
    path: str | None = None
    link: LinkTo | None = None
    is_last_word: bool = False
    """Forget it once it is sent."""
    provider_id: UUID | None = None
    """Whose inbox it goes into as well; its action has to be a `path`, which lets nobody in."""
    channel: Way = Way.EMAIL
    """By a webhook it goes to that webhook's id instead of an address."""

    def __post_init__(self) -> None:
        """Refuse what an inbox could not show."""
        if self.provider_id is not None and self.path is None:
            raise ValueError(f"{self.template}: what stands in an inbox leads to a page")


def notify(
    tx: Transaction,
    template: str,
    to: Recipient,
    subject_id: UUID,
    *,
    occasion: str = "",
    path: str | None = None,
    link: LinkTo | None = None,
    is_last_word: bool = False,
    provider_id: UUID | None = None,
    **values: Any,
) -> None:
    """Write one message down; it is handed on once the transaction has been committed.

    The same template, recipient, subject and occasion exist once, however often this is called.
    """
    message = Message(
        template, to, subject_id, values, occasion, path, link, is_last_word, provider_id
    )
    notify_each(tx, [message])


_notifications: Any = Notification.__table__
COLUMNS = (
    "id", "template", "recipient", "recipient_name", "time_zone", "subject_id", "occasion",
    "values", "path", "link_purpose", "link_subject_id", "link_expires_at", "state", "attempts",
    "next_attempt_at", "created_at", "is_last_word", "provider_id", "channel", "mailbox",
    "request_id",
)  # fmt: skip
"""What `written` returns of a message."""
_WRITE = Direct(insert(_notifications).on_conflict_do_nothing(), columns=COLUMNS)


JOB_OF = {Way.EMAIL: Job.DELIVER_NOTIFICATIONS, Way.WEBHOOK: Job.DELIVER_WEBHOOKS}
"""What sends what goes each way: a provider's slow server holds up no mail."""


def notify_each(tx: Transaction, messages: Sequence[Message]) -> None:
    """Write these messages down as `notify` does one, in one statement.

    What anybody can cause is held back where its mailbox has had enough of it.
    """
    rows = [written(tx, message) for message in messages]
    caps.lock_mailboxes(tx, rows)
    if _WRITE.run(tx.session, *rows):
        caps.hold_back(tx, rows)
        for way in dict.fromkeys(message.channel for message in messages):
            tx.afterwards(JOB_OF[way])


def written(tx: Transaction, message: Message) -> dict[str, Any]:
    """Return the columns of a message that is due at once."""
    link = message.link
    return {
        "id": new_id(),
        "template": message.template,
        "recipient": message.to.address,
        "recipient_name": message.to.name,
        "time_zone": message.to.time_zone,
        "subject_id": message.subject_id,
        "occasion": message.occasion,
        "values": {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in message.values.items()
        },
        "path": message.path,
        "link_purpose": link.purpose if link else None,
        "link_subject_id": link.subject_id if link else None,
        "link_expires_at": link.expires_at if link else None,
        "state": NotificationState.QUEUED,
        "attempts": 0,
        "next_attempt_at": tx.now,
        "created_at": tx.now,
        "is_last_word": message.is_last_word,
        "provider_id": message.provider_id,
        "channel": message.channel,
        "mailbox": caps.mailbox_to_count(tx, message.template, message.to.address, message.channel),
        "request_id": None if tx.origin.request_id == Origin.request_id else tx.origin.request_id,
    }


def let_links_lapse(tx: Transaction, purpose: Purpose, subject_id: UUID) -> None:
    """Let no letter about this subject bring a link for this purpose any more, that has not yet.

    A link is minted when its letter goes out, so what ends links has to end those of letters that
    wait. Called before `links.void`: of a letter that goes out meanwhile, that finds the link.
    """
    waiting = tx.session.scalars(
        select(Notification.id)
        .where(
            Notification.subject_id == subject_id,
            Notification.link_purpose == purpose,
            Notification.link_expires_at > tx.now,
        )
        .order_by(Notification.id)
        .with_for_update()
    ).all()
    tx.session.execute(
        update(Notification).where(Notification.id.in_(waiting)).values(link_expires_at=tx.now)
    )


PAST = {
    NotificationEvent.CLAIM: "claimed",
    NotificationEvent.SEND: "sent",
    NotificationEvent.PUT_BACK: "put_back",
    NotificationEvent.GIVE_UP: "failed",
    NotificationEvent.RETRY: "retried",
    NotificationEvent.DELIVER: "delivered",
    NotificationEvent.BOUNCE: "bounced",
    NotificationEvent.DROP: "dropped",
    NotificationEvent.SUPPRESS: "suppressed",
}
"""How the audit log says what happened to a message."""


def move(
    tx: Transaction,
    notification: Notification,
    event: NotificationEvent,
    actor: Actor,
    **facts: str | int,
) -> None:
    """Let `event` happen to a message, and write that down."""
    notification.apply(event)
    record(tx, actor, f"notification.{PAST[event]}", notification.id, **facts)


def retry_notification(ctx: Context, actor: Actor, notification_id: UUID) -> Notification:
    """Send once more what was given up, or held back from an address that gets mail again."""
    actor.require_admin()
    with ctx.transaction() as tx:
        notification = queries.lock_notification(tx.session, notification_id)
        if notification is None:
            raise NotFound("no such message")
        if not notification.has_reader:
            raise Conflict("what this message said, and to whom, has been forgotten")
        if suppressions.stopped_among(tx.session, {notification.recipient}):
            raise Conflict("this address gets no mail: lift that first")
        move(tx, notification, NotificationEvent.RETRY, actor)
        notification.attempts, notification.next_attempt_at = 0, tx.now
        tx.afterwards(JOB_OF[notification.channel])
        return notification
