"""Refusals as HTTP: one table, one body shape (RFC 9457), and pages for people."""

from collections.abc import Sequence
from typing import Any, cast

import structlog
from flask import Flask, Response, json, render_template, request
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException, InternalServerError

from marketplace.core.errors import (
    Conflict,
    FieldError,
    Gone,
    Invalid,
    MarketplaceError,
    NotAllowed,
    NotFound,
    NotSignedIn,
    ProofNeeded,
    TooManyAttempts,
    Unavailable,
)
from marketplace.core.primary import is_passing
from marketplace.core.texts import N_
from marketplace.migrations.schema import missing_migrations
from marketplace.web.languages import translate
from marketplace.web.product import current_product

log = structlog.get_logger(__name__)

STATUS: dict[type[MarketplaceError], int] = {
    Invalid: 422,
    NotSignedIn: 401,
    NotAllowed: 403,
    ProofNeeded: 403,
    NotFound: 404,
    Conflict: 409,
    Gone: 410,
    TooManyAttempts: 429,
    Unavailable: 503,
}

TITLE = {
    400: ("malformed", N_("The request could not be read")),
    401: ("not-signed-in", N_("A credential is needed")),
    403: ("not-allowed", N_("This is not for you")),
    404: ("not-found", N_("There is nothing here")),
    405: ("method-not-allowed", N_("That cannot be done here")),
    409: ("conflict", N_("The thing has moved on")),
    410: ("gone", N_("This link was used or has lapsed")),
    413: ("too-large", N_("That is too large")),
    415: ("unsupported-media-type", N_("Send JSON")),
    421: ("wrong-host", N_("Not this site")),
    422: ("invalid", N_("Some fields need another look")),
    429: ("too-many-requests", N_("Too many requests")),
    500: ("fault", N_("Something went wrong on our side")),
    503: ("unavailable", N_("Not available for a moment")),
}

RETRY_AFTER = 5
"""Seconds: what a client is told to wait while the database is away."""


def register(app: Flask) -> None:
    """Answer every refusal and every fault in one shape."""

    @app.errorhandler(MarketplaceError)
    def refuse(error: MarketplaceError) -> Response:
        if isinstance(error, Invalid):
            return answer(STATUS[Invalid], "see errors", error.errors)
        if isinstance(error, NotAllowed) or "Authorization" in request.headers:
            log.warning("refused", why=slug_of(error))
        response = answer(STATUS[type(error)], error.args[0])
        if isinstance(error, TooManyAttempts):
            response.headers["Retry-After"] = str(error.seconds)
        return response

    @app.errorhandler(HTTPException)
    def refuse_http(error: HTTPException) -> Response:
        if error.response is not None and error.code is not None and error.code < 400:
            return cast(Response, error.response)
        words = error.description or ""
        if not wants_json() and words == type(error).description:
            words = ""  # the library's own, which say no more than our title
        response = answer(error.code or 500, words)
        for name, value in error.get_headers():
            if name in ("Allow", "Retry-After", "WWW-Authenticate"):
                response.headers[name] = value
        return response

    @app.errorhandler(InternalServerError)
    def refuse_after_all(error: InternalServerError) -> Response:
        """A refusal that is met while another one is answered is none of our faults.

        Such as a form that is too large to be shown again to somebody who is not signed in.
        """
        met = error.original_exception
        if isinstance(met, MarketplaceError):
            return refuse(met)
        if isinstance(met, HTTPException):
            return refuse_http(met)
        return fault(met if isinstance(met, Exception) else error)

    @app.errorhandler(DBAPIError)
    @app.errorhandler(PoolTimeout)
    def database_away(error: Exception) -> Response:
        if isinstance(error, DBAPIError) and not is_passing(error):
            if not is_before_migrations(error):
                return fault(error)
            log.warning("database_away", error="it lacks migrations: run `marketplace migrate`")
            return answer(503, N_("the database is away for a moment: please try again shortly"))
        log.warning("database_away", error=str(getattr(error, "orig", error)).strip())
        return answer(503, N_("the database is away for a moment: please try again shortly"))

    @app.errorhandler(Exception)
    def fault(error: Exception) -> Response:
        log.error("fault", exc_info=error)
        return answer(500, N_("the fault has been recorded under the request id"))


def slug_of(error: MarketplaceError) -> str:
    """Return in a word why something was refused."""
    return TITLE[STATUS.get(type(error), 403)][0]


def is_before_migrations(error: DBAPIError) -> bool:
    """Return whether a table or column is not there yet: web may be started before `migrate`."""
    if getattr(error.orig, "sqlstate", None) not in ("42P01", "42703"):
        return False
    try:
        with current_product().ctx.reading() as session:
            return missing_migrations(session)
    except SQLAlchemyError:
        return False


def answer(status: int, detail: str, errors: Sequence[FieldError] | None = None) -> Response:
    """Return the refusal: a problem document below `/api`, a page elsewhere."""
    slug, title = TITLE.get(status, ("refused", N_("That was refused")))
    if wants_json():
        problem: dict[str, Any] = {
            "type": f"/problems/{slug}",
            "title": title,
            "status": status,
            "detail": detail,
        }
        if errors is not None:
            problem["errors"] = [{"pointer": e.pointer, "detail": e.detail} for e in errors]
        response = Response(json.dumps(problem), status, content_type="application/problem+json")
    else:
        response = Response(page(status, title, detail, errors or ()), status)
    if status in (429, 503):
        response.headers.setdefault("Retry-After", str(RETRY_AFTER))
    if status == 401 and wants_json():
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def page(status: int, title: str, detail: str, errors: Sequence[FieldError] = ()) -> str:
    """Return the refusal as a page, in the language of who reads it."""
    return render_template(
        "error.html",
        status=status,
        title=translate(title),
        detail="" if errors else translate(detail),
        errors=[FieldError(each.pointer, translate(each.detail)) for each in errors],
    )


def wants_json() -> bool:
    """Return whether this request came through the JSON door."""
    return request.path.startswith(("/api/", "/mailbox/messages"))
