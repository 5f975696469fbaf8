"""How every sweep works: read ids without locks, then one transaction each, and stop for nobody."""

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy.orm import Session

from marketplace.core.context import Context, Transaction

BATCH = 500

TOGETHER = 50
"""How many transactions ring, and wait for the disk, together."""

log = structlog.get_logger(__name__)


def sweep(
    ctx: Context,
    name: str,
    due: Callable[[Session, datetime, int], Sequence[UUID]],
    act: Callable[[Transaction, UUID], None],
) -> int:
    """Act on everything that is due, a batch of ids at a time; return how many went well.

    `due` returns so many ids at most; `act` locks, looks again and acts. One that fails is logged
    and passed over, so that poisoned rows stop nobody else. Safe late, twice, or on two machines.
    """
    done = 0
    failed = 0
    had_their_turn: set[UUID] = set()
    while True:
        with ctx.reading() as session:
            found = due(session, ctx.clock(), BATCH + failed)
            ids = [each for each in found if each not in had_their_turn]
        if not ids:
            return done
        went_well = one_by_one(ctx, name, ids, act)
        done += went_well
        failed += len(ids) - went_well
        had_their_turn.update(ids)


def one_by_one(
    ctx: Context, name: str, ids: Sequence[UUID], act: Callable[[Transaction, UUID], None]
) -> int:
    """Act on each in a transaction of its own, and return how many went well.

    One that fails is logged and passed over. Only the last of a few waits for the disk, and takes
    along what went before; what they ring is rung once for them all.
    """
    done = 0
    for start in range(0, len(ids), TOGETHER):
        few = ids[start : start + TOGETHER]
        with ctx.ringing_together() as together:
            for each in few:
                try:
                    with together.transaction(waits_for_disk=each == few[-1]) as tx:
                        act(tx, each)
                    done += 1
                except Exception:
                    log.exception("sweep_passed_over", sweep=name, subject=str(each))
    return done
