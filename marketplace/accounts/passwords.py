"""Set a password by a link, and mail such links."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import update

from marketplace.accounts import credentials, notices, queries, rules, strength, throttling
from marketplace.accounts.devices import Device, remember_device
from marketplace.accounts.models import SignIn, User
from marketplace.accounts.rules import Role
from marketplace.core import links
from marketplace.core.actors import ANYBODY, Actor, Kind
from marketplace.core.context import Context, Transaction
from marketplace.core.errors import Gone, Invalid
from marketplace.core.events import record
from marketplace.core.forms import Form
from marketplace.core.links import Purpose
from marketplace.notifications.service import LinkTo, let_links_lapse, notify

LIKE_TIME = 0.15
"""Seconds that asking for a link takes at least, whether or not anybody is written to."""

LINKS_MAILED_EVERY = 600
"""Seconds: asked for again within the same ten minutes, a link is mailed once."""


def actor_of(user: User) -> Actor:
    """Return the user as somebody who acts."""
    kind = Kind.ADMIN if user.role is Role.ADMIN else Kind.PROVIDER
    return Actor(kind, id=user.id, provider_id=user.provider_id, rights=user.rights)


def ask_password_reset(ctx: Context, form: Form) -> None:
    """Mail a set-password link, if anybody signs in with this address; nobody is told whether."""
    wanted = form.accept()
    with like_time(), ctx.transaction() as tx:
        user = queries.user_by_email(tx.session, wanted["email"])
        if user is None or user.disabled_at is not None:
            return
        mail_link(
            tx,
            user,
            "password_reset",
            expires_at=tx.now + tx.policy.reset_password_within,
            occasion=asked_now(tx),
        )
        record(tx, ANYBODY, "user.password_reset_asked", user.id)


def asked_now(tx: Transaction, *, every: int = LINKS_MAILED_EVERY) -> str:
    """Return the occasion of a link that is asked for: it is mailed once in so many seconds."""
    asked_at = int(tx.now.timestamp())
    window = every if tx.policy.rate_limits else 1
    return str(asked_at // window * window)


@contextmanager
def like_time() -> Iterator[None]:
    """Let what happens inside take no less than `LIKE_TIME`, so that its length tells nothing."""
    begun = time.monotonic()
    try:
        yield
    finally:
        time.sleep(max(0.0, begun + LIKE_TIME - time.monotonic()))


def mail_link(
    tx: Transaction,
    user: User,
    template: str,
    *,
    expires_at: datetime,
    occasion: str,
    **values: Any,
) -> None:
    """Mail the user a link that sets a password and is good until `expires_at`."""
    notify(
        tx,
        template,
        notices.owner(tx, user),
        user.id,
        occasion=occasion,
        link=LinkTo(Purpose.SET_PASSWORD, user.id, expires_at),
        expires_at=expires_at,
        **values,
    )


def set_password(ctx: Context, form: Form, device: Device | None = None) -> None:
    """Use a set-password link up, and end every session of its user; or raise `Gone`.

    A password that is refused uses nothing up. The `device` is known from then on: whoever reads
    the mail is the owner, and signs in from there next, whoever guesses elsewhere meanwhile.
    """
    values = form.accept()
    token, password = str(values["token"]), rules.normal_password(str(values["password"]))
    with ctx.reading() as session:
        link = links.link_for(session, Purpose.SET_PASSWORD, token, now=ctx.clock())
        user = session.get(User, link.subject_id) if link and link.used_at is None else None
        if user is None or user.disabled_at is not None:
            raise Gone("this link was used or has lapsed")
        provider = queries.provider_name(session, user)
    form.accept(
        strength.password_problems(password, email=user.email, name=user.name, provider=provider)
    )
    hashed = credentials.hash_password(password)
    with ctx.transaction() as tx:
        user = queries.lock_user(tx.session, user.id)  # before links, always
        if user.disabled_at is not None:
            raise Gone("this link was used or has lapsed")
        links.use(tx, Purpose.SET_PASSWORD, token, once=False)
        is_first = user.password_hash is None
        replace_password(tx, actor_of(user), user, hashed)
        if not is_first:
            notices.tell_owner(tx, user, "password")
        if device is not None:
            remember_device(tx, user, device)
    with ctx.reading() as session:
        throttling.forgive(ctx, session, user)


def replace_password(tx: Transaction, actor: Actor, user: User, hashed: str) -> None:
    """Store another password's hash, end every session of its user, and every link to set one."""
    user.password_hash, user.password_is_exact = hashed, True
    end_sessions(tx, user)
    end_links(tx, user)
    record(tx, actor, "user.password_set", user.id)


def end_sessions(tx: Transaction, user: User, *, but: SignIn | None = None) -> int:
    """End every session of a user at once, but perhaps for one; return how many that were."""
    running = update(SignIn).where(SignIn.user_id == user.id, SignIn.ended_at.is_(None))
    if but is not None:
        running = running.where(SignIn.token_hash != but.token_hash)
    ended = tx.session.execute(running.values(ended_at=tx.now).returning(SignIn.token_hash))
    return len(ended.all())


def end_links(tx: Transaction, user: User) -> None:
    """Let no link set a user's password that was asked for until now, sent or not. Locked."""
    let_links_lapse(tx, Purpose.SET_PASSWORD, user.id)
    links.void(tx, Purpose.SET_PASSWORD, user.id)


def checked_password(password: str, *, email: str, name: str) -> str:
    """Return the hash of a new password, or raise `Invalid`."""
    password = rules.normal_password(password)
    problems = strength.password_problems(password, email=email, name=name)
    if problems:
        raise Invalid(problems)
    return credentials.hash_password(password)
