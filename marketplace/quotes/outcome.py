"""What comes of a request: the choice, closure, expiry, what is told of it, what follows on."""

from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from marketplace.catalogue.known import known
from marketplace.core.actors import SYSTEM, Actor
from marketplace.core.context import Context, Transaction
from marketplace.core.errors import Conflict, FieldError, Invalid
from marketplace.core.events import record
from marketplace.core.forms import Form
from marketplace.core.jobs import Job
from marketplace.core.sweeps import sweep
from marketplace.invitations import endings, standing
from marketplace.invitations import queries as invitations
from marketplace.invitations.models import Invitation
from marketplace.invitations.rules import LIFECYCLE, InvitationEvent
from marketplace.leads import intake, reminders
from marketplace.leads import queries as leads
from marketplace.leads import service as leading
from marketplace.leads.advisers import told
from marketplace.leads.models import Certificate, Lead
from marketplace.leads.rules import (
    NEVER_RAN,
    OUTCOME_OF,
    CloseReason,
    LeadEvent,
    LeadState,
    Outcome,
    OutcomeReason,
    Service,
)
from marketplace.leads.service import Receipt
from marketplace.leads.signals import Telltale
from marketplace.notifications import commitment
from marketplace.notifications.service import notify
from marketplace.providers.models import Provider
from marketplace.providers.rules import ProviderKind
from marketplace.quotes import comparison, queries


def choose_provider(
    ctx: Context, actor: Actor, invitation_id: UUID, *, version: int | None = None
) -> Lead:
    """Award the request to one that quoted; every other live invitation ends, and all are told.

    `version` is that of the quote which was looked at, if that is known: another is not chosen.
    """
    with ctx.transaction() as tx:
        lead = leads.lock_lead(tx.session, actor.own_lead())
        chosen = invitations.invitation_of(tx.session, actor, invitation_id)
        if lead.is_finished:
            raise Conflict("this request is finished already")
        stands = queries.latest(tx.session, chosen.id)
        if version is not None and stands is not None and stands.version != version:
            raise Conflict("the quote was revised since you looked at it: look at it again")
        _award(tx, actor, lead, chosen.id)
        return lead


def _award(tx: Transaction, actor: Actor, lead: Lead, invitation_id: UUID) -> None:
    """Give the request to one that quoted, and tell everybody. The lead is locked."""
    chosen = invitations.lock_invitation(tx.session, invitation_id)
    provider = tx.session.get_one(Provider, chosen.provider_id)
    _require_may_be_chosen(tx, chosen, provider)
    lead.apply(LeadEvent.AWARD, now=tx.now)
    lead.awarded_invitation_id = chosen.id
    lead.come_to(Outcome.AWARDED, now=tx.now, invitation_id=chosen.id)
    _finish(tx, actor, lead, outcome="another provider was chosen", chosen_id=chosen.id)
    notify(
        tx,
        "choice_confirmed",
        leading.contact_of(lead),
        lead.id,
        link=leading.request_link(tx, lead),
        reference=lead.reference,
        provider=provider.name,
        provider_email=provider.contact_email,
        provider_phone=provider.contact_phone,
    )


def _require_may_be_chosen(tx: Transaction, chosen: Invitation, provider: Provider) -> None:
    """Raise `Conflict` for one that has not quoted, was taken back, or may not stay any more."""
    if chosen.withdrawn_because is not None:
        raise Conflict(
            f"the quote of {provider.name} is withdrawn, because {chosen.withdrawn_because}"
        )
    # Refuses, in its own words, one that has not quoted.
    LIFECYCLE.after(chosen.state, InvitationEvent.WIN)
    hindered = standing.obstacle_of(
        tx.session, chosen.id, policy=tx.policy, now=tx.now, who=provider.name
    )
    if hindered is not None:
        raise Conflict(hindered)


def close_request(ctx: Context, actor: Actor, *, reason: CloseReason) -> Lead:
    """Finish the business' own request without choosing."""
    with ctx.transaction() as tx:
        lead = leads.lock_lead(tx.session, actor.own_lead())
        close(tx, actor, lead, reason=reason)
        if reason in OUTCOME_OF:
            outcome, decided_by = OUTCOME_OF[reason]
            lead.come_to(outcome, now=tx.now, reason=decided_by)
        return lead


def tell_outcome(
    ctx: Context,
    actor: Actor,
    *,
    outcome: Outcome,
    invitation_id: UUID | None = None,
    reason: OutcomeReason | None = None,
    comment: str | None = None,
) -> Lead:
    """Take what the business says came of its request; `invitation_id` is whose it became.

    Of one that runs that is the choice, or the closure. One that has ended stays as it ended, and
    so do its invitations: what was told to everybody then stays true. It is noted what came of it,
    which counts for impartiality, and may be put right; but a choice is not taken back.
    """
    with ctx.transaction() as tx:
        lead = leads.lock_lead(tx.session, actor.own_lead())
        lead.require_not_erased()
        taken = _taken(tx, actor, outcome, invitation_id)
        if lead.state in NEVER_RAN:
            raise Conflict("this request never ran, so nothing can have come of it")
        if lead.is_open and lead.has_expired(tx.now):
            _let_expire(tx, lead)
        if not lead.is_finished:
            if taken is not None:
                _award(tx, actor, lead, taken.id)
            else:
                close(tx, actor, lead, reason=CloseReason(outcome))
        elif lead.state is LeadState.AWARDED and invitation_id != lead.awarded_invitation_id:
            raise Conflict("you have chosen a provider for this request: that stays so")
        lead.come_to(
            outcome, now=tx.now, invitation_id=invitation_id, reason=reason, comment=comment
        )
        facts = {"outcome": outcome, "reason": reason, "invitation": taken and str(taken.id)}
        record(tx, actor, "lead.outcome_told", lead.id, **facts)
        running = leads.unfinished_of_business(tx.session, lead.business_key)
        if taken is not None and running is not None:
            # Another of its requests: who advises the business is seen to anew.
            tx.afterwards(Job.MATCH_LEADS, running.id)
        return lead


def _taken(
    tx: Transaction, actor: Actor, outcome: Outcome, invitation_id: UUID | None
) -> Invitation | None:
    """Return whose a request became, or raise: it has to have quoted, where it is one of ours."""
    is_ours = outcome is Outcome.AWARDED
    if is_ours != (invitation_id is not None):
        detail = "is required" if is_ours else "is only for a request that was awarded"
        raise Invalid([FieldError("/invitation_id", detail)])
    if invitation_id is None:
        return None
    taken = invitations.invitation_of(tx.session, actor, invitation_id)
    if taken.quoted_at is None:
        raise Conflict("this provider has not quoted")
    return taken


def close_lead(ctx: Context, actor: Actor, lead_id: UUID, *, reason: str | None) -> Lead:
    """Finish a request as an administrator."""
    actor.require_admin()
    with ctx.transaction() as tx:
        lead = leads.lock_lead(tx.session, lead_id)
        close(tx, actor, lead, reason=reason)
        return lead


def expire_due_leads(ctx: Context) -> int:
    """Finish every open request whose time has run out; return how many there were."""
    return sweep(
        ctx,
        "expire_due_leads",
        lambda session, now, limit: leads.leads_to_expire(session, now=now, limit=limit),
        _expire,
    )


def _expire(tx: Transaction, lead_id: UUID) -> None:
    lead = leads.lock_lead(tx.session, lead_id)
    if lead.is_open and lead.has_expired(tx.now):
        _let_expire(tx, lead)


def _let_expire(tx: Transaction, lead: Lead) -> None:
    """Finish a request whose time has run out. It is locked."""
    lead.apply(LeadEvent.EXPIRE, now=tx.now, reason="its time had run out")
    _finish(tx, SYSTEM, lead, outcome="the request's time had run out")
    _tell_finished(tx, "request_expired", lead)


def close(tx: Transaction, actor: Actor, lead: Lead, *, reason: str | None) -> None:
    """Finish a request without a choice, and tell everybody. The lead is locked."""
    lead.apply(LeadEvent.CLOSE, now=tx.now, reason=reason)
    _finish(tx, actor, lead, outcome="the request was closed without a choice")
    _tell_finished(tx, "request_closed", lead)


def _finish(
    tx: Transaction, actor: Actor, lead: Lead, *, outcome: str, chosen_id: UUID | None = None
) -> None:
    """End what hangs on a lead that has just been finished. The lead is locked."""
    tx.session.flush()
    endings.finish_invitations(
        tx,
        actor,
        lead,
        outcome=outcome,
        standings=comparison.standings(tx.session, lead),
        chosen_id=chosen_id,
    )
    commitment.end(tx, lead.id)
    record(tx, actor, f"lead.{lead.state}", lead.id)


def _tell_finished(tx: Transaction, template: str, lead: Lead) -> None:
    notify(
        tx,
        template,
        leading.contact_of(lead),
        lead.id,
        link=leading.request_link(tx, lead),
        reference=lead.reference,
    )


def follow_on(ctx: Context, actor: Actor, form: Form, *, terms_shown: str | None = None) -> Receipt:
    """After an awarded consulting request: ask for certification, knowing who consulted.

    Pre-filled from the first request; `form` may change what is needed now, and name others who
    advised since. The business is known by its link, so nothing is confirmed again. It agrees to
    what it agreed to before, or to the terms that it was shown where it sent this.
    """
    with ctx.transaction() as tx:
        first = leads.lock_lead(tx.session, actor.own_lead())
        consultant = consultant_of(tx.session, first)
        kept = _as_values(first)
        wanted = {**kept, **form.values, "service": Service.CERTIFICATION}
        wanted["consultants_used"] = [
            *kept["consultants_used"],
            *form.values.get("consultants_used", []),
            {"name": consultant.name, "ended_on": None},
        ]
        if terms_shown is not None:
            wanted["consent"] = {**kept["consent"], "terms_version": terms_shown}
        whole = Form(wanted, form.problems)
        catalogue = known(tx.session)
        values = whole.accept(intake.problems(whole, catalogue, today=tx.now.date()))
        lead = intake.new_lead(
            tx,
            intake.columns(
                tx, values, catalogue, Telltale(), confirmed=True, follows_lead_id=first.id
            ),
        )
        record(tx, actor, "lead.submitted", lead.id, service=lead.service, follows=str(first.id))
        leading.enter(tx, actor, lead)
        return Receipt(lead.reference, lead.state, None)


def consultant_of(session: Session, lead: Lead) -> Provider:
    """Return the consultant whose a request became; nothing else can be followed on: `Conflict`."""
    consultant = _chosen(session, lead)
    if consultant is None:
        raise Conflict("only an awarded request can be followed on")
    if consultant.kind is not ProviderKind.CONSULTANT:
        raise Conflict("only a consulting request can be followed on")
    return consultant


def _chosen(session: Session, lead: Lead) -> Provider | None:
    """Return whose a request became, if anybody's. It must not have been erased meanwhile."""
    lead.require_not_erased()
    if lead.taken_invitation_id is None:
        return None
    taken = session.get_one(Invitation, lead.taken_invitation_id)
    return session.get_one(Provider, taken.provider_id)


def want_reminders(ctx: Context, actor: Actor, form: Form, *, door: str) -> Certificate:
    """Remind the business of the dates of the certificate that it asked for here, as it agrees to.

    Who advised it is noted, the consultant that it chose with the day on which that is taken to
    end, so that the next request knows them for as long as it matters.
    """
    with ctx.transaction() as tx:
        lead = leads.lock_lead(tx.session, actor.own_lead())
        chosen = _chosen(tx.session, lead)
        if chosen is None or lead.taken_at is None:
            raise Conflict("reminders are for those who have chosen a provider")
        advisers = [told(each) for each in lead.consultants_used]
        seeks_body = chosen.kind is ProviderKind.CONSULTANT
        if seeks_body:
            ends = (lead.taken_at + tx.policy.engagement).date()
            advisers.append({"name": chosen.name, "ended_on": ends.isoformat()})
        return reminders.want_reminders(
            tx, actor, lead, form, advisers=advisers, seeks_body=seeks_body, door=door
        )


def _as_values(lead: Lead) -> dict[str, Any]:
    """Return a lead's form as values again; editions are asked for anew, as current."""
    kept = {
        name: getattr(lead, name)
        for name in (
            "standards", "regions", "headcount", "sites", "sector", "certification_status",
            "timeframe", "remote_ok", "language", "notes",
        )
    }  # fmt: skip
    return {
        **kept,
        "company": lead.form["company"],
        "contact": lead.form["contact"],
        "consent": lead.form["consent"],
        "consultants_used": [
            {
                "name": each["name"],
                "ended_on": date.fromisoformat(each["ended_on"]) if each["ended_on"] else None,
            }
            for each in lead.consultants_used
        ],
    }
