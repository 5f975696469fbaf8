"""Two certification quotes as they could be: days by the tables, fees by the day, nothing hidden.

ISO 9001 and ISO 14001 for 42 people: MD 5 says 4 and 5.5 days; audited together (MD 11, at most a
fifth less) that is at least 7.5. A third of it a year for surveillance, two thirds to recertify.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

Body = dict[str, Any]

FIRST: Body = {
    "audit_days": {
        "stage_1": 2.5,
        "stage_2": 5.5,
        "surveillance_1": 2.5,
        "surveillance_2": 2.5,
        "recertification": 5.5,
    },
    "fees": {
        "application": "450.00",
        "stage_1": "4375.00",
        "stage_2": "9625.00",
        "surveillance_1": "4375.00",
        "surveillance_2": "4375.00",
        "recertification": "9625.00",
        "annual": "390.00",
        "travel": "0.00",
    },
    "travel_basis": "included",
    "assumptions": [
        "42 effective personnel, one site, two shifts with the same work",
        "Environmental complexity medium; both standards audited together, 16 % less time (MD 11)",
    ],
    "notes": "The justification of the audit time is yours on request.",
}

SECOND: Body = {
    "audit_days": {
        "stage_1": 2.5,
        "stage_2": 5,
        "surveillance_1": 2.5,
        "surveillance_2": 2.5,
        "recertification": 5,
    },
    "fees": {
        "application": "0.00",
        "stage_1": "4000.00",
        "stage_2": "8000.00",
        "surveillance_1": "4000.00",
        "surveillance_2": "4000.00",
        "recertification": "8000.00",
        "annual": "520.00",
        "travel": "1800.00",
    },
    "travel_basis": "capped",
    "assumptions": [
        "42 effective personnel, one site",
        "Both standards audited together, 20 % less time (MD 11)",
    ],
    "notes": "Travel is charged as it arises, and never beyond the amount shown.",
}


def on_the_day(offer: Body, today: date, held: Sequence[Mapping[str, Any]]) -> Body:
    """Return the quote as it is sent today, naming an accreditation that the provider holds."""
    standards = ("ISO 9001", "ISO 14001")
    naming = next((each["id"] for each in held if each["standard"] in standards), None)
    return {
        "kind": "certification",
        "currency": "AUD",
        "tax_rate": "10",
        "standards": [{"code": code, "edition": "2026"} for code in standards],
        "effective_personnel": 42,
        "accreditation_id": naming,
        "earliest_start": (today + timedelta(days=45)).isoformat(),
        "valid_until": (today + timedelta(days=60)).isoformat(),
        **offer,
    }
