"""Whoever sends too much has to wait, and loses nothing of what was typed."""

from dataclasses import replace

import pytest
from redis import Redis

from marketplace.web import limits
from marketplace.web.limit_table import AT_THE_DOOR, LIMITS, READS, line_of
from tests.pages.steps import held_by
from tests.people import a_person, bearer, session_token


@pytest.fixture
def throttled(app, ctx, services):
    Redis.from_url(services.redis_url).flushdb()  # what other tests have counted
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


def test_a_form_of_another_site_is_in_no_page_that_asks_to_wait(throttled, client, monkeypatch):
    monkeypatch.setattr(limits, "AT_THE_DOOR", replace(AT_THE_DOOR, limits="1 per minute"))
    ours = {"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"}
    for said, is_kept in ((ours, True), ({}, False), ({"Origin": "null"}, False)):
        for _ in range(2):
            answer = client.post("/admin/people", data={"name": "Mia typed this"}, headers=said)
        assert answer.status_code == 429
        assert ("Mia typed this" in answer.text) == is_kept, said


def test_both_doors_say_that_an_answer_comes_before_the_next_look(
    app, ctx, signed_in, make, client
):
    provider = make.provider()
    visitor = signed_in(provider)
    product = app.extensions["marketplace"]
    policy = replace(ctx.policy, rate_limits=True, undecided_at_most=1)
    app.extensions["marketplace"] = replace(product, ctx=replace(ctx, policy=policy))
    first, second = (held_by(make, make.matched_lead())[0] for _ in range(2))
    assert visitor.open(f"/portal/invitations/{first.id}").status == 200
    page = visitor.open(f"/portal/invitations/{second.id}")
    assert page.status == 409
    assert "Please accept or decline one of them first" in page.text.replace("please", "Please")
    token = session_token(ctx, a_person(ctx, "x@harbour.example", provider_id=provider.id))
    answer = client.get(f"/api/v1/portal/invitations/{second.id}", headers=bearer(token))
    assert answer.status_code == 409
    assert "accept or decline one of them first" in answer.json["detail"]


@pytest.mark.parametrize("path", ["/embed", "/embed.js", "/embed/how", "/terms", "/robots.txt"])
def test_whoever_looks_too_often_is_told_to_wait_and_not_shown_a_form(
    throttled, client, monkeypatch, path
):
    few = replace(READS, scope=f"looks at {path}", limits="1 per minute")
    monkeypatch.setitem(LIMITS, ("GET", path), few)
    client.head(path).close()
    answer = client.get(path)
    assert answer.status_code == 429, answer.text
    assert "Too many of these came from your address" in answer.text
    assert "What you typed is still here" not in answer.text
    assert "<textarea" not in answer.text
