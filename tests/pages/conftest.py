"""Browsers, one for each person; workers; and what arrives in the mail."""

import re

import pytest

from marketplace.bootstrap import channel_of
from tests.conftest import Client
from tests.jobs import do_jobs
from tests.pages.browser import Browser
from tests.pages.every_page import collected, every_page
from tests.people import PASSWORD, a_person, an_admin

__all__ = ["collected", "every_page"]


@pytest.fixture
def browser(app):
    """Make a browser with cookies of its own."""
    return lambda: Browser(Client(app, app.response_class))


@pytest.fixture
def work(ctx, installation):
    """Do what workers would do by now."""
    return lambda: do_jobs(ctx, channel_of(installation.settings))


@pytest.fixture
def link_to(client, work):
    """Return the path of the newest link with a word in it that was mailed to an address."""

    def newest(address, word):
        work()
        letters = client.get("/mailbox/messages", query_string={"to": address}).json["items"]
        for letter in letters:
            found = re.search(rf"http://localhost(/\S*{word}\S*)", letter["text"])
            if found:
                return found[1]
        raise AssertionError([letter["subject"] for letter in letters])

    return newest


@pytest.fixture
def signed_in(ctx, browser):
    """Return a browser in which somebody has signed in for a provider."""

    def sign_in(provider):
        person = a_person(ctx, provider.contact_email, provider_id=provider.id)
        return _signed_in(browser(), person.email, "/portal")

    return sign_in


@pytest.fixture
def admin(ctx, browser):
    """A browser in which an administrator has signed in."""
    return _signed_in(browser(), an_admin(ctx).email, "/admin")


def _signed_in(fresh, email, home):
    """Sign in, and do not look yet where that leads: the page is made when somebody looks at it."""
    form = dict(fresh.open("/sign-in").form("/sign-in").values)
    answer = fresh.client.post("/sign-in", data={**form, "email": email, "password": PASSWORD})
    assert (answer.status_code, answer.location) == (303, home)
    return fresh.about_to_open(home)
