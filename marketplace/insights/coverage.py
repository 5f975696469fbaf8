"""The coverage report: where requests come and providers are missing, so where to recruit next.

A cell is a standard, a region and a kind of provider. What a provider could take is read off its
coverage row and, for a certification body, its accreditations of today, in whatever edition and
sector; capacity, pauses and sizes of business are left out.

A request is left with an empty place where now, or when it finished, fewer places were held than
there are: by live invitations, or by those that had seen the contact and were not to be replaced.
So it counts while a place is empty, goes on to count if it ends like that, and else does not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from marketplace.core.actors import Actor
from marketplace.core.context import Context
from marketplace.insights.coverage_cells import cells
from marketplace.insights.periods import RECENT
from marketplace.leads.models import Lead
from marketplace.providers.models import Coverage
from marketplace.providers.rules import ProviderKind, ProviderState

Key = tuple[str, str, str]
"""What names a cell: standard, region, kind."""


@dataclass(frozen=True)
class Cell:
    """What is asked for and offered in one place."""

    standard: str
    region: str
    kind: ProviderKind
    providers: int
    """Verified ones that are there: in the region itself or in all of its country."""
    remote_providers: int
    """Verified ones that are elsewhere and work remotely."""
    n: int
    """Requests of the period; one for several standards or regions is in each of its cells."""
    with_empty_place: int
    """Those of them that were left with an empty place."""

    @property
    def share_with_empty_place(self) -> float | None:
        return round(self.with_empty_place / self.n, 4) if self.n else None

    @property
    def key(self) -> Key:
        return (self.standard, self.region, str(self.kind))


@dataclass(frozen=True)
class CoverageReport:
    """Every cell with a provider or a request, the one to recruit for next first."""

    since: datetime
    until: datetime
    n: int
    """Requests that were opened in the period."""
    providers: int
    """Verified providers."""
    cells: Sequence[Cell]
    following: Key | None
    """Where the next page begins, if there is one."""


def coverage_report(
    ctx: Context, actor: Actor, *, limit: int | None = None, after: Key | None = None
) -> CoverageReport:
    """Return how providers cover what was asked for in the last 90 days.

    `limit`: all of it where there is none. `after`: from behind this cell on.
    """
    actor.require_admin()
    now = ctx.clock()
    since = now - RECENT
    asked = {"since": since, "today": now.date(), "places": ctx.policy.places}
    with ctx.reading() as session:
        # All of them whatever is asked for: to know which come first takes all.
        found = [Cell(*row) for row in session.execute(cells(), asked)]
        n, providers = session.execute(
            select(
                select(func.count()).where(Lead.opened_at >= since).scalar_subquery(),
                select(func.count())
                .where(Coverage.state == ProviderState.VERIFIED)
                .scalar_subquery(),
            )
        ).one()
    behind = next((place for place, cell in enumerate(found, 1) if cell.key == after), len(found))
    rest = found if after is None else found[behind:]
    kept = rest[:limit]
    return CoverageReport(
        since=since,
        until=now,
        n=n,
        providers=providers,
        cells=kept,
        following=kept[-1].key if len(rest) > len(kept) else None,
    )
