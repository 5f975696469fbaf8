"""A line and a count per request, by the name of its route, which holds no token."""

import time
from uuid import UUID

import structlog
from flask import Flask, Response, g, request

from marketplace.core import metrics

log = structlog.get_logger(__name__)

QUIET = ("/healthz", "/readyz", "/metrics")
"""Asked every few seconds; worth a line only when something is wrong."""


def register(app: Flask) -> None:
    """Write the line once the answer is made."""

    @app.before_request
    def begin() -> None:
        g.begun_at = time.perf_counter()

    @app.after_request
    def end(response: Response) -> Response:
        rule, method = request.url_rule, request.method
        route = rule.rule if rule else None
        took = time.perf_counter() - g.get("begun_at", time.perf_counter())
        _count(method, route, response.status_code, took)
        if route in QUIET and response.status_code < 400:
            return response
        actor = g.get("actor")
        ids = {
            name: str(value)
            for name, value in (request.view_args or {}).items()
            if isinstance(value, UUID)
        }
        log.info(
            "request",
            method=method if method.isalpha() else "?",
            route=route,
            **ids,
            status=response.status_code,
            ms=round(took * 1000, 1),
            by=actor.kind if actor else None,
            by_id=str(actor.id) if actor and actor.id else None,
        )
        return response


METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


def _count(method: str, route: str | None, status: int, took: float) -> None:
    method = method if method in METHODS else "other"
    metrics.REQUESTS.labels(method, route or "none", f"{status // 100}xx").inc()
    metrics.ROUTE_SECONDS.labels(method, route or "none").inc(max(took, 0.0))
    if route in QUIET:
        door = "operations"
    else:
        door = "api" if (route or "").startswith("/api/") else "pages"
    metrics.REQUEST_SECONDS.labels(door).observe(took)
    metrics.note_memory("web")
