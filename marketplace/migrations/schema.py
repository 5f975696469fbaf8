"""Bring the database to the shape that this version of the code expects."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import flask_migrate
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask
from sqlalchemy import Connection, NullPool, create_engine, text
from sqlalchemy.orm import Session

from marketplace.core.db import db
from marketplace.core.errors import Conflict
from marketplace.migrations.privileges import settle

FOLDER = str(Path(__file__).parent)


def upgrade(app: Flask) -> None:
    """Run every migration that is missing, and settle who may do what in the database.

    As the role that owns the tables. Safe to call any number of times, and at once.
    """
    flask_migrate.Migrate(app, db, directory=FOLDER)
    with app.app_context():
        flask_migrate.upgrade(directory=FOLDER)
        with db.engine.connect() as connection:
            role = connection.scalars(text("SELECT current_user")).one()
        with as_owner(app) as owner, owner.begin():
            owner.execute(text("SELECT pg_advisory_xact_lock(815)"))
            settle(owner, role)
        with db.engine.connect() as connection, Session(connection) as session:
            if missing_migrations(session):
                raise Conflict(
                    "MARKETPLACE_DATABASE_URL and MARKETPLACE_MIGRATION_DATABASE_URL do not name "
                    "the same database"
                )
        db.session.remove()


@contextmanager
def as_owner(app: Flask) -> Iterator[Connection]:
    """Connect as the role that owns the tables, by settings and options like the product's own."""
    url = app.config["MIGRATION_DATABASE_URI"]
    options = app.config["SQLALCHEMY_ENGINE_OPTIONS"]["connect_args"]
    engine = create_engine(url, poolclass=NullPool, hide_parameters=True, connect_args=options)
    with engine.connect() as connection:
        yield connection


def known_revisions() -> set[str]:
    """Return every revision that this version of the code knows."""
    return {revision.revision for revision in ScriptDirectory(FOLDER).walk_revisions()}


def missing_migrations(session: Session) -> bool:
    """Return whether the database lacks a migration; one that is newer than the code lacks none."""
    at = MigrationContext.configure(session.connection()).get_current_revision()
    return at != ScriptDirectory(FOLDER).get_current_head() and at in {None, *known_revisions()}
