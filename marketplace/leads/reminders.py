"""Remind a business of its certificate's dates, if it wants that, with the next form filled in.

Such a mail sells something, so it takes consent (Spam Act 2003): asked for by a box that nobody
has ticked, kept with when, from where and to which words, and stopped at once by a link in every
mail, which needs no account. Mail about a request goes on all the same.
"""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import delete

from marketplace.catalogue import queries as catalogue
from marketplace.catalogue.models import Standard
from marketplace.core import consents, links
from marketplace.core.actors import Actor, Kind
from marketplace.core.agreements import Agreed
from marketplace.core.consents import Whose
from marketplace.core.context import Context, Transaction
from marketplace.core.db import Json, new_id
from marketplace.core.errors import Gone, NotFound
from marketplace.core.events import record
from marketplace.core.forms import Form
from marketplace.core.links import Link, Purpose
from marketplace.leads import certificates, cycle, queries
from marketplace.leads.certificate_form import day_problems, edition_of, standards_problems
from marketplace.leads.models import Certificate, Lead
from marketplace.notifications.service import LinkTo, notify

OF_THE_FORM = ("company", "contact", "regions", "headcount", "sites", "sector", "remote_ok",
               "language")  # fmt: skip
"""What of the form that was awarded the next one begins with."""


def want_reminders(
    tx: Transaction,
    actor: Actor,
    lead: Lead,
    form: Form,
    *,
    advisers: Sequence[Json],
    seeks_body: bool,
    door: str,
) -> Certificate:
    """Keep of which certificate a business wants to be reminded; said again, as it says now.

    `advisers` are who consulted the business, as a form names them; `seeks_body`: nobody has been
    found yet who certifies. The lead is locked, and it was awarded.
    """
    queries.lock_business(tx.session, lead.business_key)
    kept = certificates.lock_certificates(tx.session, lead)
    certificate = kept.pop(lead.id, None) or Certificate(
        id=new_id(), lead_id=lead.id, created_at=tx.now
    )
    certificate.seeks_body = seeks_body
    certificate.time_zone = lead.time_zone
    today = certificates.today_of(certificate, tx.now)
    known = catalogue.standards_by_code(
        tx.session, [*lead.standards, *form.values.get("standards", [])]
    )
    own = [each.code for each in certificates.standards_of_lead(tx.session, lead)]
    wanted = {"standards": own, **form.values}
    found = [
        *day_problems(form, today, tx.policy),
        *standards_problems(wanted["standards"], form, known, today),
    ]
    values = Form(wanted, form.problems).accept(found)
    certificate.certified_on = values["certified_on"]
    certificate.standards = values["standards"]
    certificate.editions = {
        code: values.get("editions", {}).get(code) or edition_of(lead, known[code], today)
        for code in values["standards"]
    }
    certificate.contact_name, certificate.contact_email = lead.contact_name, lead.contact_email
    certificate.form = {
        **{name: lead.form.get(name) for name in OF_THE_FORM},
        "consultants_used": list(advisers),
    }
    certificate.consent = {
        "wording": tx.policy.reminders_wording,
        "at": tx.now.isoformat().replace("+00:00", "Z"),
        "door": door,
        "address": tx.origin.address,
    }
    consents.agree(tx, Whose.LEAD, lead.id, Agreed.REMINDERS, door=door)
    certificates.plan(tx, certificate)
    record(
        tx,
        actor,
        "reminders.agreed",
        lead.id,
        wording=tx.policy.reminders_wording,
        door=door,
        certificate=str(certificate.id),
    )
    _take_over(tx, actor, certificate, kept.values())
    _tell_agreed(tx, certificate)
    return certificate


def _take_over(
    tx: Transaction, actor: Actor, certificate: Certificate, others: Iterable[Certificate]
) -> None:
    """Let no other reminders come to the same address about the same standards. All are locked."""
    for other in others:
        left = [code for code in other.standards if code not in certificate.standards]
        if not left:
            certificates.forget(tx, actor, other, why="taken_over")
        elif left != other.standards:
            other.standards = left
            other.editions = {code: other.editions[code] for code in left}
            certificates.plan(tx, other)
            record(tx, actor, "reminders.changed", other.lead_id, standards=len(left))


def _tell_agreed(tx: Transaction, certificate: Certificate) -> None:
    """Send once what was agreed to, and a way to change or stop it that outlives the request."""
    notify(
        tx,
        "reminders_agreed",
        certificates.recipient_of(certificate),
        certificate.id,
        link=LinkTo(Purpose.REMINDERS, certificate.id, certificate.forget_at),
        standards=certificate.standards,
        dates=[cycle.in_words(due) for due in _ahead(tx, certificate)],
    )


def _ahead(tx: Transaction, certificate: Certificate) -> list[cycle.Due]:
    due = certificates.dates_of(certificate, tx.policy)
    return cycle.still_ahead(due, certificates.today_of(certificate, tx.now))


def remindable(ctx: Context, actor: Actor) -> list[Standard]:
    """Return the standards of the business' own request of whose certificate dates are known."""
    with ctx.reading() as session:
        lead = queries.lead_of(session, actor, actor.own_lead())
        return certificates.standards_of_lead(session, lead)


def own_reminders(ctx: Context, actor: Actor) -> dict[str, Any]:
    """Return the dates of which the business of a request is reminded, or raise `NotFound`."""
    with ctx.reading() as session:
        found = certificates.reminders_for_lead(session, actor.own_lead(), ctx.policy)
        if found is None:
            raise NotFound("there are no reminders for this request")
        return found


def stop_reminders(ctx: Context, actor: Actor) -> None:
    """Stop the reminders of the business' own request, and forget all that was kept for them."""
    with ctx.transaction() as tx:
        lead = queries.lock_lead(tx.session, actor.own_lead())
        if not stop(tx, actor, lead.id, why="stopped_by_page"):
            raise NotFound("there are no reminders for this request")


def stop(tx: Transaction, actor: Actor, lead_id: UUID, *, why: str) -> bool:
    """Stop what reminders there are for a request, and return whether there were. It is locked."""
    certificate = certificates.certificate_of_lead(tx.session, lead_id)
    if certificate is not None:
        certificate = certificates.lock_certificate(tx.session, certificate.id)
    if certificate is None:
        return False
    certificates.forget(tx, actor, certificate, why=why)
    return True


def erase(tx: Transaction, actor: Actor, lead_id: UUID) -> None:
    """Stop a request's reminders, and end the links in those that were sent. It is locked."""
    certificate = certificates.certificate_of_lead(tx.session, lead_id)
    if certificate is not None and stop(tx, actor, lead_id, why="erased"):
        tx.session.execute(delete(Link).where(Link.subject_id == certificate.id))


def change_reminders(ctx: Context, actor: Actor, form: Form) -> None:
    """Take another day of the decision for the reminders of the business' own request."""
    with ctx.transaction() as tx:
        lead = queries.lock_lead(tx.session, actor.own_lead())
        certificate = certificates.certificate_of_lead(tx.session, lead.id)
        if certificate is not None:
            certificate = certificates.lock_certificate(tx.session, certificate.id)
        if certificate is None:
            raise Gone("these reminders are stopped")
        _change(tx, actor, certificate, form, door="page")


def change_by_link(ctx: Context, token: str, form: Form) -> None:
    """Take another day of the decision from whoever has the link of a mail, or raise `Gone`."""
    with ctx.transaction() as tx:
        certificate = _by_link(tx, token)
        if certificate is None:
            raise Gone("these reminders are stopped")
        _change(tx, _business_of(certificate), certificate, form, door="link")


def _change(
    tx: Transaction, actor: Actor, certificate: Certificate, form: Form, *, door: str
) -> None:
    today = certificates.today_of(certificate, tx.now)
    wanted = form.accept(day_problems(form, today, tx.policy))
    certificate.certified_on = wanted["certified_on"]
    certificates.plan(tx, certificate)
    record(tx, actor, "reminders.changed", certificate.lead_id, door=door)


def stop_by_link(ctx: Context, token: str) -> None:
    """Stop reminders by the link of a mail; stopped before, it is well. Unknown, raise `Gone`."""
    with ctx.transaction() as tx:
        certificate = _by_link(tx, token)
        if certificate is not None:
            actor = _business_of(certificate)
            certificates.forget(tx, actor, certificate, why="stopped_by_link")


def _by_link(tx: Transaction, token: str) -> Certificate | None:
    link = links.link_for(tx.session, Purpose.REMINDERS, token, now=tx.now)
    if link is None:
        raise Gone("this link was used or has lapsed")
    return certificates.lock_certificate(tx.session, link.subject_id)


def _business_of(certificate: Certificate) -> Actor:
    return Actor(Kind.BUSINESS, id=certificate.lead_id, lead_id=certificate.lead_id)
