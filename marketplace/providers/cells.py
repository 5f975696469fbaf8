"""What the cells of an import file mean: each is read by itself, and what is wrong is said."""

import re
import unicodedata
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any, TypeVar

from email_validator import EmailNotValidError, validate_email

from marketplace.catalogue.rules import Editions, in_whole, parts_by_country
from marketplace.core import identity
from marketplace.core.formulas import meant
from marketplace.providers.rules import (
    CAPACITY_AT_MOST,
    HEADCOUNT_RANGE,
    LANGUAGES_AT_MOST,
    WEEKS_TO_START_AT_MOST,
    ProviderKind,
    default_coverage,
    name_key,
)

T = TypeVar("T")

COLUMNS = (
    "name", "kind", "country", "registration_number", "website", "contact_name", "email", "phone",
    "standards", "regions", "sectors", "headcount_min", "headcount_max", "remote", "open_capacity",
    "monthly_capacity", "related_to", "accreditations",
)  # fmt: skip

FURTHER_COLUMNS = ("languages", "weeks_to_start")
"""Columns that a file may do without: then what is known of them is left as it is."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_WEB = re.compile(r"https?://[^\s/?#@]+\.[^\s/?#@.]{2,}([/?#]\S*)?", re.I)


@dataclass(frozen=True)
class Reference:
    """What of the catalogue a cell may name."""

    standards: Mapping[str, Editions]
    countries: Collection[str]
    regions: Collection[str]
    sectors: Collection[str]
    languages: Collection[str]

    @cached_property
    def parts(self) -> dict[str, set[str]]:
        """The parts of each country."""
        return parts_by_country(self.regions)


@dataclass(frozen=True, repr=False)
class Claimed:
    """An accreditation that a row names."""

    body: str
    certificate_number: str
    standard: str
    edition: str | None
    valid_until: date
    sectors: list[str] | None

    @property
    def identity(self) -> tuple[str, str, str, str | None]:
        return (self.body, self.certificate_number, self.standard, self.edition)


@dataclass(repr=False)
class Row:
    """A row as far as it could be read; a value that could not be is missing."""

    values: dict[str, Any] = field(default_factory=dict)
    accreditations: list[Claimed] = field(default_factory=list)
    related_to: list[str] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)
    """(column, what is wrong there)."""


def read_row(cells: Mapping[str, str], known: Reference) -> Row:
    """Read every cell of a row; each one that is wrong is named."""
    row = Row()

    def take(column: str, read: Callable[[str], Any], *, required: bool = False) -> None:
        if column in FURTHER_COLUMNS and column not in cells:
            return
        try:
            text = _text(cells[column])
            if required and not text:
                raise ValueError("is required")
            row.values[column] = read(text) if text else None
        except ValueError as error:
            row.problems.append((column, str(error)))

    take("name", _name, required=True)
    take("kind", _kind, required=True)
    take("country", _among(known.countries, "an ISO 3166-1 country code"), required=True)
    country = row.values.get("country")
    take(
        "registration_number",
        lambda text: identity.normal_number(country, text) if country else None,
    )
    take("website", _website)
    take("contact_name", _at_most(120), required=True)
    take("email", _email, required=True)
    take("phone", _at_most(40))
    take("standards", _list_of(known.standards, "a standard", 100), required=True)
    regions = _list_of(known.regions, "a region", 500)
    take("regions", lambda text: in_whole(regions(text), known.parts), required=True)
    take("sectors", _list_of(known.sectors, "a sector", 100))
    take("headcount_min", _number(*HEADCOUNT_RANGE))
    take("headcount_max", _number(*HEADCOUNT_RANGE))
    take("remote", _yes_no)
    take("open_capacity", _number(0, CAPACITY_AT_MOST[0]))
    take("monthly_capacity", _number(0, CAPACITY_AT_MOST[1]))
    take("languages", _list_of(known.languages, "a language", LANGUAGES_AT_MOST))
    take("weeks_to_start", _number(0, WEEKS_TO_START_AT_MOST))
    row.values["says_weeks"] = "weeks_to_start" in cells
    take("related_to", lambda text: row.related_to.extend(_entries(text, 50)))
    take("accreditations", lambda text: row.accreditations.extend(_accreditations(text, known)))
    for column, default in default_coverage().items():
        if column in row.values and row.values[column] is None:
            row.values[column] = default
    _across(row)
    return row


def _across(row: Row) -> None:
    """Check what cells say together, and add what follows from them."""
    values = row.values
    least, most = values.get("headcount_min"), values.get("headcount_max")
    if least is not None and most is not None and least > most:
        row.problems.append(("headcount_max", "must not be below headcount_min"))
    if row.accreditations and values.get("kind") is ProviderKind.CONSULTANT:
        row.problems.append(("accreditations", "only a certification body holds accreditations"))
    number, country = values.get("registration_number"), values.get("country")
    values["legal_entity"] = identity.legal_entity(country, number) if country and number else None
    values["name_key"] = name_key(values["name"]) if "name" in values else None


def _text(cell: str) -> str:
    text = meant(unicodedata.normalize("NFC", cell).strip())
    if _CONTROL.search(text):
        raise ValueError("must not contain control characters")
    return text


def _at_most(length: int) -> Callable[[str], str]:
    def read(text: str) -> str:
        if len(text) > length:
            raise ValueError(f"must have at most {length} characters")
        return text

    return read


def _name(text: str) -> str:
    if not name_key(text):
        raise ValueError("must have at least one letter or digit")
    return _at_most(200)(text)


def _kind(text: str) -> ProviderKind:
    try:
        return ProviderKind(text)
    except ValueError:
        raise ValueError(f"must be one of {', '.join(ProviderKind)}") from None


def _among(known: Collection[str], what: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in known:
            raise ValueError(f"'{_cut(text)}' is not {what} of the catalogue")
        return text

    return read


def _cut(text: str) -> str:
    return text if len(text) <= 60 else text[:59] + "…"


def _entries(text: str, most: int, separator: str = ";") -> list[str]:
    """Return the entries of a list, each once."""
    found = list(dict.fromkeys(entry.strip() for entry in text.split(separator)))
    found = [entry for entry in found if entry]
    if len(found) > most:
        raise ValueError(f"must have at most {most} entries")
    return found


def _list_of(known: Collection[str], what: str, most: int) -> Callable[[str], list[str]]:
    def read(text: str) -> list[str]:
        found = _entries(text, most)
        unknown = [_cut(entry) for entry in found if entry not in known]
        if unknown:
            raise ValueError(f"not {what} of the catalogue: {', '.join(unknown)}")
        if not found:
            raise ValueError("is required")
        return found

    return read


def _number(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not least <= int(text) <= most:
            raise ValueError(f"must be a whole number from {least} to {most}")
        return int(text)

    return read


def _yes_no(text: str) -> bool:
    if text not in ("yes", "no"):
        raise ValueError("must be yes or no")
    return text == "yes"


def _email(text: str) -> str:
    try:
        checked = validate_email(text, check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise ValueError(f"must be an e-mail address: {error}") from None
    return checked.normalized.lower()


def _website(text: str) -> str:
    address = text if "://" in text else f"https://{text}"
    if not _WEB.fullmatch(address):
        raise ValueError("must be a web address such as https://acme.example")
    return _at_most(300)(address)


def _accreditations(text: str, known: Reference) -> Iterator[Claimed]:
    seen = set()
    for entry in _entries(text, 100):
        claimed = _accreditation(entry, known)
        if claimed.identity in seen:
            raise ValueError(f"'{_cut(entry)}' is named twice")
        seen.add(claimed.identity)
        yield claimed


def _accreditation(entry: str, known: Reference) -> Claimed:
    parts = [part.strip() for part in entry.split("|")]
    if len(parts) not in (4, 5):
        raise ValueError(
            f"'{_cut(entry)}' must be body|certificate number|standard|valid until|sectors"
        )
    body, number, standard, until, *sectors = parts
    if not 1 <= len(body) <= 60:
        raise ValueError(f"'{_cut(entry)}' must name an accreditation body in 1 to 60 characters")
    if not 1 <= len(number) <= 80:
        raise ValueError(f"'{_cut(entry)}' must have a certificate number of 1 to 80 characters")
    code, edition = _standard(standard, known)
    try:
        valid_until = date.fromisoformat(until) if re.fullmatch(r"\d{4}-\d\d-\d\d", until) else None
    except ValueError:
        valid_until = None
    if valid_until is None:
        raise ValueError(f"'{_cut(until)}' is not a date such as 2027-12-31")
    scope = _entries(sectors[0], 100, ",") if sectors else []
    unknown = [sector for sector in scope if sector not in known.sectors]
    if unknown:
        raise ValueError(f"not a sector of the catalogue: {_cut(', '.join(unknown))}")
    return Claimed(body, number, code, edition, valid_until, scope or None)


def _standard(text: str, known: Reference) -> tuple[str, str | None]:
    """Return code and edition of `ISO 9001:2026`; without an edition it is unknown."""
    code, colon, edition = text.partition(":")
    if code not in known.standards:
        raise ValueError(f"'{_cut(text)}' is not a standard of the catalogue")
    if not colon:
        return code, None
    if not known.standards[code].is_known(edition):
        raise ValueError(f"'{_cut(text)}' is not an edition of {code}")
    return code, edition
