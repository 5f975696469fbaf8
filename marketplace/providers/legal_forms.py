"""How names end that say what sort of company it is, in whatever spelling, and what that means.

Pure. `rules.LEGAL_SUFFIXES` are the few that `name_key` has always left out, which is stored; here
is the rest.
"""

from collections.abc import Sequence

from marketplace.providers.rules import LEGAL_SUFFIXES

_FORMS = (
    "pl lc limitada ltda eurl snc scs sro srl sl slu sau doo dd kft zrt rt zoo ooo oao pjsc jsc "
    "cv vof eood ead aktiengesellschaft gesellschaft mbh haftungsbeschrankt ek ev gbr partg "
    "stiftung incorporation unlimited ltee cic cio berhad tbk trust trustee publ uab eireli wll fze"
)
LEGAL_FORMS = LEGAL_SUFFIXES | frozenset(_FORMS.split())
"""Forms of one word, initials written together included."""

_SPACED = (
    "s a rl", "s a r l", "sp z oo", "sp z o o", "sa de cv", "s de rl de cv", "sapi de cv",
    "limited liability company", "limited liability partnership", "incorporated association",
)  # fmt: skip
_TOGETHER = frozenset(each.replace(" ", "") for each in _SPACED)
"""Forms of several words; how they are parted differs: `S. de R. L. de C. V.`."""
_MOST_WORDS = 7

_JOINING = frozenset(("and", "und", "et"))
"""What may stand between a name and its form: `GmbH & Co. KG`."""

_IN_FULL = {
    "pty": "proprietary", "ltd": "limited", "pl": "proprietary limited", "inc": "incorporated",
    "corp": "corporation", "co": "company", "pte": "private", "pvt": "private",
    "llc": "limited liability company", "limitedliabilitycompany": "limited liability company",
    "llp": "limited liability partnership",
    "limitedliabilitypartnership": "limited liability partnership",
    "plc": "public limited company", "incorporatedassociation": "incorporated association",
}  # fmt: skip


def without_form(words: Sequence[str]) -> tuple[list[str], frozenset[str]]:
    """Return the words of a name, one at least, without its form; and what that says, in full."""
    kept = list(words)
    said: set[str] = set()
    while length := _length_of_form(kept):
        together = "".join(kept[-length:])
        said.update(_IN_FULL.get(together, together).split())
        del kept[-length:]
    return kept, frozenset(said - _JOINING)


def _length_of_form(words: Sequence[str]) -> int:
    """Return how many words at the end, but not all of them, say nothing but the legal form."""
    for length in range(min(_MOST_WORDS, len(words) - 1), 1, -1):
        together = "".join(words[-length:])
        is_initials = len(together) == length
        if together in _TOGETHER or (is_initials and together in LEGAL_FORMS):
            return length
    return int(len(words) > 1 and (words[-1] in LEGAL_FORMS or words[-1] in _JOINING))
