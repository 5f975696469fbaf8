"""The statements behind the ranges of quotes: who quoted in which cell, and its quartiles.

Beside the comparison this is the one module that reads everybody's quotes. No single one leaves it.
A quote is counted once, in its latest version before the end of the period, where that was sent in
the period; whatever became of the request, since it was a price all the same. One that its provider
took back is none, nor is one whose provider was not to take part any more.

A cell is a kind of quote, a currency, what is quoted for, a country, a size of business, and a
region. A request over several regions of a country is in the cells of the country alone; one over
several countries is in a cell of such requests.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from functools import reduce
from operator import add
from typing import Any

from sqlalchemy import (
    ARRAY,
    CTE,
    ColumnElement,
    Integer,
    Numeric,
    Select,
    and_,
    case,
    cast,
    distinct,
    func,
    literal,
    null,
    or_,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import JSONB, aggregate_order_by
from sqlalchemy.orm import aliased

from marketplace.invitations.models import Invitation
from marketplace.invitations.rules import InvitationState
from marketplace.leads.models import Lead
from marketplace.quotes.models import Quote
from marketplace.quotes.rules import AUDITS, CERTIFICATION_LINES, QuoteKind, TravelBasis

SEVERAL = "several"
"""The country of a request over several of them."""


class Measure(StrEnum):
    """What of a quote a range is of."""

    TOTAL = "total"
    """Three years of a certificate, or all phases; of quotes that leave nothing out of it."""
    PER_DAY = "per_day"
    """The total by the days that it pays for, where all of them are stated."""
    INITIAL_DAYS = "initial_days"
    """Stages 1 and 2 together."""
    SURVEILLANCE_DAYS = "surveillance_days"
    """The two surveillance audits together, where both are stated."""
    WORK_DAYS = "work_days"
    """All phases of consulting together, where all of them are stated."""


MEASURES: Mapping[str, Sequence[Measure]] = {
    QuoteKind.CERTIFICATION: (
        Measure.TOTAL, Measure.PER_DAY, Measure.INITIAL_DAYS, Measure.SURVEILLANCE_DAYS,
    ),
    QuoteKind.CONSULTING: (Measure.TOTAL, Measure.PER_DAY, Measure.WORK_DAYS),
}  # fmt: skip

_COARSE = ("kind", "currency", "standards", "country")
_LEVELS = (_COARSE, (*_COARSE, "size"), (*_COARSE, "size", "region"))
_CELL = _LEVELS[-1]

_TAKEN_BACK = (InvitationState.DECLINED, InvitationState.WITHDRAWN)

_IS_CERTIFICATION = Quote.kind == QuoteKind.CERTIFICATION

_CYCLE = [audit for audit in AUDITS if audit != "recertification"]


def held(since: datetime, until: datetime, bands: Sequence[int]) -> Select[Any]:
    """Return how many quotes each provider has in each of the smallest cells, by measure.

    `size` is the number of the band, from 1 on; `region` is null where the quote is in no region.
    """
    quotes = _quotes(since, until, bands)
    keys = [quotes.c[name] for name in (*_CELL, "provider_id")]
    counts = [func.count(quotes.c[each]).label(each) for each in Measure]
    return select(*keys, *counts).group_by(*keys)


def quartiles(since: datetime, until: datetime, bands: Sequence[int]) -> Select[Any]:
    """Return the quartiles of every measure in every cell, the larger ones included.

    `level` is how large a cell is: 0 is all of a country, 1 a size of business in it, 2 a region.
    """
    quotes = _quotes(since, until, bands)
    groups = [tuple_(*(quotes.c[name] for name in level)) for level in _LEVELS]
    are_whole = func.grouping(quotes.c.size, quotes.c.region)
    values = {
        each: func.array_agg(aggregate_order_by(quotes.c[each], quotes.c[each]))
        .filter(quotes.c[each].is_not(None))
        .label(each)
        for each in Measure
    }
    cells = (
        select(
            *(quotes.c[name] for name in _CELL),
            case({3: 0, 1: 1, 0: 2}, value=are_whole).label("level"),
            func.count().label("n"),
            *values.values(),
        )
        .group_by(func.grouping_sets(*groups))
        .cte("cells")
    )
    found = [
        _quartile(cells.c[each], number).label(f"{each}_{number}")
        for each in Measure
        for number in (1, 2, 3)
    ]
    return select(*(cells.c[name] for name in (*_CELL, "level", "n")), *found)


def _quartile(values: ColumnElement[Any], number: int) -> ColumnElement[Any]:
    """The first, second or third quartile of values in order, rounded half up to two places.

    Between two values in proportion, as `percentile_cont` has it, which knows floats alone.
    """
    quarters = number * (func.cardinality(values, type_=Integer) - 1)
    below, beyond = quarters // 4 + 1, quarters % 4
    low, high = values[below], func.coalesce(values[below + 1], values[below])
    return func.round(low + (high - low) * beyond / cast(4, Numeric), 2, type_=Numeric)


def _quotes(since: datetime, until: datetime, bands: Sequence[int]) -> CTE:
    """One row per quote that counts: its cell, whose it is, and what it says of each measure."""
    later = aliased(Quote)
    is_revised = (
        select(later.id)
        .where(
            later.invitation_id == Quote.invitation_id,
            later.version > Quote.version,
            later.submitted_at < until,
        )
        .exists()
    )
    region = func.unnest(Lead.regions).column_valued("region")
    countries = select(func.count(distinct(func.split_part(region, "-", 1)))).correlate(Lead)
    country = case(
        (countries.scalar_subquery() > 1, SEVERAL), else_=func.split_part(Lead.regions[1], "-", 1)
    )
    is_in_one = and_(func.cardinality(Lead.regions) == 1, Lead.regions[1].contains("-"))
    total = case((_leaves_nothing_out(), Quote.total))
    work_days = _work_days()
    days = case((_IS_CERTIFICATION, _audit_days(*_CYCLE)), else_=work_days)
    return (
        select(
            Quote.kind,
            Quote.currency,
            _standards().label("standards"),
            country.label("country"),
            func.width_bucket(Lead.headcount, literal(list(bands), ARRAY(Integer))).label("size"),
            case((is_in_one, Lead.regions[1])).label("region"),
            Invitation.provider_id,
            total.label(Measure.TOTAL),
            func.round(total / func.nullif(days, 0), 2, type_=Numeric).label(Measure.PER_DAY),
            _audit_days("stage_1", "stage_2").label(Measure.INITIAL_DAYS),
            _audit_days("surveillance_1", "surveillance_2").label(Measure.SURVEILLANCE_DAYS),
            case((_IS_CERTIFICATION, null()), else_=work_days).label(Measure.WORK_DAYS),
        )
        .join(Invitation, Invitation.id == Quote.invitation_id)
        .join(Lead, Lead.id == Invitation.lead_id)
        .where(
            Quote.submitted_at >= since,
            Quote.submitted_at < until,
            ~is_revised,
            Invitation.state.not_in(_TAKEN_BACK),
        )
        .cte("quotes")
        .prefix_with("MATERIALIZED")  # narrow rows to sort, not whole quotes
    )


def _standards() -> ColumnElement[Any]:
    """What a certificate is quoted for, which may be less than was asked; else what was asked."""
    quoted = func.jsonb_array_elements(Quote.body["standards"], type_=JSONB).column_valued("quoted")
    asked = func.unnest(Lead.standards).column_valued("asked")
    of_a_certificate, of_advice = (
        select(func.array_agg(aggregate_order_by(distinct(code), code))).scalar_subquery()
        for code in (quoted["code"].astext, asked)
    )
    return case((_IS_CERTIFICATION, of_a_certificate), else_=of_advice)


def _leaves_nothing_out() -> ColumnElement[bool]:
    """As `quotes.rules.left_out` says; what advice never includes, the certificate, is no gap."""
    fees, basis = Quote.body["fees"], Quote.body["travel_basis"].astext
    travel = fees["travel"].astext.is_not(None)
    is_certain = or_(
        basis == TravelBasis.INCLUDED,
        and_(travel, basis.is_distinct_from(TravelBasis.AT_COST)),
    )
    lines = [line.key for line in CERTIFICATION_LINES if line.in_three_years]
    stated = [fees[key].astext.is_not(None) for key in lines if key != "travel"]
    return case(
        (_IS_CERTIFICATION, and_(is_certain, *stated)),
        else_=Quote.body["travel"].astext.is_not(None),
    )


def _audit_days(*audits: str) -> ColumnElement[Any]:
    """The days of these audits together; null where one of them is not stated."""
    days = [cast(Quote.body["audit_days"][audit].astext, Numeric) for audit in audits]
    return reduce(add, days)


def _work_days() -> ColumnElement[Any]:
    """The days of all phases together; null where one of them does not say."""
    phase = func.jsonb_array_elements(Quote.body["phases"], type_=JSONB).column_valued("phase")
    days = phase["days"].astext
    stated = case((func.count(days) == func.count(), func.sum(cast(days, Numeric))))
    return select(stated).scalar_subquery()
