"""Log lines: JSON on standard error, each with the id of its request or job, none with a secret.

Tokens, e-mail addresses and the values of rows are masked in whatever text comes by, tracebacks and
other libraries' lines included. That is the second line of defence: nobody logs them on purpose.
"""

import logging
import os
import re
import sys
from typing import Any

import structlog
from gunicorn.config import Config
from gunicorn.glogging import Logger
from structlog.stdlib import ProcessorFormatter
from structlog.typing import EventDict, Processor, WrappedLogger

_TOKEN = re.compile(
    r"\b(confirm|request|outcome|again|dates|password|join|notours|back|session|key)"
    r"_[A-Za-z0-9_\-]{32,}"
)
"""Every sort of token that the product gives out (`core.links.new_token`)."""

_BEHIND_TOKEN_PATH = re.compile(
    r"(/(?:confirm|open|outcome|again|reminders|set-password|not-ours|come-back)/)[^\s/?#\"'\\]+"
)
"""What stands in the place of a token in a path, whatever it looks like."""

_ADDRESS = re.compile(r"[^\s@<>\"'()\[\],;:=/\\]+@[^\s@<>\"'()\[\],;:=/\\]+\.[^\W\d_]{2,}")

_ROW = re.compile(r"(DETAIL:|CONTEXT:|\[parameters:)[^\n]*")
"""Where PostgreSQL and SQLAlchemy quote the values of a row."""

_CREDENTIALS = re.compile(r"(\w://)[^\s/@]*@")
"""User and password of a server, in its address."""

LOGGED_LESS = ("alembic", "rq.scheduler", "rq.cron", "urllib3", "flask-limiter")
"""Libraries whose everyday lines say nothing that ours do not."""


def configure(process: str = "marketplace") -> None:
    """Write the lines of this process, and those of its libraries, to standard error as JSON."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        _named(process),
        structlog.processors.format_exc_info,
        masked,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(default=str, ensure_ascii=False),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO)
    for name in LOGGED_LESS:
        logging.getLogger(name).setLevel(logging.WARNING)


def _named(process: str) -> Processor:
    def add(logger: WrappedLogger, method: str, line: EventDict) -> EventDict:
        line["process"] = process
        line["pid"] = os.getpid()  # now: a process may have been forked since
        return line

    return add


def masked(logger: WrappedLogger, method: str, line: EventDict) -> EventDict:
    """Mask every text of a line."""
    return {name: _without_secrets(value) for name, value in line.items()}


def _without_secrets(value: Any) -> Any:
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, dict):
        return {_without_secrets(name): _without_secrets(each) for name, each in value.items()}
    if isinstance(value, list | tuple | set):
        return [_without_secrets(each) for each in value]
    return value


def mask(text: str) -> str:
    """Return the text without tokens, addresses, credentials of servers and values of rows."""
    text = _TOKEN.sub(r"\1_[masked]", text)
    text = _BEHIND_TOKEN_PATH.sub(r"\1[masked]", text)
    text = _CREDENTIALS.sub(r"\1[masked]@", text)
    text = _ADDRESS.sub("[address]", text)
    return _ROW.sub(r"\1 [masked]", text)


class GunicornLogger(Logger):  # type: ignore[misc]  # gunicorn ships no types
    """Gunicorn's own words as lines of ours.

    Its access log stays off: it would write paths, and with them tokens. Ours is
    `marketplace.web.access_log`.
    """

    def setup(self, cfg: Config) -> None:
        super().setup(cfg)
        configure("web")
        self.error_log.handlers.clear()
        self.error_log.propagate = True

    def access(self, resp: Any, req: Any, environ: Any, request_time: Any) -> None:
        """Write nothing."""
