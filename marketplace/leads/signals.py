"""Gather the facts by which a form is trusted."""

import importlib.resources
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import phonenumbers
from disposable_email_domains import blocklist as disposable_domains
from phonenumbers import PhoneNumber

from marketplace.leads.around import NOTHING_SHARED, Around
from marketplace.leads.rules import MAY_NEED_A_BODY, Signals
from marketplace.leads.trust import oddities

OPTIONAL_FIELDS = (
    "sector", "certification_status", "timeframe", "needed_by", "consultants_used", "notes",
)  # fmt: skip


@dataclass(frozen=True)
class Telltale:
    """What only the page of the form can tell: how long it took, and the field nobody sees."""

    seconds_to_fill: float | None = None
    honeypot: str = ""
    source: str | None = None
    """The origin of the other site that the form stood in."""


@cache
def free_mail_domains() -> frozenset[str]:
    """Return the mail domains at which anybody can have an address."""
    listed = importlib.resources.files("marketplace.leads") / "free_mail_domains.txt"
    lines = listed.read_text(encoding="utf-8").splitlines()
    return frozenset(line.strip() for line in lines if line and not line.startswith("#"))


def is_free_mail(email: str) -> bool:
    """Return whether the address is at a domain where anybody can have one."""
    return _is_below(email.rpartition("@")[2], free_mail_domains())


def is_disposable(email: str) -> bool:
    """Return whether the address is at a domain of throw-away ones."""
    return _is_below(email.rpartition("@")[2], disposable_domains)


def _is_below(domain: str, known: Collection[str]) -> bool:
    """Return whether a domain is one of these, or below one: many take mail for whatever is there.

    Each name below would be a business of its own, that nobody has heard of.
    """
    labels = domain.split(".")
    return any(".".join(labels[at:]) in known for at in range(len(labels) - 1))


def gather(
    values: Mapping[str, Any],
    telltale: Telltale,
    *,
    confirmed: bool,
    in_doubt: Mapping[str, Mapping[UUID, str]],
    others: Around = NOTHING_SHARED,
) -> Signals:
    """Return the trust signals of a form that was found to be in order.

    `in_doubt`: the providers that consultants whom it names may be. `others`: what the forms before
    it have in common with it.
    """
    company, contact = values["company"], values["contact"]
    domain = contact["email"].rpartition("@")[2]
    number = _number(contact.get("phone"), company["country"])
    filled = [name for name in OPTIONAL_FIELDS if values.get(name)]
    filled += [name for name in ("registration_number", "website") if company.get(name)]
    filled += [name for name in ("phone", "role") if contact.get(name)]
    return Signals(
        email_confirmed=confirmed,
        registration_number_valid=True if company.get("registration_number") else None,
        domain_matches_website=_same_domain(domain, company.get("website")),
        disposable_mail=is_disposable(contact["email"]),
        free_mail=is_free_mail(contact["email"]),
        phone_possible=(number is not None and phonenumbers.is_possible_number(number))
        if contact.get("phone")
        else None,
        seconds_to_fill=telltale.seconds_to_fill,
        honeypot_filled=bool(telltale.honeypot),
        completeness=round(len(filled) / (len(OPTIONAL_FIELDS) + 4), 2),
        consultants_in_doubt={name: list(like.values()) for name, like in in_doubt.items()}
        if values["service"] in MAY_NEED_A_BODY
        else {},
        **vars(
            oddities(
                company=company["name"],
                contact=contact["name"],
                notes=values.get("notes"),
                headcount=values["headcount"],
                sites=values.get("sites", 1),
            )
        ),
        phone_elsewhere=_is_elsewhere(number, company["country"]),
        **vars(others),
    )


def _same_domain(mail_domain: str, website: str | None) -> bool | None:
    if not website or is_free_mail(mail_domain):
        return None
    host = (urlsplit(website).hostname or "").removeprefix("www.")
    return (
        host == mail_domain or host.endswith(f".{mail_domain}") or mail_domain.endswith(f".{host}")
    )


def _number(phone: str | None, country: str) -> PhoneNumber | None:
    """Return the telephone number that somebody wrote; None where it can be none."""
    try:
        return phonenumbers.parse(phone or "", country)
    except phonenumbers.NumberParseException:
        return None


def _is_elsewhere(number: PhoneNumber | None, country: str) -> bool:
    if number is None:
        return False
    code = number.country_code or 0
    return country not in phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(code, ())
