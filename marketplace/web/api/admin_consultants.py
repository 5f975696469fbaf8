"""Consultants whom a lead names: an administrator says whether one is a provider here."""

from typing import Any
from uuid import UUID

from flask.views import MethodView
from marshmallow import Schema, fields

from marketplace.core.forms import Form
from marketplace.leads.advisers import decide_consultant
from marketplace.web.auth import current_actor, current_context
from marketplace.web.fields import In, Moment, Text
from marketplace.web.idempotency import idempotent
from marketplace.web.requests import Blueprint

blp = Blueprint(
    "admin consultants",
    __name__,
    url_prefix="/api/v1/admin",
    description="Consultants whom a lead names, for administrators",
)


class ResembledSchema(Schema):
    """A provider, by what it is called."""

    id = fields.UUID()
    name = fields.String()


class ConsultantUsedSchema(Schema):
    """Who advised the business, which providers that may be, and what was decided."""

    name = fields.String()
    ended_on = fields.Date(allow_none=True)
    resembles = fields.List(fields.Nested(ResembledSchema))
    provider = fields.Nested(ResembledSchema, allow_none=True)
    decided_at = Moment(allow_none=True)


class ConsultantsUsedSchema(Schema):
    """Everybody whom a lead names."""

    consultants_used = fields.List(fields.Nested(ConsultantUsedSchema))


class ConsultantIn(In):
    """Which name of the form is which provider; null: none that is here."""

    name = Text(at_most=200, required=True)
    provider_id = fields.UUID(
        required=True,
        allow_none=True,
        error_messages={"required": "is required", "invalid_uuid": "must be an id (UUID) or null"},
    )


@blp.route("/leads/<uuid:lead_id>/consultants")
class Consultants(MethodView):
    @idempotent
    @blp.arguments(ConsultantIn)
    @blp.response(200, ConsultantsUsedSchema)
    def post(self, form: Form, lead_id: UUID) -> dict[str, Any]:
        """Say that a consultant whom the form names is a provider here, or is none."""
        found = decide_consultant(current_context(), current_actor(), lead_id, **form.accept())
        return {"consultants_used": found}
