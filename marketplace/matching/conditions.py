"""Eligibility as the database asks for it: one condition per filter, in the order of the funnel.

The same rules as `eligibility`, which has the last word on everybody who is locked; a property test
holds the two together. Plain SQL, always the same text whatever a lead wants: it is read once by
the database, and what a lead wants are the values of `asked`. `c` is a coverage row.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Boolean,
    Date,
    DateTime,
    Integer,
    Text,
    Uuid,
    bindparam,
    text,
)

from marketplace.catalogue.rules import covering
from marketplace.core.direct import Direct
from marketplace.matching.eligibility import Filter, Wanted
from marketplace.providers.conditions import accredited, related
from marketplace.providers.rules import ProviderFacts, ProviderKind, month_of, years_before

_CAPACITY = """
    c.open_count < c.open_capacity AND c.monthly_capacity > 0
    AND (c.month < :month OR c.month_count < c.monthly_capacity)
"""

_REGIONS = """
    (:remote_ok AND c.remote) OR c.regions && :first_region AND (
        cardinality(:regions) = 1 OR NOT EXISTS (
            SELECT FROM unnest(:regions) AS r
            WHERE NOT c.regions && ARRAY[r, split_part(r, '-', 1)]
    ))
"""

# As a value and not as NOT EXISTS: looked up for each, where a join would read everybody's pauses.
_PAUSE = """
    (SELECT 1 FROM pauses p
     WHERE p.provider_id = c.provider_id AND p.starts_at <= :now
       AND (p.ends_at IS NULL OR p.ends_at > :now)
     LIMIT 1) IS NULL
"""

_ACCREDITED = accredited(
    "c.provider_id",
    wanted="unnest(:standards, :editions)",
    sector=":sector",
    sector_codes=":sector_codes",
)


def _related(ids: str, since: str) -> str:
    is_other = f"= ANY ({ids})"
    found = related("c.provider_id", is_other=is_other, since=since)
    return f"(cardinality({ids}) > 0 AND {found})"


def _is_one(values: str, condition: str) -> str:
    return f"""
        (cardinality({values}) > 0 AND EXISTS (
            SELECT FROM providers p WHERE p.id = c.provider_id AND ({condition})
        ))
    """  # nosec B608  # our own names; values are bound


_ONE_OF_CONSULTANTS = "p.legal_entity = ANY (:consultant_entities) OR p.name_key = ANY (:names)"

_IMPARTIALITY = f"""
    NOT CASE c.kind
        WHEN 'certification_body' THEN
            c.provider_id = ANY (:advisers) OR {_related(":advisers", ":since")}
            OR {_related(":consultants", ":today")}
            OR {_is_one(":consultant_entities || :names", _ONE_OF_CONSULTANTS)}
        ELSE
            {_related(":bodies", ":today")}
            OR {_is_one(":body_entities", "p.legal_entity = ANY (:body_entities)")}
    END
"""

CONDITIONS = {
    Filter.KIND: "c.kind = ANY (:kinds)",
    Filter.EDITION: "cardinality(:ended) = 0",
    Filter.STATE: "c.state = 'verified'",
    Filter.STANDARDS: "c.standards @> :standards",
    Filter.REGIONS: _REGIONS,
    Filter.HEADCOUNT: ":headcount BETWEEN c.headcount_min AND c.headcount_max",
    Filter.CAPACITY: _CAPACITY,
    Filter.PAUSE: _PAUSE,
    Filter.ACCREDITATION: f"c.kind <> 'certification_body' OR {_ACCREDITED}",
    Filter.INVITED: "c.provider_id <> ALL (:invited)",
    Filter.IMPARTIALITY: _IMPARTIALITY,
}
"""What the coverage row of an eligible provider satisfies, filter by filter."""

ELIGIBLE = " AND ".join(f"({condition})" for condition in CONDITIONS.values())

FIRST_FAILED = " ".join(
    f"WHEN NOT ({condition}) THEN '{name}'" for name, condition in CONDITIONS.items()
)
"""The cases of the first filter that a coverage row fails by; none of one that is eligible."""

_WORDS, _IDS = ARRAY(Text()), ARRAY(Uuid())
_TYPES: dict[str, Any] = {
    "kinds": _WORDS,
    "standards": _WORDS,
    "editions": _WORDS,
    "ended": _WORDS,
    "regions": _WORDS,
    "first_region": _WORDS,
    "remote_ok": Boolean(),
    "headcount": Integer(),
    "sector": Text(),
    "sector_codes": _WORDS,
    "now": DateTime(timezone=True),
    "today": Date(),
    "month": Date(),
    "since": Date(),
    "invited": _IDS,
    "consultants": _IDS,
    "consultant_entities": _WORDS,
    "bodies": _IDS,
    "body_entities": _WORDS,
    "advisers": _IDS,
    "names": _WORDS,
}

Asked = Mapping[str, Any]
"""The values of the conditions for one lead at one moment."""


def statement(sql: str, **types: Any) -> Direct:
    """Return SQL that uses the conditions, with the types of their values and of its own."""
    named = {**_TYPES, **types}
    used = [bindparam(name, type_=of) for name, of in named.items() if f":{name}" in sql]
    # On one line: the driver remembers statements of up to 4,096 characters.
    return Direct(text(" ".join(sql.split())).bindparams(*used))


def asked(
    wanted: Wanted,
    *,
    invited: Mapping[UUID, ProviderFacts],
    now: datetime,
    impartiality_years: int,
) -> Asked:
    """Return the values of the conditions.

    `invited`: every provider that was ever invited to this lead.
    """
    today = now.date()
    since = years_before(today, impartiality_years)
    advisers = [each for each in wanted.advisers if each.ended_on is None or each.ended_on > since]
    consultants, bodies = (
        [each for each in invited.values() if each.kind is kind]
        for kind in (ProviderKind.CONSULTANT, ProviderKind.CERTIFICATION_BODY)
    )
    return {
        "kinds": sorted(map(str, wanted.kinds)),
        "standards": list(wanted.editions),
        "editions": list(wanted.editions.values()),
        "ended": list(wanted.ended),
        "regions": list(wanted.regions),
        "first_region": covering(wanted.regions[0]),
        "remote_ok": wanted.remote_ok,
        "headcount": wanted.headcount,
        "sector": wanted.sector,
        "sector_codes": sorted(wanted.sector_codes),
        "now": now,
        "today": today,
        "month": month_of(now),
        "since": since,
        "invited": list(invited),
        "consultants": [each.id for each in consultants],
        "consultant_entities": [each.legal_entity for each in consultants if each.legal_entity],
        "bodies": [each.id for each in bodies],
        "body_entities": [each.legal_entity for each in bodies if each.legal_entity],
        "advisers": [each.provider_id for each in advisers if each.provider_id is not None],
        "names": sorted({each.name_key for each in advisers if each.name_key is not None}),
    }
