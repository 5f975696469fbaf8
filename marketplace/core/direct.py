"""Statements that run for every lead: compiled once, and sent by the driver itself.

What SQLAlchemy does around a statement takes about as long as PostgreSQL's work on a small one, and
a match sends seventeen. These few go to psycopg as they are, inside the session's transaction:
values in and columns out are psycopg's own (an enum is its word, a list an array).

In PostgreSQL's own way of writing, `$1`: psycopg's is taken apart at every call once a statement is
long, or has many values.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import Enum
from functools import cache, cached_property
from typing import Any, cast
from uuid import UUID

import psycopg
from psycopg.errors import ReadOnlySqlTransaction
from psycopg.raw_cursor import RawCursorMixin
from psycopg.rows import RowMaker, namedtuple_row
from psycopg.types.json import Jsonb
from sqlalchemy import CTE, Executable, Select, Table, bindparam, insert, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

Values = Mapping[str, Any]


def driver(session: Session) -> psycopg.Connection[Any]:
    """Return the driver's own connection of a session, inside its transaction.

    Kept for as long as that lasts: to ask the session takes as long as to send a small statement.
    """
    known: tuple[Any, psycopg.Connection[Any]] | None = session.info.get("driver")
    if known is not None and known[0] is session.get_transaction():
        return known[1]
    driven: Any = session.connection().connection.driver_connection
    connection = cast(psycopg.Connection[Any], driven)
    session.info["driver"] = session.get_transaction(), connection
    return connection


class Direct:
    """One such statement, with named values."""

    def __init__(self, statement: Executable, columns: Sequence[str] | None = None) -> None:
        """`columns`: those of an INSERT, which does not say by itself which it will be given."""
        self._statement, self._columns = statement, columns
        self._made_by: RowMaker[Any] | None = None

    @cached_property
    def _compiled(self) -> tuple[str, list[str], dict[str, Any]]:
        """The SQL, the names of its values in their order, and those that it brings along."""
        statement: Any = self._statement
        dialect: Any = PGDialect_psycopg
        compiled = statement.compile(dialect=dialect(), column_keys=self._columns)
        own = {name: value for name, value in compiled.params.items() if value is not None}
        numbers: dict[str, int] = {}

        def number(found: re.Match[str]) -> str:
            if found[1] is None:
                return "%"
            return f"${numbers.setdefault(found[1], len(numbers) + 1)}"

        return re.sub(r"%\((\w+)\)s|%%", number, str(compiled)), list(numbers), own

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
        connection = driver(session)
        factory: Any = connection.cursor_factory
        cursor = _numbered(factory)(connection, row_factory=self._row_maker)
        sql, names, own = self._compiled
        each = [values] if isinstance(values, Mapping) else values
        sent = [[_as_sent(one.get(name, own.get(name))) for name in names] for one in each]
        try:
            if len(sent) == 1:
                cursor.execute(sql, sent[0])
            else:
                cursor.executemany(sql, sent)
        except psycopg.Error as error:
            if isinstance(error, ReadOnlySqlTransaction):  # it was the primary: no more use
                session.connection().invalidate(error)
            # As SQLAlchemy says it, so that nobody has to know who sent it.
            raise DBAPIError.instance(
                sql, None, error, psycopg.Error, hide_parameters=True
            ) from error
        return cursor


def writing(
    question: Select[Any], *tables: tuple[Table, Sequence[str]], if_any: CTE | None = None
) -> Select[Any]:
    """Return the question, which writes one row into each table as well, named by its columns.

    It takes the columns of each row under the names that `of_row` gives them. `if_any`: they are
    written where this finds something, and otherwise none of them is.
    """
    rows = []
    for table, columns in tables:
        values = [bindparam(f"{table.name}_{each}", type_=table.c[each].type) for each in columns]
        row = select(*values) if if_any is None else select(*values).select_from(if_any)
        rows.append(insert(table).from_select(columns, row))
    return question.add_cte(*(row.cte(f"row_{number}") for number, row in enumerate(rows)))


def of_row(table: Table, row: Values) -> dict[str, Any]:
    """Return the values of a row as `writing` takes them."""
    return {
        f"{table.name}_{name}": Jsonb(value)
        if type(value) is list and isinstance(table.c[name].type, JSONB)
        else value
        for name, value in row.items()
    }


@cache
def _numbered(factory: Any) -> type[psycopg.Cursor[Any]]:
    """Return the connection's kind of cursor, for statements with numbered values."""
    return type(f"Numbered{factory.__name__}", (RawCursorMixin, factory), {})


_AS_THEY_ARE = frozenset({str, int, bool, type(None), UUID, datetime, list, bytes})


def _as_sent(value: Any) -> Any:
    if type(value) in _AS_THEY_ARE:
        return value
    if isinstance(value, Enum):
        return value.value
    return Jsonb(value) if isinstance(value, dict) else value
