"""Whoever sends too much has to wait, and loses nothing of what was typed."""

from dataclasses import replace

import pytest

from marketplace.web.limit_table import line_of


@pytest.fixture
def throttled(app, ctx):
    product = app.extensions["marketplace"]
    policy = replace(ctx.policy, rate_limits=True)
    app.extensions["marketplace"] = replace(product, ctx=replace(ctx, policy=policy))


def test_a_form_that_has_to_wait_is_kept_to_be_sent_as_it_was(throttled, signed_in, make):
    visitor = signed_in(make.provider())
    people = visitor.open("/portal/team")
    at_most = int(line_of("POST", "/portal/team").limits.split()[0])
    for number in range(at_most + 1):
        visitor.page = people
        page = visitor.send("/portal/team", name="Mia & Co", email=f"mia{number}@harbour.example")
    assert page.status == 429
    assert 1 <= int(page.response.headers["Retry-After"]) <= 3600
    said = " ".join(page.text.split())
    assert "Too many of these came in your name, and nothing was sent. Please wait" in said
    assert "Nothing that you typed is lost." in said
    kept = page.form("/portal/team").values
    assert ("name", "Mia & Co") in kept
    assert ("email", f"mia{at_most}@harbour.example") in kept


def test_a_password_that_was_typed_is_in_no_page(throttled, browser):
    visitor = browser()
    form = visitor.open("/sign-in")
    for _ in range(int(line_of("POST", "/sign-in").limits.split()[0]) + 1):
        visitor.page = form
        page = visitor.send("/sign-in", email="kim@harbour.example", password="seven noisy herons")
    assert page.status == 429
    assert "seven noisy herons" not in page.html
    assert "Too many of these came from your address" in " ".join(page.text.split())
