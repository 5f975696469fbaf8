"""What a certification body says it holds: each with its state, and the form to add one."""

from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from marketplace.catalogue import queries as catalogue
from marketplace.core.errors import Conflict, Invalid, NotSignedIn
from marketplace.providers import accreditations
from marketplace.providers.evidence import evidence_of
from marketplace.web.api.portal_provider import download, with_evidence
from marketplace.web.api.provider_schemas import NewAccreditationSchema
from marketplace.web.auth import current_actor, current_context
from marketplace.web.pages.choices import choices, names
from marketplace.web.pages.forms import Filled, read
from marketplace.web.pages.portal import own_profile
from marketplace.web.pages.quote_labels import ACCREDITATION
from marketplace.web.pages.sign_in import to_sign_in
from marketplace.web.pages.words import sentence
from marketplace.web.requests import load

pages = Blueprint("portal_accreditations", __name__, url_prefix="/portal/accreditations")
pages.register_error_handler(NotSignedIn, to_sign_in)


@pages.get("")
def held() -> str:
    """Show what there is, and the form for one more."""
    return show(Filled(ACCREDITATION))


@pages.post("")
def claim() -> Response | tuple[str, int]:
    """Note one more; it does not count until a person has looked it up."""
    sent = read(NewAccreditationSchema(), request.form)
    form, file = with_evidence(load(NewAccreditationSchema(), sent.data))
    try:
        accreditations.claim_accreditation(current_context(), current_actor(), form, file)
    except Invalid as refused:
        return show(Filled(ACCREDITATION).wrong(refused.errors, sent.typed)), 422
    except Conflict as refused:
        flash(sentence(refused), "problem")
    else:
        flash(_("It is noted. A person here looks it up in the register before it counts."))
    return redirect(url_for("portal_accreditations.held"), 303)


@pages.get("/<uuid:accreditation_id>/evidence")
def evidence(accreditation_id: UUID) -> Response:
    """Return the file that was sent along, as a download."""
    with current_context().reading() as session:
        return download(evidence_of(session, current_actor(), accreditation_id))


def show(form: Filled) -> str:
    ctx = current_context()
    profile, zone = own_profile()
    with ctx.reading() as session:
        found = accreditations.accreditations_of(session, profile.provider.id)
        bodies = catalogue.accreditation_bodies(session)
    sectors = {code for each in found for code in each.accreditation.sectors or []}
    return render_template(
        "accreditations.html",
        form=form,
        profile=profile,
        zone=zone,
        held=found,
        bodies=bodies,
        called=names(ctx, sectors=sectors),
        offered=choices(ctx),
    )
