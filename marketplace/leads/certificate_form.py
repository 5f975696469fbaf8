"""What is wrong with what a business says of its certificate, and what it left out."""

from collections.abc import Collection, Mapping
from datetime import date

from marketplace.catalogue.models import Standard
from marketplace.core.errors import FieldError
from marketplace.core.forms import Form
from marketplace.core.policy import Policy
from marketplace.core.texts import N_, Told
from marketplace.leads import cycle
from marketplace.leads.models import Lead


def day_problems(form: Form, today: date, policy: Policy) -> list[FieldError]:
    """Return what is wrong with the day of the decision: too long ago, or too far ahead."""
    day = form.values.get("certified_on")
    if day is None:
        return []
    last = cycle.months_after(today, policy.certified_ahead_months)
    if day > last:
        return [FieldError("/certified_on", Told("must not be after %(last)s", last=last))]
    if cycle.good_until(day, months=policy.certificate_months) < today:
        return [FieldError("/certified_on", "is so long ago that such a certificate has ended")]
    return []


def standards_problems(
    codes: Collection[str], form: Form, known: Mapping[str, Standard], today: date
) -> list[FieldError]:
    """Return what is wrong with the standards of a certificate and their editions."""
    if not form.is_sound("standards"):
        return []
    if not codes:
        return [FieldError("/standards", _NO_CYCLE)]
    found = []
    for index, code in enumerate(codes):
        if code not in known:
            found.append(FieldError(f"/standards/{index}", "is not a standard of the catalogue"))
        elif not known[code].has_three_year_cycle:
            found.append(FieldError(f"/standards/{index}", _NO_CYCLE))
    if form.is_sound("editions"):
        for code, edition in form.values.get("editions", {}).items():
            pointer = "/editions/" + code.replace("~", "~0").replace("/", "~1")
            if code not in codes:
                found.append(FieldError(pointer, "is not one of the standards named"))
            elif code in known and (
                why := known[code].editions.refusal(edition, today, is_new=False)
            ):
                found.append(FieldError(pointer, why))
    return found


_NO_CYCLE = N_("must be certified in cycles of three years: we know no dates of others")


def edition_of(lead: Lead, standard: Standard, today: date) -> str:
    """Return the edition that was asked for, or the current one where that is over by now."""
    asked: str | None = lead.editions.get(standard.code)
    is_good = asked is not None and not standard.editions.refusal(asked, today, is_new=False)
    return asked if asked is not None and is_good else standard.edition
