"""What goes wrong with browsers: back, twice, in two tabs, too late."""

import pytest
from playwright.sync_api import expect

from marketplace.leads.models import Lead
from marketplace.providers.models import Provider
from tests.browser.conftest import DESK
from tests.browser.person import Person
from tests.pages.steps import held_by
from tests.people import PASSWORD, a_person


@pytest.fixture
def invited(make, ctx, window, link_to):
    """A consultant in front of its invitation, and the invitation."""
    provider = make.provider()
    a_person(ctx, provider.contact_email, provider_id=provider.id)
    lead = make.matched_lead()
    (invitation,) = held_by(make, lead)
    person = window()
    person.go(f"/portal/invitations/{invitation.id}")
    sign_in(person, provider.contact_email)
    return person, lead


def sign_in(person, email):
    person.page.get_by_label("E-mail").fill(email)
    person.page.get_by_label("Password").fill(PASSWORD)
    person.page.get_by_role("button", name="Sign in").click()


def fill_in(page):
    """Fill the form in with the mouse, as quickly as a browser can."""
    page.get_by_role("radio", name="Consulting", exact=True).check()
    page.get_by_role("checkbox", name="ISO 9001").first.check()
    page.get_by_role("checkbox", name="New South Wales").check()
    page.get_by_label("How many people work there?").fill("42")
    page.get_by_label("Company").fill("Kestrel Joinery Pty Ltd")
    page.get_by_label("Your name").fill("Mia Ferrante")
    page.get_by_label("E-mail").fill("mia@kestrel.example")
    page.get_by_role("checkbox", name="Share my request").check()


@pytest.mark.parametrize("scripts", [True, False])
def test_going_back_finds_the_form_as_it_was_left(window, scripts):
    person = window(DESK, scripts=scripts)
    person.go("/")
    fill_in(person.page)
    person.page.get_by_role("link", name="Sign in").click()
    person.reads("Password")
    person.page.go_back()
    expect(person.page.get_by_label("How many people work there?")).to_have_value("42")
    expect(person.page.get_by_label("Company")).to_have_value("Kestrel Joinery Pty Ltd")
    expect(person.page.get_by_role("radio", name="Consulting", exact=True)).to_be_checked()


def test_a_double_click_and_a_second_sending_of_the_same_form_are_one_request(window, make):
    person = window()
    person.go("/")
    fill_in(person.page)
    person.page.get_by_role("button", name="Send the request").dblclick()
    person.reads("mia@kestrel.example")
    assert make.ask(lambda session: session.query(Lead).count()) == 1


def test_what_was_decided_in_one_tab_is_told_in_the_other(invited, make):
    person, lead = invited
    first, second = person.page, person.page.context.new_page()
    second.goto(first.url)
    first.get_by_role("link", name="Decline").click()
    first.get_by_role("button", name="We have no capacity").click()
    expect(first.get_by_text("declined").first).to_be_visible()
    second.get_by_role("button", name="Accept and see who it is").click()
    expect(second.locator(".problem-flash").first).to_be_visible()
    assert [each.state for each in held_by(make, lead)] == ["declined"]


def test_what_was_typed_while_the_session_lapsed_is_sent_after_signing_in_again(
    invited, make, clock
):
    person, lead = invited
    person.page.get_by_label("Your question").fill("How many shifts do you work?")
    clock.advance(hours=13)
    person.page.get_by_role("button", name="Ask").click()
    person.reads("You were signed out in the meantime")
    (invitation,) = held_by(make, lead)
    provider = make.ask(lambda session: session.get_one(Provider, invitation.provider_id))
    sign_in(person, provider.contact_email)
    person.page.get_by_role("button", name="Send it now").click()
    expect(person.page.get_by_text("You asked").first).to_be_visible()
    person.reads("How many shifts do you work?")


@pytest.fixture
def quoting(invited, make):
    """A consultant with a quote half typed, another tab of theirs, and their address."""
    person, lead = invited
    (invitation,) = held_by(make, lead)
    provider = make.ask(lambda session: session.get_one(Provider, invitation.provider_id))
    person.go(f"/portal/invitations/{invitation.id}/quote")
    other = Person(person.page.context.new_page(), person.home)
    other.go("/portal")
    other.page.get_by_role("button", name="Sign out").click()
    other.reads("You are signed out")
    person.page.get_by_label("Notes for the business").fill("We come on a Tuesday.")
    yield person, other, provider.contact_email
    person.go("about:blank")  # or the last save would come while the database is being emptied


def test_a_form_from_before_signing_in_anew_in_another_tab_is_asked_about_and_sent(quoting):
    person, other, email = quoting
    sign_in(other, email)
    other.reads("Invitations to quote")
    person.page.get_by_role("button", name="Save as a draft").click()
    person.page.get_by_role("button", name="Send it now").click()
    person.reads("The draft is saved")
    expect(person.page.get_by_label("Notes for the business")).to_have_value(
        "We come on a Tuesday."
    )


@pytest.mark.parametrize("has_cookie", [True, False])
def test_a_form_left_when_signed_out_in_another_tab_is_kept(quoting, has_cookie):
    person, _, email = quoting
    if not has_cookie:
        person.page.context.clear_cookies()
    person.reads("You are signed out, so the draft is not saved any more")
    person.page.get_by_role("button", name="Save as a draft").click()
    person.reads("what you typed is kept")
    sign_in(person, email)
    person.page.get_by_role("button", name="Send it now").click()
    person.reads("The draft is saved")
    expect(person.page.get_by_label("Notes for the business")).to_have_value(
        "We come on a Tuesday."
    )


def test_a_lapsed_link_says_what_to_do(window, make, link_to, clock):
    person = window()
    person.go("/")
    fill_in(person.page)
    person.page.get_by_role("button", name="Send the request").click()
    confirm = link_to("mia@kestrel.example", "confirm")
    clock.advance(hours=73)
    person.go(confirm)
    person.reads("This link was used or has lapsed")
    person.page.get_by_role("link", name="send the form again").click()
    person.reads("from one form")
