"""Administrators, for administrators."""

from typing import Any
from uuid import UUID

from flask.views import MethodView
from marshmallow import Schema, fields

from marketplace.accounts import administrators, lost_factors, queries, sessions
from marketplace.accounts.lost_factors import Checked
from marketplace.accounts.models import User
from marketplace.core.forms import Form
from marketplace.web.auth import current_actor, current_context
from marketplace.web.fields import Choice, Email, In, Moment, Text, YesNo
from marketplace.web.idempotency import idempotent
from marketplace.web.paging import PageArgs, page
from marketplace.web.requests import Blueprint

blp = Blueprint(
    "admin_people",
    __name__,
    url_prefix="/api/v1/admin/people",
    description="Administrators",
)


class NewAdministratorSchema(In):
    """Whom to make an administrator."""

    name = Text(at_most=120, required=True)
    email = Email(required=True)


class LostFactorSchema(In):
    """How it was made sure who asks."""

    checked = Choice(Checked, required=True)


class AdministratorSchema(Schema):
    """Somebody who runs the marketplace."""

    id = fields.UUID()
    name = fields.String()
    email = fields.String()
    can_sign_in = YesNo()
    """Whether they have set a password."""
    created_at = Moment()
    last_signed_in_at = Moment(allow_none=True)


class AdministratorPageSchema(Schema):
    """A page of administrators."""

    items = fields.List(fields.Nested(AdministratorSchema))
    next = fields.String(allow_none=True)


@blp.route("")
class Administrators(MethodView):
    @blp.arguments(PageArgs, location="query")
    @blp.response(200, AdministratorPageSchema)
    def get(self, args: dict[str, Any]) -> dict[str, Any]:
        """Everybody who is an administrator, the newest first."""
        with current_context().reading() as session:
            found, after = page(session, queries.admin_rows(), User.id, **args)
            seen = administrators.last_signed_in(session, found)
            items = [_shown(each) | {"last_signed_in_at": seen.get(each.id)} for each in found]
            return {"items": items, "next": after}

    @idempotent
    @blp.arguments(NewAdministratorSchema)
    @blp.response(201, AdministratorSchema)
    def post(self, form: Form) -> dict[str, Any]:
        """Make somebody an administrator: a link to set a password is mailed to them."""
        made = administrators.invite_admin(current_context(), current_actor(), form)
        return _shown(made) | {"last_signed_in_at": None}


@blp.route("/<uuid:user_id>")
class OneAdministrator(MethodView):
    @blp.response(204)
    def delete(self, user_id: UUID) -> None:
        """Let somebody in no more; one who can sign in always remains."""
        administrators.remove_admin(current_context(), current_actor(), user_id)


@blp.route("/<uuid:user_id>/sessions")
class Sessions(MethodView):
    @blp.response(204)
    def delete(self, user_id: UUID) -> None:
        """Sign anybody out everywhere: an administrator, or one of a provider's people."""
        sessions.end_sessions_of(current_context(), current_actor(), user_id)


@blp.route("/<uuid:user_id>/second-factor/removal")
class LostFactor(MethodView):
    @blp.arguments(LostFactorSchema)
    @blp.response(204)
    @blp.alt_response(409, description="There is no second factor")
    def post(self, form: Form, user_id: UUID) -> None:
        """Take off the second factor of a provider's person who lost it; say how it was checked."""
        ctx, actor = current_context(), current_actor()
        lost_factors.take_factor_off(ctx, actor, user_id, **form.accept())


def _shown(user: User) -> dict[str, Any]:
    return {
        "id": user.id,
        "name": user.name,
        "email": user.email,
        "can_sign_in": user.can_sign_in,
        "created_at": user.created_at,
    }
