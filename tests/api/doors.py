"""Credentials for tests: of a business, a provider's people and software, an administrator."""

from sqlalchemy import select

from marketplace.accounts import keys
from marketplace.core.actors import Actor, Kind
from marketplace.core.forms import Form
from marketplace.invitations.models import Invitation
from marketplace.leads import service as leads
from tests.people import a_person, an_admin, bearer, session_token


def business_door(ctx, lead):
    """Return the header with which the business of this lead is let in."""
    with ctx.transaction() as tx:
        return bearer(leads.mint_request_token(tx, lead))


def provider_door(ctx, provider):
    """Return the header with which somebody of this provider is let in."""
    person = a_person(ctx, provider.contact_email, provider_id=provider.id)
    return bearer(session_token(ctx, person))


def software_door(ctx, provider):
    """Return the header with which this provider's own software is let in."""
    person = a_person(ctx, provider.contact_email, provider_id=provider.id)
    actor = Actor(Kind.PROVIDER, id=person.id, provider_id=provider.id)
    return bearer(keys.make_api_key(ctx, actor, Form({"name": "Our CRM"})).secret)


def admin_door(ctx):
    return bearer(session_token(ctx, an_admin(ctx)))


def invitations_of(make, lead):
    """Return every invitation of a lead, in the order of its places."""
    rows = select(Invitation).where(Invitation.lead_id == lead.id).order_by(Invitation.place)
    return make.ask(lambda session: session.scalars(rows).all())
