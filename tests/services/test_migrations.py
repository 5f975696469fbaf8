"""The migrations build what the models describe, and can be run again."""

import flask_migrate
import pytest
from sqlalchemy import text

from marketplace.core.db import db
from marketplace.migrations.schema import FOLDER, known_revisions, missing_migrations, upgrade
from tests.conftest import nothing_held


def test_the_migrations_build_exactly_what_the_models_describe(ctx):
    flask_migrate.check(directory=FOLDER)


def test_running_them_again_changes_nothing(installation, ctx):
    upgrade(installation.app)
    with ctx.reading() as session:
        assert not missing_migrations(session)


@pytest.fixture
def at(installation, ctx):
    """Say in the database that it is at another revision."""

    def at(revision):
        with nothing_held(installation.app) as owner:
            owner.execute("UPDATE alembic_version SET version_num = %s", [revision])

    yield at
    at(max(known_revisions()))
    db.session.remove()


def test_a_schema_that_lacks_one_is_seen_and_a_newer_one_is_fine(ctx, at):
    at("0001")
    with ctx.reading() as session:
        assert missing_migrations(session)
    at("9999_from_the_future")
    with ctx.reading() as session:
        assert not missing_migrations(session)


def test_a_version_that_went_back_leaves_a_newer_database_as_it_is(
    installation, ctx, at, environment, run
):
    at("9999_from_the_future")
    with nothing_held(installation.app) as owner:
        role = ctx_role(ctx)
        owner.execute(f"CREATE TABLE of_tomorrow (); REVOKE ALL ON of_tomorrow FROM {role}")
    try:
        code, said, _ = run("migrate")
        assert (code, "newer than this version" in said) == (0, True)
        with ctx.reading() as session:
            may = "SELECT has_table_privilege('of_tomorrow', 'UPDATE')"
            assert not session.scalar(text(may))
    finally:
        with nothing_held(installation.app) as owner:
            owner.execute("DROP TABLE of_tomorrow")


def ctx_role(ctx):
    with ctx.reading() as session:
        return session.scalar(text("SELECT current_user"))
