"""Signing in and out, and setting a password by a link from an e-mail."""

from flask import request
from flask.views import MethodView
from marshmallow import Schema, fields

from marketplace.accounts import devices, passwords, service
from marketplace.accounts.rules import PASSWORD_LENGTH, Role
from marketplace.accounts.service import SignedIn
from marketplace.core.errors import NotSignedIn
from marketplace.core.forms import Form
from marketplace.web.auth import bearer, current_actor, current_context
from marketplace.web.fields import Choice, Email, In, Moment, Password, Text, optional
from marketplace.web.requests import Blueprint
from marketplace.web.security_log import watched_sign_in

blp = Blueprint("sessions", __name__, url_prefix="/api/v1", description="Signing in")
own = Blueprint("own session", __name__, url_prefix="/api/v1/sessions", description="Signing out")


class NewSessionSchema(In):
    """Who signs in; `totp` is the one-time code of those who have a second factor."""

    email = Email(required=True)
    password = Password(at_most=PASSWORD_LENGTH[1], required=True)
    totp = Text(at_most=20, **optional())


class UserSchema(Schema):
    """A person who signs in."""

    id = fields.UUID()
    name = fields.String()
    role = Choice(Role)
    provider_id = fields.UUID(allow_none=True)


class SessionSchema(Schema):
    """A session; its token goes into the `Authorization` header."""

    token = fields.String()
    expires_at = Moment()
    user = fields.Nested(UserSchema)


class NewPasswordResetSchema(In):
    """Whose password is to be set anew."""

    email = Email(required=True)


class PasswordSchema(In):
    """A new password, and the token of the link that allows it."""

    token = Text(at_most=200, required=True)
    password = Password(at_most=1000, required=True)


@blp.route("/sessions")
class Sessions(MethodView):
    @blp.arguments(NewSessionSchema)
    @blp.response(201, SessionSchema)
    @blp.alt_response(401, description="Not right: the address, the password or the code")
    @blp.alt_response(403, description="An administrator without a second factor")
    def post(self, form: Form) -> SignedIn:
        """Sign in."""
        device = devices.program(request.headers.get("User-Agent", ""))
        with watched_sign_in(form):
            return service.sign_in(current_context(), form, device)


@own.route("/current")
class CurrentSession(MethodView):
    @own.response(204)
    def delete(self) -> None:
        """Sign out: the token of this request is no longer good."""
        token = bearer()
        if token is None:
            raise NotSignedIn("there is no session to end")
        service.sign_out(current_context(), current_actor(), token)


@blp.route("/password-resets")
class PasswordResets(MethodView):
    @blp.arguments(NewPasswordResetSchema)
    @blp.response(202)
    def post(self, form: Form) -> None:
        """Ask for a link that sets a new password; the answer never tells whether one was sent."""
        passwords.ask_password_reset(current_context(), form)

    @blp.arguments(PasswordSchema)
    @blp.response(204)
    @blp.alt_response(410, description="The link was used or has lapsed")
    def put(self, form: Form) -> None:
        """Set a new password by the token of a link; every session of its user ends."""
        passwords.set_password(current_context(), form)
