"""How long a business keeps its providers waiting for an answer, and what that does to a window.

A question that is left unanswered for longer than a business may take (`answer_within`) keeps
everybody waiting, whoever asked it: meanwhile the time to quote stands still. All of it follows
from when things happened, so whoever works it out late, twice or beside another gets the same.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from marketplace.core.calendars import Calendar

_NOTHING = timedelta(0)


@dataclass(frozen=True)
class Asked:
    """When a question was asked and answered, if it was."""

    asked_at: datetime
    answered_at: datetime | None


@dataclass(frozen=True)
class Wait:
    """A time in which at least one question was awaited for too long."""

    begins_at: datetime
    ends_at: datetime
    """When the last of these questions was answered; now, where one of them is not."""
    goes_on: bool


@dataclass(frozen=True)
class Window:
    """The time to answer an invitation, as it stands at a moment."""

    respond_by: datetime
    extended_by: timedelta
    """How much later that is than it was at first, as the calendar of the request counts it."""
    stands_still: bool = False
    """Whether it is extended by as much as passes, at that very moment."""


def waits_since(asked_at: datetime, *, answer_within: timedelta, calendar: Calendar) -> datetime:
    """Return from when on an unanswered question keeps providers waiting."""
    return calendar.after(asked_at, answer_within)


def waits(
    questions: Iterable[Asked], *, now: datetime, answer_within: timedelta, calendar: Calendar
) -> list[Wait]:
    """Return when the business kept its providers waiting up to `now`, in order.

    Time in which several questions were awaited counts once.
    """
    found: list[Wait] = []
    for asked in sorted(questions, key=lambda each: each.asked_at):
        begins_at = waits_since(asked.asked_at, answer_within=answer_within, calendar=calendar)
        goes_on = asked.answered_at is None or asked.answered_at > now
        ends_at = now if goes_on or asked.answered_at is None else asked.answered_at
        if begins_at > ends_at or (begins_at == ends_at and not goes_on):
            continue
        last = found[-1] if found else None
        if last is not None and begins_at <= last.ends_at:
            found[-1] = Wait(
                last.begins_at, max(last.ends_at, ends_at), goes_on=last.goes_on or goes_on
            )
        else:
            found.append(Wait(begins_at, ends_at, goes_on))
    return found


def window(
    waited: Sequence[Wait],
    *,
    since: datetime,
    respond_by: datetime,
    extended_by: timedelta,
    at_most: timedelta,
    ends_by: datetime | None,
    calendar: Calendar,
) -> Window:
    """Return the time to answer of an invitation that ran `since`, given how long all waited.

    `respond_by` and `extended_by` are what was granted so far. It never gets shorter, nor longer
    than `at_most` in all, nor does it go beyond `ends_by`, when the request itself is over. Only a
    wait counts that begins while there is time left, and of that what lies within the window.
    """
    at_first = calendar.before(respond_by, extended_by)
    if ends_by is not None:
        at_most = min(at_most, calendar.between(at_first, ends_by))
    owed, stands_still = _NOTHING, False
    for wait in waited:
        begins_at = max(wait.begins_at, since)
        if owed >= at_most or begins_at >= calendar.after(at_first, owed):
            break
        if begins_at <= wait.ends_at:
            owed = min(owed + calendar.between(begins_at, wait.ends_at), at_most)
            stands_still = wait.goes_on and owed < at_most
    if owed <= extended_by:
        return Window(respond_by, extended_by, stands_still)
    return Window(calendar.after(at_first, owed), owed, stands_still)
