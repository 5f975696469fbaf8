"""Whose turn it is to send a message: claims that lapse, so that a killed sender loses nothing."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import ARRAY, DateTime, Integer, Uuid, any_, bindparam, func, null, update

from marketplace.core.actors import SYSTEM
from marketplace.core.context import Context, Transaction
from marketplace.core.direct import Direct
from marketplace.core.events import record_each, recorded_with, written
from marketplace.notifications import queries, rules, suppressions
from marketplace.notifications.forgetting import empty
from marketplace.notifications.models import MailPause, Notification
from marketplace.notifications.rules import NotificationEvent, NotificationState, Way
from marketplace.notifications.service import JOB_OF, move

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Claim:
    """That a message is ours to send until `lapses_at`, and the how-manieth attempt this is."""

    id: UUID
    way: Way
    attempt: int
    lapses_at: datetime
    on_probation: bool
    """The channel was paused, and this message shows whether it works again."""
    request_id: str | None
    """Of the request that caused the message."""


def claim_due(ctx: Context, way: Way = Way.EMAIL) -> list[Claim]:
    """Take the next messages that are due to go this way; none while it is paused.

    After a pause one message goes first, to try whether the mail service takes us again.
    """
    while True:
        with ctx.transaction() as tx:
            pause = tx.session.get(MailPause, way)
            if pause is not None and pause.until > tx.now:
                return []
            one_by_one = pause is not None or way is Way.WEBHOOK  # whose servers may be slow
            size = 1 if one_by_one else tx.policy.send_batch
            due = queries.lock_due(tx.session, way, now=tx.now, limit=size)
            stopped = suppressions.stopped_among(tx.session, {each.recipient for each in due})
            to_send = [each for each in due if not _is_held_back(tx, each, stopped)]
            claims = [_claim(tx, way, each, on_probation=pause is not None) for each in to_send]
            _write(tx, claims)
        if claims or not due:
            return claims


def _claim(tx: Transaction, way: Way, message: Any, *, on_probation: bool) -> Claim:
    return Claim(
        message.id,
        way,
        message.attempts + 1,
        tx.now + tx.policy.send_lease,
        on_probation,
        message.request_id,
    )


_notifications: Any = Notification.__table__
_CLAIM = Direct(
    update(_notifications)
    .where(_notifications.c.id == any_(bindparam("ids", type_=ARRAY(Uuid()))))
    .values(
        state=NotificationState.SENDING,
        next_attempt_at=bindparam("until", type_=DateTime(timezone=True)),
    )
)


def _write(tx: Transaction, claims: Sequence[Claim]) -> None:
    """Claim these messages, which are locked, all until the same moment."""
    if not claims:
        return
    values = {"ids": [each.id for each in claims], "until": claims[0].lapses_at}
    _CLAIM.run(tx.session, values)
    facts = {each.id: {"attempt": each.attempt} for each in claims}
    record_each(tx, SYSTEM, "notification.claimed", facts)


def _is_held_back(tx: Transaction, message: Any, stopped: Collection[str]) -> bool:
    """Give a message up if every attempt was ended without a word, or hold it back; return whether.

    It is held back if its address gets no mail; and can be retried once it does again. What was
    written to somebody who had themselves forgotten goes nowhere, and nobody has to look at it.
    """
    was_cut_off = message.state == NotificationState.SENDING
    is_worn_out = was_cut_off and message.attempts >= tx.policy.send_attempts
    is_stopped = rules.address_key(message.recipient) in stopped
    is_gone = message.recipient.endswith(rules.GONE)
    if not (is_worn_out or is_stopped or is_gone):
        return False
    notification = tx.session.get_one(Notification, message.id)
    if is_gone:
        move(tx, notification, NotificationEvent.SUPPRESS, SYSTEM)
        empty(notification)
    elif is_stopped:
        move(tx, notification, NotificationEvent.SUPPRESS, SYSTEM)
        notification.last_error = "this address gets no mail"
        if notification.is_last_word:
            empty(notification)
    else:
        give_up(tx, notification, "every attempt was cut off")
    return True


def put_back(ctx: Context, claims: list[Claim], *, ring: bool) -> None:
    """Give back what was claimed and not begun, and ask for another run."""
    with ctx.transaction() as tx:
        for claim in sorted(claims, key=lambda claim: claim.id):  # the order in which all lock
            notification = hold(tx, claim)
            if notification is not None:
                move(tx, notification, NotificationEvent.PUT_BACK, SYSTEM, outcome="not_begun")
                notification.next_attempt_at = tx.now
        if ring:
            for way in {claim.way for claim in claims}:
                tx.afterwards(JOB_OF[way])


def give_up(tx: Transaction, notification: Notification, detail: str) -> None:
    """Fail the message, visibly: an administrator can retry it."""
    move(tx, notification, NotificationEvent.GIVE_UP, SYSTEM, attempt=notification.attempts)
    notification.last_error = detail
    if notification.is_last_word:
        empty(notification)  # whoever asked to be forgotten is, though nothing reaches them
    log.error(
        "notification_failed",
        notification=str(notification.id),
        template=notification.template,
        detail=detail,
    )


_OURS = (
    _notifications.c.id == bindparam("its_id", type_=Uuid()),
    _notifications.c.state == NotificationState.SENDING,
    _notifications.c.next_attempt_at == bindparam("lapses_at", type_=DateTime(timezone=True)),
)

_BEGIN = Direct(
    update(_notifications)
    .where(*_OURS)
    .values(
        attempts=bindparam("attempt", type_=Integer()),
        next_attempt_at=bindparam("until", type_=DateTime(timezone=True)),
    )
    .returning(
        *(
            _notifications.c[name]
            for name in (
                "id", "template", "recipient", "recipient_name", "time_zone", "values", "path",
                "link_purpose", "link_subject_id", "link_expires_at", "created_at",
            )
        )
    )
)  # fmt: skip


def begin(tx: Transaction, claim: Claim) -> tuple[Claim, Any] | None:
    """Count the attempt, and hold the message for the length of it.

    Return the claim as it stands now and what is to be sent, or None if it is not ours any more.
    The attempt counts from here on, so that a message that kills its sender is given up one day.
    """
    begun = replace(claim, lapses_at=tx.now + tx.policy.send_lease)
    values = {**_named(claim), "attempt": claim.attempt, "until": begun.lapses_at}
    for row in _BEGIN.rows(tx.session, values):
        return begun, row
    return None


_SENT = Direct(
    recorded_with(
        update(_notifications)
        .where(*_OURS, ~_notifications.c.is_last_word)
        .values(
            state=NotificationState.SENT,
            sent_at=func.coalesce(
                _notifications.c.sent_at, bindparam("at", type_=DateTime(timezone=True))
            ),
            last_error=null(),
        )
        .returning(_notifications.c.id)
        .cte("sent")
    )
)


def record_as_sent(tx: Transaction, claim: Claim) -> bool:
    """Record that a message went out as most do; return whether that is all there is to it.

    It is ours still, nothing was reported of it, and it need not be forgotten.
    """
    event = written(tx, SYSTEM, "notification.sent", claim.id, {"attempt": claim.attempt})
    return not claim.on_probation and bool(_SENT.run(tx.session, {**event, **_named(claim)}))


def _named(claim: Claim) -> dict[str, Any]:
    return {"its_id": claim.id, "lapses_at": claim.lapses_at}


def hold(tx: Transaction, claim: Claim) -> Notification | None:
    """Return the message, locked, if nobody took it over and nothing was reported meanwhile."""
    notification = queries.lock_notification(tx.session, claim.id)
    if notification is None or not is_ours(notification, claim):
        return None
    return notification


def is_ours(notification: Notification, claim: Claim) -> bool:
    """Return whether the claim still stands."""
    # A claim can be taken over only once it has lapsed, so no two ever lapse at one moment.
    return (
        notification.state is NotificationState.SENDING
        and notification.next_attempt_at == claim.lapses_at
    )
