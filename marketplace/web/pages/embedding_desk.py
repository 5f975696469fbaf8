"""Which other sites may hold the form: for administrators."""

from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from marketplace.core.errors import Conflict, Invalid, NotSignedIn
from marketplace.core.texts import N_
from marketplace.leads import sites
from marketplace.leads.rules import ORIGIN_AT_MOST
from marketplace.web.auth import current_actor, current_context
from marketplace.web.fields import In, Text
from marketplace.web.pages.forms import Filled, read
from marketplace.web.pages.sign_in import to_sign_in
from marketplace.web.pages.words import sentence
from marketplace.web.requests import load

pages = Blueprint("embedding_desk", __name__, url_prefix="/admin/sites")
pages.register_error_handler(NotSignedIn, to_sign_in)


class SiteIn(In):
    """A site that may hold the form."""

    name = Text(at_most=120, required=True)
    address = Text(at_most=ORIGIN_AT_MOST, required=True)


LABELS = {"": "", "name": N_("The name"), "address": N_("The address")}


@pages.get("")
def all_() -> str:
    """Show which sites there are."""
    return show(Filled(LABELS))


@pages.post("/add")
def add() -> Response | tuple[str, int]:
    """Let the form stand in one more."""
    sent = read(SiteIn(), request.form)
    try:
        site = sites.add_site(current_context(), current_actor(), load(SiteIn(), sent.data))
        flash(_("The form may stand in %(site)s.", site=site.origin))
    except Invalid as refused:
        return show(Filled(LABELS).wrong(refused.errors, sent.typed)), 422
    except Conflict as refused:
        flash(sentence(refused), "problem")
    return redirect(url_for("embedding_desk.all_"), 303)


@pages.post("/<uuid:site_id>/remove")
def remove(site_id: UUID) -> Response:
    """Let it stand there no longer."""
    sites.remove_site(current_context(), current_actor(), site_id)
    flash(_("The form is no longer shown there."))
    return redirect(url_for("embedding_desk.all_"), 303)


def show(form: Filled) -> str:
    with current_context().reading() as session:
        found = sites.embedding_sites(session, current_actor())
        return render_template("admin_sites.html", form=form, sites=found)
