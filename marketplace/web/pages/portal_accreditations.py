"""What a certification body says it holds: each with its state, and the form to add one."""

from collections.abc import Callable
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wrappers import Response

from marketplace.catalogue import queries as catalogue
from marketplace.core.errors import Conflict, FieldError, Invalid, NotSignedIn
from marketplace.core.files import SentFile
from marketplace.core.forms import Form
from marketplace.core.texts import N_
from marketplace.providers import accreditations
from marketplace.providers.evidence import EVIDENCE_AT_MOST, evidence_of
from marketplace.providers.rules import AccreditationState
from marketplace.web.api.portal_provider import with_evidence
from marketplace.web.api.provider_schemas import NewAccreditationSchema
from marketplace.web.auth import current_actor, current_context
from marketplace.web.files import download, wrong_with
from marketplace.web.languages import translate
from marketplace.web.pages.choices import choices, names
from marketplace.web.pages.forms import Filled, read
from marketplace.web.pages.portal import own_profile
from marketplace.web.pages.quote_labels import ACCREDITATION
from marketplace.web.pages.sign_in import to_sign_in
from marketplace.web.pages.words import sentence
from marketplace.web.requests import load

pages = Blueprint("portal_accreditations", __name__, url_prefix="/portal/accreditations")
pages.register_error_handler(NotSignedIn, to_sign_in)

WITHDRAWN = AccreditationState.WITHDRAWN

NO_FILE = N_("Choose the file to send.")
TOO_LARGE = N_(
    "Choose a file of at most 10 MiB: this one is larger. A scan in black and white, or fewer "
    "pages of it, is usually enough."
)


@pages.get("")
def held() -> str:
    """Show what there is, and the form for one more."""
    return show(Filled(ACCREDITATION))


@pages.post("")
def claim() -> Response | tuple[str, int]:
    """Note one more; it does not count until a person has looked it up."""
    sent = read(NewAccreditationSchema(), request.form)
    form, file = read_evidence(load(NewAccreditationSchema(), sent.data))
    try:
        accreditations.claim_accreditation(current_context(), current_actor(), form, file)
    except Invalid as refused:
        return show(Filled(ACCREDITATION).wrong(refused.errors, sent.typed)), 422
    except Conflict as refused:
        flash(sentence(refused), "problem")
    else:
        flash(_("It is noted. A person here looks it up in the register before it counts."))
    return redirect(url_for("portal_accreditations.held"), 303)


@pages.post("/<uuid:accreditation_id>/evidence")
def prove(accreditation_id: UUID) -> Response | tuple[str, int]:
    """Add a file to one that stands there already, or another in its place."""
    form, file = read_evidence(Form({}))
    if file is not None:
        form = Form({"evidence": file})
    elif not form.problems:
        form = Form({}, (FieldError("/evidence", NO_FILE),))
    ctx, actor = current_context(), current_actor()
    try:
        return done(
            lambda: accreditations.add_evidence(ctx, actor, accreditation_id, form),
            _("The file is with us. The person who looks the accreditation up reads it."),
        )
    except Invalid as refused:
        wrong = Filled(ACCREDITATION).wrong(refused.errors)
        return show(wrong, about=accreditation_id), 422


@pages.post("/<uuid:accreditation_id>/take-back")
def take_back(accreditation_id: UUID) -> Response:
    """Take back what was entered by mistake; taken back already is fine."""
    ctx, actor = current_context(), current_actor()
    return done(
        lambda: accreditations.take_back_claim(ctx, actor, accreditation_id),
        _("It is taken back, and nobody looks it up any more."),
    )


def done(act: Callable[[], None], said: str) -> Response:
    """Do it and say so."""
    try:
        act()
        flash(said)
    except Conflict as refused:
        flash(sentence(refused), "problem")
    return redirect(url_for("portal_accreditations.held"), 303)


def read_evidence(form: Form) -> tuple[Form, SentFile | None]:
    """Read the file that was sent along; one too large is wrong with the form, as another is."""
    try:
        return with_evidence(form)
    except RequestEntityTooLarge:
        return wrong_with(form, "evidence", TOO_LARGE), None


@pages.errorhandler(RequestEntityTooLarge)
def far_too_large(error: RequestEntityTooLarge) -> tuple[str, int]:
    """Show the form again, empty: so much was sent that we did not read to its end."""
    return show(Filled(ACCREDITATION).wrong([FieldError("/evidence", TOO_LARGE)])), 413


@pages.get("/<uuid:accreditation_id>/evidence")
def evidence(accreditation_id: UUID) -> Response:
    """Return the file that was sent along, as a download."""
    with current_context().reading() as session:
        return download(evidence_of(session, current_actor(), accreditation_id))


def show(form: Filled, *, about: UUID | None = None) -> str:
    """Show the page; `form` is the one of the accreditation `about`, or for one more."""
    ctx = current_context()
    profile, zone = own_profile()
    with ctx.reading() as session:
        found = accreditations.accreditations_of(session, profile.provider.id)
        bodies = catalogue.accreditation_bodies(session)
    sectors = {code for each in found for code in each.accreditation.sectors or []}
    return render_template(
        "accreditations.html",
        form=form,
        about=about,
        profile=profile,
        zone=zone,
        held=[each for each in found if each.accreditation.state is not WITHDRAWN],
        bodies=bodies,
        evidence_at_most=EVIDENCE_AT_MOST,
        too_large=translate(TOO_LARGE),
        called=names(ctx, sectors=sectors),
        offered=choices(ctx),
    )
