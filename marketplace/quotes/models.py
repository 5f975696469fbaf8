"""The tables of quotes and of reviews."""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Numeric, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.core.db import Base, Id, Json
from marketplace.invitations.models import Invitation
from marketplace.leads.models import Lead
from marketplace.providers.models import Provider


class Quote(Base):
    """One version of a provider's quote. Every version is kept; the highest counts."""

    __tablename__ = "quotes"
    __table_args__ = (
        UniqueConstraint("invitation_id", "version"),
        CheckConstraint("version >= 1", "version_counts_from_one"),
        CheckConstraint("total >= 0", "total_is_not_negative"),
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

    @property
    def view(self) -> Json:
        """The quote as sent, with what it adds up to."""
        return {
            **self.body,
            "total": f"{self.total:.2f}",
            "version": self.version,
            "submitted_at": self.submitted_at.isoformat().replace("+00:00", "Z"),
        }


class Review(Base):
    """What a business says of a provider that answered it; once per invitation."""

    __tablename__ = "reviews"
    __table_args__ = (
        CheckConstraint("rating BETWEEN 1 AND 5", "rating_is_one_to_five"),
        Index(None, "provider_id"),
    )

    id: Mapped[Id]
    invitation_id: Mapped[UUID] = mapped_column(ForeignKey(Invitation.id), unique=True)
    lead_id: Mapped[UUID] = mapped_column(ForeignKey(Lead.id))
    provider_id: Mapped[UUID] = mapped_column(ForeignKey(Provider.id))
    rating: Mapped[int]
    comment: Mapped[str | None]
    created_at: Mapped[datetime]
