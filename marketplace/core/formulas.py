"""Texts that a spreadsheet would run as a formula, in files that people open with one."""

import re

_SIGN = "[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]"
"""How one begins; in some languages the wide signs are taken for the narrow ones."""

_RUNS = re.compile(f"'*{_SIGN}")
_SHOWN = re.compile(f"'+{_SIGN}")
_NUMBER = re.compile(r"[+-][\d .()-]*", re.ASCII)
"""A telephone number, or another: whatever is made of it is a number again."""


def shown(text: str) -> str:
    """Return a text as a cell that is shown: by an apostrophe in front where it would be run."""
    return f"'{text}" if _RUNS.match(text) and not _NUMBER.fullmatch(text) else text


def meant(cell: str) -> str:
    """Return the text that a cell shows, without the apostrophe of `shown`."""
    return cell[1:] if _SHOWN.match(cell) else cell
