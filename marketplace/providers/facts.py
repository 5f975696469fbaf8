"""Everything that eligibility needs of some providers, in one statement however many there are."""

from collections.abc import Collection
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    DateTime,
    Row,
    Select,
    Text,
    Uuid,
    any_,
    bindparam,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by
from sqlalchemy.orm import InstrumentedAttribute, Session

from marketplace.catalogue.models import AccreditationBody
from marketplace.catalogue.rules import Recognition
from marketplace.providers.models import Accreditation, Coverage, Pause, Provider, Relationship
from marketplace.providers.rules import (
    AccreditationFacts,
    AccreditationState,
    ProviderFacts,
    RelationFacts,
    RelationshipKind,
    is_recognised,
)


def provider_facts(
    session: Session, ids: Collection[UUID], *, now: datetime
) -> dict[UUID, ProviderFacts]:
    """Return the facts of these providers, as the database has them now.

    Nothing comes from what the session has loaded before.
    """
    rows = session.execute(_ALL_FACTS, {"ids": list(ids), "now": now})
    return {row.id: facts_of(row) for row in rows}


def statement_of_facts(*, of_some_standards: bool = False) -> Select[Any]:
    """Return the statement whose rows `facts_of` reads; a caller may join more to it.

    Built once and used again and again, with the parameters `ids` (a list), `now`, and, where only
    accreditations `of_some_standards` are of interest, `standards` (a list).
    """
    columns: list[Any] = [
        Provider.id, Provider.name, Provider.name_key, Provider.kind, Provider.state,
        Provider.legal_entity, Coverage.standards, Coverage.regions, Coverage.sectors,
        Coverage.headcount_min, Coverage.headcount_max, Coverage.remote,
        Coverage.open_capacity, Coverage.open_count, Coverage.monthly_capacity,
        Coverage.month, Coverage.month_count, Coverage.weeks_to_start, Coverage.languages,
        _accreditations(of_some_standards).label("accreditations"),
        _pauses().label("pauses"),
        _relations(Relationship.provider_id, Relationship.other_id).label("declares"),
        _relations(Relationship.other_id, Relationship.provider_id).label("declared_by"),
    ]  # fmt: skip
    return (
        select(*columns)
        .join(Coverage, Coverage.provider_id == Provider.id)
        .where(Provider.id == any_(bindparam("ids", type_=ARRAY(Uuid()))))
    )


def among(column: InstrumentedAttribute[UUID], ids: Collection[UUID]) -> ColumnElement[bool]:
    """Return that the column is one of `ids`, as one parameter however many there are."""
    array: Any = bindparam(None, list(ids), type_=ARRAY(Uuid()))
    return column == any_(array)


def facts_of(row: Row[Any]) -> ProviderFacts:
    """Return the facts in a row of `rows_of`."""
    return ProviderFacts(
        id=row.id,
        name=row.name,
        name_key=row.name_key,
        kind=row.kind,
        state=row.state,
        legal_entity=row.legal_entity,
        standards=frozenset(row.standards),
        regions=frozenset(row.regions),
        sectors=frozenset(row.sectors),
        headcount_min=row.headcount_min,
        headcount_max=row.headcount_max,
        remote=row.remote,
        open_capacity=row.open_capacity,
        open_count=row.open_count,
        monthly_capacity=row.monthly_capacity,
        month=row.month,
        month_count=row.month_count,
        weeks_to_start=row.weeks_to_start,
        languages=frozenset(row.languages),
        accreditations=tuple(_accreditation(each) for each in row.accreditations or ()),
        pauses=tuple(
            (datetime.fromisoformat(start), datetime.fromisoformat(end))
            for start, end in row.pauses or ()
        ),
        related=frozenset(
            _relation(each) for each in (*(row.declares or ()), *(row.declared_by or ()))
        ),
    )


def _accreditations(of_some_standards: bool) -> Any:
    held = (
        select(
            func.json_agg(
                aggregate_order_by(
                    func.json_build_array(
                        Accreditation.id, Accreditation.body, Accreditation.standard,
                        Accreditation.edition, Accreditation.sectors, Accreditation.state,
                        Accreditation.valid_from, Accreditation.valid_until,
                        AccreditationBody.recognition, AccreditationBody.recognised_for,
                    ),
                    Accreditation.id,
                )
            )
        )
        .join(AccreditationBody, AccreditationBody.code == Accreditation.body)
        .where(Accreditation.provider_id == Provider.id)
        .correlate(Provider)
    )  # fmt: skip
    if of_some_standards:
        wanted: Any = bindparam("standards", type_=ARRAY(Text()))
        held = held.where(Accreditation.standard == any_(wanted))
    return held.scalar_subquery()


def _accreditation(columns: list[Any]) -> AccreditationFacts:
    each, body, standard, edition, sectors, state, start, end, recognition, for_ = columns
    return AccreditationFacts(
        id=UUID(each),
        body=body,
        standard=standard,
        edition=edition,
        sectors=None if sectors is None else frozenset(sectors),
        state=AccreditationState(state),
        valid_from=_day(start),
        valid_until=date.fromisoformat(end),
        recognised=is_recognised(Recognition(recognition), for_, standard),
    )


def _pauses() -> Any:
    pair = func.json_build_array(Pause.starts_at, Pause.ends_at)
    return (
        select(func.json_agg(aggregate_order_by(pair, Pause.starts_at)))
        .where(
            Pause.provider_id == Provider.id,
            Pause.ends_at > bindparam("now", type_=DateTime(timezone=True)),
        )
        .correlate(Provider)
        .scalar_subquery()
    )


def _relations(own: InstrumentedAttribute[UUID], other: InstrumentedAttribute[UUID]) -> Any:
    """The relationships from one side: whoever declared one, both have it."""
    return (
        select(
            func.json_agg(
                func.json_build_array(
                    other, Relationship.kind, Relationship.valid_from, Relationship.valid_until
                )
            )
        )
        .where(own == Provider.id)
        .correlate(Provider)
        .scalar_subquery()
    )


def _relation(columns: list[Any]) -> RelationFacts:
    other_id, kind, start, end = columns
    return RelationFacts(UUID(other_id), RelationshipKind(kind), _day(start), _day(end))


def _day(written: str | None) -> date | None:
    return None if written is None else date.fromisoformat(written)


_ALL_FACTS = statement_of_facts()
