"""What time alone does to leads: forms lapse, commitments come to be at risk or missed."""

from uuid import UUID

from marketplace.accounts.letters import tell_admins
from marketplace.core.actors import SYSTEM
from marketplace.core.context import Context, Transaction
from marketplace.core.events import record
from marketplace.core.sweeps import sweep
from marketplace.leads import queries
from marketplace.leads.rules import LeadEvent, LeadState
from marketplace.leads.service import contact_of, request_link
from marketplace.notifications import commitment
from marketplace.notifications.rules import CommitmentEvent
from marketplace.notifications.service import notify


def lapse_unconfirmed_leads(ctx: Context) -> int:
    """Close every form that was not confirmed in time; return how many there were."""
    return sweep(
        ctx,
        "lapse_unconfirmed_leads",
        lambda session, now, limit: queries.leads_to_lapse(session, now=now, limit=limit),
        _lapse,
    )


def _lapse(tx: Transaction, lead_id: UUID) -> None:
    lead = queries.lock_lead(tx.session, lead_id)
    if lead.state is LeadState.AWAITING_CONFIRMATION and tx.now >= lead.confirm_by:
        lead.apply(LeadEvent.LAPSE, now=tx.now)
        record(tx, SYSTEM, "lead.lapsed", lead.id)


def settle_due_commitments(ctx: Context) -> int:
    """Let every commitment be at risk or missed whose time has come; return how many there were."""
    return sweep(
        ctx,
        "settle_due_commitments",
        lambda session, now, limit: commitment.due_commitments(session, now=now, limit=limit),
        _settle,
    )


def _settle(tx: Transaction, lead_id: UUID) -> None:
    """Settle one commitment, and tell who has to know: the business of a miss, people of a risk."""
    lead = queries.lock_lead(tx.session, lead_id)
    promise = commitment.commitment_of(tx.session, lead_id)
    event = commitment.settle(tx, promise) if promise else None
    if event is CommitmentEvent.MISS:
        notify(
            tx,
            "commitment_missed",
            contact_of(lead),
            lead.id,
            link=request_link(tx, lead),
            reference=lead.reference,
        )
    elif event is CommitmentEvent.WARN and promise is not None:
        tell_admins(
            tx,
            "commitment_at_risk",
            lead.id,
            path=f"/admin/leads/{lead.id}",
            reference=lead.reference,
            due_at=promise.due_at,
        )
