"""What businesses said of a provider, and what it replies."""

from typing import Any
from uuid import UUID

from flask.views import MethodView
from marshmallow import Schema, fields

from marketplace.core.forms import Form
from marketplace.quotes import opinions, reviews
from marketplace.quotes.models import Review
from marketplace.quotes.opinions import Opinion
from marketplace.web.api.review_schemas import ReplyIn, ReportIn, ReviewOfYouSchema
from marketplace.web.auth import current_actor, current_context
from marketplace.web.idempotency import idempotent
from marketplace.web.paging import PageArgs, page
from marketplace.web.requests import Blueprint

blp = Blueprint(
    "portal reviews",
    __name__,
    url_prefix="/api/v1/portal/reviews",
    description="What businesses said of a provider",
)


class ReviewsOfYouSchema(Schema):
    """A page of reviews, and what they come to."""

    rating = fields.Float(
        allow_none=True, metadata={"description": "the mean; null where there are too few"}
    )
    rating_count = fields.Integer()
    rating_from = fields.Integer(metadata={"description": "from so many on there is a mean"})
    items = fields.List(fields.Nested(ReviewOfYouSchema))
    next = fields.String(allow_none=True)


def reviews_of_own(args: dict[str, Any]) -> dict[str, Any]:
    """Return the reviews of whoever asks that show, a page at a time."""
    ctx, provider_id = current_context(), current_actor().own_provider()
    with ctx.reading() as session:
        found, following = page(session, opinions.reviews_of(provider_id), Review.id, **args)
        rating, n = opinions.ratings(session, [provider_id], ctx.policy).get(provider_id, (None, 0))
        return {
            "rating": rating,
            "rating_count": n,
            "rating_from": ctx.policy.rating_from,
            "items": opinions.shown(session, found),
            "next": following,
        }


def again(review: Review) -> Opinion:
    """Return a review as it is shown now."""
    with current_context().reading() as session:
        return opinions.shown(session, [review])[0]


@blp.route("")
class ReviewsOfYou(MethodView):
    @blp.arguments(PageArgs, location="query")
    @blp.response(200, ReviewsOfYouSchema)
    def get(self, args: dict[str, Any]) -> dict[str, Any]:
        """Reviews of you that are shown, the newest first, each with your reply."""
        return reviews_of_own(args)


@blp.route("/<uuid:review_id>/reply")
class Reply(MethodView):
    @blp.arguments(ReplyIn)
    @blp.response(200, ReviewOfYouSchema)
    @blp.alt_response(409, description="The reply was reported, or looked at, and stands as it is")
    def put(self, form: Form, review_id: UUID) -> Opinion:
        """Reply to a review, or put the reply otherwise while nobody has objected to it."""
        text = form.accept()["text"]
        return again(
            reviews.reply_to_review(current_context(), current_actor(), review_id, text=text)
        )


@blp.route("/<uuid:review_id>/report")
class Report(MethodView):
    @idempotent
    @blp.arguments(ReportIn)
    @blp.response(200, ReviewOfYouSchema)
    @blp.alt_response(409, description="It was reported, or looked at, already")
    def post(self, form: Form, review_id: UUID) -> Opinion:
        """Report a review, once: an administrator looks at it, and it shows meanwhile."""
        why = form.accept()["reason"]
        return again(
            reviews.report_review(current_context(), current_actor(), review_id, reason=why)
        )
