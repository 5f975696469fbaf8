"""What a run shares out: so many turns by weight, and a weight that a record moves gently."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.core.policy import Policy
from marketplace.matching import rules
from marketplace.matching.rules import gains, shares_of_a_turn
from tests.rules.facts import provider_id


def weight(answered, missed):
    policy = Policy()
    return rules.weight(
        answered=answered, missed=missed, prior=policy.record_prior, bounds=policy.weight_bounds
    )


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


@given(weights, st.integers(1, 3))
def test_a_turn_that_comes_back_is_taken_from_all_as_they_gained_it_and_is_one_turn(some, places):
    gained = {provider_id(n): share for n, share in enumerate(gains(some, places), start=1)}
    shares = shares_of_a_turn(gained)
    assert shares.keys() == gained.keys()
    assert sum(shares.values()) == pytest.approx(1)
    turns = min(places, len(some))
    for each, share in shares.items():
        assert share * turns == pytest.approx(gained[each], abs=1e-7)


records = st.one_of(st.integers(0, 5000), st.floats(0, 60))


@given(records, records)
def test_a_record_moves_the_weight_gently(answered, missed):
    least, most = Policy().weight_bounds
    found = weight(answered, missed)
    assert least <= found <= most
    assert weight(answered + 1, missed) >= found
    assert weight(answered, missed + 1) <= found


def test_without_a_record_the_weight_is_one():
    assert weight(0, 0) == 1.0
    assert weight(8, 2) == 1.0
    assert weight(0, 1) > 0.9


def test_the_record_that_is_believed_and_the_bounds_are_data():
    wide = {"prior": (1.0, 1.0), "bounds": (0.0, 9.0)}
    assert rules.weight(answered=0, missed=0, **wide) == 1.0
    assert rules.weight(answered=0, missed=8, **wide) == pytest.approx(0.2)
    assert rules.weight(answered=8, missed=0, **wide) == pytest.approx(1.8)
    assert rules.weight(answered=0, missed=8, prior=(1.0, 1.0), bounds=(0.5, 1.25)) == 0.5
