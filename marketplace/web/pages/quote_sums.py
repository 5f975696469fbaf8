"""What a form of a quote holds while it is being filled in, and what that adds up to."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar

from marshmallow import ValidationError, fields

from marketplace.quotes import rules
from marketplace.quotes.rules import AUDITS, QuoteKind, TravelBasis
from marketplace.web.api.quotes import Percent
from marketplace.web.fields import Amount, HalfDays
from marketplace.web.pages.forms import Filled, parsed
from marketplace.web.pages.quote_labels import called

T = TypeVar("T")


def rows(filled: Filled) -> list[int]:
    """Return the numbers of the phases in which anything is typed."""
    names = [name for name, values in filled.typed.items() if any(map(str.strip, values))]
    return sorted({int(name.split(".")[1]) for name in names if name.startswith("phases.")})


@dataclass(frozen=True)
class Added:
    """What the page says of the sum of a form."""

    total: Decimal | None
    """None while nothing is stated."""
    with_tax: Decimal | None
    currency: str
    unstated: list[str]
    unreadable: list[str]


def added_up(filled: Filled, kind: QuoteKind) -> Added:
    """Add up as much of a form as there is, by the arithmetic of the quote itself."""
    wrong: list[str] = []
    amounts: list[Decimal | None] = []

    def amount(name: str) -> Decimal | None:
        try:
            amounts.append(_read(filled, name, Amount()))
        except ValidationError:
            wrong.append(name)
            return None
        return amounts[-1]

    body: dict[str, Any]
    if kind is QuoteKind.CERTIFICATION:
        basis = filled.value("travel_basis")
        lines = [line.key for line in rules.CERTIFICATION_LINES if line.in_three_years]
        if basis == TravelBasis.INCLUDED:
            lines.remove("travel")
        body = {"fees": {key: amount(f"fees.{key}") for key in lines}, "travel_basis": basis}
        keys = {key: f"fees.{key}" for key in lines}
    else:
        body = {"phases": [{"fee": amount(f"phases.{n}.fee")} for n in rows(filled)]}
        body["travel"] = amount("travel")
        keys = {f"phases.{n}.fee": f"phases.{row}.fee" for n, row in enumerate(rows(filled))}
        keys["travel"] = "travel"
    found = rules.added_up(kind, body)
    rate = value(filled, "tax_rate", Percent())
    total = found.total if any(each is not None for each in amounts) else None
    currency = filled.value("currency").strip()
    return Added(
        total,
        None
        if rate is None or total is None
        else rules.with_tax(total, str(rate), currency.upper()),
        currency,
        [called(keys[each]) for each in found.unstated if each in keys and keys[each] not in wrong],
        [called(name) for name in wrong],
    )


def days(filled: Filled) -> dict[str, float | None]:
    """Return the days of every audit, as far as they can be read."""
    return {audit: value(filled, f"audit_days.{audit}", HalfDays()) for audit in AUDITS}


def value(filled: Filled, name: str, kind: "fields.Field[T]") -> T | None:
    """Return what a field holds, or None where it holds nothing that can be read."""
    try:
        return _read(filled, name, kind)
    except ValidationError:
        return None


def _read(filled: Filled, name: str, kind: "fields.Field[T]") -> T | None:
    kept = [value for value in filled.typed.get(name, []) if value.strip()]
    return kind.deserialize(parsed(kind, kept[-1])) if kept else None
