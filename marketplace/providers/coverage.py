"""The coverage row: who takes on what, and how much of it is in use."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Date, Uuid, any_, bindparam, case, func, literal, select, update
from sqlalchemy.orm import Session

from marketplace.core.context import Transaction
from marketplace.core.direct import Direct
from marketplace.core.errors import NotFound
from marketplace.core.jobs import Job
from marketplace.providers.models import Coverage, Provider
from marketplace.providers.rules import month_of


def lock_providers(session: Session, ids: Collection[UUID]) -> dict[UUID, Coverage]:
    """Hold the coverage rows of these providers until the transaction ends, and read them afresh.

    Always in the order of their ids, so that two transactions never wait for each other crosswise.
    """
    rows = session.scalars(
        select(Coverage)
        .where(Coverage.provider_id.in_(ids))
        .order_by(Coverage.provider_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return {row.provider_id: row for row in rows}


_IDS = bindparam("ids", type_=ARRAY(Uuid()))

_LOCK_ROWS = Direct(
    select(literal(1).label("held"))
    .where(Coverage.provider_id == any_(_IDS))
    .order_by(Coverage.provider_id)
    .with_for_update()
)


def lock_rows(session: Session, ids: Collection[UUID]) -> None:
    """Hold the coverage rows of these providers, in the order of their ids, and read nothing."""
    _LOCK_ROWS.rows(session, {"ids": list(ids)})


def hold_provider(tx: Transaction, provider_id: UUID) -> tuple[Provider, Coverage]:
    """Return a provider and its coverage afresh and locked, or raise `NotFound`."""
    coverage = lock_providers(tx.session, [provider_id]).get(provider_id)
    if coverage is None:
        raise NotFound("there is no such provider")
    provider = tx.session.get_one(Provider, provider_id, populate_existing=True)
    return provider, coverage


_MONTH = bindparam("this_month", type_=Date())
_coverage: Any = Coverage.__table__

_TAKE_PLACES = Direct(
    update(_coverage)
    .where(_coverage.c.provider_id == any_(_IDS))
    .values(
        open_count=_coverage.c.open_count + 1,
        month_count=case(
            (_coverage.c.month < _MONTH, 1),
            (_coverage.c.month == _MONTH, _coverage.c.month_count + 1),
            else_=_coverage.c.month_count,
        ),
        month=func.greatest(_coverage.c.month, _MONTH),
    )
)


def take_places(tx: Transaction, provider_ids: Collection[UUID]) -> None:
    """Count an invitation of each that is sent now: one more live, and one more in its month.

    Who waited for a lock over the turn of a month, or whose clock is behind, finds the next month
    begun: that stays so, and what belongs to the month before is counted no longer.
    """
    _TAKE_PLACES.run(tx.session, {"ids": list(provider_ids), "this_month": month_of(tx.now)})


def take_place_again(tx: Transaction, provider_id: UUID) -> None:
    """Count an invitation that came back as live; it was counted in the month it was sent in."""
    tx.session.execute(
        update(Coverage)
        .where(Coverage.provider_id == provider_id)
        .values(open_count=Coverage.open_count + 1)
        .execution_options(synchronize_session="fetch")
    )


_freed = func.unnest(_IDS).column_valued("freed")
_FREED = select(_freed.label("id"), func.count().label("places")).group_by(_freed).subquery()
_FREE_PLACES = Direct(
    update(_coverage)
    .where(_coverage.c.provider_id == _FREED.c.id)
    .values(open_count=func.greatest(_coverage.c.open_count - _FREED.c.places, 0))
    .returning(
        _coverage.c.provider_id,
        _coverage.c.open_count,
        _coverage.c.open_capacity,
        _FREED.c.places,
    )
)


def free_places(tx: Transaction, provider_ids: Sequence[UUID]) -> None:
    """Count a live invitation less for each time that a provider is named.

    One that was full may be wanted by a waiting lead. What it was invited to this month stays
    counted: it was a turn, however it ended.
    """
    if len(provider_ids) > 1:
        lock_rows(tx.session, provider_ids)
    for row in _FREE_PLACES.rows(tx.session, {"ids": list(provider_ids)}):
        if row.open_count < row.open_capacity <= row.open_count + row.places:
            tx.afterwards(Job.REMATCH_WAITING_LEADS, row.provider_id)
