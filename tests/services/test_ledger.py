"""The fairness ledger: how ends are entered in it, once, and what comes back."""

from datetime import date

import pytest
from sqlalchemy import select

from marketplace.core.actors import SYSTEM
from marketplace.core.events import Event
from marketplace.invitations import endings, questions
from marketplace.invitations import service as invitations
from marketplace.invitations.models import Invitation
from marketplace.invitations.rules import InvitationEvent
from marketplace.matching import service as matching
from marketplace.matching import settling
from marketplace.matching.models import Credit, CreditMonth
from marketplace.providers import service as providers
from marketplace.quotes import outcome
from tests.factories import ADMIN, business_of, person_of
from tests.services.road import a_quote, held


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
    ours = held_of(make, lead, provider)
    invitations.decline_invitation(ctx, person_of(provider.id), ours.id, reason=reason)


def given_back(make):
    back = select(Event).where(Event.verb == "invitation.turn_given_back")
    return make.ask(lambda s: s.scalars(back).all())


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
    assert len(given_back(make)) == 1


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
    assert len(given_back(make)) == 2
    # Six turns were dealt, three each; two of the first's came back, half of each from the other.
    assert (credit_of(make, choosy).balance, credit_of(make, other).balance) == (1, -1)
    clock.now = clock.now.replace(month=12, day=1)
    decline(ctx, make, make.matched_lead(), choosy)
    settling.settle_ended_invitations(ctx)
    assert (credit_of(make, choosy).balance, credit_of(make, other).balance) == (1.5, -1.5)


def test_of_three_declines_the_first_two_come_back_however_late_the_sweep(ctx, make, clock):
    choosy = make.provider()
    leads = [make.matched_lead() for _ in range(3)]
    for lead in reversed(leads):
        clock.advance(minutes=1)
        decline(ctx, make, lead, choosy)
    settling.settle_ended_invitations(ctx)
    back = {each.subject_id for each in given_back(make)}
    assert back == {held_of(make, lead, choosy).id for lead in leads[1:]}


def take_a_quote_back(ctx, make, lead, provider):
    yield a_quote(ctx, held_of(make, lead, provider))
    yield decline(ctx, make, lead, provider)


def ask_and_decline(ctx, make, lead, provider):
    who, ours = person_of(provider.id), held_of(make, lead, provider)
    yield invitations.accept_invitation(ctx, who, ours.id)
    yield questions.ask_question(ctx, who, ours.id, text="How many shifts?")
    yield decline(ctx, make, lead, provider)


def come_back(ctx, make, lead, provider):
    """Return to an invitation that was released."""
    ours = held_of(make, lead, provider)
    with ctx.transaction() as tx:
        found = tx.session.get_one(Invitation, ours.id)
        found.open_by = tx.now  # it was not opened in time
        endings.end(tx, SYSTEM, found, InvitationEvent.RELEASE)
    yield
    yield invitations.look_at_invitation(ctx, person_of(provider.id), ours.id)


def come_back_and_quote(ctx, make, lead, provider):
    yield from come_back(ctx, make, lead, provider)
    yield a_quote(ctx, held_of(make, lead, provider))


def come_back_and_decline(ctx, make, lead, provider):
    yield from come_back(ctx, make, lead, provider)
    yield decline(ctx, make, lead, provider)


@pytest.mark.parametrize(
    ("road", "record"),
    [
        (take_a_quote_back, (1, 0)),
        (ask_and_decline, (1, 0)),
        (come_back_and_quote, (0, 1)),
        (come_back_and_decline, (0, 1)),
    ],
)
@pytest.mark.parametrize("sweeps", ["after every step", "in the end", "twice in the end"])
def test_what_is_entered_does_not_depend_on_when_the_sweep_runs(ctx, make, road, record, sweeps):
    provider = make.provider()
    for _ in road(ctx, make, make.matched_lead(), provider):
        if sweeps == "after every step":
            settling.settle_ended_invitations(ctx)
    for _ in range(2 if sweeps == "twice in the end" else 1):
        settling.settle_ended_invitations(ctx)
    credit = credit_of(make, provider)
    assert (credit.answered, credit.missed) == record
    assert given_back(make) == []


@pytest.mark.parametrize("at_once", [False, True])
def test_a_decline_that_was_not_refunded_uses_up_no_refund_of_the_month(ctx, make, at_once):
    provider = make.provider()
    for road in (take_a_quote_back, ask_and_decline, come_back_and_decline):
        for _ in road(ctx, make, make.matched_lead(), provider):
            if not at_once:
                settling.settle_ended_invitations(ctx)
    for _ in range(3):
        decline(ctx, make, make.matched_lead(), provider)
    settling.settle_ended_invitations(ctx)
    assert len(given_back(make)) == 2


@pytest.mark.parametrize(("hours", "comes_back"), [(7.9, True), (8, False)])
def test_a_request_that_ends_before_there_was_a_fair_time_gives_the_turn_back(
    ctx, make, clock, hours, comes_back
):
    make.provider()
    lead = make.matched_lead()
    clock.advance(hours=hours)
    outcome.close_request(ctx, business_of(lead), reason="not_now")
    settling.settle_ended_invitations(ctx)
    assert len(given_back(make)) == comes_back


@pytest.mark.parametrize(("hours", "comes_back"), [(7.9, True), (8, False)])
def test_so_does_a_choice_to_whoever_had_not_accepted_and_to_nobody_else(
    ctx, make, clock, hours, comes_back
):
    for _ in range(3):
        make.provider()
    lead = make.matched_lead()
    quoted, accepted, silent = held(make, lead)
    a_quote(ctx, quoted)
    invitations.accept_invitation(ctx, person_of(accepted.provider_id), accepted.id)
    clock.advance(hours=hours)
    outcome.choose_provider(ctx, business_of(lead), quoted.id)
    settling.settle_ended_invitations(ctx)
    back = [silent.id] if comes_back else []
    assert [event.subject_id for event in given_back(make)] == back
    record = make.ask(lambda s: s.get(Credit, silent.provider_id))
    assert (record.answered, record.missed) == (0, 0)


def test_a_turn_by_hand_that_comes_back_is_taken_from_those_it_was_shared_out_among(ctx, make):
    lead = make.lead()
    provider, _ = make.provider(), make.provider()
    matching.invite_by_hand(ctx, ADMIN, lead.id, provider.id, why="the business asked")
    assert balances(make) == [-0.5, 0.5]
    decline(ctx, make, lead, provider)
    settling.settle_ended_invitations(ctx)
    assert balances(make) == [0, 0]
    assert {each.entitled for each in make.ask(lambda s: s.scalars(select(Credit)).all())} == {0}


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
    assert (credit.balance, credit.invited_at) == (0, ctx.clock())
    assert (credit.eligible, credit.entitled) == (1, 1)


def test_invitations_by_hand_make_no_credit_and_lose_none(ctx, make, clock):
    """Or whoever joins afterwards, with none, would go before everybody for weeks."""
    five = [make.provider() for _ in range(5)]
    for number in range(20):
        lead = make.lead()
        chosen = five[number % 5]
        matching.invite_by_hand(ctx, ADMIN, lead.id, chosen.id, why="the business asked")
        outcome.close_request(ctx, business_of(lead), reason="not_now")
        clock.advance(hours=9)
        settling.settle_ended_invitations(ctx)
    assert balances(make) == pytest.approx([0] * 5, abs=1e-6)
    newcomer, invited = make.provider(), 0
    for _ in range(12):
        lead = make.matched_lead()
        invited += newcomer.id in {each.provider_id for each in held(make, lead)}
    assert invited == 6


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
