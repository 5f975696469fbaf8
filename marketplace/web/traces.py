"""A span for every request, named by its route, which holds no token."""

from contextlib import ExitStack

from flask import Flask, Response, g, request

from marketplace.core import tracing
from marketplace.web.access_log import QUIET


def register(app: Flask) -> None:
    """Begin the span once the request has its id, and end it when all is done."""

    @app.before_request
    def begin() -> None:
        if not tracing.is_on():
            return
        route = request.url_rule.rule if request.url_rule else "?"
        if route in QUIET:
            return
        g.spans = ExitStack()
        g.spans.enter_context(
            tracing.span(
                "request",
                of=g.request_id,
                begins=True,
                http__request__method=request.method if request.method.isalpha() else "?",
                http__route=route,
            )
        )

    @app.after_request
    def end(response: Response) -> Response:
        if tracing.is_on() and "spans" in g:
            status = response.status_code
            tracing.note(http__response__status_code=status)
            if status >= 500:
                tracing.note(error__type=f"http.{status}")
        return response

    @app.teardown_request
    def leave(_error: BaseException | None) -> None:
        spans = g.pop("spans", None)
        if spans is not None:
            spans.close()
