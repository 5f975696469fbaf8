"""Who may be invited at all: a table for every filter, and invariant 4 in every clause."""

from datetime import date, datetime, timedelta

import pytest

from marketplace.catalogue.rules import Recognition
from marketplace.matching.eligibility import Filter, standing_obstacle
from marketplace.providers.rules import AccreditationState, ProviderState, is_recognised
from tests.rules.facts import (
    BODY,
    CONSULTANT,
    DAY,
    NOW,
    TODAY,
    accreditation,
    found,
    provider,
    wanted,
)


def test_a_provider_that_fits_in_everything_is_eligible():
    assert found(wanted(), provider()) is None
    assert found(wanted(service="certification"), provider(kind=BODY)) is None


@pytest.mark.parametrize(
    ("service", "kind", "expected"),
    [
        ("consulting", CONSULTANT, None),
        ("consulting", BODY, Filter.KIND),
        ("certification", CONSULTANT, Filter.KIND),
        ("certification", BODY, None),
        ("either", CONSULTANT, None),
        ("either", BODY, None),
    ],
)
def test_the_kind_follows_from_the_service(service, kind, expected):
    assert found(wanted(service=service), provider(kind=kind)) is expected


@pytest.mark.parametrize("state", ProviderState)
def test_only_a_verified_provider_is_invited(state):
    expected = None if state is ProviderState.VERIFIED else Filter.STATE
    assert found(wanted(), provider(state=state)) is expected


@pytest.mark.parametrize(
    ("offered", "asked", "expected"),
    [
        ({"ISO 9001"}, {"ISO 9001": "2026"}, None),
        ({"ISO 9001", "ISO 14001"}, {"ISO 9001": "2026"}, None),
        ({"ISO 9001"}, {"ISO 9001": "2026", "ISO 14001": "2026"}, Filter.STANDARDS),
        ({"ISO 14001"}, {"ISO 9001": "2026"}, Filter.STANDARDS),
        (set(), {"ISO 9001": "2026"}, Filter.STANDARDS),
    ],
)
def test_every_standard_has_to_be_offered(offered, asked, expected):
    assert found(wanted(editions=asked), provider(standards=frozenset(offered))) is expected


@pytest.mark.parametrize(
    ("covered", "asked", "remote", "remote_ok", "expected"),
    [
        ({"AU-NSW"}, ("AU-NSW",), False, False, None),
        ({"AU"}, ("AU-NSW",), False, False, None),
        ({"AU"}, ("AU",), False, False, None),
        # A state is not the whole country, and no country is another.
        ({"AU-NSW"}, ("AU",), False, False, Filter.REGIONS),
        ({"AU-VIC"}, ("AU-NSW",), False, False, Filter.REGIONS),
        ({"NZ"}, ("AU-NSW",), False, False, Filter.REGIONS),
        ({"AU-NSW"}, ("AU-NSW", "AU-VIC"), False, False, Filter.REGIONS),
        ({"AU-NSW", "AU-VIC"}, ("AU-NSW", "AU-VIC"), False, False, None),
        ({"AU", "NZ-AUK"}, ("AU-WA", "NZ-AUK"), False, False, None),
        # From afar only where both sides want that.
        ({"NZ"}, ("AU-NSW",), True, True, None),
        ({"NZ"}, ("AU-NSW",), True, False, Filter.REGIONS),
        ({"NZ"}, ("AU-NSW",), False, True, Filter.REGIONS),
    ],
)
def test_every_region_has_to_be_covered_or_reached_from_afar(
    covered, asked, remote, remote_ok, expected
):
    candidate = provider(regions=frozenset(covered), remote=remote)
    assert found(wanted(regions=asked, remote_ok=remote_ok), candidate) is expected


@pytest.mark.parametrize(
    ("headcount", "expected"),
    [(9, Filter.HEADCOUNT), (10, None), (50, None), (51, Filter.HEADCOUNT)],
)
def test_the_business_has_to_be_of_a_size_the_provider_takes(headcount, expected):
    candidate = provider(headcount_min=10, headcount_max=50)
    assert found(wanted(headcount=headcount), candidate) is expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"open_count": 4}, None),
        ({"open_count": 5}, Filter.CAPACITY),
        ({"open_count": 6}, Filter.CAPACITY),
        ({"open_capacity": 0}, Filter.CAPACITY),
        ({"month_count": 19}, None),
        ({"month_count": 20}, Filter.CAPACITY),
        ({"monthly_capacity": 0}, Filter.CAPACITY),
        # What was counted in another month is over.
        ({"month_count": 20, "month": date(2026, 10, 1)}, None),
        ({"month_count": 20, "month": date(2025, 11, 1)}, None),
        # A host whose clock is behind goes by the later month, in which the row counts on.
        ({"month_count": 20, "month": date(2026, 12, 1)}, Filter.CAPACITY),
        ({"month_count": 19, "month": date(2026, 12, 1)}, None),
        ({"monthly_capacity": 0, "month": date(2026, 10, 1)}, Filter.CAPACITY),
    ],
)
def test_capacity_counts_open_ones_and_those_of_this_month(changes, expected):
    assert found(wanted(), provider(**changes)) is expected


TICK = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (NOW - DAY, NOW + DAY, Filter.PAUSE),
        (NOW, NOW + TICK, Filter.PAUSE),
        (NOW + TICK, NOW + DAY, None),
        (NOW - DAY, NOW, None),
        (NOW - DAY, NOW + TICK, Filter.PAUSE),
    ],
)
def test_a_pause_counts_from_its_start_up_to_its_end(start, end, expected):
    assert found(wanted(), provider(pauses=((start, end),))) is expected


def test_a_provider_is_invited_once_ever():
    candidate = provider(7)
    assert found(wanted(), candidate, invited=[candidate, provider(8)]) is Filter.INVITED
    assert found(wanted(), candidate, invited=[provider(8)]) is None


# Invariant 4, clause by clause.

CERTIFICATION = wanted(service="certification")


@pytest.mark.parametrize(
    ("changes", "is_eligible"),
    [
        ({}, True),
        ({"edition": "2015"}, False),
        ({"edition": None}, True),
        ({"edition": ""}, False),
        ({"sectors": None}, True),
        ({"sectors": frozenset({"17", "28"})}, True),
        ({"sectors": frozenset({"28"})}, False),
        ({"sectors": frozenset()}, True),  # says nothing
        ({"sectors": frozenset({"CIV"})}, True),  # food chain: says nothing of an IAF code
        ({"sectors": frozenset({"CIV", "17"})}, True),
        ({"sectors": frozenset({"CIV", "28"})}, False),
        ({"edition": None, "sectors": None}, True),
        ({"edition": None, "sectors": frozenset({"28"})}, False),
        ({"edition": "2015", "sectors": None}, False),
        ({"standard": "ISO 14001"}, False),
        ({"recognised": False}, False),
        ({"state": AccreditationState.CLAIMED}, False),
        ({"state": AccreditationState.SUSPENDED}, False),
        ({"state": AccreditationState.WITHDRAWN}, False),
        ({"state": AccreditationState.EXPIRED}, False),
        ({"valid_until": TODAY - DAY}, False),
        ({"valid_until": TODAY}, True),
        ({"valid_until": TODAY + DAY}, True),
        ({"valid_from": TODAY + DAY}, False),
        ({"valid_from": TODAY}, True),
        ({"valid_from": TODAY - DAY}, True),
        ({"valid_from": TODAY, "valid_until": TODAY}, True),
    ],
)
def test_an_accreditation_counts_or_does_not(changes, is_eligible):
    body = provider(kind=BODY, accreditations=(accreditation(**changes),))
    assert found(CERTIFICATION, body) is (None if is_eligible else Filter.ACCREDITATION)
    # Who holds an invitation already loses it for the same reason, and for no other.
    standing = standing_obstacle(CERTIFICATION, body, now=NOW, impartiality_years=2)
    assert (standing is None) is is_eligible


def test_a_body_without_any_accreditation_is_not_invited():
    assert found(CERTIFICATION, provider(kind=BODY, accreditations=())) is Filter.ACCREDITATION


def test_a_consultant_needs_no_accreditation():
    assert found(wanted(service="either"), provider(accreditations=())) is None


def test_it_counts_up_to_the_end_of_its_last_day():
    body = provider(kind=BODY, accreditations=(accreditation(valid_until=TODAY),))
    last_moment = datetime.combine(TODAY, datetime.max.time(), NOW.tzinfo)
    assert found(CERTIFICATION, body, now=last_moment) is None
    assert found(CERTIFICATION, body, now=last_moment + TICK) is Filter.ACCREDITATION


def test_edition_and_sector_have_to_be_covered_by_one_accreditation():
    other_edition = accreditation(edition="2015", sectors=frozenset({"17"}))
    other_sector = accreditation(edition="2026", sectors=frozenset({"28"}))
    both = provider(kind=BODY, accreditations=(other_edition, other_sector))
    assert found(CERTIFICATION, both) is Filter.ACCREDITATION


def test_every_standard_needs_an_accreditation_of_its_own():
    lead = wanted(service="certification", editions={"ISO 9001": "2026", "ISO 14001": "2026"})
    offers = {"kind": BODY, "standards": frozenset({"ISO 9001", "ISO 14001"})}
    one = accreditation()
    other = accreditation(standard="ISO 14001")
    assert found(lead, provider(accreditations=(one,), **offers)) is Filter.ACCREDITATION
    assert found(lead, provider(accreditations=(other,), **offers)) is Filter.ACCREDITATION
    assert found(lead, provider(accreditations=(one, other), **offers)) is None


def test_without_a_sector_any_known_sector_will_do():
    body = provider(kind=BODY, accreditations=(accreditation(sectors=frozenset({"28"})),))
    assert found(wanted(service="certification", sector=None), body) is None


@pytest.mark.parametrize(
    ("recognition", "recognised_for", "counts"),
    [
        (Recognition.RECOGNISED, None, True),
        (Recognition.RECOGNISED, ["ISO 9001"], True),
        (Recognition.RECOGNISED, ["ISO 14001"], False),
        (Recognition.RECOGNISED, [], False),
        (Recognition.NOT_RECOGNISED, None, False),
        (Recognition.NOT_RECOGNISED, ["ISO 9001"], False),
        (Recognition.UNVERIFIED, None, False),
    ],
)
def test_recognition_is_by_standard(recognition, recognised_for, counts):
    assert is_recognised(recognition, recognised_for, "ISO 9001") is counts


def test_the_first_obstacle_in_the_order_of_the_funnel_is_told():
    hopeless = provider(
        state=ProviderState.SUSPENDED,
        standards=frozenset(),
        regions=frozenset(),
        headcount_max=1,
        open_count=9,
        kind=BODY,
        accreditations=(),
    )
    assert found(wanted(), hopeless) is Filter.KIND
    assert found(wanted(service="certification"), hopeless) is Filter.STATE


def test_capacity_pauses_and_coverage_do_not_take_back_what_was_sent():
    busy = provider(open_count=99, pauses=((NOW - DAY, NOW + DAY),), regions=frozenset())
    assert standing_obstacle(wanted(), busy, now=NOW, impartiality_years=2) is None
    suspended = provider(state=ProviderState.SUSPENDED)
    assert standing_obstacle(wanted(), suspended, now=NOW, impartiality_years=2) is not None
