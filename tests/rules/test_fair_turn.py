"""Everybody's fair turn: whom a run takes, and that credit is neither made nor lost."""

import random
from datetime import timedelta
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.matching.rules import Choice, choose, places_by_kind
from tests.rules.facts import BODY, CONSULTANT, NOW, provider_id, seat

BOTH = frozenset({CONSULTANT, BODY})


def apart(*pairs):
    """Return pairs of the bench that impartiality keeps apart."""
    return [(provider_id(one), provider_id(other)) for one, other in pairs]


def chosen(bench, places, *, needed=(), clashes=(), seed=1):
    choice = choose(bench, places, needed_kinds=needed, clashes=clashes, seed=seed)
    return [each.provider_id.int for each in choice.chosen]


def assert_credit_is_whole(bench, choice):
    """Everybody ends with what it had and gained, less one if it was invited; nothing is made."""
    before = {each.provider_id: each.credit for each in bench}
    invited = {each.provider_id for each in choice.chosen}
    assert choice.credits.keys() == choice.gained.keys() >= invited
    for each, after in choice.credits.items():
        paid = 1.0 if each in invited else 0.0
        assert after - before[each] == pytest.approx(choice.gained[each] - paid, abs=1e-8)
        assert 0 < choice.gained[each] <= len(choice.chosen) + 1e-9
    assert sum(choice.gained.values()) == pytest.approx(len(invited), abs=1e-7)


def assert_rounds_say_it_all(bench, choice, clashes):
    """By the rounds alone everybody's credit can be followed, and why each was taken."""
    seats = {each.provider_id: each for each in bench}
    credit = {each.provider_id: each.credit for each in bench}
    taken = []
    for each in choice.rounds:
        among = [seats[one] for one in each.scores]
        assert len({seat.fit.band for seat in among}) == 1
        assert each.kind is None or {seat.kind for seat in among} == {each.kind}
        assert not set(taken) & each.scores.keys()
        grown = sum(score - credit[one] for one, score in each.scores.items())
        assert grown == pytest.approx(len(each.taken), abs=1e-7)
        lowest = min(each.scores[one] for one in each.taken)
        for one in among:
            assert each.scores[one.provider_id] <= lowest or any(
                one.provider_id == other or are_apart(one, seats[other], clashes)
                for other in each.taken
            )
        credit |= each.scores
        taken += each.taken
    assert taken == [each.provider_id for each in choice.chosen]
    for each, after in choice.credits.items():
        assert credit[each] - (each in taken) == pytest.approx(after, abs=1e-8)


def assert_nobody_is_there_twice_or_beside_a_relative(choice, places, clashes):
    assert len({each.provider_id for each in choice.chosen}) == len(choice.chosen) <= places
    assert not any(are_apart(*pair, clashes) for pair in combinations(choice.chosen, 2))


def assert_no_place_is_empty_that_somebody_left_may_take(bench, choice, places, clashes):
    if len(choice.chosen) == places:
        return
    for each in bench:
        assert each in choice.chosen or any(
            are_apart(each, taken, clashes) for taken in choice.chosen
        )


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
    choice = choose(bench, 1, needed_kinds=(), seed=1)
    assert provider_id(3) not in choice.credits
    assert provider_id(3) not in choice.gained
    assert sorted(choice.credits.values()) == pytest.approx([-0.5, 0.5])
    assert list(choice.gained.values()) == pytest.approx([0.5, 0.5])


def test_where_nobody_can_be_chosen_no_credit_moves():
    for bench, places in (([], 3), ([seat(1)], 0)):
        choice = choose(bench, places, needed_kinds=BOTH, seed=1)
        assert choice == Choice(chosen=(), gained={}, credits={})


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


def test_a_kind_that_is_needed_takes_its_turn_alone_and_one_band_may_have_several():
    bench = [seat(1, BODY), seat(2, BODY), seat(3), seat(4), seat(5, band=1)]
    first, second, third = choose(bench, 3, needed_kinds=BOTH, seed=1).rounds
    assert (first.kind, *first.scores) == (BODY, provider_id(1), provider_id(2))
    assert (second.kind, *second.scores) == (CONSULTANT, provider_id(3), provider_id(4))
    assert third.kind is None
    assert [*third.scores.values()] == [1.0, 1.0]  # half a turn, and half of another
    assert {*third.scores} == {each.provider_id for each in bench[:4]} - {
        *first.taken,
        *second.taken,
    }


def test_relatives_on_one_bench_are_never_both_chosen():
    bench = [seat(1, BODY), seat(2, CONSULTANT)]
    for seed in range(20):
        for clashes in (apart((1, 2)), apart((2, 1))):
            assert len(chosen(bench, 3, clashes=clashes, seed=seed)) == 1
            assert len(chosen(bench, 3, needed=BOTH, clashes=clashes, seed=seed)) == 1


def test_a_pair_that_can_be_together_is_found_though_the_first_in_turn_rules_it_out():
    """The body whose turn it is is related to the only consultant; another body is not."""
    bench = [seat(1, BODY, credit=5.0), seat(2, BODY), seat(3, CONSULTANT)]
    assert set(chosen(bench, 3, needed=BOTH, clashes=apart((1, 3)))) == {2, 3}
    worse = [seat(1, BODY), seat(2, BODY, band=2), seat(3, CONSULTANT)]
    assert set(chosen(worse, 2, needed=BOTH, clashes=apart((1, 3)))) == {2, 3}


def test_where_no_pair_can_be_together_the_places_are_filled_all_the_same():
    bench = [seat(1, BODY), seat(2, BODY), seat(3, CONSULTANT)]
    assert sorted(chosen(bench, 3, needed=BOTH, clashes=apart((1, 3), (2, 3)))) == [1, 2]


@pytest.mark.parametrize("poorer", [False, True])
def test_all_who_may_be_together_are_taken_before_a_poorer_fit_though_their_order_turns(poorer):
    """With three turns to share out the relative of all of them comes first; with one, another."""
    credits = {2: 0.2, 3: -0.8, 4: 0.1}
    bodies = [seat(number, BODY, credit=each, weight=0.5) for number, each in credits.items()]
    relative = seat(1, CONSULTANT, weight=0.9)
    bench = [relative, *bodies, *([seat(5, BODY, band=1)] if poorer else [])]
    clashes = apart((1, 2), (1, 3), (1, 4))
    assert sorted(chosen(bench, 3, clashes=clashes)) == [2, 3, 4]
    assert_credit_is_whole(bench, choose(bench, 3, needed_kinds=(), clashes=clashes, seed=1))


def test_credit_stays_whole_where_a_relative_has_to_go_without():
    bench = [seat(1, BODY), seat(2, CONSULTANT), seat(3, CONSULTANT)]
    for seed in range(10):
        for places in (1, 2, 3):
            choice = choose(bench, places, needed_kinds=(), clashes=apart((1, 2)), seed=seed)
            assert_credit_is_whole(bench, choice)


def test_only_the_kinds_that_a_lead_has_not_are_needed():
    assert places_by_kind(BOTH, []) == BOTH
    assert places_by_kind(BOTH, [BODY, BODY]) == {CONSULTANT}
    assert places_by_kind(BOTH, BOTH) == frozenset()
    assert places_by_kind({BODY}, []) == frozenset()


@st.composite
def benches(draw):
    """Return a bench of any mixture, and pairs of different kinds that have to stay apart."""
    size = draw(st.integers(0, 12))
    bench = [
        seat(
            number,
            draw(st.sampled_from([CONSULTANT, BODY])),
            band=draw(st.integers(0, 2)),
            credit=draw(st.integers(-30, 30)) / 10,
            weight=draw(st.sampled_from([0.5, 0.9, 1.0, 1.25])),
            invited_at=draw(st.sampled_from([None, NOW, NOW - timedelta(days=3)])),
        )
        for number in range(1, size + 1)
    ]
    pairs = [
        (one.provider_id, other.provider_id)
        for one, other in combinations(bench, 2)
        if one.kind is not other.kind
    ]
    clashes = draw(st.lists(st.sampled_from(pairs), max_size=12, unique=True)) if pairs else []
    return bench, clashes


def are_apart(one, other, clashes):
    pairs = {(one.provider_id, other.provider_id), (other.provider_id, one.provider_id)}
    return not pairs.isdisjoint(clashes)


runs = (benches(), st.integers(0, 3), st.sampled_from([(), BOTH, {BODY}]), st.integers(0, 2**62))


@settings(max_examples=300, deadline=None)
@given(*runs)
def test_credit_is_whole_nobody_is_taken_twice_and_no_place_is_empty_that_need_not_be(
    market, places, needed, seed
):
    bench, clashes = market
    choice = choose(bench, places, needed_kinds=needed, clashes=clashes, seed=seed)
    assert_credit_is_whole(bench, choice)
    assert_rounds_say_it_all(bench, choice, clashes)
    assert_nobody_is_there_twice_or_beside_a_relative(choice, places, clashes)
    assert_no_place_is_empty_that_somebody_left_may_take(bench, choice, places, clashes)


@settings(max_examples=200, deadline=None)
@given(*runs, st.randoms())
def test_the_order_of_the_bench_and_of_its_clashes_does_not_matter(
    market, places, needed, seed, shuffling
):
    bench, clashes = market
    mixed = list(bench)
    shuffling.shuffle(mixed)
    turned = [pair[::-1] for pair in clashes]
    shuffling.shuffle(turned)
    one = choose(bench, places, needed_kinds=needed, clashes=clashes, seed=seed)
    assert choose(mixed, places, needed_kinds=needed, clashes=turned, seed=seed) == one


@settings(max_examples=200, deadline=None)
@given(benches(), st.integers(2, 3), st.integers(0, 2**62))
def test_both_kinds_are_chosen_wherever_two_of_them_can_be_together(market, places, seed):
    bench, clashes = market
    choice = choose(bench, places, needed_kinds=BOTH, clashes=clashes, seed=seed)
    kinds = {each.kind for each in choice.chosen}
    can_be = any(
        one.kind is not other.kind and not are_apart(one, other, clashes)
        for one, other in combinations(bench, 2)
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
        choice = choose(bench, places, needed_kinds=(), seed=draw.getrandbits(62))
        for each, balance in choice.credits.items():
            credit[each.int] = balance
        for each in choice.chosen:
            count[each.provider_id.int] += 1
            last[each.provider_id.int] = NOW + timedelta(minutes=lead)
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
