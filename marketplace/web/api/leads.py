"""The form comes in, and is confirmed."""

from flask.views import MethodView
from marshmallow import Schema, fields

from marketplace.core.forms import Form
from marketplace.leads import service
from marketplace.leads.service import Confirmation, Receipt
from marketplace.web.api.common import CommitmentSchema, LeadIn, ReceiptSchema
from marketplace.web.auth import current_context
from marketplace.web.fields import In, Text
from marketplace.web.idempotency import idempotent
from marketplace.web.requests import Blueprint

blp = Blueprint("leads", __name__, url_prefix="/api/v1/leads", description="The form")


class TokenIn(In):
    """The token of a link from an e-mail."""

    token = Text(at_most=200, required=True)


class ConfirmationSchema(Schema):
    """A confirmed request, and the token that opens it."""

    reference = fields.String()
    status = fields.String()
    request_token = fields.String(allow_none=True)
    commitment = fields.Nested(CommitmentSchema, allow_none=True)


@blp.route("")
class Leads(MethodView):
    @idempotent
    @blp.arguments(LeadIn)
    @blp.response(202, ReceiptSchema)
    def post(self, form: Form) -> Receipt:
        """Send the form: up to three providers are asked once it is confirmed."""
        return service.submit_lead(current_context(), form)


@blp.route("/confirmations")
class Confirmations(MethodView):
    @blp.arguments(TokenIn)
    @blp.response(200, ConfirmationSchema)
    @blp.alt_response(410, description="The link was used or has lapsed")
    def post(self, form: Form) -> Confirmation:
        """Confirm a form by the link from the e-mail."""
        return service.confirm_lead(current_context(), form.accept()["token"])
