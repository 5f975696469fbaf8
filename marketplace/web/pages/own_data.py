"""What is kept of whoever signs in: to be had, and to be erased; and how a provider leaves."""

from collections.abc import Callable

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from marketplace.core.actors import Actor, Right
from marketplace.core.context import Context
from marketplace.core.errors import Conflict, Invalid, NotSignedIn
from marketplace.core.forms import Form
from marketplace.core.texts import N_
from marketplace.privacy import accounts
from marketplace.web.api.account_data import PasswordIn
from marketplace.web.auth import current_actor, current_context
from marketplace.web.files import as_download
from marketplace.web.pages.forms import Filled, read
from marketplace.web.pages.sign_in import to_sign_in
from marketplace.web.pages.words import sentence
from marketplace.web.requests import load

pages = Blueprint("own_data", __name__, url_prefix="/account/data")
pages.register_error_handler(NotSignedIn, to_sign_in)

LABELS = {"": "", "password": N_("Your password")}


@pages.get("")
def look() -> str:
    """Show what is kept, and how it is had and erased."""
    return show(Filled(LABELS))


@pages.get("/download")
def fetch() -> Response:
    """Hand out everything, as JSON."""
    return as_download("account", accounts.account_data(current_context(), current_actor()))


@pages.post("/erase")
def erase() -> Response | tuple[str, int]:
    """Erase the account, once the password says that it is its owner."""
    return _done(accounts.erase_account, _("Your account is erased."))


@pages.post("/leave")
def leave() -> Response | tuple[str, int]:
    """Let the provider leave for good, once an owner's password says so."""
    return _done(accounts.leave, _("You have left: your people and your contact are erased."))


def _done(act: Callable[[Context, Actor, Form], None], said: str) -> Response | tuple[str, int]:
    sent = read(PasswordIn(), request.form)
    try:
        act(current_context(), current_actor(), load(PasswordIn(), sent.data))
    except Invalid as refused:
        return show(Filled(LABELS).wrong(refused.errors, {})), 422
    except Conflict as refused:
        flash(sentence(refused), "problem")
        return redirect(url_for("own_data.look"), 303)
    session.clear()
    flash(said)
    return redirect(url_for("sign_in.form"), 303)


def show(form: Filled) -> str:
    ctx, actor = current_context(), current_actor()
    return render_template(
        "own_data.html",
        form=form,
        policy=ctx.policy,
        may_leave=Right.TEAM in actor.rights,
    )
