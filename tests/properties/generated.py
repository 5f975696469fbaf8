"""Generated markets.

Everybody would be eligible but for its quirks, and quirks lie at the edges of the rules: so a
market has some who just may be invited, and some who just may not.
"""

import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from hypothesis import strategies as st

from tests.fuzz.sizes import LONG
from tests.properties.markets import (
    ACCREDITORS,
    BODY,
    CONSULTANT,
    SEEN,
    STANDARDS,
    Advice,
    Ask,
    Firm,
    Held,
    Market,
    Tie,
)

TICK, DAY = timedelta(microseconds=1), timedelta(days=1)

NOWS = [
    datetime(2026, 11, 23, 9, 0, tzinfo=UTC),
    datetime(2028, 2, 29, 0, 0, tzinfo=UTC),
    datetime(2026, 2, 28, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(2028, 2, 28, 12, 0, tzinfo=UTC),
    datetime(2026, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(2027, 1, 1, 0, 0, tzinfo=UTC),
    datetime(2030, 3, 1, 0, 0, tzinfo=UTC),
    datetime(2028, 3, 31, 23, 59, tzinfo=UTC),
    datetime(2028, 4, 1, 0, 0, tzinfo=UTC),
    datetime(2029, 9, 30, 12, 0, tzinfo=UTC),
]

QUIRKS = {
    "state": ["applied", "suspended", "rejected"],
    "entity": ["AU:1", "AU:2"],
    "standards": [STANDARDS[2:], STANDARDS[:1], STANDARDS[1:], STANDARDS[:2]],
    "regions": [
        ("AU-WA",), ("AU",), ("NZ",), ("AU-NSW",), ("AU-NSW", "AU-VIC"), ("AU-VIC", "NZ-AUK"),
        ("AU", "AU-NSW"), ("NZ-AUK",),
    ],
    "remote": [True],
    # How far the smallest and the largest business it takes are from this one; None: no limit.
    "size": [(0, 0), (1, None), (None, -1), (0, None), (None, 0), (-1, 1), (1, 2)],
    "open": [(5, 4), (5, 5), (5, 6), (0, 0), (1, 0)],
    # What it takes in a month; how many months from now the row counts; what it counts.
    "month": [(take, off, had) for off in (0, -1, 1, -12) for take in (2, 0) for had in (1, 2, 3)],
    # From now.
    "pause": [
        (-DAY, DAY), (timedelta(0), TICK), (TICK, DAY), (-DAY, timedelta(0)), (-DAY, TICK),
        (-DAY, -TICK), (-TICK, timedelta(0)),
    ],
    "sectors": [(), ("28",)],
    "weeks": [0, 30],
    "languages": [("en",), ("de", "en")],
    "invitation": ["sent", "declined", "opened", *SEEN, "released", "expired", "withdrawn"],
    "name": ["firm 1"],
}  # fmt: skip

OFTEN = (*QUIRKS, "entity", "invitation")
"""Quirks that only matter in company come more often."""

FLAWS = {
    "state": ["claimed", "suspended", "withdrawn", "expired"],
    "edition": [None, "2015", "2026", ""],
    "sectors": [
        None, (), ("28",), ("17", "28"), ("CIV",), ("CI",), ("CI", "CIV"), ("28", "CIV"),
        ("17", "CI"),
    ],
    "accreditor": [*ACCREDITORS],
    "since": [-1, 0, 1],
    "until": [-1, 0, 1],
}  # fmt: skip

REGIONS = [("AU-NSW",), ("AU",), ("AU-NSW", "AU-VIC"), ("NZ-AUK", "AU-VIC"), ("NZ", "AU-NSW")]
EDITIONS = [
    {"ISO 9001": "2026"},
    {"ISO 9001": "2015"},
    {"ISO 9001": "2026", "ISO 14001": "2026"},
    {"ISO 14001": "2015", "ISO 9001": "2026"},
    dict.fromkeys(STANDARDS, "2026"),
]


class Choices:
    """Bytes, each of which decides something: 0 is always the simplest choice.

    Cheaper to draw than one thing after another, and it shrinks as well.
    """

    def __init__(self, data: bytes) -> None:
        self._left = iter(data)

    def of(self, options):
        return options[next(self._left) % len(options)]


MOST_FIRMS, MOST_TIES, MOST_ADVICE = 12, 10, 2


def markets(short: int) -> st.SearchStrategy[Market]:
    """Return markets: so many, or in the long form all that there can be, the simplest first.

    Hypothesis takes its time to draw and goes back to the same again and again, to come upon what
    is odd: a few that are drawn evenly have more of everything in them.
    """
    if not LONG:
        return st.integers(0, short - 1).map(drawn)
    return st.builds(
        market_of,
        st.binary(min_size=14, max_size=14),
        st.lists(st.binary(min_size=27, max_size=27), min_size=1, max_size=MOST_FIRMS),
        st.lists(st.binary(min_size=4, max_size=4), max_size=MOST_TIES),
        st.lists(st.binary(min_size=3, max_size=3), max_size=MOST_ADVICE),
    )


def drawn(number: int) -> Market:
    """Return a market of this number, in which everything is as likely as everything else."""
    draw = random.Random(number)

    def lists(size: int, least: int, most: int) -> list[bytes]:
        return [draw.randbytes(size) for _ in range(draw.randint(least, most))]

    return market_of(
        draw.randbytes(14),
        lists(27, 1, MOST_FIRMS),
        lists(4, 0, MOST_TIES),
        lists(3, 0, MOST_ADVICE),
    )


def market_of(
    head: bytes, of_firms: list[bytes], of_ties: list[bytes], of_advice: list[bytes]
) -> Market:
    choose = Choices(head)
    now = choose.of(NOWS)
    ask = Ask(
        service=choose.of(["consulting", "certification", "either"]),
        editions=choose.of(EDITIONS),
        regions=choose.of(REGIONS),
        headcount=choose.of([10, 1, 1_000_000]),
        sector=choose.of(["17", None, "CIV"]),
        remote_ok=choose.of([False, True]),
        status=choose.of(["none", "certified", "lapsed", "transfer", "transition"]),
        advice=(),
    )
    firms = tuple(
        _firm(number, Choices(each), ask, now) for number, each in enumerate(of_firms, start=1)
    )
    days = _edges(now.date())
    ties = [_tie(Choices(each), len(firms), days) for each in of_ties]
    advice = tuple(_advice(Choices(each), firms, days) for each in of_advice)
    return Market(
        now=now,
        seed=int.from_bytes(head[8:]),
        ask=replace(ask, advice=advice),
        firms=firms,
        ties=tuple(tie for tie in ties if tie.one != tie.other),
    )


def _edges(today: date) -> list[date | None]:
    """Return the days on which something may turn: around today, and around two years ago."""
    years_ago = date(today.year - 2, today.month, min(today.day, 28))
    return [
        None,
        None,
        None,
        *(day + off * DAY for day in (today, years_ago) for off in (-1, 0, 1, 2)),
    ]


def _tie(choose: Choices, firms: int, days: list[date | None]) -> Tie:
    one, other = choose.of(range(1, firms + 1)), choose.of(range(1, firms + 1))
    since, until = choose.of(days), choose.of(days)
    if since and until and since > until:
        since, until = until, since
    return Tie(one, other, since, until)


def _advice(choose: Choices, firms: tuple[Firm, ...], days: list[date | None]) -> Advice:
    adviser = choose.of(firms)
    is_known, is_called_so = choose.of([(True, True), (True, False), (False, True)])
    return Advice(
        adviser.number if is_known else None,
        adviser.name if is_called_so else "somebody else",
        choose.of(days),
    )


def _firm(number: int, choose: Choices, ask: Ask, now: datetime) -> Firm:
    kind = choose.of([CONSULTANT, BODY])
    if ask.service != "either" and choose.of(range(6)):
        kind = CONSULTANT if ask.service == "consulting" else BODY
    shuffle = choose.of([number, 0, 1_000, 2**30, 2**31 - 2])
    quirks = [choose.of(OFTEN) for _ in range(choose.of([0, 1, 0, 1, 2, 3]))]
    changes = {name: choose.of(QUIRKS[name]) for name in quirks}
    pauses = [changes.pop("pause")] if "pause" in changes else []
    if "size" in changes:
        changes["size"] = _size(ask.headcount, *changes["size"])
    if "month" in changes:
        most, months, had = changes["month"]
        changes["month"] = (most, _month_from(now.date(), months), had)
    good = Firm(
        number=number,
        name=f"firm {number}",
        kind=kind,
        state="verified",
        entity=None,
        standards=STANDARDS,
        regions=("AU", "NZ"),
        sectors=("17",),
        size=(1, 1_000_000),
        remote=False,
        open=(5, 0),
        month=(20, now.date().replace(day=1), 0),
        weeks=None,
        languages=(),
        pauses=tuple((now + start, now + end) for start, end in pauses),
        held=tuple(_accreditations(choose, ask, now)) if kind == BODY else (),
        invitation=None,
        shuffle=shuffle,
    )
    return replace(good, **changes)


def _size(headcount: int, least: int | None, most: int | None) -> tuple[int, int]:
    smallest = 0 if least is None else headcount + least
    largest = 2_000_000 if most is None else headcount + most
    return smallest, largest


def _month_from(day: date, months: int) -> date:
    count = day.year * 12 + day.month - 1 + months
    return date(count // 12, count % 12 + 1, 1)


def _accreditations(choose: Choices, ask: Ask, now: datetime) -> list[Held]:
    """Return a perfect accreditation for every standard; for one of them, others in its place."""
    perfect = [
        Held(
            standard=standard,
            edition=ask.editions.get(standard, "2026"),
            sectors=("17",) if ask.sector != "CIV" else choose.of([("CIV",), ("17",)]),
            state="verified",
            since=None,
            until=now.date() + 365 * DAY,
            accreditor="YES",
        )
        for standard in STANDARDS
    ]
    if not choose.of([False, True]):
        return perfect
    flawed = perfect.pop(choose.of([0, 1]))
    for _ in range(choose.of([0, 1, 1, 2])):
        names = [choose.of([*FLAWS]) for _ in range(choose.of([0, 1, 1, 2]))]
        flaws = {name: choose.of(FLAWS[name]) for name in names}
        for end in ("since", "until"):
            if end in flaws:
                flaws[end] = now.date() + flaws[end] * DAY
        perfect.append(replace(flawed, **flaws))
    return perfect
