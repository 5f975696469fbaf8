"""Signing in and out, passwords, and doors that are not one's own."""

import random

import pytest
from sqlalchemy import select

from marketplace.accounts import devices, sessions
from marketplace.accounts.models import KnownDevice
from tests.pages.browser import Browser
from tests.pages.steps import held_by
from tests.people import PASSWORD, a_person


def test_a_provider_gets_into_the_portal_and_out_again(make, signed_in):
    provider = signed_in(make.provider(name="Harbour Quality Pty Ltd"))
    assert provider.page.at == "/portal"
    assert "Harbour Quality Pty Ltd" in provider.page.text
    assert "You are signed out" in provider.send("/sign-out").text
    assert provider.open("/portal").at.startswith("/sign-in")


def test_an_administrator_gets_to_what_needs_a_hand(admin):
    assert admin.page.at == "/admin"


def test_whatever_was_wrong_is_answered_alike_and_the_address_is_kept(ctx, browser):
    a_person(ctx)
    answers = set()
    for email in ("kim@harbour.example", "nobody@harbour.example"):
        visitor = browser()
        visitor.open("/sign-in")
        page = visitor.send("/sign-in", email=email, password="not the password")
        assert page.status == 401
        assert dict(page.form("/sign-in").values)["email"] == email
        assert "not the password" not in page.html
        answers.add(page.text)
    assert len(answers) == 1


def test_a_link_from_a_mail_arrives_at_its_target_after_signing_in(ctx, make, browser):
    provider = make.provider()
    a_person(ctx, provider.contact_email, provider_id=provider.id)
    visitor = browser()
    visitor.open("/portal/profile?from=mail")
    page = visitor.send("/sign-in", email=provider.contact_email, password=PASSWORD)
    assert page.at == "/portal/profile?from=mail"


@pytest.mark.parametrize(
    "onward",
    ["https://elsewhere.example/", "//elsewhere.example", "/\\elsewhere.example", "javascript:1",
     "/\t/elsewhere.example", "portal", "/portal\r\nX: y"],
)  # fmt: skip
def test_nobody_is_sent_elsewhere(ctx, make, browser, onward):
    provider = make.provider()
    a_person(ctx, provider.contact_email, provider_id=provider.id)
    visitor = browser()
    visitor.open("/sign-in")
    page = visitor.send(
        "/sign-in", ("next", onward), email=provider.contact_email, password=PASSWORD
    )
    assert page.at == "/portal"


def test_the_wrong_person_is_kept_out(make, signed_in, admin):
    provider = signed_in(make.provider())
    assert provider.open("/admin").status == 403
    assert provider.open("/admin/leads").status == 403
    assert admin.open("/portal").status == 403


def test_a_password_is_set_by_the_link_from_the_mail(ctx, browser, link_to):
    a_person(ctx, password=None)
    visitor = browser()
    visitor.open("/forgot-password")
    assert "on its way" in visitor.send("forgot-password", email="kim@harbour.example").text
    path = link_to("kim@harbour.example", "set-password")
    visitor.open(path)
    assert visitor.send("set-password", password="short").status == 422
    assert "Your password is set" in visitor.send("set-password", password=PASSWORD).text
    assert visitor.send("/sign-in", email="kim@harbour.example", password=PASSWORD).at == "/portal"
    assert browser().open(path).status == 410


def test_asking_for_a_link_never_tells_whether_somebody_is_known(ctx, browser):
    a_person(ctx)
    answers = set()
    for email in ("kim@harbour.example", "nobody@harbour.example"):
        visitor = browser()
        visitor.open("/forgot-password")
        answers.add(visitor.send("forgot-password", email=email).text)
    assert len(answers) == 1


def test_a_session_that_was_ended_elsewhere_leads_to_the_sign_in_page(ctx, make, signed_in):
    provider = signed_in(make.provider())
    other = Browser(provider.client)
    other.open("/portal")
    other.send("/sign-out")
    assert provider.open("/portal").at == "/sign-in?next=/portal"


def test_signing_in_again_ends_what_this_browser_was_signed_in_by(ctx, browser):
    person = a_person(ctx)
    visitor = browser()
    tokens = []
    for _ in range(2):
        visitor.open("/sign-in")
        visitor.send("/sign-in", email=person.email, password=PASSWORD)
        with visitor.client.session_transaction() as session:
            tokens.append(session["sign_in"])
    who = [sessions.actor_of_session(ctx, each) for each in tokens]
    assert [each is not None for each in who] == [False, True]


def test_whoever_sets_a_password_by_the_link_is_known_in_that_browser(ctx, browser, link_to):
    person = a_person(ctx)
    visitor = browser()
    visitor.open("/forgot-password")
    visitor.send("forgot-password", email=person.email)
    visitor.open(link_to(person.email, "set-password"))
    visitor.send("set-password", password="a slow green tram")
    mine = devices.browser(visitor.client.get_cookie("device").value, "")
    with ctx.reading() as session:
        known = session.scalars(select(KnownDevice.mark_hash)).all()
    assert known == [devices.mark_of(person.id, mine)]


def test_a_browser_that_is_new_is_told_of_and_one_that_comes_back_is_not(ctx, browser, link_to):
    person = a_person(ctx)
    at_home, elsewhere = browser(), browser()
    for visitor in (at_home, at_home, elsewhere):
        visitor.open("/sign-in")
        visitor.send("/sign-in", email=person.email, password=PASSWORD)
        visitor.send("/sign-out")
    assert link_to(person.email, "forgot-password") == "/forgot-password"
    letters = at_home.client.get("/mailbox/messages").json["items"]
    assert [each["template"] for each in letters] == ["signed_in_elsewhere"]


@pytest.fixture
def lapsed(make, signed_in, clock):
    """Somebody with a form in front of them whose session has lapsed meanwhile."""
    provider = make.provider()
    lead = make.matched_lead()
    (invitation,) = held_by(make, lead)
    person = signed_in(provider)
    person.open(f"/portal/invitations/{invitation.id}")
    clock.advance(hours=13)
    return person, invitation, provider.contact_email


def test_a_form_sent_after_the_session_lapsed_waits_behind_the_sign_in(lapsed, make):
    person, invitation, email = lapsed
    page = person.send("/questions", text="One shift & two sites?")
    assert page.status == 401
    assert "what you typed is kept" in page.text
    assert person.send("/sign-in", email=email, password="not the password").status == 401
    assert "Send what you typed?" in person.send("/sign-in", email=email, password=PASSWORD).text
    page = person.send("/questions")
    assert "One shift & two sites?" in page.text
    assert page.at == f"/portal/invitations/{invitation.id}"


def test_a_forged_form_is_not_carried_behind_the_sign_in(lapsed):
    person, invitation, email = lapsed
    page = person.post(f"/portal/invitations/{invitation.id}/accept", [("csrf_token", "forged")])
    assert page.at.startswith("/sign-in")
    assert 'name="left"' not in page.html
    page = person.send("/sign-in", email=email, password=PASSWORD, left="W10.forged.seal")
    assert page.at == f"/portal/invitations/{invitation.id}"


def test_a_form_too_large_to_be_carried_leads_to_the_sign_in_alone(lapsed):
    person, _, _ = lapsed
    page = person.send("/questions", text=random.Random(1).randbytes(100_000).hex())
    assert page.at.startswith("/sign-in")
    assert 'name="left"' not in page.html


HERE = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
ELSEWHERE = [
    {},
    {"Origin": "https://elsewhere.example"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "http://localhost", "Sec-Fetch-Site": "cross-site"},
    {"Origin": "https://elsewhere.example", "Sec-Fetch-Site": "same-origin"},
]
"""What browsers say of a form from another site, and what old ones do not say."""


@pytest.fixture
def asking(make, signed_in):
    """Somebody in front of a form, where it goes, and their address."""
    provider = make.provider()
    (invitation,) = held_by(make, make.matched_lead())
    person = signed_in(provider)
    person.open(f"/portal/invitations/{invitation.id}")
    return person, person.page.form("/questions"), provider.contact_email


def sent_anew(person, form, headers):
    """Send a form whose token a new session does not know."""
    values = {**dict(form.values), "text": "How many shifts?"}
    return person.client.post(form.action, data=values, headers=headers)


def sign_out_and_in(person, email):
    person.send("/sign-out")
    person.send("/sign-in", email=email, password=PASSWORD)


@pytest.mark.parametrize("headers", [HERE, {"Origin": HERE["Origin"]}])
def test_a_form_from_before_somebody_signed_in_anew_is_sent_after_another_look(asking, headers):
    person, form, email = asking
    sign_out_and_in(person, email)
    page = person._at(sent_anew(person, form, headers), form.action)
    assert page.status == 400
    assert page.title.startswith("Send what you typed?")
    assert "How many shifts?" not in person.open(form.action.removesuffix("/questions")).text
    person._at(sent_anew(person, form, headers), form.action)
    assert "How many shifts?" in person.send("/questions").text


def test_a_form_left_when_signed_out_elsewhere_waits_behind_the_sign_in(asking):
    person, form, email = asking
    person.send("/sign-out")
    page = person._at(sent_anew(person, form, HERE), form.action)
    assert (page.status, "what you typed is kept" in page.text) == (401, True)
    person.send("/sign-in", email=email, password=PASSWORD)
    assert "How many shifts?" in person.send("/questions").text


@pytest.mark.parametrize("headers", ELSEWHERE)
def test_what_another_site_sends_is_never_carried(asking, headers):
    person, form, email = asking
    sign_out_and_in(person, email)
    refused = sent_anew(person, form, headers)
    assert refused.status_code == 400
    assert "Please load the page again" in refused.text
    assert "How many shifts?" not in refused.text
    person.open("/portal")
    person.send("/sign-out")
    page = person._at(sent_anew(person, form, headers), form.action)
    # Where the browser says that it is another site's it is refused; else they are led to sign in.
    led = (200, f"/sign-in?next={form.action.removesuffix('/questions')}")
    assert (page.status, page.at) in (led, (400, form.action))
    assert "Nothing was sent" in page.text
    assert "How many shifts?" not in page.html
    assert 'name="left"' not in page.html


def test_a_password_is_never_carried(asking):
    person, _, email = asking
    values = {"email": email, "password": PASSWORD, "csrf_token": "of another session"}
    answer = person.client.post("/sign-in", data=values, headers=HERE)
    assert answer.status_code == 400
    assert PASSWORD not in answer.text


def test_a_password_that_was_typed_as_the_session_lapsed_is_not_carried(asking, clock):
    person, _, email = asking
    person.open("/account/password")
    clock.advance(hours=13)
    page = person.send("/account/password", current_password=PASSWORD, password="a slow green tram")
    assert page.at == "/sign-in?next=/account/password"
    assert 'name="left"' not in page.html
    person.send("/sign-in", email=email, password=PASSWORD)
    values = {"current_password": PASSWORD, "password": "a slow green tram", "csrf_token": "old"}
    answer = person.client.post("/account/password", data=values, headers=HERE)
    assert answer.status_code == 400
    assert PASSWORD not in answer.text
