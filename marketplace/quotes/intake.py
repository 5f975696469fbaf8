"""What is wrong with a quote beyond its shape: by request, provider, calendar and sum."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import pycountry
from sqlalchemy import select
from sqlalchemy.orm import Session

from marketplace.catalogue import queries as catalogue
from marketplace.core.errors import FieldError
from marketplace.core.forms import Form
from marketplace.core.policy import Policy
from marketplace.core.texts import Told
from marketplace.leads.models import Lead
from marketplace.providers.models import Accreditation, Provider
from marketplace.providers.rules import ProviderKind, accreditation_counts
from marketplace.quotes import rules
from marketplace.quotes.rules import QuoteKind, TravelBasis

KIND_OF = {
    ProviderKind.CERTIFICATION_BODY: QuoteKind.CERTIFICATION,
    ProviderKind.CONSULTANT: QuoteKind.CONSULTING,
}


def problems(
    session: Session, form: Form, lead: Lead, provider: Provider, *, policy: Policy, today: date
) -> list[FieldError]:
    """Return one entry for every field that is wrong, as far as its shape was right."""
    values = form.values
    found = []
    kind = KIND_OF[provider.kind]
    if form.is_sound("kind") and values["kind"] is not kind:
        found.append(FieldError("/kind", f"must be {kind} for this provider"))
    if form.is_sound("currency") and not _is_currency(values["currency"]):
        found.append(FieldError("/currency", "is not an ISO 4217 currency"))
    found += _part_problems(form)
    found += _day_problems(values, "valid_until", today, last=today + policy.quote_stands_at_most)
    found += _day_problems(values, "earliest_start", today, last=today + policy.quote_begins_within)
    travel = (values.get("fees") or {}).get("travel")
    if values.get("travel_basis") is TravelBasis.INCLUDED and travel:
        found.append(FieldError("/fees/travel", "is included, so it has no amount of its own"))
    counted = values.get("effective_personnel")
    most = rules.personnel_at_most(
        lead.headcount,
        times=policy.personnel_times_headcount,
        at_least=policy.headcount_for_personnel,
    )
    if counted is not None and counted > most:
        wrong = Told("must be at most %(most)d, for a business of this size", most=most)
        found.append(FieldError("/effective_personnel", wrong))
    if kind is QuoteKind.CERTIFICATION:
        found += _accreditation_and_standard_problems(session, form, lead, provider, today=today)
    found += _total_problems(form)
    return found


def _is_currency(code: str) -> bool:
    # The look-up itself takes any case; two spellings of one currency would not be compared.
    found = pycountry.currencies.get(alpha_3=code)
    return found is not None and found.alpha_3 == code and code not in rules.NO_MONEY


def _part_problems(form: Form) -> Iterator[FieldError]:
    """Name what is a part of a unit in a currency that knows none."""
    currency, kind = form.values.get("currency"), form.values.get("kind")
    if kind is None or currency not in rules.WITHOUT_CENTS:
        return
    # Where a phase cannot be read nobody knows which place is whose.
    readable = form.values if form.is_sound("phases") else {**form.values, "phases": []}
    for path in rules.not_whole(kind, readable):
        wrong = Told("must be a whole amount: %(currency)s has no smaller unit", currency=currency)
        yield FieldError(f"/{path}", wrong)


def _day_problems(
    values: Mapping[str, Any], name: str, today: date, *, last: date
) -> Iterator[FieldError]:
    day = values.get(name)
    if day is None:
        return
    if day < today:
        yield FieldError(f"/{name}", "is in the past")
    elif day > last:
        yield FieldError(f"/{name}", Told("must not be after %(last)s", last=last.isoformat()))


def _accreditation_and_standard_problems(
    session: Session, form: Form, lead: Lead, provider: Provider, *, today: date
) -> Iterator[FieldError]:
    held = session.scalars(
        select(Accreditation).where(Accreditation.provider_id == provider.id)
    ).all()
    named_id = form.values.get("accreditation_id") if form.is_sound("accreditation_id") else None
    named = next((each for each in held if each.id == named_id), None)
    if named_id is not None:
        yield from _named_problems(named, lead, today=today)
    yield from _standard_problems(session, _rows(form), lead, held, named, today=today)


def _rows(form: Form) -> dict[int, Mapping[str, Any]]:
    """Return the standards that could be read, by their place in the list.

    None where something in it is no standard at all: then nobody knows which place is whose.
    """
    if any(_IS_WHOLE.fullmatch(each.pointer) for each in form.problems):
        return {}
    return {
        index: row
        for index, row in enumerate(form.values.get("standards") or [])
        if form.is_sound(f"standards/{index}/code")
    }


_IS_WHOLE = re.compile(r"/standards(/\d+)?")


def _named_problems(
    named: Accreditation | None, lead: Lead, *, today: date
) -> Iterator[FieldError]:
    if named is None:
        yield FieldError("/accreditation_id", "is not one of your accreditations")
    elif named.standard not in lead.standards:
        yield FieldError("/accreditation_id", "is not for a standard that was asked for")
    elif not _counts(named, today):
        yield FieldError("/accreditation_id", "is not verified and current")


def _counts(held: Accreditation, today: date) -> bool:
    return accreditation_counts(
        held.state, valid_from=held.valid_from, valid_until=held.valid_until, today=today
    )


def _standard_problems(
    session: Session,
    quoted: Mapping[int, Mapping[str, Any]],
    lead: Lead,
    held: Sequence[Accreditation],
    named: Accreditation | None,
    *,
    today: date,
) -> Iterator[FieldError]:
    known = catalogue.standards_by_code(session, {each["code"] for each in quoted.values()})
    seen: set[str] = set()
    for index, each in quoted.items():
        code, edition, row = each["code"], each.get("edition"), f"/standards/{index}"
        if code not in lead.standards:
            yield FieldError(f"{row}/code", "was not asked for")
            continue
        if code in seen:
            yield FieldError(f"{row}/code", "is named twice")
        seen.add(code)
        if edition is None:
            continue
        standard = known.get(code)
        if standard is not None and not standard.editions.is_known(edition):
            now = " or ".join(filter(None, [standard.edition, standard.previous_edition]))
            wrong = Told("must be an edition of %(code)s, such as %(now)s", code=code, now=now)
            yield FieldError(f"{row}/edition", wrong)
            continue
        # What was named is what the certificate would be issued under; else anything that counts.
        under = [named] if named is not None and named.standard == code else held
        covered = {one.edition for one in under if one.standard == code and _counts(one, today)}
        if rules.is_outside(edition, covered):
            of = " and ".join(sorted(filter(None, covered)))
            wrong = Told(
                "is not covered by your accreditation, which is for %(edition)s", edition=of
            )
            yield FieldError(f"{row}/edition", wrong)


def _total_problems(form: Form) -> Iterator[FieldError]:
    """Say what a total that was sent along should be, once all that it adds up can be read."""
    stated, kind = form.values.get("total"), form.values.get("kind")
    parts = ("fees", "travel_basis") if kind is QuoteKind.CERTIFICATION else ("phases", "travel")
    if stated is None or kind is None or not all(map(form.is_sound, ("total", *parts))):
        return
    total = rules.total(kind, form.values)
    if stated != total:
        wrong = Told("must be %(total)s, to which the amounts add up, or left out", total=total)
        yield FieldError("/total", wrong)
