"""The outbox, the development mailbox, and the commitments."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.core.db import Base, Id, Json
from marketplace.core.links import Purpose
from marketplace.notifications import rules
from marketplace.notifications.rules import (
    CommitmentEvent,
    CommitmentState,
    NotificationEvent,
    NotificationState,
    SuppressionReason,
    Way,
)


class Notification(Base):
    """One message to one person, written by the step that causes it; it exists once.

    It carries values and never a raw token: a link is minted when the message is sent.
    """

    __tablename__ = "notifications"
    __table_args__ = (
        UniqueConstraint("template", "recipient", "subject_id", "occasion"),
        Index(
            "ix_notifications_due",
            "channel",
            "next_attempt_at",
            postgresql_where=text("state IN ('queued', 'sending')"),
        ),
        Index(
            "ix_notifications_calls",
            "recipient",
            "id",
            postgresql_where=text("channel = 'webhook'"),
        ),
        Index("ix_notifications_subject_id", "subject_id"),
        Index(
            "ix_notifications_to_forget",
            "created_at",
            postgresql_where=text("recipient NOT LIKE 'erased:%'"),
        ),
        Index(
            "ix_notifications_not_arrived",
            "id",
            postgresql_where=text(
                "channel = 'email' AND state IN ('failed', 'bounced', 'dropped', 'suppressed')"
            ),
        ),
        Index(
            "ix_notifications_mailbox",
            "mailbox",
            "created_at",
            postgresql_where=text("mailbox IS NOT NULL"),
        ),
        Index(
            "ix_notifications_inbox",
            "provider_id",
            "id",
            postgresql_where=text("provider_id IS NOT NULL"),
        ),
    )

    id: Mapped[Id]
    channel: Mapped[Way] = mapped_column(server_default=Way.EMAIL)
    template: Mapped[str]
    """Of a mail, which words it has; to a webhook, what has happened (`invitation.sent`)."""
    recipient: Mapped[str]
    """The e-mail address, or the id of the webhook."""
    recipient_name: Mapped[str]
    time_zone: Mapped[str]
    subject_id: Mapped[UUID]
    """What the message is about: a lead, an invitation, a provider, a user."""
    occasion: Mapped[str]
    """Tells apart messages from one template about one subject: a version, a number, a day."""
    values: Mapped[Json]
    """What the template fills in: words, numbers, ISO 8601 times."""
    path: Mapped[str | None]
    """Where the message's one action leads, for a recipient who signs in."""
    link_purpose: Mapped[Purpose | None]
    """What the message's one action opens, for a recipient who does not sign in ..."""
    link_subject_id: Mapped[UUID | None]
    link_expires_at: Mapped[datetime | None]
    state: Mapped[NotificationState]
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime]
    """When it is due; while `sending`, when the claim lapses."""
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    delivered_at: Mapped[datetime | None]
    last_error: Mapped[str | None]
    provider_id: Mapped[UUID | None]
    """In whose inbox it stands as well, so that nothing depends on e-mail alone ..."""
    read_at: Mapped[datetime | None]
    """... and when one of its people looked at it there first."""
    is_last_word: Mapped[bool]
    """To somebody who asked to be forgotten: it is emptied once it has been handed on."""
    mailbox: Mapped[str | None]
    """For which mailbox it counts (`mailboxes.mailbox_of`), if it is one that anybody can cause."""
    request_id: Mapped[str | None]
    """Of the request, or job, that caused it: whatever is said of handing it on says that too."""

    def apply(self, event: NotificationEvent) -> None:
        """Let `event` happen, or raise `Conflict`."""
        self.state = rules.NOTIFICATION_LIFECYCLE.after(self.state, event)

    @property
    def is_empty(self) -> bool:
        """Whether to whom it went and what it said is forgotten."""
        return self.recipient == self.nobody

    @property
    def has_reader(self) -> bool:
        """Whether it is known to whom it goes, or went."""
        return not self.is_empty and self.recipient != self.reader_gone

    @property
    def nobody(self) -> str:
        """What stands for the address once that and what it said is forgotten: unlike any other."""
        return f"erased:{self.id}"

    @property
    def reader_gone(self) -> str:
        """What stands for the address while what it said stays, until its time is over as well."""
        return f"reader-erased:{self.id}"


class Suppression(Base):
    """That an address gets no more mail, until somebody lifts that. What was lifted stays here."""

    __tablename__ = "suppressions"
    __table_args__ = (
        Index(
            "uq_suppressions_address_in_force",
            "address",
            unique=True,
            postgresql_where=text("lifted_at IS NULL"),
        ),
        # A report that comes again after it was lifted must not bring it back.
        UniqueConstraint("notification_id"),
    )

    id: Mapped[Id]
    address: Mapped[str]
    """As `rules.address_key` writes it."""
    reason: Mapped[SuppressionReason]
    since: Mapped[datetime]
    notification_id: Mapped[UUID | None]
    """The message whose report caused it; none where an administrator did."""
    lifted_at: Mapped[datetime | None]
    lifted_because: Mapped[str | None]


class MailboxMessage(Base):
    """A message "delivered" by `MAIL_BACKEND=mailbox`: the development stand-in for an inbox.

    An inbox holds links that work, so what this table holds of the message is encrypted with a key
    from `SECRET_KEY`: a dump of the database gives nobody a token.
    """

    __tablename__ = "mailbox_messages"
    __table_args__ = (Index(None, "recipient"),)

    id: Mapped[Id]
    """The notification's id: sent twice is kept once."""
    recipient: Mapped[str]
    template: Mapped[str]
    sent_at: Mapped[datetime]
    sealed: Mapped[bytes]
    """Encrypted JSON: `{"subject", "text", "html"}`."""


class MailPause(Base):
    """That whatever is behind a way out refuses us and that way waits: one row for each at most."""

    __tablename__ = "mail_pauses"

    channel: Mapped[str] = mapped_column(primary_key=True)
    """Which `Way`."""
    until: Mapped[datetime]
    reason: Mapped[str]


class Commitment(Base):
    """The promise that a lead gets a first response in time: one row of truth for every figure."""

    __tablename__ = "commitments"
    __table_args__ = (
        Index(
            "ix_commitments_due", "due_at", postgresql_where=text("state IN ('running', 'at_risk')")
        ),
        Index("ix_commitments_at_risk", "at_risk_at", postgresql_where=text("state = 'running'")),
        CheckConstraint(
            "(state = 'met') = (first_response_at IS NOT NULL AND first_response_at < due_at)",
            "met_iff_in_time",
        ),
        CheckConstraint("started_at < due_at", "runs_forwards"),
        Index("ix_commitments_decided", text("LEAST(first_response_at, settled_at, due_at)")),
    )  # fmt: skip

    lead_id: Mapped[UUID] = mapped_column(primary_key=True)
    state: Mapped[CommitmentState]
    started_at: Mapped[datetime]
    at_risk_at: Mapped[datetime]
    due_at: Mapped[datetime]
    """Up to this moment, but not at it, a response is in time."""
    calendar: Mapped[str]
    policy: Mapped[Json]
    """What it was made under, so that it can be explained: `{"response_window_seconds",
    "at_risk_share", "time_zone", "region", "holidays": [{"date", "name"}]}`, of the holidays those
    that did not count. None of its times moves any more, whatever changes later: the database
    refuses it."""
    target: Mapped[int]
    responses: Mapped[int] = mapped_column(default=0)
    """How many providers have responded."""
    first_response_at: Mapped[datetime | None]
    settled_at: Mapped[datetime | None]

    def apply(self, event: CommitmentEvent, *, now: datetime) -> None:
        """Let `event` happen, or raise `Conflict`."""
        self.state = rules.COMMITMENT_LIFECYCLE.after(self.state, event)
        if event is not CommitmentEvent.WARN:
            self.settled_at = now
