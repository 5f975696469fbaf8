"""Every life cycle as one table, each move under the sentence it checks; nothing else is allowed.

The tables are written out here a second time on purpose: a move that is added to the product has to
be added here too, with the sentence that justifies it.
"""

import itertools

import pytest

from marketplace.core.errors import Conflict
from marketplace.invitations.rules import LIFECYCLE as INVITATION
from marketplace.invitations.rules import InvitationEvent, InvitationState
from marketplace.leads.cycle import REMINDER_LIFECYCLE, ReminderEvent, ReminderState
from marketplace.leads.rules import LIFECYCLE as LEAD
from marketplace.leads.rules import LeadEvent, LeadState
from marketplace.notifications.rules import (
    COMMITMENT_LIFECYCLE,
    NOTIFICATION_LIFECYCLE,
    CommitmentEvent,
    CommitmentState,
    NotificationEvent,
    NotificationState,
)
from marketplace.providers.rules import (
    ACCREDITATION_LIFECYCLE,
    PROVIDER_LIFECYCLE,
    AccreditationEvent,
    AccreditationState,
    ProviderEvent,
    ProviderState,
)
from marketplace.quotes.moderation import LIFECYCLE as REVIEW_LIFECYCLE
from marketplace.quotes.moderation import ReviewEvent, ReviewState

CYCLES = {
    "lead": (LEAD, LeadState, LeadEvent),
    "invitation": (INVITATION, InvitationState, InvitationEvent),
    "provider": (PROVIDER_LIFECYCLE, ProviderState, ProviderEvent),
    "accreditation": (ACCREDITATION_LIFECYCLE, AccreditationState, AccreditationEvent),
    "notification": (NOTIFICATION_LIFECYCLE, NotificationState, NotificationEvent),
    "commitment": (COMMITMENT_LIFECYCLE, CommitmentState, CommitmentEvent),
    "review": (REVIEW_LIFECYCLE, ReviewState, ReviewEvent),
    "reminder": (REMINDER_LIFECYCLE, ReminderState, ReminderEvent),
}

MOVES = {
    "lead": {
        "a confirmed form is opened at once, or looked at first": [
            ("awaiting_confirmation", "open", "open"),
            ("awaiting_confirmation", "review", "in_review"),
        ],
        "a business with a request running gets no second one": [
            ("awaiting_confirmation", "supersede", "superseded"),
        ],
        "a form that nobody confirms lapses": [("awaiting_confirmation", "lapse", "lapsed")],
        "a review lets in or turns away": [
            ("in_review", "open", "open"),
            ("in_review", "reject", "rejected"),
        ],
        "a business may finish its request at any time, in review too": [
            ("in_review", "close", "closed"),
            ("open", "close", "closed"),
        ],
        "an open request ends by a choice or by its time": [
            ("open", "award", "awarded"),
            ("open", "expire", "expired"),
        ],
    },
    "invitation": {
        "it is opened by a person's first look": [("sent", "open", "opened")],
        "it is accepted, looked at or not": [
            ("sent", "accept", "accepted"),
            ("opened", "accept", "accepted"),
        ],
        "a quote accepts as well": [
            ("sent", "quote", "quoted"),
            ("opened", "quote", "quoted"),
            ("accepted", "quote", "quoted"),
        ],
        "a quote may be revised": [("quoted", "quote", "quoted")],
        "a provider may decline, and take its yes or its quote back": [
            ("sent", "decline", "declined"),
            ("opened", "decline", "declined"),
            ("accepted", "decline", "declined"),
            ("quoted", "decline", "declined"),
        ],
        "only what nobody opened is released, and it may come back": [
            ("sent", "release", "released"),
            ("released", "return", "opened"),
        ],
        "without a quote by its deadline it expires": [
            ("opened", "expire", "expired"),
            ("accepted", "expire", "expired"),
        ],
        "it is withdrawn when its request finishes without a choice, or its holder may not stay": [
            ("sent", "withdraw", "withdrawn"),
            ("opened", "withdraw", "withdrawn"),
            ("accepted", "withdraw", "withdrawn"),
            ("quoted", "withdraw", "withdrawn"),
        ],
        "only a quote wins": [("quoted", "win", "won")],
        "what was not chosen is lost": [
            ("sent", "lose", "lost"),
            ("opened", "lose", "lost"),
            ("accepted", "lose", "lost"),
            ("quoted", "lose", "lost"),
        ],
    },
    "provider": {
        "an applicant is let in or turned away": [
            ("applied", "approve", "verified"),
            ("applied", "reject", "rejected"),
        ],
        "a suspension can be taken back": [
            ("verified", "suspend", "suspended"),
            ("suspended", "reinstate", "verified"),
        ],
    },
    "accreditation": {
        "a claim counts once it was looked up, and can be looked up again": [
            ("claimed", "verify", "verified"),
            ("verified", "verify", "verified"),
        ],
        "a look that finds something else takes the verification back": [
            ("verified", "doubt", "claimed"),
            ("claimed", "doubt", "claimed"),
        ],
        "a suspension can be taken back": [
            ("verified", "suspend", "suspended"),
            ("suspended", "reinstate", "verified"),
        ],
        "what was withdrawn or has expired stays so": [
            ("claimed", "withdraw", "withdrawn"),
            ("verified", "withdraw", "withdrawn"),
            ("suspended", "withdraw", "withdrawn"),
            ("claimed", "expire", "expired"),
            ("verified", "expire", "expired"),
            ("suspended", "expire", "expired"),
        ],
    },
    "notification": {
        "it is claimed, and a claim that lapsed is taken over": [
            ("queued", "claim", "sending"),
            ("sending", "claim", "sending"),
        ],
        "an attempt ends sent, put back or given up": [
            ("sending", "send", "sent"),
            ("sending", "put_back", "queued"),
            ("sending", "give_up", "failed"),
        ],
        "an address that refused us for good is not written to": [
            ("queued", "suppress", "suppressed"),
            ("sending", "suppress", "suppressed"),
        ],
        "what was given up or held back can be tried again": [
            ("failed", "retry", "queued"),
            ("suppressed", "retry", "queued"),
        ],
        "a report says what became of it": [
            ("sending", "deliver", "delivered"),
            ("sent", "deliver", "delivered"),
            ("sending", "bounce", "bounced"),
            ("sent", "bounce", "bounced"),
            ("delivered", "bounce", "bounced"),
            ("sending", "drop", "dropped"),
            ("sent", "drop", "dropped"),
        ],
        "an attempt whose answer was lost may have gone out after all": [
            (state, event, after)
            for state in ("queued", "failed", "suppressed")
            for event, after in (
                ("send", "sent"),
                ("deliver", "delivered"),
                ("bounce", "bounced"),
                ("drop", "dropped"),
            )
        ],
    },
    "commitment": {
        "it is at risk before it is missed": [("running", "warn", "at_risk")],
        "a first response meets it": [
            ("running", "respond", "met"),
            ("at_risk", "respond", "met"),
        ],
        "without one it is missed, whether or not anybody warned": [
            ("running", "miss", "missed"),
            ("at_risk", "miss", "missed"),
        ],
        "a request that finishes first counts in no rate": [
            ("running", "end", "ended"),
            ("at_risk", "end", "ended"),
        ],
    },
    "review": {
        "what raises doubts is let through or hidden": [
            ("queued", "show", "shown"),
            ("queued", "hide", "hidden"),
        ],
        "what shows may be hidden, or let stand though it was reported": [
            ("shown", "hide", "hidden"),
            ("shown", "show", "shown"),
        ],
        "what was hidden may be shown again": [("hidden", "show", "shown")],
        "a reply that is put otherwise is doubted anew": [
            ("shown", "queue", "queued"),
            ("queued", "queue", "queued"),
        ],
    },
    "reminder": {
        "it goes out while what it is about is still ahead": [("waiting", "send", "sent")],
        "it is left out once that has passed": [("waiting", "skip", "skipped")],
    },
}

FINAL = {
    "lead": {"superseded", "lapsed", "rejected", "awarded", "closed", "expired"},
    "invitation": {"declined", "expired", "withdrawn", "won", "lost"},
    "provider": {"rejected"},
    "accreditation": {"withdrawn", "expired"},
    "notification": {"bounced", "dropped"},
    "commitment": {"met", "missed", "ended"},
    "review": set(),
    "reminder": {"sent", "skipped"},
}

ROWS = [
    pytest.param(cycle, start, event, end, id=f"{cycle}: {sentence} ({start}, {event})")
    for cycle, sentences in MOVES.items()
    for sentence, moves in sentences.items()
    for start, event, end in moves
]


@pytest.mark.parametrize(("cycle", "start", "event", "end"), ROWS)
def test_the_move_leads_where_the_sentence_says(cycle, start, event, end):
    table, states, events = CYCLES[cycle]
    assert table.after(states(start), events(event)) is states(end)
    assert table.allows(states(start), events(event))


@pytest.mark.parametrize("cycle", CYCLES)
def test_every_move_that_no_sentence_allows_is_refused(cycle):
    table, states, events = CYCLES[cycle]
    allowed = {row[:2] for rows in MOVES[cycle].values() for row in rows}
    for state, event in itertools.product(states, events):
        if (state.value, event.value) in allowed:
            continue
        assert not table.allows(state, event)
        with pytest.raises(Conflict, match="is not possible now"):
            table.after(state, event)


@pytest.mark.parametrize("cycle", CYCLES)
def test_these_states_are_final_and_no_others(cycle):
    table, states, _ = CYCLES[cycle]
    assert {state.value for state in states if table.is_final(state)} == FINAL[cycle]


@pytest.mark.parametrize("cycle", CYCLES)
def test_every_state_and_every_event_has_its_use(cycle):
    table, states, events = CYCLES[cycle]
    assert {event for _, event in table.moves} == set(events)
    assert {start for start, _ in table.moves} | set(table.moves.values()) == set(states)
