"""The pages behind links in e-mails, and how to get one again: looking at one uses nothing up.

What is in an address at the first visit is not in that of the page: see `tokens`.
"""

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from marketplace.core.errors import Gone, Invalid
from marketplace.core.links import Purpose
from marketplace.core.texts import N_
from marketplace.leads import queries, service
from marketplace.leads.models import Lead
from marketplace.leads.rules import LeadState
from marketplace.quotes import erasure
from marketplace.web.api.sessions import NewPasswordResetSchema as AddressIn
from marketplace.web.auth import REQUEST_TOKEN, current_context
from marketplace.web.pages import tokens
from marketplace.web.pages.forms import Filled, read
from marketplace.web.pages.lead_form import read_first
from marketplace.web.requests import load

pages = Blueprint("links", __name__, url_prefix="/requests")

Page = Response | str | tuple[str, int]

LABELS = {"": "", "email": N_("Your e-mail address")}


@pages.get("/link")
def lost() -> str:
    return render_template("open_your_link.html", form=Filled(LABELS))


@pages.post("/link")
def ask_for_link() -> Response | tuple[str, int]:
    """Mail the link to the page of a request again; the page never tells whether there is one."""
    sent = read(AddressIn(), request.form)
    try:
        service.ask_for_link(current_context(), load(AddressIn(), sent.data))
    except Invalid as refused:
        form = Filled(LABELS).wrong(refused.errors, sent.typed)
        return render_template("open_your_link.html", form=form), 422
    flash(_("If a request was sent from this address, a link to its page is on its way to it."))
    return redirect(url_for("links.lost"), 303)


@pages.get("/confirm/<token>")
@pages.post("/confirm/<token>")
def open_confirmation(token: str) -> Page:
    """Take the token out of the address; of a form too, that was open before they left it."""
    if _to_confirm(token) is None:
        return render_template("link_lapsed.html", what="confirm"), 410
    return tokens.take(Purpose.CONFIRM_LEAD, token, "links.look_before_confirming")


@pages.get("/confirm")
def look_before_confirming() -> Page:
    """Show what would be confirmed, with a button: mail programs open links by themselves."""
    token = tokens.kept(Purpose.CONFIRM_LEAD)
    if token is None:
        return tokens.missing()
    lead = _to_confirm(token)
    if lead is None:
        return render_template("link_lapsed.html", what="confirm"), 410
    policy = current_context().policy
    first = read_first(policy)
    return render_template("confirm.html", lead=lead, token=token, policy=policy, read_first=first)


def _to_confirm(token: str) -> Lead | None:
    ctx = current_context()
    with ctx.reading() as reading:
        return queries.lead_to_confirm(reading, token, now=ctx.clock())


@pages.post("/confirm")
def confirm() -> Page:
    """Confirm the form, and open its page in this browser.

    Its token stays, and opens nothing any more: whoever goes back is told that all is well.
    """
    token = tokens.sent()
    try:
        confirmed = service.confirm_lead(current_context(), token)
    except Gone:
        return render_template("link_lapsed.html", what="confirm"), 410
    session.pop("receipt", None)
    if confirmed.request_token is None:
        return render_template("superseded.html", reference=confirmed.reference)
    session[REQUEST_TOKEN] = confirmed.request_token
    if confirmed.status == LeadState.OPEN:
        flash(_("Thank you, your request is confirmed. We are inviting providers now."))
    else:
        flash(_("Thank you, your request is confirmed. Somebody looks at it before it opens."))
    return redirect(url_for("own_request.own"), 303)


@pages.post("/confirm/erase")
def erase() -> Page:
    """Erase the form instead: whoever reads the mail did not send it, or does not mean it."""
    token = tokens.sent()
    try:
        reference = erasure.erase_unconfirmed(current_context(), token)
    except Gone:
        return render_template("link_lapsed.html", what="confirm"), 410
    session.pop("receipt", None)
    flash(_("The form %(reference)s has been erased. Nobody was shown it.", reference=reference))
    return redirect(url_for("front.form"), 303)


@pages.get("/open/<token>")
def open_request(token: str) -> Response | tuple[str, int]:
    """Take the token out of the address and into this browser's session."""
    ctx = current_context()
    leads_to = "own_request.own"
    if service.actor_of_request_token(ctx, token) is None:
        if service.actor_of_request_token(ctx, token, of_own_data=True) is None:
            return render_template("link_lapsed.html", what="open"), 410
        leads_to = "own_request.look_at_personal_data"
    session[REQUEST_TOKEN] = token
    return redirect(url_for(leads_to), 303)


@pages.get("/not-ours/<token>")
def open_report(token: str) -> Page:
    """Take the token out of the address."""
    if not _may_report(token):
        return render_template("link_lapsed.html", what="report"), 410
    return tokens.take(Purpose.NOT_OURS, token, "links.look_before_reporting")


@pages.get("/not-ours")
def look_before_reporting() -> Page:
    """Ask before anything is reported."""
    token = tokens.kept(Purpose.NOT_OURS)
    if token is None:
        return tokens.missing()
    if not _may_report(token):
        return render_template("link_lapsed.html", what="report"), 410
    return render_template("not_ours.html", token=token, done=False)


def _may_report(token: str) -> bool:
    ctx = current_context()
    with ctx.reading() as reading:
        return queries.not_ours_link(reading, token, now=ctx.clock()) is not None


@pages.post("/not-ours")
def report() -> Page:
    """Ask an administrator to look."""
    token = tokens.sent()
    try:
        service.report_not_ours(current_context(), token)
    except Gone:
        return render_template("link_lapsed.html", what="report"), 410
    tokens.forget(Purpose.NOT_OURS, token)
    return render_template("not_ours.html", done=True)
