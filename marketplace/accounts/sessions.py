"""Sessions: where somebody is signed in, for how long, and how that ends."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, select, update
from sqlalchemy.orm import Session

from marketplace.accounts import passwords, queries, rules
from marketplace.accounts.devices import Device
from marketplace.accounts.models import SignIn, User
from marketplace.core import links
from marketplace.core.actors import Actor, Kind
from marketplace.core.context import Context, Transaction
from marketplace.core.db import new_id
from marketplace.core.errors import NotAllowed, NotFound, NotSignedIn
from marketplace.core.events import record
from marketplace.core.networks import network_of
from marketplace.core.policy import Policy

NOTED_EVERY = timedelta(minutes=1)
"""How often the last use of a session is written down, at the most."""


@dataclass(frozen=True, repr=False)
class SignedIn:
    """A session with a token that is new; it is told once."""

    token: str
    expires_at: datetime
    user: User
    needs_second_factor: bool = False
    """Whether it opens nothing but the set-up of a second factor, until that is done."""


def begin_session(tx: Transaction, user: User, device: Device | None) -> SignedIn:
    """Sign a user in; of too many sessions at once the oldest end. The user is locked."""
    token = links.new_token("session")
    row = SignIn(
        token_hash=links.token_hash(token),
        id=new_id(),
        user_id=user.id,
        created_at=tx.now,
        expires_at=tx.now + tx.policy.session_lifetime,
        last_used_at=tx.now,
        proved_at=tx.now,
        device=device.described if device else None,
        network=network_of(tx.origin.address),
    )
    tx.session.add(row)
    tx.session.flush()
    for old in running_sessions(tx.session, user.id, tx.policy, now=tx.now)[
        tx.policy.sessions_at_most :
    ]:
        old.ended_at = tx.now
    return SignedIn(token, row.expires_at, user, _is_unfinished(user, tx.policy))


def renewed(tx: Transaction, row: SignIn, user: User) -> SignedIn:
    """Give a session another token, and end every other one of its user: their rights changed."""
    passwords.end_sessions(tx, user, but=row)
    return proved(tx, row, user)


def proved(tx: Transaction, row: SignIn, user: User) -> SignedIn:
    """Give a session whose owner proved who they are another token (ASVS 7.2.4): that is theirs.

    Whoever holds the one of before is out, instead of being taken for who gave the password.
    """
    token = links.new_token("session")
    row.token_hash, row.proved_at = links.token_hash(token), tx.now
    return SignedIn(token, row.expires_at, user, _is_unfinished(user, tx.policy))


def runs(policy: Policy, *, now: datetime) -> ColumnElement[bool]:
    """Return what holds of a session that is not over: not ended, not lapsed, not left alone."""
    last_used = func.coalesce(SignIn.last_used_at, SignIn.created_at)
    return and_(
        SignIn.ended_at.is_(None),
        SignIn.expires_at > now,
        last_used > now - policy.session_idle,
    )


def running_sessions(
    session: Session, user_id: UUID, policy: Policy, *, now: datetime
) -> Sequence[SignIn]:
    """Return where somebody is signed in, the latest first."""
    rows = select(SignIn).where(SignIn.user_id == user_id, runs(policy, now=now))
    return session.scalars(rows.order_by(SignIn.created_at.desc(), SignIn.id.desc())).all()


def session_of(session: Session, token: str, policy: Policy, *, now: datetime) -> SignIn | None:
    """Return the session of this token, while it runs."""
    return session.scalar(
        select(SignIn).where(SignIn.token_hash == links.token_hash(token), runs(policy, now=now))
    )


def own_session(tx: Transaction, actor: Actor, token: str) -> SignIn:
    """Return the session that the actor asks from, or raise `NotSignedIn`. The user is locked."""
    row = session_of(tx.session, token, tx.policy, now=tx.now)
    if row is None or row.user_id != actor.id:
        raise NotSignedIn("please sign in")
    return row


def actor_of_session(ctx: Context, token: str) -> Actor | None:
    """Return whom a session token stands for, while it is good; note its use once a minute.

    Who needs a second factor and has none is let into its set-up and nowhere else.
    """
    now = ctx.clock()
    with ctx.reading() as session:
        found = session.execute(
            select(SignIn, User)
            .join(User, User.id == SignIn.user_id)
            .where(
                SignIn.token_hash == links.token_hash(token),
                runs(ctx.policy, now=now),
                User.disabled_at.is_(None),
            )
        ).one_or_none()
    if found is None:
        return None
    row, user = found
    if row.last_used_at is None or now - row.last_used_at >= NOTED_EVERY:
        # Lost in a power cut it costs a minute of somebody's time.
        with ctx.transaction(waits_for_disk=False) as tx:
            tx.session.execute(
                update(SignIn)
                .where(SignIn.token_hash == row.token_hash)
                .values(last_used_at=func.greatest(SignIn.last_used_at, now))
            )
    if _is_unfinished(user, ctx.policy):
        return Actor(Kind.SETTING_UP, id=user.id)
    return passwords.actor_of(user)


def _is_unfinished(user: User, policy: Policy) -> bool:
    return not user.has_second_factor and second_factor_is_required(user, policy)


def second_factor_is_required(user: User, policy: Policy) -> bool:
    """Return whether this user may do nothing without a second factor."""
    return rules.needs_second_factor(
        user.role,
        totp_for_admins=policy.totp_for_admins,
        totp_for_providers=policy.totp_for_providers,
    )


def own_sessions(ctx: Context, actor: Actor) -> Sequence[SignIn]:
    """Return where the actor is signed in, the latest first."""
    with ctx.reading() as session:
        return running_sessions(session, _person(actor), ctx.policy, now=ctx.clock())


def end_sessions_of(ctx: Context, actor: Actor, user_id: UUID) -> int:
    """Sign somebody out everywhere, as an administrator; return how many sessions that ended."""
    actor.require_admin()
    with ctx.transaction() as tx:
        user = tx.session.get(User, user_id, with_for_update=True)
        if user is None:
            raise NotFound("there is no such person")
        ended = passwords.end_sessions(tx, user)
        record(tx, actor, "user.sessions_ended", user.id, sessions=ended)
        return ended


def sign_out(ctx: Context, actor: Actor, token: str) -> None:
    """End the session of this token. Ended already, or unknown, is fine."""
    with ctx.transaction() as tx:
        row = tx.session.get(SignIn, links.token_hash(token), with_for_update=True)
        if row is not None and row.ended_at is None:
            row.ended_at = tx.now
            record(tx, actor, "user.signed_out", row.user_id)


def _person(actor: Actor) -> UUID:
    if actor.id is None or actor.kind not in (Kind.ADMIN, Kind.PROVIDER, Kind.SETTING_UP):
        raise NotAllowed("this is for people who signed in")
    return actor.id


def locked_person(tx: Transaction, actor: Actor) -> User:
    """Return the user that acts, held until the transaction ends."""
    user = queries.lock_user(tx.session, _person(actor))
    if user.disabled_at is not None:
        raise NotSignedIn("please sign in")
    return user
