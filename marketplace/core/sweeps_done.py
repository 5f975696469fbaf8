"""When each sweep was last done, on whichever machine: what falls behind is seen by its age.

Kept in Redis, beside the queues: emptied with them, it comes back with the next round.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from redis import Redis, RedisError

KEY = "marketplace:sweeps-done"


@dataclass(frozen=True)
class Done:
    """When a sweep was last done, in seconds since 1970, and how many seconds apart it is rung."""

    at: float
    every: float


def note(redis: Redis, name: str, *, now: datetime, every: float) -> None:
    """Note that a sweep is done; where Redis is away nobody hears of it, and nothing is lost."""
    with suppress(RedisError):
        redis.hset(KEY, name, f"{now.timestamp():.3f} {every:g}")


def last_done(redis: Redis) -> dict[str, Done]:
    """Return it for every sweep that was done since Redis was emptied; raise what Redis says."""
    noted = cast(Mapping[bytes, bytes], redis.hgetall(KEY))
    found = {}
    for name, said in noted.items():
        at, every = said.split()
        found[name.decode()] = Done(float(at), float(every))
    return found
