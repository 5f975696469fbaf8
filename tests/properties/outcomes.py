"""What must be so after a match, whatever the market: one function per promise."""

from itertools import combinations
from uuid import UUID

import pytest
from sqlalchemy import select

from marketplace.invitations.models import Invitation
from marketplace.leads.models import Lead
from marketplace.matching import explanation, queries, runs
from marketplace.matching.models import Credit, MatchingRun
from marketplace.providers.models import Coverage
from tests.properties import oracle
from tests.properties.leads import LEAD
from tests.properties.markets import BODY, CONSULTANT, LIVE, Firm, Market
from tests.properties.product import id_of


class Outcome:
    """A market before and after its lead was matched."""

    def __init__(self, session, market: Market) -> None:
        self.market = market
        self.lead = session.get_one(Lead, LEAD)
        rows = session.scalars(select(Invitation).where(Invitation.lead_id == LEAD))
        self.invitations = {row.provider_id.int: row for row in rows}
        self.runs = session.scalars(select(MatchingRun)).all()
        self.credits = session.scalars(select(Credit.balance)).all()
        self.covered = {row.provider_id.int: row for row in session.scalars(select(Coverage))}
        self.rung_for = {
            firm.number
            for firm in market.firms
            if LEAD in queries.waiting_leads(session, id_of(firm.number))
        }

    @property
    def new(self) -> list[Firm]:
        held = [firm for firm in self.market.firms if not firm.was_invited]
        return [firm for firm in held if firm.number in self.invitations]

    @property
    def stays(self) -> list[Firm]:
        """Whose live invitations were there before, and still are."""
        return [
            firm
            for firm in self.market.firms
            if firm.was_invited and self.invitations[firm.number].state in LIVE
        ]

    @property
    def free_places(self) -> int:
        taken = {
            row.place
            for row in self.invitations.values()
            if row.state in LIVE or row.accepted_at is not None
        }
        return 3 - len(taken)


def nobody_loses_an_invitation_without_a_reason(outcome: Outcome) -> None:
    """Live ones are taken back from whoever may not take part any more."""
    market = outcome.market
    for firm in market.firms:
        if firm.was_invited:
            expected = firm.invitation.split()[0]
            if expected in LIVE and not (
                oracle.state(market, firm)
                and oracle.accreditation(market, firm)
                and oracle.has_not_advised(market, firm)
            ):
                expected = "withdrawn"
            assert outcome.invitations[firm.number].state == expected


def everybody_invited_may_be(outcome: Outcome) -> None:
    market = outcome.market
    for firm in outcome.new:
        assert oracle.broken(market, firm) == []
        assert outcome.invitations[firm.number].state == "sent"
    for one, other in combinations(outcome.new, 2):
        assert oracle.may_stand_together(market, one, other)
    live = [row for row in outcome.invitations.values() if row.state in LIVE]
    assert len({row.place for row in live}) == len(live) <= 3
    assert outcome.free_places >= 0


def nobody_is_missing(outcome: Outcome) -> None:
    """A place stays empty only where whoever is left may not stand beside those invited now."""
    market = outcome.market
    if outcome.free_places and len(outcome.invitations) < 9:
        for firm in oracle.eligible(market):
            assert firm in outcome.new or not all(
                oracle.may_stand_together(market, firm, each) for each in outcome.new
            )


def either_has_both_kinds_where_it_can(outcome: Outcome) -> None:
    market = outcome.market
    if market.ask.service != "either":
        return
    had = {firm.kind for firm in outcome.stays}
    could = oracle.eligible(market)
    places = outcome.free_places + len(outcome.new)
    places = min(places, 9 - len(outcome.invitations) + len(outcome.new))
    now = had | {firm.kind for firm in outcome.new}
    if len(had) == 1 and places and {firm.kind for firm in could} - had:
        assert now == {BODY, CONSULTANT}
    if not had and places >= 2:
        pairs = combinations(could, 2)
        assert (now == {BODY, CONSULTANT}) is any(
            one.kind != other.kind and oracle.may_stand_together(market, one, other)
            for one, other in pairs
        )


def what_is_in_use_is_counted(outcome: Outcome) -> None:
    for firm in outcome.new:
        row, (_, month, had) = outcome.covered[firm.number], firm.month
        assert row.open_count == firm.open[1] + 1
        this_month = outcome.market.today.replace(day=1)
        assert row.month == max(this_month, month)
        if month <= this_month:
            assert row.month_count == (had if month == this_month else 0) + 1
    assert sum(outcome.credits) == pytest.approx(0, abs=1e-6)


def it_is_written_down_why(outcome: Outcome) -> None:
    if not outcome.runs:
        assert outcome.new == []
        return
    (run,) = outcome.runs
    assert runs.replay_agrees(run) is True
    seen = explanation.view(run)
    assert {UUID(row["provider_id"]).int for row in seen["bench"]} == {
        firm.number for firm in oracle.eligible(outcome.market)
    }
    for row in seen["bench"]:
        firm = outcome.market.firm(UUID(row["provider_id"]).int)
        said = "was invited into place" if firm in outcome.new else "was eligible, but"
        assert row["why"].startswith(said)
        assert row["place"] == (outcome.invitations[firm.number].place if row["place"] else None)
    given = [place for each in seen["rounds"] for place in each["places"]]
    assert given == sorted(outcome.invitations[firm.number].place for firm in outcome.new)
    for row in seen["excluded"]:
        firm = outcome.market.firm(UUID(row["provider_id"]).int)
        assert row["filter"] == oracle.broken(outcome.market, firm)[0]
        assert row["why"]
    everybody = {UUID(row["provider_id"]).int for row in (*seen["bench"], *seen["excluded"])}
    assert everybody == {firm.number for firm in outcome.market.firms}


def it_waits_for_what_could_help(outcome: Outcome) -> None:
    market, lead = outcome.market, outcome.lead
    is_waiting = outcome.free_places > 0 and len(outcome.invitations) < 9
    assert (lead.waiting_since is not None) is is_waiting
    if not is_waiting:
        assert outcome.rung_for == set()
        return
    assert lead.waiting_reason
    eligible = oracle.eligible(market)
    if eligible:
        ruled_out = any(firm not in outcome.new for firm in eligible)
        assert lead.waiting_code == ("impartiality" if ruled_out else "too_few")
    else:
        assert lead.waiting_code == what_hinders_most(market)
    covering = (oracle.kind, oracle.standards, oracle.regions, oracle.headcount)
    assert outcome.rung_for == {
        firm.number for firm in market.firms if all(each(market, firm) for each in covering)
    }


def what_hinders_most(market: Market) -> str:
    """Of those of the kind, verified, with the standards and there: what most of them fail by.

    Of several that as many fail by, the one that comes last; where nobody is left, what left none.
    """
    left = list(market.firms)
    for sentence in oracle.SENTENCES[:5]:
        left = [firm for firm in left if sentence(market, firm)]
        if not left:
            return sentence.__name__
    reasons = [oracle.broken(market, firm)[0] for firm in left]
    names = [sentence.__name__ for sentence in oracle.SENTENCES]
    return max(reasons, key=lambda each: (reasons.count(each), names.index(each)))
