"""What each of a provider's people and keys may do; an owner who can sign in always remains."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from sqlalchemy import select

from marketplace.accounts import keys, passwords, service, sessions
from marketplace.accounts.models import User
from marketplace.core.actors import RIGHTS_OF, Actor, Kind, Right, TeamRole
from marketplace.core.errors import Conflict, Invalid, NotAllowed, NotFound, NotSignedIn
from marketplace.core.events import Event
from marketplace.core.forms import Form
from marketplace.invitations import service as invitations
from marketplace.invitations.rules import InvitationState
from marketplace.notifications.models import Notification
from marketplace.providers import members, team
from marketplace.providers.models import Provider
from tests.pages.steps import held_by
from tests.people import a_person, session_token


@pytest.fixture
def harbour(make):
    return make.provider(name="Harbour Quality Pty Ltd")


@pytest.fixture
def kim(ctx, harbour):
    return a_person(ctx, provider_id=harbour.id)


@pytest.fixture
def lee(ctx, harbour):
    return a_person(ctx, "lee@harbour.example", name="Lee Okafor", provider_id=harbour.id)


def acting(user):
    return passwords.actor_of(user)


def give(ctx, actor, user, role):
    members.change_role(ctx, actor, user.id, role=TeamRole(role))


def role_of(ctx, user):
    with ctx.reading() as session:
        return session.get_one(User, user.id, populate_existing=True).team_role


def a_key(ctx, user, **wanted):
    return keys.make_api_key(ctx, acting(user), Form({"name": "Our CRM", **wanted})).secret


def rights_of_key(ctx, secret):
    actor = service.actor_of_api_key(ctx, secret)
    return None if actor is None else set(actor.rights)


def at_once(installation, *deeds):
    """Do these at the same moment, each in a thread of its own; return what became of each."""
    start = Barrier(len(deeds))

    def one(deed):
        with installation.app.app_context():
            start.wait()
            try:
                deed()
            except (Conflict, NotAllowed, NotSignedIn) as refused:
                return type(refused).__name__
            return "done"

    with ThreadPoolExecutor(len(deeds)) as pool:
        return list(pool.map(one, deeds))


@pytest.mark.parametrize("target", ["each other", "themselves"])
def test_of_two_owners_who_demote_at_once_one_remains(ctx, harbour, kim, lee, installation, target):
    pairs = [(kim, lee), (lee, kim)] if target == "each other" else [(kim, kim), (lee, lee)]
    outcomes = at_once(
        installation,
        *(
            lambda one=one, other=other: give(ctx, acting(one), other, "read_only")
            for one, other in pairs
        ),
    )
    assert sorted(outcomes)[-1] == "done"
    assert outcomes.count("done") == 1
    assert sorted([role_of(ctx, kim), role_of(ctx, lee)]) == ["owner", "read_only"]


def test_who_removes_an_owner_that_demotes_them_at_once_leaves_one(
    ctx, harbour, kim, lee, installation
):
    outcomes = at_once(
        installation,
        lambda: members.remove_member(ctx, acting(kim), lee.id),
        lambda: give(ctx, acting(lee), kim, "member"),
    )
    assert outcomes.count("done") == 1
    with ctx.reading() as session:
        found = team.team_of(session, harbour.id).members
        assert [each for each in found if each.is_owner and each.can_sign_in]


def test_the_last_owner_who_can_sign_in_is_neither_removed_nor_demoted(ctx, harbour, kim):
    a_person(ctx, "no@harbour.example", password=None, provider_id=harbour.id)
    member = a_person(ctx, "sam@harbour.example", provider_id=harbour.id)
    give(ctx, acting(kim), member, "member")
    for attempt in (
        lambda: give(ctx, acting(kim), kim, "member"),
        lambda: members.remove_member(ctx, acting(kim), kim.id),
    ):
        with pytest.raises(Conflict, match="an owner has to remain"):
            attempt()
    assert role_of(ctx, kim) is TeamRole.OWNER


def test_another_role_ends_sessions_is_told_by_mail_and_recorded(ctx, harbour, kim, lee):
    token = session_token(ctx, lee)
    give(ctx, acting(kim), lee, "member")
    assert sessions.actor_of_session(ctx, token) is None
    give(ctx, acting(kim), lee, "member")  # what is so already is no change
    with ctx.reading() as session:
        mails = session.scalars(select(Notification).order_by(Notification.id)).all()
        assert [(each.template, each.recipient) for each in mails] == [
            ("team_role_changed", "lee@harbour.example")
        ]
        facts = session.scalars(
            select(Event.facts).where(Event.verb == "provider.member_role_changed")
        ).all()
    assert facts == [{"user": str(lee.id), "was": "owner", "role": "member"}]
    again = sessions.actor_of_session(ctx, session_token(ctx, lee))
    assert again.rights == RIGHTS_OF[TeamRole.MEMBER]


@pytest.mark.parametrize("role", ["member", "read_only"])
def test_only_owners_let_people_and_software_in_and_out(ctx, harbour, kim, lee, role):
    give(ctx, acting(kim), lee, role)
    # Whoever was an owner when they knocked is none when it is their turn.
    stale = acting(lee)
    assert Right.TEAM in stale.rights
    for attempt in (
        lambda: give(ctx, stale, kim, "member"),
        lambda: members.remove_member(ctx, stale, kim.id),
        lambda: team.invite_member(ctx, stale, Form({"email": "a@b.example", "name": "Al"})),
        lambda: keys.make_api_key(ctx, stale, Form({"name": "Mine"})),
    ):
        with pytest.raises(NotAllowed):
            attempt()


def test_a_role_given_with_the_invitation_is_the_role_that_somebody_comes_in(ctx, harbour, kim):
    wanted = Form({"email": "sam@harbour.example", "name": "Sam Ito", "role": TeamRole.READ_ONLY})
    invited = team.invite_member(ctx, acting(kim), wanted)
    assert invited.role is TeamRole.READ_ONLY
    members.change_role(ctx, acting(kim), invited.id, role=TeamRole.MEMBER)
    (listed,) = team.own_team(ctx, acting(kim)).invited
    assert listed.role is TeamRole.MEMBER
    members.remove_member(ctx, acting(kim), invited.id)
    assert not team.own_team(ctx, acting(kim)).invited


def test_another_providers_people_and_invitations_are_not_there(ctx, make, kim):
    other = make.provider()
    di = a_person(ctx, "di@wattle.example", provider_id=other.id)
    theirs = team.invite_member(ctx, acting(di), Form({"email": "x@y.example", "name": "Xi"}))
    for target in (di, theirs):
        with pytest.raises(NotFound):
            give(ctx, acting(kim), target, "member")
        with pytest.raises(NotFound):
            members.remove_member(ctx, acting(kim), target.id)


def test_a_read_only_look_does_not_open_and_a_members_does(ctx, make, harbour):
    (invitation,) = held_by(make, make.matched_lead())
    for role, state in (("read_only", "sent"), ("member", "opened")):
        person = Actor(
            Kind.PROVIDER,
            id=harbour.id,
            provider_id=harbour.id,
            rights=RIGHTS_OF[TeamRole(role)],
        )
        seen = invitations.look_at_invitation(ctx, person, invitation.id)
        assert seen.state is InvitationState(state)


# Keys.


def test_a_key_does_what_its_scopes_say_and_no_more_than_who_answers_for_it(ctx, kim, lee):
    everything = a_key(ctx, lee)
    reading = a_key(ctx, lee, scopes=["read"])
    answering = a_key(ctx, lee, scopes=["answer"])
    assert rights_of_key(ctx, everything) == {"read", "answer", "manage"}
    assert rights_of_key(ctx, reading) == {"read"}
    give(ctx, acting(kim), lee, "member")
    assert rights_of_key(ctx, everything) == {"read", "answer", "manage"}
    give(ctx, acting(kim), lee, "read_only")
    assert rights_of_key(ctx, everything) == {"read"}
    assert rights_of_key(ctx, answering) == set()


def test_the_keys_of_who_is_removed_go_with_them_unless_they_are_kept(ctx, kim, lee):
    gone = a_key(ctx, lee)
    members.remove_member(ctx, acting(kim), lee.id)
    assert rights_of_key(ctx, gone) is None


def test_whom_somebody_invited_who_is_removed_since_does_not_come_by_that(ctx, kim, lee):
    invited = [
        team.invite_member(
            ctx, acting(who), Form({"name": "Max Ode", "email": email, "role": TeamRole.OWNER})
        )
        for who, email in ((lee, "lee@home.example"), (kim, "max@harbour.example"))
    ]
    members.remove_member(ctx, acting(kim), lee.id)
    assert [each.id for each in team.own_team(ctx, acting(kim)).invited] == [invited[1].id]


def test_whom_somebody_invited_who_is_an_owner_no_more_does_not_come_by_that(ctx, kim, lee):
    for who, email in ((lee, "lee@home.example"), (kim, "max@harbour.example")):
        wanted = {"name": "Max Ode", "email": email, "role": TeamRole.OWNER}
        team.invite_member(ctx, acting(who), Form(wanted))
    give(ctx, acting(kim), lee, TeamRole.MEMBER)
    left = [each.email for each in team.own_team(ctx, acting(kim)).invited]
    assert left == ["max@harbour.example"]


def test_letters_to_a_provider_do_not_go_on_to_who_was_removed(ctx, make, harbour, lee):
    kim = a_person(ctx, harbour.contact_email, provider_id=harbour.id)
    members.remove_member(ctx, acting(lee), kim.id)
    provider = make.ask(lambda session: session.get_one(Provider, harbour.id))
    assert (provider.contact_name, provider.contact_email) == (lee.name, lee.email)
    assert provider.contact_phone is None


def test_a_kept_key_is_answered_for_by_who_kept_it(ctx, harbour, kim, lee):
    sam = a_person(ctx, "sam@harbour.example", provider_id=harbour.id)
    kept = a_key(ctx, lee)
    members.remove_member(ctx, acting(kim), lee.id, keep_keys=True)
    assert rights_of_key(ctx, kept) == {"read", "answer", "manage"}
    members.remove_member(ctx, acting(kim), kim.id, keep_keys=True)
    assert rights_of_key(ctx, kept) == {"read", "answer", "manage"}
    with ctx.reading() as session:
        heirs = session.scalars(
            select(Event.facts["by"].astext).where(Event.verb == "api_key.kept").order_by(Event.id)
        ).all()
    assert heirs == [str(kim.id), str(sam.id)]


def test_a_key_is_refused_from_its_end_on_and_is_made_for_the_future_only(ctx, kim, clock):
    now = clock()
    with pytest.raises(Invalid):
        a_key(ctx, kim, expires_at=now)
    secret = a_key(ctx, kim, expires_at=now + timedelta(days=1))
    clock.advance(days=1, seconds=-1)
    assert rights_of_key(ctx, secret) is not None
    clock.advance(seconds=1)
    assert rights_of_key(ctx, secret) is None
