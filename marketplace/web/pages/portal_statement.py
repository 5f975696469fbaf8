"""A provider's own statement of a month: what it was owed, what it had, what it made of it."""

from datetime import date, timedelta

from flask import Blueprint, render_template, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from marketplace.core import charts
from marketplace.core.errors import Invalid, NotSignedIn
from marketplace.core.texts import N_
from marketplace.insights.statements import Statement, own_statement
from marketplace.providers.rules import month_of
from marketplace.web.api.portal_statement import StatementArgs
from marketplace.web.auth import current_actor, current_context
from marketplace.web.pages.portal import own_profile
from marketplace.web.pages.sign_in import to_sign_in
from marketplace.web.pages.words import number
from marketplace.web.reporting import chart_answer
from marketplace.web.requests import load

pages = Blueprint("portal_statement", __name__, url_prefix="/portal/statement")
pages.register_error_handler(NotSignedIn, to_sign_in)

CHART = {
    "invited": N_("Invited"),
    "opened": N_("Opened"),
    "answered_in_time": N_("Answered in time"),
    "won": N_("Won"),
}
"""What the chart shows, from the first step to the last."""


@pages.get("")
def own() -> str:
    """Show a month, the current one by default, and lead to those before and after."""
    statement = asked_for()
    profile, zone = own_profile()
    month = statement.months.first
    now = current_context().clock()
    joined = month_of(profile.provider.created_at)
    return render_template(
        "statement.html",
        statement=statement,
        month=month,
        shown=in_words(statement),
        earlier=month_of_day(month - timedelta(days=1)) if month > joined else None,
        later=month_of_day(month + timedelta(days=31)) if month < month_of(now) else None,
        profile=profile,
        zone=zone,
    )


@pages.get("/chart.svg")
def chart() -> Response:
    """Draw the month: what became of its invitations, and its fair share of them."""
    statement = asked_for()
    drawing = charts.bars(
        [_(label) for label in CHART.values()],
        {
            _("You"): [getattr(statement, name) for name in CHART],
            _("Your fair share"): [statement.entitled],
        },
        width=640,
        height=260,
        title=_("Your invitations"),
    )
    return chart_answer(charts.svg(drawing, name="statement", description=in_words(statement)))


def in_words(statement: Statement) -> str:
    """Return what the chart shows, for who cannot see it."""
    return _(
        "Invited %(invited)d, with a fair share of %(share)s; opened %(opened)d; answered in time "
        "%(in_time)d; won %(won)d.",
        invited=statement.invited,
        share=number(statement.entitled),
        opened=statement.opened,
        in_time=statement.answered_in_time,
        won=statement.won,
    )


def asked_for() -> Statement:
    """Return the statement of the month in the address; of one that cannot be, the current one."""
    ctx, actor = current_context(), current_actor()
    try:
        wanted = load(StatementArgs(), request.args.to_dict()).accept()
        return own_statement(ctx, actor, **wanted)
    except Invalid:
        return own_statement(ctx, actor, month=None)


def month_of_day(day: date) -> str:
    return f"{day:%Y-%m}"
