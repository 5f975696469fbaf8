"""Hold back what one mailbox gets too much of: counted where it is written, however many write.

By rows in PostgreSQL, under a lock for each mailbox: two forms at once do not both get the last
mail, on however many machines, with or without Redis. What is over the cap is written all the same
as `suppressed`, with the reason, so that whoever sent the form is answered alike.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    DateTime,
    Integer,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    func,
    not_,
    or_,
    select,
    update,
)

from marketplace.core.actors import SYSTEM
from marketplace.core.context import Transaction
from marketplace.core.db import one_of
from marketplace.core.direct import Direct
from marketplace.core.events import record_each
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

_mails: Any = Notification.__table__
_others: Any = _mails.alias("others")


def _as_many(since: str, at_most: str, mailbox: Any) -> Any:
    """Return whether as many as that were written since, to the mailbox, and not held back."""
    counted = select(func.count()).where(
        _others.c.mailbox == mailbox,
        _others.c.template == any_(bindparam("templates", type_=ARRAY(Text()))),
        _others.c.created_at > bindparam(since, type_=DateTime(timezone=True)),
        not_(one_of(_others.c.state, NotificationState.SUPPRESSED)),
        _others.c.id != bindparam("its_id", type_=Uuid()),
    )
    return counted.scalar_subquery() >= bindparam(at_most, type_=Integer())


def _is_over(mailbox: Any) -> ColumnElement[bool]:
    return or_(
        _as_many("an_hour_ago", "per_hour", mailbox),
        and_(_as_many("a_day_ago", "per_day", mailbox), _as_many("an_hour_ago", "anyway", mailbox)),
    )


IS_OVER = _is_over(bindparam("mailbox", type_=Text()))
"""Whether the mailbox of a message has had enough: of a statement that takes its `counting`."""


_HOLD_BACK = Direct(
    update(_mails)
    .where(_mails.c.id == bindparam("its_id", type_=Uuid()), _is_over(_mails.c.mailbox))
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
        key = func.hashtextextended(lock_key(mailbox), 0)
        tx.session.execute(select(func.pg_advisory_xact_lock(key)))


def lock_key(mailbox: str) -> str:
    """Return by which key a mailbox is locked."""
    return f"mailbox {mailbox}"


def hold_back(tx: Transaction, rows: Sequence[Mapping[str, Any]]) -> None:
    """Hold back those of these messages, just written, that are over the cap of their mailbox."""
    for row in rows:
        if row["mailbox"]:
            held = _HOLD_BACK.rows(tx.session, counting(tx, row))
            note_held_back(tx, [each.id for each in held])


def counting(tx: Transaction, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of `IS_OVER` for a message; one that is not counted is never over."""
    asked = asked_by(row["template"], is_confirmed=False) if row["mailbox"] else None
    return {
        "its_id": row["id"],
        "mailbox": row["mailbox"],
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


def note_held_back(tx: Transaction, ids: Collection[UUID]) -> None:
    """Write down that these were held back."""
    record_each(tx, SYSTEM, "notification.suppressed", {each: {"reason": "cap"} for each in ids})
