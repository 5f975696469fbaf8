"""Reviews and replies, for administrators: which wait for a word, and whether each shows."""

from enum import StrEnum
from typing import Any
from uuid import UUID

from flask.views import MethodView
from marshmallow import Schema, fields

from marketplace.core.forms import Form
from marketplace.quotes import opinions, reviews
from marketplace.quotes.models import Review
from marketplace.quotes.moderation import ReviewState
from marketplace.quotes.opinions import Opinion
from marketplace.web.api.portal_reviews import again
from marketplace.web.api.review_schemas import CaseSchema, DecisionIn
from marketplace.web.auth import current_actor, current_context
from marketplace.web.fields import Choice
from marketplace.web.idempotency import idempotent
from marketplace.web.paging import PageArgs, page
from marketplace.web.requests import Blueprint

blp = Blueprint(
    "admin reviews",
    __name__,
    url_prefix="/api/v1/admin/reviews",
    description="Reviews and the replies to them, for administrators",
)


class Which(StrEnum):
    """Which reviews an administrator asks for."""

    WAITING = "waiting"
    """Those that wait for a decision, or whose replies do: queued, or reported."""
    SHOWN = "shown"
    QUEUED = "queued"
    HIDDEN = "hidden"
    ALL = "all"


class CasePageSchema(Schema):
    """A page of reviews."""

    items = fields.List(fields.Nested(CaseSchema))
    next = fields.String(allow_none=True)


class ReviewArgs(PageArgs):
    """Which reviews."""

    state = Choice(Which, load_default=Which.WAITING)


def found_reviews(args: dict[str, Any]) -> dict[str, Any]:
    """Return a page of what an administrator asks for."""
    which = args.pop("state")
    state = ReviewState(which) if which in list(ReviewState) else None
    with current_context().reading() as session:
        rows = opinions.reviews(state, to_decide=which is Which.WAITING)
        found, following = page(session, rows, Review.id, **args)
        return {"items": opinions.shown(session, found), "next": following}


@blp.route("")
class Reviews(MethodView):
    @blp.arguments(ReviewArgs, location="query")
    @blp.response(200, CasePageSchema)
    def get(self, args: dict[str, Any]) -> dict[str, Any]:
        """Reviews, the newest first: those that wait for a decision, or as they show, or all."""
        return found_reviews(args)


@blp.route("/<uuid:review_id>/hiding")
class Hiding(MethodView):
    @idempotent
    @blp.arguments(DecisionIn)
    @blp.response(200, CaseSchema)
    @blp.alt_response(409, description="It is hidden already")
    def post(self, form: Form, review_id: UUID) -> Opinion:
        """Hide a review or its reply, with a reason that both sides read."""
        return again(reviews.hide(current_context(), current_actor(), review_id, **form.accept()))


@blp.route("/<uuid:review_id>/restoration")
class Restoration(MethodView):
    @idempotent
    @blp.arguments(DecisionIn)
    @blp.response(200, CaseSchema)
    @blp.alt_response(409, description="It is shown already, and nobody has reported it")
    def post(self, form: Form, review_id: UUID) -> Opinion:
        """Let a review or its reply show, or stand though it was reported, with a reason."""
        return again(
            reviews.restore(current_context(), current_actor(), review_id, **form.accept())
        )
