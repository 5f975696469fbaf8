"""What people do to their own account: password, second factor, sessions."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from cryptography.fernet import InvalidToken

from marketplace.accounts import (
    credentials,
    factors,
    notices,
    passwords,
    queries,
    rules,
    sessions,
    strength,
)
from marketplace.accounts.email_changes import open_change
from marketplace.accounts.models import EmailChange, SignIn, User
from marketplace.accounts.proving import NOT_RIGHT, forget_proof, proven, require_fresh
from marketplace.accounts.sessions import SignedIn
from marketplace.core.actors import Actor
from marketplace.core.context import Context
from marketplace.core.errors import Conflict, FieldError, NotFound, NotSignedIn
from marketplace.core.events import record
from marketplace.core.forms import Form

SET_UP_WITHIN = timedelta(minutes=30)
"""How long a secret that was shown can be confirmed by a code."""


@dataclass(frozen=True, repr=False)
class Account:
    """Who somebody is here, and what they sign in by."""

    user: User
    session: SignIn
    has_second_factor: bool
    is_required: bool
    codes_left: int
    email_change: EmailChange | None
    """To which address they asked to change, while that can still be confirmed."""


def own_account(ctx: Context, actor: Actor, token: str) -> Account:
    """Return the account of whoever asks."""
    with ctx.reading() as session:
        row = sessions.session_of(session, token, ctx.policy, now=ctx.clock())
        if row is None or row.user_id != actor.id:
            raise NotSignedIn("please sign in")
        user = session.get_one(User, row.user_id)
        change = open_change(session, user.id)
        return Account(
            user,
            row,
            user.has_second_factor,
            sessions.second_factor_is_required(user, ctx.policy),
            factors.codes_left(session, user.id),
            change if change is not None and change.expires_at > ctx.clock() else None,
        )


def change_password(ctx: Context, actor: Actor, token: str, form: Form) -> SignedIn:
    """Set another password, knowing the present one; every other session ends."""
    with ctx.reading() as session:
        user = None if actor.id is None else session.get(User, actor.id)
        if user is None:
            raise NotSignedIn("please sign in")
        provider = queries.provider_name(session, user)
    wanted, problems = "", []
    if form.is_sound("password") and "password" in form.values:
        wanted = rules.normal_password(form.values["password"])
        problems = strength.password_problems(
            wanted, email=user.email, name=user.name, provider=provider
        )
    hashed = credentials.hash_password(wanted)
    with proven(ctx, actor, token, form, more=problems) as it:
        it.user.password_hash, it.user.password_is_exact = hashed, True
        passwords.end_links(it.tx, it.user)
        record(it.tx, actor, "user.password_set", it.user.id)
        notices.tell_owner(it.tx, it.user, "password")
        return sessions.renewed(it.tx, it.session, it.user)


@dataclass(frozen=True, repr=False)
class SetUp:
    """What an authenticator needs; nothing counts until a code confirms it."""

    secret: str
    address: str
    """`otpauth://...`, what a QR code says."""
    sealed: str
    """To be sent back with the code: nothing is stored until then."""


def begin_second_factor(ctx: Context, actor: Actor, token: str) -> SetUp:
    """Return a fresh secret for the authenticator of whoever asks."""
    user = own_account(ctx, actor, token).user
    secret = credentials.new_totp_secret()
    said = json.dumps([str(user.id), secret, ctx.clock().isoformat()])
    sealed = ctx.seal("totp set-up").close(said.encode()).decode()
    return SetUp(secret, credentials.provisioning_address(secret, user.email), sealed)


def shown_again(ctx: Context, actor: Actor, token: str, sealed: str) -> SetUp:
    """Return the set-up that was begun, for another try, or a fresh one where it has lapsed."""
    user = own_account(ctx, actor, token).user
    secret = _secret_begun(ctx, user.id, sealed)
    if secret is None:
        return begin_second_factor(ctx, actor, token)
    return SetUp(secret, credentials.provisioning_address(secret, user.email), sealed)


def _secret_begun(ctx: Context, user_id: UUID, sealed: str) -> str | None:
    try:
        said = json.loads(ctx.seal("totp set-up").open(sealed.encode("ascii", "replace")))
    except InvalidToken:
        return None
    whose, secret, begun_at = said
    is_late = ctx.clock() - datetime.fromisoformat(begun_at) >= SET_UP_WITHIN
    return None if whose != str(user_id) or is_late else str(secret)


@dataclass(frozen=True, repr=False)
class FactorSet:
    """The codes for the loss of a second factor, told once, and the session as it goes on."""

    codes: list[str]
    signed_in: SignedIn


def set_second_factor(ctx: Context, actor: Actor, token: str, form: Form) -> FactorSet:
    """Let the authenticator count whose `code` is right, in place of another if there is one.

    Whoever has one proves it by its code (`totp`), or by a recovery code where it is lost.
    """
    problems, step, secret = [], None, None
    if {"set_up", "code"} <= form.values.keys() and actor.id is not None:
        secret = _secret_begun(ctx, actor.id, form.values["set_up"])
        if secret is None:
            problems = [FieldError("/set_up", "has lapsed: please begin again")]
        else:
            step = credentials.totp_step(
                secret, form.values["code"], now=ctx.clock(), used_step=None
            )
            problems = [] if step is not None else [FieldError("/code", NOT_RIGHT)]
    with proven(ctx, actor, token, form, more=problems) as it:
        # One that counts already: which of its codes are used up would be forgotten.
        if secret is None or secret == factors.secret_of(it.user, ctx.seal):
            raise Conflict("please begin again")
        before = it.user.has_second_factor
        factors.give_secret(it.user, secret, ctx.seal)
        it.user.totp_used_step = step
        record(it.tx, actor, "user.second_factor_set_up", it.user.id, replaced=before)
        notices.tell_owner(it.tx, it.user, "second_factor_set_up")
        codes = factors.make_recovery_codes(it.tx, it.user)
        return FactorSet(codes, sessions.renewed(it.tx, it.session, it.user))


def remove_second_factor(ctx: Context, actor: Actor, token: str, form: Form) -> SignedIn:
    """Sign in by the password alone from now on; not where a second factor is required."""
    account = own_account(ctx, actor, token)
    if account.is_required:
        raise Conflict("a second factor is required here: it can be replaced, and not removed")
    if not account.has_second_factor:
        raise Conflict("there is no second factor")
    with proven(ctx, actor, token, form) as it:
        factors.forget(it.tx, it.user)
        record(it.tx, actor, "user.second_factor_removed", it.user.id)
        notices.tell_owner(it.tx, it.user, "second_factor_removed")
        return sessions.renewed(it.tx, it.session, it.user)


def renew_recovery_codes(ctx: Context, actor: Actor, token: str, form: Form) -> FactorSet:
    """Make the recovery codes anew; earlier ones are good no more, and other sessions end."""
    if not own_account(ctx, actor, token).has_second_factor:
        raise Conflict("there is no second factor")
    with proven(ctx, actor, token, form) as it:
        notices.tell_owner(it.tx, it.user, "recovery_codes_made")
        codes = factors.make_recovery_codes(it.tx, it.user)
        return FactorSet(codes, sessions.renewed(it.tx, it.session, it.user))


def prove(ctx: Context, actor: Actor, token: str, form: Form) -> SignedIn:
    """Prove once more who one is: with another token, nobody is asked for some minutes."""
    with proven(ctx, actor, token, form) as it:
        record(it.tx, actor, "user.proved", it.user.id)
        return sessions.proved(it.tx, it.session, it.user)


@contextmanager
def proved_for(ctx: Context, actor: Actor, token: str, form: Form) -> Iterator[None]:
    """Prove once more who one is for what happens inside, and for nothing after it."""
    with proven(ctx, actor, token, form) as it:
        record(it.tx, actor, "user.proved", it.user.id)
        it.session.proved_at = it.tx.now
    try:
        yield
    finally:
        forget_proof(ctx, token)


def end_session(ctx: Context, actor: Actor, token: str, *, session_id: UUID | None) -> int:
    """End one other session of one's own, or all others; return how many.

    One's present session ends by signing out. Who has not proved a moment ago who they are is
    refused.
    """
    require_fresh(ctx, token)
    with ctx.transaction() as tx:
        user, own = sessions.locked_person(tx, actor), sessions.own_session(tx, actor, token)
        if session_id is None:
            ended = passwords.end_sessions(tx, user, but=own)
        else:
            found = [
                each
                for each in sessions.running_sessions(tx.session, user.id, tx.policy, now=tx.now)
                if each.id == session_id
            ]
            if not found:
                raise NotFound("there is no such session")
            found[0].ended_at, ended = tx.now, 1
        record(tx, actor, "user.sessions_ended", user.id, sessions=ended)
        return ended
