"""Reports for administrators: how the promise was kept, who is missing where, what is quoted."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta
from itertools import groupby
from operator import attrgetter
from typing import Any

from babel.dates import format_skeleton
from flask import Blueprint, Response, abort, render_template, request
from flask_babel import gettext as _
from marshmallow import Schema

from marketplace.catalogue.queries import region_names
from marketplace.core import charts
from marketplace.core.context import Context
from marketplace.core.errors import Invalid, NotSignedIn
from marketplace.core.texts import N_
from marketplace.insights.commitment_rows import Group
from marketplace.insights.commitments import Figures, commitment_report
from marketplace.insights.coverage import Cell, CoverageReport, coverage_report
from marketplace.insights.fairness import Share, fairness
from marketplace.insights.funnel import Step, funnel_report
from marketplace.insights.quote_cells import MEASURES, SEVERAL, Measure
from marketplace.insights.quote_ranges import QuoteRanges, Range, quote_ranges
from marketplace.privacy.retention import retention_report
from marketplace.providers.rules import ProviderKind
from marketplace.quotes.rules import QuoteKind
from marketplace.web.api.admin_reports import (
    CoverageCellSchema,
    ProviderShareSchema,
    QuoteRangesArgs,
    QuoteRangeSchema,
    StageSchema,
    table,
)
from marketplace.web.api.commitment_schemas import FiguresSchema
from marketplace.web.auth import current_actor, current_context
from marketplace.web.languages import formats, translate
from marketplace.web.pages.desk import arguments
from marketplace.web.pages.forms import Filled, typed_from
from marketplace.web.pages.kept import once_a_minute
from marketplace.web.pages.sign_in import to_sign_in
from marketplace.web.pages.words import day
from marketplace.web.reporting import chart_answer

pages = Blueprint("reports", __name__, url_prefix="/admin/reports")
pages.register_error_handler(NotSignedIn, to_sign_in)

WEEKS = 13
"""How many weeks the chart shows: about the 90 days of the report."""

SHOWN = 20
"""Rows of a group, and providers, on the page; the table to download has them all."""

DRAWN = 8
"""Providers in the chart of turns."""

ACROSS, DOWN = 8, 10
"""Regions and standards of the heat map: those most asked for."""

BY = (Group.WEEK, Group.STANDARD, Group.REGION, Group.PROVIDER)


@pages.get("")
def all_() -> str:
    """Show how the commitment was kept in the last 90 days, by week or by another group."""
    asked = request.args.get("by", "")
    by = Group(asked) if asked in BY else Group.WEEK
    kept = commitment_report(current_context(), current_actor(), by=by)
    rows = weeks(kept.rows) if by is Group.WEEK else kept.rows[:SHOWN]
    return render_template(
        "admin_reports.html",
        kept=kept,
        rows=rows,
        by=by,
        groups=_groups(),
        captions=_captions(),
        columns=_columns(),
        told=in_words(rows) if by is Group.WEEK else "",
    )


def _groups() -> dict[Group, str]:
    """What leads to each grouping ..."""
    return {
        Group.WEEK: _("By week"),
        Group.STANDARD: _("By standard"),
        Group.REGION: _("By region"),
        Group.PROVIDER: _("By provider"),
    }


def _captions() -> dict[Group, str]:
    """... what stands above its table ..."""
    return {
        Group.WEEK: _("Requests by week"),
        Group.STANDARD: _("Requests by standard"),
        Group.REGION: _("Requests by region"),
        Group.PROVIDER: _("Invitations by provider"),
    }


def _columns() -> dict[Group, str]:
    """... and above its first column."""
    return {
        Group.WEEK: _("Week from"),
        Group.STANDARD: _("Standard"),
        Group.REGION: _("Region"),
        Group.PROVIDER: _("Provider"),
    }


@pages.get("/commitment.svg")
def weeks_chart() -> Response:
    """Draw how many requests had their first response in time, and how many had not, by week."""
    found = weeks(commitment_report(current_context(), current_actor(), by=Group.WEEK).rows)
    drawing = charts.bars(
        [format_skeleton("MMMd", date.fromisoformat(row.key), locale=formats()) for row in found],
        {
            _("In time"): [row.met or None for row in found],
            _("Missed"): [row.missed or None for row in found],
        },
        width=760,
        height=300,
        title=_("By week"),
    )
    return chart_answer(charts.svg(drawing, name="weeks", description=in_words(found)))


@pages.get("/coverage")
def coverage() -> str:
    """Show who is missing where, read over everything once a minute: it says as of when."""
    ctx = current_context()
    covered = once_a_minute(ctx, _covered)
    maps = {
        kind: heat_map([cell for cell in covered.cells if cell.kind == kind])
        for kind in ProviderKind
    }
    shown = {code for each in maps.values() for code in each["regions"]}
    with ctx.reading() as session:
        names = region_names(session, shown)
    return render_template(
        "admin_report_coverage.html",
        covered=covered,
        maps=maps,
        names=names,
        shades=_shades(),
    )


def _covered(ctx: Context) -> CoverageReport:
    return coverage_report(ctx, current_actor())


def _shades() -> list[str]:
    """Return what each shade of the map stands for, the lightest first."""
    return [
        _("none"),
        _("up to a quarter"),
        _("up to a half"),
        _("up to three quarters"),
        _("more than three quarters"),
    ]


@pages.get("/fairness")
def turns() -> str:
    """Show what providers were owed and what they had, the largest differences first."""
    fair = fairness(current_context(), current_actor(), limit=SHOWN)
    return render_template(
        "admin_report_fairness.html", fair=fair, told=turns_in_words(fair.shares[:DRAWN])
    )


@pages.get("/fairness.svg")
def turns_chart() -> Response:
    """Draw the turns that were owed beside those that were had."""
    found = fairness(current_context(), current_actor(), limit=DRAWN).shares
    drawing = charts.bars(
        [_shortened(each.name) for each in found],
        {
            _("Owed"): [round(each.entitled, 1) for each in found],
            _("Had"): [each.invited - each.turns_given_back for each in found],
        },
        width=760,
        height=360,
        title=_("Turns"),
        x_label_rotation=20,
    )
    return chart_answer(charts.svg(drawing, name="turns", description=turns_in_words(found)))


@pages.get("/funnel")
def funnel() -> str:
    """Show how far requests have come."""
    found = funnel_report(current_context(), current_actor())
    return render_template("admin_report_funnel.html", funnel=found, steps=_steps())


@pages.get("/retention")
def retention() -> str:
    """Show what is kept for how long, and what of it is over and not forgotten yet."""
    rules = retention_report(current_context(), current_actor())
    says = {each.rule.name: translate(each.rule.says) for each in rules}
    return render_template("admin_report_retention.html", rules=rules, says=says)


def _steps() -> dict[Step, str]:
    return {
        Step.SENT: _("Forms that were sent"),
        Step.CONFIRMED: _("Confirmed by e-mail"),
        Step.OPENED: _("Opened: the clock ran"),
        Step.INVITED: _("A provider was invited"),
        Step.RESPONDED: _("A provider responded"),
        Step.QUOTED: _("A provider quoted"),
        Step.AWARDED: _("A provider was chosen"),
    }


DAYS = {"": "", "from": N_("The first day"), "until": N_("The last day")}


@pages.get("/quotes")
def quotes() -> str | tuple[str, int]:
    """Show for how much the same was quoted, on the days in the address."""
    form = Filled(DAYS)
    try:
        found = _quoted(arguments(QuoteRangesArgs))
        first, last = found.since.date(), (found.until - timedelta(microseconds=1)).date()
        days = {"from": first, "until": max(first, last)}
        form = Filled(DAYS, typed_from(days))
    except Invalid as wrong:
        form = form.wrong(wrong.errors, typed_from(request.args.to_dict()))
        found = _quoted({})
    wholes = _wholes(found.ranges)
    with current_context().reading() as session:
        names = region_names(session, {code for each in wholes for code in _regions(each)})
    page = render_template(
        "admin_report_quotes.html",
        found=found,
        form=form,
        tables=_by_kind(wholes[:SHOWN]),
        not_listed=len(wholes[SHOWN:]),
        measures={str(kind): _measures(kind) for kind in QuoteKind},
        names=names | {SEVERAL: _("Several countries")},
    )
    return (page, 422) if form.problems else page


def _quoted(asked: Mapping[str, Any]) -> QuoteRanges:
    days = {name: asked.get(name) for name in ("first", "last")}
    return quote_ranges(current_context(), current_actor(), **days)


def _measures(kind: QuoteKind) -> dict[Measure, str]:
    """Return the columns of the table of a kind, and what stands above them."""
    is_certificate = kind is QuoteKind.CERTIFICATION
    said = {
        Measure.TOTAL: _("Three years") if is_certificate else _("All phases"),
        Measure.PER_DAY: _("Each audit day") if is_certificate else _("Each day"),
        Measure.INITIAL_DAYS: _("Days of stages 1 and 2"),
        Measure.SURVEILLANCE_DAYS: _("Days of both surveillance audits"),
        Measure.WORK_DAYS: _("Days"),
    }
    return {measure: said[measure] for measure in MEASURES[kind]}


def _wholes(ranges: Iterable[Range]) -> list[list[Range]]:
    """Return the ranges, those for the same in the same country together."""
    whole = attrgetter("kind", "currency", "standards", "country")
    return [list(each) for _key, each in groupby(ranges, key=whole)]


def _regions(ranges: Iterable[Range]) -> set[str]:
    return {code for each in ranges for code in (each.country, each.region) if code}


def _by_kind(wholes: Iterable[list[Range]]) -> dict[tuple[str, str], list[list[dict[str, Any]]]]:
    """Return the rows of every table, by kind and currency: one per cell, with all its measures."""
    tables: dict[tuple[str, str], list[list[dict[str, Any]]]] = {}
    for whole in wholes:
        cells = [list(each) for _key, each in groupby(whole, key=attrgetter("size", "region"))]
        rows = [
            {"cell": cell[0], "ranges": {str(each.measure): each for each in cell}}
            for cell in cells
        ]
        tables.setdefault((whole[0].kind, whole[0].currency), []).append(rows)
    return tables


@pages.get("/<name>.csv")
def download(name: str) -> Response:
    """Return a report as a table, every row of it."""
    if name not in TABLES:
        abort(404)
    return TABLES[name]()


def _commitment() -> Response:
    found = commitment_report(current_context(), current_actor())
    return _table("commitment", FiguresSchema(), [found.total, *found.rows], found)


def _coverage() -> Response:
    found = coverage_report(current_context(), current_actor())
    return _table("coverage", CoverageCellSchema(), found.cells, found)


def _fairness() -> Response:
    found = fairness(current_context(), current_actor())
    since = found.months.starts_at
    return table("fairness", ProviderShareSchema(), found.shares, since, found.until)


def _funnel() -> Response:
    found = funnel_report(current_context(), current_actor())
    return _table("funnel", StageSchema(), found.stages, found)


def _quotes() -> Response:
    found = _quoted(arguments(QuoteRangesArgs))
    return _table("quotes", QuoteRangeSchema(), found.ranges, found)


def _table(name: str, schema: Schema, rows: Sequence[Any], report: Any) -> Response:
    return table(name, schema, rows, report.since, report.until)


TABLES: Mapping[str, Callable[[], Response]] = {
    "commitment": _commitment,
    "coverage": _coverage,
    "fairness": _fairness,
    "funnel": _funnel,
    "quotes": _quotes,
}


def weeks(rows: Sequence[Figures]) -> list[Figures]:
    """Return the latest weeks, the oldest first."""
    return [row for row in rows if row.by is Group.WEEK][-WEEKS:]


def in_words(found: Sequence[Figures]) -> str:
    """Return what the chart of weeks shows, for who cannot see it."""
    told = [
        _(
            "week of %(week)s: %(met)s in time, %(missed)s missed",
            week=day(row.key),
            met=row.met,
            missed=row.missed,
        )
        for row in found
    ]
    return "; ".join(told) or _("nothing was decided yet")


def turns_in_words(found: Sequence[Share]) -> str:
    """Return what the chart of turns shows, for who cannot see it."""
    told = [
        _(
            "%(name)s: owed %(owed)s, had %(had)s",
            name=each.name,
            owed=f"{each.entitled:g}",
            had=each.invited - each.turns_given_back,
        )
        for each in found
    ]
    return "; ".join(told) or _("nobody was owed a turn yet")


def _shortened(name: str) -> str:
    return name if len(name) <= 20 else f"{name[:19]}\u2026"


def heat_map(cells: Sequence[Cell]) -> dict[str, Any]:
    """Return the standards and regions most asked for, and the cell of each pair, if any."""
    asked: dict[str, int] = {}
    for cell in cells:
        for name in (cell.standard, cell.region):
            asked[name] = asked.get(name, 0) + cell.n

    def most_asked_for(names: Iterable[str]) -> list[str]:
        return sorted(set(names), key=lambda name: (-asked[name], name))

    return {
        "standards": most_asked_for(cell.standard for cell in cells)[:DOWN],
        "regions": most_asked_for(cell.region for cell in cells)[:ACROSS],
        "cells": {(cell.standard, cell.region): cell for cell in cells},
    }
