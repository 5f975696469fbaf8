"""What is kept of whoever signs in: to be had, and to be erased; and how a provider leaves."""

from collections.abc import Callable

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from marketplace.accounts import own
from marketplace.core.actors import Actor, Right
from marketplace.core.context import Context
from marketplace.core.errors import Conflict, Invalid, NotSignedIn, TooManyAttempts
from marketplace.core.texts import N_
from marketplace.privacy import accounts
from marketplace.web.api.account import ProvenIn
from marketplace.web.api.account_data import prove_and
from marketplace.web.auth import current_actor, current_context, own_token
from marketplace.web.files import as_download
from marketplace.web.pages.forms import Filled, read
from marketplace.web.pages.sign_in import to_sign_in, wait_a_while
from marketplace.web.pages.words import sentence
from marketplace.web.requests import load

pages = Blueprint("own_data", __name__, url_prefix="/account/data")
pages.register_error_handler(NotSignedIn, to_sign_in)

LABELS = {
    "": "",
    "current_password": N_("Your password now"),
    "totp": N_("One-time code"),
}

Page = Response | str | tuple[str, int]


@pages.get("")
def look() -> str:
    """Show what is kept, and how it is had and erased."""
    return show(Filled(LABELS))


@pages.get("/download")
def fetch() -> Response:
    """Hand out everything, as JSON."""
    return as_download("account", accounts.account_data(current_context(), current_actor()))


@pages.post("/erase")
def erase() -> Page:
    """Erase the account, once the password says that it is its owner."""
    return _done(accounts.erase_account, _("Your account is erased."))


@pages.get("/leave")
def look_before_leaving() -> str:
    """Say what leaving does, and ask who says so to prove it."""
    return show(Filled(LABELS), "leave_for_good.html")


@pages.post("/leave")
def leave() -> Page:
    """Let the provider leave for good, once an owner's password says so."""
    return _done(
        accounts.leave,
        _("You have left: your people and your contact are erased."),
        "leave_for_good.html",
    )


def _done(
    act: Callable[[Context, Actor, str], None], said: str, template: str = "own_data.html"
) -> Page:
    sent = read(ProvenIn(), request.form)
    try:
        prove_and(act, load(ProvenIn(), sent.data))
    except Invalid as refused:
        return show(Filled(LABELS).wrong(refused.errors), template), 422
    except TooManyAttempts as refused:
        return show(Filled(LABELS).wrong([wait_a_while(refused)]), template), 429
    except Conflict as refused:
        flash(sentence(refused), "problem")
        return redirect(url_for("own_data.look"), 303)
    session.clear()
    flash(said)
    return redirect(url_for("sign_in.form"), 303)


def show(form: Filled, template: str = "own_data.html") -> str:
    ctx, actor = current_context(), current_actor()
    return render_template(
        template,
        form=form,
        account=own.own_account(ctx, actor, own_token()),
        policy=ctx.policy,
        may_leave=Right.TEAM in actor.rights,
    )
