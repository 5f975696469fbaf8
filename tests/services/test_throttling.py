"""Wrong sign-ins wait, by account; whoever owns it, and their own browser, are never locked out."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest
from redis import Redis
from sqlalchemy import func, select

from marketplace.accounts import devices, own, passwords, service, sessions
from marketplace.core import circuit_breaker, links
from marketplace.core.attempts import Attempts
from marketplace.core.errors import Invalid, NotSignedIn, TooManyAttempts
from marketplace.core.events import Event
from marketplace.core.forms import Form
from tests.people import PASSWORD, a_person, session_token

FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
AWAY = "redis://127.0.0.1:1/0"


@pytest.fixture(params=["redis", "memory", "full"])
def throttled(request, ctx, installation, monkeypatch):
    """A context that throttles, by Redis and while Redis is away, or takes nothing more."""
    redis = installation.redis
    for key in redis.scan_iter("attempts:*"):
        redis.delete(key)
    attempts = Attempts(Redis.from_url(AWAY) if request.param == "memory" else redis)
    if request.param == "full":
        monkeypatch.setattr(circuit_breaker, "LEFT_ALONE", 0.0)  # asked again, each time
        redis.config_set("maxmemory", 1)
    yield replace(ctx, policy=replace(ctx.policy, rate_limits=True), attempts=attempts)
    redis.config_set("maxmemory", 0)
    for key in redis.scan_iter("attempts:*"):
        redis.delete(key)


def knock(ctx, email, password="not the password", device=None):
    """Return how a try ends: let in, wrong, or for how many seconds to wait."""
    try:
        service.sign_in(ctx, Form({"email": email, "password": password}), device)
    except NotSignedIn:
        return "wrong"
    except TooManyAttempts as refused:
        return refused.seconds
    return "in"


@pytest.mark.parametrize("email", ["kim@harbour.example", "nobody@harbour.example"])
def test_known_or_not_an_address_waits_longer_after_every_wrong_one_from_the_fifth(
    throttled, clock, email
):
    a_person(throttled)
    answers = []
    for wait in (0, 0, 0, 0, 0, 0, 59, 1, 60, 60, 240):
        clock.advance(seconds=wait)
        answers.append(knock(throttled, email.upper() if wait else email))
    assert answers == [*["wrong"] * 5, 60, 1, "wrong", 60, "wrong", "wrong"]


def test_not_even_the_right_password_is_taken_while_one_has_to_wait(throttled, clock):
    user = a_person(throttled)
    for _ in range(5):
        knock(throttled, user.email)
    assert knock(throttled, user.email, PASSWORD) == 60
    clock.advance(seconds=60)
    assert knock(throttled, user.email, PASSWORD) == "in"
    assert [knock(throttled, user.email) for _ in range(5)] == ["wrong"] * 5


def test_a_day_without_a_wrong_one_and_it_begins_anew(throttled, clock, request):
    for _ in range(8):
        knock(throttled, "kim@harbour.example")
        clock.advance(minutes=10)
    clock.advance(hours=24)
    if "redis" in request.node.name:  # which forgets by its own clock
        for key in throttled.attempts._redis.scan_iter("attempts:*"):
            assert 0 < throttled.attempts._redis.ttl(key) <= 24 * 3600
        return
    assert [knock(throttled, "kim@harbour.example") for _ in range(6)] == [*["wrong"] * 5, 60]


def test_whoever_guesses_elsewhere_costs_the_owners_browser_nothing(throttled, clock):
    user = a_person(throttled)
    mine, crm = devices.browser("mine", FIREFOX), devices.program("crm/1.0")
    for known in (mine, crm):
        assert knock(throttled, user.email, PASSWORD, known) == "in"
    for theirs in (devices.browser("theirs", FIREFOX), devices.program("curl/8"), None):
        for _ in range(9):
            knock(throttled, user.email, device=theirs)
    assert knock(throttled, user.email, PASSWORD, devices.browser("new", FIREFOX)) == 60
    for known in (mine, crm):
        assert knock(throttled, user.email, PASSWORD, known) == "in"
    # What is known has no freedom to guess either.
    assert [knock(throttled, user.email, device=mine) for _ in range(6)] == [*["wrong"] * 5, 60]
    assert knock(throttled, user.email, PASSWORD, crm) == "in"


def test_a_new_password_by_the_link_forgets_what_was_wrong(throttled):
    user = a_person(throttled)
    for _ in range(5):
        knock(throttled, user.email)
    assert knock(throttled, user.email) == 60
    with throttled.transaction() as tx:
        link = links.mint(
            tx, links.Purpose.SET_PASSWORD, user.id, expires_at=tx.now + timedelta(hours=1)
        )
    passwords.set_password(throttled, Form({"token": link, "password": "a slow green tram"}))
    assert knock(throttled, user.email, "a slow green tram") == "in"


def test_many_at_once_are_no_more_than_one_after_another(throttled, installation):
    user = a_person(throttled)
    start = Barrier(20)

    def attempt(_):
        with installation.app.app_context():
            start.wait()
            return knock(throttled, user.email)

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(attempt, range(20)))
    assert 1 <= answers.count("wrong") <= 5


def test_a_session_does_not_help_to_guess_its_owners_password(throttled, clock):
    user = a_person(throttled)
    token = session_token(throttled, user)
    me = sessions.actor_of_session(throttled, token)

    def guess(current):
        form = Form({"current_password": current, "password": "a slow green tram"})
        return own.change_password(throttled, me, token, form)

    for _ in range(5):
        with pytest.raises(Invalid):
            guess("not the password")
    with pytest.raises(TooManyAttempts):
        guess(PASSWORD)
    assert knock(throttled, user.email, PASSWORD) == "in"
    clock.advance(minutes=1)
    assert guess(PASSWORD).user.id == user.id


def test_a_new_password_by_the_link_makes_this_browser_known_whoever_goes_on_guessing(throttled):
    user, mine = a_person(throttled), devices.browser("new", FIREFOX)
    with throttled.transaction() as tx:
        link = links.mint(
            tx, links.Purpose.SET_PASSWORD, user.id, expires_at=tx.now + timedelta(hours=1)
        )
    new = "a slow green tram"
    passwords.set_password(throttled, Form({"token": link, "password": new}), mine)
    for _ in range(9):
        knock(throttled, user.email)
    assert knock(throttled, user.email, new) == 60
    assert knock(throttled, user.email, new, mine) == "in"


def test_whoever_guesses_at_a_session_left_open_keeps_its_owner_from_nothing(throttled):
    user = a_person(throttled)
    left_open, mine = session_token(throttled, user), session_token(throttled, user)

    def guess(token, current):
        me = sessions.actor_of_session(throttled, token)
        return own.prove(throttled, me, token, Form({"current_password": current}))

    for _ in range(5):
        with pytest.raises(Invalid):
            guess(left_open, "not the password")
    with pytest.raises(TooManyAttempts):
        guess(left_open, PASSWORD)
    assert guess(mine, PASSWORD).user.id == user.id


def test_a_count_that_was_forgotten_meanwhile_is_not_taken_back(installation):
    attempts = Attempts(installation.redis)
    attempts.add("kim", now=datetime(2026, 11, 23, tzinfo=UTC), forget_after=timedelta(1))
    attempts.forget("kim")
    attempts.take_back("kim")
    assert list(installation.redis.scan_iter("attempts:*")) == []


def test_without_limits_nothing_waits(ctx):
    assert [knock(ctx, "nobody@harbour.example") for _ in range(8)] == ["wrong"] * 8


def test_the_log_notes_one_failure_of_an_account_a_minute_and_none_of_strangers(ctx, clock):
    user = a_person(ctx)
    for wait in (0, 1, 58, 1, 0):
        clock.advance(seconds=wait)
        knock(ctx, user.email)
        knock(ctx, "nobody@harbour.example")
    with ctx.reading() as session:
        failed = session.scalars(select(Event).where(Event.verb == "user.sign_in_failed")).all()
        assert {each.subject_id for each in failed} == {user.id}
        assert len(failed) == 2
        assert all(each.facts == {} for each in failed)
        assert session.scalars(select(func.count()).select_from(Event)).one() == 3


def test_redis_holds_no_address_and_memory_holds_no_more_than_it_may(installation, monkeypatch):
    redis = installation.redis
    Attempts(redis).add(
        "sign-in kim@harbour.example", now=datetime(2026, 11, 23, tzinfo=UTC),
        forget_after=timedelta(seconds=60),
    )  # fmt: skip
    keys = [key.decode() for key in redis.scan_iter("attempts:*")]
    assert keys
    assert not any("harbour" in key for key in keys)
    for key in keys:
        redis.delete(key)
    monkeypatch.setattr("marketplace.core.attempts.KEPT_AT_MOST", 10)
    away = Attempts(Redis.from_url(AWAY))
    for number in range(50):
        away.add(str(number), now=datetime(2026, 11, 23, tzinfo=UTC), forget_after=timedelta(1))
    assert len(away._memory) == 10
    assert away.read("49")[0] == 1
