"""The front page: the lead form, and what comes right after it."""

import json
import time
from typing import Any

from flask import (
    Blueprint,
    abort,
    current_app,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from itsdangerous import BadData, URLSafeSerializer
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from marketplace.catalogue import queries as catalogue
from marketplace.core import idempotency
from marketplace.core.calendars import CalendarKind
from marketplace.core.context import Context
from marketplace.core.errors import Conflict, FieldError, Invalid
from marketplace.core.idempotency import Answer
from marketplace.core.links import new_token
from marketplace.core.policy import Policy
from marketplace.insights.commitments import PublicFigures, public_figures
from marketplace.leads import service
from marketplace.leads.rules import CertificationStatus, Service, Timeframe
from marketplace.leads.signals import Telltale
from marketplace.web.api.common import LeadIn
from marketplace.web.auth import current_context
from marketplace.web.pages.choices import COMMON, choices, region_codes
from marketplace.web.pages.forms import Filled, Sent, read
from marketplace.web.pages.words import span
from marketplace.web.requests import load

pages = Blueprint("front", __name__)

Shown = tuple[int, PublicFigures | None]
"""The figures on the front page, and of which minute they are."""

LABELS = {
    "": "",
    "service": "What you are looking for",
    "standards": "At least one standard",
    "certification_status": "Where you stand today",
    "timeframe": "The time frame",
    "needed_by": "The date by which you need it",
    "regions": "The place where the work is done",
    "remote_ok": "Remote work",
    "language": "The language",
    "headcount": "The number of people",
    "sites": "The number of sites",
    "company.name": "The company's name",
    "company.country": "The company's country",
    "company.registration_number": "The registration number",
    "company.website": "The website",
    "sector": "The sector",
    "consultants_used": "The consultants named",
    "consultants_used.name": "The name of consultant",
    "consultants_used.ended_on": "The end of the work of consultant",
    "notes": "The notes",
    "contact.name": "Your name",
    "contact.email": "Your e-mail address",
    "contact.phone": "Your telephone number",
    "contact.role": "Your role",
    "consent.share_with_matched_providers": "Your consent",
    "consent": "Your consent",
}
"""What each field is called in a sentence, in the order of the page."""

HONEYPOT = "fax"
"""A field that people do not see: what fills it in is a machine."""

PATIENCE = 5.0
"""Seconds that the second click of a double click waits for what the first one came to."""


@pages.get("/")
def form() -> str:
    """Show the form."""
    begin = {"company.country": ["AU"], "sites": ["1"], "certification_status": ["none"]}
    return show(Filled(LABELS, begin), begun=sealed().dumps(begun_now()))


@pages.post("/")
def send() -> Response | tuple[str, int]:
    """Take the form, by the same schema and use case as the JSON interface."""
    sent = read_form(request.form)
    try:
        receipt = once(sent)
    except Invalid as refused:
        errors = [by_name(error, sent) for error in refused.errors]
        filled = Filled(LABELS).wrong(errors, sent.typed)
        return show(filled, begun=request.form.get("begun", "")), 422
    ctx = current_context()
    with ctx.reading() as reading:
        zone = catalogue.time_zone_of(reading, sent.data["regions"][0])
    session["receipt"] = {**receipt, "to": sent.data["contact"]["email"], "zone": zone}
    return redirect(url_for("front.sent"), 303)


@pages.get("/requests/sent")
def sent() -> Response | str:
    """Say what happens next; nothing here is found again in another browser."""
    receipt = session.get("receipt")
    if receipt is None:
        return redirect(url_for("front.form"))
    return render_template("sent.html", receipt=receipt)


def show(filled: Filled, *, begun: str) -> str:
    ctx = current_context()
    return render_template(
        "lead_form.html",
        form=filled,
        offered=choices(ctx),
        plain=COMMON,
        services=list(Service),
        timeframes=list(Timeframe),
        statuses=list(CertificationStatus),
        honeypot=HONEYPOT,
        begun=begun,
        policy=ctx.policy,
        promised=promised(ctx.policy),
        kept=_kept(ctx),
    )


def _kept(ctx: Context) -> PublicFigures | None:
    """Return how the promise was kept, as it stood in this minute: everybody asks for the same."""
    minute = int(ctx.clock().timestamp() // 60)
    shown: Shown | None = current_app.extensions.get("public_figures")
    if shown is None or shown[0] != minute:
        shown = current_app.extensions["public_figures"] = minute, public_figures(ctx)
    return shown[1]


def promised(policy: Policy) -> str:
    """Return within what time a first response is promised."""
    within = span(policy.response_window)
    return f"{within} on business days" if policy.calendar is CalendarKind.BUSINESS_DAYS else within


def read_form(posted: MultiDict[str, str]) -> Sent:
    """Read the form; regions may be ticked or written, and the terms are those of the page."""
    ctx = current_context()
    sent = read(LeadIn(), posted)
    with ctx.reading() as reading:
        written = region_codes(reading, posted.getlist("region_written"))
    sent.typed["region_written"] = posted.getlist("region_written")
    regions = [*sent.data.get("regions", []), *written]
    if regions:
        sent.data["regions"] = list(dict.fromkeys(regions))
    sent.data["consent"]["terms_version"] = ctx.policy.terms_version
    return sent


def by_name(error: FieldError, sent: Sent) -> FieldError:
    """Return what is wrong with a region by what was typed, since it stands in no field alone."""
    index = error.pointer.removeprefix("/regions/")
    if index == error.pointer:
        return error
    text = sent.data["regions"][int(index)]
    return FieldError("/regions", f"\u201c{text}\u201d {error.detail}")


def once(sent: Sent) -> dict[str, Any]:
    """Submit the form, once for the same content of the same page: a double click is one request.

    Raises `Invalid` where the form is.
    """
    ctx = current_context()
    begun = page_begun(request.form.get("begun", ""))
    scope = idempotency.digest("form", begun["nonce"], json.dumps(sent.data, sort_keys=True))
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
            seconds_to_fill=max(0.0, ctx.clock().timestamp() - begun["at"]),
            honeypot=request.form.get(HONEYPOT, ""),
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


def begun_now() -> dict[str, Any]:
    """Return what is sealed into a form: when it was shown, and a word of its own."""
    return {"at": current_context().clock().timestamp(), "nonce": new_token("form")}


def page_begun(seal: str) -> dict[str, Any]:
    """Return when the form was shown; one without a good seal was not filled in on our page."""
    try:
        return dict(sealed().loads(seal))
    except BadData:
        return begun_now()


def sealed() -> URLSafeSerializer:
    if not current_app.secret_key:
        abort(500)
    return URLSafeSerializer(current_app.secret_key, salt="lead-form")
