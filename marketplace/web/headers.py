"""What every answer tells the browser, by whichever door it leaves: pages, API, errors, files.

Each is as narrow as works. A view that needs another says so itself, and is left as it is.
"""

from functools import lru_cache

from flask import Flask, Response, g, request

from marketplace.web.files import PRIVATE

PAGE = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'"
)
"""Scripts, styles and pictures are files of ours, and nothing stands in the page itself."""

MAILBOX = (
    "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self'; frame-src 'self'; "
    "form-action 'self'"
)
"""The development mailbox shows messages as they are, with their own style, in a frame that runs
no script; nor does the page around it."""

NO_PAGE = "default-src 'none'"
"""Whatever is not a page loads nothing, even where a browser takes it for one."""

NEVER = ("object-src", "base-uri", "frame-ancestors")
"""What every policy forbids by name: `default-src` says nothing of the last two, and of the first
who looks wants to read it."""

NO_FEATURES = ", ".join(
    f"{feature}=()"
    for feature in (
        "accelerometer", "autoplay", "camera", "display-capture", "encrypted-media", "fullscreen",
        "geolocation", "gyroscope", "magnetometer", "microphone", "midi", "payment",
        "picture-in-picture", "publickey-credentials-get", "screen-wake-lock", "usb",
        "xr-spatial-tracking",
    )
)  # fmt: skip
"""What a browser offers and no page of ours uses."""

TWO_YEARS, A_YEAR = 63_072_000, 31_536_000

HSTS = f"max-age={TWO_YEARS}; includeSubDomains"

FOR_OTHER_SITES = ("embed.script", "embed.form", "embed.send")
"""What pages of other sites may load: the form inside them."""

CACHED = {
    "front.form": "private, no-cache",
    "reminders.again": "private, no-cache",
    "embed.form": "private, no-cache",
    "embed.script": "public, max-age=3600",
    "front.robots": "public, max-age=3600",
    "assets.static": f"public, max-age={A_YEAR}, immutable",
}
"""What may be kept: the form, so that going back finds it as it was, and what never changes."""

LISTED = (
    "front.form", "front.robots", "front.terms", "front.privacy", "join.form", "embed.how",
    "embed.script", "assets.static",
)  # fmt: skip
"""What search engines may list: nothing that is somebody's, and nothing that asks for a name."""


def register(app: Flask, *, is_encrypted: bool) -> None:
    """Put the headers on every answer; `is_encrypted`: people reach the site by https."""

    @app.after_request
    def add_headers(response: Response) -> Response:
        headers = response.headers
        headers["X-Content-Type-Options"] = "nosniff"
        headers["Permissions-Policy"] = NO_FEATURES
        headers["Cross-Origin-Opener-Policy"] = "same-origin"
        is_for_others = request.endpoint in FOR_OTHER_SITES
        headers["Cross-Origin-Resource-Policy"] = "cross-origin" if is_for_others else "same-origin"
        if is_encrypted:
            headers["Strict-Transport-Security"] = HSTS
        headers["Content-Security-Policy"] = _policy(response)
        headers.setdefault("Referrer-Policy", _told())
        if not _is_api():
            if request.endpoint not in LISTED:
                headers["X-Robots-Tag"] = "noindex"
            if headers.get("Cache-Control") != PRIVATE:
                headers["Cache-Control"] = _kept(response)
        elif "Cache-Control" not in headers:
            headers["Cache-Control"] = "no-store"
        return response


def _is_api() -> bool:
    return request.path.startswith("/api/")


def _policy(response: Response) -> str:
    """Return what the answer may load, and who may frame it: its own site's frame, or nobody."""
    said = response.headers.get("Content-Security-Policy")
    if said is None:
        is_mailbox = request.blueprint in ("mailbox", "gallery")
        page = MAILBOX if is_mailbox else PAGE
        said = page if response.mimetype == "text/html" else NO_PAGE
    return _with_what_never_may(said, g.get("framed_by", "'none'"))


@lru_cache(maxsize=256)
def _with_what_never_may(said: str, framed_by: str) -> str:
    never = {**dict.fromkeys(NEVER, "'none'"), "frame-ancestors": framed_by}
    return "; ".join([said, *(f"{name} {value}" for name, value in never.items())])


def _told() -> str:
    """Return what other pages learn of the address that somebody comes from.

    Forms are checked to come from here, which takes the site they came from; of an address with a
    token in it (the link was no good, or the page would be elsewhere) nobody learns more than that.
    """
    if _is_api():
        return "no-referrer"
    return "strict-origin" if "token" in (request.view_args or {}) else "same-origin"


def _kept(response: Response) -> str:
    if response.status_code not in (200, 304):
        return "no-store"
    return CACHED.get(request.endpoint or "", "no-store")
