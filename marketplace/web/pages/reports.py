"""Reports for administrators: how the promise was kept, who is missing where, who had turns."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from flask import Blueprint, Response, abort, render_template
from marshmallow import Schema

from marketplace.core import charts
from marketplace.core.errors import NotSignedIn
from marketplace.insights.commitment_rows import Group
from marketplace.insights.commitments import Figures, commitment_report
from marketplace.insights.coverage import Cell, coverage_report
from marketplace.insights.fairness import fairness
from marketplace.web.api.admin_reports import CoverageCellSchema, ProviderShareSchema, table
from marketplace.web.api.commitment_schemas import FiguresSchema
from marketplace.web.auth import current_actor, current_context
from marketplace.web.pages.sign_in import to_sign_in
from marketplace.web.reporting import chart_answer

pages = Blueprint("reports", __name__, url_prefix="/admin/reports")
pages.register_error_handler(NotSignedIn, to_sign_in)

WEEKS = 13
"""How many weeks the chart shows: about the 90 days of the report."""

SHOWN = 10
"""Rows of a group, and providers, on the page; the table to download has them all."""

ACROSS, DOWN = 8, 10
"""Regions and standards of the heat map: those most asked for."""


@pages.get("")
def all_() -> str:
    """Show the last 90 days."""
    ctx, actor = current_context(), current_actor()
    kept = commitment_report(ctx, actor)
    covered = coverage_report(ctx, actor)
    return render_template(
        "admin_reports.html",
        kept=kept,
        weeks=in_words(weeks(kept.rows)),
        groups={
            group: [row for row in kept.rows if row.by is group][:SHOWN]
            for group in (Group.STANDARD, Group.REGION, Group.PROVIDER)
        },
        covered=covered,
        maps={
            kind: heat_map([cell for cell in covered.cells if cell.kind == kind])
            for kind in ("consultant", "certification_body")
        },
        fair=fairness(ctx, actor, limit=SHOWN),
    )


@pages.get("/commitment.svg")
def weeks_chart() -> Response:
    """Draw how many requests had their first response in time, and how many had not, by week."""
    found = weeks(commitment_report(current_context(), current_actor(), by=Group.WEEK).rows)
    drawing = charts.bars(stacked=True, width=760, height=300, min_scale=2, title="By week")
    drawing.x_labels = [row.key[5:] for row in found]
    drawing.add("In time", [row.met or None for row in found])
    drawing.add("Missed", [row.missed or None for row in found])
    return chart_answer(charts.svg(drawing, name="weeks", description=in_words(found)))


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


def _table(name: str, schema: Schema, rows: Sequence[Any], report: Any) -> Response:
    return table(name, schema, rows, report.since, report.until)


TABLES: Mapping[str, Callable[[], Response]] = {
    "commitment": _commitment,
    "coverage": _coverage,
    "fairness": _fairness,
}


def weeks(rows: Sequence[Figures]) -> list[Figures]:
    """Return the latest weeks, the oldest first."""
    return [row for row in rows if row.by is Group.WEEK][-WEEKS:]


def in_words(found: Sequence[Figures]) -> str:
    """Return what the chart shows, for who cannot see it."""
    told = (f"week of {row.key}: {row.met} in time, {row.missed} missed" for row in found)
    return "; ".join(told) or "nothing was decided yet"


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
