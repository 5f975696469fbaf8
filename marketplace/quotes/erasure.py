"""Forget who a business and its people are; what happened stays, without names."""

from typing import Any

from sqlalchemy import delete, select, update

from marketplace.core import consents, links
from marketplace.core.actors import Actor, Kind
from marketplace.core.consents import Whose
from marketplace.core.context import Context, Transaction
from marketplace.core.errors import Gone
from marketplace.core.events import record
from marketplace.core.links import Link, Purpose
from marketplace.invitations import queries as invitations
from marketplace.invitations.models import Attachment, Invitation, Miss, Question
from marketplace.leads import queries as leads
from marketplace.leads import reminders
from marketplace.leads import service as leading
from marketplace.leads.advisers import forget_advisers
from marketplace.leads.masking import Identity, mask_identities
from marketplace.leads.models import Lead
from marketplace.leads.rules import LIFECYCLE, CloseReason, LeadEvent, LeadState
from marketplace.notifications import forgetting, suppressions
from marketplace.notifications.service import notify
from marketplace.quotes import outcome
from marketplace.quotes.models import Quote
from marketplace.quotes.reviews import forget_texts

ERASED = "erased"


def erase_request(ctx: Context, actor: Actor) -> None:
    """Close the business' own request, if it runs, and erase what identifies a person.

    Providers that saw the contact have it in their own files by then; they are told of the closure.
    Every link to the request stops working. One last message says so, and is forgotten once sent.
    """
    with ctx.transaction() as tx:
        lead = leads.lock_lead(tx.session, actor.own_lead())
        if lead.erased_at is not None:
            return  # by whoever held the lock before
        held = invitations.invitations_for_lead(tx.session, lead.id)
        forgetting.forget_messages(tx, [lead.id, *(each.id for each in held)])
        if LIFECYCLE.allows(lead.state, LeadEvent.CLOSE):
            outcome.close(tx, actor, lead, reason=CloseReason.NOT_NOW)
            tx.session.flush()
            # Providers hear of the closure; a message to the business would keep its address.
            forgetting.forget_messages(tx, [lead.id])
        notify(
            tx,
            "data_erased",
            leading.contact_of(lead),
            lead.id,
            is_last_word=True,
            reference=lead.reference,
        )
        suppressions.forget_bounces(tx, lead.contact_email)
        reminders.erase(tx, actor, lead.id)
        _erase(tx, lead)
        record(tx, actor, "lead.erased", lead.id)


def erase_unconfirmed(ctx: Context, token: str) -> str:
    """Erase a form that nobody has confirmed, by the link that would confirm it; or raise `Gone`.

    Nobody has seen it, and nobody is written to: whoever says so may not have sent it. It lapses in
    its time as any other. Return its reference.
    """
    with ctx.transaction() as tx:
        link = links.use(tx, Purpose.CONFIRM_LEAD, token)
        lead = leads.lock_lead(tx.session, link.subject_id)
        if lead.state is not LeadState.AWAITING_CONFIRMATION:
            raise Gone("this link was used or has lapsed")
        forgetting.forget_messages(tx, [lead.id])
        _erase(tx, lead)
        record(tx, Actor(Kind.BUSINESS, id=lead.id, lead_id=lead.id), "lead.erased", lead.id)
        return lead.reference


def _erase(tx: Transaction, lead: Lead) -> None:
    _cover_in_quotes(tx, lead)
    lead.company_name = lead.contact_name = ERASED
    lead.contact_email = f"{lead.id}@{ERASED}.invalid"
    lead.contact_phone = lead.contact_role = lead.website = lead.registration_number = None
    lead.notes = None
    lead.form = {}
    forget_advisers(lead)
    lead.consent = {**lead.consent, "address": None}
    consents.withdraw_all(tx, Whose.LEAD, lead.id)
    lead.business_key = f"{ERASED}:{lead.id}"
    lead.outcome_comment = lead.outcome_due_at = None
    lead.erased_at = tx.now
    tx.session.execute(
        update(Question).where(Question.lead_id == lead.id).values(text=ERASED, answer=None)
    )
    forget_texts(tx, lead.id)
    tx.session.execute(
        update(Invitation).where(Invitation.lead_id == lead.id).values(decline_comment=None)
    )
    held = select(Invitation.id).where(Invitation.lead_id == lead.id)
    tx.session.execute(delete(Attachment).where(Attachment.invitation_id.in_(held)))
    tx.session.execute(update(Miss).where(Miss.invitation_id.in_(held)).values(objection=None))
    tx.session.execute(delete(Link).where(Link.subject_id == lead.id))


_WORDS = ("notes", "assumptions", "exclusions", "client_duties", "name", "deliverables")
"""Fields of a quote, and of its phases, that hold what anybody likes, written to whom they like."""


def _cover_in_quotes(tx: Transaction, lead: Lead) -> None:
    """Cover who it was for in every version of every quote; what was offered stays."""
    identity = lead.identity
    theirs = select(Quote).join(Invitation).where(Invitation.lead_id == lead.id)
    for quote in tx.session.scalars(theirs.order_by(Quote.id)).all():
        quote.body = _covered(quote.body, identity)


def _covered(body: dict[str, Any], identity: Identity) -> dict[str, Any]:
    words = {
        name: mask_identities(each, [identity])
        if isinstance(each, str)
        else [mask_identities(line, [identity]) for line in each]
        for name in _WORDS
        if (each := body.get(name))
    }
    phases = {"phases": [_covered(each, identity) for each in body.get("phases") or ()]}
    return body | words | (phases if "phases" in body else {})
