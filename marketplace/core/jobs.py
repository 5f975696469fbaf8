"""Jobs by name: how a step makes something above it happen, after the commit.

A job carries ids and nothing else, runs late, twice or beside another, and has a sweep behind it:
losing every one of them costs time and nothing else.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice
from typing import Protocol
from uuid import UUID

import structlog
from redis import Redis, RedisError
from rq import Queue
from rq.job import Job as RqJob
from rq.utils import utcparse

from marketplace.core.circuit_breaker import CircuitBreaker

log = structlog.get_logger(__name__)


class Job(StrEnum):
    """Each value is the name of a function in `workers.jobs`."""

    MATCH_LEADS = "match_leads"
    REMATCH_WAITING_LEADS = "rematch_waiting_leads"
    RECHECK_PROVIDER = "recheck_provider"
    RECHECK_STANDING = "recheck_standing"
    DELIVER_NOTIFICATIONS = "deliver_notifications"
    DELIVER_WEBHOOKS = "deliver_webhooks"


QUEUES = ("deadlines", "matching", "sweeps", "mail", "webhooks")
"""A worker looks into the first before every job; the others take turns, a job each.

So a deadline waits for one job at most, and neither matching, nor mail, nor a provider's slow
server can keep the others from their turn.
"""

QUEUE_OF = {
    Job.MATCH_LEADS: "matching",
    Job.REMATCH_WAITING_LEADS: "sweeps",
    Job.RECHECK_PROVIDER: "matching",
    Job.RECHECK_STANDING: "matching",
    Job.DELIVER_NOTIFICATIONS: "mail",
    Job.DELIVER_WEBHOOKS: "webhooks",
}

DRAINS = frozenset({Job.DELIVER_NOTIFICATIONS, Job.DELIVER_WEBHOOKS})
"""Jobs that take all there is, each with a queue of its own: one that waits there is enough.

To ring costs a web process as much as a form's row, and to look whether one waits a tenth of that.
"""

AT_ONCE = {Job.MATCH_LEADS: 50}
"""How many ids one job of a kind takes, where that is more than one.

What RQ does around a job takes a quarter of the time of a match, and what asks for one match often
asks for many: a sweep, an import, a provider whose calendar opens.
"""

MOST_WAITING = {
    "deadlines": 1_000, "matching": 2_000, "sweeps": 1_000, "mail": 100, "webhooks": 100,
}  # fmt: skip
"""How many jobs a queue holds at most that transactions rang.

The rows that they are about hold all that there is to do, and a sweep behind each finds it: what a
queue holds beyond what its workers do between two sweeps costs memory and hastens nothing. Those
for mail and webhooks name nothing and drain whatever is due, so a few for each worker are plenty.
"""

HELD_UP = 0.5
"""Seconds after which whoever rings was held up by a Redis that says nothing."""

LOOKED_AT = 20
"""How many at the head of a queue are looked at for the oldest: the first may be gone."""

JOB_TIMEOUT = 60
"""Seconds after which RQ stops a job; the sweeps ring again."""


Asked = tuple[Job, UUID | None]
"""A job, and what it is about, if about anything."""


def in_batches(asked: Iterable[Asked]) -> list[tuple[Job, tuple[UUID, ...]]]:
    """Return which jobs to ring with which ids, each id once, in the order they were asked for."""
    subjects: dict[Job, dict[UUID | None, None]] = {}
    for job, subject_id in asked:
        subjects.setdefault(job, {})[subject_id] = None
    rung: list[tuple[Job, tuple[UUID, ...]]] = []
    for job, wanted in subjects.items():
        ids = [each for each in wanted if each is not None]
        if None in wanted:
            rung.append((job, ()))
        at_once = AT_ONCE.get(job, 1)
        rung += [(job, tuple(ids[i : i + at_once])) for i in range(0, len(ids), at_once)]
    return rung


class JobQueue(Protocol):
    """Where jobs are rung."""

    def put(self, job: Job, subject_ids: Sequence[UUID], *, request_id: str) -> None:
        """Ask for `job`; raise if the queue cannot be reached."""
        ...


class QueueAway(Exception):
    """Redis did not answer a moment ago, and is left alone for a while."""


class RqJobQueue:
    """Jobs on Redis, for whichever RQ worker is free first.

    Whoever rings has committed already and holds a request or a job up, so a Redis that says
    nothing is asked by one at a time, now and then. A queue that nobody empties stops growing at
    its `MOST_WAITING`.
    """

    def __init__(self, redis: Redis, *, most_waiting: Mapping[str, int] | None = None) -> None:
        """`most_waiting`: other bounds than the usual ones, by name of queue."""
        self._redis = redis
        self._queues = {name: Queue(name, connection=redis) for name in QUEUES}
        self._most = {**MOST_WAITING, **(most_waiting or {})}
        self._is_long: set[str] = set()
        self._breaker = CircuitBreaker()

    def put(self, job: Job, subject_ids: Sequence[UUID], *, request_id: str) -> None:
        """Enqueue by name: this side never imports `workers`.

        What looks for all that is due, and waits to be begun, will see what was committed before.
        Leaves a job to the sweep behind it where too many wait already; raises `QueueAway`, or what
        Redis says, where it cannot be reached.
        """
        if not self._breaker.may_ask():
            raise QueueAway("Redis did not answer a moment ago")
        began = time.monotonic()
        queue = self._queues[QUEUE_OF[job]]
        try:
            if job in DRAINS and queue.count:
                self._breaker.answered()
                return
            if queue.name in self._is_long and self._is_full(queue):
                log.info("left_to_the_sweep", job=job, subjects=len(subject_ids))
                self._breaker.answered()
                return
            with self._redis.pipeline() as together:
                queue.enqueue(
                    f"workers.jobs.{job}",
                    args=tuple(str(each) for each in subject_ids),
                    job_timeout=JOB_TIMEOUT,
                    result_ttl=0,
                    failure_ttl=86_400,
                    meta={"request_id": request_id},
                    pipeline=together,
                )
                together.llen(queue.key)
                *_, length = together.execute()
        except RedisError:
            # Where it says at once that it is not there, asking again costs nobody anything.
            if time.monotonic() - began >= HELD_UP:
                self._breaker.failed()
            else:
                self._breaker.answered()
            raise
        self._breaker.answered()
        if length >= self._most[queue.name]:
            self._is_long.add(queue.name)

    def _is_full(self, queue: Queue) -> bool:
        if queue.count >= self._most[queue.name]:
            return True
        self._is_long.discard(queue.name)
        return False


@dataclass(frozen=True)
class Backlog:
    """What waits in one queue."""

    waiting: int
    """How many."""
    oldest: timedelta
    """For how long the first of them has waited; nothing where none does."""


def backlog(redis: Redis, now: datetime) -> dict[str, Backlog]:
    """Return what waits in every queue, in two round trips, however much that is.

    Raises what Redis says where it cannot be reached.
    """
    with redis.pipeline(transaction=False) as lengths:
        for name in QUEUES:
            lengths.llen(Queue.redis_queue_namespace_prefix + name)
            lengths.lrange(Queue.redis_queue_namespace_prefix + name, 0, LOOKED_AT - 1)
        counted = lengths.execute()
    heads = dict(zip(QUEUES, counted[1::2], strict=True))
    with redis.pipeline(transaction=False) as since:
        for ids in heads.values():
            for each in ids:
                since.hget(RqJob.redis_job_namespace_prefix + each.decode(), "enqueued_at")
        times = iter(since.execute())
    found = {}
    for name, length in zip(QUEUES, counted[::2], strict=True):
        moments = [utcparse(each.decode()) for each in islice(times, len(heads[name])) if each]
        age = max((now - each for each in moments), default=timedelta(0))
        found[name] = Backlog(length, max(age, timedelta(0)))
    return found


def try_to_write(redis: Redis) -> None:
    """Raise what Redis says where it takes nothing: one that is full answers all the same."""
    redis.set("marketplace:takes-writes", "", ex=60)


class HeldBack:
    """A queue that keeps what several transactions ask for, to be rung together."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []

    def put(self, job: Job, subject_ids: Sequence[UUID], *, request_id: str) -> None:
        """Keep it."""
        self.asked += [(job, each) for each in subject_ids] or [(job, None)]
