"""What every report takes and how it is answered: a month, a page of JSON, or all of it as CSV."""

import csv
import io
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Any, TypeVar

from flask import Response
from marshmallow import Schema, ValidationError, fields

from marketplace.core.formulas import shown
from marketplace.web.fields import Choice, in_utc
from marketplace.web.paging import PageArgs
from marketplace.web.requests import Blueprint

View = TypeVar("View", bound=Callable[..., Any])

CSV = "text/csv"


class Format(StrEnum):
    JSON = "json"
    CSV = "csv"


def format_field() -> fields.Field[Any]:
    """Return the field that every report takes."""
    return Choice(
        Format,
        load_default=Format.JSON,
        metadata={"description": "`csv`: every row, not a page, below a row of names (RFC 4180)"},
    )


class ReportArgs(PageArgs):
    """What every report of many rows takes."""

    format = format_field()


def wanted(args: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is asked of the report itself: of a table, never a page but all of it."""
    asked = {name: value for name, value in args.items() if name != "format"}
    return asked | {"limit": None, "after": None} if args["format"] is Format.CSV else asked


class Month(fields.Field[date]):
    """A calendar month (UTC) as `2026-11`; its first day inside."""

    _SHAPE = re.compile(r"[0-9]{4}-[0-9]{2}")

    def __init__(self, **kwargs: Any) -> None:
        shape = {"type": "string", "pattern": r"^\d{4}-(0[1-9]|1[0-2])$", "example": "2026-11"}
        super().__init__(metadata=shape, **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> date:
        try:
            if self._SHAPE.fullmatch(str(value)):
                return date.fromisoformat(f"{value}-01")
        except ValueError:
            pass
        raise ValidationError("must be a month such as 2026-11")

    def _serialize(self, value: Any, attr: Any, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else str(value.isoformat()[:7])


def also_as_csv(blp: Blueprint) -> Callable[[View], View]:
    """Say in the documentation that a report is there as CSV as well."""
    decorate: Callable[[View], View] = blp.alt_response(
        200, schema={"type": "string"}, content_type=CSV, success=True
    )
    return decorate


CHART_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""A chart brings its own style along, and nothing else."""


def chart_answer(content: bytes) -> Response:
    """Return a chart, an SVG file, as a picture for a page."""
    headers = {"Content-Security-Policy": CHART_POLICY}
    return Response(content, content_type="image/svg+xml; charset=utf-8", headers=headers)


def csv_answer(
    name: str, schema: Schema, items: Iterable[Any], *, beside: Mapping[str, str]
) -> Response:
    """Return items as a table, one column per field of their `schema`; `beside` is in every row.

    A text that a spreadsheet could take for a formula gets an apostrophe in front, which it shows
    as text. Numbers, below zero or not, stay numbers.
    """
    columns = list(schema.fields)
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow([*columns, *beside])
    for each in items:
        table.writerow([*(_cell(getattr(each, name)) for name in columns), *beside.values()])
    response = Response(text.getvalue(), content_type=f"{CSV}; charset=utf-8; header=present")
    response.headers.set("Content-Disposition", "attachment", filename=f"{name}.csv")
    return response


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return shown(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return in_utc(value) if isinstance(value, datetime) else value
