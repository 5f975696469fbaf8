"""Hand on what the outbox holds: claim, commit, send, record."""

import json
import random
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog
from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert

from marketplace.core import links, metrics, tracing
from marketplace.core.actors import SYSTEM
from marketplace.core.context import Context, Transaction
from marketplace.core.jobs import JOB_TIMEOUT
from marketplace.core.links import Purpose
from marketplace.notifications import queries, rules
from marketplace.notifications.channels import Channel, Message
from marketplace.notifications.claims import (
    Claim,
    begin,
    claim_due,
    give_up,
    is_ours,
    put_back,
    record_as_sent,
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
from marketplace.notifications.wording import (
    STOPPED_BY,
    CannotBeWritten,
    Words,
    action_address,
    manage_address,
    stop_address,
    words,
)

log = structlog.get_logger(__name__)

for _way in Way:
    for _outcome in SendOutcome:
        metrics.begin_at_nought(metrics.DELIVERIES, _way, _outcome)

AT_MOST_OF_AN_INTERVAL = 0.5
"""How much of the time between two sweeps a run may take: deadlines wait for the same worker.

After that it begins no further send, and rings for another run.
"""


def deliver_due_notifications(ctx: Context, channel: Channel, way: Way = Way.EMAIL) -> int:
    """Send what is due to go this way, until nothing is; return how many were handed on.

    Safe at any time, any number of times, on several machines at once. The claim is committed
    before the send, so that no row is locked while we wait for the outside world; a claim whose
    holder was killed lapses, and the message is sent by whoever comes next.
    """
    ends_at = time.monotonic() + _run_seconds(ctx)
    sent = 0
    while batch := claim_due(ctx, way):
        with _Run(ctx, channel) as run:
            for position, claim in enumerate(batch):
                if time.monotonic() > ends_at:
                    put_back(ctx, batch[position:], ring=True)
                    return sent
                outcome = run.deliver(claim)
                sent += outcome is SendOutcome.SENT
                if outcome is SendOutcome.WE_ARE_REFUSED:
                    put_back(ctx, batch[position + 1 :], ring=False)
                    return sent
    return sent


def _run_seconds(ctx: Context) -> float:
    interval = ctx.policy.sweep_interval.total_seconds()
    return min(interval * AT_MOST_OF_AN_INTERVAL, JOB_TIMEOUT / 2)


class _Run:
    """Sends one message after the other.

    Between two sends lies one transaction: it records that the last message went out, and begins
    the next. Every other outcome is recorded at once.
    """

    def __init__(self, ctx: Context, channel: Channel) -> None:
        self._ctx, self._channel = ctx, channel
        self._unrecorded: Claim | None = None
        """The last message, if it went out."""

    def __enter__(self) -> "_Run":
        return self

    def __exit__(self, *_: object) -> None:
        self._record_last()

    def deliver(self, claim: Claim) -> SendOutcome | None:
        """Send one message and see to it that it is recorded; None if it was no longer ours.

        Whatever goes wrong with this one, the next gets its turn. What is said of it is said under
        the id of the request that caused it, since whoever rang for the mail may be another.
        """
        said_of = {"request_id": claim.request_id} if claim.request_id else {}
        with (
            structlog.contextvars.bound_contextvars(**said_of),
            tracing.span("delivery", of=claim.request_id, channel=claim.way, attempt=claim.attempt),
        ):
            return self._deliver(claim)

    def _deliver(self, claim: Claim) -> SendOutcome | None:
        template = None
        began_at = time.monotonic()
        try:
            begun = self._begin(claim)
            if begun is None:
                return None
            claim, template = begun.claim, begun.notification.template
            tracing.note(template=template)
            attempt = self._channel.send(self._ctx, _written(self._channel, begun))
        except CannotBeWritten as reason:
            attempt = Attempt(SendOutcome.MESSAGE_REFUSED, f"no words: {reason}")
        except Exception as fault:
            # By class alone: what such an error says may repeat what the message says.
            attempt = Attempt(SendOutcome.PASSING, f"a fault of ours: {type(fault).__name__}")
            log.error("notification_fault", notification=str(claim.id), error=type(fault).__name__)
        metrics.DELIVERIES.labels(claim.way, attempt.outcome).inc()
        log.info(
            "notification_handed_on",
            notification=str(claim.id),
            channel=claim.way,
            template=template,
            outcome=attempt.outcome,
            ms=round((time.monotonic() - began_at) * 1000, 1),
        )
        tracing.note(outcome=attempt.outcome)
        if attempt.outcome is SendOutcome.SENT:
            self._unrecorded = claim
        else:
            _record(self._ctx, claim, attempt)
        return attempt.outcome

    def _begin(self, claim: Claim) -> "_Begun | None":
        """Record that the last message went out, and begin this one, with its link.

        Both are on the disk before the next message goes out: so a crash, of whatever, sends again
        what was under way at most, and no link is in the mail that is not in the database.
        """
        last, self._unrecorded = self._unrecorded, None
        try:
            with self._ctx.transaction() as tx:
                if last is None or claim.id < last.id:  # the order in which all lock
                    begun = _begin(tx, self._channel, claim)
                if last is not None:
                    _record_sent(tx, last)
                if last is not None and claim.id > last.id:
                    begun = _begin(tx, self._channel, claim)
                return begun
        except BaseException:
            self._unrecorded = last
            self._record_last()
            raise

    def _record_last(self) -> None:
        last, self._unrecorded = self._unrecorded, None
        if last is not None:
            _record(self._ctx, last, Attempt(SendOutcome.SENT))


@dataclass(frozen=True, repr=False)
class _Begun:
    """An attempt that is under way, the message's columns, and where its one action leads.

    Of a message that sells something also where it is changed or stopped.
    """

    claim: Claim
    notification: Any
    address: str | None
    manage_url: str | None
    at: datetime


def _begin(tx: Transaction, channel: Channel, claim: Claim) -> _Begun | None:
    begun = begin(tx, claim)
    if begun is None:
        return None
    held, notification = begun
    action = _action_address(tx, channel, notification)
    return _Begun(held, notification, action, _manage_address(tx, channel, notification), tx.now)


def _written(channel: Channel, begun: _Begun) -> Message:
    notification = begun.notification
    if begun.claim.way is Way.WEBHOOK:
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
        manage_url=begun.manage_url,
    )
    stop_url = stop_address(begun.manage_url) if begun.manage_url else None
    return Message(notification.id, notification.recipient, notification.template, letter, stop_url)


def _payload(notification: Any) -> Words:
    """Return what a program reads of a message: the same bytes at every attempt."""
    payload = {
        "type": notification.template,
        "timestamp": notification.created_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "data": notification.values,
    }
    return Words(notification.template, json.dumps(payload, separators=(",", ":")), "")


def _action_address(tx: Transaction, channel: Channel, notification: Any) -> str | None:
    if notification.link_purpose is None:
        if notification.path is None:
            return None
        # no token, no secret
        return action_address(channel.public_url, path=notification.path, link=None, token="")  # nosec B106
    expires_at = notification.link_expires_at
    if expires_at <= tx.now:
        raise CannotBeWritten("its link has lapsed meanwhile")
    purpose = Purpose(notification.link_purpose)
    token = links.mint(tx, purpose, notification.link_subject_id, expires_at=expires_at)
    return action_address(channel.public_url, path=notification.path, link=purpose, token=token)


def _manage_address(tx: Transaction, channel: Channel, notification: Any) -> str | None:
    purpose = STOPPED_BY.get(notification.template)
    if purpose is None:
        return None
    expires_at = notification.link_expires_at
    token = links.mint(tx, purpose, notification.link_subject_id, expires_at=expires_at)
    return manage_address(channel.public_url, notification.template, token)


def _record(ctx: Context, claim: Claim, attempt: Attempt) -> None:
    """Write down how an attempt ended; one that cannot be is tried again when its claim lapses."""
    try:
        with ctx.transaction() as tx:
            if attempt.outcome is SendOutcome.SENT:
                _record_sent(tx, claim)
            else:
                _record_failure(tx, claim, attempt)
    except Exception as fault:
        log.error("notification_unrecorded", notification=str(claim.id), error=type(fault).__name__)


def _record_sent(tx: Transaction, claim: Claim) -> None:
    """It went out, whoever holds the claim by now, and whatever was reported since."""
    if record_as_sent(tx, claim):
        return
    notification = queries.lock_notification(tx.session, claim.id)
    if notification is None:
        return
    if rules.NOTIFICATION_LIFECYCLE.allows(notification.state, NotificationEvent.SEND):
        move(tx, notification, NotificationEvent.SEND, SYSTEM, attempt=claim.attempt)
        notification.last_error = None
    notification.sent_at = notification.sent_at or tx.now
    if notification.is_last_word:
        empty(notification)
    if claim.on_probation:
        tx.session.execute(delete(MailPause).where(MailPause.channel == claim.way))
        log.info("mail_resumed", channel=claim.way)


def _record_failure(tx: Transaction, claim: Claim, attempt: Attempt) -> None:
    notification = queries.lock_notification(tx.session, claim.id)
    if notification is None:
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
        if notification.is_last_word:
            empty(notification)
        return
    # spreads retries, guards nothing
    wait = rules.wait_after(claim.attempt, jitter=random.random())  # nosec B311
    notification.next_attempt_at = tx.now + max(wait, attempt.not_before)
    if claim.way is Way.WEBHOOK:
        # Its server is slow or away: what else is queued for it holds up nobody else's meanwhile.
        queries.postpone(tx.session, notification)
    log.warning("notification_put_back", notification=str(claim.id), detail=attempt.detail)


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
