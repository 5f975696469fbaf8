"""What businesses said of a provider, in its portal, and what it says to that."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from marketplace.core.errors import Conflict, Invalid, NotSignedIn
from marketplace.core.texts import N_
from marketplace.quotes import reviews
from marketplace.web.api.portal_reviews import reviews_of_own
from marketplace.web.api.review_schemas import ReplyIn, ReportIn
from marketplace.web.auth import current_actor, current_context
from marketplace.web.pages.choices import names
from marketplace.web.pages.forms import Filled, read
from marketplace.web.pages.portal import own_profile
from marketplace.web.pages.sign_in import to_sign_in
from marketplace.web.pages.words import sentence
from marketplace.web.paging import PageArgs
from marketplace.web.requests import Parser, load

pages = Blueprint("portal_reviews", __name__, url_prefix="/portal/reviews")
pages.register_error_handler(NotSignedIn, to_sign_in)

Page = Response | str | tuple[str, int]

LABELS = {"": "", "text": N_("Your reply"), "reason": N_("Your reason")}


@pages.get("")
def own() -> str:
    """Show what businesses said, the newest first."""
    return show(Filled(LABELS))


def show(form: Filled, *, about: str = "") -> str:
    """Show the reviews; `form` is the one called `about`: what is done, and to which review."""
    args: dict[str, Any] = Parser().parse(PageArgs, request, location="query")
    found = reviews_of_own(args)
    profile, zone = own_profile()
    return render_template(
        "portal_reviews.html",
        **found,
        profile=profile,
        zone=zone,
        form=form,
        about=about,
        names=names(
            current_context(),
            regions=[each.region for each in found["items"]],
            sectors=[each.sector for each in found["items"] if each.sector],
        ),
    )


@pages.post("/<uuid:review_id>/reply")
def reply(review_id: UUID) -> Page:
    """Take the reply, or take it anew."""
    ctx, actor = current_context(), current_actor()
    return _done(
        ReplyIn(),
        f"reply-{review_id}",
        lambda **given: reviews.reply_to_review(ctx, actor, review_id, **given),
        _("Your reply is in. Below the review you see whether it is shown already."),
    )


@pages.post("/<uuid:review_id>/report")
def report(review_id: UUID) -> Page:
    """Ask for a review to be looked at."""
    ctx, actor = current_context(), current_actor()
    return _done(
        ReportIn(),
        f"report-{review_id}",
        lambda **given: reviews.report_review(ctx, actor, review_id, **given),
        _("An administrator looks at the review, and writes to you."),
    )


def _done(schema: Any, about: str, act: Callable[..., Any], said: str) -> Page:
    """Read the form, act on it, and say so on the page of the reviews."""
    sent = read(schema, request.form)
    try:
        values = load(schema, sent.data).accept()
        act(**values)
        flash(said)
    except Invalid as refused:
        return show(Filled(LABELS).wrong(refused.errors, sent.typed), about=about), 422
    except Conflict as refused:
        flash(sentence(refused), "problem")
    return redirect(url_for("portal_reviews.own"), 303)
