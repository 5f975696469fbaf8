"""A provider's own record: what it let lapse, how that counts, and what it has to say to it."""

from typing import Any
from uuid import UUID

from flask.views import MethodView
from marshmallow import Schema, fields

from marketplace.core.forms import Form
from marketplace.invitations import misses, track_record
from marketplace.invitations.models import Miss
from marketplace.invitations.rules import MissKind
from marketplace.invitations.track_record import Missed
from marketplace.web.api.provider_schemas import PauseSchema
from marketplace.web.auth import current_actor, current_context
from marketplace.web.fields import Choice, In, Moment, Text
from marketplace.web.idempotency import idempotent
from marketplace.web.paging import PageArgs, page
from marketplace.web.requests import Blueprint

blp = Blueprint(
    "misses",
    __name__,
    url_prefix="/api/v1/portal/misses",
    description="What a provider let lapse",
)


class MissSchema(Schema):
    """An invitation that was not opened, or not quoted for, in time."""

    invitation_id = fields.UUID(attribute="miss.invitation_id")
    reference = fields.String()
    kind = Choice(MissKind, attribute="miss.kind")
    at = Moment(attribute="miss.at")
    counts_until = Moment(
        allow_none=True,
        metadata={"description": "up to when it counts towards a pause; null: it does not"},
    )
    objected_at = Moment(attribute="miss.objected_at", allow_none=True)
    objection = fields.String(attribute="miss.objection", allow_none=True)
    struck_at = Moment(attribute="miss.struck_at", allow_none=True)
    strike_reason = fields.String(attribute="miss.strike_reason", allow_none=True)
    upheld_at = Moment(
        attribute="miss.upheld_at",
        allow_none=True,
        metadata={"description": "when an administrator let it stand, having read the objection"},
    )
    uphold_reason = fields.String(attribute="miss.uphold_reason", allow_none=True)


class StandingSchema(Schema):
    """How the record stands."""

    counting = fields.Integer(metadata={"description": "misses that count now"})
    too_many = fields.Integer(metadata={"description": "at so many the provider is paused"})
    days = fields.Integer(metadata={"description": "for so long a miss counts"})
    pause = fields.Nested(PauseSchema, allow_none=True)


class RecordSchema(Schema):
    """A page of the record, and how it stands."""

    standing = fields.Nested(StandingSchema)
    items = fields.List(fields.Nested(MissSchema))
    next = fields.String(allow_none=True)


class ObjectionIn(In):
    """What there is to say against a miss."""

    text = Text(at_most=2000, lines=True, required=True)


def own_record(args: dict[str, Any]) -> dict[str, Any]:
    """Return the record of whoever asks, a page at a time."""
    ctx, provider_id = current_context(), current_actor().own_provider()
    rows = track_record.misses(provider_id=provider_id)
    with ctx.reading() as session:
        found, following = page(session, rows, Miss.invitation_id, **args)
        return {
            "standing": track_record.standing(
                session, provider_id, policy=ctx.policy, now=ctx.clock()
            ),
            "items": track_record.shown(session, found, ctx.policy),
            "next": following,
        }


@blp.route("")
class Record(MethodView):
    @blp.arguments(PageArgs, location="query")
    @blp.response(200, RecordSchema)
    def get(self, args: dict[str, Any]) -> dict[str, Any]:
        """Own misses, the newest invitation first: which count, until when, and what was said."""
        return own_record(args)


@blp.route("/<uuid:invitation_id>/objection")
class Objection(MethodView):
    @idempotent
    @blp.arguments(ObjectionIn)
    @blp.response(201, MissSchema)
    @blp.alt_response(409, description="It was objected to, or struck, already")
    def post(self, form: Form, invitation_id: UUID) -> Missed:
        """Object to a miss, once: an administrator looks at it."""
        text = form.accept()["text"]
        return misses.object_to_miss(current_context(), current_actor(), invitation_id, text=text)
