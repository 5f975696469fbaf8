"""The waiting queue: leads with an empty place, tried again on whatever could help, and in time."""

from uuid import UUID

from marketplace.core.context import Context
from marketplace.core.jobs import Job
from marketplace.invitations import queries as invitations
from marketplace.invitations import standing
from marketplace.leads import queries as leads
from marketplace.matching import queries

RECHECKED_AT_ONCE = 500
"""Leads at most for which one sweep rings because somebody in them may not stay."""


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
    """Look again at every lead in which this provider holds a live invitation.

    Rung when a provider or an accreditation was suspended: what may not stand is taken back.
    """
    with ctx.transaction() as tx:
        ids = invitations.leads_held_by(tx.session, provider_id)
        for lead_id in ids:
            tx.afterwards(Job.MATCH_LEADS, lead_id)
        return len(ids)


def recheck_standing(ctx: Context) -> int:
    """Ring for every lead where somebody who may not stay holds a live invitation.

    Whatever the reason, and whoever forgot to ring: an accreditation that lapsed with the day, a
    provider that was suspended, a relationship that came to light.
    """
    with ctx.transaction() as tx:
        ids = standing.leads_to_look_at(
            tx.session, policy=tx.policy, now=tx.now, most=RECHECKED_AT_ONCE
        )
        for lead_id in ids:
            tx.afterwards(Job.MATCH_LEADS, lead_id)
        return len(ids)
