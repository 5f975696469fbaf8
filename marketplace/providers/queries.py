"""What matching asks: who may come into question, and everything eligibility needs of them."""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Uuid, and_, any_, bindparam, or_, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import InstrumentedAttribute, Session

from marketplace.catalogue.models import AccreditationBody
from marketplace.catalogue.rules import covering
from marketplace.providers.models import Accreditation, Coverage, Pause, Provider, Relationship
from marketplace.providers.rules import (
    AccreditationFacts,
    ProviderFacts,
    ProviderKind,
    ProviderState,
    RelationFacts,
    is_recognised,
    month_of,
)


def candidate_ids(
    session: Session,
    *,
    kinds: Collection[ProviderKind],
    standards: Collection[str],
    regions: Collection[str],
    remote_ok: bool,
    headcount: int,
    now: datetime,
    after_shuffle: int | None,
    limit: int,
) -> list[tuple[int, UUID]]:
    """Return who may come into question by the coverage row alone, in shuffled order.

    Begins behind `after_shuffle`. More than `limit` come only where the last share a number, so
    that none of them is lost between two calls.
    """
    in_every_region = and_(*(Coverage.regions.overlap(covering(region)) for region in regions))
    reached = or_(in_every_region, Coverage.remote) if remote_ok else in_every_region
    narrowed: list[ColumnElement[bool]] = [
        # As a literal, so that the partial index is used.
        Coverage.state == bindparam(None, ProviderState.VERIFIED, literal_execute=True),
        Coverage.kind.in_(kinds),
        Coverage.standards.contains(list(standards)),
        reached,
        Coverage.headcount_min <= headcount,
        Coverage.headcount_max >= headcount,
        Coverage.open_count < Coverage.open_capacity,
        Coverage.monthly_capacity > 0,
        or_(Coverage.month != month_of(now), Coverage.month_count < Coverage.monthly_capacity),
    ]
    if after_shuffle is not None:
        narrowed.append(Coverage.shuffle > after_shuffle)
    found = session.execute(
        select(Coverage.shuffle, Coverage.provider_id)
        .where(*narrowed)
        .order_by(Coverage.shuffle)
        .fetch(limit, with_ties=True)
    )
    return [(shuffle, provider_id) for shuffle, provider_id in found]


def ids_by_name_key(session: Session, keys: Collection[str]) -> dict[str, set[UUID]]:
    """Return the providers that go by these names (`rules.name_key`), rejected ones included."""
    found: dict[str, set[UUID]] = defaultdict(set)
    for key, provider_id in session.execute(
        select(Provider.name_key, Provider.id).where(Provider.name_key.in_(keys))
    ):
        found[key].add(provider_id)
    return dict(found)


def provider_facts(
    session: Session, ids: Collection[UUID], *, now: datetime
) -> dict[UUID, ProviderFacts]:
    """Return everything that eligibility needs of these providers, as the database has it now.

    Four queries however many there are; nothing comes from what the session has loaded before.
    """
    wanted = list(ids)
    accreditations = _accreditations(session, wanted)
    pauses = _pauses(session, wanted, now)
    relations = _relations(session, wanted)
    rows = session.execute(
        select(
            Provider.id, Provider.name, Provider.name_key, Provider.kind, Provider.state,
            Provider.legal_entity, Coverage.standards, Coverage.regions, Coverage.sectors,
            Coverage.headcount_min, Coverage.headcount_max, Coverage.remote,
            Coverage.open_capacity, Coverage.open_count, Coverage.monthly_capacity,
            Coverage.month, Coverage.month_count,
        )
        .join(Coverage, Coverage.provider_id == Provider.id)
        .where(_among(Provider.id, wanted))
    )  # fmt: skip
    return {
        row.id: ProviderFacts(
            **{
                **row._mapping,
                "standards": frozenset(row.standards),
                "regions": frozenset(row.regions),
                "sectors": frozenset(row.sectors),
            },
            accreditations=tuple(accreditations[row.id]),
            pauses=tuple(pauses[row.id]),
            related=frozenset(relations[row.id]),
        )
        for row in rows
    }


def _among(column: InstrumentedAttribute[UUID], ids: list[UUID]) -> ColumnElement[bool]:
    """Return that the column is one of `ids`, as one parameter however many there are."""
    array: Any = bindparam(None, ids, type_=ARRAY(Uuid()))
    return column == any_(array)


def _accreditations(session: Session, ids: list[UUID]) -> dict[UUID, list[AccreditationFacts]]:
    found: dict[UUID, list[AccreditationFacts]] = defaultdict(list)
    rows = session.execute(
        select(
            Accreditation.provider_id, Accreditation.id, Accreditation.body,
            Accreditation.standard, Accreditation.edition, Accreditation.sectors,
            Accreditation.state, Accreditation.valid_from, Accreditation.valid_until,
            AccreditationBody.recognition, AccreditationBody.recognised_for,
        )
        .join(AccreditationBody, AccreditationBody.code == Accreditation.body)
        .where(_among(Accreditation.provider_id, ids))
        .order_by(Accreditation.id)
    )  # fmt: skip
    for row in rows:
        found[row.provider_id].append(
            AccreditationFacts(
                id=row.id,
                body=row.body,
                standard=row.standard,
                edition=row.edition,
                sectors=None if row.sectors is None else frozenset(row.sectors),
                state=row.state,
                valid_from=row.valid_from,
                valid_until=row.valid_until,
                recognised=is_recognised(row.recognition, row.recognised_for, row.standard),
            )
        )
    return found


def _pauses(
    session: Session, ids: list[UUID], now: datetime
) -> dict[UUID, list[tuple[datetime, datetime]]]:
    found: dict[UUID, list[tuple[datetime, datetime]]] = defaultdict(list)
    rows = session.execute(
        select(Pause.provider_id, Pause.starts_at, Pause.ends_at)
        .where(_among(Pause.provider_id, ids), Pause.ends_at > now)
        .order_by(Pause.starts_at)
    )
    for provider_id, start, end in rows:
        found[provider_id].append((start, end))
    return found


def _relations(session: Session, ids: list[UUID]) -> dict[UUID, list[RelationFacts]]:
    """Return the relationships from either side: whoever declared one, both have it."""
    found: dict[UUID, list[RelationFacts]] = defaultdict(list)
    for own, other in (
        (Relationship.provider_id, Relationship.other_id),
        (Relationship.other_id, Relationship.provider_id),
    ):
        rows = session.execute(
            select(
                own, other, Relationship.kind, Relationship.valid_from, Relationship.valid_until
            ).where(_among(own, ids))
        )
        for provider_id, other_id, kind, start, end in rows:
            found[provider_id].append(RelationFacts(other_id, kind, start, end))
    return found
