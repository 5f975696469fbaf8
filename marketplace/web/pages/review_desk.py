"""Reviews and replies for administrators: what waits for a word, and what shows."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from flask import Blueprint, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from marketplace.core.errors import Invalid, NotSignedIn
from marketplace.quotes import reviews
from marketplace.web.api.admin_reviews import ReviewArgs, Which, found_reviews
from marketplace.web.api.review_schemas import DecisionIn
from marketplace.web.auth import current_actor, current_context
from marketplace.web.pages.choices import names
from marketplace.web.pages.desk import LABELS, arguments, done
from marketplace.web.pages.forms import Filled, read
from marketplace.web.pages.sign_in import to_sign_in
from marketplace.web.requests import load

pages = Blueprint("review_desk", __name__, url_prefix="/admin/reviews")
pages.register_error_handler(NotSignedIn, to_sign_in)

Page = Response | str | tuple[str, int]


@pages.get("")
def all_() -> str:
    """Show reviews: those that wait for a decision, unless others are asked for."""
    return show(Filled(LABELS))


def show(form: Filled, *, about: str = "") -> str:
    """Show the reviews; `form` is the decision called `about`: which part of which review."""
    args = arguments(ReviewArgs)
    which = args["state"]
    found = found_reviews(args)
    return render_template(
        "admin_reviews.html",
        **found,
        which=which,
        form=form,
        about=about,
        kinds={
            Which.WAITING: _("Waiting for a decision"),
            Which.SHOWN: _("Shown"),
            Which.QUEUED: _("Not shown yet"),
            Which.HIDDEN: _("Hidden"),
            Which.ALL: _("All"),
        },
        names=names(
            current_context(),
            regions=[each.region for each in found["items"]],
            sectors=[each.sector for each in found["items"] if each.sector],
        ),
    )


@pages.post("/<uuid:review_id>/hide")
def hide(review_id: UUID) -> Page:
    ctx, actor = current_context(), current_actor()
    return _decide(
        review_id,
        lambda **given: reviews.hide(ctx, actor, review_id, **given),
        _("It is hidden, and both sides are told why."),
    )


@pages.post("/<uuid:review_id>/show")
def restore(review_id: UUID) -> Page:
    ctx, actor = current_context(), current_actor()
    return _decide(
        review_id,
        lambda **given: reviews.restore(ctx, actor, review_id, **given),
        _("It is shown, and both sides are told why."),
    )


def _decide(review_id: UUID, act: Callable[..., Any], said: str) -> Page:
    sent = read(DecisionIn(), request.form)
    try:
        values = load(DecisionIn(), sent.data).accept()
    except Invalid as refused:
        form = Filled(LABELS).wrong(refused.errors, sent.typed)
        verb = "hide" if request.path.endswith("/hide") else "show"
        return show(form, about=f"{sent.data.get('part', '')}-{verb}-{review_id}"), 422
    return done(lambda: act(**values), said, url_for("review_desk.all_"))
