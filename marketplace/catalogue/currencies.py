"""In which currency a country reckons, as Babel has it: in no table, as with languages."""

from babel.numbers import get_territory_currencies

_CHANGED_SINCE = {"BG": "EUR"}
"""Countries with another currency than Babel's tables have: Bulgaria since 2026."""


def currency_of(country: str) -> str | None:
    """Return the currency of a country, which the business of a lead reckons in."""
    current = get_territory_currencies(country)
    return _CHANGED_SINCE.get(country) or (current[0] if current else None)
