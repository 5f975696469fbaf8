"""Whether two names may be one company's: enough alike that a person is asked; and where to look.

Pure. Names with an equal `rules.name_key` are one name, and nobody is asked unless the legal forms
contradict each other. Here is what lies between that and another name: typing errors, words in
another order, one word more or fewer, words that are written together, other letters, other legal
forms, trading names. Words that half of all consultants have in their names (`name_words.COMMON`)
make no two names resemble by themselves.
"""

import string
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from rapidfuzz import fuzz
from rapidfuzz.distance import OSA

from marketplace.providers.name_words import COMMON, LETTERS, Reading, meaning, readings

Id = TypeVar("Id")

ASKED_AT_MOST = 5
"""How many resembling names a person is asked about: the likeliest."""

LOOKED_FOR_AT_MOST = 8
"""How many words of a name are looked for; no real one has more."""

LONGEST_WORD = 30
"""In how many letters a typing error is looked for."""


def resembles(one: str, other: str) -> bool:
    """Return whether a person should be asked if these are names of one company."""
    return _resemble(readings(one), readings(other))


def is_surely(one: str, other: str) -> bool:
    """Return whether these names are the same but for spelling and a legal form left out.

    `Nova GmbH` is not `Nova Pty Ltd`; `Nova` may be either, and people write `Ltd` for `Pty Ltd`.
    """
    return any(
        mine.joined == theirs.joined and (mine.form <= theirs.form or theirs.form <= mine.form)
        for mine in readings(one)
        for theirs in readings(other)
    )


def resembling(name: str, others: Mapping[Id, str]) -> list[Id]:
    """Return which of `others` resemble the name, the likeliest first and no more than are asked.

    `others`: names by whatever tells them apart.
    """
    own = readings(name)
    found = []
    for key, other in others.items():
        theirs = readings(other)
        if _resemble(own, theirs):
            likeness = max(_likeness(one, another) for one in own for another in theirs)
            found.append((-likeness, other, key))
    found.sort(key=lambda each: each[:2])
    return [key for _, _, key in found[:ASKED_AT_MOST]]


def _resemble(some: Sequence[Reading], others: Sequence[Reading]) -> bool:
    return any(_alike(one, other) for one in some for other in others)


def _alike(one: Reading, other: Reading) -> bool:
    if one.joined == other.joined:
        return True
    if not (one.telling and other.telling):
        return not one.telling and not other.telling and one.common == other.common
    if _same(one.telling, other.telling):
        # "Harbour Quality" is not "Harbour Training", but may be "Harbour Quality Training".
        several = max(len(one.telling), len(other.telling)) > 1
        inside = one.common <= other.common or other.common <= one.common
        return several or inside or bool(one.common & other.common)
    return _has_one_more(one, other) or _has_one_more(other, one)


def _same(some: Sequence[str], others: Sequence[str]) -> bool:
    """Return whether these are the same words in whatever order, or the same but for spaces."""
    if len(some) == len(others):
        return _are_among(some, others) and _are_among(others, some)
    return _near("".join(some), "".join(others))


def _has_one_more(less: Reading, more: Reading) -> bool:
    """Return whether `more` is the whole of `less`, two words at least, and one telling word."""
    return (
        len(more.telling) == len(less.telling) + 1
        and len(less.telling) + len(less.common) > 1
        and less.common <= more.common
        and _are_among(less.telling, more.telling)
    )


def _are_among(some: Iterable[str], others: Sequence[str]) -> bool:
    return all(any(_near(one, other) for other in others) for one in some)


def _near(one: str, other: str) -> bool:
    """Return whether two words may be one: a plural, or a typing error (two in a long word).

    Few mistype the first letter; in short words and in numbers every character counts.
    """
    one, other = _singular(one), _singular(other)
    if one == other:
        return True
    shorter, longer = sorted((len(one), len(other)))
    if shorter < 5 or one[0] != other[0] or not (one.isalpha() and other.isalpha()):
        return False
    allowed = 1 if longer < 10 else 2
    return OSA.distance(one, other, score_cutoff=allowed) <= allowed


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 4 and word.endswith("s") and word[-2] != "s" else word


def _likeness(one: Reading, other: Reading) -> float:
    """Return how much two readings are alike, 0 to 100: for the order in which they are shown."""
    return fuzz.token_sort_ratio(" ".join(one.words), " ".join(other.words))


Spellings = frozenset[str]
"""The ways in which a stored key may have one word."""


@dataclass(frozen=True)
class Search:
    """Where among stored name keys one reading of a name would be found.

    It comes upon whatever resembles the name but for oddities, such as two errors in one word.
    """

    words: tuple[Spellings, ...]
    """Each word of the name: the more of them a key has, and the fewer others, the likelier."""
    any_of: Spellings
    """One of these is enough: words that tell, and words written together."""
    mistyped: Spellings
    """So it is with these: the only word that tells, with one typing error."""
    all_of: tuple[tuple[Spellings, ...], ...]
    """Words that have to be there together: two that the name has as one, or, of a name of common
    words only, every one."""
    start: str | None
    """How a key would begin, should the rest of its first word be mistyped."""


def searches(name: str) -> list[Search]:
    """Return where to look for names that resemble this one."""
    return [_search(reading) for reading in readings(name)]


def _search(reading: Reading) -> Search:
    words = reading.words[:LOOKED_FOR_AT_MOST]
    telling = reading.telling[:LOOKED_FOR_AT_MOST]
    stuck = {"".join(words[i : i + n]) for n in (2, 3) for i in range(len(words) - n + 1)}
    only = telling[0] if len(telling) == 1 and telling[0].isalpha() else ""
    is_word = 4 <= len(only) <= LONGEST_WORD
    halves = tuple(pair for word in telling if len(telling) < 3 for pair in _halves(word))
    spelt = tuple(map(_spellings, words))
    return Search(
        words=spelt,
        any_of=frozenset().union(*map(_spellings, telling), stuck - COMMON.keys()),
        mistyped=frozenset(_mistyped(only)) if is_word else frozenset(),
        all_of=halves if telling else (spelt,),
        start=telling[0][:5] if telling and len(telling[0]) > 5 else None,
    )


def _spellings(word: str) -> Spellings:
    """Return a common word in every form, another one with other letters and in its plural."""
    if meant := meaning(word):
        return frozenset(form for form, each in COMMON.items() if each == meant)
    found = {word, _singular(word), f"{word}s"}
    for letter, plain in LETTERS.items():
        parts = word.split(plain)
        found.add(letter.join(parts))
        found |= {
            plain.join(parts[:at]) + letter + plain.join(parts[at:]) for at in range(1, len(parts))
        }
    return frozenset(found)


def _mistyped(word: str) -> Iterator[str]:
    """Yield the word with each error in typing one letter behind the first."""
    letters = string.ascii_lowercase
    for at in range(1, len(word) + 1):
        head, tail = word[:at], word[at:]
        yield from (head + letter + tail for letter in letters)
        if tail:
            yield head + tail[1:]
            yield from (head + letter + tail[1:] for letter in letters)
        if len(tail) > 1:
            yield head + tail[1] + tail[0] + tail[2:]


def _halves(word: str) -> Iterator[tuple[Spellings, Spellings]]:
    for at in range(2, min(len(word), LONGEST_WORD) - 1):
        yield frozenset((word[:at],)), frozenset((word[at:],))
