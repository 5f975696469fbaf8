"""Sessions: idle ones, too many, listed, ended, and given another token."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from marketplace.accounts import devices, email_changes, own, passwords, service, sessions
from marketplace.accounts.models import SignIn
from marketplace.core.actors import Actor, Kind
from marketplace.core.context import Origin
from marketplace.core.errors import Conflict, Invalid, NotAllowed, NotFound, NotSignedIn
from marketplace.core.events import Event
from marketplace.core.forms import Form
from marketplace.core.policy import Policy
from marketplace.notifications.models import Notification
from tests.people import PASSWORD, a_person, an_admin, session_token

NEW_PASSWORD = "a slow green tram"
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture
def idle(ctx):
    """A context in which sessions end by themselves as they do outside of tests."""
    return replace(ctx, policy=replace(ctx.policy, session_idle=Policy().session_idle))


def actor(ctx, token):
    return sessions.actor_of_session(ctx, token)


def rows(ctx, user):
    with ctx.reading() as session:
        return session.scalars(select(SignIn).where(SignIn.user_id == user.id)).all()


def letters(ctx, template="account_changed"):
    with ctx.reading() as session:
        found = session.scalars(select(Notification).where(Notification.template == template))
        return [each.values.get("what") for each in found]


TICK = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("waits", "is_in"),
    [
        ([timedelta(hours=2) - TICK], True),
        ([timedelta(hours=2)], False),
        ([timedelta(hours=1)] * 11, True),
        ([timedelta(hours=1)] * 12, False),
        ([timedelta(hours=1), timedelta(hours=2)], False),
    ],
)
def test_a_session_ends_two_hours_after_its_last_use_and_twelve_after_its_first(
    idle, clock, waits, is_in
):
    token = session_token(idle, a_person(idle))
    for wait in waits:
        clock.now += wait
        found = actor(idle, token)
    assert (found is not None) is is_in


def test_the_last_use_is_written_once_a_minute(ctx, clock):
    user = a_person(ctx)
    token = session_token(ctx, user)
    begun, seen = clock.now, []
    for _ in range(5):
        clock.advance(seconds=25)
        actor(ctx, token)
        seen.append((rows(ctx, user)[0].last_used_at - begun).total_seconds())
    assert seen == [0, 0, 75, 75, 75]


def test_a_session_from_before_they_had_a_last_use_goes_on(idle, clock):
    user = a_person(idle)
    token = session_token(idle, user)
    with idle.transaction() as tx:
        tx.session.execute(update(SignIn).values(last_used_at=None, proved_at=None, id=None))
    clock.advance(minutes=90)
    assert actor(idle, token) is not None
    clock.advance(minutes=90)
    assert actor(idle, token) is not None


def test_of_more_than_ten_sessions_the_oldest_ends(ctx, clock):
    user = a_person(ctx)
    tokens = []
    for _ in range(12):
        tokens.append(session_token(ctx, user))
        clock.advance(seconds=1)
    assert [actor(ctx, token) is not None for token in tokens] == [False] * 2 + [True] * 10


def test_where_somebody_is_signed_in_is_listed_with_device_and_network_alone(ctx, clock):
    user = a_person(ctx)
    home = ctx.at(Origin("r", "192.0.2.77"))
    form = Form({"email": user.email, "password": PASSWORD})
    begun = service.sign_in(home, form, devices.browser("one", FIREFOX))
    session_token(ctx, a_person(ctx, "lee@wattle.example"))
    (row,) = sessions.own_sessions(ctx, actor(ctx, begun.token))
    assert (row.device, row.network) == ("Firefox on Windows", "192.0.2.0/24")
    assert row.id is not None


@pytest.fixture
def three(ctx, clock):
    """Somebody signed in three times, with their tokens, the first one first."""
    user = a_person(ctx)
    tokens = []
    for _ in range(3):
        tokens.append(session_token(ctx, user))
        clock.advance(seconds=1)
    return user, tokens


def running(ctx, tokens):
    return [actor(ctx, token) is not None for token in tokens]


def test_one_session_or_all_others_are_ended_by_their_owner(ctx, three):
    _user, tokens = three
    me = actor(ctx, tokens[2])
    second = sessions.own_sessions(ctx, me)[1]
    assert own.end_session(ctx, me, tokens[2], session_id=second.id) == 1
    assert running(ctx, tokens) == [True, False, True]
    with pytest.raises(NotFound):
        own.end_session(ctx, me, tokens[2], session_id=second.id)
    assert own.end_session(ctx, me, tokens[2], session_id=None) == 1
    assert running(ctx, tokens) == [False, False, True]


def test_nobody_ends_the_session_of_another(ctx, three):
    _, tokens = three
    theirs = sessions.own_sessions(ctx, actor(ctx, tokens[0]))[0]
    stranger = session_token(ctx, a_person(ctx, "lee@wattle.example"))
    with pytest.raises(NotFound):
        own.end_session(ctx, actor(ctx, stranger), stranger, session_id=theirs.id)
    with pytest.raises(NotSignedIn):
        own.end_session(ctx, actor(ctx, tokens[0]), stranger, session_id=theirs.id)
    assert running(ctx, tokens) == [True] * 3


def test_ten_minutes_after_signing_in_it_has_to_be_proved_again(ctx, three, clock):
    _user, tokens = three
    me = actor(ctx, tokens[0])
    clock.advance(minutes=10)
    with pytest.raises(NotAllowed, match="proof"):
        own.end_session(ctx, me, tokens[0], session_id=None)
    with pytest.raises(Invalid):
        own.prove(ctx, me, tokens[0], Form({"current_password": "no"}))
    assert running(ctx, tokens) == [True] * 3
    tokens[0] = own.prove(ctx, me, tokens[0], Form({"current_password": PASSWORD})).token
    own.end_session(ctx, me, tokens[0], session_id=None)
    assert running(ctx, tokens) == [True, False, False]


def test_whoever_stole_a_token_is_not_taken_for_who_gave_the_password(ctx, three, clock):
    _user, tokens = three
    stolen, me = tokens[0], actor(ctx, tokens[0])
    clock.advance(minutes=10)
    email = {"email": "kim.reyes@harbour.example", "current_password": PASSWORD}
    email_changes.ask_email_change(ctx, me, stolen, Form(email))
    with pytest.raises(NotAllowed, match="proof"):
        own.end_session(ctx, me, stolen, session_id=None)
    with pytest.raises(Conflict), own.proved_for(ctx, me, stolen, Form({**email})):
        raise Conflict("you are the last one")
    with pytest.raises(NotAllowed, match="proof"):
        own.end_session(ctx, me, stolen, session_id=None)
    proved = own.prove(ctx, me, stolen, Form({"current_password": PASSWORD}))
    assert running(ctx, [stolen, proved.token, *tokens[1:]]) == [False, True, True, True]
    assert own.end_session(ctx, me, proved.token, session_id=None) == 2


def test_an_administrator_signs_somebody_out_everywhere_and_nobody_else_does(ctx, three):
    user, tokens = three
    admin = session_token(ctx, an_admin(ctx))
    with pytest.raises(NotAllowed):
        sessions.end_sessions_of(ctx, actor(ctx, tokens[0]), user.id)
    assert sessions.end_sessions_of(ctx, actor(ctx, admin), user.id) == 3
    assert running(ctx, [*tokens, admin]) == [False, False, False, True]
    with ctx.reading() as session:
        (event,) = session.scalars(select(Event).where(Event.verb == "user.sessions_ended"))
    assert event.facts == {"sessions": 3}


def test_a_changed_password_ends_all_others_gives_this_one_a_new_token_and_tells_by_mail(
    ctx, three
):
    user, tokens = three
    me = actor(ctx, tokens[1])
    form = Form({"current_password": PASSWORD, "password": NEW_PASSWORD})
    renewed = own.change_password(ctx, me, tokens[1], form)
    assert renewed.token not in tokens
    assert running(ctx, [*tokens, renewed.token]) == [False, False, False, True]
    assert letters(ctx) == ["password"]
    with pytest.raises(NotSignedIn):
        session_token(ctx, user)
    assert session_token(ctx, user, NEW_PASSWORD)


@pytest.mark.parametrize(
    ("current", "password", "wrong"),
    [
        (None, NEW_PASSWORD, ["/current_password"]),
        ("not the password", NEW_PASSWORD, ["/current_password"]),
        ("", NEW_PASSWORD, ["/current_password"]),
        (PASSWORD.upper(), NEW_PASSWORD, ["/current_password"]),
        (PASSWORD, "short", ["/password"]),
        (PASSWORD, "harbour quality", ["/password"]),
        ("not the password", "short", ["/current_password", "/password"]),
    ],
)
def test_a_password_is_changed_only_by_the_present_one_and_to_a_good_one(
    ctx, three, current, password, wrong
):
    _, tokens = three
    form = Form({"current_password": current, "password": password})
    with pytest.raises(Invalid) as refused:
        own.change_password(ctx, actor(ctx, tokens[0]), tokens[0], form)
    assert sorted(each.pointer for each in refused.value.errors) == wrong
    assert running(ctx, tokens) == [True] * 3
    assert letters(ctx) == []


def test_a_reset_tells_its_owner_and_a_first_password_nobody(ctx):
    user = a_person(ctx, password=None)
    for password, told in ((PASSWORD, []), (NEW_PASSWORD, ["password"])):
        with ctx.transaction() as tx:
            link = passwords.links.mint(
                tx, passwords.Purpose.SET_PASSWORD, user.id, expires_at=tx.now + timedelta(hours=1)
            )
        passwords.set_password(ctx, Form({"token": link, "password": password}))
        assert letters(ctx) == told


@pytest.mark.parametrize("kind", [Kind.API_KEY, Kind.BUSINESS, Kind.ANYBODY])
def test_what_is_no_person_has_no_sessions(ctx, three, kind):
    user, _tokens = three
    with pytest.raises(NotAllowed):
        sessions.own_sessions(ctx, Actor(kind, id=user.id))
