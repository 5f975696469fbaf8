"""Leads matched per second by one worker process, beside jobs that do nothing; and its memory.

A real `worker` process on a real Redis and PostgreSQL. Before the first batch and after the last it
does as many no-ops, so that neither has the quieter machine. The mail that a match leads to is rung
for on its own queue, which the worker turns to when no lead is left to match.
"""

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from redis import Redis
from rq import Queue
from sqlalchemy import func, select

from marketplace.core.context import Context
from marketplace.core.jobs import QUEUES, Job, RqJobQueue, in_batches
from marketplace.invitations.models import Invitation
from marketplace.local.postgres import EmbeddedPostgres
from marketplace.local.redis import EmbeddedRedis
from marketplace.notifications.models import Notification
from marketplace.notifications.rules import NotificationState
from tests.bench.leads import open_leads
from tests.bench.spent import Meter
from tests.bench.system import worker

DISJOINT = ("AU-NSW", "AU-VIC", "AU-QLD", "AU-WA", "AU-SA", "AU-TAS", "AU-ACT", "AU-NT", "NZ-AUK",
            "NZ-WGN")  # fmt: skip
"""Markets that share no provider."""

PATIENCE = 900
"""Seconds after which a batch is given up."""


@dataclass(frozen=True)
class Work:
    """What one worker process did."""

    no_ops_per_second: float
    leads_per_second: float
    invitations: int
    resident_early: int
    """Bytes, after `early` matches ..."""
    resident_late: int
    """... and after all of them."""


@dataclass(frozen=True)
class Batch:
    """What became of some leads in one round."""

    leads_per_second: float
    cost: dict[str, float]
    """Milliseconds of processor for each lead, by kind of process; `bench` is who looks on."""


def time_processes(
    servers: tuple[EmbeddedPostgres, EmbeddedRedis, Context],
    environment: dict[str, str],
    log: Path,
    *,
    leads: int,
    rounds: int,
) -> dict[int, list[Batch]]:
    """Return the rounds of one worker process and of two, over disjoint markets, in turn.

    Each is matched and its mails are handed over, so that a round leaves the next one nothing.
    """
    postgres, server, ctx = servers
    redis = Redis.from_url(server.url)
    queues, rung = [Queue(name, connection=redis) for name in QUEUES], RqJobQueue(redis)
    draw = random.Random(12)
    taken: dict[int, list[Batch]] = {1: [], 2: []}

    def is_busy() -> bool:
        if any(each.count or each.started_job_registry.get_job_count(cleanup=False)
               for each in queues):  # fmt: skip
            return True
        with ctx.reading() as session:
            return session.scalar(select(_UNSENT)) is True

    for number in range(rounds + 1):
        for processes, batches in taken.items():
            ids = open_leads(ctx, leads, draw=draw, wishes=one_region)
            redis.set("rq:suspended", 1)
            with _worker(environment, log, processes=processes) as pid:
                time.sleep(2)
                for each in ids:
                    rung.put(Job.MATCH_LEADS, [each], request_id="-")
                meter = Meter(
                    {
                        "workers": [pid],
                        "PostgreSQL": [postgres.pid or 0],
                        "Redis": [server.pid or 0],
                    }
                )
                redis.delete("rq:suspended")
                began, deadline = time.process_time(), time.monotonic() + PATIENCE
                while queues[QUEUES.index("matching")].count == leads:
                    _give_up_at(deadline)  # a worker looks once a second whether it may begin
                started = time.perf_counter()
                while is_busy():
                    _give_up_at(deadline)
                    time.sleep(0.05)
                seconds = time.perf_counter() - started
                spent = {**meter.spent(), "bench": (time.process_time() - began) * 1000}
                cost = {kind: ms / leads for kind, ms in spent.items()}
            if number:  # the first of each warms the servers
                batches.append(Batch(leads / seconds, cost))
    return taken


_UNSENT = (
    select(Notification.id)
    .where(Notification.state.in_([NotificationState.QUEUED, NotificationState.SENDING]))
    .exists()
)


def one_region(draw: random.Random) -> dict[str, Any]:
    """Return a wish that only the providers of one of the ten disjoint markets can fulfil."""
    return {
        "service": "consulting",
        "standards": ["ISO 9001"],
        "regions": [draw.choice(DISJOINT)],
        "headcount": 42,
        "sector": "17",
        "remote_ok": False,
    }


def time_worker(
    ctx: Context, redis_url: str, environment: dict[str, str], log: Path, *, early: int, leads: int
) -> Work:
    """Let one worker process match so many leads."""
    redis = Redis.from_url(redis_url)
    redis.flushall()
    queue = Queue("matching", connection=redis)
    rung = RqJobQueue(redis)
    ids = open_leads(ctx, leads, draw=random.Random(11))

    def ring(some: list[UUID]) -> None:
        for job, ids in in_batches((Job.MATCH_LEADS, each) for each in some):
            rung.put(job, ids, request_id="-")

    def ring_nothing() -> None:
        for _ in range(1000):
            queue.enqueue("tests.bench.nothing.nothing", result_ttl=0)

    with _worker(environment, log) as parent:
        [pid] = _children(parent)
        drained(queue, ring_nothing)  # the first jobs of a process are slower
        before = 1000 / drained(queue, ring_nothing)
        first = drained(queue, lambda: ring(ids[:early]))
        resident_early = _resident(pid)
        rest = drained(queue, lambda: ring(ids[early:]))
        resident_late = _resident(pid)
        after = 1000 / drained(queue, ring_nothing)
    with ctx.reading() as session:
        invitations = session.scalar(select(func.count()).select_from(Invitation)) or 0
    return Work(
        no_ops_per_second=(before + after) / 2,
        leads_per_second=leads / (first + rest),
        invitations=invitations,
        resident_early=resident_early,
        resident_late=resident_late,
    )


@contextmanager
def _worker(environment: dict[str, str], log: Path, *, processes: int = 1) -> Iterator[int]:
    """Run `worker`, and give the process above those that do the jobs, once these are there."""
    with worker(environment, log, processes=processes) as pid:
        deadline = time.monotonic() + 30
        while len(_children(pid)) < processes:
            if time.monotonic() > deadline:
                raise TimeoutError(f"the worker did not start: {log.read_text()[-2000:]}")
            time.sleep(0.1)
        yield pid


def _children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def drained(queue: Queue, ring: Callable[[], None]) -> float:
    """Ring while the queue is held, let go, and return the seconds until it is empty."""
    suspended = "rq:suspended"
    queue.connection.set(suspended, 1)
    time.sleep(1.5)
    ring()
    queue.connection.delete(suspended)
    waiting = queue.count
    deadline = time.monotonic() + PATIENCE
    while queue.count == waiting:
        _give_up_at(deadline)
    started = time.perf_counter()
    while queue.count or queue.started_job_registry.get_job_count(cleanup=False):
        _give_up_at(deadline)
    return time.perf_counter() - started


def _give_up_at(deadline: float) -> None:
    if time.monotonic() > deadline:
        raise TimeoutError("the worker does not get on")
    time.sleep(0.005)


def _resident(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
