"""The quotes of a request side by side on paper: a PDF that can be handed to a board.

Its lines are those of the page (`compared`); `templates/comparison.typ` says what they look like.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from itertools import accumulate
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from babel.dates import format_datetime, get_date_format, get_time_format
from flask import Request, Response
from flask_babel import gettext as _
from flask_babel import ngettext

from marketplace.core.context import Context
from marketplace.core.errors import Conflict
from marketplace.core.files import PDF, SentFile
from marketplace.core.policy import Policy
from marketplace.core.typesetting import typeset
from marketplace.providers.rules import AccreditationState
from marketplace.quotes import comparison
from marketplace.quotes.ordering import DEFAULT, Order
from marketplace.quotes.rules import QuoteKind
from marketplace.web.auth import current_actor, current_context
from marketplace.web.files import download
from marketplace.web.languages import formats, translate
from marketplace.web.pages import compared
from marketplace.web.pages.choices import names
from marketplace.web.pages.compared import Part
from marketplace.web.pages.words import day, language, number, say

TEMPLATE = Path(__file__).parents[1] / "templates" / "comparison.typ"


def order_in(asked: Request) -> Order:
    """Return the order that an address asks for; where it names none, the usual one."""
    wanted = asked.args.get("order")
    return Order(wanted) if wanted in list(Order) else DEFAULT


def comparison_pdf(order: Order, *, lead_id: UUID | None = None) -> Response:
    """Return the comparison as a PDF to be saved: of the business' own request, or of this one."""
    ctx = current_context()
    shown = comparison.request_page(ctx, current_actor(), order, lead_id=lead_id)
    if not shown["comparison"]["kinds"]:
        raise Conflict("there is nothing to compare yet: nobody has quoted")
    policy = ctx.policy
    content = typeset(
        TEMPLATE,
        settable(paper(ctx, shown)),
        memory=policy.paper_memory,
        seconds=policy.paper_seconds,
    )
    name = f"quotes-{shown['reference']}{PDF.ending}"
    return download(SentFile(name, PDF.media_type, content))


def settable(content: Any) -> Any:
    """Return what is to be set with every text in it such that it stays where it belongs.

    An amount is not parted from its currency; what has no gap in it for long may be broken, though
    not between a letter and its accent.
    """
    if isinstance(content, dict):
        return {name: settable(each) for name, each in content.items()}
    if isinstance(content, list | tuple):
        return [settable(each) for each in content]
    if isinstance(content, str):
        whole = _AMOUNT.sub("\\1\N{NO-BREAK SPACE}", content)
        return _UNBROKEN.sub(lambda found: _broken(found[0]), whole)
    return content


_AMOUNT = re.compile(r"\b([A-Z]{3}) (?=\d)")
_UNBROKEN = re.compile(r"\S{24,}")
_MAY_BREAK_AFTER = 6


def _broken(word: str) -> str:
    parts, since = [], 0
    for sign in word:
        is_joined = unicodedata.category(sign)[0] in "MC"  # an accent, or what joins two signs
        if since >= _MAY_BREAK_AFTER and not is_joined:
            parts.append("\N{ZERO WIDTH SPACE}")
            since = 0
        parts.append(sign)
        since += 1
    return "".join(parts)


def paper(ctx: Context, shown: Mapping[str, Any]) -> dict[str, Any]:
    """Return all that the paper says of a request, by the names that the template has for it."""
    lead, reference, zone = shown["lead"], shown["reference"], shown["time_zone"]
    company = lead.get("company", {}).get("name")
    locale = formats()
    return {
        "lang": locale.language,
        "region": locale.territory or "",
        "title": _("Request %(reference)s: quotes side by side", reference=reference),
        "by": "ISO quotes marketplace",
        "heading": _("Quotes side by side"),
        "about": (
            _("Request %(reference)s of %(company)s", reference=reference, company=company)
            if company
            else _("Request %(reference)s", reference=reference)
        ),
        "state": _("As it stood on %(when)s.", when=_moment(ctx.clock(), zone)),
        "foot": _(
            "Request %(reference)s, %(day)s", reference=reference, day=day(ctx.clock(), zone)
        ),
        "page": _("Page %(number)s of %(all)s", number="{n}", all="{all}"),
        "asked": _asked(ctx, lead),
        "tables": [
            _table(ctx, kind, side_by_side, shown)
            for kind, side_by_side in shown["comparison"]["kinds"].items()
        ],
        "questions": _questions(shown["questions"], zone, ctx.policy),
        "reading": {
            "heading": _("How to read it"),
            "said": [
                _(
                    "The lines are the same for every quote. What a quote does not say is named, "
                    "and never counted as zero."
                ),
                _("Everything is as the providers stated it, unless it says that we checked it."),
            ],
            "boxes": _("A box stands for a sign that we have no font for."),
        },
    }


def _moment(moment: datetime, zone: str) -> str:
    """Return a moment in words that hold for whoever reads them whenever: no "today"."""
    locale = formats()
    date, time = get_date_format("long", locale), get_time_format("short", locale)
    said = f"{date.pattern}, {time.pattern} z"
    return str(format_datetime(moment, said, tzinfo=ZoneInfo(zone), locale=locale))


def _asked(ctx: Context, lead: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was asked; of a request whose personal data was erased, nothing is left."""
    return {
        "heading": _("What was asked"),
        "facts": list(_facts(ctx, lead)) if lead else [],
        "about_notes": _("Notes"),
        "notes": lead.get("notes") or "",
    }


def _facts(ctx: Context, lead: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    sector = lead.get("sector")
    called = names(ctx, regions=lead["regions"], sectors=[sector] if sector else [])
    yield _("Service"), say(lead["service"], "service")
    editions = lead.get("editions") or {}
    yield (
        _("Standards"),
        ", ".join(
            f"{code} ({editions[code]})" if editions.get(code) else code
            for code in lead["standards"]
        ),
    )
    places = "; ".join(called.get(code, code) for code in lead["regions"])
    remote = _("(remote work is fine)") if lead.get("remote_ok") else ""
    yield _("Where"), f"{places} {remote}".strip()
    people = number(lead["headcount"])
    yield (
        _("People"),
        ngettext(
            "%(people)s at %(num)s site",
            "%(people)s at %(num)s sites",
            lead["sites"],
            people=people,
        ),
    )
    if sector:
        yield _("Sector"), called.get(sector, sector)
    yield _("Today"), say(lead["certification_status"], "certification")
    times = [
        *([say(lead["timeframe"], "timeframe")] if lead.get("timeframe") else []),
        *([_("needed by %(day)s", day=day(lead["needed_by"]))] if lead.get("needed_by") else []),
    ]
    if times:
        yield _("When"), "; ".join(times)
    if lead.get("language"):
        yield _("Language"), language(lead["language"])


def _table(
    ctx: Context, kind: str, side_by_side: dict[str, Any], shown: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the quotes of one kind: each at a glance, and all of them line by line."""
    is_certification = kind == QuoteKind.CERTIFICATION
    columns = side_by_side["columns"]
    parts = compared.parts(kind, side_by_side)
    marks = [
        _("chosen") if column["invitation_id"] == shown["awarded_invitation_id"] else ""
        for column in columns
    ]
    basis = compared.rests_on(columns) if is_certification else []
    return {
        "heading": _("Certification quotes") if is_certification else _("Consulting quotes"),
        "detail": (
            _("Certification quotes, line by line")
            if is_certification
            else _("Consulting quotes, line by line")
        ),
        "said": compared.above(side_by_side, shown["comparison"]),
        "cards": _cards(parts, columns, marks, shown),
        "line": _("Line"),
        "names": [_in_short(column["provider"]) for column in columns],
        "marks": marks,
        "parts": [
            {
                "heading": part.heading,
                "rows": [
                    {
                        "label": row.label,
                        "look": row.look,
                        "cells": [
                            asdict(cell)
                            | {"notes": _shortened(cell.notes, ctx.policy.paper_cell_at_most)}
                            for cell in row.cells
                        ],
                    }
                    for row in part.rows
                ],
            }
            for part in parts
        ],
        "hints": compared.below(kind, shown["comparison"], ctx.policy),
        "basis": {
            "heading": _("What the tables' audit days rest on"),
            "groups": [{"providers": providers, "said": said} for providers, said in basis],
            "last": compared.justified(),
        }
        if basis
        else None,
    }


def _cards(
    parts: Sequence[Part],
    columns: Sequence[dict[str, Any]],
    marks: Sequence[str],
    shown: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """Return each quote at a glance: who made it, how they are known, what it comes to."""
    providers = {each["id"]: each["provider"] for each in shown["invitations"]}
    (total,) = (row for part in parts for row in part.rows if row.look == "total")
    cards = []
    for cell, column, mark in zip(total.cells, columns, marks, strict=True):
        provider = providers[column["invitation_id"]]
        withdrawn = column["withdrawn_because"]
        cards.append(
            {
                "name": provider["name"],
                "kind": say(provider["kind"], "kind"),
                "total": cell.text,
                "covers": total.label,
                "mark": mark,
                "warnings": [
                    *(
                        [_("Withdrawn, because %(reason)s.", reason=translate(withdrawn))]
                        if withdrawn
                        else []
                    ),
                    *cell.notes,
                ],
                "facts": _known(provider, shown["lead"].get("standards", []), shown["time_zone"]),
            }
        )
    return cards


def _known(provider: Mapping[str, Any], asked_for: Sequence[str], zone: str) -> list[str]:
    """Return what is known of a provider, each with when it was looked at."""
    verified = provider["verified_at"]
    return [
        *(
            [_("Verified as a provider by us on %(day)s.", day=day(verified, zone))]
            if verified
            else []
        ),
        *(_badge(each) for each in provider["accreditations"] if each["standard"] in asked_for),
    ]


def _badge(held: Mapping[str, Any]) -> str:
    edition = f" ({held['edition']})" if held["edition"] else ""
    named = _(
        "%(standard)s, accredited by %(body)s, number %(number)s.",
        standard=f"{held['standard']}{edition}",
        body=held["body"],
        number=held["certificate_number"],
    )
    return f"{named} {_how_known(held)}"


def _how_known(held: Mapping[str, Any]) -> str:
    until, checked = day(held["valid_until"]), held["checked_on"]
    if held["state"] == AccreditationState.VERIFIED and checked:
        return _(
            "Checked by us on %(checked)s; valid until %(until)s.",
            checked=day(checked),
            until=until,
        )
    if held["state"] == AccreditationState.VERIFIED:
        return _("Vouched for when the provider was taken in; valid until %(until)s.", until=until)
    state = say(held["state"], "accreditation")
    state = state[:1].upper() + state[1:]
    if checked:
        return _("%(state)s; last looked at on %(checked)s.", state=state, checked=day(checked))
    return f"{state}."


_NAME_AT_MOST = 80
"""Letters above a column, which stand on every page again; the whole name is in front of it all."""


def _in_short(name: str) -> str:
    if len(name) <= _NAME_AT_MOST:
        return name
    return f"{name[: _NAME_AT_MOST - 1]}\N{HORIZONTAL ELLIPSIS}"


def _shortened(texts: Sequence[str], at_most: int) -> list[str]:
    """Return texts up to so many letters in all, and where that is not all of them, say so."""
    kept: list[str] = []
    room = at_most
    for text in texts:
        if len(text) > room:
            cut = [f"{text[:room]}\N{HORIZONTAL ELLIPSIS}"] if room else []
            return [*kept, *cut, _("Shortened here: the page has all of it.")]
        kept.append(text)
        room -= len(text)
    return kept


def _questions(
    asked: Sequence[Mapping[str, Any]], zone: str, policy: Policy
) -> dict[str, Any] | None:
    if not asked:
        return None
    lengths = accumulate(len(each["text"]) + len(each["answer"] or "") for each in asked)
    fit = [
        each
        for each, length in zip(asked, lengths, strict=True)
        if length <= 10 * policy.paper_cell_at_most
    ]
    return {
        "heading": _("Questions and answers"),
        "more": "" if len(fit) == len(asked) else _("There were more: the page has all of them."),
        "items": [
            {
                "asked": _("A provider asked on %(when)s", when=_moment(each["asked_at"], zone)),
                "text": each["text"],
                "answered": (
                    _("Answered on %(when)s", when=_moment(each["answered_at"], zone))
                    if each["answered_at"]
                    else _("Not answered")
                ),
                "answer": each["answer"] or "",
            }
            for each in fit
        ],
    }
