"""Text as it is compared: no case, accents, look-alikes or invisible characters.

Each folded character knows where it stands in the original, so that what is found in the one can
be covered in the other.
"""
# ruff: noqa: RUF001  # that these letters cannot be told apart is the point

import unicodedata
from dataclasses import dataclass
from functools import lru_cache

HUMP = "\x01"
"""Stands where a capital follows a small letter, or a digit a letter: a word may begin there."""

_DRAWN_ALIKE = {
    "a": "аАαΑᴀ", "b": "ВΒʙ", "c": "сСϲᴄ", "d": "ԁᴅđð", "e": "еЕεΕᴇ", "f": "ꜰ", "g": "ɡɢ",
    "h": "һНΗħʜ", "i": "іІιΙıɪ", "j": "јЈᴊ", "k": "кКκΚᴋ", "l": "ӏłʟ", "m": "мМΜᴍ", "n": "Νɴ",
    "o": "оОοΟøᴏ", "p": "рРρΡᴘ", "q": "ԛ", "r": "ʀ", "s": "ѕЅꜱ", "t": "тТτΤŧᴛ", "u": "υᴜ",
    "v": "νѵѴᴠ", "w": "ԝωᴡ", "x": "хХχΧ", "y": "уУγΥʏ", "z": "Ζᴢ",
}  # fmt: skip
"""Letters of other scripts (and small capitals) that are drawn like Latin ones."""

_LOOK_ALIKES = str.maketrans(
    {other: latin for latin, others in _DRAWN_ALIKE.items() for other in others}
)

_INVISIBLE = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and symbols that show nothing; other invisible characters are known by their category."""

_REGIONAL_INDICATOR_A = 0x1F1E6


@dataclass(frozen=True)
class Folded:
    """A text as it is compared, and where each of its characters stands in the original."""

    text: str
    origin: tuple[int, ...]


def fold(text: str) -> Folded:
    """Return `text` as it is compared, with the way back."""
    letters: list[str] = []
    origin: list[int] = []
    before = ""
    for index, char in enumerate(text):
        plain = _plain(char)
        if not plain:
            continue
        if _is_hump(before, char):
            letters.append(HUMP)
            origin.append(index)
        letters += plain
        origin += [index] * len(plain)
        before = char
    return Folded("".join(letters), tuple(origin))


def folded(text: str) -> str:
    """Return `text` as it is compared, without humps: for what is looked for."""
    return "".join(map(_plain, text))


def _is_hump(before: str, char: str) -> bool:
    if before.islower() and char.isupper():
        return True
    return (before.isalpha() and char.isdigit()) or (before.isdigit() and char.isalpha())


@lru_cache(maxsize=4096)
def _plain(char: str) -> str:
    """Return what is left of one character: nothing, one, or (as of `\u00df`) several."""
    if 0 <= ord(char) - _REGIONAL_INDICATOR_A < 26:
        return chr(ord("a") + ord(char) - _REGIONAL_INDICATOR_A)
    decomposed = unicodedata.normalize("NFKD", char).translate(_LOOK_ALIKES).casefold()
    return "".join(
        _digit(each)
        for each in unicodedata.normalize("NFKD", decomposed).translate(_LOOK_ALIKES)
        if unicodedata.category(each) not in ("Cf", "Mn", "Me") and each not in _INVISIBLE
    )


def _digit(char: str) -> str:
    return str(unicodedata.digit(char, char)) if char.isdigit() else char
