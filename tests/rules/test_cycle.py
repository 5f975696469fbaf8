"""The dates of a certificate, and when its holder is reminded of them."""

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.core.policy import Policy
from marketplace.leads.cycle import (
    Due,
    Milestone,
    Planned,
    Replaced,
    day_published,
    falls_due,
    good_until,
    in_words,
    months_after,
    plan,
    still_ahead,
)

DAY = timedelta(days=1)
POLICY = Policy()
SURVEILLANCE, RECERTIFICATION = Milestone.SURVEILLANCE, Milestone.RECERTIFICATION


def cycle(certified_on, *replaced, seeks_body=False):
    return falls_due(
        certified_on,
        replaced,
        seeks_body=seeks_body,
        certificate_months=POLICY.certificate_months,
        surveillance_months=POLICY.surveillance_months,
    )


def planned(due, today, told=()):
    return plan(
        due,
        today=today,
        months_before=POLICY.reminded_months_before,
        together=POLICY.reminders_together,
        told=told,
    )


@pytest.mark.parametrize(
    ("day", "months", "later"),
    [
        (date(2026, 11, 23), 12, date(2027, 11, 23)),
        (date(2026, 11, 23), 0, date(2026, 11, 23)),
        (date(2028, 2, 29), 12, date(2029, 2, 28)),
        (date(2028, 2, 29), 48, date(2032, 2, 29)),
        (date(2027, 2, 28), 12, date(2028, 2, 28)),
        (date(2027, 1, 31), 1, date(2027, 2, 28)),
        (date(2028, 1, 31), 1, date(2028, 2, 29)),
        (date(2027, 8, 31), 1, date(2027, 9, 30)),
        (date(2027, 12, 31), 12, date(2028, 12, 31)),
        (date(2027, 5, 31), -3, date(2027, 2, 28)),
        (date(2028, 5, 31), -3, date(2028, 2, 29)),
        (date(2027, 3, 15), -4, date(2026, 11, 15)),
        (date(2027, 1, 1), -9, date(2026, 4, 1)),
        (date(2027, 1, 31), -12, date(2026, 1, 31)),
    ],
)
def test_so_many_months_later_is_the_same_day_or_the_last_of_the_month(day, months, later):
    assert months_after(day, months) == later


@pytest.mark.parametrize(
    ("certified_on", "first", "second", "end"),
    [
        (date(2026, 11, 23), date(2027, 11, 23), date(2028, 11, 23), date(2029, 11, 22)),
        (date(2028, 2, 29), date(2029, 2, 28), date(2030, 2, 28), date(2031, 2, 27)),
        (date(2027, 1, 1), date(2028, 1, 1), date(2029, 1, 1), date(2029, 12, 31)),
        (date(2026, 12, 31), date(2027, 12, 31), date(2028, 12, 31), date(2029, 12, 30)),
        (date(2027, 3, 1), date(2028, 3, 1), date(2029, 3, 1), date(2030, 2, 28)),
    ],
)
def test_two_surveillance_audits_and_a_recertification_before_the_third_anniversary(
    certified_on, first, second, end
):
    assert cycle(certified_on) == [
        Due(first, SURVEILLANCE, 1),
        Due(second, SURVEILLANCE, 2),
        Due(end, RECERTIFICATION),
    ]
    assert good_until(certified_on, months=POLICY.certificate_months) == end


@given(st.dates(date(2000, 1, 1), date(2090, 12, 31)))
def test_the_first_is_within_a_year_and_no_calendar_year_before_the_last_goes_without(day):
    *audits, end = cycle(day)
    assert audits[0].on <= months_after(day, 12)
    years = {each.on.year for each in audits}
    assert years == {day.year + 1, day.year + 2}
    assert end.on + DAY == months_after(day, 36)


REPLACED = Replaced("ISO 9001", "2026", date(2026, 9, 16), date(2028, 3, 31), date(2029, 9, 30))


@pytest.mark.parametrize(
    ("certified_on", "seen"),
    [
        (date(2025, 6, 1), ["edition_published", "last_audits"]),
        (date(2026, 9, 16), ["edition_published", "last_audits"]),
        (date(2026, 9, 17), ["last_audits"]),
        (date(2026, 10, 1), ["last_audits", "edition_ends"]),
        (date(2028, 4, 1), ["edition_ends"]),
        (date(2023, 1, 1), []),
    ],
)
def test_of_the_three_days_of_a_new_edition_those_in_the_life_of_the_certificate_count(
    certified_on, seen
):
    due = [each for each in cycle(certified_on, REPLACED) if each.standard]
    assert [each.what for each in due] == seen
    assert {(each.standard, each.edition) for each in due} <= {("ISO 9001", "2026")}


def test_what_is_not_known_of_an_edition_falls_due_never():
    unknown = Replaced("ISO 20121", "2024", None, None, None)
    assert cycle(date(2026, 1, 1), unknown) == cycle(date(2026, 1, 1))


CERTIFIED = date(2026, 11, 23)


def test_surveillance_is_told_four_months_before_and_recertification_nine():
    assert planned(cycle(CERTIFIED), CERTIFIED) == [
        Planned(date(2027, 7, 23), (Due(date(2027, 11, 23), SURVEILLANCE, 1),)),
        Planned(date(2028, 7, 23), (Due(date(2028, 11, 23), SURVEILLANCE, 2),)),
        Planned(date(2029, 2, 22), (Due(date(2029, 11, 22), RECERTIFICATION),)),
    ]


@pytest.mark.parametrize(
    ("today", "days"),
    [
        (date(2027, 7, 22), [date(2027, 7, 23), date(2028, 7, 23), date(2029, 2, 22)]),
        (date(2027, 7, 23), [date(2027, 7, 23), date(2028, 7, 23), date(2029, 2, 22)]),
        (date(2027, 9, 1), [date(2027, 9, 2), date(2028, 7, 23), date(2029, 2, 22)]),
        (date(2027, 11, 23), [date(2027, 11, 23), date(2028, 7, 23), date(2029, 2, 22)]),
        (date(2027, 11, 24), [date(2028, 7, 23), date(2029, 2, 22)]),
        (date(2029, 11, 22), [date(2029, 11, 22)]),
        (date(2029, 11, 23), []),
    ],
)
def test_what_has_passed_is_left_out_and_what_is_late_is_said_tomorrow_or_on_its_day(today, days):
    assert [each.on for each in planned(cycle(CERTIFIED), today)] == days


def dues(*days):
    """Return things that fall due so many days after the certificate, told nine months before."""
    return [
        Due(CERTIFIED + timedelta(days=n), Milestone.EDITION_PUBLISHED, None, f"ISO {n}", "2030")
        for n in days
    ]


@pytest.mark.parametrize(
    ("days", "mails"),
    [
        ((10, 40), [[10, 40]]),
        ((10, 41), [[10], [41]]),
        ((10, 30, 50), [[10, 30], [50]]),
        ((10, 10), [[10, 10]]),
        ((50, 10, 30, 60, 100), [[10, 30], [50, 60], [100]]),
    ],
)
def test_reminders_within_thirty_days_of_the_first_of_them_are_one(days, mails):
    found = planned(dues(*days), CERTIFIED)
    assert [[(each.on - CERTIFIED).days for each in mail.about] for mail in found] == mails
    assert [(mail.on - CERTIFIED).days for mail in found] == [mail[0] for mail in mails]


def test_one_mail_names_first_what_falls_due_first():
    end = Due(date(2028, 6, 30), Milestone.EDITION_ENDS, None, "ISO 9001", "2030")
    audit = Due(date(2028, 2, 10), SURVEILLANCE, 1)
    (mail,) = planned([end, audit], date(2027, 9, 30))
    assert mail == Planned(date(2027, 9, 30), (audit, end))


@pytest.mark.parametrize(("moved", "is_told"), [(0, False), (30, False), (31, True), (-31, True)])
def test_nobody_is_told_twice_unless_the_day_has_moved(moved, is_told):
    before = Due(date(2027, 11, 23), SURVEILLANCE, 1)
    now = Due(before.on + timedelta(days=moved), SURVEILLANCE, 1)
    assert bool(planned([now], date(2027, 8, 1), told=[before])) is is_told


@pytest.mark.parametrize(
    "other",
    [
        Due(date(2027, 11, 23), SURVEILLANCE, 2),
        Due(date(2027, 11, 23), RECERTIFICATION),
        Due(date(2027, 11, 23), Milestone.EDITION_ENDS, None, "ISO 9001", "2026"),
    ],
)
def test_another_thing_on_the_same_day_is_told(other):
    assert planned([other], date(2027, 8, 1), told=[Due(date(2027, 11, 23), SURVEILLANCE, 1)])


def test_what_is_due_today_is_still_ahead():
    today = Due(CERTIFIED, RECERTIFICATION)
    assert still_ahead([today, Due(CERTIFIED - DAY, SURVEILLANCE, 1)], CERTIFIED) == [today]


@given(
    st.dates(date(2015, 1, 1), date(2040, 12, 31)), st.dates(date(2015, 1, 1), date(2040, 12, 31))
)
def test_no_mail_comes_after_what_it_is_about_nor_within_thirty_days_of_another(certified_on, day):
    mails = planned(cycle(certified_on, REPLACED), day)
    assert all(mail.on >= day for mail in mails)
    assert all(mail.on <= each.on for mail in mails for each in mail.about)
    days = [mail.on for mail in mails]
    gaps = (later - earlier for earlier, later in pairwise(days))
    assert all(gap > POLICY.reminders_together for gap in gaps)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-09-16", date(2026, 9, 16)),
        ("2026-05", date(2026, 5, 31)),
        ("2024-02", date(2024, 2, 29)),
        ("2025", None),
        ("", None),
        ("2026-13", None),
        ("2026-02-30", None),
    ],
)
def test_an_edition_is_published_on_the_day_that_the_catalogue_knows(text, day):
    assert day_published(text) == day


@pytest.mark.parametrize("due", cycle(date(2026, 9, 1), REPLACED), ids=lambda due: due.what)
def test_what_falls_due_is_said_with_its_day_and_kept_whole(due):
    assert f"{due.on.day} {due.on:%B %Y}" in in_words(due)
    assert Due.of_json(due.as_json) == due


def test_who_certifies_is_looked_for_half_a_year_before_the_decision_that_is_expected():
    first, *others = cycle(date(2027, 8, 31), seeks_body=True)
    assert first == Due(date(2027, 8, 31), Milestone.CERTIFICATION)
    assert others == cycle(date(2027, 8, 31))
    assert planned([first], CERTIFIED) == [Planned(date(2027, 2, 28), (first,))]
    assert in_words(first).startswith("The certificate is expected on 31 August 2027")
    # Of a decision that has been made nobody is told.
    assert planned([first], date(2027, 9, 1)) == []


def test_each_surveillance_audit_has_its_number():
    first, second, _ = cycle(CERTIFIED)
    assert in_words(first) == "The first surveillance audit is due by 23 November 2027"
    assert in_words(second) == "The second surveillance audit is due by 23 November 2028"


def test_every_milestone_has_its_months():
    assert set(POLICY.reminded_months_before) == {str(each) for each in Milestone}
