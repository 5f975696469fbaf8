"""What an administrator's own choice costs whom."""

from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.matching.by_hand import choice_of
from tests.rules.facts import BODY, CONSULTANT, provider_id, seat
from tests.rules.test_fair_turn import (
    BOTH,
    assert_credit_is_whole,
    benches,
)

choices = (benches(), st.sampled_from([(), BOTH, {BODY}, {CONSULTANT}]), st.randoms())


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
