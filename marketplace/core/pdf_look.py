"""Look into a PDF: a program of its own, which `marketplace.core.pdfs` runs for every file.

Whoever made the file may mean harm: it can be small and unpack to gigabytes, or refer to itself
without end. So this process may take only so much memory and time, can start no other and write no
file, and knows nothing of ours: it reads the PDF from its standard input and answers in one word.
"""

import logging
import resource
import sys
from collections.abc import Iterator, Mapping
from io import BytesIO
from typing import Any

from pypdf import PdfReader
from pypdf.generic import ArrayObject, DictionaryObject, IndirectObject

FINE, UNREADABLE, ENCRYPTED, TOO_MUCH = "fine", "unreadable", "encrypted", "too_much"
SCRIPT, ACTION, INSIDE = "script", "action", "inside"

_SCRIPTS = {"/JS", "/JavaScript", "/XFA"}
_FILES = {"/EF", "/EmbeddedFiles"}
_KINDS = {
    "/JavaScript": SCRIPT,
    "/Rendition": SCRIPT,
    "/Launch": ACTION,
    "/GoToE": ACTION,
    "/GoToR": ACTION,
    "/ImportData": ACTION,
    "/SubmitForm": ACTION,
    "/RichMediaExecute": ACTION,
    "/EmbeddedFile": INSIDE,
    "/FileAttachment": INSIDE,
    "/RichMedia": INSIDE,
    "/Movie": INSIDE,
    "/Sound": INSIDE,
    "/3D": INSIDE,
}
"""What a dictionary is by its `/S`, `/Type` or `/Subtype` (ISO 32000-1, 7.11.4, 12.5.6, 12.6.4)."""


_TELLING = ("/S", "/Type", "/Subtype")


class Doubled(logging.Handler):
    """Hears the library remark that a dictionary says twice what it is: readers differ on which."""

    heard = False

    def emit(self, record: logging.LogRecord) -> None:
        if isinstance(record.args, Mapping) and record.args.get("key") in _TELLING:
            self.heard = True


def main() -> None:
    memory, seconds = (int(each) for each in sys.argv[1:])
    for limit, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (most, most))
    sys.stdout.write("started ")
    sys.stdout.flush()
    sys.stdout.write(found_in(sys.stdin.buffer.read()))


def found_in(content: bytes) -> str:
    """Return what a file is: fine, or the first reason not to take it."""
    doubled = Doubled()
    logging.getLogger("pypdf").addHandler(doubled)
    try:
        with PdfReader(BytesIO(content)) as reader:
            found = _found_in(reader)
            return UNREADABLE if found == FINE and doubled.heard else found
    except MemoryError:
        return TOO_MUCH
    except Exception:  # whatever a broken file does to the library
        return UNREADABLE


def _found_in(reader: PdfReader) -> str:
    if reader.is_encrypted:
        return ENCRYPTED
    if not reader.pages or not all(isinstance(page, DictionaryObject) for page in reader.pages):
        return UNREADABLE
    for part in _parts(reader):
        flaw = _flaw(part)
        if flaw is not None:
            return flaw
    return FINE


def _parts(reader: PdfReader) -> Iterator[DictionaryObject]:
    """Yield every dictionary that the file leads to, and those that it lists besides.

    What only the list knows a reader never comes to, so it may be broken.
    """
    seen: set[tuple[int, int]] = set()
    yield from _below(reader.trailer, seen)
    listed = {
        (number, generation) for generation in reader.xref for number in reader.xref[generation]
    }
    for number, generation in listed | {(number, 0) for number in reader.xref_objStm}:
        try:
            yield from _below(IndirectObject(number, generation, reader), seen)
        except MemoryError:
            raise
        except Exception:
            continue


def _below(part: Any, seen: set[tuple[int, int]]) -> Iterator[DictionaryObject]:
    waiting = [part]
    while waiting:
        part = waiting.pop()
        if isinstance(part, IndirectObject):
            if (part.idnum, part.generation) in seen:
                continue
            seen.add((part.idnum, part.generation))
            part = part.get_object()
        if isinstance(part, DictionaryObject):
            yield part
            waiting.extend(dict.values(part))
        elif isinstance(part, ArrayObject):
            waiting.extend(list.__iter__(part))


def _flaw(part: DictionaryObject) -> str | None:
    if _SCRIPTS & part.keys():
        return SCRIPT
    if _FILES & part.keys():
        return INSIDE
    kinds = [part[name] for name in _TELLING if name in part]
    return next((_KINDS[each] for each in kinds if isinstance(each, str) and each in _KINDS), None)


if __name__ == "__main__":
    main()
