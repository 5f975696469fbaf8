"""Whether a file is a PDF that can be handed on: looked into where it can do no harm."""

from pathlib import Path

import structlog

from marketplace.core.confined import Program
from marketplace.core.errors import Unavailable
from marketplace.core.files import PDF
from marketplace.core.texts import N_

log = structlog.get_logger(__name__)

NO_PDF = N_("must be a PDF file")

_PROGRAM = Program(
    Path(__file__).with_name("pdf_look.py"),
    busy=N_("many files are being looked into just now: please try again shortly"),
)
_STARTED, _FINE, _TOO_MUCH = "started", "fine", "too_much"

SAID = {
    "unreadable": N_("must be a PDF file that can be read: please save it as a PDF anew"),
    "encrypted": N_("must not be encrypted, nor ask for a password"),
    "script": N_("must not contain JavaScript or other scripts"),
    "action": N_("must not start programs, open other files or send data"),
    "inside": N_("must not have other files, sound or film inside it"),
    _TOO_MUCH: N_("must be a simpler PDF: to look into this one takes too long or too much"),
}
"""What is said of a file by what the program finds in it."""

_END = b"%%EOF"
_END_WITHIN = 1024
"""Bytes at the end of a file in which readers look for its end (Adobe's note 18 to ISO 32000-1)."""


def why_no_pdf(content: bytes, *, memory: int, seconds: int) -> str | None:
    """Return why these bytes are not taken as a PDF, or None where they are.

    At most so many bytes of `memory` and `seconds` of a processor go into it.
    """
    if not content.startswith(PDF.beginning) or _END not in content[-_END_WITHIN:]:
        return NO_PDF
    found = _look(content, memory=memory, seconds=seconds)
    return None if found == _FINE else SAID[found]


def _look(content: bytes, *, memory: int, seconds: int) -> str:
    ended = _PROGRAM.run(given=content, memory=memory, seconds=seconds)
    started, found = [*ended.said.decode().split(), "", ""][:2]
    if started != _STARTED and ended.code is not None:
        log.error("pdf_look_did_not_start", ended_with=ended.code)
        raise Unavailable("files cannot be looked into just now: please try again later")
    # Without a word it was ended, for what it took.
    return found or _TOO_MUCH
