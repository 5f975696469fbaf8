"""Waits between wrong sign-ins, by account, that keep a guesser out and never the owner.

Who signs in from a browser or program that the account knows has a counter of their own, so that
whatever somebody elsewhere does costs them nothing. Addresses that nobody signs in with are counted
alike: nothing can be learnt from being made to wait.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from marketplace.accounts import rules
from marketplace.accounts.devices import Device, mark_of
from marketplace.accounts.models import KnownDevice, User
from marketplace.core.context import Context
from marketplace.core.errors import Invalid, NotSignedIn, TooManyAttempts

NOBODY = UUID(int=0)


class NotProven(Invalid):
    """The password, or the one-time code, was not right."""


@contextmanager
def attempt(ctx: Context, key: str) -> Iterator[None]:
    """Count what happens inside as wrong unless it succeeds; or raise `TooManyAttempts`.

    It is counted before it is tried, so that many at once are no more than one after another.
    What failed for another reason than what was sent does not count.
    """
    if not ctx.policy.rate_limits:
        yield
        return
    now = ctx.clock()
    policy = ctx.policy
    failures, last_at = ctx.attempts.read(key)
    free, waits = policy.attempts_free, policy.attempt_waits
    wait = rules.wait_after(failures, last_at, now=now, free=free, waits=waits)
    if wait:
        raise TooManyAttempts(wait)
    counted = ctx.attempts.add(key, now=now, forget_after=policy.attempts_forgotten_after)
    if counted > max(free, failures + 1):  # others were tried meanwhile
        ctx.attempts.take_back(key)
        raise TooManyAttempts(waits[0])
    try:
        yield
    except (NotSignedIn, NotProven):
        raise
    except BaseException:
        ctx.attempts.take_back(key)
        raise
    ctx.attempts.forget(key)


def counter_of(session: Session, email: str, user: User | None, device: Device | None) -> str:
    """Return where sign-ins with this address from there are counted."""
    mark = mark_of(user.id if user else NOBODY, device) if device else b""
    known = session.scalar(
        select(KnownDevice.mark_hash).where(
            KnownDevice.user_id == (user.id if user else NOBODY), KnownDevice.mark_hash == mark
        )
    )
    return _counter(email, known)


def forgive(ctx: Context, session: Session, user: User) -> None:
    """Forget every wrong sign-in to an account: its owner has shown to read its mail."""
    known = select(KnownDevice.mark_hash).where(KnownDevice.user_id == user.id)
    for mark in (None, *session.scalars(known)):
        ctx.attempts.forget(_counter(user.email, mark))


def _counter(email: str, mark: bytes | None) -> str:
    return f"sign-in {rules.normal_email(email)} {mark.hex() if mark else 'from elsewhere'}"
