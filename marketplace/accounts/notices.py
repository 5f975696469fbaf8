"""What the owner of an account is told by mail whenever what it is signed in to by changes."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from marketplace.accounts import queries
from marketplace.accounts.models import User
from marketplace.core.context import Transaction
from marketplace.notifications.models import Notification
from marketplace.notifications.service import Recipient, notify

CHANGED = "account_changed"


def tell_owner(tx: Transaction, user: User, what: str, **values: Any) -> None:
    """Tell them that `what` happened; whoever did it, if it was not them they have to know."""
    notify(
        tx,
        CHANGED,
        owner(tx, user),
        user.id,
        occasion=f"{what} {tx.now.isoformat()}",
        path="/forgot-password",
        what=what,
        at=tx.now,
        **values,
    )


def stranger(email: str) -> Recipient:
    """Return whoever signs in with an address as somebody to write to, of whom nothing is said."""
    return Recipient(email, "", "UTC")


def owner(tx: Transaction, user: User) -> Recipient:
    """Return a user as somebody to write to."""
    return Recipient(user.email, user.name, queries.zone_of(tx.session, user))


def former_addresses(session: Session, user: User) -> Mapping[str, datetime]:
    """Return at which addresses a user was written to before this one, and until when at each.

    By what they were told of the change, which is kept as long as anything else that went there.
    """
    told = (
        select(Notification.recipient, func.max(Notification.created_at))
        .where(
            Notification.subject_id == user.id,
            Notification.template == CHANGED,
            Notification.recipient != user.email,
        )
        .group_by(Notification.recipient)
    )
    return {row[0]: row[1] for row in session.execute(told)}
