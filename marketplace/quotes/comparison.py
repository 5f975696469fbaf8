"""Quotes side by side: the one module that reads other people's quotes.

For the business that asked and for administrators. The same lines in the same order for all; what
a quote does not say is named, never counted as zero. The order is that of the invitations, and it
is stated; nothing that anybody paid moves it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from marketplace.core.actors import Actor, Kind
from marketplace.core.context import Context
from marketplace.core.errors import NotAllowed
from marketplace.invitations import queries as invitations
from marketplace.invitations.models import Invitation
from marketplace.invitations.rules import InvitationState
from marketplace.leads import queries as leads
from marketplace.leads.models import Lead
from marketplace.leads.rules import is_running
from marketplace.notifications import commitment
from marketplace.providers.models import Accreditation, AccreditationCheck, Provider
from marketplace.providers.rules import ProviderKind
from marketplace.quotes import queries, rules
from marketplace.quotes.models import Quote
from marketplace.quotes.rules import CERTIFICATION_LINES, Priced, QuoteKind

ORDER = "in the order in which the providers were invited"


def request_page(ctx: Context, actor: Actor) -> dict[str, Any]:
    """Return everything about a business' own request: invitations, quotes, their comparison."""
    with ctx.reading() as session:
        lead = leads.lead_of(session, actor, actor.own_lead())
        return _request(session, actor, lead, now=ctx.clock())


def _request(session: Session, actor: Actor, lead: Lead, *, now: datetime) -> dict[str, Any]:
    held = invitations.invitations_for_lead(session, lead.id)
    quotes = quotes_of_lead(session, actor, lead)
    shown = _providers(session, held)
    rated = queries.ratings_given(session, lead.id)
    return {
        "reference": lead.reference,
        "status": lead.state,
        "lead": lead.form,
        "agreed": {"terms": lead.consent["terms_version"], "at": lead.created_at},
        "time_zone": lead.time_zone,
        "awarded_invitation_id": lead.awarded_invitation_id,
        "chosen": _chosen(session, lead, held),
        "opened_at": lead.opened_at,
        "expires_at": lead.expires_at,
        "waiting_reason": lead.waiting_reason,
        "commitment": commitment.commitment_of(session, lead.id),
        "invitations": [
            {
                "id": each.id,
                "provider": shown[each.provider_id],
                "state": each.state,
                "respond_by": each.respond_by,
                "responded_at": each.responded_at,
                "withdrawn_because": each.withdrawn_because,
                "may_be_replaced": _may_be_replaced(each, lead, now=now),
                "rating_given": rated.get(each.id),
                "quote": quotes[each.id].view if each.id in quotes else None,
                "left_out": _left_out(quotes[each.id]) if each.id in quotes else [],
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
            }
            for each in invitations.questions_for_lead(session, lead.id)
        ],
        "comparison": compare(
            [(each, shown[each.provider_id], quotes[each.id]) for each in held if each.id in quotes]
        ),
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


def standings(session: Session, lead: Lead) -> dict[UUID, Mapping[str, Any]]:
    """Return, by invitation, the one sentence that a provider may learn of the others' quotes."""
    rows = session.execute(
        select(Quote)
        .join(Invitation, Invitation.id == Quote.invitation_id)
        .where(Invitation.lead_id == lead.id, Invitation.state == InvitationState.QUOTED)
        .order_by(Quote.invitation_id, Quote.version)
    ).scalars()
    counting = {quote.invitation_id: quote for quote in rows}
    found = rules.standings(
        Priced(key, quote.kind, quote.currency, quote.total) for key, quote in counting.items()
    )
    return {key: asdict(standing) for key, standing in found.items()}


def compare(quoted: Sequence[tuple[Invitation, dict[str, Any], Quote]]) -> dict[str, Any]:
    """Return the quotes side by side, certification and consulting each on their own."""
    kinds = {}
    for kind in QuoteKind:
        columns = [each for each in quoted if each[2].kind == kind]
        if columns:
            kinds[str(kind)] = {
                "is_one_currency": len({quote.currency for _, _, quote in columns}) == 1,
                "lines": _lines(kind, [quote for _, _, quote in columns]),
                "columns": [_column(*each) for each in columns],
            }
    return {"order": ORDER, "kinds": kinds}


def _lines(kind: QuoteKind, quotes: Sequence[Quote]) -> list[dict[str, Any]]:
    if kind is QuoteKind.CONSULTING:
        return []
    return [
        {
            "key": line.key,
            "label": line.label,
            "in_three_years": line.in_three_years,
            "amounts": [
                _money(rules.line_amount(line, quote.body["fees"], quote.body.get("travel_basis")))
                for quote in quotes
            ],
        }
        for line in CERTIFICATION_LINES
    ]


def _column(invitation: Invitation, provider: dict[str, Any], quote: Quote) -> dict[str, Any]:
    body = quote.body
    days = _days(quote)
    under = body.get("accreditation_id")
    return {
        "invitation_id": invitation.id,
        "provider": provider["name"],
        "currency": quote.currency,
        "total": _money(quote.total),
        "total_covers": "three years" if quote.kind == QuoteKind.CERTIFICATION else "all phases",
        "tax_rate": body.get("tax_rate"),
        "total_with_tax": _money(rules.with_tax(quote.total, body.get("tax_rate"))),
        "missing": rules.missing(quote.kind, body),
        "left_out": _left_out(quote),
        "travel_basis": body.get("travel_basis"),
        "standards": body.get("standards") or [],
        "accreditation": next(
            (each for each in provider["accreditations"] if str(each["id"]) == under), None
        ),
        "effective_personnel": body.get("effective_personnel"),
        "days": days,
        "per_day": _money(rules.cents(quote.total / Decimal(days))) if days else None,
        "phases": body.get("phases"),
        "earliest_start": body.get("earliest_start"),
        "valid_until": quote.valid_until,
        "version": quote.version,
        "submitted_at": quote.submitted_at,
        "withdrawn_because": invitation.withdrawn_because,
    }


def _left_out(quote: Quote) -> list[str]:
    return rules.left_out(quote.kind, quote.body)


def _days(quote: Quote) -> float:
    """Return the days that the total pays for."""
    if quote.kind == QuoteKind.CONSULTING:
        return float(sum(phase.get("days") or 0 for phase in quote.body["phases"]))
    in_cycle = [audit for audit in rules.AUDITS if audit != "recertification"]
    return float(sum(quote.body["audit_days"].get(audit) or 0 for audit in in_cycle))


def _money(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount:.2f}"


def _may_be_replaced(invitation: Invitation, lead: Lead, *, now: datetime) -> bool:
    overdue = invitation.state is InvitationState.ACCEPTED and now >= invitation.respond_by
    return (
        is_running(lead.state, now=now, expires_at=lead.expires_at)
        and (overdue or not invitation.is_live)
        and invitation.accepted_at is not None
        and invitation.passed_on_at is None
    )


def _providers(session: Session, held: Sequence[Invitation]) -> dict[UUID, dict[str, Any]]:
    """Return what the business sees of every provider invited: facts, each with its date."""
    ids = [each.provider_id for each in held]
    ratings = queries.ratings(session, ids)
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
            "responds_within_hours": hours.get(provider.id),
        }
    return shown


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
                "valid_until": held.valid_until,
                "checked_on": checked_on,
            }
        )
    return found
