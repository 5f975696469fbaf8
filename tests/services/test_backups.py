"""Back-ups are noted in the log, and `doctor` misses the next one."""

import fcntl
import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text

from marketplace.core.backups import last_backup, note_backup
from marketplace.core.events import Event
from marketplace.core.policy import Policy
from marketplace.local import backup_findings, dumps
from marketplace.local.places import LocalError

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)


def findings(ctx, now):
    with ctx.reading() as session:
        return [*backup_findings.backup_findings(session, ctx.policy, now)]


def test_none_is_said_and_is_not_wrong_since_others_may_take_them(ctx):
    ((said, is_wrong),) = findings(ctx, NOON)
    assert ("No back-up was noted" in said, is_wrong) == (True, False)


@pytest.mark.parametrize(
    ("late", "is_wrong"), [(timedelta(0), False), (timedelta(seconds=1), True)]
)
def test_one_that_is_late_is_wrong(ctx, late, is_wrong):
    note_backup(ctx, as_of=NOON)
    note_backup(ctx, as_of=NOON - timedelta(days=5))  # an older one that was found
    ((said, wrong),) = findings(ctx, NOON + Policy.back_up_within + late)
    assert ("2026-11-30 12:00 UTC" in said, wrong) == (True, is_wrong)
    with ctx.reading() as session:
        assert last_backup(session) == NOON


def test_the_command_notes_it_by_the_time_that_is_given_or_now(ctx, environment, run):
    code, said, _ = run("note-backup", "--as-of", "2026-11-30T14:00:00+0200")
    assert (code, said) == (0, "Noted: there is a back-up of 2026-11-30 12:00:00 UTC.\n")
    with ctx.reading() as session:
        assert last_backup(session) == NOON
        (event,) = session.scalars(select(Event).where(Event.verb == "backup.taken"))
        assert (event.actor_kind, event.facts) == (
            "operator",
            {"as_of": "2026-11-30T12:00:00+00:00"},
        )
    assert run("note-backup")[0] == 0
    with ctx.reading() as session:
        assert datetime.now(UTC) - last_backup(session) < timedelta(minutes=1)
    assert run("note-backup", "--as-of", "yesterday")[0] == 2


def test_one_of_what_is_yet_to_happen_is_refused_since_none_after_it_would_be_missed(
    ctx, environment, run
):
    code, _, said = run("note-backup", "--as-of", "2999-01-01T00:00:00Z")
    assert (code, "yet to happen" in said) == (2, True)
    with ctx.reading() as session:
        assert last_backup(session) is None


LATE = NOON + Policy.back_up_within + timedelta(seconds=1)


@pytest.mark.parametrize(
    ("archiver", "said"),
    [
        # It has archived a moment ago: nobody needs a dump as well.
        ("true, timestamptz '2026-12-02 12:00Z', NULL::timestamptz, false",
         [("PostgreSQL archived its log last", False), ("The last back-up", False)]),
        # It hangs, and so it does not fail.
        ("true, timestamptz '2026-11-30 12:00Z', NULL::timestamptz, false",
         [("PostgreSQL archived its log last", True), ("The last back-up", True)]),
        # It has nothing to do it by.
        ("true, NULL::timestamptz, NULL::timestamptz, false",
         [("PostgreSQL is to archive its log", False), ("The last back-up", True)]),
        ("true, timestamptz '2026-12-02 11:00Z', timestamptz '2026-12-02 12:00Z', true",
         [("PostgreSQL cannot archive", True), ("The last back-up", True)]),
    ],
)  # fmt: skip
def test_only_a_log_that_is_archived_stands_in_for_a_dump(ctx, monkeypatch, archiver, said):
    monkeypatch.setattr(backup_findings, "_ARCHIVE", text(f"SELECT {archiver}"))
    note_backup(ctx, as_of=NOON)
    found = findings(ctx, LATE)
    assert [
        (each.startswith(start), wrong)
        for (each, wrong), (start, _) in zip(found, said, strict=True)
    ] == [(True, wrong) for _, wrong in said]


def test_one_that_fails_leaves_nothing_and_notes_nothing(installation, ctx, tmp_path, monkeypatch):
    monkeypatch.setattr(dumps, "LOCK_PATIENCE", "no time")
    with pytest.raises(LocalError, match="pg_dump gave up"):
        dumps.back_up(replace(installation, ctx=ctx), tmp_path / "x.dump")
    assert [*tmp_path.iterdir()] == []
    with ctx.reading() as session:
        assert last_backup(session) is None


def test_two_do_not_write_the_same_and_one_that_was_cut_off_is_no_hindrance(
    installation, ctx, tmp_path
):
    product, file = replace(installation, ctx=ctx), tmp_path / "x.dump"
    with (tmp_path / "x.dump.partial").open("wb") as other:
        other.write(b"half of one that was cut off")
        other.flush()
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(LocalError, match="just being written"):
            dumps.back_up(product, file)
    size = dumps.back_up(product, file).size
    assert [(each.name, each.stat().st_size) for each in tmp_path.iterdir()] == [("x.dump", size)]
    assert file.read_bytes().startswith(b"PGDMP")


def test_a_password_gets_to_the_program_and_into_no_list_of_processes(installation):
    address = "postgresql+psycopg://owner:s3cr%40t@db.example:5433/marketplace?sslmode=require"
    settings = replace(installation.settings, migration_database_url=address)
    (where, asks), environment = dumps._door(replace(installation, settings=settings))
    assert where == "--dbname=postgresql://owner@db.example:5433/marketplace?sslmode=require"
    assert (asks, environment["PGPASSWORD"]) == ("--no-password", "s3cr@t")


def test_a_program_is_taken_that_the_server_understands(monkeypatch):
    monkeypatch.setattr(dumps, "_major_of", lambda program: 20)
    monkeypatch.setattr(dumps.shutil, "which", lambda name: f"/elsewhere/{name}")
    assert dumps._program("pg_dump", 14) == dumps._program("pg_dump", 18) != "/elsewhere/pg_dump"
    assert dumps._program("pg_dump", 19) == "/elsewhere/pg_dump"
    for there in ("/elsewhere/pg_dump", None):
        monkeypatch.setattr(dumps.shutil, "which", lambda name, there=there: there)
        with pytest.raises(LocalError, match="postgresql-client-21"):
            dumps._program("pg_dump", 21)


@pytest.mark.parametrize(("server", "understands"), [(14, b""), (18, dumps.SINCE_17)])
def test_an_older_server_is_not_told_what_it_does_not_understand(server, understands):
    before = b"SET lock_timeout = 0;\n"
    data = b"SET client_encoding = 'UTF8';\nCOPY x FROM stdin;\n" + dumps.SINCE_17 + b"\\.\n"
    out = io.BytesIO()
    dumps._hand_on(io.BytesIO(before + dumps.SINCE_17 + data), out, server=server)
    assert out.getvalue() == before + understands + data
