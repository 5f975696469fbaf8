"""Signing in and out, and setting a password by a link from an e-mail."""

from typing import Any
from uuid import UUID

from flask import request
from flask.views import MethodView
from marshmallow import Schema, fields

from marketplace.accounts import devices, passwords, service, sessions
from marketplace.accounts import own as account
from marketplace.accounts.rules import PASSWORD_LENGTH, Role
from marketplace.accounts.sessions import SignedIn
from marketplace.core.forms import Form
from marketplace.core.links import token_hash
from marketplace.web.auth import current_actor, current_context, own_token
from marketplace.web.fields import Choice, Email, In, Moment, Password, Text, optional
from marketplace.web.requests import Blueprint
from marketplace.web.security_log import watched_sign_in

blp = Blueprint("sessions", __name__, url_prefix="/api/v1", description="Signing in")
own = Blueprint(
    "own sessions", __name__, url_prefix="/api/v1/sessions", description="Where one is signed in"
)
leaving = Blueprint(
    "own session", __name__, url_prefix="/api/v1/sessions", description="Signing out"
)


CODE_AT_MOST = 60
"""Characters of a one-time code or a recovery code, however it is grouped."""


class NewSessionSchema(In):
    """Who signs in; `totp` is the one-time code, or a recovery code, of who has a second factor."""

    email = Email(required=True)
    password = Password(at_most=PASSWORD_LENGTH[1], required=True)
    totp = Text(at_most=CODE_AT_MOST, **optional())


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
    needs_second_factor = fields.Boolean()


class RunningSessionSchema(Schema):
    """Where somebody is signed in."""

    id = fields.UUID()
    device = fields.String(allow_none=True)
    network = fields.String(allow_none=True)
    created_at = Moment()
    last_used_at = Moment(allow_none=True)
    expires_at = Moment()
    is_present = fields.Boolean()


class RunningSessionsSchema(Schema):
    """Every session that runs, the latest first."""

    items = fields.List(fields.Nested(RunningSessionSchema))
    next = fields.String(allow_none=True)


class ProofSchema(In):
    """Once more the password, and the code of who has a second factor."""

    current_password = Password(at_most=1000, **optional())
    totp = Text(at_most=CODE_AT_MOST, **optional())


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
    def post(self, form: Form) -> SignedIn:
        """Sign in.

        A session that `needs_second_factor` opens nothing but `/account/second-factor`.
        """
        device = devices.program(request.headers.get("User-Agent", ""))
        with watched_sign_in(form):
            return service.sign_in(current_context(), form, device)


@own.route("")
class OwnSessions(MethodView):
    @own.response(200, RunningSessionsSchema)
    def get(self) -> dict[str, Any]:
        """Where one is signed in, the latest first; they are few, and not paged."""
        return {"items": running(), "next": None}

    @own.response(204)
    def delete(self) -> None:
        """End every session but the one that asks.

        Within ten minutes of signing in, or of `POST /sessions/proof`; later that is refused.
        """
        end(None)


@own.route("/<uuid:session_id>")
class OneSession(MethodView):
    @own.response(204)
    def delete(self, session_id: UUID) -> None:
        """End another session of one's own; see there about when."""
        end(session_id)


@own.route("/proof")
class Proof(MethodView):
    @own.arguments(ProofSchema)
    @own.response(200, SessionSchema)
    def post(self, form: Form) -> SignedIn:
        """Prove once more who one is, for ten minutes: this session has a new token from now on."""
        return account.prove(current_context(), current_actor(), own_token(), form)


def running() -> list[dict[str, Any]]:
    """Return where whoever asks is signed in."""
    present = token_hash(own_token())
    return [
        {**row.columns, "is_present": row.token_hash == present}
        for row in sessions.own_sessions(current_context(), current_actor())
    ]


def end(session_id: UUID | None) -> None:
    """End one session of whoever asks, or all but theirs."""
    account.end_session(current_context(), current_actor(), own_token(), session_id=session_id)


@leaving.route("/current")
class CurrentSession(MethodView):
    @leaving.response(204)
    def delete(self) -> None:
        """Sign out: the token of this request is no longer good."""
        sessions.sign_out(current_context(), current_actor(), own_token())


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
        device = devices.program(request.headers.get("User-Agent", ""))
        passwords.set_password(current_context(), form, device)
