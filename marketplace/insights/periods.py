"""Of which time a figure is: the last days, whole days or whole months (UTC)."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from marketplace.core.errors import FieldError, Invalid
from marketplace.providers.rules import month_of

RECENT = timedelta(days=90)
"""How far a report looks back where nothing else is asked for."""


EARLIEST = date(2000, 1, 1)
"""Nothing happened before."""


@dataclass(frozen=True)
class _Span:
    first: date
    last: date

    @property
    def starts_at(self) -> datetime:
        """The moment from which on they count."""
        return _midnight(self.first)


class Days(_Span):
    """Some days in a row, by the first and the last of them."""

    @property
    def ends_at(self) -> datetime:
        """The first moment that is not theirs any more."""
        return _midnight(self.last + timedelta(days=1))


def days_between(first: date | None, last: date | None, now: datetime) -> Days:
    """Return the days that were asked for, up to today; the last `RECENT` by default."""
    today = now.date()
    last = min(last or today, today)
    first = max(first or max(last, EARLIEST + RECENT) - RECENT, EARLIEST)
    if first > last:
        raise Invalid(
            [FieldError("/from", "must not be after the last day of the period, or today")]
        )
    return Days(first, last)


class Months(_Span):
    """Some months in a row, by the first days of the first and of the last."""

    @property
    def ends_at(self) -> datetime:
        """The first moment that is not theirs any more."""
        return _midnight(_later(self.last, 1))


def one_month(month: date | None, now: datetime) -> Months:
    """Return the month that was asked for, the current one by default; not one to come."""
    current = month_of(now)
    if month is None:
        return Months(current, current)
    if month > current:
        raise Invalid([FieldError("/month", "must not be a month that has not begun")])
    return Months(month, month)


def last_months(count: int, now: datetime) -> Months:
    """Return so many months, of which the current one is the last."""
    current = month_of(now)
    return Months(_later(current, 1 - count), current)


def recent_months(now: datetime) -> Months:
    """Return the months that the last `RECENT` days touch: the ledger counts by months."""
    return Months(month_of(now - RECENT), month_of(now))


def _later(month: date, by: int) -> date:
    years, months = divmod(month.year * 12 + month.month - 1 + by, 12)
    return date(years, months + 1, 1)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
