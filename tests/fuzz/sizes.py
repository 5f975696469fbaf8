"""How long every campaign takes: seconds and always the same in `make test`, long by `make fuzz`.

The long form draws anew each time; its seed is printed, and `--seed` repeats it.
"""

import os
import random
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase

MINUTES = float(os.environ.get("FUZZ_MINUTES", "0"))
"""How long each campaign may take in its long form; 0 is the short one."""

LONG = MINUTES > 0

SEED = int(os.environ.get("FUZZ_SEED", "0"))


def tries(short: int, per_minute: int) -> int:
    """Return how often something is tried: `short`, or as much as the minutes hold."""
    return max(short, round(per_minute * MINUTES)) if LONG else short


def draw(name: str) -> random.Random:
    """Return what a campaign of this name draws from."""
    return random.Random(f"{SEED} {name}")


def generated(short: int, per_minute: int) -> Any:
    """Return the decorator that says to Hypothesis how much, and from which seed."""
    settings = hypothesis.settings(
        max_examples=tries(short, per_minute),
        deadline=None,
        database=None,
        derandomize=not LONG,
        phases=[Phase.explicit, Phase.generate, *([Phase.shrink] if LONG else [])],
        suppress_health_check=list(HealthCheck),
    )

    def decorate(test: Any) -> Any:
        return settings(hypothesis.seed(SEED)(test) if LONG else test)

    return decorate
