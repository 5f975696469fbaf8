"""Files that people send: known for what they are by how they begin, and called something plain."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Sort:
    """A sort of file that may come in."""

    beginning: bytes
    media_type: str
    ending: str


PDF = Sort(b"%PDF-", "application/pdf", ".pdf")
PNG = Sort(b"\x89PNG\r\n\x1a\n", "image/png", ".png")
JPEG = Sort(b"\xff\xd8\xff", "image/jpeg", ".jpg")


@dataclass(frozen=True, repr=False)
class SentFile:
    """A file that came in."""

    name: str
    media_type: str
    content: bytes


def sent_file(
    name: str | None, content: bytes, sorts: Iterable[Sort], *, otherwise: str
) -> SentFile | None:
    """Return the file if it is of one of these sorts; what its sender calls it does not count.

    `otherwise` is what it is called where nothing is left of its name.
    """
    for sort in sorts:
        if content.startswith(sort.beginning):
            name = (tidy_name(name or "") or otherwise) + sort.ending
            return SentFile(name, sort.media_type, content)
    return None


NAME_AT_MOST = 80
"""Letters of a name that are kept: with three bytes for each no more than file systems take."""


def tidy_name(name: str) -> str:
    """Return a file's name without folders and ending, and without signs that mean something.

    What is left are letters and digits of any script, spaces, and `_-().`: no control character,
    no line break and nothing that turns the direction of writing.
    """
    whole = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    bare, dot, _ = whole.rpartition(".")
    plain = "".join(each for each in (bare if dot else whole) if _is_plain(each))
    return plain.strip(" .")[:NAME_AT_MOST].strip(" .")


def _is_plain(sign: str) -> bool:
    return sign in " _-()." or unicodedata.category(sign)[0] in "LMN"
