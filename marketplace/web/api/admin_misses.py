"""What providers let lapse, for administrators: objections to look at, misses to strike."""

from enum import StrEnum
from typing import Any
from uuid import UUID

from flask.views import MethodView
from marshmallow import Schema, fields

from marketplace.core.forms import Form
from marketplace.invitations import misses, track_record
from marketplace.invitations.models import Miss
from marketplace.invitations.track_record import Missed
from marketplace.matching import striking
from marketplace.web.api.admin_providers import ReasonSchema
from marketplace.web.api.portal_misses import MissSchema
from marketplace.web.auth import current_actor, current_context
from marketplace.web.fields import Choice
from marketplace.web.idempotency import idempotent
from marketplace.web.paging import PageArgs, page
from marketplace.web.requests import Blueprint

blp = Blueprint(
    "admin_misses",
    __name__,
    url_prefix="/api/v1/admin/misses",
    description="What providers let lapse, for administrators",
)


class Which(StrEnum):
    """Which misses an administrator asks for."""

    OBJECTED = "objected"
    """Those whose provider objected, and waits for an answer."""
    ALL = "all"


class AnyMissSchema(MissSchema):
    """A miss with whose it is, and who decided on it."""

    provider_id = fields.UUID(attribute="miss.provider_id")
    provider = fields.String()
    struck_by = fields.UUID(attribute="miss.struck_by", allow_none=True)
    upheld_by = fields.UUID(attribute="miss.upheld_by", allow_none=True)


class MissPageSchema(Schema):
    """A page of misses."""

    items = fields.List(fields.Nested(AnyMissSchema))
    next = fields.String(allow_none=True)


class MissArgs(PageArgs):
    """Which misses."""

    state = Choice(Which, load_default=Which.OBJECTED)


@blp.route("")
class Misses(MethodView):
    @blp.arguments(MissArgs, location="query")
    @blp.response(200, MissPageSchema)
    def get(self, args: dict[str, Any]) -> dict[str, Any]:
        """Misses, the newest invitation first: those objected to, or all."""
        ctx = current_context()
        rows = track_record.misses(to_decide=args.pop("state") is Which.OBJECTED)
        with ctx.reading() as session:
            found, following = page(session, rows, Miss.invitation_id, **args)
            return {"items": track_record.shown(session, found, ctx.policy), "next": following}


@blp.route("/<uuid:invitation_id>/strike")
class Strike(MethodView):
    @idempotent
    @blp.arguments(ReasonSchema)
    @blp.response(200, AnyMissSchema)
    @blp.alt_response(409, description="It was struck already")
    def post(self, form: Form, invitation_id: UUID) -> Missed:
        """Take a miss off the record, with a reason; a pause that only stood with it ends."""
        why = form.accept()["reason"]
        return striking.strike_miss(current_context(), current_actor(), invitation_id, reason=why)


@blp.route("/<uuid:invitation_id>/uphold")
class Uphold(MethodView):
    @idempotent
    @blp.arguments(ReasonSchema)
    @blp.response(200, AnyMissSchema)
    @blp.alt_response(409, description="Nobody objected, or it was decided already")
    def post(self, form: Form, invitation_id: UUID) -> Missed:
        """Let a miss stand though its provider objected, with a reason that the provider reads."""
        why = form.accept()["reason"]
        return misses.uphold_miss(current_context(), current_actor(), invitation_id, reason=why)
