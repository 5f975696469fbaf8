"""Languages as ISO 639-1 has them: in no table, since nobody here has anything to add to them."""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

import pycountry


@cache
def languages() -> Mapping[str, str]:
    """Return what every language with a two-letter code is called, in the order of the names."""
    named = {
        each.alpha_2: _plain(getattr(each, "common_name", each.name))
        for each in pycountry.languages
        if hasattr(each, "alpha_2")
    }
    return MappingProxyType(dict(sorted(named.items(), key=lambda each: each[1])))


def _plain(name: str) -> str:
    """Return a name without what only linguists need: `Modern Greek (1453-)`."""
    return name.partition(" (")[0]
