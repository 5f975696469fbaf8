"""How many rows are in which state: counted now and then, once for all machines, beside the work.

To count a hundred million rows takes minutes. So nobody who asks waits for more than a moment, one
process counts and writes down in Redis what it found, and the longer that took the longer nobody
counts again.
"""

import json
import time
from contextlib import suppress
from threading import Thread
from typing import cast

import structlog
from redis import RedisError
from redis.exceptions import LockError
from redis.lock import Lock
from sqlalchemy.exc import SQLAlchemyError

from marketplace.bootstrap import Product
from marketplace.insights.counts import COUNTED, counts_by_state

Counts = dict[str, dict[str, int]]

COUNTED_EVERY = 30.0
"""Seconds between two counts of all rows by state, for all machines together ..."""

SHARE = 60
"""... and so many times as many as the last count took, a second for two million rows: at most a
sixtieth of PostgreSQL's time is spent on it."""

GIVEN_UP = 300.0
"""Seconds after which somebody else counts, where whoever began was killed."""

PATIENCE = 2.0
"""Seconds that whoever asks waits for a count: enough for a few million rows."""

COUNTS, TURN = "marketplace:counts", "marketplace:counting"
"""In Redis: what was counted last, and that nobody is to count now, which Redis' own clock ends."""

log = structlog.get_logger(__name__)


class RowCounts:
    """What this process knows of how many rows are in which state."""

    def __init__(self) -> None:
        self._known: Counts = {}
        self._not_before = 0.0
        self._counter: Thread | None = None

    def latest(self, product: Product) -> Counts:
        """Return what was counted last, here or elsewhere; nothing before the first count.

        Without Redis each process counts for itself.
        """
        turn = product.redis.lock(TURN, timeout=GIVEN_UP, blocking=False, thread_local=False)
        try:
            is_ours = turn.acquire()
        except RedisError:
            if time.monotonic() >= self._not_before:
                self._begin(product, turn)
            return self._known
        if is_ours:
            self._begin(product, turn)
        with suppress(RedisError):
            self._known = _read(cast(bytes | None, product.redis.get(COUNTS))) or self._known
        return self._known

    def _begin(self, product: Product, turn: Lock) -> None:
        """Have it counted by a thread, and wait for it for a moment."""
        if self._counter is None or not self._counter.is_alive():
            self._counter = Thread(target=self._count, args=(product, turn), daemon=True)
            self._counter.start()
            self._counter.join(PATIENCE)

    def _count(self, product: Product, turn: Lock) -> None:
        began = time.monotonic()
        wait = COUNTED_EVERY
        try:
            with product.app.app_context(), product.ctx.reading() as session:
                self._known = counts_by_state(session)
            wait = max(wait, SHARE * (time.monotonic() - began))
            with suppress(RedisError):
                product.redis.set(COUNTS, json.dumps(self._known))
        except SQLAlchemyError as error:
            log.warning("not_counted", what="rows", error=type(error).__name__)
        self._not_before = time.monotonic() + wait
        with suppress(RedisError, LockError):  # lost, or another's by now
            turn.extend(wait, replace_ttl=True)


def _read(kept: bytes | None) -> Counts | None:
    """Return what was kept; none where that is of another version."""
    try:
        found = json.loads(kept or b"null")
        return found if found.keys() == COUNTED.keys() else None
    except (ValueError, AttributeError):
        return None
