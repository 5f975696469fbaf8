"""The lead form that a reminder begins, filled in with what is known of a certificate."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from sqlalchemy.orm import Session

from marketplace.core.db import Json
from marketplace.core.policy import Policy
from marketplace.leads import certificates, cycle
from marketplace.leads.cycle import OF_EDITIONS
from marketplace.leads.models import Certificate
from marketplace.leads.rules import CertificationStatus, Service


def asked_again(session: Session, certificate: Certificate, *, today: date, policy: Policy) -> Json:
    """Return the form that a reminder begins, as its business would type it; consent is not in it.

    Who advised the business is named as long as that counts for impartiality; one who was chosen
    here is taken to advise it for `engagement`.
    """
    last = certificates.last_sent(session, certificate.id)
    dates = last.dates if last else []
    ahead = cycle.still_ahead(dates, today)
    if certificate.seeks_body and today < certificate.certified_on:
        status = CertificationStatus.NONE
    elif certificates.good_until(certificate, policy) < today:
        status = CertificationStatus.LAPSED
    elif any(each.what in OF_EDITIONS for each in dates):
        status = CertificationStatus.TRANSITION
    else:
        status = CertificationStatus.CERTIFIED
    counts_after = cycle.months_after(today, -12 * policy.impartiality_years)
    return {
        **certificate.form,
        "service": str(Service.CERTIFICATION),
        "standards": certificate.standards,
        "certification_status": str(status),
        "needed_by": ahead[0].on.isoformat() if ahead else None,
        "consultants_used": [
            {**each, "ended_on": _shown_end(each, today)}
            for each in certificate.form["consultants_used"]
            if each["ended_on"] is None or date.fromisoformat(each["ended_on"]) > counts_after
        ],
    }


def _shown_end(adviser: Mapping[str, Any], today: date) -> str | None:
    """Return when an adviser ended; None for one that is taken to go on."""
    end: str | None = adviser["ended_on"]
    return end if end is not None and date.fromisoformat(end) <= today else None
