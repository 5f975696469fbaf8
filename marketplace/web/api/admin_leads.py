"""Moderation of leads, their matching, and the clocks that run."""

from typing import Any
from uuid import UUID

from flask import Response
from flask.views import MethodView
from marshmallow import EXCLUDE, Schema, fields

from marketplace.core.files import PDF
from marketplace.core.forms import Form
from marketplace.insights import casework
from marketplace.insights.casework import Place
from marketplace.invitations.models import Invitation
from marketplace.invitations.rules import DeclineReason, InvitationState
from marketplace.leads import service as leads
from marketplace.leads.models import Lead
from marketplace.leads.rules import LeadState, Outcome, OutcomeReason
from marketplace.matching import explanation
from marketplace.matching import service as matching
from marketplace.notifications.rules import CommitmentState
from marketplace.providers.rules import ProviderKind
from marketplace.quotes import comparison, outcome
from marketplace.web.api.admin_consultants import ConsultantUsedSchema
from marketplace.web.api.common import BriefSchema, CommitmentSchema, MailStoppedSchema
from marketplace.web.api.comparison_schemas import ComparisonArgs, ComparisonSchema
from marketplace.web.api.request import QuestionSchema, RemindersSchema, StatusSchema
from marketplace.web.auth import current_actor, current_context
from marketplace.web.fields import Choice, In, Moment, Text, optional
from marketplace.web.files import answers_file, download
from marketplace.web.idempotency import idempotent
from marketplace.web.pages.paper import comparison_pdf
from marketplace.web.paging import CursorOf, PageArgs, a_moment, cursor, cursor_of
from marketplace.web.requests import Blueprint

blp = Blueprint(
    "admin leads", __name__, url_prefix="/api/v1/admin", description="Leads, for administrators"
)


class LeadRowSchema(Schema):
    """A lead in a list."""

    id = fields.UUID()
    reference = fields.String()
    state = Choice(LeadState)
    company_name = fields.String()
    contact_email = fields.String()
    service = fields.String()
    standards = fields.List(fields.String())
    regions = fields.List(fields.String())
    created_at = Moment()
    opened_at = Moment(allow_none=True)
    finished_at = Moment(allow_none=True)
    waiting_since = Moment(allow_none=True)
    waiting_reason = fields.String(allow_none=True)
    waiting_code = fields.String(allow_none=True)
    review_reasons = fields.List(fields.String())


class LeadPageSchema(Schema):
    """A page of leads."""

    items = fields.List(fields.Nested(LeadRowSchema))
    next = fields.String(allow_none=True)


class LeadArgs(PageArgs):
    """Which leads: by state, and by words in reference, company and address."""

    state = Choice(LeadState, load_default=None)
    q = Text(at_most=100, load_default=None)


class ProviderNameSchema(Schema):
    """Which provider."""

    id = fields.UUID()
    name = fields.String()
    kind = Choice(ProviderKind)


class InvitationRowSchema(Schema):
    """An invitation, with everything about it."""

    id = fields.UUID()
    provider = fields.Nested(ProviderNameSchema)
    place = fields.Integer()
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
    answered_at = Moment(allow_none=True)
    decline_reason = Choice(DeclineReason, allow_none=True)
    decline_comment = fields.String(allow_none=True)
    by_hand_because = fields.String(allow_none=True)
    quote = fields.Raw(allow_none=True)


class EventRowSchema(Schema):
    """Something that happened."""

    at = Moment()
    actor_kind = fields.String()
    actor_id = fields.UUID(allow_none=True)
    verb = fields.String()
    subject_id = fields.UUID()
    facts = fields.Dict()
    request_id = fields.String()
    address = fields.String(allow_none=True)


class LeadSchema(BriefSchema):
    """All of a lead."""

    id = fields.UUID()
    state = Choice(LeadState)
    form = fields.Dict()
    signals = fields.Dict()
    review_reasons = fields.List(fields.String())
    consent = fields.Dict()
    business_key = fields.String()
    time_zone = fields.String()
    follows_lead_id = fields.UUID(allow_none=True)
    source = fields.String(
        allow_none=True,
        metadata={"description": "the origin of the other site that the form stood in"},
    )
    consultants_used = fields.List(fields.Nested(ConsultantUsedSchema))
    created_at = Moment()
    confirm_by = Moment()
    confirmed_at = Moment(allow_none=True)
    opened_at = Moment(allow_none=True)
    expires_at = Moment(allow_none=True)
    finished_at = Moment(allow_none=True)
    finish_reason = fields.String(allow_none=True)
    awarded_invitation_id = fields.UUID(allow_none=True)
    outcome = Choice(Outcome, allow_none=True)
    outcome_invitation_id = fields.UUID(allow_none=True)
    outcome_reason = Choice(OutcomeReason, allow_none=True)
    outcome_comment = fields.String(allow_none=True)
    outcome_at = Moment(allow_none=True)
    outcome_due_at = Moment(
        allow_none=True, metadata={"description": "when the business is asked next; null: no more"}
    )
    waiting_since = Moment(allow_none=True)
    waiting_reason = fields.String(allow_none=True)
    waiting_code = fields.String(allow_none=True)
    mail_stopped = fields.Nested(MailStoppedSchema, allow_none=True)
    commitment = fields.Nested(CommitmentSchema, allow_none=True)
    reminders = fields.Nested(RemindersSchema, allow_none=True)
    invitations = fields.List(fields.Nested(InvitationRowSchema))
    questions = fields.List(fields.Nested(QuestionSchema))
    history = fields.List(fields.Nested(EventRowSchema))


class ReasonIn(In):
    """Why; the business is told."""

    reason = Text(at_most=1000, lines=True, required=True)


class ReasonForUsIn(In):
    """Why, for administrators alone."""

    reason = Text(at_most=1000, lines=True, **optional())


class ByHandIn(In):
    """Which provider is invited by hand, and why."""

    provider_id = fields.UUID(required=True)
    why = Text(at_most=1000, lines=True, required=True)


class InvitedSchema(Schema):
    """An invitation that was just made."""

    id = fields.UUID()
    provider_id = fields.UUID()
    place = fields.Integer()
    state = Choice(InvitationState)
    sent_at = Moment()
    respond_by = Moment()


class SeatSchema(Schema):
    """A provider on the bench of a run: its credit, what came of it, and why."""

    provider_id = fields.UUID()
    kind = Choice(ProviderKind)
    band = fields.Integer()
    lacks = fields.List(fields.String())
    weight = fields.Float()
    credit_before = fields.Float()
    gained = fields.Float(allow_none=True)
    score = fields.Float()
    credit_after = fields.Float()
    invited_at = Moment(allow_none=True)
    place = fields.Integer(allow_none=True)
    why = fields.String()


class ScoreSchema(Schema):
    """What a provider stood with when a round was decided: the largest goes first."""

    provider_id = fields.UUID()
    score = fields.Float()


class RoundSchema(Schema):
    """Turns shared out at once: in which band, among which kind alone, and for which places."""

    kind = Choice(ProviderKind, allow_none=True)
    band = fields.Integer()
    places = fields.List(fields.Integer())
    scores = fields.List(fields.Nested(ScoreSchema))


class RunSchema(Schema):
    """One matching run: what it saw, whom it chose, and why; and how often that was so on end."""

    id = fields.UUID()
    at = Moment()
    times = fields.Integer()
    last_at = Moment(allow_none=True)
    rule_version = fields.String()
    seed = fields.String()
    wanted = fields.Dict()
    funnel = fields.List(fields.Dict())
    market = fields.Dict(allow_none=True)
    bench = fields.List(fields.Nested(SeatSchema))
    rounds = fields.List(fields.Nested(RoundSchema))
    clashes = fields.List(fields.List(fields.UUID()))
    excluded = fields.List(fields.Dict())
    replay_agrees = fields.Boolean(allow_none=True)
    outcome = fields.String()
    by_hand_because = fields.String(allow_none=True)


class MatchingSchema(Schema):
    """Every run for a lead, and why one provider was not invited, if one was named."""

    waiting_since = Moment(allow_none=True)
    waiting_reason = fields.String(allow_none=True)
    waiting_code = fields.String(allow_none=True)
    why_not = fields.String(allow_none=True)
    runs = fields.List(fields.Nested(RunSchema))


class MatchingArgs(Schema):
    """Whose question it is."""

    class Meta:
        unknown = EXCLUDE

    provider_id = fields.UUID(
        load_default=None, error_messages={"invalid_uuid": "must be an id (UUID)"}
    )


class ClockArgs(PageArgs):
    """Which clocks."""

    state = Choice(CommitmentState, load_default=None)
    after = CursorOf(int, a_moment, UUID, into=Place)


class ClockSchema(CommitmentSchema):
    """A commitment and whose it is."""

    lead_id = fields.UUID()
    reference = fields.String()
    at_risk_at = Moment()


class ClockPageSchema(Schema):
    """A page of commitments."""

    items = fields.List(fields.Nested(ClockSchema))
    next = fields.String(allow_none=True)


@blp.route("/leads")
class Leads(MethodView):
    @blp.arguments(LeadArgs, location="query")
    @blp.response(200, LeadPageSchema)
    def get(self, args: dict[str, Any]) -> dict[str, Any]:
        """Leads, the newest first."""
        items, last = casework.found_leads(current_context(), current_actor(), **args)
        return {"items": items, "next": cursor(last) if last else None}


@blp.route("/leads/<uuid:lead_id>")
class OneLead(MethodView):
    @blp.response(200, LeadSchema)
    def get(self, lead_id: UUID) -> dict[str, Any]:
        """All of a lead: form, signals, clock, invitations, quotes, history."""
        return casework.lead_case(current_context(), current_actor(), lead_id)


@blp.route("/leads/<uuid:lead_id>/comparison")
class LeadComparison(MethodView):
    @blp.arguments(ComparisonArgs, location="query")
    @blp.response(200, ComparisonSchema)
    def get(self, args: dict[str, Any], lead_id: UUID) -> dict[str, Any]:
        """The quotes side by side, as the business has them."""
        shown = comparison.request_page(current_context(), current_actor(), **args, lead_id=lead_id)
        compared: dict[str, Any] = shown["comparison"]
        return compared


@blp.route("/leads/<uuid:lead_id>/comparison.pdf")
class ComparisonPaper(MethodView):
    @blp.arguments(ComparisonArgs, location="query")
    @answers_file(blp, PDF)
    @blp.alt_response(409, description="Nobody has quoted yet, or it is too long for a PDF")
    def get(self, args: dict[str, Any], lead_id: UUID) -> Response:
        """The quotes side by side as a PDF, as the business has it."""
        return comparison_pdf(**args, lead_id=lead_id)


@blp.route("/leads/<uuid:lead_id>/approval")
class Approval(MethodView):
    @idempotent
    @blp.response(200, StatusSchema)
    def post(self, lead_id: UUID) -> Lead:
        """Open a lead that is in review."""
        return leads.approve_lead(current_context(), current_actor(), lead_id)


@blp.route("/leads/<uuid:lead_id>/rejection")
class Rejection(MethodView):
    @idempotent
    @blp.arguments(ReasonIn)
    @blp.response(200, StatusSchema)
    def post(self, form: Form, lead_id: UUID) -> Lead:
        """Turn away a lead that is in review."""
        return leads.reject_lead(current_context(), current_actor(), lead_id, **form.accept())


@blp.route("/leads/<uuid:lead_id>/rematch")
class Rematch(MethodView):
    @idempotent
    @blp.response(202, StatusSchema)
    def post(self, lead_id: UUID) -> Lead:
        """Try to fill the empty places of a lead now."""
        return matching.rematch_lead(current_context(), current_actor(), lead_id)


@blp.route("/leads/<uuid:lead_id>/closure")
class Closure(MethodView):
    @idempotent
    @blp.arguments(ReasonForUsIn)
    @blp.response(200, StatusSchema)
    def post(self, form: Form, lead_id: UUID) -> Lead:
        """Finish a lead without a choice."""
        return outcome.close_lead(current_context(), current_actor(), lead_id, **form.accept())


@blp.route("/leads/<uuid:lead_id>/invitations")
class ByHand(MethodView):
    @idempotent
    @blp.arguments(ByHandIn)
    @blp.response(201, InvitedSchema)
    def post(self, form: Form, lead_id: UUID) -> Invitation:
        """Invite a provider by hand; eligibility and the three places hold all the same."""
        return matching.invite_by_hand(current_context(), current_actor(), lead_id, **form.accept())


@blp.route("/leads/<uuid:lead_id>/matching")
class Matching(MethodView):
    @blp.arguments(MatchingArgs, location="query")
    @blp.response(200, MatchingSchema)
    def get(self, args: dict[str, Any], lead_id: UUID) -> dict[str, Any]:
        """Every matching run, and the answer to "why not me" for one provider."""
        return explanation.explain_matching(
            current_context(), current_actor(), lead_id, provider_id=args["provider_id"]
        )


@blp.route("/leads/<uuid:lead_id>/attachments/<uuid:attachment_id>")
class Attachment(MethodView):
    @answers_file(blp, PDF)
    def get(self, lead_id: UUID, attachment_id: UUID) -> Response:
        """A file that came with a quote, as a download."""
        actor = current_actor()
        with current_context().reading() as session:
            return download(comparison.attachment_of(session, actor, lead_id, attachment_id))


@blp.route("/commitments")
class Commitments(MethodView):
    @blp.arguments(ClockArgs, location="query")
    @blp.response(200, ClockPageSchema)
    def get(self, args: dict[str, Any]) -> dict[str, Any]:
        """The 24-hour clocks, the most urgent first."""
        items, last = casework.clocks(current_context(), current_actor(), **args)
        return {"items": items, "next": cursor_of(*map(str, last)) if last else None}
