"""Who signs in for a provider, and what each of them may do."""

from typing import Any
from uuid import UUID

from flask.views import MethodView
from marshmallow import Schema, fields

from marketplace.accounts.models import User
from marketplace.core.actors import TeamRole
from marketplace.core.forms import Form
from marketplace.providers import members, team
from marketplace.providers.models import TeamInvitation
from marketplace.web.auth import current_actor, current_context
from marketplace.web.fields import Choice, Email, In, Moment, Text, YesNo
from marketplace.web.idempotency import idempotent
from marketplace.web.requests import Blueprint

blp = Blueprint(
    "team",
    __name__,
    url_prefix="/api/v1/portal/team",
    description="Who signs in for a provider: its people see each other, its owners let them in",
)


class NewMemberSchema(In):
    """Whom to invite, and as what: a member, unless that is said."""

    name = Text(at_most=120, required=True)
    email = Email(required=True)
    role = Choice(TeamRole, load_default=TeamRole.MEMBER)


class RoleSchema(In):
    """What somebody is to be in the team."""

    role = Choice(TeamRole, required=True)


class RemovalArgs(In):
    """Whether the keys that they answer for are kept, by whoever removes them."""

    keep_keys = fields.Boolean(load_default=False)


class MemberSchema(Schema):
    """Somebody who signs in."""

    id = fields.UUID()
    name = fields.String()
    email = fields.String()
    role = Choice(TeamRole)
    can_sign_in = YesNo()
    """Whether they have set a password."""
    since = Moment()


class InvitedColleagueSchema(Schema):
    """Somebody who was invited, and has not come yet."""

    id = fields.UUID()
    name = fields.String()
    email = fields.String()
    role = Choice(TeamRole)
    invited_at = Moment()
    expires_at = Moment()


class TeamSchema(Schema):
    """Everybody, the first one first."""

    people = fields.List(fields.Nested(MemberSchema))
    invited = fields.List(fields.Nested(InvitedColleagueSchema))
    at_most = fields.Integer()


class ChangedSchema(Schema):
    """Whose role it is, of somebody who signs in or is invited to."""

    id = fields.UUID()
    name = fields.String()
    email = fields.String()
    role = Choice(TeamRole)


@blp.route("")
class TheTeam(MethodView):
    @blp.response(200, TeamSchema)
    def get(self) -> dict[str, Any]:
        """Who signs in, and who was invited to."""
        ctx = current_context()
        found = team.own_team(ctx, current_actor())
        return {
            "people": [_shown(each) for each in found.members],
            "invited": found.invited,
            "at_most": ctx.policy.team_at_most,
        }

    @idempotent
    @blp.arguments(NewMemberSchema)
    @blp.response(201, InvitedColleagueSchema)
    def post(self, form: Form) -> TeamInvitation:
        """Invite a colleague; whether the address is known to us, nobody is told."""
        return team.invite_member(current_context(), current_actor(), form)


@blp.route("/<uuid:member_id>")
class OneOfTheTeam(MethodView):
    @blp.arguments(RoleSchema)
    @blp.response(200, ChangedSchema)
    def patch(self, form: Form, member_id: UUID) -> dict[str, Any]:
        """Give somebody another role, which signs them out; an owner who can sign in remains."""
        ctx, actor = current_context(), current_actor()
        changed = members.change_role(ctx, actor, member_id, **form.accept())
        role = changed.team_role if isinstance(changed, User) else changed.role
        return {**changed.columns, "role": role}

    @blp.arguments(RemovalArgs, location="query")
    @blp.response(204)
    def delete(self, args: dict[str, Any], member_id: UUID) -> None:
        """Remove somebody, or take an invitation back.

        Their keys go with them unless kept, and so do the invitations that they made.
        """
        members.remove_member(current_context(), current_actor(), member_id, **args)


def _shown(user: User) -> dict[str, Any]:
    return {
        "id": user.id,
        "name": user.name,
        "email": user.email,
        "role": user.team_role,
        "can_sign_in": user.can_sign_in,
        "since": user.created_at,
    }
