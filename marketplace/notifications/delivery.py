"""Hand on what the outbox holds: claim, commit, send, record."""

import json
import random
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import structlog
from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert

from marketplace.core import links
from marketplace.core.actors import SYSTEM
from marketplace.core.context import Context, Transaction
from marketplace.core.jobs import JOB_TIMEOUT
from marketplace.notifications import queries, rules
from marketplace.notifications.channels import Channel, Message
from marketplace.notifications.claims import (
    Claim,
    claim_due,
    give_up,
    hold,
    is_ours,
    put_back,
)
from marketplace.notifications.forgetting import empty
from marketplace.notifications.models import MailPause, Notification
from marketplace.notifications.rules import (
    Attempt,
    NotificationEvent,
    SendOutcome,
    Way,
)
from marketplace.notifications.service import move
from marketplace.notifications.wording import CannotBeWritten, Words, action_address, words

log = structlog.get_logger(__name__)

RUN_SECONDS = JOB_TIMEOUT / 2
"""After this a run begins no further send and rings for another: no job is stopped in the midst."""


RUN_SECONDS_OF_WEBHOOKS = 10
"""The same where servers that are not ours may be slow, and mail waits for this worker."""


def deliver_due_notifications(ctx: Context, channel: Channel, way: Way = Way.EMAIL) -> int:
    """Send what is due to go this way, until nothing is; return how many were handed on.

    Safe at any time, any number of times, on several machines at once. The claim is committed
    before the send, so that no row is locked while we wait for the outside world; a claim whose
    holder was killed lapses, and the message is sent by whoever comes next.
    """
    started = time.monotonic()
    limit = RUN_SECONDS if way is Way.EMAIL else RUN_SECONDS_OF_WEBHOOKS
    sent = 0
    while batch := claim_due(ctx, way):
        for position, claim in enumerate(batch):
            if time.monotonic() - started > limit:
                put_back(ctx, batch[position:], ring=True)
                return sent
            outcome = _deliver(ctx, channel, claim)
            sent += outcome is SendOutcome.SENT
            if outcome is SendOutcome.WE_ARE_REFUSED:
                put_back(ctx, batch[position + 1 :], ring=False)
                return sent
    return sent


def _deliver(ctx: Context, channel: Channel, claim: Claim) -> SendOutcome | None:
    """Send one message and record how it went; None if it was no longer ours.

    Whatever goes wrong with this one, the next gets its turn.
    """
    try:
        begun = _begin(ctx, channel, claim)
        if begun is None:
            return None
        claim = begun.claim
        attempt = channel.send(ctx, _written(channel, begun))
    except CannotBeWritten as reason:
        attempt = Attempt(SendOutcome.MESSAGE_REFUSED, f"no words: {reason}")
    except Exception as fault:
        # By class alone: what such an error says may repeat what the message says.
        attempt = Attempt(SendOutcome.PASSING, f"a fault of ours: {type(fault).__name__}")
        log.error("notification_fault", notification=str(claim.id), error=type(fault).__name__)
    try:
        _record(ctx, claim, attempt)
    except Exception as fault:
        log.error("notification_unrecorded", notification=str(claim.id), error=type(fault).__name__)
    return attempt.outcome


@dataclass(frozen=True)
class _Begun:
    """An attempt that is under way, and where the message's one action leads."""

    claim: Claim
    notification: Notification
    address: str | None
    at: datetime


def _begin(ctx: Context, channel: Channel, claim: Claim) -> _Begun | None:
    """Count the attempt, hold the message for the length of it, and mint its link.

    The attempt counts from here on, so that a message that kills its sender is given up one day.
    """
    with ctx.transaction() as tx:
        notification = hold(tx, claim)
        if notification is None:
            return None
        claim = replace(claim, lapses_at=tx.now + tx.policy.send_lease)
        notification.attempts = claim.attempt
        notification.next_attempt_at = claim.lapses_at
        address = _action_address(tx, channel, notification)
    return _Begun(claim, notification, address, tx.now)


def _written(channel: Channel, begun: _Begun) -> Message:
    notification = begun.notification
    if notification.channel is Way.WEBHOOK:
        return Message(
            notification.id, notification.recipient, notification.template, _payload(notification)
        )
    letter = words(
        notification.template,
        notification.values,
        name=notification.recipient_name,
        time_zone=notification.time_zone,
        now=begun.at,
        public_url=channel.public_url,
        action_url=begun.address,
    )
    return Message(notification.id, notification.recipient, notification.template, letter)


def _payload(notification: Notification) -> Words:
    """Return what a program reads of a message: the same bytes at every attempt."""
    payload = {
        "type": notification.template,
        "timestamp": notification.created_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "data": notification.values,
    }
    return Words(notification.template, json.dumps(payload, separators=(",", ":")), "")


def _action_address(tx: Transaction, channel: Channel, notification: Notification) -> str | None:
    purpose, subject_id = notification.link_purpose, notification.link_subject_id
    expires_at = notification.link_expires_at
    token = ""
    if purpose is not None and subject_id is not None and expires_at is not None:
        if expires_at <= tx.now:
            raise CannotBeWritten("its link has lapsed meanwhile")
        token = links.mint(tx, purpose, subject_id, expires_at=expires_at)
    elif notification.path is None:
        return None
    return action_address(channel.public_url, path=notification.path, link=purpose, token=token)


def _record(ctx: Context, claim: Claim, attempt: Attempt) -> None:
    """Write down how an attempt ended."""
    with ctx.transaction() as tx:
        notification = queries.lock_notification(tx.session, claim.id)
        if notification is None:
            return
        if attempt.outcome is SendOutcome.SENT:
            _record_sent(tx, notification, claim)
            return
        if attempt.outcome is SendOutcome.WE_ARE_REFUSED:
            _pause(tx, claim.way, attempt)
        if not is_ours(notification, claim):
            return
        if attempt.outcome is SendOutcome.WE_ARE_REFUSED:
            _put_behind(tx, notification, claim, attempt)
            return
        notification.attempts = claim.attempt
        event = rules.event_after(
            attempt.outcome, attempts=claim.attempt, at_most=tx.policy.send_attempts
        )
        if event is NotificationEvent.GIVE_UP:
            give_up(tx, notification, attempt.detail)
            return
        notification.last_error = attempt.detail
        facts = {"attempt": claim.attempt, "outcome": attempt.outcome}
        move(tx, notification, event, SYSTEM, **facts)
        if event is NotificationEvent.SUPPRESS:
            return
        wait = rules.wait_after(claim.attempt, jitter=random.random())
        notification.next_attempt_at = tx.now + max(wait, attempt.not_before)
        log.warning("notification_put_back", notification=str(claim.id), detail=attempt.detail)


def _record_sent(tx: Transaction, notification: Notification, claim: Claim) -> None:
    """It went out, whoever holds the claim by now, and whatever was reported since."""
    if rules.NOTIFICATION_LIFECYCLE.allows(notification.state, NotificationEvent.SEND):
        move(tx, notification, NotificationEvent.SEND, SYSTEM, attempt=claim.attempt)
        notification.last_error = None
    notification.sent_at = notification.sent_at or tx.now
    if notification.is_last_word:
        empty(notification)
    if claim.on_probation:
        tx.session.execute(delete(MailPause).where(MailPause.channel == claim.way))
        log.info("mail_resumed", channel=claim.way)


def _pause(tx: Transaction, way: Way, attempt: Attempt) -> None:
    """Send nothing this way for a while and raise the alarm: whoever is behind it refuses us."""
    until = tx.now + tx.policy.send_pause
    row = {"until": until, "reason": attempt.detail}
    tx.session.execute(
        insert(MailPause)
        .values(channel=way, **row)
        .on_conflict_do_update(index_elements=["channel"], set_=row)
    )
    log.error("mail_paused", channel=way, reason=attempt.detail, until=until.isoformat())


def _put_behind(
    tx: Transaction, notification: Notification, claim: Claim, attempt: Attempt
) -> None:
    """Let the message wait for the end of the pause, which is no fault of its own.

    The attempt does not count. But it goes behind the others, so that one that is always refused
    cannot be the one that tries the channel for ever.
    """
    move(tx, notification, NotificationEvent.PUT_BACK, SYSTEM, outcome=attempt.outcome)
    notification.attempts = claim.attempt - 1
    notification.next_attempt_at = tx.now + tx.policy.send_pause
    notification.last_error = attempt.detail
