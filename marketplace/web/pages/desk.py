"""Administration: what needs a hand now, and the messages that did not arrive."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from marshmallow import EXCLUDE, Schema
from werkzeug.wrappers import Response

from marketplace.core.errors import Conflict, Invalid, NotSignedIn
from marketplace.core.texts import N_
from marketplace.insights.history import subject_of
from marketplace.insights.search import AT_MOST, find
from marketplace.insights.worklist import Kind, worklist
from marketplace.notifications import service as notifications
from marketplace.notifications import suppressions
from marketplace.web.api.admin_suppressions import LiftSchema
from marketplace.web.auth import current_actor, current_context
from marketplace.web.fields import Text
from marketplace.web.pages.forms import Filled, read
from marketplace.web.pages.sign_in import to_sign_in
from marketplace.web.pages.signals import score_in_words, signals_in_words
from marketplace.web.pages.words import sentence
from marketplace.web.requests import load

pages = Blueprint("desk", __name__, url_prefix="/admin")
pages.register_error_handler(NotSignedIn, to_sign_in)


class SearchArgs(Schema):
    """What is searched for."""

    class Meta:
        unknown = EXCLUDE

    q = Text(at_most=200, load_default="")


def arguments(schema: Any) -> dict[str, Any]:
    """Return the query, without what was left blank in a search form."""
    filled = {name: value for name, value in request.args.items() if value.strip()}
    values: dict[str, Any] = load(schema(), filled).accept()
    return values


LABELS = {
    "": "",
    "reason": N_("The reason"),
    "name": N_("The consultant"),
    "provider_id": N_("The provider"),
    "why": N_("Why this provider"),
    "result": N_("What the register showed"),
    "checked_on": N_("The day of the look"),
    "source": N_("The register"),
}
"""What the fields of the desk's forms are called in a sentence."""


def headings() -> dict[str, str]:
    """Return what each kind of work is called above it ..."""
    return {
        "clocks": _("No response yet, and little time left or none"),
        "review": _("Requests to review"),
        "waiting": _("Open, with an empty place"),
        "messages": _("Messages that did not arrive"),
        "objections": _("Objections to misses"),
        "reviews": _("Reviews and replies to decide"),
        "applications": _("Providers that applied"),
        "claims": _("Accreditations to look up"),
        "expiring": _("Accreditations that end soon"),
        "stopped": _("Addresses that get no mail"),
    }


def tiles(counts: Mapping[Kind, int]) -> dict[Kind, str]:
    """... and what stands behind its number."""
    n = counts
    return {
        Kind.CLOCKS: _("at risk"),
        Kind.REVIEW: _("to review"),
        Kind.WAITING: _("waiting"),
        Kind.MESSAGES: ngettext("message", "messages", n[Kind.MESSAGES]),
        Kind.OBJECTIONS: ngettext("objection", "objections", n[Kind.OBJECTIONS]),
        Kind.REVIEWS: ngettext("review", "reviews", n[Kind.REVIEWS]),
        Kind.APPLICATIONS: ngettext("application", "applications", n[Kind.APPLICATIONS]),
        Kind.CLAIMS: _("to look up"),
        Kind.EXPIRING: ngettext("ends soon", "end soon", n[Kind.EXPIRING]),
        Kind.STOPPED: ngettext("address without mail", "addresses without mail", n[Kind.STOPPED]),
    }


@pages.get("")
def work() -> str:
    """Show what waits for somebody."""
    return show(Filled(LABELS))


def show(form: Filled, *, about: str = "") -> str:
    """Show the work; `form` is the one about the address with the id `about`."""
    ctx = current_context()
    kind = request.args.get("only", "")
    only = Kind(kind) if kind in list(Kind) and not about else None
    found = worklist(ctx, current_actor(), only=only)
    return render_template(
        "admin.html",
        found=found,
        signals=signals_in_words,
        score=lambda stored: score_in_words(stored, ctx.policy),
        subject_of=subject_of,
        shown={
            "clocks": len(found.at_risk),
            "review": len(found.in_review),
            **{kind: len(getattr(found, kind)) for kind in list(Kind)[2:]},
        },
        only=only,
        headings=headings(),
        tiles=tiles(found.counts),
        today=ctx.clock().date(),
        undo=an_id(request.args.get("undo", "")),
        form=form,
        about=about,
    )


def an_id(text: str) -> UUID | None:
    """Return the id that a text is, if it is one."""
    try:
        return UUID(text)
    except ValueError:
        return None


@pages.get("/search")
def search() -> Response | str:
    """Find leads and providers by what is known of them; a whole reference leads straight there."""
    typed = arguments(SearchArgs)["q"]
    found = find(current_context(), current_actor(), typed)
    if found.lead_id is not None:
        return redirect(url_for("lead_desk.one", lead_id=found.lead_id), 303)
    return render_template("admin_search.html", q=typed, found=found, at_most=AT_MOST)


@pages.post("/addresses/<uuid:suppression_id>/lift")
def lift(suppression_id: UUID) -> Response | tuple[str, int]:
    """Let an address get mail again."""
    ctx, actor = current_context(), current_actor()
    sent = read(LiftSchema(), request.form)
    try:
        values = load(LiftSchema(), sent.data).accept()
    except Invalid as refused:
        form = Filled(LABELS).wrong(refused.errors, sent.typed)
        return show(form, about=str(suppression_id)), 422
    return done(
        lambda: suppressions.lift_suppression(ctx, actor, suppression_id, **values),
        _("The address gets mail again."),
        url_for("desk.work"),
        undo=str(suppression_id),
    )


@pages.post("/addresses/<uuid:suppression_id>/stop")
def stop(suppression_id: UUID) -> Response:
    """Stop mail to an address that was let through a moment ago."""
    ctx, actor = current_context(), current_actor()
    return done(
        lambda: suppressions.suppress_again(ctx, actor, suppression_id),
        _("The address gets no mail, as before."),
        url_for("desk.work"),
    )


@pages.post("/messages/<uuid:notification_id>/retry")
def retry(notification_id: UUID) -> Response:
    """Send once more what was given up or held back."""
    ctx, actor = current_context(), current_actor()
    return done(
        lambda: notifications.retry_notification(ctx, actor, notification_id),
        _("The message is sent again."),
        url_for("desk.work"),
    )


def done(act: Callable[[], Any], said: str, then: str, *, undo: str = "") -> Response:
    """Do it and say so on the page at `then`; that it was done already is said there as well.

    `undo`: what that page is to offer to take back, once it was done.
    """
    try:
        act()
        flash(said)
    except Conflict as refused:
        flash(sentence(refused), "problem")
        undo = ""
    return redirect(f"{then}?{urlencode({'undo': undo})}" if undo else then, 303)
