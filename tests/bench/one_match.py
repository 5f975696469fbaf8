"""One match against the bare statements that it issues, sent by psycopg alone.

Every lead is matched twice: first in a transaction that is rolled back, which tells the statements
and warms the caches for both, then for real, in turn by the product and by psycopg sending just
those statements with just those values, reading the answers and committing. So both do the same
work on the same data, and the difference is ours. Each of the three has a connection of its own:
psycopg forgets what it has prepared when it rolls back.
"""

import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import event
from sqlalchemy.orm import Session

from marketplace.bootstrap import ALWAYS_THE_SAME, SERVER_OPTIONS, Product
from marketplace.core.context import Context
from marketplace.core.db import db
from marketplace.matching import service as matching
from tests.bench.leads import open_leads


@dataclass
class Recording:
    """The statements of one match, and how long each took as the client saw it."""

    statements: list[tuple[str, Any, bool]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


class RecordingCursor(psycopg.Cursor[Any]):
    """Notes what goes to the server, whoever sends it."""

    recording: Recording | None = None

    def execute(self, query: Any, params: Any = None, **options: Any) -> "RecordingCursor":
        with self._noted(query, params, many=False):
            super().execute(query, params, **options)
        return self

    def executemany(self, query: Any, params_seq: Any, *, returning: bool = False) -> None:
        with self._noted(query, params_seq, many=True):
            super().executemany(query, params_seq, returning=returning)

    @contextmanager
    def _noted(self, query: Any, values: Any, *, many: bool) -> Iterator[None]:
        started = time.perf_counter()
        yield
        if self.recording is not None:
            self.recording.statements.append((query, values, many))
            self.recording.seconds.append(time.perf_counter() - started)


@dataclass(frozen=True)
class Timings:
    """Seconds per lead."""

    product: list[float]
    bare: list[float]
    first_touch: list[float]
    """What the statements alone took the first time, with nothing warm."""
    statements: float
    """How many a match issues, on average."""
    by_statement: Counter[str]
    """Seconds in all, by how a statement begins."""


class _NotThisTime(Exception):
    pass


def time_matches(ctx: Context, rehearsing: Product, url: str, leads: int, *, seed: int) -> Timings:
    """Match so many leads, half of them by the product and half by its bare statements.

    `rehearsing`: the product once more, with connections of its own.
    """
    timings = Timings([], [], [], 0.0, Counter())
    counted = 0
    ids = open_leads(ctx, leads, draw=random.Random(seed))
    warm_up = leads // 10
    with rehearsing.app.app_context():
        record_cursors()
    with psycopg.connect(url, options=_server_options()) as connection:
        for number, lead_id in enumerate(ids):
            with rehearsing.app.app_context():
                recording = _rehearse(replace(rehearsing.ctx, queue=ctx.queue), lead_id)
            started = time.perf_counter()
            if number % 2:
                matching.match_lead(ctx, lead_id)
            else:
                _replay(connection, recording)
            took = time.perf_counter() - started
            if number < warm_up:
                continue
            (timings.product if number % 2 else timings.bare).append(took)
            timings.first_touch.append(sum(recording.seconds))
            counted += len(recording.statements)
            for (sql, _, _), seconds in zip(recording.statements, recording.seconds, strict=True):
                timings.by_statement[" ".join(sql.split())[:90]] += seconds
    return replace(timings, statements=counted / (leads - warm_up))


def _rehearse(ctx: Context, lead_id: UUID) -> Recording:
    """Match a lead and take it back; return the statements that it took."""
    recording = Recording()
    with _recorded(recording), _taken_back(ctx) as rehearsing:
        try:
            matching.match_lead(rehearsing, lead_id)
        except _NotThisTime:
            return recording
    raise AssertionError("a rehearsal was committed")


def _server_options() -> str:
    """Return what the product's own connections ask of the server: the floor asks for the same."""
    asked = {**SERVER_OPTIONS, **ALWAYS_THE_SAME}
    return " ".join(f"-c {name}={value}" for name, value in asked.items())


@contextmanager
def _recorded(recording: Recording) -> Iterator[None]:
    RecordingCursor.recording = recording
    try:
        yield
    finally:
        RecordingCursor.recording = None


def record_cursors() -> None:
    """Let every connection that the application opens from here on use cursors that can record."""

    def use_them(connection: psycopg.Connection, _: Any) -> None:
        connection.cursor_factory = RecordingCursor

    event.listen(db.engine, "connect", use_them)


@contextmanager
def _taken_back(ctx: Context) -> Iterator[Context]:
    """Return a context whose transactions write everything and then roll back."""

    def instead_of_commit(session: Session) -> None:
        session.flush()
        raise _NotThisTime

    session = ctx.sessions()
    event.listen(session, "before_commit", instead_of_commit)
    try:
        yield ctx
    finally:
        event.remove(session, "before_commit", instead_of_commit)


def _replay(connection: psycopg.Connection, recording: Recording) -> None:
    named, numbered = connection.cursor(), psycopg.RawCursor(connection)
    for sql, values, many in recording.statements:
        one = values[0] if many else values
        cursor = numbered if isinstance(one, list) else named
        if many:
            cursor.executemany(sql, values)
        else:
            cursor.execute(sql, values)
            if cursor.description is not None:
                cursor.fetchall()
    connection.commit()
