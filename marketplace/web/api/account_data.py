"""What is kept of whoever signs in: for themselves to have, and to have erased."""

from collections.abc import Callable

from flask import Response
from flask.views import MethodView
from marshmallow import Schema, fields

from marketplace.accounts import own
from marketplace.core.actors import Actor
from marketplace.core.context import Context
from marketplace.core.forms import Form
from marketplace.privacy import accounts
from marketplace.web.api.account import ProvenIn
from marketplace.web.auth import current_actor, current_context, own_token
from marketplace.web.fields import Moment
from marketplace.web.files import as_download
from marketplace.web.requests import Blueprint

blp = Blueprint(
    "own data",
    __name__,
    url_prefix="/api/v1/account",
    description="What is kept of whoever signs in",
)


class AccountDataSchema(Schema):
    """All that is kept: each part as its table has it, by the names of columns."""

    exported_at = Moment()
    account = fields.Dict()
    contact_of_provider = fields.Dict(allow_none=True)
    consents = fields.List(fields.Dict())
    sessions = fields.List(fields.Dict())
    devices = fields.List(fields.Dict())
    email_changes = fields.List(fields.Dict())
    invitations = fields.List(fields.Dict())
    mail_stopped = fields.List(fields.Dict())
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
    @blp.arguments(ProvenIn)
    @blp.response(204)
    @blp.alt_response(409, description="The last owner, or the last administrator")
    def delete(self, form: Form) -> None:
        """Have one's account erased, by one's password; what was done stays under an id."""
        prove_and(accounts.erase_account, form)


def prove_and(act: Callable[[Context, Actor, str], None], form: Form) -> None:
    """Do what takes a proof just given: by the password, and by a code where there is one."""
    ctx, actor, token = current_context(), current_actor(), own_token()
    with own.proved_for(ctx, actor, token, form):
        act(ctx, actor, token)
