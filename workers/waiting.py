"""What worker and scheduler wait for, and how they say so: once, and not at every try."""

import logging
import math
import time

import structlog
from sqlalchemy.exc import SQLAlchemyError

from marketplace.core.primary import takes_writes
from marketplace.core.processes import BackOff
from marketplace.migrations.schema import missing_migrations
from workers.context import context

REPEATED_AFTER = 60.0
"""Seconds after which it is said again that Redis is away."""

log = structlog.get_logger(__name__)


def why_no_database() -> str | None:
    """Return why no job can be done now, or None where PostgreSQL is there and in shape."""
    try:
        with context() as ctx, ctx.reading() as session:
            if not takes_writes(session):
                session.invalidate()  # what it takes for granted was said as it was opened
                return "it takes no writes: a replica, or set read-only"
            lacks = missing_migrations(session)
    except SQLAlchemyError as error:
        return str(getattr(error, "orig", None) or error).strip()
    return "it lacks migrations: run `marketplace migrate`" if lacks else None


class Waiting:
    """Waiting for a server: said when it begins, and when it is over; tried again ever later."""

    def __init__(self, what: str, *, longest: float) -> None:
        """`longest`: seconds to wait at most between two attempts."""
        self.what = what
        self._longest = longest
        self._back_off = BackOff(longest=longest)
        self._since: float | None = None

    def because(self, reason: str) -> float:
        """Note that it is not there; return how many seconds to wait."""
        if self._since is None:
            self._since = time.monotonic()
            log.warning("waiting", what=self.what, reason=reason)
        return self._back_off.ended()

    def is_over(self) -> None:
        """Note that it is there."""
        if self._since is not None:
            log.warning("there_again", what=self.what, wait=round(time.monotonic() - self._since))
            self._since = None
            self._back_off = BackOff(longest=self._longest)


class OnceAMinute(logging.Filter):
    """RQ says at each try that Redis is away: the first of these lines is enough."""

    def __init__(self) -> None:
        super().__init__()
        self._said_at = -math.inf

    def filter(self, record: logging.LogRecord) -> bool:
        if "could not connect to Redis" not in str(record.msg):
            return True
        now = time.monotonic()
        if now - self._said_at < REPEATED_AFTER:
            return False
        self._said_at = now
        return True
