"""Jobs by name: how a step makes something above it happen, after the commit.

A job carries ids and nothing else, runs late, twice or beside another, and has a sweep behind it:
losing every one of them costs time and nothing else.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from redis import Redis
from rq import Queue


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


class RqJobQueue:
    """Jobs on Redis, for whichever RQ worker is free first."""

    def __init__(self, redis: Redis) -> None:
        self._queues = {name: Queue(name, connection=redis) for name in QUEUES}

    def put(self, job: Job, subject_ids: Sequence[UUID], *, request_id: str) -> None:
        """Enqueue by name: this side never imports `workers`.

        What looks for all that is due, and waits to be begun, will see what was committed before.
        """
        queue = self._queues[QUEUE_OF[job]]
        if job in DRAINS and queue.count:
            return
        queue.enqueue(
            f"workers.jobs.{job}",
            args=tuple(str(each) for each in subject_ids),
            job_timeout=JOB_TIMEOUT,
            result_ttl=0,
            failure_ttl=86_400,
            meta={"request_id": request_id},
        )


class HeldBack:
    """A queue that keeps what several transactions ask for, to be rung together."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []

    def put(self, job: Job, subject_ids: Sequence[UUID], *, request_id: str) -> None:
        """Keep it."""
        self.asked += [(job, each) for each in subject_ids] or [(job, None)]
