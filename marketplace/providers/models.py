"""The tables of providers, and the one row per provider that matching narrows by."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.accounts.models import User
from marketplace.catalogue.models import AccreditationBody, Standard
from marketplace.core.actors import TeamRole
from marketplace.core.db import Base, Id, Words, words_of
from marketplace.providers import rules
from marketplace.providers.rules import (
    AccreditationEvent,
    AccreditationState,
    CheckResult,
    PauseReason,
    ProviderEvent,
    ProviderKind,
    ProviderState,
    RelationshipKind,
)

WORDS = words_of(
    "name", "contact_email", "coalesce(website, '')", "coalesce(registration_number, '')"
)
"""What an administrator finds a provider by."""


class Provider(Base):
    """A consultant or a certification body: one legal entity, one kind."""

    __tablename__ = "providers"
    __table_args__ = (
        # Invariant 5: one legal entity is a consultant or a certification body, not both.
        Index(
            "uq_providers_legal_entity",
            "legal_entity",
            unique=True,
            postgresql_where=text("state <> 'rejected'"),
        ),
        Index("ix_providers_name_key", "name_key"),
        # Names that are nearly the same: by a word that they share, or by how they begin.
        Index(
            "ix_providers_name_words",
            text("string_to_array(name_key, ' ')"),
            postgresql_using="gin",
        ),
        Index(
            "ix_providers_name_start",
            "name_key",
            postgresql_ops={"name_key": "text_pattern_ops"},
        ),
        Index("ix_providers_words", text(WORDS), postgresql_using="gin"),
        CheckConstraint("kind IN ('consultant', 'certification_body')", "kind_is_known"),
    )

    id: Mapped[Id]
    kind: Mapped[ProviderKind]
    state: Mapped[ProviderState]
    name: Mapped[str]
    name_key: Mapped[str]
    """The name without case, accents, punctuation and legal suffix (`rules.name_key`)."""
    country: Mapped[str]
    registration_number: Mapped[str | None]
    legal_entity: Mapped[str | None]
    """Country and number of the legal entity (`business_key` of the number), where known."""
    website: Mapped[str | None]
    contact_name: Mapped[str]
    contact_email: Mapped[str]
    contact_phone: Mapped[str | None]
    created_at: Mapped[datetime]
    verified_at: Mapped[datetime | None]
    state_reason: Mapped[str | None]
    erased_at: Mapped[datetime | None]
    """Since when nobody knows who its contact was."""
    came_back_at: Mapped[datetime | None]
    """When it last came back from a pause for misses: what it missed before counts no longer."""

    def apply(self, event: ProviderEvent, *, now: datetime, reason: str | None = None) -> None:
        """Let `event` happen, or raise `Conflict`."""
        self.state = rules.PROVIDER_LIFECYCLE.after(self.state, event)
        self.state_reason = reason
        if event is ProviderEvent.APPROVE:
            self.verified_at = now


class Coverage(Base):
    """What a provider takes on: one narrow row, kept true in the transaction of every change.

    Matching finds candidates by its entries (`CoverageEntry`) and narrows them by this row.
    """

    __tablename__ = "coverage"
    __table_args__ = (
        Index("ix_coverage_standards", "standards", postgresql_using="gin"),
        Index("ix_coverage_sample", "shuffle"),
        CheckConstraint("headcount_min <= headcount_max", "headcount_range_runs_upwards"),
        CheckConstraint("open_count >= 0 AND month_count >= 0", "counts_are_not_negative"),
        # Its counters change with every invitation: leave room, so that updates stay in place.
        {"postgresql_with": {"fillfactor": "70"}},
    )

    provider_id: Mapped[UUID] = mapped_column(ForeignKey(Provider.id), primary_key=True)
    kind: Mapped[ProviderKind]
    state: Mapped[ProviderState]
    standards: Mapped[Words]
    regions: Mapped[Words]
    sectors: Mapped[Words]
    """Technical sectors the provider knows; empty means unknown, which is not "none"."""
    headcount_min: Mapped[int]
    headcount_max: Mapped[int]
    remote: Mapped[bool]
    weeks_to_start: Mapped[int | None]
    """How soon it can begin, where it says so."""
    languages: Mapped[Words] = mapped_column(server_default="{}")
    """In which it works (ISO 639-1); empty where it does not say."""
    open_capacity: Mapped[int]
    """Live invitations it takes at once."""
    monthly_capacity: Mapped[int]
    """Invitations it takes in a calendar month (UTC)."""
    open_count: Mapped[int] = mapped_column(default=0)
    """Its live invitations."""
    month: Mapped[date]
    """The first day of the month that `month_count` counts: that of the last invitation, if any."""
    month_count: Mapped[int] = mapped_column(default=0)
    """Invitations sent to it in that month (UTC), however they ended; one that comes back after it
    was released is the same one."""
    shuffle: Mapped[int]
    """A random number drawn once: the order from which a bench is taken."""


REMOTE = "*"
"""The region under which a provider that works remotely is entered as well."""


class CoverageEntry(Base):
    """That a verified provider covers a standard in a region: a coverage row, turned inside out.

    A trigger keeps it with the coverage row. Its key is read in order: all who cover one standard
    in one region, shuffled, so that a bench costs the same among a thousand providers or a million,
    whatever the planner believes of arrays.
    """

    __tablename__ = "coverage_entries"
    __table_args__ = (Index(None, "provider_id"),)

    region: Mapped[str] = mapped_column(primary_key=True)
    """As the provider says it: a region, a whole country, or `REMOTE`."""
    standard: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[ProviderKind] = mapped_column(primary_key=True)
    shuffle: Mapped[int] = mapped_column(primary_key=True)
    provider_id: Mapped[UUID] = mapped_column(
        ForeignKey(Coverage.provider_id, ondelete="CASCADE"), primary_key=True
    )


class Accreditation(Base):
    """That an accreditation body accredits this certification body for a standard."""

    __tablename__ = "accreditations"
    __table_args__ = (
        Index(None, "provider_id"),
        Index(None, "state", "valid_until"),
        Index("ix_accreditations_certificate", text("lower(certificate_number)")),
    )

    id: Mapped[Id]
    provider_id: Mapped[UUID] = mapped_column(ForeignKey(Provider.id))
    body: Mapped[str] = mapped_column(ForeignKey(AccreditationBody.code))
    standard: Mapped[str] = mapped_column(ForeignKey(Standard.code))
    edition: Mapped[str | None]
    """None: unknown, which is not "every edition"."""
    certificate_number: Mapped[str]
    sectors: Mapped[Words | None]
    """None: unknown (registers often do not show it), which is not "every sector"."""
    valid_from: Mapped[date | None]
    valid_until: Mapped[date]
    """The last day on which it counts."""
    state: Mapped[AccreditationState]
    created_at: Mapped[datetime]
    verified_at: Mapped[datetime | None]
    expiry_told: Mapped[str | None]
    """The last notice of its end that its holder was given: so many days before which day."""

    def apply(self, event: AccreditationEvent, *, now: datetime) -> None:
        """Let `event` happen, or raise `Conflict`."""
        self.state = rules.ACCREDITATION_LIFECYCLE.after(self.state, event)
        if event is AccreditationEvent.VERIFY:
            self.verified_at = now


class AccreditationCheck(Base):
    """That somebody looked an accreditation up in a register, when, where, and what they found."""

    __tablename__ = "accreditation_checks"
    __table_args__ = (Index(None, "accreditation_id"),)

    id: Mapped[Id]
    accreditation_id: Mapped[UUID] = mapped_column(ForeignKey(Accreditation.id))
    result: Mapped[CheckResult]
    checked_on: Mapped[date]
    source: Mapped[str]
    checked_by: Mapped[UUID | None] = mapped_column(ForeignKey(User.id))
    """None: the operator, at the command line."""
    recorded_at: Mapped[datetime]


class EvidenceFile(Base):
    """What a provider sent to prove an accreditation. Kept here, so that hosts stay stateless."""

    __tablename__ = "evidence_files"
    __table_args__ = (Index(None, "accreditation_id"),)

    id: Mapped[Id]
    accreditation_id: Mapped[UUID] = mapped_column(ForeignKey(Accreditation.id))
    name: Mapped[str]
    """As it was sent, without folders; the ending follows what the file is."""
    media_type: Mapped[str]
    content: Mapped[bytes] = mapped_column(deferred=True)
    uploaded_at: Mapped[datetime]


class Relationship(Base):
    """That two providers are related, which impartiality has to know (ISO/IEC 17021-1, 5.2)."""

    __tablename__ = "relationships"
    __table_args__ = (
        Index(None, "provider_id"),
        Index(None, "other_id"),
        CheckConstraint("provider_id <> other_id", "two_different_providers"),
        CheckConstraint("valid_from <= valid_until", "runs_forwards"),
    )

    id: Mapped[Id]
    provider_id: Mapped[UUID] = mapped_column(ForeignKey(Provider.id))
    other_id: Mapped[UUID] = mapped_column(ForeignKey(Provider.id))
    kind: Mapped[RelationshipKind]
    valid_from: Mapped[date | None]
    valid_until: Mapped[date | None]


class TeamInvitation(Base):
    """That somebody was asked to sign in for a provider, and has not yet: then the row is gone.

    It stands here whether or not the address signs in for somebody else, so that whoever invited it
    cannot tell.
    """

    __tablename__ = "team_invitations"
    __table_args__ = (UniqueConstraint("provider_id", "email"),)

    id: Mapped[Id]
    provider_id: Mapped[UUID] = mapped_column(ForeignKey(Provider.id))
    email: Mapped[str]
    """In its normal form, as users have it."""
    name: Mapped[str]
    role: Mapped[TeamRole] = mapped_column(server_default=TeamRole.MEMBER)
    """What they will be in the team."""
    invited_by: Mapped[UUID] = mapped_column(ForeignKey(User.id))
    invited_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    """Until when the link that was mailed last can be used."""


class Pause(Base):
    """A time in which a provider gets no invitations: from the start up to, not at, the end.

    A row that is gone has ended, or was taken back.
    """

    __tablename__ = "pauses"
    __table_args__ = (
        Index(None, "provider_id"),
        # Whoever misses often is paused once, whatever runs at once.
        Index(
            "uq_pauses_for_misses",
            "provider_id",
            unique=True,
            postgresql_where=text("reason = 'repeated_misses'"),
        ),
        CheckConstraint("starts_at < ends_at", "runs_forwards"),
    )

    id: Mapped[Id]
    provider_id: Mapped[UUID] = mapped_column(ForeignKey(Provider.id))
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime | None]
    """None: it lasts until the provider comes back."""
    reason: Mapped[PauseReason | None]
    """None: its own wish."""
    created_at: Mapped[datetime]
