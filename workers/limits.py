"""How long a job may run: an alarm inside its process, and a note for its supervisor."""

import mmap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from rq.timeouts import UnixSignalDeathPenalty

MOST_OF_A_NAME = 120
"""Bytes of a job's name that a supervisor gets to read."""


class JobOverran(KeyboardInterrupt):
    """The job at hand has used up its time.

    A `KeyboardInterrupt`, for what libraries do at one: a sweep, which passes over whatever else
    goes wrong, ends; psycopg takes back the query that PostgreSQL is at, so that no lock stays
    behind; SQLAlchemy throws the connection away.
    """


class TimeLimit(UnixSignalDeathPenalty):
    """RQ's alarm, which nothing on the way to RQ takes for an ordinary fault."""

    def handle_death_penalty(self, signum: int, frame: FrameType | None) -> NoReturn:
        raise JobOverran(f"the job ran for more than its {self._timeout} seconds")


class Deadline:
    """Until when the job of one worker process may run, and which job that is.

    It lies in memory that a process shares with those forked from it, and costs nothing to write.
    The time is one number, on the machine's monotonic clock, and never seen half written.
    """

    def __init__(self) -> None:
        memory = memoryview(mmap.mmap(-1, 8 + MOST_OF_A_NAME))
        self._until = memory[:8].cast("d")
        self._name = memory[8:]

    @contextmanager
    def within(self, seconds: float, name: str) -> Iterator[None]:
        """Note that what is done here may take so long; 0 or less: as long as it likes."""
        self._name[:] = name.encode()[:MOST_OF_A_NAME].ljust(MOST_OF_A_NAME)
        if seconds > 0:
            self._until[0] = time.monotonic() + seconds
        try:
            yield
        finally:
            self.forget()

    def passed_by(self, seconds: float) -> bool:
        """Return whether something is being done that should have ended so many seconds ago."""
        until = self._until[0]
        return until > 0 and time.monotonic() >= until + seconds

    @property
    def name(self) -> str:
        """What was done last."""
        return bytes(self._name).decode(errors="replace").strip()

    def forget(self) -> None:
        """Note that nothing is being done."""
        self._until[0] = 0.0
