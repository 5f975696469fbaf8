"""Count how often everybody knocks, by the table of `limit_table.py`, and turn away who must wait.

Counted in Redis, so for all processes together, in one round trip (`limit_counts`). Whoever is
known is counted as the party that it is, whatever address it comes from: a business by its request,
an administrator as a person, and a provider as one, with all of its people and keys; but for what
its people need to shut one of these out. Everybody else is an address. `RATE_LIMITS=off` stops
every one of them.
"""

import hashlib
import hmac
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import wraps
from ipaddress import IPv4Address, ip_address, ip_network
from math import ceil
from typing import Any, cast

import structlog
from flask import Flask, Response, current_app, g, render_template, request
from werkzeug.exceptions import TooManyRequests

from marketplace.bootstrap import Product, redis_to_count_in
from marketplace.core.actors import Kind
from marketplace.core.errors import NotAllowed, NotSignedIn, Unavailable
from marketplace.core.texts import N_, Told
from marketplace.web import errors
from marketplace.web.errors import wants_json
from marketplace.web.languages import translate
from marketplace.web.limit_counts import Counting, RedisAway
from marketplace.web.limit_table import AT_THE_DOOR, Line, WithoutRedis, line_of
from marketplace.web.pages.sign_in import came_from_here, left_form
from marketplace.web.pages.words import span
from marketplace.web.product import current_product

log = structlog.get_logger(__name__)

REFUSED = "too many of these came from your address: please wait a moment and try again"
REFUSED_PARTY = "too many of these came in your name: please wait a moment and try again"


class NotCounted(Unavailable):
    """What has to be counted over all processes cannot be while Redis is away."""


def register(app: Flask, product: Product) -> None:
    """Count before every view. Called once every route is known."""
    counting = Counting(redis_to_count_in(product.settings))

    def count() -> None:
        """Count this request, or refuse it."""
        line = _line()
        if line.is_exempt or not current_product().ctx.policy.rate_limits:
            return
        alone = line.without_redis is WithoutRedis.OPEN
        try:
            wait = counting.wait(line.limits, line.scope, _mark(party()), alone=alone)
        except RedisAway:
            raise NotCounted(
                N_("this cannot be done for a few moments: please send it once more shortly")
            ) from None
        if wait:
            log.warning("limit_hit", route=request.url_rule.rule if request.url_rule else None)
            g.wait = wait
            raise TooManyRequests(_refused())

    app.extensions["count"] = count
    for endpoint, view in app.view_functions.items():
        app.view_functions[endpoint] = _counted(view, count)

    @app.after_request
    def say_when(response: Response) -> Response:
        if response.status_code == 429 and "wait" in g:
            response.headers["Retry-After"] = str(g.wait)
        return response

    @app.errorhandler(429)
    def wait(refused: TooManyRequests) -> Response:
        """Say for how long, and keep what was typed."""
        return _kept(429, refused.description or "")

    @app.errorhandler(NotCounted)
    def wait_for_redis(refused: NotCounted) -> Response:
        return _kept(503, refused.args[0])


def _counted(view: Callable[..., Any], count: Callable[[], None]) -> Callable[..., Any]:
    @wraps(view)
    def counted(*args: Any, **kwargs: Any) -> Any:
        count()
        return view(*args, **kwargs)

    return counted


@contextmanager
def refusals_counted() -> Iterator[None]:
    """Count, by address, whoever is refused inside: at a door that is not theirs."""
    try:
        yield
    except (NotSignedIn, NotAllowed):
        g.limit_line, g.limit_party = AT_THE_DOOR, sender()
        current_app.extensions["count"]()
        del g.limit_line, g.limit_party
        raise


def party() -> str:
    """Return who knocks: the party where it is known, else the address."""
    if "limit_party" in g:
        return str(g.limit_party)
    actor = g.get("actor")
    if actor is None or actor.kind is Kind.ANYBODY:
        return sender()
    is_alone = actor.kind is Kind.PROVIDER and _line().by_person
    if actor.provider_id is not None and not is_alone:
        return f"provider {actor.provider_id}"
    return f"{actor.kind} {actor.id}"


def _mark(party: str) -> str:
    """Return what stands for a party where it is counted: nobody reads an address out of it."""
    key = f"limits\0{current_product().settings.secret_key}".encode()
    return hmac.digest(key, party.encode(), hashlib.sha256).hex()[:32]


def sender() -> str:
    """Return what one sender has: an IPv4 address, or the /64 that an IPv6 customer is given."""
    try:
        address = ip_address(request.remote_addr or "")
    except ValueError:
        return "unknown"
    if isinstance(address, IPv4Address):
        return str(address)
    return str(address.ipv4_mapped or ip_network((address, 64), strict=False))


def _line() -> Line:
    """Return the line of the table that this request is counted by."""
    known = g.get("limit_line")
    if known is not None:
        return cast(Line, known)
    rule = request.url_rule
    return line_of(request.method, rule.rule if rule else "")


def _kept(status: int, words: str) -> Response:
    """Return the refusal; a form of ours comes along, to be sent once more as it was.

    Never one of another site, which whoever is asked would send as theirs.
    """
    is_ours = g.get("csrf_valid") or came_from_here()
    if wants_json() or request.method != "POST" or "framed_by" in g or not is_ours:
        return errors.answer(status, words)
    left = left_form()
    if left.has_secrets:
        return errors.answer(status, words)
    page = render_template(
        "wait.html", left=left, words=translate(words), title=translate(errors.TITLE[status][1])
    )
    response = Response(page, status)
    response.headers["Retry-After"] = str(errors.RETRY_AFTER)
    return response


def _refused() -> str:
    """Return what is said: to people for how long, which programs read in a header."""
    is_address = party() == sender()
    if wants_json():
        return REFUSED if is_address else REFUSED_PARTY
    time_left = span(timedelta(minutes=ceil(g.get("wait", 60) / 60)))
    if is_address:
        words = N_(
            "Too many of these came from your address, and nothing was sent. Please wait %(time)s, "
            "then send it once more."
        )
    else:
        words = N_(
            "Too many of these came in your name, and nothing was sent. Please wait %(time)s, "
            "then send it once more."
        )
    return Told(words, time=time_left)
