"""How every sweep works: read ids without locks, lock, look again, act, and stop for nobody."""

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy.orm import Session

from marketplace.core import tracing
from marketplace.core.context import Context, Transaction

BATCH = 500

TOGETHER = 50
"""How many ring, and wait for the disk, together."""

PATIENCE = timedelta(seconds=1)
"""How long to wait for a row that somebody else holds, before it is passed over."""

OF_AN_INTERVAL = 0.5
"""How much of the time between two sweeps one may take: deadlines wait for the same worker."""

Due = Callable[[Session, datetime, int], Sequence[UUID]]
"""Returns so many ids at most of what is due at a moment, and locks nothing."""

log = structlog.get_logger(__name__)


def sweep(ctx: Context, name: str, due: Due, act: Callable[[Transaction, UUID], None]) -> int:
    """Act on what is due, each by itself; return how many went well.

    `act` locks, looks again and acts; it may leave things as they are. One that fails is logged and
    passed over, so that poisoned rows stop nobody else. Safe late, twice, or on two machines; what
    there is no time for is left to the next run.
    """
    ends_at = time.monotonic() + ctx.policy.sweep_interval.total_seconds() * OF_AN_INTERVAL
    done = 0
    with tracing.span("sweep", sweep=name):
        for few in _few_at_a_time(ctx, due):
            done += one_by_one(ctx, name, few, act)
            tracing.note(done=done)
            if time.monotonic() > ends_at:
                break
    return done


def sweep_together(
    ctx: Context, name: str, due: Due, act: Callable[[Transaction, Sequence[UUID]], None]
) -> int:
    """Act on everything that is due, a few in one transaction; return how many went well.

    So a statement serves many. Where a transaction fails, each of its few has a turn by itself, and
    a poisoned row stops nobody else. For deadlines: a run ends when nothing is due any more.
    """
    with tracing.span("sweep", sweep=name):
        done = sum(_together(ctx, name, few, act) for few in _few_at_a_time(ctx, due))
        tracing.note(done=done)
    return done


def one_by_one(
    ctx: Context, name: str, ids: Sequence[UUID], act: Callable[[Transaction, UUID], None]
) -> int:
    """Act on each in a transaction of its own, and return how many went well.

    One that fails is logged and passed over. Only the last of a few waits for the disk, and takes
    along what went before; what they ring is rung once for them all.
    """
    done = 0
    for few in _by_the_few(ids):
        with ctx.ringing_together() as together:
            for each in few:
                try:
                    with together.transaction(
                        waits_for_disk=each == few[-1], waits_for_locks=PATIENCE
                    ) as tx:
                        act(tx, each)
                    done += 1
                except Exception:
                    log.exception("sweep_passed_over", sweep=name, subject=str(each))
    return done


def _together(
    ctx: Context,
    name: str,
    few: Sequence[UUID],
    act: Callable[[Transaction, Sequence[UUID]], None],
) -> int:
    try:
        with ctx.transaction(waits_for_locks=PATIENCE) as tx:
            act(tx, few)
    except Exception as error:
        log.warning("sweep_one_by_one", sweep=name, subjects=len(few), error=type(error).__name__)
        return one_by_one(ctx, name, few, lambda tx, each: act(tx, [each]))
    return len(few)


def _batches(ctx: Context, due: Due) -> Iterator[list[UUID]]:
    """Yield what is due, each id once, until nothing is left that has not had its turn.

    What had its turn and is due all the same, because it failed or was left as it is, stands in
    nobody's way: so many more are read.
    """
    had_their_turn: set[UUID] = set()
    still_due = 0
    while True:
        limit = BATCH + still_due
        with ctx.reading() as session:
            found = due(session, ctx.clock(), limit)
        ids = [each for each in found if each not in had_their_turn]
        still_due = len(found) - len(ids)
        had_their_turn.update(ids)
        if ids:
            yield ids
        elif len(found) < limit:
            return


def _few_at_a_time(ctx: Context, due: Due) -> Iterator[Sequence[UUID]]:
    for ids in _batches(ctx, due):
        yield from _by_the_few(ids)


def _by_the_few(ids: Sequence[UUID]) -> Iterator[Sequence[UUID]]:
    for start in range(0, len(ids), TOGETHER):
        yield ids[start : start + TOGETHER]
