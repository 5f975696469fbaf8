"""The processes of the RQ door: `python -m workers.run worker|scheduler`.

Both outlive Redis: they try again, ever later, until it is back. Asked to stop, a worker finishes
its job first.

A worker process takes one job after another itself (RQ's `SimpleWorker`), where RQ's default forks
for each. Leads per second are what counts here: measured side by side, a job that does nothing
takes a third to a fifth of the time (5 ms instead of 14 to 27), and one worker matches four times
as many leads, one a job, since the connection and everything compiled stay warm. What the fork gave
is had otherwise:

- Time limits. At its limit an alarm raises `JobOverran` inside the job, and the process goes on
  with the next. Where Python cannot be interrupted, the parent kills the process a little later.
  The two are in `workers.limits`; the parent, which there is even for one process, in
  `workers.supervision`.
- Crashes. The parent starts another process, ever later if they go on; the job is rung again by the
  sweep behind it.
- Isolation. `JobWorker.perform_job` and `workers.context.job_context` leave the next job nothing.
- Flat memory. After ten thousand jobs a process held half a percent more than after one thousand,
  so none is retired for its age.

Given up: a job that changed a module's state would be felt by those after it, and RQ's command to
stop one job does nothing.
"""

import argparse
import sys
import time
from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from types import FrameType

import structlog
from redis import Redis
from redis.client import Pipeline
from redis.exceptions import RedisError
from rq import Queue, SimpleWorker, worker_registration
from rq.exceptions import DeserializationError
from rq.executions import Execution
from rq.job import Job
from rq.registry import StartedJobRegistry
from rq.worker import WorkerStatus

from config import logging
from config.log_lines import bare
from config.settings import SettingsError
from marketplace.core.jobs import QUEUES
from marketplace.core.processes import BackOff
from workers.context import connections_in_use, product
from workers.limits import Deadline, TimeLimit
from workers.schedule import scheduler
from workers.supervision import stop_at_once_on_signals, supervise

WORKER_TTL = 60
"""Seconds after which a worker that says nothing is taken off the list; RQ adds as many."""

REDIS_PATIENCE = 5
"""Seconds to wait for a connection, and the longest pause between two attempts at one."""

log = structlog.get_logger(__name__)


class JobWorker(SimpleWorker):
    """RQ's worker without a process per job, that does not give up on Redis."""

    max_connection_wait_time = float(REDIS_PATIENCE)
    death_penalty_class = TimeLimit

    def __init__(self, redis: Redis, deadline: Deadline) -> None:
        super().__init__(QUEUES, connection=redis, worker_ttl=WORKER_TTL, log_job_description=False)
        self.deadline = deadline
        self.stop_asked = False

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        self.stop_asked = True
        super().request_stop(signum, frame)  # type: ignore[no-untyped-call]  # RQ's

    def set_shutdown_requested_date(self) -> None:
        """Leave no note in Redis: the signal may have come in the middle of a command to it."""

    def reorder_queues(self, reference_queue: Queue) -> None:
        """Be busy from here on, where RQ has a job in hand: a signal no longer drops it.

        The next job comes from the first queue, or from those behind the one that had its turn.
        """
        self._state = WorkerStatus.BUSY
        first, *others = self.queues
        if reference_queue in others:
            turn = others.index(reference_queue) + 1
            self._ordered_queues = [first, *others[turn:], *others[:turn]]

    def heartbeat(self, timeout: int | None = None, pipeline: Pipeline | None = None) -> None:
        """Give a sign of life, and sign in again in case Redis was emptied meanwhile."""
        if pipeline is not None:
            super().heartbeat(timeout, pipeline)
            return
        with self.connection.pipeline(transaction=False) as at_once:
            super().heartbeat(timeout, at_once)
            at_once.hexists(self.key, "birth")
            *_, is_known = at_once.execute()
            if not is_known:
                at_once.hset(self.key, mapping=self.serialize())
                worker_registration.register(self, at_once)
                at_once.execute()

    def perform_job(self, job: Job, queue: Queue, execution: Execution) -> bool:
        """Do a job, and see to it that the next one meets nothing of it.

        What it sets in context variables goes with its context. A connection that it did not give
        back may hold locks and cannot be taken from it: then this process ends, and another starts.
        """
        name = _name_of(job)

        def perform() -> bool:
            structlog.contextvars.bind_contextvars(
                job=name, request_id=job.meta.get("request_id") or job.id
            )
            return super(JobWorker, self).perform_job(job, queue, execution)

        with self.deadline.within(job.timeout or queue.DEFAULT_TIMEOUT, name):
            done = copy_context().run(perform)
        if connections_in_use():
            log.error("connection_not_given_back", job=name)
            sys.exit(1)
        return done

    def handle_job_failure(
        self,
        job: Job,
        queue: Queue,
        started_job_registry: StartedJobRegistry | None = None,
        exc_string: str = "",
        execution: Execution | None = None,
    ) -> None:
        """Keep in Redis where a job failed and by which errors, as in the log, and no text of any.

        Such a text may be of anybody: PostgreSQL quotes the row that it refuses.
        """
        said = bare(exc_string)
        super().handle_job_failure(job, queue, started_job_registry, said, execution)

    def leave(self) -> None:
        """End the thread that listens for commands, which outlives a worker that lost Redis."""
        if self.pubsub_thread:
            self.pubsub_thread.stop()


def _name_of(job: Job) -> str:
    try:
        return str(job.func_name)
    except DeserializationError:
        return "unreadable"


def work_once(deadline: Deadline, redis: Redis) -> bool:
    """Take jobs until asked to stop, and return True; False: Redis went away."""
    worker = JobWorker(redis, deadline)
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
        stop_at_once_on_signals()
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
            stop_at_once_on_signals()
            redis.close()
        wait = back_off.ended()
        log.warning("started_again", what=what, reason=reason, wait=wait)
        time.sleep(wait)


def work(deadline: Deadline) -> None:
    """Be a worker process."""
    run_until_stopped("worker", partial(work_once, deadline))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m workers.run", description=__doc__)
    kinds = parser.add_subparsers(dest="kind", required=True)
    kinds.add_parser("worker").add_argument("--processes", type=int, default=1)
    kinds.add_parser("scheduler")
    wanted = parser.parse_args(arguments)
    logging.configure(wanted.kind)
    logging.take_over()
    try:
        product()
    except SettingsError as error:
        sys.exit(f"{parser.prog}: {error}")
    if wanted.kind == "scheduler":
        run_until_stopped("scheduler", schedule_once)
    else:
        supervise(wanted.processes, work)


if __name__ == "__main__":
    main()
