"""A business' word afterwards: what came of its request, and how those that answered did."""

from typing import Any
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from flask_babel import gettext as _
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from marketplace.core.errors import Conflict, Invalid, NotFound, NotSignedIn
from marketplace.core.texts import N_
from marketplace.leads import service as leads
from marketplace.leads.rules import NEVER_RAN, Outcome, OutcomeReason
from marketplace.quotes import outcome, reviews
from marketplace.web.api.request import OutcomeIn, ReviewIn
from marketplace.web.api.review_schemas import ReportIn
from marketplace.web.auth import REQUEST_TOKEN, current_actor, current_context
from marketplace.web.pages import tokens
from marketplace.web.pages.forms import Filled, read
from marketplace.web.pages.own_request import (
    Page,
    ask_for_the_link,
    done,
    filled_in,
    own_invitation,
    the_request,
)
from marketplace.web.pages.words import say, sentence
from marketplace.web.requests import load

pages = Blueprint("own_outcome", __name__, url_prefix="/requests")
pages.before_request(tokens.hold_to_its_request)
pages.register_error_handler(NotSignedIn, ask_for_the_link)

by_link = Blueprint("outcome_link", __name__, url_prefix="/requests/outcome")
"""For who comes by the link in the mail that asks."""

LABELS = {
    "": "",
    "outcome": N_("Your answer"),
    "reason": N_("Your reason"),
    "rating": N_("Your rating"),
    "comment": N_("Your comment"),
}

CHOSEN = f"{Outcome.AWARDED}:"
"""Before the id of the provider's invitation: whom they took is answered together with that."""


@by_link.get("/<token>")
def open_outcome(token: str) -> Response | tuple[str, int]:
    """Take the token out of the address and into this browser's session."""
    if leads.actor_of_request_token(current_context(), token) is None:
        return render_template("link_lapsed.html", what="open"), 410
    session[REQUEST_TOKEN] = token
    return redirect(url_for("own_outcome.ask"), 303)


@pages.get("/outcome")
def ask() -> str:
    """Ask what came of the request; what was told already stands in it, to be put right."""
    told = the_request()["outcome"] or {}
    typed = {name: [str(told[name])] for name in ("reason", "comment") if told.get(name)}
    if told:
        named = told["invitation_id"]
        typed["outcome"] = [f"{CHOSEN}{named}" if named else str(told["outcome"])]
    return _asking(Filled(LABELS, typed))


@pages.post("/outcome")
def tell() -> Page:
    """Take what came of it."""
    sent = read(OutcomeIn(), MultiDict(list(request.form.items())))
    answer, _colon, invitation_id = sent.data.get("outcome", "").partition(":")
    data = {**sent.data, **({"outcome": answer} if answer else {})}
    if invitation_id:
        data["invitation_id"] = invitation_id
    try:
        values = load(OutcomeIn(), data).accept()
        outcome.tell_outcome(current_context(), current_actor(), **values)
    except Invalid as refused:
        return _asking(Filled(LABELS).wrong(refused.errors, sent.typed)), 422
    except Conflict as refused:
        flash(sentence(refused), "problem")
        return redirect(url_for("own_outcome.ask"), 303)
    flash(_("Thank you for telling us."))
    return redirect(url_for("own_request.own"), 303)


def _asking(form: Filled) -> str:
    shown = the_request()
    is_open = shown["status"] == "open"
    quoted = [
        each
        for each in shown["invitations"]
        if each["quote"] and not (is_open and each["withdrawn_because"])
    ]
    return render_template(
        "outcome.html",
        request_=shown,
        form=form,
        quoted=quoted,
        chosen=CHOSEN,
        never_ran=shown["status"] in NEVER_RAN,
        reasons=[(each.value, say(each, "outcome_reason")) for each in OutcomeReason],
    )


@pages.get("/review/<uuid:invitation_id>")
def look_before_reviewing(invitation_id: UUID) -> str:
    return _reviewing(invitation_id, Filled(LABELS))


@pages.post("/review/<uuid:invitation_id>")
def review(invitation_id: UUID) -> Page:
    """Take what the business says of a provider that answered."""
    form, typed = filled_in(ReviewIn(), invitation_id=str(invitation_id))
    try:
        values = form.accept()
    except Invalid as refused:
        return _reviewing(invitation_id, Filled(LABELS).wrong(refused.errors, typed)), 422
    own_invitation(invitation_id)
    ctx, actor = current_context(), current_actor()
    said = _("Thank you for your review.")
    return done(lambda: reviews.review_provider(ctx, actor, **values), said)


@pages.post("/review/<uuid:invitation_id>/report")
def report(invitation_id: UUID) -> Page:
    """Ask for the reply to the review to be looked at."""
    form, typed = filled_in(ReportIn())
    try:
        values = form.accept()
    except Invalid as refused:
        return _reviewing(invitation_id, Filled(LABELS).wrong(refused.errors, typed)), 422
    said: Any = own_invitation(invitation_id)[1]["review"]
    if said is None:
        raise NotFound("no such review")
    ctx, actor = current_context(), current_actor()
    return done(
        lambda: reviews.report_reply(ctx, actor, said.review.id, **values),
        _("An administrator looks at the reply, and writes to you."),
    )


def _reviewing(invitation_id: UUID, form: Filled) -> str:
    shown, reviewed = own_invitation(invitation_id)
    return render_template("review.html", request_=shown, reviewed=reviewed, form=form)
