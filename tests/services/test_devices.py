"""Whoever signs in from something new is told so by mail, but for the first time."""

import pytest
from sqlalchemy import select

from marketplace.accounts import devices, service
from marketplace.accounts.models import KnownDevice
from marketplace.core.errors import NotSignedIn
from marketplace.core.forms import Form
from marketplace.notifications.models import Notification
from tests.people import PASSWORD, a_person, an_admin

FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"


def sign_in(ctx, user, device, password=PASSWORD):
    return service.sign_in(ctx, Form({"email": user.email, "password": password}), device)


def letters(make):
    query = select(Notification).where(Notification.template == "signed_in_elsewhere")
    return make.ask(lambda session: session.scalars(query.order_by(Notification.id)).all())


def test_a_new_browser_is_told_of_once_and_the_first_never(ctx, make, clock):
    user = a_person(ctx)
    for token in ("one", "one", "two", "two", "one"):
        sign_in(ctx, user, devices.browser(token, FIREFOX))
        clock.advance(hours=1)
    (letter,) = letters(make)
    assert letter.recipient == user.email
    assert letter.path == "/forgot-password"
    assert letter.values == {"device": "Firefox on Windows", "at": "2026-11-23T11:00:00+00:00"}


def test_a_program_is_known_by_what_it_calls_itself(ctx, make):
    user = a_person(ctx)
    for name in ("crm/1.0 (x)", "crm/1.0 (x)", "curl/8.5", ""):
        sign_in(ctx, user, devices.program(name))
    assert [each.values["device"] for each in letters(make)] == [
        "the program curl/8.5",
        "a program that does not say its name",
    ]


def test_a_wrong_password_makes_nothing_known(ctx, make):
    user = a_person(ctx)
    sign_in(ctx, user, devices.browser("one", FIREFOX))
    with pytest.raises(NotSignedIn):
        sign_in(ctx, user, devices.browser("two", FIREFOX), "not the password")
    assert letters(make) == []


def test_the_browsers_of_others_tell_nothing_and_only_hashes_are_stored(ctx, make):
    user, other = a_person(ctx), a_person(ctx, "lee@wattle.example")
    for each in (user, other):
        sign_in(ctx, each, devices.browser("one", FIREFOX))
    rows = make.ask(lambda session: session.scalars(select(KnownDevice)).all())
    assert len({row.mark_hash for row in rows}) == 2
    assert letters(make) == []


@pytest.mark.parametrize(
    ("user_agent", "said"),
    [
        (FIREFOX, "Firefox on Windows"),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like "
            "Gecko) Version/17.0 Safari/605.1.15",
            "Safari on a Mac",
        ),
        (
            "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) "
            "Chrome/120.0 Mobile Safari/537.36",
            "Chrome on Android",
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) "
            "Chrome/120.0 Safari/537.36 Edg/120.0",
            "Edge on Windows",
        ),
        ("", "a browser"),
        ("<b>x", "a browser"),
    ],
)
def test_a_browser_is_described_as_far_as_it_says(user_agent, said):
    assert devices.described(user_agent) == said


def test_the_time_is_told_as_it_is_where_the_provider_works(ctx, make):
    in_perth = make.provider(regions=("AU-WA", "AU-NSW"))
    zones = {}
    for user in (
        a_person(ctx),  # of a provider in Australia that covers nothing yet
        a_person(ctx, in_perth.contact_email, provider_id=in_perth.id),
        an_admin(ctx),
    ):
        with ctx.transaction() as tx:
            for token in ("one", "two"):
                devices.note_device(tx, user, devices.browser(token, FIREFOX))
                tx.session.flush()
        zones[user.email] = letters(make)[-1].time_zone
    assert list(zones.values()) == ["Australia/Sydney", "Australia/Perth", "UTC"]
