"""Signing in and out, and setting a password by a link."""

from dataclasses import dataclass
from datetime import timedelta
from math import ceil
from urllib.parse import urlsplit

from flask import (
    Blueprint,
    current_app,
    flash,
    g,
    make_response,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask_babel import gettext as _
from flask_wtf.csrf import ValidationError, validate_csrf
from itsdangerous import BadData, URLSafeTimedSerializer
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wrappers import Response

from marketplace.accounts import devices, passwords, service, sessions
from marketplace.accounts.models import User
from marketplace.accounts.rules import PASSWORD_LENGTH, Role
from marketplace.core import links
from marketplace.core.actors import ANYBODY
from marketplace.core.errors import FieldError, Gone, Invalid, NotSignedIn, TooManyAttempts
from marketplace.core.links import Purpose
from marketplace.core.texts import N_
from marketplace.providers import team
from marketplace.providers.models import Provider
from marketplace.web import cookies
from marketplace.web.api.sessions import NewPasswordResetSchema, NewSessionSchema, PasswordSchema
from marketplace.web.auth import SESSION_TOKEN, current_context, product
from marketplace.web.pages import tokens
from marketplace.web.pages.forms import Filled, read
from marketplace.web.pages.words import sentence, span
from marketplace.web.product import signing_keys
from marketplace.web.requests import MAX_BODY, load
from marketplace.web.security_log import watched_sign_in

pages = Blueprint("sign_in", __name__)

DEVICE = "device"
"""The cookie by which a browser is known again when somebody signs in; it opens nothing."""
A_DAY, A_YEAR = 86_400, 31_536_000

LEFT_BEHIND = '"cache", "storage"'
"""What a browser forgets as somebody signs out: pages to go back to, and what forms kept."""

LABELS = {
    "": "",
    "email": N_("The e-mail address"),
    "password": N_("The password"),
    "totp": N_("The one-time code"),
}

HOME = {Role.ADMIN: "desk.work", Role.PROVIDER: "portal.invitations_"}


@pages.get("/sign-in")
def form() -> str:
    return _form(Filled(LABELS))


@pages.post("/sign-in")
def sign_in() -> Response | tuple[str, int] | tuple[str, int, dict[str, str]]:
    """Begin a session in this browser, and go on to where its person was going."""
    sent = read(NewSessionSchema(), request.form)
    typed = {"email": sent.typed.get("email", [])}
    filled = Filled(LABELS, typed)
    try:
        form = load(NewSessionSchema(), sent.data)
        with watched_sign_in(form):
            begun = service.sign_in(current_context(), form, _device())
    except Invalid as refused:
        return _form(filled.wrong(refused.errors)), 422
    except TooManyAttempts as refused:
        wait = {"Retry-After": str(refused.seconds)}
        return _form(filled.wrong([wait_a_while(refused)])), 429, wait
    except NotSignedIn as refused:
        return _form(filled.wrong([FieldError("", sentence(refused))])), 401
    # A fresh session: nothing that was put into this browser's cookie before stays.
    onward = local(request.form.get("next", "")) or url_for(HOME[begun.user.role])
    left = unsealed(request.form.get("left", ""))
    leave()
    session[SESSION_TOKEN] = begun.token
    session["role"] = str(begun.user.role)
    session["kind"] = _kind_of(begun.user)
    answer = (
        redirect(onward, 303)
        if left is None
        else make_response(render_template("go_on.html", left=left, onward=onward))
    )
    return _known_again(answer)


def _device() -> devices.Device:
    """Return this browser, which is given a name of its own where it has none yet."""
    if "device" not in g:
        g.device = (cookies.read(DEVICE) or "")[:100] or links.new_token("device")
    return devices.browser(g.device, request.headers.get("User-Agent", ""))


def _known_again(answer: Response) -> Response:
    """Let this browser say its name the next time."""
    answer.set_cookie(
        cookies.called(DEVICE),
        g.device,
        max_age=A_YEAR,
        secure=current_app.config["SESSION_COOKIE_SECURE"],
        httponly=True,
        samesite="Lax",
    )
    return answer


def wait_a_while(refused: TooManyAttempts) -> FieldError:
    """Return what is said to whoever was wrong too often: for how long to wait."""
    time = span(timedelta(minutes=ceil(refused.seconds / 60)))
    return FieldError(
        "",
        _(
            "This was tried too often and was not right. Please wait %(time)s, then try again.",
            time=time,
        ),
    )


def _kind_of(user: User) -> str | None:
    """Return of which kind the provider is that somebody signs in for: its menu goes by that."""
    if user.provider_id is None:
        return None
    with current_context().reading() as reading:
        return str(reading.get_one(Provider, user.provider_id).kind)


def _form(filled: Filled, left: str | None = None) -> str:
    return render_template(
        "sign_in.html",
        form=filled,
        onward=local(request.values.get("next", "")),
        left=request.form.get("left", "") if left is None else left,
    )


def local(address: str) -> str | None:
    """Return the address if it is a path of this site, and nothing that leads elsewhere."""
    is_path = address.startswith("/") and not address.startswith("//")
    clean = all(33 <= ord(c) < 127 and c != "\\" for c in address)
    return address if is_path and clean else None


def to_sign_in(error: NotSignedIn) -> Response | tuple[str, int]:
    """Send somebody who has to sign in there, and back to where they were going afterwards.

    A form that somebody filled in while their session lapsed goes along, to be sent by them once
    they are in again: what was typed is not lost.
    """
    left = sealed_form() if request.method == "POST" else None
    if left is not None:
        return _form(Filled(LABELS), left), 401
    if request.method == "GET":
        return redirect(url_for("sign_in.form", next=request.full_path.rstrip("?")), 303)
    flash(_("You were signed out in the meantime. Nothing was sent."), "problem")
    return redirect(url_for("sign_in.form", next=page_of_form()), 303)


def page_of_form() -> str | None:
    """Return the page that has the form sent here: the nearest above its address, if any."""
    known = current_app.create_url_adapter(request)
    path = request.path
    while known is not None and path.strip("/"):
        if known.test(path, "GET"):
            return path
        path = path.rpartition("/")[0]
    return None


@dataclass(frozen=True, repr=False)
class Left:
    """A form that was sent when nobody was signed in any more."""

    path: str
    values: list[tuple[str, str]]
    had_file: bool

    @property
    def has_secrets(self) -> bool:
        """Return whether something was typed that no page may hold."""
        return not SECRET_FIELDS.isdisjoint(name for name, _ in self.values)


SECRET_FIELDS = frozenset({"password", "current_password", "totp", "code", "set_up", "token"})
"""Fields of forms that no page shows again, nor keeps for later."""

LEFT_AT_MOST = MAX_BODY // 2
"""Characters of a form that still fit into another one."""


def sealed_form() -> str | None:
    """Return this request's form under seal; none where it did not come from a page of ours."""
    try:
        validate_csrf(request.form.get("csrf_token"))
    except RequestEntityTooLarge:
        return None  # no page of ours has a form that large
    except ValidationError:
        if not came_from_here():
            return None
    left = left_form()
    if left.has_secrets:
        return None
    sealed = _seal().dumps([left.path, left.values, left.had_file])
    return str(sealed) if len(sealed) <= LEFT_AT_MOST else None


def left_form() -> Left:
    """Return the form that this request sends, without the token that lapses with its session."""
    values = [pair for pair in request.form.items(multi=True) if pair[0] != "csrf_token"]
    return Left(request.full_path.rstrip("?"), values, bool(request.files))


def came_from_here() -> bool:
    """Return whether the browser says that a page of ours sent this, whatever became of its token.

    No page can set these headers, so another site's cannot claim it. That is enough to ask somebody
    whether to send what they typed, and never enough to do it.
    """
    origin, site = (request.headers.get(name) for name in ("Origin", "Sec-Fetch-Site"))
    says = [] if origin is None else [origin == request.host_url.rstrip("/")]
    says += [] if site is None else [site == "same-origin"]
    return bool(says) and all(says)


def came_from_elsewhere() -> bool:
    """Return whether the browser says that a page of another site sent this."""
    if request.headers.get("Sec-Fetch-Site") == "cross-site":
        return True
    origin = request.headers.get("Origin", "null")
    ours = {urlsplit(each).netloc for each in (request.host_url, product().settings.public_url)}
    # Whoever invents one may write anything there, which is taken apart by nothing that minds.
    return origin != "null" and origin.partition("://")[2] not in ours


def unsealed(left: str) -> Left | None:
    """Return the form that was sealed, unless it is somebody's invention or of long ago."""
    try:
        path, values, had_file = _seal().loads(left, max_age=A_DAY)
    except BadData:
        return None
    return Left(path, [(name, value) for name, value in values], had_file)


def _seal() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(signing_keys(), salt="left form")


@pages.post("/sign-out")
def sign_out() -> Response:
    """End the session; ended already is fine."""
    leave()
    flash(_("You are signed out."))
    answer = redirect(url_for("sign_in.form"), 303)
    answer.headers["Clear-Site-Data"] = LEFT_BEHIND
    return answer


def leave() -> None:
    """End the session of this browser, if it has one, and forget all else that it brought along."""
    token = session.pop(SESSION_TOKEN, None)
    if token is not None:
        ctx = current_context()
        actor = sessions.actor_of_session(ctx, token) or ANYBODY
        sessions.sign_out(ctx, actor, token)
    session.clear()


@pages.get("/forgot-password")
def forgot() -> str:
    return render_template("forgot_password.html", form=Filled(LABELS))


@pages.post("/forgot-password")
def ask_reset() -> Response | tuple[str, int]:
    """Mail a link, if anybody signs in with the address; the page never tells whether."""
    sent = read(NewPasswordResetSchema(), request.form)
    try:
        passwords.ask_password_reset(current_context(), load(NewPasswordResetSchema(), sent.data))
    except Invalid as refused:
        filled = Filled(LABELS).wrong(refused.errors, sent.typed)
        return render_template("forgot_password.html", form=filled), 422
    flash(_("If somebody signs in with this address, a link is on its way to it."))
    return redirect(url_for("sign_in.form"), 303)


@pages.get("/set-password/<token>")
@pages.post("/set-password/<token>")
def open_set_password(token: str) -> Response | tuple[str, int]:
    """Take the token out of the address; of a form too, that was open before they left it."""
    try:
        _let_in_by(token)
    except Gone:
        return _lapsed(token)
    return tokens.take(Purpose.SET_PASSWORD, token, "sign_in.new_password")


@pages.get("/set-password")
def new_password() -> str | tuple[str, int]:
    """Show the form for a link that is still good."""
    token = tokens.kept(Purpose.SET_PASSWORD)
    if token is None:
        return tokens.missing()
    try:
        return _new_password(token, Filled(LABELS))
    except Gone:
        return _lapsed(token)


@pages.post("/set-password")
def set_password() -> Response | str | tuple[str, int]:
    """Set the password, which uses the link up; that of an invitation lets somebody new in."""
    token = tokens.sent()
    sent = {"token": token, "password": request.form.get("password", "")}
    act = team.join_team if _is_invitation(token) else passwords.set_password
    try:
        act(current_context(), load(PasswordSchema(), sent), _device())
    except Invalid as refused:
        return _new_password(token, Filled(LABELS).wrong(refused.errors)), 422
    except Gone:
        return _lapsed(token)
    leave()
    flash(_("Your password is set. Please sign in with it."))
    return _known_again(redirect(url_for("sign_in.form"), 303))


def _is_invitation(token: str) -> bool:
    return token.startswith(f"{Purpose.JOIN_TEAM}_")


def _lapsed(token: str) -> tuple[str, int]:
    what = "invited" if _is_invitation(token) else "password"
    return render_template("link_lapsed.html", what=what), 410


def _new_password(token: str, filled: Filled) -> str:
    """Show the form, with whom an invitation lets in; or raise `Gone`."""
    of = _let_in_by(token)
    return render_template(
        "set_password.html", form=filled, token=token, least=PASSWORD_LENGTH[0], **of
    )


def _let_in_by(token: str) -> dict[str, str]:
    """Return whom an invitation lets in and for which provider; or raise `Gone`."""
    ctx = current_context()
    with ctx.reading() as reading:
        if _is_invitation(token):
            invitation = team.invitation_to(reading, token, now=ctx.clock())
            if invitation is None:
                raise Gone("this link was used or has lapsed")
            return {"provider": team.inviting(reading, invitation), "email": invitation.email}
        link = links.link_for(reading, Purpose.SET_PASSWORD, token, now=ctx.clock())
        if link is None or link.used_at is not None:
            raise Gone("this link was used or has lapsed")
    return {}
