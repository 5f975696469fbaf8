"""Registration numbers that stand in a company's name, as people copy it from an invoice.

Pure. `Harbour Quality Pty Ltd (ABN 74 676 061 760)` is a name and the legal entity that bears it.
"""

import re

from marketplace.core import identity

_LABEL = (
    r"(?:a\.?b\.?n|a\.?c\.?n|a\.?r\.?b\.?n|n\.?z\.?b\.?n"
    r"|(?:company|registered|registration|reg)\.?\s+(?:no|nr|number))\b\.?"
)
_STANDS = re.compile(
    rf"\b(?P<label>{_LABEL}[\s:.#\-]*)?(?P<digits>(?<!\d)\d(?:[\s.\-]?\d){{6,13}})(?!\w)",
    re.IGNORECASE,
)
"""Seven to fourteen digits, and what says that they are a number."""

_COUNTRY_OF_LENGTH = {9: "AU", 11: "AU", 13: "NZ"}
"""Where a number of so many digits has check digits: an ACN, an ABN, an NZBN."""


def entities_in(name: str) -> set[str]:
    """Return the legal entities (`core.identity`) whose numbers stand in a name, the sound ones."""
    found = (_entity(each["digits"]) for each in _STANDS.finditer(name))
    return {each for each in found if each is not None}


def without_numbers(name: str) -> str:
    """Return a name without what is called a registration number in it, or can be nothing else."""
    return _STANDS.sub(
        lambda each: " " if each["label"] or _entity(each["digits"]) else each[0], name
    )


def _entity(digits: str) -> str | None:
    compact = re.sub(r"\D", "", digits)
    try:
        return identity.legal_entity(_COUNTRY_OF_LENGTH[len(compact)], compact)
    except (KeyError, ValueError):
        return None
