"""Forget who somebody was that signs in; what they did stays, under an id that names nobody."""

from typing import Any
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from marketplace.accounts import factors, notices
from marketplace.accounts import queries as accounts
from marketplace.accounts.models import EmailChange, KnownDevice, SignIn, User
from marketplace.core import consents
from marketplace.core.actors import SYSTEM, Actor
from marketplace.core.consents import Whose
from marketplace.core.context import Transaction
from marketplace.core.events import Event, record
from marketplace.core.links import Link
from marketplace.notifications.forgetting import forget_messages, forget_reader
from marketplace.notifications.rules import GONE
from marketplace.notifications.suppressions import forget_bounces
from marketplace.providers.models import TeamInvitation

ERASED = "erased"

HELD_BY_USERS: tuple[Any, ...] = (SignIn, KnownDevice, EmailChange)
"""Tables whose rows are a user's alone (`user_id`), and go with them."""


def forget_user(tx: Transaction, actor: Actor, user: User, *, verb: str) -> None:
    """Erase what names a user, what lets them in, and what was written to them. Locked.

    Whoever had them invited a colleague is forgotten in that letter as well.
    """
    if user.erased_at is not None:
        return
    asked = tx.session.scalars(select(EmailChange.id).where(EmailChange.user_id == user.id)).all()
    before = notices.former_addresses(tx.session, user)
    forget_messages(tx, [user.id, *asked, *_invited_by(tx.session, user)])
    tx.session.execute(delete(Link).where(Link.subject_id.in_(asked)))
    forget_reader(tx, user.email)
    forget_bounces(tx, user.email)
    for address, until in before.items():
        forget_reader(tx, address, until=until)
        forget_bounces(tx, address)
    invited = select(TeamInvitation.id).where(TeamInvitation.invited_by == user.id)
    tx.session.execute(delete(Link).where(Link.subject_id.in_(invited)))
    tx.session.execute(delete(TeamInvitation).where(TeamInvitation.invited_by == user.id))
    tx.session.execute(delete(Link).where(Link.subject_id == user.id))
    for held in HELD_BY_USERS:
        tx.session.execute(delete(held).where(held.user_id == user.id))
    consents.withdraw_all(tx, Whose.USER, user.id)
    user.email, user.name = f"{user.id}{GONE}", ERASED
    user.password_hash = None
    factors.forget(tx, user)
    user.disabled_at = user.disabled_at or tx.now
    user.erased_at = tx.now
    record(tx, actor, verb, user.id)


def _invited_by(session: Session, user: User) -> list[UUID]:
    """Return the invitations to a team in whose letters a user stands as who invited."""
    said = Event.facts["invitation"].astext
    rows = select(said).where(Event.actor_id == user.id, Event.verb.like("provider.member_invit%"))
    return [UUID(each) for each in session.scalars(rows.where(said.is_not(None)))]


def let_out_long_ago(tx: Transaction, user_id: UUID) -> None:
    """Forget somebody who has been let in no more for as long as the policy says."""
    user = accounts.lock_user(tx.session, user_id)
    if user.disabled_at is not None:
        forget_user(tx, SYSTEM, user, verb="user.forgotten")
