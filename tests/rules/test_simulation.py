"""Months of a market in seconds: what the fair turn comes to, beside other ways to choose."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from functools import cache
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.core.policy import Policy
from marketplace.invitations.rules import LIVE, InvitationState
from marketplace.matching.eligibility import Filter, clashes, obstacle
from marketplace.matching.simulation.answering import Deed, Habits, answer
from marketplace.matching.simulation.books import Books
from marketplace.matching.simulation.figures import figures, gini
from marketplace.matching.simulation.generating import generated_market
from marketplace.matching.simulation.ground import Ground
from marketplace.matching.simulation.markets import Market, Member, Request
from marketplace.matching.simulation.running import simulate
from marketplace.matching.simulation.seating import Seating, Turn
from marketplace.matching.simulation.strategies import Strategy
from marketplace.providers.rules import month_of
from tests.rules.facts import BODY, CONSULTANT, DAY, NOW, provider, wanted

FORTY = generated_market(leads_per_month=30)
"""A year of forty providers: every bench is exact."""


@cache
def year(strategy):
    ground = Ground(FORTY, Policy())
    outcome = simulate(ground, strategy)
    return outcome, figures(ground, outcome)


def figures_of(strategy):
    return year(strategy)[1]


OTHERS = [each for each in Strategy if each is not Strategy.CREDIT]


def test_credit_drifts_at_most_half_a_turn_a_year_from_the_fair_share():
    assert len(FORTY.members) == 40 <= Policy().bench_size
    assert figures_of(Strategy.CREDIT).drift_mean <= 0.5
    assert figures_of(Strategy.CREDIT).drift_most <= 2


@pytest.mark.parametrize("other", OTHERS)
def test_every_other_strategy_drifts_many_times_as_far(other):
    assert figures_of(other).drift_mean > 5 * figures_of(Strategy.CREDIT).drift_mean
    assert figures_of(other).gini > 2 * figures_of(Strategy.CREDIT).gini


def test_simple_strategies_drift_further_than_chance():
    """Whoever fits little waits longest and has least, so it is served before its share is due."""
    drifts = [
        figures_of(each).drift_mean
        for each in (Strategy.RANDOM, Strategy.LEAST_RECENTLY_SERVED, Strategy.LOWEST_COUNT)
    ]
    assert drifts == sorted(drifts)
    assert drifts[1] > 2 * drifts[0]


def test_an_oracle_gets_more_leads_quoted_than_anybody_who_does_not_know():
    oracle = figures_of(Strategy.ORACLE)
    for other in Strategy:
        assert oracle.with_one_quote >= figures_of(other).with_one_quote
        assert oracle.with_three_quotes >= figures_of(other).with_three_quotes
    assert oracle.with_three_quotes > figures_of(Strategy.CREDIT).with_three_quotes + 0.05
    assert oracle.invitations_per_lead < figures_of(Strategy.CREDIT).invitations_per_lead


def test_newcomers_and_returners_get_their_share_at_once_and_are_not_flooded():
    credit, lowest = figures_of(Strategy.CREDIT), figures_of(Strategy.LOWEST_COUNT)
    for month in (credit.newcomers, credit.returners):
        assert month.providers == 4
        assert month.invited == pytest.approx(month.entitled, abs=4 * 0.75)
    assert lowest.newcomers.invited > 1.4 * lowest.newcomers.entitled


@pytest.mark.parametrize("strategy", Strategy)
def test_what_a_provider_is_owed_is_what_it_gained_and_did_not_pay(strategy):
    outcome, shown = year(strategy)
    for each in shown.standings:
        assert each.drift == pytest.approx(-outcome.accounts[each.provider_id].balance, abs=1e-6)
    assert sum(entry.paid > 0 for entry in outcome.entries) == len(outcome.sent)


def test_a_turn_that_comes_back_is_taken_from_those_who_had_a_share_and_makes_no_credit():
    outcome, shown = year(Strategy.CREDIT)
    back = -sum(entry.paid for entry in outcome.entries if entry.paid < 0)
    assert back > 50
    owed = sum(account.balance for account in outcome.accounts.values())
    assert owed == pytest.approx(0, abs=1e-4)
    assert shown.came_back == pytest.approx(back / len(outcome.sent))


def test_no_more_turns_come_back_in_a_month_than_the_policy_allows():
    outcome, _ = year(Strategy.CREDIT)
    declined = Counter(
        (sent.provider_id, month_of(sent.ended_at))
        for sent in outcome.sent
        if sent.state is InvitationState.DECLINED
    )
    back = Counter(
        (entry.provider_id, month_of(entry.at)) for entry in outcome.entries if entry.paid < 0
    )
    withdrawn = Counter(
        (sent.provider_id, month_of(sent.ended_at))
        for sent in outcome.sent
        if sent.state is InvitationState.WITHDRAWN
    )
    assert all(number <= 2 + withdrawn[each] for each, number in back.items())
    assert max(declined.values()) > 2


def test_strategies_have_the_same_luck():
    one, other = (
        {(sent.lead, sent.provider_id, sent.window): sent for sent in year(strategy)[0].sent}
        for strategy in (Strategy.CREDIT, Strategy.RANDOM)
    )
    both = one.keys() & other.keys()
    assert len(both) > 200
    for each in both:
        assert (one[each].state, one[each].quoted_at) == (other[each].state, other[each].quoted_at)


def test_the_same_seed_gives_the_same_market_and_the_same_outcome():
    small = {"providers": 12, "months": 2, "leads_per_month": 20}
    one, again, other = (generated_market(**small, seed=seed) for seed in (5, 5, 6))
    assert one == again
    assert one != other
    outcomes = [simulate(Ground(each, Policy()), Strategy.CREDIT) for each in (one, again)]
    assert outcomes[0] == outcomes[1]


def test_how_providers_answer_is_as_the_model_says():
    habits = Habits(never_looks=0.2, stays_silent=0.1, declines=0.2, accepts_only=0.1, asks=0.1)
    drawn = [answer(habits, UUID(int=1), UUID(int=lead), seed=3) for lead in range(4_000)]
    looked = [each for each in drawn if each.looks_after is not None]
    assert len(looked) / len(drawn) == pytest.approx(0.8, abs=0.02)
    deeds = Counter(each.deed for each in looked)
    expected = {Deed.NOTHING: 0.1, Deed.DECLINE: 0.2, Deed.ACCEPT: 0.1, Deed.ASK: 0.1}
    for deed, share in {**expected, Deed.QUOTE: 0.5}.items():
        assert deeds[deed] / len(looked) == pytest.approx(share, abs=0.025)
    for each in looked:
        assert timedelta(0) < each.looks_after < each.acts_after
        assert (each.quotes_after is not None) is (each.deed in (Deed.ASK, Deed.QUOTE))
        assert (each.reason is not None) is (each.deed is Deed.DECLINE)
    to_quote = sorted(e.quotes_after - e.looks_after for e in looked if e.quotes_after)
    median = to_quote[len(to_quote) // 2] / timedelta(hours=1)
    assert median == pytest.approx(habits.hours_to_act, rel=0.1)


@pytest.mark.parametrize(
    ("values", "expected"),
    [([], 0), ([0, 0], 0), ([3, 3, 3], 0), ([0, 0, 6], 2 / 3), ([1, 3], 0.25)],
)
def test_gini_is_nought_where_all_are_alike(values, expected):
    assert gini(values) == pytest.approx(expected)


def market_of(members, leads, *, seed=1, every=timedelta(hours=6)):
    """Return a market of consulting leads for ISO 9001, one after the other."""
    return Market(
        name="a market of a test",
        members=tuple(members),
        requests=tuple(
            Request(UUID(int=lead), wanted(), NOW + lead * every, NOW + lead * every + 5 * DAY)
            for lead in range(leads)
        ),
        starts_at=NOW,
        ends_at=NOW + leads * every,
        seed=seed,
    )


NEVER = Habits(never_looks=1.0)
AT_ONCE = Habits(
    never_looks=0, stays_silent=0, declines=0, accepts_only=0, asks=0, hours_to_look=0.1,
    hours_to_act=0.1,
)  # fmt: skip


def test_a_place_that_nobody_looks_at_is_passed_on_until_as_many_were_asked_as_may_be():
    members = [Member(provider(number), NEVER) for number in range(1, 13)]
    ground = Ground(market_of(members, 1), Policy())
    outcome = simulate(ground, Strategy.CREDIT)
    assert len(outcome.sent) == Policy().max_invitations == 9
    assert {sent.state for sent in outcome.sent} == {InvitationState.RELEASED}
    assert [sent.sent_at - NOW for sent in outcome.sent] == [
        *3 * [timedelta(0)],
        *3 * [Policy().open_within],
        *3 * [Policy().open_within + Policy().min_response_window * 1.5],
    ]
    assert figures(ground, outcome).with_one_quote == 0


def test_the_policy_says_how_many_are_invited_and_for_how_long():
    members = [Member(provider(number), NEVER) for number in range(1, 13)]
    policy = Policy(places=2, max_invitations=5, open_within=timedelta(hours=2))
    outcome = simulate(Ground(market_of(members, 1), policy), Strategy.CREDIT)
    assert Counter(sent.sent_at - NOW for sent in outcome.sent) == {
        timedelta(0): 2,
        timedelta(hours=2): 2,
        timedelta(hours=4): 1,
    }


def test_whoever_accepted_and_does_not_quote_keeps_its_place_from_others():
    only = Habits(never_looks=0, stays_silent=0, declines=0, accepts_only=1, hours_to_act=0.5)
    members = [Member(provider(number), only) for number in range(1, 9)]
    outcome = simulate(Ground(market_of(members, 1), Policy()), Strategy.CREDIT)
    assert [sent.state for sent in outcome.sent] == 3 * [InvitationState.EXPIRED]


def test_a_lead_waits_for_capacity_and_is_served_when_there_is_some():
    members = [Member(provider(number, open_capacity=1), AT_ONCE) for number in range(1, 4)]
    ground = Ground(market_of(members, 2), Policy())
    outcome = simulate(ground, Strategy.CREDIT)
    assert outcome.waited == {1}
    second = [sent for sent in outcome.sent if sent.lead == 1]
    assert {sent.sent_at for sent in second} == {ground.market.requests[0].finished_at}


def test_whoever_joins_or_comes_back_gets_what_waits():
    away = provider(1, pauses=((NOW - DAY, NOW + DAY),))
    late = Member(provider(2), AT_ONCE, joins_at=NOW + 2 * DAY)
    market = market_of([Member(away, AT_ONCE), late], 1)
    outcome = simulate(Ground(market, Policy()), Strategy.CREDIT)
    times = {sent.provider_id.int: sent.sent_at - NOW for sent in outcome.sent}
    assert times == {1: DAY, 2: 2 * DAY}


def test_a_rare_kind_keeps_its_share_of_a_full_bench():
    members = [Member(provider(number), NEVER) for number in range(1, 40)]
    members += [Member(provider(number, BODY), NEVER) for number in range(40, 42)]
    market = replace(market_of(members, 1), requests=(
        Request(UUID(int=1), wanted(service="either"), NOW, NOW + DAY),
    ))  # fmt: skip
    policy = Policy(bench_size=9)
    seating = Seating(Ground(market, policy), Books(members, policy, Strategy.CREDIT))
    for seed in range(20):
        bench = seating.bench(Turn(0, NOW, seed, {}, [BODY, CONSULTANT]))
        assert len(bench) == 9
        assert sum(each.kind is BODY for each in bench) == 2


small_markets = st.builds(
    generated_market,
    providers=st.integers(1, 14),
    months=st.just(1),
    leads_per_month=st.integers(1, 15),
    seed=st.integers(0, 10_000),
)
small_policies = st.builds(
    Policy,
    places=st.integers(1, 3),
    max_invitations=st.integers(1, 9),
    bench_size=st.sampled_from([3, 64]),
    open_within=st.sampled_from([timedelta(hours=1), timedelta(hours=12)]),
)


@settings(max_examples=150, deadline=None)
@given(small_markets, small_policies, st.sampled_from(Strategy))
def test_no_invariant_bends_in_any_market(market, policy, strategy):
    outcome = simulate(Ground(market, policy), strategy)
    for lead, request in enumerate(market.requests):
        held = [sent for sent in outcome.sent if sent.lead == lead]
        assert len(held) <= policy.max_invitations
        assert len({sent.provider_id for sent in held}) == len(held)
        assert most_alive(held) <= policy.places
        for sent in held:
            assert may_have_been_invited(market, request, sent)
            assert request.opened_at <= sent.sent_at < request.finished_at
        facts = {each.facts.id: each.facts for each in market.members}
        invited = [facts[sent.provider_id] for sent in held]
        assert not clashes(invited, today=request.opened_at.date())


def most_alive(held):
    """Return how many invitations were live at one time, at the most."""
    changes = []
    for sent in held:
        was_live = True
        changes.append((sent.sent_at, 1))
        for at, state in sent.steps:
            is_live = state in LIVE
            changes.append((at, is_live - was_live))
            was_live = is_live
    alive = most = 0
    for _, change in sorted(changes):  # at one moment, ends come before new ones
        alive += change
        most = max(most, alive)
    return most


def may_have_been_invited(market, request, sent):
    (member,) = (each for each in market.members if each.facts.id == sent.provider_id)
    found = obstacle(
        request.wanted, member.facts, invited={}, now=sent.sent_at, impartiality_years=2
    )
    joined = member.joins_at is None or member.joins_at <= sent.sent_at
    return joined and (found is None or found.filter is Filter.CAPACITY)
