"""A provider that comes in: what only the catalogue can tell of it, and the rows it becomes."""

import secrets
from collections.abc import Collection
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from marketplace.accounts.rules import normal_email
from marketplace.catalogue import queries as catalogue
from marketplace.catalogue.languages import languages
from marketplace.catalogue.rules import country_of, in_whole
from marketplace.core import identity
from marketplace.core.context import Transaction
from marketplace.core.db import new_id
from marketplace.core.errors import FieldError
from marketplace.core.forms import Form
from marketplace.providers.models import Coverage, Provider
from marketplace.providers.rules import (
    ProviderKind,
    ProviderState,
    default_coverage,
    month_of,
    name_key,
)

SHUFFLE_TO = 2**31 - 1


def application_problems(session: Session, form: Form) -> list[FieldError]:
    """Return what is wrong with an application beyond its shape."""
    found: list[FieldError] = []
    country, number = form.values.get("country"), form.values.get("registration_number")
    if country is not None:
        if country_of(country) != country or not catalogue.known_regions(session, [country]):
            found.append(FieldError("/country", "is not an ISO 3166-1 country code"))
        elif number is not None:
            try:
                identity.normal_number(country, number)
            except ValueError as error:
                found.append(FieldError("/registration_number", str(error)))
    name = form.values.get("name")
    if name is not None and not name_key(name):
        found.append(FieldError("/name", "must have at least one letter or digit"))
    return found + coverage_problems(session, form)


def coverage_problems(
    session: Session, form: Form, current: Coverage | None = None
) -> list[FieldError]:
    """Return what is wrong with the coverage in a form; `current` is what it changes, if any."""
    wanted = form.values.get("coverage") or {}
    known = {
        "standards": catalogue.standards_by_code(session, wanted.get("standards", [])).keys(),
        "regions": catalogue.known_regions(session, wanted.get("regions", [])),
        "sectors": catalogue.known_sectors(session, wanted.get("sectors", [])),
        "languages": languages().keys() if wanted.get("languages") else (),
    }
    found = [
        FieldError(f"/coverage/{name}/{index}", f"is not a {name[:-1]} of the catalogue")
        for name, codes in known.items()
        if form.is_sound(f"coverage/{name}")
        for index, code in enumerate(wanted.get(name, []))
        if code not in codes
    ]
    least = wanted.get("headcount_min", current.headcount_min if current else 1)
    most = wanted.get("headcount_max", current.headcount_max if current else least)
    sound = form.is_sound("coverage/headcount_min") and form.is_sound("coverage/headcount_max")
    if sound and least > most:
        wrong = "max" if "headcount_max" in wanted else "min"
        found.append(
            FieldError(f"/coverage/headcount_{wrong}", "the range must not end before it begins")
        )
    return found


def entity_of(values: dict[str, Any]) -> str | None:
    """Return the legal entity that a checked form names by its number, if it does."""
    number = values.get("registration_number")
    return identity.legal_entity(values["country"], number) if number else None


def hold_identity(tx: Transaction, values: dict[str, Any]) -> None:
    """Let nobody else bring the same provider in until the transaction ends."""
    key = entity_of(values) or "|".join(
        [values["kind"], values["country"], name_key(values["name"]), values["contact"]["email"]]
    )
    tx.session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(key, 0))))


def known_provider(session: Session, values: dict[str, Any]) -> Provider | None:
    """Return the provider that a form is about, if there is one that was not rejected.

    What identifies it is its legal entity; where either side's is unknown, kind, country, name and
    e-mail address together.
    """
    entity = entity_of(values)
    same_words = (
        (Provider.kind == values["kind"])
        & (Provider.country == values["country"])
        & (Provider.name_key == name_key(values["name"]))
        & (Provider.contact_email == normal_email(values["contact"]["email"]))
    )
    if entity is not None:
        same_words &= Provider.legal_entity.is_(None)
    return session.scalar(
        select(Provider)
        .where(
            Provider.state != ProviderState.REJECTED,
            or_(Provider.legal_entity == entity, same_words) if entity else same_words,
        )
        .order_by(Provider.legal_entity.is_(None), Provider.id)
        .limit(1)
    )


def new_provider(tx: Transaction, values: dict[str, Any]) -> Provider:
    """Write a provider down as `applied`, with its coverage."""
    kind: ProviderKind = values["kind"]
    contact = values["contact"]
    number = values.get("registration_number")
    provider = Provider(
        id=new_id(),
        kind=kind,
        state=ProviderState.APPLIED,
        name=values["name"],
        name_key=name_key(values["name"]),
        country=values["country"],
        registration_number=identity.normal_number(values["country"], number) if number else None,
        legal_entity=entity_of(values),
        website=values.get("website"),
        contact_name=contact["name"],
        contact_email=normal_email(contact["email"]),
        contact_phone=contact.get("phone"),
        created_at=tx.now,
    )
    tx.session.add(provider)
    tx.session.flush()
    covered = {**default_coverage(), **as_stored(tx.session, _given(values["coverage"]))}
    tx.session.add(
        Coverage(
            provider_id=provider.id,
            kind=kind,
            state=provider.state,
            month=month_of(tx.now),
            shuffle=secrets.randbelow(SHUFFLE_TO),
            **covered,
        )
    )
    tx.session.flush()
    return provider


def as_stored(session: Session, coverage: dict[str, Any]) -> dict[str, Any]:
    """Return checked coverage as it is stored: a country in place of all of its parts."""
    if "regions" not in coverage:
        return coverage
    parts = catalogue.parts_of_countries(session, coverage["regions"])
    return {**coverage, "regions": in_whole(coverage["regions"], parts)}


def _given(coverage: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in coverage.items() if value is not None}


def change(row: object, values: dict[str, Any], names: Collection[str]) -> list[str]:
    """Set those of `names` that `values` has; return the ones that really changed."""
    changed = []
    for name in names:
        if name in values and getattr(row, name) != values[name]:
            setattr(row, name, values[name])
            changed.append(name)
    return changed


def zone_of(session: Session, provider: Provider) -> str:
    """Return the time zone in which a provider is told times: of the first region it covers."""
    covered = session.get(Coverage, provider.id)
    regions = covered.regions if covered is not None else []
    return catalogue.time_zone_of(session, regions[0] if regions else provider.country)
