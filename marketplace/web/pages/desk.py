"""Administration: what needs a hand now, and the messages that did not arrive."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from marketplace.core.errors import Conflict, Invalid, NotSignedIn
from marketplace.insights.worklist import worklist
from marketplace.notifications import service as notifications
from marketplace.notifications import suppressions
from marketplace.web.api.admin_suppressions import LiftSchema
from marketplace.web.auth import current_actor, current_context
from marketplace.web.pages.forms import Filled, read
from marketplace.web.pages.sign_in import to_sign_in
from marketplace.web.pages.words import sentence
from marketplace.web.requests import load

pages = Blueprint("desk", __name__, url_prefix="/admin")
pages.register_error_handler(NotSignedIn, to_sign_in)

LABELS = {
    "": "",
    "reason": "The reason",
    "name": "The consultant",
    "provider_id": "The provider",
    "why": "Why this provider",
    "result": "What the register showed",
    "checked_on": "The day of the look",
    "source": "The register",
}


@pages.get("")
def work() -> str:
    """Show what waits for somebody."""
    return show(Filled(LABELS))


def show(form: Filled, *, about: str = "") -> str:
    """Show the work; `form` is the one about the address with the id `about`."""
    found = worklist(current_context(), current_actor())
    return render_template("admin.html", found=found, form=form, about=about)


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
        "The address gets mail again.",
        url_for("desk.work"),
    )


@pages.post("/messages/<uuid:notification_id>/retry")
def retry(notification_id: UUID) -> Response:
    """Send once more what was given up or held back."""
    ctx, actor = current_context(), current_actor()
    return done(
        lambda: notifications.retry_notification(ctx, actor, notification_id),
        "The message is sent again.",
        url_for("desk.work"),
    )


def done(act: Callable[[], Any], said: str, then: str) -> Response:
    """Do it and say so on the page at `then`; that it was done already is said there as well."""
    try:
        act()
        flash(said)
    except Conflict as refused:
        flash(sentence(refused), "problem")
    return redirect(then, 303)
