"""How many audit days the tables suggest: every row, every edge of a band, every cap."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.catalogue.reading import rows
from marketplace.catalogue.seeding import AUDIT_TIME_TABLES, audit_times
from marketplace.quotes.audit_time import (
    TABLES,
    Assumption,
    Audit,
    Gap,
    Need,
    Row,
    expected,
    half_days,
    tables_of,
    too_few,
    visited,
)

FILED = [
    Row(each["basis"], each["audit"], each["complexity"], each["personnel_max"], each["days"])
    for each in audit_times()
]
FROM = {(each["basis"], each["personnel_max"]): each["personnel_min"] for each in audit_times()}
TABLE = tables_of(FILED)

QMS = {"ISO 9001": "IAF MD 5 table QMS"}
EMS = {"ISO 14001": "IAF MD 5 table EMS"}
OHS = {"ISO 45001": "IAF MD 5 table OH&SMS"}
ISMS = {"ISO/IEC 27001": "ISO/IEC 27006-1:2024 Annex C"}
MDQ = {"ISO 13485": "IAF MD 9 Annex"}
ENERGY = {"ISO 50001": "ISO 50003:2021 (persons x energy complexity)"}
BASES = {"md5_qms": QMS, "md5_ems": EMS, "md5_ohsms": OHS, "isms_27006": ISMS, "md9_mdqms": MDQ}
BASES["iso50003_enms"] = ENERGY


def suggested(standards, personnel, **known):
    return expected(Need(standards, personnel, **known), TABLE)


def days(standards, personnel, audit=Audit.INITIAL, **known):
    span = suggested(standards, personnel, **known).days[audit]
    return str(span.least), str(span.most)


def test_every_table_of_the_catalogue_serves_the_standards_that_rest_on_it():
    assert set(TABLES.values()) == set(AUDIT_TIME_TABLES) == set(TABLE) == set(BASES)
    assert set(TABLES) <= {each["audit_time_basis"] for each in rows("standards")}


@pytest.mark.parametrize("row", FILED, ids=lambda r: f"{r.table}-{r.audit}-{r.column}-{r.up_to}")
def test_at_the_end_of_its_band_a_row_says_its_own_days(row):
    curve = TABLE[row.table].curves[row.audit, row.column]
    assert (row.up_to, row.days) in curve
    least, most = TABLE[row.table].days(Audit(row.audit), row.up_to)
    assert least <= Fraction(row.days) <= most
    beside = [
        each.days
        for each in FILED
        if (each.table, each.audit, each.up_to) == (row.table, row.audit, row.up_to)
    ]
    assert (least, most) == (min(beside), max(beside))


@pytest.mark.parametrize("row", FILED, ids=lambda r: f"{r.table}-{r.audit}-{r.column}-{r.up_to}")
def test_a_band_begins_just_above_the_row_before_it_and_never_at_its_own_value(row):
    table, audit = TABLE[row.table], Audit(row.audit)
    before = [up_to for up_to, _ in table.curves[row.audit, row.column] if up_to < row.up_to]
    begins = FROM[row.table, row.up_to]
    assert begins == (max(before) + 1 if before else 1)
    if not before:
        assert table.days(audit, begins) == table.days(audit, row.up_to)
        return
    last, first, end = (table.days(audit, n) for n in (begins - 1, begins, row.up_to))
    for low, at, high in zip(last, first, end, strict=True):
        part = Fraction(1, row.up_to - begins + 1)
        assert at == low + part * (high - low)


@pytest.mark.parametrize(("basis", "beyond"), [(b, 10_701) for b in BASES if b != "iso50003_enms"])
def test_above_the_last_row_the_certification_body_is_asked(basis, beyond):
    standards = BASES[basis]
    assert suggested(standards, beyond - 1).days
    found = suggested(standards, beyond)
    assert not found.days
    assert set(found.gaps.values()) == {Gap.BEYOND_TABLE}
    assert found.assumptions == ()


def test_the_energy_table_ends_at_425_people():
    assert suggested(ENERGY, 425).days
    assert suggested(ENERGY, 426).gaps == {"ISO 50001": Gap.BEYOND_TABLE}


@pytest.mark.parametrize(
    ("standards", "personnel", "span"),
    [
        # The table itself at the upper end; 30 % off at the lower, to the nearest half day.
        (QMS, 1, ("1", "1.5")),  # 1.05
        (QMS, 5, ("1", "1.5")),
        (QMS, 25, ("2", "3")),  # 2.1
        (QMS, 45, ("3", "4")),  # 2.8
        (QMS, 42, ("2.5", "4")),  # 2.695 and 3.85
        (QMS, 65, ("3.5", "5")),
        (QMS, 10_700, ("15.5", "22")),  # 15.4
        (ISMS, 10, ("3.5", "5")),
        (MDQ, 5, ("2", "3")),  # 2.1
        # A table with columns spans them: the lowest less 30 %, up to the highest.
        (EMS, 45, ("2", "7")),  # 0.7 x 3
        (OHS, 45, ("3", "7")),  # 0.7 x 4
        (ENERGY, 65, ("4.5", "10")),  # 0.7 x 6.5 = 4.55
        # Several are added up, and another 20 % may come off.
        ({**QMS, **EMS}, 45, ("4", "11")),  # 0.8 x 0.7 x 7 = 3.92
        ({**QMS, **EMS, **OHS}, 45, ("6", "18")),  # 0.8 x 0.7 x 11 = 6.16
    ],
)
def test_an_initial_audit_takes(standards, personnel, span):
    assert days(standards, personnel) == span


@pytest.mark.parametrize(
    ("standards", "personnel", "surveillance", "recertification"),
    [
        (QMS, 65, ("1", "1.5"), ("2.5", "3.5")),  # 1.17 and 1.67; 2.33 and 3.33
        (QMS, 85, ("1.5", "2"), ("3", "4")),  # 1.4 and 2; 2.8 and 4
        (EMS, 45, ("0.5", "2.5"), ("1.5", "4.5")),  # 0.7 and 2.33; 1.4 and 4.67
        (ENERGY, 65, ("2", "3.5"), ("3.5", "7")),  # 0.7 x 2.5 and 3.5; 0.7 x 5 and 7
    ],
)
def test_surveillance_is_a_third_and_recertification_two_unless_a_table_says_its_own(
    standards, personnel, surveillance, recertification
):
    assert days(standards, personnel, Audit.SURVEILLANCE) == surveillance
    assert days(standards, personnel, Audit.RECERTIFICATION) == recertification
    is_by_share = standards is not ENERGY
    assert (Assumption.SHARES in suggested(standards, personnel).assumptions) == is_by_share


@pytest.mark.parametrize(
    ("sites", "initial", "surveillance", "recertification"),
    [
        (1, 1, 1, 1),
        (2, 2, 2, 2),
        (3, 3, 3, 3),
        (4, 3, 3, 3),  # roots 2, 1.2 and 1.6, rounded up, and the central function
        (5, 4, 3, 3),
        (9, 4, 3, 4),
        (10, 5, 3, 4),
        (25, 6, 4, 5),
        (26, 7, 5, 6),
        (100, 11, 7, 9),
        (101, 12, 8, 10),
        (10_000, 101, 61, 81),
    ],
)
def test_of_many_sites_a_sample_is_visited(sites, initial, surveillance, recertification):
    found = [visited(sites, audit) for audit in Audit]
    assert found == [initial, surveillance, recertification]


@pytest.mark.parametrize(
    ("personnel", "sites", "span"),
    [
        # All at one place: 8.25 days, of which 70 % are 5.775.
        (200, 1, ("6", "8.5")),
        # Two sites of 50 take 4.25 each, of which half; all at one place 6.375, of which 70 %.
        (100, 2, ("4.5", "8.5")),
        # Five of ten sites of 20 take 2.75 each, and no less than half; 70 % of 8.25 are less.
        (200, 10, ("7", "14")),
        (250, 10, ("7.5", "15")),
        # Fewer people than sites: there is one at each.
        (3, 100, ("8.5", "16.5")),
    ],
)
def test_sites_take_from_what_all_at_one_place_would_to_every_visited_one_by_itself(
    personnel, sites, span
):
    assert days(QMS, personnel, sites=sites) == span


@given(st.integers(1, 10_700), st.integers(1, 10_000))
def test_sites_never_make_it_less_than_all_people_at_one_place(personnel, sites):
    many, one = (suggested(QMS, personnel, sites=n).days[Audit.INITIAL] for n in (sites, 1))
    assert many.least >= one.least
    assert many.most >= one.most


@pytest.mark.parametrize(
    ("exact", "said"),
    [("1.24", "1"), ("1.25", "1.5"), ("1.74", "1.5"), ("1.75", "2"), ("5.3", "5.5"), ("5.2", "5")],
)
def test_days_are_told_to_the_nearest_half_and_a_quarter_goes_up(exact, said):
    assert str(half_days(Fraction(exact))) == said


@pytest.mark.parametrize("basis", ["CB procedure", "ISO 22003-1 + scheme add-ons", "", "-"])
def test_a_standard_without_a_table_is_named_and_not_guessed_at(basis):
    found = suggested({"ISO 22301": basis}, 42)
    assert (found.days, found.gaps) == ({}, {"ISO 22301": Gap.NO_TABLE})
    both = suggested({**QMS, "ISO 22301": basis}, 42)
    assert both.standards == ("ISO 9001",)
    assert both.gaps == {"ISO 22301": Gap.NO_TABLE}
    assert both.days[Audit.INITIAL].most == suggested(QMS, 42).days[Audit.INITIAL].most


@pytest.mark.parametrize("sector", ["11", "32", "36"])
def test_the_environmental_table_has_no_column_for_special_cases(sector):
    assert suggested(EMS, 42, sector=sector).gaps == {"ISO 14001": Gap.SPECIAL_SECTOR}
    assert suggested({**QMS, **OHS}, 42, sector=sector).gaps == {}
    for other in ("17", None, "CIV"):
        found = suggested(EMS, 42, sector=other)
        assert not found.gaps
        assert Assumption.NOT_SPECIAL in found.assumptions


@pytest.mark.parametrize(
    ("standards", "known", "assumption", "is_made"),
    [
        (QMS, {}, Assumption.HEADCOUNT, True),
        (QMS, {"is_counted": True}, Assumption.HEADCOUNT, False),
        (QMS, {"is_counted": True}, Assumption.COUNTED, True),
        (QMS, {}, Assumption.COMPLEXITY, False),
        (EMS, {}, Assumption.COMPLEXITY, True),
        (ENERGY, {}, Assumption.COMPLEXITY, True),
        (QMS, {}, Assumption.SAMPLE, False),
        (QMS, {"sites": 2}, Assumption.SAMPLE, True),
        (QMS, {}, Assumption.REDUCTION, True),
        (QMS, {}, Assumption.INTEGRATION, False),
        ({**QMS, **EMS}, {}, Assumption.INTEGRATION, True),
        (QMS, {}, Assumption.TRANSFER, False),
        (QMS, {"is_transfer": True}, Assumption.TRANSFER, True),
        (QMS, {}, Assumption.NOT_SPECIAL, False),
        (QMS, {}, Assumption.CONTINUUM, True),
    ],
)
def test_a_range_says_what_it_rests_on(standards, known, assumption, is_made):
    assert (assumption in suggested(standards, 42, **known).assumptions) is is_made


mixes = st.lists(st.sampled_from(list(BASES.values())), min_size=1, max_size=4).map(
    lambda parts: {code: basis for part in parts for code, basis in part.items()}
)


@given(mixes, st.integers(1, 10_700), st.integers(0, 5_000), st.integers(1, 400))
def test_no_end_of_a_range_falls_when_people_are_added(standards, personnel, more, sites):
    few = suggested(standards, personnel, sites=sites)
    many = suggested(standards, personnel + more, sites=sites)
    assert set(many.standards) <= set(few.standards)
    if many.standards != few.standards:
        return
    for audit, span in many.days.items():
        assert span.least >= few.days[audit].least
        assert span.most >= few.days[audit].most


@given(mixes, st.integers(1, 10_700), st.integers(1, 10_000))
def test_a_range_is_one_in_half_days_and_never_nothing(standards, personnel, sites):
    for span in suggested(standards, personnel, sites=sites).days.values():
        assert Decimal("0.5") <= span.least <= span.most
        assert span.least * 2 % 1 == span.most * 2 % 1 == 0


@given(mixes, st.integers(1, 425))
def test_the_lower_end_keeps_the_caps(standards, personnel):
    table = sum(
        TABLE[TABLES[basis]].days(Audit.INITIAL, personnel)[0] for basis in standards.values()
    )
    kept = Fraction(7, 10) * (Fraction(8, 10) if len(standards) > 1 else 1)
    assert suggested(standards, personnel).days[Audit.INITIAL].least == half_days(table * kept)


@pytest.mark.parametrize(
    ("quoted", "found"),
    [
        ({"stage_1": 1.0, "stage_2": 2.0}, []),  # 3.0 is the lower end for 45 people
        ({"stage_1": 1.0, "stage_2": 1.5}, ["initial"]),
        ({"stage_1": 0.0, "stage_2": 0.0}, ["initial"]),
        ({"stage_1": 1.0, "stage_2": None}, []),
        ({"stage_1": 1.0}, []),
        ({}, []),
        ({"surveillance_1": 1.0, "surveillance_2": 0.5}, ["surveillance_2"]),
        ({"recertification": 1.5}, ["recertification"]),
        ({"recertification": 2.0}, []),
        ({"stage_1": 900.0, "stage_2": 900.0}, []),
    ],
)
def test_days_below_the_lower_end_are_noticed_and_what_is_not_said_is_not_judged(quoted, found):
    assert too_few(suggested(QMS, 45), quoted) == found


def test_where_no_table_has_a_figure_nothing_is_too_few():
    assert too_few(suggested(QMS, 10_701), {"stage_1": 0.5, "stage_2": 0.5}) == []
