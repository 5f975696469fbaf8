"""Everybody's fair turn through whole matches on the database, and not only in the rules."""

from collections import Counter
from dataclasses import replace

import pytest
from sqlalchemy import select

from marketplace.invitations.models import Invitation
from marketplace.matching.models import Credit
from marketplace.matching.service import match_lead


@pytest.mark.parametrize("places", [1, 3])
def test_two_hundred_equal_leads_over_ten_equals_differ_by_two_at_most(ctx, make, clock, places):
    equals = [make.provider().id for _ in range(10)]
    so_many_places = replace(ctx, policy=replace(ctx.policy, places=places))
    lead = make.lead()
    for each in [lead.id, *make.leads_like(lead, 199)]:
        clock.advance(minutes=7)
        match_lead(so_many_places, each)
    counts = Counter(make.ask(lambda s: s.scalars(select(Invitation.provider_id)).all()))
    assert counts.keys() == {*equals}
    assert sum(counts.values()) == 200 * places
    assert max(counts.values()) - min(counts.values()) <= 2
    accounts = make.ask(lambda s: s.scalars(select(Credit)).all())
    assert sum(each.balance for each in accounts) == pytest.approx(0, abs=1e-6)
    for each in accounts:
        assert abs(each.balance) <= 1
        assert each.eligible == 200
        assert each.entitled == pytest.approx(20 * places, abs=1e-6)
