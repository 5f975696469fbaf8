"""Addresses that get no mail, for administrators."""

from typing import Any
from uuid import UUID

from flask.views import MethodView
from marshmallow import Schema, fields

from marketplace.core.forms import Form
from marketplace.leads.contact_reads import note_addresses_shown
from marketplace.notifications import suppressions
from marketplace.notifications.models import Suppression
from marketplace.notifications.rules import SuppressionReason
from marketplace.web.auth import current_actor, current_context
from marketplace.web.fields import Choice, Email, In, Moment, Text
from marketplace.web.idempotency import idempotent
from marketplace.web.paging import PageArgs, page
from marketplace.web.requests import Blueprint

blp = Blueprint(
    "admin_suppressions",
    __name__,
    url_prefix="/api/v1/admin/suppressions",
    description="Addresses that get no mail",
)


class SuppressionSchema(Schema):
    """That an address gets no mail: why, since when, and which message brought it to light."""

    id = fields.UUID()
    address = fields.String()
    reason = Choice(SuppressionReason)
    since = Moment()
    notification_id = fields.UUID(allow_none=True)
    lifted_at = Moment(allow_none=True)
    lifted_because = fields.String(allow_none=True)


class SuppressionPageSchema(Schema):
    """A page of addresses."""

    items = fields.List(fields.Nested(SuppressionSchema))
    next = fields.String(allow_none=True)


class NewSuppressionSchema(In):
    """Which address is to get no mail."""

    address = Email(required=True)


class LiftSchema(In):
    """Why it gets mail again."""

    reason = Text(at_most=1000, lines=True, required=True)


@blp.route("")
class Suppressions(MethodView):
    @blp.arguments(PageArgs, location="query")
    @blp.response(200, SuppressionPageSchema)
    def get(self, args: dict[str, Any]) -> dict[str, Any]:
        """The addresses that get no mail now, newest first."""
        with current_context().reading() as session:
            rows = suppressions.suppressions()
            items, after = page(session, rows, Suppression.id, **args)
        note_addresses_shown(current_context(), current_actor(), (each.address for each in items))
        return {"items": items, "next": after}

    @idempotent
    @blp.arguments(NewSuppressionSchema)
    @blp.response(201, SuppressionSchema)
    def post(self, form: Form) -> Suppression:
        """Stop mail to an address by hand."""
        ctx, actor = current_context(), current_actor()
        return _noted(suppressions.suppress_address(ctx, actor, **form.accept()))


@blp.route("/<uuid:suppression_id>/lift")
class Lift(MethodView):
    @idempotent
    @blp.arguments(LiftSchema)
    @blp.response(200, SuppressionSchema)
    def post(self, form: Form, suppression_id: UUID) -> Suppression:
        """Let an address get mail again; what was held back from it can be retried."""
        ctx, actor = current_context(), current_actor()
        return _noted(suppressions.lift_suppression(ctx, actor, suppression_id, **form.accept()))


def _noted(shown: Suppression) -> Suppression:
    note_addresses_shown(current_context(), current_actor(), [shown.address])
    return shown
