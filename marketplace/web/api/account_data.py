"""What is kept of whoever signs in: for themselves to have, and to have erased."""

from flask import Response
from flask.views import MethodView
from marshmallow import Schema, fields

from marketplace.accounts.rules import PASSWORD_LENGTH
from marketplace.core.forms import Form
from marketplace.privacy import accounts
from marketplace.web.auth import current_actor, current_context
from marketplace.web.fields import In, Moment, Text
from marketplace.web.files import as_download
from marketplace.web.requests import Blueprint

blp = Blueprint(
    "own data",
    __name__,
    url_prefix="/api/v1/account",
    description="What is kept of whoever signs in",
)


class PasswordIn(In):
    """That it is them, once more."""

    password = Text(at_most=PASSWORD_LENGTH[1], required=True)


class AccountDataSchema(Schema):
    """All that is kept: each part as its table has it, by the names of columns."""

    exported_at = Moment()
    account = fields.Dict()
    contact_of_provider = fields.Dict(allow_none=True)
    consents = fields.List(fields.Dict())
    sessions = fields.List(fields.Dict())
    devices = fields.List(fields.Dict())
    api_keys = fields.List(fields.Dict())
    messages = fields.List(fields.Dict())
    events = fields.List(fields.Dict())


@blp.route("/personal-data")
class PersonalData(MethodView):
    @blp.response(200, AccountDataSchema)
    def get(self) -> Response:
        """Everything that is kept of whoever asks, and of nobody else."""
        return as_download("account", accounts.account_data(current_context(), current_actor()))


@blp.route("")
class Account(MethodView):
    @blp.arguments(PasswordIn)
    @blp.response(204)
    @blp.alt_response(409, description="The last owner, or the last administrator")
    def delete(self, form: Form) -> None:
        """Have one's account erased, by one's password; what was done stays under an id."""
        accounts.erase_account(current_context(), current_actor(), form)
