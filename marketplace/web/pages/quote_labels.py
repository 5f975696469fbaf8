"""What the fields of a provider's forms are called in a sentence, in the order of their pages."""

from typing import Any

from flask_babel import gettext, ngettext
from flask_babel import lazy_gettext as _

from marketplace.quotes.audit_time import Assumption, Audit, Expected, Gap

FEES = {
    "application": _("Application and registration"),
    "stage_1": _("Stage 1 audit"),
    "stage_2": _("Stage 2 audit"),
    "surveillance_1": _("First surveillance audit"),
    "surveillance_2": _("Second surveillance audit"),
    "recertification": _("Recertification audit"),
    "annual": _("Annual fee, for one year"),
    "travel": _("Travel"),
}

LABELS = {
    "": "",
    "reason": _("The reason"),
    "comment": _("The comment"),
    "text": _("Your question"),
    "kind": _("The kind of quote"),
    "standards": _("The standards"),
    "standards.code": _("Standard"),
    "standards.edition": _("The edition of standard"),
    "audit_days": _("The audit days"),
    **{f"audit_days.{name}": _("%(audit)s (days)", audit=label) for name, label in FEES.items()},
    "fees": _("The fees"),
    **{f"fees.{name}": _("%(audit)s (fee)", audit=label) for name, label in FEES.items()},
    "travel_basis": _("Who bears the travel costs"),
    "effective_personnel": _("The effective number of personnel"),
    "accreditation_id": _("The accreditation"),
    "assumptions": _("The assumptions"),
    "phases": _("The phases"),
    "phases.name": _("The name of phase"),
    "phases.deliverables": _("The deliverables of phase"),
    "phases.days": _("The days of phase"),
    "phases.on_site": _("On site, phase"),
    "phases.fee": _("The fee of phase"),
    "travel": _("Travel"),
    "duration_weeks": _("The duration"),
    "exclusions": _("What is not included"),
    "currency": _("The currency"),
    "tax_rate": _("The tax rate"),
    "earliest_start": _("The earliest start"),
    "valid_until": _("The last day on which the quote stands"),
    "notes": _("The notes"),
}

_COVERAGE = {
    "coverage": _("The coverage"),
    "coverage.standards": _("The standards"),
    "coverage.regions": _("The regions"),
    "coverage.remote": _("Remote work"),
    "coverage.languages": _("The languages"),
    "coverage.sectors": _("The sectors"),
    "coverage.headcount_min": _("The smallest number of people"),
    "coverage.headcount_max": _("The largest number of people"),
    "coverage.open_capacity": _("The invitations at once"),
    "coverage.monthly_capacity": _("The invitations in a month"),
    "coverage.weeks_to_start": _("The number of weeks until you can begin"),
}

_CONTACT = {
    "contact": _("The contact"),
    "contact.name": _("The contact's name"),
    "contact.email": _("The contact's e-mail address"),
    "contact.phone": _("The contact's telephone number"),
}

PROFILE = {"": "", "website": "The website", **_CONTACT, **_COVERAGE}

JOINING = {
    "": "",
    "kind": _("What you do"),
    "name": _("The name of the organisation"),
    "country": _("The country"),
    "registration_number": _("The registration number"),
    "website": _("The website"),
    **_CONTACT,
    **_COVERAGE,
}

ACCREDITATION = {
    "": "",
    "standard": _("The standard"),
    "edition": _("The edition"),
    "body": _("The accreditation body"),
    "certificate_number": _("The number of the certificate"),
    "valid_from": _("The first day on which it counts"),
    "valid_until": _("The last day on which it counts"),
    "sectors": _("The sectors"),
    "evidence": _("The file"),
}


def called(name: str) -> str:
    """Return what an amount is called in a list of several."""
    steps = name.split(".")
    if steps[0] == "fees":
        return str(FEES[steps[1]])
    if steps[0] == "phases":
        return str(gettext("the fee of phase %(number)s", number=int(steps[1]) + 1))
    return str(LABELS[name])


AUDITED = {
    Audit.INITIAL: _("Stage 1 and 2 together"),
    Audit.SURVEILLANCE: _("Each surveillance audit"),
    Audit.RECERTIFICATION: _("Recertification audit"),
}

WHY_NOT = {
    Gap.NO_TABLE: _("there is no table of audit time for it here"),
    Gap.BEYOND_TABLE: _("its table has no row for so many people"),
    Gap.SPECIAL_SECTOR: _("its table does not hold for this sector, which is a case of its own"),
}
"""Why the certification body itself has to say how long it takes."""


def assumed(each: Assumption, found: Expected) -> str:
    """Return what a range of audit days rests on, as a sentence."""
    sentences: dict[Assumption, Any] = {
        Assumption.HEADCOUNT: ngettext(
            "Effective personnel is taken to be the headcount, %(num)s person. It is at most that: "
            "part-time work and many people doing the same make it less.",
            "Effective personnel is taken to be the headcount, %(num)s people. It is at most that: "
            "part-time work and many people doing the same make it less.",
            found.personnel,
        ),
        Assumption.COUNTED: ngettext(
            "Effective personnel is %(num)s person, as you counted.",
            "Effective personnel is %(num)s people, as you counted.",
            found.personnel,
        ),
        Assumption.CONTINUUM: gettext(
            "Between two rows of a table the time rises steadily; it does not jump."
        ),
        Assumption.COMPLEXITY: gettext(
            "How complex the environmental aspects, the hazards or the use of energy are is not "
            "known from the request, so the range spans the table's columns from the lowest to the "
            "highest."
        ),
        Assumption.SAMPLE: gettext(
            "The people are spread evenly over %(sites)s sites, of which an initial audit visits "
            "%(visited)s (IAF MD 1). Where a sample does not do, it takes longer.",
            sites=found.sites,
            visited=found.visited,
        ),
        Assumption.REDUCTION: gettext(
            "The lower end is 30 % below the tables, the most that reasons can take off (IAF MD "
            "5); the upper end takes nothing off. Nothing is added for shifts, languages or risks."
        ),
        Assumption.INTEGRATION: gettext(
            "For one audit of several standards the lower end is another 20 % below, the most "
            "that integration can take off (IAF MD 11)."
        ),
        Assumption.SHARES: gettext(
            "A surveillance audit takes about a third of an initial one, each year, and "
            "recertification two thirds."
        ),
        Assumption.NOT_SPECIAL: gettext(
            "The work is no special case, such as nuclear, hazardous storage, public "
            "administration or finance: the environmental table has no column for these."
        ),
        Assumption.TRANSFER: gettext(
            "A transfer goes on with the cycle that runs, so there may be no stages 1 and 2."
        ),
    }
    return str(sentences[each])
