"""The web application: the product with its HTTP doors."""

import re
from dataclasses import replace

import structlog
from flask import Flask, Response, g, request
from flask_compress import Compress
from flask_smorest import Api
from uuid6 import uuid7
from werkzeug.middleware.proxy_fix import ProxyFix

from config.log_lines import holds_a_token
from marketplace.bootstrap import Product
from marketplace.core.bell import Bell
from marketplace.web import (
    access_log,
    cookies,
    doors,
    errors,
    headers,
    hosts,
    languages,
    limits,
    requests,
    traces,
)
from marketplace.web.figures import Figures

_REQUEST_ID = re.compile(r"[A-Za-z0-9_\-]{8,64}")


def create_app(product: Product) -> Flask:
    """Put the HTTP doors on a product. Called once per process."""
    app = product.app
    ctx = replace(product.ctx, queue=Bell(product.ctx.queue))
    product = app.extensions["marketplace"] = replace(product, ctx=ctx)
    app.request_class = requests.Request
    app.config.update(
        API_TITLE="ISO quotes marketplace",
        API_VERSION="v1",
        OPENAPI_VERSION="3.1.0",
        # Nothing here is asked for from scripts of other sites, so no browser asks beforehand.
        PROVIDE_AUTOMATIC_OPTIONS=False,
        MAX_CONTENT_LENGTH=requests.MAX_BODY,
        MAX_FORM_MEMORY_SIZE=requests.MAX_BODY,
        PROPAGATE_EXCEPTIONS=False,
        COMPRESS_ALGORITHM=["br", "gzip"],
        COMPRESS_STREAMS=False,  # the library leaves the files open that it streams
    )
    is_encrypted = product.settings.public_url.startswith("https://")
    cookies.register(app, is_encrypted=is_encrypted)
    app.json.sort_keys = False  # type: ignore[attr-defined]  # the order of the contract's examples
    if product.settings.trusted_proxies:
        hops = product.settings.trusted_proxies
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]  # as Werkzeug documents it
            app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops
        )
    # The first to be registered is the last to see an answer. No other site can make a browser ask
    # for a private page again and again to learn from its size (BREACH): cookies are SameSite=Lax.
    Compress(app)
    headers.register(app, is_encrypted=is_encrypted)
    _number_requests(app)
    traces.register(app)
    access_log.register(app)
    hosts.register(app, product.settings.public_url)
    languages.register(app)
    api = Api(app)
    errors.register(app)  # after the library's own handlers, which it replaces
    doors.register(app, api)
    limits.register(app, product)
    app.extensions["figures"] = Figures()
    return app


def _number_requests(app: Flask) -> None:
    """Give every request an id, the caller's own where it sends a decent one.

    A token is none: the id stays in the audit log for good.
    """

    @app.before_request
    def begin() -> None:
        sent = request.headers.get("X-Request-Id", "")
        is_decent = _REQUEST_ID.fullmatch(sent) and not holds_a_token(sent)
        g.request_id = sent if is_decent else uuid7().hex
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=g.request_id)

    @app.after_request
    def end(response: Response) -> Response:
        response.headers["X-Request-Id"] = g.get("request_id", "-")
        return response
