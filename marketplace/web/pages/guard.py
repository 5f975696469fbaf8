"""What every page carries: the style sheet, and protection against forged forms."""

import hashlib
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import structlog
from flask import Blueprint, Flask, current_app, g, render_template, request, session, url_for
from flask_wtf.csrf import CSRFError, CSRFProtect

from marketplace.core.actors import Kind, Right
from marketplace.core.texts import N_
from marketplace.providers.evidence import EVIDENCE_AT_MOST
from marketplace.web import errors
from marketplace.web.auth import REQUEST_TOKEN, SESSION_TOKEN
from marketplace.web.files import MULTIPART
from marketplace.web.pages import tokens, words
from marketplace.web.pages.forms import field_id
from marketplace.web.pages.sign_in import (
    came_from_elsewhere,
    came_from_here,
    left_form,
    page_of_form,
)
from marketplace.web.requests import MAX_BODY

log = structlog.get_logger(__name__)

_WEB = Path(__file__).parent.parent

assets = Blueprint(
    "assets",
    __name__,
    static_folder=str(_WEB / "static"),
    static_url_path="/static",
    template_folder=str(_WEB / "templates"),
)

READ_AT_MOST = 10 * EVIDENCE_AT_MOST + MAX_BODY
"""Of a form with a file too large: read to its end, or a browser shows that it lost the line."""

UPLOADS = dict.fromkeys(
    (
        "portal_accreditations.claim", "portal_accreditations.prove",
        "quoting.send", "quoting.add_up", "quoting.save", "quoting.attach", "quoting.remove",
    ),
    READ_AT_MOST,
)  # fmt: skip
"""Where a form may be larger than others, in bytes: it brings a file along."""

FORGED = N_(
    "This page was open for too long, or your browser keeps no cookies for this site. Nothing was "
    "sent. Please go back, load the page again, and send it once more."
)


class Csrf(CSRFProtect):
    """Refuses a form that did not come from a page of ours, in words that help.

    By the token in it, which no other site can read; and, should one ever leak, by what the browser
    says of where the form comes from, as far as it says so.
    """

    def __init__(self, exempt: Iterable[Blueprint]) -> None:
        super().__init__()
        for blueprint in exempt:
            self.exempt(blueprint)

    def refuse_foreign(self) -> None:
        """Refuse what another site's page sent, before anything else looks at it.

        Its browser's cookies stay away from it, so it is nobody's: whatever answered it as nobody's
        would put its form into a page of ours, or another session into that browser.
        """
        is_unsafe = request.method in current_app.config["WTF_CSRF_METHODS"]
        if is_unsafe and request.endpoint and not self._is_exempt() and came_from_elsewhere():
            self._error_response("The form comes from another site.")

    def protect(self, apply_exemptions: bool = False) -> None:
        try:
            super().protect(apply_exemptions)
        except ValueError:  # it takes the header apart
            self._error_response("The referrer is no address.")

    def _error_response(self, reason: str) -> NoReturn:
        log.warning("forged_form", why=re.sub(r"\W+", "_", reason.lower()).strip("_"))
        raise CSRFError(FORGED)


def allow_uploads() -> None:
    """Let a form that brings a file be larger; before anybody reads it, to refuse it or not.

    From where somebody has signed in, and even if that has lapsed: nobody else has such a form.
    """
    limit = UPLOADS.get(request.endpoint or "")
    if limit is not None and request.mimetype == MULTIPART and "role" in session:
        request.max_content_length = limit


def protect(app: Flask, csrf: Csrf) -> None:
    """Protect every page's forms; what is exempt answers to tokens and signatures instead."""
    # As long as the browser's session: a form may be left open overnight.
    app.config["WTF_CSRF_TIME_LIMIT"] = None
    settings = app.extensions["marketplace"].settings
    app.config["WTF_CSRF_SECRET_KEY"] = [*reversed(settings.secret_keys)]
    csrf.init_app(app)
    app.jinja_env.filters.update(words.FILTERS)
    app.jinja_env.globals["field_id"] = field_id
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.context_processor(frame)

    @app.errorhandler(CSRFError)
    def refuse_forged(error: CSRFError) -> tuple[str, int]:
        """Refuse it; but whoever signed in anew behind an open form may send it after a look."""
        actor = g.get("actor")
        if actor and actor.kind in (Kind.ADMIN, Kind.PROVIDER) and came_from_here():
            left, onward = left_form(), page_of_form() or url_for("sign_in.form")
            if not left.has_secrets:
                return render_template("go_on.html", left=left, onward=onward), 400
        return errors.page(400, N_("Please load the page again"), FORGED), 400


def frame() -> dict[str, Any]:
    """Return what the frame around every page shows; it must not need the database."""
    actor = g.get("actor")
    role = actor.kind if actor and actor.kind in (Kind.ADMIN, Kind.PROVIDER) else None
    # Where nobody was asked who they are, the menu promises what the doors may refuse.
    rights = actor.rights if actor and actor.kind is Kind.PROVIDER else frozenset(Right)
    return {
        "may": rights.__contains__,
        "is_signed_in": SESSION_TOKEN in session,
        "role": role or session.get("role"),
        "kind_of_provider": session.get("kind"),
        "has_request": REQUEST_TOKEN in session,
        tokens.SHOWN_FOR: actor.lead_id if actor else None,
        "framed_by": g.get("framed_by"),
        "scheme": g.get("scheme"),
        "asset": asset,
    }


def asset(name: str) -> str:
    """Return the address of a static file, another one whenever its content changes."""
    return url_for("assets.static", filename=name, v=_fingerprint(name))


@cache
def _fingerprint(name: str) -> str:
    return hashlib.sha256((_WEB / "static" / name).read_bytes()).hexdigest()[:12]
