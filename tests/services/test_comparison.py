"""Quotes as certification bodies lay them out, against figures that anybody can re-add.

`quotes_by_hand.csv` has eleven requests and three quotes for each: one *itemised*, a fee for every
audit; one by its *day rate*; one as a *package*, a price for the certificate and one for each year
after it with everything in it. Behind what the body writes stand the figures, worked out from it
apart from the product, in whole cents (ISO 9001 throughout, so that the days can be looked up in
table QMS 1 of MD 5).
"""

import csv
from collections import defaultdict
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import pytest
from sqlalchemy import update

from marketplace.providers.models import Accreditation
from marketplace.quotes import comparison
from marketplace.quotes import service as quotes
from marketplace.quotes.ordering import Order
from marketplace.web.api.quotes import QuoteIn
from marketplace.web.requests import load
from tests.api.doors import admin_door, business_door
from tests.factories import business_of, person_of
from tests.pages.steps import held_by

LAYOUTS = ("itemised", "day_rate", "package")
AUDITS = ("stage_1", "stage_2", "surveillance_1", "surveillance_2", "recertification")

with (Path(__file__).parent / "quotes_by_hand.csv").open() as file:
    SETS = defaultdict(list)
    for each in csv.DictReader(file):
        SETS[int(each["set"])].append(each)


def as_sent(row):
    """Return what somebody at the certification body fills in, reading it off its own layout."""
    fees = {
        name: row[name] for name in ("application", *AUDITS, "annual", "travel") if row[name]
    }  # a package says 0 for what it has in its one price
    if row["style"] == "day_rate":
        fees |= {
            audit: str(Decimal(row["day_rate"]) * Decimal(row[f"days_{audit}"]))
            for audit in AUDITS
            if row[f"days_{audit}"]
        }
    fees = {
        name: str(Decimal(amount).quantize(Decimal("0.01"), ROUND_HALF_UP))
        for name, amount in fees.items()
    }
    days = {audit: float(row[f"days_{audit}"]) for audit in AUDITS if row[f"days_{audit}"]}
    more = ("travel_basis", "tax_rate", "earliest_start")
    return {
        "kind": "certification",
        "currency": row["currency"],
        "standards": [{"code": "ISO 9001", "edition": "2026"}],
        "audit_days": days,
        "fees": fees,
        "valid_until": "2027-12-31",
        **{name: row[name] for name in more if row[name]},
    }


@pytest.fixture
def quoted(ctx, make):
    """Return a request of a set, for which all its quotes have come."""

    def at(number):
        rows = SETS[number]
        for _ in rows:
            make.provider("certification_body", standards=("ISO 9001",))
        lead = make.matched_lead(
            service="certification",
            standards=["ISO 9001"],
            headcount=int(rows[0]["headcount"]),
            sites=1,
            needed_by=rows[0]["needed_by"] or None,
        )
        for row, invitation in zip(rows, held_by(make, lead), strict=True):
            form = load(QuoteIn(), as_sent(row))
            quotes.put_quote(ctx, person_of(invitation.provider_id), invitation.id, form)
        return lead

    return at


def certifications(ctx, lead, order=Order.INVITED):
    shown = comparison.request_page(ctx, business_of(lead), order)["comparison"]
    return shown["kinds"]["certification"]


def test_there_are_sets_enough_and_each_has_three_layouts():
    assert len(SETS) >= 10
    for rows in SETS.values():
        assert tuple(row["style"] for row in rows) == LAYOUTS
        assert len({(row["headcount"], row["needed_by"]) for row in rows}) == 1


@pytest.mark.parametrize("number", SETS)
def test_three_layouts_come_out_as_one_comparison_to_the_cent(ctx, quoted, number):
    columns = certifications(ctx, quoted(number))["columns"]
    for row, column in zip(SETS[number], columns, strict=True):
        found = {
            "year_1": column["years"][0]["amount"],
            "year_2": column["years"][1]["amount"],
            "year_3": column["years"][2]["amount"],
            "travel_in_all": column["travel"],
            "total": column["total"],
            "with_tax": column["total_with_tax"],
            "per_year": column["per_year"],
            "days": str(column["days"]),
            "per_day": column["per_day"],
            "left_out": ";".join(column["left_out"]),
            "warnings": ";".join(
                f"{each['audit']}:{each['verdict']}"
                for each in column["audits"]
                if each["verdict"] in ("below", "far_above")
            ),
            "in_time": column["in_time"],
        }
        expected = {name: row[name] or None for name in found}
        assert {name: value or None for name, value in found.items()} == expected, row["style"]


@pytest.mark.parametrize("number", SETS)
def test_every_line_stands_as_it_was_quoted(ctx, quoted, number):
    shown = certifications(ctx, quoted(number))
    sent = [as_sent(row) for row in SETS[number]]
    for line in shown["lines"]:
        key = line["key"]
        for amount, days, quote in zip(line["amounts"], line["days"], sent, strict=True):
            is_included = key == "travel" and quote.get("travel_basis") == "included"
            stated = quote["fees"].get(key)
            if key == "annual" and stated is not None:
                stated = f"{Decimal(stated) * 3:.2f}"
            assert amount == ("0.00" if is_included else stated), key
            assert days == quote["audit_days"].get(key)


@pytest.mark.parametrize(
    ("number", "order", "expected"),
    [
        (1, "invited", ["itemised", "day_rate", "package"]),
        # 8,194.00 is not the lowest total: its travel may come to more.
        (1, "total", ["package", "itemised", "day_rate"]),
        (1, "per_day", ["itemised", "package", "day_rate"]),
        (1, "days", ["itemised", "day_rate", "package"]),
        (1, "start", ["itemised", "day_rate", "package"]),
        (2, "total", ["itemised", "package", "day_rate"]),
        (4, "start", ["itemised", "day_rate", "package"]),
        (4, "days", ["day_rate", "itemised", "package"]),
        # New Zealand dollars are neither lower nor higher than Australian ones.
        (6, "total", ["itemised", "package", "day_rate"]),
        (11, "total", ["itemised", "day_rate", "package"]),
    ],
)
def test_the_reader_chooses_the_order(ctx, quoted, number, order, expected):
    lead = quoted(number)
    invited = [each["invitation_id"] for each in certifications(ctx, lead)["columns"]]
    found = [each["invitation_id"] for each in certifications(ctx, lead, Order(order))["columns"]]
    assert [LAYOUTS[invited.index(each)] for each in found] == expected
    shown = certifications(ctx, lead, Order(order))
    for line in shown["lines"]:  # every line in the order of the columns
        if line["key"] == "stage_2":
            rows = dict(zip(LAYOUTS, (as_sent(row) for row in SETS[number]), strict=True))
            assert line["amounts"] == [rows[each]["fees"]["stage_2"] for each in expected]


def test_amounts_are_compared_in_the_currency_of_the_business(ctx, quoted):
    shown = certifications(ctx, quoted(6))
    assert shown["currency"] == "AUD"
    assert not shown["is_one_currency"]
    assert [each["is_in_common_currency"] for each in shown["columns"]] == [True, False, True]


def test_an_administrator_has_what_the_business_has(ctx, client, quoted):
    lead, query = quoted(1), {"order": "total"}
    own = client.get("/api/v1/request", query_string=query, headers=business_door(ctx, lead))
    path = f"/api/v1/admin/leads/{lead.id}/comparison"
    theirs = client.get(path, query_string=query, headers=admin_door(ctx))
    assert theirs.status_code == 200
    assert theirs.json == own.json["comparison"]
    assert theirs.json["ordered_by"] == "total"


def test_an_accreditation_that_has_not_begun_is_none_for_a_quote(ctx, quoted):
    lead = quoted(1)
    held = [each["accredited"][0]["held"] for each in certifications(ctx, lead)["columns"]]
    assert all(held)
    with ctx.transaction() as tx:
        tx.session.execute(update(Accreditation).values(valid_from=date(2027, 1, 1)))
    held = [each["accredited"][0]["held"] for each in certifications(ctx, lead)["columns"]]
    assert held == [None, None, None]
