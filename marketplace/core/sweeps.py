"""How every sweep works: read ids without locks, then one transaction each, and stop for nobody."""

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy.orm import Session

from marketplace.core.context import Context, Transaction

log = structlog.get_logger(__name__)


def sweep(
    ctx: Context,
    name: str,
    due: Callable[[Session, datetime], Sequence[UUID]],
    act: Callable[[Transaction, UUID], None],
) -> int:
    """Act on everything that is due, a batch of ids at a time; return how many went well.

    `due` returns a bounded batch; `act` locks, looks again and acts. One that fails is logged and
    passed over, so that a poisoned row stops nobody else. Safe late, twice, or on two machines.
    """
    done = 0
    failed: set[UUID] = set()
    while True:
        with ctx.reading() as session:
            ids = [each for each in due(session, ctx.clock()) if each not in failed]
        if not ids:
            return done
        for each in ids:
            try:
                with ctx.transaction() as tx:
                    act(tx, each)
                done += 1
            except Exception:
                log.exception("sweep_passed_over", sweep=name, subject=str(each))
            # Whatever is still due after its turn is not tried again in this run.
            failed.add(each)
