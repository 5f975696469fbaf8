"""The ten things that must always be true, each with a test that tries to break it.

Concurrently where that applies: real commits, real threads, the database's own locks. Each test
names its invariant by the number of the design.
"""

import re
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from marketplace.bootstrap import channel_of
from marketplace.core.db import new_id
from marketplace.core.errors import Conflict
from marketplace.core.events import Event
from marketplace.core.jobs import Job
from marketplace.invitations import endings
from marketplace.invitations import service as invitations
from marketplace.invitations.models import Invitation
from marketplace.invitations.rules import LIVE, DeclineReason, InvitationState
from marketplace.leads import service as leads
from marketplace.leads.models import Lead
from marketplace.leads.rules import UNFINISHED, LeadState
from marketplace.matching import service as matching
from marketplace.matching import waiting
from marketplace.matching.models import Credit
from marketplace.notifications import delivery
from marketplace.notifications.models import Notification
from marketplace.notifications.service import Recipient, notify
from marketplace.providers.models import Coverage
from marketplace.web.api.common import LeadIn
from marketplace.web.requests import load
from tests.factories import ADMIN, business_of, lead_form, person_of


@pytest.fixture
def tokens(ctx, installation):
    """Deliver what is queued, and return the tokens in the mails from one template."""

    def find(template):
        delivery.deliver_due_notifications(ctx, channel_of(installation.settings))
        mails = installation.app.test_client().get("/mailbox/messages").json["items"]
        texts = [mail["text"] for mail in mails if mail["template"] == template]
        return [re.search(r"/requests/\w+/(\w+_[\w-]+)", words).group(1) for words in texts]

    return find


def live_invitations(make, lead_id):
    return make.ask(
        lambda session: session.scalars(
            select(Invitation).where(Invitation.lead_id == lead_id, Invitation.state.in_(LIVE))
        ).all()
    )


def assert_no_invariant_is_broken(make):
    """Look at the whole database for anything that must never be."""
    live = select(Invitation).where(Invitation.state.in_(LIVE))
    rows = make.ask(lambda session: session.scalars(live).all())
    by_lead = {}
    for row in rows:
        by_lead.setdefault(row.lead_id, []).append(row.place)
    assert all(len(places) == len(set(places)) <= 3 for places in by_lead.values())
    open_counts = make.ask(
        lambda session: dict(
            session.execute(select(Coverage.provider_id, Coverage.open_count)).all()
        )
    )
    for provider_id, count in open_counts.items():
        assert count == sum(row.provider_id == provider_id for row in rows)
    assert (
        abs(make.ask(lambda session: session.scalar(select(func.sum(Credit.balance))) or 0)) < 1e-6
    )


# 1. A lead never has more than three live invitations, whatever runs at once.


def test_1_five_jobs_for_one_lead_at_once_fill_three_places(ctx, make, at_once):
    for _ in range(12):
        make.provider()
    lead = make.lead()
    at_once([lambda: matching.match_lead(ctx, lead.id)] * 5)
    held = live_invitations(make, lead.id)
    assert sorted(each.place for each in held) == [1, 2, 3]
    assert_no_invariant_is_broken(make)


def test_1_twenty_leads_matched_at_once_by_several_workers_each_get_three(ctx, make, at_once):
    for _ in range(8):
        make.provider(open_capacity=9)
    ids = [make.lead().id for _ in range(20)]
    at_once([lambda lead_id=lead_id: matching.match_lead(ctx, lead_id) for lead_id in ids])
    assert_no_invariant_is_broken(make)
    held = [len(live_invitations(make, lead_id)) for lead_id in ids]
    assert all(count <= 3 for count in held)
    # Eight providers taking nine each hold sixty of seventy-two places: nobody need go without.
    assert sum(held) == 60


def test_1_capacity_is_not_overdrawn_by_leads_matched_at_once(ctx, make, at_once):
    for _ in range(4):
        make.provider(open_capacity=2)
    ids = [make.lead().id for _ in range(10)]
    at_once([lambda lead_id=lead_id: matching.match_lead(ctx, lead_id) for lead_id in ids])
    assert_no_invariant_is_broken(make)
    taken = make.ask(lambda session: session.scalar(select(func.sum(Coverage.open_count))))
    assert taken == 8


def test_1_declines_and_matches_at_once_never_give_a_place_twice(ctx, make, at_once):
    for _ in range(12):
        make.provider()
    lead = make.matched_lead()
    held = live_invitations(make, lead.id)
    declines = [
        lambda each=each: invitations.decline_invitation(
            ctx, person_of(each.provider_id), each.id, reason=DeclineReason.NO_CAPACITY
        )
        for each in held
    ]
    at_once([*declines, *[lambda: matching.match_lead(ctx, lead.id)] * 4])
    matching.match_lead(ctx, lead.id)
    assert len(live_invitations(make, lead.id)) == 3
    assert_no_invariant_is_broken(make)


def test_1_invitations_by_hand_and_by_turn_at_once_give_three_places_and_keep_credit_whole(
    ctx, make, at_once
):
    twelve = [make.provider() for _ in range(12)]
    leads = [make.lead(number) for number in range(2)]

    def by_hand(lead, provider):
        return matching.invite_by_hand(ctx, ADMIN, lead.id, provider.id, why="they are good")

    calls = [lambda n=n, each=each: by_hand(leads[n % 2], each) for n, each in enumerate(twelve)]
    calls += [lambda lead=lead: matching.match_lead(ctx, lead.id) for lead in leads * 2]
    at_once(calls)
    assert [len(live_invitations(make, lead.id)) for lead in leads] == [3, 3]
    owed = make.ask(lambda session: session.scalar(select(func.sum(Credit.balance))))
    assert owed == pytest.approx(0, abs=1e-6)


def test_1_the_database_itself_refuses_a_fourth_place_and_a_place_held_twice(ctx, make):
    for _ in range(3):
        make.provider()
    extra = make.provider()
    lead = make.matched_lead()
    held = live_invitations(make, lead.id)
    outsider = next(
        provider_id
        for provider_id in make.ask(lambda s: s.scalars(select(Coverage.provider_id)).all())
        if provider_id not in {each.provider_id for each in held}
    )
    assert extra is not None
    for place in (1, 4, 0):
        with pytest.raises(IntegrityError), ctx.transaction() as tx:
            tx.session.add(copy_of(held[0], provider_id=outsider, place=place))


def copy_of(invitation, **changes):
    values = {**invitation.columns, "id": new_id(), **changes}
    return Invitation(**values)


def test_1_at_most_three_see_the_contact_unless_the_business_asks_for_a_fourth(ctx, make, clock):
    for _ in range(6):
        make.provider()
    lead = make.matched_lead()
    for each in live_invitations(make, lead.id):
        invitations.accept_invitation(ctx, person_of(each.provider_id), each.id)
    clock.advance(hours=24)
    assert endings.end_due_invitations(ctx) == 3
    matching.match_lead(ctx, lead.id)
    assert live_invitations(make, lead.id) == []

    seen = make.ask(lambda s: s.scalars(select(Invitation).order_by(Invitation.id)).all())
    endings.replace_invitation(ctx, business_of(lead), seen[0].id)
    matching.match_lead(ctx, lead.id)
    assert len(live_invitations(make, lead.id)) == 1


# 2. A provider has at most one invitation to a lead, ever.


def test_2_a_provider_that_declined_is_never_asked_again(ctx, make):
    provider = make.provider()
    lead = make.matched_lead()
    (held,) = live_invitations(make, lead.id)
    invitations.decline_invitation(ctx, person_of(provider.id), held.id, reason=DeclineReason.OTHER)
    matching.match_lead(ctx, lead.id)
    assert live_invitations(make, lead.id) == []
    with pytest.raises(Conflict, match="invited to this request before"):
        matching.invite_by_hand(ctx, ADMIN, lead.id, provider.id, why="second thoughts")
    with pytest.raises(IntegrityError), ctx.transaction() as tx:
        tx.session.add(copy_of(held, place=2))


def test_2_one_that_was_released_unopened_may_take_a_free_place_again(ctx, make):
    provider = make.provider()
    lead = make.matched_lead()
    (held,) = live_invitations(make, lead.id)
    with ctx.transaction() as tx:
        tx.session.get(Invitation, held.id).state = InvitationState.RELEASED
    looked = invitations.look_at_invitation(ctx, person_of(provider.id), held.id)
    assert looked.id == held.id
    assert looked.state is InvitationState.OPENED


# 3. A business has at most one unfinished request.


@pytest.mark.parametrize("review", ["off", "always"])
def test_3_ten_forms_of_one_business_at_once_leave_one_unfinished(ctx, make, at_once, review):
    policy = replace(ctx.policy, lead_confirmation="off", lead_review=review)
    unconfirmed = replace(ctx, policy=policy)
    form = lead_form(7)
    answers = at_once([lambda: leads.submit_lead(unconfirmed, load(LeadIn(), form))] * 10)
    assert {answer.status for answer in answers} == {"received"}
    states = make.ask(lambda session: session.scalars(select(Lead.state)).all())
    assert sum(state in UNFINISHED for state in states) == 1
    assert states.count(LeadState.SUPERSEDED) == 9


def test_3_ten_confirmations_of_one_business_at_once_open_one(ctx, make, at_once, tokens):
    for _ in range(10):
        leads.submit_lead(ctx, load(LeadIn(), lead_form(7)))
    confirmations = tokens("confirm_request")
    assert len(confirmations) == 10
    answers = at_once([lambda t=t: leads.confirm_lead(ctx, t) for t in confirmations])
    assert sorted(answer.status for answer in answers).count("open") == 1
    assert sum(answer.request_token is not None for answer in answers) == 1


def test_3_the_database_itself_refuses_a_second_unfinished_request(ctx, make):
    lead = make.lead(7)
    second = Lead(**{**lead.columns, "id": new_id(), "reference": "R-SECOND"})
    with pytest.raises(IntegrityError), ctx.transaction() as tx:
        tx.session.add(second)


# 4. Only a verified provider is invited; a certification body only while it is accredited.


@pytest.mark.parametrize(
    "changes",
    [
        {"state": "claimed"},
        {"state": "suspended"},
        {"state": "withdrawn"},
        {"edition": "2015"},
        {"sectors": ["28"]},
        {"body": "NATA"},
        {"body": "A2LA"},
        {"standard": "ISO 14001"},
        {"valid_until": timedelta(days=-1)},
        {"valid_from": timedelta(days=1)},
    ],
)
def test_4_a_body_without_the_accreditation_is_not_invited(ctx, make, clock, changes):
    body = make.provider("certification_body", accredited=False)
    today = clock.now.date()
    changes = {
        name: today + value if isinstance(value, timedelta) else value
        for name, value in changes.items()
    }
    make.accreditation(body, **changes)
    lead = make.matched_lead(service="certification")
    assert live_invitations(make, lead.id) == []
    with pytest.raises(Conflict, match="accreditation"):
        matching.invite_by_hand(ctx, ADMIN, lead.id, body.id, why="we know them")


@pytest.mark.parametrize("state", ["applied", "rejected", "suspended"])
def test_4_a_provider_that_is_not_verified_is_not_invited(ctx, make, state):
    provider = make.provider(state=state)
    lead = make.matched_lead()
    assert live_invitations(make, lead.id) == []
    with pytest.raises(Conflict, match="only verified"):
        matching.invite_by_hand(ctx, ADMIN, lead.id, provider.id, why="we know them")


def test_4_every_standard_of_the_lead_needs_an_accreditation(ctx, make):
    body = make.provider("certification_body", accredited=False)
    make.accreditation(body, standard="ISO 9001")
    lead = make.matched_lead(service="certification", standards=["ISO 9001", "ISO 14001"])
    assert live_invitations(make, lead.id) == []
    make.accreditation(body, standard="ISO 14001")
    matching.match_lead(ctx, lead.id)
    assert len(live_invitations(make, lead.id)) == 1


def test_4_an_unknown_scope_is_eligible_and_ranked_below_a_known_one(ctx, make):
    unknown = make.provider("certification_body")
    known = [make.provider("certification_body", accredited=False) for _ in range(3)]
    for body in known:
        make.accreditation(body, edition="2026", sectors=["17"])
    lead = make.matched_lead(service="certification")
    invited = {each.provider_id for each in live_invitations(make, lead.id)}
    assert invited == {body.id for body in known}
    assert unknown.id not in invited


def test_4_a_lead_means_the_current_edition_unless_it_says_otherwise(ctx, make):
    old = make.provider("certification_body", accredited=False)
    make.accreditation(old, edition="2015")
    assert live_invitations(make, make.matched_lead(service="certification").id) == []
    lead = make.matched_lead(service="certification", editions={"ISO 9001": "2015"})
    assert [each.provider_id for each in live_invitations(make, lead.id)] == [old.id]


# 5. Impartiality holds.


def test_5_a_body_is_never_invited_beside_a_related_consultant(ctx, make):
    consultant = make.provider()
    body = make.provider("certification_body")
    make.relationship(consultant, body)
    lead = make.matched_lead(service="either")
    assert len(live_invitations(make, lead.id)) == 1
    (held,) = live_invitations(make, lead.id)
    other = body if held.provider_id == consultant.id else consultant
    with pytest.raises(Conflict, match="related"):
        matching.invite_by_hand(ctx, ADMIN, lead.id, other.id, why="they are good")


@pytest.mark.parametrize(
    ("ended_on", "is_invited"),
    [(None, False), ("2025-01-01", False), ("2024-11-24", False), ("2024-11-23", True)],
)
def test_5_a_body_waits_two_years_after_a_related_consultant_advised(
    ctx, make, ended_on, is_invited
):
    consultant = make.provider(name="Harbour Quality Pty Ltd")
    body = make.provider("certification_body")
    make.relationship(body, consultant)
    used = [{"name": "HARBOUR  QUALITY Pty. Limited", "ended_on": ended_on}]
    lead = make.matched_lead(service="certification", consultants_used=used)
    assert bool(live_invitations(make, lead.id)) is is_invited


def test_5_a_body_that_advised_the_business_itself_is_not_invited(ctx, make):
    make.provider("certification_body", name="Southern Certification Ltd")
    used = [{"name": "Southern Certification Limited", "ended_on": None}]
    lead = make.matched_lead(service="certification", consultants_used=used)
    assert live_invitations(make, lead.id) == []


def test_5_one_legal_entity_is_a_consultant_or_a_body_and_not_both(ctx, make):
    make.provider(legal_entity="AU:676061760")
    with pytest.raises(IntegrityError):
        make.provider("certification_body", legal_entity="AU:676061760")


# 6. Before a provider accepts, it sees nothing that identifies the business: tests/api.
# 7. A deadline is true at its instant whether or not any worker runs.


def test_7_at_its_deadline_every_answer_is_refused_and_a_moment_before_it_is_not(ctx, make, clock):
    for _ in range(3):
        make.provider()
    lead = make.matched_lead()
    first, second, third = live_invitations(make, lead.id)
    for each in (first, second, third):
        invitations.look_at_invitation(ctx, person_of(each.provider_id), each.id)
    clock.now = first.respond_by - timedelta(microseconds=1)
    invitations.accept_invitation(ctx, person_of(first.provider_id), first.id)
    clock.now = first.respond_by
    with pytest.raises(Conflict, match="time to answer"):
        invitations.accept_invitation(ctx, person_of(second.provider_id), second.id)
    with pytest.raises(Conflict, match="time to answer"):
        invitations.decline_invitation(
            ctx, person_of(third.provider_id), third.id, reason=DeclineReason.OTHER
        )


def test_7_a_sweep_may_run_late_twice_and_on_two_machines(ctx, make, clock, at_once):
    for _ in range(3):
        make.provider()
    lead = make.matched_lead()
    clock.advance(days=3)
    done = at_once([lambda: endings.end_due_invitations(ctx)] * 2)
    assert endings.end_due_invitations(ctx) == 0
    released = make.ask(
        lambda s: s.scalar(
            select(func.count()).select_from(Event).where(Event.verb == "invitation.released")
        )
    )
    assert released == 3
    assert sum(done) >= 3
    assert live_invitations(make, lead.id) == []


# 8. Nothing acknowledged is lost: with Redis gone, a job not rung is found by the sweep.


class NoQueue:
    def put(self, job, subject_ids, *, request_id):
        raise ConnectionError("Redis is away")


def test_8_with_redis_away_a_lead_is_taken_and_the_sweep_finds_it(ctx, make, queue):
    make.provider()
    policy = replace(ctx.policy, lead_confirmation="off")
    away = replace(ctx, queue=NoQueue(), policy=policy)
    receipt = leads.submit_lead(away, load(LeadIn(), lead_form(3)))
    lead = make.lead_called(receipt.reference)
    assert lead.state is LeadState.OPEN
    assert waiting.retry_waiting_leads(ctx) == 1
    assert (Job.MATCH_LEADS, lead.id) in queue.jobs
    matching.match_lead(ctx, lead.id)
    assert len(live_invitations(make, lead.id)) == 1


# 9. Every message is decided in the transaction that causes it; never for something rolled back.


def test_9_what_is_rolled_back_says_nothing(ctx, make, queue):
    lead = make.lead()
    queue.jobs.clear()
    before = make.ask(lambda s: s.scalar(select(func.count()).select_from(Notification)))

    class Thrown(Exception):
        pass

    def say_and_fail():
        with ctx.transaction() as tx:
            notify(tx, "request_closed", Recipient("a@b.example", "A"), lead.id, reference="R-1")
            raise Thrown

    with pytest.raises(Thrown):
        say_and_fail()
    assert make.ask(lambda s: s.scalar(select(func.count()).select_from(Notification))) == before
    assert queue.jobs == []


def test_9_a_message_exists_once_however_often_and_however_concurrently_it_is_decided(
    ctx, make, at_once
):
    lead = make.lead()

    def decide():
        with ctx.transaction() as tx:
            notify(tx, "request_closed", Recipient("a@b.example", "A"), lead.id, reference="R-1")

    at_once([decide] * 8)
    of_this = select(func.count()).where(Notification.template == "request_closed")
    assert make.ask(lambda s: s.scalar(of_this)) == 1


# 10. Every change of state leaves an event, and events are append-only.


def test_10_every_state_that_a_lead_and_its_invitations_went_through_left_an_event(ctx, make):
    for _ in range(3):
        make.provider()
    lead = make.matched_lead()
    one, two, _ = live_invitations(make, lead.id)
    invitations.look_at_invitation(ctx, person_of(one.provider_id), one.id)
    invitations.accept_invitation(ctx, person_of(one.provider_id), one.id)
    invitations.decline_invitation(
        ctx, person_of(two.provider_id), two.id, reason=DeclineReason.OTHER
    )
    rows = make.ask(lambda s: s.execute(select(Event.subject_id, Event.verb)).all())
    verbs = {(subject_id, verb) for subject_id, verb in rows}
    for subject, verb in [
        (lead.id, "lead.submitted"),
        (lead.id, "lead.opened"),
        (one.id, "invitation.sent"),
        (one.id, "invitation.opened"),
        (one.id, "invitation.accepted"),
        (two.id, "invitation.declined"),
    ]:
        assert (subject, verb) in verbs


@pytest.mark.parametrize(
    "statement",
    ["UPDATE events SET verb = 'x'", "DELETE FROM events", "TRUNCATE events"],
)
def test_10_the_database_refuses_to_change_or_delete_an_event(ctx, make, statement):
    make.lead()
    with pytest.raises(DBAPIError) as refused, ctx.transaction() as tx:
        tx.session.execute(text(statement))
    # By permission; whom that does not hold, such as the owner, by a trigger (`test_log_roles.py`).
    assert isinstance(refused.value.orig, psycopg.errors.InsufficientPrivilege)
