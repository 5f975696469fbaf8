"""What firms are called, whosever they are, and the numbers under which a register has them. Pure.

By what stands beside a name: its legal form, or that somebody trades under it. As in `tells`, every
function takes a text as it is compared and yields where something stands in it.
"""

import re
from collections.abc import Iterator, Sequence

from marketplace.leads.folding import HUMP
from marketplace.leads.tells import NO_NAMES, Span

_FORM = re.compile(
    rf"(?<![^\W_])(?:\(?(?:pty|pte|pvt)\.?\)?[\s{HUMP}]{{0,2}}(?:ltd|limited)"
    rf"|sdn\.?[\s{HUMP}]{{0,2}}bhd|ltd|limited|gmb{HUMP}?h|inc|incorporated|llc|llp|plc|s\.a\.r\.l"
    r"|ag|bv|nv|kg|srl|spa|s\.a)"
    r"(?![^\W_])\.?"
)
_ONLY_AS_CAPITALS = frozenset({"ag", "bv", "nv", "kg", "srl", "spa", "s.a"})
"""Forms that are words or measures in small letters (5 kg)."""
WORDS_OF_A_NAME = 4
"""How many words before a legal form are taken for the name, if they are written as one."""
_BEFORE = re.compile(rf"[^\s,;:()]{{1,40}}(?=(?:,?\s{{1,2}}|\s?{HUMP})?\Z)")
_JOINS = frozenset({"&", "and", "of", "+"})


def firms(plain: str, is_capital: Sequence[bool]) -> Iterator[Span]:
    """Yield names with the legal form of a firm behind them, as far back as they have capitals."""
    for found in _FORM.finditer(plain):
        form = found.group().strip(".")
        is_written_so = is_capital[found.start()] and (is_capital[found.start() + len(form) - 1])
        if form in _ONLY_AS_CAPITALS and not is_written_so:
            continue
        if form == "limited" and not is_capital[found.start()]:
            continue
        start = end = found.start()
        for number in range(WORDS_OF_A_NAME):
            before = _BEFORE.search(plain, max(0, end - 44), end)
            if before is None:
                break
            word, end = before.group().strip(f"{HUMP}."), before.start()
            is_name = is_capital[before.start()] or (number == 0 and form[:2] in ("pt", "pv", "gm"))
            if is_name and word not in NO_NAMES:
                start = end
            elif word not in _JOINS:
                break
        if start < found.start():
            yield start, found.end()


_REGISTERED = re.compile(
    r"(?<![^\W_])(?:certificate|cert|licen[cs]e|registration|membership|member|customer|client|company"
    r"|account|duns|nzbn|crn|siren|siret|ein)\s{0,2}(?:no|nr|num|number|id|code|#)(?![^\W_])\.?\s{0,2}"
    rf":?\s{{0,2}}((?:[a-z]{{1,5}}[\s\-/{HUMP}]{{0,2}}){{0,2}}\d(?:[\s\-/.{HUMP}]?\d){{3,}})"
)


def registered(plain: str) -> Iterator[Span]:
    """Yield numbers of certificates and of registers, by which anybody finds whose they are."""
    yield from (found.span(1) for found in _REGISTERED.finditer(plain))
