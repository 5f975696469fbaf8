"""Bring the database to the shape that this version of the code expects."""

from pathlib import Path

import flask_migrate
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask
from sqlalchemy.orm import Session

from marketplace.core.db import db

FOLDER = str(Path(__file__).parent)


def upgrade(app: Flask) -> None:
    """Run every migration that is missing. Safe to call any number of times, and at once."""
    flask_migrate.Migrate(app, db, directory=FOLDER)
    with app.app_context():
        flask_migrate.upgrade(directory=FOLDER)
        db.session.remove()


def known_revisions() -> set[str]:
    """Return every revision that this version of the code knows."""
    return {revision.revision for revision in ScriptDirectory(FOLDER).walk_revisions()}


def missing_migrations(session: Session) -> bool:
    """Return whether the database lacks a migration; one that is newer than the code lacks none."""
    at = MigrationContext.configure(session.connection()).get_current_revision()
    return at != ScriptDirectory(FOLDER).get_current_head() and at in {None, *known_revisions()}
