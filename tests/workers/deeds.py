"""Jobs of the tests: well-behaved ones, and every sort that a worker has to survive."""

import ctypes
import os
import time
from collections import deque
from contextlib import suppress
from itertools import repeat

import structlog
from sqlalchemy import text

from marketplace.core.db import db
from workers.context import job_context, product


def say_who() -> int:
    """Return the id of the process that does this."""
    return os.getpid()


def say_what_is_bound() -> dict[str, object]:
    return structlog.contextvars.get_contextvars()


def ask() -> tuple[int, int]:
    """Return the ids of this process, and of the one that serves it in PostgreSQL."""
    with job_context() as ctx, ctx.transaction() as tx:
        return os.getpid(), tx.session.scalar(text("SELECT pg_backend_pid()"))


def query_for(seconds: float) -> None:
    with job_context() as ctx, ctx.transaction() as tx:
        tx.session.execute(text("SELECT pg_sleep(:seconds)"), {"seconds": seconds})


def pass_over_every_fault() -> None:
    """Go on for ever, as a sweep does that finds one poisoned row after the other."""
    while True:
        with suppress(Exception):
            time.sleep(300)


def spin_in_c() -> None:
    """Never come back, nor look whether a signal has come."""
    deque(repeat(None), maxlen=0)


def crash() -> None:
    ctypes.string_at(0)


def fail_with_a_lock_held() -> None:
    structlog.contextvars.bind_contextvars(lead="of another job")
    with job_context():
        db.session.execute(text("SELECT pg_advisory_xact_lock(4711)"))
        raise ValueError("in the middle of a transaction")


def keep_a_connection() -> None:
    product().app.app_context().push()
    db.session.execute(text("SELECT pg_advisory_xact_lock(4711)"))


def lose_the_database() -> None:
    with job_context() as ctx, ctx.transaction() as tx:
        tx.session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
