"""Forms that are confirmed, reviewed, superseded; clocks that settle in time or late; sweeps."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select, text

from marketplace.accounts import passwords
from marketplace.bootstrap import channel_of
from marketplace.core import links
from marketplace.core.db import new_id
from marketplace.core.errors import Conflict, Gone, NotAllowed, NotFound
from marketplace.core.events import Event
from marketplace.core.forms import Form
from marketplace.core.jobs import Job
from marketplace.core.links import Purpose
from marketplace.invitations import questions
from marketplace.invitations.service import look_at_invitation
from marketplace.leads import clock as clocks
from marketplace.leads import queries
from marketplace.leads import service as leads
from marketplace.leads.models import Lead
from marketplace.leads.rules import LeadState
from marketplace.leads.signals import Telltale
from marketplace.matching import service as matching
from marketplace.notifications import delivery
from marketplace.notifications.models import Commitment, MailboxMessage, Notification
from marketplace.quotes import erasure, outcome, reviews
from marketplace.web.api.common import LeadIn
from marketplace.web.api.request import FollowOnIn
from marketplace.web.requests import load
from tests.factories import ADMIN, business_of, lead_form, person_of
from tests.people import an_admin
from tests.services.road import a_quote, again, an_awarded_lead, held

TICK = timedelta(microseconds=1)


def with_policy(ctx, **changes):
    return replace(ctx, policy=replace(ctx.policy, **changes))


def submitted(ctx, make, number=1, telltale=None, **changes):
    receipt = leads.submit_lead(ctx, load(LeadIn(), lead_form(number, **changes)), telltale)
    return make.lead_called(receipt.reference)


def token_for(ctx, lead):
    """Return the token of a link to confirm this lead, as its mail carries it."""
    with ctx.transaction() as tx:
        return links.mint(tx, Purpose.CONFIRM_LEAD, lead.id, expires_at=lead.confirm_by)


def confirmed(ctx, make, number=1, telltale=None, **changes):
    lead = submitted(ctx, make, number, telltale, **changes)
    return lead, leads.confirm_lead(ctx, token_for(ctx, lead))


def told(make, address):
    rows = select(Notification.template).where(Notification.recipient == address)
    return make.ask(lambda session: sorted(session.scalars(rows)))


def commitment_of(make, lead):
    return make.ask(lambda session: session.get(Commitment, lead.id))


def events_of(make, lead, verb):
    rows = select(func.count()).where(Event.subject_id == lead.id, Event.verb == verb)
    return make.ask(lambda session: session.scalar(rows))


BOT = Telltale(seconds_to_fill=0.5, honeypot="http://spam.example")


@pytest.mark.parametrize(
    ("policy", "telltale", "state"),
    [
        ("auto", None, "open"),
        ("auto", BOT, "in_review"),
        ("always", None, "in_review"),
        ("always", BOT, "in_review"),
        ("off", None, "open"),
        ("off", BOT, "open"),
    ],
)
@pytest.mark.parametrize("confirmation", ["required", "off"])
def test_the_review_policy_decides_whether_a_person_looks_first(
    ctx, make, queue, confirmation, policy, telltale, state
):
    ctx = with_policy(ctx, lead_review=policy, lead_confirmation=confirmation)
    admin = an_admin(ctx)
    queue.jobs.clear()
    lead = submitted(ctx, make, telltale=telltale)
    if confirmation == "required":
        assert lead.state == "awaiting_confirmation"
        answer = leads.confirm_lead(ctx, token_for(ctx, lead))
        assert answer.status == state
        assert answer.request_token is not None
        assert (answer.commitment is not None) is (state == "open")
    lead = again(make, lead)
    assert lead.state == state
    assert ((Job.MATCH_LEADS, lead.id) in queue.jobs) is (state == "open")
    # The clock starts when it opens: a slow review eats nobody's time.
    assert (commitment_of(make, lead) is not None) is (state == "open")
    # Of what is hardly anything but spam nobody is mailed: it waits on the desk.
    is_told = state == "in_review" and telltale is not BOT
    assert told(make, admin.email) == (["review_needed"] if is_told else [])
    expected = "request_opened" if state == "open" else "request_in_review"
    assert (expected in told(make, lead.contact_email)) is (state == "open" or is_told)


def test_a_confirmation_counts_for_the_review_as_well(ctx, make):
    lead, _ = confirmed(ctx, make)
    assert again(make, lead).signals["email_confirmed"]
    assert again(make, lead).confirmed_at == ctx.clock()


def test_a_confirmation_lapses_at_its_instant_and_not_before(ctx, make, clock):
    one, other = submitted(ctx, make, 1), submitted(ctx, make, 2)
    tokens = [token_for(ctx, one), token_for(ctx, other)]
    clock.now = one.confirm_by
    with pytest.raises(Gone):
        leads.confirm_lead(ctx, tokens[0])
    assert again(make, one).state == "awaiting_confirmation"
    clock.now -= TICK
    assert clocks.lapse_unconfirmed_leads(ctx) == 0
    assert leads.confirm_lead(ctx, tokens[1]).status == "open"
    clock.now += TICK
    assert clocks.lapse_unconfirmed_leads(ctx) == 1
    assert clocks.lapse_unconfirmed_leads(ctx) == 0
    assert again(make, one).state == "lapsed"
    assert again(make, other).state == "open"


def test_a_link_that_outlives_the_time_to_confirm_confirms_nothing(ctx, make, clock):
    lead = submitted(ctx, make)
    with ctx.transaction() as tx:
        until = lead.confirm_by + timedelta(days=9)
        token = links.mint(tx, Purpose.CONFIRM_LEAD, lead.id, expires_at=until)
    clock.now = lead.confirm_by
    with pytest.raises(Gone):
        leads.confirm_lead(ctx, token)


def test_every_link_to_confirm_is_used_up_by_the_first(ctx, make):
    lead = submitted(ctx, make)
    one, other = token_for(ctx, lead), token_for(ctx, lead)
    leads.confirm_lead(ctx, one)
    for token in (one, other, token_for(ctx, lead)):
        with pytest.raises(Gone):
            leads.confirm_lead(ctx, token)
    assert events_of(make, lead, "lead.confirmed") == 1


def test_a_link_for_something_else_confirms_nothing(ctx, make):
    lead = submitted(ctx, make)
    with ctx.transaction() as tx:
        token = leads.mint_request_token(tx, lead)
    with pytest.raises(Gone):
        leads.confirm_lead(ctx, token)


def test_of_two_forms_of_one_business_the_first_confirmed_runs(ctx, make):
    one, other = submitted(ctx, make), submitted(ctx, make)
    assert leads.confirm_lead(ctx, token_for(ctx, other)).status == "open"
    answer = leads.confirm_lead(ctx, token_for(ctx, one))
    assert (answer.status, answer.request_token, answer.commitment) == ("superseded", None, None)
    assert "request_running" in told(make, one.contact_email)


def test_once_the_running_request_is_finished_another_may_run(ctx, make):
    lead, _ = confirmed(ctx, make)
    assert submitted(ctx, make).state == "superseded"
    outcome.close_request(ctx, business_of(lead), reason="not_now")
    _, answer = confirmed(ctx, make)
    assert answer.status == "open"


def test_two_people_with_throw_away_addresses_are_two_businesses(ctx, make):
    ctx = with_policy(ctx, lead_review="off")
    for name in ("jo", "al"):
        form = lead_form(1)
        form["contact"]["email"] = f"{name}@mailinator.com"
        receipt = leads.submit_lead(ctx, load(LeadIn(), form))
        lead = make.lead_called(receipt.reference)
        assert leads.confirm_lead(ctx, token_for(ctx, lead)).status == "open"


def test_only_what_is_in_review_is_approved_or_rejected(ctx, make):
    waiting = submitted(ctx, make, 1)
    for decide in (
        lambda lead: leads.approve_lead(ctx, ADMIN, lead.id),
        lambda lead: leads.reject_lead(ctx, ADMIN, lead.id, reason="Spam."),
    ):
        for lead in (waiting, make.lead()):
            with pytest.raises(Conflict):
                decide(lead)
        with pytest.raises(NotFound):
            leads.approve_lead(ctx, ADMIN, new_id())
    assert again(make, waiting).state == "awaiting_confirmation"


def test_an_approval_cannot_open_a_second_request_of_a_business(ctx, make):
    waiting = submitted(ctx, make)
    confirmed(ctx, make)
    with pytest.raises(Conflict):
        leads.approve_lead(ctx, ADMIN, waiting.id)


def test_an_approval_starts_the_clock_and_a_rejection_says_why(ctx, make, clock):
    ctx = with_policy(ctx, lead_review="always")
    one, _ = confirmed(ctx, make, 1)
    other, _ = confirmed(ctx, make, 2)
    clock.advance(days=4)
    assert leads.approve_lead(ctx, ADMIN, one.id).opened_at == clock.now
    assert commitment_of(make, one).due_at == clock.now + timedelta(hours=24)
    rejected = leads.reject_lead(ctx, ADMIN, other.id, reason="We could not reach you.")
    assert (rejected.state, rejected.finish_reason) == ("rejected", "We could not reach you.")
    assert "request_rejected" in told(make, other.contact_email)
    assert commitment_of(make, other) is None


def test_a_business_may_close_its_request_while_it_is_in_review(ctx, make):
    ctx = with_policy(ctx, lead_review="always")
    lead, _ = confirmed(ctx, make)
    assert outcome.close_request(ctx, business_of(lead), reason="mistake").state == "closed"
    with pytest.raises(Conflict):
        leads.approve_lead(ctx, ADMIN, lead.id)


def test_moderation_is_for_administrators(ctx, make):
    lead = make.lead()
    for actor in (business_of(lead), person_of(new_id())):
        with pytest.raises(NotAllowed):
            leads.approve_lead(ctx, actor, lead.id)
        with pytest.raises(NotAllowed):
            outcome.close_lead(ctx, actor, lead.id, reason="x")
        with pytest.raises(NotAllowed):
            matching.rematch_lead(ctx, actor, lead.id)


# The end of a request.


def test_a_request_expires_once_at_its_instant_and_everybody_is_told(ctx, make, clock):
    for _ in range(3):
        make.provider()
    lead = make.matched_lead()
    clock.now = make.lead_called(lead.reference).expires_at - TICK
    assert outcome.expire_due_leads(ctx) == 0
    clock.now += TICK
    assert outcome.expire_due_leads(ctx) == 1
    assert outcome.expire_due_leads(ctx) == 0
    assert again(make, lead).state == "expired"
    # They were never opened: what time had decided before stands, though no sweep had been there.
    assert {each.state for each in held(make, lead)} == {"released"}
    assert "request_expired" in told(make, lead.contact_email)


def test_a_choice_at_the_end_comes_too_late_though_no_worker_has_run(ctx, make, clock):
    make.provider()
    lead = make.matched_lead()
    (one,) = held(make, lead)
    a_quote(ctx, one, days=10)
    clock.now = make.lead_called(lead.reference).expires_at
    with pytest.raises(Conflict, match="has expired"):
        outcome.choose_provider(ctx, business_of(lead), one.id)
    matching.match_lead(ctx, lead.id)
    assert len(held(make, lead)) == 1
    clock.now -= TICK
    assert outcome.choose_provider(ctx, business_of(lead), one.id).state == "awarded"


def test_a_request_stays_open_to_the_end_of_the_last_day_of_the_longest_quote(ctx, make, clock):
    make.provider()
    make.provider()
    lead = make.matched_lead()
    one, two = held(make, lead)
    a_quote(ctx, one, days=40)
    a_quote(ctx, two, days=50)
    last = again(make, lead).expires_at
    assert last.date() == clock.now.date() + timedelta(days=51)
    assert (last.hour, last.minute) == (0, 0)
    a_quote(ctx, two, days=35)
    assert again(make, lead).expires_at.date() == clock.now.date() + timedelta(days=41)
    a_quote(ctx, one, days=5)
    a_quote(ctx, two, days=5)
    assert again(make, lead).expires_at == lead.opened_at + timedelta(days=30)


# The commitment, swept in time, late and not at all.


@pytest.fixture
def running(ctx, make):
    """Return a lead with three invitations, and its commitment."""
    for _ in range(3):
        make.provider()
    lead = make.matched_lead()
    return lead, commitment_of(make, lead)


def question(ctx, invitation):
    who = person_of(invitation.provider_id)
    return questions.ask_question(ctx, who, invitation.id, text="How many shifts?")


def test_it_is_at_risk_with_a_quarter_left_and_administrators_are_told_once(
    ctx, make, clock, running
):
    lead, promise = running
    admin = an_admin(ctx)
    assert promise.at_risk_at == promise.started_at + timedelta(hours=18)
    clock.now = promise.at_risk_at - TICK
    assert clocks.settle_due_commitments(ctx) == 0
    clock.now += TICK
    assert clocks.settle_due_commitments(ctx) == 1
    assert clocks.settle_due_commitments(ctx) == 0
    assert commitment_of(make, lead).state == "at_risk"
    assert told(make, admin.email) == ["commitment_at_risk"]
    assert "commitment_missed" not in told(make, lead.contact_email)


def test_it_is_missed_at_its_instant_and_the_business_is_told_once(ctx, make, clock, running):
    lead, promise = running
    clock.now = promise.due_at - TICK
    clocks.settle_due_commitments(ctx)
    assert commitment_of(make, lead).state == "at_risk"
    clock.now += TICK
    assert clocks.settle_due_commitments(ctx) == 1
    assert clocks.settle_due_commitments(ctx) == 0
    missed = commitment_of(make, lead)
    assert (missed.state, missed.settled_at) == ("missed", promise.due_at)
    assert told(make, lead.contact_email).count("commitment_missed") == 1


@pytest.mark.parametrize("respond", [a_quote, question])
def test_a_quote_or_a_question_in_time_meets_it_however_late_the_sweep_is(
    ctx, make, clock, running, respond
):
    lead, promise = running
    one, *_ = held(make, lead)
    look_at_invitation(ctx, person_of(one.provider_id), one.id)
    clock.now = promise.due_at - TICK
    respond(ctx, one)
    met = commitment_of(make, lead)
    assert (met.state, met.responses, met.first_response_at) == ("met", 1, clock.now)
    clock.advance(days=2)
    assert clocks.settle_due_commitments(ctx) == 0
    assert commitment_of(make, lead).state == "met"
    assert "commitment_missed" not in told(make, lead.contact_email)


def test_a_response_at_its_instant_is_late_though_no_sweep_has_run(ctx, make, clock):
    """The one that was invited late may still answer: its own time runs longer."""
    make.provider()
    lead = make.lead()
    clock.advance(hours=20)
    matching.match_lead(ctx, lead.id)
    (late,) = held(make, lead)
    promise = commitment_of(make, lead)
    assert late.respond_by == clock.now + ctx.policy.min_response_window
    clock.now = promise.due_at
    a_quote(ctx, late)
    missed = commitment_of(make, lead)
    assert (missed.state, missed.responses) == ("missed", 1)
    assert missed.first_response_at == promise.due_at
    assert clocks.settle_due_commitments(ctx) == 0


def test_a_provider_counts_once_and_a_decline_does_not(ctx, make, running):
    lead, _ = running
    one, two, _ = held(make, lead)
    question(ctx, one)
    a_quote(ctx, one)
    a_quote(ctx, one, "2.00")
    assert commitment_of(make, lead).responses == 1
    question(ctx, two)
    assert commitment_of(make, lead).responses == 2
    assert events_of(make, lead, "commitment.met") == 1


@pytest.mark.parametrize(
    ("after", "state"),
    [
        (timedelta(hours=1), "ended"),
        (timedelta(hours=20), "ended"),
        (timedelta(hours=24) - TICK, "ended"),
        (timedelta(hours=24), "missed"),
        (timedelta(days=3), "missed"),
    ],
)
def test_a_request_that_finishes_first_ends_it_and_one_that_finishes_late_has_missed_it(
    ctx, make, clock, running, after, state
):
    lead, promise = running
    clock.now = promise.started_at + after
    outcome.close_request(ctx, business_of(lead), reason="not_now")
    assert commitment_of(make, lead).state == state
    assert clocks.settle_due_commitments(ctx) == 0


def test_a_change_of_policy_moves_no_promise_that_was_made(ctx, make, clock, running):
    lead, promise = running
    shorter = with_policy(ctx, response_window=timedelta(hours=1))
    clock.advance(hours=2)
    assert clocks.settle_due_commitments(shorter) == 0
    assert commitment_of(make, lead).due_at == promise.due_at


# Sweeps stop for nobody.


def test_a_poisoned_row_stops_no_sweep(ctx, make, clock, monkeypatch):
    open_ones = [make.lead() for _ in range(3)]
    forms = [submitted(ctx, make, number) for number in (101, 102, 103)]
    bad = {open_ones[1].id, forms[1].id}
    lock, lock_each = queries.lock_lead, queries.lock_leads

    def poisoned(session, lead_id):
        if lead_id in bad:
            raise RuntimeError("poisoned")
        return lock(session, lead_id)

    def poisoned_each(session, lead_ids):
        if not bad.isdisjoint(lead_ids):
            raise RuntimeError("poisoned")
        return lock_each(session, lead_ids)

    monkeypatch.setattr(queries, "lock_lead", poisoned)
    monkeypatch.setattr(queries, "lock_leads", poisoned_each)
    clock.advance(days=3)
    assert clocks.lapse_unconfirmed_leads(ctx) == 2
    assert clocks.settle_due_commitments(ctx) == 2
    clock.advance(days=60)
    assert outcome.expire_due_leads(ctx) == 2
    states = [again(make, each).state for each in (*open_ones, *forms)]
    assert states == [
        "expired", "open", "expired", "lapsed", "awaiting_confirmation", "lapsed",
    ]  # fmt: skip
    monkeypatch.undo()
    assert clocks.lapse_unconfirmed_leads(ctx) == 1
    assert outcome.expire_due_leads(ctx) == 1


# What comes after.


def test_a_request_is_followed_on_once_at_a_time_and_knows_who_advised(ctx, make):
    lead = an_awarded_lead(ctx, make)
    form = load(FollowOnIn(), {"headcount": 50, "notes": None})
    first = outcome.follow_on(ctx, business_of(lead), form)
    assert first.status == "open"
    followed = make.lead_called(first.reference)
    assert (followed.headcount, followed.notes, followed.sector) == (50, None, lead.sector)
    assert followed.follows_lead_id == lead.id
    assert followed.consultants_used[-1]["ended_on"] is None
    second = outcome.follow_on(ctx, business_of(lead), load(FollowOnIn(), {}))
    assert second.status == "superseded"


@pytest.mark.parametrize(
    ("said", "kept"), [({}, "de"), ({"language": "fr"}, "fr"), ({"language": None}, None)]
)
def test_a_request_that_follows_on_is_in_the_language_of_the_first_unless_it_says(
    ctx, make, said, kept
):
    lead = an_awarded_lead(ctx, make, language="de")
    receipt = outcome.follow_on(ctx, business_of(lead), load(FollowOnIn(), said))
    assert make.lead_called(receipt.reference).language == kept


def test_only_an_awarded_request_is_followed_on(ctx, make):
    lead = make.lead()
    with pytest.raises(Conflict):
        outcome.follow_on(ctx, business_of(lead), Form({}))
    outcome.close_request(ctx, business_of(lead), reason="not_now")
    with pytest.raises(Conflict):
        outcome.follow_on(ctx, business_of(lead), Form({}))


def test_a_provider_is_reviewed_once_and_only_if_it_answered(ctx, make, running):
    lead, _ = running
    one, two, _ = held(make, lead)
    question(ctx, one)
    reviews.review_provider(ctx, business_of(lead), one.id, rating=4, comment=None)
    for each in (one, two):
        with pytest.raises(Conflict):
            reviews.review_provider(ctx, business_of(lead), each.id, rating=4, comment=None)


def test_what_was_erased_names_nobody_and_runs_no_more(ctx, make, running, installation):
    lead, _ = running
    one, *_ = held(make, lead)
    a_quote(ctx, one)
    asked = question(ctx, one)
    questions.answer_question(ctx, business_of(lead), asked.id, text="Ask Sam at the works.")
    name, address = lead.company_name, lead.contact_email
    erasure.erase_request(ctx, business_of(lead))
    assert again(make, lead).state is LeadState.CLOSED
    # The last word about it goes out, and only then is its address forgotten as well.
    delivery.deliver_due_notifications(ctx, channel_of(installation.settings))
    last = select(MailboxMessage.recipient).where(MailboxMessage.template == "data_erased")
    assert make.ask(lambda session: session.scalar(last)) == address
    for model in (Lead, Notification):
        rows = make.ask(lambda session, model=model: session.scalars(select(model)).all())
        for row in rows:
            text = str(row.columns)
            assert name not in text
            assert address not in text
    _, answer = confirmed(ctx, make, 1)
    assert answer.status == "open"


def ask_for_link(ctx, email):
    leads.ask_for_link(ctx, Form({"email": email}))


def links_mailed(make):
    """Return the requests to whose pages a link was mailed because somebody asked."""
    mails = make.ask(lambda s: s.query(Notification).filter_by(template="request_link").all())
    assert all(mail.link_purpose is Purpose.REQUEST for mail in mails)
    return [mail.link_subject_id for mail in mails]


@pytest.fixture
def slept(monkeypatch):
    """How long each answer was held back."""
    found = []
    monkeypatch.setattr(passwords.time, "sleep", found.append)
    return found


def test_the_link_to_what_runs_is_mailed_again_and_once_in_ten_minutes(ctx, make, clock, slept):
    lead = make.lead()
    throttling = with_policy(ctx, rate_limits=True)
    # The minutes are those of the clock, so begin where ten of them begin.
    clock.advance(seconds=600 - int(clock().timestamp()) % 600)
    for wait, mails in ((0, 1), (1, 1), (590, 1), (10, 2)):
        clock.advance(seconds=wait)
        ask_for_link(throttling, lead.contact_email)
        assert links_mailed(make) == [lead.id] * mails
    assert len(slept) == 4


def test_the_link_to_the_latest_that_is_finished_is_mailed_where_nothing_runs(
    ctx, make, clock, slept
):
    lead = make.lead()
    outcome.close_request(ctx, business_of(lead), reason="not_now")
    clock.advance(days=89)
    ask_for_link(ctx, lead.contact_email)
    assert links_mailed(make) == [lead.id]
    (mail,) = make.ask(lambda s: s.query(Notification).filter_by(template="request_link").all())
    assert mail.values["is_late"] is False
    clock.advance(days=1)
    ask_for_link(ctx, lead.contact_email)
    mails = make.ask(lambda s: s.query(Notification).filter_by(template="request_link").all())
    assert sorted(mail.values["is_late"] for mail in mails) == [False, True]


def test_the_requests_of_an_address_are_found_by_an_index(ctx, make):
    make.lead()
    with ctx.reading() as session:
        session.execute(text("SET LOCAL enable_seqscan = off"))
        plan = session.scalars(
            text(
                "EXPLAIN SELECT id FROM leads WHERE lower(contact_email) = 'jo@acme.example'"
                " AND erased_at IS NULL"
            )
        ).all()
    assert any("ix_leads_contact" in line for line in plan), plan


def test_nobody_else_is_mailed_a_link_and_the_answer_takes_no_less_time(ctx, make, slept):
    lead = make.lead()
    erasure.erase_request(ctx, business_of(lead))
    ask_for_link(ctx, lead.contact_email)
    ask_for_link(ctx, "nobody@harbour.example")
    assert links_mailed(make) == []
    assert len(slept) == 2
    assert all(0 < each <= passwords.LIKE_TIME for each in slept)
