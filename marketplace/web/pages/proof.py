"""Proving once more who one is, before somebody is let in or out; what was typed goes along."""

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from marketplace.accounts import own
from marketplace.core.errors import Invalid, NotSignedIn, ProofNeeded, TooManyAttempts
from marketplace.core.texts import N_
from marketplace.web.api.account import ProvenIn
from marketplace.web.auth import current_actor, current_context, own_token
from marketplace.web.pages.forms import Filled, read
from marketplace.web.pages.own_account import keep, own_account
from marketplace.web.pages.sign_in import (
    local,
    page_of_form,
    sealed_form,
    to_sign_in,
    unsealed,
    wait_a_while,
)
from marketplace.web.requests import load

pages = Blueprint("proof", __name__, url_prefix="/account/proof")
pages.register_error_handler(NotSignedIn, to_sign_in)

Page = Response | str | tuple[str, int]

LABELS = {"": "", "current_password": N_("The password"), "totp": N_("The one-time code")}


@pages.get("")
def form() -> str:
    """Ask for it."""
    return _show(Filled(LABELS), request.args.get("next", ""), "")


@pages.post("")
def prove() -> Page:
    """Take it, and go on: with the form that waited for it, if one did."""
    sent = read(ProvenIn(), request.form)
    onward, left = request.form.get("next", ""), request.form.get("left", "")
    try:
        keep(
            own.prove(current_context(), current_actor(), own_token(), load(ProvenIn(), sent.data))
        )
    except Invalid as refused:
        return _show(Filled(LABELS).wrong(refused.errors), onward, left), 422
    except TooManyAttempts as refused:
        return _show(Filled(LABELS).wrong([wait_a_while(refused)]), onward, left), 429
    then, waited = local(onward) or url_for("own_account.own_page"), unsealed(left)
    if waited is not None:
        return render_template("go_on.html", left=waited, onward=then, is_proven=True)
    return redirect(then, 303)


def to_proof(_: ProofNeeded) -> Response | tuple[str, int]:
    """Ask whoever sent a form to prove who they are; it goes along, and is sent by them then."""
    onward, left = page_of_form() or "", sealed_form()
    if left is None:
        return redirect(url_for("proof.form", next=onward), 303)
    return _show(Filled(LABELS), onward, left), 403


def _show(filled: Filled, onward: str, left: str) -> str:
    return render_template(
        "proof.html", form=filled, account=own_account(), onward=local(onward), left=left
    )
