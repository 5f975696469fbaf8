"""Letters to those who run the marketplace."""

from typing import Any
from uuid import UUID

from marketplace.accounts import queries
from marketplace.core.context import Transaction
from marketplace.notifications.service import Recipient, notify


def tell_admins(
    tx: Transaction, template: str, subject_id: UUID, *, path: str, **values: Any
) -> None:
    """Write to every administrator; `path` is where the page is that needs them."""
    for admin in queries.admins(tx.session):
        to = Recipient(admin.email, admin.name)
        notify(tx, template, to, subject_id, path=path, **values)
