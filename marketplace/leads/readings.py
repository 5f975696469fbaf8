"""Other ways to read a text: numbers said in words, signs that stand for letters. Pure.

Each reading is a text as it is compared with the way back to the original, so that what is found
in it can be covered there.
"""

import base64
import re
from collections.abc import Callable, Iterable, Iterator

from marketplace.leads.folding import HUMP, Folded, folded

_DIGITS = {
    "0": "zero oh nought naught nil null cero", "1": "one eins uno", "2": "two zwei zwo deux dos",
    "3": "three drei trois tres", "4": "four vier quatre cuatro", "5": "five funf fuenf cinq cinco",
    "6": "six sechs seis", "7": "seven sieben sept siete", "8": "eight acht huit ocho",
    "9": "nine niner neun neuf nueve",
    "10": "ten", "11": "eleven", "12": "twelve", "13": "thirteen", "14": "fourteen",
    "15": "fifteen", "16": "sixteen", "17": "seventeen", "18": "eighteen", "19": "nineteen",
    "20": "twenty", "30": "thirty", "40": "forty", "50": "fifty", "60": "sixty", "70": "seventy",
    "80": "eighty", "90": "ninety",
}  # fmt: skip
_SAID = {word: digits for digits, words in _DIGITS.items() for word in words.split()}
_TIMES = {"double": 2, "triple": 3, "treble": 3}
_SPOKEN = re.compile(r"(?<![^\W_])(?:(double|triple|treble)[\s\-]+)?([^\W\d_]+)(?![^\W_])")
_LETTERED = re.compile(rf"(?<![^\W_])(?=[oil{HUMP}]*\d)[\doil{HUMP}]{{3,}}(?![^\W_])")
_AS_DIGITS = str.maketrans({"o": "0", "i": "1", "l": "1", HUMP: None})


def spoken(plain: Folded) -> Folded:
    """Return the text with digits for the words for them."""
    changes = [
        (*found.span(), digits * _TIMES.get(found[1] or "", 1))
        for found in _SPOKEN.finditer(plain.text)
        if (digits := _SAID.get(found[2])) is not None
    ]
    return _changed(plain, changes)


def lettered(plain: Folded) -> Folded:
    """Return the text with digits for letters that are drawn like them, between digits."""
    found = _LETTERED.finditer(plain.text)
    return _changed(plain, [(*each.span(), each.group().translate(_AS_DIGITS)) for each in found])


def as_digits(text: str) -> str:
    """Return a text with digits for every letter that is drawn like one, wherever it stands."""
    return text.translate(_DRAWN_DIGITS)


_DRAWN_DIGITS = str.maketrans("oil", "011")


def without_humps(plain: Folded) -> Folded:
    """Return the text without what says where a word may begin."""
    return _changed(plain, [(at, at + 1, "") for at, c in enumerate(plain.text) if c == HUMP])


SIGNS = {
    "4": "a", "@": "a", "3": "e", "€": "e", "1": "i", "!": "i", "|": "i", "l": "i", "0": "o",
    "5": "s", "$": "s", "7": "t", "8": "b", "9": "g", "2": "z",
}  # fmt: skip
"""Signs that stand for letters in names that are to get through; l and i are one."""
_PAIRS = re.compile("rn|vv")
_AS_ONE = {"rn": "m", "vv": "w"}


def as_drawn(text: str) -> str:
    """Return letters as they look from afar, for what is looked for."""
    return "".join(SIGNS.get(c, c) for c in _PAIRS.sub(lambda found: _AS_ONE[found.group()], text))


def drawn(plain: Folded) -> Folded:
    """Return the text with every sign as the letter that it may stand for."""
    changes = [(*found.span(), _AS_ONE[found.group()]) for found in _PAIRS.finditer(plain.text)]
    paired = _changed(without_humps(plain), ()) if not changes else _changed(plain, changes)
    text = "".join(SIGNS.get(c, c) for c in paired.text)
    return without_humps(Folded(text, paired.origin, paired.until))


def _changed(plain: Folded, changes: Iterable[tuple[int, int, str]]) -> Folded:
    """Return the text with parts replaced; what stands for a part stands where the part does."""
    letters: list[str] = []
    origin: list[int] = []
    until: list[int] = []
    done = 0
    for start, end, new in changes:
        if start < done:
            continue
        letters.append(plain.text[done:start] + new)
        origin += plain.origin[done:start]
        until += plain.until[done:start]
        if start < end:
            begin, stop = plain.span(start, end)
            origin += [begin] * len(new)
            until += [stop] * len(new)
        done = end
    letters.append(plain.text[done:])
    origin += plain.origin[done:]
    until += plain.until[done:]
    return Folded("".join(letters), tuple(origin), tuple(until))


_ENCODED = re.compile(r"(?<![\w+/])[A-Za-z0-9+/_-]{6,}={0,6}(?![\w+/=])")


def _of_64(letters: str) -> bytes:
    plain = letters.translate(str.maketrans("-_", "+/"))
    return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)


def _of_32(letters: str) -> bytes:
    return base64.b32decode(letters + "=" * (-len(letters) % 8), casefold=True)


_WAYS = (
    (re.compile(r".+"), _of_64),
    (re.compile(r"[A-Z2-7]+|(?=\D*\d)[a-z2-7]+"), _of_32),
    (re.compile(r"(?=\D*\d)[0-9a-fA-F]+"), bytes.fromhex),
)
"""How it looks, and what reads it: words of a language hardly look like the latter two."""


def encoded(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield where something stands that base64, base32 or hexadecimal makes a text of, with it."""
    for found in _ENCODED.finditer(text):
        letters = found.group().rstrip("=")
        for looks_so, decode in _WAYS:
            said = _decoded(decode, letters) if looks_so.fullmatch(letters) else None
            if said is not None:
                yield (*found.span(), said)


def _decoded(decode: Callable[[str], bytes], letters: str) -> str | None:
    """Return what letters decode to, if that can be read."""
    try:
        said = decode(letters).decode("utf-8")
    except ValueError:
        return None
    return said if folded(said).replace("\n", " ").isprintable() else None
