"""Whole matches on generated markets: who is invited, who is not, and what is written down."""

import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.bootstrap import Product
from marketplace.core.jobs import Job
from marketplace.matching.service import match_lead
from tests.conftest import RecordingQueue
from tests.fuzz.sizes import LONG, generated
from tests.properties.generated import market_of, markets
from tests.properties.leads import LEAD, put_lead, told
from tests.properties.markets import BODY, CONSULTANT, Advice, Market, Tie, storable
from tests.properties.outcomes import (
    Outcome,
    either_has_both_kinds_where_it_can,
    everybody_invited_may_be,
    it_is_written_down_why,
    it_waits_for_what_could_help,
    nobody_is_missing,
    nobody_loses_an_invitation_without_a_reason,
    what_is_in_use_is_counted,
)


@pytest.fixture(scope="module")
def matched(stored, installation: Product):
    def matched(market: Market) -> Outcome:
        with stored(market) as session:
            put_lead(session.connection(), market)
            session.commit()
            ctx = replace(
                installation.ctx,
                sessions=lambda: session,
                clock=lambda: market.now,
                queue=RecordingQueue(),
            )
            match_lead(ctx, LEAD)
            if (Job.MATCH_LEADS, LEAD) in ctx.queue.jobs:  # it took back, and asks for another run
                match_lead(ctx, LEAD)
            return Outcome(session, told(market))

    return matched


@generated(100)
@given(market=markets(100).map(storable))
def test_a_match_invites_the_right_ones_and_writes_down_why(matched, market):
    outcome = matched(market)
    nobody_loses_an_invitation_without_a_reason(outcome)
    everybody_invited_may_be(outcome)
    nobody_is_missing(outcome)
    either_has_both_kinds_where_it_can(outcome)
    what_is_in_use_is_counted(outcome)
    it_is_written_down_why(outcome)
    it_waits_for_what_could_help(outcome)


def plain_market(service: str, kinds: Sequence[str], *, now: int = 0, ties=(), advice=()) -> Market:
    """Return a market where everybody of the kind asked for is eligible, but for impartiality."""
    head = bytes([now, ["consulting", "certification", "either"].index(service), *bytes(12)])
    firms = [bytes([kind == BODY, kind == BODY, *bytes(22)]) for kind in kinds]
    return market_of(head, firms, ties, advice)


Company = tuple[list[str], list[tuple[int, int]]]
"""Of what kind the firms of a market are, and which of them are related."""


def companies(short: int) -> st.SearchStrategy[Company]:
    """Return so many companies, drawn evenly; or in the long form all that there can be."""
    if not LONG:
        return st.integers(0, short - 1).map(company)
    kinds = st.lists(st.sampled_from([CONSULTANT, BODY]), min_size=2, max_size=5)
    pairs = st.tuples(st.integers(1, 5), st.integers(1, 5))
    return st.tuples(kinds, st.lists(pairs, max_size=6))


def company(number: int) -> Company:
    draw = random.Random(number)
    kinds = draw.choices([CONSULTANT, BODY], k=draw.randint(2, 5))
    pairs = [*combinations(range(1, len(kinds) + 1), 2)]
    return kinds, draw.sample(pairs, draw.randint(0, len(pairs)))


@generated(60)
@given(companies(60))
def test_either_brings_both_kinds_wherever_two_may_stand_together(matched, kinds_and_related):
    kinds, related = kinds_and_related
    market = plain_market("either", kinds)
    numbers = range(1, len(kinds) + 1)
    ties = (Tie(one, other, None, None) for one, other in related if one != other)
    among = (tie for tie in ties if tie.one in numbers and tie.other in numbers)
    either_has_both_kinds_where_it_can(matched(replace(market, ties=tuple(among))))


@generated(60)
@given(
    now=st.integers(0, 6),
    kinds=st.lists(st.sampled_from([BODY, CONSULTANT]), min_size=2, max_size=5),
    ties=st.lists(st.binary(min_size=4, max_size=4), min_size=1, max_size=5),
    advice=st.lists(st.binary(min_size=3, max_size=3), min_size=1, max_size=2),
)
def test_no_body_certifies_whom_it_or_a_relative_advised(matched, now, kinds, ties, advice):
    outcome = matched(plain_market("certification", kinds, now=now, ties=ties, advice=advice))
    everybody_invited_may_be(outcome)
    nobody_is_missing(outcome)


@pytest.mark.parametrize("entity", ["AU:1", None])
def test_a_body_that_advised_as_another_entry_of_its_legal_entity_is_not_invited(matched, entity):
    """A consultancy that was turned away, say, because the same company certifies."""
    market = plain_market("certification", [CONSULTANT, BODY])
    firms = (
        replace(market.firms[0], entity="AU:1", state="rejected"),
        replace(market.firms[1], entity=entity),
    )
    advice = (Advice(firm=1, name="firm 1", ended_on=None),)
    market = replace(market, firms=firms, ask=replace(market.ask, advice=advice))
    assert [firm.number for firm in matched(market).new] == ([] if entity else [2])
