"""The cycle of a certificate: what falls due and when, and when its holder is reminded of it.

ISO/IEC 17021-1, 9.1.3: a certificate is good for three years from the decision; its first
surveillance audit is due within twelve months of that, and no calendar year but that of the
recertification goes without one; the recertification is over before it ends. Where its edition is
replaced, three more days count: when the next edition is published, the last day of audits to the
old one, and the day on which certificates to the old one end.

Days, without times and zones: a holder reads them off a certificate.
"""

import re
from calendar import monthrange
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Any

from marketplace.core.lifecycle import Lifecycle


class ReminderState(StrEnum):
    WAITING = "waiting"
    SENT = "sent"
    SKIPPED = "skipped"
    """What it was about had passed before any sweep came by."""


class ReminderEvent(StrEnum):
    SEND = "send"
    SKIP = "skip"


REMINDER_LIFECYCLE = Lifecycle(
    "reminder",
    {
        (ReminderState.WAITING, ReminderEvent.SEND): ReminderState.SENT,
        (ReminderState.WAITING, ReminderEvent.SKIP): ReminderState.SKIPPED,
    },
)


class Milestone(StrEnum):
    """What falls due in the life of a certificate."""

    CERTIFICATION = "certification"
    """The decision itself, for whom a body is still to be found."""
    SURVEILLANCE = "surveillance"
    RECERTIFICATION = "recertification"
    EDITION_PUBLISHED = "edition_published"
    LAST_AUDITS = "last_audits"
    """The last day of audits for a new certificate, or a renewed one, to the old edition."""
    EDITION_ENDS = "edition_ends"
    """After this day no certificate to the old edition is good."""


OF_EDITIONS = (Milestone.EDITION_PUBLISHED, Milestone.LAST_AUDITS, Milestone.EDITION_ENDS)


@dataclass(frozen=True)
class Due:
    """One thing that falls due: on that day at the latest."""

    on: date
    what: Milestone
    number: int | None = None
    """The how-manieth surveillance audit it is."""
    standard: str | None = None
    """Of which standard the edition is replaced ..."""
    edition: str | None = None
    """... and by which edition."""

    def is_same(self, other: "Due", *, within: timedelta) -> bool:
        """Return whether both are the same thing, moved by so much at the most."""
        return (
            (self.what, self.number, self.standard, self.edition)
            == (other.what, other.number, other.standard, other.edition)
        ) and abs(self.on - other.on) <= within

    @property
    def as_json(self) -> dict[str, Any]:
        return {
            "on": self.on.isoformat(),
            "what": str(self.what),
            "number": self.number,
            "standard": self.standard,
            "edition": self.edition,
        }

    @classmethod
    def of_json(cls, kept: Mapping[str, Any]) -> "Due":
        named = {**kept, "on": date.fromisoformat(kept["on"]), "what": Milestone(kept["what"])}
        return cls(**named)


@dataclass(frozen=True)
class Replaced:
    """That the edition to which a certificate is is replaced by another; None: not known."""

    standard: str
    by_edition: str
    published: date | None
    last_audits: date | None
    ends: date | None


@dataclass(frozen=True)
class Planned:
    """One mail: on which day, and about what, the first to fall due first."""

    on: date
    about: tuple[Due, ...]


def months_after(day: date, months: int) -> date:
    """Return the same day so many months later (or earlier); the last of a month that is shorter.

    29 February, a year later, is the 28th; 31 May, three months earlier, is the last of February.
    """
    years, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(years, month + 1, min(day.day, monthrange(years, month + 1)[1]))


def good_until(certified_on: date, *, months: int) -> date:
    """Return the last day of a certificate that was decided on a day."""
    return months_after(certified_on, months) - timedelta(days=1)


def falls_due(
    certified_on: date,
    replaced: Iterable[Replaced] = (),
    *,
    seeks_body: bool = False,
    certificate_months: int,
    surveillance_months: int,
) -> list[Due]:
    """Return all that falls due in the life of a certificate, in order.

    Surveillance audits by the anniversaries of the decision: so the first is within the months that
    are allowed, and no calendar year before the recertification goes without one. Of an edition
    what lies within the life of the certificate: after that it is another certificate.
    `seeks_body`: whoever certifies has to be found first, and by the decision it is too late.
    """
    end = good_until(certified_on, months=certificate_months)
    anniversaries = range(surveillance_months, certificate_months, surveillance_months)
    found = [
        Due(months_after(certified_on, months), Milestone.SURVEILLANCE, number)
        for number, months in enumerate(anniversaries, start=1)
    ]
    found.append(Due(end, Milestone.RECERTIFICATION))
    if seeks_body:
        found.append(Due(certified_on, Milestone.CERTIFICATION))
    for each in replaced:
        for what, on in (
            (Milestone.EDITION_PUBLISHED, each.published),
            (Milestone.LAST_AUDITS, each.last_audits),
            (Milestone.EDITION_ENDS, each.ends),
        ):
            if on is not None and certified_on <= on <= end:
                found.append(Due(on, what, None, each.standard, each.by_edition))
    return sorted(found, key=_in_order)


def _in_order(due: Due) -> tuple[date, int, str]:
    return due.on, [*Milestone].index(due.what), due.standard or ""


def plan(
    due: Iterable[Due],
    *,
    today: date,
    months_before: Mapping[str, int],
    together: timedelta,
    told: Collection[Due] = (),
) -> list[Planned]:
    """Return which mails are still to go out, in order.

    None about what has passed, nor about what its holder was told of before (`told`), unless it has
    moved since by more than `together`. What should have been said before today is said tomorrow,
    or while it is still ahead. Those that come within `together` of the first of them are one.
    """
    to_say = [
        (_not_before(today, months_after(each.on, -months_before[each.what]), each.on), each)
        for each in still_ahead(due, today)
        if not any(each.is_same(before, within=together) for before in told)
    ]
    days: list[tuple[date, list[Due]]] = []
    for on, each in sorted(to_say, key=lambda pair: (pair[0], _in_order(pair[1]))):
        if days and on - days[-1][0] <= together:
            days[-1][1].append(each)
        else:
            days.append((on, [each]))
    return [Planned(on, tuple(sorted(about, key=_in_order))) for on, about in days]


def _not_before(today: date, day: date, last: date) -> date:
    return day if day >= today else min(today + timedelta(days=1), last)


def still_ahead(due: Iterable[Due], today: date) -> list[Due]:
    """Return what has not passed: what is due today is still ahead."""
    return [each for each in due if each.on >= today]


def day_published(text: str) -> date | None:
    """Return the day on which an edition was published, where the catalogue knows more than a year.

    Of a month it is the last day: nobody is told of an edition before it is there.
    """
    whole = re.fullmatch(r"(\d{4})-(\d{2})(?:-(\d{2}))?", text)
    if whole is None:
        return None
    year, month, day = (int(each) if each else 0 for each in whole.groups())
    try:
        return date(year, month, day or monthrange(year, month)[1])
    except ValueError:
        return None


NUMBERED = ("first", "second", "third", "fourth", "fifth")


def in_words(due: Due) -> str:
    """Return what falls due as a sentence without its end, for a mail."""
    day = f"{due.on.day} {due.on:%B %Y}"
    if due.what is Milestone.CERTIFICATION:
        return f"The certificate is expected on {day}, after both stages of its audit"
    if due.what is Milestone.SURVEILLANCE:
        number = NUMBERED[due.number - 1] if due.number and due.number <= len(NUMBERED) else "next"
        return f"The {number} surveillance audit is due by {day}"
    if due.what is Milestone.RECERTIFICATION:
        return f"The certificate ends on {day}, and its recertification has to be done before"
    if due.what is Milestone.EDITION_PUBLISHED:
        return f"Edition {due.edition} of {due.standard} is published on {day}"
    if due.what is Milestone.LAST_AUDITS:
        return (
            f"{day} is the last day of initial and recertification audits to the edition of "
            f"{due.standard} before {due.edition}"
        )
    return f"Certificates to the edition of {due.standard} before {due.edition} end on {day}"
