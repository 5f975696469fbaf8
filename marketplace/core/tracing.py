"""Spans of what is done, from the form to the mail, for a collector that the settings name.

Where they name none, nothing of OpenTelemetry is imported, and a span costs a look at one variable.

A trace is a request with all that it led to, in whatever process. Its id is made of the request's,
which jobs, messages and the audit log carry anyway: so nothing else has to be handed on, and who
has one id has the lines, the events and the trace. A `traceparent` that comes with a request is not
read: anybody could put spans into traces of others, or decide how many of ours are kept.

A span says words out of lists of ours, and numbers: what is neither is left out. It says of an
error its type.
"""

import hashlib
import re
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from enum import Enum
from importlib import import_module
from typing import Any, Protocol

Said = str | int | float | bool | Enum | None

_WORD = re.compile(r"[A-Za-z?_/<][\w.:/<>\-]{0,199}", re.ASCII)
_TRACE_ID = re.compile(r"[0-9a-f]{32}")
_NOTHING: AbstractContextManager[None] = nullcontext()


class Spans(Protocol):
    """What makes spans: `marketplace.core.otlp`."""

    def span(
        self, name: str, said: Mapping[str, Said], *, of: str | None, begins: bool
    ) -> AbstractContextManager[None]: ...

    def note(self, said: Mapping[str, Said]) -> None: ...

    def link(self, request_id: str) -> None: ...

    def stop(self) -> None: ...


_spans: Spans | None = None


def configure(endpoint: str, process: str) -> None:
    """Send spans of this process (`web`, `worker`) to a collector (OTLP over HTTP), or none if "".

    To be called before processes are forked: nothing is started before the first span, which is in
    the process that works.
    """
    global _spans
    stop()
    spans: Spans | None = None
    if endpoint:
        spans = library().Exported(endpoint, process)
    _spans = spans


def library() -> Any:
    """Return `marketplace.core.otlp`, imported, and OpenTelemetry with it."""
    if sys.modules.get("opentelemetry", sys) is None:
        del sys.modules["opentelemetry"]  # which `marketplace` keeps from redis-py
    return import_module("marketplace.core.otlp")


def stop() -> None:
    """Hand on what is waiting, within a bound, and make no more spans. Safe to call twice."""
    global _spans
    if _spans is not None:
        _spans.stop()
    _spans = None


def is_on() -> bool:
    """Return whether spans are made at all."""
    return _spans is not None


def span(
    name: str, /, *, of: str | None = None, begins: bool = False, **said: Said
) -> AbstractContextManager[None]:
    """Have a span for what is done within, below the one around it.

    `of`: the id of the request that it belongs to, where that may be another than that around it.
    `begins`: it is that request itself (or the job that no request led to), below which all else
    is. In names of what is `said`, `__` stands for a dot.
    """
    return _NOTHING if _spans is None else _spans.span(name, said, of=of, begins=begins)


def note(**said: Said) -> None:
    """Say more of what the present span is for, such as how it went."""
    if _spans is not None:
        _spans.note(said)


def carries_on(find: Callable[[], str | None]) -> None:
    """Link the present span to the trace of an earlier request that this one carries on.

    `find` is asked for the id of that only where there are spans.
    """
    if _spans is not None:
        earlier = find()
        if earlier:
            _spans.link(earlier)


def sayable(said: Mapping[str, Said]) -> dict[str, str | int | float | bool]:
    """Return what may stand in a span: numbers, and words that look like ours."""
    found: dict[str, str | int | float | bool] = {}
    for name, value in said.items():
        plain = value.value if isinstance(value, Enum) else value
        if isinstance(plain, int | float) or (isinstance(plain, str) and _WORD.fullmatch(plain)):
            found[name.replace("__", ".")] = plain
    return found


def trace_of(request_id: str) -> int:
    """Return the id of the trace of a request: its own, where it is 32 hexadecimal digits.

    So are all those that we give out ourselves, and those of jobs.
    """
    digits = request_id.replace("-", "")
    return (int(digits, 16) if _TRACE_ID.fullmatch(digits) else 0) or _hashed(request_id, 16)


def root_of(request_id: str) -> int:
    """Return the id of the span of the request itself, so that everybody knows it beforehand."""
    return _hashed(f"root of {request_id}", 8)


def _hashed(text: str, length: int) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:length])
