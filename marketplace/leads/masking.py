"""What a provider may know of a lead before it accepts: everything a quote needs, nobody's name.

Pure. Texts are compared folded (case, accents, full-width and look-alike letters, invisible
characters), so that no spelling hides a name; what is not covered is left as it was written.
Where a word might identify the business it is covered: a brief that is covered once too often
costs a question, one that is covered too seldom costs the business its say over its own data.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from marketplace.leads.folding import HUMP, Folded, fold, folded
from marketplace.providers.rules import LEGAL_SUFFIXES

COVER = "\u2588\u2588\u2588"

Span = tuple[int, int]


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


def mask_text(text: str, identity: Identity) -> str:
    """Return `text` with everything covered that could say whose it is."""
    plain = fold(text)
    return _covered(text, plain, [*_anybodys(plain.text), *_known(plain.text, identity)])


def mask_identities(text: str, identities: Iterable[Identity]) -> str:
    """Return `text` with these identities covered, and what tells of nobody else left as it is."""
    plain = fold(text)
    spans = [span for identity in identities for span in _known(plain.text, identity)]
    return _covered(text, plain, spans)


def says_how_to_reach(text: str) -> bool:
    """Return whether an address, a web site or a telephone number, whosever, stands in a text."""
    return any(True for _ in _anybodys(fold(text).text))


def names_any_of(text: str, identities: Iterable[Identity]) -> bool:
    """Return whether a text holds what could say that it is about one of these."""
    plain = fold(text).text
    return any(True for identity in identities for _ in _known(plain, identity))


def _covered(text: str, plain: Folded, spans: Iterable[Span]) -> str:
    """Cover the spans of the folded text in the original; what touches is covered once."""
    shown: list[str] = []
    done = 0
    for start, end in _merged(spans):
        begin, stop = plain.origin[start], plain.origin[end - 1] + 1
        if stop <= done:
            continue
        if begin > done or not shown:
            shown += [text[done:begin], COVER]
        done = stop
    return "".join([*shown, text[done:]])


def _merged(spans: Iterable[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end in sorted(span for span in spans if span[0] < span[1]):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged


# What could be anybody's: addresses, web sites, and numbers long enough for a telephone.

_H = f"{HUMP}?"
_AT = rf"(?:@|[(\[{{<]\s*a{_H}t\s*[)\]}}>])"
_SAID_DOT = f"d{_H}o{_H}t"
_DOT = rf"(?:\.|\s+\.\s*|\s*[(\[{{<]\s*{_SAID_DOT}\s*[)\]}}>]\s*|\s+{_SAID_DOT}\s+)"
_LABEL = rf"[\w{HUMP}\-]+"
_ADDRESSES = (
    re.compile(r"[^\s@]*@[^\s@]+"),
    re.compile(rf"(?<![^\s,;(\[{{<])[^\s@,;(\[{{<]+\s*{_AT}\s*{_LABEL}(?:{_DOT}{_LABEL})+"),
    re.compile(rf"(?<!\S)[^\s@,;:]+\s+a{_H}t\s+{_LABEL}(?:\s+{_SAID_DOT}\s+{_LABEL})+"),
    re.compile(rf"h[\s{HUMP}]?t[\s{HUMP}]?t[\s{HUMP}]?p[\s{HUMP}]?s?\s*:\s*/\s*/\s*\S+"),
    re.compile(rf"(?<!\w)w{_H}w{_H}w\s*\.\s*\S+"),
    re.compile(rf"(?<![\w.\-]){_LABEL}(?:\.{_LABEL})*\.[^\W\d_]{{2,24}}(?![^\W_])(?:[/?#:]\S*)?"),
)
_NUMBER = re.compile(r"\+?\(?\d(?:[\s().\-/]{0,4}\d){5,}")
_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
_MONTH = r"(?:0?[1-9]|1[0-2])"
_YEAR = r"(?:19|20)\d\d"
_STANDARD = "(?:9001|13485|14001|20121|22000|22301|22716|27001|27701|37001|41001|42001|45001|50001)"
_HARMLESS_NUMBER = re.compile(
    rf"\d{{6}}|{_DAY}[/.]{_MONTH}[/.]\d\d"
    rf"|{_YEAR}([-/.]){_MONTH}\1{_DAY}|{_DAY}([-/.]){_MONTH}\2{_YEAR}"
    rf"|{_MONTH}([-/]){_DAY}\3{_YEAR}|{_YEAR} ?[-/] ?{_YEAR}"
    rf"|{_STANDARD}(?: ?[/\- ] ?{_STANDARD})+"
)
"""Dates, spans of years, amounts of six digits, and standards one after the other."""


def _anybodys(plain: str) -> Iterator[Span]:
    for pattern in _ADDRESSES:
        yield from (found.span() for found in pattern.finditer(plain))
    for found in _NUMBER.finditer(plain):
        if not _HARMLESS_NUMBER.fullmatch(found.group().strip("()")):
            yield found.span()


# What is known to be theirs: names, words of names, addresses and numbers, however spaced.

_COMMON_WORDS = (
    "and the for of our your with from at in on to by an as is it we us co group holdings "
    "company australia iso certification consulting quality management system systems "
    "standard standards services service com org net gov edu http https www "
    "audit audits risk training compliance safety solutions consultant consultants consultancy "
    "advisory assurance partners associates global international national industries business "
    "info office admin sales contact mail hello enquiries accounts team"
)
_COMMON = frozenset(_COMMON_WORDS.split()) | (LEGAL_SUFFIXES - {"oy", "ab", "as"})
_SECOND_LEVEL = frozenset({"com", "org", "net", "gov", "edu", "co", "ac", "id", "asn"})
_WORD = re.compile(r"[^\W_]+")

SHORTEST_ANYWHERE = 6
"""A word from this length on is covered inside longer words as well ..."""
SHORTEST_SPACED = 4
"""... and one from this length on with anything between its letters."""
LAST_OF_NUMBER = 9
"""How much of the end of a number identifies it: an ABN ends in the ACN, a phone in its own."""


def _known(plain: str, identity: Identity) -> Iterator[Span]:
    for pattern in _patterns(identity):
        yield from (found.span() for found in pattern.finditer(plain))


def _patterns(identity: Identity) -> Iterator[re.Pattern[str]]:
    names = (identity.company_name, identity.contact_name, *identity.others)
    for name in names:
        yield from _name_patterns(_WORD.findall(folded(name)))
    words = {word for name in names for word in _WORD.findall(folded(name))}
    words |= _address_words(identity)
    for word in words:
        if len(word) >= 2 and word not in _COMMON and not (word.isdigit() and len(word) < 5):
            yield from _word_patterns(word)
    for number in (identity.registration_number, identity.contact_phone):
        compact = "".join(_WORD.findall(folded(number or "")))
        if compact:
            is_short = len(compact) < SHORTEST_ANYWHERE
            yield _spaced(compact, bounded=is_short)
            yield _spaced(compact[-LAST_OF_NUMBER:], bounded=is_short)
    if identity.contact_phone:
        # As it is dialled inside the country, which is as much as anybody needs.
        compact = re.sub(r"\D", "", folded(identity.contact_phone))
        if len(compact) > LAST_OF_NUMBER - 1:
            yield _spaced(compact[-(LAST_OF_NUMBER - 1) :], bounded=False)


def _name_patterns(words: list[str]) -> Iterator[re.Pattern[str]]:
    """Cover a name as a whole, with and without its legal form, common words or not."""
    short = list(words)
    while len(short) > 1 and short[-1] in LEGAL_SUFFIXES:
        short.pop()
    for parts in (words, short):
        name = "".join(parts)
        if len(name) >= 2:
            short_word = name.isascii() and len(name) < SHORTEST_ANYWHERE
            yield _spaced(name, bounded=short_word or len(parts) == 1)


def _word_patterns(word: str) -> Iterator[re.Pattern[str]]:
    if len(word) >= SHORTEST_ANYWHERE or not word.isascii():
        yield re.compile(f"{HUMP}?".join(map(re.escape, word)))
    if len(word) >= SHORTEST_SPACED:
        yield _spaced(word, bounded=True)
    else:
        yield re.compile(rf"(?<![^\W_]){f'{HUMP}?'.join(map(re.escape, word))}(?![^\W_])")


def _spaced(letters: str, *, bounded: bool) -> re.Pattern[str]:
    """Return a pattern for these letters with anything but letters and digits in between."""
    loose = r"[\W_]*".join(map(re.escape, letters))
    return re.compile(rf"(?<![^\W_]){loose}(?![^\W_])" if bounded else loose)


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
