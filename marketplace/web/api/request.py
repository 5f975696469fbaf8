"""A business' own request, by the token from its e-mail."""

from typing import Any
from uuid import UUID

from flask import Response
from flask.views import MethodView
from marshmallow import Schema, fields, validate

from marketplace.core.files import PDF
from marketplace.core.forms import Form
from marketplace.core.texts import N_
from marketplace.invitations import endings, questions
from marketplace.invitations.models import Question
from marketplace.invitations.rules import InvitationState
from marketplace.leads import reminders
from marketplace.leads.cycle import Milestone, ReminderState
from marketplace.leads.models import Lead
from marketplace.leads.rules import CloseReason, LeadState, Outcome, OutcomeReason
from marketplace.leads.service import Receipt
from marketplace.matching.left_out import LeftOut, left_out
from marketplace.privacy.export import business_data
from marketplace.providers.rules import ProviderKind
from marketplace.quotes import comparison, erasure, outcome, reviews
from marketplace.quotes.models import Review
from marketplace.quotes.moderation import ReviewState
from marketplace.quotes.opinions import Opinion
from marketplace.web.api.common import (
    CommitmentSchema,
    ConsultantUsedIn,
    NeedIn,
    ReceiptSchema,
    code,
)
from marketplace.web.api.comparison_schemas import BadgeSchema, ComparisonArgs, ComparisonSchema
from marketplace.web.api.portal_reviews import again
from marketplace.web.api.review_schemas import OwnReviewSchema, ReportIn, ReviewSeenSchema
from marketplace.web.auth import current_actor, current_context
from marketplace.web.fields import (
    Choice,
    Day,
    In,
    ListOf,
    MapOf,
    Moment,
    Text,
    WholeNumber,
    YesNo,
    optional,
)
from marketplace.web.files import answers_file, as_download, download
from marketplace.web.idempotency import idempotent
from marketplace.web.pages.paper import comparison_pdf
from marketplace.web.requests import Blueprint

blp = Blueprint("request", __name__, url_prefix="/api/v1/request", description="The business")


class ProviderSeenSchema(Schema):
    """A provider, as the business sees it."""

    name = fields.String()
    kind = Choice(ProviderKind)
    website = fields.String(allow_none=True)
    verified_at = Moment(allow_none=True)
    accreditations = fields.List(fields.Nested(BadgeSchema))
    rating = fields.Float(
        allow_none=True, metadata={"description": "the mean; null where there are too few"}
    )
    rating_count = fields.Integer()
    reviews = fields.List(fields.Nested(ReviewSeenSchema))
    responds_within_hours = fields.Float(allow_none=True)


class InvitationSeenSchema(Schema):
    """An invitation, as the business sees it."""

    id = fields.UUID()
    provider = fields.Nested(ProviderSeenSchema)
    state = Choice(InvitationState)
    respond_by = Moment()
    extended_minutes = fields.Integer(
        metadata={"description": "by how much the business has moved that, leaving questions"}
    )
    stands_still = fields.Boolean(
        metadata={"description": "whether a question is awaited now, so that no time passes"}
    )
    responded_at = Moment(allow_none=True)
    withdrawn_because = fields.String(allow_none=True)
    may_be_replaced = fields.Boolean()
    rating_given = fields.Integer(allow_none=True)
    review = fields.Nested(OwnReviewSchema, allow_none=True)
    quote = fields.Raw(allow_none=True)


class QuestionSchema(Schema):
    """A clarification question and its answer."""

    id = fields.UUID()
    text = fields.String()
    asked_at = Moment()
    answer = fields.String(allow_none=True)
    answered_at = Moment(allow_none=True)


class OutcomeSchema(Schema):
    """What the business said came of its request."""

    outcome = Choice(Outcome)
    invitation_id = fields.UUID(allow_none=True)
    reason = Choice(OutcomeReason, allow_none=True)
    comment = fields.String(allow_none=True)
    at = Moment()


class DueSchema(Schema):
    """Something that falls due in the life of a certificate, on this day at the latest."""

    on = fields.Date()
    what = Choice(Milestone)
    number = fields.Integer(
        allow_none=True, metadata={"description": "the how-manieth surveillance audit it is"}
    )
    standard = fields.String(
        allow_none=True, metadata={"description": "of which the edition is replaced ..."}
    )
    edition = fields.String(allow_none=True, metadata={"description": "... and by which"})


class ReminderSchema(Schema):
    """One mail about what falls due."""

    due_at = Moment()
    state = Choice(ReminderState)
    dates = fields.List(fields.Nested(DueSchema))


class AgreedSchema(Schema):
    """That the business agreed to be reminded: when, and to which words."""

    wording = fields.String()
    at = Moment()


class RemindersSchema(Schema):
    """The dates of a certificate, and when the business is reminded of them."""

    certified_on = fields.Date()
    good_until = fields.Date()
    standards = fields.List(fields.String())
    editions = fields.Dict(keys=fields.String(), values=fields.String())
    agreed = fields.Nested(AgreedSchema)
    dates = fields.List(fields.Nested(DueSchema))
    reminders = fields.List(fields.Nested(ReminderSchema))


class RequestSchema(Schema):
    """Everything about a request."""

    reference = fields.String()
    status = Choice(LeadState)
    lead = fields.Dict()
    opened_at = Moment(allow_none=True)
    expires_at = Moment(allow_none=True)
    contact_seen_until = Moment(
        allow_none=True,
        metadata={
            "description": "until when those that had accepted and were not chosen see the contact"
        },
    )
    waiting_reason = fields.String(allow_none=True)
    outcome = fields.Nested(OutcomeSchema, allow_none=True)
    commitment = fields.Nested(CommitmentSchema, allow_none=True)
    invitations = fields.List(fields.Nested(InvitationSeenSchema))
    questions = fields.List(fields.Nested(QuestionSchema))
    comparison = fields.Nested(ComparisonSchema)
    reminders = fields.Nested(RemindersSchema, allow_none=True)


class StatusSchema(Schema):
    """How a request stands after what was done."""

    reference = fields.String()
    status = Choice(LeadState, attribute="state")


class InvitationIdIn(In):
    """Which invitation."""

    invitation_id = fields.UUID(required=True)


class ChoiceIn(InvitationIdIn):
    """Whom to choose, and by which quote."""

    version = WholeNumber(
        least=1,
        most=1_000_000,
        **optional(),
        metadata={
            "description": "That of the quote which was looked at: 409 where it was revised since."
        },
    )


class ClosureIn(In):
    """Why the request is finished without a choice."""

    reason = Choice(CloseReason, required=True)


class OutcomeIn(In):
    """What came of the request; `invitation_id` is whose it became, where it was awarded."""

    outcome = Choice(Outcome, required=True)
    invitation_id = fields.UUID(**optional())
    reason = Choice(OutcomeReason, **optional())
    comment = Text(at_most=2000, lines=True, **optional())


class AnswerIn(In):
    """The answer to a question."""

    question_id = fields.UUID(required=True)
    text = Text(at_most=4000, lines=True, required=True)


class ReviewIn(InvitationIdIn):
    """What the business says of a provider that answered."""

    rating = WholeNumber(least=1, most=5, required=True)
    comment = Text(at_most=2000, lines=True, **optional())


class ReviewSchema(Schema):
    """A review that was taken."""

    id = fields.UUID()
    invitation_id = fields.UUID()
    rating = fields.Integer()
    comment = fields.String(allow_none=True)
    state = Choice(ReviewState)
    created_at = Moment()


class FollowOnIn(NeedIn):
    """What is different in the request that follows on; everything else is taken over.

    `consultants_used`: who else advised the business, beside those who are known.
    """

    standards = ListOf(code(), least=1, most=6)
    regions = ListOf(code(10), least=1, most=10)
    headcount = WholeNumber(least=1, most=1_000_000)
    consultants_used = ListOf(fields.Nested(ConsultantUsedIn), most=10, repeats=True)

    def __init__(self, **kwargs: Any) -> None:
        # Nothing that is left out may overwrite what the first request said: no field of its own,
        # while an adviser has to be named in full.
        super().__init__(partial=tuple(self._declared_fields), **kwargs)


class CertifiedOnIn(In):
    """When a certificate was decided on, or when that is expected."""

    certified_on = Day(required=True)


class RemindersIn(CertifiedOnIn):
    """Of which certificate a business wants to be reminded; nobody is without their consent."""

    standards = ListOf(code(), least=1, most=6)
    editions = MapOf(
        keys=Text(at_most=60),
        values=Text(at_most=40),
        load_default=dict,
        error_messages={"invalid": N_("must be an object of standard and edition")},
    )
    consent = YesNo(
        required=True,
        validate=validate.Equal(True, error=N_("is needed: without it nobody is reminded")),
    )


@blp.route("")
class Request(MethodView):
    @blp.arguments(ComparisonArgs, location="query")
    @blp.response(200, RequestSchema)
    def get(self, args: dict[str, Any]) -> dict[str, Any]:
        """Everything about the request: its clock, who was invited, quotes side by side."""
        return comparison.request_page(current_context(), current_actor(), **args)


@blp.route("/comparison.pdf")
class ComparisonPaper(MethodView):
    @blp.arguments(ComparisonArgs, location="query")
    @answers_file(blp, PDF)
    @blp.alt_response(409, description="Nobody has quoted yet, or it is too long for a PDF")
    def get(self, args: dict[str, Any]) -> Response:
        """The quotes side by side as a PDF, to be handed to whoever decides."""
        return comparison_pdf(**args)


@blp.route("/choice")
class Choices(MethodView):
    @idempotent
    @blp.arguments(ChoiceIn)
    @blp.response(200, StatusSchema)
    def post(self, form: Form) -> Lead:
        """Choose a provider that quoted; everybody is told."""
        return outcome.choose_provider(current_context(), current_actor(), **form.accept())


@blp.route("/replacement")
class Replacements(MethodView):
    @idempotent
    @blp.arguments(InvitationIdIn)
    @blp.response(202)
    def post(self, form: Form) -> None:
        """Pass on the place of a provider that accepted and did not quote: one more sees you."""
        passed_on = form.accept()["invitation_id"]
        endings.replace_invitation(current_context(), current_actor(), passed_on)


@blp.route("/closure")
class Closures(MethodView):
    @idempotent
    @blp.arguments(ClosureIn)
    @blp.response(200, StatusSchema)
    def post(self, form: Form) -> Lead:
        """Finish the request without choosing."""
        return outcome.close_request(current_context(), current_actor(), **form.accept())


@blp.route("/outcome")
class Outcomes(MethodView):
    @idempotent
    @blp.arguments(OutcomeIn)
    @blp.response(200, StatusSchema)
    def post(self, form: Form) -> Lead:
        """Say what came of the request: of one that runs, that chooses or closes."""
        return outcome.tell_outcome(current_context(), current_actor(), **form.accept())


@blp.route("/answers")
class Answers(MethodView):
    @idempotent
    @blp.arguments(AnswerIn)
    @blp.response(201, QuestionSchema)
    def post(self, form: Form) -> Question:
        """Answer a question once for all: every live provider hears it at the same moment."""
        return questions.answer_question(current_context(), current_actor(), **form.accept())


@blp.route("/reviews")
class Reviews(MethodView):
    @idempotent
    @blp.arguments(ReviewIn)
    @blp.response(201, ReviewSchema)
    def post(self, form: Form) -> Review:
        """Review a provider that answered; once each."""
        return reviews.review_provider(current_context(), current_actor(), **form.accept())


@blp.route("/reviews/<uuid:review_id>/report")
class ReplyReports(MethodView):
    @idempotent
    @blp.arguments(ReportIn)
    @blp.response(200, OwnReviewSchema)
    @blp.alt_response(409, description="It was reported, or looked at, already")
    def post(self, form: Form, review_id: UUID) -> Opinion:
        """Report the reply to your review, once: an administrator looks at it."""
        why = form.accept()["reason"]
        ctx, actor = current_context(), current_actor()
        return again(reviews.report_reply(ctx, actor, review_id, reason=why))


class BodyLeftOutSchema(Schema):
    """A certification body that may not be invited, and why, in the rest of a sentence."""

    name = fields.String()
    why = fields.String()


class LeftOutSchema(Schema):
    """Who would not be invited to a request that follows on, for impartiality's sake."""

    advisers = fields.List(
        fields.String(), metadata={"description": "who advised the business, named or chosen"}
    )
    bodies = fields.List(fields.Nested(BodyLeftOutSchema))
    years = fields.Integer(metadata={"description": "for how long after the advice has ended"})


@blp.route("/follow-on")
class FollowOns(MethodView):
    @blp.response(200, LeftOutSchema)
    @blp.alt_response(409, description="It is no awarded consulting request, or was followed on")
    def get(self) -> LeftOut:
        """Before following on: who advised the business, and which bodies are left out for that."""
        return left_out(current_context(), current_actor())

    @idempotent
    @blp.arguments(FollowOnIn)
    @blp.response(202, ReceiptSchema)
    def post(self, form: Form) -> Receipt:
        """After an awarded consulting request: ask for certification, knowing who consulted."""
        return outcome.follow_on(current_context(), current_actor(), form)


@blp.route("/reminders")
class Reminders(MethodView):
    @blp.response(200, RemindersSchema)
    @blp.alt_response(404, description="Nobody has agreed to any")
    def get(self) -> dict[str, Any]:
        """The dates of the certificate of which the business wants to be reminded."""
        return reminders.own_reminders(current_context(), current_actor())

    @blp.arguments(RemindersIn)
    @blp.response(200, RemindersSchema)
    def put(self, form: Form) -> dict[str, Any]:
        """After a choice: be reminded of surveillance, recertification and transition by mail."""
        ctx, actor = current_context(), current_actor()
        outcome.want_reminders(ctx, actor, form, door="api")
        return reminders.own_reminders(ctx, actor)

    @blp.response(204)
    @blp.alt_response(404, description="Nobody has agreed to any")
    def delete(self) -> None:
        """Stop the reminders, and have all that is kept for them forgotten."""
        reminders.stop_reminders(current_context(), current_actor())


@blp.route("/attachments/<uuid:attachment_id>")
class Attachment(MethodView):
    @answers_file(blp, PDF)
    def get(self, attachment_id: UUID) -> Response:
        """A file that came with a quote, as a download."""
        actor = current_actor()
        with current_context().reading() as session:
            found = comparison.attachment_of(session, actor, actor.own_lead(), attachment_id)
            return download(found)


class PersonalDataSchema(Schema):
    """All that is kept: each part as its table has it, by the names of columns."""

    exported_at = Moment()
    request = fields.Dict()
    set_aside = fields.List(
        fields.Dict(), metadata={"description": "forms that you sent while a request of yours ran"}
    )
    commitment = fields.Dict(allow_none=True)
    consents = fields.List(fields.Dict())
    reminders = fields.Dict(allow_none=True)
    invitations = fields.List(
        fields.Dict(), metadata={"description": "`contact_seen_since`: who sees the contact"}
    )
    questions = fields.List(fields.Dict())
    matching = fields.List(fields.Dict())
    messages = fields.List(fields.Dict())
    events = fields.List(fields.Dict())


@blp.route("/personal-data")
class PersonalData(MethodView):
    @blp.response(200, PersonalDataSchema)
    def get(self) -> Response:
        """Everything that is kept of the business, for machines to read."""
        return as_download("request", business_data(current_context(), current_actor()))

    @blp.response(202)
    def delete(self) -> None:
        """Close the request and erase what identifies a person."""
        erasure.erase_request(current_context(), current_actor())
