"""Statements that run for every lead: compiled once, and sent by the driver itself.

What SQLAlchemy does around a statement takes about as long as PostgreSQL's work on a small one, and
a match sends seventeen. These few go to psycopg as they are, inside the session's transaction:
values in and columns out are psycopg's own (an enum is its word, a list an array).
"""

from collections.abc import Mapping, Sequence
from enum import Enum
from functools import cached_property
from typing import Any, cast

import psycopg
from psycopg.rows import RowMaker, namedtuple_row
from psycopg.types.json import Jsonb
from sqlalchemy import Executable
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

Values = Mapping[str, Any]


def driver(session: Session) -> psycopg.Connection[Any]:
    """Return the driver's own connection of a session, inside its transaction."""
    connection: Any = session.connection().connection.driver_connection
    return cast(psycopg.Connection[Any], connection)


class Direct:
    """One such statement, with named values."""

    def __init__(self, statement: Executable, columns: Sequence[str] | None = None) -> None:
        """`columns`: those of an INSERT, which does not say by itself which it will be given."""
        self._statement, self._columns = statement, columns
        self._made_by: RowMaker[Any] | None = None

    @cached_property
    def _compiled(self) -> tuple[str, dict[str, Any]]:
        """The SQL, and the values that it brings along itself."""
        statement: Any = self._statement
        dialect: Any = PGDialect_psycopg
        compiled = statement.compile(dialect=dialect(), column_keys=self._columns)
        own = {name: value for name, value in compiled.params.items() if value is not None}
        return str(compiled), own

    def rows(self, session: Session, values: Values) -> list[Any]:
        """Send it and return its rows, as named tuples."""
        return self._send(session, values).fetchall()

    def run(self, session: Session, *each: Values) -> int:
        """Send it once for each, and return how many rows it concerned in all."""
        return self._send(session, each).rowcount if each else 0

    def _row_maker(self, cursor: psycopg.Cursor[Any]) -> RowMaker[Any]:
        """Return what makes a named tuple of a row; which columns there are is looked at once."""
        if self._made_by is None:
            self._made_by = namedtuple_row(cursor)
        return self._made_by

    def _send(self, session: Session, values: Values | Sequence[Values]) -> psycopg.Cursor[Any]:
        session.flush()  # what the session still holds back comes before
        cursor: psycopg.Cursor[Any] = driver(session).cursor(row_factory=self._row_maker)
        sql, own = self._compiled
        each = [values] if isinstance(values, Mapping) else values
        sent = [own | {name: _as_sent(value) for name, value in one.items()} for one in each]
        try:
            if len(sent) == 1:
                cursor.execute(sql, sent[0])
            else:
                cursor.executemany(sql, sent)
        except psycopg.Error as error:
            # As SQLAlchemy says it, so that nobody has to know who sent it.
            raise DBAPIError.instance(
                sql, None, error, psycopg.Error, hide_parameters=True
            ) from error
        return cursor


def _as_sent(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    return Jsonb(value) if isinstance(value, dict) else value
