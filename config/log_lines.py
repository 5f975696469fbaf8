"""What a log line may say: declared fields, each of a kind, and nothing else.

A field that is not declared, and a value that is not of its field's kind, is dropped, so that no
object, form or row comes into a line by being handed over. Free text stands in few fields, which
hold our own words or those of a library; what identifies somebody and can be recognized (tokens,
addresses, numbers of telephones, credentials, values of rows) is masked there. Names of people
cannot be recognized: nothing of ours writes texts that hold any, and of exceptions, whose texts
might, no text is written: their types, where they came from, and PostgreSQL's code.
"""

import re
import traceback
from collections.abc import Callable, Iterator
from enum import Enum
from functools import lru_cache
from types import TracebackType
from typing import Any
from uuid import UUID

from structlog.typing import EventDict, WrappedLogger

_TOKEN = re.compile(r"\b([a-z]+)_[A-Za-z0-9_\-+/=]{32,}")
"""Every sort of token that the product gives out (`core.links.new_token`), and what looks so."""

_BEHIND_TOKEN_PATH = re.compile(
    r"(/(?:confirm|open|outcome|again|reminders|set-password|email-change|not-ours|"
    r"come-back|join/withdraw)/)[^\s/?#\"'\\]+"
)
"""What stands in the place of a token in a path, whatever it looks like."""

_ADDRESS = re.compile(r"[^\s@<>\"'()\[\],;:=/\\]+@[^\s@<>\"'()\[\],;:=/\\]+\.[^\W\d_]{2,}")

_NUMBER = re.compile(r"(?<![\w.\-])(?:\+|\(\+?|0|00)\d[\d ()./\-]{6,20}\d(?![\w\-])")
"""A telephone's: with a plus, a bracket or a zero before it."""

_ROW = re.compile(r"(DETAIL:|CONTEXT:|\[parameters:).*", re.DOTALL)
"""Where PostgreSQL and SQLAlchemy quote the values of a row, which may have lines of their own."""

_CREDENTIALS = re.compile(r"(\w://)[^\s\"'<>]*@")
"""User and password of a server, in its address, whatever signs the password has."""

_TRACEBACK = "Traceback (most recent call last):"
_FRAME = re.compile(r'\s*File "[^"]*", line \d+, in [\w<>.]+$')
_TYPE = re.compile(r"([A-Za-z_][\w.]*)(?::|$)")

TEXT_AT_MOST, FRAMES_AT_MOST, ERRORS_AT_MOST = 2_000, 60, 5


def holds_a_token(text: str) -> bool:
    """Return whether something in a text is a token, or looks so."""
    return _TOKEN.search(text) is not None


def mask(text: str) -> str:
    """Return the text without what identifies somebody or opens something."""
    text = _TOKEN.sub(r"\1_[masked]", text)
    text = _BEHIND_TOKEN_PATH.sub(r"\1[masked]", text)
    text = _CREDENTIALS.sub(r"\1[masked]@", text)
    text = _ADDRESS.sub("[address]", text)
    text = _NUMBER.sub("[number]", text)
    return _ROW.sub(r"\1 [masked]", text)


def bare(text: str) -> str:
    """Return a text masked, and of a traceback in it the frames and the types of errors alone."""
    said, begins, trace = text[: 10 * TEXT_AT_MOST].partition(_TRACEBACK)
    frames = "\n".join(_bare(trace)) if begins else ""
    return mask(said)[:TEXT_AT_MOST] + frames


def _text(value: Any) -> str | None:
    return bare(value) if isinstance(value, str) else None


def _bare(trace: str) -> Iterator[str]:
    """Yield the frames of a traceback that a library wrote as text, and the types of errors.

    A type stands on the first line behind frames; what follows it is the error's own text, which
    may have lines of its own.
    """
    is_due = False
    for line in trace.splitlines()[: 3 * FRAMES_AT_MOST]:
        if _FRAME.match(line):
            is_due = True
            yield line.strip()
        elif is_due and (named := _TYPE.match(line)):
            is_due = False
            yield named[1]


def _like(pattern: str) -> Callable[[Any], str | None]:
    """Return the check of values that are wholly of a shape; members of enumerations count."""
    shape = re.compile(pattern)

    def check(value: Any) -> str | None:
        said = str(value.value if isinstance(value, Enum) else value)
        is_one = isinstance(value, str | Enum | UUID) and shape.fullmatch(said)
        return mask(said) if is_one else None

    return check


def _once(check: Callable[[Any], str | None]) -> Callable[[Any], str | None]:
    """Return the check that looks at each word once: of those of ours there are few."""
    known = lru_cache(maxsize=1024)(check)

    def looked_up(value: Any) -> str | None:
        return known(value) if isinstance(value, str) else check(value)

    return looked_up


_code = _once(_like(r"(?:[a-z/<?])[a-z0-9_.:/<>\-]{0,199}"))
"""A word out of a list of ours: of states, templates, jobs, routes."""
_id = _like(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}")
_mark = _like(r"[0-9a-f]{16}")
"""A keyed hash: the same for the same, and nothing to be read."""
_request_id = _like(r"[A-Za-z0-9_\-]{1,64}")
_moment = _like(r"\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+\-]\d\d:\d\d)")
_upper = _once(_like(r"[A-Z?]{1,20}"))
_head = _like(r"\d{1,19}:[0-9a-f]{64}")
"""The end of the chain behind the audit log: to be noted here, and no secret."""
_reference = _like(r"R-[A-Z0-9]{6}")


def _number(value: Any) -> int | float | None:
    return value if isinstance(value, int | float) and abs(value) < 1e9 else None


def _frames(value: Any) -> str | None:
    return value if isinstance(value, Frames) else None


FIELDS: dict[str, Callable[[Any], Any]] = {
    "event": _once(_text),
    **dict.fromkeys(("error", "detail", "reason"), _text),
    **dict.fromkeys(
        (
            "level", "logger", "process", "route", "by", "template", "channel", "job", "sweep",
            "what", "why", "role", "limit", "kind", "outcome",
        ),
        _code,
    ),
    **dict.fromkeys(("notification", "subject"), _id),
    **dict.fromkeys(
        ("pid", "status", "ms", "subjects", "wait", "ended_with", "count", "dropped", "port"),
        _number,
    ),
    **dict.fromkeys(("at", "until"), _moment),
    "account": _mark,
    "head": _head,
    "request_id": _request_id,
    "method": _upper,
    "reference": _reference,
    "exception": _frames,
}  # fmt: skip
"""Every field that a line may have; besides these, ids in fields that end with `_id`."""


def declared(logger: WrappedLogger, method: str, line: EventDict) -> EventDict:
    """Keep what is declared of a line, and count what is not."""
    kept: EventDict = {}
    dropped = 0
    for name, value in line.items():
        if name.startswith("_"):  # structlog's own, taken out before anything is written
            kept[name] = value
            continue
        check = FIELDS.get(name) or (_id if name.endswith("_id") else None)
        found = check(value) if check else None
        if found is not None:
            kept[name] = found
        elif value is not None:
            dropped += 1
    kept.setdefault("event", "?")
    if dropped:
        kept["dropped"] = dropped
    return kept


class Frames(str):
    """Where an exception came from: made by `frames` alone, and so written as it is."""


def causes(error: BaseException | None) -> list[BaseException]:
    """Return an error and those behind it, the first cause first."""
    chain: list[BaseException] = []
    while error is not None and error not in chain and len(chain) < ERRORS_AT_MOST:
        chain.append(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return chain[::-1]


def code_of(error: BaseException) -> str:
    """Return PostgreSQL's code of an error, which is no text of anybody; nothing of others."""
    state = str(getattr(error, "sqlstate", None) or "")
    return state if re.fullmatch(r"[0-9A-Z]{5}", state) else ""


def frames(
    exc_info: tuple[type[BaseException], BaseException, TracebackType | None],
) -> Frames:
    """Return the types of an exception and of those behind it, and their frames; no text of any."""
    lines = []
    for each in causes(exc_info[1]):
        walked = list(traceback.walk_tb(each.__traceback__))[-FRAMES_AT_MOST:]
        lines += [f"{f.f_code.co_filename}:{at} in {f.f_code.co_name}" for f, at in walked]
        lines.append(f"{type(each).__module__}.{type(each).__qualname__} {code_of(each)}".rstrip())
    return Frames("\n".join(lines))
