"""What `up` shows while it works: a moving line on a terminal, plain lines elsewhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

console = Console(soft_wrap=True, highlight=False, markup=False, emoji=False)


def say(line: str = "") -> None:
    """Show a line as it is."""
    console.print(line)


@contextmanager
def step(doing: str, done: str) -> Iterator[None]:
    """Show that something is being done, then that it was, and how long it took."""
    began = time.monotonic()
    if console.is_terminal:
        with console.status(f"{doing} ..."):
            yield
    else:
        yield
    say(f"  {done} ({time.monotonic() - began:.1f} s)")
