"""How well an eligible provider fits a lead: fit goes before fairness, one small number for it.

Everything that a provider is not known to bring costs points; which costs how many is data
(`Policy.band_points`). Unknown is not "no": it keeps nobody out, and ranks behind what is known.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from marketplace.matching.eligibility import Wanted, counting, covers, knows_sector
from marketplace.providers.rules import AccreditationFacts, ProviderFacts, ProviderKind


class Lack(StrEnum):
    """What can keep an eligible provider out of the best band."""

    SECTOR = "sector"
    EDITION = "edition"
    PRESENCE = "presence"
    INTEGRATION = "integration"
    TIMEFRAME = "timeframe"
    LANGUAGE = "language"


Cost = Callable[[Collection[Lack]], int]
"""How many points some lacks cost together."""


@dataclass(frozen=True)
class Fit:
    """How well an eligible provider fits a lead: 0 is best."""

    band: int
    lacks: tuple[str, ...]
    """In words, what keeps it from a better band."""


def fit(wanted: Wanted, provider: ProviderFacts, *, today: date, points: Mapping[str, int]) -> Fit:
    """Return the band of an eligible provider: the points of all it lacks, and in words which."""

    def cost(lacks: Collection[Lack]) -> int:
        return sum(points.get(lack, 1) for lack in lacks)

    lacks = _lacks(wanted, provider, today, cost)
    return Fit(
        band=cost(lacks),
        lacks=tuple(_words(lack, wanted) for lack in sorted(lacks)),
    )


def _lacks(wanted: Wanted, provider: ProviderFacts, today: date, cost: Cost) -> set[Lack]:
    if provider.kind is ProviderKind.CONSULTANT:
        knows_sector = wanted.sector is None or wanted.sector in provider.sectors
        lacks = set() if knows_sector else {Lack.SECTOR}
    else:
        lacks = _lacks_of_scope(wanted, provider, today, cost)
    if not all(covers(provider, region) for region in wanted.regions):
        lacks.add(Lack.PRESENCE)
    if (
        wanted.weeks is not None
        and provider.weeks_to_start is not None
        and provider.weeks_to_start > wanted.weeks
    ):
        lacks.add(Lack.TIMEFRAME)
    if (
        wanted.language is not None
        and provider.languages
        and wanted.language not in provider.languages
    ):
        lacks.add(Lack.LANGUAGE)
    return lacks


def _lacks_of_scope(wanted: Wanted, provider: ProviderFacts, today: date, cost: Cost) -> set[Lack]:
    """Return what a body's accreditations leave unsaid, by the best of them per standard.

    One of them has to say it all: the edition of one and the sector of another make no scope. And
    several standards are audited together only where one accreditation body stands behind them all.
    """
    unsaid: set[Lack] = set()
    bodies: set[str] | None = None
    for code in wanted.editions:
        held = counting(wanted, provider, code, today=today)
        unsaid |= min((_unsaid(each, wanted) for each in held), key=cost, default=set())
        of_this = {each.body for each in held}
        bodies = of_this if bodies is None else bodies & of_this
    return unsaid if bodies else unsaid | {Lack.INTEGRATION}


def _unsaid(held: AccreditationFacts, wanted: Wanted) -> set[Lack]:
    unsaid = set() if held.edition else {Lack.EDITION}
    if not knows_sector(wanted, held):
        unsaid.add(Lack.SECTOR)
    return unsaid


_WORDS = {
    Lack.SECTOR: "not known to cover sector {sector}",
    Lack.EDITION: "accreditation does not say for which edition it is",
    Lack.PRESENCE: "works remotely, without a presence in the region",
    Lack.INTEGRATION: "accredited for these standards by different bodies, so that one integrated "
    "audit is not sure",
    Lack.TIMEFRAME: "cannot start as soon as is asked for",
    Lack.LANGUAGE: "does not say that it works in {language}",
}


def _words(lack: Lack, wanted: Wanted) -> str:
    return _WORDS[lack].format(sector=wanted.sector, language=wanted.language)
