"""Keys and webhook of a provider's own software, made and ended on a page."""

import re

import pytest
from sqlalchemy import select

from marketplace.accounts.models import User
from marketplace.core import idempotency


@pytest.fixture
def person(make, signed_in):
    person = signed_in(make.provider())
    person.open("/portal/software")
    return person


def secret_of(page):
    return re.search(r"<code>([^<]+)</code>", page.html)[1]


def test_a_key_is_shown_once_works_and_is_refused_once_revoked(person, client):
    assert person.send("/keys", name="").status == 422
    page = person.send("/keys", name="Our customer database")
    key = {"Authorization": f"Bearer {secret_of(page)}"}
    assert client.get("/api/v1/portal/invitations", headers=key).status_code == 200
    again = person.open("/portal/software")
    assert "Our customer database" in again.text
    assert "<code>" not in again.html
    assert "refused from now on" in person.send("/revoke").text
    assert client.get("/api/v1/portal/invitations", headers=key).status_code == 401


def test_a_last_day_after_which_there_is_no_other_is_wrong(person):
    page = person.send("/keys", name="Our files", last_day="9999-12-31")
    assert page.status == 422
    assert "must be a day between the years 2000 and 2999" in page.text


def test_a_key_is_made_once_however_often_its_form_is_sent(person):
    form = person.page
    first = person.send("/keys", name="Our files")
    for _ in range(2):
        person.page = form
        page = person.send("/keys", name="Our files")
        assert "This key was made already" in page.text
        assert page.at == "/portal/software"
        assert "<code>" not in page.html
    assert len(keys_on(page)) == 1
    second = person.send("/portal/software/keys", name="Our files")
    assert secret_of(second) != secret_of(first)
    assert len(keys_on(second)) == 2


def keys_on(page):
    return [form for form in page.forms if form.action.endswith("/revoke")]


def test_two_clicks_at_once_make_one_key(person, ctx, make):
    person.send("/keys", name="")  # what was refused uses the form up as little as looking at it
    form = person.page.form("/keys")
    values = [*form.values, ("name", "Our files")]
    once = dict(form.values)["once"]
    who = make.ask(lambda session: session.scalars(select(User.id)).one())
    scope = idempotency.digest("key", str(who), once)
    assert idempotency.begin(ctx, scope, scope) is None  # the first click, not answered yet
    page = person.post(form.action, values)
    assert "This key was made already" in page.text
    assert keys_on(page) == []


def test_a_key_that_was_revoked_in_another_window_stays_so(person):
    person.send("/keys", name="ours")
    twice = person.page
    person.send("/revoke")
    person.page = twice
    assert "refused from now on" in person.send("/revoke").text


def test_a_webhook_is_made_changed_tried_and_deleted(person):
    refused = person.send("/address", url="ftp://x.example")
    assert refused.status == 422
    assert dict(refused.form("/address").values)["url"] == "ftp://x.example"
    made = person.send("/address", ("enabled", "yes"), url="http://127.0.0.1:9/hook")
    assert secret_of(made).startswith("whsec_")
    assert "<code>" not in person.open("/portal/software").html
    assert "A trial is on its way" in person.send("/test").text
    assert "webhook.test" in person.page.text
    page = person.send("/address", enabled="no", url="http://127.0.0.1:9/other")
    assert "The webhook is saved" in page.text
    assert "is switched off" in person.send("/test").text
    assert "is deleted" in person.send("/delete").text
    assert "Send a trial" not in person.page.text
