"""The nightly dump of Compose and Kubernetes: its very scripts, on a PostgreSQL."""

import fcntl
import os
import re
import shlex
import signal
import socket
import stat
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from urllib.parse import quote

import pytest
import yaml

from config.settings import Settings
from marketplace.bootstrap import build
from marketplace.catalogue.seeding import seed_catalogue
from marketplace.core.db import db
from marketplace.core.sealing_log import head, seal_events
from marketplace.migrations.schema import upgrade
from tests.deploy.files import DEPLOY, MOMENT, ROOT, documents, run
from tests.deploy.servers import programs
from tests.factories import Factory
from tests.fleet import wait_until

FOLDER = DEPLOY / "backup"
DUMP = FOLDER / "dump"
DAY = 86_400

PASSWORD = r"of the product: 50%/\x41 'n \\ $HOME ä?@"
"""With all in it that an address, a shell or `printf` could take for something else."""
ENCODED = quote(PASSWORD, safe="\\")
"""In an address, where a backslash may stand as it is."""


@pytest.fixture(scope="module")
def passwords(drawn):
    return {**drawn["postgres"], "MARKETPLACE_PRODUCT_PASSWORD": PASSWORD}


@pytest.fixture(scope="module")
def given(server, drawn, passwords):
    """What an installation on the server is told, its database in the shape of now."""
    assert server.make_roles(**passwords).returncode == 0
    settings = server.settings(drawn)
    before = drawn["postgres"]["MARKETPLACE_PRODUCT_PASSWORD"]
    url = settings["MARKETPLACE_DATABASE_URL"].replace(before, ENCODED)
    given = {**settings, "MARKETPLACE_DATABASE_URL": url}
    with product_on(given) as product:
        upgrade(product.app)
        seed_catalogue(product.ctx)
        Factory(product.ctx).lead()
        seal_events(product.ctx)
    return given


@contextmanager
def product_on(given):
    product = build(Settings.from_env(given))
    with product.app.app_context():
        try:
            yield product
        finally:
            db.session.remove()
            db.engine.dispose()


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "backups"
    folder.mkdir()
    return folder


def stand_in(folder, name, script):
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/bash\n{script}\n")
    (folder / name).chmod(0o755)
    return folder


def environment_of(given, *first):
    path = ":".join(map(str, (*first, programs(), os.environ["PATH"])))
    return {"PATH": path, "MARKETPLACE_DATABASE_URL": given["MARKETPLACE_DATABASE_URL"]}


def dump(given, folder, *first):
    return run(DUMP, folder, env=environment_of(given, *first))


def names(folder):
    return sorted(each.name for each in folder.iterdir())


def an_old_one(folder, age, name="old.dump"):
    (folder / name).write_text("whatever")
    moment = time.time() - age
    os.utime(folder / name, (moment, moment))


def as_own(given):
    """Return the environment in which `marketplace` is a command, with these settings."""
    others = {k: v for k, v in os.environ.items() if not k.startswith("MARKETPLACE_")}
    return {**others, **given, "PYTHONPATH": str(ROOT)}


def marketplace(given, *words):
    return run(sys.executable, "-m", "marketplace.cli", *words, env=as_own(given))


def test_it_is_whole_and_for_its_owner_alone_and_doctor_knows_of_it_once_it_is_noted(
    given, folder, tmp_path
):
    said = dump(given, folder)
    assert (said.returncode, said.stderr) == (0, "")
    file, as_of = sorted(folder.iterdir())
    assert as_of.name == "as-of"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d-\d{6}\.dump", file.name)
    assert {stat.S_IMODE(each.stat().st_mode) for each in (file, as_of)} == {0o600}
    began = as_of.read_text().strip()
    assert said.stdout == f"{file} holds everything up to {began}.\n"
    assert re.sub(r"\D", "", file.name) == re.sub(r"\D", "", began)
    assert "No back-up was noted here yet" in marketplace(given, "doctor").stdout
    noted = note(given, folder, tmp_path)
    assert noted.returncode == 0, noted.stderr
    known = f"The last back-up that was noted is of {began[:10]} {began[11:16]} UTC."
    assert known in marketplace(given, "doctor").stdout


def note(given, folder, tmp_path):
    """Note it as the manifest does, where nothing answers but PostgreSQL, as its network has it."""
    (job, _) = documents((DEPLOY / "kubernetes" / "back-up.yaml").read_text())
    (container,) = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    own = stand_in(
        tmp_path / "own", "marketplace", f'exec {sys.executable} -m marketplace.cli "$@"'
    )
    *shell, script = container["command"]
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        silent.setblocking(False)
        mute = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        environment = as_own({**given, "MARKETPLACE_REDIS_URL": mute})
        environment["PATH"] = f"{own}:{environment['PATH']}"
        done = run(*shell, script.replace("/backups", str(folder)), env=environment)
        with pytest.raises(BlockingIOError):  # nobody has come
            silent.accept()
    return done


def test_without_a_dump_nothing_is_noted(given, folder, tmp_path):
    assert note(given, folder, tmp_path).returncode != 0
    (folder / "as-of").touch()  # of a disk that was full
    refused = note(given, folder, tmp_path)
    assert refused.returncode != 0
    assert "Noted" not in refused.stdout


def test_no_list_of_processes_shows_a_password(given, folder, tmp_path):
    """All that runs on this machine, at the moment when the dump begins."""
    seen = tmp_path / "seen"
    looks = stand_in(
        tmp_path / "looks",
        "pg_dump",
        f"cat /proc/[0-9]*/cmdline >{seen} 2>/dev/null\n"
        f'printf %s "$PGPASSWORD" >{seen}.password\nexec {programs()}/pg_dump "$@"',
    )
    assert dump(given, folder, looks).returncode == 0
    everything = seen.read_bytes().replace(b"\0", b" ").decode(errors="replace")
    assert "pg_dump --dbname=postgresql://marketplace@127.0.0.1/marketplace?host=" in everything
    assert PASSWORD not in everything
    assert ENCODED not in everything
    assert (tmp_path / "seen.password").read_text() == PASSWORD


def test_an_address_without_a_password_is_left_as_it_is(tmp_path):
    shows = stand_in(tmp_path / "shows", "psql", 'echo "${PGPASSWORD-none} $*"')
    for address in (
        "://marketplace@db/marketplace",
        "://db:5432/marketplace",
        "://marketplace@:5432/marketplace?host=/run/x",
        "://m@one:5432,two:5433/marketplace?sslmode=verify-full",
    ):
        for scheme in ("postgres", "postgresql", "postgresql+psycopg"):
            environment = {
                "PATH": f"{shows}:{os.environ['PATH']}",
                "MARKETPLACE_DATABASE_URL": scheme + address,
            }
            said = run(FOLDER / "at-database", "psql", "--list", env=environment)
            assert said.stdout == f"none --dbname=postgresql{address} --no-password --list\n"


def as_written_down(file):
    """Return the words with which BACKUP.md restores a dump on a cluster."""
    text = (DEPLOY / "BACKUP.md").read_text().replace("\\\n", "")
    (words,) = re.findall(r"marketplace-restore -- (\S+at-database .*?) &&", text)
    *typed, example = shlex.split(words.replace("/opt/back-up", str(FOLDER)))
    assert example.startswith("/backups/")
    return [*typed, *([str(file)] if file else [])]


@pytest.mark.parametrize("by_name", [True, False], ids=["by its name", "by standard input"])
def test_what_was_dumped_is_restored_as_it_is_written_down(
    server, passwords, given, folder, by_name
):
    before = the_end_of_the_log(given)
    assert before.seq > 0
    assert dump(given, folder).returncode == 0
    (file,) = folder.glob("*.dump")
    with server.superuser() as connection:
        connection.execute("ALTER DATABASE marketplace RENAME TO marketplace_damaged")
        assert server.make_roles(**passwords).returncode == 0
        connection.execute("DROP DATABASE marketplace_damaged")
    for code in (0, 1):  # and not a second time on top of the first
        with file.open() as content:
            done = run(
                *as_written_down(by_name and file),
                env=environment_of(of_the_pod_for_it(given)),
                stdin=content,
            )
        assert done.returncode == code, done.stderr
    assert marketplace(given, "migrate").returncode == 0
    assert the_end_of_the_log(given) == before
    assert marketplace(given, "verify-log").returncode == 0


def the_end_of_the_log(given):
    with product_on(given) as product, product.ctx.reading() as session:
        return head(session)


def of_the_pod_for_it(given):
    """Return what the pod for a restore is given."""
    (pod,) = documents((DEPLOY / "kubernetes" / "restore" / "pod.yaml").read_text())
    (variable,) = pod["spec"]["containers"][0]["env"]
    return {variable["name"]: given[variable["valueFrom"]["secretKeyRef"]["key"]]}


FAILS = {
    "pg_dump gives up half way": ("pg_dump", 'echo half >"${@: -1}"; echo >&2 gone; exit 1'),
    "what it wrote does not get to the disk": ("sync", "exit 1"),
    "the disk is full": ("pg_dump", f'trap "" XFSZ; ulimit -f 8; exec {programs()}/pg_dump "$@"'),
    "the file gets no name": ("mv", "exit 1"),
}


@pytest.mark.parametrize(("program", "does"), FAILS.values(), ids=FAILS)
def test_one_that_fails_leaves_nothing_and_takes_nothing_away(
    given, folder, tmp_path, program, does
):
    if program == "pg_dump":  # to where it was told
        does = does.replace("${@: -1}", f"{folder}/dump.partial")
    an_old_one(folder, 40 * DAY)
    failed = dump(given, folder, stand_in(tmp_path / "fails", program, does))
    assert failed.returncode != 0
    assert names(folder) == ["old.dump"]


def test_nor_does_one_that_gets_nowhere(given, folder, tmp_path):
    an_old_one(folder, 40 * DAY)
    strange = {**given, "MARKETPLACE_DATABASE_URL": "postgresql://m:x@127.0.0.1:1/marketplace"}
    wrong = given["MARKETPLACE_DATABASE_URL"].replace("marketplace:", "marketplace:not")
    for address in (strange, {"MARKETPLACE_DATABASE_URL": wrong}):
        refused = dump(address, folder)
        assert refused.returncode != 0
        assert refused.stderr
        assert names(folder) == ["old.dump"]
    for nowhere in (tmp_path / "nowhere", folder / "old.dump"):
        refused = dump(given, nowhere)
        assert refused.returncode != 0
        assert str(nowhere) in refused.stderr
    assert names(folder) == ["old.dump"]


def test_one_that_is_told_to_stop_leaves_nothing(given, folder, tmp_path):
    begins = f"echo $$ >{tmp_path}/began; echo half >{folder}/dump.partial; exec sleep 60"
    slow = stand_in(tmp_path / "slow", "pg_dump", begins)
    running = subprocess.Popen([DUMP, folder], env=environment_of(given, slow))
    began = tmp_path / "began"
    wait_until(lambda: began.exists() and began.read_text(), "the dump has begun")
    try:
        running.terminate()
        os.kill(int(began.read_text()), signal.SIGTERM)  # as whoever ends a container does
        assert running.wait(10) != 0
    finally:
        running.kill()
    assert names(folder) == []


def test_old_ones_go_and_young_ones_stay(given, folder):
    for name, age in (
        ("30-days.dump", 30 * DAY + 60),
        ("years.dump", 900 * DAY),
        ("29-days.dump", 30 * DAY - 600),
        ("yesterday.dump", DAY),
        ("notes.txt", 900 * DAY),
    ):
        an_old_one(folder, age, name)
    (folder / "others").mkdir()
    an_old_one(folder / "others", 900 * DAY)
    assert dump(given, folder).returncode == 0
    left = [each for each in names(folder) if not re.match(r"\d{4}-", each)]
    assert left == ["29-days.dump", "as-of", "notes.txt", "others", "yesterday.dump"]
    assert names(folder / "others") == ["old.dump"]


def test_two_are_not_taken_at_once_and_one_that_was_cut_off_is_no_hindrance(given, folder):
    partial = folder / "dump.partial"
    with partial.open("wb") as other:
        other.write(b"half of one that was cut off")
        other.flush()
        fcntl.flock(other, fcntl.LOCK_EX)
        refused = dump(given, folder)
        assert refused.returncode != 0
        assert "just being written" in refused.stderr
        assert names(folder) == ["dump.partial"]
    assert dump(given, folder).returncode == 0
    (file,) = folder.glob("*.dump")
    assert file.read_bytes().startswith(b"PGDMP")
    assert not partial.exists()


def test_on_one_host_it_is_noted_once_it_is_there_and_not_before(tmp_path):
    """`compose`, with a `docker` that says what it was asked for."""
    text = (FOLDER / "compose").read_text()
    there = "/var/lib/marketplace-backups"
    mounted = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["back-up"]
    assert f"{there}:/backups" in mounted["volumes"]
    stand_in(tmp_path / "backup", "compose", text.replace(there, str(tmp_path)))
    asked = tmp_path / "asked"
    docker = stand_in(
        tmp_path / "docker",
        "docker",
        f'echo "$PWD $*" >>{asked}\n[ "$2" != run ] || [ ! -e {tmp_path}/full ] || exit 1\n'
        f'[ "$2" != run ] || echo {MOMENT} >{tmp_path}/as-of',
    )
    environment = {"PATH": f"{docker}:{os.environ['PATH']}"}
    dumps = f"{tmp_path} compose run --rm --no-TTY back-up"
    notes = f"{tmp_path} compose exec --no-TTY web marketplace note-backup --as-of {MOMENT}"
    assert run(tmp_path / "backup" / "compose", env=environment).returncode == 0
    assert asked.read_text().splitlines() == [dumps, notes]
    (tmp_path / "full").touch()
    assert run(tmp_path / "backup" / "compose", env=environment).returncode != 0
    assert asked.read_text().splitlines() == [dumps, notes, dumps]


def test_what_is_kept_is_kept_as_long_as_by_systemd():
    kept = "-mtime +29 -delete"
    assert kept in DUMP.read_text()
    assert kept in (DEPLOY / "systemd" / "marketplace-back-up.service").read_text()
    assert "`marketplace note-backup`" in DUMP.read_text()
