"""The rows of a comparison, in words: the same for every quote, on the page and on paper."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

from flask_babel import gettext as _
from flask_babel import ngettext

from marketplace.core.policy import Policy
from marketplace.providers.rules import AccreditationState
from marketplace.quotes.audit_time import Expected, Gap, Span
from marketplace.quotes.judging import InTime, Stands, Verdict
from marketplace.quotes.rules import AUDITS, CERTIFICATION_LINES, QuoteKind
from marketplace.web.languages import translate
from marketplace.web.pages.quote_labels import WHY_NOT, assumed, days_between
from marketplace.web.pages.words import day, in_days, money, number, say

Column = dict[str, Any]


@dataclass(frozen=True)
class Cell:
    """What one quote says in one row."""

    text: str = ""
    notes: tuple[str, ...] = ()
    """What is said under it, each on a line of its own."""
    warnings: tuple[str, ...] = ()
    """What a reader should ask about, above the notes."""
    is_missing: bool = False
    """Whether the quote does not say it."""
    is_amount: bool = False
    """Whether the text is one amount, which is not broken over lines."""


@dataclass(frozen=True)
class Row:
    """One line of the comparison, with a cell for every quote."""

    label: str
    cells: tuple[Cell, ...]
    look: str = ""
    """`total` for a sum, `apart` for what belongs to no sum."""


@dataclass(frozen=True)
class Part:
    """Rows that belong together, under a heading."""

    heading: str
    rows: tuple[Row, ...]


def parts(kind: str, side_by_side: dict[str, Any]) -> list[Part]:
    """Return everything that is compared of the quotes of one kind, in its order."""
    columns = side_by_side["columns"]
    if kind == QuoteKind.CERTIFICATION:
        lines = side_by_side["lines"]
        found = [
            (_("What it is for"), [*_scope(columns)]),
            (_("What it costs, without tax"), [*_amounts(lines, columns), *_sums(columns)]),
            (_("Year by year"), [*_years(columns)]),
            (_("Audit time"), [*_audit_time(lines, columns)]),
            (_("When"), [*_dates(columns)]),
            (_("On which terms"), [*_terms(columns)]),
        ]
    else:
        found = [
            (_("What it costs, without tax"), [*_phases(columns), *_sums(columns)]),
            (_("The usual work, and where it is covered"), [*_work(columns)]),
            (_("When"), [*_dates(columns)]),
            (_("On which terms"), [*_terms(columns)]),
        ]
    return [Part(heading, tuple(rows)) for heading, rows in found]


def _row(
    label: str, columns: Sequence[Column], cell: Callable[[Column], Cell], look: str = ""
) -> Row:
    return Row(label, tuple(cell(column) for column in columns), look)


def _amount(amount: str | None, column: Column, *notes: str) -> Cell:
    said = money(amount, column["currency"])
    return Cell(said, tuple(notes), is_missing=amount is None, is_amount=amount is not None)


def _texts(texts: Sequence[str]) -> Cell:
    if not texts:
        return Cell(_("not stated"), is_missing=True)
    return Cell(notes=tuple(texts))


def _scope(columns: Sequence[Column]) -> Iterator[Row]:
    yield _row(_("Standards and editions"), columns, _standards)
    yield _row(_("Accredited by"), columns, _accreditation)
    yield _row(_("People counted for the audit time"), columns, _personnel)


def _standards(column: Column) -> Cell:
    offered = tuple(
        f"{each['code']} ({each['edition']})"
        if each.get("edition")
        else _("%(code)s, edition not stated", code=each["code"])
        for each in column["standards"]
    )
    without = [
        _("without %(code)s, which you asked for", code=code)
        for code in column["standards_missing"]
    ]
    other = [
        _("%(code)s: you asked for the edition of %(wanted)s", **each)
        for each in column["other_editions"]
    ]
    return Cell(notes=offered, warnings=(*without, *other))


def _accreditation(column: Column) -> Cell:
    notes, warnings = [], []
    is_named = column["accreditation"] is not None
    for each in column["accredited"]:
        standard, held = each["standard"], each["held"]
        if held is None:
            warnings.append(
                _("%(standard)s: none that is good and that we know of", standard=standard)
            )
            continue
        number_ = f"{held['body']} {held['certificate_number']}"
        notes.append(_("%(standard)s: %(number)s", standard=standard, number=number_))
        edition = (
            _("for edition %(edition)s", edition=held["edition"])
            if held["edition"]
            else _("for which edition is not known")
        )
        checked = (
            _("checked on %(day)s", day=day(held["checked_on"]))
            if held["checked_on"]
            else _("vouched for when the provider was taken in")
        )
        notes.append(f"{edition}; {checked}")
        if is_named and not each["is_named"]:
            notes.append(_("held by the provider, not named in the quote"))
        if held["state"] != AccreditationState.VERIFIED:
            said = say(held["state"], "accreditation")
            warnings.append(_("%(standard)s: %(state)s", standard=standard, state=said))
    text = "" if is_named else _("not named in the quote; the provider holds")
    if not is_named and not notes:
        text = _("not named in the quote")
    return Cell(text, tuple(notes), tuple(warnings), is_missing=not is_named)


def _personnel(column: Column) -> Cell:
    counted, headcount = column["effective_personnel"], column["headcount"]
    if counted is None:
        return Cell(_("not stated"), is_missing=True)
    over = (
        (_("more than the %(people)s that you named", people=number(headcount)),)
        if counted > headcount
        else ()
    )
    fewer = (
        (_("of the %(people)s that you named", people=number(headcount)),)
        if counted < headcount
        else ()
    )
    return Cell(number(counted), fewer, over)


def _amounts(lines: Sequence[dict[str, Any]], columns: Sequence[Column]) -> Iterator[Row]:
    for line in lines:
        cells = []
        for amount, column in zip(line["amounts"], columns, strict=True):
            notes = _basis(amount, column) if line["key"] == "travel" else ()
            cells.append(_amount(amount, column, *notes))
        look = "" if line["in_three_years"] else "apart"
        yield Row(translate(line["label"]), tuple(cells), look)


def _basis(amount: str | None, column: Column) -> tuple[str, ...]:
    """Return who bears what travel costs; an amount alone does not say whether it may grow."""
    if column["travel_basis"]:
        return (say(column["travel_basis"], "travel"),)
    return (_("whether it can come to more is not stated"),) if amount is not None else ()


def _travel(column: Column) -> Cell:
    return _amount(column["travel"], column)


def _phases(columns: Sequence[Column]) -> Iterator[Row]:
    yield _row(_("Phases"), columns, _phase_list)
    yield _row(_("Travel"), columns, _travel)


def _phase_list(column: Column) -> Cell:
    said = []
    for phase in column["phases"]:
        # An amount stays in one piece, so that it can be found and added up again.
        fee = money(phase["fee"], column["currency"]).replace(" ", "\u00a0")
        if phase.get("days") is None:
            said.append(_("%(phase)s: %(fee)s", phase=phase["name"], fee=fee))
        else:
            days = in_days(phase["days"])
            said.append(_("%(phase)s: %(fee)s, %(days)s", phase=phase["name"], fee=fee, days=days))
    return Cell(notes=tuple(said))


def _sums(columns: Sequence[Column]) -> Iterator[Row]:
    is_certification = "years" in columns[0]
    yield _row(
        _("Three years in all") if is_certification else _("All phases and travel"),
        columns,
        lambda column: _amount(
            column["total"],
            column,
            *(_("without: %(what)s", what=translate(each)) for each in column["left_out"]),
        ),
        "total",
    )
    yield _row(
        _("With tax"),
        columns,
        lambda column: _amount(
            column["total_with_tax"],
            column,
            *([_("at %(rate)s %%", rate=column["tax_rate"])] if column["tax_rate"] else []),
        ),
    )
    if is_certification:
        yield _row(_("A year, on average"), columns, lambda column: _mean(column, "per_year"))
    yield _row(
        _("Everything, per audit day") if is_certification else _("Everything, per day"),
        columns,
        lambda column: _mean(column, "per_day", *_without_days(column)),
    )
    yield _row(_("Not in the total"), columns, _not_in_total)


def _mean(column: Column, key: str, *notes: str) -> Cell:
    """Return a mean; a total that leaves something out makes one that does."""
    if column[key] is None:
        return _amount(None, column)
    stated = [_("of what is stated")] if column["left_out"] else []
    return _amount(column[key], column, *stated, *notes)


def _without_days(column: Column) -> tuple[str, ...]:
    """Return what is paid for and says no days: fewer days make a day look dearer."""
    return tuple(
        _("without the days of: %(what)s", what=translate(each)) for each in column["days_left_out"]
    )


def _not_in_total(column: Column) -> Cell:
    """Return what the total does not hold, said in the quote or not: the next cycle never is."""
    next_cycle = [line.label for line in CERTIFICATION_LINES if not line.in_three_years]
    left_out = [*column["left_out"], *(next_cycle if "years" in column else [])]
    named = [translate(each) for each in left_out]
    return Cell(notes=tuple(each[:1].upper() + each[1:] for each in named))


def _years(columns: Sequence[Column]) -> Iterator[Row]:
    labels = (
        _("First year: application, stages 1 and 2"),
        _("Second year: first surveillance audit"),
        _("Third year: second surveillance audit"),
    )
    for number_, label in enumerate(labels):
        cells = []
        for column in columns:
            year = column["years"][number_]
            # Where nothing is stated that is said already, and no list of it is needed.
            left_out = year["left_out"] if year["amount"] is not None else []
            named = [_("without: %(what)s", what=translate(each)) for each in left_out]
            cells.append(_amount(year["amount"], column, *named))
        yield Row(label, tuple(cells))
    yield _row(_("Travel, all three years together"), columns, _travel)


def _audit_time(lines: Sequence[dict[str, Any]], columns: Sequence[Column]) -> Iterator[Row]:
    labels = {
        "initial": _("Stages 1 and 2 together"),
        "surveillance_1": _("First surveillance audit"),
        "surveillance_2": _("Second surveillance audit"),
        "recertification": _("Recertification audit (next cycle)"),
    }
    by_key = {line["key"]: line["days"] for line in lines}
    for key, label in labels.items():
        cells = tuple(
            _audit(key, {line: days[place] for line, days in by_key.items()}, column)
            for place, column in enumerate(columns)
        )
        yield Row(label, cells, "apart" if key == "recertification" else "")
    audits = [line for line in lines if line["key"] in AUDITS and line["in_three_years"]]
    yield Row(
        _("Audit days in the three years"),
        tuple(
            _all_days(column, [line["label"] for line in audits if line["days"][number_] is None])
            for number_, column in enumerate(columns)
        ),
    )
    if any(column["expected"]["gaps"] for column in columns):
        yield _row(_("What the tables have no figure for"), columns, _gaps)


def _all_days(column: Column, unstated: Sequence[str]) -> Cell:
    if not column["days"]:
        return _texts(())
    return Cell(
        in_days(column["days"]),
        tuple(_("without the days of: %(what)s", what=translate(each)) for each in unstated),
    )


def _audit(key: str, quoted: Mapping[str, float | None], column: Column) -> Cell:
    """Return the days of one audit of a quote; those of stages 1 and 2 are judged as one."""
    judged = next((each for each in column["audits"] if each["audit"] == key), None)
    if key != "initial":
        return _days(quoted[key], judged, (), column)
    one, two = quoted["stage_1"], quoted["stage_2"]
    if one is None or two is None:
        return _days(None, judged, (), column)
    split = _("stage 1: %(one)s, stage 2: %(two)s", one=number(one), two=number(two))
    return _days(one + two, judged, (split,), column)


def _days(days: float | None, judged: Any, split: tuple[str, ...], column: Column) -> Cell:
    if days is None:
        return Cell(_("not stated"), is_missing=True)
    if judged is None:
        return Cell(in_days(days), split)
    said = days_between(_span(judged["least"], judged["most"]))
    notes = [*split]
    if column["expected"]["gaps"]:
        codes = ", ".join(column["expected"]["standards"])
        notes.append(_("for %(codes)s alone the tables suggest %(range)s", codes=codes, range=said))
    else:
        notes.append(_("the tables suggest %(range)s", range=said))
    if judged["verdict"] == Verdict.NOT_JUDGED and days < judged["least"]:
        notes.append(_("a transfer may need less"))
    warnings = {
        Verdict.BELOW: _("below what the accreditation rules allow without a special reason"),
        Verdict.FAR_ABOVE: _("far above what the tables suggest"),
    }
    asks = [warnings[judged["verdict"]]] if judged["verdict"] in warnings else []
    if judged["least_for_headcount"] is not None:
        asks.append(
            _(
                "for all %(people)s people that you named the tables suggest %(range)s: ask how it "
                "counted %(counted)s",
                people=number(column["headcount"]),
                range=days_between(
                    _span(judged["least_for_headcount"], judged["most_for_headcount"])
                ),
                counted=number(column["effective_personnel"]),
            )
        )
    return Cell(in_days(days), tuple(notes), tuple(asks))


def _span(least: float, most: float) -> Span:
    return Span(Decimal(str(least)), Decimal(str(most)))


def _gaps(column: Column) -> Cell:
    gaps = column["expected"]["gaps"]
    if not gaps:
        return Cell(_("nothing"))
    return Cell(
        notes=tuple(
            _(
                "%(code)s: %(why)s; ask the certification body",
                code=code,
                why=translate(WHY_NOT[Gap(gap)]),
            )
            for code, gap in gaps.items()
        )
    )


def _work(columns: Sequence[Column]) -> Iterator[Row]:
    yield _row(_("What is handed over"), columns, _deliverables)
    yield _row(
        _("Days in all"),
        columns,
        lambda column: (
            Cell(in_days(column["days"]), _without_days(column)) if column["days"] else _texts(())
        ),
    )
    for place, work in enumerate(columns[0]["work"]):
        yield _row(
            translate(work["label"]),
            columns,
            partial(_where_covered, place),
        )


def _deliverables(column: Column) -> Cell:
    return _texts(
        [
            _("%(phase)s: %(what)s", phase=phase["name"], what="; ".join(phase["deliverables"]))
            for phase in column["phases"]
            if phase.get("deliverables")
        ]
    )


def _where_covered(place: int, column: Column) -> Cell:
    work = column["work"][place]
    if not work["phases"]:
        return Cell(_("not mentioned"), is_missing=True)
    where = "; ".join(work["phases"])
    if work["is_stated"]:
        return Cell(where)
    return Cell(where, (_("by its words"),))


def _dates(columns: Sequence[Column]) -> Iterator[Row]:
    yield _row(_("Earliest start"), columns, _start)
    if any(column.get("duration_weeks") for column in columns):
        yield _row(_("Duration"), columns, _duration)
    yield _row(_("Stands until"), columns, _validity)


def _validity(column: Column) -> Cell:
    warnings = {
        Stands.BRIEFLY: _("only a few days: ask whether it can stand longer"),
        Stands.NO_LONGER: _("it stands no longer: ask before you choose it"),
    }
    warning = warnings.get(column["stands"])
    return Cell(day(column["valid_until"]), warnings=(warning,) if warning else ())


def _start(column: Column) -> Cell:
    start = column["earliest_start"]
    if start is None:
        return Cell(_("not stated"), is_missing=True)
    said = {
        InTime.POSSIBLE: _("in time for the day you need it"),
        InTime.TIGHT: _("tight for the day you need it"),
    }
    late = (
        (_("not in time for the day you need it"),)
        if column["in_time"] == InTime.NOT_IN_TIME
        else ()
    )
    found = said.get(column["in_time"])
    return Cell(day(start), (found,) if found else (), late)


def _duration(column: Column) -> Cell:
    weeks = column["duration_weeks"]
    if weeks is None:
        return Cell(_("not stated"), is_missing=True)
    return Cell(ngettext("%(num)s week", "%(num)s weeks", weeks))


def _terms(columns: Sequence[Column]) -> Iterator[Row]:
    if "years" in columns[0]:
        yield _row(_("Assumptions"), columns, lambda column: _texts(column["assumptions"]))
    else:
        duties, excluded = _("What is left to you"), _("Not included")
        yield _row(duties, columns, lambda column: _texts(column["client_duties"]))
        yield _row(excluded, columns, lambda column: _texts(column["exclusions"]))
    if any(column["notes"] for column in columns):  # whole: small print is not folded away
        yield _row(_("Notes"), columns, _notes)


def _notes(column: Column) -> Cell:
    lines = [line.strip() for line in (column["notes"] or "").splitlines()]
    return Cell(notes=tuple(filter(None, lines))) if column["notes"] else Cell(_("none"))


def before_choosing(column: Column) -> tuple[str, ...]:
    """Return what of one quote has to be known by whoever is about to choose it."""
    return _validity(column).warnings


def above(side_by_side: dict[str, Any], comparison: dict[str, Any]) -> list[str]:
    """Return what has to be known before any line is read."""
    said = [_("Amounts without tax.")]
    if len(side_by_side["columns"]) > 1:
        order = translate(comparison["order"])
        said.append(
            _("The quotes stand %(order)s; nothing that anybody pays moves them.", order=order)
        )
    if not side_by_side["is_one_currency"]:
        said.append(
            _("The amounts are in different currencies and cannot be compared as they stand.")
        )
    return said


def below(kind: str, comparison: dict[str, Any], policy: Policy) -> list[str]:
    """Return what helps to understand the lines."""
    said, needed_by = [], comparison["needed_by"]
    if kind == QuoteKind.CONSULTING:
        said.append(
            _(
                "\u201cBy its words\u201d means that the words of a phase speak of it; the "
                "consultant has not said so. Ask before you rely on it."
            )
        )
        if needed_by:
            said.append(
                _(
                    "Needed by %(day)s. A project counts as tight where it leaves less than "
                    "%(slack)s weeks until then.",
                    day=day(needed_by),
                    slack=policy.consulting_slack.days // 7,
                )
            )
    elif needed_by:
        said.append(
            _(
                "Needed by %(day)s. From stage 1 to the certificate we reckon %(least)s weeks at "
                "the least, and %(usual)s as a rule.",
                day=day(needed_by),
                least=policy.certificate_at_best.days // 7,
                usual=policy.certificate_as_a_rule.days // 7,
            )
        )
    return said


def justified() -> str:
    """Return what a certification body owes where it takes less time than the tables ask for."""
    return str(
        _(
            "A certification body has to justify fewer days than the tables ask for, and to show "
            "you its reasons when you ask (IAF MD 5, 2.3.2)."
        )
    )


def rests_on(columns: Sequence[Column]) -> list[tuple[str, list[str]]]:
    """Return what the ranges of audit days rest on, by the providers that they are for."""
    found: dict[tuple[str, ...], list[str]] = {}
    for column in columns:
        expected = column["expected"]
        basis = Expected(
            days={},
            standards=tuple(expected["standards"]),
            gaps={},
            assumptions=(),
            personnel=expected["personnel"],
            sites=expected["sites"],
            visited=expected["visited"],
        )
        said = tuple(assumed(each, basis) for each in expected["assumptions"])
        if said:
            found.setdefault(said, []).append(column["provider"])
    return [(", ".join(providers), list(said)) for said, providers in found.items()]
