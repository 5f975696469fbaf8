"""A day rehearsed in a minute: thirty leads, real processes, providers of every manner.

Each row of the table is a market of its own, a region, into which three leads come. What must have
become of each at the end stands beside it, whatever the order in which providers were invited.
"""

import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from marketplace.invitations.models import Invitation
from marketplace.invitations.rules import ANSWERABLE, InvitationState
from marketplace.leads.models import Lead
from marketplace.matching.checking import check_coverage
from marketplace.matching.models import Credit
from marketplace.notifications.models import Commitment, Notification
from marketplace.notifications.rules import CommitmentState, NotificationState
from marketplace.quotes import outcome
from tests.factories import ADMIN, business_of
from tests.fleet import SWEEP, Manner, running, wait_until

WINDOW = timedelta(seconds=60)
LEADS_EACH = 3
M = Manner

ENDS = {
    M.QUOTES: InvitationState.QUOTED,
    M.DECLINES: InvitationState.DECLINED,
    M.ASKS: InvitationState.EXPIRED,
    M.IS_SILENT: InvitationState.EXPIRED,
    M.NEVER_LOOKS: InvitationState.RELEASED,
    M.IS_LATE: InvitationState.EXPIRED,
}
"""How an invitation ends by the manner of its holder, where the request does not finish before."""


@dataclass(frozen=True)
class Row:
    """A market, and what must become of every lead in it."""

    region: str
    manners: tuple[Manner, ...]
    commitment: CommitmentState
    at_risk: bool
    closes: bool = False
    """The business closes its request after a third of the time."""


TABLE = [
    Row("AU-NSW", (M.QUOTES,) * 3, CommitmentState.MET, False),
    Row("AU-VIC", (M.DECLINES,) * 3, CommitmentState.MISSED, True),
    Row("AU-QLD", (M.IS_SILENT,) * 3, CommitmentState.MISSED, True),
    Row("AU-SA", (M.NEVER_LOOKS,) * 3, CommitmentState.MISSED, True),
    Row("AU-WA", (M.ASKS, M.IS_SILENT, M.NEVER_LOOKS), CommitmentState.MET, False),
    Row("AU-TAS", (M.DECLINES, M.DECLINES, M.DECLINES, M.QUOTES), CommitmentState.MET, False),
    # Whoever is passed on to after half the time quotes in the fresh window that it gets.
    Row("AU-NT", (M.NEVER_LOOKS,) * 3 + (M.QUOTES,), CommitmentState.MET, False),
    Row("AU-ACT", (M.IS_LATE, M.IS_SILENT, M.DECLINES), CommitmentState.MISSED, True),
    Row("NZ", (), CommitmentState.MISSED, True),
    Row("GB", (M.IS_SILENT,) * 3, CommitmentState.ENDED, False, closes=True),
]


@pytest.fixture(scope="module")
def rehearsed(tmp_path_factory):
    """Let the minute pass, and some more for the fresh windows of those invited late."""
    with running(tmp_path_factory.mktemp("rehearsal"), window=WINDOW) as fleet:
        for row in TABLE:
            for manner in row.manners:
                fleet.provider(manner, regions=(row.region,))
        fleet.start_web()
        fleet.start_worker()
        fleet.start_scheduler()
        wait_until(fleet.is_up, "the web answers")
        rows = {}
        for number in range(len(TABLE) * LEADS_EACH):
            row = TABLE[number % len(TABLE)]
            reference = fleet.submit(number + 1, regions=[row.region])
            assert reference is not None
            rows[reference] = row
        last = time.monotonic() + WINDOW.total_seconds() * 1.35 + 6 * SWEEP
        closed = set()
        while time.monotonic() < last:
            fleet.let_providers_act()
            for lead in leads_of(fleet):
                due = fleet.ctx.clock() - lead.opened_at > WINDOW / 3
                if rows[lead.reference].closes and due and lead.id not in closed:
                    outcome.close_request(fleet.ctx, business_of(lead), reason="not_now")
                    closed.add(lead.id)
            time.sleep(0.2)
        yield fleet, rows


def leads_of(fleet):
    with fleet.ctx.reading() as session:
        return session.scalars(select(Lead)).all()


def by_lead(fleet, model):
    with fleet.ctx.reading() as session:
        found = defaultdict(list)
        for each in session.scalars(select(model)):
            found[each.lead_id].append(each)
        return found


def test_every_commitment_is_in_the_state_that_the_table_says(rehearsed):
    fleet, rows = rehearsed
    promises = by_lead(fleet, Commitment)
    found = {
        (rows[lead.reference].region, lead.reference): promises[lead.id][0].state
        for lead in leads_of(fleet)
    }
    assert len(found) == len(TABLE) * LEADS_EACH
    assert found == {(row.region, reference): row.commitment for reference, row in rows.items()}


def test_every_invitation_ended_as_its_holder_treated_it_and_nobody_answered_late(rehearsed):
    fleet, rows = rehearsed
    held = by_lead(fleet, Invitation)
    for lead in leads_of(fleet):
        row, ends = rows[lead.reference], Counter()
        for each in held[lead.id]:
            ends[each.state] += 1
            if row.closes:
                assert each.state in (InvitationState.WITHDRAWN, InvitationState.RELEASED)
            else:
                assert each.state is ENDS[fleet.manners[each.provider_id]], row
        if not row.closes and len(row.manners) == 3:
            assert ends == Counter(ENDS[manner] for manner in row.manners), row
        assert len(held[lead.id]) <= max(3, len(row.manners))
    assert {told.partition(":")[0] for told in fleet.refused} == {"quote"}


def test_nothing_happened_before_its_time_or_long_after(rehearsed):
    """How long after, to the tenth of a second, is for the campaign of faults to print."""
    fleet, _ = rehearsed
    slack = timedelta(seconds=8 * SWEEP)
    for held in by_lead(fleet, Invitation).values():
        for each in held:
            assert each.state not in ANSWERABLE
            if each.state is InvitationState.RELEASED:
                assert each.open_by <= each.ended_at <= each.open_by + slack
            if each.state is InvitationState.EXPIRED:
                assert each.respond_by <= each.ended_at <= each.respond_by + slack
    for (promise,) in by_lead(fleet, Commitment).values():
        if promise.state is CommitmentState.MISSED:
            assert promise.due_at <= promise.settled_at <= promise.due_at + slack


def test_everybody_was_told_once_and_every_message_went_out_once(rehearsed):
    fleet, rows = rehearsed
    wait_until(lambda: not unsent(fleet), "all messages are handed on")
    with fleet.ctx.reading() as session:
        messages = session.scalars(select(Notification)).all()
        invitations = session.scalars(select(Invitation)).all()
        leads = session.scalars(select(Lead)).all()
    told = Counter((each.template, each.subject_id) for each in messages)
    for each in invitations:
        assert told["invitation", each.id] == 1
        for state in (InvitationState.RELEASED, InvitationState.EXPIRED):
            assert told[f"invitation_{state}", each.id] == (each.state is state)
        reminders = told["invitation_reminder", each.id]
        if each.state is InvitationState.EXPIRED:
            assert reminders == 2
        elif each.state is InvitationState.RELEASED:
            assert reminders == 1
        elif each.state is InvitationState.DECLINED:
            assert reminders == 0
    for lead in leads:
        row = rows[lead.reference]
        missed = row.commitment is CommitmentState.MISSED
        assert told["commitment_missed", lead.id] == missed
    copies = fleet.mail.copies()
    assert set(copies) == {str(each.id) for each in messages}
    assert set(copies.values()) == {1}


def unsent(fleet):
    with fleet.ctx.reading() as session:
        waiting = (NotificationState.QUEUED, NotificationState.SENDING)
        return session.scalars(select(Notification.id).where(Notification.state.in_(waiting))).all()


def test_what_matching_reads_is_true_and_no_credit_was_made_or_lost(rehearsed):
    fleet, _ = rehearsed
    assert check_coverage(fleet.ctx, ADMIN).remaining == 0
    with fleet.ctx.reading() as session:
        assert session.scalar(select(func.sum(Credit.balance))) == pytest.approx(0, abs=1e-6)
