"""The lead form, wherever it stands: what it offers, how it is read, and how it is sent once."""

import json
import re
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from flask_babel import gettext as _
from itsdangerous import BadData, URLSafeSerializer
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import TooManyRequests

from marketplace.catalogue import queries as catalogue
from marketplace.core import idempotency
from marketplace.core.calendars import CalendarKind
from marketplace.core.errors import Conflict, FieldError
from marketplace.core.idempotency import Answer
from marketplace.core.links import new_token
from marketplace.core.policy import Policy
from marketplace.core.texts import N_
from marketplace.leads import service
from marketplace.leads.rules import CertificationStatus, Service, Timeframe
from marketplace.leads.signals import Telltale
from marketplace.web.api.common import LeadIn
from marketplace.web.auth import current_context
from marketplace.web.languages import translate
from marketplace.web.pages.choices import choices, region_codes
from marketplace.web.pages.forms import Filled, Sent, Typed, read
from marketplace.web.pages.lead_errors import LABELS, POSTCODE
from marketplace.web.pages.standards import COMMON, by_subject, words_for
from marketplace.web.pages.words import span
from marketplace.web.product import signing_keys
from marketplace.web.requests import load

HONEYPOT = "fax"
"""A field that people do not see: what fills it in is a machine."""

PATIENCE = 5.0
"""Seconds that the second click of a double click waits for what the first one came to."""

BEGIN: Typed = {"company.country": ["AU"], "sites": ["1"], "certification_status": ["none"]}

_COUNTRY = re.compile(r"[A-Z]{2}")


@dataclass(frozen=True, repr=False)
class LeadSent(Sent):
    """A lead form that was sent."""

    understood: Mapping[str, str]
    """The postcodes written for a region, and the name of the region each was taken for."""

    @property
    def shown(self) -> Filled:
        """Return the form as it was filled in, to be shown again."""
        return Filled(LABELS, self.typed)


STATUSES = {
    CertificationStatus.NONE: N_("No, not yet"),
    CertificationStatus.CERTIFIED: N_("Yes"),
    CertificationStatus.TRANSFER: N_("Yes, and we want another certification body"),
    CertificationStatus.TRANSITION: N_("Yes, and we have to move to a new edition"),
    CertificationStatus.LAPSED: N_("Not any more: it has lapsed"),
}
"""Whether there is a certificate, as a business says it of itself ..."""

TIMEFRAMES = {
    Timeframe.ASAP: N_("As soon as possible"),
    Timeframe.THREE_MONTHS: N_("Within 3 months"),
    Timeframe.SIX_MONTHS: N_("Within 6 months"),
    Timeframe.TWELVE_MONTHS: N_("Within a year"),
    Timeframe.EXPLORING: N_("No hurry: we are looking around"),
}
"""... and how soon."""


def offered() -> dict[str, Any]:
    """Return what the form's template takes beside what was filled in."""
    ctx = current_context()
    found = choices(ctx)
    return {
        "offered": found,
        "plain": COMMON,
        "subjects": by_subject(found.others),
        "words_for": words_for,
        "services": list(Service),
        "timeframes": [(each.value, translate(said)) for each, said in TIMEFRAMES.items()],
        "statuses": [(each.value, translate(said)) for each, said in STATUSES.items()],
        "honeypot": HONEYPOT,
        "policy": ctx.policy,
        "promised": promised(ctx.policy),
        "read_first": read_first(ctx.policy),
    }


def promised(policy: Policy) -> str:
    """Return within what time a first response is promised."""
    within = span(policy.response_window)
    if policy.calendar is CalendarKind.BUSINESS_DAYS:
        return str(_("%(time)s on business days", time=within))
    return within


def read_first(policy: Policy) -> str:
    """Return that a person may read a request before it opens, where the policy has it so."""
    return {
        "auto": _("Some requests are first read by one of us; the clock starts after that."),
        "always": _("Each request is first read by one of us; the clock starts after that."),
    }.get(policy.lead_review, "")


def read_form(posted: MultiDict[str, str]) -> LeadSent:
    """Read the form; regions may be ticked or written, and the terms are those of the page."""
    ctx = current_context()
    sent = read(LeadIn(), posted)
    country = posted.get("company.country", "")
    guesses, written = [], []
    with ctx.reading() as reading:
        for text in posted.getlist("region_written"):
            guess = of_postcode(reading, country, text)
            if guess:
                guesses.append(guess)
            written.append("" if guess else text)
        codes = region_codes(reading, written)
    guessed = [guess.code for guess in guesses]
    sent.typed["region_written"] = written
    sent.typed["regions"] = [*sent.typed.get("regions", []), *guessed]
    regions = [*sent.data.get("regions", []), *guessed, *codes]
    if regions:
        sent.data["regions"] = list(dict.fromkeys(regions))
    if posted.get("sites", "1").strip() == "":
        sent.data["sites"] = ""  # the page asks for it, though the schema would take it for one
    sent.data["consent"]["terms_version"] = ctx.policy.terms_version
    return LeadSent(sent.data, sent.typed, {guess.postcode: guess.name for guess in guesses})


def to_wait(refused: TooManyRequests, posted: MultiDict[str, str]) -> Filled:
    """Return the form as it was filled in, for whoever has to wait before sending it."""
    kept = FieldError("", _("What you typed is still here, below."))
    return read_form(posted).shown.wrong([FieldError("", refused.description or ""), kept])


@dataclass(frozen=True)
class Guess:
    """The region that a postcode was taken for."""

    postcode: str
    name: str
    code: str


def of_postcode(session: Session, country: str, text: str) -> Guess | None:
    """Return which region of the business's country a postcode is of, where postcodes tell."""
    written = POSTCODE.fullmatch(text.strip())
    if written is None or not _COUNTRY.fullmatch(country):
        return None
    region = catalogue.region_of_postcode(session, country, written[1])
    return Guess(written[1], region.name, region.code) if region else None


def submit_once(sent: Sent, posted: MultiDict[str, str], begun: "Begun") -> dict[str, Any]:
    """Submit the form, once for the same content of the same page: a double click is one request.

    Raises `Invalid` where the form is.
    """
    ctx = current_context()
    scope = idempotency.digest("form", begun.nonce, json.dumps(sent.data, sort_keys=True))
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            first = idempotency.begin(ctx, scope, scope)
            break
        except Conflict:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
    if first is not None:
        return dict(json.loads(first.body))
    try:
        telltale = Telltale(
            seconds_to_fill=max(0.0, ctx.clock().timestamp() - begun.at),
            honeypot=posted.get(HONEYPOT, ""),
            source=begun.site,
        )
        receipt = service.submit_lead(ctx, load(LeadIn(), sent.data), telltale)
    except BaseException:
        idempotency.abandon(ctx, scope)
        raise
    confirm_by = receipt.confirm_by.isoformat() if receipt.confirm_by else None
    said = {
        "reference": receipt.reference,
        "status": str(receipt.status),
        "confirm_by": confirm_by,
    }
    idempotency.finish(ctx, scope, Answer(303, json.dumps(said).encode()))
    return said


def receipt_for(said: dict[str, Any], sent: LeadSent) -> dict[str, Any]:
    """Return what the page after the form shows."""
    with current_context().reading() as reading:
        zone = catalogue.time_zone_of(reading, sent.data["regions"][0])
    to = sent.data["contact"]["email"]
    return {**said, "to": to, "zone": zone, "understood": dict(sent.understood)}


@dataclass(frozen=True)
class Begun:
    """What is sealed into a form: when it was shown, a word of its own, and in which site."""

    at: float
    nonce: str
    site: str | None = None

    @property
    def seal(self) -> str:
        return str(_sealed().dumps(asdict(self)))


def begin_now(site: str | None = None) -> Begun:
    return Begun(current_context().clock().timestamp(), new_token("form"), site)


def begun(seal: str, site: str | None = None) -> Begun | None:
    """Return what is sealed in, or None: a form without a good seal was not shown by us there."""
    try:
        found = Begun(**_sealed().loads(seal))
    except BadData:
        return None
    return found if found.site == site else None


def _sealed() -> URLSafeSerializer:
    return URLSafeSerializer(signing_keys(), salt="lead-form")
