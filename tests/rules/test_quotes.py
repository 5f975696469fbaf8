"""What quotes add up to, to the cent, and what may be told of how they compare."""

from datetime import UTC, datetime
from decimal import Decimal

import pycountry
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.quotes.rules import (
    CERTIFICATION_LINES,
    NO_MONEY,
    Priced,
    added_up,
    cents,
    days_left_out,
    distance_in_words,
    is_outside,
    left_out,
    line_amount,
    missing,
    personnel_at_most,
    standings,
    told_as,
    total,
    with_tax,
)

FEES = {
    "application": "250.00",
    "stage_1": "1800.10",
    "stage_2": "4200.20",
    "surveillance_1": "2000.30",
    "surveillance_2": "2000.40",
    "recertification": "4000.00",
    "annual": "333.33",
    "travel": "500.55",
}


def certification(travel_basis=None, **fees):
    kept = {name: amount for name, amount in {**FEES, **fees}.items() if amount is not None}
    return {"fees": kept, "travel_basis": travel_basis}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        # 250 + 1800.10 + 4200.20 + 2000.30 + 2000.40 + 3 x 333.33 + 500.55; recertification apart
        (certification(), "11751.54"),
        (certification("capped"), "11751.54"),
        (certification("at_cost"), "11751.54"),
        (certification("included", travel=None), "11250.99"),
        (certification(recertification="999999.99"), "11751.54"),
        (certification(annual=None), "10751.55"),
        (certification(application=None, annual=None, travel=None), "10001.00"),
        ({"fees": {"stage_1": "0.00", "stage_2": "0.00"}}, "0.00"),
        ({"fees": {"stage_1": "0.01", "stage_2": "0.02"}}, "0.03"),
        ({"fees": {"stage_1": "999999999.99", "stage_2": "999999999.99"}}, "1999999999.98"),
    ],
)
def test_a_certification_costs_what_falls_due_in_three_years(body, expected):
    assert total("certification", body) == Decimal(expected)
    assert str(total("certification", body)) == expected


@pytest.mark.parametrize(
    ("fees", "travel", "expected"),
    [
        (["1000.00"], None, "1000.00"),
        (["0.10", "0.20"], None, "0.30"),
        (["1000.00", "2500.50"], "99.99", "3600.49"),
        (["0.00"], "0.00", "0.00"),
    ],
)
def test_consulting_costs_its_phases_and_its_travel(fees, travel, expected):
    body = {"phases": [{"fee": fee} for fee in fees], "travel": travel}
    assert str(total("consulting", body)) == expected


def test_a_consulting_quote_that_says_nothing_of_travel_can_be_added_up():
    assert total("consulting", {"phases": [{"fee": "5.00"}]}) == Decimal("5.00")


@given(st.lists(st.decimals(0, 10**6, places=2), min_size=1, max_size=30))
def test_no_cent_is_made_or_lost(fees):
    body = {"phases": [{"fee": str(fee)} for fee in fees]}
    assert total("consulting", body) == sum(fees)


@pytest.mark.parametrize("line", CERTIFICATION_LINES, ids=lambda line: line.key)
def test_what_is_not_said_is_named_and_never_zero(line):
    body = certification(**{line.key: None})
    assert missing("certification", body) == [line.label]
    assert line_amount(line, body["fees"], None) is None


@pytest.mark.parametrize("line", CERTIFICATION_LINES, ids=lambda line: line.key)
def test_what_is_said_to_be_nothing_is_zero_and_not_missing(line):
    body = certification(**{line.key: "0.00"})
    assert missing("certification", body) == []
    assert line_amount(line, body["fees"], None) == 0


@pytest.mark.parametrize(
    ("basis", "fee", "amount", "is_missing"),
    [
        ("included", None, "0.00", False),
        ("capped", "500.00", "500.00", False),
        ("capped", None, None, True),
        ("at_cost", None, None, True),
        (None, None, None, True),
        (None, "12.00", "12.00", False),
    ],
)
def test_travel_is_nothing_only_where_it_is_included(basis, fee, amount, is_missing):
    body = certification(basis, travel=fee)
    line = next(each for each in CERTIFICATION_LINES if each.key == "travel")
    found = line_amount(line, body["fees"], basis)
    assert found == (None if amount is None else Decimal(amount))
    assert ("Travel" in missing("certification", body)) is is_missing


def test_travel_at_cost_is_an_estimate_that_may_come_to_more():
    body = certification("at_cost", travel="800.00")
    assert missing("certification", body) == ["Travel beyond the estimate"]
    assert missing("certification", certification("capped", travel="800.00")) == []


def test_the_next_cycle_is_not_stated_and_is_no_part_of_the_total():
    body = certification(recertification=None, surveillance_2=None)
    assert left_out("certification", body) == ["Second surveillance audit"]
    assert len(missing("certification", body)) == 2


def test_the_annual_fee_falls_due_three_times():
    line = next(each for each in CERTIFICATION_LINES if each.key == "annual")
    assert line_amount(line, {"annual": "333.33"}, None) == Decimal("999.99")


@pytest.mark.parametrize(
    ("travel", "expected"),
    [
        (None, ["the certification body's own fees", "Travel"]),
        ("0.00", ["the certification body's own fees"]),
        ("50.00", ["the certification body's own fees"]),
    ],
)
def test_a_consulting_quote_never_pretends_to_hold_the_certificate(travel, expected):
    assert missing("consulting", {"phases": [{"fee": "1"}], "travel": travel}) == expected


@pytest.mark.parametrize(
    ("amount", "rate", "expected"),
    [
        ("100.00", "10", "110.00"),
        ("0.05", "10", "0.06"),  # 0.055
        ("0.15", "10", "0.17"),  # 0.165
        ("0.04", "10", "0.04"),  # 0.044
        ("99.99", "7.75", "107.74"),  # 107.739225
        ("1.00", "0.50", "1.01"),  # 1.005
        ("100.00", "0", "100.00"),
        ("100.00", "100", "200.00"),
        ("100.00", None, None),
    ],
)
def test_tax_is_rounded_half_up_to_the_cent(amount, rate, expected):
    found = with_tax(Decimal(amount), rate, "AUD")
    assert (None if found is None else str(found)) == expected


@pytest.mark.parametrize(
    ("amount", "rate", "expected"),
    [
        ("333.00", "10", "366.00"),  # 366.3
        ("335.00", "10", "369.00"),  # 368.5
        ("5.00", "8", "5.00"),  # 5.4
        ("100.00", "0", "100.00"),
    ],
)
def test_tax_in_a_currency_without_cents_is_rounded_half_up_to_the_whole(amount, rate, expected):
    assert str(with_tax(Decimal(amount), rate, "JPY")) == expected


@pytest.mark.parametrize(
    ("exact", "rounded"),
    [("1.004", "1.00"), ("1.005", "1.01"), ("1.015", "1.02"), ("2.675", "2.68"), ("0", "0.00")],
)
def test_half_a_cent_goes_up(exact, rounded):
    assert str(cents(Decimal(exact))) == rounded


@pytest.mark.parametrize(
    ("edition", "covered", "expected"),
    [
        ("2026", {"2026"}, False),
        ("2026", {"2015", "2026"}, False),
        ("2026", {"2015"}, True),
        ("2026", {"2015", None}, False),
        ("2026", {None}, False),
        ("2026", set(), False),
    ],
)
def test_only_a_known_and_different_edition_is_outside(edition, covered, expected):
    assert is_outside(edition, covered) is expected


@pytest.mark.parametrize(
    ("headcount", "most"), [(1, 100), (10, 100), (11, 110), (1_000_000, 10_000_000)]
)
def test_effective_personnel_is_at_most_ten_times_the_headcount(headcount, most):
    assert personnel_at_most(headcount, times=10, at_least=10) == most


def test_what_has_a_fee_and_no_days_is_named_and_what_costs_nothing_is_not():
    some = {"stage_1": 1, "stage_2": None, "recertification": None}
    body = certification() | {"audit_days": some}
    assert days_left_out("certification", body) == [
        "Stage 2 audit", "First surveillance audit", "Second surveillance audit",
    ]  # fmt: skip
    free = {"fees": {"stage_1": "5.00", "stage_2": "0.00"}, "audit_days": {"stage_1": 0}}
    assert days_left_out("certification", free) == []
    phases = [
        {"name": "Gap analysis", "fee": "5.00", "days": 1},
        {"name": "Build", "fee": "5.00", "days": None},
        {"name": "Train", "fee": "0.01"},
        {"name": "Gift", "fee": "0.00"},
    ]
    assert days_left_out("consulting", {"phases": phases}) == ["Build", "Train"]


def test_every_code_that_nobody_pays_in_is_one_of_iso_4217():
    known = {each.alpha_3 for each in pycountry.currencies}
    assert known >= NO_MONEY
    assert {"AUD", "NZD", "EUR", "USD", "XPF", "XOF", "XAF", "XCD"} <= known - NO_MONEY


def priced(*amounts, kind="consulting", currency="AUD", start=0):
    return [
        Priced(start + index, kind, currency, Decimal(amount))
        for index, amount in enumerate(amounts)
    ]


@pytest.mark.parametrize("amounts", [(), ("100",), ("100", "200")])
def test_with_fewer_than_three_nobody_learns_anything(amounts):
    assert standings(priced(*amounts)) == {}


@pytest.mark.parametrize(
    ("amounts", "ranks"),
    [
        (("300", "100", "200"), [3, 1, 2]),
        (("100", "100", "200"), [1, 1, 3]),
        (("100", "200", "200"), [1, 2, 2]),
        (("100", "100", "100"), [1, 1, 1]),
        (("100", "200.00", "200", "400"), [1, 2, 2, 4]),
    ],
)
def test_equal_prices_share_the_better_rank(amounts, ranks):
    found = standings(priced(*amounts))
    assert [found[index].rank for index in range(len(amounts))] == ranks
    assert {each.quotes for each in found.values()} == {len(amounts)}


def test_only_what_can_be_compared_is_compared():
    two_and_two = [
        *priced("100", "200", kind="consulting"),
        *priced("150", "250", kind="certification", start=10),
    ]
    assert standings(two_and_two) == {}
    currencies = [*priced("100", "200"), *priced("150", currency="NZD", start=10)]
    assert standings(currencies) == {}
    three_and_one = [*priced("1", "2", "3"), *priced("9", kind="certification", start=10)]
    assert set(standings(three_and_one)) == {0, 1, 2}
    assert standings(three_and_one)[0].quotes == 3


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        ("100.00", "within 10 %"),
        ("110.00", "within 10 %"),
        ("90.00", "within 10 %"),
        ("110.01", "within 30 %"),
        ("89.99", "within 30 %"),
        ("130.00", "within 30 %"),
        ("70.00", "within 30 %"),
        ("130.01", "further away"),
        ("69.99", "further away"),
        ("0.00", "further away"),
    ],
)
def test_the_distance_from_the_median_changes_at_exactly_ten_and_thirty_per_cent(amount, words):
    others = [Decimal("100.00"), Decimal("1.00"), Decimal("1000.00")]
    assert distance_in_words(Decimal(amount), others) == words


def test_the_median_of_an_even_number_lies_between_the_middle_two():
    amounts = [Decimal("100"), Decimal("110"), Decimal("120"), Decimal("200")]
    assert distance_in_words(Decimal("103.50"), amounts) == "within 10 %"
    assert distance_in_words(Decimal("103.49"), amounts) == "within 30 %"


def test_a_median_of_nothing_divides_nothing():
    nothing = [Decimal("0.00")] * 3
    assert distance_in_words(Decimal("0.00"), nothing) == "within 10 %"
    assert distance_in_words(Decimal("0.01"), nothing) == "further away"


@pytest.mark.parametrize(
    ("kind", "body", "total_", "unstated"),
    [
        (
            "certification",
            {},
            "0.00",
            "application stage_1 stage_2 surveillance_1 surveillance_2 annual travel",
        ),
        (
            "certification",
            {"fees": {"annual": "333.33", "recertification": "9.99"}, "travel_basis": "included"},
            "999.99",
            "application stage_1 stage_2 surveillance_1 surveillance_2",
        ),
        ("certification", certification(), "11751.54", ""),
        ("consulting", {}, "0.00", "certificate travel"),
        (
            "consulting",
            {"phases": [{"fee": "0.10"}, {"fee": None}, {"name": "Build"}], "travel": "0.20"},
            "0.30",
            "phases.1.fee phases.2.fee certificate",
        ),
        ("consulting", {"phases": [], "travel": None}, "0.00", "certificate travel"),
    ],
)
def test_what_is_filled_in_so_far_is_added_up_and_the_rest_is_named(kind, body, total_, unstated):
    found = added_up(kind, body)
    assert str(found.total) == total_
    assert found.unstated == tuple(unstated.split())


@pytest.mark.parametrize(
    ("version", "minute", "told"),
    [(1, 0, "1"), (5, 59, "5"), (6, 0, "2026-12-01T09"), (7, 59, "2026-12-01T09")],
)
def test_of_many_versions_one_mail_an_hour_tells(version, minute, told):
    now = datetime(2026, 12, 1, 9, minute, tzinfo=UTC)
    assert told_as(version, now=now, each=5) == told
