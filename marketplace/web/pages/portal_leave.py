"""When a provider is away and gets no invitations: planned by days, as people plan it."""

from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from marketplace.core.errors import Invalid, NotSignedIn
from marketplace.core.forms import Form
from marketplace.core.texts import N_
from marketplace.providers import pauses
from marketplace.web.auth import current_actor, current_context
from marketplace.web.fields import DAY_IN_THIS_AGE, Day, In
from marketplace.web.pages.forms import Filled, read
from marketplace.web.pages.portal import own_profile
from marketplace.web.pages.sign_in import to_sign_in
from marketplace.web.requests import load

pages = Blueprint("portal_leave", __name__, url_prefix="/portal/leave")
pages.register_error_handler(NotSignedIn, to_sign_in)

LABELS = {"": "", "from": N_("The first day"), "until": N_("The last day")}


class LeaveSchema(In):
    """The first and the last day of being away."""

    from_ = Day(required=True, data_key="from", attribute="from", validate=DAY_IN_THIS_AGE)
    until = Day(required=True, validate=DAY_IN_THIS_AGE)


@pages.get("")
def planned() -> str:
    """Show what is planned, and the form for more."""
    return show(Filled(LABELS))


@pages.post("")
def add() -> Response | tuple[str, int]:
    """Stop invitations from the beginning of one day to the end of another, where it works."""
    sent = read(LeaveSchema(), request.form)
    zone = own_profile()[1]
    try:
        pauses.add_pause(
            current_context(), current_actor(), in_moments(load(LeaveSchema(), sent.data), zone)
        )
    except Invalid as refused:
        return show(Filled(LABELS).wrong(refused.errors, sent.typed)), 422
    flash(_("You get no invitations in this time. Those that you hold go on as they are."))
    return redirect(url_for("portal_leave.planned"), 303)


@pages.post("/<uuid:pause_id>/end")
def end(pause_id: UUID) -> Response:
    """Take back a leave, or end it early."""
    pauses.delete_pause(current_context(), current_actor(), pause_id)
    flash(_("The leave is taken back."))
    return redirect(url_for("portal_leave.planned"), 303)


def in_moments(form: Form, zone: str) -> Form:
    """Return the days as the moments at which the first begins and the last is over."""
    later: dict[str, int] = {"from": 0, "until": 1}
    values: dict[str, Any] = {
        name: beginning(day + timedelta(days=later[name]), zone)
        for name, day in form.values.items()
    }
    return replace(form, values=values)


def beginning(day: date, zone: str) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(zone))


def show(form: Filled) -> str:
    profile, zone = own_profile()
    return render_template("leave.html", form=form, profile=profile, zone=zone)
