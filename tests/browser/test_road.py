"""The whole road by the keyboard alone: from the form to the choice, as both sides walk it."""

import re

import pytest
from playwright.sync_api import expect

from marketplace.leads.models import Lead
from tests.browser.conftest import DESK, PHONE
from tests.pages.steps import held_by
from tests.people import PASSWORD, a_person

WAYS = [
    pytest.param(PHONE, False, id="phone-without-scripts"),
    pytest.param(DESK, True, id="desk-with-scripts"),
]


@pytest.mark.parametrize(("size", "scripts"), WAYS)
def test_a_business_and_a_certification_body_find_each_other_by_keyboard(
    window, make, ctx, work, link_to, clock, size, scripts
):
    body = make.provider("certification_body", name="Southern Assurance Pty Ltd")
    a_person(ctx, body.contact_email, provider_id=body.id)
    business, provider = (window(size, scripts=scripts) for _ in range(2))

    ask_for_quotes(business, clock)
    business.go(link_to("mia@kestrel.example", "confirm"))
    business.press("Confirm and look for providers")
    business.reads("First response")

    provider.go(link_to(body.contact_email, "portal/invitations"))
    sign_in(provider, body.contact_email)
    provider.reads("Basic metals and fabricated metal products")
    assert "Kestrel" not in provider.page.content()
    provider.press("Accept and see who it is")
    provider.reads("Kestrel Joinery Pty Ltd")
    ask_something(provider)
    write_the_quote(provider)

    business.go("/requests")
    business.write("Your answer to question 1", "Two, and one of them at night.")
    business.press("Send the answer")
    business.reads("Your answer is on its way to every provider that was invited.")
    business.reads("AUD 5,600.00")
    business.follow("Choose Southern Assurance Pty Ltd")
    business.press("Choose Southern Assurance Pty Ltd")
    business.reads("You have chosen Southern Assurance Pty Ltd.")
    lead = make.ask(lambda session: session.query(Lead).one())
    assert [each.state for each in held_by(make, lead)] == ["won"]


def ask_for_quotes(person, clock):
    """Make one mistake on the way, as one does, and put it right from the summary."""
    person.go("/")
    clock.advance(minutes=2)
    person.take("What are you looking for?", "Certification")
    person.tick(re.compile("ISO 9001"))
    person.pick("How soon?", "Within 3 months")
    person.tick("New South Wales")
    person.write("How many people work there?", "many")
    person.write("Company", "Kestrel Joinery Pty Ltd")
    person.write("Website", "kestrel.example")
    person.pick("Sector", "Basic metals")
    person.write("Your name", "Mia Ferrante")
    person.write("E-mail", "mia@kestrel.example")
    person.write("Telephone", "+61 2 5550 1234")
    person.tick(re.compile("^Share my request"))
    person.press("Send the request")
    wrong = person.page.locator(".summary a")
    expect(wrong).to_have_count(1)
    person.follow(wrong.text_content().strip())
    expect(person.field("How many people work there?")).to_be_focused()
    person.write("How many people work there?", "42")
    person.press("Send the request")
    person.reads("mia@kestrel.example")


def sign_in(person, email):
    person.write("E-mail", email)
    person.write("Password", PASSWORD)
    person.press("Sign in")


def ask_something(person):
    person.write("Your question", "How many shifts do you work?")
    person.press("Ask")
    person.reads("How many shifts do you work?")


def write_the_quote(person):
    person.follow("Write the quote")
    for label, value in (
        ("Edition of ISO 9001", "2015"),
        ("Stage 1 audit, days", "1"),
        ("Stage 1 audit, fee", "1400"),
        ("Stage 2 audit, days", "2.5"),
        ("Stage 2 audit, fee", "4200"),
        ("Currency", "AUD"),
    ):
        person.write(label, value)
    person.date("Last day on which the quote stands", year="2027", month="03", day="31")
    person.press("Send the quote")
    person.reads("Your quote")
