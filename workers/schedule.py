"""What happens on the clock.

The database holds every deadline; these sweeps only ask it what is due. A missed tick, an emptied
Redis or a second scheduler costs time and nothing else.
"""

from datetime import timedelta

from redis import Redis
from rq.cron import CronScheduler

from marketplace.core.jobs import JOB_TIMEOUT
from workers import jobs

SWEEPS = (
    # (what, how many sweep intervals apart)
    (jobs.expire_due_invitations, 1),
    (jobs.settle_due_commitments, 1),
    (jobs.rematch_waiting_leads, 1),
    (jobs.deliver_notifications, 1),
    (jobs.lapse_unconfirmed_leads, 4),
    (jobs.expire_due_leads, 4),
    (jobs.forget_old_answers, 240),
)


def scheduler(redis: Redis, sweep_interval: timedelta) -> CronScheduler:
    """Return RQ's scheduler with every sweep registered.

    A tick that nobody took within two of its intervals is dropped (`ttl`): a stopped worker must
    not come back to a queue full of identical ones.
    """
    cron = CronScheduler(connection=redis)
    for sweep, every in SWEEPS:
        interval = int(sweep_interval.total_seconds()) * every
        cron.register(
            sweep,
            queue_name="sweeps",
            interval=interval,
            ttl=2 * interval,
            job_timeout=JOB_TIMEOUT,
            result_ttl=0,
            failure_ttl=86_400,
        )
    return cron
