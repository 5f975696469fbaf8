"""How well an eligible provider fits: a row for everything that it may not be known to bring."""

import pytest

from marketplace.matching import bands
from marketplace.matching.bands import Lack
from tests.rules.facts import (
    BODY,
    CONSULTANT,
    DAY,
    TODAY,
    accreditation,
    found,
    provider,
    wanted,
)

TWO = {"ISO 9001": "2026", "ISO 14001": "2026"}
OFFERS_TWO = frozenset(TWO)


def fit(lead, candidate, points=None):
    """Return the fit of a provider that is eligible indeed."""
    assert found(lead, candidate) is None
    return bands.fit(lead, candidate, today=TODAY, points=points or {})


def lacks(lead, candidate):
    """Return everything that it lacks, by giving one at a time a price that shows."""
    found = {each for each in Lack if fit(lead, candidate, {each: 100}).band >= 100}
    assert fit(lead, candidate).band == len(found) == len(fit(lead, candidate).lacks)
    return found


def test_whoever_is_known_to_bring_everything_is_in_the_best_band():
    for service, kind in (("consulting", CONSULTANT), ("certification", BODY)):
        lead = wanted(service=service, weeks=4, language="en")
        best = provider(kind=kind, weeks_to_start=4, languages=frozenset({"en"}))
        assert fit(lead, best) == bands.Fit(0, ())


@pytest.mark.parametrize(
    ("asked", "known", "expected"),
    [
        ("17", {"17"}, set()),
        ("17", {"17", "28"}, set()),
        ("17", {"28"}, {Lack.SECTOR}),
        ("17", set(), {Lack.SECTOR}),  # does not say
        (None, {"28"}, set()),
        (None, set(), set()),
    ],
)
def test_a_consultant_that_does_not_know_the_sector_is_eligible_and_ranked_lower(
    asked, known, expected
):
    assert lacks(wanted(sector=asked), provider(sectors=frozenset(known))) == expected


@pytest.mark.parametrize(
    ("asked", "held", "expected"),
    [
        ("17", [{}], set()),
        ("17", [{"sectors": None}], {Lack.SECTOR}),
        (None, [{"sectors": None}], set()),
        ("17", [{"sectors": frozenset({"CIV"})}], {Lack.SECTOR}),  # of another system
        ("17", [{"sectors": frozenset({"CIV"})}, {}], set()),
        ("17", [{"edition": None}], {Lack.EDITION}),
        (None, [{"edition": None}], {Lack.EDITION}),
        ("17", [{"edition": None, "sectors": None}], {Lack.EDITION, Lack.SECTOR}),
        # One that says it all makes up for one that does not ...
        ("17", [{"sectors": None}, {}], set()),
        ("17", [{"edition": None, "sectors": None}, {"sectors": None}], {Lack.SECTOR}),
        # ... but the edition of one and the sector of another make no scope.
        ("17", [{"edition": None}, {"edition": "2015"}], {Lack.EDITION}),
        # One that does not count makes up for nothing.
        ("17", [{"edition": None}, {"valid_until": TODAY - DAY}], {Lack.EDITION}),
        ("17", [{"sectors": None}, {"recognised": False}], {Lack.SECTOR}),
        ("17", [{"sectors": None}, {"sectors": frozenset({"28"})}], {Lack.SECTOR}),
    ],
)
def test_a_body_of_which_the_scope_is_unknown_is_eligible_and_ranked_lower(asked, held, expected):
    body = provider(kind=BODY, accreditations=tuple(accreditation(**each) for each in held))
    assert lacks(wanted(service="certification", sector=asked), body) == expected


def test_of_two_accreditations_that_leave_something_unsaid_the_cheaper_one_counts():
    lead = wanted(service="certification")
    held = (accreditation(edition=None), accreditation(sectors=None))
    for order in (held, held[::-1]):
        body = provider(kind=BODY, accreditations=order)
        assert fit(lead, body, {"edition": 5}).lacks == ("not known to cover sector 17",)
        assert fit(lead, body, {"sector": 5}).band == 1


def test_what_a_body_says_of_its_sectors_in_its_profile_is_no_scope():
    body = provider(kind=BODY, sectors=frozenset(), accreditations=(accreditation(),))
    assert lacks(wanted(service="certification"), body) == set()


@pytest.mark.parametrize(
    ("covered", "asked", "is_present"),
    [
        ({"AU-NSW"}, ("AU-NSW",), True),
        ({"AU"}, ("AU-NSW", "AU-VIC"), True),
        ({"NZ"}, ("AU-NSW",), False),
        ({"AU-NSW"}, ("AU-NSW", "AU-VIC"), False),
        ({"AU-NSW"}, ("AU",), False),
    ],
)
@pytest.mark.parametrize(("service", "kind"), [("consulting", CONSULTANT), ("certification", BODY)])
def test_whoever_comes_from_afar_fits_less_well(covered, asked, is_present, service, kind):
    lead = wanted(service=service, regions=asked, remote_ok=True)
    candidate = provider(kind=kind, regions=frozenset(covered), remote=True)
    assert lacks(lead, candidate) == (set() if is_present else {Lack.PRESENCE})


@pytest.mark.parametrize(
    ("bodies_of_9001", "bodies_of_14001", "is_integrated"),
    [
        (["JASANZ"], ["JASANZ"], True),
        (["JASANZ"], ["UKAS"], False),
        (["JASANZ", "UKAS"], ["UKAS"], True),
        (["JASANZ", "UKAS"], ["DAkkS", "RvA"], False),
    ],
)
def test_one_accreditation_body_behind_all_standards_makes_an_integrated_audit(
    bodies_of_9001, bodies_of_14001, is_integrated
):
    held = [accreditation(body=body) for body in bodies_of_9001]
    held += [accreditation(body=body, standard="ISO 14001") for body in bodies_of_14001]
    body = provider(kind=BODY, standards=OFFERS_TWO, accreditations=tuple(held))
    lead = wanted(service="certification", editions=TWO)
    assert lacks(lead, body) == (set() if is_integrated else {Lack.INTEGRATION})


def test_only_accreditations_that_count_make_an_integrated_audit():
    held = (
        accreditation(),
        accreditation(standard="ISO 14001", body="UKAS"),
        accreditation(standard="ISO 14001", valid_until=TODAY - DAY),
    )
    body = provider(kind=BODY, standards=OFFERS_TWO, accreditations=held)
    assert lacks(wanted(service="certification", editions=TWO), body) == {Lack.INTEGRATION}


def test_what_is_unsaid_of_one_of_several_standards_counts_once():
    held = (accreditation(edition=None), accreditation(standard="ISO 14001", edition=None))
    body = provider(kind=BODY, standards=OFFERS_TWO, accreditations=held)
    assert lacks(wanted(service="certification", editions=TWO), body) == {Lack.EDITION}


def test_a_consultant_for_several_standards_integrates_them_itself():
    assert lacks(wanted(editions=TWO), provider(standards=OFFERS_TWO)) == set()


@pytest.mark.parametrize(
    ("asked", "needs", "is_late"),
    [(4, 3, False), (4, 4, False), (4, 5, True), (0, 1, True), (4, None, False), (None, 52, False)],
)
@pytest.mark.parametrize(("service", "kind"), [("consulting", CONSULTANT), ("certification", BODY)])
def test_whoever_is_known_to_start_too_late_fits_less_well(asked, needs, is_late, service, kind):
    candidate = provider(kind=kind, weeks_to_start=needs)
    found = lacks(wanted(service=service, weeks=asked), candidate)
    assert found == ({Lack.TIMEFRAME} if is_late else set())


@pytest.mark.parametrize(
    ("asked", "spoken", "is_foreign"),
    [
        ("de", {"de", "en"}, False),
        ("de", {"en"}, True),
        ("de", set(), False),  # does not say
        (None, {"en"}, False),
    ],
)
def test_whoever_is_known_to_work_in_other_languages_fits_less_well(asked, spoken, is_foreign):
    found = lacks(wanted(language=asked), provider(languages=frozenset(spoken)))
    assert found == ({Lack.LANGUAGE} if is_foreign else set())


def test_what_a_lack_costs_is_data_and_one_where_nothing_is_said():
    lead = wanted(service="certification", remote_ok=True, weeks=1)
    body = provider(
        kind=BODY,
        regions=frozenset(),
        remote=True,
        weeks_to_start=9,
        accreditations=(accreditation(edition=None),),
    )
    assert lacks(lead, body) == {Lack.EDITION, Lack.PRESENCE, Lack.TIMEFRAME}
    assert fit(lead, body).band == 3
    assert fit(lead, body, {"presence": 4, "edition": 0}).band == 5
    assert fit(lead, body, {"language": 9}).band == 3
    assert len(fit(lead, body, {"presence": 4, "edition": 0}).lacks) == 3


def test_every_lack_is_said_in_words_of_its_own():
    lead = wanted(service="certification", editions=TWO, remote_ok=True, weeks=1, language="de")
    held = (
        accreditation(edition=None, sectors=None),
        accreditation(standard="ISO 14001", edition=None, sectors=None, body="UKAS"),
    )
    worst = provider(
        kind=BODY,
        standards=OFFERS_TWO,
        regions=frozenset(),
        remote=True,
        weeks_to_start=2,
        languages=frozenset({"en"}),
        accreditations=held,
    )
    assert lacks(lead, worst) == {*Lack}
    assert len(set(fit(lead, worst).lacks)) == len(Lack)
