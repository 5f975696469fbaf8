"""What may happen to a lead, whose it is, and whether a person should look first."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from urllib.parse import urlsplit

from marketplace.core.errors import Conflict
from marketplace.core.lifecycle import Lifecycle


class LeadState(StrEnum):
    AWAITING_CONFIRMATION = "awaiting_confirmation"
    IN_REVIEW = "in_review"
    OPEN = "open"
    SUPERSEDED = "superseded"
    """The business had a request running already."""
    LAPSED = "lapsed"
    """Never confirmed."""
    REJECTED = "rejected"
    AWARDED = "awarded"
    CLOSED = "closed"
    EXPIRED = "expired"


class LeadEvent(StrEnum):
    REVIEW = "review"
    OPEN = "open"
    SUPERSEDE = "supersede"
    LAPSE = "lapse"
    REJECT = "reject"
    AWARD = "award"
    CLOSE = "close"
    EXPIRE = "expire"


_S, _E = LeadState, LeadEvent

LIFECYCLE = Lifecycle(
    "request",
    {
        (_S.AWAITING_CONFIRMATION, _E.REVIEW): _S.IN_REVIEW,
        (_S.AWAITING_CONFIRMATION, _E.OPEN): _S.OPEN,
        (_S.AWAITING_CONFIRMATION, _E.SUPERSEDE): _S.SUPERSEDED,
        (_S.AWAITING_CONFIRMATION, _E.LAPSE): _S.LAPSED,
        (_S.IN_REVIEW, _E.OPEN): _S.OPEN,
        (_S.IN_REVIEW, _E.REJECT): _S.REJECTED,
        (_S.IN_REVIEW, _E.CLOSE): _S.CLOSED,
        (_S.OPEN, _E.AWARD): _S.AWARDED,
        (_S.OPEN, _E.CLOSE): _S.CLOSED,
        (_S.OPEN, _E.EXPIRE): _S.EXPIRED,
    },
)

UNFINISHED = (LeadState.IN_REVIEW, LeadState.OPEN)
"""A business has at most one lead in these states; the database sees to it."""


class Service(StrEnum):
    """What a business asks for, and so from whom."""

    CONSULTING = "consulting"
    CERTIFICATION = "certification"
    EITHER = "either"


MAY_NEED_A_BODY = (Service.CERTIFICATION, Service.EITHER)
"""Services for which it matters who advised the business: that is asked of those who certify."""


class CertificationStatus(StrEnum):
    NONE = "none"
    CERTIFIED = "certified"
    TRANSFER = "transfer"
    TRANSITION = "transition"
    LAPSED = "lapsed"

    @property
    def needs_a_new_one(self) -> bool:
        """Return whether no certificate runs on that could be kept up or transferred."""
        return self in (CertificationStatus.NONE, CertificationStatus.LAPSED)


class Timeframe(StrEnum):
    ASAP = "asap"
    THREE_MONTHS = "3_months"
    SIX_MONTHS = "6_months"
    TWELVE_MONTHS = "12_months"
    EXPLORING = "exploring"


class CloseReason(StrEnum):
    """Why a business finishes its request without choosing."""

    OTHER_PROVIDER = "other_provider"
    NOT_NOW = "not_now"
    NONE_SUITED = "none_suited"
    TOO_EXPENSIVE = "too_expensive"
    MISTAKE = "mistake"
    NOT_OURS = "not_ours"


class Outcome(StrEnum):
    """What came of a request, as the business says."""

    AWARDED = "awarded"
    """It went to one that was invited here."""
    OTHER_PROVIDER = "other_provider"
    NOT_NOW = "not_now"
    NONE_SUITED = "none_suited"


class OutcomeReason(StrEnum):
    """What decided it, where the business says."""

    PRICE = "price"
    TIMING = "timing"
    """How soon they could begin, or be done."""
    FIT = "fit"
    """What they know of the sector, the standard, or a business of that size."""
    CLARITY = "clarity"
    """How clear and complete the quotes were."""
    CONTACT = "contact"
    """How they dealt with the business."""
    BUDGET = "budget"
    PRIORITIES = "priorities"
    OTHER = "other"


OUTCOME_OF: Mapping[CloseReason, tuple[Outcome, OutcomeReason | None]] = {
    CloseReason.OTHER_PROVIDER: (Outcome.OTHER_PROVIDER, None),
    CloseReason.NOT_NOW: (Outcome.NOT_NOW, None),
    CloseReason.NONE_SUITED: (Outcome.NONE_SUITED, None),
    CloseReason.TOO_EXPENSIVE: (Outcome.NONE_SUITED, OutcomeReason.PRICE),
}
"""What a closure says of the outcome; of one by mistake there is none."""

NEVER_RAN = (
    LeadState.AWAITING_CONFIRMATION,
    LeadState.SUPERSEDED,
    LeadState.LAPSED,
    LeadState.REJECTED,
)
"""The states of which there is nothing to decide."""


def next_ask(
    decidable_at: datetime, *, now: datetime, waits: Sequence[timedelta]
) -> datetime | None:
    """Return when a business is asked next what came of its request; None: no more.

    `decidable_at`: since when there was something to decide. Of those that have passed by `now`
    none is made up for, so that a sweep that comes very late asks once.
    """
    return next((at for wait in sorted(waits) if (at := decidable_at + wait) > now), None)


def after(
    state: LeadState,
    event: LeadEvent,
    *,
    now: datetime,
    confirm_by: datetime,
    expires_at: datetime | None,
) -> LeadState:
    """Return the state that `event` at `now` leads to.

    A form can be confirmed up to `confirm_by` but not at it, and an open request awarded up to
    `expires_at` but not at it, however late a sweep is; the sweeps act from those moments on.
    """
    next_state = LIFECYCLE.after(state, event)
    if state is LeadState.AWAITING_CONFIRMATION:
        lapsed = now >= confirm_by
        if event is LeadEvent.LAPSE and not lapsed:
            raise Conflict("this request can still be confirmed")
        if event is not LeadEvent.LAPSE and lapsed:
            raise Conflict("the time to confirm this request has passed")
    if state is LeadState.OPEN and expires_at is not None:
        expired = now >= expires_at
        if event is LeadEvent.EXPIRE and not expired:
            raise Conflict("this request still has time to run")
        if event is LeadEvent.AWARD and expired:
            raise Conflict("this request has expired")
    return next_state


def is_running(state: LeadState, *, now: datetime, expires_at: datetime | None) -> bool:
    """Return whether providers may still answer: open, and not past its end."""
    return state is LeadState.OPEN and (expires_at is None or now < expires_at)


def expiry(
    opened_at: datetime,
    *,
    quotes_valid_until: datetime | None,
    lifetime: timedelta,
    at_most: timedelta,
) -> datetime:
    """Return when an open request expires: its lifetime, or the latest live quote's, capped."""
    expires_at = opened_at + lifetime
    if quotes_valid_until is not None:
        expires_at = max(expires_at, quotes_valid_until)
    return min(expires_at, opened_at + at_most)


_ENTITY = "entity:"


def business_key(*, legal_entity: str | None, email: str, is_free_mail: bool) -> str:
    """Return what tells one business from another.

    Its registration number where given; otherwise its contact's e-mail domain, unless anybody can
    have an address there; otherwise the address.
    """
    if legal_entity is not None:
        return f"{_ENTITY}{legal_entity}"
    domain = email.rpartition("@")[2]
    return f"mail:{email}" if is_free_mail else f"domain:{domain}"


REMEMBERED = "digest:"


def remembered(business_key: str) -> str:
    """Return by what a business that nobody may name any longer is known again, if it comes back.

    Of use for impartiality alone, which looks back for years at who advised it. A digest of a
    number or a domain says nothing by itself; whoever knows all numbers could find it.
    """
    return REMEMBERED + hashlib.sha256(business_key.encode()).hexdigest()


def legal_entity_in(business_key: str) -> str | None:
    """Return the legal entity that a business is told by, or None where it is told otherwise."""
    return business_key.removeprefix(_ENTITY) if business_key.startswith(_ENTITY) else None


@dataclass(frozen=True)
class Signals:
    """Facts about a form that say how far to trust it. None: cannot be told."""

    email_confirmed: bool
    registration_number_valid: bool | None
    domain_matches_website: bool | None
    disposable_mail: bool
    free_mail: bool
    phone_possible: bool | None
    seconds_to_fill: float | None
    honeypot_filled: bool
    completeness: float
    """Share of the optional fields that were filled in, 0 to 1."""
    consultants_in_doubt: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Names of consultants in the form, and of the providers that each may be; only where it could
    matter for impartiality and nobody has decided it."""
    links_in_notes: int = 0
    markup_in_notes: bool = False
    link_in_name: bool = False
    gibberish: bool = False
    shouting: bool = False
    odd_headcount: bool = False
    phone_elsewhere: bool = False
    """The telephone number is of another country than the business."""
    same_text: int = 0
    """How many forms of others within a week had the same notes, or nearly ..."""
    from_network: int = 0
    """... how many within the hour came from the same network ..."""
    unconfirmed: int = 0
    """... and how many within a day named the same mailbox, which confirmed none of them."""


def event_on_confirmation(policy: str, reasons: list[str]) -> LeadEvent:
    """Return what happens to a confirmed lead under the review policy.

    `auto` opens what raises no doubt, `always` queues everything, `off` opens everything.
    """
    if policy == "always" or (policy == "auto" and reasons):
        return LeadEvent.REVIEW
    return LeadEvent.OPEN


_HOST = re.compile(
    r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
)

_THIS_MACHINE = ("localhost", "127.0.0.1")
"""Where a page may be tried out without TLS: nobody else can stand between."""

ORIGIN_AT_MOST = 300


def origin_of(address: str) -> str:
    """Return the origin of a web address as browsers write it, or raise `ValueError`.

    `https` alone, for what a page without it holds anybody on the way may change. Letters, digits,
    dots and hyphens alone: it goes into a header, where anything else would be an instruction.
    """
    try:
        parts = urlsplit(address.strip())
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError("is not a web address") from None
    if len(address) > ORIGIN_AT_MOST or not _HOST.fullmatch(host):
        raise ValueError("must be the address of a site, such as https://www.example.com")
    if parts.scheme != "https" and not (parts.scheme == "http" and host in _THIS_MACHINE):
        raise ValueError("must begin with https://")
    usual = {"https": 443, "http": 80}[parts.scheme]
    return f"{parts.scheme}://{host}" + ("" if port in (None, usual) else f":{port}")
