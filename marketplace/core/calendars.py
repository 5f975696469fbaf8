"""In which time a window counts: all of it, or business days alone.

A business day is one by the wall clock of a place, from midnight to midnight: Monday to Friday and
not a public holiday. Time on other days does not count, so that Friday 3 pm and 24 hours are Monday
3 pm, and what begins on a Saturday begins on Monday at midnight. A day is as long as it is: where
clocks change on a business day its hours are those that pass, and nobody gets less of them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Protocol
from zoneinfo import ZoneInfo

_DAY = timedelta(days=1)
_SATURDAY = 5


class CalendarKind(StrEnum):
    CLOCK_HOURS = "clock_hours"
    BUSINESS_DAYS = "business_days"


class Calendar(Protocol):
    """In which time a window counts."""

    def after(self, start: datetime, window: timedelta) -> datetime:
        """Return the moment by which a window that begins at `start` has been counted."""
        ...

    def before(self, end: datetime, window: timedelta) -> datetime:
        """Return from which moment on a window has been counted by `end`, which `after` told."""
        ...

    def between(self, start: datetime, end: datetime) -> timedelta:
        """Return how much counts of the time between two moments."""
        ...

    def skipped(self, start: datetime, end: datetime) -> dict[date, str]:
        """Return the holidays between two moments that would else have counted, by name."""
        ...


class ClockHours:
    """All time counts."""

    def after(self, start: datetime, window: timedelta) -> datetime:
        return start + window

    def before(self, end: datetime, window: timedelta) -> datetime:
        return end - window

    def between(self, start: datetime, end: datetime) -> timedelta:
        return end - start

    def skipped(self, start: datetime, end: datetime) -> dict[date, str]:
        return {}


CLOCK_HOURS = ClockHours()


@dataclass(frozen=True)
class BusinessDays:
    """Only business days count. A moment that is told is on one, before its midnight."""

    zone: ZoneInfo
    holiday: Callable[[date], str | None]
    """What a day is called that is a public holiday."""

    def after(self, start: datetime, window: timedelta) -> datetime:
        day, at = self._opening(start)
        while at + window >= (ends := self._begins(day + _DAY)):
            window -= ends - at
            day = self._business_day_from(day + _DAY)
            at = self._begins(day)
        return at + window

    def before(self, end: datetime, window: timedelta) -> datetime:
        day, at = self._opening(end)
        while at - window < (begins := self._begins(day)):
            window -= at - begins
            day -= _DAY
            while not self._counts(day):
                day -= _DAY
            at = self._begins(day + _DAY)
        return at - window

    def between(self, start: datetime, end: datetime) -> timedelta:
        counted = timedelta(0)
        day, at = self._opening(start)
        while at < end:
            counted += min(end, self._begins(day + _DAY)) - at
            day = self._business_day_from(day + _DAY)
            at = self._begins(day)
        return counted

    def skipped(self, start: datetime, end: datetime) -> dict[date, str]:
        first, last = (moment.astimezone(self.zone).date() for moment in (start, end))
        days = (first + timedelta(days=n) for n in range((last - first).days + 1))
        named = ((day, self.holiday(day)) for day in days if day.weekday() < _SATURDAY)
        return {day: name for day, name in named if name is not None}

    def _opening(self, start: datetime) -> tuple[date, datetime]:
        """The first business day that `start` finds, and since when it counts."""
        today = start.astimezone(self.zone).date()
        day = self._business_day_from(today)
        return day, start.astimezone(UTC) if day == today else self._begins(day)

    def _business_day_from(self, day: date) -> date:
        while not self._counts(day):
            day += _DAY
        return day

    def _counts(self, day: date) -> bool:
        return day.weekday() < _SATURDAY and self.holiday(day) is None

    def _begins(self, day: date) -> datetime:
        return datetime.combine(day, time(), self.zone).astimezone(UTC)
