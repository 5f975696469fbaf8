"""What may happen to a message, and to the commitment that a lead gets an answer in time."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from marketplace.core.calendars import CLOCK_HOURS, Calendar
from marketplace.core.lifecycle import Lifecycle


class Way(StrEnum):
    """By which way a message goes out."""

    EMAIL = "email"
    WEBHOOK = "webhook"
    """To a provider's own software."""


class NotificationState(StrEnum):
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    DELIVERED = "delivered"
    BOUNCED = "bounced"
    DROPPED = "dropped"
    FAILED = "failed"
    """Given up; an administrator can retry it."""
    SUPPRESSED = "suppressed"
    """Not sent, since its address gets no mail or its reader is forgotten."""


class NotificationEvent(StrEnum):
    CLAIM = "claim"
    SEND = "send"
    PUT_BACK = "put_back"
    """The attempt failed in a way that may pass."""
    GIVE_UP = "give_up"
    RETRY = "retry"
    DELIVER = "deliver"
    BOUNCE = "bounce"
    DROP = "drop"
    SUPPRESS = "suppress"


_S, _E = NotificationState, NotificationEvent

NOTIFICATION_LIFECYCLE = Lifecycle(
    "message",
    {
        (_S.QUEUED, _E.CLAIM): _S.SENDING,
        # A claim that lapsed is taken over: whoever held it was killed or cut off.
        (_S.SENDING, _E.CLAIM): _S.SENDING,
        (_S.SENDING, _E.SEND): _S.SENT,
        (_S.SENDING, _E.PUT_BACK): _S.QUEUED,
        (_S.SENDING, _E.GIVE_UP): _S.FAILED,
        (_S.QUEUED, _E.SUPPRESS): _S.SUPPRESSED,
        (_S.SENDING, _E.SUPPRESS): _S.SUPPRESSED,
        (_S.FAILED, _E.RETRY): _S.QUEUED,
        (_S.SUPPRESSED, _E.RETRY): _S.QUEUED,
        (_S.SENDING, _E.DELIVER): _S.DELIVERED,
        (_S.SENT, _E.DELIVER): _S.DELIVERED,
        (_S.SENDING, _E.BOUNCE): _S.BOUNCED,
        (_S.SENT, _E.BOUNCE): _S.BOUNCED,
        (_S.DELIVERED, _E.BOUNCE): _S.BOUNCED,
        (_S.SENDING, _E.DROP): _S.DROPPED,
        (_S.SENT, _E.DROP): _S.DROPPED,
        # The mail service says that an attempt whose answer was lost went out after all.
        (_S.QUEUED, _E.SEND): _S.SENT,
        (_S.QUEUED, _E.DELIVER): _S.DELIVERED,
        (_S.QUEUED, _E.BOUNCE): _S.BOUNCED,
        (_S.QUEUED, _E.DROP): _S.DROPPED,
        (_S.FAILED, _E.SEND): _S.SENT,
        (_S.FAILED, _E.DELIVER): _S.DELIVERED,
        (_S.FAILED, _E.BOUNCE): _S.BOUNCED,
        (_S.FAILED, _E.DROP): _S.DROPPED,
        (_S.SUPPRESSED, _E.SEND): _S.SENT,
        (_S.SUPPRESSED, _E.DELIVER): _S.DELIVERED,
        (_S.SUPPRESSED, _E.BOUNCE): _S.BOUNCED,
        (_S.SUPPRESSED, _E.DROP): _S.DROPPED,
    },
)


class SendOutcome(StrEnum):
    """How one attempt to hand a message on ended."""

    SENT = "sent"
    MESSAGE_REFUSED = "message_refused"
    """This message will never go (400, 413)."""
    WE_ARE_REFUSED = "we_are_refused"
    """None will go until an operator acts (401, 403, 404)."""
    UNWANTED = "unwanted"
    """Whoever it is for wants none any more."""
    PASSING = "passing"
    """Worth another try: too many, a fault on their side, no answer."""


@dataclass(frozen=True)
class Attempt:
    """How one attempt ended, and why: in words and codes that name nobody."""

    outcome: SendOutcome
    detail: str = ""
    not_before: timedelta = timedelta(0)
    """How long the mail service asks us to wait, if it does (`Retry-After`)."""


def event_after(outcome: SendOutcome, *, attempts: int, at_most: int) -> NotificationEvent:
    """Return what the end of the attempt with this number does to the message."""
    if outcome is SendOutcome.SENT:
        return NotificationEvent.SEND
    if outcome is SendOutcome.UNWANTED:
        return NotificationEvent.SUPPRESS
    if outcome is SendOutcome.WE_ARE_REFUSED:
        return NotificationEvent.PUT_BACK
    if outcome is SendOutcome.MESSAGE_REFUSED or attempts >= at_most:
        return NotificationEvent.GIVE_UP
    return NotificationEvent.PUT_BACK


EVENT_OF_REPORT = {
    "processed": NotificationEvent.SEND,
    "deferred": NotificationEvent.SEND,
    "delivered": NotificationEvent.DELIVER,
    "bounce": NotificationEvent.BOUNCE,
    "dropped": NotificationEvent.DROP,
}
"""What the mail service reports about a message (SendGrid's words), and what that makes of it."""


class SuppressionReason(StrEnum):
    """Why an address gets no more mail."""

    HARD_BOUNCE = "hard_bounce"
    SPAM_REPORT = "spam_report"
    BY_HAND = "by_hand"


def suppression_after(report: str, kind: str) -> SuppressionReason | None:
    """Return why what the mail service reports ends all mail to the address, if it does.

    A bounce that is `blocked` may pass: a full mailbox, a server that did not like us that day.
    """
    if report == "bounce" and kind == "bounce":
        return SuppressionReason.HARD_BOUNCE
    return SuppressionReason.SPAM_REPORT if report == "spamreport" else None


GONE = "@erased.invalid"
"""How the address of whoever was forgotten ends: no mail service is asked to find it."""


def address_key(address: str) -> str:
    """Return what tells one address from another."""
    return address.strip().lower()


def outcome_of_status(status: int) -> SendOutcome:
    """Return what an HTTP status from the mail service means for a message."""
    if 200 <= status < 300:
        return SendOutcome.SENT
    if status in (400, 413):
        return SendOutcome.MESSAGE_REFUSED
    if status in (401, 403, 404):
        return SendOutcome.WE_ARE_REFUSED
    return SendOutcome.PASSING


def outcome_of_call(status: int) -> SendOutcome:
    """Return what an HTTP status from a provider's endpoint means for a message to it.

    A refusal is of this message or will pass (a server that is being mended answers anything, a
    redirect is not followed); 410 says that the endpoint wants no more.
    """
    if 200 <= status < 300:
        return SendOutcome.SENT
    if status == 410:
        return SendOutcome.UNWANTED
    if status in (400, 413, 415, 422):
        return SendOutcome.MESSAGE_REFUSED
    return SendOutcome.PASSING


def wait_after(attempts: int, *, jitter: float) -> timedelta:
    """Return how long to wait after this many failed attempts: 2 s doubling to an hour at most.

    `jitter` from 0 to 1 spreads it over half to one and a half of that, so that what failed
    together does not come back together.
    """
    base = min(2.0 ** min(attempts, 12), 3600.0)
    return timedelta(seconds=base * (0.5 + jitter))


class CommitmentState(StrEnum):
    """Whether a lead's first response comes in time."""

    RUNNING = "running"
    AT_RISK = "at_risk"
    MET = "met"
    MISSED = "missed"
    ENDED = "ended"
    """The request finished before either; counted in no rate."""


class CommitmentEvent(StrEnum):
    RESPOND = "respond"
    WARN = "warn"
    MISS = "miss"
    END = "end"


_C, _V = CommitmentState, CommitmentEvent

COMMITMENT_LIFECYCLE = Lifecycle(
    "commitment",
    {
        (_C.RUNNING, _V.WARN): _C.AT_RISK,
        (_C.RUNNING, _V.RESPOND): _C.MET,
        (_C.AT_RISK, _V.RESPOND): _C.MET,
        (_C.RUNNING, _V.MISS): _C.MISSED,
        (_C.AT_RISK, _V.MISS): _C.MISSED,
        (_C.RUNNING, _V.END): _C.ENDED,
        (_C.AT_RISK, _V.END): _C.ENDED,
    },
)


@dataclass(frozen=True)
class CommitmentTimes:
    """The moments of a commitment, fixed when it is made."""

    started_at: datetime
    at_risk_at: datetime
    due_at: datetime


def commitment_times(
    started_at: datetime,
    *,
    window: timedelta,
    at_risk_share: float,
    calendar: Calendar = CLOCK_HOURS,
) -> CommitmentTimes:
    """Return when a commitment is due, and when it is at risk: this share of the time is left."""
    safe = window - window * at_risk_share
    return CommitmentTimes(
        started_at, calendar.after(started_at, safe), calendar.after(started_at, window)
    )


def due_event(
    state: CommitmentState, *, now: datetime, at_risk_at: datetime, due_at: datetime
) -> CommitmentEvent | None:
    """Return what time alone does to a commitment at `now`; a response at `due_at` is too late."""
    if state not in (CommitmentState.RUNNING, CommitmentState.AT_RISK):
        return None
    if now >= due_at:
        return CommitmentEvent.MISS
    if now >= at_risk_at and state is CommitmentState.RUNNING:
        return CommitmentEvent.WARN
    return None
