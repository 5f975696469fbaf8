"""How a company's name is read: which of its words tell it from others, and which do not.

Pure. Stronger than `rules.name_key`, which is stored and so never changes: other letters, legal
forms however they are spelt (`legal_forms`), words that are written together, trading names, names
in brackets, registration numbers (`name_numbers`), addresses on the web.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

from rapidfuzz.distance import OSA

from marketplace.providers.legal_forms import LEGAL_FORMS, without_form
from marketplace.providers.name_numbers import without_numbers

_JOINING = frozenset(("and", "und", "et", "of", "for", "the", "in"))

_COMMON_FORMS = {
    "consult": "consults consultant consultants consulting consultancy consultancies consultation",
    "advise": "advice adviser advisers advisor advisors advisory advisories",
    "quality": "qualities qa qms",
    "service": "services servicing",
    "solution": "solutions",
    "system": "systems sys",
    "management": "managements mgmt manage managers",
    "certification": "certifications certify certified certifier certifiers certs cert",
    "audit": "audits auditing auditor auditors",
    "compliance": "compliant compliances",
    "assurance": "assurances assure assured",
    "assess": "assessment assessments assessor assessors",
    "register": "registrar registrars registration registrations registry",
    "standard": "standards",
    "iso": "isos",
    "safety": "whs ohs hse",
    "environment": "environments environmental",
    "risk": "risks",
    "train": "training trainings trainer trainers",
    "business": "businesses",
    "professional": "professionals",
    "expert": "experts expertise",
    "specialist": "specialists",
    "technical": "technology technologies tech",
    "integrated": "integration",
    "group": "groups grp",
    "partner": "partners partnership",
    "associate": "associates associated assoc",
    "holding": "holdings",
    "enterprise": "enterprises",
    "international": "intl",
    "global": "worldwide",
    "national": "nationwide",
    "company": "companies",
    "australia": "australian australasia australasian aust aus",
    "zealand": "nz",
    "kingdom": "uk",
    "america": "american usa us",
    "asia": "asian",
    "europe": "european",
}
COMMON = {form: meant for meant, forms in _COMMON_FORMS.items() for form in (meant, *forms.split())}
"""Words that say what a company does or where, and not which one it is; each as what it means."""

_STUCK = (
    "certifications certification consultancy consultants consultant consulting compliance "
    "management solutions solution assurance advisory services training partners quality systems "
    "system safety group"
)
_ENDINGS = tuple(_STUCK.split())
"""Common words that are written together with the word before them: `HarbourQuality`."""

LETTERS = {
    "\u00f8": "o", "\u0142": "l", "\u0111": "d", "\u0131": "i", "\u00e6": "ae", "\u0153": "oe",
    "\u00f0": "d", "\u00fe": "th", "\u0127": "h", "\u0167": "t", "\u014b": "n",
}  # fmt: skip
"""Letters that are no others with an accent, as people write them who lack their keys."""

_ALSO_CALLED = re.compile(
    r"(?<=\S)[\s(,;]+"
    r"(?:t/as?|t\.a\.|trading\s+as|d/b/a|dba|doing\s+business\s+as|a\.?k\.?a\.?|a/k/a"
    r"|also\s+known\s+as|f/k/a|fka|formerly(?:\s+known\s+as)?|previously(?:\s+known\s+as)?"
    r"|atf|as\s+trustee\s+for)"
    r"[\s:]+"
)
"""What stands between a name and another one of the same company's."""

_IN_BRACKETS = re.compile(r"[(\[]([^()\[\]]*)(?:[)\]]|$)")

_PLACES = (
    "nsw vic victoria qld queensland tas tasmania act sydney melbourne brisbane perth adelaide "
    "hobart darwin canberra auckland wellington christchurch london dublin singapore"
)
_NAMES_NOBODY = LEGAL_FORMS | frozenset(_PLACES.split())
"""What stands in brackets within one name: `Harbour Quality (Sydney) (Pty) Ltd`."""

_SITE = re.compile(
    r"\W*(?:[a-z]+://)?(?:\S*@)?(?:www\.)?(\S{3,}?)"
    r"\.(?:(?:com|net|org|co|edu|asn|id|biz|info|io)(?:\.[a-z]{2})?|[a-z]{2})(?:[/?#]\S*)?\W*"
)
"""A name on the web, and around it what many have: `www.harbourquality.com.au/about`."""

READINGS_AT_MOST = 6
"""In how many ways one name is read; no real one has more."""


@dataclass(frozen=True)
class Reading:
    """One name as it is compared."""

    words: tuple[str, ...]
    """Folded, without legal form and joining words; never empty."""
    form: frozenset[str]
    """What its legal form says, in full; empty where it says none."""

    @cached_property
    def telling(self) -> tuple[str, ...]:
        """The words that tell this company from others."""
        return tuple(word for word in self._parts if meaning(word) is None)

    @cached_property
    def common(self) -> frozenset[str]:
        """What the other words mean."""
        meant = (meaning(word) for word in self._parts)
        return frozenset(each for each in meant if each is not None)

    @cached_property
    def joined(self) -> str:
        return "".join(self.words)

    @cached_property
    def _parts(self) -> tuple[str, ...]:
        return tuple(part for word in self.words for part in _taken_apart(word))


def readings(name: str) -> tuple[Reading, ...]:
    """Return the names that stand in a name, a trading name or one in brackets by itself.

    A registration number is no part of them, unless it is the name. None where there is neither
    letter nor digit.
    """
    found = _readings(without_numbers(name))
    says_nothing = all(LEGAL_FORMS.issuperset(each.words) for each in found)
    return _readings(name) if says_nothing else found


def _readings(name: str) -> tuple[Reading, ...]:
    parts = _ALSO_CALLED.split(folded("".join(_humps_apart(name))))
    every = dict.fromkeys(each for part in parts for each in _with_brackets_apart(part))
    return tuple(islice(every, READINGS_AT_MOST))


def _with_brackets_apart(text: str) -> Iterator[Reading]:
    """Yield the text, and where its brackets name somebody, these and what is around them.

    What is around them as well where its legal form does not end the text: `Harbour Ltd (NSW)`.
    """
    whole = _reading(text)
    if whole is None:
        return
    yield whole
    inside = [_reading(each) for each in _IN_BRACKETS.findall(text)]
    named = [each for each in inside if each is not None and _names_somebody(each)]
    around = _reading(_IN_BRACKETS.sub(" ", text))
    if around is not None and (named or around.form != whole.form):
        yield around
    yield from named


def _names_somebody(inside: Reading) -> bool:
    """Return whether what stands in brackets is a name, and not a place, a form or a number."""
    words = [word for word in inside.words if len(word) > 2 and word not in _NAMES_NOBODY]
    return len(words) > 1 or any(meaning(word) is None and not word.isdigit() for word in words)


def _reading(text: str) -> Reading | None:
    """Return one name without legal form and joining words, unless nothing would be left."""
    kept, form = without_form(_words(text))
    words = [word for word in kept if word not in _JOINING] or kept
    return Reading(tuple(words), form) if words else None


def meaning(word: str) -> str | None:
    """Return what a common word means, a long one with a typing error as well; else None."""
    if word in COMMON or len(word) < 6:
        return COMMON.get(word)
    near = (
        COMMON[each]
        for each in _ENDINGS
        if len(each) > 6 and each[0] == word[0] and OSA.distance(word, each, score_cutoff=1) == 1
    )
    return next(near, None)


def folded(text: str) -> str:
    """Return the text in small letters without accents; letters of other scripts stay."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    kept = (each for each in plain if unicodedata.category(each) not in ("Mn", "Me", "Cf"))
    return "".join(LETTERS.get(each, each) for each in kept)


def _humps_apart(name: str) -> Iterator[str]:
    """Part words where a capital follows a small letter, but not `GmbH`."""
    for token in unicodedata.normalize("NFKC", name).split():
        is_form = folded(token).strip(".,;()") in LEGAL_FORMS
        last = ""
        for each in token:
            if last.islower() and each.isupper() and not is_form:
                yield " "
            yield each
            last = each
        yield " "


def _words(text: str) -> list[str]:
    """Return the words of a folded text; initials with dots or slashes (`P/L`) are one word."""
    found: list[str] = []
    for token in re.sub(r"['\u2018\u2019`\u00b4]", "", text).split():
        site = _SITE.fullmatch(token)
        pieces = re.findall(r"[^\W_]+", site[1] if site else token)
        is_initials = len(pieces) > 1 and all(len(piece) == 1 for piece in pieces)
        found += ["".join(pieces)] if is_initials else pieces
    return found


def _taken_apart(word: str) -> list[str]:
    """Return a word without the common ones that it ends in, and these."""
    if meaning(word) is None:
        for ending in _ENDINGS:
            if word.endswith(ending) and len(word) >= len(ending) + 3:
                return [*_taken_apart(word.removesuffix(ending)), ending]
    return [word]
