"""A provider's own profile: how it is reached, what it covers, how much it takes on."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from marketplace.core.errors import Invalid, NotSignedIn
from marketplace.insights.not_offered import not_offered
from marketplace.providers import profile
from marketplace.web.api.provider_schemas import ChangedProviderSchema, ProfileSchema
from marketplace.web.auth import current_actor, current_context
from marketplace.web.pages.choices import choices, names
from marketplace.web.pages.coverage import by_name, read_coverage, typed_coverage
from marketplace.web.pages.forms import Filled, Sent, read, typed_from
from marketplace.web.pages.portal import own_profile
from marketplace.web.pages.quote_labels import PROFILE
from marketplace.web.pages.sign_in import to_sign_in
from marketplace.web.requests import load

pages = Blueprint("portal_profile", __name__, url_prefix="/portal")
pages.register_error_handler(NotSignedIn, to_sign_in)


@pages.get("/profile")
def form() -> str:
    """Show the profile as it is."""
    shown, _zone = own_profile()
    typed = typed_from(ProfileSchema().dump(shown))
    typed |= typed_coverage(shown.coverage.regions, shown.coverage.languages)
    return show(Filled(PROFILE, typed))


@pages.post("/profile")
def save() -> Response | tuple[str, int]:
    """Change the profile."""
    sent = read_form(request.form)
    try:
        profile.update_provider(
            current_context(), current_actor(), load(ChangedProviderSchema(), sent.data)
        )
    except Invalid as refused:
        errors = [by_name(error, sent) for error in refused.errors]
        return show(Filled(PROFILE).wrong(errors, sent.typed)), 422
    flash(_("Your profile is saved."))
    return redirect(url_for("portal_profile.form"), 303)


def read_form(posted: MultiDict[str, str]) -> Sent:
    sent = read(ChangedProviderSchema(), posted, clears=True)
    read_coverage(sent, posted)
    return sent


def show(form: Filled) -> str:
    shown, zone = own_profile()
    ctx = current_context()
    with ctx.reading() as session:
        wanted = not_offered(session, shown.coverage, now=ctx.clock())
    country = shown.provider.country
    return render_template(
        "profile.html",
        profile=shown,
        country=names(ctx, regions=[country]).get(country, country),
        zone=zone,
        wanted=wanted,
        form=form,
        offered=choices(ctx),
    )
