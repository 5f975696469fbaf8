"""Processes that count together in the places that they take."""

import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from runpy import run_path

import pytest
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from marketplace.core import metrics
from marketplace.local.children import Child
from marketplace.local.commands import GUNICORN_CONF

ROOT = Path(__file__).parents[2]

SCRIPT = """
import json, os, sys
from pathlib import Path
from marketplace.core import metrics

def child(number, amount, lent):
    pid = os.fork()
    if pid == 0:
        metrics.take_place(os.getppid(), number)
        metrics.REQUESTS.labels("GET", "/a", "2xx").inc(amount)
        metrics.CONNECTIONS.labels("in_use").inc(lent)
        metrics.REQUEST_SECONDS.labels("api").observe(amount)
        os._exit(0)
    os.waitpid(pid, 0)

for _ in range(30):
    child(0, 1, 1)
    metrics.place_is_free(os.getpid(), 0)
child(1, 100, 3)  # it lives, as far as anybody was told
if "cleared" in sys.argv:
    for each in Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]).iterdir():
        each.unlink()
    os.rmdir(os.environ["PROMETHEUS_MULTIPROC_DIR"])
    child(2, 7, 0)
if "half made" in sys.argv:
    Path(os.environ["PROMETHEUS_MULTIPROC_DIR"], f"counter_{os.getpid()}-7.db").touch()
found = {s.name: s.value for f in metrics.registry().collect() for s in f.samples}
files = sorted(each.name for each in Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]).iterdir())
print(json.dumps([found, files, os.getpid()]))
"""


def counted(folder, *how):
    said = subprocess.run(
        [sys.executable, "-c", SCRIPT, *how],
        cwd=ROOT,
        env={metrics.FOLDER: str(folder), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(said.stdout)


def test_a_folder_that_was_cleared_away_is_made_again_by_who_comes_next(tmp_path):
    found, files, parent = counted(tmp_path / "counted", "cleared")
    assert found["marketplace_requests_total"] == 7
    assert f"counter_{parent}-2.db" in files


def test_a_process_that_died_as_it_opened_its_file_keeps_nobody_from_the_others(tmp_path):
    found, files, parent = counted(tmp_path, "half made")
    assert f"counter_{parent}-7.db" in files
    assert found["marketplace_requests_total"] == 130


def test_where_no_folder_can_be_made_each_counts_for_itself(tmp_path):
    (tmp_path / "a-file").touch()
    said = subprocess.run(
        [sys.executable, "-c", "from marketplace.core import metrics as m; m.take_place(1, 0);"
         "m.DELIVERIES.labels('email', 'sent').inc(); print(m.registry().get_sample_value("
         "'marketplace_deliveries_total', {'channel': 'email', 'outcome': 'sent'}))"],
        cwd=ROOT,
        env={metrics.FOLDER: str(tmp_path / "a-file" / "counted"), "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert said.stdout == "1.0\n"


def test_a_command_that_counts_nothing_leaves_no_file_where_others_count(tmp_path):
    """`doctor`, say, asked every minute: whoever reads the figures opens them all."""
    subprocess.run(
        [sys.executable, "-c", "import marketplace.cli"],
        cwd=ROOT, env={metrics.FOLDER: str(tmp_path), "PYTHONPATH": str(ROOT)}, check=True,
    )  # fmt: skip
    assert not [*tmp_path.iterdir()]


def test_places_keep_their_counts_and_their_number_whoever_comes_and_goes(tmp_path):
    found, files, parent = counted(tmp_path)
    assert found["marketplace_requests_total"] == 130
    assert found["marketplace_request_seconds_count"] == 31
    assert found["marketplace_database_connections"] == 3  # of those that live
    assert [each for each in files if each.endswith("-0.db")] == [
        f"counter_{parent}-0.db", f"histogram_{parent}-0.db",
    ]  # fmt: skip


@pytest.fixture
def in_memory(tmp_path, monkeypatch):
    """A folder of the test's in the place of that in which folders are made."""
    monkeypatch.setattr(metrics, "in_memory", lambda: tmp_path)
    return tmp_path


def test_a_folder_of_our_own_is_removed_and_one_that_was_given_is_not(
    in_memory, tmp_path_factory, monkeypatch
):
    elsewhere = tmp_path_factory.mktemp("given")
    given = {metrics.FOLDER: str(elsewhere)}
    assert metrics.counting_together(given) is None
    assert given == {metrics.FOLDER: str(elsewhere)}
    own = {}
    os.close(metrics.counting_together(own))
    assert [str(each) for each in in_memory.iterdir()] == [own[metrics.FOLDER]]
    for environment in (given, own):
        monkeypatch.setenv(metrics.FOLDER, environment[metrics.FOLDER])
        metrics.count_no_more()
    assert elsewhere.exists()
    assert not [*in_memory.iterdir()]


def test_what_processes_that_were_killed_left_behind_goes_and_what_somebody_holds_stays(in_memory):
    """Whoever inherits the descriptor holds the folder, and a kill ends that."""
    (in_memory / "of-somebody-else").mkdir()
    env = {}
    held = metrics.counting_together(env)
    script = "import sys; print('here', flush=True); sys.stdin.read()"
    child = subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=[held],
    )  # fmt: skip
    os.close(held)
    assert child.stdout.readline() == b"here\n"
    folder = Path(env[metrics.FOLDER])
    (folder / "counter_1-0.db").write_bytes(b"")
    for each in in_memory.iterdir():
        os.utime(each, (0, time.time() - 2 * metrics.LEFT_BEHIND_AFTER))
    os.close(metrics.counting_together({}))
    assert folder.exists()
    child.kill()
    child.communicate()
    os.close(metrics.counting_together({}))
    assert not folder.exists()
    # Two are too young to be told from those that are just being made.
    assert len([*in_memory.glob("marketplace-counted-*")]) == 2
    assert (in_memory / "of-somebody-else").exists()


def test_who_may_make_no_files_in_memory_makes_them_on_a_disk(tmp_path, monkeypatch):
    """Both kinds: where processes count, and gunicorn's signs of life, without which it ends."""
    monkeypatch.setattr(os, "access", lambda path, _mode: str(path) != "/dev/shm")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    os.close(metrics.counting_together({}))
    assert len([*tmp_path.glob("marketplace-counted-*")]) == 1
    assert run_path(str(GUNICORN_CONF))["worker_tmp_dir"] == str(tmp_path)


def test_a_child_makes_one_folder_when_it_starts_and_none_while_it_is_looked_after(in_memory):
    child = Child("one", ["sleep", "60"], in_memory / "log", say=print)
    child.start({})
    try:
        for _ in range(5):
            child.look_after({})
        assert len([*in_memory.glob("marketplace-counted-*")]) == 1
    finally:
        child.process.kill()
        child.process.wait()


@pytest.mark.parametrize(
    ("met", "outcome"),
    [
        (ValueError("wrong"), "failed"),
        (OperationalError("", {}, Exception("no answer")), "put_back"),
        (PoolTimeout(), "put_back"),
        (None, "done"),
    ],
)
def test_a_job_that_met_a_database_that_is_away_has_not_failed(met, outcome):
    """A fail over wakes nobody to look for what is wrong with a job."""
    with suppress(ValueError, SQLAlchemyError), metrics.timed_job(f"test_{outcome}"):
        if met is not None:
            raise met
    labels = {"job": f"test_{outcome}", "outcome": outcome}
    counted = metrics.registry().get_sample_value("marketplace_job_seconds_count", labels)
    assert counted >= 1
    assert outcome == "failed" or not metrics.registry().get_sample_value(
        "marketplace_job_seconds_count", {**labels, "outcome": "failed"}
    )
