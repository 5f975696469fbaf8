"""Statements that run for every lead: compiled once, and sent by the driver itself.

What SQLAlchemy does around a statement takes about as long as PostgreSQL's work on a small one, and
a match sends seventeen. These few go to psycopg as they are, inside the session's transaction:
values in and columns out are psycopg's own (an enum is its word, a list an array).

In PostgreSQL's own way of writing, `$1`: psycopg's is taken apart at every call once a statement is
long, or has many values.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, cached_property
from typing import Any, cast

import psycopg
from psycopg.errors import ReadOnlySqlTransaction
from psycopg.pq import TransactionStatus
from psycopg.raw_cursor import RawCursorMixin
from psycopg.rows import RowMaker, namedtuple_row
from psycopg.types.json import Jsonb, JsonbDumper
from sqlalchemy import CTE, Engine, Executable, Select, Table, bindparam, insert, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

Values = Mapping[str, Any]

psycopg.adapters.register_dumper(dict, JsonbDumper)  # as psycopg documents it


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
    def _compiled(self) -> tuple[str, dict[str, Any]]:
        """The SQL, and by name in their order the values that it brings along, or None."""
        statement: Any = self._statement
        dialect: Any = PGDialect_psycopg
        compiled = statement.compile(dialect=dialect(), column_keys=self._columns)
        numbers: dict[str, int] = {}

        def number(found: re.Match[str]) -> str:
            if found[1] is None:
                return "%"
            return f"${numbers.setdefault(found[1], len(numbers) + 1)}"

        sql = re.sub(r"%\((\w+)\)s|%%", number, str(compiled))
        return sql, {name: compiled.params[name] for name in numbers}

    def rows(self, session: Session, values: Values) -> list[Any]:
        """Send it and return its rows, as named tuples."""
        return self._send(session, values).fetchall()

    def rows_on(self, connection: psycopg.Connection[Any], values: Values) -> list[Any]:
        """Send it on a connection of nobody's session and return its rows."""
        return self._sent_on(connection, [values]).fetchall()

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
        each = [values] if isinstance(values, Mapping) else values
        try:
            return self._sent_on(driver(session), each)
        except DBAPIError as error:
            if isinstance(error.orig, ReadOnlySqlTransaction):  # it was the primary: no more use
                session.connection().invalidate(error.orig)
            raise

    def _sent_on(
        self, connection: psycopg.Connection[Any], each: Sequence[Values]
    ) -> psycopg.Cursor[Any]:
        factory: Any = connection.cursor_factory
        cursor = _numbered(factory)(connection, row_factory=self._row_maker)
        sql, own = self._compiled
        # In the order of `own`; what the statement does not name comes behind, and stays here.
        sent = [[*{**own, **one}.values()][: len(own)] for one in each]
        try:
            if len(sent) == 1:
                cursor.execute(sql, sent[0])
            else:
                cursor.executemany(sql, sent)
        except psycopg.Error as error:
            raise _as_sqlalchemy_says(error, sql) from error
        return cursor


def _as_sqlalchemy_says(error: psycopg.Error, sql: str) -> DBAPIError:
    """Return the error, so that nobody has to know who met it."""
    return cast(
        DBAPIError, DBAPIError.instance(sql, None, error, psycopg.Error, hide_parameters=True)
    )


@contextmanager
def alone(engine: Engine) -> Iterator[psycopg.Connection[Any]]:
    """Lend a connection on which each statement is a transaction; one that is no more use goes."""
    try:
        lent = engine.raw_connection()
    except psycopg.Error as error:
        raise _as_sqlalchemy_says(error, "") from error
    connection = cast(psycopg.Connection[Any], lent.driver_connection)
    try:
        connection.autocommit = True
        yield connection
    except DBAPIError as error:
        if isinstance(error.orig, ReadOnlySqlTransaction):
            lent.invalidate(error.orig)
        raise
    finally:
        if lent.is_valid:
            if connection.pgconn.transaction_status == TransactionStatus.IDLE:
                connection.autocommit = False
            else:  # lost, or left in the middle
                lent.invalidate()
        lent.close()


def writing(
    question: Select[Any], *tables: tuple[Table, Sequence[str]], if_any: CTE | None = None
) -> Select[Any]:
    """Return the question, which writes one row into each table as well, named by its columns.

    It takes the columns of each row under the names that `of_row` gives them, of the second into
    the same table as of its number 2. `if_any`: they are written where this finds something, and
    otherwise none of them is.
    """
    rows = []
    so_far: Counter[Table] = Counter()
    for table, columns in tables:
        so_far[table] += 1
        names, _ = _names_in(table, so_far[table])
        values = [bindparam(names[each], type_=table.c[each].type) for each in columns]
        row = select(*values) if if_any is None else select(*values).select_from(if_any)
        rows.append(insert(table).from_select(columns, row))
    return question.add_cte(*(row.cte(f"row_{number}") for number, row in enumerate(rows)))


def of_row(table: Table, row: Values, number: int = 1) -> dict[str, Any]:
    """Return the values of a row as `writing` takes them."""
    names, documents = _names_in(table, number)
    return {
        names[name]: Jsonb(value) if type(value) is list and name in documents else value
        for name, value in row.items()
    }


@cache
def _names_in(table: Table, number: int) -> tuple[dict[str, str], frozenset[str]]:
    """Return how `writing` names each column, and which of them hold JSON: a list is one there."""
    names = {each.name: f"{table.name}_{number}_{each.name}" for each in table.c}
    return names, frozenset(each.name for each in table.c if isinstance(each.type, JSONB))


@cache
def _numbered(factory: Any) -> type[psycopg.Cursor[Any]]:
    """Return the connection's kind of cursor, for statements with numbered values."""
    return type(f"Numbered{factory.__name__}", (RawCursorMixin, factory), {})
