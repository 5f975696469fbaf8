"""Whether a connection that lay in the pool is still good, before anybody gets it.

PostgreSQL itself is asked where the connection lay for a while, or has something to say: its end,
mostly. One that was in use a moment ago, and whose socket is silent, is good: to ask each time
would cost every request a round trip. Should the line be cut within that moment, the request that
meets it is answered as one that comes while the database is away.
"""

import select
import time
from typing import Any

import psycopg
from sqlalchemy import Engine, event
from sqlalchemy.exc import InvalidatePoolError

TRUSTED = 0.5
"""Seconds for which a connection is taken to be good after its last use."""

_BACK_AT = "back_at"


def look_before_use(engine: Engine) -> Engine:
    """Return the engine, whose connections are looked at before each use from now on."""
    event.listen(engine, "checkin", _note_when_it_came_back)

    @event.listens_for(engine, "checkout")
    def look(connection: Any, record: Any, _lent: object) -> None:
        back_at = record.info.get(_BACK_AT)
        if back_at is None:  # it has just been opened
            return
        if time.monotonic() - back_at < TRUSTED and _is_silent(connection):
            return
        try:
            engine.dialect.do_ping(connection)
        except psycopg.Error as error:
            # The others are no better: SQLAlchemy opens all of them anew.
            raise InvalidatePoolError from error

    return engine


def _note_when_it_came_back(_connection: object, record: Any) -> None:
    record.info[_BACK_AT] = time.monotonic()


def _is_silent(connection: psycopg.Connection[Any]) -> bool:
    """Return whether nothing has come that nobody asked for, and the line is not at its end."""
    if connection.closed:
        return False
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN)
    return not waiting.poll(0)
