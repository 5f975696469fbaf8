"""Workers answer Prometheus: one process of theirs for all, those included that have ended."""

import os
import re
import signal
import socket
from contextlib import suppress
from unittest.mock import Mock
from urllib.request import urlopen

from marketplace.core.sweeps_done import last_done
from tests.workers.conftest import descendants, stopped, wait_until
from workers import run, waiting

SWEPT = re.compile(
    r'marketplace_job_seconds_count\{.*job="expire_due_leads".*outcome="done".*\} (.*)'
)


def answers(port):
    with suppress(OSError), urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        return answer.status == 200


def test_what_workers_did_is_told_after_one_was_killed_and_until_all_are_stopped(
    start, redis, tmp_path, monkeypatch
):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setenv("MARKETPLACE_METRICS_LISTEN", f"127.0.0.1:{port}")
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path / "counted"))
    (tmp_path / "counted").mkdir()
    worker, scheduler = start("worker", "--processes", "2"), start("scheduler")

    def told():
        with urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            return answer.read().decode()

    wait_until(lambda: answers(port) and SWEPT.search(told()), "a sweep was done")
    assert last_done(redis)["expire_due_leads"].every == 4
    counted = float(SWEPT.search(told())[1])
    assert counted >= 1
    assert stopped(scheduler) == 0
    places = set(re.findall(r'resident_bytes\{pid="([\d-]+)",process="worker"\}', told()))
    assert places <= {f"{worker.pid}-{number}" for number in range(2)}
    files = {each.name for each in (tmp_path / "counted").iterdir()}
    for pid in descendants(worker.pid):
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: len(descendants(worker.pid)) == 3, "others are in their places")
    wait_until(lambda: answers(port), "one of them answers")
    assert not set(re.findall(r'resident_bytes\{pid="([\d-]+)"', told()))  # no job since
    assert float(SWEPT.search(told())[1]) >= counted
    assert 'marketplace_processes_ended_total{process="worker"} 3.0' in told()
    # Who came after them left no files of their own; their parent counts how many have ended.
    files.add(f"counter_{worker.pid}.db")
    assert {each.name for each in (tmp_path / "counted").iterdir()} <= files
    assert stopped(worker) == 0
    assert (tmp_path / "counted").exists()  # it was given, and may be others' too


def test_a_port_that_is_taken_is_waited_for_and_said_once_in_plain_words(monkeypatch):
    """By the workers before, which finish their jobs, or by others that were given the same one."""
    taken = OSError(98, "Address already in use")
    start = Mock(side_effect=[taken, taken, taken, (Mock(), Mock())])
    settings = Mock(metrics_listen=("127.0.0.1", 9100))
    monkeypatch.setattr(run, "start_http_server", start)
    monkeypatch.setattr(run, "product", lambda: Mock(settings=settings))
    monkeypatch.setattr(run.time, "sleep", slept := Mock())
    monkeypatch.setattr(waiting, "log", said := Mock())
    run.answer_prometheus(Mock())
    assert slept.call_count == 3
    first, last = said.warning.call_args_list
    assert first.args == ("waiting",)
    assert first.kwargs["reason"].startswith("port 9100: Address already in use; each")
    assert last.args == ("there_again",)
