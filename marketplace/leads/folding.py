"""Text as it is compared: no case, accents, look-alikes or invisible characters.

Each folded character knows where it stands in the original, so that what is found in the one can
be covered in the other.
"""
# ruff: noqa: RUF001  # that these letters cannot be told apart is the point

import html
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

HUMP = "\x01"
"""Stands where a capital follows a small letter, or a digit a letter: a word may begin there."""

_DRAWN_ALIKE = {
    "a": "аАαΑᴀɑᎪꓮᗩ", "b": "ВΒʙᏴꓐᗷЬь", "c": "сСϲᴄᏟꓚᑕ", "d": "ԁᴅđðᎠꓓᗪ", "e": "еЕεΕᴇᎬꓰ℮ҽ",
    "f": "ꜰꓝᖴ", "g": "ɡɢᏀꓖ", "h": "һНΗħʜᎻꓧᕼհ", "i": "іІιΙıɪᎥꓲ", "j": "јЈᴊᎫꓙ", "k": "кКκΚᴋᏦꓗ",
    "l": "ӏłʟᏞꓡᒪ", "m": "мМΜᴍᎷꓟᗰ", "n": "Νɴꓠᑎո", "o": "оОοΟøᴏꓳօ", "p": "рРρΡᴘᏢꓑᑭ", "q": "ԛ",
    "r": "ʀᏒꓣᖇ", "s": "ѕЅꜱᏚꓢᔕ", "t": "тТτΤŧᴛᎢꓔ", "u": "υᴜꓴᑌս", "v": "νѵѴᴠᏙꓦᐯ", "w": "ԝωᴡᎳꓪᗯ",
    "x": "хХχΧꓫ᙭", "y": "уУγΥʏꓬᎩ", "z": "ΖᴢᏃꓜ", ".": "。․", "@": "﹫",
}  # fmt: skip
"""Letters of other scripts (and small capitals) that are drawn like Latin ones."""

_LOOK_ALIKES = str.maketrans(
    {other: latin for latin, others in _DRAWN_ALIKE.items() for other in others}
)

_INVISIBLE = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and symbols that show nothing; other invisible characters are known by their category."""

_ALPHABETS = (0x1F1E6, 0x1F150, 0x1F170)
"""Where letters begin that Unicode does not decompose: of flags, and white in black signs."""

_MARKS = frozenset("\u2122\u2120")
"""Of trade and service: they stand behind a name, and are none of its letters."""


_ESCAPE = re.compile(
    r"&(?:#[xX][0-9a-fA-F]{1,6};|#[0-9]{1,7};|#[0-9]{2,3}|[A-Za-z]{2,12};)"
    r"|(?:%[0-9a-fA-F]{2})+|\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2}|[Uu]\+[0-9a-fA-F]{4}"
)
"""Characters written as HTML, addresses or programs write them."""


@dataclass(frozen=True)
class Folded:
    """A text as it is compared, and where each of its characters stands in the original."""

    text: str
    origin: tuple[int, ...]
    until: tuple[int, ...]
    """Where in the original what a character stands for ends."""

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return where in the original a part of the text stands."""
        return self.origin[start], max(self.until[start:end])


@lru_cache(maxsize=4)
def fold(text: str) -> Folded:
    """Return `text` as it is compared, with the way back."""
    letters: list[str] = []
    origin: list[int] = []
    until: list[int] = []
    before = ""
    for char, start, end in _characters(text):
        plain = _plain(char)
        if not plain:
            continue
        if _is_hump(before, char):
            plain = HUMP + plain
        letters += plain
        origin += [start] * len(plain)
        until += [end] * len(plain)
        before = char
    return Folded("".join(letters), tuple(origin), tuple(until))


def _characters(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield each character that a reader would make of a text, and where it stands."""
    done = 0
    for found in _ESCAPE.finditer(text):
        yield from ((text[at], at, at + 1) for at in range(done, found.start()))
        yield from ((char, *found.span()) for char in _unescaped(found.group()))
        done = found.end()
    yield from ((text[at], at, at + 1) for at in range(done, len(text)))


def _unescaped(escape: str) -> str:
    if escape[0] == "&":
        return html.unescape(escape)
    if escape[0] == "%":
        return bytes.fromhex(escape.replace("%", "")).decode("utf-8", "replace")
    return chr(int(escape[2:], 16))


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
    if char in _MARKS:
        return char
    for first in _ALPHABETS:
        if 0 <= ord(char) - first < 26:
            return chr(ord("a") + ord(char) - first)
    decomposed = unicodedata.normalize("NFKD", char).translate(_LOOK_ALIKES).casefold()
    return "".join(
        _sign(each)
        for each in unicodedata.normalize("NFKD", decomposed).translate(_LOOK_ALIKES)
        if unicodedata.category(each) not in ("Cf", "Mn", "Me") and each not in _INVISIBLE
    )


def _sign(char: str) -> str:
    """Return a digit of any script as ours, and a dash of any length as a hyphen."""
    if unicodedata.category(char) == "Pd" or char == "\u2212":
        return "-"
    return str(unicodedata.digit(char, char)) if char.isdigit() else char
