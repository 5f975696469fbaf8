"""Under which names this site answers: its own, and this machine's.

Addresses in pages and mails never come from what a request says its host is; this is the second
line. Kept apart from Flask's `TRUSTED_HOSTS`, which knows no IPv6 and leaves nothing to answer
with. What operations ask comes from probes by whatever address a machine has at the moment.
"""

from urllib.parse import urlsplit

import structlog
from flask import Flask, request
from werkzeug.exceptions import MisdirectedRequest

from marketplace.core.texts import N_

log = structlog.get_logger(__name__)

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

ELSEWHERE = N_("This server does not answer for the site that was asked for.")


def register(app: Flask, public_url: str) -> None:
    """Refuse what was meant for another host, before anything looks at it."""
    names = LOOPBACK | {urlsplit(public_url).hostname}

    @app.before_request
    def check_host() -> None:
        if request.blueprint != "operations" and _name() not in names:
            log.warning("wrong_host")
            raise MisdirectedRequest(ELSEWHERE)


def _name() -> str | None:
    try:
        return urlsplit(f"//{request.host}").hostname
    except ValueError:
        return None
