"""Ask what came of a request, so that none just fades.

It is counted from when there was something to decide: from the first quote on, as nobody has
decided much before one is there, and later ones are waited for by those alone who want to. Where
none has come it is counted from the opening, and asked whether help is still wanted; if a quote
comes after that, there is something to decide, and it is asked anew.
"""

from uuid import UUID

from marketplace.core.actors import SYSTEM
from marketplace.core.context import Context, Transaction
from marketplace.core.events import record
from marketplace.core.sweeps import sweep
from marketplace.leads import queries as leads
from marketplace.leads import service as leading
from marketplace.leads.models import Lead
from marketplace.leads.rules import LeadState
from marketplace.notifications import suppressions
from marketplace.notifications.service import notify
from marketplace.quotes import queries

ASKED_IN = (LeadState.OPEN, LeadState.EXPIRED)
"""Whoever chose or closed has said what came of it."""


def ask_for_outcomes(ctx: Context) -> int:
    """Ask every business whose turn has come; return how many there were."""
    return sweep(
        ctx,
        "ask_for_outcomes",
        lambda session, now, limit: leads.leads_to_ask(session, now=now, limit=limit),
        _ask,
    )


def plan_ask(tx: Transaction, lead: Lead) -> None:
    """Let the business be asked at the next of the moments for that, if there is one."""
    decidable_at = queries.first_quoted_at(tx.session, lead.id) or lead.opened_at or tx.now
    lead.plan_ask(decidable_at, now=tx.now, waits=tx.policy.outcome_asked_after)


def _ask(tx: Transaction, lead_id: UUID) -> None:
    lead = leads.lock_lead(tx.session, lead_id)
    asked_at = lead.outcome_due_at
    if asked_at is None or tx.now < asked_at:
        return
    lives_on = tx.policy.request_link_lives_on
    is_shut = lead.finished_at is not None and lead.finished_at + lives_on <= tx.now
    if lead.state not in ASKED_IN or lead.erased_at is not None or is_shut:
        lead.outcome_due_at = None
        return
    plan_ask(tx, lead)
    if suppressions.stopped_among(tx.session, {lead.contact_email}):
        return  # it would not arrive; by the next time that may have been mended
    notify(
        tx,
        "outcome_asked",
        leading.contact_of(lead),
        lead.id,
        occasion=asked_at.isoformat(),
        link=leading.outcome_link(tx, lead),
        reference=lead.reference,
        has_quotes=queries.has_quotes_to_choose(tx.session, lead.id),
        is_open=lead.is_open and not lead.has_expired(tx.now),
        is_last=lead.outcome_due_at is None,
    )
    record(tx, SYSTEM, "lead.outcome_asked", lead.id)
