"""The fairness report: of which time it is, who is in it, and how it is read."""

from datetime import UTC, date, datetime, timedelta

import pytest

from marketplace.insights.fairness import fairness
from marketplace.insights.statements import own_statement
from marketplace.invitations import service as invitations
from marketplace.matching import service as matching
from marketplace.matching import settling
from tests.factories import ADMIN, person_of
from tests.services.market import a_market
from tests.services.road import held

TICK = timedelta(microseconds=1)
NOVEMBER, DECEMBER = date(2026, 11, 1), date(2026, 12, 1)


def test_an_invitation_by_hand_is_a_turn_of_one_that_was_owed_to_all_of_its_band(ctx, make):
    lead = make.lead()
    provider, _ = make.provider(), make.provider()
    matching.invite_by_hand(ctx, ADMIN, lead.id, provider.id, why="the business asked")
    shares = {each.provider_id == provider.id: each for each in fairness(ctx, ADMIN).shares}
    for chosen, share in shares.items():
        had = (1, 1) if chosen else (0, 0)
        assert (share.eligible, share.entitled, share.invited, share.by_hand) == (1, 0.5, *had)
        assert (share.difference, share.balance) == ((0.5, -0.5) if chosen else (-0.5, 0.5))


def test_who_could_not_be_chosen_is_not_in_it(ctx, make):
    make.provider(regions=("NZ",))
    provider = make.provider()
    make.matched_lead()
    assert [share.provider_id for share in fairness(ctx, ADMIN).shares] == [provider.id]


def test_months_are_counted_by_themselves_and_together(ctx, make, clock):
    provider = make.provider()
    clock.now = datetime(2026, 11, 30, 23, 59, 59, 999999, tzinfo=UTC)
    make.matched_lead()
    clock.now += TICK
    make.matched_lead()
    make.matched_lead()

    def figures(**asked):
        return [(each.eligible, each.invited) for each in fairness(ctx, ADMIN, **asked).shares]

    assert figures(month=NOVEMBER) == [(1, 1)]
    assert figures(month=DECEMBER) == [(2, 2)]
    assert figures(months=1) == [(2, 2)]
    assert figures(months=2) == [(3, 3)]
    assert figures() == [(3, 3)]
    assert figures(month=date(2026, 10, 1)) == []
    clock.advance(days=90)  # the first of March, which reaches back into December
    assert figures() == [(3 - 1, 3 - 1)]
    assert provider.id == fairness(ctx, ADMIN, months=12).shares[0].provider_id


def test_a_turn_that_comes_back_in_the_next_month_is_undone_in_the_one_it_belongs_to(
    ctx, make, clock
):
    three = [make.provider() for _ in range(3)]
    clock.now = datetime(2026, 11, 30, 23, tzinfo=UTC)
    lead = make.matched_lead()
    clock.advance(hours=2)
    make.provider()
    make.matched_lead()
    for each in held(make, lead)[:2]:
        who = person_of(each.provider_id)
        invitations.decline_invitation(ctx, who, each.id, reason="out_of_scope")
    settling.settle_ended_invitations(ctx)

    def figures(month):
        shares = fairness(ctx, ADMIN, month=month).shares
        assert sum(each.difference for each in shares) == pytest.approx(0, abs=0.02)
        return sorted(each.entitled for each in shares)

    # Of the three turns that were dealt in November two came back.
    assert figures(NOVEMBER) == pytest.approx([1 / 3] * 3, abs=0.01)
    assert figures(DECEMBER) == [0.75] * 4
    statement = own_statement(ctx, person_of(three[0].id), month=None)
    assert (statement.entitled, statement.months.first) == (0.75, DECEMBER)


def test_what_a_late_clock_dealt_into_the_next_month_is_undone_there(ctx, make, clock):
    provider = make.provider()
    clock.now = datetime(2026, 12, 1, tzinfo=UTC)
    make.matched_lead()
    clock.advance(minutes=-5)
    (invitation,) = held(make, make.matched_lead())
    invitations.decline_invitation(
        ctx, person_of(provider.id), invitation.id, reason="out_of_scope"
    )
    settling.settle_ended_invitations(ctx)
    clock.advance(minutes=5)
    assert own_statement(ctx, person_of(provider.id), month=DECEMBER).entitled == 1


@pytest.mark.parametrize(
    ("asked", "first", "last", "until"),
    [
        ({}, date(2026, 8, 1), NOVEMBER, datetime(2026, 11, 23, 9, tzinfo=UTC)),
        ({"months": 12}, date(2025, 12, 1), NOVEMBER, datetime(2026, 11, 23, 9, tzinfo=UTC)),
        ({"month": NOVEMBER}, NOVEMBER, NOVEMBER, datetime(2026, 11, 23, 9, tzinfo=UTC)),
        (
            {"month": date(2025, 12, 1)},
            date(2025, 12, 1),
            date(2025, 12, 1),
            datetime(2026, 1, 1, tzinfo=UTC),
        ),
    ],
)
def test_the_period_is_told(ctx, asked, first, last, until):
    report = fairness(ctx, ADMIN, **asked)
    assert (report.months.first, report.months.last, report.until) == (first, last, until)
    assert (report.n, report.shares, report.following) == (0, [], None)
    assert (report.gini, report.mean_difference, report.max_difference) == (None, None, None)


def test_newcomers_are_marked(ctx, make, clock):
    old = make.provider()
    clock.now = datetime(2027, 3, 1, tzinfo=UTC)
    new = make.provider()
    make.matched_lead()
    marked = {each.provider_id: each.newcomer for each in fairness(ctx, ADMIN, months=1).shares}
    assert marked == {old.id: False, new.id: True}
    assert all(each.newcomer for each in fairness(ctx, ADMIN, months=5).shares)


def test_pages_of_fairness_fit_together_and_have_the_figures_of_the_whole(ctx, make, clock):
    a_market(ctx, make, clock, 4, leads=4)
    whole = fairness(ctx, ADMIN)
    paged, after = [], None
    while after is not None or not paged:
        part = fairness(ctx, ADMIN, limit=2, after=after)
        assert len(part.shares) <= 2
        paged += part.shares
        after = part.following
        same = ("n", "gini", "gini_n", "mean_difference", "max_difference")
        assert [getattr(part, name) for name in same] == [getattr(whole, name) for name in same]
    assert paged == whole.shares
    assert len(paged) > 2
