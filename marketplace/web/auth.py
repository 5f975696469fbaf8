"""Who is asking: a bearer token of the JSON interface, or the signed cookie of the pages.

What a token is for stands in its prefix. Which door is open to whom is declared in one list, in
`marketplace.web.doors`.
"""

from collections.abc import Callable, Collection
from typing import cast

from flask import g, request, session

from marketplace.accounts import service as accounts
from marketplace.bootstrap import Product
from marketplace.core.actors import ANYBODY, Actor, Kind
from marketplace.core.context import Context, Origin
from marketplace.core.errors import NotAllowed, NotSignedIn
from marketplace.leads import service as leads
from marketplace.web.product import current_product

SESSION_TOKEN = "sign_in"
"""Where the cookie keeps the session token of a signed-in user ..."""
REQUEST_TOKEN = "request"
"""... and the request token of a business."""


def current_context() -> Context:
    """Return the context of this request: its changes carry its id and its address."""
    if "ctx" not in g:
        g.ctx = product().ctx.at(Origin(g.request_id, request.remote_addr, door()))
    return cast(Context, g.ctx)


def door() -> str:
    """Return by which door this request came in."""
    first = request.path.split("/")[1]
    return first if first in ("api", "embed") else "page"


def product() -> Product:
    return current_product()


def current_actor() -> Actor:
    """Return who is asking; nobody in particular without a credential, which is never an error."""
    if "actor" not in g:
        g.actor = ANYBODY
    return cast(Actor, g.actor)


def bearer() -> str | None:
    """Return the bearer token of this request, if it carries one."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


def actor_of_token(token: str) -> Actor:
    """Return whom a token stands for, or raise `NotSignedIn`."""
    prefix = token.partition("_")[0]
    actor: Actor | None = None
    if prefix in ("request", "outcome"):
        actor = leads.actor_of_request_token(current_context(), token)
    elif prefix == "session":
        actor = accounts.actor_of_session(current_context(), token)
    elif prefix == "key":
        actor = accounts.actor_of_api_key(current_context(), token)
    if actor is None:
        raise NotSignedIn("this credential is not known, was revoked or has lapsed")
    return actor


def api_door(kinds: Collection[Kind] | None) -> Callable[[], None]:
    """Return the check for a group of endpoints that is open to `kinds`, or to anybody."""

    def check() -> None:
        token = bearer()
        if kinds is None:
            return
        if token is None:
            raise NotSignedIn("send a bearer token in the Authorization header")
        g.actor = actor_of_token(token)
        if g.actor.kind not in kinds:
            raise NotAllowed("this credential is for something else")

    return check


def page_door(kinds: Collection[Kind] | None) -> Callable[[], None]:
    """Return the same for pages, whose credential is in the cookie."""

    def check() -> None:
        if kinds is None:
            return
        cookie = REQUEST_TOKEN if Kind.BUSINESS in kinds else SESSION_TOKEN
        token = session.get(cookie)
        if token is None:
            raise NotSignedIn("please sign in, or open the link from your e-mail")
        try:
            g.actor = actor_of_token(token)
        except NotSignedIn:
            session.pop(cookie, None)
            raise
        if g.actor.kind not in kinds:
            raise NotAllowed("this page is for somebody else")

    return check
