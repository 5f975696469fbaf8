"""Where coverage rows do not say what the providers, invitations and entries around them say.

What a provider says of itself (standards, regions, sizes, capacities) has its only source in the
row: of that, no more can be told than whether it is possible.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from marketplace.catalogue.languages import languages
from marketplace.invitations.rules import LIVE
from marketplace.providers.intake import SHUFFLE_TO
from marketplace.providers.models import REMOTE
from marketplace.providers.rules import (
    CAPACITY_AT_MOST,
    HEADCOUNT_RANGE,
    WEEKS_TO_START_AT_MOST,
    ProviderState,
    month_of,
)

CLOCKS_APART = timedelta(hours=1)
"""So long before the end of a month another machine may have begun the next."""

ROW, ENTRIES = "row", "entries"
"""What stands for a column where the whole row is missing, or its entries are not as it says."""

POSSIBLE = {
    "headcount_min": HEADCOUNT_RANGE,
    "headcount_max": HEADCOUNT_RANGE,
    "open_capacity": (0, CAPACITY_AT_MOST[0]),
    "monthly_capacity": (0, CAPACITY_AT_MOST[1]),
    "weeks_to_start": (0, WEEKS_TO_START_AT_MOST),
    "shuffle": (0, SHUFFLE_TO - 1),
}

NEEDED = ("standards", "regions")
CODES = (*NEEDED, "sectors", "languages")
"""The columns of codes, called as what knows them: tables of the catalogue, and the languages."""

ENTERED = f"""
    SELECT DISTINCT c.provider_id, region, standard, c.kind, c.shuffle
    FROM coverage c
    CROSS JOIN unnest(c.regions || CASE WHEN c.remote THEN '{{{REMOTE}}}'::text[] END) AS region
    CROSS JOIN unnest(c.standards) AS standard
    WHERE c.state = '{ProviderState.VERIFIED}' AND c.provider_id BETWEEN :first AND :last
"""  # nosec B608  # our own names; values are bound
"""The entries that the coverage rows ask for."""

COMPARED = {
    "kind": "p.kind",
    "state": "p.state",
    "open_count": "coalesce(used.live, 0)",
    "month": "counted.month",
    "month_count": "CASE WHEN counted.month = CAST(:month AS date) "
    "THEN coalesce(used.sent, 0) ELSE c.month_count END",
}
"""What the columns that have another source should be."""

ONCE = {
    name: f"ARRAY(SELECT code FROM unnest(c.{name}) WITH ORDINALITY AS of (code, place)"
    " GROUP BY code ORDER BY min(place))"  # nosec B608  # our own names; values are bound
    for name in CODES
}
"""What the columns of codes should be, each code once: as JSON in words."""

_is_wrong = "\n    OR ".join(
    [f"c.{name} <> {source}" for name, source in {**COMPARED, **ONCE}.items()]
    + [f"cardinality(c.{name}) = 0" for name in NEEDED]
    + [f"c.{name} NOT BETWEEN {least} AND {most}" for name, (least, most) in POSSIBLE.items()]
)
_in_words = ",".join(
    [
        f"""
        ('{name}', c.{name}::text, ({source})::text, c.{name} <> {source})"""
        for name, source in COMPARED.items()
    ]
    + [
        f"""
        ('{name}', to_jsonb(c.{name})::text, to_jsonb({source})::text, c.{name} <> {source})"""
        for name, source in ONCE.items()
    ]
    + [
        f"""
        ('{name}', 'empty', 'one or more', cardinality(c.{name}) = 0)"""
        for name in NEEDED
    ]
    + [
        f"""
        ('{name}', c.{name}::text, '{least} to {most}', c.{name} NOT BETWEEN {least} AND {most})"""
        for name, (least, most) in POSSIBLE.items()
    ]
)
_codes = "".join(
    f"""
    UNION ALL
    SELECT c.provider_id, '{name}', string_agg(coalesce(of.code, 'null'), ', ' ORDER BY of.code),
        'in the catalogue'
    FROM coverage c CROSS JOIN unnest(c.{name}) AS of (code)
    WHERE c.provider_id BETWEEN :first AND :last
    AND NOT EXISTS (SELECT FROM {name} WHERE {name}.code = of.code)
    GROUP BY c.provider_id"""  # nosec B608  # our own names; values are bound
    for name in CODES
)

_STATEMENT = f"""
WITH languages (code) AS (
    SELECT unnest(CAST(:languages AS text[]))
), used AS (
    SELECT provider_id, count(*) FILTER (WHERE state = ANY(:live)) AS live,
        count(*) FILTER (WHERE sent_at AT TIME ZONE 'UTC' >= CAST(:month AS date)
            AND sent_at AT TIME ZONE 'UTC' < CAST(:month AS date) + interval '1 month') AS sent
    FROM invitations WHERE provider_id BETWEEN :first AND :last GROUP BY provider_id
), differing AS (
    SELECT p.id AS provider_id, one.name, one.is_now, one.should_be
    FROM providers p
    JOIN coverage c ON c.provider_id = p.id
    LEFT JOIN used ON used.provider_id = p.id
    -- A month that is over says that nothing was sent since; how much was, matters no longer.
    CROSS JOIN LATERAL (SELECT CASE
        WHEN c.month = CAST(:ahead AS date) THEN c.month
        WHEN c.month < CAST(:month AS date) AND extract(day FROM c.month) = 1
            AND coalesce(used.sent, 0) = 0 THEN c.month
        ELSE CAST(:month AS date) END
    ) AS counted (month)
    CROSS JOIN LATERAL (VALUES{_in_words}
    ) AS one (name, is_now, should_be, is_wrong)
    WHERE p.id BETWEEN :first AND :last AND c.provider_id BETWEEN :first AND :last
    AND ({_is_wrong}) AND one.is_wrong
    UNION ALL
    SELECT p.id, '{ROW}', 'missing', 'there' FROM providers p
    WHERE p.id BETWEEN :first AND :last
    AND NOT EXISTS (SELECT FROM coverage c
        WHERE c.provider_id = p.id AND c.provider_id BETWEEN :first AND :last){_codes}
    UNION ALL
    SELECT provider_id, '{ENTRIES}', concat(count(*) FILTER (WHERE has.is_there IS NULL),
        ' short and ', count(*) FILTER (WHERE has.is_there), ' too many'), 'as the row says'
    FROM ({ENTERED}) AS wants
    FULL JOIN (
        SELECT provider_id, region, standard, kind, shuffle, true AS is_there
        FROM coverage_entries WHERE provider_id BETWEEN :first AND :last
    ) AS has USING (provider_id, region, standard, kind, shuffle)
    WHERE wants.provider_id IS NULL OR has.provider_id IS NULL
    GROUP BY provider_id
)
SELECT p.id, p.name, d.name, d.is_now, d.should_be
FROM differing d JOIN providers p ON p.id = d.provider_id
WHERE p.id BETWEEN :first AND :last ORDER BY p.id, d.name
"""  # nosec B608  # our own names; values are bound


@dataclass(frozen=True)
class Difference:
    """A column of a provider's coverage row that does not say what it should."""

    provider_id: UUID
    provider: str
    column: str
    is_now: str
    should_be: str
    is_mended: bool = False

    def __str__(self) -> str:
        done = ", mended" if self.is_mended else ""
        return (
            f"{self.provider} ({self.provider_id}): {self.column} is {self.is_now}, "
            f"should be {self.should_be}{done}"
        )


def differences(session: Session, first: UUID, last: UUID, *, now: datetime) -> list[Difference]:
    """Return what differs among the providers from one id to another, both included."""
    # For these ids and not for any two: a plan kept for all of them expects a handful of providers,
    # goes through every region for each of theirs, and takes a second where this takes 30 ms.
    session.execute(text("SET LOCAL plan_cache_mode TO force_custom_plan"))
    rows = session.execute(
        text(_STATEMENT),
        {
            "first": first,
            "last": last,
            "languages": list(languages()),
            "live": [state.value for state in LIVE],
            "month": month_of(now),
            "ahead": month_of(now + CLOCKS_APART),
        },
    )
    return [Difference(*row) for row in rows]
