"""An administrator takes a factor off that was lost, and everybody concerned is told."""

import pyotp
import pytest
from sqlalchemy import func, select

from marketplace.accounts import factors, sessions
from marketplace.accounts.lost_factors import Checked, take_factor_off
from marketplace.accounts.models import RecoveryCode, User
from marketplace.accounts.passwords import actor_of
from marketplace.core.errors import Conflict, NotAllowed, NotFound
from marketplace.core.events import Event
from marketplace.notifications.models import Notification
from tests.pages.conftest import admin, browser
from tests.people import a_person, an_admin, bearer, session_token

__all__ = ["admin", "browser"]

HOW = {"checked": Checked.CALLED_BACK}


def arm(ctx, user):
    with ctx.transaction() as tx:
        held = tx.session.get_one(User, user.id)
        factors.give_secret(held, pyotp.random_base32(), ctx.seal)
        factors.make_recovery_codes(tx, held)


@pytest.fixture
def owner(ctx, make):
    user = a_person(ctx, provider_id=make.provider().id)
    session_token(ctx, user)
    arm(ctx, user)
    return user


def test_the_factor_is_off_sessions_end_and_all_of_the_team_are_told(ctx, make, owner):
    a_person(ctx, "lee@harbour.example", name="Lee Okafor", provider_id=owner.provider_id)
    a_person(ctx, "max@elsewhere.example", name="Max Stone")
    ada = actor_of(an_admin(ctx))
    take_factor_off(ctx, ada, owner.id, **HOW)
    now = make.ask(lambda session: session.get(User, owner.id))
    assert not now.has_second_factor
    assert make.ask(lambda s: s.scalar(select(func.count()).select_from(RecoveryCode))) == 0
    assert not sessions.own_sessions(ctx, actor_of(owner))
    assert session_token(ctx, owner)  # by the password alone
    event = make.ask(
        lambda s: s.scalars(select(Event).where(Event.verb == "user.second_factor_taken_off")).one()
    )
    assert (event.actor_id, event.subject_id) == (ada.id, owner.id)
    assert event.facts == {"reason": "called_back", "sessions": 1}
    letters = make.ask(lambda s: s.scalars(select(Notification).order_by(Notification.id)).all())
    told = [(each.template, each.recipient) for each in letters]
    assert ("account_changed", owner.email) in told
    assert ("factor_taken_off", "lee@harbour.example") in told
    assert [to for _, to in told if to == "max@elsewhere.example"] == []
    with pytest.raises(Conflict):
        take_factor_off(ctx, ada, owner.id, **HOW)


def test_never_ones_own_nor_another_administrators_nor_by_anybody_else(ctx, owner):
    ada, bo = an_admin(ctx), an_admin(ctx, "bo@marketplace.example")
    for each in (ada, bo):
        arm(ctx, each)
        with pytest.raises(NotAllowed):
            take_factor_off(ctx, actor_of(ada), each.id, **HOW)
    with pytest.raises(NotAllowed):
        take_factor_off(ctx, actor_of(owner), owner.id, **HOW)
    with pytest.raises(NotFound):
        take_factor_off(ctx, actor_of(ada), owner.provider_id, **HOW)


def test_by_the_page_and_by_software_and_not_without_saying_how_it_was_checked(
    ctx, make, owner, admin, client
):
    page = admin.open(f"/admin/providers/{owner.provider_id}")
    action = f"/admin/people/{owner.id}/second-factor/remove"
    assert page.form(action)
    assert "Please say how you made sure" in admin.send(action).text
    assert make.ask(lambda session: session.get(User, owner.id)).has_second_factor
    page = admin.send(action, checked="in_person")
    assert "The second factor is off" in page.text
    assert not make.ask(lambda session: session.get(User, owner.id)).has_second_factor
    arm(ctx, owner)
    head = bearer(session_token(ctx, an_admin(ctx, "bo@marketplace.example")))
    at = f"/api/v1/admin/people/{owner.id}/second-factor/removal"
    assert client.post(at, json={"checked": "they_said_so"}, headers=head).status_code == 422
    assert client.post(at, json=HOW, headers=head).status_code == 204
