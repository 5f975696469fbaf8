"""The coverage row stays true on every road; where it does not, the check says so and mends it."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy import select, text

from marketplace.core.actors import ANYBODY, OPERATOR
from marketplace.core.db import db
from marketplace.core.errors import NotAllowed
from marketplace.core.events import Event
from marketplace.invitations import endings
from marketplace.invitations import queries as invitation_queries
from marketplace.invitations import service as invitations
from marketplace.invitations.models import Invitation
from marketplace.invitations.rules import DeclineReason, InvitationEvent
from marketplace.leads.models import Lead
from marketplace.matching import checking
from marketplace.matching import service as matching
from marketplace.matching.checking import check_coverage
from marketplace.providers import coverage, profile
from marketplace.providers.models import Coverage, CoverageEntry
from marketplace.web.api.provider_schemas import ChangedProviderSchema
from marketplace.web.requests import load
from tests.conftest import nothing_held
from tests.factories import person_of
from tests.services.coverage_walk import Walk
from tests.services.road import held

EVERY_KIND_OF_CHANGE = {
    "invitation.sent", "invitation.opened", "invitation.accepted", "invitation.declined",
    "invitation.released", "invitation.returned", "invitation.expired", "invitation.passed_on",
    "invitation.withdrawn", "invitation.won", "invitation.lost", "lead.awarded", "lead.closed",
    "lead.expired", "provider.created", "provider.approved", "provider.imported",
    "provider.changed", "provider.suspended", "provider.reinstated",
}  # fmt: skip
"""What has to have happened on a road before it proves anything ..."""
SEVERAL_TIMES = ("turn_the_month", "import_a_file")
"""... and steps that have to have been taken more than once."""


def differences(ctx, **how):
    return check_coverage(ctx, OPERATOR, **how).differences


def columns(ctx, **how):
    """Return what differs: column, what it is, what it should be."""
    return [(each.column, each.is_now, each.should_be) for each in differences(ctx, **how)]


def row_of(make, provider):
    return make.ask(lambda session: session.get(Coverage, provider.id))


def change(ctx, statement, **values):
    """Do by SQL what no use case does."""
    with ctx.transaction() as tx:
        tx.session.execute(text(statement), values)


@pytest.fixture
def invited(ctx, make):
    """A provider with two live invitations, both of this month."""
    provider = make.provider()
    for _ in range(2):
        make.matched_lead()
    return provider


@pytest.fixture
def beside(installation):
    """Run calls at the same time, each in a thread and with transactions of its own."""

    def run(*calls):
        def one(call):
            with installation.app.app_context():
                try:
                    return call()
                finally:
                    db.session.remove()

        with ThreadPoolExecutor(len(calls)) as pool:
            return list(pool.map(one, calls))

    return run


SEED = 2
"""Of the road that soonest has met everything that can be met: others take four times as long."""


def test_every_step_of_a_long_road_keeps_every_row_true(ctx, make, clock, tmp_path):
    walk = Walk(ctx, make, clock, tmp_path, seed=SEED)
    missing = EVERY_KIND_OF_CHANGE
    while missing or min(walk.trail.count(each) for each in SEVERAL_TIMES) < 2:
        for _ in range(20):
            walk.step()
            assert differences(ctx) == (), walk.trail[-1]
        missing -= set(make.ask(lambda session: session.scalars(select(Event.verb)).all()))
        assert len(walk.trail) < 2000, f"never seen: {missing}"


DAMAGE = {
    "kind": ("kind = 'certification_body'", ("kind", "certification_body", "consultant")),
    "a kind that is none": ("kind = 'mystic'", ("kind", "mystic", "consultant")),
    "state": ("state = 'suspended'", ("state", "suspended", "verified")),
    "too few open": ("open_count = 0", ("open_count", "0", "2")),
    "too many open": ("open_count = 7", ("open_count", "7", "2")),
    "too few this month": ("month_count = 1", ("month_count", "1", "2")),
    "too many this month": ("month_count = 20", ("month_count", "20", "2")),
    "a month too early": ("month = '2026-10-01'", ("month", "2026-10-01", "2026-11-01")),
    "a month too late": ("month = '2027-03-01'", ("month", "2027-03-01", "2026-11-01")),
    "not a month": ("month = '2026-11-23'", ("month", "2026-11-23", "2026-11-01")),
    "a standard twice": (
        "standards = '{ISO 9001,ISO 14001,ISO 9001}'",
        ("standards", '["ISO 9001", "ISO 14001", "ISO 9001"]', '["ISO 9001", "ISO 14001"]'),
    ),
    "a sector twice": ("sectors = '{17,17}'", ("sectors", '["17", "17"]', '["17"]')),
    "nowhere in the shuffle": ("shuffle = -5", ("shuffle", "-5", "0 to 2147483646")),
}


@pytest.mark.parametrize(("damage", "difference"), DAMAGE.values(), ids=DAMAGE.keys())
def test_damage_is_found_named_and_mended(ctx, make, invited, damage, difference):
    make.provider()
    before = row_of(make, invited).columns
    change(ctx, f"UPDATE coverage SET {damage} WHERE provider_id = :id", id=invited.id)

    assert columns(ctx) == [difference]
    (mended,) = differences(ctx, mend=True)
    assert str(mended).startswith(f"{invited.name} ({invited.id}): {difference[0]} is ")
    assert mended.is_mended
    after = row_of(make, invited).columns
    assert 0 <= after.pop("shuffle") < 2**31 - 1
    assert after.items() <= before.items()
    assert differences(ctx, mend=True) == ()


def test_what_was_mended_is_in_the_log(ctx, make, invited):
    change(ctx, "UPDATE coverage SET open_count = 9, state = 'rejected'")
    differences(ctx)
    assert events(make) == []
    differences(ctx, mend=True)
    (event,) = events(make)
    assert (event.subject_id, event.actor_kind) == (invited.id, "operator")
    assert event.facts == {"open_count": ["9", "2"], "state": ["rejected", "verified"]}


def events(make):
    mended = select(Event).where(Event.verb == "coverage.mended")
    return make.ask(lambda session: session.scalars(mended).all())


IMPOSSIBLE = {
    "standard": ("standards = '{ISO 9001,ISO 0}'", ("standards", "ISO 0", "in the catalogue")),
    "regions": ("regions = '{AU,QQ,ZZ-9}'", ("regions", "QQ, ZZ-9", "in the catalogue")),
    "sector": ("sectors = '{17,999}'", ("sectors", "999", "in the catalogue")),
    "nothing": ("sectors = '{17,NULL}'", ("sectors", "null", "in the catalogue")),
    "language": ("languages = '{en,klingon}'", ("languages", "klingon", "in the catalogue")),
    "no standard": ("standards = '{}'", ("standards", "empty", "one or more")),
    "no region": ("regions = '{}'", ("regions", "empty", "one or more")),
    "weeks": ("weeks_to_start = -5", ("weeks_to_start", "-5", "0 to 104")),
    "nobody": ("headcount_min = 0", ("headcount_min", "0", "1 to 1000000")),
    "capacity": ("open_capacity = -1", ("open_capacity", "-1", "0 to 1000")),
    "month": ("monthly_capacity = 10001", ("monthly_capacity", "10001", "0 to 10000")),
}


@pytest.mark.parametrize(("damage", "difference"), IMPOSSIBLE.values(), ids=IMPOSSIBLE.keys())
def test_what_only_the_provider_can_say_is_named_and_left(ctx, make, damage, difference):
    provider = make.provider()
    change(ctx, f"UPDATE coverage SET {damage}")
    before = row_of(make, provider).columns
    for mend in (False, True):
        report = check_coverage(ctx, OPERATOR, mend=mend)
        (one,) = report.differences
        assert (one.column, one.is_now, one.should_be) == difference
        assert (report.remaining, report.mended) == (1, 0)
    assert row_of(make, provider).columns == before
    assert events(make) == []


def test_a_missing_row_comes_back_covering_nothing_until_somebody_says_what_it_covers(
    ctx, make, invited
):
    change(ctx, "DELETE FROM coverage")
    assert columns(ctx) == [("row", "missing", "there")]
    report = check_coverage(ctx, OPERATOR, mend=True)
    assert report.remaining == 2
    row = row_of(make, invited)
    assert (row.kind, row.state, row.open_count, row.month_count) == (
        invited.kind, invited.state, 2, 2,
    )  # fmt: skip
    assert row.standards == row.regions == []
    nothing = [(name, "empty", "one or more") for name in ("regions", "standards")]
    assert columns(ctx) == columns(ctx, mend=True) == nothing
    lead = make.matched_lead()
    assert held(make, lead) == []
    says = load(
        ChangedProviderSchema(), {"coverage": {"standards": ["ISO 9001"], "regions": ["AU"]}}
    )
    profile.update_provider(ctx, person_of(invited.id), says)
    assert differences(ctx) == ()
    matching.match_lead(ctx, lead.id)
    assert [each.provider_id for each in held(make, lead)] == [invited.id]


def test_what_is_twice_is_mended_where_beside_it_something_is_unknown(ctx, make):
    provider = make.provider()
    change(ctx, "UPDATE coverage SET sectors = '{17,999,17}'")
    found = differences(ctx, mend=True)
    assert {each.should_be: each.is_mended for each in found} == {
        '["17", "999"]': True,
        "in the catalogue": False,
    }
    assert row_of(make, provider).sectors == ["17", "999"]


def test_a_lead_is_matched_though_the_row_of_one_that_was_invited_is_missing(ctx, make, invited):
    *_, lead = make.ask(lambda s: s.scalars(select(Lead).order_by(Lead.id)).all())
    change(ctx, "DELETE FROM coverage")
    other = make.provider()
    matching.match_lead(ctx, lead.id)
    assert {each.provider_id: each.state for each in held(make, lead)} == {
        invited.id: "sent",
        other.id: "sent",
    }


ENTRIES_DAMAGED = {
    "too few": (
        "DELETE FROM coverage_entries WHERE standard = 'ISO 9001'",
        "1 short and 0 too many",
    ),
    "none": ("DELETE FROM coverage_entries", "2 short and 0 too many"),
    "elsewhere": ("UPDATE coverage_entries SET region = 'NZ'", "2 short and 2 too many"),
    "shuffled otherwise": (
        "UPDATE coverage_entries SET shuffle = 7 WHERE standard = 'ISO 9001'",
        "1 short and 1 too many",
    ),
    "of one that is suspended": (
        "ALTER TABLE coverage DISABLE TRIGGER enter_changed_coverage; "
        "UPDATE providers SET state = 'suspended'; UPDATE coverage SET state = 'suspended'; "
        "ALTER TABLE coverage ENABLE TRIGGER enter_changed_coverage",
        "0 short and 2 too many",
    ),
}


@pytest.mark.parametrize(("damage", "said"), ENTRIES_DAMAGED.values(), ids=ENTRIES_DAMAGED.keys())
def test_entries_that_are_not_as_the_row_says_are_made_again(
    ctx, make, invited, installation, damage, said
):
    with nothing_held(installation.app) as owner:  # a trigger stands in the way of all others
        owner.execute(damage)
    assert columns(ctx) == [("entries", said, "as the row says")]
    assert [each.is_mended for each in differences(ctx, mend=True)] == [True]
    assert differences(ctx) == ()
    row = row_of(make, invited)
    entered = make.ask(lambda session: session.scalars(select(CoverageEntry)).all())
    assert {(each.region, each.standard, each.shuffle) for each in entered} == {
        ("AU", standard, row.shuffle) for standard in row.standards if row.state == "verified"
    }


def test_a_provider_whose_own_state_is_no_word_of_ours_stops_nobody(ctx, make, invited):
    change(ctx, "UPDATE coverage SET open_count = 0")
    change(ctx, "UPDATE providers SET state = 'mystic'")
    report = check_coverage(ctx, OPERATOR, mend=True)
    assert [(each.column, each.is_mended) for each in report.differences] == [
        ("open_count", True),
        ("state", False),
    ]


def test_a_month_that_is_over_is_true_while_nothing_was_sent_since(ctx, make, invited, clock):
    clock.advance(days=20)
    assert differences(ctx) == ()
    change(ctx, "UPDATE coverage SET month_count = 12")
    assert differences(ctx) == ()
    make.matched_lead()
    assert row_of(make, invited).month_count == 1
    change(ctx, "UPDATE coverage SET month = '2026-11-01', month_count = 12")
    assert columns(ctx, mend=True) == [
        ("month", "2026-11-01", "2026-12-01"),
        ("month_count", "12", "1"),
    ]


def test_one_that_comes_back_was_sent_once(ctx, make, clock):
    provider = make.provider()
    lead = make.matched_lead()
    (invitation,) = held(make, lead)
    with ctx.transaction() as tx:
        row = invitation_queries.lock_invitation(tx.session, invitation.id)
        row.open_by = tx.now  # it was not opened in time
        endings.end(tx, OPERATOR, row, InvitationEvent.RELEASE)
    invitations.look_at_invitation(ctx, person_of(provider.id), invitation.id)
    row = row_of(make, provider)
    assert (row.open_count, row.month_count) == (1, 1)


def test_a_clock_that_is_behind_neither_turns_the_month_back_nor_adds_to_the_next(ctx, make, clock):
    provider = make.provider()
    clock.now = clock.now.replace(month=12, day=1, hour=0, minute=0, second=1)
    behind = replace(ctx, clock=lambda: clock.now - timedelta(seconds=2))
    for each in (ctx, behind, ctx, behind):
        matching.match_lead(each, make.lead().id)
    row = row_of(make, provider)
    assert (row.month, row.month_count, row.open_count) == (date(2026, 12, 1), 2, 4)
    assert differences(ctx) == ()
    assert differences(behind) == ()


def test_batches_leave_nobody_out(ctx, make, monkeypatch):
    monkeypatch.setattr(checking, "BATCH", 3)
    providers = [make.provider() for _ in range(7)]
    change(ctx, "UPDATE coverage SET open_count = 1")
    done = []
    report = check_coverage(ctx, OPERATOR, progress=lambda *each: done.append(each))
    assert {each.provider_id for each in report.differences} == {each.id for each in providers}
    assert done == [(3, 7), (6, 7), (7, 7)]


def test_only_an_operator_may(ctx):
    with pytest.raises(NotAllowed):
        check_coverage(ctx, ANYBODY)


def test_a_difference_that_was_only_the_moments_is_none(ctx, make, invited, beside):
    """It is seen while somebody who holds the provider is just putting it right."""
    change(ctx, "UPDATE coverage SET open_count = 9")
    held_now = threading.Event()

    def put_right():
        with ctx.transaction() as tx:
            coverage.lock_providers(tx.session, [invited.id])[invited.id].open_count = 2
            tx.session.flush()
            held_now.set()
            wait_until_somebody_waits_for_a_lock(tx.session)

    def check():
        held_now.wait(10)
        return differences(ctx, mend=True)

    assert beside(put_right, check) == [None, ()]
    assert events(make) == []


def wait_until_somebody_waits_for_a_lock(session):
    for _ in range(500):
        if session.scalar(text("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")):
            return
        time.sleep(0.02)
    raise AssertionError("nobody waited")


def test_rows_are_mended_while_matches_and_answers_go_on(ctx, make, beside):
    for _ in range(8):
        make.provider(open_capacity=6)
    leads = [make.lead() for _ in range(12)]
    change(ctx, "UPDATE coverage SET open_count = 4, month_count = 0 WHERE shuffle % 2 = 0")
    going_on = threading.Event()

    def match(some):
        for lead in some:
            matching.match_lead(ctx, lead.id)
            for invitation in held(make, lead)[:2]:
                actor = person_of(invitation.provider_id)
                invitations.decline_invitation(
                    ctx, actor, invitation.id, reason=DeclineReason.OTHER
                )
            matching.match_lead(ctx, lead.id)

    def keep_mending():
        found = []
        while not going_on.is_set():
            found += differences(ctx, mend=True)
        return found

    def everybody():
        try:
            beside(
                *[lambda some=some: match(some) for some in (leads[::3], leads[1::3], leads[2::3])]
            )
        finally:
            going_on.set()

    found, _ = beside(keep_mending, everybody)
    # Nothing but the damage was ever found, each once: what goes on looks true at any moment.
    assert {each.column for each in found} <= {"open_count", "month_count"}
    assert len({(each.provider_id, each.column) for each in found}) == len(found) > 0
    assert differences(ctx) == ()
    assert len(make.ask(lambda s: s.scalars(select(Invitation)).all())) > 36
