"""Processes that outlive Redis, stop in order and leave nothing."""

import json
import os
import signal
import time
from pathlib import Path

import pytest
from redis import Redis
from rq import Queue, Worker
from rq.cron import CronScheduler

from marketplace.core.jobs import QUEUES
from marketplace.core.processes import BackOff
from marketplace.local.redis import EmbeddedRedis
from tests.workers import deeds
from tests.workers.conftest import PATIENCE, descendants, is_alive, stopped, wait_until
from workers.run import HANDED_BACK_AT_MOST


def test_deadlines_come_first_and_the_other_queues_take_turns(redis, start):
    jobs = [
        Queue(name, connection=redis).enqueue(time.time)
        for name in reversed(QUEUES)
        for _ in range(2)
    ]
    worker = start("worker")
    wait_until(lambda: all(job.is_finished for job in jobs), "all the jobs are done")
    done = sorted(jobs, key=lambda job: job.latest_result().created_at)
    first, *others = QUEUES
    assert [job.origin for job in done] == [first, first, *others, *others]
    assert stopped(worker) == 0


@pytest.mark.parametrize(
    ("tell", "number", "deed"),
    [
        (os.kill, signal.SIGTERM, time.sleep),
        (os.killpg, signal.SIGTERM, deeds.query_for),  # systemd tells every process of the group
        (os.killpg, signal.SIGHUP, time.sleep),  # as does a terminal that is gone
    ],
)
def test_a_worker_that_is_asked_to_stop_finishes_its_job(redis, start, log, tell, number, deed):
    worker = start("worker")
    job = Queue("mail", connection=redis).enqueue(deed, 1)
    wait_until(lambda: job.get_status() == "started", "the job runs")
    tell(worker.pid, number)
    assert worker.wait(PATIENCE) == 0
    assert job.get_status(refresh=True) == "finished"
    assert Worker.count(connection=redis) == 0
    assert log.read_text() == ""


def test_a_worker_that_was_told_to_outlive_its_terminal_does(redis, start):
    worker = start("worker", hangs_up=signal.SIG_IGN)
    first, second = (Queue("mail", connection=redis).enqueue(time.sleep, 1) for _ in range(2))
    wait_until(lambda: first.get_status() == "started", "the first job runs")
    os.killpg(worker.pid, signal.SIGHUP)
    wait_until(lambda: second.is_finished, "the one after it is done as well")
    assert stopped(worker) == 0


def test_a_worker_that_is_asked_twice_hands_its_job_back(redis, start):
    worker = start("worker")
    job = Queue("mail", connection=redis).enqueue(deeds.query_for, 300)
    wait_until(lambda: job.get_status() == "started", "the job runs")
    worker.terminate()
    time.sleep(1.5)  # what comes within a second, RQ takes for the same request
    assert stopped(worker) == 0
    assert job.get_status(refresh=True) == "queued"
    assert Queue("mail", connection=redis).job_ids == [job.id]


def test_a_job_is_handed_back_a_few_times_and_no_more(redis, start):
    job = Queue("mail", connection=redis).enqueue(deeds.lose_the_database)
    start("worker")
    wait_until(lambda: job.is_failed, "the job is given up")
    job.refresh()
    assert job.meta == {"handed_back": HANDED_BACK_AT_MOST}


def test_a_worker_serves_the_queues_that_it_is_told_to_and_no_others(redis, start):
    jobs = {name: Queue(name, connection=redis).enqueue(time.time) for name in QUEUES}
    start("worker", "--queues", "mail,matching")
    wait_until(lambda: jobs["matching"].is_finished, "the last of its queues is served")
    assert {name for name, job in jobs.items() if job.is_finished} == {"mail", "matching"}
    mail, matching = (jobs[name].latest_result().created_at for name in ("mail", "matching"))
    assert mail < matching


def test_a_job_does_not_outlive_a_worker_that_is_killed(redis, start):
    worker = start("worker")
    job = Queue("mail", connection=redis).enqueue(time.sleep, 300)
    wait_until(lambda: job.get_status() == "started", "the job runs")
    (at_work,) = descendants(worker.pid)
    worker.kill()
    wait_until(lambda: not is_alive(at_work), "the job's process is gone")


def test_a_worker_process_that_dies_is_replaced_and_none_outlives_its_parent(redis, start):
    worker = start("worker", "--processes", "2")
    wait_until(lambda: len(descendants(worker.pid)) == 2, "two processes work")
    victim = descendants(worker.pid)[0]
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: len(set(descendants(worker.pid)) - {victim}) == 2, "there are two again")
    family = descendants(worker.pid)
    worker.kill()
    wait_until(lambda: not any(is_alive(pid) for pid in family), "they followed their parent")


def test_a_worker_that_was_forgotten_by_redis_signs_in_again(redis, start):
    worker = start("worker")
    wait_until(lambda: Worker.count(connection=redis) == 1, "the worker is registered")
    redis.flushall()
    job = Queue("mail", connection=redis).enqueue(time.time)
    wait_until(lambda: job.is_finished, "the job is done")
    wait_until(lambda: len(Worker.all(connection=redis)) == 1, "the worker is registered again")
    assert stopped(worker) == 0


def test_worker_and_scheduler_wait_for_a_redis_that_is_away(start, log, tmp_path_factory):
    """From the first, and when it goes; they say so once each time, and when it is back."""
    folder = Path(tmp_path_factory.mktemp("redis"))
    for each in (folder, *list(folder.parents)[:2]):
        each.chmod(0o711)
    server = EmbeddedRedis(folder, durable=False)

    def said(event):
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        return sorted(line["process"] for line in lines if line["event"] == event)

    try:
        url = server.start()
        server.stop()
        processes = [start(what, redis_url=url) for what in ("worker", "scheduler")]
        wait_until(lambda: len(said("waiting")) == 2, "both have said that they wait")
        time.sleep(1.5)  # two tries more
        assert said("waiting") == ["scheduler", "worker"]
        assert server.start() == url
        with Redis.from_url(url) as redis:
            wait_until(lambda: Worker.count(connection=redis), "the worker is registered")
            wait_until(lambda: CronScheduler.all(redis), "the scheduler is registered")
            assert said("there_again") == ["scheduler", "worker"]
            server.stop()
            time.sleep(2)
            assert [process.poll() for process in processes] == [None, None]
            assert server.start() == url
            wait_until(lambda: CronScheduler.all(redis), "the scheduler is back")
            job = Queue("mail", connection=redis).enqueue(time.time)
            wait_until(lambda: job.is_finished, "a job is done")
        server.stop()
        assert [stopped(process) for process in processes] == [0, 0]
    finally:
        server.remove_data()


def test_a_redis_that_is_full_is_waited_for_like_one_that_is_away(redis, start, log):
    """It answers, and takes nothing: said once, tried ever later, and no fault of anybody."""
    processes = [start(what) for what in ("worker", "scheduler")]
    wait_until(lambda: Worker.count(connection=redis), "the worker is registered")
    wait_until(lambda: CronScheduler.all(redis), "the scheduler is registered")

    def events():
        return [json.loads(line)["event"] for line in log.read_text().splitlines()]

    try:
        redis.config_set("maxmemory", 1)
        for client in redis.client_list(_type="normal"):
            redis.client_unblock(int(client["id"]))  # as if no job had come for long
        wait_until(lambda: events().count("waiting") == 2, "both have said that they wait")
        time.sleep(2)  # two tries more
        assert (events().count("waiting"), events().count("there_again")) == (2, 0)
    finally:
        redis.config_set("maxmemory", 0)
    job = Queue("mail", connection=redis).enqueue(time.time)
    wait_until(lambda: job.is_finished, "a job is done")
    wait_until(lambda: events().count("there_again") == 2, "both have said that it is back")
    assert [stopped(process) for process in processes] == [0, 0]
    assert "fault" not in events()


def test_wrong_settings_end_a_worker_with_one_line(start, tmp_path):
    assert start("worker", redis_url="nonsense").wait(PATIENCE) == 1
    said = (tmp_path / "log").read_text()
    assert said.count("\n") == 1
    assert "MARKETPLACE_REDIS_URL" in said


def test_waiting_grows_up_to_a_limit_and_is_forgiven():
    back_off = BackOff(first=1, longest=5, forgive=60)
    assert [back_off.ended() for _ in range(4)] == [1, 2, 4, 5]
    forgiving = BackOff(first=1, longest=5, forgive=0)
    assert [forgiving.ended() for _ in range(3)] == [1, 1, 1]
