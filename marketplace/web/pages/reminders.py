"""Reminders of a certificate's dates: agreeing to them, changing, stopping, and the form after one.

With an own request's link, or by the link in a mail, which needs no account and uses nothing up.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from marketplace.core.errors import Conflict, Gone, Invalid, NotFound, NotSignedIn
from marketplace.core.links import Purpose
from marketplace.core.texts import N_
from marketplace.leads import asking_again, certificates, reminders
from marketplace.quotes import outcome
from marketplace.web.api.request import CertifiedOnIn, RemindersIn
from marketplace.web.auth import current_actor, current_context
from marketplace.web.pages import front, lead_form, own_request, tokens
from marketplace.web.pages.choices import choices
from marketplace.web.pages.forms import Filled, Typed, read, typed_from
from marketplace.web.pages.lead_errors import LABELS as LEAD_LABELS
from marketplace.web.pages.words import sentence
from marketplace.web.requests import load

own = Blueprint("own_reminders", __name__, url_prefix="/requests/reminders")
own.before_request(tokens.hold_to_its_request)
own.register_error_handler(NotSignedIn, own_request.ask_for_the_link)

pages = Blueprint("reminders", __name__)
"""For who comes by the link in a mail, without signing in."""

stopping = Blueprint("stop_reminders", __name__, url_prefix="/reminders")
"""Takes an empty form from mail programs as well (RFC 8058), which have no word of our pages."""

Page = Response | str | tuple[str, int]

LABELS = {
    "": "",
    "certified_on": N_("The day of the decision"),
    "standards": N_("The standards of the certificate"),
    "editions": N_("The editions"),
    "consent": N_("Your consent"),
}


@own.get("")
def look() -> Page:
    """Show what is asked before anything is sent, or what the business is reminded of."""
    return _own(Filled(LABELS))


def _own(form: Filled) -> Page:
    shown = own_request.the_request()
    if shown["reminders"] is not None:
        return _managing(
            shown["reminders"],
            form,
            change=url_for("own_reminders.change"),
            stop=url_for("own_reminders.stop"),
            back=url_for("own_request.own"),
        )
    if not shown["may_be_reminded"]:
        flash(_("There is no certificate yet of whose dates we could remind you."), "problem")
        return redirect(url_for("own_request.own"), 303)
    ctx, actor = current_context(), current_actor()
    offered = reminders.remindable(ctx, actor)
    if not form.typed:
        form = Filled(LABELS, {"standards": [each.code for each in offered]})
    return render_template(
        "want_reminders.html",
        request_=shown,
        offered=offered,
        today=ctx.clock().date(),
        form=form,
        policy=ctx.policy,
    )


@own.post("")
def want() -> Page:
    """Take the consent, and the day from which all dates are reckoned."""
    sent = read(RemindersIn(), request.form)
    ticked = sent.data.get("standards", [])
    editions = {code: request.form.get(f"editions.{code}", "") for code in ticked}
    data = {**sent.data, "editions": {code: said for code, said in editions.items() if said}}
    typed = sent.typed | {f"editions.{code}": [said] for code, said in editions.items()}
    try:
        outcome.want_reminders(
            current_context(), current_actor(), load(RemindersIn(), data), door="page"
        )
    except Invalid as refused:
        return _refused(Filled(LABELS).wrong(refused.errors, typed))
    except Conflict as refused:
        flash(sentence(refused), "problem")
        return redirect(url_for("own_request.own"), 303)
    flash(_("We remind you of these dates. A message with the way to change or stop it follows."))
    return redirect(url_for("own_reminders.look"), 303)


def _refused(form: Filled) -> Page:
    page = _own(form)
    return (page, 422) if isinstance(page, str) else page


@own.post("/change")
def change() -> Page:
    """Take another day of the decision."""
    sent = read(CertifiedOnIn(), request.form)
    try:
        form = load(CertifiedOnIn(), sent.data)
        reminders.change_reminders(current_context(), current_actor(), form)
    except Invalid as refused:
        return _refused(Filled(LABELS).wrong(refused.errors, sent.typed))
    except Gone:
        return redirect(url_for("own_reminders.look"), 303)
    flash(_("The dates are moved."))
    return redirect(url_for("own_reminders.look"), 303)


@own.post("/stop")
def stop() -> Response:
    """Stop the reminders at once; stopped before, it is well."""
    with suppress(NotFound):
        reminders.stop_reminders(current_context(), current_actor())
    flash(_("The reminders are stopped, and what was kept for them is forgotten."))
    return redirect(url_for("own_request.own"), 303)


def _managing(
    shown: Mapping[str, Any],
    form: Filled,
    *,
    change: str,
    stop: str,
    back: str | None = None,
    token: str | None = None,
) -> str:
    if not form.typed:
        form = Filled(LABELS, {"certified_on": [shown["certified_on"].isoformat()]})
    today = current_context().clock().date()
    return render_template(
        "reminders.html",
        reminders=shown,
        ahead=[each for each in shown["dates"] if each.on >= today],
        form=form,
        change=change,
        stop=stop,
        back=back,
        token=token,
    )


@pages.get("/reminders/<token>")
def open_reminders(token: str) -> Page:
    """Take the token out of the address."""
    if not _is_good(Purpose.REMINDERS, token):
        return _lapsed()
    return tokens.take(Purpose.REMINDERS, token, "reminders.manage")


@pages.get("/reminders")
def manage() -> Page:
    """Show the reminders to whoever has the link of a mail."""
    token = tokens.kept(Purpose.REMINDERS)
    return tokens.missing() if token is None else _by_link(token, Filled(LABELS))


def _is_good(purpose: Purpose, token: str) -> bool:
    ctx = current_context()
    with ctx.reading() as session:
        found = certificates.certificate_by_link(session, purpose, token, now=ctx.clock())
        return found is not None


def _by_link(token: str, form: Filled) -> Page:
    ctx = current_context()
    with ctx.reading() as session:
        certificate = certificates.certificate_by_link(
            session, Purpose.REMINDERS, token, now=ctx.clock()
        )
        if certificate is None:
            return _lapsed()
        shown = certificates.shown(session, certificate, ctx.policy)
    return _managing(
        shown,
        form,
        change=url_for("reminders.change_by_link"),
        stop=url_for("reminders.stop_them"),
        token=token,
    )


def _lapsed() -> tuple[str, int]:
    return render_template("link_lapsed.html", what="reminders"), 410


@pages.post("/reminders")
def change_by_link() -> Page:
    """Take another day of the decision."""
    token = tokens.sent()
    sent = read(CertifiedOnIn(), request.form)
    try:
        form = load(CertifiedOnIn(), sent.data)
        reminders.change_by_link(current_context(), token, form)
    except Invalid as refused:
        page = _by_link(token, Filled(LABELS).wrong(refused.errors, sent.typed))
        return (page, 422) if isinstance(page, str) else page
    except Gone:
        return _lapsed()
    flash(_("The dates are moved."))
    return redirect(url_for("reminders.manage"), 303)


@pages.post("/reminders/stop")
def stop_them() -> Page:
    """Stop the reminders at once; stopped before, it is well."""
    return stop_by_link(tokens.sent())


@stopping.get("/<token>/stop")
def look_before_stopping(token: str) -> Response:
    """Lead people who open the address by itself to the button: a look stops nothing."""
    return redirect(url_for("reminders.open_reminders", token=token), 303)


@stopping.post("/<token>/stop")
def stop_by_link(token: str) -> Page:
    """Stop the reminders at once, whoever sends the form; stopped before, it is well.

    The token stands in the address: a mail program has nothing else to send (RFC 8058).
    """
    try:
        reminders.stop_by_link(current_context(), token)
    except Gone:
        return _lapsed()
    return render_template("reminders_stopped.html")


@pages.get("/requests/again/<token>")
def open_again(token: str) -> Page:
    """Take the token out of the address."""
    if not _is_good(Purpose.ASK_AGAIN, token):
        return _lapsed()
    return tokens.take(Purpose.ASK_AGAIN, token, "reminders.again")


@pages.get("/requests/again")
def again() -> Page:
    """Show the lead form, filled in: nothing is sent, and nothing is agreed to."""
    token = tokens.kept(Purpose.ASK_AGAIN)
    if token is None:
        return tokens.missing()
    ctx = current_context()
    with ctx.reading() as session:
        certificate = certificates.certificate_by_link(
            session, Purpose.ASK_AGAIN, token, now=ctx.clock()
        )
        if certificate is None:
            return _lapsed()
        today = certificates.today_of(certificate, ctx.clock())
        known = asking_again.asked_again(session, certificate, today=today, policy=ctx.policy)
    return front.show(
        Filled(LEAD_LABELS, _as_typed(known)), begun=lead_form.begin_now().seal, prefilled=True
    )


def _as_typed(known: Mapping[str, Any]) -> Typed:
    """Return what is known as it would be typed: a region that has no box is written."""
    boxes = {"AU", *(each.code for each in choices(current_context()).states)}
    regions = known["regions"]
    written = {
        "regions": [each for each in regions if each in boxes],
        "region_written": [each for each in regions if each not in boxes],
    }
    return typed_from({**known, **written})
