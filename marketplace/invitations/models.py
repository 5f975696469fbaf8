"""The tables of invitations to quote, and of the questions asked under them."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, DateTime, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.accounts.models import User
from marketplace.core.calendars import Calendar
from marketplace.core.db import Base, Id, Json
from marketplace.core.errors import Conflict
from marketplace.core.files import PDF
from marketplace.core.policy import Policy
from marketplace.invitations import rules
from marketplace.invitations.rules import (
    DeclineReason,
    Holding,
    InvitationEvent,
    InvitationState,
    MissKind,
)
from marketplace.invitations.waits import Window
from marketplace.leads.models import Lead
from marketplace.providers.models import Provider

_LIVE = "state IN ('sent', 'opened', 'accepted', 'quoted')"


class Invitation(Base):
    """A lead held out to one provider, in one of the lead's three places, until a deadline."""

    __tablename__ = "invitations"
    __table_args__ = (
        # Invariant 1: three places, each held by one live invitation at most.
        CheckConstraint("place BETWEEN 1 AND 3", "place_is_one_to_three"),
        Index(
            "uq_invitations_live_place",
            "lead_id",
            "place",
            unique=True,
            postgresql_where=text(_LIVE),
        ),
        # Invariant 2: a provider has at most one invitation to a lead, ever.
        UniqueConstraint("lead_id", "provider_id"),
        Index(
            "ix_invitations_due",
            "respond_by",
            postgresql_where=text("state IN ('sent', 'opened', 'accepted')"),
        ),
        Index("ix_invitations_unopened", "open_by", postgresql_where=text("state = 'sent'")),
        Index(
            "ix_invitations_remind",
            "remind_at",
            postgresql_where=text("state IN ('sent', 'opened', 'accepted')"),
        ),
        Index("ix_invitations_provider", "provider_id", "id"),
        Index(
            "ix_invitations_unsettled",
            "id",
            postgresql_where=text(
                "settled_at IS NULL AND state NOT IN ('sent', 'opened', 'accepted')"
            ),
        ),
        CheckConstraint("respond_by > sent_at", "window_runs_forwards"),
    )

    id: Mapped[Id]
    lead_id: Mapped[UUID] = mapped_column(ForeignKey(Lead.id))
    provider_id: Mapped[UUID] = mapped_column(ForeignKey(Provider.id))
    place: Mapped[int]
    state: Mapped[InvitationState]
    by_hand_because: Mapped[str | None]
    """Why an administrator chose this provider, if one did; eligibility held all the same."""
    sent_at: Mapped[datetime]
    open_by: Mapped[datetime]
    respond_by: Mapped[datetime]
    """Up to this moment, but not at it, a quote is in time. The database lets it move later alone:
    with `extended_by`, or where it comes back."""
    extended_by: Mapped[timedelta] = mapped_column(server_default=text("'0'"))
    """By how much, of the time that counts, the business has moved that by leaving questions."""
    remind_at: Mapped[datetime | None]
    """When its holder is reminded next."""
    reminders: Mapped[list[datetime]] = mapped_column(ARRAY(DateTime(timezone=True)))
    """At which moments whoever has opened it is; they change as its window does, and then alone."""
    looked_at: Mapped[datetime | None]
    """When its brief was shown first, to a person or to a program (none: not, or before 0033)."""
    opened_at: Mapped[datetime | None]
    accepted_at: Mapped[datetime | None]
    responded_at: Mapped[datetime | None]
    """The first quote or question: what the commitment counts."""
    quoted_at: Mapped[datetime | None]
    released_at: Mapped[datetime | None]
    """When its place was passed on unopened; it stays so, even if the invitation comes back."""
    ended_at: Mapped[datetime | None]
    passed_on_at: Mapped[datetime | None]
    """When the business asked for this place to go to another, knowing one more sees it."""
    settled_at: Mapped[datetime | None]
    """When its end was entered in the fairness ledger: on the record, and refunded if it is due."""
    withdrawn_because: Mapped[str | None]
    """Why it was taken back, as the business is told, where that was because of its holder."""
    decline_reason: Mapped[DeclineReason | None]
    decline_comment: Mapped[str | None]

    @property
    def is_live(self) -> bool:
        return self.state in rules.LIVE

    def contact_until(self, lead: Lead, *, now: datetime, policy: Policy) -> datetime | None:
        """When its holder, who was not chosen, stops seeing who the business was."""
        state, ended_at = self._by_now(lead, now, self.respond_by)
        return rules.contact_until(
            state,
            accepted=self.accepted_at is not None,
            ended_at=ended_at,
            kept_for=policy.contact_seen_after_loss,
        )

    def sees_contact(
        self, lead: Lead, *, now: datetime, policy: Policy, respond_by: datetime | None = None
    ) -> bool:
        """Whether its holder may see at `now` who the business of its request is.

        `respond_by`: where that is known to be later than is written down.
        """
        state, _ = self._by_now(lead, now, respond_by or self.respond_by)
        return rules.contact_is_visible(
            state,
            accepted=self.accepted_at is not None,
            is_erased=lead.erased_at is not None,
            until=self.contact_until(lead, now=now, policy=policy),
            now=now,
        )

    def _by_now(
        self, lead: Lead, now: datetime, respond_by: datetime
    ) -> tuple[InvitationState, datetime | None]:
        return rules.by_now(
            self.state,
            self.ended_at,
            respond_by=respond_by,
            request_ends_at=lead.expires_at,
            now=now,
        )

    @property
    def notes_are_visible(self) -> bool:
        """Whether it was looked at by itself; until then a list says what is needed alone."""
        return any((self.looked_at, self.opened_at, self.accepted_at))

    @property
    def holding(self) -> Holding:
        return Holding(
            self.place, self.state, self.accepted_at is not None, self.passed_on_at is not None
        )

    @property
    def runs_since(self) -> datetime:
        """When its window began: as it was sent, or as it came back."""
        came_back_at = self.opened_at if self.released_at is not None else None
        return came_back_at or self.sent_at

    def require_answerable(self, now: datetime, *, respond_by: datetime | None = None) -> None:
        """Raise `Conflict` unless its holder may still say something at `now`.

        `respond_by`: where that is known to be later than is written down.
        """
        due = rules.due_event(
            self.state, now=now, open_by=self.open_by, respond_by=respond_by or self.respond_by
        )
        if not self.is_live or due is not None:
            raise Conflict("the time to answer this invitation has passed")

    def due_event(self, now: datetime) -> InvitationEvent | None:
        """Return what time alone does to it at `now`, if anything."""
        return rules.due_event(
            self.state, now=now, open_by=self.open_by, respond_by=self.respond_by
        )

    def extend(self, window: Window, calendar: Calendar) -> None:
        """Give its holder the time that the business took; reminders to come are later by as much.

        Not `open_by`: whoever has not looked does not wait for an answer.
        """
        later = window.extended_by - self.extended_by
        self.respond_by, self.extended_by = window.respond_by, window.extended_by
        if self.opened_at is None:
            self.reminders = [calendar.after(each, later) for each in self.reminders]
        elif (ahead := self.remind_at) is not None:
            self.reminders = [
                calendar.after(each, later) if each >= ahead else each for each in self.reminders
            ]
            self.remind_at = calendar.after(ahead, later)

    def plan_reminder(self, now: datetime) -> None:
        """Let its holder, who has opened it, be reminded at the next of the moments for that."""
        left = rules.reminders_after(self.reminders, now=now)
        self.remind_at = left[0] if left else None

    def apply(self, event: InvitationEvent, *, now: datetime) -> None:
        """Let `event` happen at `now`, or raise `Conflict`."""
        self.state = rules.after(
            self.state, event, now=now, open_by=self.open_by, respond_by=self.respond_by
        )
        if self.state in rules.LIVE and self.opened_at is None:
            self.opened_at = now
            self.plan_reminder(now)
        if self.state in (InvitationState.ACCEPTED, InvitationState.QUOTED):
            self.accepted_at = self.accepted_at or now
        if event is InvitationEvent.QUOTE:
            self.quoted_at = self.quoted_at or now
        if event is InvitationEvent.RELEASE:
            self.released_at = now
        if not self.is_live:
            self.ended_at = now


class QuoteDraft(Base):
    """What the people of a provider have typed of a quote and not sent; gone with the invitation.

    Nothing of it has happened: it accepts nothing, answers nothing, and nobody else sees it.
    """

    __tablename__ = "quote_drafts"
    __table_args__ = (
        # More than the largest form that is taken can say.
        CheckConstraint("octet_length(typed::text) <= 2097152", "typed_is_bounded"),
    )

    invitation_id: Mapped[UUID] = mapped_column(ForeignKey(Invitation.id), primary_key=True)
    typed: Mapped[Json]
    """By the name of a field of the form, all that stood in it: right, wrong or half done."""
    saved_at: Mapped[datetime]
    saved_as: Mapped[UUID]
    """Another one with every save: whoever saves says which they had seen."""


class Attachment(Base):
    """A PDF that a provider attached to its quote. Kept here, so that hosts stay stateless.

    It belongs to the invitation; a version of the quote says which it was sent with
    (`quotes/attachments.py`). Until then nobody else sees it, and it goes with the invitation.
    """

    __tablename__ = "attachments"
    __table_args__ = (
        # The same content twice is one file.
        UniqueConstraint("invitation_id", "digest"),
        CheckConstraint("size > 0 AND size = octet_length(content)", "size_is_that_of_its_content"),
    )

    media_type = PDF.media_type

    id: Mapped[Id]
    invitation_id: Mapped[UUID] = mapped_column(ForeignKey(Invitation.id))
    name: Mapped[str]
    """As it was sent, without folders and signs."""
    size: Mapped[int]
    """Bytes."""
    digest: Mapped[bytes]
    """SHA-256 of the content."""
    content: Mapped[bytes] = mapped_column(deferred=True)
    added_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    """When a version of the quote first took it along, with which it is kept from then on."""
    removed_at: Mapped[datetime | None]
    """From when on new versions of the quote leave it out."""


class Question(Base):
    """A clarification question of one provider; the answer goes to all, saying nobody's name."""

    __tablename__ = "questions"
    __table_args__ = (
        Index(None, "lead_id"),
        Index("ix_questions_to_look_at", "look_at", postgresql_where=text("look_at IS NOT NULL")),
    )

    id: Mapped[Id]
    lead_id: Mapped[UUID] = mapped_column(ForeignKey(Lead.id))
    invitation_id: Mapped[UUID] = mapped_column(ForeignKey(Invitation.id))
    text: Mapped[str]
    asked_at: Mapped[datetime]
    answer: Mapped[str | None]
    answered_at: Mapped[datetime | None]
    look_at: Mapped[datetime | None]
    """When a sweep sees next what its waiting for an answer does; none, where that is nothing."""


class Miss(Base):
    """That an invitation lapsed: on its holder's record once, and for good unless it is struck."""

    __tablename__ = "misses"
    __table_args__ = (
        Index("ix_misses_provider", "provider_id", "at"),
        Index(
            "ix_misses_undecided",
            "invitation_id",
            postgresql_where=text(
                "objected_at IS NOT NULL AND struck_at IS NULL AND upheld_at IS NULL"
            ),
        ),
    )

    invitation_id: Mapped[UUID] = mapped_column(ForeignKey(Invitation.id), primary_key=True)
    provider_id: Mapped[UUID] = mapped_column(ForeignKey(Provider.id))
    at: Mapped[datetime]
    """The moment that passed, however late that was noticed."""
    kind: Mapped[MissKind]
    objected_at: Mapped[datetime | None]
    objection: Mapped[str | None]
    struck_at: Mapped[datetime | None]
    """When it was taken off the record: it counts for nothing any longer."""
    struck_by: Mapped[UUID | None] = mapped_column(ForeignKey(User.id))
    """None: the operator, at the command line."""
    strike_reason: Mapped[str | None]
    upheld_at: Mapped[datetime | None]
    """When an administrator let it stand though its provider objected; it can be struck still."""
    upheld_by: Mapped[UUID | None] = mapped_column(ForeignKey(User.id))
    uphold_reason: Mapped[str | None]

    def object(self, text: str, *, now: datetime) -> None:
        """Take the objection of its provider, or raise `Conflict`."""
        self.require_not_struck()
        if self.objected_at is not None:
            raise Conflict("you have objected to this miss already")
        self.objected_at, self.objection = now, text

    def strike(self, reason: str, *, by: UUID | None, now: datetime) -> None:
        """Take it off the record, or raise `Conflict`."""
        self.require_not_struck()
        self.struck_at, self.struck_by, self.strike_reason = now, by, reason

    def uphold(self, reason: str, *, by: UUID | None, now: datetime) -> None:
        """Let it stand though its provider objected, or raise `Conflict`."""
        self.require_not_struck()
        if self.objected_at is None:
            raise Conflict("nobody has objected to this miss")
        if self.upheld_at is not None:
            raise Conflict("this objection was answered already")
        self.upheld_at, self.upheld_by, self.uphold_reason = now, by, reason

    def require_not_struck(self) -> None:
        """Raise `Conflict` if it counts for nothing any longer."""
        if self.struck_at is not None:
            raise Conflict("this miss was struck already")
