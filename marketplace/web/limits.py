"""How often one address may knock: generous for people, tight for machines, in one table.

Counted in Redis, so for all processes together. While Redis is away each process counts in its own
memory, and where even that fails nobody is turned away: a lead matters more than a limit.
`RATE_LIMITS=off` stops every one of them.
"""

import time
from datetime import timedelta
from ipaddress import IPv4Address, ip_address, ip_network
from math import ceil
from typing import Any

from flask import Flask, Response, g, request
from flask_limiter import Limiter, RequestLimit
from redis.backoff import NoBackoff
from redis.retry import Retry

from marketplace.bootstrap import Product
from marketplace.core.texts import N_, Told
from marketplace.web.errors import wants_json
from marketplace.web.pages.words import span
from marketplace.web.product import current_product

LIMITS = {
    ("POST", "/api/v1/leads"): "20 per minute; 100 per hour",
    ("POST", "/api/v1/leads/confirmations"): "30 per minute; 300 per hour",
    ("POST", "/api/v1/provider-applications"): "10 per minute; 40 per hour",
    ("POST", "/api/v1/sessions"): "20 per minute; 120 per hour",
    ("POST", "/api/v1/password-resets"): "10 per minute; 40 per hour",
    ("PUT", "/api/v1/password-resets"): "20 per minute; 120 per hour",
    ("POST", "/api/v1/portal/invitations/<uuid:invitation_id>/attachments"): (
        "60 per minute; 300 per hour"
    ),
    ("POST", "/"): "20 per minute; 100 per hour",
    ("POST", "/embed"): "20 per minute; 100 per hour",
    ("GET", "/checks/number"): "60 per minute",
    ("GET", "/checks/region"): "60 per minute",
    ("GET", "/requests/comparison.pdf"): "20 per minute; 100 per hour",
    ("GET", "/api/v1/request/comparison.pdf"): "20 per minute; 100 per hour",
    ("POST", "/requests/link"): "10 per minute; 40 per hour",
    ("POST", "/requests/confirm/<token>"): "30 per minute; 300 per hour",
    ("POST", "/requests/erase/<token>"): "30 per minute; 300 per hour",
    ("POST", "/requests/not-ours/<token>"): "10 per minute; 40 per hour",
    ("PUT", "/api/v1/request/reminders"): "20 per minute; 100 per hour",
    ("POST", "/requests/reminders"): "20 per minute; 100 per hour",
    ("POST", "/reminders/<token>"): "30 per minute; 300 per hour",
    ("POST", "/come-back/<token>"): "30 per minute; 300 per hour",
    ("POST", "/sign-in"): "20 per minute; 120 per hour",
    ("POST", "/forgot-password"): "10 per minute; 40 per hour",
    ("POST", "/set-password/<token>"): "20 per minute; 120 per hour",
    ("POST", "/portal/team"): "10 per minute; 40 per hour",
    ("POST", "/portal/team/invitations/<uuid:invitation_id>/again"): "10 per minute; 40 per hour",
    ("POST", "/portal/team/<uuid:user_id>/link"): "10 per minute; 40 per hour",
}
"""By method and route: an office behind one address gets by, a machine that guesses does not.

What stops reminders has none: a large mail service asks for all of its users from few addresses.
"""

REFUSED = "too many of these came from your address: please wait a moment and try again"

REDIS_PATIENCE = 1
"""Seconds to wait for Redis before counting in memory."""


def register(app: Flask, product: Product) -> None:
    """Put the limits on the routes of the table. Called once every route is known."""
    limiter = Limiter(
        sender,
        app=app,
        storage_uri=_storage(product.settings.redis_url),
        storage_options={
            "socket_connect_timeout": REDIS_PATIENCE,
            "socket_timeout": REDIS_PATIENCE,
            "retry": Retry(NoBackoff(), 0),  # type: ignore[dict-item]  # handed on to redis as is
        },
        in_memory_fallback_enabled=True,
        swallow_errors=True,
        key_prefix="limits",
        on_breach=_note_wait,
    )
    for rule in app.url_map.iter_rules():
        for method, limits in _limits_of(rule.rule).items():
            put_on = limiter.limit(
                limits,
                methods=[method],
                scope=method,
                error_message=_refused,
                exempt_when=lambda: not current_product().ctx.policy.rate_limits,
            )
            view: Any = put_on(app.view_functions[rule.endpoint])
            app.view_functions[rule.endpoint] = view

    @app.after_request
    def say_when(response: Response) -> Response:
        if response.status_code == 429 and "wait" in g:
            response.headers["Retry-After"] = str(g.wait)
        return response


def sender() -> str:
    """Return what one sender has: an IPv4 address, or the /64 that an IPv6 customer is given."""
    try:
        address = ip_address(request.remote_addr or "")
    except ValueError:
        return "unknown"
    if isinstance(address, IPv4Address):
        return str(address)
    return str(address.ipv4_mapped or ip_network((address, 64), strict=False))


def _limits_of(route: str) -> dict[str, str]:
    return {method: limits for (method, path), limits in LIMITS.items() if path == route}


def _refused() -> str:
    """Return what is said: to people for how long, which programs read in a header."""
    if wants_json():
        return REFUSED
    minutes = ceil(g.get("wait", 60) / 60)
    return Told(
        N_(
            "Too many of these came from your address, and nothing was sent. Please wait %(time)s, "
            "then send it once more."
        ),
        time=span(timedelta(minutes=minutes)),
    )


def _note_wait(limit: RequestLimit) -> None:
    g.wait = max(1, limit.reset_at - int(time.time()))


def _storage(redis_url: str) -> str:
    return f"redis+{redis_url}" if redis_url.startswith("unix:") else redis_url
