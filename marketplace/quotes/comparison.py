"""Quotes side by side: the one module that reads other people's quotes.

For the business that asked and for administrators. What stands in the columns, and in which order
they stand, is worked out by `side_by_side`, of what is read here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from marketplace.catalogue.currencies import currency_of
from marketplace.core.actors import Actor, Kind
from marketplace.core.context import Context
from marketplace.core.errors import NotAllowed
from marketplace.core.policy import Policy
from marketplace.invitations import extension
from marketplace.invitations import queries as invitations
from marketplace.invitations.models import Attachment, Invitation
from marketplace.invitations.rules import InvitationState
from marketplace.invitations.waits import Window
from marketplace.leads import certificates
from marketplace.leads import queries as leads
from marketplace.leads.models import Lead
from marketplace.leads.rules import CertificationStatus, is_running
from marketplace.notifications import commitment
from marketplace.providers.models import Accreditation, AccreditationCheck, Provider
from marketplace.providers.rules import ProviderKind
from marketplace.quotes import attachments, opinions, queries, rules
from marketplace.quotes.models import Quote
from marketplace.quotes.ordering import DEFAULT, Order
from marketplace.quotes.rules import Priced
from marketplace.quotes.side_by_side import Asked, Quoted, compared, left_out


def request_page(
    ctx: Context, actor: Actor, order: Order = DEFAULT, *, lead_id: UUID | None = None
) -> dict[str, Any]:
    """Return everything about a request: invitations, quotes, their comparison.

    It is the business' own, or for an administrator the one with this id.
    """
    with ctx.reading() as session:
        lead = leads.lead_of(session, actor, lead_id or actor.own_lead())
        return request_of(session, actor, lead, now=ctx.clock(), policy=ctx.policy, order=order)


def request_of(
    session: Session, actor: Actor, lead: Lead, *, now: datetime, policy: Policy, order: Order
) -> dict[str, Any]:
    """Return everything about one request, to those who may see all its quotes."""
    held = invitations.invitations_for_lead(session, lead.id)
    stand = extension.windows(session, [(lead, each) for each in held], policy=policy, now=now)
    quotes = quotes_of_lead(session, actor, lead)
    views = attachments.views(session, quotes.values())
    asked = invitations.questions_for_lead(session, lead.id)
    awaited = extension.awaited_since(session, asked, policy=policy, now=now)
    shown = _providers(session, held, policy)
    said = opinions.given(session, lead.id)
    return {
        "reference": lead.reference,
        "status": lead.state,
        "lead": lead.form,
        "agreed": {"terms": lead.consent["terms_version"], "at": lead.created_at},
        "time_zone": lead.time_zone,
        "awarded_invitation_id": lead.awarded_invitation_id,
        "chosen": _chosen(session, lead, held),
        "taken_kind": _taken_kind(shown, lead, held),
        "open_until": lead.finished_at and lead.finished_at + policy.request_link_lives_on,
        "contact_seen_until": _contact_seen_until(lead, held, now=now, policy=policy),
        "reminders": certificates.reminders_for_lead(session, lead.id, policy),
        "may_be_reminded": certificates.may_be_reminded(session, lead),
        "opened_at": lead.opened_at,
        "expires_at": lead.expires_at,
        "waiting_reason": lead.waiting_reason,
        "outcome": _outcome(lead),
        "commitment": commitment.commitment_of(session, lead.id),
        "invitations": [
            {
                "id": each.id,
                "provider": shown[each.provider_id],
                "state": each.state,
                "respond_by": stand[each.id].respond_by,
                "extended_minutes": int(stand[each.id].extended_by / extension.MINUTE),
                "stands_still": stand[each.id].stands_still,
                "responded_at": each.responded_at,
                "contact_seen_since": each.accepted_at,
                "withdrawn_because": each.withdrawn_because,
                "may_be_replaced": _may_be_replaced(each, lead, stand[each.id], now=now),
                "rating_given": said[each.id].review.rating if each.id in said else None,
                "review": said.get(each.id),
                "quote": views[quotes[each.id].id] if each.id in quotes else None,
                "left_out": left_out(quotes[each.id], lead.standards) if each.id in quotes else [],
            }
            for each in held
        ],
        "questions": [
            {
                "id": each.id,
                "text": each.text,
                "asked_at": each.asked_at,
                "answer": each.answer,
                "answered_at": each.answered_at,
                "awaited_since": awaited.get(each.id),
            }
            for each in asked
        ],
        "comparison": _compared(
            session,
            lead,
            [
                (each, shown[each.provider_id], quotes[each.id])
                for each in held
                if each.id in quotes
            ],
            policy=policy,
            order=order,
            now=now,
        ),
    }


def _outcome(lead: Lead) -> dict[str, Any] | None:
    """Return what the business said came of its request."""
    if lead.outcome is None:
        return None
    return {
        "outcome": lead.outcome,
        "invitation_id": lead.outcome_invitation_id,
        "reason": lead.outcome_reason,
        "comment": lead.outcome_comment,
        "at": lead.outcome_at,
    }


def quotes_of_lead(session: Session, actor: Actor, lead: Lead) -> dict[UUID, Quote]:
    """Return the counting quote of every invitation of a lead, to those who may see them all.

    A quote that its provider took back, by declining, is not shown; one whose provider may not take
    part any more is shown as withdrawn.
    """
    if not (actor.is_admin or (actor.kind is Kind.BUSINESS and actor.lead_id == lead.id)):
        raise NotAllowed("quotes are shown to the business that asked for them")
    rows = session.scalars(
        select(Quote)
        .join(Invitation, Invitation.id == Quote.invitation_id)
        .where(Invitation.lead_id == lead.id, Invitation.state != InvitationState.DECLINED)
        .order_by(Quote.invitation_id, Quote.version)
    )
    return {quote.invitation_id: quote for quote in rows}


def attachment_of(session: Session, actor: Actor, lead_id: UUID, attachment_id: UUID) -> Attachment:
    """Return a file of a quote as it stands, to those who may see the quote; or `NotFound`."""
    quotes = quotes_of_lead(session, actor, leads.lead_of(session, actor, lead_id))
    return attachments.sent_attachment(session, quotes.values(), attachment_id)


def standings(session: Session, lead: Lead) -> dict[UUID, Mapping[str, Any]]:
    """Return, by invitation, the one sentence that a provider may learn of the others' quotes.

    Of the quotes that could be chosen when the request ended, or can be now: what was declined or
    withdrawn before is not counted.
    """
    counted = (InvitationState.QUOTED, InvitationState.WON, InvitationState.LOST)
    rows = session.execute(
        select(Quote)
        .join(Invitation, Invitation.id == Quote.invitation_id)
        .where(Invitation.lead_id == lead.id, Invitation.state.in_(counted))
        .order_by(Quote.invitation_id, Quote.version)
    ).scalars()
    counting = {quote.invitation_id: quote for quote in rows}
    found = rules.standings(
        Priced(key, quote.kind, quote.currency, quote.total) for key, quote in counting.items()
    )
    return {key: asdict(standing) for key, standing in found.items()}


def standing_of(session: Session, invitation: Invitation, lead: Lead) -> Mapping[str, Any] | None:
    """Return how the quote of one that was not chosen stood, once the request has ended."""
    if not lead.is_finished or invitation.state is not InvitationState.LOST:
        return None
    return standings(session, lead).get(invitation.id)


def _compared(
    session: Session,
    lead: Lead,
    quoted: Sequence[tuple[Invitation, dict[str, Any], Quote]],
    *,
    policy: Policy,
    order: Order,
    now: datetime,
) -> dict[str, Any]:
    bases = queries.audit_time_bases(session, lead.standards) if quoted else {}
    tables = queries.audit_tables(session, bases.values())
    asked = Asked(
        standards=lead.standards,
        editions=lead.editions,
        needed_by=lead.needed_by,
        currency=currency_of(lead.country),
        headcount=lead.headcount,
        bases=bases,
        sites=lead.sites,
        sector=lead.sector,
        is_transfer=lead.certification_status is CertificationStatus.TRANSFER,
        today=(lead.finished_at or now).date(),
        is_finished=lead.is_finished,
    )
    columns = [
        Quoted(each.id, provider["name"], provider["accreditations"], quote, each.withdrawn_because)
        for each, provider, quote in quoted
    ]
    return compared(asked, columns, tables, policy=policy, order=order)


def _may_be_replaced(invitation: Invitation, lead: Lead, stands: Window, *, now: datetime) -> bool:
    overdue = invitation.state is InvitationState.ACCEPTED and now >= stands.respond_by
    return (
        is_running(lead.state, now=now, expires_at=lead.expires_at)
        and (overdue or not invitation.is_live)
        and invitation.accepted_at is not None
        and invitation.passed_on_at is None
    )


def _providers(
    session: Session, held: Sequence[Invitation], policy: Policy
) -> dict[UUID, dict[str, Any]]:
    """Return what the business sees of every provider invited: facts, each with its date."""
    ids = [each.provider_id for each in held]
    ratings = opinions.ratings(session, ids, policy)
    reviews = opinions.latest(session, ids, at_most=policy.reviews_shown)
    hours = invitations.response_hours(session, ids)
    badges = _accreditations(session, ids)
    shown = {}
    for provider in session.scalars(select(Provider).where(Provider.id.in_(ids))):
        rating, n = ratings.get(provider.id, (None, 0))
        is_body = provider.kind is ProviderKind.CERTIFICATION_BODY
        shown[provider.id] = {
            "name": provider.name,
            "kind": provider.kind,
            "website": provider.website,
            "verified_at": provider.verified_at,
            "accreditations": badges.get(provider.id, []) if is_body else [],
            "rating": rating,
            "rating_count": n,
            "reviews": reviews.get(provider.id, []),
            "responds_within_hours": hours.get(provider.id),
        }
    return shown


def _taken_kind(
    shown: Mapping[UUID, dict[str, Any]], lead: Lead, held: Sequence[Invitation]
) -> ProviderKind | None:
    """Return what sort of provider the request became one's of, if any."""
    for each in held:
        if each.id == lead.taken_invitation_id:
            kind: ProviderKind = shown[each.provider_id]["kind"]
            return kind
    return None


def _contact_seen_until(
    lead: Lead, held: Iterable[Invitation], *, now: datetime, policy: Policy
) -> datetime | None:
    """Return until when one that was not chosen still sees the contact, if any does."""
    seeing = [each for each in held if each.sees_contact(lead, now=now, policy=policy)]
    until = (each.contact_until(lead, now=now, policy=policy) for each in seeing)
    return max(filter(None, until), default=None)


def _chosen(session: Session, lead: Lead, held: Sequence[Invitation]) -> dict[str, Any] | None:
    """Return how the provider that was chosen is reached."""
    for each in held:
        if each.id == lead.awarded_invitation_id:
            provider = session.get_one(Provider, each.provider_id)
            return {
                "name": provider.name,
                "contact": provider.contact_name,
                "email": provider.contact_email,
                "phone": provider.contact_phone,
            }
    return None


def _accreditations(session: Session, ids: Sequence[UUID]) -> dict[UUID, list[dict[str, Any]]]:
    checked = (
        select(AccreditationCheck.checked_on)
        .where(AccreditationCheck.accreditation_id == Accreditation.id)
        .order_by(AccreditationCheck.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    rows = session.execute(
        select(Accreditation, checked.label("checked_on"))
        .where(Accreditation.provider_id.in_(ids))
        .order_by(Accreditation.standard, Accreditation.id)
    )
    found: dict[UUID, list[dict[str, Any]]] = {}
    for held, checked_on in rows:
        found.setdefault(held.provider_id, []).append(
            {
                "id": held.id,
                "standard": held.standard,
                "edition": held.edition,
                "body": held.body,
                "certificate_number": held.certificate_number,
                "sectors": held.sectors,
                "state": held.state,
                "valid_from": held.valid_from,
                "valid_until": held.valid_until,
                "checked_on": checked_on,
            }
        )
    return found
