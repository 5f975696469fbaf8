"""What only the catalogue can tell about a lead form, and the lead that is made of it."""

import secrets
from dataclasses import asdict
from datetime import date
from typing import Any
from uuid import UUID

from marketplace.catalogue.known import Known
from marketplace.catalogue.languages import languages
from marketplace.catalogue.rules import country_of
from marketplace.core import consents, identity
from marketplace.core.agreements import Agreed
from marketplace.core.consents import Whose
from marketplace.core.context import Transaction
from marketplace.core.db import new_id
from marketplace.core.errors import FieldError
from marketplace.core.forms import Form
from marketplace.leads import advisers, around, queries, rules, signals, trust
from marketplace.leads.models import Lead
from marketplace.leads.rules import CertificationStatus, LeadState, Signals
from marketplace.leads.signals import Telltale

_draw = secrets.SystemRandom()
_REFERENCE_LETTERS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"


def problems(form: Form, known: Known, *, today: date) -> list[FieldError]:
    """Return what is wrong with the form beyond its shape."""
    values = form.values
    found: list[FieldError] = []
    company = values.get("company") or {}
    if company.get("country"):
        country = company["country"]
        if country_of(country) != country or country not in known.zones:
            found.append(FieldError("/company/country", "is not an ISO 3166-1 country code"))
        elif company.get("registration_number"):
            try:
                identity.normal_number(country, company["registration_number"])
            except ValueError as error:
                found.append(FieldError("/company/registration_number", str(error)))
    if form.is_sound("standards"):
        found += _standards_problems(form, known, today=today)
    if form.is_sound("regions"):
        found += [
            FieldError(f"/regions/{index}", "is not a region of the catalogue")
            for index, code in enumerate(values.get("regions", []))
            if code not in known.zones
        ]
    sector = values.get("sector")
    if sector is not None and sector not in known.sectors:
        found.append(FieldError("/sector", "is not a sector of the catalogue"))
    language = values.get("language")
    if language is not None and language not in languages():
        found.append(FieldError("/language", "is not a language of the catalogue"))
    needed_by = values.get("needed_by")
    if needed_by is not None and needed_by < today:
        found.append(FieldError("/needed_by", "is in the past"))
    return found


def _standards_problems(form: Form, known: Known, *, today: date) -> list[FieldError]:
    codes, standards = form.values.get("standards", []), known.standards
    found = []
    for index, code in enumerate(codes):
        if code not in standards:
            found.append(FieldError(f"/standards/{index}", "is not a standard of the catalogue"))
        elif not standards[code].is_certifiable:
            found.append(FieldError(f"/standards/{index}", standards[code].where_to_turn))
    if form.is_sound("editions"):
        status: CertificationStatus | None = form.values.get("certification_status")
        is_new = status is not None and status.needs_a_new_one
        for code, edition in form.values.get("editions", {}).items():
            pointer = "/editions/" + code.replace("~", "~0").replace("/", "~1")
            if code not in codes:
                found.append(FieldError(pointer, "is not one of the standards asked for"))
            elif code in standards and (
                why := standards[code].editions.refusal(edition, today, is_new=is_new)
            ):
                found.append(FieldError(pointer, why))
    return found


COLUMNS = (
    "id", "reference", "state", "business_key", "form", "company_name", "country",
    "registration_number", "website", "contact_name", "contact_email", "contact_phone",
    "contact_role", "service", "standards", "editions", "regions", "headcount", "sites", "sector",
    "certification_status", "timeframe", "needed_by", "remote_ok", "language", "consultants_used",
    "notes", "consent", "signals", "review_reasons", "time_zone", "follows_lead_id", "source",
    "created_at", "confirm_by", "confirmed_at", "finished_at",
)  # fmt: skip
"""What `columns` returns of a lead."""


def columns(
    tx: Transaction,
    values: dict[str, Any],
    known: Known,
    telltale: Telltale,
    *,
    confirmed: bool,
    follows_lead_id: UUID | None = None,
) -> dict[str, Any]:
    """Return the columns of the lead that a form makes which was found to be in order.

    What it shares with the forms before it is looked at when it is confirmed, as of now as well
    (`look_again`): of those that nobody confirms nobody needs it.
    """
    company, contact = values["company"], values["contact"]
    number = company.get("registration_number")
    entity = identity.legal_entity(company["country"], number) if number else None
    named = [as_json(each) for each in values.get("consultants_used", [])]
    doubts = advisers.doubts(tx.session, [each["name"] for each in named]) if named else {}
    facts = signals.gather(values, telltale, confirmed=confirmed, in_doubt=doubts)
    # Anybody can have an address at a throw-away domain too.
    free = facts.free_mail or facts.disposable_mail
    asked, region = values.get("editions", {}), values["regions"][0]
    return {
        "id": new_id(),
        "reference": fresh_reference(),
        "state": LeadState.AWAITING_CONFIRMATION,
        "business_key": rules.business_key(
            legal_entity=entity, email=contact["email"], is_free_mail=free
        ),
        "form": as_json(values),
        "company_name": company["name"],
        "country": company["country"],
        "registration_number": number and identity.normal_number(company["country"], number),
        "website": company.get("website"),
        "contact_name": contact["name"],
        "contact_email": contact["email"],
        "contact_phone": contact.get("phone"),
        "contact_role": contact.get("role"),
        "service": values["service"],
        "standards": values["standards"],
        "editions": {
            code: asked.get(code, known.standards[code].editions.current)
            for code in values["standards"]
        },
        "regions": values["regions"],
        "headcount": values["headcount"],
        "sites": values.get("sites", 1),
        "sector": values.get("sector"),
        "certification_status": values["certification_status"],
        "timeframe": values.get("timeframe"),
        "needed_by": values.get("needed_by"),
        "remote_ok": values.get("remote_ok", True),
        "language": values.get("language"),
        "consultants_used": [advisers.noted(each, doubts) for each in named],
        "notes": values.get("notes"),
        "consent": {
            **values["consent"],
            "at": tx.now.isoformat().replace("+00:00", "Z"),
            "address": tx.origin.address,
        },
        "signals": vars(facts),
        "review_reasons": why_held(tx, facts),
        "time_zone": known.zones.get(region) or known.zones.get(country_of(region)) or "UTC",
        "follows_lead_id": follows_lead_id,
        "source": telltale.source,
        "created_at": tx.now,
        "confirm_by": tx.now + tx.policy.confirm_within,
        "confirmed_at": tx.now if confirmed else None,
        "finished_at": None,
    }


def new_lead(tx: Transaction, columns: dict[str, Any]) -> Lead:
    """Put a lead that is known already, or need not be, into the transaction."""
    lead = Lead(**columns)
    others = around.by_now(tx.session, lead, now=tx.now)
    lead.signals = {**lead.signals, **asdict(others)}
    lead.review_reasons = why_held(tx, Signals(**lead.signals))
    while queries.is_taken(tx.session, lead.reference):
        lead.reference = fresh_reference()
    tx.session.add(lead)
    tx.session.flush()
    consents.agree(tx, Whose.LEAD, lead.id, Agreed.SHARING, lead.consent["terms_version"])
    return lead


def why_held(tx: Transaction, facts: Signals) -> list[str]:
    """Return why a person should look at a form, by the policy in force."""
    policy = tx.policy
    return trust.review_reasons(facts, points=policy.doubt_points, held_from=policy.held_from)


def look_again(tx: Transaction, lead: Lead) -> None:
    """Note what other forms share with a lead that is being confirmed: by now, and as it came in.

    The most of both: who waits with the confirmation hides nothing by it.
    """
    then = around.before_it(tx.session, lead)
    now = around.by_now(tx.session, lead, now=tx.now)
    most = {name: max(n, getattr(then, name)) for name, n in asdict(now).items()}
    lead.signals = {**lead.signals, **most, "email_confirmed": True}
    lead.review_reasons = why_held(tx, Signals(**lead.signals))


def as_json(values: Any) -> Any:
    """Return form values as JSON can hold them: dates as ISO 8601, words as text."""
    if isinstance(values, dict):
        return {name: as_json(value) for name, value in values.items()}
    if isinstance(values, list):
        return [as_json(value) for value in values]
    return values.isoformat() if isinstance(values, date) else values


def fresh_reference() -> str:
    """Return a reference to be read out: no letters that look alike. Nearly always a free one."""
    return "R-" + "".join(_draw.choices(_REFERENCE_LETTERS, k=6))
