"""The embedded servers: what they are, what they keep, and what they survive."""

import os
import re
import signal
import stat
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
from redis import Redis
from redis.exceptions import AuthenticationError
from sqlalchemy import create_engine, make_url
from sqlalchemy.pool import NullPool

from marketplace.local.places import LocalError
from marketplace.local.postgres import OWNER, PRODUCT, EmbeddedPostgres
from marketplace.local.processes import AlreadyRunning
from marketplace.local.redis import EmbeddedRedis

KEEPER = """
import sys, time
from pathlib import Path
from marketplace.local.postgres import EmbeddedPostgres
from marketplace.local.redis import EmbeddedRedis
postgres, redis = EmbeddedPostgres(Path(sys.argv[1])), EmbeddedRedis(Path(sys.argv[1]))
print(postgres.start(), redis.start(), sep="\\n")
print(postgres.pid, redis.pid, postgres._watchdog.pid, redis._watchdog.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """A folder in which PostgreSQL has had its first start, the slow one, once for all tests."""
    folder = tmp_path_factory.mktemp("local")
    servers = [EmbeddedPostgres(folder, durable=False), EmbeddedRedis(folder)]
    for server in servers:
        server.start()
        server.stop()
    yield folder
    for server in servers:
        server.remove_data()


@pytest.fixture
def embedded(data_dir):
    """Make servers that are stopped after the test."""
    made = []

    def make(kind, **options):
        made.append(kind(data_dir, **options))
        return made[-1]

    yield make
    for server in made:
        server.stop()


def run(url, *statements):
    """Run the statements as the owner, and return the first value of the last one if any."""
    engine = create_engine(make_url(url).set(username=OWNER), poolclass=NullPool)
    with engine.begin() as connection:
        results = [connection.exec_driver_sql(statement) for statement in statements]
        return results[-1].scalar() if results[-1].returns_rows else None


def keep(url, value):
    run(
        url,
        "CREATE TABLE IF NOT EXISTS kept (value text)",
        "DELETE FROM kept",
        f"INSERT INTO kept VALUES ('{value}')",
    )


def kept(url):
    return run(url, "SELECT value FROM kept")


def put(url, value):
    with Redis.from_url(url) as redis:
        redis.set("kept", value)


def got(url):
    with Redis.from_url(url) as redis:
        return redis.get("kept")


def is_gone(pid):
    """Return whether the process has ended, even if nobody has asked for its result yet."""
    with suppress(FileNotFoundError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return True


def wait_for(condition):
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def folder_of(server):
    return server._place.folder


def test_what_was_written_is_there_after_a_restart(embedded):
    postgres, redis = embedded(EmbeddedPostgres), embedded(EmbeddedRedis)
    keep(postgres.start(), "a")
    put(redis.start(), "b")
    postgres.stop()
    redis.stop()
    assert not postgres.is_running()

    assert kept(postgres.start()) == "a"
    assert got(redis.start()) == b"b"


def test_a_server_that_was_killed_starts_again_with_its_data(embedded):
    postgres, redis = embedded(EmbeddedPostgres), embedded(EmbeddedRedis)
    keep(postgres.start(), "c")
    put(redis.start(), "d")
    for server in (postgres, redis):
        os.kill(server.pid, signal.SIGKILL)
        wait_for(lambda server=server: not server.is_running())
        server.stop()

    assert kept(postgres.start()) == "c"
    assert got(redis.start()) == b"d"


@pytest.mark.parametrize("watchdogs", ["alive", "killed"])
def test_when_the_keeper_is_killed_the_next_one_takes_over(embedded, data_dir, watchdogs):
    with subprocess.Popen(
        [sys.executable, "-c", KEEPER, str(data_dir)], stdout=subprocess.PIPE, text=True
    ) as keeper:
        database_url, redis_url, pids = (keeper.stdout.readline().strip() for _ in range(3))
        postgres_pid, redis_pid, *watchdog_pids = map(int, pids.split())
        keep(database_url, watchdogs)
        put(redis_url, watchdogs)
        if watchdogs == "killed":
            for pid in watchdog_pids:
                os.kill(pid, signal.SIGKILL)
                wait_for(lambda pid=pid: is_gone(pid))
        keeper.kill()

    if watchdogs == "alive":
        wait_for(lambda: is_gone(postgres_pid) and is_gone(redis_pid))
    else:
        assert not is_gone(postgres_pid)
        assert not is_gone(redis_pid)
    assert kept(embedded(EmbeddedPostgres).start()) == watchdogs
    assert got(embedded(EmbeddedRedis).start()) == watchdogs.encode()
    assert is_gone(postgres_pid)
    assert is_gone(redis_pid)


@pytest.mark.parametrize("kind", [EmbeddedPostgres, EmbeddedRedis])
def test_a_second_start_on_the_same_folder_is_refused_in_a_sentence(embedded, kind):
    first, second = embedded(kind), embedded(kind)
    first.start()
    with pytest.raises(AlreadyRunning, match=rf"in use by process {os.getpid()}\. Stop that one"):
        second.start()
    with pytest.raises(AlreadyRunning, match="started already"):
        first.start()
    assert first.is_running()


def test_a_stale_note_that_names_a_process_of_today_does_not_hinder(embedded):
    postgres = embedded(EmbeddedPostgres)
    postgres.start()
    note = folder_of(postgres) / "data" / "postmaster.pid"
    lines = note.read_text().splitlines()
    postgres.stop()
    account = postgres._place.account
    with subprocess.Popen(["sleep", "60"], user=account.uid if account else None) as stranger:
        note.write_text("\n".join([str(stranger.pid), *lines[1:]]))
        (folder_of(postgres) / "server.lock").write_text(f"{stranger.pid} (postgres) S" + " 1" * 40)
        assert run(postgres.start(), "SELECT 1") == 1
        assert stranger.poll() is None
        stranger.kill()


def test_an_interrupted_first_start_is_begun_again(embedded):
    postgres = embedded(EmbeddedPostgres, durable=False)
    postgres.start()
    postgres.stop()
    (folder_of(postgres) / "data").rename(folder_of(postgres) / "data.new")
    (folder_of(postgres) / "data.new" / "global" / "pg_control").unlink()
    assert run(postgres.start(), "SELECT 1") == 1


def test_data_of_another_version_are_refused_in_a_sentence(embedded):
    postgres = embedded(EmbeddedPostgres)
    postgres.start()
    postgres.stop()
    version = folder_of(postgres) / "data" / "PG_VERSION"
    version.write_text("17\n")
    with pytest.raises(LocalError, match="are of PostgreSQL 17, and this is PostgreSQL 18"):
        postgres.start()
    version.write_text("18\n")
    postgres.start()


def test_redis_starts_empty_where_its_data_cannot_be_read(embedded):
    redis = embedded(EmbeddedRedis)
    put(redis.start(), "e")
    redis.stop()
    for path in (folder_of(redis) / "data").rglob("*.aof"):
        path.write_bytes(b"no such command\r\n" * 100)
    assert got(redis.start()) is None
    assert list((folder_of(redis) / "data.unreadable").rglob("*.aof"))


def test_nothing_listens_on_the_network(embedded):
    postgres, redis = embedded(EmbeddedPostgres), embedded(EmbeddedRedis)
    postgres.start()
    redis.start()
    on_the_network = {
        line.split()[9]
        for table in ("tcp", "tcp6", "udp", "udp6")
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
    }
    for pid in (postgres.pid, redis.pid):
        links = " ".join(os.readlink(fd) for fd in Path(f"/proc/{pid}/fd").iterdir())
        sockets = set(re.findall(r"socket:\[(\d+)\]", links))
        assert sockets
        assert not sockets & on_the_network


def test_the_database_is_what_the_product_expects(embedded):
    url = embedded(EmbeddedPostgres).start()
    assert run(url, "SELECT current_database()") == "marketplace"
    assert run(url, "SHOW timezone") == "UTC"
    assert run(url, "SHOW server_encoding") == "UTF8"
    assert run(url, "SHOW fsync") == "on"
    assert run(url, "SELECT upper('é')") == "É"
    assert run(url, "SELECT 'Z' < 'a'") is True
    assert run(url, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False


def test_data_from_before_there_were_two_roles_get_the_second_at_the_next_start(embedded):
    postgres = embedded(EmbeddedPostgres)
    postgres.start()
    with postgres._connect() as connection:
        connection.execute(f"DROP ROLE {PRODUCT}")
    postgres.stop()
    with psycopg.connect(postgres.start().replace("+psycopg", "")) as connection:
        assert connection.execute("SELECT current_user").fetchone() == (PRODUCT,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("CREATE TABLE beside_ours (number int)")
    assert postgres.urls == {
        "MARKETPLACE_DATABASE_URL": postgres.url,
        "MARKETPLACE_MIGRATION_DATABASE_URL": postgres.owner_url,
    }


def test_the_log_of_the_database_does_not_show_what_a_refused_row_said(embedded):
    postgres = embedded(EmbeddedPostgres)
    postgres.start()
    with psycopg.connect(postgres.owner_url.replace("+psycopg", "")) as connection:
        connection.execute("CREATE TABLE people (name text CHECK (name = ''))")
        with pytest.raises(psycopg.errors.CheckViolation):
            connection.execute("INSERT INTO people VALUES (%s)", ["Jo Tran"])
    postgres.stop()
    log = (postgres._place.folder / "log").read_text()
    assert "people_name_check" in log
    assert "Jo Tran" not in log


def test_redis_wants_its_password_and_does_not_show_it(embedded):
    redis = embedded(EmbeddedRedis)
    url = redis.start()
    password = folder_of(redis) / "password"
    assert stat.S_IMODE(password.stat().st_mode) == 0o600
    assert password.read_text() not in Path(f"/proc/{redis.pid}/cmdline").read_text()
    without = re.sub(":[0-9a-f]+@", "", url)
    with Redis.from_url(without) as stranger, pytest.raises(AuthenticationError):
        stranger.ping()
