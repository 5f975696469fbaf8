"""What may happen to an invitation to quote, and until when."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from marketplace.core.calendars import CLOCK_HOURS, Calendar
from marketplace.core.errors import Conflict
from marketplace.core.lifecycle import Lifecycle


class InvitationState(StrEnum):
    SENT = "sent"
    OPENED = "opened"
    ACCEPTED = "accepted"
    """The provider sees who the business is and means to quote."""
    QUOTED = "quoted"
    DECLINED = "declined"
    RELEASED = "released"
    """Not opened in time; the place was passed on."""
    EXPIRED = "expired"
    """No quote by the deadline."""
    WITHDRAWN = "withdrawn"
    """Taken back: its holder may not take part any more, or the request finished unanswered."""
    WON = "won"
    LOST = "lost"


class InvitationEvent(StrEnum):
    OPEN = "open"
    ACCEPT = "accept"
    QUOTE = "quote"
    DECLINE = "decline"
    RELEASE = "release"
    RETURN = "return"
    """A released invitation is looked at while a place is free: it is live again."""
    EXPIRE = "expire"
    WITHDRAW = "withdraw"
    WIN = "win"
    LOSE = "lose"


_S, _E = InvitationState, InvitationEvent

LIVE = (_S.SENT, _S.OPENED, _S.ACCEPTED, _S.QUOTED)
"""The states that hold one of the lead's places."""

ANSWERABLE = (_S.SENT, _S.OPENED, _S.ACCEPTED)
"""The states in which the deadline still runs."""

UNANSWERED = (_S.SENT, _S.OPENED)
"""The states in which the provider has said neither yes nor no."""

ANSWERED_YES = (_S.ACCEPTED, _S.QUOTED)
"""The live states in which the provider has seen the contact."""

ANSWERS = (_E.OPEN, _E.ACCEPT, _E.QUOTE, _E.DECLINE)

LIFECYCLE = Lifecycle(
    "invitation",
    {
        (_S.SENT, _E.OPEN): _S.OPENED,
        (_S.SENT, _E.ACCEPT): _S.ACCEPTED,
        (_S.OPENED, _E.ACCEPT): _S.ACCEPTED,
        (_S.SENT, _E.QUOTE): _S.QUOTED,
        (_S.OPENED, _E.QUOTE): _S.QUOTED,
        (_S.ACCEPTED, _E.QUOTE): _S.QUOTED,
        (_S.QUOTED, _E.QUOTE): _S.QUOTED,  # a revision
        (_S.SENT, _E.DECLINE): _S.DECLINED,
        (_S.OPENED, _E.DECLINE): _S.DECLINED,
        (_S.ACCEPTED, _E.DECLINE): _S.DECLINED,
        (_S.QUOTED, _E.DECLINE): _S.DECLINED,  # takes its quote back
        (_S.SENT, _E.RELEASE): _S.RELEASED,
        (_S.RELEASED, _E.RETURN): _S.OPENED,
        (_S.OPENED, _E.EXPIRE): _S.EXPIRED,
        (_S.ACCEPTED, _E.EXPIRE): _S.EXPIRED,
        (_S.SENT, _E.WITHDRAW): _S.WITHDRAWN,
        (_S.OPENED, _E.WITHDRAW): _S.WITHDRAWN,
        (_S.ACCEPTED, _E.WITHDRAW): _S.WITHDRAWN,
        (_S.QUOTED, _E.WITHDRAW): _S.WITHDRAWN,
        (_S.QUOTED, _E.WIN): _S.WON,
        (_S.SENT, _E.LOSE): _S.LOST,
        (_S.OPENED, _E.LOSE): _S.LOST,
        (_S.ACCEPTED, _E.LOSE): _S.LOST,
        (_S.QUOTED, _E.LOSE): _S.LOST,
    },
)


class MissKind(StrEnum):
    """How a provider let an invitation lapse."""

    RELEASED = "released"
    """Nobody opened it in time; it was a miss even if it came back later."""
    EXPIRED = "expired"
    """No quote came by its deadline."""


MISSES = {_E.RELEASE: MissKind.RELEASED, _E.EXPIRE: MissKind.EXPIRED}
"""The events that are a miss of whoever holds the invitation."""


class DeclineReason(StrEnum):
    OUT_OF_SCOPE = "out_of_scope"
    NO_CAPACITY = "no_capacity"
    TIMEFRAME = "timeframe"
    TOO_SMALL = "too_small"
    TOO_FAR = "too_far"
    CONFLICT_OF_INTEREST = "conflict_of_interest"
    OTHER = "other"


def after(
    state: InvitationState,
    event: InvitationEvent,
    *,
    now: datetime,
    open_by: datetime,
    respond_by: datetime,
) -> InvitationState:
    """Return the state that `event` at `now` leads to.

    An invitation can be opened up to `open_by` but not at it, and answered up to `respond_by` but
    not at it; it is released, or expires, at these moments but not before. So no answer ever
    depends on how late a worker is. Once quoted, no deadline runs.
    """
    next_state = LIFECYCLE.after(state, event)
    due = due_event(state, now=now, open_by=open_by, respond_by=respond_by)
    if event in (InvitationEvent.EXPIRE, InvitationEvent.RELEASE) and due is not event:
        raise Conflict("this invitation still has time to run")
    if event in ANSWERS and due is InvitationEvent.EXPIRE:
        raise Conflict("the time to answer this invitation has passed")
    if event in ANSWERS and due is InvitationEvent.RELEASE:
        raise Conflict("this invitation was not opened in good time, so its place is passed on")
    return next_state


def due_event(
    state: InvitationState, *, now: datetime, open_by: datetime, respond_by: datetime
) -> InvitationEvent | None:
    """Return what time alone does to an invitation at `now`.

    One that nobody opened is released, at its deadline as well: it was never looked at.
    """
    if state is InvitationState.SENT and now >= min(open_by, respond_by):
        return InvitationEvent.RELEASE
    if state in ANSWERABLE and now >= respond_by:
        return InvitationEvent.EXPIRE
    return None


def respond_by(
    *, now: datetime, due_at: datetime, at_least: timedelta, calendar: Calendar = CLOCK_HOURS
) -> datetime:
    """Return the deadline of an invitation sent `now`: the lead's, or a fair time, the later."""
    return max(due_at, calendar.after(now, at_least))


def open_by(
    *, now: datetime, within: timedelta, respond_by: datetime, calendar: Calendar = CLOCK_HOURS
) -> datetime:
    """Return until when an invitation may stay unopened before its place is passed on."""
    return min(calendar.after(now, within), respond_by)


def reminder_times(
    sent_at: datetime,
    respond_by: datetime,
    *,
    shares: Sequence[float],
    calendar: Calendar = CLOCK_HOURS,
) -> list[datetime]:
    """Return when whoever has opened an invitation is reminded, in order.

    At these shares of its window as the calendar counts it, so of business days never between them.
    """
    window = calendar.between(sent_at, respond_by)
    return [calendar.after(sent_at, window * share) for share in sorted(shares)]


def nudge_time(
    sent_at: datetime,
    open_by: datetime,
    *,
    shares: Sequence[float],
    calendar: Calendar = CLOCK_HOURS,
) -> datetime | None:
    """Return when whoever has not opened it is told that it will be passed on: once, at the last.

    At the last of `shares` of the time to open it: those of the whole window come too late.
    """
    times = reminder_times(sent_at, open_by, shares=shares, calendar=calendar)
    return times[-1] if times else None


def reminders_after(times: Sequence[datetime], *, now: datetime) -> list[datetime]:
    """Return the reminders that are still to come; of those that were missed one is enough."""
    return [each for each in times if each > now]


@dataclass(frozen=True)
class Holding:
    """What an invitation means for the places of its lead."""

    place: int
    state: InvitationState
    saw_contact: bool
    passed_on: bool
    """The business itself asked for the place to be given to another."""


def free_places(holdings: Iterable[Holding], *, places: int) -> list[int]:
    """Return the places of a lead that may be given to another provider.

    A place is taken while its invitation is live, and also once its holder has seen the contact:
    then it is passed on only when the business asks for it, knowing that one more will see it.
    """
    taken = {
        holding.place
        for holding in holdings
        if holding.state in LIVE or (holding.saw_contact and not holding.passed_on)
    }
    return [place for place in range(1, places + 1) if place not in taken]


def precedence(state: InvitationState) -> int:
    """Return which of two that may not both stay does: the lower, or else the one sent before."""
    return 0 if state in ANSWERED_YES else 1


def event_when_the_request_finishes(
    state: InvitationState, *, awarded: bool
) -> InvitationEvent | None:
    """Return what happens to an invitation that was not chosen when its request finishes.

    Where another was chosen, all lose; where nobody was, what was not answered is taken back.
    """
    if state not in LIVE:
        return None
    if awarded or state in ANSWERED_YES:
        return InvitationEvent.LOSE
    return InvitationEvent.WITHDRAW


def all_have_quoted(states: Collection[InvitationState]) -> bool:
    """Return whether everybody who holds a place has quoted: two at least, or it is no "all"."""
    live = [state for state in states if state in LIVE]
    return len(live) > 1 and all(state is InvitationState.QUOTED for state in live)


def by_now(
    state: InvitationState,
    ended_at: datetime | None,
    *,
    respond_by: datetime,
    request_ends_at: datetime | None,
    now: datetime,
) -> tuple[InvitationState, datetime | None]:
    """Return how an invitation that was accepted stands at `now`, and since when it has ended.

    Whether or not a sweep has met its deadline, or that of its request, yet.
    """
    is_over = request_ends_at is not None and request_ends_at <= now
    lapses_first = request_ends_at is None or respond_by < request_ends_at
    if state is InvitationState.ACCEPTED and respond_by <= now and lapses_first:
        return InvitationState.EXPIRED, respond_by
    if state in ANSWERED_YES and is_over:
        return InvitationState.LOST, request_ends_at
    if state is InvitationState.LOST and is_over and ended_at is not None:
        return state, min(ended_at, request_ends_at or ended_at)
    return state, ended_at


def contact_until(
    state: InvitationState, *, accepted: bool, ended_at: datetime | None, kept_for: timedelta
) -> datetime | None:
    """Return when a provider that accepted and was not chosen stops seeing who the business was.

    Until then it may have to speak of its quote, or to close its own books. None where no time
    runs: it sees the contact without end, or not at all.
    """
    if state is InvitationState.LOST and accepted and ended_at is not None:
        return ended_at + kept_for
    return None


def contact_is_visible(
    state: InvitationState,
    *,
    accepted: bool,
    is_erased: bool,
    until: datetime | None,
    now: datetime,
) -> bool:
    """Return whether the provider may see at `now` who the business is.

    From acceptance on while it holds a place, for the one that won, and for one that was not chosen
    up to `until` (of `contact_until`), but not at it. A provider that took its acceptance back or
    ran out of time does not need the contact any longer, and once the business has had its data
    erased nobody does.
    """
    if not accepted or is_erased:
        return False
    if state is InvitationState.LOST:
        return until is not None and now < until
    return state in (InvitationState.ACCEPTED, InvitationState.QUOTED, InvitationState.WON)


def lapsed_at(kind: MissKind, *, open_by: datetime, respond_by: datetime) -> datetime:
    """Return the moment that a missed invitation let pass, however late a sweep noticed it."""
    return min(open_by, respond_by) if kind is MissKind.RELEASED else respond_by


def miss_counts_until(
    at: datetime, *, struck: bool, came_back_at: datetime | None, window: timedelta
) -> datetime | None:
    """Return up to when a miss counts towards a pause.

    One that was struck does not count, nor one from before its provider came back from a pause.
    """
    is_over = struck or (came_back_at is not None and at <= came_back_at)
    return None if is_over else at + window


def is_missing_too_often(misses: Iterable[datetime], *, too_many: int, window: timedelta) -> bool:
    """Return whether `too_many` of these misses lie within one window, in whatever order they came.

    Two that are a whole window apart do not: a miss counts up to its end, but not at it.
    """
    moments = sorted(misses)
    pairs = zip(moments, moments[too_many - 1 :], strict=False)
    return any(later - earlier < window for earlier, later in pairs)
