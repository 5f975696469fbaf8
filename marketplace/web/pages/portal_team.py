"""Who signs in for a provider, as its people see to it themselves."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from marketplace.accounts import queries
from marketplace.core.actors import TeamRole
from marketplace.core.errors import Conflict, Invalid, NotFound, NotSignedIn, ProofNeeded
from marketplace.core.texts import N_
from marketplace.providers import members, team
from marketplace.web.api.portal_team import NewMemberSchema, RoleSchema
from marketplace.web.auth import current_actor, current_context
from marketplace.web.pages.forms import Filled, read
from marketplace.web.pages.portal import own_profile
from marketplace.web.pages.proof import to_proof
from marketplace.web.pages.sign_in import to_sign_in
from marketplace.web.pages.words import sentence
from marketplace.web.requests import load

pages = Blueprint("portal_team", __name__, url_prefix="/portal/team")
pages.register_error_handler(NotSignedIn, to_sign_in)
pages.register_error_handler(ProofNeeded, to_proof)


LABELS = {
    "": "",
    "name": N_("The name"),
    "email": N_("The e-mail address"),
    "role": N_("The role"),
}


@pages.get("")
def people() -> str:
    """Show who signs in, who was invited to, and the form to invite another."""
    return show(Filled(LABELS, {"role": [TeamRole.MEMBER]}))


@pages.post("")
def invite() -> Response | tuple[str, int]:
    """Invite a colleague; whether the address is known to us, nobody is told."""
    sent = read(NewMemberSchema(), request.form)
    try:
        team.invite_member(current_context(), current_actor(), load(NewMemberSchema(), sent.data))
    except Invalid as refused:
        return show(Filled(LABELS).wrong(refused.errors, sent.typed)), 422
    except Conflict as refused:
        flash(sentence(refused), "problem")
    else:
        flash(_("They are written to at %(address)s.", address=sent.data["email"]))
    return redirect(url_for("portal_team.people"), 303)


@pages.post("/invitations/<uuid:invitation_id>/again")
def again(invitation_id: UUID) -> Response:
    """Mail an invitation once more."""
    return _done(
        lambda: team.invite_again(current_context(), current_actor(), invitation_id),
        _("The invitation is mailed again, at most once an hour."),
    )


@pages.post("/invitations/<uuid:invitation_id>/withdraw")
def withdraw(invitation_id: UUID) -> Response:
    """Take an invitation back."""
    return _done(
        lambda: team.withdraw_invitation(current_context(), current_actor(), invitation_id),
        _("The invitation is taken back: its link opens nothing any more."),
    )


@pages.post("/<uuid:user_id>/link")
def link(user_id: UUID) -> Response:
    """Mail a colleague without a password a link to set one."""
    return _done(
        lambda: team.mail_first_link(current_context(), current_actor(), user_id),
        _("The link is mailed again, at most once an hour."),
    )


@pages.post("/<uuid:member_id>/role")
def change(member_id: UUID) -> Response:
    """Give somebody another role, which signs them out; whoever does it to themselves as well."""
    ctx, actor = current_context(), current_actor()
    role = load(RoleSchema(), read(RoleSchema(), request.form).data).accept()["role"]
    before = _own_role()
    answer = _done(
        lambda: members.change_role(ctx, actor, member_id, role=role),
        _("The role is changed. They are signed out everywhere, and told by mail."),
    )
    if _own_role() == before:
        return answer
    return _signed_out(_("You have another role now. Please sign in again."))


@pages.post("/<uuid:user_id>/remove")
def remove(user_id: UUID) -> Response:
    """Let somebody in no more; whoever removes themselves is signed out."""
    ctx, actor = current_context(), current_actor()
    keep_keys = request.form.get("keep_keys") == "yes"
    answer = _done(
        lambda: members.remove_member(ctx, actor, user_id, keep_keys=keep_keys),
        _("They can sign in no more, and are signed out everywhere."),
    )
    if _own_role() is not None:
        return answer
    return _signed_out(_("You do not sign in here any more."))


def _own_role() -> TeamRole | None:
    """Return what who acts is in the team; None once they are not in it."""
    me = current_actor().id
    return next((each.team_role for each in _team().members if each.id == me), None)


def _signed_out(said: str) -> Response:
    session.clear()
    flash(said)
    return redirect(url_for("sign_in.form"), 303)


def _done(act: Callable[[], Any], said: str) -> Response:
    """Do it and say so; what was done already, by whomever, is no fault of who asks again."""
    try:
        act()
        flash(said)
    except NotFound:
        flash(_("That was done already."))
    except Conflict as refused:
        flash(sentence(refused), "problem")
    return redirect(url_for("portal_team.people"), 303)


def _team() -> team.Team:
    return team.own_team(current_context(), current_actor())


def show(form: Filled) -> str:
    profile, zone = own_profile()
    ctx = current_context()
    with ctx.reading() as reading:
        own_keys = reading.scalars(queries.api_keys_of(profile.provider.id)).all()
    return render_template(
        "team.html",
        form=form,
        team=_team(),
        me=current_actor().id,
        at_most=ctx.policy.team_at_most,
        roles=list(TeamRole),
        as_what=[
            (TeamRole.MEMBER, _("Member"), _("Answers, and changes the profile.")),
            (TeamRole.READ_ONLY, _("Reads along"), _("Sees everything and changes nothing.")),
            (TeamRole.OWNER, _("Owner"), _("Lets people and software in and out as well.")),
        ],
        keys=own_keys,
        profile=profile,
        zone=zone,
    )
