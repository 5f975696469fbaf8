"""A migration gives way to whoever uses a table, and is tried again; an index holds up nobody."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Timer

import psycopg
import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from marketplace.core.errors import Conflict
from marketplace.migrations import schema
from marketplace.migrations.schema import LAST_AT_REST, alone, known_revisions, limits_from, upgrade
from tests.conftest import nothing_held
from tests.upgrades.linting import faults_of, scripts_after, statements_of

HEADER = '''"""Invented: {title}."""

from alembic import op
from marketplace.migrations.steps import index_beside_writers

revision = {revision!r}
down_revision = {before!r}
step = 'expand'


def upgrade():
    {does}
'''

TABLE = "op.execute('CREATE TABLE of_tomorrow (a bigint, b bigint)')"
COLUMN = "op.execute('ALTER TABLE of_tomorrow ADD COLUMN c bigint')"


@pytest.fixture
def tomorrow(installation, ctx, tmp_path, monkeypatch):
    """Write migrations of tomorrow down behind those that there are; undo afterwards what ran."""
    folder = tmp_path / "migrations"
    shutil.copytree(schema.FOLDER, folder, ignore=shutil.ignore_patterns("__pycache__"))
    head = max(known_revisions())
    monkeypatch.setattr(schema, "FOLDER", str(folder))
    monkeypatch.setattr(schema, "GIVES_WAY", (0.01,) * 2)
    monkeypatch.setattr(schema, "LIMITS", limits(50, 10_000))

    def write(*does):
        before = head
        for number, each in enumerate(does):
            revision = f"9{number:03}"
            path = folder / "versions" / f"{revision}_invented.py"
            path.write_text(
                HEADER.format(title=each[:20], revision=revision, before=before, does=each)
            )
            before = revision
        return str(folder)

    yield write
    with nothing_held(installation.app) as owner:
        owner.execute("DROP TABLE IF EXISTS of_tomorrow")
        owner.execute("UPDATE alembic_version SET version_num = %s", [head])


def limits(lock, statement):
    return f"SET lock_timeout = '{lock}ms'", f"SET statement_timeout = '{statement}ms'"


@contextmanager
def connected(installation):
    with psycopg.connect(installation.settings.database_url.replace("+psycopg", "")) as connection:
        yield connection


def at(installation):
    with connected(installation) as connection:
        return connection.execute("SELECT version_num FROM alembic_version").fetchone()[0]


def waits_for_its_turn(app):
    """Do what another migrator does meanwhile. Alembic itself runs once in a process."""
    with alone(app) as connection:
        assert connection.scalar(text("SELECT true"))


def test_a_migration_gives_way_to_a_reader_and_is_done_when_it_has_gone(
    installation, tomorrow, monkeypatch
):
    tomorrow(TABLE)
    upgrade(installation.app)
    tomorrow(TABLE, COLUMN)
    with connected(installation) as reader, capture_logs() as lines:
        reader.execute("SELECT FROM of_tomorrow")

        def until_it_has_gone():
            yield 0.01
            yield 0.01
            reader.rollback()
            yield 0.01

        monkeypatch.setattr(schema, "GIVES_WAY", until_it_has_gone())
        upgrade(installation.app)
    assert [line["event"] for line in lines].count("migration_gave_way") == 2
    with connected(installation) as connection:
        connection.execute("SELECT c FROM of_tomorrow")


def test_one_of_two_who_wait_for_each_other_is_tried_again(installation, tomorrow):
    """What PostgreSQL says then, said once: a sequence goes on though all else is undone."""
    counted = "op.execute('CREATE TABLE of_tomorrow (a bigserial)')"
    tomorrow(
        counted,
        "op.execute(\"DO $$ BEGIN IF nextval('of_tomorrow_a_seq') = 1 THEN"
        " RAISE EXCEPTION USING ERRCODE = 'deadlock_detected'; END IF; END $$\")",
    )
    with capture_logs() as lines:
        upgrade(installation.app)
    assert [line["event"] for line in lines].count("migration_gave_way") == 1
    assert at(installation) == "9001"


def test_where_a_table_is_always_in_use_that_is_said_and_nothing_is_half_done(
    installation, tomorrow
):
    tomorrow(TABLE)
    upgrade(installation.app)
    tomorrow(TABLE, "pass", f"op.execute('CREATE TABLE half (a bigint)'); {COLUMN}")
    with connected(installation) as reader:
        reader.execute("SELECT FROM of_tomorrow")
        with pytest.raises(Conflict, match=r"in use at every attempt.*marketplace migrate"):
            upgrade(installation.app)
        reader.rollback()
        assert at(installation) == "9001"  # what was finished stays
        assert reader.execute("SELECT to_regclass('half')").fetchone() == (None,)


def test_a_statement_that_takes_too_long_is_undone_and_that_is_said(
    installation, tomorrow, monkeypatch
):
    monkeypatch.setattr(schema, "LIMITS", limits(50, 200))
    before = at(installation)
    tomorrow("op.execute('SELECT pg_sleep(5)')")
    with pytest.raises(Conflict, match="took longer than"):
        upgrade(installation.app)
    assert at(installation) == before


def test_an_index_is_built_beside_writers_and_other_migrators_and_anew_where_it_was_cut_off(
    installation, tomorrow
):
    as_set = "op.execute(\"DO $$ BEGIN ASSERT current_setting('lock_timeout') = '{}'; END $$\")"
    tomorrow(f"{TABLE}; op.execute('CREATE INDEX i ON of_tomorrow (b)')")
    upgrade(installation.app)
    folder = tomorrow(
        f"{TABLE}; op.execute('CREATE INDEX i ON of_tomorrow (b)')",
        as_set.format("50ms"),
        "index_beside_writers('i', 'of_tomorrow', ['a'])",
        as_set.format("50ms"),
    )
    with connected(installation) as writer, ThreadPoolExecutor(3) as pool:
        writer.execute("INSERT INTO of_tomorrow VALUES (1, 2)")
        goes = Timer(0.3, writer.commit)
        goes.start()
        others = [pool.submit(waits_for_its_turn, installation.app) for _ in range(2)]
        upgrade(installation.app)
        for other in others:
            other.result()
        goes.join()
        assert writer.execute(
            "SELECT pg_get_indexdef(indexrelid, 1, true), indisvalid FROM pg_index"
            " WHERE indexrelid = 'i'::regclass"
        ).fetchone() == ("a", True)
    script = scripts_after("9001", folder)[0]
    with installation.app.app_context():
        assert faults_of(statements_of(script, folder), "expand") == []


def test_a_database_from_before_has_no_limits_and_one_in_use_has():
    assert limits_from(None) == limits_from("0034") == []
    assert limits_from(LAST_AT_REST) == limits_from("9999_from_the_future") == [*schema.LIMITS]


def test_a_new_migration_has_to_say_which_step_it_is():
    template = Path(schema.FOLDER, "script.py.mako").read_text()
    assert "\nstep = 'expand'\n" in template
