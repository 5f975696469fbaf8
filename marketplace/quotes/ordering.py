"""In which order quotes stand side by side: as the reader chooses, and by nothing that was paid.

Like is put beside like: an amount in another currency is not lower or higher, and a total that
leaves something out is not lower than one that does not. Such quotes stand behind the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any

from marketplace.core.texts import N_


class Order(StrEnum):
    """What the reader may sort by."""

    INVITED = "invited"
    TOTAL = "total"
    PER_DAY = "per_day"
    DAYS = "days"
    START = "start"


DEFAULT = Order.INVITED

LABELS = {
    Order.INVITED: N_("As they were invited"),
    Order.TOTAL: N_("Lowest total first"),
    Order.PER_DAY: N_("Lowest amount per day first"),
    Order.DAYS: N_("Most days first"),
    Order.START: N_("Earliest start first"),
}

IN_WORDS = {
    Order.INVITED: N_("in the order in which the providers were invited"),
    Order.TOTAL: N_(
        "the lowest total first; behind them totals that leave something out, then those in "
        "another currency, and last what stands no longer"
    ),
    Order.PER_DAY: N_(
        "the lowest amount per day first; behind them quotes that leave something out, then those "
        "in another currency, and last what stands no longer"
    ),
    Order.DAYS: N_("the most days first, and last what stands no longer"),
    Order.START: N_("the earliest start first, and last what stands no longer"),
}


@dataclass(frozen=True)
class Placed:
    """What an order needs to know of a quote, and no more."""

    key: Any
    currency: str
    total: Decimal
    is_complete: bool
    """Whether the total leaves nothing out."""
    per_day: Decimal | None
    days: Decimal
    earliest_start: date | None
    is_past: bool = False
    """Whether it cannot be had any more: withdrawn, or past the last day on which it stands."""


def ordered(quotes: Sequence[Placed], order: Order, *, currency: str | None) -> list[Any]:
    """Return the keys of quotes, given as their providers were invited, in the order wanted.

    `currency` is the one to compare in: amounts in any other stand behind. What a quote does not
    say stands behind what others say; what cannot be had any more behind all; and what is alike
    stays as it was invited.
    """
    if order is Order.INVITED:
        return [each.key for each in quotes]

    def place(quote: Placed) -> tuple[Any, ...]:
        return quote.is_past, *_place(quote, order, currency)

    return [each.key for each in sorted(quotes, key=place)]


def _place(quote: Placed, order: Order, currency: str | None) -> tuple[Any, ...]:
    if order is Order.DAYS:
        return (-quote.days,)
    if order is Order.START:
        return quote.earliest_start is None, quote.earliest_start or date.max
    is_other = quote.currency != currency
    amount = quote.total if order is Order.TOTAL else quote.per_day
    if is_other or amount is None:
        return is_other, True, Decimal(0)
    return False, not quote.is_complete, amount


def common_currency(quoted: Sequence[str], own: str | None) -> str | None:
    """Return the currency to compare in: the business' own where anybody quoted in it.

    Otherwise the one that all have quoted in, if there is one. No rate of exchange is made up.
    """
    if own in quoted:
        return own
    return quoted[0] if len(set(quoted)) == 1 else None
