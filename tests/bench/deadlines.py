"""Ten thousand deadlines that are due at once, and what a sweep costs that finds nothing to do."""

import os
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from sqlalchemy import insert, select, text, update

from marketplace.core.context import Context
from marketplace.core.db import new_id
from marketplace.invitations import endings, extension
from marketplace.invitations.models import Invitation
from marketplace.invitations.rules import InvitationState
from marketplace.leads import clock as leads
from marketplace.matching import settling, waiting
from marketplace.providers.models import Coverage, Provider
from marketplace.providers.rules import ProviderKind, ProviderState
from tests.bench.leads import open_leads

IDLE = {
    "end_due_invitations": endings.end_due_invitations,
    "extend_windows": extension.extend_windows,
    "remind_holders": endings.remind_holders,
    "settle_due_commitments": leads.settle_due_commitments,
    "retry_waiting_leads": waiting.retry_waiting_leads,
    "recheck_standing": waiting.recheck_standing,
    "settle_ended_invitations": settling.settle_ended_invitations,
}
"""The sweeps that look at invitations and commitments."""


_HOLDERS = (
    select(Coverage.provider_id)
    .join(Provider, Provider.id == Coverage.provider_id)
    # Nothing keeps these from answering: a consultant needs no accreditation.
    .where(Coverage.kind == ProviderKind.CONSULTANT, Provider.state == ProviderState.VERIFIED)
    .order_by(Coverage.shuffle)
    .limit(3000)
)


@dataclass(frozen=True)
class Swept:
    """What one process did with deadlines that were due."""

    deadlines: int
    seconds: float
    resident_early: int
    """Bytes, after a tenth of them ..."""
    resident_late: int
    """... and after all."""


def sweep_due(ctx: Context, count: int) -> Swept:
    """Let `count` invitations be overdue, and time the sweep that ends them."""
    hold_out(ctx, count // 10)
    later = replace(ctx, clock=lambda: ctx.clock() + timedelta(hours=24))
    endings.end_due_invitations(later)
    resident_early = _resident()
    rest = count - count // 10
    hold_out(ctx, rest)
    started = time.perf_counter()
    done = endings.end_due_invitations(later)
    seconds = time.perf_counter() - started
    assert done == rest, f"{done} of {rest} were ended"
    return Swept(rest, seconds, resident_early, _resident())


def idle_sweeps(ctx: Context, stored: int) -> dict[str, float]:
    """Store so many invitations that have ended, and return what each sweep costs, in seconds."""
    _store_ended(ctx, stored)
    costs = {}
    for name, sweep in IDLE.items():
        sweep(ctx)
        times = []
        for _ in range(20):
            started = time.perf_counter()
            assert sweep(ctx) == 0, f"{name} found something to do"
            times.append(time.perf_counter() - started)
        costs[name] = sorted(times)[len(times) // 2]
    return costs


def hold_out(ctx: Context, count: int) -> list[UUID]:
    """Write open leads with three opened invitations each, `count` in all, as matching would."""
    ids = open_leads(ctx, -(-count // 3), draw=random.Random(count))
    with ctx.transaction() as tx:
        holders = tx.session.scalars(_HOLDERS).all()
        rows = _rows(ids, holders, tx.now, InvitationState.OPENED)[:count]
        for start in range(0, len(rows), 1000):
            tx.session.execute(insert(Invitation), rows[start : start + 1000])
        tx.session.execute(update(Coverage).values(open_count=Coverage.open_count + 10))
    return ids


def _store_ended(ctx: Context, stored: int) -> None:
    with ctx.transaction() as tx:
        there = tx.session.scalar(text("SELECT count(*) FROM invitations")) or 0
        holders = tx.session.scalars(_HOLDERS).all()
    missing = stored - int(there)
    while missing > 0:
        some = min(missing, 30_000)
        ids = open_leads(ctx, -(-some // 3), draw=random.Random(missing))
        with ctx.transaction() as tx:
            rows = _rows(ids, holders, tx.now, InvitationState.EXPIRED)[:some]
            for start in range(0, len(rows), 1000):
                tx.session.execute(insert(Invitation), rows[start : start + 1000])
        missing -= some
    with ctx.transaction() as tx:
        tx.session.execute(
            text(
                "UPDATE leads SET state = 'closed', finished_at = now(), waiting_since = NULL"
                " WHERE state = 'open'"
            )
        )
        tx.session.execute(
            text(
                "UPDATE commitments SET state = 'ended', settled_at = now()"
                " WHERE state IN ('running', 'at_risk')"
            )
        )
        tx.session.execute(
            text(
                "UPDATE invitations SET state = 'expired', ended_at = now(), settled_at = now()"
                " WHERE settled_at IS NULL"
            )
        )
    with ctx.sessions().get_bind().connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("VACUUM ANALYZE"))


def _rows(
    lead_ids: Sequence[UUID], holders: Sequence[UUID], now: datetime, state: InvitationState
) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for number, lead_id in enumerate(lead_ids):
        for place in (1, 2, 3):
            rows.append(
                {
                    "id": new_id(),
                    "lead_id": lead_id,
                    "provider_id": holders[(3 * number + place) % len(holders)],
                    "place": place,
                    "state": state,
                    "sent_at": now,
                    "open_by": now + timedelta(hours=12),
                    "respond_by": now + timedelta(hours=23),
                    "opened_at": now,
                    "reminders": [],
                    "remind_at": None,
                    "ended_at": now if state is InvitationState.EXPIRED else None,
                    "settled_at": now if state is InvitationState.EXPIRED else None,
                }
            )
    return rows


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
