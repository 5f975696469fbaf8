"""The one place that knows Sentry's library: imported where a DSN is set, by `reporting` alone."""

from collections.abc import Mapping
from typing import Any

import sentry_sdk
from sentry_sdk.types import Event, Hint

from config.reporting import AT_ENDS

KEPT = ("event_id", "timestamp", "level", "logger", "logentry", "tags", "exception", "platform",
        "environment", "release", "server_name", "sdk")  # fmt: skip
"""What an event may have when it leaves; whatever else the library comes to add is taken out."""


def begin(dsn: str, process: str) -> None:
    """Set the library up to send what it is given, and to gather nothing by itself."""
    sentry_sdk.init(
        dsn=dsn,
        # None of its own ways to find faults: they would look at requests, headers and variables.
        default_integrations=False,
        auto_enabling_integrations=False,
        include_local_variables=False,
        include_source_context=False,
        max_breadcrumbs=0,
        auto_session_tracking=False,
        send_client_reports=False,
        traces_sample_rate=None,
        before_send=_kept,
        shutdown_timeout=AT_ENDS,
    )
    sentry_sdk.set_tag("process", process)


def send(event: Mapping[str, Any]) -> None:
    """Hand one event on; a thread of the library sends it."""
    sentry_sdk.capture_event(dict(event))  # type: ignore[arg-type]  # a TypedDict there


def flush() -> None:
    """Wait until what was handed on has been sent, for a moment at most."""
    sentry_sdk.flush(timeout=AT_ENDS)


def _kept(event: Event, hint: Hint) -> Event:
    kept: Any = {name: value for name, value in event.items() if name in KEPT}
    sdk = kept.get("sdk")
    if sdk:
        kept["sdk"] = {"name": sdk["name"], "version": sdk["version"]}
    return kept  # type: ignore[no-any-return]
