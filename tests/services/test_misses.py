"""What providers let lapse: recorded once, told, too much of it paused, objected to, struck."""

from datetime import timedelta
from functools import partial

import pytest
import structlog
from sqlalchemy import select

from marketplace.bootstrap import channel_of
from marketplace.core import links
from marketplace.core import sweeps as sweeping
from marketplace.core.db import db
from marketplace.core.errors import Conflict, Gone, NotAllowed, NotFound
from marketplace.core.events import Event
from marketplace.core.jobs import Job
from marketplace.core.links import Purpose
from marketplace.insights.worklist import worklist
from marketplace.invitations import endings, misses, track_record
from marketplace.invitations import service as invitations
from marketplace.invitations.models import Invitation, Miss
from marketplace.leads.clock import settle_due_commitments
from marketplace.leads.models import Lead
from marketplace.matching import service as matching
from marketplace.matching import settling, striking
from marketplace.matching.models import Credit
from marketplace.notifications import delivery
from marketplace.notifications.models import Notification
from marketplace.providers import pauses
from marketplace.providers.models import Coverage, Pause, Provider
from marketplace.providers.rules import ProviderState
from marketplace.quotes import erasure, outcome
from tests.factories import ADMIN, business_of, person_of
from tests.people import an_admin
from tests.services.road import a_quote, again, held

TICK = timedelta(microseconds=1)
DAY = timedelta(days=1)


@pytest.fixture
def provider(make):
    return make.provider(name="Harbour Quality Pty Ltd")


@pytest.fixture
def let_lapse(ctx, make, clock, provider):
    """Let the provider miss so many invitations, some time apart; return them."""

    def lapse(count=1, *, apart=DAY * 2):
        found = []
        for _ in range(count):
            (invitation,) = held(make, make.matched_lead())
            clock.now = invitation.open_by
            assert endings.end_due_invitations(ctx) == 1
            clock.now = invitation.sent_at + apart
            found.append(invitation)
        return found

    return lapse


def pause_of(make, provider):
    return make.ask(lambda session: pauses.pause_for_misses(session, provider.id))


def look_at(ctx, invitation):
    return invitations.look_at_invitation(ctx, person_of(invitation.provider_id), invitation.id)


def all_misses(make):
    rows = select(Miss).order_by(Miss.invitation_id)
    return make.ask(lambda session: session.scalars(rows).all())


def counting(ctx, provider):
    with ctx.reading() as session:
        return track_record.how_many_count(session, provider.id, policy=ctx.policy, now=ctx.clock())


def letters(make, template):
    rows = select(Notification).where(Notification.template == template)
    return make.ask(lambda session: session.scalars(rows.order_by(Notification.id)).all())


def verbs(make, subject_id):
    rows = select(Event.verb).where(Event.subject_id == subject_id).order_by(Event.id)
    return make.ask(lambda session: session.scalars(rows).all())


def missed(make, provider):
    credit = make.ask(lambda session: session.get(Credit, provider.id))
    return credit.answered, credit.missed


def is_invited(make, lead=None):
    return bool(held(make, lead or make.matched_lead()))


def strike(ctx, miss, reason="Our mail did not reach you."):
    return striking.strike_miss(ctx, ADMIN, miss.id, reason=reason)


def object_to(ctx, miss, text="We never got the mail."):
    return misses.object_to_miss(ctx, person_of(miss.provider_id), miss.id, text=text)


# On the record, once, and told.


def test_what_nobody_opened_and_what_nobody_quoted_for_are_misses_and_nothing_else_is(
    ctx, make, clock
):
    for _ in range(4):
        make.provider()
    lead = make.matched_lead()
    one, two, three = held(make, lead)
    invitations.look_at_invitation(ctx, person_of(one.provider_id), one.id)
    invitations.decline_invitation(ctx, person_of(two.provider_id), two.id, reason="other")
    matching.match_lead(ctx, lead.id)
    four = held(make, lead)[3]
    a_quote(ctx, four)
    clock.advance(days=2)
    endings.end_due_invitations(ctx)
    found = {each.invitation_id: (each.kind, each.at) for each in all_misses(make)}
    assert found == {
        one.id: ("expired", one.respond_by),
        three.id: ("released", three.open_by),
    }


def test_a_miss_is_dated_by_its_moment_however_late_the_sweep_and_counts_up_to_its_end(
    ctx, let_lapse, make, clock, provider
):
    (invitation,) = held(make, make.matched_lead())
    clock.advance(days=5)
    endings.end_due_invitations(ctx)
    (miss,) = all_misses(make)
    assert miss.at == invitation.open_by
    clock.now = miss.at + ctx.policy.misses_window - TICK
    assert counting(ctx, provider) == 1
    clock.now += TICK
    assert counting(ctx, provider) == 0


def test_the_holder_is_told_after_one_how_many_count_and_at_how_many_it_is_paused(
    let_lapse, make, provider
):
    let_lapse(2)
    told = [each.values for each in letters(make, "invitation_released")]
    assert [each["misses"] for each in told] == [1, 2]
    assert {(each["too_many"], each["days"]) for each in told} == {(3, 30)}
    assert pause_of(make, provider) is None


def test_two_machines_that_sweep_at_once_record_tell_and_pause_once(
    ctx, make, clock, provider, let_lapse, at_once
):
    let_lapse(1)
    leads = [make.matched_lead() for _ in range(4)]
    clock.now += timedelta(hours=12)
    at_once([lambda: endings.end_due_invitations(ctx)] * 3)
    assert endings.end_due_invitations(ctx) == 0
    assert len(all_misses(make)) == 5
    for lead in leads:
        (invitation,) = held(make, lead)
        assert verbs(make, invitation.id).count("miss.recorded") == 1
    assert len(letters(make, "invitation_released")) == 5
    assert len(letters(make, "provider_paused")) == 1
    assert verbs(make, provider.id).count("provider.paused_for_misses") == 1


def test_sweeps_of_many_at_once_beside_requests_that_are_closed_never_wait_crosswise(
    ctx, make, clock, at_once, monkeypatch
):
    # On a busy machine a wait in turn may last; one that is crosswise PostgreSQL ends by itself.
    monkeypatch.setattr(sweeping, "PATIENCE", timedelta(seconds=30))
    for _ in range(5):
        make.provider()
    leads = [make.matched_lead() for _ in range(30)]
    clock.now = held(make, leads[0])[0].open_by
    closing = [partial(outcome.close_lead, ctx, ADMIN, lead.id, reason="x") for lead in leads[::6]]
    sweeps = [partial(endings.end_due_invitations, ctx)] * 3
    with structlog.testing.capture_logs() as logged:
        done = at_once([*sweeps[:2], *closing, *sweeps[2:]])
    assert not any(isinstance(each, Exception) for each in done)
    assert [each["event"] for each in logged if each["log_level"] != "info"] == []
    invitations_ = [each for lead in leads for each in held(make, lead)]
    assert {each.state for each in invitations_} == {"released"}
    assert len(invitations_) == len(all_misses(make)) == 90
    assert len(letters(make, "invitation_released")) == 90
    assert len(letters(make, "provider_paused")) == 5
    assert make.ask(lambda s: s.scalars(select(Coverage.open_count).distinct()).all()) == [0]


def test_a_lead_that_somebody_holds_is_passed_over_and_holds_up_no_other(
    ctx, make, clock, installation
):
    make.provider()
    leads = [make.matched_lead() for _ in range(3)]
    clock.now = held(make, leads[0])[0].open_by
    with installation.app.app_context():
        engine = db.engine
    with engine.begin() as other:
        other.execute(select(Lead.id).where(Lead.id == leads[1].id).with_for_update())
        assert endings.end_due_invitations(ctx) == 2
        states = [held(make, lead)[0].state for lead in leads]
        assert states == ["released", "sent", "released"]
    assert endings.end_due_invitations(ctx) == 1


def test_of_a_second_lapse_nothing_says_that_it_is_a_miss_again(ctx, make, clock, provider):
    for struck in (False, True):
        (invitation,) = held(make, make.matched_lead())
        clock.now = invitation.open_by
        invitations.look_at_invitation(ctx, person_of(provider.id), invitation.id)
        back = letters(make, "invitation_released")[-1].values
        assert (back["then"], back["is_miss"]) == ("came_back", True)
        if struck:
            strike(ctx, invitation)
        clock.now = again(make, invitation).respond_by
        endings.end_due_invitations(ctx)
        assert letters(make, "invitation_expired")[-1].values["is_miss"] is False


def test_where_all_had_accepted_the_business_is_asked_once_and_the_desk_sees_it(ctx, make, clock):
    for _ in range(3):
        make.provider()
    lead = make.matched_lead()
    found = held(make, lead)
    for one in found:
        invitations.accept_invitation(ctx, person_of(one.provider_id), one.id)
    clock.now = found[0].respond_by
    endings.end_due_invitations(ctx)
    settle_due_commitments(ctx)
    assert {each.state for each in held(make, lead)} == {"expired"}
    assert len(letters(make, "place_to_decide")) == 1
    assert letters(make, "place_waiting") == []
    assert [each.id for _, each in worklist(ctx, ADMIN).at_risk] == [lead.id]


def test_one_that_came_back_stays_a_miss_and_is_none_twice(ctx, make, clock, provider):
    (invitation,) = held(make, make.matched_lead())
    clock.now = invitation.open_by
    back = invitations.look_at_invitation(ctx, person_of(provider.id), invitation.id)
    assert back.state == "opened"
    (miss,) = all_misses(make)
    assert (miss.kind, miss.at) == ("released", invitation.open_by)
    clock.now = back.respond_by
    assert endings.end_due_invitations(ctx) == 1
    assert again(make, invitation).state == "expired"
    assert [each.columns for each in all_misses(make)] == [miss.columns]
    assert verbs(make, invitation.id).count("miss.recorded") == 1
    assert counting(ctx, provider) == 1


def test_whom_the_business_replaces_before_a_sweep_has_come_is_told_as_well(ctx, make, clock):
    make.provider()
    lead = make.matched_lead()
    (invitation,) = held(make, lead)
    invitations.accept_invitation(ctx, person_of(invitation.provider_id), invitation.id)
    clock.now = invitation.respond_by
    endings.replace_invitation(ctx, business_of(lead), invitation.id)
    assert [each.kind for each in all_misses(make)] == ["expired"]
    assert [each.values["misses"] for each in letters(make, "invitation_expired")] == [1]


def test_a_reason_that_names_the_business_is_covered_before_its_provider_reads_it(
    ctx, let_lapse, make
):
    one, two = let_lapse(2)
    lead = make.ask(lambda session: session.get(Lead, one.lead_id))
    strike(ctx, one, f"{lead.company_name} had it closed.")
    (mail,) = letters(make, "miss_struck")
    assert mail.values["reason"] == "\u2588\u2588\u2588 had it closed."
    lead = make.ask(lambda session: session.get(Lead, two.lead_id))
    erasure.erase_request(ctx, business_of(lead))
    an_admin(ctx)
    object_to(ctx, two, f"{lead.company_name} had it closed.")
    assert letters(make, "miss_objected")[0].values
    misses.uphold_miss(ctx, ADMIN, two.id, reason="It ran on.")
    assert {each.invitation_id: each.objection for each in all_misses(make)}[two.id] is None
    assert letters(make, "miss_objected")[0].values == {}


# Too many: paused, and the ways back.


def test_the_third_within_thirty_days_pauses_and_the_provider_is_told_which(
    ctx, let_lapse, make, provider
):
    let_lapse(2)
    assert pause_of(make, provider) is None
    found = let_lapse(1)
    pause = pause_of(make, provider)
    assert (pause.ends_at, pause.reason) == (None, "repeated_misses")
    (notice,) = letters(make, "provider_paused")
    assert len(notice.values["references"]) == 3
    lead = make.ask(lambda session: session.get(Lead, found[0].lead_id))
    assert notice.values["references"][-1] == lead.reference
    assert notice.recipient == provider.contact_email
    assert verbs(make, provider.id) == ["provider.paused_for_misses"]
    assert not is_invited(make)


@pytest.mark.parametrize(
    ("after", "is_paused"), [(timedelta(days=30) - TICK, True), (timedelta(days=30), False)]
)
def test_at_the_edge_of_thirty_days_the_third_pauses_or_the_first_has_faded(
    let_lapse, make, clock, provider, after, is_paused
):
    first, _ = let_lapse(2)
    clock.now = first.sent_at + after
    let_lapse(1)
    assert (pause_of(make, provider) is not None) is is_paused


def test_by_its_pause_a_provider_is_not_eligible_for_anything_and_keeps_what_it_has(
    ctx, let_lapse, make, provider
):
    let_lapse(2)
    running = make.matched_lead()
    a_quote(ctx, held(make, running)[0])
    let_lapse(1)
    lead = make.lead()
    matching.match_lead(ctx, lead.id)
    assert held(make, lead) == []
    with pytest.raises(Conflict, match="paused"):
        matching.invite_by_hand(ctx, ADMIN, lead.id, provider.id, why="they are good")
    assert held(make, running)[0].state == "quoted"


def test_the_way_back_in_the_portal_ends_it_and_rings_for_waiting_leads(
    ctx, let_lapse, make, clock, queue, provider
):
    let_lapse(3)
    lead = make.lead()
    matching.match_lead(ctx, lead.id)
    stranger = make.provider(regions=("NZ",))
    pause = pause_of(make, provider)
    with pytest.raises(NotFound):
        pauses.delete_pause(ctx, person_of(stranger.id), pause.id)
    queue.jobs.clear()
    pauses.delete_pause(ctx, person_of(provider.id), pause.id)
    assert (Job.REMATCH_WAITING_LEADS, provider.id) in queue.jobs
    assert pause_of(make, provider) is None
    assert counting(ctx, provider) == 0
    matching.match_lead(ctx, lead.id)
    assert is_invited(make, lead)
    with pytest.raises(NotFound):
        pauses.delete_pause(ctx, person_of(provider.id), pause.id)


def test_after_the_way_back_it_takes_three_more(ctx, let_lapse, make, clock, provider):
    let_lapse(3)
    pauses.delete_pause(ctx, person_of(provider.id), pause_of(make, provider).id)
    clock.advance(hours=1)
    let_lapse(2)
    assert pause_of(make, provider) is None
    let_lapse(1)
    assert pause_of(make, provider) is not None
    assert len(letters(make, "provider_paused")) == 2


def test_a_pause_of_its_own_wish_forgives_nothing(ctx, let_lapse, make, clock, provider):
    let_lapse(2)
    with ctx.transaction() as tx:
        tx.session.add(
            Pause(
                id=provider.id,
                provider_id=provider.id,
                starts_at=tx.now,
                ends_at=tx.now + DAY,
                created_at=tx.now,
            )
        )
    pauses.delete_pause(ctx, person_of(provider.id), provider.id)
    assert counting(ctx, provider) == 2


@pytest.fixture
def link_back(ctx, installation, make, provider, let_lapse):
    """Pause the provider, and return the token in its notice."""
    let_lapse(3)
    delivery.deliver_due_notifications(ctx, channel_of(installation.settings))
    mails = installation.app.test_client().get("/mailbox/messages").json["items"]
    (text,) = [mail["text"] for mail in mails if mail["template"] == "provider_paused"]
    return text.split("/come-back/")[1].split()[0]


def test_the_link_in_the_notice_leads_back_once(ctx, link_back, make, queue, provider):
    queue.jobs.clear()
    pauses.come_back(ctx, link_back)
    assert (Job.REMATCH_WAITING_LEADS, provider.id) in queue.jobs
    assert pause_of(make, provider) is None
    with pytest.raises(Gone):
        pauses.come_back(ctx, link_back)
    assert verbs(make, provider.id) == ["provider.paused_for_misses", "provider.pause_ended"]
    assert is_invited(make)


def test_clicked_several_times_at_once_it_leads_back_once(ctx, link_back, make, provider, at_once):
    done = at_once([lambda: pauses.come_back(ctx, link_back)] * 4)
    assert sum(isinstance(each, Gone) for each in done) == 3
    assert verbs(make, provider.id).count("provider.pause_ended") == 1


def test_the_link_of_one_pause_does_not_end_the_next(ctx, link_back, let_lapse, make, provider):
    pauses.delete_pause(ctx, person_of(provider.id), pause_of(make, provider).id)
    let_lapse(3)
    assert pause_of(make, provider) is not None
    with pytest.raises(Gone):
        pauses.come_back(ctx, link_back)
    assert pause_of(make, provider) is not None


def test_a_link_that_lapsed_or_is_for_something_else_leads_nowhere(
    ctx, link_back, make, clock, provider
):
    pause = pause_of(make, provider)
    with ctx.transaction() as tx:
        other = links.mint(tx, Purpose.NOT_OURS, pause.id, expires_at=tx.now + DAY)
        short = links.mint(tx, Purpose.COME_BACK, pause.id, expires_at=tx.now + DAY)
    clock.advance(days=1)
    for token in (other, short, "back_x", ""):
        with pytest.raises(Gone):
            pauses.come_back(ctx, token)
    pauses.come_back(ctx, link_back)


# Objections.


def test_a_provider_objects_once_and_administrators_are_told(ctx, let_lapse, make, provider):
    (one,) = let_lapse()
    shown = object_to(ctx, one)
    assert shown.miss.objection == "We never got the mail."
    with pytest.raises(Conflict, match="already"):
        object_to(ctx, one, "Really.")
    assert all_misses(make)[0].objection == "We never got the mail."
    assert verbs(make, one.id)[-1] == "miss.objected"
    # It counts as before until somebody has decided.
    assert counting(ctx, provider) == 1


def test_an_objection_is_answered_once_either_way(ctx, let_lapse, make, provider, at_once):
    (one,) = let_lapse()
    object_to(ctx, one)
    assert [each.miss.invitation_id for each in worklist(ctx, ADMIN).objections] == [one.id]
    with pytest.raises(NotAllowed):
        misses.uphold_miss(ctx, person_of(provider.id), one.id, reason="x")
    uphold = partial(misses.uphold_miss, ctx, ADMIN, one.id, reason="It was delivered.")
    done = at_once([uphold] * 3)
    assert sum(isinstance(each, Conflict) for each in done) == 2
    (letter,) = letters(make, "miss_upheld")
    assert letter.values["reason"] == "It was delivered."
    assert verbs(make, one.id)[-1] == "miss.upheld"
    assert worklist(ctx, ADMIN).objections == []
    assert counting(ctx, provider) == 1


def test_only_its_own_provider_objects(ctx, let_lapse, make, provider):
    (one,) = let_lapse()
    for stranger in (make.provider().id, provider.id):
        who = person_of(stranger)
        unknown = one.id if stranger != provider.id else provider.id
        with pytest.raises(NotFound):
            misses.object_to_miss(ctx, who, unknown, text="x")
    with pytest.raises(NotAllowed):
        misses.object_to_miss(ctx, ADMIN, one.id, text="x")


def test_an_objection_is_forgotten_with_the_request(ctx, let_lapse, make):
    (one,) = let_lapse()
    object_to(ctx, one, "Jo Tran said that it was no hurry.")
    lead = make.lead_called(letters(make, "invitation_released")[0].values["reference"])
    erasure.erase_request(ctx, business_of(lead))
    (miss,) = all_misses(make)
    assert (miss.objection, miss.objected_at is None) == (None, False)
    assert letters(make, "miss_objected") == []


# Strikes.


def test_a_strike_says_why_who_and_when_and_is_made_once(ctx, let_lapse, make, clock, provider):
    (one,) = let_lapse()
    shown = strike(ctx, one)
    assert shown.counts_until is None
    (miss,) = all_misses(make)
    assert (miss.struck_at, miss.strike_reason) == (clock.now, "Our mail did not reach you.")
    assert verbs(make, one.id)[-1] == "miss.struck"
    (told,) = letters(make, "miss_struck")
    assert told.values["reason"] == "Our mail did not reach you."
    assert told.values["is_back"] is False
    assert counting(ctx, provider) == 0
    with pytest.raises(Conflict, match="struck already"):
        strike(ctx, one)
    with pytest.raises(Conflict, match="struck already"):
        object_to(ctx, one)
    with pytest.raises(NotAllowed):
        striking.strike_miss(ctx, person_of(provider.id), one.id, reason="x")
    with pytest.raises(NotFound):
        striking.strike_miss(ctx, ADMIN, provider.id, reason="x")


def test_struck_by_two_at_once_it_is_struck_once(ctx, let_lapse, make, at_once):
    (one,) = let_lapse()
    done = at_once([lambda: strike(ctx, one)] * 3)
    assert sum(isinstance(each, Conflict) for each in done) == 2
    assert verbs(make, one.id).count("miss.struck") == 1


def test_a_strike_ends_the_pause_that_only_stood_with_it(ctx, let_lapse, make, queue, provider):
    found = let_lapse(3)
    queue.jobs.clear()
    strike(ctx, found[0])
    assert pause_of(make, provider) is None
    assert (Job.REMATCH_WAITING_LEADS, provider.id) in queue.jobs
    assert letters(make, "miss_struck")[0].values["is_back"] is True
    assert verbs(make, provider.id)[-1] == "provider.pause_ended"
    # It is as if that one had never been: the other two count on, and one more is the third.
    assert counting(ctx, provider) == 2
    let_lapse(1)
    assert pause_of(make, provider) is not None


def test_a_pause_that_stands_without_it_goes_on_even_when_the_rest_has_faded(
    ctx, let_lapse, make, clock, provider
):
    let_lapse(2)
    late = [held(make, make.matched_lead())[0] for _ in range(2)]
    clock.now += timedelta(hours=12)
    endings.end_due_invitations(ctx)
    clock.advance(days=60)
    assert counting(ctx, provider) == 0
    strike(ctx, late[0])
    assert pause_of(make, provider) is not None
    strike(ctx, late[1])
    assert pause_of(make, provider) is None


def test_struck_before_it_was_settled_it_is_never_on_the_fairness_record(
    ctx, let_lapse, make, provider
):
    one, _ = let_lapse(2)
    strike(ctx, one)
    assert settling.settle_ended_invitations(ctx) == 2
    assert missed(make, provider) == (0, 1)
    assert settling.settle_ended_invitations(ctx) == 0


def test_struck_after_it_was_settled_what_it_still_counts_is_taken_off(
    ctx, let_lapse, make, clock, provider
):
    found = []
    for _ in range(3):
        found += let_lapse()
        settling.settle_ended_invitations(ctx)
        clock.advance(hours=1)
    fading = ctx.policy.record_fading
    assert missed(make, provider) == (0, pytest.approx(fading**2 + fading + 1))
    strike(ctx, found[1])
    assert missed(make, provider) == (0, pytest.approx(fading**2 + 1))
    strike(ctx, found[0])
    assert missed(make, provider) == (0, pytest.approx(1))
    strike(ctx, found[2])
    assert missed(make, provider) == (0, pytest.approx(0))


def test_one_that_came_back_and_was_quoted_for_is_an_answer_once_its_miss_is_struck(
    ctx, make, clock, provider
):
    def came_back_and_quoted():
        (invitation,) = held(make, make.matched_lead())
        clock.now = invitation.open_by
        invitations.look_at_invitation(ctx, person_of(provider.id), invitation.id)
        a_quote(ctx, invitation)
        clock.advance(hours=1)
        return invitation

    one = came_back_and_quoted()
    strike(ctx, one)
    settling.settle_ended_invitations(ctx)
    assert missed(make, provider) == (1, 0)
    clock.advance(hours=1)
    two = came_back_and_quoted()
    settling.settle_ended_invitations(ctx)
    assert missed(make, provider) == (pytest.approx(ctx.policy.record_fading), 1)
    strike(ctx, two)
    assert missed(make, provider) == (pytest.approx(ctx.policy.record_fading + 1), 0)


def test_a_strike_beside_sweeps_and_settlements_waits_its_turn(
    ctx, let_lapse, make, clock, provider, at_once
):
    found = let_lapse(2)
    more = [held(make, make.matched_lead())[0] for _ in range(3)]
    clock.now += timedelta(hours=12)
    done = at_once(
        [
            lambda: endings.end_due_invitations(ctx),
            lambda: settling.settle_ended_invitations(ctx),
            lambda: strike(ctx, found[0]),
            lambda: endings.end_due_invitations(ctx),
            lambda: strike(ctx, found[1]),
        ]
    )
    assert not any(isinstance(each, Exception) for each in done)
    endings.end_due_invitations(ctx)
    settling.settle_ended_invitations(ctx)
    assert {again(make, each).state for each in more} == {"released"}
    assert pause_of(make, provider) is not None
    answered, still = missed(make, provider)
    assert answered == 0
    assert 2.9 < still <= 3
    assert make.ask(lambda s: s.get(Provider, provider.id)).came_back_at is None
    assert make.ask(lambda s: s.scalar(select(Invitation.settled_at).limit(1))) is not None


def test_whoever_could_not_answer_any_more_has_missed_nothing(ctx, make, clock, provider, queue):
    lead = make.matched_lead()
    (invitation,) = held(make, lead)
    with ctx.transaction() as tx:
        tx.session.get_one(Provider, provider.id).state = ProviderState.SUSPENDED
    clock.now = invitation.open_by
    for notice in (lambda: look_at(ctx, invitation), lambda: endings.end_due_invitations(ctx)):
        queue.jobs.clear()
        notice()
        assert again(make, invitation).state == "sent"
        assert (Job.MATCH_LEADS, lead.id) in queue.jobs
    matching.match_lead(ctx, lead.id)
    assert again(make, invitation).state == "withdrawn"
    assert all_misses(make) == []


def test_what_ends_with_its_request_before_its_time_is_no_miss(ctx, make, clock, provider):
    lead = make.matched_lead()
    (invitation,) = held(make, lead)
    with ctx.transaction() as tx:
        tx.session.get_one(Lead, lead.id).expires_at = invitation.open_by
    clock.now = invitation.open_by + DAY
    endings.end_due_invitations(ctx)
    assert look_at(ctx, invitation).state == "sent"
    assert outcome.expire_due_leads(ctx) == 1
    assert again(make, invitation).state == "withdrawn"
    assert all_misses(make) == []


def test_a_request_that_finishes_before_the_sweep_forgives_no_deadline(ctx, make, clock, provider):
    lead = make.matched_lead()
    (invitation,) = held(make, lead)
    clock.now = invitation.open_by
    outcome.close_request(ctx, business_of(lead), reason="not_now")
    assert again(make, invitation).state == "released"
    (miss,) = all_misses(make)
    assert miss.at == invitation.open_by
    assert len(letters(make, "invitation_released")) == 1
