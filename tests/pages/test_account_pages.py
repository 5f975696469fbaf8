"""One's own account: password, second factor, recovery codes, and where one is signed in."""

import re
from dataclasses import replace

import pyotp
import pytest

from tests.people import PASSWORD, a_person, an_admin

NEW_PASSWORD = "a slow green tram"


@pytest.fixture
def kim(ctx, browser):
    a_person(ctx)
    visitor = browser()
    visitor.open("/sign-in")
    visitor.send("/sign-in", email="kim@harbour.example", password=PASSWORD)
    return visitor


def secret_on(page):
    """Return what the authenticator is given, as text."""
    return re.search(r'class="secret"><code>([A-Z2-7 ]+)', page.html)[1].replace(" ", "")


def codes_on(page):
    return re.findall(r"<li><code>([0-9a-z-]{34})</code>", page.html)


def test_everybody_who_signs_in_finds_their_account_in_the_menu(kim, admin):
    for person in (kim, admin):
        assert 'href="/account"' in person.page.html
        page = person.open("/account")
        assert page.status == 200
        assert "Where you are signed in" in page.text


def test_a_changed_password_keeps_this_browser_in_and_says_so(kim, browser):
    kim.open("/account/password")
    page = kim.send("/account/password", current_password="no", password=NEW_PASSWORD)
    assert (page.status, "The password that you have now is not right" in page.text) == (422, True)
    assert "no" not in dict(page.form("/account/password").values).values()
    page = kim.send("/account/password", current_password=PASSWORD, password="password1234")
    assert (page.status, "has leaked elsewhere" in page.text) == (422, True)
    page = kim.send("/account/password", current_password=PASSWORD, password=NEW_PASSWORD)
    assert (page.at, "Your password is changed" in page.text) == ("/account", True)
    visitor = browser()
    visitor.open("/sign-in")
    assert visitor.send("/sign-in", email="kim@harbour.example", password=PASSWORD).status == 401


def test_a_second_factor_is_set_up_by_picture_or_text_and_asked_for_from_then_on(
    kim, browser, clock
):
    page = kim.open("/account/second-factor")
    assert re.search(r"<svg[^>]*class=\"qr\"", page.html)
    assert "style=" not in page.html
    secret = secret_on(page)
    page = kim.send("/account/second-factor", code="000000", current_password=PASSWORD)
    assert page.status == 422
    assert secret_on(page) == secret
    totp = pyotp.TOTP(secret)
    page = kim.send("/account/second-factor", code=totp.at(clock.now), current_password=PASSWORD)
    codes = codes_on(page)
    assert len(codes) == 10
    page = kim.open("/account")
    assert "10 codes left" in page.text
    assert codes[0] not in page.html
    visitor = browser()
    visitor.open("/sign-in")
    assert visitor.send("/sign-in", email="kim@harbour.example", password=PASSWORD).status == 401
    page = visitor.send(
        "/sign-in", email="kim@harbour.example", password=PASSWORD, totp=codes[0].upper()
    )
    assert page.at == "/portal"
    assert "9 codes left" in visitor.open("/account").text
    clock.advance(seconds=30)
    visitor.open("/account/recovery-codes")
    page = visitor.send("/recovery-codes", current_password=PASSWORD, totp=totp.at(clock.now))
    assert len(codes_on(page)) == 10
    clock.advance(seconds=30)
    visitor.open("/account/second-factor/remove")
    assert visitor.send("/remove", current_password=PASSWORD, totp="1").status == 422
    page = visitor.send("/remove", current_password=PASSWORD, totp=totp.at(clock.now))
    assert "Your second factor is removed" in page.text
    assert kim.open("/account").at.startswith("/sign-in")


@pytest.fixture
def strict(app):
    """The application where everybody needs a second factor."""
    product = app.extensions["marketplace"]
    policy = replace(product.ctx.policy, totp_for_admins="required", totp_for_providers="required")
    app.extensions["marketplace"] = replace(product, ctx=replace(product.ctx, policy=policy))
    return app


def test_who_needs_one_is_led_to_its_set_up_from_everywhere_and_then_let_in(
    strict, ctx, browser, clock
):
    admin = an_admin(ctx)
    visitor = browser()
    visitor.open("/sign-in")
    page = visitor.send("/sign-in", email=admin.email, password=PASSWORD)
    assert page.at == "/account/second-factor"
    assert "it is required here" in page.text
    for path in ("/admin", "/admin/leads", "/account", "/account/password", "/portal"):
        assert visitor.open(path).at == "/account/second-factor"
    totp = pyotp.TOTP(secret_on(visitor.page))
    visitor.send("/account/second-factor", code=totp.at(clock.now), current_password=PASSWORD)
    assert visitor.open("/admin").at == "/admin"
    assert visitor.open("/account/second-factor/remove").at == "/account/second-factor"


def test_other_sessions_are_ended_one_by_one_or_all_together(kim, browser, clock):
    others = []
    for _ in range(3):
        visitor = browser()
        visitor.open("/sign-in")
        visitor.send("/sign-in", email="kim@harbour.example", password=PASSWORD)
        others.append(visitor)
        clock.advance(seconds=1)
    page = kim.open("/account")
    assert page.text.count("Sign out there") == 3
    latest = re.search(r'formaction="(/account/sessions/[^"]+/end)"', page.html)[1]
    values = page.form("/account/sessions/end").values
    assert "Signed out there" in kim.post(latest, values).text
    assert others[2].open("/portal").at.startswith("/sign-in")
    assert others[0].open("/portal").at == "/portal"
    clock.advance(minutes=11)
    kim.open("/account")
    assert kim.send("/account/sessions/end").status == 422
    page = kim.send("/account/sessions/end", current_password=PASSWORD)
    assert "Signed out there" in page.text
    assert "Sign out there" not in page.text
    assert others[0].open("/portal").at.startswith("/sign-in")
    assert kim.open("/portal").at == "/portal"


def test_whoever_tries_too_often_is_told_for_how_long_to_wait(app, ctx, browser, clock):
    product = app.extensions["marketplace"]
    policy = replace(product.ctx.policy, rate_limits=True)
    app.extensions["marketplace"] = replace(product, ctx=replace(product.ctx, policy=policy))
    answers = set()
    for email in ("kim@waits.example", "nobody@waits.example"):
        visitor = browser()
        visitor.client.environ_base["REMOTE_ADDR"] = f"192.0.2.{len(email)}"
        visitor.open("/sign-in")
        for _ in range(5):
            assert visitor.send("/sign-in", email=email, password="wrong").status == 401
        page = visitor.send("/sign-in", email=email, password="wrong")
        assert page.status == 429
        answers.add(page.text)
    assert len(answers) == 1
    assert "Please wait 1 minute" in answers.pop()


def test_another_address_is_confirmed_on_both_and_signs_in_from_then_on(kim, browser, link_to):
    kim.open("/account/email")
    page = kim.send("/account/email", email="nowhere", current_password=PASSWORD)
    assert (page.status, dict(page.form("/account/email").values)["email"]) == (422, "nowhere")
    page = kim.send("/account/email", email="Kim.R@harbour.example", current_password=PASSWORD)
    assert "Both addresses are written to" in page.text
    assert "kim.r@harbour.example" in page.text
    visitor = browser()
    page = visitor.open(link_to("kim.r@harbour.example", "email-change"))
    assert "This was not me" not in page.text
    assert "Confirmed on this address" in visitor.send("/email-change").text
    page = visitor.open(link_to("kim@harbour.example", "email-change"))
    assert "This was not me" in page.text
    assert "Your address is changed" in visitor.send("/email-change").text
    page = visitor.send("/sign-in", email="kim.r@harbour.example", password=PASSWORD)
    assert page.at == "/portal"
    assert kim.open("/account").at.startswith("/sign-in")


def test_it_was_not_me_stops_it_and_leads_to_another_password(kim, browser, link_to):
    kim.open("/account/email")
    kim.send("/account/email", email="kim.r@harbour.example", current_password=PASSWORD)
    visitor = browser()
    visitor.open(link_to("kim@harbour.example", "email-change"))
    assert visitor.send("/email-change/stop").at == "/forgot-password"
    assert kim.open("/account").at.startswith("/sign-in")
    assert browser().open(link_to("kim.r@harbour.example", "email-change")).status == 410


def test_what_was_asked_for_can_be_taken_back(kim):
    kim.open("/account/email")
    kim.send("/account/email", email="kim.r@harbour.example", current_password=PASSWORD)
    page = kim.send("/account/email/cancel")
    assert "Your address stays as it is" in page.text
    assert "kim.r@harbour.example" not in page.text


PROVING = ("", "/password", "/second-factor", "/second-factor/remove", "/recovery-codes", "/proof")


def test_what_gives_the_session_another_token_is_sent_once(kim, clock):
    totp = pyotp.TOTP(secret_on(kim.open("/account/second-factor")))
    kim.send("/account/second-factor", code=totp.at(clock.now), current_password=PASSWORD)
    for path in PROVING:
        page = kim.open(f"/account{path}")
        assert page.at == f"/account{path}"
        assert re.search(r"<form [^>]*data-once", page.html), path
        assert "/static/once.js" in page.html, path
