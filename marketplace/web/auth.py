"""Who is asking: a bearer token of the JSON interface, or the signed cookie of the pages.

What a token is for stands in its prefix. Which door is open to whom is declared in one list, in
`marketplace.web.doors`.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import cast

from flask import g, redirect, request, session, url_for
from werkzeug.wrappers import Response

from marketplace.accounts import proving, sessions
from marketplace.accounts import service as accounts
from marketplace.bootstrap import Product
from marketplace.core.actors import ANYBODY, Actor, Kind, Right
from marketplace.core.context import Context, Origin
from marketplace.core.errors import NotAllowed, NotSignedIn
from marketplace.core.texts import N_
from marketplace.leads import service as leads
from marketplace.web.product import current_product

SESSION_TOKEN = "sign_in"  # nosec B105  # a name, no secret
"""Where the cookie keeps the session token of a signed-in user ..."""
REQUEST_TOKEN = "request"  # nosec B105  # a name, no secret
"""... and the request token of a business."""


def current_context() -> Context:
    """Return the context of this request: its changes carry its id and its address."""
    known = g.get("ctx")
    if known is None:
        known = g.ctx = product().ctx.at(Origin(g.request_id, request.remote_addr, door()))
    return cast(Context, known)


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


def own_token() -> str:
    """Return the token that let its owner in: that of the header, or on pages of the cookie."""
    if "token" not in g:
        raise NotSignedIn("please sign in")
    return str(g.token)


def actor_of_token(token: str, *, of_own_data: bool = False) -> Actor:
    """Return whom a token stands for, or raise `NotSignedIn`."""
    prefix = token.partition("_")[0]
    actor: Actor | None = None
    if prefix in ("request", "outcome"):
        actor = leads.actor_of_request_token(current_context(), token, of_own_data=of_own_data)
    elif prefix == "session":
        actor = sessions.actor_of_session(current_context(), token)
    elif prefix == "key":
        actor = accounts.actor_of_api_key(current_context(), token)
    if actor is None:
        raise NotSignedIn("this credential is not known, was revoked or has lapsed")
    g.token = token
    return actor


@dataclass(frozen=True)
class Door:
    """Who is let in to a group of routes, and which right of theirs each route takes."""

    kinds: Collection[Kind] | None
    """None is anybody."""
    looking: Right | None = None
    """What GET, HEAD and OPTIONS take; None where the kind alone decides ..."""
    acting: Right | None = None
    """... and what every other method takes."""
    routes: Mapping[str, Right] = field(default_factory=dict)
    """What single endpoints take instead, whatever the method."""
    asks_again: Collection[str] = ()
    """At which endpoints acting lets somebody in or out: it takes a proof of the last minutes."""
    of_own_data: Collection[str] = ()
    """Endpoints that a business is let in to as long as it is named, however long ago it asked."""

    def takes(self, endpoint: str, method: str) -> Right | None:
        """Return the right that a route of this group takes."""
        usual = self.looking if method.upper() in ("GET", "HEAD", "OPTIONS") else self.acting
        return self.routes.get(endpoint, usual)

    def is_shut_to(self, actor: Actor) -> bool:
        """Return whether the actor has to set a second factor up first, which is not done here."""
        return actor.kind is Kind.SETTING_UP and actor.kind not in (self.kinds or ())

    def admit(self, actor: Actor, refusal: str) -> None:
        """Raise `NotAllowed` unless this actor may do what the request asks for."""
        if self.kinds is None or actor.kind not in self.kinds:
            raise NotAllowed(refusal)
        right = self.takes(request.endpoint or "", request.method)
        if right is not None:
            actor.require(right)
        is_acting = request.method not in ("GET", "HEAD", "OPTIONS")
        if is_acting and request.endpoint in self.asks_again:
            proving.require_fresh(current_context(), own_token())


def api_door(door: Door) -> Callable[[], None]:
    """Return the check for a group of endpoints."""

    def check() -> None:
        if door.kinds is None:
            return
        token = bearer()
        if token is None:
            raise NotSignedIn("send a bearer token in the Authorization header")
        g.actor = actor_of_token(token, of_own_data=request.endpoint in door.of_own_data)
        if door.is_shut_to(g.actor):
            raise NotAllowed(
                "a second factor is required: set it up at /api/v1/account/second-factor first"
            )
        door.admit(g.actor, "this credential is for something else")

    return check


def page_door(door: Door) -> Callable[[], Response | None]:
    """Return the same for pages, whose credential is in the cookie.

    Who has to set a second factor up first is led there, from everywhere else.
    """

    def check() -> Response | None:
        if door.kinds is None:
            return None
        cookie = REQUEST_TOKEN if Kind.BUSINESS in door.kinds else SESSION_TOKEN
        token = session.get(cookie)
        if token is None:
            raise NotSignedIn("please sign in, or open the link from your e-mail")
        try:
            g.actor = actor_of_token(token, of_own_data=request.endpoint in door.of_own_data)
        except NotSignedIn:
            session.pop(cookie, None)
            raise
        if door.is_shut_to(g.actor):
            return redirect(url_for("second_factor.form"), 303)
        door.admit(g.actor, N_("this page is for somebody else"))
        return None

    return check
