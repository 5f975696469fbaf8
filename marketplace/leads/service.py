"""Take the form in, confirm it, review it, open it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from marketplace.accounts.letters import tell_admins
from marketplace.accounts.passwords import asked_now, like_time
from marketplace.catalogue.known import Known, Outdated, kept, known
from marketplace.core import links, tracing
from marketplace.core.actors import ANYBODY, SYSTEM, Actor, Kind
from marketplace.core.context import Context, Transaction
from marketplace.core.errors import Conflict, Gone
from marketplace.core.events import record
from marketplace.core.forms import Form
from marketplace.core.jobs import Job
from marketplace.core.links import Purpose
from marketplace.leads import intake, queries, rules, trust
from marketplace.leads.models import Lead
from marketplace.leads.receiving import (
    asking_to_confirm,
    link_to_request,
    receive,
    running_already,
)
from marketplace.leads.rules import LeadEvent, LeadState, Signals
from marketplace.leads.signals import Telltale
from marketplace.notifications import commitment
from marketplace.notifications.models import Commitment
from marketplace.notifications.queries import request_behind
from marketplace.notifications.service import LinkTo, Recipient, notify, notify_each


@dataclass(frozen=True)
class Receipt:
    """What is answered to a form. The same whether or not the business has a request running."""

    reference: str
    status: str
    confirm_by: datetime | None


@dataclass(frozen=True, repr=False)
class Confirmation:
    """What is answered to a confirmation."""

    reference: str
    status: str
    request_token: str | None
    commitment: Commitment | None


def submit_lead(ctx: Context, form: Form, telltale: Telltale | None = None) -> Receipt:
    """Take a form in, or raise `Invalid` naming every wrong field."""
    try:
        return _submit(ctx, form, telltale or Telltale(), kept)
    except Outdated:
        return _submit(ctx, form, telltale or Telltale(), known)


def _submit(
    ctx: Context, form: Form, telltale: Telltale, catalogue_of: Callable[[Session], Known]
) -> Receipt:
    with ctx.transaction() as tx:
        catalogue = catalogue_of(tx.session)
        problems = intake.problems(form, catalogue, today=tx.now.date())
        if problems:  # nobody is refused by what the catalogue said before
            catalogue = known(tx.session)
            problems = intake.problems(form, catalogue, today=tx.now.date())
        values = form.accept(problems)
        columns = intake.columns(tx, values, catalogue, telltale, confirmed=False)
        if tx.policy.lead_confirmation != "off":
            reference = receive(tx, columns, catalogue)
            return Receipt(reference, LeadState.AWAITING_CONFIRMATION, columns["confirm_by"])
        lead = intake.new_lead(tx, columns)
        record(tx, ANYBODY, "lead.submitted", lead.id, service=lead.service)
        enter(tx, ANYBODY, lead)
        return Receipt(lead.reference, "received", None)


def confirm_lead(ctx: Context, token: str) -> Confirmation:
    """Take the confirmation of a form; a second time raises `Gone` and changes nothing."""
    with ctx.transaction() as tx:
        link = links.use(tx, Purpose.CONFIRM_LEAD, token)
        lead = queries.lock_lead(tx.session, link.subject_id)
        if lead.state is not LeadState.AWAITING_CONFIRMATION or tx.now >= lead.confirm_by:
            raise Gone("this link was used or has lapsed")
        tracing.carries_on(lambda: request_behind(tx.session, lead.id))
        lead.confirmed_at = tx.now
        intake.look_again(tx, lead)
        actor = Actor(Kind.BUSINESS, id=lead.id, lead_id=lead.id)
        record(tx, actor, "lead.confirmed", lead.id)
        is_in = enter(tx, actor, lead)
        return Confirmation(
            reference=lead.reference,
            status=lead.state,
            request_token=mint_request_token(tx, lead) if is_in else None,
            commitment=commitment.commitment_of(tx.session, lead.id),
        )


def enter(tx: Transaction, actor: Actor, lead: Lead) -> bool:
    """Let a lead in whose sender is known (or need not be): to open, or to review.

    Return whether it came in; it did not where the business has a request running.
    """
    if _superseded(tx, actor, lead):
        return False
    event = rules.event_on_confirmation(tx.policy.lead_review, lead.review_reasons)
    if event is LeadEvent.OPEN:
        open_lead(tx, actor, lead)
    else:
        _queue_for_review(tx, lead)
    return True


def _queue_for_review(tx: Transaction, lead: Lead) -> None:
    """Let people look first; of what is hardly anything but spam they hear on their desk alone."""
    lead.apply(LeadEvent.REVIEW, now=tx.now)
    against = trust.score(Signals(**lead.signals), tx.policy.doubt_points)
    facts = {"reasons": len(lead.review_reasons), "score": against}
    record(tx, SYSTEM, "lead.queued_for_review", lead.id, **facts)
    if against >= tx.policy.silent_from:
        return
    notify(
        tx,
        "request_in_review",
        contact_of(lead),
        lead.id,
        link=request_link(tx, lead),
        reference=lead.reference,
    )
    tell_admins(
        tx,
        "review_needed",
        lead.id,
        path=f"/admin/leads/{lead.id}",
        reference=lead.reference,
        reasons=lead.review_reasons,
    )


def open_lead(tx: Transaction, actor: Actor, lead: Lead) -> None:
    """Open a lead: the clock starts, and providers are looked for."""
    lead.apply(LeadEvent.OPEN, now=tx.now)
    move_expiry(tx, lead, quotes_valid_until=None)
    lead.plan_ask(tx.now, now=tx.now, waits=tx.policy.outcome_asked_after)
    # Every place is empty: should the job that is rung below be lost, the sweep finds it waiting.
    lead.wait("searching", "providers are being looked for", now=tx.now)
    promise = commitment.start(tx, lead.id, time_zone=lead.time_zone, region=lead.regions[0])
    record(tx, actor, "lead.opened", lead.id)
    notify(
        tx,
        "request_opened",
        contact_of(lead),
        lead.id,
        link=request_link(tx, lead),
        reference=lead.reference,
        standards=lead.standards,
        due_at=promise.due_at,
    )
    tx.afterwards(Job.MATCH_LEADS, lead.id)


def move_expiry(tx: Transaction, lead: Lead, *, quotes_valid_until: datetime | None) -> None:
    """Set when an open lead expires, given until when its latest live quote stands."""
    lead.expires_at = rules.expiry(
        lead.opened_at or tx.now,
        quotes_valid_until=quotes_valid_until,
        lifetime=tx.policy.lead_lifetime,
        at_most=tx.policy.lead_lifetime_at_most,
    )


def approve_lead(ctx: Context, actor: Actor, lead_id: UUID) -> Lead:
    """Open a lead that was in review."""
    actor.require_admin()
    with ctx.transaction() as tx:
        lead = queries.lock_lead(tx.session, lead_id)
        if lead.state is not LeadState.IN_REVIEW:
            # One that nobody has confirmed yet could open as well, but not by somebody else's word.
            raise Conflict(f"this request is {lead.state}: only one in review can be approved")
        open_lead(tx, actor, lead)
        return lead


def reject_lead(ctx: Context, actor: Actor, lead_id: UUID, *, reason: str) -> Lead:
    """Turn a lead in review away, and tell the business why."""
    actor.require_admin()
    with ctx.transaction() as tx:
        lead = queries.lock_lead(tx.session, lead_id)
        lead.apply(LeadEvent.REJECT, now=tx.now, reason=reason)
        record(tx, actor, "lead.rejected", lead.id)
        notify(
            tx,
            "request_rejected",
            contact_of(lead),
            lead.id,
            path="/",
            reference=lead.reference,
            reason=reason,
        )
        return lead


def report_not_ours(ctx: Context, token: str) -> None:
    """Somebody says that the request running for their business is not theirs: people look."""
    with ctx.transaction() as tx:
        link = queries.not_ours_link(tx.session, token, now=tx.now)
        if link is None:
            raise Gone("this link was used or has lapsed")
        lead = queries.lock_lead(tx.session, link.subject_id)
        record(tx, ANYBODY, "lead.reported_not_ours", lead.id)
        path = f"/admin/leads/{lead.id}"
        tell_admins(tx, "not_ours_reported", lead.id, path=path, reference=lead.reference)


def ask_for_link(ctx: Context, form: Form) -> None:
    """Mail the link to the page of a request again, to the address that it was sent from.

    Of the latest form that waits to be confirmed it is the link that does that: so whoever uses up
    with forms what a mailbox gets keeps nobody from theirs. Nobody is told whether there is one.
    """
    email = form.accept()["email"]
    with like_time(), ctx.transaction() as tx:
        lives_on = tx.policy.request_link_lives_on
        for lead in queries.leads_of_contact(tx.session, email, now=tx.now, lives_on=lives_on):
            notify(
                tx,
                "request_link",
                contact_of(lead),
                lead.id,
                occasion=asked_now(tx),
                link=request_link(tx, lead),
                reference=lead.reference,
                is_late=lead.finished_at is not None and lead.finished_at + lives_on <= tx.now,
            )
            record(tx, ANYBODY, "lead.link_asked", lead.id)
        waiting = queries.latest_to_confirm(tx.session, email, now=tx.now)
        if waiting is not None:
            again = asking_to_confirm(
                waiting.columns, "confirm_request_again", occasion=asked_now(tx)
            )
            notify_each(tx, [again])
            record(tx, ANYBODY, "lead.link_asked", waiting.id)


def actor_of_request_token(ctx: Context, token: str, *, of_own_data: bool = False) -> Actor | None:
    """Return the business whose request this token opens, while it is good.

    `of_own_data`: for what is kept of it, which it has or has erased as long as there is anything.
    """
    with ctx.reading() as session:
        lives_on = None if of_own_data else ctx.policy.request_link_lives_on
        lead_id = queries.lead_of_request_token(session, token, now=ctx.clock(), lives_on=lives_on)
    if lead_id is None:
        return None
    return Actor(Kind.BUSINESS, id=lead_id, lead_id=lead_id)


def contact_of(lead: Lead) -> Recipient:
    """Return whom mails about a lead go to."""
    return Recipient(lead.contact_email, lead.contact_name, lead.time_zone)


def request_link(tx: Transaction, lead: Lead) -> LinkTo:
    """Return the link to the request's own page, good for as long as the page can be."""
    return link_to_request(tx, lead.id)


def outcome_link(tx: Transaction, lead: Lead) -> LinkTo:
    """Return the link to where it is told what came of a request: it opens that as well."""
    return replace(request_link(tx, lead), purpose=Purpose.OUTCOME)


def mint_request_token(tx: Transaction, lead: Lead) -> str:
    """Return a fresh request token, to be shown at once."""
    link = request_link(tx, lead)
    return links.mint(tx, Purpose.REQUEST, lead.id, expires_at=link.expires_at)


def _superseded(tx: Transaction, actor: Actor, lead: Lead) -> bool:
    """Return whether the business has a request running already; then this one ends here."""
    queries.lock_business(tx.session, lead.business_key)
    running = queries.unfinished_of_business(tx.session, lead.business_key)
    if running is None:
        return False
    lead.apply(LeadEvent.SUPERSEDE, now=tx.now)
    record(tx, actor, "lead.superseded", lead.id, by=str(running.id))
    notify_each(tx, [running_already(tx, running, lead.columns)])
    return True
