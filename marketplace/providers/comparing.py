"""How staged rows stand to each other and to what is known: the same, taken, related."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from marketplace.providers.staging import RowProblem

MATCH = """
UPDATE staged SET match_id = found.id, match_state = found.state
FROM (
    SELECT DISTINCT ON (line) line, id, state FROM (
        SELECT s.line, p.id, p.state, 1 AS way
        FROM staged s JOIN providers p ON p.legal_entity = s.legal_entity
        UNION ALL
        SELECT s.line, p.id, p.state, 2
        FROM staged s JOIN providers p
        ON p.name_key = s.name_key AND p.contact_email = s.email
        AND p.country = s.country AND p.kind = s.kind
        AND (p.legal_entity IS NULL OR s.legal_entity IS NULL)
    ) ways ORDER BY line, state = 'rejected', way, id
) found
WHERE staged.line = found.line
"""
"""What identifies a provider: its legal entity; where one side does not name it, kind, country,
name and e-mail address. One that was rejected is found only where no other is."""

SAME_TWICE = """
SELECT line, min(first) FROM (
    SELECT line, min(line) OVER (PARTITION BY legal_entity) AS first
    FROM staged WHERE legal_entity IS NOT NULL
    UNION
    SELECT line, min(line) OVER (PARTITION BY match_id) FROM staged WHERE match_id IS NOT NULL
    UNION
    SELECT line, CASE WHEN legal_entity IS NULL THEN min(line) OVER words
        ELSE min(line) FILTER (WHERE legal_entity IS NULL) OVER words END
    FROM staged WHERE name_key IS NOT NULL AND email IS NOT NULL
    WINDOW words AS (PARTITION BY kind, country, name_key, email)
) pairs WHERE first < line GROUP BY line
"""

OTHER_KIND = """
SELECT s.line, p.kind FROM staged s JOIN providers p ON p.id = s.match_id
WHERE s.kind <> p.kind AND s.match_state <> 'rejected'
"""

ADDRESS_TWICE = """
SELECT line, first FROM (
    SELECT line, min(line) OVER (PARTITION BY email) AS first FROM staged WHERE email IS NOT NULL
) pairs WHERE first < line
"""

ADDRESS_TAKEN = """
SELECT s.line, u.role FROM staged s JOIN users u ON u.email = s.email
WHERE (u.provider_id IS NULL OR u.provider_id IS DISTINCT FROM s.match_id)
AND coalesce(s.match_state, '') <> 'rejected'
"""

RESOLVE = (
    """
    CREATE TEMPORARY TABLE known ON COMMIT DROP AS
    SELECT id, legal_entity AS entity, split_part(legal_entity, ':', 2) AS number, name_key,
        contact_email AS email
    FROM providers WHERE state <> 'rejected'
    UNION
    SELECT coalesce(match_id, provider_id), legal_entity, split_part(legal_entity, ':', 2),
        name_key, email
    FROM staged WHERE coalesce(match_state, '') <> 'rejected'
    """,
    "ANALYZE known",
    """
    CREATE TEMPORARY TABLE resolved ON COMMIT DROP AS
    SELECT DISTINCT line, value, own_id, other_id FROM (
        SELECT found.line, found.value, coalesce(s.match_id, s.provider_id) AS own_id,
            found.id AS other_id, way, min(way) OVER (PARTITION BY found.line, value) AS best
        FROM (
            SELECT r.line, r.value, k.id, 1 AS way
            FROM staged_related r JOIN known k ON k.entity = r.entity
            UNION ALL
            SELECT r.line, r.value, k.id, 2
            FROM staged_related r JOIN known k ON k.number = r.number
            UNION ALL
            SELECT r.line, r.value, k.id, 3
            FROM staged_related r JOIN known k ON k.email = r.email
            UNION ALL
            SELECT r.line, r.value, k.id, 4
            FROM staged_related r JOIN known k ON k.name_key = r.name_key
        ) found JOIN staged s ON s.line = found.line
    ) ways WHERE way = best
    """,
)
"""Whom `related_to` means: a number first, then an address, then a name. A name that several have
means all of them: impartiality would rather know too much."""

NOBODY = """
SELECT r.line, r.value FROM staged_related r
WHERE NOT EXISTS (SELECT FROM resolved f WHERE f.line = r.line AND f.value = r.value)
"""

ITSELF = """
SELECT line, value FROM resolved GROUP BY line, value HAVING bool_and(own_id = other_id)
"""


def compare(session: Session) -> list[RowProblem]:
    """Find out which staged rows are known already; return what is wrong between rows."""
    session.execute(text(MATCH))
    session.execute(text("ANALYZE staged"))
    for statement in RESOLVE:
        session.execute(text(statement))
    return list(_problems(session))


def _problems(session: Session) -> Iterator[RowProblem]:
    same = dict(_ask(session, SAME_TWICE))
    for line, first in same.items():
        yield RowProblem(line, None, f"is the same provider as line {first}")
    for line, kind in _ask(session, OTHER_KIND):
        words = f"this legal entity is known as a {kind.replace('_', ' ')}, and cannot be both"
        yield RowProblem(line, "kind", words)
    for line, first in _ask(session, ADDRESS_TWICE):
        if line not in same:
            yield RowProblem(line, "email", f"is also the address of line {first}")
    for line, _ in _ask(session, ADDRESS_TAKEN):
        if line not in same:
            yield RowProblem(line, "email", "signs in for somebody else already")
    for line, value in _ask(session, NOBODY):
        words = f"no provider '{value[:60]}' is in the file or known"
        yield RowProblem(line, "related_to", words)
    for line, value in _ask(session, ITSELF):
        yield RowProblem(line, "related_to", f"'{value[:60]}' is the provider itself")


def _ask(session: Session, question: str) -> list[tuple[int, Any]]:
    return [(line, said) for line, said in session.execute(text(f"{question} ORDER BY line"))]
