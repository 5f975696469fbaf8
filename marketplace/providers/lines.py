"""A CSV file a line at a time: every line is one row, and what cannot be read is named."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

LINE_AT_MOST = 1024 * 1024
"""Bytes in a line: a file without line breaks must not fill the memory."""


@dataclass(frozen=True)
class Line:
    """One line of the file: its cells, or why they cannot be read."""

    number: int
    cells: list[str]
    problem: str | None
    bytes_read: int
    """Of the file so far, this line included."""


def read_lines(file: BinaryIO) -> Iterator[Line]:
    """Yield every line that is not empty. A cell holds no line break, so no quote runs on."""
    number = read = 0
    while raw := file.readline(LINE_AT_MOST + 1):
        number += 1
        read += len(raw)
        if len(raw) > LINE_AT_MOST:
            while rest := file.readline(LINE_AT_MOST):
                read += len(rest)
                if rest.endswith(b"\n"):
                    break
            yield Line(number, [], "is longer than 1 MiB", read)
            continue
        if number == 1:
            if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
                yield Line(1, [], "is UTF-16: save the file as UTF-8", read)
                return
            raw = raw.removeprefix(b"\xef\xbb\xbf")
        cells, problem = _cells(raw)
        if problem is not None or any(cell.strip() for cell in cells):
            yield Line(number, cells, problem, read)


def _cells(raw: bytes) -> tuple[list[str], str | None]:
    try:
        text = raw.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        return [], f"is not UTF-8 (byte {error.start + 1} of the line)"
    try:
        return next(csv.reader([text], strict=True), []), None
    except csv.Error as error:
        if "field limit" in str(error):
            return [], "has a cell that is far too long"
        return [], "has quotation marks that do not match (a cell cannot hold a line break)"
