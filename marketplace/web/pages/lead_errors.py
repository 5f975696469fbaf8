"""What is wrong with a lead form, for the person who filled it in: a sentence for each thing.

The JSON interface says the same in terse words of its own, by which the sentences are found.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from marketplace.core.errors import FieldError
from marketplace.core.texts import N_, Told
from marketplace.web.languages import translate
from marketplace.web.pages.words import number

LABELS = {
    "": "",
    "service": N_("What are you looking for?"),
    "standards": N_("What is it about?"),
    "certification_status": N_("Do you hold a certificate today?"),
    "timeframe": N_("How soon?"),
    "needed_by": N_("Is there a date by which you need it?"),
    "regions": N_("Where are your sites?"),
    "remote_ok": N_("Remote work is fine where the rules allow it"),
    "language": N_("In which language should they work?"),
    "headcount": N_("How many people work there?"),
    "sites": N_("At how many sites?"),
    "company.name": N_("Company"),
    "company.country": N_("Country"),
    "company.registration_number": N_("Registration number"),
    "company.website": N_("Website"),
    "sector": N_("Sector"),
    "consultants_used": N_("Has a consultant advised you in the last two years?"),
    "consultants_used.name": N_("Consultant"),
    "consultants_used.ended_on": N_("Ended on"),
    "notes": N_("Anything else a provider should know"),
    "contact.name": N_("Your name"),
    "contact.role": N_("Your role"),
    "contact.email": N_("E-mail"),
    "contact.phone": N_("Telephone"),
    "consent.share_with_matched_providers": N_("Your consent"),
    "consent": N_("Your consent"),
}
"""What each field is called on the page, in its order."""

MISSING, EMPTY = "is required", "must not be empty"
TOO_SHORT = "must have at least %(least)d characters"
TOO_LONG = "must have at most %(most)d characters"
OUT_OF_RANGE = "must be from %(least)d to %(most)d"
TOO_MANY = "must have %(least)d to %(most)d entries"
ELSE = ""
"""Whatever else is said of a field."""

POSTCODE = re.compile(r"(?:.*[\s,])?([0-9]{4})")
"""A postcode by itself, or at the end of an address."""

SHOWN_AT_MOST = 60
"""Characters of what was typed that are said again: the field has all of it."""

NO_REGION = N_(
    "“%(typed)s” is a postcode that tells us no region: please tick the region, or write its name"
)

HAS_ROOM = N_("“%(field)s” has room for %(most)s characters: you wrote %(n)s")

SENTENCES: Mapping[str, Mapping[str, str]] = {
    "service": {ELSE: N_("Choose what you are looking for")},
    "standards": {
        MISSING: N_("Tick at least one standard"),
        TOO_MANY: N_("Choose up to %(most)s standards: you ticked %(n)s"),
        ELSE: N_("“%(typed)s” is not a standard that we know: please tick one of the list"),
    },
    "certification_status": {ELSE: N_("Choose whether you hold a certificate today")},
    "timeframe": {ELSE: N_("Choose how soon you need it, or “Not sure”")},
    "needed_by": {
        "is in the past": N_(
            "The date by which you need it has passed: please give a later one, or leave it blank"
        ),
        ELSE: N_(
            "Write the date by which you need it as year, month and day, such as 2027-03-31, or "
            "leave it blank"
        ),
    },
    "regions": {
        MISSING: N_(
            "Say where your sites are: tick a state, or write a postcode, a country or a region"
        ),
        TOO_MANY: N_("Choose up to %(most)s places: you gave %(n)s"),
    },
    "remote_ok": {ELSE: N_("Say whether remote work is fine")},
    "language": {ELSE: N_("Choose a language of the list, or “Any language”")},
    "headcount": {
        MISSING: N_("Say how many people work there"),
        OUT_OF_RANGE: N_("The number of people must be from %(least)s to %(most)s"),
        ELSE: N_("Write the number of people in digits, such as 42"),
    },
    "sites": {
        OUT_OF_RANGE: N_("The number of sites must be from %(least)s to %(most)s"),
        ELSE: N_("Write in digits at how many sites they work, such as 2"),
    },
    "company.name": {
        MISSING: N_("Write the company's name"),
        EMPTY: N_("Write the company's name"),
        TOO_SHORT: N_("Write the company's name in full: it has two letters at least"),
    },
    "company.country": {ELSE: N_("Choose the company's country")},
    "company.registration_number": {
        "is not a valid ABN or ACN: please check its digits": N_(
            "This is not a valid ABN or ACN: please check its digits, or leave it blank"
        ),
        "is not a valid NZBN: please check its digits": N_(
            "This is not a valid NZBN: please check its digits, or leave it blank"
        ),
        ELSE: N_(
            "A registration number has 2 to 30 letters and digits: please check it, or leave it "
            "blank"
        ),
    },
    "company.website": {
        TOO_LONG: HAS_ROOM,
        ELSE: N_(
            "“%(typed)s” is not a web address: please write one such as www.acme.example, or leave "
            "it blank"
        ),
    },
    "sector": {ELSE: N_("Choose a sector of the list, or “Not sure”")},
    "consultants_used": {TOO_MANY: N_("Name up to %(most)s consultants")},
    "consultants_used.name": {
        MISSING: N_("Write the name of consultant %(row)s, or clear the date beside it"),
        TOO_LONG: N_(
            "The name of consultant %(row)s has room for %(most)s characters: you wrote %(n)s"
        ),
    },
    "consultants_used.ended_on": {
        ELSE: N_(
            "Write the date on which consultant %(row)s ended as year, month and day, such as "
            "2026-02-01, or leave it blank"
        ),
    },
    "contact.name": {MISSING: N_("Write your name")},
    "contact.email": {
        MISSING: N_("Write your e-mail address"),
        ELSE: N_(
            "“%(typed)s” is not an e-mail address: please write one such as name@acme.example"
        ),
    },
    "consent.share_with_matched_providers": {
        ELSE: N_("Tick that we may share your request: no provider can be given it without that"),
    },
}
"""By field, and by what the schema or the use case says of it."""

OF_ANY_FIELD: Mapping[str, str] = {
    TOO_LONG: HAS_ROOM,
    "must not contain control characters": N_(
        "“%(field)s” has characters in it that cannot be seen: please type it again"
    ),
    ELSE: N_("“%(field)s” cannot be taken as it is: please look at it again"),
}


def in_words(errors: Iterable[FieldError], data: Mapping[str, Any]) -> list[FieldError]:
    """Return what is wrong with a form, in sentences about what was typed."""
    return [_in_words(error, data) for error in errors]


def about(field: str, detail: str, **values: Any) -> Told:
    """Return what is wrong with a field as a sentence."""
    own = SENTENCES.get(field, {})
    said = detail.text if isinstance(detail, Told) else detail
    if said == EMPTY and said not in own:
        said = MISSING
    found = own.get(said) or own.get(ELSE) or OF_ANY_FIELD.get(said) or OF_ANY_FIELD[ELSE]
    return Told(found, field=translate(LABELS.get(field, "")), **values)


def _in_words(error: FieldError, data: Mapping[str, Any]) -> FieldError:
    if error.detail[:1].isupper():
        return error  # it is a sentence already
    value: Any = data
    names, rows = [], []
    for step in error.pointer.split("/")[1:]:
        if step.isdigit():
            rows.append(int(step) + 1)
            value = value[int(step)]
        else:
            names.append(step)
            value = value.get(step, "")
    field = ".".join(names)
    typed = "" if value is None else str(value)
    values = {"typed": typed[:SHOWN_AT_MOST], "row": rows[0] if rows else ""}
    values["n"] = number(len(value if isinstance(value, list) else typed))
    if isinstance(error.detail, Told):
        told = error.detail.values.items()
        values |= {name: number(each) for name, each in told if isinstance(each, int)}
    if field == "regions" and rows:
        return FieldError("/regions", Told(_no_place(typed), **values))
    return FieldError(error.pointer, about(field, error.detail, **values))


def _no_place(typed: str) -> str:
    """Return what is said of a place that is none, which stands in no field alone."""
    if POSTCODE.fullmatch(typed):
        return NO_REGION
    return N_(
        "“%(typed)s” is not a region that we know: please write a name or an ISO code, such as "
        "NZ-AUK"
    )
