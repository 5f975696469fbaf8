"""How long a business kept its providers waiting, and what that does to a window: every edge."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.catalogue.holidays import holidays_of
from marketplace.core.calendars import CLOCK_HOURS, BusinessDays
from marketplace.invitations.waits import Asked, Window, waits, window

SYDNEY = ZoneInfo("Australia/Sydney")
HOUR, DAY, TICK = timedelta(hours=1), timedelta(days=1), timedelta(microseconds=1)
WITHIN, AT_MOST = 4 * HOUR, 48 * HOUR
SENT = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
DUE = SENT + DAY
NOTHING = timedelta(0)


def hours(at):
    return None if at is None else SENT + at * HOUR


def stands(asked, *, at, due=24, since=0, granted=0, at_most=48, ends=None, calendar=CLOCK_HOURS):
    """Return a window as it stands: everything in hours since it was sent."""
    found = waits(
        [Asked(hours(begins), hours(ends)) for begins, ends in asked],
        now=hours(at),
        answer_within=WITHIN,
        calendar=calendar,
    )
    return window(
        found,
        since=hours(since),
        respond_by=hours(due + granted),
        extended_by=granted * HOUR,
        at_most=at_most * HOUR,
        ends_by=hours(ends),
        calendar=calendar,
    )


CASES = [
    # (what, when asked and answered, hours by which it is extended at hour 100, whether it stands)
    ("nobody asked", [], 0, False),
    ("answered at once", [(1, 1)], 0, False),
    ("answered in time", [(1, 4.9)], 0, False),
    ("answered at the last instant that is in time", [(1, 5)], 0, False),
    ("answered an hour late", [(1, 6)], 1, False),
    ("answered ten hours late, beyond the window as it was at first", [(12, 26)], 10, False),
    ("two one after the other", [(1, 6), (8, 14)], 3, False),
    ("two at once count once", [(1, 10), (1, 10)], 5, False),
    ("two that overlap count once", [(1, 10), (3, 12)], 7, False),
    ("one inside another counts once", [(1, 20), (3, 12)], 15, False),
    ("one that begins as another is answered", [(1, 10), (6, 12)], 7, False),
    ("one answered in time beside one that was not", [(1, 10), (2, 3)], 5, False),
    ("in whatever order they are told", [(3, 12), (1, 10)], 7, False),
    ("asked as there is less time left than a business may take", [(21, 40)], 0, False),
    ("its wait begins at the deadline: too late", [(20, 40)], 0, False),
    ("its wait begins a moment before", [(19.5, 40)], 16.5, False),
    ("asked after the deadline", [(30, 60)], 0, False),
    ("asked in the time that another has added", [(10, 30), (22, 44)], 30, False),
    (
        "too long without answer only after all that another has added",
        [(10, 20), (27, 60)],
        6,
        False,
    ),
    ("before it was sent: of that wait only what is within", [(-30, 7)], 7, False),
    ("answered before it was sent", [(-30, -1)], 0, False),
    ("never answered: at most so much", [(1, None)], 48, False),
    ("one that is not, beside one that is", [(1, None), (2, 9)], 48, False),
    ("later ones than the most add nothing", [(1, 60), (61, 90)], 48, False),
    ("asked so lately that it does not wait yet", [(1, 6), (97, None)], 1, False),
]


@pytest.mark.parametrize(("asked", "extended", "still"), [row[1:] for row in CASES],
                         ids=[row[0] for row in CASES])  # fmt: skip
def test_a_window_is_extended_by_the_time_that_was_waited(asked, extended, still):
    found = stands(asked, at=100)
    assert found == Window(DUE + extended * HOUR, extended * HOUR, still)


@pytest.mark.parametrize(
    ("at", "extended", "still"),
    [(4.9, 0, False), (5, 0, True), (6, 1, True), (25, 20, True), (52.9, 47.9, True),
     (53, 48, False), (500, 48, False)],
)  # fmt: skip
def test_while_the_business_does_not_answer_the_window_stands_still(at, extended, still):
    found = stands([(1, None)], at=at)
    assert found.respond_by == DUE + extended * HOUR
    assert found.extended_by == extended * HOUR
    assert found.stands_still is still
    if still:
        left = found.respond_by - hours(at)
        assert left == DUE - hours(5)


def test_an_answer_is_as_good_as_none_before_it_was_given():
    assert stands([(1, 50)], at=20) == stands([(1, None)], at=20)


def test_it_does_not_go_beyond_the_end_of_the_request():
    assert stands([(1, None)], at=20, ends=30) == Window(hours(30), 6 * HOUR)
    assert stands([(1, None)], at=9, ends=30) == Window(hours(28), 4 * HOUR, stands_still=True)
    # One that was given more than the request has anyway is left as it is.
    assert stands([(1, None)], at=20, ends=22) == Window(DUE, NOTHING)


def test_what_was_granted_is_never_taken_back():
    assert stands([(1, 6)], at=10, granted=3) == Window(DUE + 3 * HOUR, 3 * HOUR)
    assert stands([], at=10, granted=3) == Window(DUE + 3 * HOUR, 3 * HOUR)
    assert stands([(1, None)], at=99, granted=50) == Window(DUE + 50 * HOUR, 50 * HOUR)


# In business days of Sydney. Friday 27 November 2026, 3 pm; good for a day, so until Monday 3 pm.

FRIDAY = datetime(2026, 11, 27, 15, tzinfo=SYDNEY)


def at(day, hour, minute=0, month=11, year=2026):
    return datetime(year, month, day, hour, minute, tzinfo=SYDNEY)


def on_business_days(asked, *, now, sent=FRIDAY, at_most=AT_MOST):
    calendar = BusinessDays(SYDNEY, holidays_of("AU-NSW"))
    found = waits(
        [Asked(*each) for each in asked], now=now, answer_within=WITHIN, calendar=calendar
    )
    return window(
        found,
        since=sent,
        respond_by=calendar.after(sent, DAY),
        extended_by=NOTHING,
        at_most=at_most,
        ends_by=None,
        calendar=calendar,
    )


WEEKENDS = [
    ("asked on Friday, answered on Sunday: five hours of Friday",
     [(at(27, 15), at(29, 12))], (at(30, 20), 5)),
    ("asked on Saturday, answered on Monday at 4 am: in time",
     [(at(28, 15), at(30, 4))], (at(30, 15), 0)),
    ("asked on Saturday, answered on Monday at 6 am: two hours",
     [(at(28, 15), at(30, 6))], (at(30, 17), 2)),
    ("asked on Friday at 9 pm, answered on Monday at 8 am: seven hours, as the first is Friday's",
     [(at(27, 21), at(30, 8))], (at(30, 22), 7)),
    ("two that overlap across the weekend",
     [(at(27, 15), at(30, 5)), (at(28, 15), at(30, 6))], (at(1, 2, month=12), 11)),
    ("not answered for a week: two business days",
     [(at(27, 15), at(4, 15, month=12))], (at(2, 15, month=12), 48)),
]  # fmt: skip


@pytest.mark.parametrize(("asked", "expected"), [row[1:] for row in WEEKENDS],
                         ids=[row[0] for row in WEEKENDS])  # fmt: skip
def test_only_time_that_counts_is_waited_and_given(asked, expected):
    until, extended = expected
    found = on_business_days(asked, now=at(10, 9, month=12))
    assert (found.respond_by, found.extended_by) == (until, extended * HOUR)
    # Whoever looks at it again, with what was granted, finds the same.
    calendar = BusinessDays(SYDNEY, holidays_of("AU-NSW"))
    assert calendar.before(found.respond_by, found.extended_by) == at(30, 15)


def test_a_holiday_does_not_count():
    sent = at(24, 9, month=12)  # Thursday; Friday is Christmas Day, Monday a holiday as well
    asked = [(at(24, 10, month=12), at(29, 3, month=12))]
    found = on_business_days(asked, now=at(31, 9, month=12), sent=sent)
    assert found.extended_by == 13 * HOUR  # from 2 pm to midnight, and three of Tuesday
    assert found.respond_by == at(29, 22, month=12)


MOMENTS = st.integers(-40, 120).map(lambda quarters: quarters / 4)
QUESTIONS = st.lists(
    st.tuples(MOMENTS, st.one_of(st.none(), st.integers(0, 200).map(lambda n: n / 4))).map(
        lambda each: (each[0], None if each[1] is None else each[0] + each[1])
    ),
    max_size=4,
)


@given(QUESTIONS, st.lists(st.integers(0, 500).map(lambda n: n / 4), max_size=12))
def test_however_often_and_late_it_is_looked_at_it_never_moves_earlier_and_ends_the_same(
    asked, looks
):
    granted, seen = NOTHING, [Window(DUE, NOTHING)]
    for each in sorted(looks):
        found = stands(asked, at=each, granted=granted / HOUR)
        granted = found.extended_by
        seen.append(found)
    for earlier, later in pairwise(seen):
        assert later.respond_by >= earlier.respond_by
    assert NOTHING <= granted <= AT_MOST
    assert stands(asked, at=500, granted=granted / HOUR) == stands(asked, at=500)


@given(QUESTIONS, st.integers(0, 500).map(lambda n: n / 4))
def test_while_it_stands_still_it_is_never_over(asked, now):
    found = stands(asked, at=now)
    if found.stands_still and now >= 0:
        assert found.respond_by > hours(now)
