"""Who was shown the contact of a request stands in the log, once a day for each."""

import io
from datetime import timedelta

import pytest
from sqlalchemy import select

from marketplace.accounts.passwords import actor_of
from marketplace.core.actors import ANYBODY, OPERATOR, Actor, Kind
from marketplace.core.context import Origin
from marketplace.core.db import new_id
from marketplace.core.events import Event, record_contact_reads
from marketplace.insights import casework, search, worklist
from marketplace.invitations.service import accept_invitation
from marketplace.leads.contact_reads import contact_reads
from marketplace.leads.rules import LeadState
from marketplace.privacy.accounts import account_data
from marketplace.providers.exporting import export_providers
from marketplace.providers.models import Provider
from marketplace.quotes import inbox, outcome
from tests.api.doors import provider_door, software_door
from tests.factories import business_of, person_of
from tests.people import a_person
from tests.services.road import a_quote, held


def reads(ctx, lead):
    with ctx.reading() as session:
        return contact_reads(session, lead.id)


@pytest.fixture
def accepted(ctx, make):
    """A lead, and the one invitation to it, accepted."""
    make.provider()
    lead = make.matched_lead()
    (invitation,) = held(make, lead)
    person = person_of(invitation.provider_id)
    assert inbox.own_invitation(ctx, person, invitation.id)["lead"]["masked"]
    assert reads(ctx, lead) == []
    accept_invitation(ctx, person, invitation.id)
    return lead, invitation


def a_key_of(invitation):
    return Actor(Kind.API_KEY, new_id(), provider_id=invitation.provider_id)


def test_a_person_and_a_program_that_see_the_contact_are_named_once_a_day(ctx, accepted, clock):
    lead, invitation = accepted
    person, key = person_of(invitation.provider_id), a_key_of(invitation)
    on_a_page = ctx.at(Origin("r", "203.0.113.7", door="page"))
    for _ in range(3):
        inbox.own_invitation(on_a_page, person, invitation.id)
        inbox.own_invitations(ctx, key, state=None, limit=9, after=None)
    assert [(each.by, each.provider_id, each.door) for each in reads(ctx, lead)] == [
        (person.kind, invitation.provider_id, "page"),
        (Kind.API_KEY, invitation.provider_id, "-"),
    ]
    clock.advance(hours=15)  # midnight; its time is not over yet
    inbox.own_invitation(ctx, person, invitation.id)
    assert [each.at for each in reads(ctx, lead)][-1] == clock.now
    assert len(reads(ctx, lead)) == 3


def test_several_are_written_in_one_order_whatever_list_they_stand_in(ctx, make):
    """Else two lists at once, which have some in common, could wait for each other for ever."""
    leads = sorted(make.lead().id for _ in range(4))
    with ctx.transaction() as tx:
        record_contact_reads(tx, ADA, [*reversed(leads), leads[0]])
    with ctx.reading() as session:
        rows = select(Event.subject_id).where(Event.verb == "lead.contact_read").order_by(Event.id)
        assert session.scalars(rows).all() == leads


def test_who_reads_the_mail_to_the_one_chosen_in_its_inbox_is_named(
    ctx, accepted, client, app, make
):
    lead, invitation = accepted
    a_quote(ctx, invitation)
    provider = make.ask(lambda session: session.get_one(Provider, invitation.provider_id))
    doors = [provider_door(ctx, provider), software_door(ctx, provider)]

    def shown():
        answers = [client.get("/api/v1/portal/messages", headers=door) for door in doors]
        return [lead.contact_email in each.get_data(as_text=True) for each in answers]

    assert shown() == [False, False]
    assert reads(ctx, lead) == []
    outcome.choose_provider(ctx, business_of(lead), invitation.id)
    assert shown() == shown() == [True, True]
    assert [(each.by, each.door) for each in reads(ctx, lead)] == [
        (Kind.SYSTEM, "mail"),
        (Kind.PROVIDER, "api"),
        (Kind.API_KEY, "api"),
    ]


def test_who_takes_out_what_is_kept_of_them_is_named_where_a_contact_stands_in_it(
    ctx, accepted, make
):
    lead, invitation = accepted
    provider = make.ask(lambda session: session.get_one(Provider, invitation.provider_id))
    person = actor_of(a_person(ctx, provider.contact_email, provider_id=provider.id))
    a_quote(ctx, invitation)
    account_data(ctx, person)
    assert reads(ctx, lead) == []
    outcome.choose_provider(ctx, business_of(lead), invitation.id)
    taken = account_data(ctx, person)
    assert lead.contact_email in str(taken["messages"])
    assert taken == account_data(ctx, person)
    _, read = reads(ctx, lead)
    assert (read.by, read.provider_id) == (Kind.PROVIDER, provider.id)


def test_many_at_the_same_moment_are_one(ctx, accepted, at_once):
    lead, invitation = accepted
    person = person_of(invitation.provider_id)
    seen = at_once([lambda: inbox.own_invitation(ctx, person, invitation.id)] * 6)
    assert all(each["lead"]["contact"]["name"] == lead.contact_name for each in seen)
    assert len(reads(ctx, lead)) == 1


LOOKS = {
    "one lead": lambda ctx, lead: casework.lead_case(ctx, ADA, lead.id),
    "the list": lambda ctx, lead: casework.found_leads(
        ctx, ADA, state=None, q=None, limit=9, after=None
    ),
    "a search": lambda ctx, lead: search.find(ctx, ADA, lead.company_name),
}
ADA = Actor(Kind.ADMIN, new_id())


@pytest.mark.parametrize("look", LOOKS)
def test_an_administrator_that_looks_is_named(ctx, make, look):
    lead = make.lead()
    LOOKS[look](ctx, lead)
    LOOKS[look](ctx, lead)
    (read,) = reads(ctx, lead)
    assert (read.by, read.provider_id) == (Kind.ADMIN, None)


def test_what_waits_for_a_review_shows_its_contacts_on_the_first_page(ctx, make):
    waiting, other = make.lead(), make.lead()
    with ctx.transaction() as tx:
        tx.session.merge(waiting).state = LeadState.IN_REVIEW
    for _ in range(2):
        shown = worklist.worklist(ctx, ADA)
        assert [each.id for each in shown.in_review] == [waiting.id]
    assert [each.by for each in reads(ctx, waiting)] == [Kind.ADMIN]
    assert reads(ctx, other) == []


def test_an_operator_without_a_name_is_one_reader(ctx, make):
    lead = make.lead()
    for _ in range(2):
        casework.lead_case(ctx, OPERATOR, lead.id)
    assert [each.by for each in reads(ctx, lead)] == [Kind.OPERATOR]


def test_the_mail_to_the_one_chosen_counts_as_read(ctx, accepted):
    lead, invitation = accepted
    a_quote(ctx, invitation)
    business = Actor(Kind.BUSINESS, lead.id, lead_id=lead.id)
    outcome.choose_provider(ctx, business, invitation.id)
    (read,) = reads(ctx, lead)
    assert (read.by, read.provider_id, read.door) == (Kind.SYSTEM, invitation.provider_id, "mail")


def test_an_export_of_all_providers_is_written_down(ctx, make):
    make.provider()
    export_providers(ctx, OPERATOR, io.StringIO())
    with ctx.reading() as session:
        event = session.scalars(select(Event).where(Event.verb == "providers.exported")).one()
    assert (event.actor_kind, event.facts) == (Kind.OPERATOR, {"count": 1})


def test_of_an_erased_request_nothing_can_be_read(ctx, make):
    lead = make.lead()
    with ctx.transaction() as tx:
        lead = tx.session.merge(lead)
        lead.erased_at = tx.now - timedelta(days=1)
    casework.lead_case(ctx, ADA, lead.id)
    assert reads(ctx, lead) == []
    assert ANYBODY.id is None
