"""What time alone does to leads: forms lapse, commitments come to be at risk or missed."""

from collections.abc import Sequence
from uuid import UUID

from marketplace.accounts.letters import Alarm, tell_admins_of_each
from marketplace.core.actors import SYSTEM
from marketplace.core.context import Context, Transaction
from marketplace.core.events import record
from marketplace.core.sweeps import sweep, sweep_together
from marketplace.leads import queries
from marketplace.leads.rules import LeadEvent, LeadState
from marketplace.leads.service import contact_of, request_link
from marketplace.notifications import commitment
from marketplace.notifications.rules import CommitmentEvent
from marketplace.notifications.service import Message, notify_each


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
    return sweep_together(
        ctx,
        "settle_due_commitments",
        lambda session, now, limit: commitment.due_commitments(session, now=now, limit=limit),
        _settle,
    )


def _settle(tx: Transaction, lead_ids: Sequence[UUID]) -> None:
    """Settle commitments, and tell who has to know: businesses of a miss, people of a risk."""
    leads = queries.lock_leads(tx.session, lead_ids)
    promises = commitment.commitments_of(tx.session, leads)
    settled = [(leads[each.lead_id], each, commitment.settle(tx, each)) for each in promises]
    notify_each(
        tx,
        [
            Message(
                "commitment_missed",
                contact_of(lead),
                lead.id,
                {"reference": lead.reference},
                link=request_link(tx, lead),
            )
            for lead, _, event in settled
            if event is CommitmentEvent.MISS
        ],
    )
    tell_admins_of_each(
        tx,
        "commitment_at_risk",
        [
            Alarm(
                lead.id,
                f"/admin/leads/{lead.id}",
                {"reference": lead.reference, "due_at": promise.due_at},
            )
            for lead, promise, event in settled
            if event is CommitmentEvent.WARN
        ],
    )
