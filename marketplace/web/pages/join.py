"""What a provider may expect, and the form by which it asks to join."""

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from marketplace.core.errors import Invalid
from marketplace.providers import service
from marketplace.providers.rules import default_coverage
from marketplace.quotes.rules import FEWEST_FOR_A_STANDING
from marketplace.web.api.provider_schemas import NewProviderSchema
from marketplace.web.auth import current_context
from marketplace.web.pages.choices import choices
from marketplace.web.pages.coverage import by_name, read_coverage
from marketplace.web.pages.forms import Filled, Sent, read, typed_from
from marketplace.web.pages.lead_form import promised
from marketplace.web.pages.quote_labels import JOINING
from marketplace.web.requests import load

pages = Blueprint("join", __name__, url_prefix="/join")


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
