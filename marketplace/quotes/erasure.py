"""Forget who a business and its people are; what happened stays, without names."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from sqlalchemy import Select, bindparam, column, delete, select, table, update

from marketplace.core import consents, links
from marketplace.core.actors import SYSTEM, Actor, Kind
from marketplace.core.agreements import Agreed
from marketplace.core.consents import Whose
from marketplace.core.context import Context, Transaction
from marketplace.core.errors import Gone
from marketplace.core.events import record
from marketplace.core.links import Link, Purpose
from marketplace.invitations import queries as invitations
from marketplace.invitations.models import Attachment, Invitation, Miss, Question, QuoteDraft
from marketplace.leads import certificates, reminders
from marketplace.leads import queries as leads
from marketplace.leads import service as leading
from marketplace.leads.advisers import forget_advisers
from marketplace.leads.masking import mask_identities
from marketplace.leads.models import Lead
from marketplace.leads.rules import LIFECYCLE, CloseReason, LeadEvent, LeadState, remembered
from marketplace.notifications import forgetting, suppressions
from marketplace.notifications.rules import GONE
from marketplace.notifications.service import notify
from marketplace.quotes import outcome
from marketplace.quotes.models import Quote
from marketplace.quotes.reviews import forget_texts

ERASED = "erased"


def erase_request(ctx: Context, actor: Actor) -> None:
    """Close the business' own request, if it runs, and erase what identifies a person.

    With it go forms of the same contact that were set aside: no link of theirs opens those.
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
        set_aside = [each.id for each in leads.set_aside_for(tx.session, lead)]
        aside = leads.lock_leads(tx.session, set_aside)
        forgetting.forget_messages(tx, aside)
        for each in aside.values():
            _erase_at_will(tx, actor, each)
        _erase_at_will(tx, actor, lead)


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
        _erase_at_will(tx, Actor(Kind.BUSINESS, id=lead.id, lead_id=lead.id), lead)
        return lead.reference


def _erase_at_will(tx: Transaction, actor: Actor, lead: Lead) -> None:
    """Erase a request because its business says so, which takes its consents back. It is locked."""
    _erase(tx, lead)
    consents.withdraw_all(tx, Whose.LEAD, lead.id)
    record(tx, actor, "lead.erased", lead.id)


def forget_in_time(tx: Transaction, lead_id: UUID) -> None:
    """Erase what identifies a person in a request whose time is over; the figures stay.

    Nobody is written to. Reminders of a certificate go on: they have a consent of their own, and
    what they take is kept beside it.
    """
    lead = leads.lock_lead(tx.session, lead_id)
    if lead.erased_at is not None or not lead.is_finished:
        return
    held = invitations.invitations_for_lead(tx.session, lead.id)
    forgetting.forget_messages(tx, [lead.id, *(each.id for each in held)])
    key = lead.business_key
    _erase(tx, lead)
    if lead.taken_invitation_id is not None:
        lead.business_key = remembered(key)
    record(tx, SYSTEM, "lead.deidentified", lead.id)


def forget_who_advised(tx: Transaction, lead_id: UUID) -> None:
    """Forget by what a business could be known again, once no advice to it can matter any more."""
    lead = leads.lock_lead(tx.session, lead_id)
    if lead.erased_at is not None:
        lead.business_key = f"{ERASED}:{lead.id}"


def _erase(tx: Transaction, lead: Lead) -> None:
    _cover_in_quotes(tx, lead)
    _cover_reasons(tx, lead)
    lead.company_name = lead.contact_name = ERASED
    lead.contact_email = f"{lead.id}{GONE}"
    lead.contact_phone = lead.contact_role = lead.website = lead.registration_number = None
    lead.notes = None
    lead.form = {}
    forget_advisers(lead)
    lead.consent = {**lead.consent, "address": None}
    forget_addresses(tx, lead)
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
    tx.session.execute(delete(QuoteDraft).where(QuoteDraft.invitation_id.in_(held)))
    tx.session.execute(update(Miss).where(Miss.invitation_id.in_(held)).values(objection=None))
    tx.session.execute(delete(Link).where(Link.subject_id == lead.id))


def forget_addresses(tx: Transaction, lead: Lead) -> None:
    """Cut the addresses of what a business agreed to; of reminders once those have ended."""
    is_reminded = certificates.certificate_of_lead(tx.session, lead.id) is not None
    consents.forget_addresses(tx, [lead.id], but=[Agreed.REMINDERS] if is_reminded else [])


def _cover_reasons(tx: Transaction, lead: Lead) -> None:
    """Cover who it was in what administrators gave as reasons."""
    identity = lead.identity
    if lead.finish_reason:
        lead.finish_reason = mask_identities(lead.finish_reason, [identity])
    held = select(Invitation.id).where(Invitation.lead_id == lead.id)
    for rows, names in (
        (select(Invitation).where(Invitation.lead_id == lead.id), BECAUSE),
        (select(Miss).where(Miss.invitation_id.in_(held)), ("strike_reason", "uphold_reason")),
    ):
        for row in tx.session.scalars(rows).all():
            for name in names:
                said = getattr(row, name)
                if said:
                    setattr(row, name, mask_identities(said, [identity]))
    runs = tx.session.execute(_RUNS_BY_HAND, {"lead": lead.id}).all()
    for run_id, because in runs:
        covered = mask_identities(because, [identity])
        tx.session.execute(_COVER_RUN, {"run": run_id, "because": covered})


BECAUSE = ("by_hand_because", "withdrawn_because")

# By name: matching stands above quotes, so its class cannot be imported here.
_run = table("matching_runs", column("id"), column("lead_id"), column("by_hand_because"))
_RUNS_BY_HAND = select(_run.c.id, _run.c.by_hand_because).where(
    _run.c.lead_id == bindparam("lead"), _run.c.by_hand_because.is_not(None)
)
_COVER_RUN = (
    update(_run).where(_run.c.id == bindparam("run")).values(by_hand_because=bindparam("because"))
)


_WORDS = ("notes", "assumptions", "exclusions", "client_duties", "name", "deliverables")
"""Fields of a quote, and of its phases, that hold what anybody likes, written to whom they like."""


def _cover_in_quotes(tx: Transaction, lead: Lead) -> None:
    """Cover who it was for in every version of every quote; what was offered stays."""
    identity = lead.identity
    theirs = select(Quote).join(Invitation).where(Invitation.lead_id == lead.id)
    _cover(tx, theirs, lambda text: mask_identities(text, [identity]))


def cover_in_quotes_of(tx: Transaction, provider_id: UUID, cover: Callable[[str], str]) -> None:
    """Cover words in every version of every quote of a provider; what it offered stays."""
    theirs = select(Quote).join(Invitation).where(Invitation.provider_id == provider_id)
    _cover(tx, theirs, cover)


def _cover(tx: Transaction, which: Select[Quote], cover: Callable[[str], str]) -> None:
    for quote in tx.session.scalars(which.order_by(Quote.id)).all():
        quote.body = _covered(quote.body, cover)


def _covered(body: dict[str, Any], cover: Callable[[str], str]) -> dict[str, Any]:
    words = {
        name: cover(each) if isinstance(each, str) else [cover(line) for line in each]
        for name in _WORDS
        if (each := body.get(name))
    }
    phases = {"phases": [_covered(each, cover) for each in body.get("phases") or ()]}
    return body | words | (phases if "phases" in body else {})
