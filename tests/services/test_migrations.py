"""The migrations build what the models describe, and can be run again."""

import flask_migrate
from sqlalchemy import text

from marketplace.core.db import db
from marketplace.migrations.schema import FOLDER, known_revisions, missing_migrations, upgrade


def test_the_migrations_build_exactly_what_the_models_describe(ctx):
    flask_migrate.check(directory=FOLDER)


def test_running_them_again_changes_nothing(installation, ctx):
    upgrade(installation.app)
    with ctx.reading() as session:
        assert not missing_migrations(session)


def test_a_schema_that_lacks_one_is_seen_and_a_newer_one_is_fine(ctx):
    def at(revision):
        with ctx.transaction() as tx:
            tx.session.execute(
                text("UPDATE alembic_version SET version_num = :at"), {"at": revision}
            )

    head = max(known_revisions())
    try:
        at("0001")
        with ctx.reading() as session:
            assert missing_migrations(session)
        at("9999_from_the_future")
        with ctx.reading() as session:
            assert not missing_migrations(session)
    finally:
        at(head)
        db.session.remove()
