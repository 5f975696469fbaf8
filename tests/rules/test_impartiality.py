"""Impartiality: invariant 5 in every clause."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.matching.eligibility import (
    Adviser,
    Filter,
    clashes,
    related_obstacle,
    standing_obstacle,
)
from marketplace.providers.rules import name_key, years_before
from tests.rules.facts import (
    BODY,
    CONSULTANT,
    DAY,
    NOW,
    TODAY,
    found,
    provider,
    provider_id,
    relation,
    wanted,
)

EITHER = wanted(service="either")


@pytest.mark.parametrize(
    ("since", "until", "is_related"),
    [
        (None, None, True),
        (TODAY, None, True),
        (TODAY + DAY, None, False),
        (None, TODAY, True),
        (None, TODAY - DAY, False),
        (TODAY - DAY, TODAY + DAY, True),
        (TODAY, TODAY, True),
    ],
)
def test_a_body_and_a_related_consultant_are_never_on_one_lead(since, until, is_related):
    body = provider(1, BODY, related=frozenset({relation(2, since=since, until=until)}))
    consultant = provider(2, related=frozenset({relation(1, since=since, until=until)}))
    expected = Filter.IMPARTIALITY if is_related else None
    assert found(EITHER, body, invited=[consultant]) is expected
    assert found(EITHER, consultant, invited=[body]) is expected


def test_whoever_was_invited_and_left_again_still_counts():
    """The business may have heard from it: `invited` is everybody who ever was."""
    body = provider(1, BODY, related=frozenset({relation(2)}))
    assert related_obstacle(body, [provider(3), provider(2)], today=TODAY) is not None


def test_one_legal_entity_is_not_both_kinds_on_one_lead():
    body = provider(1, BODY, legal_entity="AU:004085616")
    assert found(EITHER, body, invited=[provider(2, legal_entity="AU:004085616")]) is (
        Filter.IMPARTIALITY
    )
    assert found(EITHER, body, invited=[provider(2, legal_entity="AU:824753556")]) is None


def test_two_whose_legal_entity_is_unknown_are_not_the_same():
    assert found(EITHER, provider(1, BODY), invited=[provider(2)]) is None


def test_two_related_providers_of_one_kind_may_both_be_invited():
    one = provider(1, related=frozenset({relation(2)}))
    assert found(wanted(), one, invited=[provider(2, related=frozenset({relation(1)}))]) is None


def test_a_relationship_with_somebody_else_is_no_obstacle():
    body = provider(1, BODY, related=frozenset({relation(9)}))
    assert found(EITHER, body, invited=[provider(2)]) is None


@st.composite
def benches(draw):
    """Return providers of both kinds, some of one legal entity, some related, then or now."""
    days = st.sampled_from([None, TODAY - DAY, TODAY, TODAY + DAY])
    size = draw(st.integers(2, 8))
    return [
        provider(
            number,
            draw(st.sampled_from([BODY, CONSULTANT])),
            legal_entity=draw(st.sampled_from([None, None, "AU:1", "AU:2"])),
            related=frozenset(
                # Declared on one side or on both, and also with somebody who is not on the bench.
                relation(other, since=draw(days), until=draw(days))
                for other in draw(st.sets(st.integers(1, 9), max_size=2)) - {number}
            ),
        )
        for number in range(1, size + 1)
    ]


@settings(max_examples=500, deadline=None)
@given(benches())
def test_clashes_are_the_pairs_of_which_either_is_an_obstacle_to_the_other(bench):
    def hinders(one, other):
        return related_obstacle(one, [other], today=TODAY) is not None

    for one in bench:
        for other in bench:
            assert hinders(one, other) is hinders(other, one)
    assert clashes(bench, today=TODAY) == [
        (one.id, other.id) for one in bench for other in bench
        if one.id < other.id and hinders(one, other)
    ]  # fmt: skip


TWO_YEARS_AGO = date(2024, 11, 23)


@pytest.mark.parametrize(
    ("ended_on", "is_barred"),
    [
        (None, True),
        (TODAY + DAY, True),
        (TODAY, True),
        (TWO_YEARS_AGO + DAY, True),
        (TWO_YEARS_AGO, False),
        (TWO_YEARS_AGO - DAY, False),
    ],
)
@pytest.mark.parametrize("how", ["itself by id", "itself by name", "a relative"])
def test_a_body_waits_two_years_after_it_or_a_relative_advised(how, ended_on, is_barred):
    body = provider(1, BODY, name_key="southern", related=frozenset({relation(2)}))
    adviser = {
        "itself by id": Adviser("other words", body.id, ended_on),
        "itself by name": Adviser("southern", None, ended_on),
        "a relative": Adviser("harbour", provider_id(2), ended_on),
    }[how]
    lead = wanted(service="certification", advisers=(adviser,))
    assert found(lead, body) is (Filter.IMPARTIALITY if is_barred else None)
    standing = standing_obstacle(lead, body, now=NOW, impartiality_years=2)
    assert (standing is not None) is is_barred


@pytest.mark.parametrize(
    ("since", "until", "is_barred"),
    [
        (None, None, True),
        (None, TODAY - DAY, True),
        (None, TWO_YEARS_AGO, True),
        (None, TWO_YEARS_AGO - DAY, False),
        (TODAY, None, True),
        (TODAY + DAY, None, False),
    ],
)
def test_a_relationship_that_ended_counts_for_two_years_as_well(since, until, is_barred):
    body = provider(1, BODY, related=frozenset({relation(2, since=since, until=until)}))
    lead = wanted(service="certification", advisers=(Adviser("harbour", provider_id(2), TODAY),))
    assert found(lead, body) is (Filter.IMPARTIALITY if is_barred else None)


def test_an_adviser_nobody_knows_or_is_related_to_bars_nobody():
    lead = wanted(service="certification", advisers=(Adviser("harbour", provider_id(3), None),))
    assert found(lead, provider(1, BODY, related=frozenset({relation(2)}))) is None
    lead = wanted(service="certification", advisers=(Adviser("harbour", None, None),))
    assert found(lead, provider(1, BODY)) is None


def test_an_adviser_that_was_decided_bars_nobody_for_its_name():
    lead = wanted(service="certification", advisers=(Adviser(None, provider_id(3), None),))
    assert found(lead, provider(1, BODY, name_key="southern")) is None
    assert found(lead, provider(3, BODY, name_key="southern")) is Filter.IMPARTIALITY


def test_a_consultant_that_advised_may_go_on_advising():
    lead = wanted(advisers=(Adviser("number 1", provider_id(1), None),))
    assert found(lead, provider(1)) is None


@pytest.mark.parametrize(
    ("day", "years", "earlier"),
    [
        (date(2026, 11, 23), 2, date(2024, 11, 23)),
        (date(2028, 2, 29), 2, date(2026, 2, 28)),
        (date(2028, 2, 29), 4, date(2024, 2, 29)),
        (date(2026, 2, 28), 2, date(2024, 2, 28)),
    ],
)
def test_so_many_years_before_is_the_same_day(day, years, earlier):
    assert years_before(day, years) == earlier


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Harbour Quality Pty Ltd", "HARBOUR  QUALITY Pty. Limited"),
        ("Größe & Söhne GmbH", "GROSSE and Sohne"),
        ("O'Brien Consulting Inc.", "OBrien Consulting"),
        ("A.B.C. Ltd", "ABC Limited"),
    ],
)
def test_one_name_in_two_spellings_is_one_adviser(one, other):
    assert name_key(one) == name_key(other)
