"""A base backup and the log behind it: back to the moment before somebody deleted everything."""

import os
import re
import shutil
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import URL, text

from marketplace.bootstrap import build
from marketplace.catalogue.seeding import seed_catalogue
from marketplace.core.db import db
from marketplace.core.verifying import verify_log
from marketplace.invitations.rules import InvitationState
from marketplace.leads.models import Lead
from marketplace.local import watch_findings
from marketplace.local.backup_findings import backup_findings
from marketplace.local.dumps import _program
from marketplace.local.places import open_place, remove_place
from marketplace.local.postgres import MAJOR, SETTINGS, SUPERUSER, EmbeddedPostgres
from marketplace.local.watch_findings import database_findings
from marketplace.matching.service import match_lead
from marketplace.migrations.schema import upgrade
from tests.conftest import RecordingQueue, Services, settings_for
from tests.deploy.files import DEPLOY
from tests.factories import Factory
from tests.fleet import wait_until
from tests.services.road import a_quote, held


def archive_command(archive: Path) -> str:
    """Return that of BACKUP.md."""
    text = (DEPLOY / "BACKUP.md").read_text()
    (command,) = re.findall(r"^ *archive_command = '(.*)'$", text, flags=re.M)
    return str(command).replace("/archive", str(archive))


class Archiving(EmbeddedPostgres):
    """One that archives its log, as BACKUP.md has it."""

    def __init__(self, data_dir: Path, archive: Path) -> None:
        super().__init__(data_dir, durable=False)
        self.settings = {
            **SETTINGS,
            "wal_level": "replica",
            "max_wal_senders": "2",
            "archive_mode": "on",
            "archive_command": archive_command(archive),
        }


class Recovering(EmbeddedPostgres):
    """One that is made out of a base backup and what was archived."""

    def __init__(self, data_dir: Path, base: Path, archive: Path, until: str) -> None:
        super().__init__(data_dir, durable=False)
        self.base = base
        self.settings = {
            **SETTINGS,
            "wal_level": "replica",
            "max_wal_senders": "2",
            "restore_command": f"cp {archive}/%f %p",
            "recovery_target_time": until,
            "recovery_target_action": "promote",
        }

    def _make_cluster(self, place, programs, data):
        shutil.copytree(self.base, data)
        (data / "recovery.signal").touch()
        for path in (data, *data.rglob("*")):
            path.chmod(0o700 if path.is_dir() else 0o600)
            if place.account:
                os.chown(path, place.account.uid, place.account.gid)


@contextmanager
def product_on(postgres):
    product = build(settings_for(Services(postgres.url, "redis://127.0.0.1:9", postgres.owner_url)))
    with product.app.app_context():
        try:
            yield replace(product, ctx=replace(product.ctx, queue=RecordingQueue()))
        finally:
            db.session.remove()
            db.engine.dispose()


def superuser(postgres, statement):
    with psycopg.connect(
        host=str(postgres._socket_folder), user=SUPERUSER, dbname="marketplace", autocommit=True
    ) as connection:
        done = connection.execute(statement)
        return done.fetchone() if done.description else None


def run(name, *arguments):
    program = [_program(name, int(MAJOR)), *arguments]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def assert_commits_that_wait_are_named(product, postgres, monkeypatch):
    """With a replica that every commit has to wait for, and that there is not."""
    monkeypatch.setattr(watch_findings, "HELD_UP_FOR", timedelta(0))

    url = postgres.url.replace("+psycopg", "")

    def has_reloaded(wanted):
        superuser(postgres, "SELECT pg_reload_conf()")
        return superuser(postgres, "SHOW synchronous_standby_names")[0] == wanted

    def said():
        with product.ctx.reading() as session:
            findings = [*database_findings(session, product.ctx.clock())]
        return [said for said, is_wrong in findings if is_wrong and "replica" in said]

    assert said() == []
    superuser(postgres, "ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    wait_until(lambda: has_reloaded("nobody"), "commits wait for somebody")
    with ThreadPoolExecutor(1) as pool, psycopg.connect(url) as waiting:
        waiting.execute("SET LOCAL synchronous_commit = on")
        waiting.execute("UPDATE leads SET company_name = company_name")
        commit = pool.submit(waiting.commit)
        try:
            wait_until(lambda: said() != [], "a commit that waits is noticed")
            assert not commit.done()
            assert re.match("Commits that wait for a synchronous replica: 1, .*FAILOVER", said()[0])
        finally:
            superuser(postgres, "ALTER SYSTEM SET synchronous_standby_names = ''")
            superuser(postgres, "SELECT pg_reload_conf()")
        commit.result(10)  # as FAILOVER.md says, it is answered
    assert said() == []


def found(product):
    with product.ctx.reading() as session:
        return [*backup_findings(session, product.ctx.policy, product.ctx.clock())]


def test_a_segment_is_archived_once_and_another_of_its_name_is_refused(tmp_path):
    segment, archive = tmp_path / "000000010000000000000001", tmp_path / "archive"
    archive.mkdir()
    command = archive_command(archive).replace("%p", str(segment)).replace("%f", segment.name)
    for content, is_taken in (("one", True), ("one", True), ("two", False)):
        segment.write_text(content)
        done = subprocess.run(["sh", "-c", command], check=False)
        assert (done.returncode == 0) == is_taken
        assert [(each.name, each.read_text()) for each in archive.iterdir()] == [
            (segment.name, "one")
        ]


@pytest.fixture
def folders():
    folder = Path(tempfile.mkdtemp(prefix="marketplace-wal-"))
    folder.chmod(0o711)  # root's servers run as somebody else, who has to get through
    for name in ("archive", "old", "new"):
        (folder / name).mkdir()
        (folder / name).chmod(0o777 if name == "archive" else 0o711)
    yield folder
    for name in ("old", "new"):
        if (folder / name / "postgres.location").exists():
            remove_place(folder / name, "postgres", open_place(folder / name, "postgres"))
    shutil.rmtree(folder)


def test_everything_is_there_up_to_the_moment_that_was_chosen(folders, monkeypatch):
    archive, base = folders / "archive", folders / "base"
    old = Archiving(folders / "old", archive)
    try:
        old.start()
        with product_on(old) as product:
            upgrade(product.app)
            seed_catalogue(product.ctx)
            make = Factory(product.ctx)
            for _ in range(3):
                make.provider()
            first = make.matched_lead()
            door = URL.create(
                "postgresql", SUPERUSER, port=5432, query={"host": str(old._socket_folder)}
            )
            run(
                "pg_basebackup", f"--dbname={door.render_as_string()}", f"--pgdata={base}",
                "--checkpoint=fast", "--wal-method=stream", "--no-sync",
            )  # fmt: skip
            second = make.lead()  # not matched yet
            assert_commits_that_wait_are_named(product, old, monkeypatch)
            (until,) = superuser(old, "SELECT clock_timestamp()::text")
            time.sleep(0.01)
            superuser(old, "UPDATE leads SET company_name = 'gone' RETURNING 1")
            (damaged,) = superuser(old, "SELECT pg_walfile_name(pg_switch_wal())")
            wait_until(lambda: (archive / damaged).exists(), "what happened is archived")
            ((said, is_wrong),) = found(product)
            assert (said[:35], is_wrong) == ("PostgreSQL archived its log last at", False)
            archive.chmod(0o555)  # what a full or lost disk does
            superuser(old, "SELECT txid_current()")  # what is empty is not archived
            superuser(old, "SELECT pg_switch_wal()")
            wait_until(lambda: found(product)[0][1], "that it cannot be archived is noticed")
            assert "cannot archive its log since" in found(product)[0][0]
    finally:
        old.stop()
    new = Recovering(folders / "new", base, archive, until)
    try:
        new.start()
        wait_until(lambda: superuser(new, "SELECT NOT pg_is_in_recovery()")[0], "it is recovered")
        with product_on(new) as product, product.ctx.reading() as session:
            assert "gone" not in session.scalars(text("SELECT company_name FROM leads")).all()
            assert session.get(Lead, second.id) is not None
        with product_on(new) as product:
            assert verify_log(product.ctx).found == []
            make = Factory(product.ctx)
            match_lead(product.ctx, second.id)
            for lead in (first, second):
                place, *_ = held(make, lead)
                a_quote(product.ctx, place)
                assert held(make, lead)[0].state is InvitationState.QUOTED
    finally:
        new.stop()
