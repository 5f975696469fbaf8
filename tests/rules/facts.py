"""Providers and leads as the rules of matching see them, without a database."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from marketplace.leads.rules import Service
from marketplace.matching.bands import Fit
from marketplace.matching.eligibility import Wanted, obstacle
from marketplace.matching.rules import Seat
from marketplace.providers.rules import (
    AccreditationFacts,
    AccreditationState,
    ProviderFacts,
    ProviderKind,
    ProviderState,
    RelationFacts,
    RelationshipKind,
)

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
TODAY = NOW.date()
DAY = timedelta(days=1)

CONSULTANT = ProviderKind.CONSULTANT
BODY = ProviderKind.CERTIFICATION_BODY


def provider_id(number):
    return UUID(int=number)


def wanted(**changes):
    """Return a consulting lead for ISO 9001 in New South Wales."""
    values = {
        "service": Service.CONSULTING,
        "editions": {"ISO 9001": "2026"},
        "ended": (),
        "regions": ("AU-NSW",),
        "headcount": 42,
        "sector": "17",
        "sector_codes": frozenset({"3", "17", "28"}),
        "remote_ok": False,
        "advisers": (),
    }
    values |= changes
    return Wanted(**{**values, "service": Service(values["service"])})


def accreditation(**changes):
    """Return a verified accreditation for the lead's standard, edition and sector."""
    values = {
        "id": UUID(int=99),
        "body": "JASANZ",
        "standard": "ISO 9001",
        "edition": "2026",
        "sectors": frozenset({"17"}),
        "state": AccreditationState.VERIFIED,
        "valid_from": None,
        "valid_until": TODAY + 365 * DAY,
        "recognised": True,
    }
    return AccreditationFacts(**{**values, **changes})


def relation(other, *, since=None, until=None):
    return RelationFacts(provider_id(other), RelationshipKind.DECLARED, since, until)


def provider(number=1, kind=CONSULTANT, **changes):
    """Return a provider that fits the lead in everything."""
    values = {
        "id": provider_id(number),
        "name": f"Number {number} Pty Ltd",
        "name_key": f"number {number}",
        "kind": kind,
        "state": ProviderState.VERIFIED,
        "legal_entity": None,
        "standards": frozenset({"ISO 9001"}),
        "regions": frozenset({"AU-NSW"}),
        "sectors": frozenset({"17"}),
        "headcount_min": 1,
        "headcount_max": 500,
        "remote": False,
        "open_capacity": 5,
        "open_count": 0,
        "monthly_capacity": 20,
        "month": date(2026, 11, 1),
        "month_count": 0,
        "weeks_to_start": None,
        "languages": frozenset(),
        "accreditations": (accreditation(),) if kind is BODY else (),
        "pauses": (),
        "related": frozenset(),
    }
    return ProviderFacts(**{**values, **changes})


def seat(number, kind=CONSULTANT, *, band=0, credit=0.0, weight=1.0, invited_at=None):
    """Return a place on the bench."""
    lacks = tuple("something" for _ in range(band))
    return Seat(provider_id(number), kind, Fit(band, lacks), weight, credit, invited_at)


def found(lead, candidate, *, invited=(), now=NOW):
    """Return the filter that keeps the candidate out, or None."""
    seen = obstacle(
        lead,
        candidate,
        invited={each.id: each for each in invited},
        now=now,
        impartiality_years=2,
    )
    return seen.filter if seen else None
