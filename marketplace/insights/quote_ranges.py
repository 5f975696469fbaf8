"""The ranges of quotes: for how much, and with how many days of audit, the same is quoted.

By what is quoted for, where, and to how large a business; never over two currencies. A range runs
from the lower to the upper quartile: its ends would otherwise be what one provider asked. Which
cells are shown is told by `disclosure`; two reports over periods that overlap can be subtracted
like two cells, so whoever publishes them takes periods that follow each other.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy.orm import Session

from marketplace.catalogue.queries import standards
from marketplace.core.actors import Actor
from marketplace.core.context import Context
from marketplace.core.policy import Policy
from marketplace.insights import quote_cells
from marketplace.insights.disclosure import Enough, Held, Path, disclosed
from marketplace.insights.periods import days_between
from marketplace.insights.quote_cells import MEASURES, Measure
from marketplace.quotes.rules import QuoteKind

Key = tuple[str, str, str, str, str, str, str]
"""What names a row: kind, currency, standards, country, size, region and measure."""


@dataclass(frozen=True)
class Range:
    """One measure in one cell. Where the cell is too small to be shown, nothing but that it is."""

    kind: QuoteKind
    currency: str
    standards: str
    """`ISO 9001 + ISO 14001`: quoted for together."""
    country: str
    """Its code, or `several`."""
    size: str | None
    """`26-65`: by headcount; None is any."""
    region: str | None
    """Its code; None is all of the country."""
    measure: Measure
    n: int | None = None
    providers: int | None = None
    lower: Decimal | None = None
    """Money in the currency, or days; a quarter of the quotes are below ..."""
    median: Decimal | None = None
    """... a half ..."""
    upper: Decimal | None = None
    """... and three quarters."""
    left_out: int | None = None
    """Of a total: how many more quotes leave something out of it, and are in no total."""

    @property
    def is_shown(self) -> bool:
        return self.n is not None

    @property
    def key(self) -> Key:
        return (
            self.kind, self.currency, self.standards, self.country, self.size or "",
            self.region or "", self.measure,
        )  # fmt: skip


@dataclass(frozen=True)
class QuoteRanges:
    """The quotes of a period, the country and standards with the most of them first."""

    since: datetime
    until: datetime
    n: int
    """Quotes that the totals are of: those that are shown."""
    quotes_at_least: int
    providers_at_least: int
    ranges: Sequence[Range]
    following: Key | None
    """Where the next page begins, if there is one."""


def quote_ranges(
    ctx: Context,
    actor: Actor,
    *,
    first: date | None = None,
    last: date | None = None,
    limit: int | None = None,
    after: Key | None = None,
) -> QuoteRanges:
    """Return the ranges of what was quoted on these days (UTC): of the last 90 by default.

    `limit`: all of them where there is none. `after`: from behind this row on.
    """
    actor.require_admin()
    now, policy = ctx.clock(), ctx.policy
    days = days_between(first, last, now)
    with ctx.reading() as session:
        # All of them whatever is asked for: what is shown depends on what else is.
        found = _ranges(session, days.starts_at, days.ends_at, policy)
    places = {each.key: place for place, each in enumerate(found, 1)}
    rest = found if after is None else found[places.get(after, len(found)) :]
    kept = rest[:limit]
    return QuoteRanges(
        since=days.starts_at,
        until=min(days.ends_at, now),
        n=sum(each.n or 0 for each in found if each.measure is Measure.TOTAL and not each.size),
        quotes_at_least=policy.quote_ranges_from,
        providers_at_least=policy.quote_ranges_providers_from,
        ranges=kept,
        following=kept[-1].key if len(rest) > len(kept) else None,
    )


def _ranges(session: Session, since: datetime, until: datetime, policy: Policy) -> list[Range]:
    """Return every range that may be shown, and the largest of those that may not.

    What is part of a cell that is not shown is left out: there is nothing to say of it.
    """
    asked = (since, until, policy.size_bands)
    enough = Enough(
        policy.quote_ranges_from,
        policy.quote_ranges_providers_from,
        policy.quote_ranges_share_at_most,
    )
    held = _held(session.execute(quote_cells.held(*asked)))
    seen = {measure: disclosed(groups, enough) for measure, groups in held.items()}
    rows = {_path(row, row.level): row for row in session.execute(quote_cells.quartiles(*asked))}
    positions = {each.code: each.position for each in standards(session)}

    def found(path: Path, measure: Measure) -> Range:
        (kind, currency, codes, country), *part = path
        size, region = (*part, None, None)[:2]
        cell = Range(
            kind=QuoteKind(kind),
            currency=currency,
            standards=" + ".join(sorted(codes, key=lambda code: (positions[code], code))),
            country=country,
            size=None if size is None else size_of(size, policy.size_bands),
            region=region,
            measure=measure,
        )
        quotes = seen[measure].shown.get(path)
        return cell if quotes is None else _shown(cell, quotes, rows[path])

    def place(path: Path, measure: Measure) -> tuple[Any, ...]:
        (kind, currency, codes, country), *part = path
        most = seen[Measure.TOTAL].shown.get(path[:1], Counter()).total()
        in_order = sorted(positions[code] for code in codes)
        return (-most, kind, currency, in_order, country, part, list(Measure).index(measure))

    keys = [
        (path, measure)
        for measure, groups in seen.items()
        for path in (*groups.shown, *groups.hidden)
    ]
    return [found(*key) for key in sorted(keys, key=lambda key: place(*key))]


def _held(rows: Iterable[Any]) -> dict[Measure, defaultdict[Path, Held]]:
    """Return how many quotes each provider has, by measure and by the smallest cell of each."""
    held: dict[Measure, defaultdict[Path, Held]] = {
        measure: defaultdict(Counter) for measure in Measure
    }
    for row in rows:
        path = _path(row, 2 if row.region else 1)
        for measure in MEASURES[row.kind]:
            held[measure].setdefault(path[:1], Counter())  # there, even where nobody says anything
            if quotes := getattr(row, measure):
                held[measure][path][row.provider_id] += quotes
    return held


def _path(row: Any, level: int) -> Path:
    """Return what names a cell: all but size and region, then the size, then the region."""
    whole = (row.kind, row.currency, tuple(row.standards), row.country)
    return (whole, row.size, row.region)[: level + 1]


def _shown(cell: Range, quotes: Held, row: Any) -> Range:
    lower, median, upper = (getattr(row, f"{cell.measure}_{number}") for number in (1, 2, 3))
    n = quotes.total()
    return replace(
        cell,
        n=n,
        providers=len(quotes),
        lower=lower,
        median=median,
        upper=upper,
        left_out=row.n - n if cell.measure is Measure.TOTAL else None,
    )


def size_of(number: int, bands: Sequence[int]) -> str:
    """Return a band of headcount, by its number from 1 on: `26-65`, and the last one `626+`."""
    least, *above = bands[number - 1 :]
    return f"{least}-{above[0] - 1}" if above else f"{least}+"
