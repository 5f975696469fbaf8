"""Letters to those who run the marketplace."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from marketplace.accounts import queries
from marketplace.core.context import Transaction
from marketplace.notifications.service import Message, Recipient, notify_each


@dataclass(frozen=True, repr=False)
class Alarm:
    """What administrators are told of one thing; `path` is where the page is that needs them."""

    subject_id: UUID
    path: str
    values: dict[str, Any]
    occasion: str = ""


def tell_admins(
    tx: Transaction,
    template: str,
    subject_id: UUID,
    *,
    path: str,
    occasion: str = "",
    **values: Any,
) -> None:
    """Write to every administrator; `path` is where the page is that needs them."""
    tell_admins_of_each(tx, template, [Alarm(subject_id, path, values, occasion)])


def tell_admins_of_each(tx: Transaction, template: str, alarms: Sequence[Alarm]) -> None:
    """Write to every administrator about each of these."""
    if not alarms:
        return
    to = [Recipient(admin.email, admin.name) for admin in queries.admins(tx.session)]
    notify_each(
        tx,
        [
            Message(template, each, alarm.subject_id, alarm.values, alarm.occasion, alarm.path)
            for alarm in alarms
            for each in to
        ],
    )
