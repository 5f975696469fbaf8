"""Look into a PDF: a program of its own, which `marketplace.core.pdfs` runs for every file.

Whoever made the file may mean harm: it can be small and unpack to gigabytes, or refer to itself
without end. So this process is confined (`confined.py`) to so much memory and time, writes no file,
and starts no other. It reads the PDF from its standard input and answers in one word.
"""

import logging
import re
import resource
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from io import BytesIO
from typing import Any

from pypdf import PdfReader
from pypdf.generic import (
    ArrayObject,
    ByteStringObject,
    DictionaryObject,
    IndirectObject,
    StreamObject,
    TextStringObject,
)

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

_ADDRESSES = ("/URI", "/Base")
"""Where an address stands that is gone to, or that others are relative to (12.6.4.7, 7.11.5)."""

_PLAIN_SCHEMES = {"http", "https", "mailto", "tel"}
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE)
_DISK_OF_ANOTHER = re.compile(r"[\\/]{2}")

_TOLD_TWICE_AT_WILL = frozenset(
    [
        "/Author", "/CreationDate", "/Creator", "/CropBox", "/Keywords", "/Lang", "/MediaBox",
        "/ModDate", "/Producer", "/Rotate", "/Subject", "/Title",
    ]
)  # fmt: skip
"""What only says who made a page and how large it is: nothing is done by either of two values."""


class Remarks(logging.Handler):
    """Hears the library remark where it read less than is there, and another reader reads on."""

    is_doubled = False
    """A dictionary has two values under one name, and the second was passed over."""
    is_cut_off = False
    """Something in a dictionary could not be read, and what follows it was passed over."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.name == DictionaryObject.__module__ and isinstance(record.args, Mapping):
            self.is_cut_off |= "exception" in record.args
            self.is_doubled |= record.args.get("key", "/Lang") not in _TOLD_TWICE_AT_WILL

    def to_the_end(self, read: Callable[..., Any]) -> Callable[..., Any]:
        """Note where a dictionary ends before its end: of that the library says nothing."""

        @wraps(read)
        def read_and_look(stream: Any, *args: Any, **kwargs: Any) -> Any:
            found = read(stream, *args, **kwargs)
            if not isinstance(found, StreamObject):
                stream.seek(-2, 1)
                self.is_cut_off |= stream.read(2) != b">>"
            return found

        return read_and_look


def main() -> None:
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    sys.stdout.write("started ")
    sys.stdout.flush()
    sys.stdout.write(found_in(sys.stdin.buffer.read()))


def found_in(content: bytes) -> str:
    """Return what a file is: fine, or the first reason not to take it."""
    remarks = Remarks()
    library = logging.getLogger("pypdf")
    read = DictionaryObject.read_from_stream
    library.addHandler(remarks)
    DictionaryObject.read_from_stream = staticmethod(remarks.to_the_end(read))  # type: ignore[method-assign]  # to be asked where it ends
    try:
        with PdfReader(BytesIO(content)) as reader:
            return _found_in(reader, remarks)
    except MemoryError:
        return TOO_MUCH
    except Exception:  # whatever a broken file does to the library
        return UNREADABLE
    finally:
        DictionaryObject.read_from_stream = staticmethod(read)  # type: ignore[method-assign]  # as it was
        library.removeHandler(remarks)


def _found_in(reader: PdfReader, remarks: Remarks) -> str:
    if reader.is_encrypted:
        return ENCRYPTED
    if not reader.pages or not all(isinstance(page, DictionaryObject) for page in reader.pages):
        return UNREADABLE
    seen: set[tuple[int, int]] = set()
    flaw = _first_flaw(_below(reader.trailer, seen))
    if flaw is None and remarks.is_cut_off:
        return UNREADABLE
    flaw = flaw or _first_flaw(_listed(reader, seen))
    return flaw or (UNREADABLE if remarks.is_doubled else FINE)


def _first_flaw(parts: Iterator[DictionaryObject]) -> str | None:
    return next(filter(None, map(_flaw, parts)), None)


def _listed(reader: PdfReader, seen: set[tuple[int, int]]) -> Iterator[DictionaryObject]:
    """Yield every dictionary that the file lists, and that nothing in it led to.

    What only the list knows a reader never comes to, so it may be broken.
    """
    listed = {
        (number, generation) for generation in reader.xref for number in reader.xref[generation]
    }
    for number, generation in listed | {(number, 0) for number in reader.xref_objStm}:
        try:
            yield from _below(IndirectObject(number, generation, reader), seen)
        except MemoryError:
            raise
        except Exception:  # nosec B112  # broken, and nobody would come to it (see above)
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
    if _leads_out(part):
        return ACTION
    kinds = [part[name] for name in _TELLING if name in part]
    return next((_KINDS[each] for each in kinds if isinstance(each, str) and each in _KINDS), None)


def _leads_out(part: DictionaryObject) -> bool:
    """Return whether a reader goes out of the file from here, other than by a link to the web.

    For a stream or a page it may be told to fetch from a file (ISO 32000-1, 7.3.8.2, 8.10.4,
    12.6.4.6). An address that it calls by itself tells who reads, when and where.
    """
    is_stream = isinstance(part, StreamObject)
    return (
        ("/F" in part and (is_stream or _at(part, "/S") == "/Thread"))
        or ("/Ref" in part and is_stream)
        or not all(_is_plain(_at(part, name)) for name in _ADDRESSES)
        or any(_at(each, "/S") == "/URI" for each in _done_by_itself(part))
    )


def _at(part: DictionaryObject, name: str) -> Any:
    """Return what stands under a name, wherever in the file that is; None where nothing does."""
    found = part.get(name)
    return None if found is None else found.get_object()


def _is_plain(address: Any) -> bool:
    """Return whether this is a link to the web or for mail, a relative one, or no address at all.

    Others start a program of whoever follows them, or open what is on a disk.
    """
    if isinstance(address, ByteStringObject):
        address = address.decode("latin-1")
    elif not isinstance(address, TextStringObject):
        return True
    bare = re.sub(r"[\x00-\x20]", "", address)
    scheme = _SCHEME.match(bare)
    if scheme is not None:
        return scheme[1].lower() in _PLAIN_SCHEMES
    return not _DISK_OF_ANOTHER.match(bare)


def _done_by_itself(part: DictionaryObject) -> Iterator[DictionaryObject]:
    """Yield what a reader does unasked: as the file or a page is opened, and what follows that."""
    occasions = _at(part, "/AA")
    waiting = list(occasions.values()) if isinstance(occasions, DictionaryObject) else []
    waiting.append(_at(part, "/OpenAction"))
    seen = set()
    while waiting:
        action = waiting.pop()
        if isinstance(action, IndirectObject):
            action = action.get_object()
        if isinstance(action, DictionaryObject) and id(action) not in seen:
            seen.add(id(action))
            yield action
            following = _at(action, "/Next")
            waiting += following if isinstance(following, ArrayObject) else [following]


if __name__ == "__main__":
    main()
