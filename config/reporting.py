"""Faults handed on to whoever watches, by Sentry's protocol, where `MARKETPLACE_SENTRY_DSN` is set.

Every line of the log that is an error is handed on once, from this one place, by web, workers and
scheduler alike. What goes out is made anew here, out of what a log line may say (`log_lines`): the
types of errors and where in the code they happened, the name of the route or of the job, and the id
under which the log has the rest. No text of an error, no value of a variable, nothing of a request.

Without a DSN nothing of the library is imported.
"""

import atexit
import re
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib import import_module
from types import TracebackType
from typing import Any

import structlog
from structlog.typing import EventDict, WrappedLogger

from config.log_lines import FRAMES_AT_MOST, causes, code_of, declared

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]
Send = Callable[[Mapping[str, Any]], None]

AT_ENDS = 2.0
"""Seconds for which a process that ends waits to be rid of what it has to report."""

REPORTED = ("error", "critical", "exception")

TAGS = ("process", "logger", "route", "method", "job", "sweep", "what", "request_id", "template",
        "channel", "kind", "status")  # fmt: skip
"""Fields of a log line that go along; each is a word out of a list of ours, a number or the id."""


class _Reporter:
    """What hands faults on in this process, if anything does."""

    send: Send | None = None
    flush: Callable[[], None] | None = None


def begin(dsn: str, process: str) -> None:
    """Hand on the faults of this process, and of those that it starts; without a DSN, none.

    Nothing is connected to, and no thread started, before the first fault.
    """
    if not dsn:
        return
    library = import_module("config.sentry")
    library.begin(dsn, process)
    _Reporter.send, _Reporter.flush = library.send, library.flush
    atexit.unregister(finish)
    atexit.register(finish)  # of what ends a process, too, somebody is told


def finish() -> None:
    """Wait for a moment until what was to be reported is: this process ends."""
    if _Reporter.flush is not None:
        _Reporter.flush()


def stop() -> None:
    """Report nothing any more."""
    _Reporter.send = _Reporter.flush = None


def reported(logger: WrappedLogger, method: str, line: EventDict) -> EventDict:
    """Hand a line on if it is an error. A part of how lines are written: it leaves them alone."""
    level = str(line.get("level", method))
    if _Reporter.send is None or level not in REPORTED or _is_quiet(line):
        return line
    with suppress(Exception):  # whatever it is: the line has to be written
        _Reporter.send(_event(level, line))
    return line


def report(event: str, exc_info: ExcInfo) -> None:
    """Report a fault that a library logs as a text alone."""
    bound = structlog.contextvars.get_contextvars()
    reported(None, "error", {**bound, "event": event, "exc_info": exc_info})


QUIET = ("rq.worker", "sentry_sdk.errors", "urllib3.connectionpool", "opentelemetry.")
"""How the names of loggers begin whose faults are for the log alone: of what reports, and of RQ,
which says as a text what is reported by itself (`report`)."""


def _is_quiet(line: EventDict) -> bool:
    return str(line.get("logger", "")).startswith(QUIET)


def _event(level: str, line: EventDict) -> dict[str, Any]:
    """Return what is told of a line."""
    said = declared(
        None, level, {k: v for k, v in line.items() if k not in ("exc_info", "_record")}
    )
    event: dict[str, Any] = {
        "level": "error",
        "logger": str(said.get("logger", "?")),
        "logentry": {"message": _name_of(said)},
        "tags": {name: str(said[name]) for name in TAGS if name in said},
    }
    exc_info = _exc_info(line.get("exc_info"))
    if exc_info is not None:
        event["exception"] = {"values": [*_chain(exc_info[1])]}
    return event


def _name_of(said: EventDict) -> str:
    """Return a line's event where it is a word of ours; what libraries say is a text."""
    event = str(said.get("event", "?"))
    return event if re.fullmatch(r"[a-z][a-z0-9_]{0,60}", event) else "said_by_a_library"


def _exc_info(given: Any) -> ExcInfo | None:
    if isinstance(given, BaseException):
        return type(given), given, given.__traceback__
    if isinstance(given, tuple) and len(given) == 3 and isinstance(given[1], BaseException):
        return given
    if given:
        kind, error, trace = sys.exc_info()
        return (kind, error, trace) if kind is not None and error is not None else None
    return None


def _chain(error: BaseException) -> list[dict[str, Any]]:
    """Return an error and those behind it, as the protocol has them."""
    return [
        {
            "type": type(each).__qualname__,
            "module": type(each).__module__,
            "value": code_of(each),
            "stacktrace": {"frames": _frames(each.__traceback__)},
        }
        for each in causes(error)
    ]


def _frames(trace: TracebackType | None) -> list[dict[str, Any]]:
    frames: list[dict[str, Any]] = []
    while trace is not None:
        code = trace.tb_frame.f_code
        module = str(trace.tb_frame.f_globals.get("__name__", "?"))
        frames.append(
            {
                "filename": code.co_filename.rpartition("site-packages/")[2],
                "function": code.co_name,
                "module": module,
                "lineno": trace.tb_lineno,
                "in_app": module.partition(".")[0] in ("marketplace", "workers", "config"),
            }
        )
        trace = trace.tb_next
    return frames[-FRAMES_AT_MOST:]
