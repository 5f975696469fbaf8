"""What matching and invitations ask of providers, and what must hold when many act at once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from sqlalchemy import select

from marketplace.core.actors import ANYBODY, OPERATOR
from marketplace.core.errors import Conflict, Invalid, NotAllowed, NotFound
from marketplace.core.events import Event
from marketplace.core.forms import Form
from marketplace.core.jobs import Job
from marketplace.matching import candidates, conditions
from marketplace.notifications.models import Notification
from marketplace.providers import (
    accreditations,
    coverage,
    pauses,
    relationships,
    service,
)
from marketplace.providers.facts import provider_facts
from marketplace.providers.models import Coverage, Provider
from marketplace.providers.queries import bearers
from marketplace.providers.rules import ProviderKind, RelationshipKind
from tests.people import an_admin
from tests.providers import (
    a_body,
    a_provider,
    acting_for,
    an_accreditation,
    application,
    claim,
)
from tests.rules.facts import wanted


def eligible(ctx):
    """Return who may be invited to a consulting lead for ISO 9001 in New South Wales."""
    lead = wanted()
    asked = conditions.asked(lead, invited={}, now=ctx.clock(), impartiality_years=2)
    with ctx.reading() as session:
        found = candidates.eligible_ids(session, lead, asked, kinds=lead.kinds, seed=1, limit=10)
    return [provider_id for provider_id, _ in found]


def facts(ctx, *providers):
    with ctx.reading() as session:
        found = provider_facts(session, [each.id for each in providers], now=ctx.clock())
    return [found[each.id] for each in providers]


def test_approval_lets_the_contact_in_mirrors_the_state_and_tries_waiting_leads(ctx, queue):
    provider = a_provider(ctx)
    assert (Job.REMATCH_WAITING_LEADS, provider.id) in queue.jobs
    with ctx.reading() as session:
        assert session.get(Coverage, provider.id).state == "verified"
        letters = set(session.execute(select(Notification.template, Notification.recipient)))
        verbs = session.scalars(
            select(Event.verb).where(Event.subject_id == provider.id).order_by(Event.id)
        ).all()
    assert letters == {
        ("set_password", "kim@harbour.example"),
        ("application_approved", "kim@harbour.example"),
    }
    assert verbs == ["provider.created", "provider.approved"]


def test_an_address_that_signs_in_for_somebody_else_is_not_taken_over(ctx):
    an_admin(ctx, "kim@harbour.example")
    service.apply_to_join(ctx, Form(application(kind=ProviderKind.CONSULTANT)))
    with ctx.reading() as session:
        provider = session.scalars(select(Provider)).one()
    with pytest.raises(Conflict, match="signs in for somebody else"):
        service.approve_provider(ctx, OPERATOR, provider.id)
    with ctx.reading() as session:
        assert session.get(Provider, provider.id).state == "applied"


def test_a_suspended_provider_is_not_eligible_until_it_is_reinstated(ctx):
    provider = a_provider(ctx)
    assert eligible(ctx) == [provider.id]
    service.suspend_provider(ctx, OPERATOR, provider.id, reason="complaints")
    assert eligible(ctx) == []
    assert facts(ctx, provider)[0].state == "suspended"
    with pytest.raises(Conflict):
        service.suspend_provider(ctx, OPERATOR, provider.id, reason="again")
    service.reinstate_provider(ctx, OPERATOR, provider.id)
    assert eligible(ctx) == [provider.id]


def test_only_administrators_decide_about_providers(ctx):
    provider = a_provider(ctx)
    for act in (service.approve_provider, service.reinstate_provider):
        with pytest.raises(NotAllowed):
            act(ctx, acting_for(provider), provider.id)
    with pytest.raises(NotAllowed):
        service.suspend_provider(ctx, ANYBODY, provider.id, reason="x")


def test_a_provider_without_capacity_is_not_eligible(ctx, clock):
    provider = a_provider(ctx, coverage={"open_capacity": 1, "monthly_capacity": 2})
    with ctx.transaction() as tx:
        coverage.take_places(tx, [provider.id])
    assert eligible(ctx) == []
    with ctx.transaction() as tx:
        coverage.free_places(tx, [provider.id])
    assert eligible(ctx) == [provider.id]
    with ctx.transaction() as tx:
        coverage.take_places(tx, [provider.id])
        coverage.free_places(tx, [provider.id])
    assert eligible(ctx) == []
    clock.advance(days=10)
    assert eligible(ctx) == [provider.id]


def test_a_host_whose_clock_is_behind_goes_by_the_later_month(ctx, clock):
    provider = a_provider(ctx, coverage={"monthly_capacity": 1})
    clock.advance(days=10)
    with ctx.transaction() as tx:
        coverage.take_places(tx, [provider.id])
    clock.advance(days=-10)
    assert eligible(ctx) == []
    assert facts(ctx, provider)[0].used_this_month(clock()) == 1


def test_a_freed_place_of_a_full_provider_tries_waiting_leads(ctx, queue):
    provider = a_provider(ctx, coverage={"open_capacity": 2})
    with ctx.transaction() as tx:
        coverage.take_places(tx, [provider.id])
        coverage.take_places(tx, [provider.id])
    for rung in (True, False):
        queue.jobs.clear()
        with ctx.transaction() as tx:
            coverage.free_places(tx, [provider.id])
        assert ((Job.REMATCH_WAITING_LEADS, provider.id) in queue.jobs) is rung
    with ctx.transaction() as tx:
        coverage.free_places(tx, [provider.id])
    assert facts(ctx, provider)[0].open_count == 0


def test_several_places_freed_in_one_go_count_and_ring_as_one_by_one(ctx, queue):
    full, busy = (
        a_provider(ctx, name=name, coverage={"open_capacity": capacity})
        for name, capacity in (("Full Pty Ltd", 2), ("Busy Pty Ltd", 3))
    )
    with ctx.transaction() as tx:
        for _ in range(2):
            coverage.take_places(tx, [full.id, busy.id])
    queue.jobs.clear()
    with ctx.transaction() as tx:
        coverage.free_places(tx, [busy.id, full.id, full.id])
    assert [facts(ctx, each)[0].open_count for each in (full, busy)] == [0, 1]
    assert queue.jobs == [(Job.REMATCH_WAITING_LEADS, full.id)]


def test_places_counted_at_once_are_all_counted(ctx, installation):
    provider = a_provider(ctx)
    start = Barrier(4)

    def take(_):
        with installation.app.app_context():
            start.wait()
            for _ in range(5):
                with ctx.transaction() as tx:
                    coverage.lock_rows(tx.session, [provider.id])
                    coverage.take_places(tx, [provider.id])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(take, range(4)))
    (counted,) = facts(ctx, provider)
    assert (counted.open_count, counted.month_count) == (20, 20)


def test_facts_hold_everything_that_eligibility_asks_for(ctx, clock):
    body, consultant = a_body(ctx), a_provider(ctx)
    held = an_accreditation(ctx, body)
    an_accreditation(ctx, body, standard="ISO 14001", body="ISMS-AC", sectors=None)
    relationships.declare_relationship(
        ctx,
        OPERATOR,
        Form(
            {
                "provider_id": consultant.id,
                "other_id": body.id,
                "kind": RelationshipKind.OWNERSHIP,
                "from": None,
                "until": clock().date(),
            }
        ),
    )
    span = {"from": clock(), "until": clock() + timedelta(days=2)}
    pauses.add_pause(ctx, acting_for(body), Form(span))
    of_body, of_consultant = facts(ctx, body, consultant)
    one, other = of_body.accreditations
    assert (one.id, one.recognised, one.edition) == (held, True, "2026")
    assert one.sectors == frozenset({"17"})
    assert one.counts(clock().date())
    assert (other.recognised, other.sectors) == (False, None)
    today = clock().date()
    assert of_body.related_on(today) == {consultant.id}
    assert of_consultant.related_on(today) == {body.id}
    assert of_consultant.related_on(today + timedelta(days=1)) == frozenset()
    assert of_body.is_paused(clock())
    assert not of_consultant.is_paused(clock())
    clock.advance(days=2)
    assert facts(ctx, body)[0].pauses == ()


def test_facts_are_read_afresh_behind_a_lock(ctx, installation):
    provider = a_provider(ctx)
    with ctx.transaction() as tx:
        stale = tx.session.get(Coverage, provider.id)
        assert stale.open_capacity == 5

        def change():
            with installation.app.app_context(), ctx.transaction() as other:
                other.session.get(Coverage, provider.id).open_capacity = 9

        with ThreadPoolExecutor(1) as pool:
            pool.submit(change).result()
        held = coverage.lock_providers(tx.session, [provider.id])
        assert held[provider.id].open_capacity == 9
        found = provider_facts(tx.session, [provider.id], now=tx.now)
        assert found[provider.id].open_capacity == 9


def test_providers_are_found_by_the_key_of_their_name_and_by_a_number_in_it(ctx, make):
    provider = a_provider(ctx)
    numbered = make.provider(name="Wattle Systems", legal_entity="AU:676061760")
    make.provider(name="Wattle", state="rejected", legal_entity="AU:676061760")
    names = ["HARBOUR  QUALITY", "Jo Tran, ABN 74 676 061 760", "ACN 676 061 760", "nobody"]
    with ctx.reading() as session:
        found = bearers(session, names)
    ids = [[each.id for each in found[name]] for name in names]
    assert ids == [[provider.id], [numbered.id], [numbered.id], []]


def test_the_same_application_ten_times_at_once_is_one_provider(ctx, installation):
    form = application(kind=ProviderKind.CONSULTANT)
    start = Barrier(10)

    def apply(_):
        with installation.app.app_context():
            start.wait()
            service.apply_to_join(ctx, Form(form))

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(apply, range(10)))
    with ctx.reading() as session:
        assert len(session.scalars(select(Provider)).all()) == 1


def test_an_administrator_is_told_that_a_provider_exists_already(ctx):
    a_provider(ctx, registration_number="51 824 753 556")
    again = application(
        "Other", kind=ProviderKind.CERTIFICATION_BODY, registration_number="51824753556"
    )
    with pytest.raises(Invalid) as refused:
        service.create_provider(ctx, OPERATOR, Form(again))
    assert [error.pointer for error in refused.value.errors] == ["/registration_number"]


def test_a_claim_does_not_count_until_it_is_verified_and_not_while_suspended(ctx, clock, queue):
    body = a_body(ctx)
    claimed = accreditations.claim_accreditation(ctx, acting_for(body), Form(claim()))
    held, today = claimed.accreditation.id, clock().date()

    def counts():
        return facts(ctx, body)[0].accreditations[0].counts(today)

    def look(result):
        seen = {"result": result, "checked_on": today, "source": "register"}
        return accreditations.verify_accreditation(ctx, OPERATOR, held, Form(seen))

    assert not counts()
    look("not_found")
    assert not counts()
    queue.jobs.clear()
    assert look("found").last_check.result == "found"
    assert counts()
    assert (Job.REMATCH_WAITING_LEADS, body.id) in queue.jobs
    accreditations.suspend_accreditation(ctx, OPERATOR, held)
    assert not counts()
    with pytest.raises(Conflict):
        look("found")
    accreditations.reinstate_accreditation(ctx, OPERATOR, held)
    assert counts()
    look("mismatch")
    assert not counts()


def test_a_consultant_holds_no_accreditation(ctx):
    with pytest.raises(Conflict):
        accreditations.claim_accreditation(ctx, acting_for(a_provider(ctx)), Form(claim()))


def test_a_pause_that_ends_early_tries_waiting_leads_and_is_nobody_elses(ctx, clock, queue):
    mine, other = a_provider(ctx), a_body(ctx)
    span = {"from": clock(), "until": clock() + timedelta(days=2)}
    pause = pauses.add_pause(ctx, acting_for(mine), Form(span))
    with pytest.raises(NotFound):
        pauses.delete_pause(ctx, acting_for(other), pause.id)
    queue.jobs.clear()
    pauses.delete_pause(ctx, acting_for(mine), pause.id)
    assert queue.jobs == [(Job.REMATCH_WAITING_LEADS, mine.id)]
    assert facts(ctx, mine)[0].pauses == ()
