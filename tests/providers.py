"""Providers for tests, made by the same use cases that make them in the product."""

import re
from datetime import date
from typing import Any
from uuid import UUID

from marketplace.core.actors import OPERATOR, RIGHTS_OF, Actor, Kind, TeamRole
from marketplace.core.context import Context
from marketplace.core.forms import Form
from marketplace.providers import accreditations, service
from marketplace.providers.models import Provider
from marketplace.providers.rules import CheckResult, ProviderKind


def application(name: str = "Harbour Quality Pty Ltd", **changes: Any) -> dict[str, Any]:
    """Return an application as it is sent; `coverage` is changed field by field."""
    coverage = {
        "standards": ["ISO 9001", "ISO 14001"],
        "regions": ["AU-NSW", "AU-VIC"],
        "sectors": ["17"],
        "headcount_min": 1,
        "headcount_max": 500,
        "remote": False,
        "open_capacity": 5,
        "monthly_capacity": 20,
    } | changes.pop("coverage", {})
    words = re.findall(r"[a-z]+", str(name).lower()) if len(str(name)) < 100 else []
    address = words[0] if words else "harbour"
    return {
        "name": name,
        "kind": "consultant",
        "country": "AU",
        "registration_number": None,
        "website": f"https://{address}.example",
        "contact": {"name": "Kim Reyes", "email": f"kim@{address}.example", "phone": None},
        "coverage": coverage,
    } | changes


def a_provider(ctx: Context, name: str = "Harbour Quality Pty Ltd", **changes: Any) -> Provider:
    """Return a verified provider, whose contact can set a password."""
    form = application(name, **changes)
    form["kind"] = ProviderKind(form["kind"])
    created = service.create_provider(ctx, OPERATOR, Form(form))
    return service.approve_provider(ctx, OPERATOR, created.id)


def a_body(ctx: Context, name: str = "Southern Certification Ltd", **changes: Any) -> Provider:
    """Return a verified certification body without accreditations."""
    return a_provider(ctx, name, kind="certification_body", **changes)


def acting_for(provider: Provider) -> Actor:
    """Return somebody who signed in for the provider."""
    return Actor(
        Kind.PROVIDER,
        id=provider.id,
        provider_id=provider.id,
        rights=RIGHTS_OF[TeamRole.OWNER],
    )


def claim(**changes: Any) -> dict[str, Any]:
    """Return a claim as the use case takes it."""
    return {
        "standard": "ISO 9001",
        "edition": "2026",
        "body": "JASANZ",
        "certificate_number": "S-100",
        "sectors": ["17"],
        "valid_from": date(2026, 1, 1),
        "valid_until": date(2028, 12, 31),
    } | changes


def an_accreditation(ctx: Context, holder: Provider, **changes: Any) -> UUID:
    """Return the id of an accreditation that an administrator has found in a register."""
    claimed = accreditations.claim_accreditation(ctx, acting_for(holder), Form(claim(**changes)))
    look = {
        "result": CheckResult.FOUND,
        "checked_on": ctx.clock().date(),
        "source": "the body's register",
    }
    found = claimed.accreditation.id
    accreditations.verify_accreditation(ctx, OPERATOR, found, Form(look))
    return found
