"""A provider asks to join."""

from flask.views import MethodView
from marshmallow import Schema, fields

from marketplace.core.forms import Form
from marketplace.providers import service
from marketplace.web.api.provider_schemas import NewProviderSchema
from marketplace.web.auth import current_context
from marketplace.web.idempotency import idempotent
from marketplace.web.requests import Blueprint

blp = Blueprint(
    "provider applications",
    __name__,
    url_prefix="/api/v1/provider-applications",
    description="Consultants and certification bodies that ask to join",
)


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
