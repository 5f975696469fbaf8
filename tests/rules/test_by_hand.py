"""What an administrator's own choice may not do, and what it costs whom."""

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.matching.by_hand import choice_of, kept_out
from tests.rules.facts import BODY, CONSULTANT, provider_id, seat
from tests.rules.test_fair_turn import (
    BOTH,
    apart,
    are_apart,
    assert_credit_is_whole,
    benches,
)

A, B, C = seat(1, CONSULTANT), seat(2, CONSULTANT), seat(3, BODY)


@pytest.mark.parametrize(
    ("bench", "chosen", "places", "needed", "clashes", "expected"),
    [
        # The last place is for the kind that the lead has not, if there is somebody.
        ([A, C], A, 0, {BODY}, (), BODY),
        ([A, C], A, 1, {BODY}, (), None),
        ([A, C], C, 0, {BODY}, (), None),
        ([A, B], A, 0, {BODY}, (), None),
        ([A, C], A, 0, (), (), None),
        ([A, C], A, 1, BOTH, (), None),
        # Of the only place there is, either kind may have it.
        ([A, C], A, 0, BOTH, (), None),
        ([A, C], C, 0, BOTH, (), None),
        # Its relatives could not come in beside it, however many places are left.
        ([A, B, C], A, 2, {BODY}, apart((1, 3)), BODY),
        ([A, B, C], A, 2, BOTH, apart((3, 1)), BODY),
        ([A, B, C], B, 2, BOTH, apart((3, 1)), None),
        # Where no two can be together either may be, if the lead has neither yet.
        ([A, C], A, 2, BOTH, apart((1, 3)), None),
        ([A, C], C, 2, BOTH, apart((1, 3)), None),
        ([A, C], A, 2, {BODY}, apart((1, 3)), BODY),
    ],
)
def test_whom_a_choice_keeps_out(bench, chosen, places, needed, clashes, expected):
    assert kept_out_of(bench, chosen, places, needed, clashes) is expected


def kept_out_of(bench, chosen, places, needed, clashes):
    kinds = {each.provider_id: each.kind for each in bench}
    return kept_out(kinds, chosen.provider_id, places=places, needed_kinds=needed, clashes=clashes)


choices = (benches(), st.sampled_from([(), BOTH, {BODY}, {CONSULTANT}]), st.randoms())


@settings(max_examples=300, deadline=None)
@given(*choices, st.integers(1, 3))
def test_a_choice_is_refused_exactly_where_a_lead_could_have_had_more_of_the_kinds_it_needs(
    market, needed, draw, places
):
    bench, clashes = market
    if not bench:
        return
    chosen = draw.choice(bench)

    def kinds_had(some):
        return len({each.kind for each in some} & {*needed})

    together = [
        some
        for number in range(1, min(places, 2) + 1)
        for some in combinations(bench, number)
        if not any(are_apart(*pair, clashes) for pair in combinations(some, 2))
    ]
    most = max(kinds_had(some) for some in together)
    # Of a kind that is not needed, it takes up a place that cannot be given to one that is.
    most_beside_it = max(kinds_had(some) for some in together if chosen in some)
    found = kept_out_of(bench, chosen, places - 1, needed, clashes)
    assert (found is None) is (most_beside_it == most)


@settings(max_examples=300, deadline=None)
@given(*choices)
def test_it_is_one_turn_and_credit_is_neither_made_nor_lost(market, needed, draw):
    bench, _ = market
    if not bench:
        return
    chosen = draw.choice(bench)
    choice = choice_of(bench, chosen.provider_id, needed_kinds=needed)
    assert choice.chosen == (chosen,)
    assert_credit_is_whole(bench, choice)
    shared_by = [each for each in bench if each.provider_id in choice.gained]
    assert {each.fit.band for each in shared_by} == {chosen.fit.band}
    assert chosen.kind not in needed or {each.kind for each in shared_by} == {chosen.kind}


def test_whoever_is_alone_in_its_band_gains_the_turn_that_it_pays():
    bench = [seat(1, band=1, credit=-2.0), seat(2)]
    choice = choice_of(bench, provider_id(1), needed_kinds=())
    assert (choice.gained, choice.credits) == ({provider_id(1): 1.0}, {provider_id(1): -2.0})


def test_the_turn_is_shared_out_by_weight():
    bench = [seat(1), seat(2, weight=0.5), seat(3, weight=0.5), seat(4, band=1)]
    choice = choice_of(bench, provider_id(2), needed_kinds=())
    assert choice.gained == {provider_id(1): 0.5, provider_id(2): 0.25, provider_id(3): 0.25}
    assert choice.credits == {provider_id(1): 0.5, provider_id(2): -0.75, provider_id(3): 0.25}
