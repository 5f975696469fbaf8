"""What RQ calls: each job is one use case, given this process's context.

A job may run late, twice, or beside another; the use cases allow for that.
"""

from uuid import UUID

from marketplace.core import idempotency, sealing_log
from marketplace.invitations import endings, extension
from marketplace.leads import clock as leads
from marketplace.leads import reminding
from marketplace.matching import service as matching
from marketplace.matching import settling, waiting
from marketplace.notifications import delivery
from marketplace.notifications.rules import Way
from marketplace.privacy import retention
from marketplace.providers import expiry
from marketplace.quotes import asking, outcome
from workers.context import channel, job_context, webhook_channel

# Rung by a transaction that has just committed.


def match_leads(*lead_ids: str) -> None:
    with job_context() as ctx:
        matching.match_leads(ctx, [UUID(each) for each in lead_ids])


def recheck_provider(provider_id: str) -> None:
    with job_context() as ctx:
        waiting.recheck_provider(ctx, UUID(provider_id))


def rematch_waiting_leads(provider_id: str | None = None) -> None:
    with job_context() as ctx:
        waiting.rematch_waiting_leads(ctx, UUID(provider_id) if provider_id else None)


def deliver_notifications() -> None:
    with job_context() as ctx:
        delivery.deliver_due_notifications(ctx, channel())


def deliver_webhooks() -> None:
    with job_context() as ctx:
        delivery.deliver_due_notifications(ctx, webhook_channel(), Way.WEBHOOK)


# Rung by the clock. Each asks the database what is due.


def recheck_standing() -> None:
    with job_context() as ctx:
        waiting.recheck_standing(ctx)


def retry_waiting_leads() -> None:
    with job_context() as ctx:
        waiting.retry_waiting_leads(ctx)


def settle_ended_invitations() -> None:
    with job_context() as ctx:
        settling.settle_ended_invitations(ctx)


def end_due_invitations() -> None:
    with job_context() as ctx:
        endings.end_due_invitations(ctx)


def extend_windows() -> None:
    with job_context() as ctx:
        extension.extend_windows(ctx)


def remind_holders() -> None:
    with job_context() as ctx:
        endings.remind_holders(ctx)


def settle_due_commitments() -> None:
    with job_context() as ctx:
        leads.settle_due_commitments(ctx)


def lapse_unconfirmed_leads() -> None:
    with job_context() as ctx:
        leads.lapse_unconfirmed_leads(ctx)


def expire_due_leads() -> None:
    with job_context() as ctx:
        outcome.expire_due_leads(ctx)


def ask_for_outcomes() -> None:
    with job_context() as ctx:
        asking.ask_for_outcomes(ctx)


def tell_of_expiring_accreditations() -> None:
    with job_context() as ctx:
        expiry.tell_of_expiring_accreditations(ctx)


def remind_of_certificates() -> None:
    with job_context() as ctx:
        reminding.remind_of_certificates(ctx)


def forget_what_is_over() -> None:
    with job_context() as ctx:
        retention.forget_what_is_over(ctx)


def seal_events() -> None:
    with job_context() as ctx:
        sealing_log.seal_events(ctx)


def forget_old_answers() -> None:
    with job_context() as ctx:
        idempotency.forget_old_answers(ctx)
