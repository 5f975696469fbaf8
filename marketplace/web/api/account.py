"""One's own account: who one is here, the password, and the second factor."""

from typing import Any

from flask.views import MethodView
from marshmallow import Schema, fields

from marketplace.accounts import email_changes, own
from marketplace.accounts.rules import Role
from marketplace.accounts.sessions import SignedIn
from marketplace.core.forms import Form
from marketplace.web.api.sessions import CODE_AT_MOST, SessionSchema
from marketplace.web.auth import current_actor, current_context, own_token
from marketplace.web.fields import Choice, Email, In, Moment, Password, Text, optional
from marketplace.web.requests import Blueprint

blp = Blueprint("account", __name__, url_prefix="/api/v1/account", description="One's own account")
by_link = Blueprint(
    "e-mail changes",
    __name__,
    url_prefix="/api/v1/email-changes",
    description="Another address to sign in by, answered by the links that were mailed",
)
set_up = Blueprint(
    "second factor",
    __name__,
    url_prefix="/api/v1/account",
    description="What is open to those as well who have to set a second factor up first",
)


class ProvenIn(In):
    """Once more the password, and the code of who has a second factor."""

    current_password = Password(at_most=1000, required=True)
    totp = Text(at_most=CODE_AT_MOST, **optional())


class ChangedPasswordSchema(ProvenIn):
    """The present password, and the one from now on."""

    password = Password(at_most=1000, required=True)


class NewFactorSchema(ProvenIn):
    """What `POST` there answered, and the code that the authenticator shows."""

    set_up = Text(at_most=1000, required=True)
    code = Text(at_most=20, required=True)


class FactorSchema(Schema):
    """The second factor."""

    is_set_up = fields.Boolean(attribute="has_second_factor")
    is_required = fields.Boolean()
    recovery_codes_left = fields.Integer(attribute="codes_left")


class NewEmailSchema(ProvenIn):
    """The address to sign in by from now on."""

    email = Email(required=True)


class LinkTokenSchema(In):
    """The token of the link that was mailed."""

    token = Text(at_most=200, required=True)


class EmailChangeSchema(Schema):
    """Another address that was asked for; it counts once both were confirmed."""

    email = fields.String()
    expires_at = Moment()
    old_confirmed_at = Moment(allow_none=True)
    new_confirmed_at = Moment(allow_none=True)


class ConfirmedSchema(Schema):
    """Whether both addresses have confirmed it by now."""

    done = fields.Boolean()


class AccountSchema(Schema):
    """Who somebody is here, and what they sign in by."""

    id = fields.UUID(attribute="user.id")
    name = fields.String(attribute="user.name")
    email = fields.String(attribute="user.email")
    role = Choice(Role, attribute="user.role")
    provider_id = fields.UUID(attribute="user.provider_id", allow_none=True)
    session_expires_at = Moment(attribute="session.expires_at")
    email_change = fields.Nested(EmailChangeSchema, allow_none=True)
    second_factor = fields.Function(lambda account: FactorSchema().dump(account))


class SetUpSchema(Schema):
    """What an authenticator needs; nothing counts until a code confirms it."""

    secret = fields.String()
    address = fields.String()
    set_up = fields.String(attribute="sealed")


class RecoveryCodesSchema(Schema):
    """Codes for the loss of the authenticator, each good once; they are shown this once."""

    recovery_codes = fields.List(fields.String())


class FactorSetSchema(RecoveryCodesSchema):
    """The same, with the session's new token."""

    session = fields.Nested(SessionSchema)


@blp.route("/email-change")
class OwnEmailChange(MethodView):
    @blp.arguments(NewEmailSchema)
    @blp.response(202)
    def post(self, form: Form) -> None:
        """Ask to sign in by another address: both are written to, and have to confirm it."""
        email_changes.ask_email_change(current_context(), current_actor(), own_token(), form)

    @blp.response(204)
    def delete(self) -> None:
        """Take that back; nothing asked for is fine."""
        email_changes.cancel_email_change(current_context(), current_actor(), own_token())


@by_link.route("/confirmations")
class Confirmations(MethodView):
    @by_link.arguments(LinkTokenSchema)
    @by_link.response(200, ConfirmedSchema)
    @by_link.alt_response(410, description="The link was used or has lapsed")
    def post(self, form: Form) -> dict[str, bool]:
        """Confirm it on one address; once both have, every session of the account ends."""
        return {"done": email_changes.confirm_email_change(current_context(), form)}


@by_link.route("/refusals")
class Refusals(MethodView):
    @by_link.arguments(LinkTokenSchema)
    @by_link.response(204)
    @by_link.alt_response(410, description="The link was used or has lapsed")
    def post(self, form: Form) -> None:
        """Stop it, by the link to the address of now; every session of the account ends."""
        email_changes.stop_email_change(current_context(), form)


@set_up.route("")
class Own(MethodView):
    @set_up.response(200, AccountSchema)
    def get(self) -> own.Account:
        """Who one is here, and what one signs in by."""
        return own.own_account(current_context(), current_actor(), own_token())


@blp.route("/password")
class OwnPassword(MethodView):
    @blp.arguments(ChangedPasswordSchema)
    @blp.response(200, SessionSchema)
    def put(self, form: Form) -> SignedIn:
        """Change the password: every other session ends, and this one has a new token."""
        return own.change_password(current_context(), current_actor(), own_token(), form)


@set_up.route("/second-factor")
class SecondFactor(MethodView):
    @set_up.response(200, SetUpSchema)
    def post(self) -> own.SetUp:
        """Begin: a secret for an authenticator, of which nothing is stored yet."""
        return own.begin_second_factor(current_context(), current_actor(), own_token())

    @set_up.arguments(NewFactorSchema)
    @set_up.response(200, FactorSetSchema)
    @set_up.alt_response(409, description="It was begun too long ago")
    def put(self, form: Form) -> dict[str, Any]:
        """Confirm it by a code, in place of another where there is one."""
        made = own.set_second_factor(current_context(), current_actor(), own_token(), form)
        return {"recovery_codes": made.codes, "session": made.signed_in}


@blp.route("/second-factor/removal")
class Removal(MethodView):
    @blp.arguments(ProvenIn)
    @blp.response(200, SessionSchema)
    @blp.alt_response(409, description="A second factor is required, or there is none")
    def post(self, form: Form) -> SignedIn:
        """Sign in by the password alone from now on."""
        return own.remove_second_factor(current_context(), current_actor(), own_token(), form)


@blp.route("/recovery-codes")
class RecoveryCodes(MethodView):
    @blp.arguments(ProvenIn)
    @blp.response(200, FactorSetSchema)
    @blp.alt_response(409, description="There is no second factor")
    def post(self, form: Form) -> dict[str, Any]:
        """Make the recovery codes anew: every other session ends, and this one has a new token."""
        made = own.renew_recovery_codes(current_context(), current_actor(), own_token(), form)
        return {"recovery_codes": made.codes, "session": made.signed_in}
