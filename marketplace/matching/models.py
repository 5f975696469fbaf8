"""The fairness ledger, and the record of every matching run."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.core.db import Base, Id, Json
from marketplace.leads.models import Lead
from marketplace.providers.models import Provider


class Credit(Base):
    """How many turns a provider is owed: what it gained while eligible, less one per invitation.

    In no index, so that its updates stay in place.
    """

    __tablename__ = "credits"
    __table_args__ = ({"postgresql_with": {"fillfactor": "70"}},)

    provider_id: Mapped[UUID] = mapped_column(ForeignKey(Provider.id), primary_key=True)
    balance: Mapped[float] = mapped_column(default=0.0)
    invited_at: Mapped[datetime | None]
    """The last turn; of two with equal credit the one that has waited longer goes first."""
    answered: Mapped[float] = mapped_column(server_default="0")
    """Invitations it answered, older ones counting less (`Policy.record_fading`)."""
    missed: Mapped[float] = mapped_column(server_default="0")
    """Invitations it let lapse, unopened or unanswered, counted likewise."""
    month: Mapped[date | None]
    """The first day of the month (UTC) that the next two count."""
    eligible: Mapped[int] = mapped_column(server_default="0")
    """Runs on whose bench it sat while somebody was chosen from its band."""
    entitled: Mapped[float] = mapped_column(server_default="0")
    """The turns it gained in them: its fair share of the month's invitations."""


class CreditMonth(Base):
    """What a past month came to for a provider: `Credit` as it was when the next one began."""

    __tablename__ = "credit_months"

    provider_id: Mapped[UUID] = mapped_column(ForeignKey(Provider.id), primary_key=True)
    month: Mapped[date] = mapped_column(primary_key=True)
    eligible: Mapped[int]
    entitled: Mapped[float]


class MatchingRun(Base):
    """One attempt to fill a lead's empty places: what it saw, whom it chose, and why."""

    __tablename__ = "matching_runs"
    __table_args__ = (Index(None, "lead_id", "at"),)

    id: Mapped[Id]
    lead_id: Mapped[UUID] = mapped_column(ForeignKey(Lead.id))
    at: Mapped[datetime]
    rule_version: Mapped[str]
    seed: Mapped[int] = mapped_column(BigInteger)
    wanted: Mapped[Json]
    """What was asked for: `{"service", "editions", "ended", "regions", "headcount", "sector",
    "remote_ok", "places": the empty ones}`."""
    funnel: Mapped[list[Json]] = mapped_column(JSONB)
    """`[{"filter", "left"}]`: how many providers each filter left, in order."""
    bench: Mapped[Any] = mapped_column(JSONB)
    """Every eligible provider the run looked at, packed by `runs`."""
    clashes: Mapped[list[list[str]]] = mapped_column(JSONB, server_default="[]")
    """Pairs of the bench that impartiality keeps apart, by id."""
    market: Mapped[Json | None]
    """`{"looked_at", "providers", "bench_was_full"}`: over how many of about how many the funnel
    was counted, and whether more may have been eligible than sat on the bench."""
    excluded: Mapped[list[Json]] = mapped_column(JSONB)
    """`[{"filter", "provider_ids"}]`: whom each filter took out, with a `why` where the filter does
    not say it all; a few examples, where not everybody was looked at."""
    outcome: Mapped[str]
    """In one sentence."""
    times: Mapped[int] = mapped_column(server_default="1")
    """How many runs on end saw and came to the very same; this one is the first of them."""
    last_at: Mapped[datetime | None]
    """When the last of them was, if there were several."""
    by_hand_because: Mapped[str | None]
    """Why an administrator chose whom it invited, if one did."""
