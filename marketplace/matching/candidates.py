"""Who could be invited: the eligible, from a random point of the shuffle on, and the funnel."""

import random
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Integer, Text, Uuid
from sqlalchemy.orm import Session

from marketplace.catalogue.rules import covering
from marketplace.core.direct import Direct
from marketplace.matching.conditions import CONDITIONS, ELIGIBLE, FIRST_FAILED, Asked, statement
from marketplace.matching.eligibility import Filter, Wanted
from marketplace.providers.models import REMOTE
from marketplace.providers.rules import ProviderKind

SHUFFLE_RANGE = 2**31 - 1


def start_of(seed: int) -> int:
    """Return the point of the shuffled order at which a run begins."""
    # drawn from a seed, to be replayed
    return random.Random(seed).randrange(SHUFFLE_RANGE)  # nosec B311


FIRST_LOOK = 192
"""How many candidates are looked at first; then ever more, until the bench is full."""

_LAST_ID = UUID(int=2**128 - 1)

# The entries of one standard where the lead is, so many at a time, in the order of the shuffle; one
# provider may be in it twice, by its region and by its country. Looked up row by row, whatever the
# planner believes.
_ELIGIBLE = f"""
WITH chunk AS (
    SELECT entry.shuffle, entry.provider_id
    FROM unnest(:entered_under) AS place, unnest(:of_kinds) AS k, LATERAL (
        SELECT e.shuffle, e.provider_id FROM coverage_entries e
        WHERE e.region = place AND e.standard = :standard AND e.kind = k
          AND (e.shuffle, e.provider_id) > (:after, :after_id) AND e.shuffle <= :until
        ORDER BY e.shuffle, e.provider_id LIMIT :size
    ) entry
    ORDER BY 1, 2 LIMIT :size
), found AS (
    SELECT each.shuffle, c.provider_id, c.kind
    FROM (SELECT DISTINCT shuffle, provider_id FROM chunk) each, LATERAL (
        SELECT * FROM coverage d WHERE d.provider_id = each.provider_id OFFSET 0
    ) c
    WHERE {ELIGIBLE}
)
SELECT (SELECT count(*) FROM chunk) AS read,
       (SELECT max(shuffle) FROM chunk) AS shuffle,
       (SELECT provider_id FROM chunk ORDER BY shuffle DESC, provider_id DESC LIMIT 1) AS last,
       array_agg(provider_id ORDER BY shuffle, provider_id) AS ids,
       array_agg(kind ORDER BY shuffle, provider_id) AS kinds
FROM found
"""  # nosec B608  # our own names; values are bound


def _statement(size: int) -> Direct:
    """Return the statement for chunks of a size; it is part of the text, for the plan's sake."""
    return statement(
        _ELIGIBLE.replace(":size", str(size)),
        entered_under=ARRAY(Text()),
        of_kinds=ARRAY(Text()),
        standard=Text(),
        after=Integer(),
        after_id=Uuid(),
        until=Integer(),
    )


_SIZES = [FIRST_LOOK * 4**power for power in range(8)]
_STATEMENTS = {size: _statement(size) for size in _SIZES}


def eligible_ids(
    session: Session,
    wanted: Wanted,
    asked: Asked,
    *,
    kinds: Collection[ProviderKind],
    seed: int,
    limit: int,
) -> list[tuple[UUID, ProviderKind]]:
    """Return up to `limit` eligible providers of `kinds`, in shuffled order from a random point on.

    From the point to the end, then from the beginning up to the point. Candidates are read off the
    coverage entries of one standard, in the order of the shuffle and so many at a time: what a
    bench costs depends on how many of them are eligible, and not on how many there are.
    """
    start = start_of(seed)
    under = {"entered_under": entered_under(wanted), "of_kinds": sorted(map(str, kinds))}
    standard = rarest(session, wanted, under)
    found: dict[UUID, ProviderKind] = {}
    for begin, until in ((start, SHUFFLE_RANGE), (-1, start)):
        after: tuple[int, UUID] | None = (begin, _LAST_ID)
        sizes = iter(_SIZES)
        while after is not None and len(found) < limit:
            size = next(sizes, _SIZES[-1])
            place = {"after": after[0], "after_id": after[1], "until": until}
            (row,) = _STATEMENTS[size].rows(
                session, {**asked, **under, **place, "standard": standard}
            )
            if row.ids is not None:
                found.update(zip(row.ids, map(ProviderKind, row.kinds), strict=True))
            after = (row.shuffle, row.last) if row.read == size else None
    return list(found.items())[:limit]


def entered_under(wanted: Wanted) -> list[str]:
    """Return where everybody is entered who covers the first of the regions, or works remotely."""
    return [*covering(wanted.regions[0]), *([REMOTE] if wanted.remote_ok else [])]


_RAREST = statement(
    f"""
    SELECT standard FROM unnest(:standards) AS standard, LATERAL (
        SELECT count(*) AS entries FROM (
            SELECT FROM coverage_entries e
            WHERE e.standard = standard.standard AND e.region = ANY (:entered_under)
              AND e.kind = ANY (:of_kinds)
            LIMIT {FIRST_LOOK}
        ) few
    ) counted
    ORDER BY entries, standard LIMIT 1
    """,  # nosec B608  # our own names; values are bound
    entered_under=ARRAY(Text()),
    of_kinds=ARRAY(Text()),
)


def rarest(session: Session, wanted: Wanted, under: Mapping[str, Any]) -> str:
    """Return the standard that the fewest cover where the lead is, as far as one look tells."""
    standards = list(wanted.editions)
    if len(standards) == 1:
        return standards[0]
    (row,) = _RAREST.rows(session, {"standards": standards, **under})
    return str(row.standard)


@dataclass(frozen=True)
class Funnel:
    """How many providers each filter left, counted over all of them or over a random sample."""

    looked_at: int
    providers: int
    """About how many there are; exactly, where all were looked at."""
    left: list[tuple[Filter, int]]
    excluded: dict[Filter, list[UUID]]
    """Whom each filter took out: everybody, or of a mere sample a few examples."""
    full: frozenset[UUID]
    """Of those without capacity, who had no room at once, and not only none in that month."""

    @property
    def is_exact(self) -> bool:
        return self.looked_at == self.providers

    @property
    def failed(self) -> dict[Filter, int]:
        """How many each filter took out of those that were looked at."""
        before = [self.looked_at, *(left for _, left in self.left)]
        return {name: had - left for had, (name, left) in zip(before, self.left, strict=False)}

    @property
    def eligible(self) -> int:
        return self.left[-1][1]


EXAMPLES = 5
"""How many of those that a filter took out of a mere sample are named."""

_FUNNEL = statement(
    f"""
    WITH c AS (
        (SELECT * FROM coverage WHERE shuffle > :start ORDER BY shuffle LIMIT :sample)
        UNION ALL
        (SELECT * FROM coverage WHERE shuffle <= :start ORDER BY shuffle LIMIT :sample)
        LIMIT :sample
    ), judged AS (
        SELECT c.provider_id, CASE {FIRST_FAILED} END AS failed,
               c.open_count >= c.open_capacity AS is_full,
               (c.shuffle::bigint - :start + {SHUFFLE_RANGE}) % {SHUFFLE_RANGE} AS distance
        FROM c
    )
    SELECT failed, count(*) AS providers, max(distance) AS farthest,
           (array_agg(provider_id ORDER BY distance))[
               1 : CASE WHEN sum(count(*)) OVER () < :sample THEN :sample ELSE {EXAMPLES} END
           ] AS ids, failed = '{Filter.CAPACITY}' AND is_full AS is_full
    FROM judged GROUP BY failed, 5 ORDER BY failed, 5
    """,  # nosec B608  # our own names; values are bound
    start=Integer(),
    sample=Integer(),
)


def funnel(session: Session, asked: Asked, *, seed: int, sample: int) -> Funnel:
    """Count the funnel over up to `sample` providers, from a random point of the shuffle on."""
    rows = _FUNNEL.rows(session, {**asked, "start": start_of(seed), "sample": sample})
    looked_at = sum(row.providers for row in rows)
    about = looked_at
    if looked_at >= sample:
        # So many within this part of the shuffle's range: as many again in every part as wide. And
        # never just so many, which would say that these are all.
        farthest = max((row.farthest for row in rows), default=0)
        about = max(looked_at + 1, round(looked_at * SHUFFLE_RANGE / max(farthest, 1)))
    failed: Counter[Filter] = Counter()
    excluded: dict[Filter, list[UUID]] = defaultdict(list)
    for row in rows:
        if row.failed is not None:
            failed[Filter(row.failed)] += row.providers
            excluded[Filter(row.failed)] += row.ids
    left, steps = looked_at, []
    for name in CONDITIONS:
        left -= failed[name]
        steps.append((name, left))
    return Funnel(
        looked_at=looked_at,
        providers=about,
        left=steps,
        excluded=dict(excluded),
        full=frozenset(each for row in rows if row.is_full for each in row.ids),
    )
