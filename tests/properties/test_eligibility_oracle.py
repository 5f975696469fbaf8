"""Eligibility, as a rule and as the database asks for it, beside an oracle in plain sentences."""

import random
from dataclasses import replace

import pytest
from hypothesis import given

from marketplace.matching import candidates, conditions, shortage
from marketplace.matching.eligibility import Filter, obstacle
from marketplace.providers.facts import provider_facts
from tests.fuzz.sizes import generated
from tests.properties import oracle
from tests.properties.generated import drawn, market_of, markets
from tests.properties.markets import Market, storable
from tests.properties.product import facts_of, id_of, numbers, wanted_of


def known(market: Market):
    """Return the facts of every firm by its id, and of those that were invited."""
    facts = {id_of(firm.number): facts_of(market, firm) for firm in market.firms}
    invited = [id_of(firm.number) for firm in market.firms if firm.was_invited]
    return facts, {each: facts[each] for each in invited}


def reasons(market: Market) -> dict[int, str | None]:
    """Return the first sentence that is not true of a firm, for every firm."""
    return {firm.number: next(iter(oracle.broken(market, firm)), None) for firm in market.firms}


@pytest.mark.parametrize(
    ("service", "never"),
    [
        (
            "consulting",
            {"accreditation"},
        ),
        ("certification", set()),
        ("either", {"kind"}),
    ],
)
def test_few_that_are_drawn_have_every_reason_in_them(service, never):
    """As many as are matched as a whole: fewer are drawn nowhere."""
    some = [market for market in map(drawn, range(100)) if market.ask.service == service]
    found = {reason for market in some for reason in reasons(market).values()}
    assert found == {None, *Filter} - never


@generated(1_000)
@given(markets(1_000))
def test_the_rule_finds_who_may_be_invited_and_why_nobody_else(market):
    wanted = wanted_of(market)
    facts, invited = known(market)
    for each, expected in reasons(market).items():
        found = obstacle(
            wanted, facts[id_of(each)], invited=invited, now=market.now, impartiality_years=2
        )
        assert (found and found.filter.value) == expected


def beginning_at_the_first(market: Market) -> Market:
    """Put the first firm exactly where the run begins, which is where it ends as well."""
    first, *others = market.firms
    first = replace(first, shuffle=candidates.start_of(market.seed))
    return replace(market, firms=(first, *others))


@generated(400)
@given(market=markets(400).map(storable).map(beginning_at_the_first))
def test_the_database_finds_the_same_and_has_the_facts_as_they_are(stored, market):
    facts, invited = known(market)
    expected = reasons(market)
    wanted = wanted_of(market)
    asked = conditions.asked(wanted, invited=invited, now=market.now, impartiality_years=2)
    with stored(market) as session:
        assert provider_facts(session, facts, now=market.now) == facts
        found = found_in(session, market, wanted, asked, limit=64)
        funnel = candidates.funnel(session, asked, seed=market.seed, sample=500)
        failed = shortage.failed_where_it_is(session, wanted, asked)
    eligible = [each for each, reason in expected.items() if reason is None]
    assert found == in_order(market, eligible)
    out = {each: name.value for name, ids in funnel.excluded.items() for each in numbers(ids)}
    assert out == {each: reason for each, reason in expected.items() if reason}
    assert funnel.full == {
        id_of(each)
        for each, reason in expected.items()
        if reason == "capacity" and market.firm(each).open[1] >= market.firm(each).open[0]
    }
    assert funnel.left == left_behind(expected)
    assert funnel.looked_at == funnel.providers == len(expected)
    assert (failed is None) is bool(eligible)
    if failed is not None:
        # Whoever suits is counted the same; where nobody does, it is a filter that left nobody.
        hindered = shortage.hindering(failed)
        assert hindered == shortage.hindering(funnel.failed)
        assert hindered or (shortage.to_blame(failed)[0], 0) in funnel.left


def found_in(session, market, wanted, asked, *, limit):
    found = candidates.eligible_ids(
        session, wanted, asked, kinds=wanted.kinds, seed=market.seed, limit=limit
    )
    for each, kind in found:
        assert kind == market.firm(each.int).kind
    return numbers(each for each, _ in found)


def in_order(market: Market, firms: list[int]) -> list[int]:
    """Return firms from the run's random point of the shuffle on, and round."""
    start = candidates.start_of(market.seed)
    places = [(market.firm(each).shuffle, each) for each in firms]
    return [each for _, each in sorted(places, key=lambda place: (place[0] <= start, place))]


def left_behind(expected: dict[int, str | None]) -> list[tuple[Filter, int]]:
    """Return how many every filter leaves, one after another."""
    left, found = len(expected), []
    for name in Filter:
        left -= sum(reason == name for reason in expected.values())
        found.append((name, left))
    return found


@pytest.mark.parametrize("number", range(4))
def test_so_it_is_in_a_market_that_is_too_large_for_one_look(stored, number):
    draw = random.Random(number)
    market = storable(
        market_of(draw.randbytes(14), [draw.randbytes(27) for _ in range(900)], [], [])
    )
    _, invited = known(market)
    wanted = wanted_of(market)
    asked = conditions.asked(wanted, invited=invited, now=market.now, impartiality_years=2)
    eligible = [firm.number for firm in oracle.eligible(market)]
    with stored(market) as session:
        found = found_in(session, market, wanted, asked, limit=2_000)
        bench = found_in(session, market, wanted, asked, limit=64)
        funnel = candidates.funnel(session, asked, seed=market.seed, sample=500)
    assert found == in_order(market, eligible)
    assert bench == found[:64]
    assert funnel.looked_at == 500
    assert funnel.providers > 500
