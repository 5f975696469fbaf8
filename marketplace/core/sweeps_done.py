"""When each sweep was last done, on whichever machine: what falls behind is seen by its age.

Kept in Redis, beside the queues. One that was not done yet, since it was rung for the first time or
Redis was emptied, counts from when the clock first expected it: so one that fails every time is
late as well.
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
        redis.hset(KEY, name, _said(now, every))


def expect(redis: Redis, every: Mapping[str, float], *, now: datetime) -> None:
    """Note which sweeps there are, how many seconds apart, and forget all others.

    One of a version before would seem to be late for ever. Raises what Redis says.
    """
    with redis.pipeline(transaction=False) as together:
        for name, apart in every.items():
            together.hsetnx(KEY, name, _said(now, apart))
        together.hkeys(KEY)
        *_, known = together.execute()
    others = {name.decode() for name in known} - every.keys()
    if others:
        redis.hdel(KEY, *others)


def _said(now: datetime, every: float) -> str:
    return f"{now.timestamp():.3f} {every:g}"


def last_done(redis: Redis) -> dict[str, Done]:
    """Return it for every sweep that is known; raise what Redis says."""
    noted = cast(Mapping[bytes, bytes], redis.hgetall(KEY))
    found = {}
    for name, said in noted.items():
        with suppress(ValueError):  # not of our writing
            at, every = map(float, said.split())
            found[name.decode()] = Done(at, every)
    return found
