"""Why not me: what a provider is told in one sentence, and that it is true then and now."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import update

from marketplace.matching import explanation
from marketplace.matching import service as matching
from marketplace.providers.models import Coverage, Provider
from tests.factories import ADMIN


def explained(ctx, lead, provider=None):
    return explanation.explain_matching(
        ctx, ADMIN, lead.id, provider_id=None if provider is None else provider.id
    )


def set_coverage(ctx, provider, **values):
    with ctx.transaction() as tx:
        of_it = Coverage.provider_id == provider.id
        tx.session.execute(update(Coverage).where(of_it).values(**values))


def asked_by(ctx, lead, provider):
    """Return the answer to a provider's question, without its name and the full stop."""
    answer = explained(ctx, lead, provider)["why_not"]
    assert answer.startswith(f"{provider.name} ")
    assert answer.endswith(".")
    return answer.removeprefix(f"{provider.name} ").removesuffix(".")


LOOKED = "when providers were last looked for (2026-11-23 09:00 UTC)"
FULL = "had as many open invitations as it took"
MONTH = "had been invited as often that month as it took"


@pytest.mark.parametrize(
    ("then", "today", "said"),
    [
        ({"open_capacity": 0}, {"open_capacity": 9}, f"{FULL}; it would be eligible now"),
        (
            {"open_capacity": 0},
            {"open_capacity": 9, "monthly_capacity": 0},
            f"{FULL}; now it was invited as often this month as it takes (0)",
        ),
        ({"monthly_capacity": 0}, {"monthly_capacity": 9}, f"{MONTH}; it would be eligible now"),
        ({"regions": ("NZ",)}, {}, "does not cover AU-NSW"),
        (
            {"regions": ("NZ",)},
            {"regions": ["AU"], "headcount_min": 90},
            "does not cover AU-NSW; now it takes businesses of 90 to 1000000 people",
        ),
    ],
)
def test_what_kept_it_out_then_is_told_and_what_does_now_where_that_is_something_else(
    ctx, make, then, today, said
):
    provider = make.provider(**then)
    lead = make.matched_lead()
    if today:
        set_coverage(ctx, provider, **today)
    assert asked_by(ctx, lead, provider) == said


def test_who_was_not_there_or_not_verified_yet_is_told_so(ctx, make, clock):
    make.provider()
    lead = make.matched_lead()
    clock.advance(hours=1)
    late = make.provider()
    unverified = make.provider(state="applied")
    assert asked_by(ctx, lead, late) == f"had not joined yet {LOOKED}; it would be eligible now"
    with ctx.transaction() as tx:
        row = tx.session.get_one(Provider, unverified.id)
        row.created_at, row.verified_at = clock.now - timedelta(days=1), None
    assert asked_by(ctx, lead, unverified) == (
        f"was not verified yet {LOOKED}; now it is applied, and only verified providers are invited"
    )


def test_providers_were_last_looked_for_when_the_same_was_last_seen(ctx, make, clock):
    lead = make.matched_lead()
    clock.advance(hours=5)
    matching.match_lead(ctx, lead.id)
    clock.advance(hours=1)
    assert "last looked for (2026-11-23 14:00 UTC)" in asked_by(ctx, lead, make.provider())


def test_everybody_whom_a_filter_took_out_is_named_where_everybody_was_looked_at(ctx, make):
    booked = [make.provider(open_capacity=0) for _ in range(70)]
    for _ in range(3):
        make.provider()
    lead = make.matched_lead()
    (run,) = explained(ctx, lead)["runs"]
    assert {each["provider_id"]: each["why"] for each in run["excluded"]} == {
        str(each.id): FULL for each in booked
    }


def test_the_random_point_is_spoken_of_only_where_the_bench_was_full(ctx, make):
    few = replace(ctx, policy=replace(ctx.policy, bench_size=4, funnel_sample=2))
    providers = [make.provider() for _ in range(5)]
    lead = make.lead()
    matching.match_lead(few, lead.id)
    on_it = {seat["provider_id"] for seat in explained(few, lead)["runs"][0]["bench"]}
    (other,) = (each for each in providers if str(each.id) not in on_it)
    point = (
        "was not among the 4 eligible providers, taken from a random point of a shuffled list, "
        "that took part in the turn; it would be eligible now"
    )
    joined_before(make, other)
    assert asked_by(few, lead, other) == point


def test_who_was_not_eligible_and_not_named_of_a_sample_is_not_told_that_it_was(ctx, make):
    few = replace(ctx, policy=replace(ctx.policy, funnel_sample=1))
    booked = [make.provider(open_capacity=0) for _ in range(2)]
    joined_before(make, *booked)
    lead = make.lead()
    matching.match_lead(few, lead.id)
    (named,) = explained(few, lead)["runs"][0]["excluded"]
    (other,) = (each for each in booked if str(each.id) != named["provider_id"])
    set_coverage(ctx, other, open_capacity=9)
    assert asked_by(few, lead, other) == (
        f"was not eligible {LOOKED}, and why was noted of some only; it would be eligible now"
    )


def joined_before(make, *providers):
    """Let providers have joined a day before."""
    for each in providers:
        with make.ctx.transaction() as tx:
            row = tx.session.get_one(Provider, each.id)
            row.created_at = row.verified_at = row.created_at - timedelta(days=1)


def test_places_that_were_filled_by_hand_are_told(ctx, make):
    one, two, three, four = (make.provider() for _ in range(4))
    lead = make.lead()
    assert asked_by(ctx, lead, four) == "is eligible, but nobody has been looked for yet"
    for each in (one, two, three):
        matching.invite_by_hand(ctx, ADMIN, lead.id, each.id, why="It asked us to. ")
    matching.match_lead(ctx, lead.id)
    assert asked_by(ctx, lead, one) == "was invited by hand, into place 1: It asked us to"
    assert asked_by(ctx, lead, four) == (
        "was eligible, but an administrator gave the place to another by hand; places 1, 2 and 3 "
        "were filled by hand"
    )
    other = make.lead()
    matching.invite_by_hand(ctx, ADMIN, other.id, one.id, why="It asked us to.")
    matching.match_lead(ctx, other.id)
    bench = explained(ctx, other)["runs"][0]["bench"]
    left_out = {seat["provider_id"]: seat["why"] for seat in bench if seat["place"] is None}
    (provider,) = (each for each in (two, three, four) if str(each.id) in left_out)
    told = f"{left_out[str(provider.id)]}; place 1 was filled by hand"
    assert asked_by(ctx, other, provider) == told
