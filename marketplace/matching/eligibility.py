"""Who may be invited to a lead at all: hard rules, none of them ever relaxed.

Pure: invariants 4 and 5 of the product. The first obstacle that is found says, in one sentence, why
a provider was not invited; the filters stand in the order in which the funnel counts them.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import cached_property, lru_cache
from uuid import UUID

from marketplace.catalogue.rules import covering
from marketplace.leads.rules import Service
from marketplace.providers.rules import (
    AccreditationFacts,
    ProviderFacts,
    ProviderKind,
    ProviderState,
    years_before,
)


class Filter(StrEnum):
    """What a provider can fail by."""

    KIND = "kind"
    EDITION = "edition"
    STATE = "state"
    STANDARDS = "standards"
    REGIONS = "regions"
    HEADCOUNT = "headcount"
    CAPACITY = "capacity"
    PAUSE = "pause"
    ACCREDITATION = "accreditation"
    INVITED = "invited"
    IMPARTIALITY = "impartiality"


@dataclass(frozen=True)
class Obstacle:
    """Why a provider may not be invited."""

    filter: Filter
    why: str


@dataclass(frozen=True)
class Adviser:
    """Somebody who advised the business: a provider we know, or a name."""

    name_key: str | None
    """None: that provider and no other, whoever else bears its name."""
    provider_id: UUID | None
    ended_on: date | None
    """None: still going on, or not said, which counts the same."""


@dataclass(frozen=True)
class Wanted:
    """What eligibility needs to know of a lead, and no more."""

    service: Service
    editions: Mapping[str, str]
    """Every standard asked for, with the edition wanted."""
    ended: tuple[str, ...]
    """Those of the standards of which that edition can be asked for no longer."""
    regions: tuple[str, ...]
    headcount: int
    sector: str | None
    sector_codes: frozenset[str]
    """Every code of the system that the sector is of: a scope in another says nothing of it."""
    remote_ok: bool
    weeks: int | None = None
    """Within how many weeks work should begin, where that is said."""
    language: str | None = None
    """In which language (ISO 639-1), where that is said."""
    advisers: tuple[Adviser, ...] = ()

    @cached_property
    def kinds(self) -> frozenset[ProviderKind]:
        """The kinds of provider that the service calls for."""
        wanted = {
            Service.CONSULTING: {ProviderKind.CONSULTANT},
            Service.CERTIFICATION: {ProviderKind.CERTIFICATION_BODY},
            Service.EITHER: {ProviderKind.CONSULTANT, ProviderKind.CERTIFICATION_BODY},
        }
        return frozenset(wanted[self.service])


def obstacle(
    wanted: Wanted,
    provider: ProviderFacts,
    *,
    invited: Mapping[UUID, ProviderFacts],
    now: datetime,
    impartiality_years: int,
) -> Obstacle | None:
    """Return the first reason why this provider may not be invited now, or None if it may.

    `invited`: every provider that was ever invited to this lead.
    """
    today = now.date()
    return (
        _kind(wanted, provider)
        or _edition(wanted)
        or _state(provider)
        or _standards(wanted, provider)
        or _regions(wanted, provider)
        or _headcount(wanted, provider)
        or _capacity(provider, now=now)
        or _pause(provider, now=now)
        or _accreditation(wanted, provider, today=today)
        or _invited(provider, invited, today=today)
        or advised_obstacle(wanted.advisers, provider, today=today, years=impartiality_years)
    )


def standing_obstacle(
    wanted: Wanted, provider: ProviderFacts, *, now: datetime, impartiality_years: int
) -> Obstacle | None:
    """Return why a provider that holds a live invitation may not keep it, if it may not.

    Its capacity, its pauses and what else it covers were looked at when it was invited.
    """
    today = now.date()
    return (
        _state(provider)
        or _accreditation(wanted, provider, today=today)
        or advised_obstacle(wanted.advisers, provider, today=today, years=impartiality_years)
    )


def _kind(wanted: Wanted, provider: ProviderFacts) -> Obstacle | None:
    if provider.kind in wanted.kinds:
        return None
    kind = provider.kind.replace("_", " ")
    return Obstacle(Filter.KIND, f"is a {kind}, and the request is for {wanted.service}")


def _edition(wanted: Wanted) -> Obstacle | None:
    """Return the obstacle of everybody where the time to ask for an edition is over."""
    if not wanted.ended:
        return None
    ended = " and ".join(f"edition {wanted.editions[code]} of {code}" for code in wanted.ended)
    return Obstacle(Filter.EDITION, f"cannot be invited: {ended} can be asked for no longer")


def _state(provider: ProviderFacts) -> Obstacle | None:
    if provider.state is ProviderState.VERIFIED:
        return None
    return Obstacle(Filter.STATE, f"is {provider.state}, and only verified providers are invited")


def _standards(wanted: Wanted, provider: ProviderFacts) -> Obstacle | None:
    lacking = [code for code in wanted.editions if code not in provider.standards]
    if not lacking:
        return None
    return Obstacle(Filter.STANDARDS, f"does not offer {', '.join(lacking)}")


def _regions(wanted: Wanted, provider: ProviderFacts) -> Obstacle | None:
    outside = [region for region in wanted.regions if not covers(provider, region)]
    if not outside or (provider.remote and wanted.remote_ok):
        return None
    nor_remotely = " nor work remotely" if wanted.remote_ok else ""
    return Obstacle(Filter.REGIONS, f"does not cover {', '.join(outside)}{nor_remotely}")


def covers(provider: ProviderFacts, region: str) -> bool:
    """Return whether a provider is present in a region, by its own code or its whole country."""
    return not _codes(region).isdisjoint(provider.regions)


@lru_cache(maxsize=10_000)
def _codes(region: str) -> frozenset[str]:
    return frozenset(covering(region))


def _headcount(wanted: Wanted, provider: ProviderFacts) -> Obstacle | None:
    if provider.headcount_min <= wanted.headcount <= provider.headcount_max:
        return None
    takes = f"{provider.headcount_min} to {provider.headcount_max}"
    return Obstacle(Filter.HEADCOUNT, f"takes businesses of {takes} people")


def _capacity(provider: ProviderFacts, *, now: datetime) -> Obstacle | None:
    if provider.open_count >= provider.open_capacity:
        return Obstacle(
            Filter.CAPACITY, f"has as many open invitations as it takes ({provider.open_capacity})"
        )
    if provider.used_this_month(now) >= provider.monthly_capacity:
        return Obstacle(
            Filter.CAPACITY,
            f"was invited as often this month as it takes ({provider.monthly_capacity})",
        )
    return None


def _pause(provider: ProviderFacts, *, now: datetime) -> Obstacle | None:
    if provider.is_paused(now):
        return Obstacle(Filter.PAUSE, "is on leave, or its invitations are paused")
    return None


def _accreditation(wanted: Wanted, provider: ProviderFacts, *, today: date) -> Obstacle | None:
    if provider.kind is not ProviderKind.CERTIFICATION_BODY:
        return None
    for code, edition in wanted.editions.items():
        if not counting(wanted, provider, code, today=today):
            scope = f" for sector {wanted.sector}" if wanted.sector else ""
            return Obstacle(
                Filter.ACCREDITATION,
                f"holds no verified and current accreditation by a recognised body for {code} "
                f"in edition {edition}{scope}",
            )
    return None


def _invited(
    provider: ProviderFacts, invited: Mapping[UUID, ProviderFacts], *, today: date
) -> Obstacle | None:
    """Return the obstacle of one that was invited before, or beside a relative that was."""
    if not invited:
        return None
    if provider.id in invited:
        return Obstacle(Filter.INVITED, "was invited to this request before")
    return related_obstacle(provider, invited.values(), today=today)


def counting(
    wanted: Wanted, provider: ProviderFacts, standard: str, *, today: date
) -> list[AccreditationFacts]:
    """Return the accreditations that make a certification body eligible for one standard.

    Verified, in force, by a recognised body; for the edition and the sector wanted, or not known
    to be for others: an unknown scope is eligible, and ranked lower.
    """
    return [
        held
        for held in provider.accreditations
        if held.standard == standard
        and held.counts(today)
        and held.edition in (None, wanted.editions[standard])
        and (knows_sector(wanted, held) or says_nothing_of_sector(wanted, held))
    ]


def knows_sector(wanted: Wanted, held: AccreditationFacts) -> bool:
    """Return whether a scope is known to cover the sector wanted, where one is."""
    return wanted.sector is None or (held.sectors is not None and wanted.sector in held.sectors)


def says_nothing_of_sector(wanted: Wanted, held: AccreditationFacts) -> bool:
    """Return whether a scope is unknown as far as the sector wanted goes.

    Food chain categories, say, where it is an IAF code: each standard has a system of its own.
    """
    return held.sectors is None or wanted.sector_codes.isdisjoint(held.sectors)


def related_obstacle(
    provider: ProviderFacts, others: Collection[ProviderFacts], *, today: date
) -> Obstacle | None:
    """Return the obstacle of a certification body beside a related consultant, either way round.

    ISO/IEC 17021-1, 5.2.5 and 5.2.7: same legal entity, control or any declared relationship.
    """
    for other in others:
        if _clash(provider, other, today=today):
            kind = other.kind.replace("_", " ")
            return Obstacle(
                Filter.IMPARTIALITY, f"is related to a {kind} that was invited to this request"
            )
    return None


def _clash(one: ProviderFacts, other: ProviderFacts, *, today: date) -> bool:
    if one.kind is other.kind:
        return False
    if one.legal_entity is not None and one.legal_entity == other.legal_entity:
        return True
    return _related(one, other.id, since=today, until=today) or _related(
        other, one.id, since=today, until=today
    )


def clashes(bench: Collection[ProviderFacts], *, today: date) -> list[tuple[UUID, UUID]]:
    """Return the pairs that may not both be invited to one lead (`related_obstacle`), in order."""
    by_id = {each.id: each for each in bench}
    by_entity: dict[str, list[UUID]] = defaultdict(list)
    for each in bench:
        if each.legal_entity is not None:
            by_entity[each.legal_entity].append(each.id)
    suspected: set[tuple[UUID, UUID]] = set()
    for each in bench:
        relatives: Iterable[UUID] = (relation.other_id for relation in each.related)
        for other in (*relatives, *by_entity.get(each.legal_entity or "", ())):
            if other in by_id:
                suspected.add((min(each.id, other), max(each.id, other)))
    return sorted(
        (one, other) for one, other in suspected if _clash(by_id[one], by_id[other], today=today)
    )


def advised_obstacle(
    advisers: Iterable[Adviser], provider: ProviderFacts, *, today: date, years: int
) -> Obstacle | None:
    """Return the obstacle of a certification body whose relative (or self) advised the business.

    Within two years of the end of the consultancy: ISO/IEC 17021-1, 5.2.7 and 5.2.10.
    """
    if provider.kind is not ProviderKind.CERTIFICATION_BODY:
        return None
    since = years_before(today, years)
    for adviser in advisers:
        if adviser.ended_on is not None and adviser.ended_on <= since:
            continue
        if adviser.provider_id == provider.id or adviser.name_key == provider.name_key:
            return Obstacle(
                Filter.IMPARTIALITY, f"advised this business itself less than {years} years ago"
            )
        if adviser.provider_id is not None and _related(
            provider, adviser.provider_id, since=since, until=today
        ):
            return Obstacle(
                Filter.IMPARTIALITY,
                "is related to a consultant that advised this business less than "
                f"{years} years ago",
            )
    return None


def _related(provider: ProviderFacts, other_id: UUID, *, since: date, until: date) -> bool:
    return any(
        relation.other_id == other_id
        and (relation.valid_from is None or relation.valid_from <= until)
        and (relation.valid_until is None or relation.valid_until >= since)
        for relation in provider.related
    )
