"""How the catalogue's own files are read: short editions, dates with remarks, time zones."""

import csv
import re
from calendar import monthrange
from collections.abc import Iterator
from datetime import date
from functools import cache
from importlib.resources import files

DATA = files("marketplace.catalogue") / "data"


def rows(name: str) -> Iterator[dict[str, str]]:
    """Yield the rows of one of the catalogue's files."""
    text = (DATA / f"{name}.csv").read_text(encoding="utf-8")
    yield from csv.DictReader(text.splitlines())


def short_edition(text: str) -> tuple[str, str]:
    """Return an edition's short code and what stood in brackets behind it.

    `2018 (+Amd 1:2024)` is the edition `2018` with the remark `+Amd 1:2024`.
    """
    code, _, remark = text.partition(" (")
    return code.strip(), remark.removesuffix(")").strip()


def day(text: str) -> date | None:
    """Return the day that a remark-carrying date means, and None where it names none.

    A month alone means its last day: `2018-09 (ended)` is 30 September 2018.
    """
    found = re.match(r"(\d{4})-(\d{2})(?:-(\d{2}))?\b", text)
    if found is None:
        return None
    year, month = int(found[1]), int(found[2])
    return date(year, month, int(found[3]) if found[3] else monthrange(year, month)[1])


@cache
def region_zones() -> dict[str, str]:
    """Return the time zones that the catalogue states itself, by region."""
    return {row["region"]: row["time_zone"] for row in rows("region_time_zones")}


@cache
def first_zones() -> dict[str, str]:
    """Return the first time zone that the tz database lists for each country."""
    table = (files("tzdata") / "zoneinfo" / "zone.tab").read_text(encoding="utf-8")
    found: dict[str, str] = {}
    for line in table.splitlines():
        if not line.startswith("#"):
            country, _, zone = line.split("\t")[:3]
            found.setdefault(country, zone)
    return found


def time_zone(region: str) -> str:
    """Return a region's time zone: its own, its country's, the first listed for it, or UTC."""
    country = region.partition("-")[0]
    stated = region_zones()
    return stated.get(region) or stated.get(country) or first_zones().get(country) or "UTC"
