"""From a message's values to its words: one source per template, text and HTML made from it."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined, Template, TemplateError
from markupsafe import Markup, escape

from marketplace.core.links import Purpose
from marketplace.notifications.plaintext import plain_text

SENDER_NAME = "ISO quotes marketplace"

LINK_PATHS = {
    Purpose.CONFIRM_LEAD: "/requests/confirm/",
    Purpose.REQUEST: "/requests/open/",
    Purpose.OUTCOME: "/requests/outcome/",
    Purpose.SET_PASSWORD: "/set-password/",
    Purpose.JOIN_TEAM: "/set-password/",
    Purpose.EMAIL_OLD: "/email-change/",
    Purpose.EMAIL_NEW: "/email-change/",
    Purpose.WITHDRAW: "/join/withdraw/",
    Purpose.NOT_OURS: "/requests/not-ours/",
    Purpose.COME_BACK: "/come-back/",
    Purpose.ASK_AGAIN: "/requests/again/",
    Purpose.REMINDERS: "/reminders/",
}
"""Which page a link opens; its token follows."""

STOPPED_BY = {"cycle_reminder": Purpose.REMINDERS}
"""Mail that sells something: by which link its reader changes or stops it, minted beside the link
of its action and about the same subject. All else is service mail, which nothing like it stops."""


class CannotBeWritten(Exception):
    """A message without words: no such template, or a value that it needs is missing."""


@dataclass(frozen=True, repr=False)
class Words:
    """A message as its recipient reads it."""

    subject: str
    text: str
    html: str


def words(
    template: str,
    values: Mapping[str, Any],
    *,
    name: str,
    time_zone: str,
    now: datetime,
    public_url: str,
    action_url: str | None,
    manage_url: str | None = None,
) -> Words:
    """Return the words of a message, or raise `CannotBeWritten`.

    The reason names the template and what is missing, and never repeats a value.
    """
    letter = {
        **_letter(values, time_zone, now),
        "recipient_name": name,
        "sender_name": SENDER_NAME,
        "public_url": public_url,
    }
    if action_url is not None:
        letter["action_url"] = action_url
    if manage_url is not None:
        letter["manage_url"] = manage_url
    with _or_cannot_be_written(template):
        source = _SOURCES.get_template(f"{template}.html")
        html = source.render(letter)
        return Words(_subject(source, letter), plain_text(html), html)


def subject(template: str, values: Mapping[str, Any], *, time_zone: str, now: datetime) -> str:
    """Return what stands above a message, or raise `CannotBeWritten` as `words` does."""
    with _or_cannot_be_written(template):
        source = _SOURCES.get_template(f"{template}.html")
        return _subject(source, _letter(values, time_zone, now))


def _letter(values: Mapping[str, Any], time_zone: str, now: datetime) -> dict[str, Any]:
    return {
        **values,
        "when": lambda moment: told(datetime.fromisoformat(str(moment)), now, time_zone),
        "day": lambda day: told_day(date.fromisoformat(str(day)), now, time_zone),
    }


def _subject(source: Template, letter: dict[str, Any]) -> str:
    block = source.blocks["subject"](source.new_context(letter))
    # to take markup out, into plain text
    return one_line(Markup("".join(block)).unescape())  # nosec B704


@contextmanager
def _or_cannot_be_written(template: str) -> Iterator[None]:
    try:
        yield
    except TemplateError as error:
        raise CannotBeWritten(f"{template}: {error.message}") from error
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise CannotBeWritten(f"{template}: {type(error).__name__}") from error


def action_address(public_url: str, *, path: str | None, link: Purpose | None, token: str) -> str:
    """Return the address of a message's one action: a page for who signs in, else a link."""
    if link is not None:
        return f"{public_url}{LINK_PATHS[link]}{token}"
    return f"{public_url}{path}"


def manage_address(public_url: str, template: str, token: str) -> str | None:
    """Return where a message that sells something is changed or stopped; None for any other."""
    link = STOPPED_BY.get(template)
    return None if link is None else f"{public_url}{LINK_PATHS[link]}{token}"


def stop_address(manage_url: str) -> str:
    """Return the address that stops it at once, by an empty form alone (RFC 8058)."""
    return f"{manage_url}/stop"


def told(moment: datetime, now: datetime, time_zone: str) -> str:
    """Return a moment as its reader would say it, whole minutes, rounded down.

    `9:40 am tomorrow, Sydney time (Tuesday 24 November)`: the date as well, since a message may
    lie for a day before it is read. A time zone that is not known is told as UTC.
    """
    local = moment.astimezone(_zone(time_zone))
    today = now.astimezone(local.tzinfo).date()
    place = _place(time_zone, local)
    date = f"{local:%A} {local.day} {local:%B}"
    if local.year != today.year:
        date += f" {local.year}"
    near = _NEAR.get(local.date() - today)
    midnight = (local.hour, local.minute) == (0, 0)
    if near is not None:
        day = f"at the start of {near}" if midnight else near
        return f"{_clock(local)} {day}, {place} ({date})"
    return f"{_clock(local)} {'at the start of' if midnight else 'on'} {date}, {place}"


def told_day(day: date, now: datetime, time_zone: str) -> str:
    """Return a day as its reader would say it: `Saturday 23 January 2027, in 60 days`."""
    date_said = f"{day:%A} {day.day} {day:%B} {day.year}"
    away = day - now.astimezone(_zone(time_zone)).date()
    if away in _NEAR:
        return f"{date_said}, {_NEAR[away]}"
    return f"{date_said}, in {away.days} days" if away.days > 0 else date_said


_NEAR = {timedelta(days=-1): "yesterday", timedelta(0): "today", timedelta(days=1): "tomorrow"}


def _clock(local: datetime) -> str:
    if local.minute == 0 and local.hour in (0, 12):
        return "12 noon" if local.hour else "midnight"
    return f"{local.hour % 12 or 12}:{local:%M} {'pm' if local.hour >= 12 else 'am'}"


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        return UTC


def _place(name: str, local: datetime) -> str:
    """Return what people call the time of a zone: by its city, else by its distance from UTC."""
    area, _, city = name.rpartition("/")
    if local.tzinfo is not UTC and area not in ("", "Etc"):
        return f"{city.replace('_', ' ')} time"
    offset = f"{local:%z}"
    return "UTC" if offset == "+0000" else f"UTC{offset[:3]}:{offset[3:]}"


def listing(items: Iterable[Any]) -> str:
    """Return `a, b and c`."""
    *most, last = [str(item) for item in items]
    return f"{', '.join(most)} and {last}" if most else last


def one_line(text: str) -> str:
    """Return the text on one line, so that it can stand in a header."""
    return re.sub(r"[\x00-\x20\x7f-\x9f\u2028\u2029]+", " ", str(text)).strip()


def lines(text: str) -> Markup:
    """Return what somebody wrote with its line breaks kept, and nothing else of it as markup."""
    return Markup("<br>").join(escape(line) for line in str(text).splitlines())


def modest(text: str) -> str:
    """Return what a stranger typed, short and without a web address.

    Anybody can make the form write to anybody: it must not carry messages of their own.
    """
    bare = re.sub(r"(?i)\b(https?:|www\.)\S*", "", one_line(text))
    # Mail programs make links of `name.example` as well, but not of `name. example`; browsers take
    # the full stops of other scripts for the same.
    bare = re.sub(r"([.\u3002\uff0e\uff61])(?=\w)", r"\1 ", bare)
    return bare if len(bare) <= 80 else bare[:79] + "…"


def plural(count: int, word: str) -> str:
    """Return `1 place`, `2 places`."""
    return f"{count} {word if count == 1 else word + 's'}"


def duration(minutes: int) -> str:
    """Return `48 hours`, or `90 minutes`."""
    return plural(minutes, "minute") if minutes % 60 else plural(minutes // 60, "hour")


SERVICES = {
    "consulting": "consulting",
    "certification": "certification",
    "either": "consulting or certification",
}


def service(code: str) -> str:
    """Return what a business asks for, as a word."""
    return SERVICES.get(code, code)


def _environment(filters: Mapping[str, Callable[..., Any]]) -> Environment:
    sources = Environment(
        loader=PackageLoader("marketplace.notifications", "words"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    sources.filters.update(filters)
    return sources


_SOURCES = _environment(
    {
        "listing": listing,
        "lines": lines,
        "modest": modest,
        "plural": plural,
        "duration": duration,
        "service": service,
    }
)


def templates() -> list[str]:
    """Return the name of every template there is."""
    return sorted(
        name.removesuffix(".html") for name in _SOURCES.list_templates() if not name.startswith("_")
    )
