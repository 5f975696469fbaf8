"""Count knocks in Redis, for all processes together; in memory while it is away.

All limits of a line are counted by one script, so in one round trip. Windows are fixed: each begins
with the first knock in it. The first limit that is full is the last that is counted, the shortest
window first, so that whoever is turned away for a minute uses nothing up of his hour.
"""

import time
from functools import cache
from math import ceil

import structlog
from limits import RateLimitItem, parse_many
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from redis import Redis, RedisError

from marketplace.core.circuit_breaker import CircuitBreaker

_COUNT = """
for number, key in ipairs(KEYS) do
    local count = redis.call('INCR', key)
    if count == 1 then redis.call('EXPIRE', key, ARGV[2 * number]) end
    if count > tonumber(ARGV[2 * number - 1]) then
        return math.max(1, math.ceil(redis.call('PTTL', key) / 1000))
    end
end
return 0
"""
"""Takes the keys, and for each how many at most in how many seconds; returns how long to wait."""

log = structlog.get_logger(__name__)


class RedisAway(Exception):
    """What has to be counted over all processes cannot be while Redis is away."""


class Counting:
    """How often a party knocked, by scope."""

    def __init__(self, redis: Redis) -> None:
        self._count = redis.register_script(_COUNT)
        self._storage = MemoryStorage()
        self._in_memory = FixedWindowRateLimiter(self._storage)
        self._breaker = CircuitBreaker()

    def wait(self, limits: str, scope: str, party: str, *, alone: bool) -> int:
        """Count a knock; return how many seconds it has to wait, none where there is room.

        `limits`: such as `10 per minute; 40 per hour`. `alone`: whether each process may count by
        itself while Redis is away; otherwise that raises `RedisAway`.
        """
        items = _shortest_first(limits)
        if self._breaker.may_ask():
            keys = [f"LIMITS:{each.key_for('limits', party, scope)}" for each in items]
            bounds = [bound for each in items for bound in (each.amount, each.get_expiry())]
            try:
                seconds = int(self._count(keys, bounds))
            except RedisError as error:
                log.warning("counted_in_memory", error=type(error).__name__)
                self._breaker.failed()
            else:
                self._breaker.answered()
                return seconds
        if not alone:
            raise RedisAway
        for each in items:
            if not self._in_memory.hit(each, party, scope):
                until = self._storage.get_expiry(each.key_for(party, scope))
                return max(1, ceil(until - time.time()))
        return 0


@cache
def _shortest_first(limits: str) -> list[RateLimitItem]:
    return sorted(parse_many(limits))
