"""An import that was found sound is written: what is new by a few statements, however many rows.

What is known and changes its state goes through the models, a batch at a time.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, text

from marketplace.core.actors import Actor, Kind
from marketplace.core.context import Transaction
from marketplace.core.db import new_id
from marketplace.core.events import record
from marketplace.core.networks import network_of
from marketplace.providers.coverage import lock_providers
from marketplace.providers.models import Accreditation, AccreditationCheck, Provider, Relationship
from marketplace.providers.rules import (
    AccreditationEvent,
    AccreditationState,
    CheckResult,
    ProviderEvent,
    ProviderState,
    RelationshipKind,
    month_of,
)

BATCH = 500
VOUCHED_FOR = "import, vouched for by the operator"

COMPARE = (
    """
    UPDATE staged s SET changed = (
        p.name, p.country, p.registration_number, p.legal_entity, p.website, p.contact_name,
        p.contact_email, p.contact_phone, c.standards, c.regions, c.sectors, c.headcount_min,
        c.headcount_max, c.remote, c.open_capacity, c.monthly_capacity, c.languages,
        c.weeks_to_start
    ) IS DISTINCT FROM (
        s.name, s.country, coalesce(s.registration_number, p.registration_number),
        coalesce(s.legal_entity, p.legal_entity), s.website, s.contact_name, s.email, s.phone,
        s.standards, s.regions, s.sectors, s.headcount_min, s.headcount_max, s.remote,
        s.open_capacity, s.monthly_capacity, coalesce(s.languages, c.languages),
        CASE WHEN s.says_weeks THEN s.weeks_to_start ELSE c.weeks_to_start END
    )
    FROM providers p JOIN coverage c ON c.provider_id = p.id WHERE p.id = s.match_id
    """,
    """
    UPDATE staged_accreditations SET held_id = found.held_id, is_new = found.is_new,
        differs = found.differs, verifies = found.verifies
    FROM (
        WITH own AS MATERIALIZED (
            SELECT a.*, s.match_id FROM staged_accreditations a JOIN staged s ON s.line = a.line
            WHERE s.match_id IS NOT NULL
        )
        SELECT DISTINCT ON (a.id) a.id, h.id AS held_id,
            h.state IN ('expired', 'withdrawn') AND h.valid_until <> a.valid_until AS is_new,
            (h.valid_until, h.sectors) IS DISTINCT FROM (a.valid_until, a.sectors) AS differs,
            h.state = 'claimed' AND :verified AS verifies
        FROM own a JOIN accreditations h ON h.provider_id = a.match_id AND h.body = a.body
        AND h.standard = a.standard AND h.certificate_number = a.certificate_number
        AND h.edition IS NOT DISTINCT FROM a.edition
        ORDER BY a.id, h.state IN ('expired', 'withdrawn'), h.id DESC
    ) found
    WHERE staged_accreditations.id = found.id
    """,
    "UPDATE staged_accreditations SET is_new = true WHERE held_id IS NULL",
    """
    UPDATE staged SET touched = coalesce(changed, false)
        OR line IN (SELECT line FROM staged_accreditations WHERE is_new OR differs OR verifies)
    """,
    # In the order in which everybody locks them, before anything of theirs is changed.
    """
    SELECT count(*) FROM (
        SELECT c.provider_id FROM coverage c JOIN staged s ON s.match_id = c.provider_id
        WHERE s.touched ORDER BY c.provider_id FOR UPDATE OF c
    ) locked
    """,
)

WRITE = (
    """
    INSERT INTO providers (id, kind, state, name, name_key, country, registration_number,
        legal_entity, website, contact_name, contact_email, contact_phone, created_at, verified_at)
    SELECT provider_id, kind, :state, name, name_key, country, registration_number, legal_entity,
        website, contact_name, email, phone, :now, CAST(:verified_at AS timestamptz)
    FROM staged WHERE match_id IS NULL
    """,
    """
    INSERT INTO coverage (provider_id, kind, state, standards, regions, sectors, headcount_min,
        headcount_max, remote, open_capacity, monthly_capacity, languages, weeks_to_start,
        open_count, month, month_count, shuffle)
    SELECT provider_id, kind, :state, standards, regions, sectors, headcount_min, headcount_max,
        remote, open_capacity, monthly_capacity, coalesce(languages, '{}'), weeks_to_start,
        0, :month, 0, floor(random() * 2147483647)
    FROM staged WHERE match_id IS NULL
    """,
    """
    UPDATE providers p SET name = s.name, name_key = s.name_key, country = s.country,
        registration_number = coalesce(s.registration_number, p.registration_number),
        legal_entity = coalesce(s.legal_entity, p.legal_entity), website = s.website,
        contact_name = s.contact_name, contact_email = s.email, contact_phone = s.phone
    FROM staged s WHERE s.match_id = p.id AND s.changed
    """,
    """
    UPDATE coverage c SET standards = s.standards, regions = s.regions, sectors = s.sectors,
        headcount_min = s.headcount_min, headcount_max = s.headcount_max, remote = s.remote,
        open_capacity = s.open_capacity, monthly_capacity = s.monthly_capacity,
        languages = coalesce(s.languages, c.languages),
        weeks_to_start = CASE WHEN s.says_weeks THEN s.weeks_to_start ELSE c.weeks_to_start END
    FROM staged s WHERE s.match_id = c.provider_id AND s.changed
    """,
    """
    INSERT INTO accreditations (id, provider_id, body, standard, edition, certificate_number,
        sectors, valid_from, valid_until, state, created_at, verified_at)
    SELECT a.id, coalesce(s.match_id, s.provider_id), a.body, a.standard, a.edition,
        a.certificate_number, a.sectors, NULL, a.valid_until, :held_state, :now,
        CAST(:verified_at AS timestamptz)
    FROM staged_accreditations a JOIN staged s ON s.line = a.line WHERE a.is_new
    """,
    """
    INSERT INTO accreditation_checks (id, accreditation_id, result, checked_on, source, checked_by,
        recorded_at)
    SELECT check_id, id, 'found', :today, :vouched_for, CAST(:checked_by AS uuid), :now
    FROM staged_accreditations WHERE is_new AND :verified
    """,
    """
    WITH made AS (
        INSERT INTO users (id, email, name, role, provider_id, created_at)
        SELECT user_id, email, contact_name, 'provider', coalesce(match_id, provider_id), :now
        FROM staged ON CONFLICT (email) DO NOTHING RETURNING id
    )
    INSERT INTO events (id, at, actor_kind, actor_id, verb, subject_id, facts, request_id, address)
    SELECT s.user_event_id, :now, :actor_kind, CAST(:actor_id AS uuid), 'user.created', made.id,
        '{}', :request_id, CAST(:address AS text)
    FROM made JOIN staged s ON s.user_id = made.id
    """,
    """
    INSERT INTO events (id, at, actor_kind, actor_id, verb, subject_id, facts, request_id, address)
    SELECT event_id, :now, :actor_kind, CAST(:actor_id AS uuid),
        CASE WHEN match_id IS NULL THEN 'provider.imported' ELSE 'provider.changed' END,
        coalesce(match_id, provider_id),
        jsonb_build_object('line', line, 'verified', CAST(:verified AS boolean)),
        :request_id, CAST(:address AS text)
    FROM staged WHERE match_id IS NULL OR changed
    """,
    """
    INSERT INTO events (id, at, actor_kind, actor_id, verb, subject_id, facts, request_id, address)
    SELECT event_id, :now, :actor_kind, CAST(:actor_id AS uuid), 'accreditation.imported', id,
        jsonb_build_object('standard', standard, 'body', body,
            'verified', CAST(:verified AS boolean)),
        :request_id, CAST(:address AS text)
    FROM staged_accreditations WHERE is_new
    """,
)  # fmt: skip

COUNT = """
SELECT count(*) FILTER (WHERE match_id IS NULL),
    count(*) FILTER (WHERE match_id IS NOT NULL AND touched),
    (SELECT count(*) FROM staged_accreditations WHERE is_new OR differs OR verifies)
FROM staged
"""

UNDECIDED = """
SELECT s.match_id FROM staged s JOIN providers p ON p.id = s.match_id
WHERE p.state = 'applied' ORDER BY s.match_id
"""

TO_LOOK_AT = """
SELECT a.held_id, a.valid_until, a.sectors, a.differs
FROM staged_accreditations a WHERE NOT a.is_new AND (a.differs OR a.verifies) ORDER BY a.held_id
"""

NEW_RELATIONS = """
SELECT DISTINCT least(f.own_id, f.other_id), greatest(f.own_id, f.other_id) FROM resolved f
WHERE f.own_id <> f.other_id AND EXISTS (SELECT FROM staged s WHERE s.line = f.line)
AND NOT EXISTS (
    SELECT FROM relationships r WHERE r.valid_until IS NULL
    AND r.provider_id = f.own_id AND r.other_id = f.other_id
)
AND NOT EXISTS (
    SELECT FROM relationships r WHERE r.valid_until IS NULL
    AND r.provider_id = f.other_id AND r.other_id = f.own_id
)
"""


@dataclass(frozen=True)
class Written:
    """How many of what were written."""

    created: int
    changed: int
    """Known providers of which something is different now, their accreditations included."""
    accreditations: int
    approved: int
    relationships: int


def write(tx: Transaction, actor: Actor, *, verified: bool) -> Written:
    """Write what is staged; with `verified`, whoever acts vouches for it."""
    facts: dict[str, Any] = {
        "now": tx.now,
        "today": tx.now.date(),
        "month": month_of(tx.now),
        "verified": verified,
        "verified_at": tx.now if verified else None,
        "state": (ProviderState.VERIFIED if verified else ProviderState.APPLIED).value,
        "held_state": (
            AccreditationState.VERIFIED if verified else AccreditationState.CLAIMED
        ).value,
        "vouched_for": VOUCHED_FOR,
        "checked_by": _checker(actor),
        "actor_kind": actor.kind.value,
        "actor_id": actor.id,
        "request_id": tx.origin.request_id,
        "address": network_of(tx.origin.address),
    }
    for statement in (*COMPARE, *WRITE):
        tx.session.execute(text(statement), facts)
    _look_at_known_accreditations(tx, actor, verified=verified)
    approved = _approve_known(tx, actor) if verified else 0
    relationships = _relate(tx, actor)
    created, changed, accreditations = tx.session.execute(text(COUNT)).one()
    return Written(created, changed, accreditations, approved, relationships)


def _checker(actor: Actor) -> Any:
    return actor.id if actor.kind is Kind.ADMIN else None


def _batches(tx: Transaction, rows: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Yield rows by the batch, forgetting after each what was loaded for it."""
    for start in range(0, len(rows), BATCH):
        yield rows[start : start + BATCH]
        tx.session.flush()
        tx.session.expunge_all()


def _look_at_known_accreditations(tx: Transaction, actor: Actor, *, verified: bool) -> None:
    """Change what is known as the file says; without anybody's word that takes a check back."""
    rows = tx.session.execute(text(TO_LOOK_AT)).all()
    for batch in _batches(tx, rows):
        for held_id, valid_until, sectors, differs in batch:
            held = tx.session.get_one(Accreditation, held_id)
            held.valid_until, held.sectors = valid_until, sectors
            if verified and held.state in (AccreditationState.CLAIMED, AccreditationState.VERIFIED):
                held.apply(AccreditationEvent.VERIFY, now=tx.now)
                tx.session.add(
                    AccreditationCheck(
                        id=new_id(),
                        accreditation_id=held.id,
                        result=CheckResult.FOUND,
                        checked_on=tx.now.date(),
                        source=VOUCHED_FOR,
                        checked_by=_checker(actor),
                        recorded_at=tx.now,
                    )
                )
            elif differs and held.state is AccreditationState.VERIFIED:
                held.apply(AccreditationEvent.DOUBT, now=tx.now)
            record(tx, actor, "accreditation.changed", held.id, state=held.state)


def _approve_known(tx: Transaction, actor: Actor) -> int:
    rows = tx.session.execute(text(UNDECIDED)).all()
    for batch in _batches(tx, rows):
        held = lock_providers(tx.session, [row[0] for row in batch])
        for provider_id, coverage in held.items():
            provider = tx.session.get_one(Provider, provider_id)
            provider.apply(ProviderEvent.APPROVE, now=tx.now)
            coverage.state = provider.state
            record(tx, actor, "provider.approved", provider.id)
    return len(rows)


def _relate(tx: Transaction, actor: Actor) -> int:
    rows = tx.session.execute(text(NEW_RELATIONS)).all()
    for batch in _batches(tx, rows):
        values = [
            {
                "id": new_id(),
                "provider_id": one,
                "other_id": other,
                "kind": RelationshipKind.DECLARED,
            }
            for one, other in batch
        ]
        tx.session.execute(insert(Relationship), values)
        for one, other in batch:
            record(
                tx, actor, "provider.related", one, other=str(other), kind=RelationshipKind.DECLARED
            )
    return len(rows)
