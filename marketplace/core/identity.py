"""Which legal entity a registration number stands for.

Where the country's check digits are known a wrong number is refused (python-stdnum); elsewhere only
its form is. A check digit proves form and nothing else.
"""

import re

from stdnum import ean
from stdnum.au import abn, acn
from stdnum.exceptions import ValidationError

from marketplace.core.texts import N_

_NAMED = re.compile(r"^\s*(ABN|ACN|NZBN)[\s:.]*(?=[0-9])", re.IGNORECASE)
"""What a number is called, before it: as it stands on letters, from which it is copied."""


def normal_number(country: str, number: str) -> str:
    """Return the number without spaces and punctuation, or raise `ValueError` saying what is wrong.

    Australia: an ABN (11 digits, prefix 11 to 99, modulus 89) or an ACN (9 digits, modulus 10).
    New Zealand: an NZBN (13 digits beginning with 94, GS1 check digit).
    """
    bare = _NAMED.sub("", number, count=1) if country in ("AU", "NZ") else number
    compact = re.sub(r"[\s.\-/]", "", bare).upper()
    if not re.fullmatch(r"[0-9A-Z]{2,30}", compact):
        raise ValueError(N_("must have 2 to 30 letters and digits"))
    if country == "AU" and not (abn.is_valid(compact) or acn.is_valid(compact)):
        raise ValueError(N_("is not a valid ABN or ACN: please check its digits"))
    is_nzbn = country == "NZ" and len(compact) == 13
    if is_nzbn and not (compact.startswith("94") and _is_gs1(compact)):
        raise ValueError(N_("is not a valid NZBN: please check its digits"))
    return compact


def legal_entity(country: str, number: str) -> str:
    """Return the key of the legal entity with this number, such as `AU:676061760`.

    The ABN of a company contains its ACN, so both give the same key.
    """
    compact = normal_number(country, number)
    if country == "AU" and len(compact) == 11 and acn.is_valid(compact[2:]):
        compact = compact[2:]
    return f"{country}:{compact}"


def _is_gs1(compact: str) -> bool:
    try:
        ean.validate(compact)
    except ValidationError:
        return False
    return True
