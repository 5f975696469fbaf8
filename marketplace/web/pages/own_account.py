"""One's own account: password, recovery codes, and where one is signed in."""

from uuid import UUID

from flask import Blueprint, flash, g, redirect, render_template, request, session, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from marketplace.accounts import own, proving, queries
from marketplace.accounts.sessions import SignedIn
from marketplace.core.errors import Conflict, Invalid, NotFound, NotSignedIn, TooManyAttempts
from marketplace.core.texts import N_
from marketplace.web.api.account import ChangedPasswordSchema, ProvenIn
from marketplace.web.api.sessions import ProofSchema, end, running
from marketplace.web.auth import SESSION_TOKEN, current_actor, current_context, own_token
from marketplace.web.pages.forms import Filled, read
from marketplace.web.pages.sign_in import to_sign_in, wait_a_while
from marketplace.web.pages.words import sentence
from marketplace.web.requests import load

pages = Blueprint("own_account", __name__, url_prefix="/account")
pages.register_error_handler(NotSignedIn, to_sign_in)

Page = Response | str | tuple[str, int]

LABELS = {
    "": "",
    "current_password": N_("The password that you have now"),
    "totp": N_("The one-time code"),
    "password": N_("The new password"),
}


@pages.get("")
def own_page() -> str:
    """Show who one is here, and where one is signed in."""
    return show(Filled(LABELS))


def show(form: Filled) -> str:
    ctx, account = current_context(), own_account()
    with ctx.reading() as reading:
        zone = queries.zone_of(reading, account.user)
    return render_template(
        "account.html",
        form=form,
        account=account,
        sessions=running(),
        is_fresh=proving.is_fresh(account.session, ctx),
        zone=zone,
        policy=ctx.policy,
    )


def own_account() -> own.Account:
    return own.own_account(current_context(), current_actor(), own_token())


@pages.post("/sessions/end")
def end_others() -> Page:
    """End every session but this one."""
    return _end(None)


@pages.post("/sessions/<uuid:session_id>/end")
def end_one(session_id: UUID) -> Page:
    """End one other session."""
    return _end(session_id)


def _end(session_id: UUID | None) -> Page:
    ctx = current_context()
    sent = read(ProofSchema(), request.form)
    try:
        if not proving.is_fresh(own_account().session, ctx):
            form = load(ProofSchema(), sent.data)
            keep(own.prove(ctx, current_actor(), own_token(), form))
        end(session_id)
    except Invalid as refused:
        return show(Filled(LABELS).wrong(refused.errors)), 422
    except TooManyAttempts as refused:
        return show(Filled(LABELS).wrong([wait_a_while(refused)])), 429
    except NotFound:
        flash(_("That session is over already."))
    else:
        flash(_("Signed out there."))
    return redirect(url_for("own_account.own_page"), 303)


@pages.get("/password")
def password() -> str:
    """Show the form for another password."""
    return _password(Filled(LABELS))


@pages.post("/password")
def change_password() -> Page:
    """Change the password; this browser stays signed in, by another token."""
    sent = read(ChangedPasswordSchema(), request.form)
    form = load(ChangedPasswordSchema(), sent.data)
    try:
        keep(own.change_password(current_context(), current_actor(), own_token(), form))
    except Invalid as refused:
        return _password(Filled(LABELS).wrong(refused.errors)), 422
    except TooManyAttempts as refused:
        return _password(Filled(LABELS).wrong([wait_a_while(refused)])), 429
    flash(_("Your password is changed, and you are signed out everywhere else."))
    return redirect(url_for("own_account.own_page"), 303)


def keep(renewed: SignedIn) -> None:
    """Keep the new token of this browser's session."""
    session[SESSION_TOKEN] = g.token = renewed.token


def _password(form: Filled) -> str:
    return render_template("account_password.html", form=form, account=own_account())


@pages.post("/recovery-codes")
def renew_codes() -> Page:
    """Make the recovery codes anew, and show them this once."""
    ctx, actor, token = current_context(), current_actor(), own_token()
    sent = read(ProvenIn(), request.form)
    try:
        made = own.renew_recovery_codes(ctx, actor, token, load(ProvenIn(), sent.data))
    except Invalid as refused:
        return _codes(Filled(LABELS).wrong(refused.errors)), 422
    except TooManyAttempts as refused:
        return _codes(Filled(LABELS).wrong([wait_a_while(refused)])), 429
    except Conflict as refused:
        flash(sentence(refused), "problem")
        return redirect(url_for("own_account.own_page"), 303)
    keep(made.signed_in)
    return render_template("recovery_codes.html", codes=made.codes)


@pages.get("/recovery-codes")
def codes() -> Page:
    """Show how many are left, and the form to make them anew."""
    if not own_account().has_second_factor:
        return redirect(url_for("second_factor.form"), 303)
    return _codes(Filled(LABELS))


def _codes(form: Filled) -> str:
    return render_template("account_codes.html", form=form, account=own_account())


@pages.post("/second-factor/remove")
def remove_factor() -> Page:
    """Sign in by the password alone from now on."""
    ctx, actor, token = current_context(), current_actor(), own_token()
    sent = read(ProvenIn(), request.form)
    try:
        keep(own.remove_second_factor(ctx, actor, token, load(ProvenIn(), sent.data)))
    except Invalid as refused:
        return _removal(Filled(LABELS).wrong(refused.errors)), 422
    except TooManyAttempts as refused:
        return _removal(Filled(LABELS).wrong([wait_a_while(refused)])), 429
    except Conflict as refused:
        flash(sentence(refused), "problem")
    else:
        flash(_("Your second factor is removed."))
    return redirect(url_for("own_account.own_page"), 303)


@pages.get("/second-factor/remove")
def removal() -> Page:
    """Ask once more."""
    account = own_account()
    if account.is_required or not account.has_second_factor:
        return redirect(url_for("second_factor.form"), 303)
    return _removal(Filled(LABELS))


def _removal(form: Filled) -> str:
    return render_template("account_removal.html", form=form, account=own_account())
