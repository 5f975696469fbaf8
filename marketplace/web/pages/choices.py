"""What forms offer to choose from, and what codes are called: the catalogue, for pages."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy.orm import Session

from marketplace.catalogue import queries as catalogue
from marketplace.catalogue.languages import languages
from marketplace.catalogue.models import Region, Sector, Standard
from marketplace.catalogue.rules import country_of
from marketplace.core.context import Context
from marketplace.web.pages.kept import once_a_minute
from marketplace.web.pages.standards import COMMON

_CODE = re.compile(r"[A-Za-z]{2}(-[A-Za-z0-9]{1,3})?")

NEAREST = ("AU", "NZ")
"""The countries that come first in a list of countries."""


@dataclass(frozen=True)
class Choices:
    """What the lead form, and a provider's profile, offer."""

    common: list[Standard]
    others: list[Standard]
    """Less common standards that somebody can be certified to."""
    elsewhere: list[Standard]
    """What people ask for as well, and nobody can be certified to: it says where to turn."""
    sectors: list[Sector]
    near: list[Region]
    """The countries most people choose ..."""
    countries: list[Region]
    """... and the rest of them."""
    states: list[Region]
    """The parts of Australia."""
    languages: Mapping[str, str]

    @property
    def standards(self) -> list[Standard]:
        return [*self.common, *self.others]


def choices(ctx: Context) -> Choices:
    """Return what forms offer; the catalogue changes a few times in a year."""
    return once_a_minute(ctx, _choices)


def _choices(ctx: Context) -> Choices:
    with ctx.reading() as session:
        listed = catalogue.standards(session)
        standards = [each for each in listed if each.certifiable]
        countries = catalogue.countries(session)
        return Choices(
            common=[each for each in standards if each.code in COMMON],
            others=[each for each in standards if each.code not in COMMON],
            elsewhere=[each for each in listed if not each.certifiable],
            sectors=catalogue.sectors(session),
            near=[each for each in countries if each.code in NEAREST],
            countries=[each for each in countries if each.code not in NEAREST],
            states=catalogue.subdivisions(session, "AU"),
            languages=languages(),
        )


def region_codes(session: Session, typed: Iterable[str]) -> list[str]:
    """Return regions as codes: each a code, a name, or a name with its code in brackets.

    What is neither stays as it was typed, to be refused in its own words.
    """
    parts = list(dict.fromkeys(part for text in typed for part in _parts(text)))
    called = catalogue.regions_called(session, [part for part in parts if not _code(part)])
    return list(dict.fromkeys(_code(part) or _called(part, called) for part in parts))


def _parts(text: str) -> list[str]:
    """Return the regions in a text, of which some have a comma in their names."""
    found: list[str] = []
    for part in re.split(r"[;\r\n]+", text):
        # "Korea, Republic of" is one region; "AU-NSW, AU-VIC" are two.
        codes = [each.strip() for each in part.split(",")]
        found += codes if all(map(_CODE.fullmatch, codes)) else [part.strip()]
    return [part for part in found if part]


def _code(text: str) -> str | None:
    _, bracket, code = text.removesuffix(")").rpartition("(")
    found = code if bracket and _CODE.fullmatch(code) else text
    return found.upper() if _CODE.fullmatch(found) else None


def _called(text: str, called: Mapping[str, list[str]]) -> str:
    codes = called.get(text.lower(), [])
    countries = [code for code in codes if "-" not in code]
    return codes[0] if len(codes) == 1 else countries[0] if countries else text


def language_codes(typed: Iterable[str]) -> list[str]:
    """Return languages as codes: each a code or a name, of which a comma is no part.

    What is neither stays as it was typed, to be refused in its own words.
    """
    known = languages()
    called = {name.casefold(): code for code, name in known.items()}
    parts = [part.strip() for text in typed for part in re.split(r"[;,\r\n]+", text)]
    return list(
        dict.fromkeys(
            part.lower() if part.lower() in known else called.get(part.casefold(), part)
            for part in parts
            if part
        )
    )


def names(
    ctx: Context, *, regions: Collection[str] = (), sectors: Collection[str] = ()
) -> dict[str, str]:
    """Return what these codes are called; a part of a country together with its country."""
    with ctx.reading() as session:
        countries = {country_of(code) for code in regions}
        found = catalogue.region_names(session, {*regions, *countries})
        said = {
            code: name if country_of(code) == code else f"{name}, {found[country_of(code)]}"
            for code, name in found.items()
        }
        return said | catalogue.sector_names(session, sectors)
