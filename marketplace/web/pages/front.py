"""The front page: the lead form, and what comes right after it."""

from flask import (
    Blueprint,
    current_app,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from werkzeug.wrappers import Response

from marketplace.core.context import Context
from marketplace.core.errors import Invalid
from marketplace.insights.commitments import PublicFigures, public_figures
from marketplace.web.auth import current_context
from marketplace.web.pages import lead_form
from marketplace.web.pages.forms import Filled

pages = Blueprint("front", __name__)

Shown = tuple[int, PublicFigures | None]
"""The figures on the front page, and of which minute they are."""


@pages.get("/")
def form() -> str:
    """Show the form."""
    filled = Filled(lead_form.labels(), lead_form.BEGIN)
    return show(filled, begun=lead_form.begin_now().seal)


@pages.post("/")
def send() -> Response | tuple[str, int]:
    """Take the form, by the same schema and use case as the JSON interface."""
    sent = lead_form.read_form(request.form)
    seal = request.form.get("begun", "")
    begun = lead_form.begun(seal) or lead_form.begin_now()
    try:
        said = lead_form.submit_once(sent, request.form, begun)
    except Invalid as refused:
        errors = [lead_form.by_name(error, sent) for error in refused.errors]
        filled = sent.shown.wrong(errors)
        return show(filled, begun=seal, understood=dict(sent.understood)), 422
    session["receipt"] = lead_form.receipt_for(said, sent)
    return redirect(url_for("front.sent"), 303)


@pages.get("/requests/sent")
def sent() -> Response | str:
    """Say what happens next; nothing here is found again in another browser."""
    receipt = session.get("receipt")
    if receipt is None:
        return redirect(url_for("front.form"))
    return render_template("sent.html", receipt=receipt)


def show(filled: Filled, *, begun: str, understood: dict[str, str] | None = None) -> str:
    return render_template(
        "lead_form.html",
        form=filled,
        begun=begun,
        understood=understood or {},
        kept=_kept(current_context()),
        **lead_form.offered(),
    )


def _kept(ctx: Context) -> PublicFigures | None:
    """Return how the promise was kept, as it stood in this minute: everybody asks for the same."""
    minute = int(ctx.clock().timestamp() // 60)
    shown: Shown | None = current_app.extensions.get("public_figures")
    if shown is None or shown[0] != minute:
        shown = current_app.extensions["public_figures"] = minute, public_figures(ctx)
    return shown[1]
