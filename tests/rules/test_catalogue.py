from datetime import date

import pytest

from marketplace.catalogue.languages import languages
from marketplace.catalogue.reading import day, short_edition, time_zone
from marketplace.catalogue.rules import Editions, covering


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2018 (+Amd 1:2024)", ("2018", "+Amd 1:2024")),
        ("2026", ("2026", "")),
        ("Rev D (2016)", ("Rev D", "2016")),
        ("Version 7.0", ("Version 7.0", "")),
        ("ISO 19600:2014 (guidance)", ("ISO 19600:2014", "guidance")),
        ("", ("", "")),
    ],
)
def test_an_edition_is_the_short_code_before_the_brackets(text, expected):
    assert short_edition(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2029-09-30", date(2029, 9, 30)),
        ("2021-09-30 (ended)", date(2021, 9, 30)),
        ("2018-09 (ended)", date(2018, 9, 30)),
        ("2024-02", date(2024, 2, 29)),
        ("2023-07-13 (withdrawn; unverified day)", date(2023, 7, 13)),
        ("unverified", None),
        ("", None),
    ],
)
def test_a_date_may_carry_a_remark_and_a_month_means_its_last_day(text, expected):
    assert day(text) == expected


@pytest.mark.parametrize(
    ("region", "zone"),
    [
        ("AU", "Australia/Sydney"),
        ("AU-WA", "Australia/Perth"),
        ("AU-QLD", "Australia/Brisbane"),
        ("US", "America/New_York"),
        ("US-HI", "Pacific/Honolulu"),
        ("BR", "America/Sao_Paulo"),
        ("BR-SP", "America/Sao_Paulo"),
        ("NZ-AUK", "Pacific/Auckland"),
        ("DE-BE", "Europe/Berlin"),
        ("BV", "UTC"),
    ],
)
def test_a_region_has_its_own_zone_or_its_countrys(region, zone):
    assert time_zone(region) == zone


@pytest.mark.parametrize(
    ("today", "offered"),
    [
        (date(2029, 9, 30), ["2026", "2015"]),
        (date(2029, 10, 1), ["2026"]),
    ],
)
def test_the_previous_edition_is_offered_up_to_the_last_day_of_its_transition(today, offered):
    assert Editions("2026", "2015", date(2029, 9, 30)).offered(today) == offered


def test_an_edition_whose_transition_end_is_unknown_is_not_offered():
    assert Editions("2025", "2018", None).offered(date(2025, 1, 1)) == ["2025"]


def test_a_region_is_covered_by_itself_and_by_its_country():
    assert covering("AU-NSW") == ["AU-NSW", "AU"]
    assert covering("AU") == ["AU"]


def test_languages_have_two_letters_a_name_of_their_own_and_the_order_of_the_names():
    known = languages()
    names = list(known.values())
    assert len(known) >= 183
    assert all(len(code) == 2 and code.islower() for code in known)
    assert names == sorted(set(names))
    assert not [name for name in names if set("(),;") & set(name)], "people write them into lists"
    assert (known["de"], known["el"], known["bn"]) == ("German", "Modern Greek", "Bangla")
    assert "deu" not in known
