"""Do the jobs that were rung, here and now, as a worker would."""

from marketplace.core.context import Context
from marketplace.core.jobs import Job
from marketplace.matching import service as matching
from marketplace.matching import waiting
from marketplace.notifications import delivery
from marketplace.notifications.channels import Channel


def do_jobs(ctx: Context, channel: Channel) -> None:
    """Do every job on the recording queue, and those that they ring, until none is left."""
    jobs = ctx.queue.jobs
    while jobs:
        job, subject_id = jobs.pop(0)
        if job is Job.MATCH_LEADS:
            matching.match_lead(ctx, subject_id)
        elif job is Job.REMATCH_WAITING_LEADS:
            waiting.rematch_waiting_leads(ctx, subject_id)
        elif job is Job.RECHECK_PROVIDER:
            waiting.recheck_provider(ctx, subject_id)
        elif job is Job.RECHECK_STANDING:
            waiting.recheck_standing(ctx)
        elif job is Job.DELIVER_NOTIFICATIONS:
            delivery.deliver_due_notifications(ctx, channel)
