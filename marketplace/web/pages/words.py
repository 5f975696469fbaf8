"""How states, codes, times and money are said to people."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from jinja2 import Undefined
from markupsafe import Markup

from marketplace.catalogue.languages import languages
from marketplace.notifications.wording import told
from marketplace.web.auth import current_context

LEAD = {
    "awaiting_confirmation": "waiting for confirmation",
    "in_review": "in review",
    "open": "open",
    "superseded": "another request was running",
    "lapsed": "never confirmed",
    "rejected": "turned away",
    "awarded": "provider chosen",
    "closed": "closed",
    "expired": "expired",
}

INVITATION = {
    "sent": "invited, not opened yet",
    "opened": "opened the invitation",
    "accepted": "accepted, quote to follow",
    "quoted": "quoted",
    "declined": "declined",
    "released": "did not open it in time",
    "expired": "did not quote in time",
    "withdrawn": "withdrawn",
    "won": "chosen",
    "lost": "not chosen",
}
"""As the business and administrators read them ..."""

OWN_INVITATION = {
    **INVITATION,
    "sent": "new",
    "opened": "opened",
    "released": "passed on: it was not opened in time",
    "expired": "expired: no quote in time",
    "won": "you were chosen",
    "lost": "another was chosen, or the request was closed",
}
"""... and as the provider that holds one does."""

PROVIDER = {
    "applied": "applied",
    "verified": "verified",
    "rejected": "turned away",
    "suspended": "suspended",
}

KIND = {"consultant": "Consultant", "certification_body": "Certification body"}

SERVICE = {
    "consulting": "Consulting",
    "certification": "Certification",
    "either": "Consulting or certification",
}

TIMEFRAME = {
    "asap": "as soon as possible",
    "3_months": "within 3 months",
    "6_months": "within 6 months",
    "12_months": "within 12 months",
    "exploring": "no date yet: looking around",
}

CERTIFICATION = {
    "none": "not certified",
    "certified": "certified already",
    "transfer": "certified, changing the certification body",
    "transition": "certified, moving to a new edition",
    "lapsed": "was certified, has lapsed",
}

DECLINE = {
    "out_of_scope": "It is outside what we do",
    "no_capacity": "We have no capacity",
    "timeframe": "The time frame does not suit",
    "too_small": "It is too small for us",
    "too_far": "It is too far away",
    "conflict_of_interest": "We have a conflict of interest",
    "other": "Another reason",
}

CLOSE = {
    "other_provider": "We found a provider elsewhere",
    "not_now": "We are not going ahead now",
    "none_suited": "None of the quotes suited us",
    "too_expensive": "It is too expensive",
    "mistake": "The request was a mistake",
    "not_ours": "The request is not ours",
}

TRAVEL = {
    "included": "Included in the fees",
    "capped": "On top, up to the amount given",
    "at_cost": "On top, at cost",
}

ACCREDITATION = {
    "claimed": "stated by the provider, not checked by us yet",
    "verified": "checked",
    "suspended": "suspended",
    "withdrawn": "withdrawn",
    "expired": "expired",
}

MAIL_STOPPED = {
    "hard_bounce": "Mail to this address comes back",
    "spam_report": "Our mail was reported as spam from this address",
    "by_hand": "Mail to this address was stopped by hand",
}

TONE = {
    **dict.fromkeys(("open", "verified", "quoted", "won", "awarded", "met", "checked"), "good"),
    **dict.fromkeys(("at_risk", "missed", "rejected", "suspended", "failed"), "bad"),
    **dict.fromkeys(("in_review", "running", "sent", "opened", "accepted", "applied"), "busy"),
}

SAID: dict[str, dict[str, str]] = {
    "lead": LEAD,
    "invitation": INVITATION,
    "own_invitation": OWN_INVITATION,
    "provider": PROVIDER,
    "kind": KIND,
    "service": SERVICE,
    "timeframe": TIMEFRAME,
    "certification": CERTIFICATION,
    "decline": DECLINE,
    "close": CLOSE,
    "travel": TRAVEL,
    "accreditation": ACCREDITATION,
    "mail_stopped": MAIL_STOPPED,
}


def say(code: Any, of: str) -> str:
    """Return a code in words."""
    return SAID[of].get(str(code), str(code).replace("_", " "))


def tone(state: Any) -> str:
    """Return how a state is coloured; its words say the same."""
    return TONE.get(str(state), "calm")


def when(moment: datetime | str | None, zone: str = "UTC") -> Markup | str:
    """Return a moment as its reader would say it, in the reader's time zone."""
    if moment is None:
        return "not yet"
    at = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return _time(at, told(at, current_context().clock(), zone))


def stamp(moment: datetime | None) -> Markup | str:
    """Return a moment in short, for administrators' tables."""
    return "–" if moment is None else _time(moment, f"{moment:%-d %b %Y %H:%M} UTC")  # noqa: RUF001  # a dash in an empty cell


def _time(at: datetime, text: str) -> Markup:
    return Markup('<time datetime="{}">{}</time>').format(at.isoformat(timespec="seconds"), text)


def left(moment: datetime) -> str:
    """Return how long there is until a moment, in words, rounded down."""
    until = moment - current_context().clock()
    return f"{span(until)} left" if until > timedelta(0) else "the time is over"


def span(length: timedelta) -> str:
    """Return a length of time in words, rounded down; hours up to two days."""
    minutes = int(length / timedelta(minutes=1))
    days = minutes // 1440 if minutes >= 2880 else 0
    hours = (minutes - days * 1440) // 60
    smaller = (hours, "hour") if days else (minutes % 60, "minute")
    parts = [(days, "day"), smaller] if days else [(hours, "hour"), smaller]
    said = " ".join(f"{n} {unit}{'' if n == 1 else 's'}" for n, unit in parts if n)
    return said or "less than a minute"


def is_past(moment: datetime | None) -> bool:
    """Return whether a moment has come."""
    return moment is not None and moment <= current_context().clock()


def stated(value: Any) -> Any:
    """Return the value, or None for one that a stored document leaves out."""
    return None if isinstance(value, Undefined) else value


def month(first: date) -> str:
    """Return a month, by its first day, in words."""
    return f"{first:%B} {first.year}"


def day(value: date | str | None) -> str:
    """Return a day in words."""
    value = stated(value)
    if value is None:
        return "not stated"
    found = date.fromisoformat(value) if isinstance(value, str) else value
    return f"{found.day} {found:%B} {found.year}"


def money(amount: Decimal | str | None, currency: str = "") -> str:
    """Return an amount with its currency; one that is not stated is never shown as zero."""
    amount = stated(amount)
    return "not stated" if amount is None else f"{currency} {Decimal(amount):,.2f}".strip()


def number(value: float | None) -> str:
    """Return a number without an idle fraction."""
    value = stated(value)
    return "not stated" if value is None else f"{value:g}"


def language(code: str) -> str:
    """Return what a language is called."""
    return languages().get(code, code)


FILTERS: dict[str, Callable[..., Any]] = {
    "say": say,
    "tone": tone,
    "when": when,
    "stamp": stamp,
    "left": left,
    "span": span,
    "is_past": is_past,
    "day": day,
    "month": month,
    "money": money,
    "number": number,
    "language": language,
}
