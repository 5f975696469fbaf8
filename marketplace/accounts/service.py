"""Let people and their software in, and out."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from marketplace.accounts import (
    credentials,
    factors,
    notices,
    passwords,
    queries,
    rules,
    sessions,
    throttling,
)
from marketplace.accounts.devices import Device, note_device
from marketplace.accounts.letters import tell_admins
from marketplace.accounts.models import User
from marketplace.accounts.rules import Role
from marketplace.accounts.sessions import SignedIn
from marketplace.core import links
from marketplace.core.actors import ANYBODY, OPERATOR, SYSTEM, Actor, Kind, Right, TeamRole
from marketplace.core.context import Context, Transaction
from marketplace.core.db import new_id
from marketplace.core.errors import Conflict, NotSignedIn
from marketplace.core.events import Event, record
from marketplace.core.forms import Form

log = structlog.get_logger(__name__)


def actor_of_api_key(ctx: Context, token: str) -> Actor | None:
    """Return whom an API key stands for, while it is good, and note its use once a minute."""
    with ctx.transaction() as tx:
        found = queries.good_api_key(tx.session, token, now=tx.now)
        if found is None:
            return None
        key, maker = found
        if key.last_used_at is None or (tx.now - key.last_used_at).total_seconds() > 60:
            key.last_used_at = tx.now
        rights = frozenset(Right(each) for each in key.scopes) & maker.rights
        return Actor(Kind.API_KEY, id=key.id, provider_id=key.provider_id, rights=rights)


def sign_in(ctx: Context, form: Form, device: Device | None = None) -> SignedIn:
    """Begin a session, or raise `NotSignedIn`, which says and takes the same whatever was wrong.

    Who needs a second factor and has none gets a session that opens its set-up alone. After some
    wrong tries the next has to wait (`TooManyAttempts`), whether or not anybody has this address.
    The slow hash is checked before the transaction. Whoever signs in with a `device` that is new is
    told by mail.
    """
    wanted = form.accept()
    with ctx.reading() as session:
        user = queries.user_by_email(session, wanted["email"])
        counter = throttling.counter_of(session, wanted["email"], user, device)
    with throttling.attempt(ctx, counter):
        try:
            return _sign_in(ctx, wanted, user, device)
        except NotSignedIn:
            _note_failure(ctx, user)
            raise


def _sign_in(
    ctx: Context, wanted: dict[str, Any], user: User | None, device: Device | None
) -> SignedIn:
    password = rules.normal_password(wanted["password"])
    checked = user.password_hash if user else None
    is_exact = user is None or user.password_is_exact
    is_right = credentials.is_password(password, checked, is_exact=is_exact)
    if not is_right or user is None or checked is None:
        raise _refused()
    kept = password if is_exact else password.strip()
    fresh = credentials.hash_password(kept) if credentials.is_outdated(checked) else checked
    with ctx.transaction() as tx:
        user = queries.lock_user(tx.session, user.id)
        if user.password_hash != checked or user.disabled_at is not None:
            raise _refused()
        code, factor = wanted.get("totp"), "none"
        if user.has_second_factor:
            factor = "code" if rules.recovery_code(code or "") is None else "recovery_code"
            if not factors.use_code(tx, user, code, ctx.seal):
                raise _refused()
        user.password_hash = fresh
        begun = sessions.begin_session(tx, user, device)
        record(tx, passwords.actor_of(user), "user.signed_in", user.id, factor=factor)
        if device is not None:
            note_device(tx, user, device)
        return begun


def _refused() -> NotSignedIn:
    """Return always all three, so that nobody learns which of them was not right."""
    return NotSignedIn("the e-mail address, the password or the one-time code is not right")


def _note_failure(ctx: Context, user: User | None) -> None:
    """Write down that somebody failed to sign in, for each account once a minute at the most.

    For an address that nobody has the same is done, but for the row: so it takes about as long.
    """
    log.info("sign_in_failed", user_id=str(user.id) if user else None)
    user_id = user.id if user else throttling.NOBODY
    with ctx.transaction(waits_for_disk=False) as tx:
        found = tx.session.scalar(
            select(User.id).where(User.id == user_id).with_for_update(skip_locked=True)
        )
        since = tx.now - tx.policy.failure_noted_every
        noted = tx.session.scalar(
            select(Event.id).where(
                Event.subject_id == user_id, Event.verb == FAILED, Event.at > since
            )
        )
        if found is not None and noted is None:
            record(tx, ANYBODY, FAILED, user_id)


FAILED = "user.sign_in_failed"


@dataclass(frozen=True, repr=False)
class AdminMade:
    """What an operator passes on to an administrator; neither can be asked for again."""

    user: User
    set_password_token: str | None
    """Opens `/set-password/<token>`; none where a password was given."""
    totp_address: str | None
    """The `otpauth://` address of a second factor that was set up now."""


def create_admin(
    ctx: Context, email: str, name: str, password: str | None = None, *, new_totp: bool = False
) -> AdminMade:
    """Make an administrator, or let one that exists back in: safe to repeat.

    Without a password a set-password link is made. A second factor is set up where one is required
    and missing, or where `new_totp` asks for another (a lost telephone). Whoever was there is told
    of it by mail: the others who has come, and its owner what was changed of an account. An address
    that signs in for a provider raises `Conflict`.
    """
    email = rules.normal_email(email)
    hashed = None
    if password is not None:
        hashed = passwords.checked_password(password, email=email, name=name)
    with ctx.transaction() as tx:
        others = queries.admins(tx.session)
        user = admin_called(tx, email, name, actor=OPERATOR)
        token = totp_address = None
        if hashed is not None:
            if user.password_hash is not None:
                notices.tell_owner(tx, user, "password")
            passwords.replace_password(tx, OPERATOR, user, hashed)
        else:
            expires_at = tx.now + tx.policy.set_password_within
            token = links.mint(tx, links.Purpose.SET_PASSWORD, user.id, expires_at=expires_at)
        wanted = sessions.second_factor_is_required(user, tx.policy)
        if new_totp or (wanted and not user.has_second_factor):
            secret = credentials.new_totp_secret()
            if user.has_second_factor:
                notices.tell_owner(tx, user, "second_factor_set_up")
            factors.forget(tx, user)
            factors.give_secret(user, secret, ctx.seal)
            totp_address = credentials.provisioning_address(secret, email)
            record(tx, OPERATOR, "user.second_factor_set_up", user.id)
            passwords.end_sessions(tx, user)
        if others and all(each.id != user.id for each in others):
            tell_of_admin(tx, user, "invited", by="an operator")
        return AdminMade(user, token, totp_address)


def tell_of_admin(tx: Transaction, user: User, what: str, *, by: str) -> None:
    """Tell the administrators that there are now who has come or gone, and by whom."""
    tell_admins(
        tx,
        "administrators_changed",
        user.id,
        path="/admin/people",
        occasion=f"{what} {tx.now.isoformat()}",
        what=what,
        person=user.name,
        by=by,
    )


def admin_called(tx: Transaction, email: str, name: str, *, actor: Actor) -> User:
    """Return the administrator with this address, locked: made now, or let in again.

    Whoever was removed starts afresh. An address that signs in for a provider raises `Conflict`.
    """
    _insert(tx, email=email, name=name, role=Role.ADMIN, provider_id=None, actor=actor)
    found = queries.user_by_email(tx.session, email)
    if found is None or found.role is not Role.ADMIN:
        raise Conflict("this address signs in for a provider: use another one")
    user = queries.lock_user(tx.session, found.id)
    if user.disabled_at is not None:
        user.name, user.disabled_at = name, None
        _forget_credentials(tx, user)
        record(tx, actor, "user.let_in_again", user.id)
    return user


def ensure_provider_user(
    tx: Transaction, provider_id: UUID, email: str, name: str, *, actor: Actor = SYSTEM
) -> User | None:
    """Return who signs in for the provider with this address, made now if there was nobody.

    None where the address already signs in for another provider, or for an administrator: it stays
    theirs, and the caller says so to whoever acts (to nobody else).
    """
    email = rules.normal_email(email)
    made = _insert(
        tx, email=email, name=name, role=Role.PROVIDER, provider_id=provider_id, actor=actor
    )
    user = made or queries.user_by_email(tx.session, email)
    return user if user is not None and user.provider_id == provider_id else None


def join_provider(
    tx: Transaction, provider_id: UUID, email: str, name: str, role: TeamRole
) -> User | None:
    """Return who signs in for the provider with this address from now on, without a password yet.

    Somebody new, or somebody who signs in for nobody since they were removed. None where the
    address signs in for somebody already.
    """
    email = rules.normal_email(email)
    made = _insert(
        tx,
        email=email,
        name=name,
        role=Role.PROVIDER,
        provider_id=provider_id,
        team_role=role,
        actor=ANYBODY,
    )
    if made is not None:
        return made
    found = queries.user_by_email(tx.session, email)
    user = None if found is None else queries.lock_user(tx.session, found.id)
    if user is None or not user.is_free:
        return None
    user.provider_id, user.name, user.disabled_at = provider_id, name, None
    user.team_role = role
    _forget_credentials(tx, user)
    record(tx, ANYBODY, "user.let_in_again", user.id)
    return user


def _forget_credentials(tx: Transaction, user: User) -> None:
    """Let somebody who comes back start afresh, without password and second factor."""
    user.password_hash = None
    factors.forget(tx, user)


def remove_user(tx: Transaction, user: User) -> None:
    """Let a user in no more, and end every session and link of theirs at once. Locked."""
    user.disabled_at = tx.now
    passwords.end_sessions(tx, user)
    passwords.end_links(tx, user)


def _insert(tx: Transaction, *, actor: Actor, **values: Any) -> User | None:
    """Write a user down, or return None where the address is somebody's, now or a moment ago."""
    user = tx.session.scalar(
        insert(User)
        .values(id=new_id(), created_at=tx.now, **values)
        .on_conflict_do_nothing(index_elements=[User.email])
        .returning(User)
    )
    if user is not None:
        record(tx, actor, "user.created", user.id)
    return user


def send_set_password(
    tx: Transaction, user: User, template: str, *, occasion: str = "", **values: Any
) -> None:
    """Mail the user a first set-password link; the same occasion is mailed once.

    `values` are what the template fills in beside `expires_at`.
    """
    passwords.mail_link(
        tx,
        user,
        template,
        expires_at=tx.now + tx.policy.set_password_within,
        occasion=occasion,
        **values,
    )
