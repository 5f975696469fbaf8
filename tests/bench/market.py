"""Invented markets of any size, skewed as real ones are, written by the database itself."""

import random
from typing import Any

import psycopg

STANDARDS = {
    "ISO 9001": 0.75, "ISO 14001": 0.42, "ISO 45001": 0.40, "ISO/IEC 27001": 0.25,
    "ISO 22000": 0.08, "ISO 50001": 0.05, "ISO 22301": 0.05, "ISO 13485": 0.04,
    "ISO/IEC 42001": 0.03, "ISO 37001": 0.02,
}  # fmt: skip
"""Standards, with the share of providers that offer each."""

REGIONS = {
    "AU-NSW": 11, "AU-VIC": 9, "AU-QLD": 7, "AU-WA": 4, "AU-SA": 3, "AU-TAS": 1, "AU-ACT": 1,
    "AU-NT": 0.5, "NZ-AUK": 2, "NZ-WGN": 1, "NZ-CAN": 1, "GB-ENG": 10, "GB-SCT": 2, "GB-WLS": 1,
    "GB-NIR": 0.5, "US-CA": 4, "US-TX": 3, "US-NY": 3, "US-FL": 2, "US-IL": 1, "US-WA": 1,
    "IN-MH": 5, "IN-KA": 4, "IN-TN": 4, "IN-DL": 3, "IN-GJ": 3, "DE-NW": 3, "DE-BY": 3,
    "DE-BW": 2, "DE-HE": 1, "DE-BE": 1, "DE-SN": 0.5, "SG": 1, "IE": 1,
}  # fmt: skip
"""Regions, by how many providers and businesses are there."""

SECTORS = 39

_PROVIDERS = """
INSERT INTO providers (id, kind, state, name, name_key, country, contact_name, contact_email,
                       created_at, verified_at)
SELECT gen_random_uuid(),
       CASE WHEN random() < 0.75 THEN 'consultant' ELSE 'certification_body' END,
       CASE WHEN random() < 0.92 THEN 'verified' WHEN random() < 0.5 THEN 'applied'
            ELSE 'suspended' END,
       'Invented Provider ' || n, 'invented provider ' || n, 'AU', 'Contact ' || n,
       'quotes@provider' || n || '.example', now(), now()
FROM generate_series(%(first)s::int, %(last)s::int) AS n
"""

_COVERAGE = """
WITH regions AS (
    SELECT code, sum(weight) OVER (ORDER BY code) - weight AS low,
           sum(weight) OVER (ORDER BY code) AS high, sum(weight) OVER () AS total
    FROM unnest(%(regions)s::text[], %(region_weights)s::float8[]) AS r(code, weight)
), fresh AS MATERIALIZED (
    SELECT p.id, p.kind, p.state, random() AS home, random() AS wide, random() AS again,
           random() AS size, random() AS busy, random() AS month, 1 + random() * 9 AS open,
           3 + random() * 57 AS monthly
    FROM providers p WHERE NOT EXISTS (SELECT FROM coverage c WHERE c.provider_id = p.id)
)
INSERT INTO coverage (provider_id, kind, state, standards, regions, sectors, headcount_min,
                      headcount_max, remote, open_capacity, monthly_capacity, open_count, month,
                      month_count, shuffle)
SELECT f.id, f.kind, f.state,
       CASE WHEN cardinality(s.standards) = 0 THEN ARRAY['ISO 9001'] ELSE s.standards END,
       CASE WHEN f.wide < 0.3 THEN ARRAY[split_part(r.code, '-', 1)]
            WHEN f.wide < 0.6 AND r2.code <> r.code THEN ARRAY[r.code, r2.code]
            ELSE ARRAY[r.code] END,
       CASE WHEN f.wide + f.again < 0.8 THEN '{}' ELSE x.sectors END,
       CASE WHEN f.size < 0.8 THEN 1 ELSE 50 END,
       CASE WHEN f.size < 0.2 THEN 60 WHEN f.size < 0.5 THEN 500 ELSE 1000000 END,
       f.again < 0.3, ceil(f.open * %(roomy)s), ceil(f.monthly * %(roomy)s),
       CASE WHEN f.busy < 0.15 THEN ceil(f.open * %(roomy)s) ELSE floor(f.open * f.busy) END,
       date_trunc('month', now())::date, floor(f.monthly * 0.6 * f.month),
       floor(random() * 2147483646)
FROM fresh f
JOIN regions r ON f.home * r.total >= r.low AND f.home * r.total < r.high
JOIN regions r2 ON f.again * r2.total >= r2.low AND f.again * r2.total < r2.high
CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(code), '{}') AS standards
    FROM unnest(%(standards)s::text[], %(standard_shares)s::float8[]) AS o(code, share)
    WHERE random() < share AND f.id IS NOT NULL
) s
CROSS JOIN LATERAL (
    SELECT array_agg(DISTINCT (1 + floor(random() * %(sectors)s))::int::text) AS sectors
    FROM generate_series(1, 1 + (f.size * 8)::int) WHERE f.id IS NOT NULL
) x
"""

_ENTRIES = """
INSERT INTO coverage_entries (region, standard, kind, shuffle, provider_id)
SELECT DISTINCT region, standard, c.kind, c.shuffle, c.provider_id
FROM coverage c, unnest(c.regions || CASE WHEN c.remote THEN ARRAY['*'] ELSE '{}' END) AS region,
     unnest(c.standards) AS standard
WHERE c.state = 'verified'
  AND NOT EXISTS (SELECT FROM coverage_entries e WHERE e.provider_id = c.provider_id)
"""

_ACCREDITATIONS = """
INSERT INTO accreditations (id, provider_id, body, standard, edition, certificate_number, sectors,
                            valid_until, state, created_at, verified_at)
SELECT gen_random_uuid(), c.provider_id,
       CASE WHEN random() < 0.6 THEN 'JASANZ' ELSE 'UKAS' END,
       s.code, CASE WHEN random() < 0.5 THEN NULL ELSE t.edition END, 'CERT-' || s.code,
       CASE WHEN random() < 0.6 OR cardinality(c.sectors) = 0 THEN NULL ELSE c.sectors END,
       current_date + (random() * 1000 - 60)::int,
       CASE WHEN random() < 0.93 THEN 'verified' ELSE 'claimed' END, now(), now()
FROM coverage c, unnest(c.standards) AS s(code) JOIN standards t ON t.code = s.code
WHERE c.kind = 'certification_body'
  AND NOT EXISTS (SELECT FROM accreditations a WHERE a.provider_id = c.provider_id)
"""

_PAUSES = """
INSERT INTO pauses (id, provider_id, starts_at, ends_at, created_at)
SELECT gen_random_uuid(), provider_id, now() - interval '3 days', now() + interval '20 days', now()
FROM coverage WHERE shuffle % 20 = 7
  AND NOT EXISTS (SELECT FROM pauses p WHERE p.provider_id = coverage.provider_id)
"""

_RELATIONSHIPS = """
WITH bodies AS (
    SELECT provider_id, row_number() OVER (ORDER BY shuffle) AS n FROM coverage
    WHERE kind = 'certification_body' AND shuffle % 50 < 2
), consultants AS (
    SELECT provider_id, row_number() OVER (ORDER BY shuffle) AS n FROM coverage
    WHERE kind = 'consultant'
)
INSERT INTO relationships (id, provider_id, other_id, kind)
SELECT gen_random_uuid(), b.provider_id, c.provider_id, 'ownership'
FROM bodies b JOIN consultants c USING (n)
WHERE NOT EXISTS (SELECT FROM relationships r WHERE r.provider_id = b.provider_id)
"""


def grow_market(url: str, size: int, *, roomy: float = 1.0) -> None:
    """Add invented providers until there are `size` of them; `roomy` multiplies capacities."""
    values = {
        "regions": list(REGIONS),
        "region_weights": [float(weight) for weight in REGIONS.values()],
        "standards": list(STANDARDS),
        "standard_shares": list(STANDARDS.values()),
        "sectors": SECTORS,
        "roomy": roomy,
    }
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT setseed(0.42)")
        connection.execute("SET work_mem = '256MB'")
        row = connection.execute("SELECT count(*) FROM providers").fetchone()
        there = row[0] if row else 0
        connection.execute(_PROVIDERS, {"first": there + 1, "last": size})
        # What the trigger does row by row is done at once.
        connection.execute("ALTER TABLE coverage DISABLE TRIGGER USER")
        for statement in (_COVERAGE, _ENTRIES, _ACCREDITATIONS, _PAUSES, _RELATIONSHIPS):
            connection.execute(statement, values if "%(" in statement else None)
        connection.execute("ALTER TABLE coverage ENABLE TRIGGER USER")
        connection.execute("VACUUM (ANALYZE)")


def lead_wishes(draw: random.Random) -> dict[str, Any]:
    """Return what one invented business asks for, as the market is skewed."""
    standards = draw.choices(
        list(STANDARDS), list(STANDARDS.values()), k=draw.choice([1, 1, 1, 2, 3])
    )
    service = draw.choices(["consulting", "certification", "either"], [60, 30, 10])[0]
    return {
        "service": service,
        "standards": sorted(set(standards)),
        "regions": draw.choices(list(REGIONS), list(REGIONS.values())),
        "headcount": round(10 ** draw.uniform(0.3, 3.3)),
        "sector": draw.choice([None, *map(str, range(1, SECTORS + 1))]),
        "remote_ok": draw.random() < 0.3,
    }
