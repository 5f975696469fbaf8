"""What came of a request: asked for in its time, told once and for all, and to whom it matters."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, text, update

from marketplace.core import sweeps
from marketplace.core.errors import Conflict, Invalid, NotFound
from marketplace.core.events import Event
from marketplace.core.jobs import Job
from marketplace.core.sweeps import TOGETHER
from marketplace.insights.funnel import funnel_report
from marketplace.invitations import service as invitations
from marketplace.leads.models import Lead
from marketplace.leads.rules import CloseReason, LeadState, Outcome, OutcomeReason
from marketplace.matching import service as matching
from marketplace.notifications import suppressions
from marketplace.notifications.models import Notification
from marketplace.quotes import asking, erasure, outcome
from marketplace.quotes.models import Quote
from tests.factories import ADMIN, business_of, person_of
from tests.services.road import a_quote, again, held

DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)


@pytest.fixture
def quoted(ctx, make):
    """A request with two quotes that stand for two months, and a third provider that is silent."""
    for _ in range(3):
        make.provider()
    lead = make.matched_lead()
    one, two, silent = held(make, lead)
    a_quote(ctx, one)
    a_quote(ctx, two, "1200.00")
    return lead, one, two, silent


def asked(make, lead):
    """Return the values of every mail that asked what came of a request, the first one first."""
    rows = select(Notification.values).where(
        Notification.subject_id == lead.id, Notification.template == "outcome_asked"
    )
    return make.ask(lambda session: session.scalars(rows.order_by(Notification.id)).all())


def events(make, lead, verb):
    rows = select(Event).where(Event.subject_id == lead.id, Event.verb == verb)
    return make.ask(lambda session: session.scalars(rows.order_by(Event.id)).all())


def tell(ctx, lead, outcome_, **more):
    return outcome.tell_outcome(ctx, business_of(lead), outcome=outcome_, **more)


def let_expire(ctx, clock, make, lead):
    clock.now = again(make, lead).expires_at
    assert outcome.expire_due_leads(ctx) > 0


# Asked.


def test_a_business_is_asked_three_times_from_its_first_quote_on_and_each_time_once(
    ctx, make, clock
):
    make.provider()
    lead = make.matched_lead()
    clock.advance(days=1 / 4)
    a_quote(ctx, held(make, lead)[0])
    quoted_at = clock.now
    for number, days in enumerate((7, 14, 28), start=1):
        clock.now = quoted_at + timedelta(days=days) - TICK
        assert asking.ask_for_outcomes(ctx) == 0
        clock.now += TICK
        assert asking.ask_for_outcomes(ctx) == 1
        assert asking.ask_for_outcomes(ctx) == 0
        assert len(asked(make, lead)) == number
    assert [each["is_last"] for each in asked(make, lead)] == [False, False, True]
    assert all(each["has_quotes"] and each["is_open"] for each in asked(make, lead))
    clock.advance(days=100)
    assert asking.ask_for_outcomes(ctx) == 0
    assert len(events(make, lead, "lead.outcome_asked")) == 3


def test_a_later_quote_or_a_revision_moves_nothing(ctx, make, clock, quoted):
    lead, one, _, silent = quoted
    due = again(make, lead).outcome_due_at
    assert due == clock.now + 7 * DAY
    clock.advance(hours=7)
    a_quote(ctx, silent)
    a_quote(ctx, one, "900.00")
    assert again(make, lead).outcome_due_at == due


def test_who_has_no_quote_is_asked_otherwise_and_anew_once_one_comes(ctx, make, clock):
    lead = make.matched_lead()
    clock.now = lead.opened_at + 7 * DAY
    assert asking.ask_for_outcomes(ctx) == 1
    (first,) = asked(make, lead)
    assert (first["has_quotes"], first["is_open"]) == (False, True)
    make.provider()
    matching.match_lead(ctx, lead.id)
    clock.advance(hours=1)
    a_quote(ctx, held(make, lead)[0])
    assert again(make, lead).outcome_due_at == clock.now + 7 * DAY


def test_a_quote_that_was_taken_back_is_none_to_choose(ctx, make, clock):
    make.provider()
    lead = make.matched_lead()
    (one,) = held(make, lead)
    a_quote(ctx, one)
    invitations.decline_invitation(ctx, person_of(one.provider_id), one.id, reason="other")
    clock.advance(days=7)
    asking.ask_for_outcomes(ctx)
    assert [each["has_quotes"] for each in asked(make, lead)] == [False]


def test_a_sweep_that_comes_very_late_asks_once(ctx, make, clock, quoted):
    lead, *_ = quoted
    clock.advance(days=20)
    assert asking.ask_for_outcomes(ctx) == 1
    assert again(make, lead).outcome_due_at == clock.now + 8 * DAY
    clock.advance(days=300)
    assert asking.ask_for_outcomes(ctx) == 1
    assert again(make, lead).outcome_due_at is None
    assert len(asked(make, lead)) == 2


def test_two_sweeps_at_once_ask_once(ctx, make, clock, quoted, at_once):
    lead, *_ = quoted
    clock.advance(days=7)
    at_once([lambda: asking.ask_for_outcomes(ctx)] * 4)
    assert len(asked(make, lead)) == 1
    assert len(events(make, lead, "lead.outcome_asked")) == 1


def test_one_that_expired_meanwhile_is_asked_about_still(ctx, make, clock):
    make.provider()
    lead = make.matched_lead()
    a_quote(ctx, held(make, lead)[0], days=20)
    let_expire(ctx, clock, make, lead)
    with ctx.transaction() as tx:
        tx.session.get_one(Lead, lead.id).outcome_due_at = tx.now
    assert asking.ask_for_outcomes(ctx) == 1
    assert [each["is_open"] for each in asked(make, lead)] == [False]


@pytest.mark.parametrize("end", ["chosen", "closed", "closed by us", "erased", "told"])
def test_whoever_has_said_what_came_of_it_or_is_forgotten_is_not_asked(
    ctx, make, clock, quoted, end
):
    lead, one, *_ = quoted
    {
        "chosen": lambda: outcome.choose_provider(ctx, business_of(lead), one.id),
        "closed": lambda: outcome.close_request(ctx, business_of(lead), reason=CloseReason.MISTAKE),
        "closed by us": lambda: outcome.close_lead(ctx, ADMIN, lead.id, reason="Spam."),
        "erased": lambda: erasure.erase_request(ctx, business_of(lead)),
        "told": lambda: tell(ctx, lead, Outcome.NOT_NOW),
    }[end]()
    clock.advance(days=40)
    assert asking.ask_for_outcomes(ctx) == 0
    assert asked(make, lead) == []


def test_an_address_that_gets_no_mail_is_passed_over_until_it_does(ctx, make, clock, quoted):
    lead, *_ = quoted
    made = suppressions.suppress_address(ctx, ADMIN, address=lead.contact_email)
    clock.advance(days=7)
    asking.ask_for_outcomes(ctx)
    assert asked(make, lead) == []
    suppressions.lift_suppression(ctx, ADMIN, made.id, reason="It was mended.")
    clock.advance(days=7)
    asking.ask_for_outcomes(ctx)
    assert len(asked(make, lead)) == 1


def test_those_that_are_due_are_found_by_an_index_of_those_that_will_be(ctx, make):
    make.lead()
    with ctx.reading() as session:
        session.execute(text("SET LOCAL enable_seqscan = off"))
        plan = session.scalars(
            text(
                "EXPLAIN SELECT id FROM leads WHERE outcome_due_at IS NOT NULL"
                " AND outcome_due_at <= now() ORDER BY outcome_due_at LIMIT 500"
            )
        ).all()
    assert any("ix_leads_to_ask" in line for line in plan), plan


# Told.


def test_of_a_request_that_runs_the_answer_is_the_choice(ctx, make, quoted):
    lead, one, two, silent = quoted
    tell(
        ctx, lead, Outcome.AWARDED, invitation_id=two.id, reason=OutcomeReason.FIT, comment="Kind."
    )
    now = again(make, lead)
    assert (now.state, now.awarded_invitation_id) == (LeadState.AWARDED, two.id)
    assert (now.outcome, now.outcome_reason, now.outcome_comment) == ("awarded", "fit", "Kind.")
    assert now.outcome_invitation_id == two.id
    assert [again(make, each).state for each in (one, two, silent)] == ["lost", "won", "lost"]
    (told,) = events(make, lead, "lead.outcome_told")
    assert told.facts == {"outcome": "awarded", "reason": "fit", "invitation": str(two.id)}


@pytest.mark.parametrize("came_to", [Outcome.OTHER_PROVIDER, Outcome.NOT_NOW, Outcome.NONE_SUITED])
def test_of_a_request_that_runs_every_other_answer_is_a_closure(ctx, make, quoted, came_to):
    lead, one, *_ = quoted
    tell(ctx, lead, came_to)
    now = again(make, lead)
    assert (now.state, now.finish_reason, now.outcome) == ("closed", came_to, came_to)
    assert again(make, one).state == "lost"


def test_a_choice_and_a_closure_are_an_outcome_by_themselves(ctx, make, quoted):
    lead, one, *_ = quoted
    outcome.choose_provider(ctx, business_of(lead), one.id)
    assert again(make, lead).outcome == Outcome.AWARDED
    other, mistaken = make.lead(), make.lead()
    outcome.close_request(ctx, business_of(other), reason=CloseReason.TOO_EXPENSIVE)
    found = again(make, other)
    assert (found.outcome, found.outcome_reason) == (Outcome.NONE_SUITED, OutcomeReason.PRICE)
    outcome.close_request(ctx, business_of(mistaken), reason=CloseReason.MISTAKE)
    assert again(make, mistaken).outcome is None


def test_one_that_expired_is_not_revived_and_nobody_is_told(ctx, make, clock, quoted):
    lead, one, two, silent = quoted
    let_expire(ctx, clock, make, lead)
    states = [again(make, each).columns for each in (one, two, silent)]
    mails = make.ask(lambda session: session.query(Notification).count())
    tell(ctx, lead, Outcome.AWARDED, invitation_id=two.id)
    now = again(make, lead)
    assert (now.state, now.outcome, now.outcome_invitation_id) == ("expired", "awarded", two.id)
    assert now.awarded_invitation_id is None
    assert [again(make, each).columns for each in (one, two, silent)] == states
    assert make.ask(lambda session: session.query(Notification).count()) == mails


def test_at_the_end_of_its_time_it_has_expired_whether_or_not_a_sweep_came(
    ctx, make, clock, quoted
):
    lead, one, *_ = quoted
    clock.now = again(make, lead).expires_at
    tell(ctx, lead, Outcome.AWARDED, invitation_id=one.id)
    now = again(make, lead)
    assert (now.state, now.outcome) == (LeadState.EXPIRED, Outcome.AWARDED)
    assert again(make, one).state == "lost"


def test_what_was_told_of_an_ended_request_may_be_put_right_and_the_same_twice_is_once(
    ctx, make, clock, quoted
):
    lead, one, *_ = quoted
    tell(ctx, lead, Outcome.NOT_NOW, reason=OutcomeReason.BUDGET)
    told_at = clock.now
    clock.advance(days=1)
    tell(ctx, lead, Outcome.NOT_NOW, comment="Next year.")
    now = again(make, lead)
    assert (now.outcome_at, now.outcome_reason, now.outcome_comment) == (
        told_at, None, "Next year.",
    )  # fmt: skip
    tell(ctx, lead, Outcome.AWARDED, invitation_id=one.id)
    now = again(make, lead)
    assert (now.state, now.outcome, now.outcome_at) == ("closed", "awarded", clock.now)


def test_a_choice_is_not_taken_back(ctx, make, quoted):
    lead, one, two, _ = quoted
    outcome.choose_provider(ctx, business_of(lead), one.id)
    for came_to, whose in ((Outcome.AWARDED, two.id), (Outcome.OTHER_PROVIDER, None)):
        with pytest.raises(Conflict, match="that stays so"):
            tell(ctx, lead, came_to, invitation_id=whose)
    tell(ctx, lead, Outcome.AWARDED, invitation_id=one.id, comment="And glad of it.")
    assert again(make, lead).outcome_comment == "And glad of it."


def test_only_one_of_ours_that_quoted_can_have_it(ctx, make, quoted):
    lead, one, _, silent = quoted
    with pytest.raises(Conflict, match="has not quoted"):
        tell(ctx, lead, Outcome.AWARDED, invitation_id=silent.id)
    with pytest.raises(NotFound):
        tell(ctx, make.lead(), Outcome.AWARDED, invitation_id=one.id)
    for came_to, whose, detail in (
        (Outcome.AWARDED, None, "is required"),
        (Outcome.NOT_NOW, one.id, "is only for a request that was awarded"),
    ):
        with pytest.raises(Invalid) as refused:
            tell(ctx, lead, came_to, invitation_id=whose)
        assert [(e.pointer, e.detail) for e in refused.value.errors] == [("/invitation_id", detail)]
    assert again(make, lead).state == "open"


def test_of_a_request_that_never_ran_nothing_can_have_come(ctx, make):
    lead = make.lead()
    with ctx.transaction() as tx:
        tx.session.execute(update(Lead).where(Lead.id == lead.id).values(state="rejected"))
    with pytest.raises(Conflict, match="never ran"):
        tell(ctx, lead, Outcome.NOT_NOW)


def test_one_that_is_in_review_still_can_be_ended_and_given_to_nobody(ctx, make, quoted):
    _, one, *_ = quoted
    lead = make.lead()
    with ctx.transaction() as tx:
        values = {"state": "in_review", "opened_at": None, "outcome_due_at": None}
        tx.session.execute(update(Lead).where(Lead.id == lead.id).values(**values))
    with pytest.raises(NotFound):
        tell(ctx, lead, Outcome.AWARDED, invitation_id=one.id)
    tell(ctx, lead, Outcome.OTHER_PROVIDER)
    now = again(make, lead)
    assert (now.state, now.outcome) == ("closed", "other_provider")


def test_of_two_answers_at_once_one_is_the_choice(ctx, make, quoted, at_once):
    lead, one, two, _ = quoted
    answers = at_once(
        [
            lambda each=each: tell(ctx, lead, Outcome.AWARDED, invitation_id=each.id)
            for each in (one, two)
        ]
    )
    assert sum(isinstance(each, Conflict) for each in answers) == 1
    assert sorted(again(make, each).state for each in (one, two)) == ["lost", "won"]


def test_what_was_said_to_it_is_erased_and_what_came_of_it_stays(ctx, make, quoted):
    lead, *_ = quoted
    tell(ctx, lead, Outcome.NOT_NOW, reason=OutcomeReason.BUDGET, comment="Jo Tran has left.")
    erasure.erase_request(ctx, business_of(lead))
    now = again(make, lead)
    assert (now.outcome, now.outcome_reason, now.outcome_comment) == ("not_now", "budget", None)


def test_of_who_it_was_for_nothing_stays_in_the_words_of_any_version_of_a_quote(ctx, make):
    make.provider()
    lead = make.matched_lead(contact={"name": "Jo Tran", "email": "jo@riverbend.example"})
    (invitation,) = held(make, lead)
    phase = {"name": "With Jo Tran", "deliverables": ["As Jo wants", "A plan"], "fee": "900.00"}
    words = {"notes": "Dear Jo,\nit was good to meet you.", "exclusions": ["Ms Tran's travel"]}
    a_quote(ctx, invitation, phases=[phase], client_duties=["jo@riverbend.example"], **words)
    a_quote(ctx, invitation, "1200.00", notes="Now for less, Jo")
    before = quotes_of(make)
    erasure.erase_request(ctx, business_of(lead))
    now = quotes_of(make)
    for name in ("Jo", "Tran", "riverbend"):
        assert name in str([each.body for each in before])
        assert name not in str([each.body for each in now])
    # What was offered stays.
    assert [each.total for each in now] == [each.total for each in before]
    assert now[0].body["phases"][0]["deliverables"][1] == "A plan"
    assert now[0].body["notes"].endswith(",\nit was good to meet you.")
    assert now[0].body | {"notes": "", "phases": [], "exclusions": [], "client_duties": []} == (
        before[0].body | {"notes": "", "phases": [], "exclusions": [], "client_duties": []}
    )


def quotes_of(make):
    return make.ask(lambda session: session.scalars(select(Quote).order_by(Quote.id)).all())


# To whom it matters.


def test_a_consultant_that_was_taken_afterwards_counts_for_impartiality(ctx, make, clock, queue):
    consultant = make.provider()
    body = make.provider("certification_body")
    make.relationship(consultant, body)
    business = {"number": 7}
    advice = make.matched_lead(**business)
    (one,) = held(make, advice)
    a_quote(ctx, one, days=20)
    let_expire(ctx, clock, make, advice)
    certification = make.matched_lead(**business, service="certification")
    (invited,) = held(make, certification)
    assert invited.provider_id == body.id
    queue.jobs.clear()
    tell(ctx, advice, Outcome.AWARDED, invitation_id=one.id)
    assert (Job.MATCH_LEADS, certification.id) in queue.jobs
    matching.match_lead(ctx, certification.id)
    assert again(make, invited).state == "withdrawn"


def test_the_funnel_says_what_came_of_those_that_opened(ctx, make, clock, quoted):
    lead, one, *_ = quoted
    tell(ctx, make.lead(), Outcome.NOT_NOW)
    make.lead()
    let_expire(ctx, clock, make, lead)
    tell(ctx, lead, Outcome.AWARDED, invitation_id=one.id)
    found = funnel_report(ctx, ADMIN)
    assert {each.outcome: each.n for each in found.outcomes} == {
        "awarded": 1, "other_provider": 0, "not_now": 1, "none_suited": 0, None: 1,
    }  # fmt: skip
    assert sum(each.share for each in found.outcomes) == pytest.approx(1, abs=0.001)
    assert found.stages[-1].n == 1


def test_a_sweep_with_more_than_a_batch_to_ask_asks_them_all(ctx, make, clock, monkeypatch):
    monkeypatch.setattr(sweeps, "BATCH", 2 * TOGETHER)
    make.leads_like(make.lead(), 2 * TOGETHER)
    clock.advance(days=7)
    unhurried = replace(ctx, policy=replace(ctx.policy, sweep_interval=timedelta(minutes=5)))
    assert asking.ask_for_outcomes(unhurried) == 2 * TOGETHER + 1


def test_whoever_had_its_data_erased_meanwhile_tells_nothing_more(ctx, make, quoted):
    """Another tab held the lock: its link was looked at before."""
    lead, *_ = quoted
    erasure.erase_request(ctx, business_of(lead))
    with pytest.raises(Conflict, match="erased"):
        tell(ctx, lead, Outcome.NOT_NOW, comment="Jo Tran, 02 5550 1234")
    assert again(make, lead).outcome_comment is None


def test_nobody_is_asked_by_a_link_that_opens_nothing_any_more(ctx, make, clock, quoted):
    lead, *_ = quoted
    let_expire(ctx, clock, make, lead)
    clock.advance(days=90)
    assert asking.ask_for_outcomes(ctx) == 1
    assert asked(make, lead) == []
    assert again(make, lead).outcome_due_at is None
