"""Hold back what one mailbox gets too much of: counted where it is written, however many write.

By rows in PostgreSQL, under a lock for each mailbox: two forms at once do not both get the last
mail, on however many machines, with or without Redis. What is over the cap is written all the same
as `suppressed`, with the reason, so that whoever sent the form is answered alike.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import (
    ARRAY,
    Boolean,
    ColumnElement,
    DateTime,
    Integer,
    Text,
    Uuid,
    bindparam,
    func,
    select,
    update,
)

from marketplace.core.actors import SYSTEM
from marketplace.core.context import Transaction
from marketplace.core.db import Json
from marketplace.core.direct import Direct
from marketplace.core.events import record_each, written
from marketplace.notifications.mailboxes import (
    HOURLY,
    OVER_CAP,
    asked_by,
    mailbox_of,
    templates_of,
)
from marketplace.notifications.models import Notification
from marketplace.notifications.rules import NotificationState, Way

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
_BY_CAP = {"reason": "cap"}

_mails: Any = Notification.__table__


def _is_full(mailbox: Any) -> ColumnElement[bool]:
    return func.mailbox_is_full(
        mailbox,
        bindparam("templates", type_=ARRAY(Text())),
        bindparam("its_id", type_=Uuid()),
        bindparam("an_hour_ago", type_=DateTime(timezone=True)),
        bindparam("per_hour", type_=Integer()),
        bindparam("a_day_ago", type_=DateTime(timezone=True)),
        bindparam("per_day", type_=Integer()),
        bindparam("anyway", type_=Integer()),
        type_=Boolean(),
    )


IS_FULL = _is_full(bindparam("mailbox", type_=Text()))
"""Whether the mailbox of a message has had enough: of a statement that takes its `counting`.

What PostgreSQL calls for it (migration 0037) lets nobody else write to the mailbox until the
transaction ends, and counts behind that lock.
"""

_HOLD_BACK = Direct(
    update(_mails)
    .where(_mails.c.id == bindparam("its_id", type_=Uuid()), _is_full(_mails.c.mailbox))
    .values(state=NotificationState.SUPPRESSED, last_error=OVER_CAP)
    .returning(_mails.c.id)
)


def mailbox_to_count(tx: Transaction, template: str, recipient: str, channel: Way) -> str | None:
    """Return the mailbox that a message counts for; None where it is owed to its recipient."""
    is_confirmed = tx.policy.lead_confirmation != "off"
    if channel is not Way.EMAIL or not tx.policy.rate_limits:
        return None
    return mailbox_of(recipient) if asked_by(template, is_confirmed=is_confirmed) else None


def lock_mailboxes(tx: Transaction, rows: Sequence[Mapping[str, Any]]) -> None:
    """Let nobody else write to these mailboxes until the transaction ends."""
    for mailbox in sorted({row["mailbox"] for row in rows if row["mailbox"]}):
        key = func.hashtextextended(f"mailbox {mailbox}", 0)  # as migration 0037 has it
        tx.session.execute(select(func.pg_advisory_xact_lock(key)))


def hold_back(tx: Transaction, rows: Sequence[Mapping[str, Any]]) -> None:
    """Hold back those of these messages, just written, that are over the cap of their mailbox."""
    for row in rows:
        if row["mailbox"]:
            held = _HOLD_BACK.rows(tx.session, counting(tx, row))
            record_each(tx, SYSTEM, "notification.suppressed", {each.id: _BY_CAP for each in held})


def counting(tx: Transaction, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of `IS_FULL` for a message; there is room for one that is not counted."""
    mailbox = None if row["state"] is NotificationState.SUPPRESSED else row["mailbox"]
    asked = asked_by(row["template"], is_confirmed=False) if mailbox else None
    return {
        "its_id": row["id"],
        "mailbox": mailbox,
        "templates": templates_of(asked) if asked else [],
        "an_hour_ago": tx.now - HOUR,
        "per_hour": tx.policy.mails_asked_per_hour,
        "a_day_ago": tx.now - DAY,
        "per_day": tx.policy.mails_asked_per_day,
        "anyway": 1 if asked in HOURLY else 0,
    }


def held_back(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns of a message that is over the cap of its mailbox."""
    return {**row, "state": NotificationState.SUPPRESSED, "last_error": OVER_CAP}


def suppressed(tx: Transaction, row: Mapping[str, Any]) -> Json:
    """Return the columns of the event that a message was held back."""
    return written(tx, SYSTEM, "notification.suppressed", row["id"], _BY_CAP)
