"""How the promise is kept: what counts when, in which group, and what the public sees of it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from statistics import quantiles

import pytest

from marketplace.core.db import new_id
from marketplace.core.errors import Invalid, NotAllowed
from marketplace.insights.commitment_rows import Group
from marketplace.insights.commitments import commitment_report, public_figures
from marketplace.insights.periods import RECENT
from marketplace.invitations import endings, questions
from marketplace.invitations import service as invitations
from marketplace.leads import clock as clocks
from marketplace.matching import service as matching
from marketplace.matching import striking
from marketplace.notifications.models import Commitment
from marketplace.notifications.rules import CommitmentState
from marketplace.quotes import comparison, outcome
from tests.factories import ADMIN, business_of, person_of
from tests.services.road import a_quote, held

TICK = timedelta(microseconds=1)
HOUR = timedelta(hours=1)


def report(ctx, **asked):
    return commitment_report(ctx, ADMIN, **asked)


def counts(row):
    return (row.met, row.missed, row.ended)


def row_of(ctx, by, key, **asked):
    rows = {row.key: row for row in report(ctx, by=by, **asked).rows}
    return rows.get(str(key))


def ask(ctx, invitation):
    who = person_of(invitation.provider_id)
    return questions.ask_question(ctx, who, invitation.id, text="How many shifts?")


def test_each_is_counted_from_the_moment_at_which_it_was_decided(ctx, make, clock):
    make.provider()
    opened = clock.now
    met, missed, ended = (make.matched_lead() for _ in range(3))
    assert counts(report(ctx).total) == (0, 0, 0)
    clock.now = opened + HOUR
    outcome.close_request(ctx, business_of(ended), reason="not_now")
    assert counts(report(ctx).total) == (0, 0, 1)
    clock.now = opened + 2 * HOUR
    ask(ctx, held(make, met)[0])
    assert counts(report(ctx).total) == (1, 0, 1)
    clock.now = opened + 24 * HOUR - TICK
    assert counts(report(ctx).total) == (1, 0, 1)
    clock.now += TICK
    assert counts(report(ctx).total) == (1, 1, 1)  # no sweep has been there yet
    clock.now += HOUR
    unswept = report(ctx)
    clocks.settle_due_commitments(ctx)
    assert report(ctx) == unswept
    assert (unswept.total.n, unswept.total.share_met, unswept.total.percent_met) == (2, 0.5, 50)
    assert (unswept.total.responses, unswept.total.median_hours) == (1, 2.0)
    assert make.ask(lambda session: session.get(Commitment, missed.id).state) == "missed"


def test_a_period_begins_with_its_first_moment_and_ends_before_its_last(ctx, make, clock):
    make.provider()
    lead = make.matched_lead()
    clock.now = decided = clock.now + 2 * HOUR
    ask(ctx, held(make, lead)[0])
    clock.now += 400 * HOUR
    for since, until, met in (
        (decided, decided + TICK, 1),
        (decided - HOUR, decided, 0),
        (decided + TICK, clock.now, 0),
        (decided, clock.now + 1000 * HOUR, 1),  # not later than now
        (None, decided + TICK, 1),
        (decided + TICK, None, 0),
    ):
        found = report(ctx, since=since, until=until)
        assert found.total.met == met, (since, until)
        assert found.until <= clock.now
    assert report(ctx, until=decided + TICK).since == decided + TICK - RECENT
    for since, until in ((decided, decided), (clock.now, None), (decided, decided - HOUR)):
        with pytest.raises(Invalid, match="since"):
            report(ctx, since=since, until=until)


def test_a_response_that_came_too_late_is_a_miss_and_its_time_is_told_all_the_same(
    ctx, make, clock
):
    make.provider()
    opened = clock.now
    lead = make.matched_lead()
    (invitation,) = held(make, lead)
    clock.now = invitation.open_by - TICK
    invitations.accept_invitation(ctx, person_of(invitation.provider_id), invitation.id)
    late = make.provider()
    clock.now = opened + 23 * HOUR
    invitations.decline_invitation(
        ctx, person_of(invitation.provider_id), invitation.id, reason="other"
    )
    endings.replace_invitation(ctx, business_of(lead), invitation.id)
    matching.match_lead(ctx, lead.id)
    clock.now = opened + 30 * HOUR
    ask(ctx, held(make, lead)[-1])
    found = report(ctx)
    assert counts(found.total) == (0, 1, 0)
    assert (found.total.responses, found.total.median_hours) == (1, 30.0)
    # The provider that was asked late answered within its own window.
    assert counts(row_of(ctx, Group.PROVIDER, late.id)) == (1, 0, 0)
    assert row_of(ctx, Group.PROVIDER, late.id).median_hours == 7.0
    assert counts(row_of(ctx, Group.PROVIDER, invitation.provider_id)) == (0, 0, 1)


def test_a_request_is_in_the_row_of_each_of_its_standards_and_regions_and_of_its_week(
    ctx, make, clock
):
    make.provider()
    clock.now = datetime(2026, 11, 29, 23, 0, tzinfo=UTC)  # a Sunday
    one = make.matched_lead(standards=["ISO 9001", "ISO 14001"], regions=["AU-NSW", "AU-VIC"])
    other = make.matched_lead()
    ask(ctx, held(make, one)[0])
    clock.now += HOUR
    ask(ctx, held(make, other)[0])
    rows = {(row.by, row.key): (row.name, *counts(row)) for row in report(ctx).rows}
    (provider,) = {row.key for row in report(ctx, by=Group.PROVIDER).rows}
    assert rows == {
        ("week", "2026-11-23"): ("2026-11-23", 1, 0, 0),
        ("week", "2026-11-30"): ("2026-11-30", 1, 0, 0),
        ("standard", "ISO 14001"): ("ISO 14001", 1, 0, 0),
        ("standard", "ISO 9001"): ("ISO 9001", 2, 0, 0),
        ("region", "AU-NSW"): ("New South Wales", 2, 0, 0),
        ("region", "AU-VIC"): ("Victoria", 1, 0, 0),
        ("provider", provider): ("Consultant Number 1", 2, 0, 0),
    }
    assert report(ctx).total.n == 2


def never(ctx, clock, one):
    clock.now = one.open_by


def opens_and_is_silent(ctx, clock, one):
    invitations.look_at_invitation(ctx, person_of(one.provider_id), one.id)
    clock.now = one.respond_by


def declines(ctx, clock, one):
    invitations.decline_invitation(ctx, person_of(one.provider_id), one.id, reason="other")


def asks(ctx, clock, one):
    ask(ctx, one)


def quotes(ctx, clock, one):
    a_quote(ctx, one)


def is_passed_over(ctx, clock, one):
    outcome.close_lead(ctx, ADMIN, one.lead_id, reason="the business called")


def comes_back_and_quotes(ctx, clock, one):
    clock.now = one.open_by
    endings.end_due_invitations(ctx)
    invitations.look_at_invitation(ctx, person_of(one.provider_id), one.id)
    a_quote(ctx, one)


def never_and_is_forgiven(ctx, clock, one):
    clock.now = one.open_by
    endings.end_due_invitations(ctx)
    striking.strike_miss(ctx, ADMIN, one.id, reason="Our mail did not reach you.")


@pytest.mark.parametrize(
    ("what", "figures"),
    [
        (never_and_is_forgiven, (0, 0, 1)),
        (never, (0, 1, 0)),
        (opens_and_is_silent, (0, 1, 0)),
        (declines, (0, 0, 1)),
        (asks, (1, 0, 0)),
        (quotes, (1, 0, 0)),
        (is_passed_over, (0, 0, 1)),
        (comes_back_and_quotes, (1, 0, 0)),
    ],
)
def test_what_a_provider_does_is_met_missed_or_in_no_rate(ctx, make, clock, what, figures):
    make.provider()
    (one,) = held(make, make.matched_lead())
    assert row_of(ctx, Group.PROVIDER, one.provider_id) is None
    clock.now += HOUR
    what(ctx, clock, one)
    unswept = row_of(ctx, Group.PROVIDER, one.provider_id)
    assert counts(unswept) == figures
    endings.end_due_invitations(ctx)
    assert row_of(ctx, Group.PROVIDER, one.provider_id) == unswept
    clock.now += 30 * HOUR
    endings.end_due_invitations(ctx)
    assert row_of(ctx, Group.PROVIDER, one.provider_id) == unswept


def test_how_soon_a_provider_responds_is_the_same_wherever_it_is_told(ctx, make, clock):
    provider = make.provider()
    leads = [make.matched_lead() for _ in range(3)]
    for lead in leads:
        clock.now += HOUR
        ask(ctx, held(make, lead)[0])
    page = comparison.request_page(ctx, business_of(leads[0]))
    said = page["invitations"][0]["provider"]["responds_within_hours"]
    assert said == row_of(ctx, Group.PROVIDER, provider.id).median_hours == 2.0


def decided(ctx, hours, *, missed=0):
    """Enter commitments that were met after so many hours, and some that were missed."""
    now = ctx.clock()
    with ctx.transaction() as tx:
        for took in [*hours, *[None] * missed]:
            started = now - timedelta(hours=took or 24)
            tx.session.add(
                Commitment(
                    lead_id=new_id(),
                    state=CommitmentState.MISSED if took is None else CommitmentState.MET,
                    started_at=started,
                    at_risk_at=started + 18 * HOUR,
                    due_at=started + 24 * HOUR,
                    calendar="clock_hours",
                    policy={},
                    target=3,
                    first_response_at=None if took is None else now,
                    settled_at=now,
                )
            )


def test_the_median_and_the_ninetieth_percentile_are_those_of_the_hours(ctx):
    hours = [1, 2, 3, 4, 5, 6, 7, 8, 9, 20]
    decided(ctx, hours)
    total = report(ctx).total
    assert total.median_hours == 5.5
    assert total.p90_hours == pytest.approx(quantiles(hours, n=10, method="inclusive")[-1])


def test_the_public_sees_figures_from_a_stated_number_on_and_never_rounded_up(ctx, clock):
    ctx = replace(ctx, policy=replace(ctx.policy, public_figures_from=200))
    decided(ctx, [2.5] * 199)
    assert public_figures(ctx) is None
    decided(ctx, [2.5], missed=1)
    shown = public_figures(ctx)
    assert (shown.since, shown.until) == (clock.now - RECENT, clock.now)
    assert shown.figures == report(ctx).total
    assert (shown.figures.n, shown.figures.percent_met) == (201, 99)
    assert shown.figures.median == timedelta(hours=2.5)
    clock.now += RECENT + TICK
    assert public_figures(ctx) is None


def test_many_misses_do_not_make_a_median_of_a_few_responses(ctx):
    decided(ctx, [1] * (ctx.policy.public_figures_from - 1), missed=50)
    assert public_figures(ctx) is None


def test_it_is_for_administrators(ctx, make):
    with pytest.raises(NotAllowed):
        commitment_report(ctx, person_of(make.provider().id))
