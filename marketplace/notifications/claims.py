"""Whose turn it is to send a message: claims that lapse, so that a killed sender loses nothing."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog

from marketplace.core.actors import SYSTEM
from marketplace.core.context import Context, Transaction
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
            claims = [
                _take(tx, each, on_probation=pause is not None)
                for each in due
                if not _is_held_back(tx, each, stopped)
            ]
        ours = [claim for claim in claims if claim is not None]
        if ours or not due:
            return ours


def _take(tx: Transaction, notification: Notification, *, on_probation: bool) -> Claim | None:
    """Claim a message, or give it up if every attempt there was ended without a word."""
    was_cut_off = notification.state is NotificationState.SENDING
    if was_cut_off and notification.attempts >= tx.policy.send_attempts:
        give_up(tx, notification, "every attempt was cut off")
        return None
    claim = Claim(
        notification.id,
        notification.channel,
        notification.attempts + 1,
        tx.now + tx.policy.send_lease,
        on_probation,
    )
    move(tx, notification, NotificationEvent.CLAIM, SYSTEM, attempt=claim.attempt)
    notification.next_attempt_at = claim.lapses_at
    return claim


def _is_held_back(tx: Transaction, notification: Notification, stopped: Collection[str]) -> bool:
    """Hold the message back if its address gets no mail; return whether.

    It can be retried once its address gets mail again.
    """
    if rules.address_key(notification.recipient) not in stopped:
        return False
    move(tx, notification, NotificationEvent.SUPPRESS, SYSTEM)
    notification.last_error = "this address gets no mail"
    if notification.is_last_word:
        empty(notification)
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
    log.error(
        "notification_failed",
        notification=str(notification.id),
        template=notification.template,
        detail=detail,
    )


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
