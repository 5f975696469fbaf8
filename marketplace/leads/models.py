"""The table of leads."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, false, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.core.db import Base, Id, Json, Words, words_of
from marketplace.core.errors import Conflict
from marketplace.leads import cycle, rules
from marketplace.leads.cycle import ReminderEvent, ReminderState
from marketplace.leads.masking import Identity, mask_identities
from marketplace.leads.rules import (
    CertificationStatus,
    LeadEvent,
    LeadState,
    Outcome,
    OutcomeReason,
    Service,
    Timeframe,
)

WORDS = words_of(
    "reference",
    "company_name",
    "contact_email",
    "coalesce(website, '')",
    "coalesce(registration_number, '')",
)
"""What an administrator finds a lead by."""


class Lead(Base):
    """One form: what a business needs, who asks, and how far it has come."""

    __tablename__ = "leads"
    __table_args__ = (
        # Invariant 3: a business has at most one unfinished request.
        Index(
            "uq_leads_unfinished_business",
            "business_key",
            unique=True,
            postgresql_where=text("state IN ('in_review', 'open')"),
        ),
        Index("ix_leads_business_key", "business_key"),
        Index("ix_leads_state", "state", "id"),
        Index(
            "ix_leads_contact",
            text("lower(contact_email)"),
            postgresql_where=text("erased_at IS NULL"),
        ),
        Index(
            "ix_leads_to_confirm",
            "confirm_by",
            postgresql_where=text("state = 'awaiting_confirmation'"),
        ),
        Index("ix_leads_to_expire", "expires_at", postgresql_where=text("state = 'open'")),
        Index(
            "ix_leads_waiting",
            "waiting_since",
            postgresql_where=text("state = 'open' AND waiting_since IS NOT NULL"),
        ),
        Index(
            "ix_leads_to_ask",
            "outcome_due_at",
            postgresql_where=text("outcome_due_at IS NOT NULL"),
        ),
        Index(
            "ix_leads_words",
            text(WORDS),
            postgresql_using="gin",
            postgresql_where=text("erased_at IS NULL"),
        ),
        Index(
            "ix_leads_to_forget",
            "finished_at",
            postgresql_where=text("erased_at IS NULL AND finished_at IS NOT NULL"),
        ),
        Index(
            "ix_leads_never_confirmed",
            "created_at",
            postgresql_where=text("erased_at IS NULL AND state = 'lapsed'"),
        ),
        Index(
            "ix_leads_advised",
            "finished_at",
            postgresql_where=text("business_key LIKE 'digest:%'"),
        ),
        CheckConstraint("headcount BETWEEN 1 AND 1000000", "headcount_in_range"),
        CheckConstraint("cardinality(standards) BETWEEN 1 AND 6", "one_to_six_standards"),
        CheckConstraint("cardinality(regions) BETWEEN 1 AND 10", "one_to_ten_regions"),
        CheckConstraint(
            "(state = 'awarded') = (awarded_invitation_id IS NOT NULL)", "awarded_to_one"
        ),
        CheckConstraint(
            "(coalesce(outcome, '') = 'awarded') = (outcome_invitation_id IS NOT NULL)",
            "outcome_names_one",
        ),
        CheckConstraint("outcome IS NULL OR outcome_due_at IS NULL", "asked_until_it_is_told"),
    )

    id: Mapped[Id]
    reference: Mapped[str] = mapped_column(unique=True)
    """`R-7K3QX9`: what people call it by."""
    state: Mapped[LeadState]
    business_key: Mapped[str]
    form: Mapped[Json]
    """The form as it was sent, normalised; emptied when personal data is erased."""

    company_name: Mapped[str]
    country: Mapped[str]
    registration_number: Mapped[str | None]
    website: Mapped[str | None]
    contact_name: Mapped[str]
    contact_email: Mapped[str]
    contact_phone: Mapped[str | None]
    contact_role: Mapped[str | None]
    service: Mapped[Service]
    standards: Mapped[Words]
    editions: Mapped[Json]
    """`{"ISO 9001": "2026"}`: the edition wanted of every standard, the current one by default."""
    regions: Mapped[Words]
    headcount: Mapped[int]
    sites: Mapped[int]
    sector: Mapped[str | None]
    certification_status: Mapped[CertificationStatus]
    timeframe: Mapped[Timeframe | None]
    needed_by: Mapped[date | None]
    remote_ok: Mapped[bool]
    language: Mapped[str | None]
    """In which the work should be done (ISO 639-1), where that is said."""
    consultants_used: Mapped[list[Json]] = mapped_column(JSONB)
    """`[{"name", "ended_on": ISO date or null}]`: who advised the business, for impartiality.

    With `resembles`, ids of providers that one may be, and once an administrator has decided it
    `provider_id` (null: none of them) and `decided_at`. Of these nobody else is told.
    """
    notes: Mapped[str | None]

    consent: Mapped[Json]
    """`{"share_with_matched_providers", "terms_version", "at", "address"}`."""
    signals: Mapped[Json]
    """`rules.Signals` as stored when the form came in, brought up to date by the confirmation."""
    review_reasons: Mapped[Words]
    time_zone: Mapped[str]
    follows_lead_id: Mapped[UUID | None] = mapped_column(ForeignKey("leads.id"))
    """The awarded consulting request that this certification request follows on."""

    source: Mapped[str | None]
    """The origin of the other site that the form stood in: `https://kestrel.example`."""

    created_at: Mapped[datetime]
    confirm_by: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    opened_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    finish_reason: Mapped[str | None]
    awarded_invitation_id: Mapped[UUID | None]
    erased_at: Mapped[datetime | None]

    outcome_due_at: Mapped[datetime | None]
    """When the business is asked next what came of it; None: no more, or nothing to decide yet."""
    outcome: Mapped[Outcome | None]
    """What came of it, as the business says: by its choice, by closing it, or asked afterwards."""
    outcome_invitation_id: Mapped[UUID | None]
    """Whose it became, of those invited here: also where the request had ended by then."""
    outcome_reason: Mapped[OutcomeReason | None]
    outcome_comment: Mapped[str | None]
    """What the business says to it; for administrators alone."""
    outcome_at: Mapped[datetime | None]
    """When that was first told."""

    waiting_since: Mapped[datetime | None]
    """Since when a place is empty that could not be filled ..."""
    waiting_reason: Mapped[str | None]
    """... and why, in words ..."""
    waiting_code: Mapped[str | None]
    """... and as a code: the filter of the funnel that left nobody."""
    rung_at: Mapped[datetime | None]
    """When a sweep last asked for it to be matched: keeps sweeps from flooding the queue."""

    @property
    def is_open(self) -> bool:
        return self.state is LeadState.OPEN

    @property
    def is_finished(self) -> bool:
        return rules.LIFECYCLE.is_final(self.state)

    @property
    def taken_invitation_id(self) -> UUID | None:
        """Whose it became: by the choice, or as the business told when it had ended."""
        return self.outcome_invitation_id or self.awarded_invitation_id

    @property
    def taken_at(self) -> datetime | None:
        return self.outcome_at or self.finished_at

    @property
    def identity(self) -> Identity:
        """Return everything by which the business could be known."""
        return Identity(
            company_name=self.company_name,
            contact_name=self.contact_name,
            contact_email=self.contact_email,
            contact_phone=self.contact_phone,
            website=self.website,
            registration_number=self.registration_number,
            others=tuple(each["name"] for each in self.consultants_used),
        )

    def unnamed(self, text: str) -> str:
        """Return a text for those who may not know whose the request is, without who that is."""
        return text if self.erased_at is not None else mask_identities(text, [self.identity])

    def has_expired(self, now: datetime) -> bool:
        """Return whether its time has run out, swept or not."""
        return self.expires_at is not None and now >= self.expires_at

    def require_running(self, now: datetime) -> None:
        """Raise `Conflict` unless providers may still answer at `now`."""
        if not rules.is_running(self.state, now=now, expires_at=self.expires_at):
            is_over = self.is_finished or self.is_open
            raise Conflict(f"this request is {'finished' if is_over else 'not open yet'}")

    def require_not_erased(self) -> None:
        """Raise `Conflict` where whoever held the lock before had it erased."""
        if self.erased_at is not None:
            raise Conflict("what this request said has been erased")

    def apply(self, event: LeadEvent, *, now: datetime, reason: str | None = None) -> None:
        """Let `event` happen at `now`, or raise `Conflict`."""
        self.state = rules.after(
            self.state,
            event,
            now=now,
            confirm_by=self.confirm_by,
            expires_at=self.expires_at,
        )
        if event is LeadEvent.OPEN:
            self.opened_at = now
        if self.is_finished:
            self.finished_at = now
            self.finish_reason = reason
            self.wait_no_longer()
        if event in (LeadEvent.AWARD, LeadEvent.CLOSE):
            # Whoever ends it knows what came of it. One that only expires is asked about still.
            self.outcome_due_at = None

    def come_to(
        self,
        outcome: Outcome,
        *,
        now: datetime,
        invitation_id: UUID | None = None,
        reason: OutcomeReason | None = None,
        comment: str | None = None,
    ) -> None:
        """Note what came of it; told again, the last word counts."""
        is_same = (self.outcome, self.outcome_invitation_id) == (outcome, invitation_id)
        self.outcome_at = self.outcome_at if is_same else now
        self.outcome, self.outcome_invitation_id = outcome, invitation_id
        self.outcome_reason, self.outcome_comment = reason, comment
        self.outcome_due_at = None

    def plan_ask(
        self, decidable_at: datetime, *, now: datetime, waits: Sequence[timedelta]
    ) -> None:
        """Let the business be asked what came of it at the next of the moments for that."""
        if self.outcome is None:
            self.outcome_due_at = rules.next_ask(decidable_at, now=now, waits=waits)

    def wait(self, code: str, reason: str, *, now: datetime) -> None:
        """Note that a place is empty and why, since the first time that it was so."""
        self.waiting_since = self.waiting_since or now
        self.waiting_code, self.waiting_reason = code, reason

    def wait_no_longer(self) -> None:
        """Note that no place is empty, or that nobody is looked for any more."""
        self.waiting_since = self.waiting_reason = self.waiting_code = None


class EmbeddingSite(Base):
    """Another site that the lead form may stand in."""

    __tablename__ = "embedding_sites"

    id: Mapped[Id]
    origin: Mapped[str] = mapped_column(unique=True)
    """`https://kestrel.example`: what a browser calls the site, and nothing below it."""
    name: Mapped[str]
    added_at: Mapped[datetime]
    added_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"))
    """The administrator; None: an operator at the command line."""


class Certificate(Base):
    """A certificate of whose dates a business wants to be reminded, for as long as it wants that.

    What a reminder needs is kept here by that consent, whatever becomes of the request; all of it
    goes when the reminders are stopped, or the certificate is over.
    """

    __tablename__ = "certificates"
    __table_args__ = (
        UniqueConstraint("lead_id"),
        Index("ix_certificates_contact", text("lower(contact_email)")),
        Index("ix_certificates_to_forget", "forget_at"),
        CheckConstraint("cardinality(standards) BETWEEN 1 AND 6", "one_to_six_standards"),
    )

    id: Mapped[Id]
    lead_id: Mapped[UUID] = mapped_column(ForeignKey(Lead.id))
    """The request that was awarded."""
    certified_on: Mapped[date]
    """The day of the decision about it, or the one on which that is expected."""
    seeks_body: Mapped[bool] = mapped_column(server_default=false())
    """Whether the request went to a consultant: who certifies is still to be found."""
    standards: Mapped[Words]
    editions: Mapped[Json]
    """`{"ISO 9001": "2026"}`: the edition that it is to, of every standard."""
    contact_name: Mapped[str]
    contact_email: Mapped[str]
    time_zone: Mapped[str]
    form: Mapped[Json]
    """What the next form begins with: `{"company", "contact", "regions", "headcount", "sites",
    "sector", "remote_ok", "language", "consultants_used": [{"name", "ended_on"}]}`, as sent."""
    consent: Mapped[Json]
    """`{"wording", "at", "door", "address"}`: to which words, when and from where."""
    planned_under: Mapped[Json]
    """What the catalogue said of the editions of each standard when the reminders were planned:
    `{"ISO 9001": [edition, previous edition, last audits to that, its end, published]}`."""
    created_at: Mapped[datetime]
    forget_at: Mapped[datetime]


class CertificateReminder(Base):
    """One mail about the dates of a certificate; what waits is planned anew where they move."""

    __tablename__ = "certificate_reminders"
    __table_args__ = (
        Index("ix_certificate_reminders_certificate_id", "certificate_id"),
        Index("ix_certificate_reminders_due", "due_at", postgresql_where=text("state = 'waiting'")),
    )

    id: Mapped[Id]
    certificate_id: Mapped[UUID] = mapped_column(ForeignKey(Certificate.id, ondelete="CASCADE"))
    due_at: Mapped[datetime]
    state: Mapped[ReminderState]
    about: Mapped[list[Json]] = mapped_column(JSONB)
    """Each a `cycle.Due`: `[{"on", "what", "number", "standard", "edition"}]`."""
    settled_at: Mapped[datetime | None]

    @property
    def dates(self) -> list[cycle.Due]:
        return [cycle.Due.of_json(each) for each in self.about]

    def apply(self, event: ReminderEvent, *, now: datetime) -> None:
        """Let `event` happen at `now`, or raise `Conflict`."""
        self.state = cycle.REMINDER_LIFECYCLE.after(self.state, event)
        self.settled_at = now
