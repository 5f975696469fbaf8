"""Refusals as HTTP: one table, one body shape (RFC 9457), and pages for people."""

from typing import Any, cast

import structlog
from flask import Flask, Response, json, render_template, request
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException

from marketplace.core.errors import (
    Conflict,
    Gone,
    Invalid,
    MarketplaceError,
    NotAllowed,
    NotFound,
    NotSignedIn,
    Unavailable,
)

log = structlog.get_logger(__name__)

STATUS: dict[type[MarketplaceError], int] = {
    Invalid: 422,
    NotSignedIn: 401,
    NotAllowed: 403,
    NotFound: 404,
    Conflict: 409,
    Gone: 410,
    Unavailable: 503,
}

TITLE = {
    400: ("malformed", "The request could not be read"),
    401: ("not-signed-in", "A credential is needed"),
    403: ("not-allowed", "This is not for you"),
    404: ("not-found", "There is nothing here"),
    405: ("method-not-allowed", "That cannot be done here"),
    409: ("conflict", "The thing has moved on"),
    410: ("gone", "This link was used or has lapsed"),
    413: ("too-large", "That is too large"),
    415: ("unsupported-media-type", "Send JSON"),
    422: ("invalid", "Some fields need another look"),
    429: ("too-many-requests", "Too many requests"),
    500: ("fault", "Something went wrong on our side"),
    503: ("unavailable", "Not available for a moment"),
}

RETRY_AFTER = 5
"""Seconds: what a client is told to wait while the database is away."""


def register(app: Flask) -> None:
    """Answer every refusal and every fault in one shape."""

    @app.errorhandler(MarketplaceError)
    def refuse(error: MarketplaceError) -> Response:
        extra: dict[str, Any] = {}
        if isinstance(error, Invalid):
            extra["errors"] = [{"pointer": e.pointer, "detail": e.detail} for e in error.errors]
        detail = "see errors" if isinstance(error, Invalid) else str(error)
        return answer(STATUS[type(error)], detail, **extra)

    @app.errorhandler(HTTPException)
    def refuse_http(error: HTTPException) -> Response:
        if error.response is not None and error.code is not None and error.code < 400:
            return cast(Response, error.response)
        response = answer(error.code or 500, error.description or "")
        for name, value in error.get_headers():
            if name in ("Allow", "Retry-After", "WWW-Authenticate"):
                response.headers[name] = value
        return response

    @app.errorhandler(DBAPIError)
    @app.errorhandler(PoolTimeout)
    def database_away(error: Exception) -> Response:
        if isinstance(error, DBAPIError) and not is_passing(error):
            return fault(error)
        log.warning("database_away", error=str(getattr(error, "orig", error)).strip())
        return answer(503, "the database is away for a moment: please try again shortly")

    @app.errorhandler(Exception)
    def fault(error: Exception) -> Response:
        log.error("fault", exc_info=error)
        return answer(500, "the fault has been recorded under the request id")


def is_passing(error: DBAPIError) -> bool:
    """Return whether the database was away or asks to try again: nothing is wrong with us."""
    state = getattr(error.orig, "sqlstate", None)
    if state is None:
        # No answer at all; a connection that timed out is a kind of OperationalError.
        return error.connection_invalidated or isinstance(error, OperationalError)
    # Connection lost, shutting down, resources, and transactions it gave up on (deadlock).
    return str(state)[:2] in ("08", "57", "53", "40") or str(state) == "25006"


def answer(status: int, detail: str, **extra: Any) -> Response:
    """Return the refusal: a problem document below `/api`, a page elsewhere."""
    slug, title = TITLE.get(status, ("refused", "That was refused"))
    if wants_json():
        problem = {"type": f"/problems/{slug}", "title": title, "status": status, "detail": detail}
        body = json.dumps({**problem, **extra})
        response = Response(body, status, content_type="application/problem+json")
    else:
        page = render_template("error.html", status=status, title=title, detail=detail, **extra)
        response = Response(page, status)
    if status in (429, 503):
        response.headers.setdefault("Retry-After", str(RETRY_AFTER))
    if status == 401 and wants_json():
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def wants_json() -> bool:
    """Return whether this request came through the JSON door."""
    return request.path.startswith(("/api/", "/mailbox/messages"))
