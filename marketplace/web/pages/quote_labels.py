"""What the fields of a provider's forms are called in a sentence, in the order of their pages."""

from typing import Any

from flask_babel import gettext, ngettext

from marketplace.core.texts import N_
from marketplace.quotes.audit_time import Assumption, Expected, Gap, Span
from marketplace.web.languages import translate
from marketplace.web.pages.words import in_days, number

FEES = {
    "application": N_("Application and registration"),
    "stage_1": N_("Stage 1 audit"),
    "stage_2": N_("Stage 2 audit"),
    "surveillance_1": N_("First surveillance audit"),
    "surveillance_2": N_("Second surveillance audit"),
    "recertification": N_("Recertification audit"),
    "annual": N_("Annual fee, for one year"),
    "travel": N_("Travel"),
}

LABELS = {
    "": "",
    "reason": N_("The reason"),
    "comment": N_("The comment"),
    "text": N_("Your question"),
    "kind": N_("The kind of quote"),
    "standards": N_("The standards"),
    "standards.code": N_("Standard %(row)s"),
    "standards.edition": N_("The edition of standard %(row)s"),
    "audit_days": N_("The audit days"),
    "audit_days.stage_1": N_("Stage 1 audit (days)"),
    "audit_days.stage_2": N_("Stage 2 audit (days)"),
    "audit_days.surveillance_1": N_("First surveillance audit (days)"),
    "audit_days.surveillance_2": N_("Second surveillance audit (days)"),
    "audit_days.recertification": N_("Recertification audit (days)"),
    "fees": N_("The fees"),
    "fees.application": N_("Application and registration (fee)"),
    "fees.stage_1": N_("Stage 1 audit (fee)"),
    "fees.stage_2": N_("Stage 2 audit (fee)"),
    "fees.surveillance_1": N_("First surveillance audit (fee)"),
    "fees.surveillance_2": N_("Second surveillance audit (fee)"),
    "fees.recertification": N_("Recertification audit (fee)"),
    "fees.annual": N_("Annual fee, for one year"),
    "travel_basis": N_("Who bears the travel costs"),
    "fees.travel": N_("Travel (fee)"),
    "effective_personnel": N_("The effective number of personnel"),
    "accreditation_id": N_("The accreditation"),
    "assumptions": N_("The assumptions"),
    "phases": N_("At least one phase"),
    "phases.name": N_("The name of phase %(row)s"),
    "phases.deliverables": N_("The deliverables of phase %(row)s"),
    "phases.days": N_("The days of phase %(row)s"),
    "phases.covers": N_("What phase %(row)s covers"),
    "phases.on_site": N_("On site, phase %(row)s"),
    "phases.fee": N_("The fee of phase %(row)s"),
    "travel": N_("Travel"),
    "duration_weeks": N_("The duration"),
    "client_duties": N_("What is left to the business"),
    "exclusions": N_("What is not included"),
    "currency": N_("The currency"),
    "tax_rate": N_("The tax rate"),
    "earliest_start": N_("The earliest start"),
    "valid_until": N_("The last day on which the quote stands"),
    "notes": N_("The notes"),
    "total": N_("The total"),
    "file": N_("The file"),
}

_COVERAGE = {
    "coverage": N_("The coverage"),
    "coverage.standards": N_("The standards"),
    "coverage.regions": N_("The regions"),
    "coverage.remote": N_("Remote work"),
    "coverage.languages": N_("The languages"),
    "coverage.sectors": N_("The sectors"),
    "coverage.headcount_min": N_("The smallest number of people"),
    "coverage.headcount_max": N_("The largest number of people"),
    "coverage.open_capacity": N_("The invitations at once"),
    "coverage.monthly_capacity": N_("The invitations in a month"),
    "coverage.weeks_to_start": N_("The number of weeks until you can begin"),
}

_CONTACT = {
    "contact": N_("The contact"),
    "contact.name": N_("The contact's name"),
    "contact.email": N_("The contact's e-mail address"),
    "contact.phone": N_("The contact's telephone number"),
}

PROFILE = {"": "", "website": N_("The website"), **_CONTACT, **_COVERAGE}

JOINING = {
    "": "",
    "kind": N_("What you do"),
    "name": N_("The name of the organisation"),
    "country": N_("The country"),
    "registration_number": N_("The registration number"),
    "website": N_("The website"),
    **_CONTACT,
    **_COVERAGE,
}

ACCREDITATION = {
    "": "",
    "standard": N_("The standard"),
    "edition": N_("The edition"),
    "body": N_("The accreditation body"),
    "certificate_number": N_("The number of the certificate"),
    "valid_from": N_("The first day on which it counts"),
    "valid_until": N_("The last day on which it counts"),
    "sectors": N_("The sectors"),
    "evidence": N_("The file"),
}


def called(name: str) -> str:
    """Return what an amount is called in a list of several."""
    steps = name.split(".")
    if steps[0] == "fees":
        return translate(FEES[steps[1]])
    if steps[0] == "phases":
        return str(gettext("the fee of phase %(number)s", number=int(steps[1]) + 1))
    return translate(LABELS[name])


def days_between(span: Span) -> str:
    """Return a range of days in words: `3 to 4.5 days`, and `1 day` where its ends are one."""
    if span.least == span.most:
        return in_days(span.most)
    least, most = number(float(span.least)), in_days(span.most)
    return str(gettext("%(least)s to %(most)s", least=least, most=most))


WHY_NOT = {
    Gap.NO_TABLE: N_("there is no table of audit time for it here"),
    Gap.BEYOND_TABLE: N_("its table has no row for so many people"),
    Gap.SPECIAL_SECTOR: N_("its table does not hold for this sector, which is a case of its own"),
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
            "Effective personnel is %(num)s person, as counted for the quote.",
            "Effective personnel is %(num)s people, as counted for the quote.",
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
