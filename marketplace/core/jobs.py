"""Jobs by name: how a step makes something above it happen, after the commit.

A job carries at most one id, runs late, twice or beside another, and has a sweep behind it: losing
every one of them costs time and nothing else.
"""

from enum import StrEnum
from typing import Protocol
from uuid import UUID

from redis import Redis
from rq import Queue


class Job(StrEnum):
    """Each value is the name of a function in `workers.jobs`."""

    MATCH_LEAD = "match_lead"
    REMATCH_WAITING_LEADS = "rematch_waiting_leads"
    RECHECK_PROVIDER = "recheck_provider"
    DELIVER_NOTIFICATIONS = "deliver_notifications"


QUEUES = ("matching", "mail", "sweeps")
"""In the order in which a worker empties them."""

QUEUE_OF = {
    Job.MATCH_LEAD: "matching",
    Job.REMATCH_WAITING_LEADS: "sweeps",
    Job.RECHECK_PROVIDER: "matching",
    Job.DELIVER_NOTIFICATIONS: "mail",
}

JOB_TIMEOUT = 60
"""Seconds after which RQ stops a job; the sweeps ring again."""


class JobQueue(Protocol):
    """Where jobs are rung."""

    def put(self, job: Job, subject_id: UUID | None, *, request_id: str) -> None:
        """Ask for `job`; raise if the queue cannot be reached."""
        ...


class RqJobQueue:
    """Jobs on Redis, for whichever RQ worker is free first."""

    def __init__(self, redis: Redis) -> None:
        self._queues = {name: Queue(name, connection=redis) for name in QUEUES}

    def put(self, job: Job, subject_id: UUID | None, *, request_id: str) -> None:
        """Enqueue by name: this side never imports `workers`."""
        self._queues[QUEUE_OF[job]].enqueue(
            f"workers.jobs.{job}",
            args=() if subject_id is None else (str(subject_id),),
            job_timeout=JOB_TIMEOUT,
            result_ttl=0,
            failure_ttl=86_400,
            meta={"request_id": request_id},
        )
