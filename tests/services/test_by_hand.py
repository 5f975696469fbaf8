"""An administrator's own choice: a turn like any other, and no way around what must be so."""

from dataclasses import replace

import pytest
from sqlalchemy import func, select

from marketplace.core.db import new_id
from marketplace.core.errors import Conflict, NotFound
from marketplace.matching import explanation, runs
from marketplace.matching import service as matching
from marketplace.matching.invitable import invitable
from marketplace.matching.models import Credit, MatchingRun
from tests.factories import ADMIN
from tests.services.road import held


def invite(ctx, lead, provider):
    return matching.invite_by_hand(ctx, ADMIN, lead.id, provider.id, why="the business asked")


def owed(make):
    return make.ask(lambda s: s.scalar(select(func.sum(Credit.balance))))


def test_it_is_stored_as_a_run_that_says_so_and_can_be_replayed(ctx, make):
    chosen, other = make.provider(name="Chosen Pty Ltd"), make.provider(name="Other Pty Ltd")
    make.provider(name="Far Away Pty Ltd", regions=("NZ",))
    lead = make.lead()
    invite(ctx, lead, chosen)
    (run,) = make.ask(lambda s: s.scalars(select(MatchingRun)).all())
    assert runs.replay_agrees(run) is True
    assert run.outcome == "1 of 3 empty places filled from 2 eligible: by hand"
    said = {row["provider_id"]: row["why"] for row in explanation.view(run)["bench"]}
    assert said == {
        str(chosen.id): "was invited by hand into place 1: the business asked",
        str(other.id): "was eligible, but an administrator gave the place to another by hand",
    }
    answer = explanation.explain_matching(ctx, ADMIN, lead.id, provider_id=other.id)
    assert answer["why_not"] == f"Other Pty Ltd {said[str(other.id)]}."


def test_whoever_is_chosen_is_on_a_bench_that_is_full_without_it(ctx, make):
    ctx = replace(ctx, policy=replace(ctx.policy, bench_size=3))
    for each in [make.provider() for _ in range(8)]:
        invite(ctx, make.lead(), each)
        assert owed(make) == pytest.approx(0, abs=1e-6)
    for run in make.ask(lambda s: s.scalars(select(MatchingRun)).all()):
        assert len(runs.turns_of(run)) == 3
        assert runs.replay_agrees(run)


def offered(ctx, lead, words=""):
    try:
        return invitable(ctx, ADMIN, lead.id, words=words, at_most=100)
    except Conflict:
        return None


def test_whoever_is_offered_can_be_invited_and_nobody_else_can(ctx, make):
    bodies = [
        make.provider("certification_body", name=f"Body {number}", standards=("ISO 9001",))
        for number in range(2)
    ]
    related, others = (
        make.provider(name="Related"),
        [make.provider(name=f"Other {number}") for number in range(3)],
    )
    for each in bodies:
        make.relationship(related, each)
    far = make.provider(name="Far", regions=("NZ",))
    applied = make.provider(name="Applied", state="applied")
    everybody = [applied, far, related, others[0], bodies[0], others[1], others[2], bodies[1]]
    lead, done = make.lead(service="either"), []
    for each in everybody:
        found = offered(ctx, lead)
        named = offered(ctx, lead, each.name)
        may = found is not None and each.id in {one.id for one in found.may}
        if named is not None:
            assert may is (each.id in {one.id for one in named.may})
            assert may is not (each.id in {one.provider.id for one in named.may_not})
        if may:
            invite(ctx, lead, each)
            done.append(each)
            continue
        with pytest.raises(Conflict) as refused:
            invite(ctx, lead, each)
        if named is not None:
            (why,) = [one.why for one in named.may_not if one.provider.id == each.id]
            assert why in refused.value.args[0]
    assert done == [others[0], bodies[0], others[1]]


def test_nobody_is_invited_who_is_not_there(ctx, make):
    lead = make.lead()
    with pytest.raises(NotFound):
        matching.invite_by_hand(ctx, ADMIN, lead.id, new_id(), why="a slip of the pen")
    assert held(make, lead) == []


def test_the_last_place_is_kept_for_the_kind_that_a_request_for_either_has_not(ctx, make):
    body = make.provider("certification_body", standards=("ISO 9001",))
    consultants = [make.provider() for _ in range(3)]
    lead = make.lead(service="either")
    for each in consultants[:2]:
        invite(ctx, lead, each)
    with pytest.raises(Conflict, match="no place for a certification body"):
        invite(ctx, lead, consultants[2])
    matching.match_lead(ctx, lead.id)
    assert body.id in {each.provider_id for each in held(make, lead)}


def test_where_nobody_of_the_other_kind_is_eligible_all_the_places_can_be_given(ctx, make):
    make.provider("certification_body", regions=("NZ",))
    lead = make.lead(service="either")
    for each in [make.provider() for _ in range(3)]:
        invite(ctx, lead, each)
    assert len(held(make, lead)) == 3


def test_of_the_last_invitation_that_a_lead_may_lead_to_the_same_is_true(ctx, make):
    ctx = replace(ctx, policy=replace(ctx.policy, max_invitations=2))
    make.provider("certification_body", standards=("ISO 9001",))
    lead = make.lead(service="either")
    invite(ctx, lead, make.provider())
    with pytest.raises(Conflict, match="no place for a certification body"):
        invite(ctx, lead, make.provider())


def test_a_relative_that_would_keep_the_other_kind_out_is_not_invited(ctx, make):
    body = make.provider("certification_body", standards=("ISO 9001",))
    first, relative = make.provider(), make.provider()
    make.relationship(relative, body)
    lead = make.lead(service="either")
    with pytest.raises(Conflict, match="no place for a certification body"):
        invite(ctx, lead, relative)
    invite(ctx, lead, first)
