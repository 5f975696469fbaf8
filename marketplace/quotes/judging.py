"""What may be said of a quote beside others: by year, against the tables, and in time or not.

Each verdict is a rule with its numbers stated, so that a reader can check it by hand. None of them
refuses a quote: a business may take any, knowing what it takes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Any

from marketplace.core.texts import N_
from marketplace.quotes.audit_time import AUDIT_OF, Audit, Expected, Span, too_few
from marketplace.quotes.rules import CERTIFICATION_LINES, QuoteKind, cents, line_amount

YEARS = 3
"""How long a certificate lasts (ISO/IEC 17021-1, 9.1.3)."""

LINES_OF_YEAR = {
    1: ("application", "stage_1", "stage_2", "annual"),
    2: ("surveillance_1", "annual"),
    3: ("surveillance_2", "annual"),
}
"""What falls due when: the first surveillance audit within twelve months of the decision, the
second a year on. Travel is quoted for all three years together and belongs to none of them."""


ANNUAL_FEE = N_("Annual fee")


@dataclass(frozen=True)
class Year:
    """What falls due in one year of a certificate, without travel and without tax."""

    number: int
    amount: Decimal | None
    """Of what is stated; None where nothing is."""
    left_out: tuple[str, ...]
    """What is not stated, in words: it is not in the amount."""


def years(body: Mapping[str, Any]) -> list[Year]:
    """Return what a certification quote comes to in each year. With travel they make its total."""
    labels = {line.key: line.label for line in CERTIFICATION_LINES} | {"annual": ANNUAL_FEE}
    found = []
    for number, keys in LINES_OF_YEAR.items():
        stated = [Decimal(amount) for key in keys if (amount := body["fees"].get(key)) is not None]
        left_out = tuple(labels[key] for key in keys if body["fees"].get(key) is None)
        amount = cents(sum(stated, Decimal(0))) if stated else None
        found.append(Year(number, amount, left_out))
    return found


def travel(body: Mapping[str, Any]) -> Decimal | None:
    """Return what travel comes to in all three years, or None where that is not stated."""
    (line,) = [line for line in CERTIFICATION_LINES if line.key == "travel"]
    return line_amount(line, body["fees"], body.get("travel_basis"))


def per_year(total: Decimal) -> Decimal:
    """Return a third of a three-year total, to the cent."""
    return cents(total / YEARS)


def per_day(total: Decimal, days: Decimal) -> Decimal | None:
    """Return what a day comes to with everything in it, to the cent; None where there is no day."""
    return cents(total / days) if days else None


class Verdict(StrEnum):
    """How the days of an audit stand to the range that the tables suggest."""

    BELOW = "below"
    """Below the tables with all reductions made: it takes a special reason (MD 5; MD 11)."""
    WITHIN = "within"
    ABOVE = "above"
    FAR_ABOVE = "far_above"
    NOT_STATED = "not_stated"
    NOT_JUDGED = "not_judged"
    """Nothing to go by: more than the range, for more standards than it is for; or less than it in
    the first audit of a transfer, which may need no stages 1 and 2."""


FAR_ABOVE = Fraction(13, 10)
"""Over so much of the upper end the days call for a reason too. No accreditation rule says so: the
upper end has nothing taken off, and shifts, languages and risks seldom add more than 30 %."""


@dataclass(frozen=True)
class Judged:
    """The days of one audit, beside what the tables suggest for it."""

    audit: str
    """`initial` (stages 1 and 2 as one), `surveillance_1`, `surveillance_2`, `recertification`."""
    quoted: Decimal | None
    expected: Span
    verdict: Verdict
    for_all: Span | None = None
    """The range for everybody that the business named, where the days are too few for them: how
    many fewer a certification body may count has no limit (MD 5), but it has reasons to give."""


def judged(
    wanted: Expected, quoted: Mapping[str, Any], *, for_all: Expected | None = None
) -> list[Judged]:
    """Return every audit of a cycle with its days against the range; none where there is no range.

    `wanted` is for the people that the quote counts, `for_all` for all where these are more.

    `quoted` are the days of a quote by line. Stages 1 and 2 are judged together, since the tables
    do not say how they share the time; and not before both are stated.
    """
    below = too_few(wanted, quoted)
    found = [
        Judged(key, days, span, _verdict(wanted, days, span, is_below=key in below))
        for key, span, days in _audits(wanted, quoted)
    ]
    if for_all is None or for_all.standards != wanted.standards:
        return found
    below_all = too_few(for_all, quoted)
    whole = {key: span for key, span, _ in _audits(for_all, quoted) if key in below_all}
    return [replace(each, for_all=whole.get(each.audit)) for each in found]


def _audits(
    wanted: Expected, quoted: Mapping[str, Any]
) -> Iterator[tuple[str, Span, Decimal | None]]:
    if not wanted.days:
        return
    stages = [quoted.get("stage_1"), quoted.get("stage_2")]
    both = None if None in stages else sum((Decimal(str(each)) for each in stages), Decimal(0))
    yield "initial", wanted.days[Audit.INITIAL], both
    for key, audit in AUDIT_OF.items():
        days = quoted.get(key)
        yield key, wanted.days[audit], None if days is None else Decimal(str(days))


def _verdict(wanted: Expected, days: Decimal | None, span: Span, *, is_below: bool) -> Verdict:
    if days is None:
        return Verdict.NOT_STATED
    if is_below:
        return Verdict.BELOW
    if span.least <= days <= span.most:
        return Verdict.WITHIN
    if days < span.least or wanted.gaps:
        return Verdict.NOT_JUDGED
    return Verdict.FAR_ABOVE if days > Fraction(span.most) * FAR_ABOVE else Verdict.ABOVE


class InTime(StrEnum):
    """Whether what is quoted can be done by the day on which it is needed."""

    POSSIBLE = "possible"
    TIGHT = "tight"
    NOT_IN_TIME = "not_in_time"


def in_time(
    kind: str, body: Mapping[str, Any], needed_by: date | None, *, at_best: timedelta,
    as_a_rule: timedelta,
) -> InTime | None:  # fmt: skip
    """Return whether a quote's earliest start leaves time enough, or None where that is unknown.

    For a certification `at_best` is the shortest time from stage 1 to the certificate and
    `as_a_rule` the usual one. A consulting quote says itself how long it takes, and `as_a_rule` is
    what is allowed on top of that; where it does not say, only a start that is too late is known.
    """
    start = body.get("earliest_start")
    if start is None or needed_by is None:
        return None
    left = needed_by - date.fromisoformat(start)
    if kind == QuoteKind.CONSULTING:
        weeks = body.get("duration_weeks")
        if weeks is None:
            return InTime.NOT_IN_TIME if left < timedelta(0) else None
        at_best = timedelta(weeks=weeks)
        as_a_rule += at_best
    if left < at_best:
        return InTime.NOT_IN_TIME
    return InTime.POSSIBLE if left >= as_a_rule else InTime.TIGHT


class Stands(StrEnum):
    """For how long a quote can still be taken at its word."""

    LONG = "long"
    BRIEFLY = "briefly"
    NO_LONGER = "no_longer"


def stands(valid_until: date, today: date, *, briefly_within: timedelta) -> Stands:
    """Return for how long a quote stands, whose last day is `valid_until`."""
    if valid_until < today:
        return Stands.NO_LONGER
    return Stands.BRIEFLY if valid_until - today < briefly_within else Stands.LONG


def standards_missing(asked: list[str], quoted: list[Mapping[str, Any]]) -> list[str]:
    """Return which of the standards that were asked for a quote leaves out."""
    codes = {each["code"] for each in quoted}
    return [code for code in asked if code not in codes]


def other_editions(
    wanted: Mapping[str, str | None], quoted: list[Mapping[str, Any]]
) -> list[dict[str, str]]:
    """Return the standards that a quote offers in another edition than the one that is wanted."""
    return [
        {"code": each["code"], "wanted": edition, "quoted": each["edition"]}
        for each in quoted
        if each.get("edition")
        and (edition := wanted.get(each["code"]))
        and each["edition"] != edition
    ]
