"""Keep to the PostgreSQL that takes writes, whichever of the listed hosts that is now.

libpq tries the hosts of an address in their order. A machine that is cut off says nothing, so that
each new connection would wait for it first: here the host that answered last is tried first. A
connection to a server that has become read-only is of no more use, and is thrown away.
"""

from typing import Any

import psycopg
from psycopg.errors import ReadOnlySqlTransaction
from sqlalchemy import Connection, Engine, ExceptionContext, event, text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

_TAKES_WRITES = text(
    "SELECT NOT pg_is_in_recovery() AND NOT current_setting('default_transaction_read_only')::bool"
)

_answered_last: dict[tuple[str, str], tuple[str, str]] = {}
"""By hosts and ports as listed, which of them it was: for all engines of a process."""


def follow_primary(engine: Engine) -> Engine:
    """Return the engine, which from now on connects to the primary of now."""
    event.listen(engine, "do_connect", _try_the_last_first)
    event.listen(engine, "connect", _note_which_answered)
    event.listen(engine, "handle_error", _leave_what_is_read_only)
    event.listen(engine, "checkin", _leave_it_to_the_server)
    return engine


def takes_writes(session: Session | Connection) -> bool:
    """Return whether this PostgreSQL is no replica, and has not been set read-only."""
    return bool(session.scalar(_TAKES_WRITES))


def in_order(hosts: str, ports: str, last: tuple[str, str] | None) -> tuple[str, str]:
    """Return a list of hosts and that of their ports with one of them in front, if it is there."""
    names = hosts.split(",")
    numbers = ports.split(",")
    if len(numbers) == 1:  # as libpq has it: one port for all
        numbers *= len(names)
    pairs = list(zip(names, numbers, strict=False))
    if last in pairs:
        pairs.sort(key=lambda pair: pair != last)
    return ",".join(name for name, _ in pairs), ",".join(number for _, number in pairs)


def is_passing(error: DBAPIError) -> bool:
    """Return whether the database was away or asks to try again: nothing is wrong with us."""
    state = getattr(error.orig, "sqlstate", None)
    if state is None:
        # No answer at all; a connection that timed out is a kind of OperationalError.
        return error.connection_invalidated or isinstance(error, OperationalError)
    # Connection lost, shutting down, resources, and transactions it gave up on (deadlock).
    return str(state)[:2] in ("08", "57", "53", "40") or str(state) == "25006"


def is_away(error: BaseException | None) -> bool:
    """Return whether somebody met nothing worse than a database that is away for a while."""
    return isinstance(error, PoolTimeout) or (isinstance(error, DBAPIError) and is_passing(error))


def _listed(parameters: dict[str, Any]) -> tuple[str, str] | None:
    hosts = str(parameters.get("host", ""))
    return (hosts, str(parameters.get("port", ""))) if "," in hosts else None


def _try_the_last_first(
    _dialect: Any, record: Any, _arguments: list[Any], parameters: dict[str, Any]
) -> None:
    listed = _listed(parameters)
    if listed is not None:
        record.info["listed"] = listed
        host, port = in_order(*listed, _answered_last.get(listed))
        parameters |= {"host": host, "port": port}


def _note_which_answered(connection: psycopg.Connection[Any], record: Any) -> None:
    listed = record.info.get("listed")
    if listed is not None:
        port = str(connection.info.port) if any(listed[1].split(",")) else ""
        _answered_last[listed] = (connection.info.host, port)


def _leave_it_to_the_server(connection: psycopg.Connection[Any] | None, _record: object) -> None:
    """Ask for no transaction that writes where a question was asked before: that is what it is.

    SQLAlchemy turns "read only" into "read write" and not into nothing, and the driver would begin
    each transaction by saying so: to a primary of before that was set read-only to keep all out.
    """
    if connection is not None and not connection.closed and connection.read_only is not None:
        connection.read_only = None


def _leave_what_is_read_only(met: ExceptionContext) -> None:
    """Have SQLAlchemy throw away its connections, as if they had been lost."""
    if isinstance(met.original_exception, ReadOnlySqlTransaction):
        met.is_disconnect = True
