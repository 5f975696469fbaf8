"""The fairness ledger: how ends are entered in it, once, and what comes back."""

from datetime import date

import pytest
from sqlalchemy import select

from marketplace.core.events import Event
from marketplace.invitations import service as invitations
from marketplace.invitations.models import Invitation
from marketplace.matching import service as matching
from marketplace.matching import settling
from marketplace.matching.models import Credit, CreditMonth
from marketplace.providers import service as providers
from marketplace.quotes import outcome
from tests.factories import ADMIN, business_of, person_of


def held_of(make, lead, provider):
    return make.ask(
        lambda s: s.scalars(
            select(Invitation).where(
                Invitation.lead_id == lead.id, Invitation.provider_id == provider.id
            )
        ).one()
    )


def credit_of(make, provider):
    return make.ask(lambda s: s.get(Credit, provider.id))


def decline(ctx, make, lead, provider, reason="out_of_scope"):
    held = held_of(make, lead, provider)
    invitations.decline_invitation(ctx, person_of(provider.id), held.id, reason=reason)


def balances(make):
    return sorted(make.ask(lambda s: s.scalars(select(Credit.balance)).all()))


def test_an_end_is_entered_once_however_often_the_sweep_runs(ctx, make):
    four = [make.provider() for _ in range(4)]
    lead = make.matched_lead()
    assert balances(make) == [-0.25, -0.25, -0.25, 0.75]
    provider = next(each for each in four if credit_of(make, each).invited_at)
    decline(ctx, make, lead, provider)
    assert settling.settle_ended_invitations(ctx) == 1
    assert settling.settle_ended_invitations(ctx) == 0
    # Of three turns two were dealt: everybody has half a turn, and two have paid one.
    assert balances(make) == [-0.5, -0.5, 0.5, 0.5]
    after = credit_of(make, provider)
    assert (after.balance, after.answered, after.missed) == (0.5, 1, 0)
    assert after.entitled == 0.5
    given_back = select(Event).where(Event.verb == "invitation.turn_given_back")
    assert len(make.ask(lambda s: s.scalars(given_back).all())) == 1


def test_what_has_not_ended_is_not_settled(ctx, make):
    for _ in range(3):
        make.provider()
    make.matched_lead()
    assert settling.settle_ended_invitations(ctx) == 0


@pytest.mark.parametrize("at_once", [False, True])
def test_the_third_decline_as_out_of_scope_in_a_month_costs_its_turn(ctx, make, clock, at_once):
    choosy, other = make.provider(), make.provider()
    for _ in range(3):
        decline(ctx, make, make.matched_lead(), choosy)
        if not at_once:
            settling.settle_ended_invitations(ctx)
    settling.settle_ended_invitations(ctx)
    back = select(Event).where(Event.verb == "invitation.turn_given_back")
    assert len(make.ask(lambda s: s.scalars(back).all())) == 2
    # Six turns were dealt, three each; two of the first's came back, half of each from the other.
    assert (credit_of(make, choosy).balance, credit_of(make, other).balance) == (1, -1)
    clock.now = clock.now.replace(month=12, day=1)
    decline(ctx, make, make.matched_lead(), choosy)
    settling.settle_ended_invitations(ctx)
    assert (credit_of(make, choosy).balance, credit_of(make, other).balance) == (1.5, -1.5)


@pytest.mark.parametrize(("hours", "comes_back"), [(7.9, True), (8, False)])
def test_a_request_that_ends_before_there_was_a_fair_time_gives_the_turn_back(
    ctx, make, clock, hours, comes_back
):
    make.provider()
    lead = make.matched_lead()
    clock.advance(hours=hours)
    outcome.close_request(ctx, business_of(lead), reason="not_now")
    settling.settle_ended_invitations(ctx)
    back = select(Event).where(Event.verb == "invitation.turn_given_back")
    assert len(make.ask(lambda s: s.scalars(back).all())) == comes_back


def test_a_turn_by_hand_that_comes_back_is_taken_from_nobody(ctx, make):
    lead = make.matched_lead()
    provider = make.provider()
    matching.invite_by_hand(ctx, ADMIN, lead.id, provider.id, why="the only one there")
    decline(ctx, make, lead, provider)
    settling.settle_ended_invitations(ctx)
    assert balances(make) == [0]


def test_whoever_may_not_stay_pays_for_its_turn(ctx, make):
    provider = make.provider()
    lead = make.matched_lead()
    providers.suspend_provider(ctx, ADMIN, provider.id, reason="complaint under investigation")
    matching.match_lead(ctx, lead.id)
    assert held_of(make, lead, provider).state == "withdrawn"
    settling.settle_ended_invitations(ctx)
    credit = credit_of(make, provider)
    assert (credit.balance, credit.answered, credit.missed) == (0, 0, 0)


def test_an_invitation_by_hand_is_a_turn_like_any_other(ctx, make):
    lead = make.matched_lead()
    provider = make.provider()
    matching.invite_by_hand(ctx, ADMIN, lead.id, provider.id, why="the only one there")
    credit = credit_of(make, provider)
    assert (credit.balance, credit.invited_at) == (-1, ctx.clock())


def test_a_month_is_kept_when_the_next_begins(ctx, make, clock):
    provider, _ = make.provider(), make.provider()
    make.matched_lead()
    make.matched_lead()
    november = credit_of(make, provider)
    assert (november.month, november.eligible, november.entitled) == (date(2026, 11, 1), 2, 2.0)
    clock.now = clock.now.replace(month=12, day=1)
    make.matched_lead()
    december = credit_of(make, provider)
    assert (december.month, december.eligible, december.entitled) == (date(2026, 12, 1), 1, 1.0)
    kept = make.ask(lambda s: s.get(CreditMonth, (provider.id, date(2026, 11, 1))))
    assert (kept.eligible, kept.entitled) == (2, 2.0)


def test_a_host_whose_clock_is_behind_does_not_open_an_earlier_month(ctx, make, clock):
    provider = make.provider()
    clock.now = clock.now.replace(month=12, day=1, hour=0)
    make.matched_lead()
    clock.advance(minutes=-5)
    make.matched_lead()
    credit = credit_of(make, provider)
    assert (credit.month, credit.eligible) == (date(2026, 12, 1), 1 + 1)
