"""What a form may ask while somebody types: the very rules that hold when it is sent.

For convenience only: nothing waits for an answer, and no answer lets anything through.
"""

from flask import Blueprint, Response, jsonify, request
from flask_babel import gettext as _

from marketplace.core import identity
from marketplace.core.texts import Told
from marketplace.web.auth import current_context
from marketplace.web.languages import translate
from marketplace.web.pages.lead_errors import NO_REGION, POSTCODE, about
from marketplace.web.pages.lead_form import of_postcode

pages = Blueprint("checks", __name__, url_prefix="/checks")

TYPED_AT_MOST = 100
"""Characters: more is no number and no region."""


@pages.get("/number")
def number() -> Response:
    """Say whether a registration number can be one of its country."""
    country = request.args.get("country", "")[:2]
    typed = request.args.get("typed", "")[:TYPED_AT_MOST]
    try:
        identity.normal_number(country, typed)
    except ValueError as wrong:
        said = about("company.registration_number", str(wrong))
        return jsonify(wrong=True, says=translate(said))
    # Of other countries only the form is known, which says too little to be worth saying.
    says = _("The check digits of this number are right.") if country == "AU" else ""
    return jsonify(wrong=False, says=says)


@pages.get("/region")
def region() -> Response:
    """Say which region a postcode is taken for, or that it tells none."""
    country = request.args.get("country", "")[:2]
    typed = request.args.get("typed", "")[:TYPED_AT_MOST]
    with current_context().reading() as session:
        guess = of_postcode(session, country, typed)
    if guess is None:
        is_postcode = POSTCODE.fullmatch(typed.strip())
        says = translate(Told(NO_REGION, typed=is_postcode[1])) if is_postcode else ""
        return jsonify(region=None, says=says)
    return jsonify(
        region=guess.code,
        says=_(
            "We took %(postcode)s to be in %(name)s, and ticked that. Postcodes cross borders in "
            "places: please change it if that is not right.",
            postcode=guess.postcode,
            name=guess.name,
        ),
    )
