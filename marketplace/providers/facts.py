"""Everything that eligibility needs of some providers, in one statement however many there are."""

from collections.abc import Collection
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    DateTime,
    Select,
    Text,
    Uuid,
    any_,
    bindparam,
    func,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by
from sqlalchemy.orm import Session

from marketplace.catalogue.models import AccreditationBody
from marketplace.catalogue.rules import Recognition
from marketplace.providers.models import Accreditation, Coverage, Pause, Provider, Relationship
from marketplace.providers.rules import (
    AccreditationFacts,
    AccreditationState,
    ProviderFacts,
    ProviderKind,
    ProviderState,
    RelationFacts,
    RelationshipKind,
    is_recognised,
)

# Tables and not entities: these rows are read by the thousand.
_provider: Any = Provider.__table__.c
_covers: Any = Coverage.__table__.c
_held: Any = Accreditation.__table__.c
_body: Any = AccreditationBody.__table__.c
_pause: Any = Pause.__table__.c
_related: Any = Relationship.__table__.c

WITHOUT_END = datetime(9999, 12, 31, tzinfo=UTC)
"""When a pause ends that lasts until its provider comes back."""

# And so are their words: a look-up costs a quarter of calling the enum.
_KINDS = {each.value: each for each in ProviderKind}
_STATES = {each.value: each for each in ProviderState}
_ACCREDITATION_STATES = {each.value: each for each in AccreditationState}


_WITHOUT_A_ROW = {
    **dict.fromkeys(("standards", "regions", "sectors", "languages"), "'{}'::text[]"),
    **dict.fromkeys(("headcount_min", "headcount_max"), "0"),
    **dict.fromkeys(("open_capacity", "open_count", "monthly_capacity", "month_count"), "0"),
    "remote": "false",
    "month": "'0001-01-01'::date",
}


def provider_facts(
    session: Session, ids: Collection[UUID], *, now: datetime
) -> dict[UUID, ProviderFacts]:
    """Return the facts of these providers, as the database has them now.

    Nothing comes from what the session has loaded before. One whose coverage row is missing covers
    nothing and takes on nothing; what it holds already it may keep.
    """
    rows = session.execute(_ALL_FACTS, {"ids": list(ids), "now": now})
    return {row.id: facts_of(row) for row in rows}


def statement_of_facts(*, of_some_standards: bool = False) -> Select[Any]:
    """Return the statement whose rows `facts_of` reads; a caller may join more to it.

    Built once and used again and again, with the parameters `ids` (a list), `now`, and, where only
    accreditations `of_some_standards` are of interest, `standards` (a list).
    """
    columns: list[Any] = [
        _provider.id, _provider.name, _provider.name_key, _provider.kind, _provider.state,
        _provider.legal_entity, _covers.weeks_to_start,
        *(
            func.coalesce(_covers[name], literal_column(nothing)).label(name)
            for name, nothing in _WITHOUT_A_ROW.items()
        ),
        _accreditations(of_some_standards).label("accreditations"),
        _pauses().label("pauses"),
        _relations(_related.provider_id, _related.other_id).label("declares"),
        _relations(_related.other_id, _related.provider_id).label("declared_by"),
    ]  # fmt: skip
    return (
        select(*columns)
        .outerjoin(Coverage.__table__, _covers.provider_id == _provider.id)
        .where(_provider.id == any_(bindparam("ids", type_=ARRAY(Uuid()))))
    )


def facts_of(row: Any) -> ProviderFacts:
    """Return the facts in a row of `rows_of`."""
    return ProviderFacts(
        id=row.id,
        name=row.name,
        name_key=row.name_key,
        kind=_KINDS[row.kind],
        state=_STATES[row.state],
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
                        _held.id, _held.body, _held.standard,
                        _held.edition, _held.sectors, _held.state,
                        _held.valid_from, _held.valid_until,
                        _body.recognition, _body.recognised_for,
                    ),
                    _held.id,
                )
            )
        )
        .join(AccreditationBody.__table__, _body.code == _held.body)
        .where(_held.provider_id == _provider.id)
        .correlate(Provider.__table__)
    )  # fmt: skip
    if of_some_standards:
        wanted: Any = bindparam("standards", type_=ARRAY(Text()))
        held = held.where(_held.standard == any_(wanted))
    return held.scalar_subquery()


def _accreditation(columns: list[Any]) -> AccreditationFacts:
    each, body, standard, edition, sectors, state, start, end, recognition, for_ = columns
    return AccreditationFacts(
        id=UUID(each),
        body=body,
        standard=standard,
        edition=edition,
        sectors=None if sectors is None else frozenset(sectors),
        state=_ACCREDITATION_STATES[state],
        valid_from=_day(start),
        valid_until=date.fromisoformat(end),
        recognised=is_recognised(Recognition(recognition), for_, standard),
    )


def _pauses() -> Any:
    end = func.coalesce(_pause.ends_at, WITHOUT_END)
    pair = func.json_build_array(_pause.starts_at, end)
    return (
        select(func.json_agg(aggregate_order_by(pair, _pause.starts_at)))
        .where(
            _pause.provider_id == _provider.id,
            end > bindparam("now", type_=DateTime(timezone=True)),
        )
        .correlate(Provider.__table__)
        .scalar_subquery()
    )


def _relations(own: Any, other: Any) -> Any:
    """The relationships from one side: whoever declared one, both have it."""
    return (
        select(
            func.json_agg(
                func.json_build_array(
                    other,
                    _related.kind,
                    _related.valid_from,
                    _related.valid_until,
                )
            )
        )
        .where(own == _provider.id)
        .correlate(Provider.__table__)
        .scalar_subquery()
    )


def _relation(columns: list[Any]) -> RelationFacts:
    other_id, kind, start, end = columns
    return RelationFacts(UUID(other_id), RelationshipKind(kind), _day(start), _day(end))


def _day(written: str | None) -> date | None:
    return None if written is None else date.fromisoformat(written)


_ALL_FACTS = statement_of_facts()
