"""Public holidays, as the library `holidays` knows them: in no table, since they change by law.

What it does not know of a part of a country is taken from the country, and where it does not know
the country either, there are none.
"""

from collections.abc import Callable, Mapping
from datetime import date
from functools import cache, partial
from importlib import import_module

from marketplace.catalogue.rules import country_of


def holidays_of(region: str) -> Callable[[date], str | None]:
    """Return what says how a day is called that is a public holiday in a region."""
    return partial(_holiday, region)


def _holiday(region: str, day: date) -> str | None:
    return _of_year(region, day.year).get(day)


@cache
def _of_year(region: str, year: int) -> Mapping[date, str]:
    # Imported when it is first needed: it takes a second, and clock hours do without.
    library = import_module("holidays")
    country = country_of(region)
    for part in (region.partition("-")[2] or None, None):
        try:
            return dict(
                library.country_holidays(country, subdiv=part, years=year, language="en_US")
            )
        except NotImplementedError:
            continue
    return {}
