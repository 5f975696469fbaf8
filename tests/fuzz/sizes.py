"""How long every campaign takes: seconds and always the same in `make test`, long by `make fuzz`.

The long form draws anew each time; its seed is printed, and `--seed` repeats it. It goes on until
the minutes of a campaign are over, which its tests share: what one leaves the next one has.
"""

import functools
import itertools
import os
import random
import time
from collections.abc import Iterator
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase

MINUTES = float(os.environ.get("FUZZ_MINUTES", "0"))
"""How long each campaign (a file) may take in its long form; 0 is the short one."""

LONG = MINUTES > 0

SEED = int(os.environ.get("FUZZ_SEED", "0"))

_until = 0.0
"""When the test at hand should come to its end, by the clock that only goes on."""


def allow(seconds: float) -> None:
    """Give the test that begins so much time, in the long form."""
    global _until
    _until = time.monotonic() + seconds


def is_over() -> bool:
    """Return whether the time of the test at hand is used up; the short form counts none."""
    return not LONG or time.monotonic() >= _until


def left() -> float:
    """Return how many seconds the test at hand has left."""
    return max(1.0, _until - time.monotonic())


def rounds(short: int) -> Iterator[int]:
    """Count rounds: so many in the short form, and in the long one until the time is over."""
    for number in itertools.count():
        if number >= short and is_over():
            return
        yield number


def draw(name: str) -> random.Random:
    """Return what a campaign of this name draws from."""
    return random.Random(f"{SEED} {name}")


def generated(short: int) -> Any:
    """Return the decorator that says to Hypothesis how much, and from which seed.

    In the long form it goes through several times as many, again and again, each time from another
    seed, until the time is over.
    """
    settings = hypothesis.settings(
        max_examples=5 * short if LONG else short,
        deadline=None,
        database=None,
        derandomize=not LONG,
        phases=[Phase.explicit, Phase.generate, *([Phase.shrink] if LONG else [])],
        suppress_health_check=list(HealthCheck),
    )

    def decorate(test: Any) -> Any:
        if not LONG:
            return settings(test)
        sized = settings(test)

        @functools.wraps(sized)
        def again_and_again(*arguments: Any, **named: Any) -> None:
            for number in rounds(1):
                hypothesis.seed(SEED + number)(sized)(*arguments, **named)

        return again_and_again

    return decorate
