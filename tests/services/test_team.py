"""Who signs in for a provider: invited by colleagues, in by a link, removed again."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier

import pytest
from sqlalchemy import select

from marketplace.accounts import passwords, queries, service, sessions
from marketplace.accounts.models import User
from marketplace.core import links
from marketplace.core.errors import Conflict, Gone, Invalid, NotFound, NotSignedIn
from marketplace.core.events import Event
from marketplace.core.forms import Form
from marketplace.core.links import Purpose
from marketplace.notifications.models import Notification
from marketplace.providers import members, team
from tests.people import PASSWORD, a_person, an_admin, session_token

NEW_PASSWORD = "a slow green tram"


@pytest.fixture
def harbour(make):
    return make.provider(name="Harbour Quality Pty Ltd")


@pytest.fixture
def kim(ctx, harbour):
    return a_person(ctx, provider_id=harbour.id)


@pytest.fixture
def acting(kim):
    return passwords.actor_of(kim)


def invite(ctx, actor, email="lee@harbour.example", name="Lee Okafor"):
    team.invite_member(ctx, actor, Form({"email": email, "name": name}))


def people(ctx, actor):
    found = team.own_team(ctx, actor)
    return [each.email for each in found.members], [each.email for each in found.invited]


def mails(ctx):
    with ctx.reading() as session:
        rows = session.scalars(select(Notification).order_by(Notification.id))
        return [(row.template, row.recipient) for row in rows]


def link(ctx, actor, email="lee@harbour.example"):
    """Return the token of a link as a mail would carry it."""
    (found,) = [each for each in team.own_team(ctx, actor).invited if each.email == email]
    with ctx.transaction() as tx:
        return links.mint(tx, Purpose.JOIN_TEAM, found.id, expires_at=found.expires_at)


def join(ctx, token, password=NEW_PASSWORD):
    team.join_team(ctx, Form({"token": token, "password": password}))


def test_a_colleague_is_invited_and_signs_in_with_the_password_they_choose(ctx, harbour, acting):
    invite(ctx, acting, "Lee@Harbour.example")
    assert mails(ctx) == [("team_invited", "lee@harbour.example")]
    assert people(ctx, acting) == (["kim@harbour.example"], ["lee@harbour.example"])
    join(ctx, link(ctx, acting))
    assert people(ctx, acting) == (["kim@harbour.example", "lee@harbour.example"], [])
    begun = service.sign_in(ctx, Form({"email": "lee@harbour.example", "password": NEW_PASSWORD}))
    assert begun.user.provider_id == harbour.id
    with ctx.reading() as session:
        verbs = session.scalars(
            select(Event.verb).where(Event.subject_id == harbour.id).order_by(Event.id)
        ).all()
    assert verbs == ["provider.member_invited", "provider.member_joined"]


def test_invited_twice_somebody_is_listed_once_and_written_to_once_an_hour(ctx, acting, clock):
    careful = replace(ctx, policy=replace(ctx.policy, rate_limits=True))
    invite(careful, acting)
    invite(careful, acting)
    assert people(ctx, acting)[1] == ["lee@harbour.example"]
    assert len(mails(ctx)) == 1
    clock.advance(hours=1)
    (invited,) = team.own_team(ctx, acting).invited
    team.invite_again(careful, acting, invited.id)
    assert len(mails(ctx)) == 2


def test_a_link_lets_in_once_and_not_after_its_time_nor_once_it_is_taken_back(ctx, acting, clock):
    invite(ctx, acting)
    token, other = link(ctx, acting), link(ctx, acting)
    with pytest.raises(Invalid):
        join(ctx, token, "short")
    join(ctx, token)
    for used in (token, other, "join_x"):
        with pytest.raises(Gone):
            join(ctx, used)

    invite(ctx, acting, "sam@harbour.example")
    late = link(ctx, acting, "sam@harbour.example")
    clock.advance(seconds=ctx.policy.set_password_within.total_seconds())
    with pytest.raises(Gone):
        join(ctx, late)

    (invited,) = team.own_team(ctx, acting).invited
    team.invite_again(ctx, acting, invited.id)
    token = link(ctx, acting, "sam@harbour.example")
    team.withdraw_invitation(ctx, acting, invited.id)
    with pytest.raises(Gone):
        join(ctx, token)
    with pytest.raises(NotFound):
        team.withdraw_invitation(ctx, acting, invited.id)


@pytest.mark.parametrize("whose", ["another provider", "an administrator"])
def test_of_an_address_that_signs_in_already_nobody_learns_and_nothing_changes(
    ctx, make, acting, whose
):
    elsewhere = make.provider(name="Elsewhere Consulting")
    email = "lee@elsewhere.example"
    if whose == "an administrator":
        taken = an_admin(ctx, email)
    else:
        taken = a_person(ctx, email, provider_id=elsewhere.id)
    token = session_token(ctx, taken)
    invite(ctx, acting, email)
    invite(ctx, acting, "new@harbour.example")
    found = team.own_team(ctx, acting)
    assert [each.email for each in found.invited] == [email, "new@harbour.example"]
    assert len({each.expires_at for each in found.invited}) == 1
    assert mails(ctx) == [
        ("team_invited_elsewhere", email), ("team_invited", "new@harbour.example")
    ]  # fmt: skip
    with pytest.raises(Conflict):
        join(ctx, link(ctx, acting, email))
    actor = sessions.actor_of_session(ctx, token)
    assert actor is not None
    assert actor == passwords.actor_of(taken)


def test_somebody_removed_is_out_at_once_and_their_links_open_nothing(ctx, harbour, kim, acting):
    lee = a_person(ctx, "lee@harbour.example", provider_id=harbour.id)
    token = session_token(ctx, lee)
    with ctx.transaction() as tx:
        reset = links.mint(tx, Purpose.SET_PASSWORD, lee.id, expires_at=tx.now + timedelta(hours=1))
    members.remove_member(ctx, acting, lee.id)
    assert sessions.actor_of_session(ctx, token) is None
    with pytest.raises(NotSignedIn):
        session_token(ctx, lee)
    with pytest.raises(Gone):
        passwords.set_password(ctx, Form({"token": reset, "password": NEW_PASSWORD}))
    with pytest.raises(NotFound):
        members.remove_member(ctx, acting, lee.id)
    with pytest.raises(NotSignedIn):
        invite(ctx, passwords.actor_of(lee), "sam@harbour.example")


def test_whoever_was_removed_may_be_invited_again_by_anybody_and_starts_afresh(
    ctx, make, harbour, acting
):
    lee = a_person(ctx, "lee@harbour.example", provider_id=harbour.id)
    members.remove_member(ctx, acting, lee.id)
    wattle = make.provider(name="Wattle Certification")
    boss = passwords.actor_of(a_person(ctx, "di@wattle.example", provider_id=wattle.id))
    invite(ctx, boss)
    assert mails(ctx)[-1] == ("team_invited", "lee@harbour.example")
    with pytest.raises(NotSignedIn):
        session_token(ctx, lee)
    join(ctx, link(ctx, boss))
    with pytest.raises(NotSignedIn):
        session_token(ctx, lee, PASSWORD)
    assert session_token(ctx, lee, NEW_PASSWORD)
    assert sorted(people(ctx, boss)[0]) == ["di@wattle.example", "lee@harbour.example"]


def test_the_last_who_can_sign_in_stays(ctx, harbour, kim, acting):
    a_person(ctx, "lee@harbour.example", password=None, provider_id=harbour.id)
    invite(ctx, acting, "sam@harbour.example")
    with pytest.raises(Conflict, match="an owner has to remain"):
        members.remove_member(ctx, acting, kim.id)
    assert sessions.actor_of_session(ctx, session_token(ctx, kim)) is not None


def test_two_who_remove_each_other_at_once_leave_one(ctx, harbour, kim, acting, installation):
    lee = a_person(ctx, "lee@harbour.example", provider_id=harbour.id)
    start = Barrier(2)

    def remove(actor, other):
        with installation.app.app_context():
            start.wait()
            try:
                members.remove_member(ctx, actor, other.id)
            except (Conflict, NotSignedIn):
                return "refused"
            return "removed"

    with ThreadPoolExecutor(2) as pool:
        pairs = ((acting, lee), (passwords.actor_of(lee), kim))
        outcomes = sorted(pool.map(lambda pair: remove(*pair), pairs))
    assert outcomes == ["refused", "removed"]
    with ctx.reading() as session:
        assert len(queries.users_of_provider(session, harbour.id)) == 1


def test_invited_by_two_providers_at_once_somebody_joins_the_first_they_choose(ctx, make, acting):
    wattle = make.provider(name="Wattle Certification")
    boss = passwords.actor_of(a_person(ctx, "di@wattle.example", provider_id=wattle.id))
    invite(ctx, acting)
    invite(ctx, boss)
    one, other = link(ctx, acting), link(ctx, boss)
    join(ctx, other)
    with pytest.raises(Conflict, match="another organisation"):
        join(ctx, one)
    assert sorted(people(ctx, boss)[0]) == ["di@wattle.example", "lee@harbour.example"]


def test_what_is_another_providers_is_not_found(ctx, make, kim, acting):
    wattle = make.provider(name="Wattle Certification")
    stranger = a_person(ctx, "di@wattle.example", provider_id=wattle.id)
    unset = a_person(ctx, "ed@wattle.example", password=None, provider_id=wattle.id)
    boss = passwords.actor_of(stranger)
    invite(ctx, boss)
    (invited,) = team.own_team(ctx, boss).invited
    for attempt, target in (
        (members.remove_member, stranger),
        (team.mail_first_link, unset),
        (team.invite_again, invited),
        (team.withdraw_invitation, invited),
    ):
        with pytest.raises(NotFound):
            attempt(ctx, acting, target.id)
    assert people(ctx, boss) == (
        ["di@wattle.example", "ed@wattle.example"], ["lee@harbour.example"]
    )  # fmt: skip


def test_a_team_is_bounded_with_those_who_are_invited(ctx, acting):
    small = replace(ctx, policy=replace(ctx.policy, team_at_most=2))
    invite(small, acting)
    with pytest.raises(Conflict, match="at most 2 people"):
        invite(small, acting, "sam@harbour.example")
    invite(small, acting)
    assert people(ctx, acting)[1] == ["lee@harbour.example"]


def test_one_who_never_set_a_password_is_mailed_another_link(ctx, harbour, kim, acting):
    unset = a_person(ctx, "lee@harbour.example", password=None, provider_id=harbour.id)
    team.mail_first_link(ctx, acting, unset.id)
    assert mails(ctx) == [("set_password", "lee@harbour.example")]
    with pytest.raises(Conflict, match="they have set a password"):
        team.mail_first_link(ctx, acting, kim.id)
    with pytest.raises(Invalid):
        invite(ctx, acting)
    with ctx.reading() as session:
        assert len(session.scalars(select(User)).all()) == 2
