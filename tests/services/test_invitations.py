"""Answers in time and late, places freed and kept, replacements, returns, sweeps."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from marketplace.core.actors import Actor, Kind
from marketplace.core.db import new_id
from marketplace.core.errors import Conflict, NotAllowed, NotFound
from marketplace.core.events import Event
from marketplace.core.jobs import Job
from marketplace.invitations import endings, queries, questions
from marketplace.invitations import service as invitations
from marketplace.invitations.models import Invitation
from marketplace.invitations.rules import DeclineReason, InvitationEvent, InvitationState
from marketplace.leads.models import Lead
from marketplace.matching import service as matching
from marketplace.matching import settling
from marketplace.matching.models import Credit
from marketplace.notifications.models import Commitment, Notification
from marketplace.providers.models import Coverage, Provider
from marketplace.providers.rules import ProviderState
from marketplace.quotes import comparison, outcome
from tests.factories import business_of, person_of
from tests.services.road import a_quote, again, held

TICK = timedelta(microseconds=1)
HOUR = timedelta(hours=1)
NO = DeclineReason.NO_CAPACITY


def decline(ctx, invitation):
    who = person_of(invitation.provider_id)
    return invitations.decline_invitation(ctx, who, invitation.id, reason=NO)


def accept(ctx, invitation):
    return invitations.accept_invitation(ctx, person_of(invitation.provider_id), invitation.id)


def look(ctx, invitation):
    return invitations.look_at_invitation(ctx, person_of(invitation.provider_id), invitation.id)


def ask(ctx, invitation):
    who = person_of(invitation.provider_id)
    return questions.ask_question(ctx, who, invitation.id, text="How many shifts?")


def release(ctx, invitation):
    """Pass on what nobody opened, as the clock will."""
    with ctx.transaction() as tx:
        row = queries.lock_invitation(tx.session, invitation.id)
        row.open_by = tx.now  # it was not opened in time
        endings.end(tx, person_of(row.provider_id), row, InvitationEvent.RELEASE)


def open_count(make, provider_id):
    return make.ask(lambda session: session.get(Coverage, provider_id).open_count)


def verbs(make, subject_id):
    rows = select(Event.verb).where(Event.subject_id == subject_id).order_by(Event.id)
    return make.ask(lambda session: session.scalars(rows).all())


def told(make, subject_id):
    rows = select(Notification.template).where(Notification.subject_id == subject_id)
    return make.ask(lambda session: sorted(session.scalars(rows)))


@pytest.fixture
def three(make):
    """Return a lead with its three invitations, and one provider more."""
    for _ in range(3):
        make.provider()
    lead = make.matched_lead()
    found = held(make, lead)
    make.provider(name="The Fourth")
    return lead, found


ANSWERS = {"accept": accept, "decline": decline, "quote": a_quote, "ask": ask}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
@pytest.mark.parametrize("first", [look, accept], ids=["opened", "accepted"])
def test_a_late_answer_is_refused_though_no_worker_has_run(ctx, three, make, clock, first, answer):
    _, (one, *_) = three
    first(ctx, one)
    before = again(make, one)
    clock.now = one.respond_by
    with pytest.raises(Conflict, match="time to answer"):
        answer(ctx, one)
    assert again(make, one).columns == before.columns
    clock.now = one.respond_by - TICK
    answer(ctx, one)


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_what_was_not_opened_in_time_is_not_answered_though_no_worker_has_run(
    ctx, three, make, clock, answer
):
    _, (one, *_) = three
    clock.now = one.open_by
    with pytest.raises(Conflict, match=r"not opened in good time|has passed"):
        answer(ctx, one)
    assert again(make, one).columns == one.columns
    clock.now -= TICK
    answer(ctx, one)


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_at_the_end_of_the_request_every_answer_is_refused_though_no_worker_has_run(
    ctx, three, make, clock, answer
):
    lead, (one, *_) = three
    a_quote(ctx, one)
    clock.now = make.lead_called(lead.reference).expires_at
    with pytest.raises(Conflict, match="finished"):
        answer(ctx, one, fee="2.00") if answer is a_quote else answer(ctx, one)
    clock.now -= TICK
    answer(ctx, one, days=1) if answer is a_quote else answer(ctx, one)


def test_a_look_in_time_opens_it_once(ctx, three, make, clock):
    _, (one, *_) = three
    clock.now = one.open_by - TICK
    for _ in range(2):
        assert look(ctx, one).state is InvitationState.OPENED
    assert verbs(make, one.id).count("invitation.opened") == 1


def test_a_late_look_releases_it_and_takes_the_place_again_with_fresh_time(ctx, three, make, clock):
    _, (one, *_) = three
    clock.now = one.open_by
    found = look(ctx, one)
    assert found.state is InvitationState.OPENED
    assert found.respond_by == max(one.respond_by, clock.now + ctx.policy.min_response_window)
    assert found.released_at == clock.now
    assert verbs(make, one.id) == [
        "invitation.sent", "invitation.released", "miss.recorded", "invitation.returned",
    ]  # fmt: skip
    assert told(make, one.id) == ["invitation", "invitation_released"]
    assert open_count(make, one.provider_id) == 1
    accept(ctx, one)


def test_a_late_look_by_one_that_may_not_stay_leaves_it_to_the_run_that_takes_it_back(
    ctx, three, make, clock, queue
):
    lead, (one, *_) = three
    with ctx.transaction() as tx:
        tx.session.get(Provider, one.provider_id).state = ProviderState.SUSPENDED
    clock.now = one.open_by
    queue.jobs.clear()
    assert look(ctx, one).state is InvitationState.SENT
    assert (Job.MATCH_LEADS, lead.id) in queue.jobs
    matching.match_lead(ctx, lead.id)
    assert again(make, one).state == "withdrawn"
    assert told(make, one.id) == ["invitation", "invitation_withdrawn"]


def test_the_sweep_releases_what_nobody_opened_once_and_passes_it_on(
    ctx, three, make, clock, queue
):
    lead, found = three
    look(ctx, found[0])
    clock.now = found[0].open_by - TICK
    assert endings.end_due_invitations(ctx) == 0
    clock.now += TICK
    queue.jobs.clear()
    assert endings.end_due_invitations(ctx) == 2
    assert endings.end_due_invitations(ctx) == 0
    assert [again(make, each).state for each in found] == ["opened", "released", "released"]
    assert [open_count(make, each.provider_id) for each in found] == [1, 0, 0]
    assert told(make, found[1].id) == ["invitation", "invitation_released"]
    assert (Job.MATCH_LEADS, lead.id) in queue.jobs
    matching.match_lead(ctx, lead.id)
    fourth = held(make, lead)[3]
    assert (fourth.place, fourth.state) == (found[1].place, InvitationState.SENT)
    assert fourth.respond_by == max(found[0].respond_by, clock.now + ctx.policy.min_response_window)


def test_each_reminder_comes_once_and_to_nobody_whose_time_has_ended(ctx, three, make, clock):
    _, (one, two, three_) = three
    look(ctx, one)
    accept(ctx, two)
    window = one.respond_by - one.sent_at
    first, second = one.sent_at + window * 0.5, one.sent_at + window * 0.85
    assert again(make, one).remind_at == again(make, two).remind_at == first
    # Whoever has not opened it hears of it once, before its place is passed on.
    clock.now = three_.sent_at + (three_.open_by - three_.sent_at) * 0.85
    assert three_.remind_at == clock.now
    clock.now -= TICK
    assert endings.remind_holders(ctx) == 0
    clock.now += TICK
    assert endings.remind_holders(ctx) == 1
    assert endings.remind_holders(ctx) == 0
    clock.now = first
    assert endings.remind_holders(ctx) == 2
    assert endings.remind_holders(ctx) == 0
    for each in (one, two, three_):
        assert told(make, each.id) == ["invitation", "invitation_reminder"]
    a_quote(ctx, two)
    clock.now = second + HOUR
    endings.remind_holders(ctx)
    assert told(make, one.id).count("invitation_reminder") == 2
    assert told(make, two.id).count("invitation_reminder") == 1
    assert told(make, three_.id).count("invitation_reminder") == 1
    assert again(make, one).remind_at is None


def test_of_reminders_that_were_missed_one_is_enough(ctx, three, make, clock):
    _, (one, *_) = three
    look(ctx, one)
    clock.now = one.respond_by - TICK
    endings.remind_holders(ctx)
    assert told(make, one.id) == ["invitation", "invitation_reminder"]
    assert again(make, one).remind_at is None


def test_nobody_is_reminded_of_what_time_has_ended_though_no_sweep_has_been_there(
    ctx, three, make, clock
):
    _, (one, two, _) = three
    look(ctx, one)
    clock.now = two.open_by
    endings.remind_holders(ctx)
    assert told(make, two.id) == ["invitation"]
    clock.now = one.respond_by
    endings.remind_holders(ctx)
    assert told(make, one.id).count("invitation_reminder") == 1


def test_the_sweep_expires_each_once_and_frees_what_it_held(ctx, three, make, clock, queue):
    lead, found = three
    for each in found:
        look(ctx, each)
    ids = [each.provider_id for each in found]
    assert [open_count(make, each) for each in ids] == [1, 1, 1]
    clock.now = found[0].respond_by - TICK
    assert endings.end_due_invitations(ctx) == 0
    clock.now += TICK
    queue.jobs.clear()
    assert endings.end_due_invitations(ctx) == 3
    assert endings.end_due_invitations(ctx) == 0
    assert (Job.MATCH_LEADS, lead.id) in queue.jobs
    assert [open_count(make, each) for each in ids] == [0, 0, 0]
    for each in found:
        assert verbs(make, each.id) == [
            "invitation.sent", "invitation.opened", "invitation.expired", "miss.recorded",
        ]  # fmt: skip
        assert told(make, each.id) == ["invitation", "invitation_expired"]


def test_what_was_quoted_is_left_by_the_sweep(ctx, three, make, clock):
    _, (one, *_) = three
    a_quote(ctx, one)
    clock.advance(days=5)
    assert endings.end_due_invitations(ctx) == 2
    assert again(make, one).state is InvitationState.QUOTED
    assert endings.remind_holders(ctx) == 0


def test_a_decline_frees_the_place_and_the_capacity_at_once(ctx, three, make, queue):
    lead, (one, *_) = three
    queue.jobs.clear()
    decline(ctx, one)
    assert (Job.MATCH_LEADS, lead.id) in queue.jobs
    assert open_count(make, one.provider_id) == 0
    matching.match_lead(ctx, lead.id)
    fourth = held(make, lead)[3]
    assert fourth.place == one.place
    assert fourth.state is InvitationState.SENT
    with pytest.raises(Conflict):
        decline(ctx, one)
    with pytest.raises(Conflict):
        accept(ctx, one)


@pytest.mark.parametrize("how", ["declined", "expired"])
def test_a_place_whose_holder_saw_the_contact_is_kept_until_the_business_gives_it_on(
    ctx, three, make, clock, how
):
    lead, (one, two, three_) = three
    for each in (two, three_):
        a_quote(ctx, each)
    accept(ctx, one)
    if how == "declined":
        decline(ctx, one)
    else:
        clock.now = one.respond_by
        assert endings.end_due_invitations(ctx) == 1
    assert "place_to_decide" in told(make, lead.id)
    for _ in range(2):
        matching.match_lead(ctx, lead.id)
        assert len(held(make, lead)) == 3
    (shown,) = [
        each
        for each in comparison.request_page(ctx, business_of(lead))["invitations"]
        if each["may_be_replaced"]
    ]
    assert shown["id"] == one.id

    endings.replace_invitation(ctx, business_of(lead), one.id)
    matching.match_lead(ctx, lead.id)
    assert held(make, lead)[3].place == one.place
    with pytest.raises(Conflict, match="passed on already"):
        endings.replace_invitation(ctx, business_of(lead), one.id)
    assert told(make, one.id).count("place_passed_on") == 1


def test_only_who_accepted_and_had_its_time_can_be_replaced(ctx, three, make, clock):
    lead, (one, two, three_) = three
    accept(ctx, one)
    a_quote(ctx, two)
    decline(ctx, three_)
    for each in (one, two):
        with pytest.raises(Conflict, match=r"still has time|has quoted"):
            endings.replace_invitation(ctx, business_of(lead), each.id)
    with pytest.raises(Conflict, match="passed on already"):
        endings.replace_invitation(ctx, business_of(lead), three_.id)
    # At its deadline, though no worker has run, and the page says so too.
    clock.now = one.respond_by
    page = comparison.request_page(ctx, business_of(lead))
    assert [each["may_be_replaced"] for each in page["invitations"]] == [True, False, False]
    endings.replace_invitation(ctx, business_of(lead), one.id)
    assert again(make, one).state is InvitationState.EXPIRED
    assert open_count(make, one.provider_id) == 0


def test_nothing_can_be_replaced_once_the_request_is_finished(ctx, three, make):
    lead, (one, two, _) = three
    accept(ctx, one)
    a_quote(ctx, two)
    outcome.choose_provider(ctx, business_of(lead), two.id)
    page = comparison.request_page(ctx, business_of(lead))
    assert not any(each["may_be_replaced"] for each in page["invitations"])
    with pytest.raises(Conflict, match="finished"):
        endings.replace_invitation(ctx, business_of(lead), one.id)


def test_what_was_released_comes_back_when_its_holder_looks_and_a_place_is_free(
    ctx, three, make, clock, queue
):
    lead, (one, *_) = three
    release(ctx, one)
    clock.advance(hours=20)
    queue.jobs.clear()
    back = look(ctx, one)
    assert back.state is InvitationState.OPENED
    assert back.respond_by == clock.now + ctx.policy.min_response_window
    assert back.ended_at is None
    assert open_count(make, one.provider_id) == 1
    assert verbs(make, one.id)[-1] == "invitation.returned"
    assert (Job.MATCH_LEADS, lead.id) in queue.jobs
    a_quote(ctx, one)


def test_what_was_released_stays_so_while_no_place_is_free(ctx, three, make):
    lead, (one, two, _) = three
    release(ctx, one)
    matching.match_lead(ctx, lead.id)
    assert len(held(make, lead)) == 4
    assert look(ctx, one).state is InvitationState.RELEASED
    decline(ctx, two)
    back = look(ctx, one)
    assert back.state is InvitationState.OPENED
    assert back.place == two.place


def test_a_look_after_the_end_of_the_request_opens_nothing_though_no_worker_has_run(
    ctx, three, make, clock
):
    lead, (one, *_) = three
    clock.now = one.open_by - TICK
    with ctx.transaction() as tx:
        tx.session.get_one(Lead, lead.id).expires_at = clock.now
    assert look(ctx, one).state is InvitationState.SENT
    clock.now -= TICK
    assert look(ctx, one).state is InvitationState.OPENED


def test_what_was_released_does_not_come_back_to_a_request_that_is_over(ctx, three, make, clock):
    lead, (one, *_) = three
    release(ctx, one)
    clock.now = make.lead_called(lead.reference).expires_at
    assert look(ctx, one).state is InvitationState.RELEASED
    clock.now -= TICK
    assert look(ctx, one).state is InvitationState.OPENED


def test_what_was_released_does_not_come_back_to_a_provider_that_is_suspended(ctx, three, make):
    _, (one, *_) = three
    release(ctx, one)
    with ctx.transaction() as tx:
        tx.session.get(Provider, one.provider_id).state = ProviderState.SUSPENDED
    assert look(ctx, one).state is InvitationState.RELEASED


def test_software_that_reads_brings_nothing_back(ctx, three, make):
    _, (one, *_) = three
    release(ctx, one)
    software = Actor(Kind.API_KEY, id=new_id(), provider_id=one.provider_id)
    invitations.look_at_invitation(ctx, software, one.id)
    assert again(make, one).state is InvitationState.RELEASED


def test_accepting_twice_is_accepting_once(ctx, three, make, clock):
    _, (one, *_) = three
    first = accept(ctx, one)
    clock.advance(hours=1)
    assert accept(ctx, one).accepted_at == first.accepted_at
    a_quote(ctx, one)
    clock.advance(days=3)
    assert accept(ctx, one).state is InvitationState.QUOTED
    assert verbs(make, one.id).count("invitation.accepted") == 1


def test_the_same_quote_twice_is_one_version_and_another_is_a_second(ctx, three, make, clock):
    _, (one, *_) = three
    assert a_quote(ctx, one, "10.00").version == 1
    clock.advance(days=2)
    assert a_quote(ctx, one, "10.00", days=58).version == 1
    assert a_quote(ctx, one, "9.00").version == 2
    assert verbs(make, one.id).count("quote.submitted") == 2


def test_a_business_cannot_answer_for_a_provider_nor_an_administrator(ctx, three):
    lead, (one, *_) = three
    for actor in (business_of(lead), Actor(Kind.ADMIN), Actor(Kind.ANYBODY)):
        with pytest.raises((NotAllowed, NotFound)):
            invitations.accept_invitation(ctx, actor, one.id)


def test_a_question_is_answered_once_for_all_and_not_after_the_end(ctx, three, make, clock):
    lead, (one, two, three_) = three
    question = ask(ctx, one)
    decline(ctx, three_)
    answered = questions.answer_question(ctx, business_of(lead), question.id, text="Two.")
    assert answered.answer == "Two."
    assert [("question_answered" in told(make, each.id)) for each in (one, two, three_)] == [
        True, True, False,
    ]  # fmt: skip
    with pytest.raises(Conflict, match="already"):
        questions.answer_question(ctx, business_of(lead), question.id, text="Three.")
    later = ask(ctx, two)
    clock.now = make.lead_called(lead.reference).expires_at
    with pytest.raises(Conflict, match="finished"):
        questions.answer_question(ctx, business_of(lead), later.id, text="Late.")


def test_a_suspended_provider_cannot_ask(ctx, three):
    _, (one, *_) = three
    with ctx.transaction() as tx:
        tx.session.get(Provider, one.provider_id).state = ProviderState.SUSPENDED
    with pytest.raises(Conflict, match="not verified"):
        ask(ctx, one)


def test_an_expiry_is_a_miss_though_a_question_was_asked(ctx, three, clock):
    _, (one, two, three_) = three
    look(ctx, one)
    a_quote(ctx, two)
    decline(ctx, three_)
    clock.now = one.respond_by - HOUR  # too late to wait long for an answer
    ask(ctx, one)
    clock.now = one.respond_by
    endings.end_due_invitations(ctx)
    assert settling.settle_ended_invitations(ctx) == 3
    with ctx.reading() as session:
        credits = [session.get_one(Credit, each.provider_id) for each in (one, two, three_)]
        found = [(each.answered, each.missed) for each in credits]
    assert found == [(0, 1), (1, 0), (1, 0)]


def test_a_poisoned_invitation_is_passed_over_by_the_sweep(ctx, three, make, clock, monkeypatch):
    _, (one, two, three_) = three
    lock = queries.lock_each_with_lead

    def poisoned(session, invitation_ids):
        if two.id in invitation_ids:
            raise RuntimeError("poisoned")
        return lock(session, invitation_ids)

    monkeypatch.setattr(queries, "lock_each_with_lead", poisoned)
    clock.now = one.respond_by
    assert endings.end_due_invitations(ctx) == 2
    states = [again(make, each).state for each in (one, two, three_)]
    assert states == ["released", "sent", "released"]
    monkeypatch.undo()
    assert endings.end_due_invitations(ctx) == 1


# What closing says to whom, and what those that were not chosen learn.


@pytest.fixture
def quoted(ctx, make):
    """Return a lead with three quotes."""
    for _ in range(3):
        make.provider()
    lead = make.matched_lead()
    found = held(make, lead)
    for each, fee in zip(found, ("1000.00", "1100.00", "1400.00"), strict=True):
        a_quote(ctx, each, fee)
    return lead, found


def lost_values(make, invitation):
    rows = select(Notification.values).where(
        Notification.subject_id == invitation.id, Notification.template == "invitation_lost"
    )
    return make.ask(lambda session: session.scalars(rows).one())


def test_a_choice_tells_everybody_and_the_others_their_standing(ctx, make, quoted):
    lead, (one, two, dear) = quoted
    outcome.choose_provider(ctx, business_of(lead), one.id)
    assert "invitation_won" in told(make, one.id)
    assert "choice_confirmed" in told(make, lead.id)
    middle, far = lost_values(make, two), lost_values(make, dear)
    assert (middle["rank"], middle["quotes"], middle["distance"]) == (2, 3, "within 10 %")
    assert (far["rank"], far["quotes"], far["distance"]) == (3, 3, "within 30 %")
    assert not any("1000" in str(each) or "1100" in str(each) for each in (middle, far))
    for each in (one, two, dear):
        assert open_count(make, each.provider_id) == 0


def test_a_choice_loses_also_what_was_not_accepted_which_has_no_contact_to_delete(ctx, three, make):
    lead, (one, two, three_) = three
    a_quote(ctx, one)
    accept(ctx, two)
    outcome.choose_provider(ctx, business_of(lead), one.id)
    assert [again(make, each).state for each in (two, three_)] == ["lost", "lost"]
    assert (lost_values(make, two)["had_accepted"], lost_values(make, three_)["had_accepted"]) == (
        True, False,
    )  # fmt: skip


def test_with_a_quote_taken_back_nobody_learns_a_standing(ctx, make, quoted):
    lead, (one, two, dear) = quoted
    decline(ctx, dear)
    outcome.choose_provider(ctx, business_of(lead), one.id)
    assert lost_values(make, two)["rank"] is None
    assert lost_values(make, two)["distance"] is None


def test_closing_tells_everybody_each_in_its_way(ctx, three, make):
    lead, (one, two, three_) = three
    accept(ctx, one)
    decline(ctx, three_)
    outcome.close_request(ctx, business_of(lead), reason="not_now")
    assert [again(make, each).state for each in (one, two, three_)] == [
        "lost", "withdrawn", "declined",
    ]  # fmt: skip
    assert "invitation_lost" in told(make, one.id)
    assert "invitation_withdrawn" in told(make, two.id)
    assert told(make, three_.id) == ["invitation"]
    assert "request_closed" in told(make, lead.id)
    with pytest.raises(Conflict):
        outcome.close_request(ctx, business_of(lead), reason="not_now")
    commitment = make.ask(lambda session: session.get(Commitment, lead.id))
    assert commitment.state == "ended"
    assert all(open_count(make, each.provider_id) == 0 for each in (one, two, three_))


def test_only_a_quote_can_be_chosen_and_only_once(ctx, three, make):
    lead, (one, two, three_) = three
    accept(ctx, one)
    a_quote(ctx, two)
    for each in (one, three_):
        with pytest.raises(Conflict):
            outcome.choose_provider(ctx, business_of(lead), each.id)
    assert make.lead_called(lead.reference).state == "open"
    outcome.choose_provider(ctx, business_of(lead), two.id)
    with pytest.raises(Conflict, match="finished already"):
        outcome.choose_provider(ctx, business_of(lead), two.id)
    assert isinstance(again(make, two), Invitation)


def test_the_last_of_several_quotes_says_that_all_are_in_and_a_revision_does_not(ctx, make, three):
    lead, (one, two, three_) = three
    a_quote(ctx, one)
    a_quote(ctx, two)
    assert "all_quotes_in" not in told(make, lead.id)
    a_quote(ctx, three_)
    a_quote(ctx, three_, "900.00")
    found = told(make, lead.id)
    assert (found.count("quote_received"), found.count("all_quotes_in")) == (3, 1)


def test_all_quotes_are_in_once_those_that_can_have_quoted(ctx, make, three):
    lead, (one, two, last) = three
    a_quote(ctx, one)
    decline(ctx, last)
    a_quote(ctx, two)
    assert told(make, lead.id).count("all_quotes_in") == 1
