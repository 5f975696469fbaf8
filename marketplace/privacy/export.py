"""All that is kept of a business, as it may have it: for itself, and for machines to read."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from marketplace.core.actors import Actor
from marketplace.core.consents import Consent, consents_of
from marketplace.core.context import Context
from marketplace.core.db import Base, Json
from marketplace.core.events import Event, record_once_a_day
from marketplace.invitations import queries as invitations
from marketplace.invitations.models import Invitation
from marketplace.leads import certificates
from marketplace.leads import queries as leads
from marketplace.leads.models import Lead
from marketplace.matching.queries import runs_of_lead
from marketplace.notifications.models import Commitment, Notification
from marketplace.privacy.inventory import INVENTORY, WITHHELD, Protection
from marketplace.providers.models import Provider
from marketplace.quotes import attachments, opinions
from marketplace.quotes.comparison import quotes_of_lead


def business_data(ctx: Context, actor: Actor) -> dict[str, Any]:
    """Return everything about the business' own request; that it was asked for is recorded.

    Once a day: it stands among what is handed out, which would be another at each look.
    """
    with ctx.transaction() as tx:
        record_once_a_day(tx, actor, "lead.data_exported", actor.own_lead())
    with ctx.reading() as session:
        lead = leads.lead_of(session, actor, actor.own_lead())
        held = invitations.invitations_for_lead(session, lead.id)
        asked = invitations.questions_for_lead(session, lead.id)
        return {
            "exported_at": ctx.clock(),
            "request": row_of(lead),
            "set_aside": [row_of(each) for each in leads.set_aside_for(session, lead)],
            "commitment": row_of(session.get(Commitment, lead.id)),
            "consents": [row_of(each) for each in consents_of(session, [lead.id])],
            "reminders": _reminders(session, lead),
            "invitations": _invitations(session, actor, lead, held),
            "questions": [row_of(each) for each in asked],
            "matching": [
                {"at": run.at, "rule_version": run.rule_version, "outcome": run.outcome}
                for run in runs_of_lead(session, lead.id)
            ],
            "messages": _messages(session, lead, held),
            "events": _events(session, lead, held),
        }


def consents_of_request(ctx: Context, actor: Actor) -> Sequence[Consent]:
    """Return what the business agreed to with its own request, and took back."""
    with ctx.reading() as session:
        return consents_of(session, [actor.own_lead()])


def agreed_with(ctx: Context, actor: Actor, subject_id: UUID) -> Sequence[Consent]:
    """Return what anybody agreed to and took back, for administrators."""
    actor.require_admin()
    with ctx.reading() as session:
        return consents_of(session, [subject_id])


def row_of(row: Base | None, *, but: Iterable[str] = ()) -> Json | None:
    """Return the values of a row by the name of its columns.

    Without secrets, and without what the inventory withholds.
    """
    if row is None:
        return None
    table = row.__tablename__
    return {
        name: value
        for name, value in row.columns.items()
        if name not in but and not _is_kept_back(f"{table}.{name}")
    }


def _is_kept_back(column: str) -> bool:
    line = INVENTORY.get(column)
    return column in WITHHELD or (line is not None and line.protection is Protection.SECRET)


def _reminders(session: Session, lead: Lead) -> Json | None:
    certificate = certificates.certificate_of_lead(session, lead.id)
    if certificate is None:
        return None
    sent = certificates.reminders_of(session, certificate.id)
    return {"certificate": row_of(certificate), "mails": [row_of(each) for each in sent]}


def _invitations(
    session: Session, actor: Actor, lead: Lead, held: Iterable[Invitation]
) -> list[Json]:
    """Return who was asked, what came of it, and who has seen the contact since when."""
    quotes = quotes_of_lead(session, actor, lead)
    views = attachments.views(session, quotes.values())
    said = opinions.given(session, lead.id)
    found = []
    for each in held:
        provider = session.get_one(Provider, each.provider_id)
        quote = quotes.get(each.id)
        opinion = said.get(each.id)
        reply = opinion and opinion.shown_reply
        found.append(
            {
                **(row_of(each) or {}),
                "provider": {"name": provider.name, "kind": provider.kind},
                "contact_seen_since": each.accepted_at,
                "quote": views[quote.id] if quote else None,
                "review": row_of(opinion.review, but=["doubts"]) if opinion else None,
                "reply": {**(row_of(reply, but=["doubts"]) or {}), "report": reply.report}
                if reply
                else None,
            }
        )
    return found


def _messages(session: Session, lead: Lead, held: Iterable[Invitation]) -> list[Json]:
    """Return what was written to the business: what it said, where it went, whether it came."""
    set_aside = [each.id for each in leads.set_aside_for(session, lead)]
    rows = select(Notification).where(
        Notification.subject_id.in_([lead.id, *set_aside, *(each.id for each in held)])
        | (Notification.subject_id == _certificate_id(session, lead)),
        Notification.recipient == lead.contact_email,
    )
    return [message_of(each) for each in session.scalars(rows.order_by(Notification.id))]


def _certificate_id(session: Session, lead: Lead) -> UUID | None:
    found = certificates.certificate_of_lead(session, lead.id)
    return None if found is None else found.id


def message_of(each: Notification) -> Json:
    """Return a message as whoever it went to may have it."""
    told = ("template", "state", "created_at", "sent_at", "delivered_at")
    return {name: getattr(each, name) for name in (*told, *personal_columns(Notification))}


def personal_columns(of: type[Base]) -> list[str]:
    """Return the columns of a table that are personal by the inventory."""
    return [
        column.name
        for column in of.__table__.columns
        if (line := INVENTORY.get(f"{of.__tablename__}.{column.name}")) and line.is_personal
    ]


def _events(session: Session, lead: Lead, held: Iterable[Invitation]) -> list[Json]:
    """Return what happened to the request, by codes; from where, of the business' own doings."""
    subjects = [lead.id, *(each.id for each in held)]
    rows = select(Event).where(or_(Event.subject_id.in_(subjects), Event.actor_id == lead.id))
    return [
        event_of(each, is_own=each.actor_id == lead.id)
        for each in session.scalars(rows.order_by(Event.id))
    ]


def event_of(each: Event, *, is_own: bool) -> Json:
    """Return an event as a code, with when; from where, for whoever did it."""
    said: Mapping[str, Any] = {"at": each.at, "by": each.actor_kind, "what": each.verb}
    return {**said, "subject_id": each.subject_id, "address": each.address if is_own else None}
