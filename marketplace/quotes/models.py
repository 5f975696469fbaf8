"""The tables of quotes, of reviews and of the replies to them."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    ForeignKey,
    Index,
    Numeric,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.accounts.models import User
from marketplace.core.db import Base, Id, Json, Words
from marketplace.core.errors import Conflict
from marketplace.invitations.models import Invitation
from marketplace.leads.models import Lead
from marketplace.providers.models import Provider
from marketplace.quotes.moderation import LIFECYCLE, ReviewEvent, ReviewState


class Quote(Base):
    """One version of a provider's quote. Every version is kept; the highest counts."""

    __tablename__ = "quotes"
    __table_args__ = (
        UniqueConstraint("invitation_id", "version"),
        CheckConstraint("version >= 1", "version_counts_from_one"),
        CheckConstraint("total >= 0", "total_is_not_negative"),
        Index(None, "submitted_at"),
    )

    id: Mapped[Id]
    invitation_id: Mapped[UUID] = mapped_column(ForeignKey(Invitation.id))
    version: Mapped[int]
    kind: Mapped[str]
    """`certification` or `consulting`: the provider's kind, and the shape of `body`."""
    body: Mapped[Json]
    """The quote as sent (contract, section 5); amounts are decimal strings."""
    currency: Mapped[str]
    total: Mapped[Decimal] = mapped_column(Numeric(14, 2))
    """All that is quoted as an amount, without tax (`rules.total`)."""
    valid_until: Mapped[date]
    """The last day on which it stands."""
    submitted_at: Mapped[datetime]
    attachment_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid()), server_default="{}")
    """The files that this version was sent with, in the order in which they were added."""

    @property
    def view(self) -> Json:
        """The quote as sent, with what it adds up to."""
        return {
            **self.body,
            "total": f"{self.total:.2f}",
            "version": self.version,
            "submitted_at": self.submitted_at.isoformat().replace("+00:00", "Z"),
        }


class Moderated:
    """What reviews and replies share: whether they show, who doubts it, and who decided that."""

    state: Mapped[ReviewState]
    doubts: Mapped[Words] = mapped_column(server_default="{}")
    """Why a person looks first: each a `moderation.Doubt`."""
    reported_at: Mapped[datetime | None]
    """When the other side asked for it to be looked at ..."""
    report: Mapped[str | None]
    """... and why; for administrators alone."""
    decided_at: Mapped[datetime | None]
    """When an administrator decided last whether it shows."""
    decided_by: Mapped[UUID | None] = mapped_column(ForeignKey(User.id))
    decision_reason: Mapped[str | None]

    @property
    def is_shown(self) -> bool:
        return self.state is ReviewState.SHOWN

    @property
    def waits_for_a_decision(self) -> bool:
        is_reported = self.reported_at is not None and self.decided_at is None
        return self.state is ReviewState.QUEUED or is_reported

    def be_reported(self, reason: str, *, now: datetime) -> None:
        """Take the objection of the other side, once, or raise `Conflict`."""
        if self.reported_at is not None:
            raise Conflict("this was reported already")
        if self.decided_at is not None:
            raise Conflict("an administrator has looked at this already")
        self.reported_at, self.report = now, reason

    def decide(self, event: ReviewEvent, reason: str, *, by: UUID | None, now: datetime) -> None:
        """Let it show, or hide it, or raise `Conflict` where that is so already."""
        if self.is_shown and event is ReviewEvent.SHOW and not self.waits_for_a_decision:
            raise Conflict("this is shown already, and nobody has reported it")
        self.state = LIFECYCLE.after(self.state, event)
        self.decided_at, self.decided_by, self.decision_reason = now, by, reason


_WAITS = "state = 'queued' OR (reported_at IS NOT NULL AND decided_at IS NULL)"


class Review(Moderated, Base):
    """What a business says of a provider that answered it; once per invitation."""

    __tablename__ = "reviews"
    __table_args__ = (
        CheckConstraint("rating BETWEEN 1 AND 5", "rating_is_one_to_five"),
        Index(None, "provider_id"),
        Index("ix_reviews_shown", "provider_id", "id", postgresql_where=text("state = 'shown'")),
        Index("ix_reviews_undecided", "id", postgresql_where=text(_WAITS)),
    )

    id: Mapped[Id]
    state: Mapped[ReviewState] = mapped_column(server_default=ReviewState.SHOWN)
    invitation_id: Mapped[UUID] = mapped_column(ForeignKey(Invitation.id), unique=True)
    lead_id: Mapped[UUID] = mapped_column(ForeignKey(Lead.id))
    provider_id: Mapped[UUID] = mapped_column(ForeignKey(Provider.id))
    rating: Mapped[int]
    comment: Mapped[str | None]
    comment_is_private: Mapped[bool] = mapped_column(default=False, server_default="true")
    """It was given when comments were promised to be for administrators alone, and stays so."""
    created_at: Mapped[datetime]


class ReviewReply(Moderated, Base):
    """What a provider says to a review of it; may be put otherwise until somebody objects."""

    __tablename__ = "review_replies"
    __table_args__ = (
        Index("ix_review_replies_undecided", "review_id", postgresql_where=text(_WAITS)),
    )

    review_id: Mapped[UUID] = mapped_column(ForeignKey(Review.id), primary_key=True)
    text: Mapped[str | None]
    """None once the business had its personal data erased: it may speak of the business."""
    written_at: Mapped[datetime]

    @property
    def may_be_changed(self) -> bool:
        return self.reported_at is None and self.decided_at is None and self.text is not None

    def put(self, text: str, doubts: Sequence[str], *, now: datetime) -> None:
        """Say it otherwise, or raise `Conflict` once it was reported or decided on."""
        if not self.may_be_changed:
            raise Conflict("this reply was reported or looked at, and stands as it is")
        self.state = LIFECYCLE.after(self.state, ReviewEvent.QUEUE if doubts else ReviewEvent.SHOW)
        self.text, self.doubts, self.written_at = text, list(doubts), now
