"""Papers as PDF: set where what somebody wrote at any length can do no harm."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import structlog

from marketplace.core.confined import Program
from marketplace.core.errors import Conflict, Unavailable
from marketplace.core.files import PDF
from marketplace.core.texts import N_

log = structlog.get_logger(__name__)

_PROGRAM = Program(
    Path(__file__).with_name("typeset.py"),
    busy=N_("many PDFs are being made just now: please try again shortly"),
)

TOO_LONG = N_("this is too long to be set as a PDF: the page has all of it")


def typeset(template: Path, content: Mapping[str, Any], *, memory: int, seconds: int) -> bytes:
    """Return a paper as an accessible PDF: `template` says how, and `content`, as JSON, what.

    At most so many bytes of `memory` and `seconds` of a processor go into it.
    """
    given = json.dumps(content).encode()
    ended = _PROGRAM.run(str(template), given=given, memory=memory, seconds=seconds)
    if ended.code == 0 and ended.said.startswith(PDF.beginning):
        return ended.said
    if ended.was_stopped:
        raise Conflict(TOO_LONG)
    # What it complains of may quote what somebody wrote, so that is not logged.
    log.error("paper_not_set", template=template.name, ended_with=ended.code)
    raise Unavailable("the PDF cannot be made just now: please try again later")
