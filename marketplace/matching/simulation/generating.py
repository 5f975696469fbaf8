"""Invented markets of any size.

A generated market is skewed as real ones are. A few standards and regions are asked for most;
providers overlap without being alike: some cover one standard in one state, some nearly everything
everywhere; they take businesses of different sizes, know sectors or do not say, work remotely or
do not, take on as much as they can carry. Certification bodies hold accreditations, some without a
known edition or scope, some of which lapse during the time. Consultants may be related to a body.
Most take leave; one in ten joins during the time, and one in ten is away for a month or two.
"""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from math import log
from uuid import UUID

from marketplace.leads.rules import Service
from marketplace.matching.eligibility import Wanted
from marketplace.matching.simulation.answering import Habits
from marketplace.matching.simulation.markets import Market, Member, Request
from marketplace.providers.rules import (
    AccreditationFacts,
    AccreditationState,
    ProviderFacts,
    ProviderKind,
    ProviderState,
    RelationFacts,
    RelationshipKind,
    month_of,
)

STANDARDS = {
    "ISO 9001": ("2026", 100),
    "ISO 14001": ("2026", 45),
    "ISO 45001": ("2018", 45),
    "ISO/IEC 27001": ("2022", 40),
    "ISO 22000": ("2018", 14),
    "ISO 13485": ("2016", 8),
}
"""The edition of each, and how often it is asked for."""

REGIONS = {"AU-NSW": 32, "AU-VIC": 26, "AU-QLD": 20, "AU-WA": 11, "AU-SA": 7, "AU-TAS": 2, "NZ": 8}
"""How often each is asked for."""

SERVICES = {Service.CONSULTING: 50, Service.CERTIFICATION: 40, Service.EITHER: 10}

NARROW = 0.3
"""The share of providers that do one thing or two in one place."""

INVITATIONS_PER_LEAD = 4
"""About; how much the providers take on is drawn around their share of these."""

SIZES = ((1, 60), (1, 250), (10, 500), (1, 1_000_000), (50, 1_000_000))
"""Which businesses a provider takes, by headcount."""

SECTORS = tuple(str(number) for number in range(1, 40))
STARTS_AT = datetime(2026, 1, 1, tzinfo=UTC)


def generated_market(
    *, providers: int = 40, months: int = 12, leads_per_month: int = 50, seed: int = 1
) -> Market:
    """Return an invented market of this size; the same for the same numbers."""
    draw = random.Random(f"providers {seed}")  # nosec B311  # drawn from a seed, to be replayed
    ends_at = _months_later(STARTS_AT, months)
    share = leads_per_month * INVITATIONS_PER_LEAD / max(providers, 1)
    members = [
        _member(draw, number, STARTS_AT, ends_at, share) for number in range(1, providers + 1)
    ]
    members = _related(draw, members)
    draw.shuffle(members)
    draw = random.Random(f"leads {seed}")  # nosec B311  # drawn from a seed, to be replayed
    moments = sorted(
        STARTS_AT + draw.random() * (ends_at - STARTS_AT) for _ in range(months * leads_per_month)
    )
    return Market(
        name=f"{providers} invented providers, {len(moments)} invented leads "
        f"from {STARTS_AT.date()} to {ends_at.date()}",
        members=tuple(members),
        requests=tuple(_request(draw, moment) for moment in moments),
        starts_at=STARTS_AT,
        ends_at=ends_at,
        seed=seed,
    )


def _months_later(moment: datetime, months: int) -> datetime:
    years, month = divmod(moment.month - 1 + months, 12)
    return moment.replace(year=moment.year + years, month=month + 1)


def _member(
    draw: random.Random, number: int, starts_at: datetime, ends_at: datetime, share: float
) -> Member:
    """Return a provider; `share`: how many invitations a month everybody would get of equals."""
    body = number % 5 in (0, 2)
    is_narrow = draw.random() < NARROW
    asked = {code: often for code, (_, often) in STANDARDS.items()}
    standards = frozenset(
        _some(draw, asked, draw.randint(1, 2) if is_narrow else draw.randint(3, 6))
    )
    least, most = (1, 1_000_000) if is_narrow else draw.choice(SIZES)
    sectors = frozenset(draw.sample(SECTORS, draw.randint(5, 30))) if draw.random() < 0.6 else ()
    facts = ProviderFacts(
        id=_id(draw),
        name=f"{'Certifier' if body else 'Consultant'} {number}",
        name_key=f"{'certifier' if body else 'consultant'} {number}",
        kind=ProviderKind.CERTIFICATION_BODY if body else ProviderKind.CONSULTANT,
        state=ProviderState.VERIFIED,
        legal_entity=None,
        standards=standards,
        regions=_regions(draw, is_narrow),
        sectors=frozenset(sectors),
        headcount_min=least,
        headcount_max=most,
        remote=not is_narrow and draw.random() < 0.5,
        open_capacity=3 + round(share * draw.choice((0.5, 1, 2))),
        open_count=0,
        monthly_capacity=5 + round(share * draw.choice((1, 2, 4, 8))),
        month=month_of(starts_at),
        month_count=0,
        weeks_to_start=draw.choice((None, 1, 2, 4, 8)),
        languages=frozenset({"en"}) if draw.random() < 0.5 else frozenset(),
        accreditations=_accreditations(draw, standards, starts_at, ends_at) if body else (),
        pauses=(),
        related=frozenset(),
    )
    whole = ends_at - starts_at
    if number % 10 == 3:
        return Member(facts, _habits(draw), joins_at=starts_at + draw.uniform(0.2, 0.8) * whole)
    return Member(facts._replace(pauses=_pauses(draw, number, starts_at, whole)), _habits(draw))


def _regions(draw: random.Random, is_narrow: bool) -> frozenset[str]:
    if is_narrow:
        return frozenset(_some(draw, REGIONS, 1))
    if draw.random() < 0.5:
        return frozenset({"AU", "NZ"})
    return frozenset(_some(draw, REGIONS, draw.randint(2, 5)))


def _accreditations(
    draw: random.Random, standards: frozenset[str], starts_at: datetime, ends_at: datetime
) -> tuple[AccreditationFacts, ...]:
    return tuple(
        AccreditationFacts(
            id=_id(draw),
            body=draw.choices(("JASANZ", "UKAS"), (80, 20))[0],
            standard=code,
            edition=STANDARDS[code][0] if draw.random() < 0.8 else None,
            sectors=frozenset(draw.sample(SECTORS, 28)) if draw.random() < 0.5 else None,
            state=AccreditationState.VERIFIED,
            valid_from=None,
            valid_until=_last_day(draw, starts_at, ends_at),
            recognised=True,
        )
        for code in sorted(standards)
    )


def _last_day(draw: random.Random, starts_at: datetime, ends_at: datetime) -> date:
    """Return a day after the end; one time in twelve a day before it."""
    if draw.random() < 1 / 12:
        return (starts_at + draw.uniform(0.3, 1.0) * (ends_at - starts_at)).date()
    return ends_at.date() + timedelta(days=365)


def _pauses(
    draw: random.Random, number: int, starts_at: datetime, whole: timedelta
) -> tuple[tuple[datetime, datetime], ...]:
    """Return a long one for every tenth provider, and at most two holidays for the others."""
    if number % 10 == 6:
        start = starts_at + draw.uniform(0.1, 0.4) * whole
        return ((start, start + timedelta(days=draw.randint(35, 70))),)
    starts = sorted(starts_at + draw.random() * whole for _ in range(draw.randint(0, 2)))
    return tuple((start, start + timedelta(days=draw.randint(5, 20))) for start in starts)


def _habits(draw: random.Random) -> Habits:
    return Habits(
        never_looks=draw.betavariate(1.5, 11),
        stays_silent=draw.betavariate(1.5, 20),
        declines=draw.betavariate(3, 18),
        accepts_only=draw.betavariate(1, 25),
        asks=draw.betavariate(2, 15),
        hours_to_look=draw.lognormvariate(log(1.5), 0.6),
        hours_to_act=draw.lognormvariate(log(6.0), 0.5),
    )


def _related(draw: random.Random, members: list[Member]) -> list[Member]:
    """Let every second body have a consultant that it is related to; both know."""
    consultants = [each.facts for each in members if each.facts.kind is ProviderKind.CONSULTANT]
    bodies = [each.facts for each in members if each.facts.kind is not ProviderKind.CONSULTANT]
    relations: dict[UUID, set[RelationFacts]] = {}
    for body in bodies[::2] if consultants else ():
        for one, other in ((body.id, draw.choice(consultants).id),):
            for own, its in ((one, other), (other, one)):
                fact = RelationFacts(its, RelationshipKind.DECLARED, None, None)
                relations.setdefault(own, set()).add(fact)
    return [
        replace(
            each, facts=each.facts._replace(related=frozenset(relations.get(each.facts.id, ())))
        )
        for each in members
    ]


def _request(draw: random.Random, opened_at: datetime) -> Request:
    asked = {code: often for code, (_, often) in STANDARDS.items()}
    headcount = min(100_000, max(1, round(draw.lognormvariate(log(40), 1.3))))
    return Request(
        id=_id(draw),
        wanted=Wanted(
            service=draw.choices(list(SERVICES), list(SERVICES.values()))[0],
            editions={
                code: STANDARDS[code][0]
                for code in _some(draw, asked, draw.choices((1, 2, 3), (80, 15, 5))[0])
            },
            ended=(),
            regions=tuple(_some(draw, REGIONS, 1 if draw.random() < 0.9 else 2)),
            headcount=headcount,
            sector=draw.choice(SECTORS) if draw.random() < 0.7 else None,
            sector_codes=frozenset(SECTORS),
            remote_ok=draw.random() < 0.5,
            weeks=draw.choice((None, 4, 13, 26)),
            language="en" if draw.random() < 0.2 else None,
        ),
        opened_at=opened_at,
        finished_at=opened_at + timedelta(days=draw.lognormvariate(log(6), 0.6)),
    )


def _some(draw: random.Random, weighted: dict[str, int], number: int) -> Sequence[str]:
    """Return so many of these without repetition, the weighty ones more often."""
    left, taken = dict(weighted), []
    for _ in range(number):
        (one,) = draw.choices(list(left), list(left.values()))
        taken.append(one)
        del left[one]
    return sorted(taken)


def _id(draw: random.Random) -> UUID:
    return UUID(int=draw.getrandbits(128), version=4)
