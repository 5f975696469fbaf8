"""Tokens of links: out of the address at the first visit, and into this browser's session.

What stands in an address is kept by histories and proxies, seen over a shoulder and told to other
sites; a token opens what it opens for whoever reads it there. So a link from a mail leads to an
address without one. Each form says for which token it was shown: of two links of one sort in two
tabs each does what its page shows, and a page that is loaded anew is that of the link opened last.
"""

from flask import redirect, render_template, request, session, url_for
from werkzeug.wrappers import Response

from marketplace.core.errors import Conflict
from marketplace.core.links import Purpose
from marketplace.core.texts import N_
from marketplace.web.auth import current_actor

FIELD = "token"
"""What a form calls the token that it was shown for."""

SHOWN_FOR = "shown_for"
"""What a form on the page of a request calls the request: its token is the session's."""

_KEPT = "links"
_AT_MOST = 100
"""Characters of what may be a token; ours have fewer than fifty."""


def take(purpose: Purpose, token: str, endpoint: str) -> Response:
    """Keep the token in this browser's session, and lead on to the page without it."""
    session[_KEPT] = {**session.get(_KEPT, {}), purpose: token}
    return redirect(url_for(endpoint), 303)


def kept(purpose: Purpose) -> str | None:
    """Return the token of the link of this sort that this browser opened last."""
    token = session.get(_KEPT, {}).get(purpose)
    return str(token) if token else None


def sent() -> str:
    """Return the token that the form of this request was shown for."""
    return request.form.get(FIELD, "")[:_AT_MOST]


def forget(purpose: Purpose, token: str) -> None:
    """Drop a token that has done what it was for."""
    if kept(purpose) == token:
        session[_KEPT] = {name: each for name, each in session[_KEPT].items() if name != purpose}


def forget_all() -> None:
    """Drop every token of a link: whoever comes next to this computer is somebody else."""
    session.pop(_KEPT, None)


def missing() -> tuple[str, int]:
    """Say that the link has to be opened first, in a browser that keeps cookies."""
    return render_template("link_needed.html"), 400


def hold_to_its_request() -> None:
    """Refuse a form of the page of a request where this browser has opened another one since.

    What it closes or erases nobody brings back, and what is typed into it is for nobody else.
    """
    shown_for = request.form.get(SHOWN_FOR) if request.method == "POST" else None
    if shown_for not in (None, str(current_actor().lead_id)):
        raise Conflict(
            N_(
                "in this browser another request was opened since, and nothing was sent: open the "
                "link of the one that you mean, and do it there"
            )
        )
