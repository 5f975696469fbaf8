"""Setting up a second factor: shown as a QR code and as text, confirmed by a code."""

import segno
from flask import Blueprint, redirect, render_template, request, url_for
from markupsafe import Markup
from werkzeug.wrappers import Response

from marketplace.accounts import own
from marketplace.core.errors import Conflict, Invalid, NotSignedIn, TooManyAttempts
from marketplace.core.texts import N_
from marketplace.web.api.account import NewFactorSchema
from marketplace.web.auth import current_actor, current_context, own_token
from marketplace.web.pages.forms import Filled, read
from marketplace.web.pages.own_account import keep
from marketplace.web.pages.sign_in import to_sign_in, wait_a_while
from marketplace.web.requests import load

pages = Blueprint("second_factor", __name__, url_prefix="/account/second-factor")
pages.register_error_handler(NotSignedIn, to_sign_in)

LABELS = {
    "": "",
    "set_up": N_("The secret"),
    "code": N_("The code of the new authenticator"),
    "current_password": N_("The password"),
    "totp": N_("The one-time code that you sign in with now"),
}


@pages.get("")
def form() -> str:
    """Show a fresh secret, and the form that confirms it."""
    begun = own.begin_second_factor(current_context(), current_actor(), own_token())
    return _show(Filled(LABELS), begun)


@pages.post("")
def confirm() -> Response | str | tuple[str, int]:
    """Let it count, and show the recovery codes this once."""
    ctx, actor, token = current_context(), current_actor(), own_token()
    sent = read(NewFactorSchema(), request.form)
    try:
        made = own.set_second_factor(ctx, actor, token, load(NewFactorSchema(), sent.data))
    except (Invalid, TooManyAttempts) as refused:
        is_wait = isinstance(refused, TooManyAttempts)
        errors = [wait_a_while(refused)] if isinstance(refused, TooManyAttempts) else refused.errors
        begun = own.shown_again(ctx, actor, token, request.form.get("set_up", ""))
        return _show(Filled(LABELS).wrong(errors), begun), 429 if is_wait else 422
    except Conflict:
        return redirect(url_for("second_factor.form"), 303)
    keep(made.signed_in)
    return render_template("recovery_codes.html", codes=made.codes)


def _show(filled: Filled, begun: own.SetUp) -> str:
    account = own.own_account(current_context(), current_actor(), own_token())
    return render_template(
        "second_factor.html",
        form=filled,
        begun=begun,
        groups=" ".join(begun.secret[at : at + 4] for at in range(0, len(begun.secret), 4)),
        qr=qr_code(begun.address),
        account=account,
    )


def qr_code(address: str) -> Markup:
    """Return the code as an SVG element, without styles: dark on light in every scheme."""
    drawn = segno.make(address, error="m", micro=False)
    return Markup(  # nosec B704  # squares and numbers: nothing of the address stands in it
        drawn.svg_inline(
            scale=5,
            border=4,
            dark="#000",
            light="#fff",
            svgclass="qr",
            lineclass=None,
            omitsize=False,
        )
    )
