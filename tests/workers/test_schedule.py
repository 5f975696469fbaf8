"""The sweeps on the clock, and processes that outlive Redis, stop in order and leave nothing."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from redis import Redis, RedisError
from rq import Queue, Worker
from rq.cron import CronScheduler
from rq.utils import now

from marketplace.core.jobs import QUEUES, Job
from marketplace.core.processes import BackOff
from marketplace.local.redis import EmbeddedRedis
from workers import jobs
from workers.schedule import SWEEPS, scheduler

ROOT = Path(__file__).parents[2]
INTERVAL = timedelta(seconds=15)
PATIENCE = 30


@pytest.fixture
def redis(services):
    with Redis.from_url(services.redis_url) as redis:
        redis.flushall()
        yield redis


@pytest.fixture
def start(services, tmp_path):
    """Start a process of the RQ door; what is left of it is killed afterwards."""
    started = []

    def start(*what, redis_url=services.redis_url):
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "MARKETPLACE_DATABASE_URL": services.database_url,
            "MARKETPLACE_REDIS_URL": redis_url,
            "MARKETPLACE_SECRET_KEY": "a secret of the tests and of nobody else",
            "MARKETPLACE_PUBLIC_URL": "http://localhost",
            "MARKETPLACE_MAIL_BACKEND": "mailbox",
            "MARKETPLACE_SWEEP_INTERVAL": "PT1S",
        }
        with (tmp_path / "log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "workers.run", *what],
                env=environment,
                stdout=log,
                stderr=log,
                cwd=tmp_path,
                start_new_session=True,
            )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def wait_until(true, what):
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with suppress(RedisError):
            if true():
                return
        time.sleep(0.05)
    pytest.fail(f"waited {PATIENCE} s in vain until {what}")


def stopped(process, number=signal.SIGTERM):
    process.send_signal(number)
    return process.wait(PATIENCE)


def rings(cron):
    return [job.func_name for job in cron.enqueue_jobs()]


def test_every_job_that_a_transaction_rings_is_there():
    for job in Job:
        assert callable(getattr(jobs, job))


def test_every_sweep_rings_at_once_and_then_in_its_turn(redis):
    cron = scheduler(redis, INTERVAL)
    assert len(rings(cron)) == len(SWEEPS)
    assert rings(cron) == []
    waits = [
        (each.next_enqueue_time - each.latest_enqueue_time) / INTERVAL for each in cron.get_jobs()
    ]
    assert waits == [every for _, every in SWEEPS]


def test_a_tick_that_nobody_took_is_dropped(redis):
    cron = scheduler(redis, timedelta(seconds=1))
    cron.enqueue_jobs()
    queue = Queue("sweeps", connection=redis)
    assert all(job.ttl == 2 * every for job, (_, every) in zip(queue.jobs, SWEEPS, strict=True))


def test_a_clock_that_is_put_back_does_not_silence_the_sweeps(redis):
    cron = scheduler(redis, INTERVAL)
    cron.enqueue_jobs()
    for job in cron.get_jobs():
        job.set_enqueue_time(now() + timedelta(hours=1))
    assert len(rings(cron)) == len(SWEEPS)
    assert rings(cron) == []


def test_several_schedulers_at_once_are_no_trouble(redis, start):
    both = [start("scheduler"), start("scheduler")]
    wait_until(lambda: len(CronScheduler.all(redis)) == 2, "both schedulers are registered")
    assert [stopped(each) for each in both] == [0, 0]
    assert CronScheduler.all(redis) == []


def test_a_worker_takes_matching_before_mail_and_mail_before_sweeps(redis, start):
    ended = [Queue(name, connection=redis).enqueue(time.time) for name in reversed(QUEUES)]
    worker = start("worker")
    wait_until(lambda: all(job.is_finished for job in ended), "all three jobs are done")
    sweep, mail, match = (job.latest_result().created_at for job in ended)
    assert match <= mail <= sweep
    assert stopped(worker) == 0


def test_a_worker_that_is_asked_to_stop_finishes_its_job(redis, start):
    worker = start("worker")
    job = Queue("mail", connection=redis).enqueue(time.sleep, 2)
    wait_until(lambda: job.get_status() == "started", "the job runs")
    assert stopped(worker) == 0
    assert job.get_status(refresh=True) == "finished"
    assert Worker.count(connection=redis) == 0


def test_a_job_does_not_outlive_a_worker_that_is_killed(redis, start):
    worker = start("worker")
    job = Queue("mail", connection=redis).enqueue(time.sleep, 300)
    wait_until(lambda: job.get_status() == "started", "the job runs")
    (horse,) = descendants(worker.pid)
    worker.kill()
    wait_until(lambda: not is_alive(horse), "the job's process is gone")


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


def test_worker_and_scheduler_wait_for_a_redis_that_is_away(start, tmp_path_factory):
    folder = Path(tmp_path_factory.mktemp("redis"))
    for each in (folder, *list(folder.parents)[:2]):
        each.chmod(0o711)
    server = EmbeddedRedis(folder, durable=False)
    try:
        url = server.start()
        processes = [start(what, redis_url=url) for what in ("worker", "scheduler")]
        with Redis.from_url(url) as redis:
            wait_until(lambda: Worker.count(connection=redis), "the worker is registered")
            wait_until(lambda: CronScheduler.all(redis), "the scheduler is registered")
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


def descendants(pid):
    """Return the processes below one, whatever session they are in."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if fields[0] != "Z":
                    parents[int(entry.name)] = int(fields[1])
    found, above = [], {pid}
    while above:
        above = {child for child, parent in parents.items() if parent in above}
        found.extend(above)
    return found


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
