"""How states, codes, times and money are said to people."""

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import (
    format_date,
    format_datetime,
    format_skeleton,
    get_date_format,
    get_time_format,
)
from babel.lists import format_list
from babel.numbers import format_decimal
from babel.units import format_unit
from flask_babel import gettext as _
from jinja2 import Undefined
from markupsafe import Markup

from marketplace.accounts.devices import A_PROGRAM
from marketplace.catalogue.languages import languages
from marketplace.core.texts import N_
from marketplace.notifications.wording import told
from marketplace.quotes.phases import LABELS
from marketplace.web.auth import current_context
from marketplace.web.languages import AUSTRALIAN, formats, translate

LEAD = {
    "awaiting_confirmation": N_("waiting for confirmation"),
    "in_review": N_("in review"),
    "open": N_("open"),
    "superseded": N_("another request was running"),
    "lapsed": N_("never confirmed"),
    "rejected": N_("turned away"),
    "awarded": N_("provider chosen"),
    "closed": N_("closed"),
    "expired": N_("expired"),
}

INVITATION = {
    "sent": N_("invited, not opened yet"),
    "opened": N_("opened the invitation"),
    "accepted": N_("accepted, quote to follow"),
    "quoted": N_("quoted"),
    "declined": N_("declined"),
    "released": N_("did not open it in time"),
    "expired": N_("did not quote in time"),
    "withdrawn": N_("withdrawn"),
    "won": N_("chosen"),
    "lost": N_("not chosen"),
}
"""As the business and administrators read them ..."""

OWN_INVITATION = {
    **INVITATION,
    "sent": N_("new"),
    "opened": N_("opened"),
    "released": N_("passed on: it was not opened in time"),
    "expired": N_("expired: no quote in time"),
    "won": N_("you were chosen"),
    "lost": N_("another was chosen, or the request was closed"),
}
"""... and as the provider that holds one does."""

ENDED_INVITATION = {**INVITATION, "withdrawn": N_("no longer needed")}
"""... and as the business does once its request is finished: nobody took that one back."""

PROVIDER = {
    "applied": N_("applied"),
    "verified": N_("verified"),
    "rejected": N_("turned away"),
    "suspended": N_("suspended"),
}

KIND = {"consultant": N_("Consultant"), "certification_body": N_("Certification body")}

SERVICE = {
    "consulting": N_("Consulting"),
    "certification": N_("Certification"),
    "either": N_("Consulting or certification"),
}

TIMEFRAME = {
    "asap": N_("as soon as possible"),
    "3_months": N_("within 3 months"),
    "6_months": N_("within 6 months"),
    "12_months": N_("within 12 months"),
    "exploring": N_("no date yet: looking around"),
}

CERTIFICATION = {
    "none": N_("not certified"),
    "certified": N_("certified already"),
    "transfer": N_("certified, changing the certification body"),
    "transition": N_("certified, moving to a new edition"),
    "lapsed": N_("was certified, has lapsed"),
}

DECLINE = {
    "out_of_scope": N_("It is outside what we do"),
    "no_capacity": N_("We have no capacity"),
    "timeframe": N_("The time frame does not suit"),
    "too_small": N_("It is too small for us"),
    "too_far": N_("It is too far away"),
    "conflict_of_interest": N_("We have a conflict of interest"),
    "other": N_("Another reason"),
}

CLOSE = {
    "other_provider": N_("We found a provider elsewhere"),
    "not_now": N_("We are not going ahead now"),
    "none_suited": N_("None of the quotes suited us"),
    "too_expensive": N_("It is too expensive"),
    "mistake": N_("The request was a mistake"),
    "not_ours": N_("The request is not ours"),
}

OUTCOME = {
    "awarded": N_("It went to a provider that was invited here"),
    "other_provider": N_("It went to a provider from elsewhere"),
    "not_now": N_("The business is not going ahead now"),
    "none_suited": N_("None of the quotes suited"),
}

OUTCOME_REASON = {
    "price": N_("The price"),
    "timing": N_("When they could begin, or be done"),
    "fit": N_("What they know of our sector or size"),
    "clarity": N_("How clear and complete the quotes were"),
    "contact": N_("How they dealt with us"),
    "budget": N_("Our budget"),
    "priorities": N_("Other things come first for us"),
    "other": N_("Something else"),
}

REVIEW = {
    "shown": N_("shown"),
    "queued": N_("not shown: waits for an administrator"),
    "hidden": N_("hidden"),
}

DOUBT = {
    "own": N_("who wrote it may be the provider itself, or related to it"),
    "contact": N_("it may hold an address, a web site or a telephone number"),
    "person": N_("it may name a person, or the business"),
    "other": N_("it may name another provider that was invited"),
}

TRAVEL = {
    "included": N_("Included in the fees"),
    "capped": N_("On top, up to the amount given"),
    "at_cost": N_("On top, at cost"),
}

ACCREDITATION = {
    "claimed": N_("stated by the provider, not checked by us yet"),
    "verified": N_("checked"),
    "suspended": N_("suspended"),
    "withdrawn": N_("withdrawn"),
    "expired": N_("expired"),
}

OWN_ACCREDITATION = {
    **ACCREDITATION,
    "claimed": N_("stated by you, not checked by us yet"),
}
"""... and as its holder reads it."""

RELATIONSHIP = {
    "ownership": N_("by ownership"),
    "control": N_("by control"),
    "shared_people": N_("by people who work for both"),
    "contract": N_("by a contract"),
    "brand": N_("by a shared brand"),
    "marketing": N_("by shared marketing"),
    "declared": N_("as one of them says, without saying how"),
}

MAIL_STOPPED = {
    "hard_bounce": N_("Mail to this address comes back"),
    "spam_report": N_("Our mail was reported as spam from this address"),
    "by_hand": N_("Mail to this address was stopped by hand"),
}

CHECK = {
    "found": N_("found, as stated"),
    "confidential": N_("kept closed; other evidence was seen"),
    "not_found": N_("not found"),
    "mismatch": N_("found, but not as stated"),
}

CHECKED = {
    "called_back": N_("called back, at a number published or known before"),
    "in_person": N_("met in person"),
    "document": N_("a letter of the organisation, signed by who may sign for it"),
}

COMMITMENT = {
    "running": N_("running"),
    "at_risk": N_("at risk: little time is left"),
    "met": N_("met"),
    "missed": N_("missed"),
    "ended": N_("ended with the request"),
}

FILTER = {
    "kind": N_("are of a kind that was asked for"),
    "edition": N_("can be asked for the edition"),
    "state": N_("are verified"),
    "standards": N_("offer every standard"),
    "regions": N_("cover every region"),
    "headcount": N_("take businesses of this size"),
    "capacity": N_("have capacity free"),
    "pause": N_("are not on leave or paused"),
    "accreditation": N_("hold the accreditations"),
    "invited": N_("were not invited before"),
    "impartiality": N_("are impartial here"),
}
"""Who is left behind each filter of the matching funnel: `they` ..."""

MESSAGE = {
    "queued": N_("waiting to be sent"),
    "sending": N_("being sent"),
    "sent": N_("sent"),
    "delivered": N_("delivered"),
    "failed": N_("given up"),
    "bounced": N_("came back"),
    "dropped": N_("not accepted"),
    "suppressed": N_("held back: the address gets no mail, or got as much as strangers may cause"),
}

TEAM_ROLE = {
    "owner": N_("owner"),
    "member": N_("member"),
    "read_only": N_("reads along"),
}

SCOPE = {
    "read": N_("read"),
    "answer": N_("answer and quote"),
    "manage": N_("change the profile"),
}
"""What a key may do."""

TONE = {
    **dict.fromkeys(("open", "verified", "quoted", "won", "awarded", "met", "checked"), "good"),
    **dict.fromkeys(("at_risk", "missed", "rejected", "suspended", "failed"), "bad"),
    **dict.fromkeys(("in_review", "running", "sent", "opened", "accepted", "applied"), "busy"),
}

SAID: dict[str, dict[str, str]] = {
    "lead": LEAD,
    "invitation": INVITATION,
    "ended_invitation": ENDED_INVITATION,
    "own_invitation": OWN_INVITATION,
    "provider": PROVIDER,
    "kind": KIND,
    "service": SERVICE,
    "timeframe": TIMEFRAME,
    "certification": CERTIFICATION,
    "decline": DECLINE,
    "close": CLOSE,
    "outcome": OUTCOME,
    "outcome_reason": OUTCOME_REASON,
    "review": REVIEW,
    "doubt": DOUBT,
    "travel": TRAVEL,
    "accreditation": ACCREDITATION,
    "own_accreditation": OWN_ACCREDITATION,
    "mail_stopped": MAIL_STOPPED,
    "team_role": TEAM_ROLE,
    "scope": SCOPE,
    "relationship": RELATIONSHIP,
    "message": MESSAGE,
    "check": CHECK,
    "checked": CHECKED,
    "commitment": COMMITMENT,
    "filter": FILTER,
    "work": {work.value: label for work, label in LABELS.items()},
}


def say(code: Any, of: str) -> str:
    """Return a code in words."""
    words = SAID[of].get(str(code))
    return str(code).replace("_", " ") if words is None else translate(words)


def tone(state: Any) -> str:
    """Return how a state is coloured; its words say the same."""
    return TONE.get(str(state), "calm")


def when(moment: datetime | str | None, zone: str = "UTC") -> Markup | str:
    """Return a moment as its reader would say it, in the reader's time zone."""
    if moment is None:
        return _("not yet")
    at = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return _time(at, _told(at, zone))


def _told(at: datetime, zone: str) -> str:
    """Return a moment in words: in English those of our mails, else as the language has them."""
    locale = formats()
    if locale == AUSTRALIAN:
        return told(at, current_context().clock(), zone)
    day, clock = get_date_format("full", locale), get_time_format("short", locale)
    said = f"{day.pattern}, {clock.pattern} z"
    return format_datetime(at, said, tzinfo=ZoneInfo(zone), locale=locale)


def stamp(moment: datetime | None) -> Markup | str:
    """Return a moment in short, for administrators' tables."""
    if moment is None:
        return "\N{EN DASH}"
    return _time(moment, f"{format_date(moment, 'medium', formats())} {moment:%H:%M} UTC")


def _time(at: datetime, text: str) -> Markup:
    return Markup('<time datetime="{}">{}</time>').format(at.isoformat(timespec="seconds"), text)


def left(moment: datetime) -> str:
    """Return how long there is until a moment, in words, rounded down."""
    until = moment - current_context().clock()
    if until <= timedelta(0):
        return _("the time is over")
    return _("%(span)s left", span=span(until))


def span(length: timedelta) -> str:
    """Return a length of time in words, rounded down; hours up to two days."""
    minutes = int(length / timedelta(minutes=1))
    days = minutes // 1440 if minutes >= 2880 else 0
    hours = (minutes - days * 1440) // 60
    smaller = (hours, "hour") if days else (minutes % 60, "minute")
    parts = [(days, "day"), smaller] if days else [(hours, "hour"), smaller]
    locale = formats()
    said = [format_unit(n, f"duration-{unit}", locale=locale) for n, unit in parts if n]
    return format_list(said, "unit-narrow", locale) if said else _("less than a minute")


def minutes(length: int) -> str:
    """Return a length of time in words, given in minutes."""
    return span(timedelta(minutes=length))


def sentence(refused: Exception) -> str:
    """Return a refusal as a sentence."""
    words = translate(refused.args[0])
    return f"{words[:1].upper()}{words[1:]}."


def is_past(moment: datetime | None) -> bool:
    """Return whether a moment has come."""
    return moment is not None and moment <= current_context().clock()


def stated(value: Any) -> Any:
    """Return the value, or None for one that a stored document leaves out."""
    return None if isinstance(value, Undefined) else value


def month(first: date) -> str:
    """Return a month, by its first day, in words."""
    return format_skeleton("yMMMM", first, locale=formats())


def day(value: date | str | None, zone: str = "UTC") -> str:
    """Return a day in words; of a moment, the day that it is in a time zone."""
    value = stated(value)
    if value is None:
        return _("not stated")
    if isinstance(value, datetime):
        value = value.astimezone(ZoneInfo(zone)).date()
    found = date.fromisoformat(value) if isinstance(value, str) else value
    return format_date(found, "long", formats())


def leave(starts_at: datetime, ends_at: datetime, zone: str) -> str:
    """Return a leave in words: by its first and last day, unless it has hours."""
    start, end = (each.astimezone(ZoneInfo(zone)) for each in (starts_at, ends_at))
    if start.time() != time() or end.time() != time():
        return _("%(start)s until %(end)s", start=_told(start, zone), end=_told(end, zone))
    first, last = start.date(), end.date() - timedelta(days=1)
    if first == last:
        return day(first)
    said = day(first)
    if formats() == AUSTRALIAN and first.year == last.year:
        # As a person says it: "1 to 14 December 2026".
        said = str(first.day) if first.month == last.month else f"{first.day} {first:%B}"
    return _("%(first)s to %(last)s", first=said, last=day(last))


def in_days(number_of: Decimal | float) -> str:
    """Return so many days of work in words: `1 day`, `0.5 days`."""
    return format_unit(number_of, "duration-day", locale=formats())


def money(amount: Decimal | str | None, currency: str = "") -> str:
    """Return an amount with its currency; one that is not stated is never shown as zero."""
    amount = stated(amount)
    if amount is None:
        return _("not stated")
    return f"{currency} {format_decimal(Decimal(amount), '#,##0.00', formats())}".strip()


def number(value: float | None) -> str:
    """Return a number without an idle fraction."""
    value = stated(value)
    return _("not stated") if value is None else format_decimal(value, locale=formats())


def file_size(size: int) -> str:
    """Return how large a file is: `340 KB`, `1.2 MB`."""
    if size < 999_500:
        return _("%(size)s KB", size=format_decimal(max(1, round(size / 1000)), locale=formats()))
    return _("%(size)s MB", size=format_decimal(round(size / 1_000_000, 1), locale=formats()))


def language(code: str) -> str:
    """Return what a language is called."""
    return languages().get(code, code)


_SYSTEMS = (N_("an iPhone"), N_("an iPad"), N_("a Mac"))


def device(described: str | None) -> str:
    """Return with what somebody signed in (`accounts/devices.py`), in the reader's language."""
    if not described or described == A_PROGRAM:
        return _("A program")
    if described.startswith("the program "):
        return _("The program %(name)s", name=described.removeprefix("the program "))
    browser, _on, system = described.partition(" on ")
    name = _("A browser") if browser == "a browser" else browser
    if not system:
        return name
    where = translate(system) if system in _SYSTEMS else system
    return _("%(browser)s on %(system)s", browser=name, system=where)


FILTERS: dict[str, Callable[..., Any]] = {
    "say": say,
    "tone": tone,
    "when": when,
    "stamp": stamp,
    "left": left,
    "span": span,
    "minutes": minutes,
    "is_past": is_past,
    "day": day,
    "leave": leave,
    "in_days": in_days,
    "month": month,
    "money": money,
    "number": number,
    "file_size": file_size,
    "language": language,
    "device": device,
    "translate": translate,
}
