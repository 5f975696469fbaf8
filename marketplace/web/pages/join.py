"""What a provider may expect, the form by which it asks to join, and how it takes that back."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from marketplace.core import links
from marketplace.core.errors import Conflict, Gone, Invalid
from marketplace.core.links import Purpose
from marketplace.privacy.applicants import withdraw_application
from marketplace.providers import service
from marketplace.providers.rules import default_coverage
from marketplace.quotes.rules import FEWEST_FOR_A_STANDING
from marketplace.web.api.provider_applications import WithdrawalSchema
from marketplace.web.api.provider_schemas import NewProviderSchema
from marketplace.web.auth import current_context
from marketplace.web.pages import tokens
from marketplace.web.pages.choices import choices
from marketplace.web.pages.coverage import by_name, read_coverage
from marketplace.web.pages.forms import Filled, Sent, read, typed_from
from marketplace.web.pages.lead_form import promised
from marketplace.web.pages.quote_labels import JOINING
from marketplace.web.pages.words import sentence
from marketplace.web.requests import load

pages = Blueprint("join", __name__, url_prefix="/join")

Page = Response | str | tuple[str, int]


@pages.get("")
def form() -> str:
    """Show the page, with the form as most fill it in."""
    usual = {"country": "AU", "coverage": default_coverage()}
    return show(Filled(JOINING, typed_from(usual)))


@pages.post("")
def send() -> Response | tuple[str, int]:
    """Take the application; sent twice it is one."""
    sent = read_form(request.form)
    try:
        service.apply_to_join(current_context(), load(NewProviderSchema(), sent.data))
    except Invalid as refused:
        errors = [by_name(error, sent) for error in refused.errors]
        return show(Filled(JOINING).wrong(errors, sent.typed)), 422
    return redirect(url_for("join.received"), 303)


@pages.get("/received")
def received() -> str:
    """Say what happens next: the same for everybody."""
    return render_template("joined.html")


@pages.get("/withdraw/<token>")
def open_withdrawal(token: str) -> Page:
    """Take the token out of the address."""
    if not _is_good(token):
        return _lapsed()
    return tokens.take(Purpose.WITHDRAW, token, "join.look_before_withdrawing")


@pages.get("/withdraw")
def look_before_withdrawing() -> Page:
    """Ask before anything is erased."""
    token = tokens.kept(Purpose.WITHDRAW)
    if token is None:
        return tokens.missing()
    if not _is_good(token):
        return _lapsed()
    return render_template("withdraw.html", token=token, done=False)


@pages.post("/withdraw")
def withdraw() -> Page:
    """Take the application back: who sent it is forgotten."""
    token = tokens.sent()
    try:
        withdraw_application(current_context(), load(WithdrawalSchema(), {"token": token}))
    except (Gone, Invalid):
        return _lapsed()
    except Conflict as refused:
        flash(sentence(refused), "problem")
        return redirect(url_for("sign_in.form"), 303)
    tokens.forget(Purpose.WITHDRAW, token)
    return render_template("withdraw.html", done=True)


def _is_good(token: str) -> bool:
    ctx = current_context()
    with ctx.reading() as reading:
        link = links.link_for(reading, Purpose.WITHDRAW, token, now=ctx.clock())
        return link is not None and link.used_at is None


def _lapsed() -> tuple[str, int]:
    return render_template("link_lapsed.html", what="withdraw"), 410


def read_form(posted: MultiDict[str, str]) -> Sent:
    sent = read(NewProviderSchema(), posted)
    read_coverage(sent, posted)
    return sent


def show(form: Filled) -> str:
    ctx = current_context()
    return render_template(
        "join.html",
        form=form,
        offered=choices(ctx),
        policy=ctx.policy,
        promised=promised(ctx.policy),
        fewest_for_a_standing=FEWEST_FOR_A_STANDING,
    )
