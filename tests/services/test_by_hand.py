"""An administrator's own choice: a turn like any other."""

from dataclasses import replace

import pytest
from sqlalchemy import func, select

from marketplace.core.db import new_id
from marketplace.core.errors import NotFound
from marketplace.matching import explanation, runs
from marketplace.matching import service as matching
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


def test_nobody_is_invited_who_is_not_there(ctx, make):
    lead = make.lead()
    with pytest.raises(NotFound):
        matching.invite_by_hand(ctx, ADMIN, lead.id, new_id(), why="a slip of the pen")
    assert held(make, lead) == []
