"""The waiting queue: leads with an empty place, tried again on whatever could help, and in time."""

from uuid import UUID

from marketplace.core.context import Context
from marketplace.core.jobs import Job
from marketplace.invitations import queries as invitations
from marketplace.leads import queries as leads
from marketplace.matching import queries


def retry_waiting_leads(ctx: Context) -> int:
    """Ring for every lead that has waited long enough since it was last rung for, oldest first.

    The longer it waits, the less often: what helps is an event, and that rings at once; time alone
    helps by a pause that ends, a month that begins, an accreditation that comes into force.
    """
    with ctx.transaction() as tx:
        ids = leads.leads_to_retry(
            tx.session,
            now=tx.now,
            at_least=tx.policy.sweep_interval,
            share=tx.policy.rematch_share,
            at_most=tx.policy.rematch_at_most,
        )
        leads.mark_rung(tx.session, ids, now=tx.now)
        for lead_id in ids:
            tx.afterwards(Job.MATCH_LEADS, lead_id)
        return len(ids)


def rematch_waiting_leads(ctx: Context, provider_id: UUID | None = None) -> int:
    """Ring for the leads whose places may be filled now, the longest waiting first.

    `provider_id`: only those that this provider could fit, as far as its coverage row tells;
    without one (an import, a change of the catalogue), all that wait.
    """
    with ctx.transaction() as tx:
        ids = queries.waiting_leads(tx.session, provider_id)
        leads.mark_rung(tx.session, ids, now=tx.now)
        for lead_id in ids:
            tx.afterwards(Job.MATCH_LEADS, lead_id)
        return len(ids)


def recheck_provider(ctx: Context, provider_id: UUID) -> int:
    """Look again at every lead in which this provider holds an invitation it has not answered.

    Rung when a provider or an accreditation was suspended: what may not stand is taken back.
    """
    with ctx.transaction() as tx:
        ids = invitations.leads_unanswered_by(tx.session, provider_id)
        for lead_id in ids:
            tx.afterwards(Job.MATCH_LEADS, lead_id)
        return len(ids)


def recheck_suspended_providers(ctx: Context) -> int:
    """Ring for every lead where a provider that is not verified holds an unanswered invitation."""
    with ctx.transaction() as tx:
        ids = invitations.leads_held_by_unverified(tx.session)
        for lead_id in ids:
            tx.afterwards(Job.MATCH_LEADS, lead_id)
        return len(ids)
