"""`marketplace up` for real: from nothing to ready, stopped, killed, started again, refused."""

import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Timer

import pytest

from marketplace.local.doorway import open_door
from marketplace.local.places import open_place, remove_place

ROOT = Path(__file__).parents[2]
PATIENCE = 60
"""Seconds for whatever is waited for; a whole demonstration is several such waits."""

LAST_STEP = "To choose between them"
"""The last line of the walk."""


def environment():
    """Ours, without what would lead to servers that are not the folder's own."""
    plain = {name: value for name, value in os.environ.items() if "MARKETPLACE_" not in name}
    return {**plain, "PYTHONPATH": str(ROOT), "MARKETPLACE_SWEEP_INTERVAL": "PT1S"}


def command(*arguments):
    return [sys.executable, "-m", "marketplace.cli", *map(str, arguments)]


def run(*arguments):
    return subprocess.run(
        command(*arguments),
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


class Running:
    """An `up` that runs, and what it has said so far."""

    def __init__(self, data_dir, *arguments):
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            command("up", "--data-dir", data_dir, "--port", "0", *arguments),
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.lines = []

    def read_until(self, words):
        """Return the first line that holds `words`; what comes before is kept as well."""
        with self.fuse():
            for line in self.process.stdout:
                self.lines.append(line.rstrip("\n"))
                if words in line:
                    return line.strip()
        pytest.fail(f"it ended without saying {words!r}: {self.lines}")

    def ready(self):
        """Return the address, and how many seconds it took."""
        line = self.read_until("ready: ")
        assert self.lines[-1].startswith("ready: http://127.0.0.1:")
        return line.removeprefix("ready: "), time.monotonic() - self.began

    def stop(self, number):
        self.process.send_signal(number)
        with self.fuse():
            self.lines.extend(self.process.stdout.read().splitlines())
        return self.process.wait(PATIENCE)

    @contextmanager
    def fuse(self):
        """Let nothing in here wait for ever: reading ends when the process does."""
        timer = Timer(PATIENCE, self.process.kill)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


@contextmanager
def up(data_dir, *arguments):
    running = Running(data_dir, *arguments)
    try:
        yield running
    finally:
        running.process.kill()
        running.process.wait()
        running.process.stdout.close()


@pytest.fixture(scope="module")
def data_dir():
    """A data folder on which the demonstration has run once and was stopped by Ctrl-C."""
    folder = Path(tempfile.mkdtemp(prefix="marketplace-up-"))
    folder.chmod(0o711)  # root's servers run as somebody else, who has to get through
    yield folder / "data"
    for name in ("postgres", "redis"):
        if (folder / "data" / f"{name}.location").exists():
            remove_place(folder / "data", name, open_place(folder / "data", name))
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def first(data_dir):
    with up(data_dir, "--demo") as running:
        running.address, _ = running.ready()
        running.read_until(LAST_STEP)
        running.mode = stat.S_IMODE((data_dir / "connection.env").stat().st_mode)
        running.second = run("up", "--data-dir", data_dir, "--port", "0")
        running.taken = run("up", "--data-dir", data_dir.parent / "other", "--port", port(running))
        running.doctor = run("doctor", "--data-dir", data_dir)
        running.family = descendants(running.process.pid)
        running.code = running.stop(signal.SIGINT)
    return running


def port(running):
    return running.address.rpartition(":")[2]


def test_it_shows_where_everything_is_and_how_to_sign_in(first):
    said = "\n".join(first.lines)
    for path in ("/", "/portal", "/admin", "/mailbox", "/api/docs"):
        assert re.search(rf"{re.escape(first.address + path)}$", said, re.MULTILINE)
    assert "admin@iso-quotes-demo.example with the password" in said


def test_the_demonstration_walks_a_lead_down_the_whole_road(first):
    said = "\n".join(first.lines)
    assert "3. Three providers are invited" in said
    assert "is invited in its place" in said
    assert said.count("accepts, learns of Jo Tran, and quotes") == 2
    assert said.count("for three years, 1") == 2


def test_the_other_commands_find_it_and_nothing_is_wrong(first):
    assert first.mode == 0o600
    assert (first.doctor.returncode, first.doctor.stderr) == (0, ""), first.doctor


def test_a_second_up_on_the_folder_and_a_port_in_use_are_refused_in_one_line(first):
    for refused, why in ((first.second, "in use by process"), (first.taken, "cannot be used")):
        assert refused.returncode == 1
        assert refused.stderr.count("\n") == 1
        assert why in refused.stderr


def test_ctrl_c_stops_everything_in_order(first):
    assert first.code == 0
    assert len(first.family) > 5
    assert not any(is_alive(pid) for pid in first.family)
    assert first.lines[-1].startswith("Stopped.")


def test_it_starts_again_on_the_same_data_even_after_it_was_killed(first, data_dir):
    with up(data_dir, "--demo") as again:
        _, seconds = again.ready()
        print(f"second start: {seconds:.1f} s")  # noqa: T201 (shown with -s or where it fails)
        assert seconds < 30, "a second start takes under 5 s where nothing else is going on"
        assert "is there already" in again.read_until("invented lead")
        family = descendants(again.process.pid)
        again.process.kill()
        wait_until_gone(family)
    with up(data_dir) as third:
        third.ready()
        web = next(pid for pid in descendants(third.process.pid) if "gunicorn" in words(pid))
        os.kill(web, signal.SIGKILL)
        assert "started again" in third.read_until("web was ended by SIGKILL")
        assert third.stop(signal.SIGTERM) == 0


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path):
    (tmp_path / "file").touch()
    refused = run("up", "--data-dir", tmp_path / "file" / "data", "--port", "0")
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert "cannot be made or written to" in refused.stderr


def test_a_wrong_setting_is_told_before_anything_is_started(tmp_path, monkeypatch):
    monkeypatch.setattr(
        f"{__name__}.environment", lambda: {**os.environ, "MARKETPLACE_PLACES": "9"}
    )
    refused = run("up", "--data-dir", tmp_path, "--port", "0")
    assert refused.returncode == 1
    assert "MARKETPLACE_PLACES must be" in refused.stderr
    assert not (tmp_path / "postgres").exists()


def test_a_door_is_taken_once():
    door = open_door(0)
    try:
        with pytest.raises(Exception, match="Stop what uses it"):
            open_door(door.getsockname()[1])
    finally:
        door.close()


def wait_until_gone(pids):
    deadline = time.monotonic() + 15
    while any(is_alive(pid) for pid in pids):
        assert time.monotonic() < deadline, "something outlived `up`"
        time.sleep(0.05)


def descendants(pid):
    """Return every process below one, in whatever session it is."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                parents[int(entry.name)] = int(stat_of(entry.name)[1])
    found, above = [], {pid}
    while above:
        above = {child for child, parent in parents.items() if parent in above}
        found.extend(above)
    return found


def is_alive(pid):
    try:
        return stat_of(pid)[0] != "Z"
    except OSError:
        return False


def stat_of(pid):
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def words(pid):
    return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
