"""A provider's own statement: what is counted in which month, and what a balance means."""

from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta

import pytest

from marketplace.core.actors import SYSTEM
from marketplace.core.errors import Invalid, NotAllowed
from marketplace.insights.statements import meaning, own_statement
from marketplace.invitations import endings, questions
from marketplace.invitations import service as invitations
from marketplace.invitations.models import Invitation
from marketplace.invitations.rules import InvitationEvent
from marketplace.matching import settling
from tests.factories import ADMIN, person_of
from tests.services.road import a_quote, held

TICK = timedelta(microseconds=1)
NOVEMBER, DECEMBER = date(2026, 11, 1), date(2026, 12, 1)


def test_a_statement_counts_an_invitation_in_the_month_in_which_it_was_sent(ctx, make, clock):
    provider = make.provider()
    who = person_of(provider.id)
    clock.now = datetime(2026, 11, 30, 23, 59, 59, 999999, tzinfo=UTC)
    lead = make.matched_lead()
    clock.now += TICK
    later = make.matched_lead()
    a_quote(ctx, held(make, lead)[0])
    november, december = (own_statement(ctx, who, month=each) for each in (NOVEMBER, DECEMBER))
    assert (november.invited, november.answered, november.eligible) == (1, 1, 1)
    assert (december.invited, december.answered, december.eligible) == (1, 0, 1)
    assert own_statement(ctx, who, month=None) == december
    invitations.decline_invitation(ctx, who, held(make, later)[0].id, reason="other")
    assert own_statement(ctx, who, month=DECEMBER).declined == 1
    assert own_statement(ctx, who, month=NOVEMBER) == november


def test_months_before_it_joined_are_zeros_and_those_to_come_are_refused(ctx, make):
    make.provider()
    newcomer = make.provider()
    make.matched_lead()
    who = person_of(newcomer.id)
    found = asdict(own_statement(ctx, who, month=date(2020, 2, 1)))
    assert found.pop("months")
    assert found.pop("balance") == 0.0
    assert set(found.values()) == {0}
    with pytest.raises(Invalid, match="not begun"):
        own_statement(ctx, who, month=DECEMBER)


def test_a_question_is_an_answer_but_not_in_time_if_no_quote_follows(ctx, make, clock):
    provider = make.provider()
    who = person_of(provider.id)
    (invitation,) = held(make, make.matched_lead())
    invitations.look_at_invitation(ctx, who, invitation.id)
    clock.now = invitation.respond_by - timedelta(hours=1)
    questions.ask_question(ctx, who, invitation.id, text="How many shifts?")
    found = own_statement(ctx, who, month=None)
    assert (found.answered, found.answered_in_time, found.expired) == (1, 1, 0)
    clock.now = invitation.respond_by
    endings.end_due_invitations(ctx)
    found = own_statement(ctx, who, month=None)
    assert (found.answered, found.answered_in_time, found.expired) == (1, 0, 1)


def test_a_quote_that_is_taken_back_is_one_answer(ctx, make):
    provider = make.provider()
    (invitation,) = held(make, make.matched_lead())
    a_quote(ctx, invitation)
    who = person_of(provider.id)
    invitations.decline_invitation(ctx, who, invitation.id, reason="other")
    found = own_statement(ctx, who, month=None)
    assert (found.answered, found.answered_in_time, found.declined) == (1, 1, 1)


def test_a_release_is_not_an_answer(ctx, make):
    provider = make.provider()
    (invitation,) = held(make, make.matched_lead())
    with ctx.transaction() as tx:
        ours = tx.session.get_one(Invitation, invitation.id)
        ours.open_by = tx.now  # it was not opened in time
        endings.end(tx, SYSTEM, ours, InvitationEvent.RELEASE)
    found = own_statement(ctx, person_of(provider.id), month=None)
    assert (found.invited, found.opened, found.answered, found.released) == (1, 0, 0, 1)


def test_a_turn_that_came_back_is_told(ctx, make):
    provider = make.provider()
    who = person_of(provider.id)
    (invitation,) = held(make, make.matched_lead())
    invitations.decline_invitation(ctx, who, invitation.id, reason="out_of_scope")
    settling.settle_ended_invitations(ctx)
    found = own_statement(ctx, who, month=None)
    assert (found.invited, found.turns_given_back) == (1, 1)
    assert (found.entitled, found.balance) == (0.0, 0.0)  # a turn that was never dealt
    assert found.balance_means == "You have had exactly your fair share of invitations so far."


@pytest.mark.parametrize(
    ("balance", "said"),
    [
        (0.0, "exactly your fair share"),
        (0.25, "You are owed 0.25 turns:"),
        (1.0, "You are owed 1 turn:"),
        (-2.5, "You are 2.5 turns ahead"),
        (-1.0, "You are 1 turn ahead"),
    ],
)
def test_a_balance_in_words(balance, said):
    assert said in meaning(balance)


def test_an_administrator_has_none(ctx):
    with pytest.raises(NotAllowed):
        own_statement(ctx, ADMIN, month=None)
