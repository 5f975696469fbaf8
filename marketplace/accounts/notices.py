"""What the owner of an account is told by mail whenever what it is signed in to by changes."""

from typing import Any

from marketplace.accounts import queries
from marketplace.accounts.models import User
from marketplace.core.context import Transaction
from marketplace.notifications.service import Recipient, notify


def tell_owner(tx: Transaction, user: User, what: str, **values: Any) -> None:
    """Tell them that `what` happened; whoever did it, if it was not them they have to know."""
    notify(
        tx,
        "account_changed",
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
