"""What happens on the clock.

The database holds every deadline; these sweeps only ask it what is due. A missed tick, an emptied
Redis or a second scheduler costs time and nothing else.
"""

from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta

from redis import Redis
from redis.client import Pipeline
from redis.exceptions import RedisError
from rq import Queue
from rq.cron import CronJob, CronScheduler
from rq.exceptions import SchedulerNotFound
from rq.utils import now

from marketplace.core import sweeps_done
from marketplace.core.jobs import JOB_TIMEOUT
from marketplace.core.policy import Policy
from workers import jobs
from workers.context import EVERY

SWEEPS = (
    # (what, how many sweep intervals apart, on which queue)
    (jobs.end_due_invitations, 1, "deadlines"),
    (jobs.settle_due_commitments, 1, "deadlines"),
    (jobs.remind_holders, 1, "deadlines"),
    (jobs.extend_windows, 4, "sweeps"),
    (jobs.retry_waiting_leads, 1, "sweeps"),
    (jobs.settle_ended_invitations, 1, "sweeps"),
    (jobs.deliver_notifications, 1, "mail"),
    (jobs.deliver_webhooks, 1, "webhooks"),
    (jobs.recheck_standing, 4, "sweeps"),
    (jobs.seal_events, 4, "sweeps"),
    (jobs.lapse_unconfirmed_leads, 4, "sweeps"),
    (jobs.expire_due_leads, 4, "sweeps"),
    (jobs.ask_for_outcomes, 4, "sweeps"),
    (jobs.remind_of_certificates, 4, "sweeps"),
    (jobs.forget_old_answers, 240, "sweeps"),
    (jobs.forget_what_is_over, Policy.retention_every, "sweeps"),
    (jobs.tell_of_expiring_accreditations, 240, "sweeps"),
)


AHEAD = 60
"""Seconds by which the clock of another scheduler may differ."""


def name_of(job: CronJob) -> str:
    """Return what a sweep is called wherever it is told of."""
    return job.func_name.rpartition(".")[2]


class Scheduler(CronScheduler):
    """RQ's scheduler, for clocks that are put back and for a Redis that goes away.

    Its `start` returns when it was asked to stop, and raises when Redis is gone.
    """

    def enqueue_jobs(self) -> list[CronJob]:
        """Ring what is due; what was rung in the future is due, since the clock was put back."""
        for job in self.get_jobs():
            if job.latest_enqueue_time and job.latest_enqueue_time > now():
                job.latest_enqueue_time = None
        for job in self._still_wait([job for job in self.get_jobs() if job.should_run()]):
            job.set_enqueue_time(now())
        return super().enqueue_jobs()

    def _still_wait(self, due: Sequence[CronJob]) -> list[CronJob]:
        """Return those whose last tick nobody has taken yet, whichever scheduler rang it.

        What one rang whose clock is ahead would pass for the last one until that time has come.

        By the queue itself: what a worker was given that was cut off before it heard of it is in
        there no more, and is rung again.
        """
        with self.connection.pipeline(transaction=False) as asked:
            for job in due:
                asked.zremrangebyscore(job.job_history_key, now().timestamp() + AHEAD, "+inf")
                asked.zrange(job.job_history_key, -1, -1)
            last = [ids[0].decode() if ids else "" for ids in asked.execute()[1::2]]
            for job, tick in zip(due, last, strict=True):
                asked.lpos(Queue.redis_queue_namespace_prefix + job.queue_name, tick)
            return [job for job, at in zip(due, asked.execute(), strict=True) if at is not None]

    def heartbeat(self) -> None:
        """Give a sign of life, and say which sweeps are to be done: Redis may have been emptied."""
        super().heartbeat()
        every = {name_of(job): float(job.interval or 0) for job in self.get_jobs()}
        sweeps_done.expect(self.connection, every, now=now())

    def register_death(self, pipeline: Pipeline | None = None) -> None:
        with suppress(
            RedisError, SchedulerNotFound
        ):  # forgotten already, or will be in two minutes
            super().register_death(pipeline)


def scheduler(redis: Redis, sweep_interval: timedelta) -> Scheduler:
    """Return RQ's scheduler with every sweep registered.

    A tick waits until somebody takes it, and no second beside it: a worker that was stopped does
    not come back to a queue full of identical ones, and the age of what waits is true.
    """
    cron = Scheduler(connection=redis)
    for sweep, every, queue in SWEEPS:
        interval = int(sweep_interval.total_seconds()) * every
        cron.register(
            sweep,
            queue_name=queue,
            interval=interval,
            job_timeout=JOB_TIMEOUT,
            result_ttl=0,
            failure_ttl=86_400,
            meta={EVERY: interval},
        )
    return cron
