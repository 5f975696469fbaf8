"""Log lines: JSON on standard error, each with the id of its request or job, none with a secret.

What may stand in one is declared in `log_lines`. Everything but ASCII is escaped, so that nobody
can end a line, move a terminal's cursor or turn the direction of writing.
"""

import logging
import os
import sys
import threading
from contextlib import suppress
from types import TracebackType
from typing import Any, TextIO

import structlog
from gunicorn.config import Config
from gunicorn.glogging import Logger
from structlog.stdlib import ProcessorFormatter
from structlog.typing import EventDict, Processor, WrappedLogger

from config.log_lines import declared, frames
from config.reporting import reported

LOGGED_LESS = ("alembic", "rq.scheduler", "rq.cron", "urllib3")
"""Libraries whose everyday lines say nothing that ours do not."""

log = structlog.get_logger(__name__)


def configure(process: str = "marketplace") -> None:
    """Write the lines of this process, and those of its libraries, to standard error as JSON."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        _named(process),
        reported,
        structlog.processors.ExceptionRenderer(frames),
        declared,
    ]
    render = structlog.processors.JSONRenderer(default=_unsaid, ensure_ascii=True)
    structlog.configure(
        processors=[*shared, render],
        logger_factory=_Ours,
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    )
    handler = _Out(sys.stderr)
    handler.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[ProcessorFormatter.remove_processors_meta, render],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO)
    for name in LOGGED_LESS:
        logging.getLogger(name).setLevel(logging.WARNING)


class _Out(logging.StreamHandler[TextIO]):
    """Where all lines go."""

    def write(self, line: str) -> None:
        """Write a line that is ready. One that cannot be has nowhere to be told of."""
        with suppress(OSError, ValueError):
            self.acquire()
            try:
                self.stream.write(f"{line}\n")
                self.flush()
            finally:
                self.release()


class _Ours:
    """A logger of ours, whose lines are ready: no record is made of them for others to format."""

    def __init__(self, name: str = "", *_: Any) -> None:
        self.name = name

    def info(self, line: str) -> None:
        for handler in logging.getLogger().handlers:
            if isinstance(handler, _Out):
                handler.write(line)

    debug = warning = error = critical = info


def take_over() -> None:
    """Write what nobody catches, and warnings, as lines like others.

    Python itself would write them as they are, with all that they say.
    """
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_a_thread
    logging.captureWarnings(True)


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    log.error("fault", exc_info=(kind, error, trace))


def _uncaught_in_a_thread(met: threading.ExceptHookArgs) -> None:
    if met.exc_value is not None and not isinstance(met.exc_value, SystemExit):
        _uncaught(met.exc_type, met.exc_value, met.exc_traceback)


def _unsaid(value: Any) -> str:
    """Say no more of what is no plain value than what it is."""
    return type(value).__name__


def _named(process: str) -> Processor:
    def add(logger: WrappedLogger, method: str, line: EventDict) -> EventDict:
        line["process"] = process
        line["pid"] = os.getpid()  # now: a process may have been forked since
        return line

    return add


class GunicornLogger(Logger):  # type: ignore[misc]  # gunicorn ships no types
    """Gunicorn's own words as lines of ours.

    Its access log stays off: it would write paths, and with them tokens. Ours is
    `marketplace.web.access_log`.
    """

    def setup(self, cfg: Config) -> None:
        super().setup(cfg)
        configure("web")
        take_over()
        self.error_log.handlers.clear()
        self.error_log.propagate = True

    def warning(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """Say of what is no request what is wrong with it, and not what was sent or by whom."""
        said, found, _ = msg.partition(" from ip=")
        if found:
            kind = sys.exc_info()[0]
            msg, args = "%s: %s", (said, kind.__name__ if kind else "?")
        super().warning(msg, *args, **kwargs)

    def exception(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """Say where something went wrong, and not at which address: a token may stand there."""
        said, found, _ = msg.partition(" request %s")
        super().exception(*((f"{said} request",) if found else (msg, *args)), **kwargs)

    def access(self, resp: Any, req: Any, environ: Any, request_time: Any) -> None:
        """Write nothing."""
