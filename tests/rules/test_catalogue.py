from datetime import date, timedelta

import pycountry
import pytest

from marketplace.catalogue.currencies import currency_of
from marketplace.catalogue.languages import languages
from marketplace.catalogue.reading import day, short_edition, time_zone
from marketplace.catalogue.rules import Editions, covering, has_postcode, in_whole, parts_by_country


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


LAST_NEW, END = date(2028, 3, 31), date(2029, 9, 30)
OF_9001 = Editions("2026", "2015", LAST_NEW, END)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("today", "is_new", "offered"),
    [
        (LAST_NEW, True, ["2026", "2015"]),
        (LAST_NEW + DAY, True, ["2026"]),
        (LAST_NEW + DAY, False, ["2026", "2015"]),
        (END, False, ["2026", "2015"]),
        (END + DAY, False, ["2026"]),
        (END + DAY, True, ["2026"]),
    ],
)
def test_new_certificates_to_the_previous_edition_end_first_and_those_that_run_on_later(
    today, is_new, offered
):
    assert OF_9001.offered(today, is_new=is_new) == offered
    assert OF_9001.has_ended("2015", today, is_new=is_new) is ("2015" not in offered)
    assert not OF_9001.has_ended("2026", today, is_new=is_new)
    assert not OF_9001.has_ended("2008", today, is_new=is_new)


@pytest.mark.parametrize("is_new", [True, False])
@pytest.mark.parametrize(("today", "offered"), [(END, ["2026", "2015"]), (END + DAY, ["2026"])])
def test_where_no_last_day_of_new_certificates_is_known_the_end_is_theirs(today, offered, is_new):
    assert Editions("2026", "2015", None, END).offered(today, is_new=is_new) == offered


@pytest.mark.parametrize("is_new", [True, False])
def test_an_edition_whose_last_day_is_unknown_is_not_offered_and_does_not_end(is_new):
    editions = Editions("2025", "2018", None, None)
    assert editions.offered(date(2025, 1, 1), is_new=is_new) == ["2025"]
    assert not editions.has_ended("2018", date(2035, 1, 1), is_new=is_new)


@pytest.mark.parametrize(
    ("edition", "today", "is_new", "said"),
    [
        ("2026", END + DAY, True, None),
        ("2015", LAST_NEW, True, None),
        (
            "2015",
            LAST_NEW + DAY,
            True,
            "new certificates to edition 2015 ended on 31 March 2028: please ask for edition 2026, "
            "or say so if you hold a certificate that runs on",
        ),
        ("2015", LAST_NEW + DAY, False, None),
        (
            "2015",
            END + DAY,
            True,
            "new certificates to edition 2015 ended on 31 March 2028: please ask for edition 2026",
        ),
        (
            "2015",
            END + DAY,
            False,
            "edition 2015 ended on 30 September 2029: please ask for edition 2026",
        ),
        ("2008", LAST_NEW, True, "can be certified to edition 2026 or 2015 now"),
        ("2008", END + DAY, False, "can be certified to edition 2026 now"),
    ],
)
def test_an_edition_that_cannot_be_asked_for_is_refused_with_what_can_be(
    edition, today, is_new, said
):
    assert OF_9001.refusal(edition, today, is_new=is_new) == said


def test_a_region_is_covered_by_itself_and_by_its_country():
    assert covering("AU-NSW") == ["AU-NSW", "AU"]
    assert covering("AU") == ["AU"]


PARTS = parts_by_country(["AU", "AU-NSW", "AU-VIC", "AU-WA", "NZ", "NZ-AUK", "NZ-WGN", "MC"])


@pytest.mark.parametrize(
    ("named", "meant"),
    [
        (["AU-NSW", "AU-VIC"], ["AU-NSW", "AU-VIC"]),
        (["AU-VIC", "NZ-AUK", "AU-NSW", "AU-WA"], ["AU", "NZ-AUK"]),
        (["AU-NSW", "AU", "AU-VIC"], ["AU-NSW", "AU", "AU-VIC"]),
        (["AU-NSW", "AU", "AU-VIC", "AU-WA"], ["AU"]),
        (["NZ-WGN", "NZ-AUK", "MC", "AU"], ["NZ", "MC", "AU"]),
        ([], []),
    ],
)
def test_who_names_every_part_of_a_country_names_the_country(named, meant):
    assert in_whole(named, PARTS) == meant


def test_languages_have_two_letters_a_name_of_their_own_and_the_order_of_the_names():
    known = languages()
    names = list(known.values())
    assert len(known) >= 183
    assert all(len(code) == 2 and code.islower() for code in known)
    assert names == sorted(set(names))
    assert not [name for name in names if set("(),;") & set(name)], "people write them into lists"
    assert (known["de"], known["el"], known["bn"]) == ("German", "Modern Greek", "Bangla")
    assert "deu" not in known


@pytest.mark.parametrize(
    ("postcode", "inside"),
    [
        ("0799", False),
        ("0800", True),
        ("0999", True),
        ("1000", False),
        ("2600", True),
        ("2601", False),
    ],
)
def test_a_postcode_is_in_a_range_with_both_its_ends(postcode, inside):
    assert has_postcode(["0800-0999", "2600"], postcode) is inside


def test_every_country_reckons_in_a_currency_that_there_is_today():
    there_are = {each.alpha_3 for each in pycountry.currencies} | {None}
    theirs = {each.alpha_2: currency_of(each.alpha_2) for each in pycountry.countries}
    assert {country: code for country, code in theirs.items() if code not in there_are} == {}
    assert [country for country, code in theirs.items() if code is None] == ["AQ"]
    assert [theirs[each] for each in ("AU", "NZ", "GB", "DE", "BG")] == [
        "AUD", "NZD", "GBP", "EUR", "EUR",
    ]  # fmt: skip
