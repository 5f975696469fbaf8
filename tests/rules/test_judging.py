"""What is said of a quote beside others: by year, against the tables, and in time or not."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.quotes.audit_time import Assumption, Audit, Expected, Gap, Span
from marketplace.quotes.judging import (
    in_time,
    judged,
    other_editions,
    per_day,
    per_year,
    standards_missing,
    stands,
    travel,
    years,
)
from marketplace.quotes.rules import total

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


def body(travel_basis=None, **fees):
    kept = {name: amount for name, amount in {**FEES, **fees}.items() if amount is not None}
    return {"fees": kept, "travel_basis": travel_basis}


WEEK = timedelta(weeks=1)


def test_each_year_has_its_audits_and_its_annual_fee():
    first, second, third = years(body())
    # 250 + 1800.10 + 4200.20 + 333.33; 2000.30 + 333.33; 2000.40 + 333.33
    assert str(first.amount) == "6583.63"
    assert str(second.amount) == "2333.63"
    assert str(third.amount) == "2333.73"
    assert [year.left_out for year in (first, second, third)] == [(), (), ()]


@pytest.mark.parametrize(
    ("left_out", "amounts", "named"),
    [
        (
            {"annual"},
            ["6250.30", "2000.30", "2000.40"],
            [("Annual fee",), ("Annual fee",), ("Annual fee",)],
        ),
        (
            {"surveillance_1"},
            ["6583.63", "333.33", "2333.73"],
            [(), ("First surveillance audit",), ()],
        ),
        (
            {"annual", "surveillance_2"},
            ["6250.30", "2000.30", None],
            [("Annual fee",), ("Annual fee",), ("Second surveillance audit", "Annual fee")],
        ),
        (
            {"application"},
            ["6333.63", "2333.63", "2333.73"],
            [("Application and registration",), (), ()],
        ),
    ],
)
def test_a_year_names_what_it_leaves_out_and_one_of_which_nothing_is_said_has_no_amount(
    left_out, amounts, named
):
    found = years(body(**dict.fromkeys(left_out)))
    assert [None if year.amount is None else str(year.amount) for year in found] == amounts
    assert [year.left_out for year in found] == named


AMOUNTS = st.none() | st.decimals(0, 10**6, places=2).map(str)


@given(
    st.fixed_dictionaries(dict.fromkeys(FEES, AMOUNTS)),
    st.sampled_from([None, "capped", "at_cost"]),
)
def test_the_years_and_travel_make_the_total_to_the_cent(fees, basis):
    quoted = body(basis, **fees)
    parts = [year.amount for year in years(quoted)] + [travel(quoted)]
    stated = [part for part in parts if part is not None]
    assert sum(stated, Decimal(0)) == total("certification", quoted)


@pytest.mark.parametrize(
    ("amount", "third"),
    [
        ("9000.00", "3000.00"),
        ("10000.00", "3333.33"),
        ("20000.00", "6666.67"),
        ("0.01", "0.00"),
        ("0.02", "0.01"),
        # A half is rounded up, and 3 x 0.005 = 0.015 is the least with a half in it.
        ("0.00", "0.00"),
    ],
)
def test_a_year_on_average_is_a_third(amount, third):
    assert str(per_year(Decimal(amount))) == third


@pytest.mark.parametrize(
    ("amount", "days", "expected"),
    [
        ("9000.00", "6", "1500.00"),
        ("10000.00", "6", "1666.67"),
        ("0.01", "2", "0.01"),  # half a cent goes up
        ("10000.00", "6.5", "1538.46"),
        ("10000.00", "0", None),
    ],
)
def test_a_day_comes_to_everything_over_all_days(amount, days, expected):
    found = per_day(Decimal(amount), Decimal(days))
    assert (None if found is None else str(found)) == expected


def wanted(initial=("2", "4"), surveillance=("0.5", "1.5"), recertification=("1.5", "2.5")):
    spans = zip(Audit, (initial, surveillance, recertification), strict=True)
    return Expected(
        days={audit: Span(Decimal(least), Decimal(most)) for audit, (least, most) in spans},
        standards=("ISO 9001",),
        gaps={},
        assumptions=(),
        personnel=42,
    )


@pytest.mark.parametrize(
    ("stages", "verdict"),
    [
        ((0.5, 1), "below"),
        ((0, 0), "below"),
        ((0.5, 1.5), "within"),
        ((1, 3), "within"),
        ((1, 3.5), "above"),
        ((1.5, 3.5), "above"),
        ((2, 3), "above"),
        ((1.5, 4), "far_above"),  # 5.5 is over 4 x 1.3 = 5.2
        ((10, 10), "far_above"),
        ((None, 4), "not_stated"),
        ((1, None), "not_stated"),
    ],
)
def test_stages_1_and_2_are_judged_together(stages, verdict):
    found = judged(wanted(), dict(zip(("stage_1", "stage_2"), stages, strict=True)))
    assert [each.audit for each in found] == [
        "initial", "surveillance_1", "surveillance_2", "recertification"
    ]  # fmt: skip
    assert found[0].verdict == verdict
    assert [each.verdict for each in found[1:]] == ["not_stated"] * 3


@pytest.mark.parametrize(
    ("line", "days", "verdict"),
    [
        ("surveillance_1", 0, "below"),
        ("surveillance_1", 0.5, "within"),
        ("surveillance_2", 1.5, "within"),
        ("surveillance_2", 2, "far_above"),  # over 1.5 x 1.3 = 1.95
        ("recertification", 1, "below"),
        ("recertification", 1.5, "within"),
        ("recertification", 3, "above"),  # under 2.5 x 1.3 = 3.25
        ("recertification", 3.5, "far_above"),
    ],
)
def test_every_other_audit_is_judged_alone(line, days, verdict):
    found = {each.audit: each for each in judged(wanted(), {line: days})}
    assert found[line].verdict == verdict
    assert found[line].quoted == Decimal(str(days))


def test_more_days_than_the_range_are_not_judged_where_it_is_not_for_all_standards():
    """The days are for ISO 22301 as well, of which no table says anything."""
    partly = replace(wanted(), gaps={"ISO 22301": Gap.NO_TABLE})
    found = [
        judged(partly, {"stage_1": 1, "stage_2": each})[0].verdict for each in (0.5, 2, 3.5, 9)
    ]
    assert found == ["below", "within", "not_judged", "not_judged"]


def test_a_transfer_may_go_without_stages_1_and_2_and_not_without_the_other_audits():
    transfer = replace(wanted(), assumptions=(Assumption.TRANSFER,))
    days = {"stage_1": 0, "stage_2": 0.5, "surveillance_1": 0, "recertification": 1}
    found = {each.audit: each.verdict for each in judged(transfer, days)}
    assert found == {
        "initial": "not_judged",
        "surveillance_1": "below",
        "surveillance_2": "not_stated",
        "recertification": "below",
    }


@pytest.mark.parametrize(
    ("stages", "verdict", "for_all"),
    [
        ((0.5, 1), "below", ("4", "8")),
        ((1, 2), "within", ("4", "8")),
        ((1, 2.5), "within", ("4", "8")),
        ((1, 3), "within", None),  # enough for all
        ((None, 3), "not_stated", None),
    ],
)
def test_days_that_are_too_few_for_all_people_are_noticed_where_a_quote_counts_fewer(
    stages, verdict, for_all
):
    """How many fewer may be counted has no limit: whoever counts one can always have few days."""
    quoted = dict(zip(("stage_1", "stage_2"), stages, strict=True))
    initial = judged(wanted(), quoted, for_all=wanted(initial=("4", "8")))[0]
    found = initial.for_all and (str(initial.for_all.least), str(initial.for_all.most))
    assert (initial.verdict, found) == (verdict, for_all)
    beyond = Expected(days={}, standards=(), gaps={}, assumptions=(), personnel=20_000)
    assert judged(wanted(), quoted, for_all=beyond)[0].for_all is None


@pytest.mark.parametrize(
    ("last_day", "said"),
    [
        ("2027-01-03", "no_longer"),
        ("2027-01-04", "briefly"),
        ("2027-01-10", "briefly"),
        ("2027-01-11", "long"),
    ],
)
def test_a_quote_stands_up_to_its_last_day(last_day, said):
    today = date(2027, 1, 4)
    assert stands(date.fromisoformat(last_day), today, briefly_within=WEEK) == said


def test_without_a_range_nothing_is_judged():
    nothing = Expected(days={}, standards=(), gaps={}, assumptions=(), personnel=42)
    assert judged(nothing, {"stage_1": 1, "stage_2": 2}) == []


def when(start, needed_by, kind="certification", **quoted):
    return in_time(
        kind,
        {"earliest_start": start, **quoted},
        date.fromisoformat(needed_by) if needed_by else None,
        at_best=4 * WEEK,
        as_a_rule=10 * WEEK,
    )


@pytest.mark.parametrize(
    ("start", "needed_by", "verdict"),
    [
        ("2027-01-04", "2027-03-15", "possible"),  # ten weeks to the day
        ("2027-01-05", "2027-03-15", "tight"),
        ("2027-01-04", "2027-02-01", "tight"),  # four weeks to the day
        ("2027-01-05", "2027-02-01", "not_in_time"),
        ("2027-06-01", "2027-02-01", "not_in_time"),
        (None, "2027-02-01", None),
        ("2027-01-04", None, None),
    ],
)
def test_a_certification_needs_its_weeks_between_start_and_need(start, needed_by, verdict):
    assert when(start, needed_by) == verdict


@pytest.mark.parametrize(
    ("weeks", "needed_by", "verdict"),
    [
        (12, "2027-06-07", "possible"),  # 22 weeks: twelve, and ten to spare
        (12, "2027-06-06", "tight"),
        (12, "2027-03-29", "tight"),  # twelve weeks to the day
        (12, "2027-03-28", "not_in_time"),
        (None, "2027-06-07", None),  # it does not say how long it takes
        (None, "2027-01-03", "not_in_time"),
    ],
)
def test_consulting_takes_as_long_as_it_says(weeks, needed_by, verdict):
    assert when("2027-01-04", needed_by, "consulting", duration_weeks=weeks) == verdict


def test_a_standard_that_was_asked_for_and_is_left_out_is_named():
    quoted = [{"code": "ISO 9001", "edition": "2026"}]
    assert standards_missing(["ISO 14001", "ISO 9001"], quoted) == ["ISO 14001"]
    assert standards_missing(["ISO 9001"], quoted) == []


@pytest.mark.parametrize(
    ("edition", "found"),
    [
        ("2026", []),
        ("2015", [{"code": "ISO 9001", "wanted": "2026", "quoted": "2015"}]),
        (None, []),  # unknown is not another
    ],
)
def test_another_edition_than_the_one_wanted_is_named(edition, found):
    quoted = [{"code": "ISO 9001", "edition": edition}, {"code": "ISO 14001", "edition": "2015"}]
    assert other_editions({"ISO 9001": "2026"}, quoted) == found
