"""The commitment report: how often a first response came in time, and how soon it came.

By week, standard and region it counts requests, from their commitment rows alone; by provider it
counts invitations, from their own columns. Each belongs to the moment at which it was decided: met
by the first response (a quote or a question), missed when its time was over, swept or not. What
ended before either, with its request or by a decline, is in no rate, and neither is a miss that was
struck. Hours are those of the clock,
whatever a deadline was counted in.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Text, and_, cast, func, select, tuple_
from sqlalchemy.orm import Session

from marketplace.catalogue.models import Region
from marketplace.core.actors import Actor
from marketplace.core.context import Context
from marketplace.core.errors import FieldError, Invalid
from marketplace.insights import commitment_rows
from marketplace.insights.commitment_rows import PLACES, Group
from marketplace.insights.periods import RECENT
from marketplace.providers.models import Provider

Key = tuple[Group, str]
"""What names a row: `week` and its Monday (UTC), `standard`, `region` or `provider` and its id."""


BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
"""Nothing was decided before."""


@dataclass(frozen=True)
class Figures:
    """One row: how the commitments of a group did."""

    by: Group
    key: str
    name: str
    n: int
    """Those met and those missed."""
    met: int
    missed: int
    ended: int
    """Those that ended before either."""
    responses: int
    """How many had a first response, in time or late: what the hours are of."""
    median_hours: float | None
    p90_hours: float | None

    @property
    def share_met(self) -> float | None:
        return round(self.met / self.n, 4) if self.n else None

    @property
    def percent_met(self) -> int | None:
        """The share in whole per cent, rounded down: a miss never rounds away."""
        return 100 * self.met // self.n if self.n else None

    @property
    def median(self) -> timedelta | None:
        return None if self.median_hours is None else timedelta(hours=self.median_hours)

    @property
    def p90(self) -> timedelta | None:
        return None if self.p90_hours is None else timedelta(hours=self.p90_hours)


@dataclass(frozen=True)
class CommitmentReport:
    """What was decided in a period, in all and by group."""

    since: datetime
    until: datetime
    total: Figures
    rows: Sequence[Figures]
    following: Key | None
    """Where the next page begins, if there is one."""


def commitment_report(
    ctx: Context,
    actor: Actor,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    by: Group | None = None,
    limit: int | None = None,
    after: Key | None = None,
) -> CommitmentReport:
    """Return what was decided from `since` on and before `until`: in the last 90 days by default.

    `by`: that group alone, or the total. `limit`: all of it where there is none. `after`: from
    behind this row on.
    """
    actor.require_admin()
    now = ctx.clock()
    until = min(max(until or now, BEGINNING), now)
    since = max(since or until - RECENT, BEGINNING)
    if since >= until:
        raise Invalid([FieldError("/since", "must be before the end of the period, and now")])
    groups = [each for each in (Group if by is None else [by]) if each is not Group.ALL]
    with ctx.reading() as session:
        found = (
            figures(session, since, until, now=now, groups=groups, limit=limit, after=after)
            if groups
            else []
        )
        total = _total(session, since, until, now=now)
    has_more = limit is not None and len(found) > limit
    kept = found[:limit]
    return CommitmentReport(
        since=since,
        until=until,
        total=total,
        rows=kept,
        following=(kept[-1].by, kept[-1].key) if has_more else None,
    )


@dataclass(frozen=True)
class PublicFigures:
    """What the front page shows, of which time."""

    since: datetime
    until: datetime
    figures: Figures


def public_figures(ctx: Context) -> PublicFigures | None:
    """Return how the commitment was kept in the last 90 days, if that is enough to go by."""
    now = ctx.clock()
    with ctx.reading() as session:
        total = _total(session, now - RECENT, now, now=now)
    if min(total.n, total.responses) < ctx.policy.public_figures_from:
        return None
    return PublicFigures(now - RECENT, now, total)


def _total(session: Session, since: datetime, until: datetime, *, now: datetime) -> Figures:
    found = figures(session, since, until, now=now, groups=[Group.ALL])
    return found[0] if found else Figures(Group.ALL, "", "", 0, 0, 0, 0, 0, None, None)


def figures(
    session: Session,
    since: datetime,
    until: datetime,
    *,
    now: datetime,
    groups: Collection[Group],
    limit: int | None = None,
    after: Key | None = None,
) -> list[Figures]:
    """Return the rows of these groups: one more than `limit`, to see whether there are more."""
    rows = commitment_rows.figures(since, until, now, groups)
    place, key = rows.c.place, rows.c.key.collate("C")
    name = func.coalesce(Provider.name, Region.name, rows.c.key)
    found = (
        select(rows, name.label("name"))
        .outerjoin(
            Provider,
            and_(place == PLACES[Group.PROVIDER], cast(Provider.id, Text) == rows.c.key),
        )
        .outerjoin(Region, and_(place == PLACES[Group.REGION], Region.code == rows.c.key))
        .order_by(place, key)
    )
    if after is not None:
        found = found.where(tuple_(place, key) > tuple_(PLACES[after[0]], after[1]))
    if limit is not None:
        found = found.limit(limit + 1)
    return [_row(**row._mapping) for row in session.execute(found)]


def _row(place: int, median_hours: Any, p90_hours: Any, **columns: Any) -> Figures:
    median, p90 = (None if each is None else round(each, 2) for each in (median_hours, p90_hours))
    return Figures(by=list(Group)[place], median_hours=median, p90_hours=p90, **columns)
