"""Who runs the marketplace: for administrators."""

from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from marketplace.accounts import administrators, lost_factors, queries, sessions
from marketplace.accounts.models import User
from marketplace.core.errors import Conflict, Invalid, NotSignedIn, ProofNeeded
from marketplace.core.texts import N_
from marketplace.web.api.admin_people import LostFactorSchema, NewAdministratorSchema
from marketplace.web.auth import current_actor, current_context
from marketplace.web.pages.desk import done
from marketplace.web.pages.forms import Filled, read
from marketplace.web.pages.proof import to_proof
from marketplace.web.pages.sign_in import to_sign_in
from marketplace.web.pages.words import sentence
from marketplace.web.requests import load

pages = Blueprint("people_desk", __name__, url_prefix="/admin/people")
pages.register_error_handler(NotSignedIn, to_sign_in)
pages.register_error_handler(ProofNeeded, to_proof)

LABELS = {"": "", "name": N_("The name"), "email": N_("The e-mail address")}


@pages.get("")
def all_() -> str:
    """Show who there is, and the form to invite another."""
    return show(Filled(LABELS))


@pages.post("")
def invite() -> Response | tuple[str, int]:
    """Make somebody an administrator."""
    sent = read(NewAdministratorSchema(), request.form)
    ctx, actor = current_context(), current_actor()
    try:
        administrators.invite_admin(ctx, actor, load(NewAdministratorSchema(), sent.data))
    except Invalid as refused:
        return show(Filled(LABELS).wrong(refused.errors, sent.typed)), 422
    except Conflict as refused:
        flash(sentence(refused), "problem")
    else:
        flash(_("They are written to at %(address)s.", address=sent.data["email"]))
    return redirect(url_for("people_desk.all_"), 303)


@pages.post("/<uuid:user_id>/link")
def link(user_id: UUID) -> Response:
    """Mail one without a password a link to set one."""
    ctx, actor = current_context(), current_actor()
    return done(
        lambda: administrators.mail_link_again(ctx, actor, user_id),
        _("The link is mailed again, at most once an hour."),
        url_for("people_desk.all_"),
    )


@pages.post("/<uuid:user_id>/sign-out")
def sign_out(user_id: UUID) -> Response:
    """Sign anybody out everywhere: an administrator, or one of a provider's people."""
    ctx, actor = current_context(), current_actor()
    with ctx.reading() as reading:
        user = reading.get(User, user_id)
    provider_id = user.provider_id if user else None
    return done(
        lambda: sessions.end_sessions_of(ctx, actor, user_id),
        _("They are signed out everywhere, and can sign in again."),
        url_for("provider_desk.one", provider_id=provider_id)
        if provider_id
        else url_for("people_desk.all_"),
    )


@pages.post("/<uuid:user_id>/second-factor/remove")
def take_factor_off(user_id: UUID) -> Response:
    """Take off the second factor of a provider's person who lost it."""
    ctx, actor = current_context(), current_actor()
    with ctx.reading() as reading:
        user = reading.get(User, user_id)
    then = url_for("people_desk.all_")
    if user is not None and user.provider_id is not None:
        then = url_for("provider_desk.one", provider_id=user.provider_id)
    try:
        values = load(LostFactorSchema(), read(LostFactorSchema(), request.form).data).accept()
    except Invalid:
        flash(_("Please say how you made sure who asks. Nothing was changed."), "problem")
        return redirect(then, 303)
    return done(
        lambda: lost_factors.take_factor_off(ctx, actor, user_id, **values),
        _("The second factor is off, they are signed out everywhere, and all of them are told."),
        then,
    )


@pages.post("/<uuid:user_id>/remove")
def remove(user_id: UUID) -> Response:
    """Let somebody in no more; whoever removes themselves is signed out."""
    ctx, actor = current_context(), current_actor()
    answer = done(
        lambda: administrators.remove_admin(ctx, actor, user_id),
        _("They can sign in no more, and are signed out everywhere."),
        url_for("people_desk.all_"),
    )
    with ctx.reading() as reading:
        if actor.id == user_id and reading.get_one(User, user_id).disabled_at is not None:
            session.clear()
            flash(_("You do not sign in here any more."))
            return redirect(url_for("sign_in.form"), 303)
    return answer


def show(form: Filled) -> str:
    with current_context().reading() as reading:
        people = queries.admins(reading)
        return render_template(
            "admin_people.html",
            form=form,
            people=people,
            seen=administrators.last_signed_in(reading, people),
            me=current_actor().id,
        )
