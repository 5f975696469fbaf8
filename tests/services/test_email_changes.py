"""Another address to sign in by: confirmed on both, stopped on the old one, told to nobody."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlalchemy import delete, select

from marketplace.accounts import email_changes, passwords, queries, service, sessions
from marketplace.accounts.models import EmailChange, User
from marketplace.core.errors import Gone, Invalid, NotSignedIn
from marketplace.core.events import Event
from marketplace.core.forms import Form
from marketplace.core.links import Link, Purpose, mint
from marketplace.notifications.channels import MailboxChannel
from marketplace.notifications.delivery import deliver_due_notifications
from marketplace.notifications.models import Notification
from marketplace.providers.models import Provider
from tests.people import PASSWORD, a_person, session_token

OLD, NEW = "kim@harbour.example", "kim.reyes@harbour.example"


@pytest.fixture
def kim(ctx):
    return a_person(ctx, OLD)


def ask(ctx, user, email=NEW, password=PASSWORD):
    """Ask from a session of its own; return its token."""
    token = session_token(ctx, user)
    actor = sessions.actor_of_session(ctx, token)
    form = Form({"email": email, "current_password": password})
    email_changes.ask_email_change(ctx, actor, token, form)
    return token


def link(ctx, user, side):
    """Return a link as it was mailed to one of the addresses."""
    with ctx.transaction() as tx:
        change = tx.session.scalars(
            select(EmailChange)
            .where(EmailChange.user_id == user.id)
            .order_by(EmailChange.id.desc())
        ).first()
        return mint(tx, side, change.id, expires_at=change.expires_at)


def confirm(ctx, token):
    return email_changes.confirm_email_change(ctx, Form({"token": token}))


def letters(ctx):
    with ctx.reading() as session:
        rows = session.scalars(select(Notification).order_by(Notification.id)).all()
        return [(each.template, each.recipient) for each in rows]


def address(ctx, user):
    with ctx.reading() as session:
        return session.get_one(User, user.id).email


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_it_counts_once_both_addresses_have_confirmed_it_and_not_before(ctx, kim, order):
    token = ask(ctx, kim, NEW.upper())
    assert letters(ctx) == [("email_change_old", OLD), ("email_change_new", NEW)]
    with ctx.transaction() as tx:
        reset = mint(tx, Purpose.SET_PASSWORD, kim.id, expires_at=tx.now + tx.policy.lead_lifetime)
    sides = [link(ctx, kim, each) for each in email_changes.SIDES]
    first, second = (sides[each] for each in order)
    assert confirm(ctx, first) is False
    assert address(ctx, kim) == OLD
    with pytest.raises(Gone):
        confirm(ctx, first)
    assert sessions.actor_of_session(ctx, token) is not None
    assert confirm(ctx, second) is True
    assert address(ctx, kim) == NEW
    assert sessions.actor_of_session(ctx, token) is None
    assert letters(ctx)[2:] == [("account_changed", OLD), ("account_changed", NEW)]
    with pytest.raises(Gone):  # what was mailed to the address of before
        passwords.set_password(ctx, Form({"token": reset, "password": "a slow green tram"}))
    with pytest.raises(NotSignedIn):
        session_token(ctx, kim)
    assert service.sign_in(ctx, Form({"email": NEW, "password": PASSWORD}))


@pytest.mark.parametrize("is_contact", [True, False])
def test_letters_to_a_provider_that_went_to_the_address_of_before_go_to_the_new_one(
    ctx, make, is_contact
):
    provider = make.provider()
    was = provider.contact_email if is_contact else OLD
    person = a_person(ctx, was, provider_id=provider.id)
    ask(ctx, person)
    for side in email_changes.SIDES:
        confirm(ctx, link(ctx, person, side))
    now = make.ask(lambda session: session.get_one(Provider, provider.id))
    assert now.contact_email == (NEW if is_contact else provider.contact_email)
    changed = select(Event.facts["fields"]).where(Event.verb == "provider.changed")
    assert make.ask(lambda session: session.scalars(changed).all()) == (
        [["contact_email"]] if is_contact else []
    )


def test_no_link_is_mailed_to_the_address_of_before_once_it_has_changed(ctx, kim):
    ask(ctx, kim)
    passwords.ask_password_reset(ctx, Form({"email": OLD}))  # and the mail waits
    for side in email_changes.SIDES:
        confirm(ctx, link(ctx, kim, side))
    deliver_due_notifications(
        ctx, MailboxChannel(secrets="a secret", public_url="https://quotes.example")
    )
    with ctx.reading() as session:
        made = session.scalars(select(Link).where(Link.purpose == Purpose.SET_PASSWORD)).all()
    assert made == []


def test_who_is_erased_at_that_moment_has_a_link_that_has_lapsed(ctx, kim, monkeypatch):
    ask(ctx, kim)
    old = link(ctx, kim, Purpose.EMAIL_OLD)
    lock_user = queries.lock_user

    def erased_before(session, user_id):
        session.execute(delete(EmailChange).where(EmailChange.user_id == user_id))
        return lock_user(session, user_id)

    monkeypatch.setattr("marketplace.accounts.queries.lock_user", erased_before)
    for act in (email_changes.confirm_email_change, email_changes.stop_email_change):
        with pytest.raises(Gone):
            act(ctx, Form({"token": old}))


@pytest.mark.parametrize("confirmed_before", [False, True])
def test_the_old_address_stops_it_and_ends_every_session(ctx, kim, confirmed_before):
    token = ask(ctx, kim)
    if confirmed_before:
        confirm(ctx, link(ctx, kim, Purpose.EMAIL_NEW))
    email_changes.stop_email_change(ctx, Form({"token": link(ctx, kim, Purpose.EMAIL_OLD)}))
    assert sessions.actor_of_session(ctx, token) is None
    for side in email_changes.SIDES:
        with pytest.raises(Gone):
            confirm(ctx, link(ctx, kim, side))
    assert address(ctx, kim) == OLD


def test_the_new_address_cannot_stop_it_nor_speak_for_the_old_one(ctx, kim):
    ask(ctx, kim)
    new = link(ctx, kim, Purpose.EMAIL_NEW)
    with pytest.raises(Gone):
        email_changes.stop_email_change(ctx, Form({"token": new}))
    confirm(ctx, new)
    with pytest.raises(Gone):
        confirm(ctx, link(ctx, kim, Purpose.EMAIL_NEW))  # another link to the same side
    with pytest.raises(Gone):
        confirm(ctx, new.replace("taking_", "leaving_"))
    assert address(ctx, kim) == OLD


def test_an_address_that_somebody_has_answers_alike_and_its_owner_alone_is_told(ctx, kim):
    lee = a_person(ctx, "lee@wattle.example")
    ask(ctx, kim, lee.email)
    assert letters(ctx) == [("email_change_old", OLD), ("email_change_taken", lee.email)]
    assert confirm(ctx, link(ctx, kim, Purpose.EMAIL_OLD)) is False
    assert (address(ctx, kim), address(ctx, lee)) == (OLD, lee.email)


def test_an_address_that_somebody_got_meanwhile_is_gone(ctx, kim):
    ask(ctx, kim)
    confirm(ctx, link(ctx, kim, Purpose.EMAIL_OLD))
    a_person(ctx, NEW)
    with pytest.raises(Gone):
        confirm(ctx, link(ctx, kim, Purpose.EMAIL_NEW))
    assert address(ctx, kim) == OLD


@pytest.mark.parametrize(
    ("email", "password", "wrong"),
    [(NEW, "not the password", "/current_password"), (OLD.upper(), PASSWORD, "/email")],
)
def test_it_takes_the_password_and_another_address(ctx, kim, email, password, wrong):
    with pytest.raises(Invalid) as refused:
        ask(ctx, kim, email, password)
    assert [each.pointer for each in refused.value.errors] == [wrong]
    assert letters(ctx) == []


def test_it_lapses_after_a_day_and_another_one_takes_its_place(ctx, kim, clock):
    ask(ctx, kim)
    old, new = (link(ctx, kim, side) for side in email_changes.SIDES)
    confirm(ctx, old)
    ask(ctx, kim, "kim@elsewhere.example")
    with pytest.raises(Gone):
        confirm(ctx, new)
    old, new = (link(ctx, kim, side) for side in email_changes.SIDES)
    confirm(ctx, old)
    clock.advance(hours=24)
    with pytest.raises(Gone):
        confirm(ctx, new)
    assert address(ctx, kim) == OLD


def test_whoever_asked_takes_it_back(ctx, kim):
    token = ask(ctx, kim)
    email_changes.cancel_email_change(ctx, sessions.actor_of_session(ctx, token), token)
    with pytest.raises(Gone):
        confirm(ctx, link(ctx, kim, Purpose.EMAIL_OLD))


def at_once(installation, deeds):
    start = Barrier(len(deeds))

    def do(deed):
        with installation.app.app_context():
            start.wait()
            try:
                return deed()
            except Gone:
                return "gone"

    with ThreadPoolExecutor(len(deeds)) as pool:
        return list(pool.map(do, deeds))


def test_of_several_asked_for_at_once_one_stays_open(ctx, kim, installation):
    emails = [f"kim{number}@harbour.example" for number in range(4)]
    at_once(installation, [lambda email=email: ask(ctx, kim, email) for email in emails])
    with ctx.reading() as session:
        changes = session.scalars(select(EmailChange)).all()
    assert len(changes) == 4
    assert sum(not each.is_over for each in changes) == 1


def test_of_two_who_take_one_address_at_once_one_gets_it(ctx, kim, installation):
    lee = a_person(ctx, "lee@wattle.example")
    for each in (kim, lee):
        ask(ctx, each)
        confirm(ctx, link(ctx, each, Purpose.EMAIL_OLD))
    tokens = [link(ctx, each, Purpose.EMAIL_NEW) for each in (kim, lee)]
    ends = at_once(installation, [lambda token=token: confirm(ctx, token) for token in tokens])
    assert sorted(map(str, ends)) == ["True", "gone"]
    assert [address(ctx, each) for each in (kim, lee)].count(NEW) == 1


def test_both_sides_confirmed_at_once_are_both_counted(ctx, kim, installation):
    ask(ctx, kim)
    tokens = [link(ctx, kim, side) for side in email_changes.SIDES]
    ends = at_once(installation, [lambda token=token: confirm(ctx, token) for token in tokens])
    assert sorted(ends) == [False, True]
    assert address(ctx, kim) == NEW


def test_every_step_leaves_an_event_without_an_address(ctx, kim):
    ask(ctx, kim)
    for side in email_changes.SIDES:
        confirm(ctx, link(ctx, kim, side))
    with ctx.reading() as session:
        events = session.scalars(select(Event).where(Event.subject_id == kim.id)).all()
    assert [each.verb for each in sorted(events, key=lambda each: each.id)] == [
        "user.created", "user.signed_in", "user.email_change_asked", "user.email_change_confirmed",
        "user.email_change_confirmed", "user.email_changed",
    ]  # fmt: skip
    assert "harbour" not in str([each.facts for each in events])
