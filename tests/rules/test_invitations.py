"""Until when an invitation can be answered, which places are free, who sees the contact."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.core.errors import Conflict
from marketplace.invitations.models import Invitation
from marketplace.invitations.rules import (
    ANSWERABLE,
    ANSWERS,
    LIFECYCLE,
    LIVE,
    UNANSWERED,
    Holding,
    InvitationEvent,
    InvitationState,
    MissKind,
    after,
    all_have_quoted,
    by_now,
    contact_is_visible,
    contact_until,
    due_event,
    event_when_the_request_finishes,
    free_places,
    is_missing_too_often,
    lapsed_at,
    miss_counts_until,
    nudge_time,
    open_by,
    reminder_times,
    reminders_after,
    respond_by,
)

DEADLINE = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
TICK = timedelta(microseconds=1)
HOUR = timedelta(hours=1)

ANSWERABLE_ROWS = [
    (state, event) for state in ANSWERABLE for event in ANSWERS if LIFECYCLE.allows(state, event)
]


@pytest.mark.parametrize(("state", "event"), ANSWERABLE_ROWS)
def test_every_answer_is_in_time_up_to_the_deadline_and_not_at_it(state, event):
    assert after(state, event, now=DEADLINE - TICK, open_by=DEADLINE, respond_by=DEADLINE)
    for late in (DEADLINE, DEADLINE + TICK):
        with pytest.raises(Conflict, match=r"time to answer|not opened in good time"):
            after(state, event, now=late, open_by=DEADLINE, respond_by=DEADLINE)


OPEN_BY = DEADLINE - 12 * HOUR


@pytest.mark.parametrize(
    ("state", "moment", "event"),
    [
        ("sent", OPEN_BY - TICK, None),
        ("sent", OPEN_BY, "release"),
        ("sent", DEADLINE, "release"),
        ("opened", OPEN_BY, None),
        ("opened", DEADLINE - TICK, None),
        ("opened", DEADLINE, "expire"),
        ("accepted", DEADLINE - TICK, None),
        ("accepted", DEADLINE, "expire"),
        ("quoted", DEADLINE + HOUR, None),
        ("released", DEADLINE + HOUR, None),
        ("declined", DEADLINE + HOUR, None),
    ],
)
def test_time_alone_releases_what_nobody_opened_and_expires_what_nobody_answered(
    state, moment, event
):
    times = {"now": moment, "open_by": OPEN_BY, "respond_by": DEADLINE}
    assert due_event(InvitationState(state), **times) == event
    for each in (InvitationEvent.RELEASE, InvitationEvent.EXPIRE):
        if each == event:
            assert after(InvitationState(state), each, **times) in ("released", "expired")
        else:
            with pytest.raises(Conflict):
                after(InvitationState(state), each, **times)


@pytest.mark.parametrize("event", ["open", "accept", "quote", "decline"])
def test_what_was_not_opened_in_time_cannot_be_answered_though_no_sweep_has_been_there(event):
    times = {"open_by": OPEN_BY, "respond_by": DEADLINE}
    assert after(InvitationState.SENT, InvitationEvent(event), now=OPEN_BY - TICK, **times)
    with pytest.raises(Conflict, match="not opened in good time"):
        after(InvitationState.SENT, InvitationEvent(event), now=OPEN_BY, **times)


def test_reminders_come_at_shares_of_the_window_in_order_whatever_the_order_of_the_shares():
    sent_at = DEADLINE - 10 * HOUR
    times = reminder_times(sent_at, DEADLINE, shares=(0.85, 0.5))
    assert times == [sent_at + 5 * HOUR, sent_at + 8.5 * HOUR]
    assert reminders_after(times, now=sent_at + 5 * HOUR) == times[1:]
    assert reminders_after(times, now=DEADLINE) == []
    assert reminder_times(sent_at, DEADLINE, shares=()) == []


def test_whoever_has_not_opened_it_hears_of_it_once_before_it_is_passed_on():
    sent_at = OPEN_BY - 10 * HOUR
    assert nudge_time(sent_at, OPEN_BY, shares=(0.85, 0.5)) == sent_at + 8.5 * HOUR
    assert nudge_time(sent_at, OPEN_BY, shares=()) is None


@pytest.mark.parametrize(
    "event", [InvitationEvent.QUOTE, InvitationEvent.DECLINE, InvitationEvent.WIN]
)
def test_once_quoted_no_deadline_runs(event):
    assert after(
        InvitationState.QUOTED, event, now=DEADLINE + HOUR, open_by=DEADLINE, respond_by=DEADLINE
    )


def test_a_quoted_invitation_never_expires():
    with pytest.raises(Conflict):
        after(
            InvitationState.QUOTED,
            InvitationEvent.EXPIRE,
            now=DEADLINE + HOUR,
            open_by=DEADLINE,
            respond_by=DEADLINE,
        )


@pytest.mark.parametrize(
    ("event", "state"),
    [
        (InvitationEvent.WITHDRAW, InvitationState.SENT),
        (InvitationEvent.LOSE, InvitationState.ACCEPTED),
    ],
)
def test_what_others_do_to_it_does_not_wait_for_the_deadline(event, state):
    for now in (DEADLINE - TICK, DEADLINE, DEADLINE + TICK):
        assert after(state, event, now=now, open_by=DEADLINE, respond_by=DEADLINE)


@pytest.mark.parametrize(
    ("due_in", "at_least", "expected"),
    [
        (24 * HOUR, 8 * HOUR, 24 * HOUR),
        (8 * HOUR, 8 * HOUR, 8 * HOUR),
        (8 * HOUR - TICK, 8 * HOUR, 8 * HOUR),
        (-48 * HOUR, 8 * HOUR, 8 * HOUR),
    ],
)
def test_whoever_is_invited_late_gets_a_fair_time_all_the_same(due_in, at_least, expected):
    now = DEADLINE
    assert respond_by(now=now, due_at=now + due_in, at_least=at_least) == now + expected


@pytest.mark.parametrize(
    ("within", "expected"), [(12 * HOUR, 8 * HOUR), (8 * HOUR, 8 * HOUR), (4 * HOUR, 4 * HOUR)]
)
def test_the_time_to_open_never_outlasts_the_time_to_answer(within, expected):
    assert open_by(now=DEADLINE, within=within, respond_by=DEADLINE + 8 * HOUR) == (
        DEADLINE + expected
    )


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        (["quoted", "quoted", "quoted"], True),
        (["quoted", "quoted", "declined", "released"], True),
        (["quoted", "quoted", "accepted"], False),
        (["quoted", "quoted", "sent"], False),
        (["quoted", "withdrawn"], False),
        (["quoted"], False),
        ([], False),
    ],
)
def test_all_have_quoted_once_each_of_several_that_hold_a_place_has(states, expected):
    assert all_have_quoted([InvitationState(state) for state in states]) is expected


def held(place, state, *, saw=False, passed_on=False):
    return Holding(place, InvitationState(state), saw, passed_on)


@pytest.mark.parametrize(
    ("holdings", "places", "free"),
    [
        ([], 3, [1, 2, 3]),
        ([], 1, [1]),
        ([held(1, "sent"), held(2, "opened"), held(3, "quoted", saw=True)], 3, []),
        ([held(2, "sent")], 3, [1, 3]),
        ([held(1, "declined")], 3, [1, 2, 3]),
        ([held(1, "released"), held(2, "expired"), held(3, "withdrawn")], 3, [1, 2, 3]),
        # Whoever saw the contact keeps its place taken until the business gives it on.
        ([held(1, "declined", saw=True)], 3, [2, 3]),
        ([held(1, "expired", saw=True), held(2, "expired", saw=True)], 3, [3]),
        ([held(1, "expired", saw=True, passed_on=True)], 3, [1, 2, 3]),
        # A place that was passed on and is held by another is taken by the other.
        ([held(1, "expired", saw=True, passed_on=True), held(1, "sent")], 3, [2, 3]),
        ([held(1, "declined", saw=True, passed_on=True), held(1, "declined", saw=True)], 3, [2, 3]),
        ([held(1, "declined"), held(1, "declined"), held(1, "accepted", saw=True)], 3, [2, 3]),
    ],
)
def test_a_place_is_free_unless_it_is_held_or_its_holder_saw_the_contact(holdings, places, free):
    assert free_places(holdings, places=places) == free
    assert free_places(reversed(holdings), places=places) == free


holdings = st.lists(
    st.builds(
        Holding,
        st.integers(1, 3),
        st.sampled_from(InvitationState),
        st.booleans(),
        st.booleans(),
    ),
    max_size=9,
)


@given(holdings, st.integers(1, 3))
def test_filling_every_free_place_never_makes_more_than_there_are(some, places):
    taken = {each.place for each in some if each.state in LIVE and each.place <= places}
    free = free_places(some, places=places)
    assert not taken & set(free)
    assert len(taken) + len(free) <= places


ENDED = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
KEPT = timedelta(days=30)
INSTANT = timedelta(microseconds=1)


def sees_contact(state, *, accepted=True, is_erased=False, now=ENDED, ended_at=ENDED):
    state = InvitationState(state)
    until = contact_until(state, accepted=accepted, ended_at=ended_at, kept_for=KEPT)
    return contact_is_visible(state, accepted=accepted, is_erased=is_erased, until=until, now=now)


@pytest.mark.parametrize(
    ("state", "accepted", "after", "sees"),
    [
        ("sent", False, None, False),
        ("opened", False, None, False),
        ("accepted", True, None, True),
        ("quoted", True, None, True),
        ("won", True, timedelta(days=3650), True),
        # It took its acceptance back, ran out of time, or may not take part any more: at once.
        ("declined", True, timedelta(0), False),
        ("expired", True, timedelta(0), False),
        ("withdrawn", True, timedelta(0), False),
        # Another was chosen, or nobody: for thirty days, and not at their end.
        ("lost", True, timedelta(0), True),
        ("lost", True, KEPT - INSTANT, True),
        ("lost", True, KEPT, False),
        ("lost", True, KEPT + INSTANT, False),
        ("lost", True, timedelta(days=3650), False),
        ("lost", False, timedelta(0), False),
        ("released", False, timedelta(0), False),
        ("withdrawn", False, timedelta(0), False),
        ("declined", False, timedelta(0), False),
    ],
)
def test_the_contact_is_seen_from_the_acceptance_on_while_it_is_needed(
    state, accepted, after, sees
):
    ended_at = None if after is None else ENDED
    now = ENDED if after is None else ENDED + after
    assert sees_contact(state, accepted=accepted, ended_at=ended_at, now=now) is sees


@pytest.mark.parametrize("state", InvitationState)
def test_nobody_sees_the_contact_without_having_accepted_or_once_it_is_erased(state):
    assert not sees_contact(state, accepted=False)
    assert not sees_contact(state, is_erased=True)


@pytest.mark.parametrize("state", InvitationState)
def test_time_runs_for_whoever_accepted_and_was_not_chosen_and_for_nobody_else(state):
    def until(accepted):
        return contact_until(state, accepted=accepted, ended_at=ENDED, kept_for=KEPT)

    assert until(True) == (ENDED + KEPT if state is InvitationState.LOST else None)
    assert until(False) is None


@pytest.mark.parametrize("awarded", [True, False])
@pytest.mark.parametrize("state", InvitationState)
def test_when_a_request_finishes_every_live_invitation_ends_and_no_other_changes(state, awarded):
    event = event_when_the_request_finishes(state, awarded=awarded)
    assert (event is not None) is (state in LIVE)
    if event is not None:
        ended = after(state, event, now=DEADLINE + HOUR, open_by=DEADLINE, respond_by=DEADLINE)
        assert LIFECYCLE.is_final(ended)
        taken_back = state in UNANSWERED and not awarded
        assert ended is (InvitationState.WITHDRAWN if taken_back else InvitationState.LOST)


def an_invitation(state):
    return Invitation(
        state=InvitationState(state), open_by=DEADLINE, respond_by=DEADLINE, reminders=[]
    )


@pytest.mark.parametrize("state", InvitationState)
def test_something_can_be_said_while_it_is_live_and_in_time(state):
    invitation = an_invitation(state)
    if state not in LIVE:
        with pytest.raises(Conflict):
            invitation.require_answerable(DEADLINE - TICK)
        return
    invitation.require_answerable(DEADLINE - TICK)
    if state is InvitationState.QUOTED:
        invitation.require_answerable(DEADLINE + HOUR)
    else:
        with pytest.raises(Conflict):
            invitation.require_answerable(DEADLINE)


def test_a_quote_opens_and_accepts_and_a_second_one_moves_neither():
    invitation = an_invitation("sent")
    invitation.apply(InvitationEvent.QUOTE, now=DEADLINE - HOUR)
    invitation.apply(InvitationEvent.QUOTE, now=DEADLINE + HOUR)
    assert invitation.opened_at == invitation.accepted_at == DEADLINE - HOUR
    assert invitation.quoted_at == DEADLINE - HOUR
    assert invitation.ended_at is None


def test_a_refused_event_changes_nothing():
    invitation = an_invitation("sent")
    with pytest.raises(Conflict):
        invitation.apply(InvitationEvent.ACCEPT, now=DEADLINE)
    assert invitation.state is InvitationState.SENT
    assert invitation.accepted_at is None
    assert invitation.opened_at is None


DAY = timedelta(days=1)
WINDOW = 30 * DAY


@pytest.mark.parametrize(
    ("misses", "is_too_often"),
    [
        ([], False),
        ([0 * DAY, 1 * DAY], False),
        ([0 * DAY, 0 * DAY, 0 * DAY], True),
        ([0 * DAY, 15 * DAY, WINDOW - TICK], True),
        ([0 * DAY, 15 * DAY, WINDOW], False),
        ([0 * DAY, 15 * DAY, WINDOW + TICK], False),
        # Each counts for a window of its own, whenever the others were, ...
        ([0 * DAY, 29 * DAY, 31 * DAY, 58 * DAY], True),
        ([0 * DAY, 16 * DAY, 32 * DAY, 48 * DAY, 64 * DAY], False),
        # ... and in whatever order a late sweep finds them.
        ([WINDOW - TICK, 0 * DAY, 15 * DAY], True),
    ],
)
def test_three_misses_within_one_window_are_too_many(misses, is_too_often):
    moments = [DEADLINE + each for each in misses]
    assert is_missing_too_often(moments, too_many=3, window=WINDOW) is is_too_often


@pytest.mark.parametrize(
    ("struck", "came_back_at", "until"),
    [
        (False, None, DEADLINE + WINDOW),
        (True, None, None),
        (False, DEADLINE - TICK, DEADLINE + WINDOW),
        (False, DEADLINE, None),
        (False, DEADLINE + DAY, None),
        (True, DEADLINE - TICK, None),
    ],
)
def test_a_miss_counts_for_a_window_unless_it_was_struck_or_its_provider_has_come_back_since(
    struck, came_back_at, until
):
    found = miss_counts_until(DEADLINE, struck=struck, came_back_at=came_back_at, window=WINDOW)
    assert found == until


@pytest.mark.parametrize(
    ("kind", "open_within", "moment"),
    [
        (MissKind.RELEASED, -12 * HOUR, -12 * HOUR),
        (MissKind.RELEASED, HOUR, 0 * HOUR),
        (MissKind.EXPIRED, -12 * HOUR, 0 * HOUR),
    ],
)
def test_a_miss_is_dated_by_the_moment_that_was_let_pass(kind, open_within, moment):
    found = lapsed_at(kind, open_by=DEADLINE + open_within, respond_by=DEADLINE)
    assert found == DEADLINE + moment


@pytest.mark.parametrize(
    ("state", "ended_at", "request_ends_at", "now", "stands"),
    [
        ("accepted", None, None, DEADLINE - TICK, ("accepted", None)),
        ("accepted", None, None, DEADLINE, ("expired", DEADLINE)),
        ("accepted", None, DEADLINE + HOUR, DEADLINE, ("expired", DEADLINE)),
        ("accepted", None, DEADLINE, DEADLINE, ("lost", DEADLINE)),
        ("accepted", None, DEADLINE - HOUR, DEADLINE + HOUR, ("lost", DEADLINE - HOUR)),
        ("quoted", None, DEADLINE + HOUR, DEADLINE + HOUR - TICK, ("quoted", None)),
        ("quoted", None, DEADLINE + HOUR, DEADLINE + HOUR, ("lost", DEADLINE + HOUR)),
        ("lost", DEADLINE + 9 * HOUR, DEADLINE, DEADLINE + 9 * HOUR, ("lost", DEADLINE)),
        ("lost", DEADLINE, DEADLINE + HOUR, DEADLINE + 9 * HOUR, ("lost", DEADLINE)),
        ("won", DEADLINE, DEADLINE + HOUR, DEADLINE + 9 * HOUR, ("won", DEADLINE)),
        ("opened", None, DEADLINE, DEADLINE + HOUR, ("opened", None)),
    ],
)
def test_how_one_that_accepted_stands_by_now_depends_on_no_sweep(
    state, ended_at, request_ends_at, now, stands
):
    found = by_now(
        InvitationState(state),
        ended_at,
        respond_by=DEADLINE,
        request_ends_at=request_ends_at,
        now=now,
    )
    assert found == stands
