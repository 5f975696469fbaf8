"""How every sweep works: read ids without locks, then one transaction each, and stop for nobody."""

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy.orm import Session

from marketplace.core.context import Context, Transaction

BATCH = 500

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
        for each in ids:
            try:
                with ctx.transaction() as tx:
                    act(tx, each)
                done += 1
            except Exception:
                log.exception("sweep_passed_over", sweep=name, subject=str(each))
                failed += 1
            had_their_turn.add(each)
