"""What the fields of a provider's forms are called in a sentence, in the order of their pages."""

FEES = {
    "application": "Application and registration",
    "stage_1": "Stage 1 audit",
    "stage_2": "Stage 2 audit",
    "surveillance_1": "First surveillance audit",
    "surveillance_2": "Second surveillance audit",
    "recertification": "Recertification audit",
    "annual": "Annual fee, for one year",
    "travel": "Travel",
}

LABELS = {
    "": "",
    "reason": "The reason",
    "comment": "The comment",
    "text": "Your question",
    "kind": "The kind of quote",
    "standards": "The standards",
    "standards.code": "Standard",
    "standards.edition": "The edition of standard",
    "audit_days": "The audit days",
    **{f"audit_days.{name}": f"{label} (days)" for name, label in FEES.items()},
    "fees": "The fees",
    **{f"fees.{name}": f"{label} (fee)" for name, label in FEES.items()},
    "travel_basis": "Who bears the travel costs",
    "effective_personnel": "The effective number of personnel",
    "accreditation_id": "The accreditation",
    "assumptions": "The assumptions",
    "phases": "The phases",
    "phases.name": "The name of phase",
    "phases.deliverables": "The deliverables of phase",
    "phases.days": "The days of phase",
    "phases.on_site": "On site, phase",
    "phases.fee": "The fee of phase",
    "travel": "Travel",
    "duration_weeks": "The duration",
    "exclusions": "What is not included",
    "currency": "The currency",
    "tax_rate": "The tax rate",
    "earliest_start": "The earliest start",
    "valid_until": "The last day on which the quote stands",
    "notes": "The notes",
}

_COVERAGE = {
    "coverage": "The coverage",
    "coverage.standards": "The standards",
    "coverage.regions": "The regions",
    "coverage.remote": "Remote work",
    "coverage.languages": "The languages",
    "coverage.sectors": "The sectors",
    "coverage.headcount_min": "The smallest number of people",
    "coverage.headcount_max": "The largest number of people",
    "coverage.open_capacity": "The invitations at once",
    "coverage.monthly_capacity": "The invitations in a month",
    "coverage.weeks_to_start": "The number of weeks until you can begin",
}

_CONTACT = {
    "contact": "The contact",
    "contact.name": "The contact's name",
    "contact.email": "The contact's e-mail address",
    "contact.phone": "The contact's telephone number",
}

PROFILE = {"": "", "website": "The website", **_CONTACT, **_COVERAGE}

JOINING = {
    "": "",
    "kind": "What you do",
    "name": "The name of the organisation",
    "country": "The country",
    "registration_number": "The registration number",
    "website": "The website",
    **_CONTACT,
    **_COVERAGE,
}

ACCREDITATION = {
    "": "",
    "standard": "The standard",
    "edition": "The edition",
    "body": "The accreditation body",
    "certificate_number": "The number of the certificate",
    "valid_from": "The first day on which it counts",
    "valid_until": "The last day on which it counts",
    "sectors": "The sectors",
    "evidence": "The file",
}
