"""Where an import waits before it counts: temporary tables, filled by COPY, looked through by SQL.

The file goes through the memory a line at a time, so its length costs disk and no memory. Every
staged row gets the ids that it would have, should it turn out to be new.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from sqlalchemy import text
from sqlalchemy.orm import Session

from marketplace.core.db import new_id
from marketplace.core.identity import legal_entity, normal_number
from marketplace.providers.cells import COLUMNS, FURTHER_COLUMNS, Reference, Row, read_row
from marketplace.providers.lines import Line, read_lines
from marketplace.providers.rules import name_key

AT_ONCE = 1000
"""Rows that are held in memory before they are copied."""


@dataclass(frozen=True)
class RowProblem:
    """What is wrong in a line of the file, and in which column where it is one."""

    line: int
    column: str | None
    reason: str

    def __str__(self) -> str:
        where = f"line {self.line}" + (f", {self.column}" if self.column else "")
        return f"{where}: {self.reason}"


PROVIDERS = {
    "line": "int PRIMARY KEY",
    "provider_id": "uuid",
    "user_id": "uuid",
    "event_id": "uuid",
    "user_event_id": "uuid",
    "kind": "text",
    "name": "text",
    "name_key": "text",
    "country": "text",
    "registration_number": "text",
    "legal_entity": "text",
    "website": "text",
    "contact_name": "text",
    "email": "text",
    "phone": "text",
    "standards": "text[]",
    "regions": "text[]",
    "sectors": "text[]",
    "headcount_min": "int",
    "headcount_max": "int",
    "remote": "boolean",
    "open_capacity": "int",
    "monthly_capacity": "int",
    "languages": "text[]",
    "weeks_to_start": "int",
    "says_weeks": "boolean",
}
"""Of the columns that a file may do without, null `languages` say that it does; an empty list that
the provider does not say. `says_weeks` tells the same apart for the weeks."""
ACCREDITATIONS = {
    "line": "int",
    "id": "uuid",
    "check_id": "uuid",
    "event_id": "uuid",
    "body": "text",
    "certificate_number": "text",
    "standard": "text",
    "edition": "text",
    "valid_until": "date",
    "sectors": "text[]",
}
RELATED = {
    "line": "int",
    "value": "text",
    "entity": "text",
    "number": "text",
    "name_key": "text",
    "email": "text",
}
"""Whom a row names as related, and the ways in which that may be meant."""

TABLES = {
    "staged": PROVIDERS
    | {"match_id": "uuid", "match_state": "text", "changed": "boolean", "touched": "boolean"},
    "staged_accreditations": ACCREDITATIONS
    | {"held_id": "uuid", "is_new": "boolean", "differs": "boolean", "verifies": "boolean"},
    "staged_related": RELATED,
}
"""With what is found out about the rows once they are all there."""


def stage(
    session: Session, file: BinaryIO, reference: Reference, progress: Callable[[int], None]
) -> list[RowProblem]:
    """Copy the file into the temporary tables; return what is wrong with its rows by themselves.

    `progress` is told how many bytes have been read. Rows with problems are staged as far as they
    could be read, so that others may refer to them.
    """
    # What the planner knows of tables that have just grown is old: a loop inside a loop over them
    # would take hours, where a hash join of everything takes seconds.
    session.execute(text("SET LOCAL enable_nestloop = off"))
    for table, columns in TABLES.items():
        shape = ", ".join(f"{column} {kind}" for column, kind in columns.items())
        session.execute(text(f"CREATE TEMPORARY TABLE {table} ({shape}) ON COMMIT DROP"))
    lines = read_lines(file)
    header, wrong = _header(next(lines, None))
    if wrong:
        return [RowProblem(1, None, each) for each in wrong]
    problems: list[RowProblem] = []
    waiting: list[tuple[int, Row]] = []
    for line in lines:
        progress(line.bytes_read)
        if line.problem is not None:
            problems.append(RowProblem(line.number, None, line.problem))
            continue
        if len(line.cells) != len(header):
            width = f"has {len(line.cells)} cells where the header has {len(header)}"
            problems.append(RowProblem(line.number, None, width))
            continue
        row = read_row(dict(zip(header, line.cells, strict=True)), reference)
        problems += [RowProblem(line.number, *problem) for problem in row.problems]
        waiting.append((line.number, row))
        if len(waiting) == AT_ONCE:
            _copy(session, waiting)
            waiting.clear()
    _copy(session, waiting)
    for table in TABLES:
        session.execute(text(f"ANALYZE {table}"))
    return problems


def _header(line: Line | None) -> tuple[list[str], list[str]]:
    """Return the columns that the first line names, and what is wrong with it."""
    if line is None:
        return [], ["the file is empty: its first line must name the columns"]
    if line.problem is not None:
        return [], [line.problem]
    names = [cell.strip() for cell in line.cells]
    if len(names) == 1 and ";" in names[0]:
        return [], ["the columns must be separated by commas"]
    wrong = []
    for what, found in (
        ("missing", [name for name in COLUMNS if name not in names]),
        ("unknown", sorted({*names} - {*COLUMNS, *FURTHER_COLUMNS})),
        ("named twice", sorted({name for name in names if names.count(name) > 1})),
    ):
        if found:
            shown = ", ".join(name[:40] or "(without a name)" for name in found[:30])
            wrong.append(f"the header has {what} columns: {shown}")
    return names, wrong


def _copy(session: Session, rows: Sequence[tuple[int, Row]]) -> None:
    """Copy rows into the three tables."""
    connection: Any = session.connection().connection.driver_connection
    for table, columns, values in (
        ("staged", PROVIDERS, _providers(rows)),
        ("staged_accreditations", ACCREDITATIONS, _accreditations(rows)),
        ("staged_related", RELATED, _related(rows)),
    ):
        names = ", ".join(columns)
        with (
            connection.cursor() as cursor,
            cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy,
        ):
            for each in values:
                copy.write_row(each)


def _providers(rows: Sequence[tuple[int, Row]]) -> Iterator[tuple[Any, ...]]:
    read = list(PROVIDERS)[5:]
    for line, row in rows:
        own = [row.values.get(column) for column in read]
        yield (line, new_id(), new_id(), new_id(), new_id(), *own)


def _accreditations(rows: Sequence[tuple[int, Row]]) -> Iterator[tuple[Any, ...]]:
    read = list(ACCREDITATIONS)[4:]
    for line, row in rows:
        for each in row.accreditations:
            own = [getattr(each, column) for column in read]
            yield (line, new_id(), new_id(), new_id(), *own)


def _related(rows: Sequence[tuple[int, Row]]) -> Iterator[tuple[Any, ...]]:
    for line, row in rows:
        for value in row.related_to:
            entity, number = _as_number(row.values.get("country"), value)
            email = value.lower() if "@" in value else None
            yield (line, value, entity, number, name_key(value) or None, email)


def _as_number(country: str | None, value: str) -> tuple[str | None, str | None]:
    """Return the legal entity that a number stands for in the row's country, and the bare number.

    Only what has a digit can be one.
    """
    if not any(character.isdigit() for character in value):
        return None, None
    try:
        entity = legal_entity(country or "", value)
    except ValueError:
        entity = None
    try:
        return entity if country else None, normal_number("", value)
    except ValueError:
        return entity, None
