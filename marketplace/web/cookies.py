"""Cookies: for this host alone where the site is reached by https, with plain names elsewhere.

A name that begins with `__Host-` is one that no other host, such as a neighbour below the same
domain, can set or change, and that browsers take over https alone. On http, in development, they
would refuse it.
"""

import hashlib

from flask import Flask, Request, Response, current_app, request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin

SESSION = "marketplace"
"""Signed, and readable for whoever holds it: the credentials of this browser's owner, what its menu
goes by, the receipt of the form that it sent, and what is said once. Nothing else may be put in."""


def register(app: Flask, *, is_encrypted: bool) -> None:
    """Name the session's cookie, and say to whom browsers may send it."""
    app.config.update(
        SESSION_COOKIE_NAME=f"__Host-{SESSION}" if is_encrypted else SESSION,
        SESSION_COOKIE_SECURE=is_encrypted,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_PATH="/",
    )
    app.session_interface = HostSessions() if is_encrypted else Sessions()


def called(name: str) -> str:
    """Return what a cookie of ours is called here."""
    return f"__Host-{name}" if current_app.config["SESSION_COOKIE_SECURE"] else name


def read(name: str) -> str | None:
    """Return the value of a cookie; behind https under the name that no other host can set."""
    return request.cookies.get(called(name))


class Sessions(SecureCookieSessionInterface):
    """Signs a session that an older key signed with the key of now, so that it outlives that.

    Never with what everybody may keep: a cache between would hand the cookie to whoever asks next.
    """

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        if self.get_cookie_name(app) not in request.cookies:
            return self.session_class()  # before anything is made that would check a signature
        session = super().open_session(app, request)
        if session and app.config["SECRET_KEY_FALLBACKS"] and not self._is_current(app, request):
            session.modified = True
        return session

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        if not response.cache_control.public:
            super().save_session(app, session, response)

    def _is_current(self, app: Flask, request: Request) -> bool:
        serializer = self.get_signing_serializer(app)
        if serializer is None:
            return False
        newest = serializer.secret_keys[-1]
        signer = serializer.signer(newest, salt=serializer.salt, **serializer.signer_kwargs)
        signed, _, signature = request.cookies.get(self.get_cookie_name(app), "").rpartition(".")
        return signer.verify_signature(signed, signature)


class _PlainSessions(SecureCookieSessionInterface):
    """Reads the cookie under the name that it had before."""

    def get_cookie_name(self, app: Flask) -> str:
        return SESSION


class HostSessions(Sessions):
    """Keeps the session in a cookie of this host, and takes over one from before, once.

    Signed with a salt of its own: what is issued under the new name is no good under the old one,
    which a neighbour could set. So nothing is left to be taken over a month after the change.
    """

    salt = "cookie-session of this host"
    digest_method = staticmethod(hashlib.sha256)

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        if request.cookies.get(self.get_cookie_name(app)):
            return super().open_session(app, request)
        if SESSION not in request.cookies:
            return self.session_class()
        session = _PlainSessions().open_session(app, request)
        if session:
            session.modified = True
        return session

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        super().save_session(app, session, response)
        if SESSION in request.cookies and not response.cache_control.public:
            response.delete_cookie(SESSION, secure=True, httponly=True, samesite="Lax")
