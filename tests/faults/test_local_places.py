"""Where the embedded servers put things, and what they leave alone."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import psycopg
import pytest
from redis import Redis

from marketplace.local import places
from marketplace.local.places import Account, LocalError
from marketplace.local.postgres import EmbeddedPostgres
from marketplace.local.processes import AlreadyRunning
from marketplace.local.redis import EmbeddedRedis

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="what only root can get wrong")
NOBODY = 65534


@pytest.fixture
def open_folder():
    """A folder through which others may pass, as pytest's own are not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


@pytest.fixture
def embedded(tmp_path, open_folder):
    """Make servers that are gone, with their data, when the test is over, before the folders."""
    made = []

    def make(kind, data_dir=tmp_path / "data"):
        made.append(kind(data_dir, durable=False))
        return made[-1]

    yield make
    for server in made:
        server.remove_data()


def answers(url):
    """Return whether the server at the URL does what it is asked to."""
    if url.startswith("unix:"):
        with Redis.from_url(url) as redis:
            return redis.ping()
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        return connection.execute("SELECT true").fetchone()[0]


def folder_of(server):
    return server._place.folder


def test_a_path_that_is_too_long_or_odd_for_a_socket_will_do(embedded, open_folder):
    odd = open_folder / ("long" * 30) / 'odd, "quoted" ünd spaced'
    for kind in (EmbeddedPostgres, EmbeddedRedis):
        server = embedded(kind, odd)
        assert answers(server.start())
        outside = Path((folder_of(server) / "socket-folder").read_text().strip())
        assert outside.stat().st_mode & 0o007 == 0
        server.stop()
        assert not outside.exists()


@pytest.mark.parametrize("damaged", ["", ".", "{here}", "{here}/kept"])
def test_a_damaged_note_of_where_a_socket_was_costs_nothing_else(
    embedded, tmp_path, monkeypatch, damaged
):
    (tmp_path / "kept").mkdir()
    monkeypatch.chdir(tmp_path)
    redis = embedded(EmbeddedRedis)
    redis.start()
    redis.stop()
    (folder_of(redis) / "socket-folder").write_text(damaged.format(here=tmp_path))
    assert answers(redis.start())
    assert (tmp_path / "kept").is_dir()


def test_what_the_machine_refuses_is_said_in_a_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(LocalError, match=r"cannot be started in .*MARKETPLACE_REDIS_URL"):
        EmbeddedRedis(tmp_path / "file").start()


@only_root
def test_roots_servers_loosen_no_permission_and_use_copies_of_what_is_out_of_reach(
    embedded, tmp_path, open_folder, monkeypatch
):
    monkeypatch.setattr(places, "ROOT_PROGRAMS", open_folder / "programs")
    monkeypatch.setattr(places, "is_within_reach", lambda path, account: False)
    watched = [tmp_path, *tmp_path.parents, *Path(psycopg.__file__).parents, Path(sys.prefix)]
    before = [(path.stat().st_mode, path.stat().st_uid) for path in watched]
    assert not places.may_pass(tmp_path)

    for kind in (EmbeddedPostgres, EmbeddedRedis):
        server = embedded(kind)
        assert answers(server.start())
        assert Path(f"/proc/{server.pid}").stat().st_uid != 0
        assert Path(os.readlink(f"/proc/{server.pid}/exe")).is_relative_to(open_folder)
        pointer = tmp_path / "data" / f"{server.name}.location"
        assert pointer.read_text() == f"{folder_of(server)}\n"
        assert folder_of(server).stat().st_mode & 0o007 == 0

    assert [(path.stat().st_mode, path.stat().st_uid) for path in watched] == before


@only_root
def test_a_umask_that_closes_everything_does_not_lock_roots_servers_out(
    embedded, open_folder, monkeypatch
):
    monkeypatch.setattr(places, "ROOT_DATA", open_folder / "data of root")
    monkeypatch.setattr(places, "ROOT_PROGRAMS", open_folder / "programs")
    before = os.umask(0o077)
    try:
        for kind in (EmbeddedPostgres, EmbeddedRedis):
            assert answers(embedded(kind).start())
    finally:
        os.umask(before)


@only_root
def test_where_the_way_is_open_roots_data_stay_in_the_data_folder(embedded, open_folder):
    redis = embedded(EmbeddedRedis, open_folder / "data")
    assert answers(redis.start())
    assert folder_of(redis) == open_folder / "data" / "redis"
    assert folder_of(redis).stat().st_mode & 0o007 == 0


@only_root
def test_what_is_within_reach_is_seen(tmp_path, open_folder):
    nobody = Account(NOBODY, NOBODY)
    for folder, expected in ((tmp_path, False), (open_folder, True)):
        program = folder / "program"
        program.touch(mode=0o755)
        assert places.is_within_reach(program, nobody) is expected
        assert places.is_within_reach(program, None) is True
    program.chmod(0o744)
    assert places.is_within_reach(program, nobody) is False


@only_root
def test_a_copied_data_folder_does_not_share_its_data_unseen(embedded, tmp_path):
    first = embedded(EmbeddedRedis)
    first.start()
    shutil.copytree(tmp_path / "data", tmp_path / "copy")
    with pytest.raises(AlreadyRunning):
        EmbeddedRedis(tmp_path / "copy").start()
    assert first.is_running()


@only_root
def test_data_that_went_missing_are_not_silently_begun_anew(embedded, tmp_path):
    redis = embedded(EmbeddedRedis)
    redis.start()
    redis.stop()
    moved = folder_of(redis).rename(tmp_path / "moved")
    with pytest.raises(LocalError, match="that folder is gone"):
        redis.start()
    moved.rename(folder_of(redis))
    redis.start()


@only_root
@pytest.mark.skipif(
    not places.may_pass(Path(psycopg.__file__).parent), reason="others cannot reach our libraries"
)
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_another_user_has_servers_of_their_own_and_cannot_enter_ours(embedded):
    ours = [embedded(EmbeddedPostgres), embedded(EmbeddedRedis)]
    our_url, _ = [server.start() for server in ours]
    theirs = Path(tempfile.mkdtemp())
    os.chown(theirs, NOBODY, NOBODY)

    # A fork without exec, since the interpreter itself may be out of that user's reach.
    child = os.fork()
    if child == 0:
        outcome = 1
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            os.chdir("/")
            for kind in (EmbeddedPostgres, EmbeddedRedis):
                with kind(theirs, durable=False) as server:
                    assert answers(server.url)
            for server in ours:
                with pytest.raises(PermissionError):
                    os.listdir(folder_of(server) / "socket")
            with pytest.raises(psycopg.OperationalError, match="Permission denied"):
                answers(our_url)
            outcome = 0
        except BaseException as error:
            os.write(2, f"{error!r}\n".encode())
        finally:
            os._exit(outcome)
    _, status = os.waitpid(child, 0)
    shutil.rmtree(theirs)
    assert os.waitstatus_to_exitcode(status) == 0
    assert all(server.is_running() for server in ours)
