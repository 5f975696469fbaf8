"""Reviews and the replies to them, as each side sees them."""

from marshmallow import Schema, fields

from marketplace.quotes.moderation import Doubt, Part, ReviewState
from marketplace.web.fields import Choice, In, Moment, Text, optional


class ByWhomSchema(Schema):
    """All that is told of the business that wrote a review: never its name."""

    sector = fields.String(allow_none=True)
    region = fields.String()
    month = fields.String(metadata={"description": "in which it was written: 2026-11"})


class SaidSchema(Schema):
    """What was said, and by whom at most."""

    rating = fields.Integer(attribute="review.rating")
    comment = fields.String(allow_none=True)
    by = fields.Nested(ByWhomSchema, attribute="by_whom")


class ReviewSeenSchema(SaidSchema):
    """A review of a provider, as other businesses see it."""

    reply = fields.String(allow_none=True, attribute="shown_reply.text", dump_default=None)


class ReplySchema(Schema):
    """A reply, as those who are concerned see it."""

    text = fields.String(allow_none=True)
    written_at = Moment()
    state = Choice(ReviewState)
    reported_at = Moment(allow_none=True)
    decision_reason = fields.String(allow_none=True)


class OwnReplySchema(ReplySchema):
    """A reply, as the provider that wrote it sees it."""

    may_be_changed = fields.Boolean()


class OwnReviewSchema(Schema):
    """A review, as the business that wrote it sees it."""

    id = fields.UUID(attribute="review.id")
    invitation_id = fields.UUID(attribute="review.invitation_id")
    rating = fields.Integer(attribute="review.rating")
    comment = fields.String(attribute="review.comment", allow_none=True)
    state = Choice(ReviewState, attribute="review.state")
    decision_reason = fields.String(attribute="review.decision_reason", allow_none=True)
    created_at = Moment(attribute="review.created_at")
    reply = fields.Nested(ReplySchema, attribute="shown_reply", allow_none=True)


class ReviewOfYouSchema(SaidSchema):
    """A review, as the provider that it is of sees it."""

    id = fields.UUID(attribute="review.id")
    reported_at = Moment(attribute="review.reported_at", allow_none=True)
    decision_reason = fields.String(attribute="review.decision_reason", allow_none=True)
    reply = fields.Nested(OwnReplySchema, allow_none=True)


class ModeratedSchema(Schema):
    """What an administrator has to know to decide whether something shows."""

    state = Choice(ReviewState)
    doubts = fields.List(Choice(Doubt))
    reported_at = Moment(allow_none=True)
    report = fields.String(allow_none=True)
    decided_at = Moment(allow_none=True)
    decided_by = fields.UUID(allow_none=True)
    decision_reason = fields.String(allow_none=True)
    waits_for_a_decision = fields.Boolean()


class AnyReplySchema(ModeratedSchema):
    """A reply, as an administrator sees it."""

    text = fields.String(allow_none=True)
    written_at = Moment()


class AnyReviewSchema(ModeratedSchema):
    """A review, as an administrator sees it."""

    id = fields.UUID()
    invitation_id = fields.UUID()
    lead_id = fields.UUID()
    provider_id = fields.UUID()
    rating = fields.Integer()
    comment = fields.String(allow_none=True)
    comment_is_private = fields.Boolean()
    created_at = Moment()


class CaseSchema(Schema):
    """A review with its reply, and whose they are."""

    reference = fields.String()
    provider = fields.String()
    by = fields.Nested(ByWhomSchema, attribute="by_whom")
    review = fields.Nested(AnyReviewSchema)
    reply = fields.Nested(AnyReplySchema, allow_none=True)


class ReplyIn(In):
    """What a provider says to a review."""

    text = Text(at_most=2000, lines=True, required=True)


class ReportIn(In):
    """Why others should not read something."""

    reason = Text(at_most=1000, lines=True, required=True)


class DecisionIn(In):
    """Why it shows or does not, which both sides read; and what: the review, or its reply."""

    reason = Text(at_most=1000, lines=True, required=True)
    part = Choice(Part, **optional(Part.REVIEW))
