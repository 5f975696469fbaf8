"""A provider's invitations: look, accept, decline, ask, quote."""

from typing import Any
from uuid import UUID

from flask.views import MethodView
from marshmallow import Schema, fields

from marketplace.core.forms import Form
from marketplace.invitations import questions
from marketplace.invitations import service as invitations
from marketplace.invitations.models import Question
from marketplace.invitations.queries import Urgency
from marketplace.invitations.rules import DeclineReason, InvitationState
from marketplace.quotes import inbox
from marketplace.quotes import service as quotes
from marketplace.web.api.common import BriefSchema
from marketplace.web.api.quotes import QuoteIn
from marketplace.web.auth import current_actor, current_context
from marketplace.web.fields import Choice, In, Moment, Text, optional
from marketplace.web.idempotency import idempotent
from marketplace.web.paging import CursorOf, PageArgs, cursor_of
from marketplace.web.requests import Blueprint

blp = Blueprint(
    "portal invitations",
    __name__,
    url_prefix="/api/v1/portal/invitations",
    description="A provider's invitations to quote",
)


class LeadSeenSchema(BriefSchema):
    """The brief; who the business is comes with the acceptance."""

    masked = fields.Boolean()
    company = fields.Dict()
    contact = fields.Dict()
    consultants_used = fields.List(fields.Dict())


class ThreadSchema(Schema):
    """A question of the thread, saying nobody's name."""

    id = fields.UUID()
    is_own = fields.Boolean()
    question = fields.String()
    answer = fields.String(allow_none=True)
    asked_at = Moment()
    answered_at = Moment(allow_none=True)


class InvitationSummarySchema(Schema):
    """An invitation in its holder's list."""

    id = fields.UUID()
    state = Choice(InvitationState)
    sent_at = Moment()
    open_by = Moment()
    respond_by = Moment()
    extended_minutes = fields.Integer(
        metadata={"description": "by how much the business has moved that, leaving questions"}
    )
    stands_still = fields.Boolean(
        metadata={"description": "whether a question is awaited now, so that no time passes"}
    )
    opened_at = Moment(allow_none=True)
    accepted_at = Moment(allow_none=True)
    responded_at = Moment(allow_none=True)
    quoted_at = Moment(allow_none=True)
    ended_at = Moment(allow_none=True)
    contact_until = Moment(
        allow_none=True,
        metadata={"description": "when one that was not chosen stops seeing who the business was"},
    )
    lead = fields.Nested(LeadSeenSchema)


class PriceStandingSchema(Schema):
    """All that a provider that was not chosen learns of the others, where three or more quoted."""

    rank = fields.Integer(metadata={"description": "by price, 1 the lowest"})
    quotes = fields.Integer()
    distance = fields.String(
        metadata={"description": "from the median: within 10 %, within 30 %, further away"}
    )


class InvitationSchema(InvitationSummarySchema):
    """An invitation with its thread of questions and its holder's own quote."""

    questions = fields.List(fields.Nested(ThreadSchema))
    quote = fields.Raw(allow_none=True)
    quote_versions = fields.Integer()
    standing = fields.Nested(PriceStandingSchema, allow_none=True)


class InvitationPageSchema(Schema):
    """A page of invitations."""

    items = fields.List(fields.Nested(InvitationSummarySchema))
    next = fields.String(allow_none=True)


class InvitationArgs(PageArgs):
    """Which invitations."""

    state = Choice(InvitationState, load_default=None)
    after = CursorOf(int, float, UUID, into=Urgency)


class DeclineIn(In):
    """Why not."""

    reason = Choice(DeclineReason, required=True)
    comment = Text(at_most=2000, lines=True, **optional())


class QuestionIn(In):
    """A clarification question."""

    text = Text(at_most=2000, lines=True, required=True)


class AskedSchema(Schema):
    """A question that was asked."""

    id = fields.UUID()
    text = fields.String()
    asked_at = Moment()


@blp.route("")
class Invitations(MethodView):
    @blp.arguments(InvitationArgs, location="query")
    @blp.response(200, InvitationPageSchema)
    def get(self, args: dict[str, Any]) -> dict[str, Any]:
        """Own invitations, the most urgent first."""
        items, last = inbox.own_invitations(current_context(), current_actor(), **args)
        return {"items": items, "next": cursor_of(*map(str, last)) if last else None}


@blp.route("/<uuid:invitation_id>")
class Invitation(MethodView):
    @blp.response(200, InvitationSchema)
    @blp.alt_response(409, description="Answer one of those that you have looked at first")
    def get(self, invitation_id: UUID) -> dict[str, Any]:
        """One invitation. A person's look opens it; masked until it is accepted.

        Its notes show here alone until then. Whoever has looked at many and said neither yes nor no
        answers one of them first (409).
        """
        ctx, actor = current_context(), current_actor()
        invitations.look_at_invitation(ctx, actor, invitation_id)
        return inbox.own_invitation(ctx, actor, invitation_id)


@blp.route("/<uuid:invitation_id>/acceptance")
class Acceptance(MethodView):
    # Twice is once by itself; a kept answer would keep the contact as well.
    @blp.response(200, InvitationSchema)
    def post(self, invitation_id: UUID) -> dict[str, Any]:
        """Accept: from here on you see who the business is."""
        ctx, actor = current_context(), current_actor()
        invitations.accept_invitation(ctx, actor, invitation_id)
        return inbox.own_invitation(ctx, actor, invitation_id)


@blp.route("/<uuid:invitation_id>/decline")
class Decline(MethodView):
    @idempotent
    @blp.arguments(DeclineIn)
    @blp.response(200, InvitationSchema)
    def post(self, form: Form, invitation_id: UUID) -> dict[str, Any]:
        """Decline: the place is given to another at once."""
        ctx, actor = current_context(), current_actor()
        invitations.decline_invitation(ctx, actor, invitation_id, **form.accept())
        return inbox.own_invitation(ctx, actor, invitation_id)


@blp.route("/<uuid:invitation_id>/quote")
class Quote(MethodView):
    @blp.arguments(QuoteIn)
    @blp.response(200, InvitationSchema)
    def put(self, form: Form, invitation_id: UUID) -> dict[str, Any]:
        """Quote, or revise the quote; accepts the invitation as well."""
        ctx, actor = current_context(), current_actor()
        quotes.put_quote(ctx, actor, invitation_id, form)
        return inbox.own_invitation(ctx, actor, invitation_id)


@blp.route("/<uuid:invitation_id>/questions")
class Questions(MethodView):
    @idempotent
    @blp.arguments(QuestionIn)
    @blp.response(201, AskedSchema)
    def post(self, form: Form, invitation_id: UUID) -> Question:
        """Ask the business; its answer goes to every provider at the same moment."""
        text = form.accept()["text"]
        return questions.ask_question(current_context(), current_actor(), invitation_id, text=text)
