"""Another address to sign in by: asked for when signed in, answered by the links in mails."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from marketplace.accounts import email_changes
from marketplace.core.errors import Gone, Invalid, NotSignedIn, TooManyAttempts
from marketplace.core.links import Purpose
from marketplace.core.texts import N_
from marketplace.web.api.account import LinkTokenSchema, NewEmailSchema
from marketplace.web.auth import current_actor, current_context, own_token
from marketplace.web.pages import tokens
from marketplace.web.pages.forms import Filled, read
from marketplace.web.pages.own_account import own_account
from marketplace.web.pages.sign_in import leave, to_sign_in, wait_a_while
from marketplace.web.requests import load

asking = Blueprint("email_change", __name__, url_prefix="/account/email")
asking.register_error_handler(NotSignedIn, to_sign_in)
by_link = Blueprint("email_change_link", __name__, url_prefix="/email-change")

Page = Response | str | tuple[str, int]

LABELS = {
    "": "",
    "email": N_("The new e-mail address"),
    "current_password": N_("The password"),
    "totp": N_("The one-time code"),
}


@asking.get("")
def form() -> str:
    return _form(Filled(LABELS))


@asking.post("")
def ask() -> Page:
    """Write to both addresses; whether the new one is known, nobody is told."""
    sent = read(NewEmailSchema(), request.form)
    asked = load(NewEmailSchema(), sent.data)
    typed = {"email": sent.typed.get("email", [])}
    try:
        email_changes.ask_email_change(current_context(), current_actor(), own_token(), asked)
    except Invalid as refused:
        return _form(Filled(LABELS).wrong(refused.errors, typed)), 422
    except TooManyAttempts as refused:
        return _form(Filled(LABELS).wrong([wait_a_while(refused)], typed)), 429
    flash(_("Both addresses are written to: it counts once each has confirmed it."))
    return redirect(url_for("own_account.own_page"), 303)


@asking.post("/cancel")
def cancel() -> Response:
    """Take it back."""
    email_changes.cancel_email_change(current_context(), current_actor(), own_token())
    flash(_("Your address stays as it is."))
    return redirect(url_for("own_account.own_page"), 303)


def _form(filled: Filled) -> str:
    return render_template("account_email.html", form=filled, account=own_account())


@by_link.get("/<token>")
def open_link(token: str) -> Page:
    """Take the token out of the address."""
    try:
        _show(token)
    except Gone:
        return _lapsed()
    return tokens.take(Purpose.EMAIL_NEW, token, "email_change_link.look")


@by_link.get("")
def look() -> Page:
    """Show what is asked, with the buttons that answer it."""
    token = tokens.kept(Purpose.EMAIL_NEW)
    if token is None:
        return tokens.missing()
    try:
        return _show(token)
    except Gone:
        return _lapsed()


def _show(token: str) -> str:
    ctx = current_context()
    with ctx.reading() as reading:
        change, side = email_changes.change_for(reading, token, ctx)
    is_old = side is Purpose.EMAIL_OLD
    return render_template("email_change.html", change=change, is_old=is_old, token=token)


@by_link.post("")
def confirm() -> Page:
    """Confirm it on this side."""
    token = tokens.sent()
    try:
        is_done = email_changes.confirm_email_change(
            current_context(), load(LinkTokenSchema(), {"token": token})
        )
    except (Gone, Invalid):
        return _lapsed()
    tokens.forget(Purpose.EMAIL_NEW, token)
    if is_done:
        leave()
        flash(_("Your address is changed. Please sign in with the new one."))
        return redirect(url_for("sign_in.form"), 303)
    return render_template("email_change_half.html")


@by_link.post("/stop")
def stop() -> Page:
    """Stop it: it was not them."""
    token = tokens.sent()
    try:
        email_changes.stop_email_change(
            current_context(), load(LinkTokenSchema(), {"token": token})
        )
    except (Gone, Invalid):
        return _lapsed()
    leave()
    flash(_("It is stopped, and your account is signed out everywhere. Set a new password now."))
    return redirect(url_for("sign_in.forgot"), 303)


def _lapsed() -> tuple[str, int]:
    return render_template("link_lapsed.html", what="email"), 410
