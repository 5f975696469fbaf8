"""How often something was tried in vain: counted in Redis, for all processes together.

While Redis is away each process counts in its own memory: a guesser gets as many tries more as
there are processes, and nobody is locked out for that. Keys are stored as hashes alone.
"""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from threading import Lock
from typing import Any, TypeVar

import structlog
from redis import Redis, RedisError

from marketplace.core.circuit_breaker import CircuitBreaker

T = TypeVar("T")

KEPT_AT_MOST = 10_000
"""How many counters one process keeps in its memory."""

log = structlog.get_logger(__name__)

Count = tuple[int, datetime | None]
"""How many, and when the last one was."""


class Attempts:
    """Counters by key."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._breaker = CircuitBreaker()
        self._memory: dict[str, Count] = {}
        self._lock = Lock()

    def read(self, key: str) -> Count:
        """Return what is counted under a key."""
        name = _name(key)

        def ask() -> Count:
            kept: Any = self._redis.hmget(name, ["n", "at"])
            if kept[0] is None or kept[1] is None:
                return 0, None
            return int(kept[0]), datetime.fromtimestamp(float(kept[1]), UTC)

        def recall() -> Count:
            return self._memory.get(name, (0, None))

        # What could not be written there counts, also where Redis, which is full, is read.
        return max(self._either(ask, recall), recall(), key=itemgetter(0))

    def add(self, key: str, *, now: datetime, forget_after: timedelta) -> int:
        """Count one more, and return how many that makes."""
        name = _name(key)

        def ask() -> int:
            with self._redis.pipeline() as together:
                together.hincrby(name, "n", 1)
                together.hset(name, "at", str(now.timestamp()))
                together.expire(name, forget_after)
                return int(together.execute()[0])

        def remember() -> int:
            count, last_at = self._memory.pop(name, (0, None))
            if last_at is not None and now - last_at >= forget_after:
                count = 0
            while len(self._memory) >= KEPT_AT_MOST:
                self._memory.pop(next(iter(self._memory)))
            self._memory[name] = (count + 1, now)
            return count + 1

        return self._either(ask, remember)

    def take_back(self, key: str) -> None:
        """Count one less: it was no failure."""
        name = _name(key)

        def remember() -> None:
            count, last_at = self._memory.get(name, (0, None))
            if count:
                self._memory[name] = (count - 1, last_at)

        self._either(lambda: self._redis.eval(_TAKE_BACK, 1, name), remember)

    def forget(self, key: str) -> None:
        """Count from nothing again."""
        name = _name(key)
        self._memory.pop(name, None)
        self._either(lambda: self._redis.delete(name), lambda: None)

    def _either(self, ask: Callable[[], Any], remember: Callable[[], T]) -> T:
        if self._breaker.may_ask():
            try:
                answer: T = ask()
            except RedisError as error:
                log.warning("counted_in_memory", error=type(error).__name__)
                self._breaker.failed()
            else:
                self._breaker.answered()
                return answer
        with self._lock:
            return remember()


_TAKE_BACK = """
if redis.call('hexists', KEYS[1], 'n') == 1 then redis.call('hincrby', KEYS[1], 'n', -1) end
"""
"""What was forgotten meanwhile is not begun anew: it would count as less than nothing for ever."""


def _name(key: str) -> str:
    return f"attempts:{hashlib.sha256(key.encode()).hexdigest()}"
