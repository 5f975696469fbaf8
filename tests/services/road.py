"""The road of a lead by use cases alone: quotes, choices, requests that were awarded."""

from datetime import timedelta

from sqlalchemy import select

from marketplace.invitations.models import Invitation
from marketplace.quotes import outcome
from marketplace.quotes import service as quotes
from marketplace.web.api.quotes import QuoteIn
from marketplace.web.requests import load
from tests.factories import business_of, person_of


def held(make, lead):
    """Return every invitation of a lead, the oldest first."""
    rows = select(Invitation).where(Invitation.lead_id == lead.id).order_by(Invitation.id)
    return make.ask(lambda session: session.scalars(rows).all())


def again(make, row):
    """Return a row as it is now."""
    return make.ask(lambda session: session.get(type(row), row.id))


def quote_form(ctx, fee="1000.00", *, days=60, **changes):
    """Return a consulting quote that stands for so many days."""
    body = {
        "kind": "consulting",
        "currency": "AUD",
        "phases": [{"name": "All of it", "days": 5, "fee": fee}],
        "valid_until": str(ctx.clock().date() + timedelta(days=days)),
    }
    return load(QuoteIn(), body | changes)


def a_quote(ctx, invitation, fee="1000.00", **changes):
    """Let the holder of an invitation quote."""
    form = quote_form(ctx, fee, **changes)
    return quotes.put_quote(ctx, person_of(invitation.provider_id), invitation.id, form)


def an_awarded_lead(ctx, make, **changes):
    """Return a consulting request that was given to the one that quoted."""
    make.provider()
    lead = make.matched_lead(**changes)
    (invitation,) = held(make, lead)
    a_quote(ctx, invitation)
    return outcome.choose_provider(ctx, business_of(lead), invitation.id)
