"""Filling places: what happens around the rules."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest
from flask import current_app
from sqlalchemy import func, select, update

from marketplace.core.errors import Conflict
from marketplace.core.events import Event
from marketplace.core.forms import Form
from marketplace.core.jobs import Job
from marketplace.invitations import service as invitations
from marketplace.invitations.models import Invitation
from marketplace.invitations.rules import LIVE, InvitationState
from marketplace.leads.models import Lead
from marketplace.matching import explanation, runs, waiting
from marketplace.matching import service as matching
from marketplace.matching.models import Credit, MatchingRun
from marketplace.providers import relationships
from marketplace.providers import service as providers
from marketplace.providers.models import Coverage
from marketplace.providers.rules import RelationshipKind
from marketplace.quotes import outcome
from marketplace.quotes import service as quotes
from marketplace.web.api.quotes import QuoteIn
from marketplace.web.requests import load
from tests.factories import ADMIN, business_of, person_of


def held_by(make, lead_id):
    return make.ask(
        lambda s: {
            each.provider_id: each
            for each in s.scalars(select(Invitation).where(Invitation.lead_id == lead_id))
        }
    )


def lead_now(make, lead_id):
    return make.ask(lambda s: s.get(Lead, lead_id))


def test_a_suspended_provider_loses_what_it_has_not_answered_and_is_replaced(ctx, make, queue):
    three = [make.provider() for _ in range(3)]
    lead = make.matched_lead()
    fourth = make.provider()
    queue.jobs.clear()
    providers.suspend_provider(ctx, ADMIN, three[0].id, reason="complaint under investigation")
    assert (Job.RECHECK_PROVIDER, three[0].id) in queue.jobs
    queue.jobs.clear()
    assert waiting.recheck_provider(ctx, three[0].id) == 1
    assert queue.jobs == [(Job.MATCH_LEADS, lead.id)]
    queue.jobs.clear()
    assert matching.match_leads(ctx, [lead.id]) == 1
    assert held_by(make, lead.id)[three[0].id].state is InvitationState.WITHDRAWN
    # The run that takes back holds that provider: it locks no others, and asks for another run.
    assert fourth.id not in held_by(make, lead.id)
    assert (Job.MATCH_LEADS, lead.id) in queue.jobs
    assert lead_now(make, lead.id).waiting_code == "replacement"
    matching.match_lead(ctx, lead.id)
    held = held_by(make, lead.id)
    assert held[fourth.id].state is InvitationState.SENT


def test_a_suspended_provider_cannot_accept_before_anybody_has_looked(ctx, make):
    provider = make.provider()
    lead = make.matched_lead()
    held = held_by(make, lead.id)[provider.id]
    providers.suspend_provider(ctx, ADMIN, provider.id, reason="complaint under investigation")
    with pytest.raises(Conflict, match="not verified"):
        invitations.accept_invitation(ctx, person_of(provider.id), held.id)
    assert waiting.recheck_standing(ctx) == 1


def test_a_lead_that_nobody_fits_waits_with_the_reason_and_is_filled_when_somebody_comes(
    ctx, make, queue
):
    make.provider(regions=("AU-WA",))
    lead = make.matched_lead()
    still = lead_now(make, lead.id)
    assert still.waiting_since == ctx.clock()
    assert still.waiting_code == "regions"
    assert still.waiting_reason == "no provider of these standards covers the region"
    make.provider(regions=("AU-NSW",))
    queue.jobs.clear()
    assert waiting.retry_waiting_leads(ctx) == 1
    assert waiting.retry_waiting_leads(ctx) == 0
    matching.match_lead(ctx, lead.id)
    assert len(held_by(make, lead.id)) == 1


def test_no_lead_leads_to_more_than_nine_invitations(ctx, make):
    for _ in range(12):
        make.provider()
    lead = make.matched_lead()
    for _ in range(10):
        for each in held_by(make, lead.id).values():
            if each.state in LIVE:
                invitations.decline_invitation(
                    ctx, person_of(each.provider_id), each.id, reason="other"
                )
        matching.match_lead(ctx, lead.id)
    assert len(held_by(make, lead.id)) == 9
    assert lead_now(make, lead.id).waiting_since is None


@pytest.mark.parametrize("sample", [256, 2])
def test_a_waiting_lead_that_is_tried_again_in_vain_leaves_one_run_that_counts(
    ctx, make, clock, sample
):
    ctx = replace(ctx, policy=replace(ctx.policy, funnel_sample=sample))
    for _ in range(4):
        make.provider(open_capacity=0)
    lead, first = make.lead(), clock.now
    for _ in range(5):
        matching.match_lead(ctx, lead.id)
        clock.advance(hours=1)
    (run,) = runs_of(make, lead)
    assert (run.at, run.times, run.last_at) == (first, 5, first + timedelta(hours=4))


def test_a_run_in_vain_that_sees_anything_else_is_another_though_it_comes_to_the_same(ctx, make):
    make.provider(open_capacity=0)
    lead = make.matched_lead()
    make.provider(open_capacity=0)
    for _ in range(2):
        matching.match_lead(ctx, lead.id)
    first, second = runs_of(make, lead)
    assert first.outcome == second.outcome
    assert (first.times, second.times) == (1, 2)
    assert len(runs.excluded_by(second)) == 2
    waits = select(func.count()).where(Event.verb == "lead.waits_for_a_provider")
    assert make.ask(lambda s: s.scalar(waits)) == 1


def runs_of(make, lead):
    """Return what was stored of the runs for a lead, the first one first."""
    stored = select(MatchingRun).where(MatchingRun.lead_id == lead.id).order_by(MatchingRun.id)
    return make.ask(lambda s: s.scalars(stored).all())


def test_either_brings_one_of_each_kind(ctx, make):
    for _ in range(5):
        make.provider()
    body = make.provider("certification_body")
    lead = make.matched_lead(service="either")
    assert body.id in held_by(make, lead.id)


def test_turns_go_round_among_equals(ctx, make):
    for _ in range(6):
        make.provider()
    for _ in range(4):
        make.matched_lead()
    counts = make.ask(
        lambda s: [len(list(rows)) for rows in grouped(s.scalars(select(Invitation.provider_id)))]
    )
    assert counts == [2, 2, 2, 2, 2, 2]
    balances = make.ask(lambda s: s.scalars(select(Credit.balance)).all())
    assert sum(balances) == pytest.approx(0)


def grouped(ids):
    found = {}
    for each in ids:
        found.setdefault(each, []).append(each)
    return found.values()


def test_a_run_that_chooses_nobody_moves_no_credit(ctx, make):
    provider = make.provider()
    lead = make.matched_lead()
    before = make.ask(lambda s: s.get(Credit, provider.id).balance)
    matching.match_lead(ctx, lead.id)
    assert make.ask(lambda s: s.get(Credit, provider.id).balance) == before


def test_why_not_me_is_answered_in_one_sentence(ctx, make):
    for _ in range(3):
        make.provider()
    far = make.provider(regions=("AU-WA",), name="Far Consulting")
    body = make.provider("certification_body", name="Some Body")
    lead = make.matched_lead()
    late = make.provider(name="Late Consulting")
    answers = {
        each.name: explanation.explain_matching(ctx, ADMIN, lead.id, provider_id=each.id)["why_not"]
        for each in (far, body, late)
    }
    assert answers["Far Consulting"] == "Far Consulting does not cover AU-NSW."
    assert answers["Some Body"].startswith("Some Body is a certification body")
    assert answers["Late Consulting"] == (
        "Late Consulting had not joined yet when providers were last looked for "
        "(2026-11-23 09:00 UTC); it would be eligible now."
    )


def test_every_run_is_stored_with_what_it_saw(ctx, make):
    for _ in range(4):
        make.provider()
    lead = make.matched_lead()
    (run,) = make.ask(
        lambda s: s.scalars(select(MatchingRun).where(MatchingRun.lead_id == lead.id)).all()
    )
    bench = explanation.view(run)["bench"]
    assert len(bench) == 4
    assert sorted(seat["place"] for seat in bench if seat["place"]) == [1, 2, 3]
    assert run.outcome == "3 of 3 empty places filled from 4 eligible"
    moved = sum(seat["credit_after"] - seat["credit_before"] for seat in bench)
    assert moved == pytest.approx(0, abs=1e-5)
    assert runs.replay_agrees(run)


@pytest.mark.parametrize(("years_later", "is_invited"), [(1, False), (2, False), (4, True)])
def test_a_body_related_to_the_consultant_that_was_chosen_here_waits_as_well(
    ctx, make, clock, years_later, is_invited
):
    consultant = make.provider()
    body = make.provider("certification_body", accredited=False)
    make.accreditation(body, valid_until=clock.now.date().replace(year=2040))
    make.relationship(consultant, body)
    lead = make.matched_lead(number=5)
    held = held_by(make, lead.id)[consultant.id]
    quoted(ctx, consultant, held)
    outcome.choose_provider(ctx, business_of(lead), held.id)
    clock.advance(days=366 * years_later)
    certification = make.matched_lead(number=5, service="certification")
    assert bool(held_by(make, certification.id)) is is_invited


def quoted(ctx, provider, held):
    body = {
        "kind": "consulting",
        "currency": "AUD",
        "phases": [{"name": "All of it", "fee": "5000.00"}],
        "valid_until": str(ctx.clock().date()),
    }
    quotes.put_quote(ctx, person_of(provider.id), held.id, load(QuoteIn(), body))


# What changes while a match waits for its locks, and hosts whose clocks differ.


@pytest.fixture
def meanwhile(services):
    """Run a match while another transaction holds everybody and then commits what it did."""

    def run(ctx, lead, *statements):
        url = services.database_url.replace("+psycopg", "")
        app = current_app._get_current_object()

        def match():
            with app.app_context():
                matching.match_lead(ctx, lead.id)

        with psycopg.connect(url) as other, ThreadPoolExecutor(1) as pool:
            other.execute("SELECT FROM coverage FOR UPDATE")
            matched = pool.submit(match)
            deadline = time.monotonic() + 10
            waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
            while other.execute(waiting).fetchone() == (0,):
                assert time.monotonic() < deadline
            for statement in statements:
                other.execute(statement)
            other.commit()
            matched.result(10)

    return run


def test_a_provider_that_is_deleted_while_the_match_waits_is_passed_over(ctx, make, meanwhile):
    three = [make.provider() for _ in range(3)]
    gone = three[1].id
    lead = make.lead()
    meanwhile(
        ctx,
        lead,
        f"DELETE FROM coverage WHERE provider_id = '{gone}'",
        f"DELETE FROM providers WHERE id = '{gone}'",
    )
    assert held_by(make, lead.id).keys() == {three[0].id, three[2].id}
    assert lead_now(make, lead.id).waiting_code == "too_few"


@pytest.mark.parametrize(
    "change",
    [
        "state = 'suspended'",
        "open_count = open_capacity",
        "standards = '{ISO 22000}'",
        "headcount_min = 5000",
    ],
)
def test_whoever_is_not_eligible_any_more_once_locked_is_not_invited(ctx, make, meanwhile, change):
    one, other = make.provider(), make.provider()
    lead = make.lead()
    sets = [f"UPDATE coverage SET {change} WHERE provider_id = '{one.id}'"]
    if "state" in change:
        sets.append(f"UPDATE providers SET state = 'suspended' WHERE id = '{one.id}'")
    meanwhile(ctx, lead, *sets)
    assert held_by(make, lead.id).keys() == {other.id}
    (run,) = make.ask(lambda s: s.scalars(select(MatchingRun)).all())
    assert one.id in runs.excluded_by(run)


def test_a_full_bench_that_is_lost_while_the_match_waits_is_looked_for_again_at_once(
    ctx, make, meanwhile, queue
):
    ctx = replace(ctx, policy=replace(ctx.policy, bench_size=2))
    for _ in range(4):
        make.provider()
    lead = make.lead()
    queue.jobs.clear()
    meanwhile(ctx, lead, "UPDATE coverage SET open_count = open_capacity")
    assert (Job.MATCH_LEADS, lead.id) in queue.jobs
    with ctx.transaction() as tx:
        tx.session.execute(update(Coverage).values(open_count=0))
    matching.match_lead(ctx, lead.id)
    matching.match_lead(ctx, lead.id)
    assert len(held_by(make, lead.id)) == 3


@pytest.mark.parametrize("minutes", [-10, 10])
def test_hosts_whose_clocks_differ_match_one_lead_between_them(ctx, make, clock, minutes):
    providers_ = [make.provider() for _ in range(4)]
    clock.now = clock.now.replace(month=11, day=30, hour=23, minute=55)
    lead = make.lead()
    clock.advance(minutes=minutes)
    matching.match_lead(ctx, lead.id)
    held = held_by(make, lead.id)
    assert len(held) == 3
    clock.advance(minutes=-2 * minutes)
    first = next(iter(held.values()))
    invitations.decline_invitation(ctx, person_of(first.provider_id), first.id, reason="other")
    matching.match_lead(ctx, lead.id)
    held = held_by(make, lead.id)
    assert held.keys() == {each.id for each in providers_}
    assert all(each.respond_by > each.sent_at for each in held.values())
    counts = make.ask(lambda s: s.execute(select(Coverage.open_count, Coverage.month_count)).all())
    assert sorted(counts) == [(0, 1), (1, 1), (1, 1), (1, 1)]


def test_nobody_is_found_for_a_combination_that_nobody_offers(ctx, make):
    make.provider(standards=("ISO 9001",))
    make.provider(standards=("ISO 22000",))
    lead = make.matched_lead(standards=["ISO 9001", "ISO 22000"])
    assert lead_now(make, lead.id).waiting_code == "standards"


@pytest.mark.parametrize(
    ("wishes", "code"),
    [
        ({"regions": ["NZ-AUK"]}, "regions"),
        ({"headcount": 5000}, "headcount"),
        ({"standards": ["ISO 37001"]}, "standards"),
        ({"service": "certification"}, "accreditation"),
    ],
)
def test_where_a_sample_is_too_coarse_the_reason_for_waiting_is_found_all_the_same(
    ctx, make, wishes, code
):
    ctx = replace(ctx, policy=replace(ctx.policy, funnel_sample=2))
    for _ in range(5):
        make.provider(headcount=(1, 500))
        make.provider("certification_body", headcount=(1, 500), accredited=False)
    lead = make.lead(**wishes)
    matching.match_lead(ctx, lead.id)
    assert lead_now(make, lead.id).waiting_code == code


@pytest.mark.parametrize(("elsewhere", "code"), [(True, "regions"), (False, "standards")])
def test_the_region_is_to_blame_where_somebody_elsewhere_offers_all_the_standards(
    ctx, make, elsewhere, code
):
    ctx = replace(ctx, policy=replace(ctx.policy, funnel_sample=2))
    for _ in range(3):
        make.provider(standards=("ISO 9001",), regions=("AU-NSW",))
        make.provider(standards=("ISO 22000",), regions=("AU-NSW",))
    if elsewhere:
        make.provider(standards=("ISO 9001", "ISO 22000"), regions=("AU-WA",))
    lead = make.lead(standards=["ISO 9001", "ISO 22000"])
    matching.match_lead(ctx, lead.id)
    assert lead_now(make, lead.id).waiting_code == code


def test_a_rare_kind_has_a_share_of_a_full_bench(ctx, make):
    ctx = replace(ctx, policy=replace(ctx.policy, bench_size=6))
    for _ in range(40):
        make.provider()
    bodies = {make.provider("certification_body").id for _ in range(2)}
    for _ in range(5):
        lead = make.lead(service="either")
        matching.match_lead(ctx, lead.id)
        assert len(held_by(make, lead.id).keys() & bodies) >= 1


def test_a_lead_that_waits_long_is_tried_again_less_often_but_at_once_on_an_event(
    ctx, make, clock, queue
):
    make.matched_lead()
    assert waiting.retry_waiting_leads(ctx) == 1
    clock.advance(hours=1)
    assert waiting.retry_waiting_leads(ctx) == 1
    clock.advance(minutes=5)
    assert waiting.retry_waiting_leads(ctx) == 0
    clock.advance(minutes=2)
    assert waiting.retry_waiting_leads(ctx) == 1
    clock.advance(days=3)
    assert waiting.retry_waiting_leads(ctx) == 1
    clock.advance(minutes=15)
    assert waiting.retry_waiting_leads(ctx) == 1
    assert waiting.rematch_waiting_leads(ctx) == 1
    assert waiting.rematch_waiting_leads(ctx, make.provider().id) == 1


@pytest.mark.parametrize(
    ("wishes", "is_rung"),
    [
        ({}, True),
        ({"regions": ["AU-NSW", "AU-VIC"]}, False),
        ({"regions": ["AU-VIC"], "remote_ok": True}, True),
        ({"standards": ["ISO/IEC 27001"]}, False),
        ({"headcount": 900}, False),
        ({"service": "either"}, True),
        ({"service": "certification"}, False),
    ],
)
def test_a_provider_that_changes_rings_for_the_leads_that_it_could_fit(ctx, make, wishes, is_rung):
    lead = make.lead(**wishes)
    provider = make.provider(regions=("AU-NSW",), headcount=(1, 500), remote=True)
    ctx.queue.jobs.clear()
    assert waiting.rematch_waiting_leads(ctx, provider.id) == is_rung
    assert ((Job.MATCH_LEADS, lead.id) in ctx.queue.jobs) is is_rung


@pytest.mark.parametrize("answered", ["neither", "body", "consultant"])
def test_of_two_who_become_related_once_invited_one_that_has_not_answered_is_taken_back(
    ctx, make, answered
):
    consultant, body = make.provider(), make.provider("certification_body")
    lead = make.matched_lead(service="either")
    held = held_by(make, lead.id)
    by_kind = {"body": held[body.id], "consultant": held[consultant.id]}
    if answered != "neither":
        each = by_kind[answered]
        invitations.accept_invitation(ctx, person_of(each.provider_id), each.id)
    ctx.queue.jobs.clear()
    form = {"provider_id": consultant.id, "other_id": body.id, "kind": RelationshipKind.OWNERSHIP}
    relationships.declare_relationship(ctx, ADMIN, Form(form))
    assert {subject for _, subject in ctx.queue.jobs} == {consultant.id, body.id}
    assert waiting.recheck_provider(ctx, consultant.id) + waiting.recheck_provider(ctx, body.id) > 0
    matching.match_lead(ctx, lead.id)
    now = held_by(make, lead.id)
    states = {kind: now[each.provider_id].state for kind, each in by_kind.items()}
    gone = [kind for kind, state in states.items() if state is InvitationState.WITHDRAWN]
    assert len(gone) == 1
    assert gone != [answered]


def test_the_oldest_waiting_lead_is_rung_first(ctx, make, clock, queue):
    leads_ = []
    for _ in range(4):
        leads_.append(make.matched_lead())
        clock.advance(minutes=1)
    queue.jobs.clear()
    waiting.rematch_waiting_leads(ctx)
    assert [subject for _, subject in queue.jobs] == [each.id for each in leads_]
