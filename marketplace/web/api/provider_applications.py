"""A provider asks to join."""

from flask.views import MethodView
from marshmallow import Schema, fields

from marketplace.core.forms import Form
from marketplace.privacy.applicants import withdraw_application
from marketplace.providers import service
from marketplace.web.api.provider_schemas import NewProviderSchema
from marketplace.web.auth import current_context
from marketplace.web.fields import In, Text
from marketplace.web.idempotency import idempotent
from marketplace.web.requests import Blueprint

blp = Blueprint(
    "provider applications",
    __name__,
    url_prefix="/api/v1/provider-applications",
    description="Consultants and certification bodies that ask to join",
)


class WithdrawalSchema(In):
    """The token of the link that was mailed."""

    token = Text(at_most=200, required=True)


class ReceivedSchema(Schema):
    """That an application has arrived."""

    status = fields.String()


@blp.route("")
class ProviderApplications(MethodView):
    @idempotent
    @blp.arguments(NewProviderSchema)
    @blp.response(202, ReceivedSchema)
    def post(self, form: Form) -> dict[str, str]:
        """Ask to join; the answer is the same for who is known already, the rest goes by mail."""
        service.apply_to_join(current_context(), form)
        return {"status": "received"}


@blp.route("/withdrawals")
class Withdrawals(MethodView):
    @blp.arguments(WithdrawalSchema)
    @blp.response(204)
    @blp.alt_response(409, description="It was verified meanwhile: whoever signs in may leave")
    @blp.alt_response(410, description="The link was used or has lapsed")
    def post(self, form: Form) -> None:
        """Take an application back, by the link that was mailed: who sent it is forgotten."""
        withdraw_application(current_context(), form)
