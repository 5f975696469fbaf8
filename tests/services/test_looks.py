"""A provider looks at briefs to answer them: whoever gathers them is stopped, or told of."""

from dataclasses import replace
from functools import partial

import pytest
from sqlalchemy import select

from marketplace.core.actors import Actor, Kind
from marketplace.core.db import new_id
from marketplace.core.errors import Conflict
from marketplace.invitations import questions
from marketplace.invitations import service as invitations
from marketplace.invitations.models import Invitation
from marketplace.invitations.rules import DeclineReason, InvitationState
from marketplace.notifications.models import Notification
from marketplace.quotes import inbox
from tests.factories import person_of
from tests.people import an_admin
from tests.services.road import again

FEW = {"undecided_at_most": 3, "looks_from": 4, "rate_limits": True}


@pytest.fixture
def strict(ctx):
    return replace(ctx, policy=replace(ctx.policy, **FEW))


@pytest.fixture
def provider(make):
    return make.provider()


def invited(make, provider, n):
    for _ in range(n):
        make.matched_lead(notes="Two shifts, and a tender in March.")
    rows = select(Invitation).where(Invitation.provider_id == provider.id).order_by(Invitation.id)
    return make.ask(lambda session: session.scalars(rows).all())


def software_of(provider):
    return Actor(Kind.API_KEY, id=new_id(), provider_id=provider.id)


def look(ctx, actor, invitation):
    invitations.look_at_invitation(ctx, actor, invitation.id)
    return inbox.own_invitation(ctx, actor, invitation.id)


def test_whoever_holds_many_undecided_answers_one_before_the_next(strict, make, provider):
    held, person = invited(make, provider, 5), person_of(provider.id)
    for each in held[:3]:
        assert look(strict, person, each)["lead"]["notes"]
    with pytest.raises(Conflict, match="accept or decline one of them first"):
        look(strict, person, held[3])
    assert again(make, held[3]).state is InvitationState.SENT
    # What was looked at is looked at again as often as one likes.
    look(strict, person, held[0])
    # A no is an answer, and a yes is one: nobody is kept from what they might take.
    invitations.decline_invitation(strict, person, held[0].id, reason=DeclineReason.NO_CAPACITY)
    look(strict, person, held[3])
    invitations.accept_invitation(strict, person, held[1].id)
    look(strict, person, held[4])


def test_software_is_counted_with_people_though_it_opens_nothing(strict, make, provider):
    held, person, software = (
        invited(make, provider, 4),
        person_of(provider.id),
        software_of(provider),
    )
    look(strict, software, held[0])
    assert again(make, held[0]).state is InvitationState.SENT
    assert again(make, held[0]).looked_at == strict.clock()
    look(strict, software, held[0])
    look(strict, software, held[1])
    look(strict, person, held[2])
    for actor in (software, person):
        with pytest.raises(Conflict):
            look(strict, actor, held[3])


def test_a_list_says_what_is_needed_and_not_what_was_written_until_it_is_looked_at(
    ctx, make, provider
):
    first, second = invited(make, provider, 2)
    software = software_of(provider)
    look(ctx, software, first)
    listed, _ = inbox.own_invitations(ctx, software, state=None, limit=25, after=None)
    notes = {each["id"]: each["lead"]["notes"] for each in listed}
    assert notes == {first.id: "Two shifts, and a tender in March.", second.id: None}
    # Nor by itself, where nobody has looked.
    assert inbox.own_invitation(ctx, software, second.id)["lead"]["notes"] is None


def test_a_question_is_no_way_round_the_limit(strict, make, provider):
    held, person = invited(make, provider, 5), person_of(provider.id)
    for each in held[:2]:
        look(strict, person, each)
    questions.ask_question(strict, person, held[2].id, text="How many shifts?")
    with pytest.raises(Conflict, match="accept or decline one of them first"):
        questions.ask_question(strict, person, held[3].id, text="How many shifts?")
    assert inbox.own_invitation(strict, person, held[3].id)["lead"]["notes"] is None
    # Whoever asks under one that was looked at may go on asking.
    questions.ask_question(strict, person, held[0].id, text="And how many sites?")


def test_coming_back_late_is_no_way_round_the_limit(strict, make, provider, clock):
    held, person = invited(make, provider, 4), person_of(provider.id)
    for each in held[:3]:
        look(strict, person, each)
    clock.now = held[3].open_by
    with pytest.raises(Conflict, match="accept or decline one of them first"):
        look(strict, person, held[3])
    assert inbox.own_invitation(strict, person, held[3].id)["lead"]["notes"] is None
    invitations.decline_invitation(strict, person, held[0].id, reason=DeclineReason.NO_CAPACITY)
    assert look(strict, person, held[3])["lead"]["notes"]


def test_looks_at_once_do_not_pass_the_limit(strict, make, provider, at_once):
    held, person, software = (
        invited(make, provider, 6),
        person_of(provider.id),
        software_of(provider),
    )
    at_once(
        [
            partial(invitations.look_at_invitation, strict, actor, each.id)
            for each, actor in zip(held, [person, software] * 3, strict=True)
        ]
    )
    looked_at = [each for each in held if again(make, each).looked_at]
    assert len(looked_at) == FEW["undecided_at_most"]


def test_one_that_declines_all_it_looks_at_is_told_once_a_week_and_not_held_back(
    strict, make, provider, clock
):
    admin = an_admin(strict)
    person = person_of(provider.id)

    def letters():
        of_it = select(Notification).where(Notification.template == "looks_without_answers")
        return make.ask(lambda session: session.scalars(of_it).all())

    for n, each in enumerate(invited(make, provider, 7)):
        look(strict, person, each)
        assert len(letters()) == (n >= FEW["looks_from"])
        invitations.decline_invitation(strict, person, each.id, reason=DeclineReason.NO_CAPACITY)
    (letter,) = letters()
    assert letter.recipient == admin.email
    assert letter.values["looked_at"] == 4
    assert letter.values["answered"] == 0
    assert letter.path == f"/admin/providers/{provider.id}"


def test_one_that_answers_some_is_nobodys_business(strict, make, provider):
    an_admin(strict)
    person = person_of(provider.id)
    for n, each in enumerate(invited(make, provider, 8)):
        look(strict, person, each)
        if n == 0:
            invitations.accept_invitation(strict, person, each.id)
        else:
            invitations.decline_invitation(
                strict, person, each.id, reason=DeclineReason.NO_CAPACITY
            )
    of_it = select(Notification).where(Notification.template == "looks_without_answers")
    assert make.ask(lambda session: session.scalars(of_it).all()) == []
