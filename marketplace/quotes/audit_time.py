"""How many days an audit should take: a range, and what it rests on. Never one number.

The tables (IAF MD 5 for quality, environment, and health and safety; ISO/IEC 27006-1 Annex C; IAF
MD 9; ISO 50003) are entered with effective personnel. Of a request only the headcount is known, an
upper bound of it; not how complex the work is, how people are spread over sites, nor what reasons
there are for less time. So both ends of the range are reckoned, and each assumption is named.

In this order: sites (IAF MD 1), reductions (MD 5), integration (MD 11), and half days last.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from itertools import pairwise
from math import floor, isqrt


class Audit(StrEnum):
    """What is audited when; the tables' own words."""

    INITIAL = "initial"
    """Stages 1 and 2 together: how they share the time is for the certification body to say."""
    SURVEILLANCE = "surveillance"
    """One of the two visits between certification and recertification, one a year."""
    RECERTIFICATION = "recertification"


TABLES = {
    "IAF MD 5 table QMS": "md5_qms",
    "IAF MD 5 table EMS": "md5_ems",
    "IAF MD 5 table OH&SMS": "md5_ohsms",
    "ISO/IEC 27006-1:2024 Annex C": "isms_27006",
    "IAF MD 9 Annex": "md9_mdqms",
    "ISO 50003:2021 (persons x energy complexity)": "iso50003_enms",
}
"""Which table serves a standard, by what the catalogue says that its audit time rests on."""

AT_LEAST_OF_TABLE = Fraction(7, 10)
"""What must be left of a table's time after all reductions: 30 % off at most (MD 5)."""
AT_LEAST_OF_SITE = Fraction(1, 2)
"""What must be left of the time of each site that is visited (MD 1)."""
AT_LEAST_INTEGRATED = Fraction(8, 10)
"""What must be left of the sum where several systems are audited as one: 20 % off at most (MD 11),
after MD 1 and MD 5."""

OF_INITIAL = {
    Audit.INITIAL: Fraction(1),
    Audit.SURVEILLANCE: Fraction(1, 3),
    Audit.RECERTIFICATION: Fraction(2, 3),
}
"""What an audit takes of the time of an initial one, where its table has no rows of its own (MD 5:
surveillance a third each year, recertification two thirds)."""

TENTHS_OF_ROOT = {Audit.INITIAL: 10, Audit.SURVEILLANCE: 6, Audit.RECERTIFICATION: 8}
"""How many sites are visited: tenths of the square root of all, and the central function (MD 1)."""

SPECIAL_SECTORS = {"md5_ems": ("11", "32", "36")}
"""Sectors (IAF ID 1) without a column in a table: nuclear fuel, finance, public administration."""


class Gap(StrEnum):
    """Why there is no figure for a standard, so that the certification body has to be asked."""

    NO_TABLE = "no_table"
    BEYOND_TABLE = "beyond_table"
    """More people than the last row of its table."""
    SPECIAL_SECTOR = "special_sector"


class Assumption(StrEnum):
    """What a range rests on."""

    HEADCOUNT = "headcount"
    """The headcount stands for effective personnel, which is at most that."""
    COUNTED = "counted"
    """Effective personnel is what the certification body counted."""
    CONTINUUM = "continuum"
    """Between the rows of a table the time rises steadily; it does not jump."""
    COMPLEXITY = "complexity"
    """How complex the work is cannot be known beforehand: the range spans all columns."""
    SAMPLE = "sample"
    """The people are spread evenly over sites that are alike, of which a sample is visited."""
    REDUCTION = "reduction"
    """The lower end is 30 % below the tables; nothing is added for languages, shifts or risks."""
    INTEGRATION = "integration"
    """The lower end is another 20 % below, for one audit of several standards."""
    SHARES = "shares"
    """Surveillance takes a third of an initial audit and recertification two thirds."""
    NOT_SPECIAL = "not_special"
    """The work is none of the cases for which the environmental table has no column."""
    TRANSFER = "transfer"
    """A transfer goes on with the cycle that runs: there may be no stages 1 and 2."""


@dataclass(frozen=True)
class Row:
    """One row of a table: up to how many people a column asks for how many days."""

    table: str
    audit: str
    column: str
    up_to: int
    days: Decimal


@dataclass(frozen=True)
class Need:
    """What is known of a request: no more than its masked brief says."""

    standards: Mapping[str, str]
    """What the audit time of each standard rests on, as the catalogue says it."""
    personnel: int
    is_counted: bool = False
    """Whether that is effective personnel, as counted; otherwise it is the headcount."""
    sites: int = 1
    sector: str | None = None
    is_transfer: bool = False


@dataclass(frozen=True)
class Span:
    """From how many days to how many, in halves."""

    least: Decimal
    most: Decimal


@dataclass(frozen=True)
class Expected:
    """What the tables suggest, for those of the standards that they have a figure for."""

    days: Mapping[Audit, Span]
    """In days of eight hours on site and off, without travel. Empty where no table has a figure."""
    standards: tuple[str, ...]
    """What the days are for."""
    gaps: Mapping[str, Gap]
    """What they are not for, and why."""
    assumptions: tuple[Assumption, ...]
    personnel: int
    sites: int = 1
    visited: int = 1
    """How many of the sites an initial audit visits."""


@dataclass
class Table:
    """The columns of one table, each a curve over effective personnel."""

    name: str
    curves: dict[tuple[str, str], list[tuple[int, Decimal]]] = field(default_factory=dict)
    """By audit and column: up to how many people, and the days there; upwards."""

    def has_rows_for(self, audit: Audit) -> bool:
        return any(name == audit for name, _ in self.curves)

    def days(self, audit: Audit, personnel: int) -> tuple[Fraction, Fraction] | None:
        """Return the least and the most days of all columns, or None beyond the last row."""
        is_own = self.has_rows_for(audit)
        rows, share = (audit, Fraction(1)) if is_own else (Audit.INITIAL, OF_INITIAL[audit])
        curves = [curve for (name, _), curve in self.curves.items() if name == rows]
        known = [days for curve in curves if (days := on_curve(curve, personnel)) is not None]
        if not known or len(known) < len(curves):
            return None
        return min(known) * share, max(known) * share


def tables_of(rows: Iterable[Row]) -> dict[str, Table]:
    """Return the tables that these rows make up, by name."""
    found: dict[str, Table] = {}
    for row in sorted(rows, key=lambda each: each.up_to):
        table = found.setdefault(row.table, Table(row.table))
        table.curves.setdefault((row.audit, row.column), []).append((row.up_to, row.days))
    return found


def on_curve(curve: list[tuple[int, Decimal]], personnel: int) -> Fraction | None:
    """Return the days that a column asks for, or None beyond its last row.

    A continuum and not steps (MD 5, note to table QMS 1): level from one person to the end of the
    first row; from the end of each row, where its own value stands, straight to that of the next.
    """
    if not curve or personnel > curve[-1][0]:
        return None
    first, days = curve[0]
    if personnel <= first:
        return Fraction(days)
    for (start, low), (end, high) in pairwise(curve):
        if personnel <= end:
            part = Fraction(personnel - start, end - start)
            return Fraction(low) + part * (Fraction(high) - Fraction(low))
    raise AssertionError("the last row was looked at above")


def visited(sites: int, audit: Audit) -> int:
    """Return how many sites an audit visits: a sample, rounded up, and the central function."""
    tenths = TENTHS_OF_ROOT[audit]
    root_of_hundredfold = isqrt(tenths * tenths * sites - 1) + 1  # rounded up
    return min(sites, -(-root_of_hundredfold // 10) + 1)


def half_days(days: Fraction) -> Decimal:
    """Return days to the nearest half, a quarter up (MD 5)."""
    return Decimal(floor(days * 2 + Fraction(1, 2))) / 2


def expected(need: Need, tables: Mapping[str, Table]) -> Expected:
    """Return the range of days that the tables suggest for each audit of a cycle.

    Neither end ever falls when people are added.
    """
    sound: dict[str, Table] = {}
    gaps: dict[str, Gap] = {}
    for code, basis in need.standards.items():
        table = tables.get(TABLES.get(basis, ""))
        if table is None:
            gaps[code] = Gap.NO_TABLE
        elif need.sector in SPECIAL_SECTORS.get(table.name, ()):
            gaps[code] = Gap.SPECIAL_SECTOR
        elif any(table.days(audit, need.personnel) is None for audit in Audit):
            gaps[code] = Gap.BEYOND_TABLE
        else:
            sound[code] = table
    used = list(sound.values())
    return Expected(
        days={audit: _span(need, used, audit) for audit in Audit} if used else {},
        standards=tuple(sound),
        gaps=gaps,
        assumptions=tuple(_assumptions(need, used)),
        personnel=need.personnel,
        sites=need.sites,
        visited=visited(need.sites, Audit.INITIAL),
    )


def _span(need: Need, tables: list[Table], audit: Audit) -> Span:
    """Return the range of one audit; the tables have a figure for all the people, so for fewer."""
    together = _sum(tables, audit, need.personnel)
    each_site = _sum(tables, audit, -(-need.personnel // need.sites))
    visits = visited(need.sites, audit)
    least = max(together[0] * AT_LEAST_OF_TABLE, each_site[0] * visits * AT_LEAST_OF_SITE)
    if len(need.standards) > 1:
        least *= AT_LEAST_INTEGRATED
    most = max(together[1], each_site[1] * visits)
    return Span(half_days(least), half_days(most))


def _sum(tables: list[Table], audit: Audit, personnel: int) -> tuple[Fraction, Fraction]:
    found = [days for table in tables if (days := table.days(audit, personnel)) is not None]
    return sum((low for low, _ in found), Fraction()), sum((high for _, high in found), Fraction())


def _assumptions(need: Need, used: list[Table]) -> Iterable[Assumption]:
    if not used:
        return
    yield Assumption.COUNTED if need.is_counted else Assumption.HEADCOUNT
    yield Assumption.CONTINUUM
    if any(len({column for _, column in table.curves}) > 1 for table in used):
        yield Assumption.COMPLEXITY
    if need.sites > 1:
        yield Assumption.SAMPLE
    yield Assumption.REDUCTION
    if len(need.standards) > 1:
        yield Assumption.INTEGRATION
    if not all(table.has_rows_for(Audit.SURVEILLANCE) for table in used):
        yield Assumption.SHARES
    if any(table.name in SPECIAL_SECTORS for table in used):
        yield Assumption.NOT_SPECIAL
    if need.is_transfer:
        yield Assumption.TRANSFER


AUDIT_OF = {
    "surveillance_1": Audit.SURVEILLANCE,
    "surveillance_2": Audit.SURVEILLANCE,
    "recertification": Audit.RECERTIFICATION,
}
"""Which audit a line of a quote is; stages 1 and 2 are judged together."""


def too_few(wanted: Expected, quoted: Mapping[str, Decimal | float | None]) -> list[str]:
    """Return which audits of a quote have fewer days than the lower end of the range.

    That is below 70 % of the tables, all reductions made: no reason to refuse a quote, but one for
    the business to ask, and for the certification body to justify (MD 5, 2.3.2). What a quote does
    not say is not judged; nor is the first audit of a transfer, which may need no stages 1 and 2.
    """
    found = []
    stages = [quoted.get(stage) for stage in ("stage_1", "stage_2")]
    given = [Fraction(days) for days in stages if days is not None]
    is_judged = len(given) == len(stages) and Assumption.TRANSFER not in wanted.assumptions
    if is_judged and _is_below(wanted, Audit.INITIAL, sum(given, Fraction())):
        found.append("initial")
    for line, audit in AUDIT_OF.items():
        days = quoted.get(line)
        if days is not None and _is_below(wanted, audit, Fraction(days)):
            found.append(line)
    return found


def _is_below(wanted: Expected, audit: Audit, days: Fraction) -> bool:
    span = wanted.days.get(audit)
    return span is not None and days < Fraction(span.least)
