"""Every way in which an invitation can end, and what it means for its holder's ledger: a table."""

from datetime import timedelta

import pytest

from marketplace.invitations.rules import ANSWERABLE, DeclineReason, InvitationState
from marketplace.matching.account import Account
from marketplace.matching.rules import (
    COST_OF_A_TURN,
    SETTLEMENTS,
    End,
    Refund,
    Remark,
    Settlement,
    refund,
    remark,
    settled_as,
)

SOON = timedelta(hours=4)
FAIR = timedelta(hours=8)
TICK = timedelta(microseconds=1)
AT_ONCE = timedelta(0)

OUT_OF_SCOPE = DeclineReason.OUT_OF_SCOPE


def back(state, lasted=AT_ONCE, *, before=0, **changes):
    """Return how much of the turn comes back, with two refunds a month and `before` of them had."""
    return refund(
        End(InvitationState(state), lasted, **changes),
        refunds_this_month=before,
        soon=SOON,
        at_most=2,
        fair_time=FAIR,
    )


TABLE = {
    "quoted": (Refund.NEVER, Remark.ANSWERED),
    "won": (Refund.NEVER, Remark.ANSWERED),
    "lost": (Refund.NEVER, Remark.ANSWERED_IF_RESPONDED),
    "declined": (Refund.IF_OUT_OF_SCOPE_AND_SOON, Remark.ANSWERED),
    "released": (Refund.NEVER, Remark.MISSED),
    "expired": (Refund.NEVER, Remark.MISSED),
    "withdrawn": (Refund.IF_TAKEN_BACK_EARLY, Remark.NOTHING),
}


def test_whatever_cannot_be_answered_any_more_has_a_row_and_nothing_else_has():
    assert set(SETTLEMENTS) == set(InvitationState) - set(ANSWERABLE)
    assert set(SETTLEMENTS) == set(TABLE)


@pytest.mark.parametrize("state", TABLE)
def test_what_every_end_means(state):
    assert SETTLEMENTS[InvitationState(state)] == Settlement(*TABLE[state])


@pytest.mark.parametrize(
    ("state", "released", "quoted", "counts"),
    [
        *((state, False, False, state) for state in TABLE),
        # A quote is an answer for good, whatever becomes of it.
        ("quoted", False, True, "quoted"),
        ("won", False, True, "quoted"),
        ("lost", False, True, "quoted"),
        ("declined", False, True, "quoted"),
        ("withdrawn", False, True, "quoted"),
        # What was released cost the business that time, whatever its holder does with it then.
        ("released", True, False, "released"),
        ("opened", True, False, "released"),
        ("declined", True, False, "released"),
        ("expired", True, False, "released"),
        ("withdrawn", True, False, "released"),
        ("quoted", True, True, "released"),
        ("won", True, True, "released"),
    ],
)
def test_the_first_thing_that_settles_an_invitation_settles_it(state, released, quoted, counts):
    found = settled_as(InvitationState(state), released=released, accepted=True, quoted=quoted)
    assert found is InvitationState(counts)


@pytest.mark.parametrize(("released", "counts"), [(False, "withdrawn"), (True, "released")])
def test_whoever_had_not_accepted_loses_nothing_by_a_choice(released, counts):
    found = settled_as(InvitationState.LOST, released=released, accepted=False, quoted=False)
    assert found is InvitationState(counts)


@pytest.mark.parametrize("state", ANSWERABLE)
def test_what_may_still_be_answered_is_not_settled(state):
    with pytest.raises(KeyError):
        back(state)
    with pytest.raises(KeyError):
        remark(state, responded=False)


@pytest.mark.parametrize(
    ("lasted", "before", "expected"),
    [
        (AT_ONCE, 0, 1),
        (SOON - TICK, 0, 1),
        (SOON, 0, 1),
        (SOON + TICK, 0, 0),
        (timedelta(days=3), 0, 0),
        (AT_ONCE, 1, 1),
        (SOON, 1, 1),
        (AT_ONCE, 2, 0),
        (AT_ONCE, 3, 0),
        (SOON + TICK, 2, 0),
    ],
)
def test_a_decline_as_out_of_scope_gives_the_turn_back_if_it_is_soon_and_not_the_third_of_a_month(
    lasted, before, expected
):
    assert back("declined", lasted, before=before, decline_reason=OUT_OF_SCOPE) == expected


@pytest.mark.parametrize(
    "reason", [None, *(each for each in DeclineReason if each is not OUT_OF_SCOPE)]
)
def test_a_decline_for_any_other_reason_costs_its_turn(reason):
    assert back("declined", decline_reason=reason) == 0


def test_whoever_took_part_has_had_its_turn():
    assert back("declined", decline_reason=OUT_OF_SCOPE, took_part=True) == 0


def test_a_decline_is_not_refunded_because_the_request_finished_afterwards():
    assert back("declined", decline_reason=DeclineReason.OTHER, request_finished=True) == 0


@pytest.mark.parametrize(
    ("lasted", "request_finished", "expected"),
    [
        (AT_ONCE, True, 1),
        (FAIR - TICK, True, 1),
        (FAIR, True, 0),  # it had had its fair time
        (FAIR + TICK, True, 0),
        # Taken back because of its holder: suspended, or without its accreditation.
        (AT_ONCE, False, 0),
        (FAIR - TICK, False, 0),
        (FAIR, False, 0),
    ],
)
def test_what_is_taken_back_early_costs_nothing_if_it_was_the_request_that_finished(
    lasted, request_finished, expected
):
    assert back("withdrawn", lasted, request_finished=request_finished) == expected


def test_what_is_taken_back_does_not_count_as_a_refund_of_the_month():
    assert back("withdrawn", request_finished=True, before=99) == 1


@pytest.mark.parametrize("state", ["quoted", "won", "lost", "released", "expired"])
@pytest.mark.parametrize("lasted", [AT_ONCE, SOON, FAIR, timedelta(days=3)])
@pytest.mark.parametrize("request_finished", [True, False])
def test_an_answer_and_silence_cost_their_turn_whenever_they_come(state, lasted, request_finished):
    end = {"decline_reason": OUT_OF_SCOPE, "request_finished": request_finished}
    assert back(state, lasted, **end) == 0


def test_the_numbers_are_data():
    early = End(InvitationState.DECLINED, timedelta(hours=5), OUT_OF_SCOPE)
    generous = {"soon": timedelta(hours=5), "at_most": 1, "fair_time": FAIR}
    assert refund(early, refunds_this_month=0, **generous) == 1
    assert refund(early, refunds_this_month=1, **generous) == 0
    nothing = {"soon": timedelta(hours=5), "at_most": 0, "fair_time": FAIR}
    assert refund(early, refunds_this_month=0, **nothing) == 0


def test_what_comes_back_is_what_a_turn_costs():
    assert back("declined", decline_reason=OUT_OF_SCOPE) == COST_OF_A_TURN


@pytest.mark.parametrize(
    ("state", "responded", "expected"),
    [
        ("quoted", True, Remark.ANSWERED),
        ("won", True, Remark.ANSWERED),
        ("lost", True, Remark.ANSWERED),
        # Accepted, and the request finished before it had quoted: neither a hit nor a miss.
        ("lost", False, Remark.NOTHING),
        # A no is an answer.
        ("declined", False, Remark.ANSWERED),
        ("declined", True, Remark.ANSWERED),
        ("released", False, Remark.MISSED),
        # A question does not stop the deadline; only a quote does.
        ("expired", False, Remark.MISSED),
        ("expired", True, Remark.MISSED),
        ("withdrawn", False, Remark.NOTHING),
        ("withdrawn", True, Remark.NOTHING),
    ],
)
def test_what_every_end_leaves_on_the_record(state, responded, expected):
    assert remark(InvitationState(state), responded=responded) is expected


@pytest.mark.parametrize("state", TABLE)
def test_a_miss_that_was_struck_leaves_nothing_and_every_other_end_what_it_leaves(state):
    end = InvitationState(state)
    plain = remark(end, responded=True)
    expected = Remark.NOTHING if plain is Remark.MISSED else plain
    assert remark(end, responded=True, struck=True) is expected


@pytest.mark.parametrize(
    ("account", "counts", "left", "expected"),
    [
        (Account(answered=2.0, missed=1.5), 1.0, Remark.NOTHING, (2.0, 0.5)),
        (Account(answered=2.0, missed=1.5), 0.5, Remark.ANSWERED, (2.5, 1.0)),
        # Never below nothing, should the policy have changed since.
        (Account(answered=2.0, missed=0.4), 0.5, Remark.NOTHING, (2.0, 0.0)),
    ],
)
def test_what_a_struck_miss_still_counts_is_taken_off(account, counts, left, expected):
    found = account.after_striking(counts=counts, remark=left)
    assert (found.answered, found.missed) == pytest.approx(expected)
    assert found.balance == account.balance
