"""What a quote adds up to, and what may be told of how quotes compare.

Amounts are decimals, without tax, rounded half up to cents. No float touches money.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from statistics import median
from typing import Any

from marketplace.core.texts import N_

CENT = Decimal("0.01")


class QuoteKind(StrEnum):
    """The shape of a quote: what the provider's kind offers."""

    CERTIFICATION = "certification"
    CONSULTING = "consulting"


class TravelBasis(StrEnum):
    """Who bears what travel costs."""

    INCLUDED = "included"
    CAPPED = "capped"
    AT_COST = "at_cost"


@dataclass(frozen=True)
class Line:
    """One line that every comparison of a kind has, in the same order for all."""

    key: str
    label: str
    times: int = 1
    """How often it falls due inside the three years of a certificate."""
    in_three_years: bool = True
    """Whether the three-year total counts it; recertification opens the next cycle."""


CERTIFICATION_LINES = (
    Line("application", N_("Application and registration")),
    Line("stage_1", N_("Stage 1 audit")),
    Line("stage_2", N_("Stage 2 audit")),
    Line("surveillance_1", N_("First surveillance audit")),
    Line("surveillance_2", N_("Second surveillance audit")),
    Line("annual", N_("Annual fee, three years"), times=3),
    Line("travel", N_("Travel")),
    Line("recertification", N_("Recertification audit (next cycle)"), in_three_years=False),
)
"""A certification over three years: ISO/IEC 17021-1, 9.1.3 (the cycle of a certificate)."""

AUDITS = ("stage_1", "stage_2", "surveillance_1", "surveillance_2", "recertification")


def cents(amount: Decimal) -> Decimal:
    """Return an amount in whole cents, half a cent up."""
    return amount.quantize(CENT, ROUND_HALF_UP)


def line_amount(line: Line, fees: Mapping[str, Any], travel_basis: str | None) -> Decimal | None:
    """Return what a line comes to, or None where the quote does not say: never zero instead."""
    if line.key == "travel" and travel_basis == TravelBasis.INCLUDED:
        return Decimal("0.00")
    amount = fees.get(line.key)
    return None if amount is None else cents(Decimal(amount) * line.times)


@dataclass(frozen=True)
class Sum:
    """What a quote adds up to, however much of it is filled in."""

    total: Decimal
    """All that is stated as an amount: three years, or all phases; without tax."""
    unstated: tuple[str, ...]
    """What would belong to it and is not stated: keys of lines, or paths of fields."""


CERTIFICATE = "certificate"
"""What consulting never includes: the certification body's own fees."""

CERTIFIERS_FEES = N_("the certification body's own fees")


def added_up(kind: str, body: Mapping[str, Any]) -> Sum:
    """Return what a quote, or as much of one as there is, adds up to."""
    amounts: list[tuple[str, Decimal | None]]
    if kind == QuoteKind.CERTIFICATION:
        fees, basis = body.get("fees") or {}, body.get("travel_basis")
        amounts = [
            (line.key, line_amount(line, fees, basis))
            for line in CERTIFICATION_LINES
            if line.in_three_years
        ]
    else:
        amounts = [
            (f"phases.{number}.fee", _stated(phase.get("fee")))
            for number, phase in enumerate(body.get("phases") or [])
        ]
        amounts += [(CERTIFICATE, None), ("travel", _stated(body.get("travel")))]
    return Sum(
        cents(sum((amount for _, amount in amounts if amount is not None), Decimal(0))),
        tuple(key for key, amount in amounts if amount is None),
    )


def _stated(amount: Any) -> Decimal | None:
    return None if amount is None else Decimal(amount)


def total(kind: str, body: Mapping[str, Any]) -> Decimal:
    """Return the sum of what is quoted as an amount: three years, or all phases; without tax."""
    return added_up(kind, body).total


def missing(kind: str, body: Mapping[str, Any]) -> list[str]:
    """Return, in words, what the total leaves out because the quote does not say it."""
    if kind == QuoteKind.CONSULTING:
        words = {CERTIFICATE: CERTIFIERS_FEES, "travel": N_("Travel")}
        return [words[key] for key in added_up(kind, body).unstated if key in words]
    return [*_unstated(body, CERTIFICATION_LINES), *_open_ended(body)]


def left_out(kind: str, body: Mapping[str, Any]) -> list[str]:
    """Return, in words, what would make the total larger: the next cycle is no part of it."""
    if kind == QuoteKind.CONSULTING:
        return missing(kind, body)
    cycle = [line for line in CERTIFICATION_LINES if line.in_three_years]
    return [*_unstated(body, cycle), *_open_ended(body)]


def _unstated(body: Mapping[str, Any], lines: Iterable[Line]) -> list[str]:
    basis = body.get("travel_basis")
    return [line.label for line in lines if line_amount(line, body["fees"], basis) is None]


def _open_ended(body: Mapping[str, Any]) -> list[str]:
    """Return what is stated as an amount and may come to more."""
    is_estimate = body.get("travel_basis") == TravelBasis.AT_COST and body["fees"].get("travel")
    return [N_("Travel beyond the estimate")] if is_estimate else []


def days_left_out(kind: str, body: Mapping[str, Any]) -> list[str]:
    """Return, in words, what has a fee in the total and no days: a mean by day leaves it out."""
    if kind == QuoteKind.CONSULTING:
        return [
            phase["name"]
            for phase in body["phases"]
            if phase.get("days") is None and Decimal(phase["fee"])
        ]
    return [
        line.label
        for line in CERTIFICATION_LINES
        if line.key in AUDITS
        and line.in_three_years
        and body["audit_days"].get(line.key) is None
        and Decimal(body["fees"].get(line.key) or 0)
    ]


def personnel_at_most(headcount: int, *, times: int, at_least: int) -> int:
    """Return how many people may be counted for the audit time of a business.

    It is seldom more than the headcount, as with seasonal work; many times that is a slip.
    """
    return times * max(headcount, at_least)


def is_outside(edition: str, covered: Collection[str | None]) -> bool:
    """Return whether an edition is known not to be covered by what is held.

    An accreditation whose edition is not known may be for any; where nothing is held nothing is
    known.
    """
    return bool(covered) and None not in covered and edition not in covered


NO_MONEY = frozenset(
    [
        "XAG", "XAU", "XBA", "XBB", "XBC", "XBD", "XDR", "XPD", "XPT", "XSU", "XTS", "XUA", "XXX",
        "BOV", "CHE", "CHW", "CLF", "COU", "MXV", "USN", "UYI", "UYW",
    ]
)  # fmt: skip
"""Codes of ISO 4217 that nobody pays in: metals, units of account, funds, and codes for tests."""


WITHOUT_CENTS = frozenset(
    [
        "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV",
        "XAF", "XOF", "XPF",
    ]
)  # fmt: skip
"""Currencies that have no smaller unit (ISO 4217, exponent 0): a part of a yen nobody can pay."""


def not_whole(kind: str, body: Mapping[str, Any]) -> list[str]:
    """Return the fields of a quote, as paths, whose amounts are not whole."""
    amounts: list[tuple[str, Any]]
    if kind == QuoteKind.CERTIFICATION:
        amounts = [(f"fees/{key}", amount) for key, amount in (body.get("fees") or {}).items()]
    else:
        phases = enumerate(body.get("phases") or [])
        amounts = [(f"phases/{number}/fee", phase.get("fee")) for number, phase in phases]
        amounts.append(("travel", body.get("travel")))
    return [path for path, amount in amounts if amount is not None and Decimal(amount) % 1]


def with_tax(amount: Decimal, tax_rate: str | None, currency: str) -> Decimal | None:
    """Return an amount with its tax (`tax_rate` in percent), or None where no rate was quoted.

    Half up to the cent, or to the whole unit where the currency has no smaller one.
    """
    if tax_rate is None:
        return None
    taxed = amount * (1 + Decimal(tax_rate) / 100)
    return cents(taxed.quantize(Decimal(1), ROUND_HALF_UP) if currency in WITHOUT_CENTS else taxed)


@dataclass(frozen=True)
class Priced:
    """What a standing needs to know of a quote, and no more."""

    key: Any
    kind: str
    currency: str
    total: Decimal


@dataclass(frozen=True)
class Standing:
    """All that a provider that was not chosen learns of the others (invariant 6)."""

    rank: int
    """By price, 1 the lowest; equal prices share the better rank."""
    quotes: int
    distance: str
    """From the median: within 10 %, within 30 % or further away."""


FEWEST_FOR_A_STANDING = 3


def standings(quotes: Iterable[Priced]) -> dict[Any, Standing]:
    """Return each quote's standing among those it can be compared with.

    That is: of the same kind and in the same currency, and three or more of them. With fewer, a
    rank would tell one provider what the other asked.
    """
    groups: dict[tuple[str, str], list[Priced]] = {}
    for quote in quotes:
        groups.setdefault((quote.kind, quote.currency), []).append(quote)
    found = {}
    for group in groups.values():
        if len(group) < FEWEST_FOR_A_STANDING:
            continue
        totals = sorted(quote.total for quote in group)
        for quote in group:
            found[quote.key] = Standing(
                rank=totals.index(quote.total) + 1,
                quotes=len(group),
                distance=distance_in_words(quote.total, totals),
            )
    return found


def distance_in_words(amount: Decimal, amounts: Sequence[Decimal]) -> str:
    """Return how far an amount is from the median of all: within 10 %, 30 % or further away."""
    middle = Decimal(median(amounts))
    away = abs(amount - middle)
    if away <= middle * Decimal("0.10"):
        return "within 10 %"
    if away <= middle * Decimal("0.30"):
        return "within 30 %"
    return "further away"


def told_as(version: int, *, now: datetime, each: int) -> str:
    """Return which mail tells of a version of a quote: its own up to `each`, then one an hour."""
    return str(version) if version <= each else f"{now:%Y-%m-%dT%H}"
