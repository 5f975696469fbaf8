"""Who signs in for a provider, as its people see to it themselves."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from marketplace.core.errors import Conflict, Invalid, NotFound, NotSignedIn
from marketplace.core.texts import N_
from marketplace.providers import team
from marketplace.web.auth import current_actor, current_context
from marketplace.web.fields import Email, In, Text
from marketplace.web.pages.forms import Filled, read
from marketplace.web.pages.portal import own_profile
from marketplace.web.pages.sign_in import to_sign_in
from marketplace.web.pages.words import sentence
from marketplace.web.requests import load

pages = Blueprint("portal_team", __name__, url_prefix="/portal/team")
pages.register_error_handler(NotSignedIn, to_sign_in)


class NewMemberSchema(In):
    """Whom to invite."""

    name = Text(at_most=120, required=True)
    email = Email(required=True)


LABELS = {"": "", "name": N_("The name"), "email": N_("The e-mail address")}


@pages.get("")
def people() -> str:
    """Show who signs in, who was invited to, and the form to invite another."""
    return show(Filled(LABELS))


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


@pages.post("/<uuid:user_id>/remove")
def remove(user_id: UUID) -> Response:
    """Let somebody in no more; whoever removes themselves is signed out."""
    ctx, actor = current_context(), current_actor()
    answer = _done(
        lambda: team.remove_member(ctx, actor, user_id),
        _("They can sign in no more, and are signed out everywhere."),
    )
    if user_id == actor.id and not any(user_id == each.id for each in _team().members):
        session.clear()
        flash(_("You do not sign in here any more."))
        return redirect(url_for("sign_in.form"), 303)
    return answer


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
    return render_template(
        "team.html",
        form=form,
        team=_team(),
        me=current_actor().id,
        at_most=current_context().policy.team_at_most,
        profile=profile,
        zone=zone,
    )
