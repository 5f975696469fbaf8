"""The processes of the RQ door: `python -m workers.run worker|scheduler`.

Both start in any order with what they need, and outlive it: they say once what they wait for, try
again, ever later, until it is there, and say so. A worker takes no job while PostgreSQL is away or
has not been migrated, and hands the one back that it could not do for that. Asked to stop, it
finishes its job first; asked again, it hands that back.

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
import logging
import sys
import time
from collections.abc import Callable, Sequence
from contextvars import copy_context
from functools import partial
from types import FrameType
from typing import Any

import structlog
from prometheus_client import start_http_server
from redis import Redis
from redis.client import Pipeline
from redis.exceptions import RedisError
from rq import Queue, SimpleWorker, worker_registration
from rq.exceptions import DeserializationError
from rq.executions import Execution
from rq.job import Job
from rq.registry import StartedJobRegistry
from rq.worker import WorkerStatus

from config import reporting
from config.log_lines import bare
from config.logging import configure, take_over
from config.servers import redis_at
from config.settings import SettingsError
from marketplace.core import tracing
from marketplace.core.jobs import QUEUES, try_to_write
from marketplace.core.metrics import count_no_more, registry
from marketplace.core.primary import is_away
from marketplace.core.processes import BackOff
from workers.context import connections_in_use, product
from workers.limits import Deadline, TimeLimit
from workers.schedule import scheduler
from workers.supervision import stop_at_once_on_signals, supervise
from workers.waiting import OnceAMinute, Waiting, why_no_database

WORKER_TTL = 60
"""Seconds after which a worker that says nothing is taken off the list; RQ adds as many."""

PATIENCE = 5
"""Seconds to wait for a connection, and the longest pause between two attempts at one."""

HANDED_BACK_AT_MOST = 3
"""How often a job is handed back: one that ends its own connection each time is then left alone."""

log = structlog.get_logger(__name__)


class JobWorker(SimpleWorker):
    """RQ's worker without a process per job, that gives up neither on Redis nor on PostgreSQL."""

    max_connection_wait_time = float(PATIENCE)
    death_penalty_class = TimeLimit

    def __init__(self, redis: Redis, deadline: Deadline, queues: Sequence[str] = QUEUES) -> None:
        super().__init__(
            queues,
            connection=redis,
            worker_ttl=WORKER_TTL,
            log_job_description=False,
            exception_handlers=[_report],
        )
        self.deadline = deadline
        self.stop_asked = False
        self.database_is_there = False

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        self.stop_asked = True
        super().request_stop(signum, frame)  # type: ignore[no-untyped-call]  # RQ's

    def set_shutdown_requested_date(self) -> None:
        """Leave no note in Redis: the signal may have come in the middle of a command to it."""

    def dequeue_job_and_maintain_ttl(
        self, timeout: int | None, max_idle_time: int | None = None
    ) -> tuple[Job, Queue] | None:
        """Wait for a job, as soon as PostgreSQL is there to do one with."""
        if not self.database_is_there:
            self.set_state(WorkerStatus.IDLE)  # a signal ends the wait
            self._await_database()
            self.database_is_there = True
        return super().dequeue_job_and_maintain_ttl(timeout, max_idle_time)

    def _await_database(self) -> None:
        waiting = Waiting("postgresql", longest=PATIENCE)
        while (reason := why_no_database()) is not None:
            wait = waiting.because(reason)
            self.heartbeat()
            time.sleep(wait)
        waiting.is_over()

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

    def handle_exception(self, job: Job, *exc_info: Any) -> None:
        """Write down what went wrong, in a line where nothing did but that the database is away."""
        error = exc_info[1]
        if is_away(error):
            said = str(getattr(error, "orig", error)).strip()
            log.warning("database_away", error=said, job=_name_of(job))
        else:
            super().handle_exception(job, *exc_info)

    def handle_job_failure(
        self,
        job: Job,
        queue: Queue,
        started_job_registry: StartedJobRegistry | None = None,
        exc_string: str = "",
        execution: Execution | None = None,
    ) -> None:
        """Hand a job back that is not to blame; else keep in Redis where it failed.

        By which errors, as in the log, and no text of any: such a text may be of anybody.
        PostgreSQL quotes the row that it refuses.
        """
        error = sys.exc_info()[1]
        self.database_is_there = self.database_is_there and not is_away(error)
        handed_back = job.meta.get("handed_back", 0)
        if (is_away(error) or isinstance(error, SystemExit)) and handed_back < HANDED_BACK_AT_MOST:
            job.meta["handed_back"] = handed_back + 1
            job.retries_left, job.enqueue_at_front_on_retry = 1, True
            log.info("job_handed_back", job=_name_of(job))
        super().handle_job_failure(job, queue, started_job_registry, bare(exc_string), execution)

    def leave(self) -> None:
        """End the thread that listens for commands, which outlives a worker that lost Redis."""
        if self.pubsub_thread:
            # Its line is about to be cut, which is no news to anybody.
            self.pubsub_thread.exception_handler = lambda *_: None
            self.pubsub_thread.stop()


def _report(_job: Job, *exc_info: Any) -> None:
    """Hand on that a job failed; what RQ keeps and logs of it is a text."""
    reporting.report("job_failed", exc_info)


def _name_of(job: Job) -> str:
    try:
        return str(job.func_name)
    except DeserializationError:
        return "unreadable"


def work_once(deadline: Deadline, queues: Sequence[str], redis: Redis) -> bool:
    """Take jobs until asked to stop, and return True; False: Redis went away."""
    worker = JobWorker(redis, deadline, queues)
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
    back_off = BackOff(longest=PATIENCE)
    waiting = Waiting("redis", longest=PATIENCE)
    while True:
        stop_at_once_on_signals()
        back_off.started()
        redis = redis_at(
            product().settings.redis_url,
            socket_connect_timeout=PATIENCE,
            socket_timeout=PATIENCE,
            health_check_interval=30,
        )
        try:
            try_to_write(redis)
            redis.connection_pool.disconnect()  # a worker's own have more patience, for a job
            waiting.is_over()
            if once(redis):
                return
            wait = back_off.ended()
            log.warning("started_again", what=what, reason="ended", wait=wait)
        except RedisError as error:
            wait = waiting.because(str(error))
        finally:
            stop_at_once_on_signals()
            redis.close()
        time.sleep(wait)


def answer_prometheus(_: Deadline) -> None:
    """Tell whoever asks what the processes beside this one counted.

    Whose port is taken waits for it: the one before, that is about to stop, may have it still.
    """
    host, port = product().settings.metrics_listen or ("", 0)
    waiting = Waiting("metrics", longest=PATIENCE)
    while True:
        try:
            server, thread = start_http_server(port, host, registry())
            break
        except OSError as error:
            why = f"port {port}: {error.strerror or error}; each `marketplace worker` needs its own"
            time.sleep(waiting.because(why))
    waiting.is_over()
    log.info("metrics_served", port=port)
    thread.join()
    server.server_close()


def work(queues: Sequence[str], deadline: Deadline) -> None:
    """Be a worker process."""
    logging.getLogger("rq.worker").addFilter(OnceAMinute())
    run_until_stopped("worker", partial(work_once, deadline, queues))


def several(listed: str) -> tuple[str, ...]:
    """Read names of queues with commas between them; the order counts."""
    names = tuple(dict.fromkeys(name.strip() for name in listed.split(",")))
    if unknown := [name for name in names if name not in QUEUES]:
        raise argparse.ArgumentTypeError(f"no queue {unknown[0]!r}: there are {', '.join(QUEUES)}")
    return names


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m workers.run", description=__doc__)
    kinds = parser.add_subparsers(dest="kind", required=True)
    worker = kinds.add_parser("worker")
    worker.add_argument("--processes", type=int, default=1)
    worker.add_argument("--queues", type=several, default=QUEUES)
    kinds.add_parser("scheduler")
    wanted = parser.parse_args(arguments)
    configure(wanted.kind)
    take_over()
    try:
        tracing.configure(product().settings.otlp_endpoint, wanted.kind)
    except SettingsError as error:
        sys.exit(f"{parser.prog}: {error}")
    reporting.begin(product().settings.sentry_dsn, wanted.kind)
    if wanted.kind == "scheduler":
        run_until_stopped("scheduler", schedule_once)
    else:
        others = [answer_prometheus] if product().settings.metrics_listen else []
        supervise(wanted.processes, partial(work, wanted.queues), *others)
    count_no_more()


if __name__ == "__main__":
    main()
