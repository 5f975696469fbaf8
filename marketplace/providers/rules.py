"""What may happen to a provider and to an accreditation, and when one counts."""

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from marketplace.catalogue.rules import Recognition
from marketplace.core.lifecycle import Lifecycle


class ProviderKind(StrEnum):
    """A legal entity is one or the other (ISO/IEC 17021-1, 5.2.5)."""

    CONSULTANT = "consultant"
    CERTIFICATION_BODY = "certification_body"


class ProviderState(StrEnum):
    """Only a verified provider is invited."""

    APPLIED = "applied"
    VERIFIED = "verified"
    REJECTED = "rejected"
    SUSPENDED = "suspended"


class ProviderEvent(StrEnum):
    APPROVE = "approve"
    REJECT = "reject"
    SUSPEND = "suspend"
    REINSTATE = "reinstate"


PROVIDER_LIFECYCLE = Lifecycle(
    "provider",
    {
        (ProviderState.APPLIED, ProviderEvent.APPROVE): ProviderState.VERIFIED,
        (ProviderState.APPLIED, ProviderEvent.REJECT): ProviderState.REJECTED,
        (ProviderState.VERIFIED, ProviderEvent.SUSPEND): ProviderState.SUSPENDED,
        (ProviderState.SUSPENDED, ProviderEvent.REINSTATE): ProviderState.VERIFIED,
    },
)


class AccreditationState(StrEnum):
    """`claimed` until an administrator has looked; only `verified` counts."""

    CLAIMED = "claimed"
    VERIFIED = "verified"
    SUSPENDED = "suspended"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


class AccreditationEvent(StrEnum):
    VERIFY = "verify"
    DOUBT = "doubt"
    SUSPEND = "suspend"
    REINSTATE = "reinstate"
    WITHDRAW = "withdraw"
    EXPIRE = "expire"


ACCREDITATION_LIFECYCLE = Lifecycle(
    "accreditation",
    {
        (AccreditationState.CLAIMED, AccreditationEvent.VERIFY): AccreditationState.VERIFIED,
        (AccreditationState.VERIFIED, AccreditationEvent.VERIFY): AccreditationState.VERIFIED,
        # A later look that finds something else takes the verification back.
        (AccreditationState.VERIFIED, AccreditationEvent.DOUBT): AccreditationState.CLAIMED,
        (AccreditationState.CLAIMED, AccreditationEvent.DOUBT): AccreditationState.CLAIMED,
        (AccreditationState.VERIFIED, AccreditationEvent.SUSPEND): AccreditationState.SUSPENDED,
        (AccreditationState.SUSPENDED, AccreditationEvent.REINSTATE): AccreditationState.VERIFIED,
        (AccreditationState.CLAIMED, AccreditationEvent.WITHDRAW): AccreditationState.WITHDRAWN,
        (AccreditationState.VERIFIED, AccreditationEvent.WITHDRAW): AccreditationState.WITHDRAWN,
        (AccreditationState.SUSPENDED, AccreditationEvent.WITHDRAW): AccreditationState.WITHDRAWN,
        (AccreditationState.CLAIMED, AccreditationEvent.EXPIRE): AccreditationState.EXPIRED,
        (AccreditationState.VERIFIED, AccreditationEvent.EXPIRE): AccreditationState.EXPIRED,
        (AccreditationState.SUSPENDED, AccreditationEvent.EXPIRE): AccreditationState.EXPIRED,
    },
)


class CheckResult(StrEnum):
    """What a look into a register showed. Absence is not proof of fraud."""

    FOUND = "found"
    NOT_FOUND = "not_found"
    CONFIDENTIAL = "confidential"
    """The register keeps it closed, and the body showed other evidence."""
    MISMATCH = "mismatch"


def check_event(result: CheckResult) -> AccreditationEvent:
    """Return what a check leads to: found or confidentially confirmed verifies, the rest doubts."""
    if result in (CheckResult.FOUND, CheckResult.CONFIDENTIAL):
        return AccreditationEvent.VERIFY
    return AccreditationEvent.DOUBT


class RelationshipKind(StrEnum):
    """How two providers can be related (the examples of ISO/IEC 17021-1, 5.2.3 and 5.2.7)."""

    OWNERSHIP = "ownership"
    CONTROL = "control"
    SHARED_PEOPLE = "shared_people"
    CONTRACT = "contract"
    BRAND = "brand"
    MARKETING = "marketing"
    DECLARED = "declared"
    """Declared by one of them, without saying how."""


def is_recognised(
    recognition: Recognition, recognised_for: Collection[str] | None, standard: str
) -> bool:
    """Return whether an accreditation body's word counts for `standard`.

    Recognition is by sub-scope: a body can be a signatory for one standard and not for another.
    """
    if recognition is not Recognition.RECOGNISED:
        return False
    return recognised_for is None or standard in recognised_for


def accreditation_counts(
    state: AccreditationState, *, valid_from: date | None, valid_until: date, today: date
) -> bool:
    """Return whether an accreditation counts on `today`: verified, begun, and not past its end."""
    begun = valid_from is None or valid_from <= today
    return state is AccreditationState.VERIFIED and begun and today <= valid_until


_SUFFIXES = (
    "pty ltd limited proprietary inc incorporated llc llp plc lp corp corporation co company gmbh "
    "ag kg ohg ug bv nv sa sas sarl srl spa oy oyj ab as asa aps kk sdn bhd pte pvt private"
)
LEGAL_SUFFIXES = frozenset(_SUFFIXES.split())


def name_key(name: str) -> str:
    """Return a company's name as it is compared: no case, accents, punctuation or legal suffix."""
    decomposed = unicodedata.normalize("NFKD", name.casefold())
    plain = "".join(c for c in decomposed if not unicodedata.combining(c))
    words = re.sub(r"[^\w\s]", "", plain.replace("&", " and ")).split()
    while len(words) > 1 and words[-1] in LEGAL_SUFFIXES:
        words.pop()
    return " ".join(words)


HEADCOUNT_RANGE = (1, 1_000_000)
"""The sizes of business that a lead can have."""
CAPACITY_AT_MOST = (1_000, 10_000)
"""Open invitations at once, and in a month, that a provider can ask for."""
LANGUAGES_AT_MOST = 20
"""Languages in which a provider can say that it works."""
WEEKS_TO_START_AT_MOST = 104
"""Weeks until it can begin, as it can say it: two years."""


def default_coverage() -> dict[str, Any]:
    """Return what is meant where a provider does not say: any size, and a modest capacity."""
    least, most = HEADCOUNT_RANGE
    return {
        "sectors": [],
        "headcount_min": least,
        "headcount_max": most,
        "remote": False,
        "open_capacity": 5,
        "monthly_capacity": 20,
        "languages": [],
        "weeks_to_start": None,
    }


def month_of(moment: datetime) -> date:
    """Return the first day of the month (UTC) in whose count of invitations `moment` falls."""
    return moment.date().replace(day=1)


class AccreditationFacts(NamedTuple):
    """What eligibility needs to know about one accreditation: a tuple, made by the thousand."""

    id: UUID
    body: str
    standard: str
    edition: str | None
    """None: unknown, which is not "every edition"."""
    sectors: frozenset[str] | None
    """None: unknown, which is not "every sector"."""
    state: AccreditationState
    valid_from: date | None
    valid_until: date
    recognised: bool
    """Whether its body is recognised for this very standard."""

    def counts(self, today: date) -> bool:
        """Return whether it makes its holder an accredited body for its standard on `today`."""
        return self.recognised and accreditation_counts(
            self.state, valid_from=self.valid_from, valid_until=self.valid_until, today=today
        )


def years_before(day: date, years: int) -> date:
    """Return the same day so many years earlier; 29 February becomes the 28th."""
    try:
        return day.replace(year=day.year - years)
    except ValueError:
        return day.replace(year=day.year - years, day=28)


@dataclass(frozen=True)
class RelationFacts:
    """That a provider is or was related to another, from a day to a day, both inclusive."""

    other_id: UUID
    kind: RelationshipKind
    valid_from: date | None
    valid_until: date | None

    def holds(self, on: date) -> bool:
        """Return whether the two were related on that day."""
        begun = self.valid_from is None or self.valid_from <= on
        return begun and (self.valid_until is None or on <= self.valid_until)


class PauseReason(StrEnum):
    """Why a provider is paused, where it did not ask for that itself."""

    REPEATED_MISSES = "repeated_misses"
    """It let several invitations lapse within a short time; it comes back when it says so."""


class ProviderFacts(NamedTuple):
    """Everything about a provider that eligibility asks for, read at one moment.

    A tuple: sixty-four are made for each match, in a third of the time of a frozen dataclass.
    """

    id: UUID
    name: str
    name_key: str
    kind: ProviderKind
    state: ProviderState
    legal_entity: str | None
    standards: frozenset[str]
    regions: frozenset[str]
    sectors: frozenset[str]
    """Empty: unknown, which is not "none"."""
    headcount_min: int
    headcount_max: int
    remote: bool
    open_capacity: int
    open_count: int
    monthly_capacity: int
    month: date
    month_count: int
    weeks_to_start: int | None
    """How soon it can begin, where it says so."""
    languages: frozenset[str]
    """Empty: it does not say."""
    accreditations: tuple[AccreditationFacts, ...]
    pauses: tuple[tuple[datetime, datetime], ...]
    """From the start up to, not at, the end; those that have not ended yet."""
    related: frozenset[RelationFacts]

    def related_on(self, day: date) -> frozenset[UUID]:
        """Return the providers to which this one was related on that day."""
        return frozenset(relation.other_id for relation in self.related if relation.holds(day))

    def is_paused(self, now: datetime) -> bool:
        """Return whether it wants no invitations at `now`."""
        return any(start <= now < end for start, end in self.pauses)

    def used_this_month(self, now: datetime) -> int:
        """Return how many invitations of the current month it has had.

        Where the row is a month ahead, our clock is behind: then that month is the current one.
        """
        return self.month_count if self.month >= month_of(now) else 0

    def has_capacity(self, now: datetime) -> bool:
        """Return whether it takes one more invitation: open ones, and those of the month."""
        return (
            self.open_count < self.open_capacity
            and self.used_this_month(now) < self.monthly_capacity
        )


class Standstill(StrEnum):
    """Why no invitation can come now, whatever anybody asks for."""

    NOT_VERIFIED = "not_verified"
    PAUSED = "paused"
    TAKES_NONE = "takes_none"
    """It asks for none at once, or for none in a month."""
    ALL_OPEN = "all_open"
    """It holds as many as it takes at once."""
    MONTH_USED = "month_used"
    """It has had as many as it takes in a month."""
    NO_ACCREDITATION = "no_accreditation"
    """A certification body, and no accreditation counts for a standard that it offers."""


def standstills(of: ProviderFacts, now: datetime) -> list[Standstill]:
    """Return every reason why a provider is invited to nothing at `now`."""
    takes_any = of.open_capacity > 0 and of.monthly_capacity > 0
    is_accredited = any(
        each.counts(now.date()) and each.standard in of.standards for each in of.accreditations
    )
    holds = {
        Standstill.NOT_VERIFIED: of.state is not ProviderState.VERIFIED,
        Standstill.PAUSED: of.is_paused(now),
        Standstill.TAKES_NONE: not takes_any,
        Standstill.ALL_OPEN: takes_any and of.open_count >= of.open_capacity,
        Standstill.MONTH_USED: takes_any and of.used_this_month(now) >= of.monthly_capacity,
        Standstill.NO_ACCREDITATION: of.kind is ProviderKind.CERTIFICATION_BODY
        and not is_accredited,
    }
    return [each for each, is_so in holds.items() if is_so]
