"""What only the catalogue can tell about a lead form, and the lead that is made of it."""

import secrets
from dataclasses import asdict
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from marketplace.catalogue import queries as catalogue
from marketplace.catalogue.languages import languages
from marketplace.catalogue.rules import country_of
from marketplace.core import consents, identity
from marketplace.core.agreements import Agreed
from marketplace.core.consents import Whose
from marketplace.core.context import Transaction
from marketplace.core.db import new_id
from marketplace.core.errors import FieldError
from marketplace.core.forms import Form
from marketplace.leads import advisers, around, rules, signals, trust
from marketplace.leads.models import Lead
from marketplace.leads.rules import CertificationStatus, LeadState, Signals
from marketplace.leads.signals import Telltale

_REFERENCE_LETTERS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"


def problems(session: Session, form: Form, *, today: date) -> list[FieldError]:
    """Return what is wrong with the form beyond its shape."""
    values = form.values
    found: list[FieldError] = []
    company = values.get("company") or {}
    if company.get("country"):
        country = company["country"]
        if country_of(country) != country or not catalogue.known_regions(session, [country]):
            found.append(FieldError("/company/country", "is not an ISO 3166-1 country code"))
        elif company.get("registration_number"):
            try:
                identity.normal_number(country, company["registration_number"])
            except ValueError as error:
                found.append(FieldError("/company/registration_number", str(error)))
    if form.is_sound("standards"):
        found += _standards_problems(session, form, today=today)
    if form.is_sound("regions"):
        known = catalogue.known_regions(session, values.get("regions", []))
        found += [
            FieldError(f"/regions/{index}", "is not a region of the catalogue")
            for index, code in enumerate(values.get("regions", []))
            if code not in known
        ]
    sector = values.get("sector")
    if sector is not None and not catalogue.known_sectors(session, [sector]):
        found.append(FieldError("/sector", "is not a sector of the catalogue"))
    language = values.get("language")
    if language is not None and language not in languages():
        found.append(FieldError("/language", "is not a language of the catalogue"))
    needed_by = values.get("needed_by")
    if needed_by is not None and needed_by < today:
        found.append(FieldError("/needed_by", "is in the past"))
    return found


def _standards_problems(session: Session, form: Form, *, today: date) -> list[FieldError]:
    codes = form.values.get("standards", [])
    known = catalogue.standards_by_code(session, codes)
    found = []
    for index, code in enumerate(codes):
        if code not in known:
            found.append(FieldError(f"/standards/{index}", "is not a standard of the catalogue"))
        elif not known[code].certifiable:
            found.append(FieldError(f"/standards/{index}", known[code].where_to_turn))
    if form.is_sound("editions"):
        status: CertificationStatus | None = form.values.get("certification_status")
        is_new = status is not None and status.needs_a_new_one
        for code, edition in form.values.get("editions", {}).items():
            pointer = "/editions/" + code.replace("~", "~0").replace("/", "~1")
            if code not in codes:
                found.append(FieldError(pointer, "is not one of the standards asked for"))
            elif code in known and (
                why := known[code].editions.refusal(edition, today, is_new=is_new)
            ):
                found.append(FieldError(pointer, why))
    return found


def new_lead(
    tx: Transaction,
    values: dict[str, Any],
    telltale: Telltale,
    *,
    confirmed: bool,
    follows_lead_id: UUID | None = None,
) -> Lead:
    """Make a lead of a form that was found to be in order, and put it into the transaction."""
    company, contact = values["company"], values["contact"]
    number = company.get("registration_number")
    entity = identity.legal_entity(company["country"], number) if number else None
    named = [as_json(each) for each in values.get("consultants_used", [])]
    doubts = advisers.doubts(tx.session, [each["name"] for each in named])
    free = signals.is_free_mail(contact["email"]) or signals.is_disposable(contact["email"])
    # Anybody can have an address at a throw-away domain too.
    key = rules.business_key(legal_entity=entity, email=contact["email"], is_free_mail=free)
    others = around.around(
        tx.session,
        lead_id=None,
        business_key=key,
        email=contact["email"],
        notes=values.get("notes"),
        address=tx.origin.address,
        now=tx.now,
    )
    facts = signals.gather(values, telltale, confirmed=confirmed, in_doubt=doubts, others=others)
    standards = catalogue.standards_by_code(tx.session, values["standards"])
    asked = values.get("editions", {})
    lead = Lead(
        id=new_id(),
        reference=_fresh_reference(tx.session),
        state=LeadState.AWAITING_CONFIRMATION,
        business_key=key,
        form=as_json(values),
        company_name=company["name"],
        country=company["country"],
        registration_number=number and identity.normal_number(company["country"], number),
        website=company.get("website"),
        contact_name=contact["name"],
        contact_email=contact["email"],
        contact_phone=contact.get("phone"),
        contact_role=contact.get("role"),
        service=values["service"],
        standards=values["standards"],
        editions={code: asked.get(code, standards[code].edition) for code in values["standards"]},
        regions=values["regions"],
        headcount=values["headcount"],
        sites=values.get("sites", 1),
        sector=values.get("sector"),
        certification_status=values["certification_status"],
        timeframe=values.get("timeframe"),
        needed_by=values.get("needed_by"),
        remote_ok=values.get("remote_ok", True),
        language=values.get("language"),
        consultants_used=[advisers.noted(each, doubts) for each in named],
        notes=values.get("notes"),
        consent={
            **values["consent"],
            "at": tx.now.isoformat().replace("+00:00", "Z"),
            "address": tx.origin.address,
        },
        signals=asdict(facts),
        review_reasons=why_held(tx, facts),
        time_zone=catalogue.time_zone_of(tx.session, values["regions"][0]),
        follows_lead_id=follows_lead_id,
        source=telltale.source,
        created_at=tx.now,
        confirm_by=tx.now + tx.policy.confirm_within,
        confirmed_at=tx.now if confirmed else None,
    )
    tx.session.add(lead)
    tx.session.flush()
    version = values["consent"]["terms_version"]
    consents.agree(tx, Whose.LEAD, lead.id, Agreed.SHARING, version)
    return lead


def why_held(tx: Transaction, facts: Signals) -> list[str]:
    """Return why a person should look at a form, by the policy in force."""
    policy = tx.policy
    return trust.review_reasons(facts, points=policy.doubt_points, held_from=policy.held_from)


def look_again(tx: Transaction, lead: Lead) -> None:
    """Bring up to date what other forms share with a lead that is being confirmed."""
    others = around.around(
        tx.session,
        lead_id=lead.id,
        business_key=lead.business_key,
        email=lead.contact_email,
        notes=lead.notes,
        address=lead.consent.get("address"),
        now=tx.now,
    )
    known = Signals(**lead.signals)
    most = {name: max(n, getattr(known, name)) for name, n in asdict(others).items()}
    lead.signals = {**lead.signals, **most, "email_confirmed": True}
    lead.review_reasons = why_held(tx, Signals(**lead.signals))


def as_json(values: Any) -> Any:
    """Return form values as JSON can hold them: dates as ISO 8601, words as text."""
    if isinstance(values, dict):
        return {name: as_json(value) for name, value in values.items()}
    if isinstance(values, list):
        return [as_json(value) for value in values]
    return values.isoformat() if isinstance(values, date) else values


def _fresh_reference(session: Session) -> str:
    """Return a reference that nobody has, to be read out: no letters that look alike."""
    while True:
        reference = "R-" + "".join(secrets.choice(_REFERENCE_LETTERS) for _ in range(6))
        if session.scalar(select(Lead.id).where(Lead.reference == reference)) is None:
            return reference
