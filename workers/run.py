"""The processes of the RQ door: `python -m workers.run worker|scheduler`.

Both outlive Redis: they try again, ever later, until it is back. Asked to stop, a worker finishes
its job first. Importing this module imports everything that a job needs, so that the process that
RQ forks for each job has it already; connections are opened in that process, never before.
"""

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import NoReturn

import structlog
from redis import Redis
from redis.client import Pipeline
from redis.exceptions import RedisError
from rq import Queue, Worker, worker_registration
from rq.job import Job
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import configure_mappers

from config import logging
from config.settings import SettingsError
from marketplace.core.db import db
from marketplace.core.jobs import QUEUES
from marketplace.core.processes import BackOff, tie_to_parent
from workers.context import product
from workers.schedule import scheduler

WORKER_TTL = 60
"""Seconds after which a worker that says nothing is taken off the list; RQ adds as many."""

REDIS_PATIENCE = 5
"""Seconds to wait for a connection, and the longest pause between two attempts at one."""

log = structlog.get_logger(__name__)


class JobWorker(Worker):
    """RQ's worker, a process per job, that does not give up on Redis."""

    max_connection_wait_time = float(REDIS_PATIENCE)

    def __init__(self, redis: Redis) -> None:
        super().__init__(QUEUES, connection=redis, worker_ttl=WORKER_TTL, log_job_description=False)
        self.stop_asked = False

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        self.stop_asked = True
        super().request_stop(signum, frame)  # type: ignore[no-untyped-call]  # RQ's

    def set_shutdown_requested_date(self) -> None:
        with suppress(RedisError):  # a note to others; without Redis there is nobody to read it
            super().set_shutdown_requested_date()  # type: ignore[no-untyped-call]  # RQ's

    def heartbeat(self, timeout: int | None = None, pipeline: Pipeline | None = None) -> None:
        """Give a sign of life, and sign in again in case Redis was emptied meanwhile."""
        super().heartbeat(timeout, pipeline)
        if pipeline is None:
            self.connection.hset(self.key, mapping=self.serialize())
            worker_registration.register(self)

    def main_work_horse(self, job: Job, queue: Queue) -> None:
        tie_to_parent(self.pid or 0, signal.SIGKILL)
        structlog.contextvars.bind_contextvars(
            job=job.func_name, request_id=job.meta.get("request_id") or job.id
        )
        super().main_work_horse(job, queue)

    def leave(self) -> None:
        """End the thread that listens for commands, which outlives a worker that lost Redis."""
        if self.pubsub_thread:
            self.pubsub_thread.stop()


def work_once(redis: Redis) -> bool:
    """Take jobs until asked to stop, and return True; False: Redis went away."""
    worker = JobWorker(redis)
    try:
        worker.work(logging_level="WARNING")
    except RedisError:
        if not worker.stop_asked:
            raise
    finally:
        worker.leave()
    return worker.stop_asked


def schedule_once(redis: Redis) -> bool:
    """Ring the sweeps until asked to stop, and return True."""
    cron = scheduler(redis, product().settings.sweep_interval)
    cron.start()  # type: ignore[no-untyped-call]  # RQ's
    return True


def run_until_stopped(what: str, once: Callable[[Redis], bool]) -> None:
    """Run `once` again and again, until it says that it was asked to stop."""
    back_off = BackOff(longest=REDIS_PATIENCE)
    while True:
        _stop_at_once_on_signals()
        back_off.started()
        reason = "ended"
        redis = Redis.from_url(
            product().settings.redis_url,
            socket_connect_timeout=REDIS_PATIENCE,
            health_check_interval=30,
        )
        try:
            if once(redis):
                return
        except RedisError as error:
            reason = str(error)
        finally:
            _stop_at_once_on_signals()
            redis.close()
        wait = back_off.ended()
        log.warning("started_again", what=what, reason=reason, wait=wait)
        time.sleep(wait)


def run_workers(processes: int) -> None:
    """Keep so many worker processes running until asked to stop; then let each finish its job."""
    asked: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda signum, _frame: asked.append(signum))
    running: set[int] = set()
    back_off = BackOff()
    not_before = 0.0
    while running or not asked:
        while not asked and len(running) < processes and time.monotonic() >= not_before:
            back_off.started()
            running.add(_fork(lambda: run_until_stopped("worker", work_once)))
        time.sleep(0.1)
        for pid in [pid for pid in running if os.waitpid(pid, os.WNOHANG)[0]]:
            running.discard(pid)
            if not asked:
                wait = back_off.ended()
                not_before = time.monotonic() + wait
                log.warning("started_again", what="worker", reason=f"{pid} ended", wait=wait)
        if asked and asked[-1]:
            for pid in running:
                os.kill(pid, signal.SIGTERM)
            asked.append(0)


def _fork(body: Callable[[], None]) -> int:
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        tie_to_parent(parent)
        body()
        code = 0
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 1
    except Exception:
        log.exception("worker_failed")
    finally:
        sys.stdout.flush()
        os._exit(code)


def _stop_at_once_on_signals() -> None:
    def leave(_signum: int, _frame: FrameType | None) -> NoReturn:
        sys.exit(0)

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, leave)


def warm_up() -> None:
    """Do once what every job's process would have to do again; it inherits no connection."""
    configure_mappers()
    with product().app.app_context():
        engine = db.engine
        with suppress(SQLAlchemyError):  # it is away: jobs will find out by themselves
            engine.connect().close()
        engine.dispose()


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m workers.run", description=__doc__)
    kinds = parser.add_subparsers(dest="kind", required=True)
    kinds.add_parser("worker").add_argument("--processes", type=int, default=1)
    kinds.add_parser("scheduler")
    wanted = parser.parse_args(arguments)
    logging.configure(wanted.kind)
    try:
        product()
    except SettingsError as error:
        sys.exit(f"{parser.prog}: {error}")
    warm_up()
    if wanted.kind == "scheduler":
        run_until_stopped("scheduler", schedule_once)
    elif wanted.processes == 1:
        run_until_stopped("worker", work_once)
    else:
        run_workers(wanted.processes)


if __name__ == "__main__":
    main()
