"""Let people and their software in, and out."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert

from marketplace.accounts import credentials, passwords, queries, rules
from marketplace.accounts.devices import Device, note_device
from marketplace.accounts.models import SignIn, User
from marketplace.accounts.rules import Role
from marketplace.core import links
from marketplace.core.actors import ANYBODY, OPERATOR, SYSTEM, Actor, Kind, Right, TeamRole
from marketplace.core.context import Context, Transaction
from marketplace.core.db import new_id
from marketplace.core.errors import Conflict, NotAllowed, NotSignedIn
from marketplace.core.events import record
from marketplace.core.forms import Form


@dataclass(frozen=True, repr=False)
class SignedIn:
    """A session that has just begun; its token is told once."""

    token: str
    expires_at: datetime
    user: User


def actor_of_session(ctx: Context, token: str) -> Actor | None:
    """Return whom a session token stands for, while it is good."""
    with ctx.reading() as session:
        user = queries.user_signed_in(session, token, now=ctx.clock())
        return None if user is None else passwords.actor_of(user)


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

    An administrator without a second factor, where one is required, is told so (`NotAllowed`),
    once the password was right. The slow hash is checked before the transaction. Whoever signs in
    with a `device` that is new is told by mail.
    """
    wanted = form.accept()
    password = rules.normal_password(wanted["password"])
    with ctx.reading() as session:
        user = queries.user_by_email(session, wanted["email"])
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
        _check_second_factor(tx, user, wanted.get("totp"))
        user.password_hash = fresh
        token = links.new_token("session")
        expires_at = tx.now + tx.policy.session_lifetime
        tx.session.add(
            SignIn(
                token_hash=links.token_hash(token),
                user_id=user.id,
                created_at=tx.now,
                expires_at=expires_at,
            )
        )
        record(tx, passwords.actor_of(user), "user.signed_in", user.id)
        if device is not None:
            note_device(tx, user, device)
        return SignedIn(token, expires_at, user)


def _check_second_factor(tx: Transaction, user: User, code: str | None) -> None:
    """Use the one-time code up, where one is needed, or raise."""
    if user.totp_secret is None:
        if rules.needs_second_factor(user.role, totp_for_admins=tx.policy.totp_for_admins):
            raise NotAllowed(
                "administrators sign in with a one-time code, and none is set up for this address: "
                "`marketplace create-admin` with the address sets it up"
            )
        return
    step = credentials.totp_step(
        user.totp_secret, code or "", now=tx.now, used_step=user.totp_used_step
    )
    if step is None:
        raise _refused()
    user.totp_used_step = step


def _refused() -> NotSignedIn:
    """Return always all three, so that nobody learns which of them was not right."""
    return NotSignedIn("the e-mail address, the password or the one-time code is not right")


def sign_out(ctx: Context, actor: Actor, token: str) -> None:
    """End the session of this token. Ended already, or unknown, is fine."""
    with ctx.transaction() as tx:
        row = tx.session.get(SignIn, links.token_hash(token), with_for_update=True)
        if row is not None and row.ended_at is None:
            row.ended_at = tx.now
            record(tx, actor, "user.signed_out", row.user_id)


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
    and missing, or where `new_totp` asks for another (a lost telephone). An address that signs in
    for a provider raises `Conflict`.
    """
    email = rules.normal_email(email)
    hashed = None
    if password is not None:
        hashed = passwords.checked_password(password, email=email, name=name)
    with ctx.transaction() as tx:
        user = admin_called(tx, email, name, actor=OPERATOR)
        token = totp_address = None
        if hashed is not None:
            passwords.replace_password(tx, OPERATOR, user, hashed)
        else:
            expires_at = tx.now + tx.policy.set_password_within
            token = links.mint(tx, links.Purpose.SET_PASSWORD, user.id, expires_at=expires_at)
        wanted = rules.needs_second_factor(user.role, totp_for_admins=tx.policy.totp_for_admins)
        if new_totp or (wanted and user.totp_secret is None):
            user.totp_secret, user.totp_used_step = credentials.new_totp_secret(), None
            totp_address = credentials.provisioning_address(user.totp_secret, email)
            record(tx, OPERATOR, "user.second_factor_set_up", user.id)
        return AdminMade(user, token, totp_address)


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
        _forget_credentials(user)
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
    _forget_credentials(user)
    record(tx, ANYBODY, "user.let_in_again", user.id)
    return user


def _forget_credentials(user: User) -> None:
    """Let somebody who comes back start afresh, without password and second factor."""
    user.password_hash = user.totp_secret = user.totp_used_step = None


def remove_user(tx: Transaction, user: User) -> None:
    """Let a user in no more, and end every session of theirs at once. Locked."""
    user.disabled_at = tx.now
    passwords.end_sessions(tx, user)


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
