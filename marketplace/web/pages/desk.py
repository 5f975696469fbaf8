"""Administration: what needs a hand now, and the messages that did not arrive."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, url_for
from werkzeug.wrappers import Response

from marketplace.core.errors import Conflict, NotSignedIn
from marketplace.insights.worklist import worklist
from marketplace.notifications import service as notifications
from marketplace.web.auth import current_actor, current_context
from marketplace.web.pages.own_request import sentence
from marketplace.web.pages.sign_in import to_sign_in

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
    return render_template("admin.html", found=worklist(current_context(), current_actor()))


@pages.post("/messages/<uuid:notification_id>/retry")
def retry(notification_id: UUID) -> Response:
    """Send once more what was given up."""
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
