"""Papers as PDF: set where what somebody wrote at any length can do no harm."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any

import structlog

from marketplace.core.errors import Conflict, Unavailable
from marketplace.core.files import PDF
from marketplace.core.texts import N_

log = structlog.get_logger(__name__)

_PROGRAM = Path(__file__).with_name("typeset.py")

_AT_ONCE = BoundedSemaphore(2)
"""So many of a process' requests have a paper set; the others wait their turn, or are sent away."""

TOO_LONG = N_("this is too long to be set as a PDF: the page has all of it")


def typeset(template: Path, content: Mapping[str, Any], *, memory: int, seconds: int) -> bytes:
    """Return a paper as an accessible PDF: `template` says how, and `content`, as JSON, what.

    At most so many bytes of `memory` and `seconds` of a processor go into it.
    """
    patience = 4 * seconds  # of the clock on the wall: processors are shared
    if not _AT_ONCE.acquire(timeout=patience):
        raise Unavailable("many PDFs are being made just now: please try again shortly")
    try:
        return _set(template, json.dumps(content), memory, seconds, patience)
    finally:
        _AT_ONCE.release()


def _set(template: Path, content: str, memory: int, seconds: int, patience: int) -> bytes:
    # Isolated (-I), and by its path: nothing of ours, and nothing that is secret, goes along.
    program = [sys.executable, "-I", str(_PROGRAM), str(template), str(memory), str(seconds)]
    try:
        done = subprocess.run(
            program,
            input=content.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=patience,
            env={},
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Conflict(TOO_LONG) from None
    if done.returncode == 0 and done.stdout.startswith(PDF.beginning):
        return done.stdout
    if done.returncode < 0:  # ended by a signal, for what it took
        raise Conflict(TOO_LONG)
    # What it complains of may quote what somebody wrote, so that is not logged.
    log.error("paper_not_set", template=template.name, ended_with=done.returncode)
    raise Unavailable("the PDF cannot be made just now: please try again later")
