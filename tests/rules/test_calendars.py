"""In which time a window counts, as tables of every edge, and as laws over generated ones."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.catalogue.holidays import holidays_of
from marketplace.core.calendars import CLOCK_HOURS, BusinessDays
from marketplace.invitations.rules import open_by, reminder_times, respond_by
from marketplace.notifications.rules import commitment_times

SYDNEY = ZoneInfo("Australia/Sydney")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def at(text, zone=SYDNEY):
    return datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=zone)


def business_days(region="AU-NSW", zone=SYDNEY):
    return BusinessDays(zone, holidays_of(region))


SYDNEYS = [
    ("an ordinary day", "2026-11-24 09:00", DAY, "2026-11-25 09:00"),
    ("Friday afternoon", "2026-11-27 15:00", DAY, "2026-11-30 15:00"),
    ("Friday evening, a minute before midnight", "2026-11-27 23:59", DAY, "2026-11-30 23:59"),
    ("Saturday", "2026-11-28 10:00", DAY, "2026-12-01 00:00"),
    ("Sunday, a minute before midnight", "2026-11-29 23:59", DAY, "2026-12-01 00:00"),
    ("Monday at midnight", "2026-11-30 00:00", DAY, "2026-12-01 00:00"),
    ("Friday at midnight: all of Friday", "2026-11-27 00:00", DAY, "2026-11-30 00:00"),
    ("a window inside the day", "2026-11-27 15:00", 8 * HOUR, "2026-11-27 23:00"),
    ("up to midnight of a Friday", "2026-11-27 16:00", 8 * HOUR, "2026-11-30 00:00"),
    ("a week of days", "2026-11-24 09:00", 5 * DAY, "2026-12-01 09:00"),
    ("the day before a holiday in the week", "2026-12-31 15:00", DAY, "2027-01-04 15:00"),
    ("on a holiday", "2026-06-08 12:00", DAY, "2026-06-10 00:00"),
    ("Friday before a holiday on Monday", "2026-06-05 15:00", DAY, "2026-06-09 15:00"),
    ("Thursday before the four days of Easter", "2026-04-02 15:00", DAY, "2026-04-07 15:00"),
    ("a holiday on a Saturday, made up for on Monday", "2026-04-24 15:00", DAY, "2026-04-28 15:00"),
    ("two holidays around a weekend", "2026-12-24 15:00", DAY, "2026-12-29 15:00"),
    ("the weekend on which clocks go back", "2025-04-04 15:00", DAY, "2025-04-07 15:00"),
    ("the weekend on which they go forward", "2026-10-02 15:00", DAY, "2026-10-06 15:00"),
    ("a rehearsal", "2026-11-24 09:00", timedelta(minutes=1), "2026-11-24 09:01"),
    ("a rehearsal on a Saturday", "2026-11-28 09:00", timedelta(minutes=1), "2026-11-30 00:01"),
]


@pytest.mark.parametrize(("start", "window", "end"), [row[1:] for row in SYDNEYS],
                         ids=[row[0] for row in SYDNEYS])  # fmt: skip
def test_business_days_in_new_south_wales(start, window, end):
    found = business_days().after(at(start).astimezone(UTC), window)
    assert found == at(end)
    assert found.tzinfo is UTC
    counts = business_days().between(at(start), at(end))
    assert counts == window
    begins_to_count = business_days().after(at(start), timedelta(0))
    assert business_days().before(found, window) == begins_to_count


ELSEWHERE = [
    # The Melbourne Cup is a holiday in Victoria alone.
    ("AU-VIC", "Australia/Melbourne", "2026-11-02 15:00", "2026-11-04 15:00"),
    ("AU-NSW", "Australia/Sydney", "2026-11-02 15:00", "2026-11-03 15:00"),
    # All of a country has what all of it has; a part without its own has that as well.
    ("AU", "Australia/Sydney", "2026-06-05 15:00", "2026-06-08 15:00"),
    ("GB-LND", "Europe/London", "2026-12-24 15:00", "2026-12-29 15:00"),
    # Where nobody knows of holidays, there are weekends.
    ("XX", "UTC", "2026-12-25 15:00", "2026-12-28 15:00"),
    ("", "UTC", "2026-12-24 15:00", "2026-12-25 15:00"),
    # Cairo's clocks change on business days: the hours are those that pass.
    ("XX", "Africa/Cairo", "2026-04-23 15:00", "2026-04-24 16:00"),
    ("XX", "Africa/Cairo", "2026-10-29 15:00", "2026-10-30 14:00"),
    ("XX", "Africa/Cairo", "2026-04-23 23:30", "2026-04-27 00:30"),
]


@pytest.mark.parametrize(("region", "zone", "start", "end"), ELSEWHERE)
def test_a_day_of_other_places(region, zone, start, end):
    calendar = business_days(region, ZoneInfo(zone))
    assert calendar.after(at(start, ZoneInfo(zone)), DAY) == at(end, ZoneInfo(zone))


def test_the_holidays_that_were_skipped_are_named_and_those_of_weekends_are_not():
    calendar = business_days()
    assert calendar.skipped(at("2026-04-02 15:00"), at("2026-04-07 15:00")) == {
        date(2026, 4, 3): "Good Friday",
        date(2026, 4, 6): "Easter Monday",
    }
    assert calendar.skipped(at("2026-11-24 09:00"), at("2026-11-25 09:00")) == {}
    assert CLOCK_HOURS.skipped(at("2026-04-02 15:00"), at("2026-04-07 15:00")) == {}


def test_clock_hours_are_as_they_were_to_the_microsecond():
    start, window, share = datetime(2026, 11, 27, 4, 0, 0, 7, UTC), timedelta(seconds=61), 0.25
    times = commitment_times(start, window=window, at_risk_share=share)
    assert times.due_at == start + window
    assert times.at_risk_at == times.due_at - window * share
    end = respond_by(now=start, due_at=times.due_at, at_least=window / 3)
    assert end == times.due_at
    assert open_by(now=start, within=window / 2, respond_by=end) == start + window / 2
    assert reminder_times(start, end, shares=(0.85, 0.5)) == [
        start + window * 0.5,
        start + window * 0.85,
    ]


def test_what_is_counted_in_business_days_warns_and_reminds_on_them():
    start, calendar = at("2026-11-27 15:00"), business_days()
    times = commitment_times(start, window=DAY, at_risk_share=0.25, calendar=calendar)
    assert times.due_at == at("2026-11-30 15:00")
    assert times.at_risk_at == at("2026-11-30 09:00")
    late = {"due_at": times.due_at, "at_least": 8 * HOUR, "calendar": calendar}
    assert respond_by(now=start, **late) == times.due_at
    assert respond_by(now=at("2026-11-30 14:00"), **late) == at("2026-11-30 22:00")
    assert respond_by(now=at("2026-11-30 20:00"), **late) == at("2026-12-01 04:00")
    opened = open_by(now=start, within=12 * HOUR, respond_by=times.due_at, calendar=calendar)
    assert opened == at("2026-11-30 03:00")
    assert reminder_times(start, times.due_at, shares=(0.25, 0.5), calendar=calendar) == [
        at("2026-11-27 21:00"),
        at("2026-11-30 03:00"),
    ]


ZONES = [
    "Australia/Sydney", "Australia/Lord_Howe", "Africa/Cairo", "America/Havana", "America/New_York",
    "Asia/Kathmandu", "Pacific/Kiritimati", "Europe/London", "UTC",
]  # fmt: skip
DAYS = st.dates(date(2024, 1, 1), date(2029, 12, 31))
CALENDARS = st.builds(
    lambda zone, days: BusinessDays(ZoneInfo(zone), dict.fromkeys(days, "A holiday").get),
    st.sampled_from(ZONES),
    st.sets(DAYS, max_size=400),
)
MOMENTS = st.datetimes(datetime(2024, 1, 1), datetime(2029, 6, 30), timezones=st.just(UTC))  # noqa: DTZ001  # what draws moments wants them without a zone
WINDOWS = st.timedeltas(timedelta(0), timedelta(days=30))


def is_business(calendar, moment):
    day = moment.astimezone(calendar.zone).date()
    return day.weekday() < 5 and calendar.holiday(day) is None


@given(CALENDARS, MOMENTS, WINDOWS)
def test_no_window_ends_before_the_clock_would_have_it_nor_where_nothing_counts(
    calendar, start, window
):
    end = calendar.after(start, window)
    assert end >= start + window
    assert is_business(calendar, end)


@given(CALENDARS, st.lists(MOMENTS, min_size=2, max_size=5), WINDOWS)
def test_what_begins_later_does_not_end_before(calendar, starts, window):
    ends = [calendar.after(start, window) for start in sorted(starts)]
    assert all(one <= other for one, other in pairwise(ends))


@given(CALENDARS, MOMENTS, st.lists(WINDOWS, min_size=2, max_size=5, unique=True))
def test_a_longer_window_ends_later(calendar, start, windows):
    ends = [calendar.after(start, window) for window in sorted(windows)]
    assert all(one < other for one, other in pairwise(ends))


@given(CALENDARS, MOMENTS, WINDOWS, WINDOWS)
def test_what_is_counted_is_the_window_and_a_window_can_be_counted_in_parts(
    calendar, start, one, other
):
    assert calendar.between(start, calendar.after(start, one)) == one
    in_parts = calendar.after(calendar.after(start, one), other)
    assert in_parts == calendar.after(start, one + other)


@given(CALENDARS, MOMENTS, WINDOWS)
def test_a_window_is_counted_back_to_where_it_began_to_count(calendar, start, window):
    began = calendar.after(start, timedelta(0))
    assert calendar.before(calendar.after(start, window), window) == began
    assert CLOCK_HOURS.before(CLOCK_HOURS.after(start, window), window) == start
