"""Administrators as people: invited, told of each other, removed; one always remains."""

from functools import partial

import pytest
from sqlalchemy import select

from marketplace.accounts import administrators, passwords, queries, service, sessions
from marketplace.core.actors import OPERATOR
from marketplace.core.errors import Conflict, Invalid, NotAllowed, NotFound, NotSignedIn
from marketplace.core.events import Event
from marketplace.core.forms import Form
from marketplace.notifications.models import Notification
from tests.people import a_person, an_admin, session_token
from tests.services.test_team_roles import at_once

BO = {"email": "bo@marketplace.example", "name": "Bo Lindqvist"}


@pytest.fixture
def ada(ctx):
    return an_admin(ctx)


def acting(user):
    return passwords.actor_of(user)


def mails(ctx):
    with ctx.reading() as session:
        rows = session.scalars(select(Notification).order_by(Notification.id))
        return sorted((row.template, row.recipient) for row in rows)


def there(ctx):
    with ctx.reading() as session:
        return [each.email for each in queries.admins(session)]


def test_one_is_invited_by_mail_and_the_others_are_told(ctx, ada):
    bo = administrators.invite_admin(ctx, acting(ada), Form(BO))
    assert not bo.can_sign_in
    assert mails(ctx) == [
        ("admin_invited", bo.email),
        ("administrators_changed", ada.email),
        ("administrators_changed", bo.email),
    ]
    with pytest.raises(Invalid):
        administrators.invite_admin(ctx, acting(ada), Form(BO))
    administrators.mail_link_again(ctx, acting(ada), bo.id)
    with pytest.raises(Conflict):
        administrators.mail_link_again(ctx, acting(ada), ada.id)


def test_whom_an_operator_makes_the_others_are_told_of_and_its_owner_of_what_was_changed(ctx, ada):
    bo = service.create_admin(ctx, **BO, password="a slow green tram", new_totp=True).user
    assert mails(ctx) == [
        ("administrators_changed", ada.email),
        ("administrators_changed", bo.email),
    ]
    for changes in ({"password": "seven noisy trams"}, {"new_totp": True}):
        service.create_admin(ctx, **BO, **changes)
    assert mails(ctx)[:2] == [("account_changed", bo.email)] * 2
    assert len(mails(ctx)) == 4


def test_an_address_that_signs_in_for_a_provider_is_refused(ctx, ada):
    kim = a_person(ctx)
    with pytest.raises(Conflict, match="signs in for a provider"):
        administrators.invite_admin(ctx, acting(ada), Form({"email": kim.email, "name": "Kim"}))


def test_one_removed_is_out_at_once_and_starts_afresh_when_invited_again(ctx, ada):
    bo = an_admin(ctx, BO["email"])
    token = session_token(ctx, bo)
    administrators.remove_admin(ctx, acting(ada), bo.id)
    assert sessions.actor_of_session(ctx, token) is None
    assert there(ctx) == [ada.email]
    with pytest.raises(NotFound):
        administrators.remove_admin(ctx, acting(ada), bo.id)
    with pytest.raises(NotSignedIn):  # who was removed decides nothing any more
        administrators.invite_admin(ctx, acting(bo), Form({**BO, "email": "x@y.example"}))
    again = administrators.invite_admin(ctx, acting(ada), Form(BO))
    assert again.id == bo.id
    assert not again.can_sign_in
    with ctx.reading() as session:
        verbs = session.scalars(
            select(Event.verb).where(Event.subject_id == bo.id).order_by(Event.id)
        ).all()
    assert verbs[-3:] == ["user.removed", "user.let_in_again", "user.invited"]


def test_the_last_one_who_can_sign_in_stays_whoever_asks(ctx, ada):
    administrators.invite_admin(ctx, acting(ada), Form(BO))
    for attempt in (
        lambda: administrators.remove_admin(ctx, acting(ada), ada.id),
        lambda: administrators.remove_admin_called(ctx, ada.email.upper()),
    ):
        with pytest.raises(Conflict, match="has to remain"):
            attempt()
    an_admin(ctx, "cy@marketplace.example")
    assert administrators.remove_admin_called(ctx, ada.email).id == ada.id
    with pytest.raises(NotFound):
        administrators.remove_admin_called(ctx, ada.email)


@pytest.mark.parametrize("target", ["each other", "themselves"])
def test_of_two_who_remove_at_once_one_remains(ctx, ada, installation, target):
    bo = an_admin(ctx, BO["email"])
    pairs = [(ada, bo), (bo, ada)] if target == "each other" else [(ada, ada), (bo, bo)]
    outcomes = at_once(
        installation,
        *(partial(administrators.remove_admin, ctx, acting(one), two.id) for one, two in pairs),
    )
    assert outcomes.count("done") == 1
    assert len(there(ctx)) == 1


def test_of_six_who_each_remove_the_next_at_once_somebody_remains(ctx, installation):
    six = [an_admin(ctx, f"admin{n}@marketplace.example") for n in range(6)]
    removals = [
        partial(administrators.remove_admin, ctx, acting(one), two.id)
        for one, two in zip(six, [*six[1:], six[0]], strict=True)
    ]
    outcomes = at_once(installation, *removals)
    assert len(there(ctx)) == 6 - outcomes.count("done") >= 1


def test_nobody_else_decides_who_they_are(ctx, ada):
    kim = acting(a_person(ctx))
    for attempt in (
        lambda: administrators.invite_admin(ctx, kim, Form(BO)),
        lambda: administrators.remove_admin(ctx, kim, ada.id),
        lambda: administrators.mail_link_again(ctx, kim, ada.id),
    ):
        with pytest.raises(NotAllowed):
            attempt()


def test_an_operator_lets_one_back_in_who_was_removed(ctx, ada):
    bo = an_admin(ctx, BO["email"])
    administrators.remove_admin(ctx, OPERATOR, bo.id)
    made = service.create_admin(ctx, bo.email, bo.name)
    assert made.user.disabled_at is None
    assert made.set_password_token
