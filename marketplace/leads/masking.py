"""What a provider may know of a lead before it accepts: everything a quote needs, nobody's name.

Pure. Texts are compared folded (case, accents, full-width and look-alike letters, invisible
characters), so that no spelling hides a name; what is not covered is left as it was written.
Where a word might identify the business it is covered: a brief that is covered once too often
costs a question, one that is covered too seldom costs the business its say over its own data.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from marketplace.leads import firms, tells
from marketplace.leads.folding import HUMP, Folded, fold, folded
from marketplace.leads.readings import SIGNS, as_digits, as_drawn, drawn, encoded, lettered, spoken
from marketplace.leads.tells import Span
from marketplace.providers.rules import LEGAL_SUFFIXES

COVER = "\u2588\u2588\u2588"


@dataclass(frozen=True, repr=False)
class Identity:
    """What identifies a business (or a provider) and its people."""

    company_name: str
    contact_name: str
    contact_email: str
    contact_phone: str | None = None
    website: str | None = None
    registration_number: str | None = None
    others: tuple[str, ...] = ()
    """Names of others that would give it away, such as its consultants."""


def mask_text(text: str, identity: Identity, *others: Identity) -> str:
    """Return `text` with everything covered that could say whose it is, or name these others.

    All of it at once: what is covered for the one could hide from the other half of an address.
    """
    return _covered(text, [*_anybodys(text), *_known(text, [identity, *others])])


def mask_identities(text: str, identities: Iterable[Identity]) -> str:
    """Return `text` with these identities covered, and what tells of nobody else left as it is."""
    return _covered(text, _known(text, identities))


def says_how_to_reach(text: str) -> bool:
    """Return whether an address, a web site or a telephone number, whosever, stands in a text."""
    plain = fold(text)
    return any(True for _ in (*tells.addresses(plain.text), *tells.numbers(plain.text)))


def names_any_of(text: str, identities: Iterable[Identity]) -> bool:
    """Return whether a text holds what could say that it is about one of these."""
    return any(True for _ in _known(text, identities))


def _covered(text: str, spans: Iterable[Span]) -> str:
    """Cover these parts of the text; what touches, or has only what is invisible between, once."""
    shown: list[str] = []
    done = 0
    for start, end in sorted(spans):
        if end <= done:
            continue
        if start > done and (not shown or folded(text[done:start])):
            shown += [text[done:start], COVER]
        elif not shown:
            shown += [text[:start], COVER]
        done = end
    return "".join([*shown, text[done:]])


def _anybodys(text: str) -> Iterator[Span]:
    """Yield where in the text something stands that says who somebody is, or where."""
    plain = fold(text)
    is_capital = [text[at].isupper() for at in plain.origin]
    found = (
        *tells.addresses(plain.text),
        *tells.handles(plain.text),
        *tells.numbers(plain.text),
        *tells.places(plain.text),
        *tells.joined(plain.text),
        *tells.people(plain.text, is_capital),
        *firms.firms(plain.text, is_capital),
        *firms.registered(plain.text),
    )
    yield from (plain.span(*each) for each in found)
    drawn_digits = lettered(plain)
    for said, pattern, at_most in (
        (drawn_digits, tells.NUMBER, NEARLY_ALL),
        (spoken(drawn_digits), tells.SAID_NUMBER, HALF),
    ):
        for start, end in tells.numbers(said.text, pattern):
            begin, stop = said.span(start, end)
            written = _digits_in(folded(text[begin:stop]))
            if written <= at_most * _digits_in(said.text[start:end]):
                yield begin, stop
    for start, end, inside in encoded(text):
        if any(True for _ in _anybodys(inside)):
            yield start, end


NEARLY_ALL, HALF = 0.98, 0.5
"""How much of a number may be written in digits for it to be judged as one that is not."""


def _digits_in(text: str) -> int:
    return sum(c.isdigit() for c in text)


# What is known to be theirs: names, words of names, addresses and numbers, however spaced.

COMMON_WORDS = (
    "and the for of our your with from at in on to by an as is it we us co group holdings "
    "company australia iso certification consulting quality management system systems "
    "standard standards services service com org net gov edu http https www "
    "audit audits risk training compliance safety solutions consultant consultants consultancy "
    "advisory assurance partners associates global international national industries business "
    "info office admin sales contact mail hello enquiries accounts team "
    "about home index html php products en de fr"
)
_SHORT_FORMS = frozenset(form for form in LEGAL_SUFFIXES if len(form) < 5)
_COMMON = frozenset(COMMON_WORDS.split()) | (_SHORT_FORMS - {"oy", "ab", "as"})
"""What any note could hold. A longer legal form is left too, but only where it stands as one."""
_OFTEN_ADDED = (
    "s|group|holdings|team|hq|au|aus|oz|nz|uk|usa|co|corp|inc|ltd|pty|tech|works|shop|store|online|"
    "industries|services|solutions|consulting|systems|engineering|australia"
)
"""With what a short word of a name is run together in what a business is called."""
_SECOND_LEVEL = frozenset({"com", "org", "net", "gov", "edu", "co", "ac", "id", "asn"})
_WORD = re.compile(r"[^\W_]+")

SHORTEST_ANYWHERE = 6
"""A word from this length on is covered inside longer words as well ..."""
SHORTEST_INITIALS = 3
_JOINING = frozenset({"and", "of", "the"})
_INITIALS_OF_MANY = "iso ims qms ems sms isms ohs whs ehs hse cad cnc pdf faq asap"
_COMMON_INITIALS = frozenset(_INITIALS_OF_MANY.split())
SHORTEST_SPACED = 4
"""... and one from this length on with anything between its letters."""
LAST_OF_NUMBER = 9
"""How much of the end of a number identifies it: an ABN ends in the ACN, a phone in its own."""


def _known(text: str, identities: Iterable[Identity]) -> Iterator[Span]:
    """Yield where in the text one of these is named, however it is spelled."""
    theirs = list(identities)
    plain = fold(text)
    said, seen = spoken(lettered(plain)), drawn(plain)
    digits = as_digits(said.text)
    for identity in theirs:
        for pattern in _patterns(identity):
            yield from (plain.span(*found.span()) for found in pattern.finditer(plain.text))
        for pattern in _number_patterns(identity, as_digits):
            yield from (said.span(*found.span()) for found in pattern.finditer(digits))
        for word in _words(identity) | _whole_names(identity):
            if len(word) >= SHORTEST_SPACED:
                yield from _drawn_spans(text, seen, word)
    for start, end, inside in encoded(text):
        if any(True for _ in _known(inside, theirs)):
            yield start, end


def _drawn_spans(text: str, seen: Folded, word: str) -> Iterator[Span]:
    """Yield where signs were written for letters of a word, or two letters for one."""
    pattern = _either_way(as_drawn(word))
    for found in pattern.finditer(seen.text):
        begin, stop = seen.span(*found.span())
        written = folded(text[begin:stop])
        if any(c in SIGNS and c != "l" for c in written) or "rn" in written or "vv" in written:
            yield begin, stop


@lru_cache(maxsize=64)
def _patterns(identity: Identity) -> tuple[re.Pattern[str], ...]:
    return tuple(_all_patterns(identity))


def _all_patterns(identity: Identity) -> Iterator[re.Pattern[str]]:
    for name in _names(identity):
        yield from _name_patterns(_WORD.findall(folded(name)))
    company = _distinctive(identity.company_name)
    yield from (_run_together(word, company) for word in company if len(word) >= SHORTEST_SPACED)
    for word in _words(identity):
        yield from _word_patterns(word)
        if len(word) >= SHORTEST_SPACED and not word.isdigit():
            yield _either_way(word)
    yield from _initials(identity)
    yield from _number_patterns(identity)


def _words(identity: Identity) -> set[str]:
    """Return the words that identify it."""
    words = {word for name in _names(identity) for word in _distinctive(name)}
    return words | {word for word in _address_words(identity) if _is_distinctive(word)}


def _names(identity: Identity) -> tuple[str, ...]:
    return (identity.company_name, identity.contact_name, *identity.others)


def _whole_names(identity: Identity) -> set[str]:
    """Return the names as they are where they are run together, without their legal form."""
    words = (_without_form(_WORD.findall(folded(name))) for name in _names(identity))
    return {"".join(each) for each in words if len(each) > 1}


def _distinctive(name: str) -> list[str]:
    """Return the words of a name that tell it from others, so without its legal form."""
    return [word for word in _without_form(_WORD.findall(folded(name))) if _is_distinctive(word)]


def _is_distinctive(word: str) -> bool:
    return len(word) >= 2 and word not in _COMMON and not (word.isdigit() and len(word) < 5)


def _without_form(words: Sequence[str]) -> list[str]:
    short = list(words)
    while len(short) > 1 and short[-1] in LEGAL_SUFFIXES:
        short.pop()
    return short


def _initials(identity: Identity) -> Iterator[re.Pattern[str]]:
    """Yield what a company of several words is called for short, and a person signs with."""
    named = [w for w in _WORD.findall(folded(identity.company_name)) if w not in _JOINING]
    of_all, of_name = ("".join(word[0] for word in of) for of in (named, _without_form(named)))
    for letters in {of_all, of_name}:
        if len(letters) >= SHORTEST_INITIALS and letters not in _COMMON_INITIALS:
            yield _spaced(letters, bounded=True)
    person = "".join(word[0] for word in _WORD.findall(folded(identity.contact_name)))
    if len(person) >= 2:
        signed = r"\.\s?".join(map(re.escape, person))
        yield re.compile(rf"(?<![^\W_]){signed}\.")


def _number_patterns(
    identity: Identity, read: Callable[[str], str] = str
) -> Iterator[re.Pattern[str]]:
    """Yield patterns for its numbers, forwards and backwards, in a text that is read like this."""
    for number in (identity.registration_number, identity.contact_phone):
        compact = read("".join(_WORD.findall(folded(number or ""))))
        if compact:
            is_short = len(compact) < SHORTEST_ANYWHERE
            for letters in (compact, compact[-LAST_OF_NUMBER:]):
                yield _spaced(letters, bounded=is_short)
                yield _spaced(letters[::-1], bounded=is_short)
    if identity.contact_phone:
        # As it is dialled inside the country, which is as much as anybody needs.
        compact = re.sub(r"\D", "", folded(identity.contact_phone))
        if len(compact) > LAST_OF_NUMBER - 1:
            yield _spaced(compact[-(LAST_OF_NUMBER - 1) :], bounded=False)


def _name_patterns(words: list[str]) -> Iterator[re.Pattern[str]]:
    """Cover a name as a whole, with and without its legal form, common words or not."""
    for parts in (words, _without_form(words)):
        name = "".join(parts)
        if len(name) >= 2:
            short_word = name.isascii() and len(name) < SHORTEST_ANYWHERE
            yield _spaced(name, bounded=short_word or len(parts) == 1)
            if len(name) >= SHORTEST_ANYWHERE:
                yield _spaced(name[::-1], bounded=False)


def _word_patterns(word: str) -> Iterator[re.Pattern[str]]:
    if len(word) >= SHORTEST_ANYWHERE or not word.isascii():
        yield re.compile(f"{HUMP}?".join(map(re.escape, word)))
    if len(word) >= SHORTEST_SPACED:
        yield _spaced(word, bounded=True)
        return
    yield re.compile(rf"(?<![^\W_]){f'{HUMP}?'.join(map(re.escape, word))}(?![^\W_])")
    if len(word) >= SHORTEST_INITIALS and word.isascii():
        yield re.compile(rf"(?<![^\W_]){'[._/ -]'.join(map(re.escape, word))}(?![^\W_])")


def _run_together(word: str, company: Sequence[str]) -> re.Pattern[str]:
    """Return a pattern for a word of a company's name with what is often put behind it.

    That is some ending, or the beginning of another of its words.
    """
    others = "|".join(f"{other[:3]}[^\\W_]*" for other in company if other != word)
    behind = "|".join(filter(None, (_OFTEN_ADDED, others)))
    return re.compile(rf"(?<![^\W_]){re.escape(word)}{HUMP}?(?:{behind})(?![^\W_])")


def _spaced(letters: str, *, bounded: bool) -> re.Pattern[str]:
    """Return a pattern for these letters with anything but letters and digits in between."""
    loose = r"[\W_]*".join(map(re.escape, letters))
    return re.compile(rf"(?<![^\W_]){loose}(?![^\W_])" if bounded else loose)


def _either_way(word: str) -> re.Pattern[str]:
    """Return a pattern for a word, forwards and backwards."""
    bounded = len(word) < SHORTEST_ANYWHERE
    both = "|".join(_spaced(each, bounded=bounded).pattern for each in (word, word[::-1]))
    return re.compile(both)


def _address_words(identity: Identity) -> set[str]:
    """Return the words of e-mail address and web site, without what every domain ends in."""
    local, _, domain = folded(identity.contact_email).rpartition("@")
    host, _, path = folded(identity.website or "").rpartition("://")[2].partition("/")
    labels = [*_own_labels(domain), *_own_labels(host)]
    return {word for each in (local, path, *labels) for word in _WORD.findall(each)}


def _own_labels(domain: str) -> list[str]:
    labels = domain.split(".")[:-1]
    if len(labels) > 1 and labels[-1] in _SECOND_LEVEL:
        labels.pop()
    return labels


def masked_brief(lead: Mapping[str, Any], identity: Identity) -> dict[str, Any]:
    """Return the brief of a lead without anything that identifies the business."""
    names = (
        "reference", "service", "standards", "editions", "country", "regions", "headcount", "sites",
        "sector", "certification_status", "timeframe", "needed_by", "remote_ok",
        "language",
    )  # fmt: skip
    brief = {name: lead[name] for name in names}
    notes = lead["notes"]
    brief["notes"] = None if notes is None else mask_text(notes, identity)
    return brief
