"""Programs of ours that work on what others wrote, each run where it can do no harm.

A process of its own has so much memory and time, which `confine.py` sees to, and nothing of ours:
no settings and no secret. A web process runs a few at once; the requests that come meanwhile wait
their turn, or are sent away.
"""

import subprocess  # nosec B404  # fixed commands, no shell
import sys
from dataclasses import dataclass
from pathlib import Path
from threading import BoundedSemaphore

from marketplace.core.errors import Unavailable

_CONFINE = Path(__file__).with_name("confine.py")

_PATIENCE = 4
"""Times the seconds of a processor, by the clock on the wall: processors are shared."""


@dataclass(frozen=True)
class Ended:
    """How a program ended."""

    said: bytes
    """On its standard output."""
    code: int | None
    """As `subprocess` has it: below zero where a signal ended it. None where we did."""

    @property
    def was_stopped(self) -> bool:
        """Whether it was ended from outside, for what it took."""
        return self.code is None or self.code < 0


class Program:
    """A program that is run by its path, as often at once as there is room."""

    def __init__(self, path: Path, *, busy: str, at_once: int = 2) -> None:
        """`busy` is what is said where nothing else ends in time to let another begin."""
        self.path, self.busy = path, busy
        self.room = BoundedSemaphore(at_once)

    def run(self, *arguments: str, given: bytes, memory: int, seconds: int) -> Ended:
        """Run it on what is `given` to its standard input, or raise `Unavailable`.

        At most so many bytes of `memory` and `seconds` of a processor go into it.
        """
        # Not for longer: whoever waits here answers nobody else.
        if not self.room.acquire(timeout=seconds):
            raise Unavailable(self.busy)
        # Isolated (-I): nothing of ours is found, and so nothing that is secret.
        command = [sys.executable, "-I", str(_CONFINE), str(memory), str(seconds), str(self.path)]
        try:
            done = subprocess.run(  # nosec B603  # a fixed command, no shell
                [*command, *arguments],
                input=given,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=_PATIENCE * seconds,
                env={},
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Ended(b"", None)
        finally:
            self.room.release()
        return Ended(done.stdout, done.returncode)
