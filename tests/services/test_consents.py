"""Consents: each written with what it allows, kept for good, and taken back by a row of its own."""

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from marketplace.core import consents
from marketplace.core.agreements import Agreed, numbers_in
from marketplace.core.consents import Consent, Whose
from marketplace.core.context import Origin
from marketplace.leads import reminders
from marketplace.leads import service as leads
from marketplace.migrations.versions import __path__ as migrations
from marketplace.providers import service as providers
from marketplace.quotes import outcome, reviews
from marketplace.quotes.erasure import erase_request
from marketplace.web.api.common import LeadIn
from marketplace.web.api.provider_schemas import NewProviderSchema
from marketplace.web.api.request import RemindersIn
from marketplace.web.requests import load
from tests.conftest import nothing_held
from tests.factories import business_of, lead_form
from tests.providers import application
from tests.services.road import an_awarded_lead, held


@pytest.fixture
def ctx(ctx):
    return ctx.at(Origin("r-1", "203.0.113.77", "page"))


def kept(make):
    return make.ask(
        lambda session: session.scalars(select(Consent).order_by(Consent.at, Consent.id)).all()
    )


def test_the_form_is_kept_with_what_it_agrees_to_and_from_where(ctx, make):
    make.lead()
    (consent,) = kept(make)
    assert (consent.subject_kind, consent.agreed) == (Whose.LEAD, Agreed.SHARING)
    assert (consent.version, consent.door, consent.address) == ("2026-11", "page", "203.0.113.77")
    assert consent.at == ctx.clock()
    assert consent.words is not None
    assert consent.numbers["places"] == 3
    assert consent.numbers.keys() == numbers_in(ctx.policy).keys()
    assert not consent.is_withdrawal


def test_a_version_that_there_never_was_is_kept_as_it_was_named_and_has_no_words(ctx, make):
    agreed = {"share_with_matched_providers": True, "terms_version": "1"}
    leads.submit_lead(ctx, load(LeadIn(), lead_form(7, consent=agreed)))
    (consent,) = kept(make)
    assert (consent.version, consent.words) == ("1", None)


def test_a_form_that_is_refused_leaves_no_consent(ctx, make):
    with pytest.raises(Exception, match="region"):
        leads.submit_lead(ctx, load(LeadIn(), lead_form(7, regions=["XX-1"])))
    assert kept(make) == []


def test_reminders_reviews_and_applications_are_agreed_to_and_reminders_taken_back(ctx, make):
    lead = an_awarded_lead(ctx, make)
    (invitation,) = held(make, lead)
    actor = business_of(lead)
    form = load(RemindersIn(), {"certified_on": "2026-11-20", "consent": True})
    outcome.want_reminders(ctx, actor, form, door="api")
    reviews.review_provider(ctx, actor, invitation.id, rating=5, comment=None)
    reminders.stop_reminders(ctx, actor)
    providers.apply_to_join(ctx, load(NewProviderSchema(), application()))
    assert [(each.agreed, each.door, each.is_withdrawal) for each in kept(make)] == [
        (Agreed.SHARING, "page", False),
        (Agreed.REMINDERS, "api", False),
        (Agreed.REVIEW_SHOWN, "page", False),
        (Agreed.REMINDERS, "stopped_by_page", True),
        (Agreed.PROVIDER_TERMS, "page", False),
    ]


def test_whoever_names_a_provider_that_is_here_agrees_to_nothing_in_its_place(ctx, make):
    form = application(registration_number="51 824 753 556")
    providers.apply_to_join(ctx, load(NewProviderSchema(), form))
    before = [each.id for each in kept(make)]
    contact = {**form["contact"], "email": "mallory@elsewhere.example"}
    stranger = ctx.at(Origin("r-2", "198.51.100.9", "api"))
    providers.apply_to_join(stranger, load(NewProviderSchema(), {**form, "contact": contact}))
    assert [each.id for each in kept(make)] == before
    assert len(before) == 1


def test_erasure_takes_back_everything_once_and_leaves_the_network_alone(ctx, make):
    lead = make.lead()
    erase_request(ctx, business_of(lead))
    erase_request(ctx, business_of(lead))
    said = [(each.agreed, each.is_withdrawal, each.address) for each in kept(make)]
    assert said == [
        (Agreed.SHARING, False, "203.0.113.0/24"),
        (Agreed.SHARING, True, "203.0.113.0/24"),
    ]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE consents SET version = '2020-01'",
        "UPDATE consents SET address = '198.51.100.7'",
        "UPDATE consents SET address = '198.51.100.0/24'",
        "UPDATE consents SET is_withdrawal = true",
        "DELETE FROM consents",
        "TRUNCATE consents",
    ],
)
def test_nothing_else_of_a_consent_changes(ctx, make, change):
    make.lead()
    with pytest.raises(DBAPIError, match=r"append-only|permission denied"), ctx.transaction() as tx:
        tx.session.execute(text(change))
    assert len(kept(make)) == 1


def test_an_address_may_be_cut_and_a_cut_one_stays(ctx, make):
    lead = make.lead()
    for _ in range(2):
        with ctx.transaction() as tx:
            consents.forget_addresses(tx, [lead.id])
    assert [each.address for each in kept(make)] == ["203.0.113.0/24"]


def test_what_stood_beside_requests_and_certificates_is_carried_over(installation, ctx, make):
    lead = an_awarded_lead(ctx, make)
    form = load(RemindersIn(), {"certified_on": "2026-11-20", "consent": True})
    outcome.want_reminders(ctx, business_of(lead), form, door="link")
    before = kept(make)
    (written,) = Path(*migrations).glob("*_consents.py")
    carried = written.read_text(encoding="utf-8").split('"""')[3]
    with nothing_held(installation.app) as connection:
        connection.execute("DELETE FROM consents")
        connection.execute(carried)
    after = sorted(kept(make), key=lambda each: each.agreed != Agreed.SHARING)
    same = ("subject_id", "subject_kind", "agreed", "version", "is_withdrawal", "at", "address")
    assert [{name: getattr(each, name) for name in same} for each in after] == [
        {name: getattr(each, name) for name in same} for each in before
    ]
    assert [each.door for each in after] == ["form", "link"]


def test_only_the_words_of_today_are_agreed_to_where_none_are_named(ctx, make):
    later = replace(ctx, policy=replace(ctx.policy, provider_terms_version="2027-01"))
    providers.apply_to_join(later, load(NewProviderSchema(), application()))
    assert [each.version for each in kept(make)] == ["2027-01"]
