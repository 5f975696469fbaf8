"""Everybody's fair turn: what a run shares out, whom it takes, and that credit is never made."""

import random
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.matching.eligibility import related_obstacle
from marketplace.matching.rules import (
    LEAST_WEIGHT,
    MOST_WEIGHT,
    choose,
    gains,
    places_by_kind,
    weight,
)
from tests.rules.facts import BODY, CONSULTANT, NOW, TODAY, provider_id, relation, seat

BOTH = frozenset({CONSULTANT, BODY})


def chosen(bench, places, *, needed=(), seed=1):
    choice = choose(bench, places, needed_kinds=needed, today=TODAY, seed=seed)
    return [each.provider.id.int for each in choice.chosen]


def moved_by(bench, choice):
    before = {each.provider.id: each.credit for each in bench}
    return sum(after - before[each] for each, after in choice.credits.items())


@pytest.mark.parametrize(
    ("weights", "places", "expected"),
    [
        ([1.0], 1, [1.0]),
        ([1.0, 1.0], 1, [0.5, 0.5]),
        ([1.0] * 4, 3, [0.75] * 4),
        ([1.0] * 3, 3, [1.0] * 3),
        ([1.0] * 2, 3, [1.0] * 2),
        ([3.0, 1.0], 1, [0.75, 0.25]),
        # What the cap cuts off is shared out among the rest.
        ([10.0, 1.0, 1.0], 2, [1.0, 0.5, 0.5]),
        ([10.0, 10.0, 1.0, 1.0], 3, [1.0, 1.0, 0.5, 0.5]),
        ([4.0, 2.0, 1.0, 1.0], 3, [1.0, 1.0, 0.5, 0.5]),
        ([], 3, []),
    ],
)
def test_turns_are_shared_by_weight_and_nobody_gets_more_than_one(weights, places, expected):
    assert gains(weights, places) == pytest.approx(expected)


weights = st.lists(st.floats(0.5, 1.25), min_size=1, max_size=64)


@given(weights, st.integers(1, 3))
def test_gains_sum_to_the_places_and_keep_to_the_cap(some, places):
    shares = gains(some, places)
    assert sum(shares) == pytest.approx(min(places, len(some)))
    assert all(0 < share <= 1 + 1e-9 for share in shares)


@given(weights, st.integers(1, 3))
def test_whoever_weighs_more_never_gains_less(some, places):
    pairs = sorted(zip(some, gains(some, places), strict=True))
    assert all(a[1] <= b[1] + 1e-9 for a, b in pairwise(pairs))


@given(st.integers(0, 5000), st.integers(0, 5000))
def test_a_record_moves_the_weight_gently(answered, missed):
    found = weight(answered=answered, missed=missed)
    assert LEAST_WEIGHT <= found <= MOST_WEIGHT
    assert weight(answered=answered + 1, missed=missed) >= found
    assert weight(answered=answered, missed=missed + 1) <= found


def test_without_a_record_the_weight_is_one():
    assert weight(answered=0, missed=0) == 1.0
    assert weight(answered=8, missed=2) == 1.0
    assert weight(answered=0, missed=1) > 0.9


def test_the_largest_credit_goes_first_then_the_longest_wait():
    bench = [
        seat(1, credit=0.2, invited_at=NOW),
        seat(2, credit=0.5, invited_at=NOW),
        seat(3, credit=0.2, invited_at=NOW - timedelta(days=1)),
        seat(4, credit=0.2),  # never invited
    ]
    assert chosen(bench, 3) == [2, 4, 3]


def test_bands_go_before_fairness():
    bench = [seat(1, band=1, credit=50.0), seat(2, band=0, credit=-50.0), seat(3, band=2)]
    assert chosen(bench, 1) == [2]
    assert chosen(bench, 2) == [2, 1]
    assert chosen(bench, 3) == [2, 1, 3]


def test_credit_is_settled_in_the_band_that_places_are_filled_from_and_in_no_other():
    bench = [seat(1), seat(2), seat(3, band=1)]
    choice = choose(bench, 1, needed_kinds=(), today=TODAY, seed=1)
    assert provider_id(3) not in choice.credits
    assert sorted(choice.credits.values()) == pytest.approx([-0.5, 0.5])


def test_where_nobody_can_be_chosen_no_credit_moves():
    assert choose([], 3, needed_kinds=BOTH, today=TODAY, seed=1).credits == {}
    bench = [seat(1)]
    assert choose(bench, 0, needed_kinds=BOTH, today=TODAY, seed=1).credits == {}


def test_one_of_each_kind_where_there_is_one():
    bodies = [seat(number, BODY, band=0, credit=9.0) for number in (1, 2, 3)]
    lonely = seat(4, CONSULTANT, band=3, credit=-9.0)
    found = chosen([*bodies, lonely], 3, needed=BOTH)
    assert 4 in found
    assert len(found) == 3
    assert chosen(bodies, 3, needed=BOTH) == chosen(bodies, 3)


def test_one_place_is_given_once_whatever_kinds_are_needed():
    bench = [seat(1, BODY), seat(2, CONSULTANT)]
    assert len(chosen(bench, 1, needed=BOTH)) == 1


def related(number, kind, other, **changes):
    return seat(number, kind, related=frozenset({relation(other)}), **changes)


def test_relatives_on_one_bench_are_never_both_chosen():
    bench = [related(1, BODY, 2), related(2, CONSULTANT, 1)]
    for seed in range(20):
        assert len(chosen(bench, 3, seed=seed)) == 1
        assert len(chosen(bench, 3, needed=BOTH, seed=seed)) == 1


def test_a_pair_that_can_be_together_is_found_though_the_first_in_turn_rules_it_out():
    """The body whose turn it is is related to the only consultant; another body is not."""
    bench = [related(1, BODY, 3, credit=5.0), seat(2, BODY), related(3, CONSULTANT, 1)]
    found = chosen(bench, 3, needed=BOTH)
    assert set(found) == {2, 3}
    worse = [related(1, BODY, 3), seat(2, BODY, band=2), related(3, CONSULTANT, 1)]
    assert set(chosen(worse, 2, needed=BOTH)) == {2, 3}


def test_where_no_pair_can_be_together_the_places_are_filled_all_the_same():
    bench = [related(1, BODY, 3), related(2, BODY, 3), related(3, CONSULTANT, 1)]
    bench[2] = replace(
        bench[2],
        provider=replace(bench[2].provider, related=frozenset({relation(1), relation(2)})),
    )
    assert sorted(chosen(bench, 3, needed=BOTH)) == [1, 2]


def test_credit_stays_whole_where_a_relative_has_to_go_without():
    bench = [related(1, BODY, 2), related(2, CONSULTANT, 1), seat(3, CONSULTANT)]
    for seed in range(10):
        for places in (1, 2, 3):
            choice = choose(bench, places, needed_kinds=(), today=TODAY, seed=seed)
            assert moved_by(bench, choice) == pytest.approx(0)


def test_only_the_kinds_that_a_lead_has_not_are_needed():
    assert places_by_kind(BOTH, []) == BOTH
    assert places_by_kind(BOTH, [BODY, BODY]) == {CONSULTANT}
    assert places_by_kind(BOTH, BOTH) == frozenset()
    assert places_by_kind({BODY}, []) == frozenset()


@st.composite
def benches(draw):
    """Return a bench of any mixture, with relatives among it."""
    size = draw(st.integers(0, 12))
    seats = []
    for number in range(1, size + 1):
        others = draw(st.sets(st.integers(1, 12), max_size=2)) - {number}
        seats.append(
            seat(
                number,
                draw(st.sampled_from([CONSULTANT, BODY])),
                band=draw(st.integers(0, 2)),
                credit=draw(st.integers(-30, 30)) / 10,
                weight=draw(st.sampled_from([0.5, 0.9, 1.0, 1.25])),
                invited_at=draw(st.sampled_from([None, NOW, NOW - timedelta(days=3)])),
                related=frozenset(relation(other) for other in others),
            )
        )
    return seats


runs = (benches(), st.integers(0, 3), st.sampled_from([(), BOTH, {BODY}]), st.integers(0, 2**62))


@settings(max_examples=300, deadline=None)
@given(*runs)
def test_credit_is_neither_made_nor_lost(bench, places, needed, seed):
    choice = choose(bench, places, needed_kinds=needed, today=TODAY, seed=seed)
    assert moved_by(bench, choice) == pytest.approx(0, abs=1e-9)


@settings(max_examples=200, deadline=None)
@given(*runs, st.randoms())
def test_the_order_of_the_bench_does_not_matter(bench, places, needed, seed, shuffling):
    mixed = list(bench)
    shuffling.shuffle(mixed)
    one = choose(bench, places, needed_kinds=needed, today=TODAY, seed=seed)
    other = choose(mixed, places, needed_kinds=needed, today=TODAY, seed=seed)
    assert [each.provider.id for each in one.chosen] == [each.provider.id for each in other.chosen]
    assert one.credits == other.credits


@settings(max_examples=300, deadline=None)
@given(*runs)
def test_nobody_twice_no_relatives_and_no_more_than_there_are_places(bench, places, needed, seed):
    choice = choose(bench, places, needed_kinds=needed, today=TODAY, seed=seed)
    providers = [each.provider for each in choice.chosen]
    assert len({each.id for each in providers}) == len(providers) <= places
    for index, one in enumerate(providers):
        assert related_obstacle(one, providers[:index], today=TODAY) is None
        assert related_obstacle(one, providers[index + 1 :], today=TODAY) is None


@settings(max_examples=200, deadline=None)
@given(benches(), st.integers(1, 3), st.integers(0, 2**62))
def test_a_place_stays_empty_only_where_nobody_left_may_take_it(bench, places, seed):
    choice = choose(bench, places, needed_kinds=(), today=TODAY, seed=seed)
    if len(choice.chosen) == places:
        return
    taken = [each.provider for each in choice.chosen]
    for each in bench:
        if each.provider.id not in {one.id for one in taken}:
            assert related_obstacle(each.provider, taken, today=TODAY) is not None or any(
                related_obstacle(one, [each.provider], today=TODAY) for one in taken
            )


@settings(max_examples=200, deadline=None)
@given(benches(), st.integers(2, 3), st.integers(0, 2**62))
def test_both_kinds_are_chosen_wherever_two_of_them_can_be_together(bench, places, seed):
    choice = choose(bench, places, needed_kinds=BOTH, today=TODAY, seed=seed)
    kinds = {each.provider.kind for each in choice.chosen}
    can_be = any(
        one.provider.kind is BODY
        and other.provider.kind is CONSULTANT
        and related_obstacle(one.provider, [other.provider], today=TODAY) is None
        and related_obstacle(other.provider, [one.provider], today=TODAY) is None
        for one in bench
        for other in bench
    )
    assert (kinds == BOTH) is can_be


def year(leads, providers, *, places, bands=lambda lead, number: 0, weights=None):
    """Run so many leads over so many providers; return how often each was invited."""
    draw = random.Random(7)
    credit = dict.fromkeys(range(1, providers + 1), 0.0)
    last = dict.fromkeys(credit)
    count = dict.fromkeys(credit, 0)
    for lead in range(leads):
        bench = [
            seat(
                number,
                band=bands(lead, number),
                credit=credit[number],
                invited_at=last[number],
                weight=(weights or {}).get(number, 1.0),
            )
            for number in credit
        ]
        choice = choose(bench, places, needed_kinds=(), today=TODAY, seed=draw.getrandbits(62))
        for each, balance in choice.credits.items():
            credit[each.int] = balance
        for each in choice.chosen:
            count[each.provider.id.int] += 1
            last[each.provider.id.int] = NOW + timedelta(minutes=lead)
    assert sum(credit.values()) == pytest.approx(0, abs=1e-6)
    return count


@pytest.mark.parametrize("places", [1, 2, 3])
def test_two_hundred_equal_leads_over_ten_equals_differ_by_two_at_most(places):
    counts = year(200, 10, places=places).values()
    assert sum(counts) == 200 * places
    assert max(counts) - min(counts) <= 2


def test_who_weighs_half_is_invited_about_half_as_often():
    counts = year(300, 10, places=1, weights={1: 0.5})
    assert counts[1] == pytest.approx(300 * 0.5 / 9.5, abs=2)


def test_whoever_fits_every_lead_worse_is_invited_only_for_what_is_left_over():
    counts = year(100, 5, places=3, bands=lambda lead, number: int(number > 2))
    assert counts[1] == counts[2] == 100
    assert max(counts[n] for n in (3, 4, 5)) - min(counts[n] for n in (3, 4, 5)) <= 2
