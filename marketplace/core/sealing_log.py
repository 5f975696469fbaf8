"""The sealer: chains what writers have committed, behind them, so that none waits for another.

A trigger on events writes the id of each into `unsealed_events`, in the writer's own transaction.
So an event that can be seen is either in there or sealed, however long its transaction took, in
whatever order ids and clocks went, and in a database that was restored from a dump. Sealing it and
taking it out of there is one transaction: a sealer that is killed half-way has done nothing.
"""

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy.orm import Session

from marketplace.core.chain import FIELDS, FORM, GENESIS, next_hash
from marketplace.core.context import Context, Transaction
from marketplace.core.direct import driver
from marketplace.core.sweeps import OF_AN_INTERVAL

ONE_SEALER = 816
"""The advisory lock that a sealer holds for its transaction; one that finds it taken leaves."""

BATCH = 2000
"""How many one transaction seals: in about a tenth of a second."""

FRONT = "(0,0)"
"""Before the first place of a table."""

log = structlog.get_logger(__name__)

_LOCK = "SELECT pg_try_advisory_xact_lock(%s)"
_LAST = "SELECT seq, hash FROM event_seals ORDER BY seq DESC LIMIT 1"
_WAITING = "SELECT ctid::text, event_id FROM unsealed_events WHERE ctid > %s::tid LIMIT %s"
_EVENTS = f"""
    SELECT DISTINCT ON (id) {", ".join(FIELDS)} FROM events e
    WHERE id = ANY(%s) AND NOT EXISTS (SELECT FROM event_seals s WHERE s.event_id = e.id)
    ORDER BY id
"""  # nosec B608  # our own words
_SEAL = """
    INSERT INTO event_seals (seq, event_id, form, hash)
    SELECT * FROM unnest(%s::bigint[], %s::uuid[], array_fill(%s::smallint, ARRAY[%s]), %s::bytea[])
"""
_TAKE_OUT = """
    DELETE FROM unsealed_events u WHERE ctid = ANY(%s::tid[]) AND event_id = ANY(%s)
    AND EXISTS (SELECT FROM event_seals s WHERE s.event_id = u.event_id)
"""


@dataclass(frozen=True)
class Head:
    """The end of the chain: what to note outside of the database."""

    seq: int
    hash: bytes

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash.hex()}"


@dataclass(frozen=True)
class Tail:
    """What waits to be sealed."""

    count: int
    since: datetime | None
    """When the oldest of it happened, in this century at the earliest."""


def head(session: Session) -> Head:
    """Return the last seal; number 0 stands before the first."""
    found = driver(session).execute(_LAST).fetchone()
    return Head(*found) if found else Head(0, GENESIS)


def tail(session: Session) -> Tail:
    """Return what waits to be sealed."""
    found = (
        driver(session)
        .execute(
            # Whatever a hostile hand wrote into `at`, Python must be able to hold it.
            "SELECT count(*), least(greatest(min(at), '2000-01-01Z'), now())"
            " FROM unsealed_events JOIN events ON id = event_id"
        )
        .fetchone()
    )
    count, since = found or (0, None)
    return Tail(count, since if count else None)


def seal_events(ctx: Context) -> int:
    """Seal what is committed, in batches, for half a sweep interval at most; return how many.

    Safe late, twice, or on two machines: of several at once one seals and the others leave. The
    head goes to the log of the process, which lives elsewhere than the database, so that a chain
    that was cut off, or worked out anew from some place on, can be told from what it was.
    """
    ends_at = time.monotonic() + ctx.policy.sweep_interval.total_seconds() * OF_AN_INTERVAL
    sealed, reached = 0, None
    place: str | None = FRONT
    while place is not None and time.monotonic() < ends_at:
        with ctx.transaction() as tx:
            ((is_alone,),) = driver(tx.session).execute(_LOCK, [ONE_SEALER]).fetchall()
            if not is_alone:
                break
            count, place = _seal_some(tx, place)
            if count:
                reached = head(tx.session)
        sealed += count
    if reached is not None:
        log.info("log_sealed", count=sealed, head=str(reached))
    return sealed


def _seal_some(tx: Transaction, place: str) -> tuple[int, str | None]:
    """Seal a batch of what waits behind `place`; return how many, and where to go on, if at all.

    What waits and is gone stays where it is, for `verify-log` to find.
    """
    connection = driver(tx.session)
    waiting = connection.execute(_WAITING, [place, BATCH]).fetchall()
    if not waiting:
        return 0, None
    ids = [event_id for _, event_id in waiting]
    last = head(tx.session)
    seals: list[tuple[int, Any, bytes]] = []
    for event in connection.execute(_EVENTS, [ids]):
        before = seals[-1][2] if seals else last.hash
        seals.append((last.seq + len(seals) + 1, event[0], next_hash(before, event)))
    if seals:
        numbers, sealed, hashes = (list(each) for each in zip(*seals, strict=True))
        connection.execute(_SEAL, [numbers, sealed, FORM, len(seals), hashes])
    connection.execute(_TAKE_OUT, [[at for at, _ in waiting], ids])
    return len(seals), waiting[-1][0] if len(waiting) == BATCH else None
