"""The migrations build what the models describe, and can be run again."""

import flask_migrate

from marketplace.core.db import db
from marketplace.migrations.schema import FOLDER, known_revisions, missing_migrations, upgrade
from tests.conftest import nothing_held


def test_the_migrations_build_exactly_what_the_models_describe(ctx):
    flask_migrate.check(directory=FOLDER)


def test_running_them_again_changes_nothing(installation, ctx):
    upgrade(installation.app)
    with ctx.reading() as session:
        assert not missing_migrations(session)


def test_a_schema_that_lacks_one_is_seen_and_a_newer_one_is_fine(installation, ctx):
    def at(revision):
        with nothing_held(installation.app) as owner:
            owner.execute("UPDATE alembic_version SET version_num = %s", [revision])

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
