"""A provider's record of misses in the portal, and the ways back from the pause that may follow."""

from typing import Any
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from marketplace.core.errors import Conflict, Gone, Invalid, NotSignedIn
from marketplace.core.links import Purpose
from marketplace.core.texts import N_
from marketplace.invitations import misses
from marketplace.providers import pauses
from marketplace.web.api.portal_misses import ObjectionIn, own_record
from marketplace.web.auth import current_actor, current_context
from marketplace.web.pages import tokens
from marketplace.web.pages.forms import Filled, read
from marketplace.web.pages.portal import own_profile
from marketplace.web.pages.sign_in import to_sign_in
from marketplace.web.pages.words import sentence
from marketplace.web.paging import PageArgs
from marketplace.web.requests import Parser, load

pages = Blueprint("record", __name__, url_prefix="/portal")
pages.register_error_handler(NotSignedIn, to_sign_in)

way_back = Blueprint("way_back", __name__, url_prefix="/come-back")
"""For who comes by the link in a notice, without signing in."""

Page = Response | str | tuple[str, int]

LABELS = {"": "", "text": N_("What you have to say")}


@pages.get("/record")
def own() -> str:
    """Show what counts against the provider, and until when."""
    return show(Filled(LABELS))


def show(form: Filled, *, about: str = "") -> str:
    """Show the record; `form` is the objection to the miss called `about`."""
    args: dict[str, Any] = Parser().parse(PageArgs, request, location="query")
    profile, zone = own_profile()
    return render_template(
        "record.html", **own_record(args), profile=profile, zone=zone, form=form, about=about
    )


@pages.post("/record/<uuid:invitation_id>/object")
def object_to(invitation_id: UUID) -> Page:
    """Take an objection."""
    sent = read(ObjectionIn(), request.form)
    try:
        values = load(ObjectionIn(), sent.data).accept()
        misses.object_to_miss(current_context(), current_actor(), invitation_id, **values)
        flash(_("Your objection is with an administrator, who looks at it."))
    except Invalid as refused:
        form = Filled(LABELS).wrong(refused.errors, sent.typed)
        return show(form, about=str(invitation_id)), 422
    except Conflict as refused:
        flash(sentence(refused), "problem")
    return redirect(url_for("record.own"), 303)


@pages.post("/pauses/<uuid:pause_id>/end")
def end_pause(pause_id: UUID) -> Response:
    """Let invitations come again."""
    pauses.delete_pause(current_context(), current_actor(), pause_id)
    flash(_("You get invitations again from now on."))
    return redirect(url_for("portal.invitations_"), 303)


@way_back.get("/<token>")
def open_way_back(token: str) -> Page:
    """Take the token out of the address."""
    if not _is_way_back(token):
        return render_template("link_lapsed.html", what="come_back"), 410
    return tokens.take(Purpose.COME_BACK, token, "way_back.look_before_coming_back")


@way_back.get("")
def look_before_coming_back() -> Page:
    """Ask before anything happens: mail programs open links by themselves."""
    token = tokens.kept(Purpose.COME_BACK)
    if token is None:
        return tokens.missing()
    if not _is_way_back(token):
        return render_template("link_lapsed.html", what="come_back"), 410
    return render_template("come_back.html", token=token, done=False)


def _is_way_back(token: str) -> bool:
    ctx = current_context()
    with ctx.reading() as session:
        return pauses.pause_by_link(session, token, now=ctx.clock()) is not None


@way_back.post("")
def come_back() -> Page:
    """Let invitations come again."""
    token = tokens.sent()
    try:
        pauses.come_back(current_context(), token)
    except Gone:
        return render_template("link_lapsed.html", what="come_back"), 410
    tokens.forget(Purpose.COME_BACK, token)
    return render_template("come_back.html", done=True)
