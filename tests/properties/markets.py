"""A market in plain values: a lead, the firms, who is related to whom, who advised the business."""

from dataclasses import dataclass, replace
from datetime import date, datetime

CONSULTANT, BODY = "consultant", "certification_body"
STANDARDS = ("ISO 9001", "ISO 14001", "ISO/IEC 27001")
SYSTEMS = {"iaf": ("3", "17", "28"), "food chain": ("CI", "CIV")}
"""Sectors, by the system of codes that they are of."""
ACCREDITORS = {
    "YES": ("yes", None),
    "YES FOR 9001": ("yes", ["ISO 9001"]),
    "YES FOR OTHERS": ("yes", ["ISO 22301", "ISO 14001"]),
    "YES FOR NONE": ("yes", []),
    "NO": ("no", None),
    "NO FOR 9001": ("no", ["ISO 9001"]),
    "UNSURE": ("unverified", None),
}
"""Accreditation bodies: whether they are recognised, and for which standards only."""
LAST_DAYS = {
    ("ISO 9001", "2015"): (date(2028, 3, 31), date(2029, 9, 30)),
    ("ISO 14001", "2015"): (date(2029, 4, 30), date(2029, 4, 30)),
}
"""Until when an edition is asked for: by who needs a new certificate, and by who has one."""


@dataclass(frozen=True)
class Held:
    """An accreditation. Edition and sectors: None where they are not known."""

    standard: str
    edition: str | None
    sectors: tuple[str, ...] | None
    state: str
    since: date | None
    until: date
    accreditor: str


@dataclass(frozen=True)
class Firm:
    number: int
    name: str
    kind: str
    state: str
    entity: str | None
    standards: tuple[str, ...]
    regions: tuple[str, ...]
    sectors: tuple[str, ...]
    size: tuple[int, int]
    remote: bool
    open: tuple[int, int]
    """How many invitations it takes at once, and how many it has."""
    month: tuple[int, date, int]
    """How many it takes in a month, and how many it had in which."""
    weeks: int | None
    languages: tuple[str, ...]
    pauses: tuple[tuple[datetime, datetime], ...]
    held: tuple[Held, ...]
    invitation: str | None
    """What became of its invitation to this lead, if it had one."""
    shuffle: int

    @property
    def was_invited(self) -> bool:
        return self.invitation is not None


@dataclass(frozen=True)
class Tie:
    """Two firms that are related, from a day to a day, both inclusive; None: not limited."""

    one: int
    other: int
    since: date | None
    until: date | None


@dataclass(frozen=True)
class Advice:
    """Who advised the business: a firm that we know, or only a name; until when (None: still)."""

    firm: int | None
    name: str
    ended_on: date | None


@dataclass(frozen=True)
class Ask:
    service: str
    editions: dict[str, str]
    status: str
    """What certificate the business holds."""
    regions: tuple[str, ...]
    headcount: int
    sector: str | None
    remote_ok: bool
    advice: tuple[Advice, ...]


@dataclass(frozen=True)
class Market:
    now: datetime
    seed: int
    ask: Ask
    firms: tuple[Firm, ...]
    ties: tuple[Tie, ...]

    @property
    def today(self) -> date:
        return self.now.date()

    def firm(self, number: int) -> Firm:
        return next(firm for firm in self.firms if firm.number == number)


SEEN = ("accepted", "quoted", "expired after it was accepted")
"""What became of invitations whose holders know who the business is."""
LIVE = ("sent", "opened", "accepted", "quoted")
HOLDING = (*LIVE, *SEEN)
"""What holds one of the lead's three places."""


def storable(market: Market) -> Market:
    """Return the market as the database lets it be.

    Of one legal entity one provider is not rejected; three invitations hold the three places; and
    nobody was ever invited of a kind that the request does not ask for: neither changes.
    """
    unasked = {"consulting": BODY, "certification": CONSULTANT}.get(market.ask.service)
    taken: set[str | None] = {None}
    firms: list[Firm] = []
    for firm in market.firms:
        if firm.kind == unasked:
            firm = replace(firm, invitation=None)
        if sum(each.invitation in HOLDING for each in firms) == 3 and firm.invitation in HOLDING:
            firm = replace(firm, invitation="declined")
        if firm.state != "rejected" and firm.entity in taken:
            firm = replace(firm, entity=None)
        if firm.state != "rejected":
            taken.add(firm.entity)
        firms.append(firm)
    return replace(market, firms=tuple(firms))
