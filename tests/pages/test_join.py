"""Asking to join: what a provider may expect, the form, its errors, and what comes of it."""

from sqlalchemy import func, select

from marketplace.providers.models import Coverage, Provider
from marketplace.providers.rules import ProviderState
from tests.people import PASSWORD

FILLED = {
    "name": "Harbour Quality Pty Ltd",
    "registration_number": "",
    "contact__name": "Priya Nair",
    "contact__email": "priya@harbour.example",
    "coverage__others": "New Zealand",
}
TICKED = (
    ("kind", "consultant"),
    ("coverage.standards", "ISO 9001"),
    ("coverage.near", "AU-NSW"),
    ("coverage.near", "AU-TAS"),
)


def applied(make):
    return make.ask(lambda session: session.scalars(select(Provider)).all())


def test_a_provider_applies_is_approved_and_signs_in_by_pages_alone(browser, make, admin, link_to):
    person = browser()
    person.open("/")
    person.open(person.page.link("/join"))
    page = person.send("/join", *TICKED, **FILLED)
    assert page.at == "/join/received"
    assert "We have your application" in page.text
    (provider,) = applied(make)
    assert (provider.state, provider.country) == (ProviderState.APPLIED, "AU")
    covered = make.ask(lambda session: session.get(Coverage, provider.id))
    assert covered.regions == ["AU-NSW", "AU-TAS", "NZ"]
    assert covered.monthly_capacity == 20

    admin.open("/admin")
    assert "Harbour Quality Pty Ltd" in admin.page.text
    admin.send(f"{provider.id}/approve")
    person.open(link_to("priya@harbour.example", "set-password"))
    person.send("/set-password", password=PASSWORD)
    person.open("/sign-in")
    person.send("/sign-in", email="priya@harbour.example", password=PASSWORD)
    assert person.open("/portal").status == 200


def test_every_mistake_is_shown_at_once_beside_its_field_and_nothing_typed_is_lost(browser, make):
    person = browser()
    person.open("/join")
    page = person.send(
        "/join",
        ("coverage.standards", "ISO 9001"),
        name="",
        registration_number="51 824 753 557",
        contact__email="nobody",
        coverage__others="Atlantis",
        coverage__headcount_min="many",
    )
    assert page.status == 422
    for said in (
        "What you do is required",
        "The name of the organisation is required",
        "The contact\u2019s name is required".replace("\u2019", "'"),
        "\u201cAtlantis\u201d is not a region that we know",
        "The smallest number of people",
    ):
        assert said in page.text, said
    typed = page.form("/join").values
    assert ("coverage.standards", "ISO 9001") in typed
    assert ("coverage.others", "Atlantis") in typed
    assert ("contact.email", "nobody") in typed
    assert applied(make) == []


def test_sent_twice_it_is_one_application_and_nobody_learns_who_is_known(browser, make):
    person = browser()
    for _ in range(2):
        person.open("/join")
        assert person.send("/join", *TICKED, **FILLED).at == "/join/received"
    assert make.ask(lambda session: session.scalar(select(func.count(Provider.id)))) == 1


def test_whoever_chooses_no_standard_and_no_region_is_asked_to_choose_one(browser, make):
    person = browser()
    person.open("/join")
    page = person.send("/join")
    assert page.status == 422
    assert "Choose at least one standard" in page.text
    assert "Choose at least one region" in page.text
    assert "standards is required" not in page.text
    assert "at least 1 and at most" not in page.text
    assert applied(make) == []
