"""Bring the database to the shape that this version of the code expects.

The version before it may serve meanwhile (config/deploy/UPGRADES.md): so a migration waits for a
table for a moment only, gives way to whoever uses it, and is tried again.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import flask_migrate
import structlog
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask
from psycopg.errors import DeadlockDetected, LockNotAvailable, QueryCanceled
from sqlalchemy import Connection, NullPool, create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from marketplace.core.db import db
from marketplace.core.errors import Conflict
from marketplace.core.primary import follow_primary, takes_writes
from marketplace.migrations.privileges import settle

FOLDER = str(Path(__file__).parent)

LAST_AT_REST = "0035"
"""Up to this migration nothing else had to run meanwhile; those after it run beside the version
before them, which their own rules and a linter see to (`tests/upgrades`)."""

LOCK_PATIENCE = 2
"""Seconds that a migration waits for a table. All who want the table after it, readers too, wait
behind it."""

STATEMENT_PATIENCE = 30
"""Seconds that one statement of a migration may take: it may hold a table for as long."""

LIMITS = (
    f"SET lock_timeout = '{LOCK_PATIENCE}s'",
    f"SET statement_timeout = '{STATEMENT_PATIENCE}s'",
)

GIVES_WAY = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 30.0)
"""Seconds between two attempts at a migration that found a table in use."""

ONE_MIGRATOR = 815
"""The advisory lock that a migrator holds."""

log = structlog.get_logger(__name__)


def upgrade(app: Flask) -> bool:
    """Run every migration that is missing, and settle who may do what in the database.

    As the role that owns the tables. Safe to call any number of times, and at once. A database that
    is newer than this code, since that went back a version, is left as it is: who may do what with
    tables that it does not know is not its to say. Return whether it is for this code to change.
    """
    flask_migrate.Migrate(app, db, directory=FOLDER)
    with app.app_context():
        with alone(app) as owner:
            if not takes_writes(owner):
                raise Conflict("the database takes no writes: it is a replica, or set read-only")
            if revision_at(owner) not in {None, *known_revisions()}:
                return False
        _migrate()
        with db.engine.connect() as connection:
            role = connection.scalars(text("SELECT current_user")).one()
        with alone(app) as owner, owner.begin():
            settle(owner, role)
        with db.engine.connect() as connection, Session(connection) as session:
            if missing_migrations(session):
                raise Conflict(
                    "MARKETPLACE_DATABASE_URL and MARKETPLACE_MIGRATION_DATABASE_URL do not name "
                    "the same database"
                )
        db.session.remove()
        return True


def _migrate() -> None:
    """Run what is missing, each in its own transaction; what was done stays done."""
    for wait in chain(GIVES_WAY, [None]):
        try:
            flask_migrate.upgrade(directory=FOLDER)
        except OperationalError as error:
            if isinstance(error.orig, QueryCanceled):
                raise Conflict(
                    f"a statement of a migration took longer than {STATEMENT_PATIENCE} seconds and "
                    "was undone: UPGRADES.md says how such a change is made in steps"
                ) from None
            # Of two who wait for each other PostgreSQL sends one away, which may be us.
            if not isinstance(error.orig, LockNotAvailable | DeadlockDetected):
                raise
            if wait is None:
                raise Conflict(
                    "a table that a migration changes was in use at every attempt; what was "
                    "finished stays, nothing is half done: see who holds it in pg_stat_activity, "
                    "and run `marketplace migrate` again"
                ) from None
            log.warning("migration_gave_way", wait=wait)
            time.sleep(wait)
        else:
            return


@contextmanager
def alone(app: Flask) -> Iterator[Connection]:
    """Connect as the role that owns the tables, and as the only one that changes their shape.

    The lock is the session's, so it holds from one migration to the next. It is asked for again and
    again: an index that is built concurrently waits for every statement that runs, also for one
    that waits for this lock.
    """
    with as_owner(app) as connection:
        is_told = False
        while not connection.scalar(text(f"SELECT pg_try_advisory_lock({ONE_MIGRATOR})")):
            connection.rollback()
            if not is_told:
                log.info("migration_waits_for_another")
                is_told = True
            time.sleep(0.1)
        connection.commit()
        yield connection


@contextmanager
def as_owner(app: Flask) -> Iterator[Connection]:
    """Connect as the role that owns the tables, by settings and options like the product's own."""
    url = app.config["MIGRATION_DATABASE_URI"]
    options = app.config["SQLALCHEMY_ENGINE_OPTIONS"]["connect_args"]
    engine = follow_primary(
        create_engine(url, poolclass=NullPool, hide_parameters=True, connect_args=options)
    )
    with engine.connect() as connection:
        yield connection


def limits_from(revision: str | None) -> list[str]:
    """Return what a connection is to be told that migrates a database which is at `revision`."""
    return [] if revision in {None, "base", *_at_rest()} else [*LIMITS]


def _at_rest() -> set[str]:
    """Return every revision before `LAST_AT_REST`."""
    before = ScriptDirectory(FOLDER).iterate_revisions(LAST_AT_REST, "base")
    return {each.revision for each in before} - {LAST_AT_REST}


def revision_at(connection: Connection) -> str | None:
    """Return the revision that a database is at."""
    return MigrationContext.configure(connection).get_current_revision()


def known_revisions() -> set[str]:
    """Return every revision that this version of the code knows."""
    return {revision.revision for revision in ScriptDirectory(FOLDER).walk_revisions()}


def missing_migrations(session: Session) -> bool:
    """Return whether the database lacks a migration; one that is newer than the code lacks none."""
    at = revision_at(session.connection())
    return at != ScriptDirectory(FOLDER).get_current_head() and at in {None, *known_revisions()}
