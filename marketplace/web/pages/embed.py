"""The lead form inside other sites: in a frame that only a site named by an administrator may hold.

A browser sends no cookies of ours from inside another site, so nothing here rests on a session: a
seal in the form says when it was shown, and where; and the page after it is the answer itself.
"""

from datetime import timedelta

from flask import Blueprint, abort, g, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.exceptions import TooManyRequests
from werkzeug.wrappers import Response

from marketplace.core.errors import FieldError, Invalid
from marketplace.leads.rules import origin_of
from marketplace.leads.sites import may_embed
from marketplace.web import errors
from marketplace.web.auth import current_context, product
from marketplace.web.pages import lead_form
from marketplace.web.pages.forms import Filled
from marketplace.web.pages.guard import assets
from marketplace.web.pages.lead_errors import LABELS, in_words

pages = Blueprint("embed", __name__)

SEALED_FOR = timedelta(days=1)
"""How long a form may stay open: what is typed into an older one has to be sent once more."""


@pages.get("/embed.js")
def script() -> Response:
    """The script that puts the frame into a page: the one line that a site needs."""
    return assets.send_static_file("embed.js")


@pages.get("/embed/how")
def how() -> str:
    """Say how a site gets the form."""
    return render_template("embed_how.html", home=product().settings.public_url.rstrip("/"))


@pages.before_request
def let_its_site_frame_it() -> None:
    """Let the site that the form is to stand in frame the answer, whatever it comes to.

    The site says which one it is. That need not be believed: where it is another, the browser does
    not show the answer there.
    """
    named = request.args.get("site") or request.headers.get("Referer")
    if request.path != "/embed":
        return
    if not named:
        if request.method == "POST":
            abort(403)
        return
    try:
        site = origin_of(named)
    except ValueError:
        abort(403, _("No form can be shown inside this site."))
    with current_context().reading() as session:
        if not may_embed(session, site):
            abort(403, _("The form may not be shown inside %(site)s.", site=site))
    g.framed_by = site
    scheme = request.args.get("scheme")
    g.scheme = scheme if scheme in ("light", "dark") else None


@pages.get("/embed")
def form() -> Response | str:
    """Show the form; where no site is named, somebody opened the frame by itself."""
    if "framed_by" not in g:
        return redirect(url_for("front.form"))
    return show(Filled(LABELS, lead_form.BEGIN))


@pages.post("/embed")
def send() -> str | tuple[str, int]:
    """Take the form, as the front page does, and answer right there."""
    sent = lead_form.read_form(request.form)
    begun = lead_form.begun(request.form.get("begun", ""), g.framed_by)
    ctx = current_context()
    if begun is None or ctx.clock().timestamp() - begun.at > SEALED_FOR.total_seconds():
        late = _("This form was open for too long, and nothing was sent. Please send it once more.")
        filled = sent.shown.wrong([FieldError("", late)])
        return show(filled, understood=dict(sent.understood)), 422
    try:
        said = lead_form.submit_once(sent, request.form, begun)
    except Invalid as refused:
        filled = sent.shown.wrong(in_words(refused.errors, sent.data))
        return show(filled, seal=begun.seal, understood=dict(sent.understood)), 422
    receipt = lead_form.receipt_for(said, sent)
    read_first = lead_form.read_first(ctx.policy)
    return render_template("embed_sent.html", receipt=receipt, read_first=read_first)


@pages.errorhandler(429)
def wait(refused: TooManyRequests) -> Response | tuple[str, int]:
    """Show the form as it was filled in to whoever has to wait before sending it."""
    if request.method != "POST":
        return errors.answer(429, refused.description or "")
    filled = lead_form.to_wait(refused, request.form)
    return show(filled, seal=request.form.get("begun", "")), 429


def show(filled: Filled, *, seal: str = "", understood: dict[str, str] | None = None) -> str:
    return render_template(
        "embed.html",
        form=filled,
        begun=seal or lead_form.begin_now(g.framed_by).seal,
        understood=understood or {},
        **lead_form.offered(),
    )
