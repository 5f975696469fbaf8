"""In which order quotes stand: as the reader chooses, like beside like."""

from datetime import date
from decimal import Decimal
from itertools import permutations

import pytest

from marketplace.quotes.ordering import (
    IN_WORDS,
    LABELS,
    Order,
    Placed,
    common_currency,
    ordered,
)


def quote(key, total="1000.00", **given):
    values = {
        "currency": "AUD",
        "is_complete": True,
        "per_day": Decimal(total) / 4,
        "days": Decimal(4),
        "earliest_start": date(2027, 1, 4),
        **given,
    }
    return Placed(key=key, total=Decimal(total), **values)


FIRST, SECOND, THIRD = "first", "second", "third"


@pytest.mark.parametrize(
    ("order", "quotes", "expected"),
    [
        ("invited", [quote(FIRST, "900"), quote(SECOND, "100")], [FIRST, SECOND]),
        ("total", [quote(FIRST, "900"), quote(SECOND, "100")], [SECOND, FIRST]),
        ("total", [quote(FIRST, "900"), quote(SECOND, "900")], [FIRST, SECOND]),
        # A total that leaves something out is not a lower one.
        ("total", [quote(FIRST, "900"), quote(SECOND, "100", is_complete=False)], [FIRST, SECOND]),
        # Neither is one in another currency.
        ("total", [quote(FIRST, "100", currency="NZD"), quote(SECOND, "900")], [SECOND, FIRST]),
        (
            "total",
            [
                quote(FIRST, "1", currency="NZD"),
                quote(SECOND, "2", is_complete=False),
                quote(THIRD, "3"),
            ],
            [THIRD, SECOND, FIRST],
        ),
        # What was quoted in other currencies is in no order among itself.
        (
            "total",
            [quote(FIRST, "9", currency="NZD"), quote(SECOND, "1", currency="USD"), quote(THIRD)],
            [THIRD, FIRST, SECOND],
        ),
        ("total", [quote(FIRST, "1", is_past=True), quote(SECOND, "900")], [SECOND, FIRST]),
        ("per_day", [quote(FIRST, "900"), quote(SECOND, "100")], [SECOND, FIRST]),
        ("per_day", [quote(FIRST, "1", per_day=None), quote(SECOND, "900")], [SECOND, FIRST]),
        ("days", [quote(FIRST), quote(SECOND, days=Decimal("4.5"))], [SECOND, FIRST]),
        ("days", [quote(FIRST, currency="NZD"), quote(SECOND)], [FIRST, SECOND]),
        ("start", [quote(FIRST), quote(SECOND, earliest_start=date(2026, 12, 1))], [SECOND, FIRST]),
        ("start", [quote(FIRST, earliest_start=None), quote(SECOND)], [SECOND, FIRST]),
    ],
)
def test_like_is_put_beside_like(order, quotes, expected):
    assert ordered(quotes, Order(order), currency="AUD") == expected


@pytest.mark.parametrize("order", Order)
def test_no_order_loses_a_quote_and_each_is_stated(order):
    quotes = [
        quote(FIRST, "3", currency="NZD", per_day=None),
        quote(SECOND, "2", earliest_start=None, is_past=True),
        quote(THIRD, "1", is_complete=False),
    ]
    for each in permutations(quotes):
        assert sorted(ordered(each, order, currency=None)) == [FIRST, SECOND, THIRD]
    assert LABELS[order]
    assert IN_WORDS[order]


@pytest.mark.parametrize(
    ("quoted", "own", "found"),
    [
        (["AUD", "NZD"], "AUD", "AUD"),
        (["NZD", "NZD"], "AUD", "NZD"),
        (["NZD", "USD"], "AUD", None),
        (["NZD"], None, "NZD"),
    ],
)
def test_quotes_are_compared_in_the_own_currency_where_anybody_quoted_in_it(quoted, own, found):
    assert common_currency(quoted, own) == found
