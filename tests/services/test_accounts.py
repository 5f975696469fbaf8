"""Signing in and out, passwords, second factors, and who may sign in for a provider."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier

import argon2
import pyotp
import pytest
from sqlalchemy import select

from marketplace.accounts import credentials, own, passwords, queries, service, sessions
from marketplace.accounts.models import SignIn, User
from marketplace.accounts.rules import Role
from marketplace.core import links
from marketplace.core.errors import Conflict, Gone, Invalid, NotSignedIn
from marketplace.core.events import Event
from marketplace.core.forms import Form
from marketplace.core.links import Purpose, token_hash
from marketplace.notifications.channels import MailboxChannel
from marketplace.notifications.delivery import deliver_due_notifications
from marketplace.notifications.models import Notification
from tests.conftest import STRONG
from tests.people import PASSWORD, a_person, a_provider, an_admin, session_token

NEW_PASSWORD = "a slow green tram"


def credentials_of(user, **changes):
    return Form({"email": user.email, "password": PASSWORD, **changes})


def stored(ctx, user):
    with ctx.reading() as session:
        return session.get_one(User, user.id)


def password_link(ctx, user, *, within=timedelta(hours=1)):
    with ctx.transaction() as tx:
        return links.mint(tx, Purpose.SET_PASSWORD, user.id, expires_at=tx.now + within)


def with_policy(ctx, **changes):
    return replace(ctx, policy=replace(ctx.policy, **changes))


def test_a_session_runs_for_its_lifetime_and_not_a_moment_longer(ctx, clock):
    user = a_person(ctx)
    begun = service.sign_in(ctx, credentials_of(user))
    assert begun.expires_at == clock.now + ctx.policy.session_lifetime

    clock.now = begun.expires_at - timedelta(microseconds=1)
    actor = sessions.actor_of_session(ctx, begun.token)
    assert actor is not None
    assert (actor.id, actor.provider_id) == (user.id, user.provider_id)

    clock.now = begun.expires_at
    assert sessions.actor_of_session(ctx, begun.token) is None


def test_only_the_hash_of_a_session_is_stored(ctx):
    token = session_token(ctx, a_person(ctx))
    assert token.startswith("session_")
    with ctx.reading() as session:
        rows = session.scalars(select(SignIn)).all()
        assert [row.token_hash for row in rows] == [token_hash(token)]


def test_signing_out_ends_this_session_and_no_other(ctx):
    user = a_person(ctx)
    first, second = session_token(ctx, user), session_token(ctx, user)
    actor = sessions.actor_of_session(ctx, first)
    sessions.sign_out(ctx, actor, first)
    sessions.sign_out(ctx, actor, first)
    assert sessions.actor_of_session(ctx, first) is None
    assert sessions.actor_of_session(ctx, second) is not None


def test_whatever_is_wrong_the_refusal_is_the_same(ctx):
    user = a_person(ctx)
    a_person(ctx, "new@harbour.example", password=None, provider_id=user.provider_id)
    gone = a_person(ctx, "gone@harbour.example", provider_id=user.provider_id)
    with ctx.transaction() as tx:
        tx.session.get_one(User, gone.id).disabled_at = tx.now
    said = set()
    for email, password in [
        ("nobody@harbour.example", PASSWORD),
        (user.email, "not the password"),
        ("new@harbour.example", PASSWORD),
        (gone.email, PASSWORD),
    ]:
        with pytest.raises(NotSignedIn) as refusal:
            service.sign_in(ctx, Form({"email": email, "password": password}))
        said.add(str(refusal.value))
    assert len(said) == 1


@pytest.mark.parametrize("email", ["nobody@harbour.example", "new@harbour.example"])
def test_a_hash_is_verified_even_where_there_is_none(ctx, monkeypatch, email):
    a_person(ctx, "new@harbour.example", password=None)
    verified = []
    hasher = credentials._hasher

    class Counting:
        def hash(self, password):
            return hasher.hash(password)

        def verify(self, *args):
            verified.append(args)
            return hasher.verify(*args)

    monkeypatch.setattr(credentials, "_hasher", Counting())
    with pytest.raises(NotSignedIn):
        service.sign_in(ctx, Form({"email": email, "password": PASSWORD}))
    assert len(verified) == 1


def test_passwords_are_hashed_no_weaker_than_rfc_9106_wants_where_memory_is_low():
    parameters = argon2.extract_parameters(STRONG.hash(PASSWORD))
    assert parameters.type is argon2.Type.ID
    assert (parameters.time_cost, parameters.memory_cost) >= (3, 64 * 1024)


def test_a_hash_with_old_parameters_is_made_anew_at_the_next_sign_in(ctx):
    user = a_person(ctx, password=None)
    weak = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    with ctx.transaction() as tx:
        tx.session.get_one(User, user.id).password_hash = weak
    session_token(ctx, user)
    renewed = stored(ctx, user).password_hash
    assert renewed != weak
    assert not credentials.is_outdated(renewed)
    session_token(ctx, user)
    assert stored(ctx, user).password_hash == renewed


def test_a_password_is_taken_as_it_was_typed_and_one_from_before_as_it_was_then(ctx):
    user = a_person(ctx)
    assert not stored(ctx, user).password_is_exact
    session_token(ctx, user, f" {PASSWORD} ")
    spaced = f" {NEW_PASSWORD} "
    passwords.set_password(ctx, Form({"token": password_link(ctx, user), "password": spaced}))
    assert stored(ctx, user).password_is_exact
    session_token(ctx, user, spaced)
    for other in (NEW_PASSWORD, f" {NEW_PASSWORD}", spaced.upper()):
        with pytest.raises(NotSignedIn):
            session_token(ctx, user, other)


def test_a_password_of_whom_one_signs_in_for_is_refused(ctx):
    user = a_person(ctx, provider_id=a_provider(ctx, "Wattlebird Assurance"))
    with pytest.raises(Invalid, match="words of this site"):
        passwords.set_password(
            ctx, Form({"token": password_link(ctx, user), "password": "wattlebird-assurance"})
        )


def test_disabling_a_user_ends_what_they_signed_in(ctx):
    user = a_person(ctx)
    token = session_token(ctx, user)
    with ctx.transaction() as tx:
        tx.session.get_one(User, user.id).disabled_at = tx.now
    assert sessions.actor_of_session(ctx, token) is None


def test_a_second_factor_is_asked_for_and_its_code_is_good_once(ctx, clock):
    strict = with_policy(ctx, totp_for_admins="required")
    made = service.create_admin(strict, "ada@marketplace.example", "Ada Okoro", PASSWORD)
    totp = pyotp.parse_uri(made.totp_address)
    for wrong in (None, "", "000000"):
        with pytest.raises(NotSignedIn):
            service.sign_in(strict, credentials_of(made.user, totp=wrong))
    code = totp.at(clock.now)
    assert service.sign_in(strict, credentials_of(made.user, totp=code)).user.id == made.user.id
    with pytest.raises(NotSignedIn):
        service.sign_in(strict, credentials_of(made.user, totp=code))
    clock.advance(seconds=30)
    service.sign_in(strict, credentials_of(made.user, totp=totp.at(clock.now)))


def test_one_code_signs_in_one_of_several_at_once(ctx, installation, clock):
    strict = with_policy(ctx, totp_for_admins="required")
    made = service.create_admin(strict, "ada@marketplace.example", "Ada Okoro", PASSWORD)
    form = credentials_of(made.user, totp=pyotp.parse_uri(made.totp_address).at(clock.now))
    start = Barrier(4)

    def attempt(_):
        with installation.app.app_context():
            start.wait()
            try:
                service.sign_in(strict, form)
            except NotSignedIn:
                return "refused"
            return "in"

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(attempt, range(4))) == ["in", "refused", "refused", "refused"]


def test_a_reset_mails_a_link_and_stores_no_token(ctx, queue):
    user = a_person(ctx)
    passwords.ask_password_reset(ctx, Form({"email": "KIM@harbour.example"}))
    with ctx.reading() as session:
        mail = session.scalars(select(Notification)).one()
        assert (mail.template, mail.recipient) == ("password_reset", user.email)
        assert (mail.link_purpose, mail.link_subject_id) == (Purpose.SET_PASSWORD, user.id)
        assert session.scalars(select(links.Link)).all() == []
    assert len(queue.jobs) == 1


@pytest.mark.parametrize("disabled", [False, True])
def test_nobody_else_is_mailed_a_reset_and_the_answer_takes_no_less_time(
    ctx, monkeypatch, disabled
):
    slept = []
    monkeypatch.setattr(passwords.time, "sleep", slept.append)
    if disabled:
        user = a_person(ctx)
        with ctx.transaction() as tx:
            tx.session.get_one(User, user.id).disabled_at = tx.now
    passwords.ask_password_reset(ctx, Form({"email": "kim@harbour.example"}))
    with ctx.reading() as session:
        assert session.scalars(select(Notification)).all() == []
    assert len(slept) == 1
    assert 0 < slept[0] <= passwords.LIKE_TIME


@pytest.mark.parametrize(("throttled", "mails"), [(True, 2), (False, 3)])
def test_resets_are_mailed_once_in_ten_minutes_unless_throttles_are_off(
    ctx, clock, monkeypatch, throttled, mails
):
    monkeypatch.setattr(passwords.time, "sleep", lambda _: None)
    a_person(ctx)
    throttling = with_policy(ctx, rate_limits=throttled)
    for wait in (0, 60, 600):
        clock.advance(seconds=wait)
        passwords.ask_password_reset(throttling, Form({"email": "kim@harbour.example"}))
    with ctx.reading() as session:
        assert len(session.scalars(select(Notification)).all()) == mails


def test_a_new_password_ends_every_session_and_uses_every_link_up(ctx):
    user = a_person(ctx)
    running = session_token(ctx, user)
    link, earlier = password_link(ctx, user), password_link(ctx, user)
    passwords.set_password(ctx, Form({"token": link, "password": NEW_PASSWORD}))

    assert sessions.actor_of_session(ctx, running) is None
    with pytest.raises(NotSignedIn):
        session_token(ctx, user)
    assert session_token(ctx, user, NEW_PASSWORD)
    for used in (link, earlier):
        with pytest.raises(Gone):
            passwords.set_password(ctx, Form({"token": used, "password": PASSWORD}))


def test_no_link_that_was_asked_for_before_outlives_another_password(ctx):
    user = a_person(ctx)
    link, token = password_link(ctx, user), session_token(ctx, user)
    passwords.ask_password_reset(ctx, Form({"email": user.email}))
    form = Form({"current_password": PASSWORD, "password": NEW_PASSWORD})
    own.change_password(ctx, sessions.actor_of_session(ctx, token), token, form)
    with pytest.raises(Gone):
        passwords.set_password(ctx, Form({"token": link, "password": PASSWORD}))
    channel = MailboxChannel(secrets="a secret", public_url="https://quotes.example")
    assert deliver_due_notifications(ctx, channel) == 1
    with ctx.reading() as session:
        ends = {each.template: each.state for each in session.scalars(select(Notification))}
    assert ends == {"password_reset": "failed", "account_changed": "sent"}


def test_a_later_link_sets_the_password_again(ctx):
    user = a_person(ctx, password=None)
    for password in (PASSWORD, NEW_PASSWORD):
        link = password_link(ctx, user)
        passwords.set_password(ctx, Form({"token": link, "password": password}))
    assert session_token(ctx, user, NEW_PASSWORD)


def test_a_link_lapses_at_its_time(ctx, clock):
    user = a_person(ctx)
    link = password_link(ctx, user, within=timedelta(hours=1))
    clock.advance(hours=1)
    with pytest.raises(Gone):
        passwords.set_password(ctx, Form({"token": link, "password": NEW_PASSWORD}))


def test_a_password_that_is_refused_uses_nothing_up(ctx):
    user = a_person(ctx)
    link = password_link(ctx, user)
    with pytest.raises(Invalid):
        passwords.set_password(ctx, Form({"token": link, "password": "kim kim kim1"[:9]}))
    passwords.set_password(ctx, Form({"token": link, "password": NEW_PASSWORD}))


def test_a_link_for_something_else_sets_no_password(ctx):
    user = a_person(ctx)
    with ctx.transaction() as tx:
        other = links.mint(tx, Purpose.REQUEST, user.id, expires_at=tx.now + timedelta(days=1))
    with pytest.raises(Gone):
        passwords.set_password(ctx, Form({"token": other, "password": NEW_PASSWORD}))


def test_an_administrator_without_a_password_gets_a_link(ctx):
    made = service.create_admin(ctx, "Ada@Marketplace.example", "Ada Okoro")
    assert (made.user.email, made.user.role) == ("ada@marketplace.example", Role.ADMIN)
    assert made.totp_address is None
    passwords.set_password(ctx, Form({"token": made.set_password_token, "password": PASSWORD}))
    assert session_token(ctx, made.user)


def test_making_an_administrator_again_lets_the_same_one_back_in(ctx):
    strict = with_policy(ctx, totp_for_admins="required")
    first = service.create_admin(strict, "ada@marketplace.example", "Ada Okoro", PASSWORD)
    again = service.create_admin(strict, "ada@marketplace.example", "Ada Okoro", NEW_PASSWORD)
    assert again.user.id == first.user.id
    assert again.totp_address is None
    lost = service.create_admin(strict, "ada@marketplace.example", "Ada Okoro", new_totp=True)
    assert lost.totp_address not in (None, first.totp_address)
    with ctx.reading() as session:
        assert [admin.id for admin in queries.admins(session)] == [first.user.id]


def test_an_administrators_password_is_held_to_the_same_rules(ctx):
    with pytest.raises(Invalid):
        service.create_admin(ctx, "ada@marketplace.example", "Ada Okoro", "short")


def test_who_signs_in_for_a_provider_is_made_once_and_belongs_to_one(ctx):
    mine, other = a_provider(ctx), a_provider(ctx, "Bayside Systems")
    admin = an_admin(ctx)
    with ctx.transaction() as tx:
        first = service.ensure_provider_user(tx, mine, "Kim@Harbour.example", "Kim Reyes")
        again = service.ensure_provider_user(tx, mine, "kim@harbour.example", "Kim Reyes")
        assert first is not None
        assert again is not None
        assert again.id == first.id
        assert service.ensure_provider_user(tx, other, "kim@harbour.example", "Kim") is None
        assert service.ensure_provider_user(tx, other, admin.email, "Ada Okoro") is None
    with ctx.reading() as session:
        assert [u.id for u in queries.users_of_provider(session, mine)] == [first.id]
        assert queries.users_of_provider(session, other) == []


def test_a_providers_address_cannot_become_an_administrator(ctx):
    user = a_person(ctx)
    with pytest.raises(Conflict):
        service.create_admin(ctx, user.email, "Kim Reyes", PASSWORD)
    assert stored(ctx, user).role is Role.PROVIDER


def test_a_set_password_invitation_is_mailed_once_per_occasion(ctx):
    user = a_person(ctx, password=None)
    for occasion in ("", "", "again"):
        with ctx.transaction() as tx:
            service.send_set_password(tx, user, "provider_invited", occasion=occasion)
    with ctx.reading() as session:
        mails = session.scalars(select(Notification)).all()
        assert sorted(mail.occasion for mail in mails) == ["", "again"]
        assert all(mail.link_expires_at == ctx.clock() + timedelta(days=7) for mail in mails)


def test_every_change_leaves_an_event_without_personal_content(ctx):
    user = a_person(ctx)
    token = session_token(ctx, user)
    sessions.sign_out(ctx, sessions.actor_of_session(ctx, token), token)
    link = password_link(ctx, user)
    passwords.set_password(ctx, Form({"token": link, "password": NEW_PASSWORD}))
    with ctx.reading() as session:
        events = session.scalars(
            select(Event).where(Event.subject_id == user.id).order_by(Event.id)
        ).all()
    assert [event.verb for event in events] == [
        "user.created", "user.signed_in", "user.signed_out", "user.password_set",
    ]  # fmt: skip
    assert all("harbour" not in str(event.facts) for event in events)
