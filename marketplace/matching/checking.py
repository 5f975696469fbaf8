"""`check-coverage`: does each coverage row say what the provider and the invitations behind it say?

Every step that touches a provider or its load keeps the row true in the same transaction. This is
the proof, and the way back should a row have come to be wrong all the same.
"""

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from marketplace.core.actors import Actor
from marketplace.core.context import Context, Transaction
from marketplace.core.events import record
from marketplace.matching.differences import CODES, ENTERED, ENTRIES, ROW, Difference, differences
from marketplace.providers.coverage import lock_rows
from marketplace.providers.intake import SHUFFLE_TO
from marketplace.providers.models import Coverage, Provider
from marketplace.providers.rules import (
    ProviderKind,
    ProviderState,
    default_coverage,
    month_of,
)

BATCH = 10_000
FIRST_ID, LAST_ID = UUID(int=0), UUID(int=2**128 - 1)

MENDED: Mapping[str, Callable[[str], Any]] = {
    "kind": ProviderKind,
    "state": ProviderState,
    "open_count": int,
    "month": date.fromisoformat,
    "month_count": int,
    "shuffle": lambda _: secrets.randbelow(SHUFFLE_TO),
    **dict.fromkeys(CODES, json.loads),
}
"""The columns that can be made again, and how from what they should be."""


@dataclass(frozen=True)
class CoverageReport:
    """What a check came to."""

    providers: int
    differences: tuple[Difference, ...]

    @property
    def mended(self) -> int:
        return sum(each.is_mended for each in self.differences)

    @property
    def remaining(self) -> int:
        return len(self.differences) - self.mended


def check_coverage(
    ctx: Context,
    actor: Actor,
    *,
    mend: bool = False,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> CoverageReport:
    """Compare every coverage row with what stands behind it, while everything goes on.

    A batch is compared in one picture and without locks. What differs there is looked at again with
    the provider held, and with `mend` made true in a transaction of its own; leads that can be
    matched now are found by the sweeps. `progress` is told how many providers of how many are done.
    """
    actor.require_admin()
    with ctx.reading() as session:
        providers = session.scalar(select(func.count()).select_from(Provider)) or 0
    found: list[Difference] = []
    first, done = FIRST_ID, 0
    while True:
        with ctx.reading() as session:
            last = _end_of_batch(session, first)
            suspected = differences(session, first, last, now=ctx.clock())
        for provider_id in dict.fromkeys(each.provider_id for each in suspected):
            found += _look_again(ctx, actor, provider_id, mend=mend)
        done = min(done + BATCH, providers)
        progress(done, providers)
        if last == LAST_ID:
            return CoverageReport(providers, tuple(found))
        first = UUID(int=last.int + 1)


def _end_of_batch(session: Session, first: UUID) -> UUID:
    following = select(Provider.id).where(Provider.id >= first).order_by(Provider.id)
    return session.scalar(following.offset(BATCH - 1).limit(1)) or LAST_ID


def _look_again(ctx: Context, actor: Actor, provider_id: UUID, *, mend: bool) -> list[Difference]:
    """Return what still differs once nobody else can change the provider; mend it if asked to."""
    with ctx.transaction() as tx:
        found = _held_differences(tx, provider_id)
        if mend and any(each.column == ROW for each in found):
            _add_row(tx, provider_id)
            found += _held_differences(tx, provider_id)
        return _mend(tx, actor, provider_id, found) if mend else found


def _held_differences(tx: Transaction, provider_id: UUID) -> list[Difference]:
    # Nothing is read into models: what stands in the row may be no word of ours.
    lock_rows(tx.session, [provider_id])
    return differences(tx.session, provider_id, provider_id, now=tx.now)


def _add_row(tx: Transaction, provider_id: UUID) -> None:
    """Write a missing row down: it covers nothing until the provider says again what it does."""
    kind, state = tx.session.execute(
        select(Provider.kind, Provider.state).where(Provider.id == provider_id)
    ).one()
    row = {
        "provider_id": provider_id,
        "kind": kind,
        "state": state,
        "standards": [],
        "regions": [],
        "month": month_of(tx.now),
        "shuffle": secrets.randbelow(SHUFFLE_TO),
        **default_coverage(),
    }
    tx.session.execute(insert(Coverage).values(row).on_conflict_do_nothing())


def _mend(
    tx: Transaction, actor: Actor, provider_id: UUID, found: list[Difference]
) -> list[Difference]:
    """Make true what can be made again, and return what was found with what came of it."""
    values = {each.column: value for each in found if (value := _made_again(each)) is not None}
    if values:
        row = update(Coverage).where(Coverage.provider_id == provider_id)
        tx.session.execute(row.values(values))
    if any(each.column == ENTRIES for each in found):
        _enter_again(tx.session, provider_id)
    after = [
        replace(each, is_mended=each.column in (ROW, ENTRIES) or _made_again(each) is not None)
        for each in found
    ]
    facts = {each.column: [each.is_now, each.should_be] for each in after if each.is_mended}
    if facts:
        record(tx, actor, "coverage.mended", provider_id, **facts)
    return after


def _made_again(difference: Difference) -> Any:
    """Return the value a column should have; None if it has no other source, or a bad one."""
    try:
        return MENDED[difference.column](difference.should_be)
    except (KeyError, ValueError):
        return None


def _enter_again(session: Session, provider_id: UUID) -> None:
    session.execute(
        text("DELETE FROM coverage_entries WHERE provider_id = :id"), {"id": provider_id}
    )
    columns = "(provider_id, region, standard, kind, shuffle)"
    session.execute(
        text(f"INSERT INTO coverage_entries {columns} {ENTERED}"),
        {"first": provider_id, "last": provider_id},
    )
