"""Reports and statements: every figure counted again by hand, from what happened."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import combinations, product
from statistics import fmean

import pytest
from sqlalchemy import select

from marketplace.core.errors import NotAllowed
from marketplace.core.events import Event
from marketplace.insights.coverage import coverage_report
from marketplace.insights.fairness import fairness
from marketplace.insights.statements import own_statement
from marketplace.invitations import endings
from marketplace.invitations import service as invitations
from marketplace.invitations.models import Invitation
from marketplace.leads.models import Lead
from marketplace.leads.service import submit_lead
from marketplace.matching import rules
from marketplace.matching import service as matching
from marketplace.matching.eligibility import covers
from marketplace.matching.models import Credit, CreditMonth
from marketplace.providers.facts import provider_facts
from marketplace.providers.models import Provider
from marketplace.providers.rules import AccreditationState, ProviderKind, ProviderState
from marketplace.quotes import outcome
from marketplace.web.api.common import LeadIn
from marketplace.web.requests import load
from tests.factories import ADMIN, business_of, lead_form, person_of
from tests.services.market import STANDARDS, a_market
from tests.services.road import a_quote, held

TICK = timedelta(microseconds=1)
KINDS = {
    "consulting": {ProviderKind.CONSULTANT},
    "certification": {ProviderKind.CERTIFICATION_BODY},
    "either": set(ProviderKind),
}


def every(make, table):
    return make.ask(lambda s: s.scalars(select(table).order_by(table.id)).all())


def cell_of(ctx, standard, region, kind="consultant"):
    """Return the figures of one cell: there, remote, asked, left with an empty place."""
    cells = {cell.key: cell for cell in coverage_report(ctx, ADMIN).cells}
    cell = cells.get((standard, region, kind))
    return cell and (cell.providers, cell.remote_providers, cell.n, cell.with_empty_place)


# Random markets


@pytest.mark.parametrize("seed", [2, 4])
def test_every_figure_is_what_counting_by_hand_gives(ctx, make, clock, seed):
    left_empty = a_market(ctx, make, clock, seed)
    assert_coverage_by_hand(ctx, make, clock, left_empty)
    assert_fairness_by_hand(ctx, make, clock)
    assert_statements_by_hand(ctx, make, clock)


def assert_coverage_by_hand(ctx, make, clock, left_empty):
    since, today = clock.now - timedelta(days=90), clock.now.date()
    leads = [lead for lead in every(make, Lead) if lead.opened_at >= since]
    ids = [each.id for each in every(make, Provider)]
    facts = make.ask(lambda s: provider_facts(s, ids, now=clock.now)).values()
    verified = [each for each in facts if each.state is ProviderState.VERIFIED]

    def takes(provider, standard):
        return standard in provider.standards and (
            provider.kind is ProviderKind.CONSULTANT
            or any(a.standard == standard and a.counts(today) for a in provider.accreditations)
        )

    able = [each for each in verified if any(takes(each, standard) for standard in STANDARDS)]
    named = {
        region
        for each in able
        for region in each.regions
        if "-" not in region or region.partition("-")[0] not in each.regions
    }
    named |= {region for lead in leads for region in lead.regions}
    expected = {}
    for standard, region, kind in product(STANDARDS, named, ProviderKind):
        those = [each for each in verified if each.kind is kind and takes(each, standard)]
        there = [each for each in those if covers(each, region)]
        remote = [each for each in those if each.remote and each not in there]
        asked = [
            lead
            for lead in leads
            if standard in lead.standards and region in lead.regions and kind in KINDS[lead.service]
        ]
        lacking = [lead for lead in asked if left_empty[lead.id]]
        if there or asked:
            figures = (len(there), len(remote), len(asked), len(lacking))
            expected[standard, region, str(kind)] = figures
    report = coverage_report(ctx, ADMIN)
    found = {
        cell.key: (cell.providers, cell.remote_providers, cell.n, cell.with_empty_place)
        for cell in report.cells
    }
    assert found == expected
    assert (report.n, report.providers) == (len(leads), len(verified))
    assert (report.since, report.until) == (since, clock.now)
    assert any(figures[3] for figures in expected.values())
    assert any(figures[2] > figures[3] for figures in expected.values())
    lacks = [cell.with_empty_place for cell in report.cells]
    assert lacks == sorted(lacks, reverse=True)


def assert_fairness_by_hand(ctx, make, clock):
    report = fairness(ctx, ADMIN)
    start = datetime(report.months.first.year, report.months.first.month, 1, tzinfo=UTC)
    assert start <= clock.now - timedelta(days=90) < start + timedelta(days=31)
    eligible, entitled, invited, back = Counter(), Counter(), Counter(), Counter()
    given_back = {
        each.subject_id for each in every(make, Event) if each.verb == "invitation.turn_given_back"
    }
    credits = make.ask(lambda s: s.scalars(select(Credit)).all())
    for kept in (*credits, *make.ask(lambda s: s.scalars(select(CreditMonth)).all())):
        if kept.month is not None and kept.month >= start.date():
            eligible[kept.provider_id] += kept.eligible
            entitled[kept.provider_id] += kept.entitled
    for each in every(make, Invitation):
        invited[each.provider_id] += each.sent_at >= start
        back[each.provider_id] += each.sent_at >= start and each.id in given_back
    had = invited - back
    concerned = {each for each in (*eligible, *invited) if eligible[each] or invited[each]}
    assert concerned == {share.provider_id for share in report.shares}
    for share in report.shares:
        key = share.provider_id
        assert (share.eligible, share.invited) == (eligible[key], invited[key])
        assert share.turns_given_back == back[key]
        assert share.entitled == pytest.approx(entitled[key], abs=0.006)
        assert share.difference == pytest.approx(had[key] - entitled[key], abs=0.006)
        credit = make.ask(lambda s, key=key: s.get(Credit, key))
        assert share.balance == pytest.approx(credit.balance, abs=0.006)
        assert share.weight == rules.weight(
            answered=credit.answered,
            missed=credit.missed,
            prior=ctx.policy.record_prior,
            bounds=ctx.policy.weight_bounds,
        )
    differences = [abs(had[key] - entitled[key]) for key in concerned]
    assert report.n == len(concerned) > 5
    assert report.max_difference == pytest.approx(max(differences), abs=0.006)
    assert report.mean_difference == pytest.approx(sum(differences) / report.n, abs=0.006)
    sizes = [abs(share.difference) for share in report.shares]
    assert sizes == sorted(sizes, reverse=True)
    ratios = [had[key] / entitled[key] for key in concerned if entitled[key] >= 1]
    assert report.gini_n == len(ratios)
    assert report.gini == pytest.approx(pairwise_gini(ratios), abs=0.001)
    apart = fmean(abs(one - other) for one, other in combinations(ratios, 2))
    assert report.percent_apart == pytest.approx(100 * apart / fmean(ratios), abs=0.6)
    for share in fairness(ctx, ADMIN, months=12).shares:
        # Since it all began: whoever had more than its share owes as much.
        assert share.difference == pytest.approx(-share.balance, abs=0.011)


def pairwise_gini(values):
    """The definition: half the mean difference between any two, as a share of the mean."""
    apart = sum(abs(one - other) for one, other in product(values, values))
    return apart / (2 * len(values) * sum(values))


def assert_statements_by_hand(ctx, make, clock):
    verbs = {}
    for event in every(make, Event):
        verbs.setdefault(event.subject_id, set()).add(event.verb)
    seen, sent = Counter(), every(make, Invitation)
    months = {date(each.sent_at.year, each.sent_at.month, 1) for each in sent}
    assert len(months) > 1
    for provider, month in product(every(make, Provider), sorted(months)):
        mine = [
            each
            for each in sent
            if each.provider_id == provider.id
            and (each.sent_at.year, each.sent_at.month) == (month.year, month.month)
        ]

        def count(*wanted, of=mine):
            return sum(
                bool({f"invitation.{verb}" for verb in wanted} & verbs[each.id]) for each in of
            )

        responded = [each for each in mine if each.responded_at is not None]
        answered = [
            each for each in mine if each in responded or "invitation.declined" in verbs[each.id]
        ]
        found = own_statement(ctx, person_of(provider.id), month=month)
        expected = {
            "invited": len(mine),
            "opened": sum(each.opened_at is not None for each in mine),
            "answered": len(answered),
            "answered_in_time": len(answered) - count("expired", of=answered),
            "declined": count("declined"),
            "released": count("released"),
            "expired": count("expired"),
            "won": count("won"),
            "turns_given_back": count("turn_given_back"),
        }
        assert {name: getattr(found, name) for name in expected} == expected
        seen.update(expected)
    assert all(seen.values()), seen


# Coverage


def test_whoever_covers_a_country_is_in_each_part_of_it_that_somebody_names(ctx, make):
    make.provider(regions=("AU",), standards=("ISO 9001",))
    make.provider(regions=("AU-NSW",), standards=("ISO 9001",))
    make.provider(regions=("AU", "AU-NSW"), standards=("ISO 9001",))
    make.lead(regions=["AU-VIC"])
    assert cell_of(ctx, "ISO 9001", "AU")[0] == 2
    assert cell_of(ctx, "ISO 9001", "AU-NSW")[0] == 3
    assert cell_of(ctx, "ISO 9001", "AU-VIC")[0] == 2
    assert cell_of(ctx, "ISO 9001", "AU-QLD") is None
    assert cell_of(ctx, "ISO 9001", "NZ") is None


def test_who_works_remotely_is_counted_apart_and_only_where_it_is_not(ctx, make):
    make.provider(regions=("NZ",), remote=True)
    make.provider(regions=("AU-NSW",), remote=True)
    make.lead(regions=["AU-NSW"])
    assert cell_of(ctx, "ISO 9001", "AU-NSW")[:2] == (1, 1)
    assert cell_of(ctx, "ISO 9001", "NZ")[:2] == (1, 1)


@pytest.mark.parametrize(
    ("changes", "counts"),
    [
        ({}, True),
        ({"valid_until": date(2026, 11, 23)}, True),
        ({"valid_until": date(2026, 11, 22)}, False),
        ({"valid_from": date(2026, 11, 23)}, True),
        ({"valid_from": date(2026, 11, 24)}, False),
        ({"state": AccreditationState.CLAIMED}, False),
        ({"state": AccreditationState.SUSPENDED}, False),
        ({"body": "NATA"}, False),
        ({"standard": "ISO 14001"}, False),
    ],
)
def test_a_body_counts_where_its_accreditation_does_today(ctx, make, changes, counts):
    body = make.provider("certification_body", standards=("ISO 9001",), accredited=False)
    make.accreditation(body, **changes)
    make.lead(service="certification")
    there = cell_of(ctx, "ISO 9001", "AU-NSW", "certification_body")[0]
    assert there == int(counts)


def test_a_second_accreditation_makes_no_second_provider(ctx, make):
    body = make.provider("certification_body")
    make.accreditation(body)
    assert cell_of(ctx, "ISO 9001", "AU", "certification_body")[0] == 1


@pytest.mark.parametrize("state", ["applied", "suspended", "rejected"])
def test_only_verified_providers_count(ctx, make, state):
    make.provider(state=state)
    assert coverage_report(ctx, ADMIN).cells == []


def test_a_request_is_in_each_of_its_cells(ctx, make):
    make.lead(service="either", standards=["ISO 9001", "ISO 14001"], regions=["AU-NSW", "NZ"])
    report = coverage_report(ctx, ADMIN)
    assert report.n == 1
    assert len(report.cells) == 2 * 2 * 2
    assert {(cell.n, cell.with_empty_place) for cell in report.cells} == {(1, 1)}


def test_a_request_counts_for_ninety_days_from_its_opening(ctx, make, clock):
    make.lead()
    clock.advance(days=90)
    assert coverage_report(ctx, ADMIN).n == 1
    clock.now += TICK
    report = coverage_report(ctx, ADMIN)
    assert (report.n, report.cells) == (0, [])


def test_one_that_was_not_opened_yet_is_none(ctx, make):
    careful = replace(ctx.policy, lead_confirmation="off", lead_review="always")
    submit_lead(replace(ctx, policy=careful), load(LeadIn(), lead_form(1)))
    report = coverage_report(ctx, ADMIN)
    assert (report.n, report.cells) == (0, [])


def lacking(ctx):
    cell = cell_of(ctx, "ISO 9001", "AU-NSW")
    return cell[2], cell[3]


def test_a_place_is_empty_from_when_its_holder_is_gone_until_another_has_it(ctx, make):
    for _ in range(3):
        make.provider()
    lead = make.matched_lead()
    assert lacking(ctx) == (1, 0)
    first = held(make, lead)[0]
    who = person_of(first.provider_id)
    invitations.decline_invitation(ctx, who, first.id, reason="no_capacity")
    assert lacking(ctx) == (1, 1)
    make.provider()
    matching.match_lead(ctx, lead.id)
    assert lacking(ctx) == (1, 0)


def test_a_request_that_ended_with_an_empty_place_goes_on_to_count(ctx, make):
    for _ in range(3):
        make.provider()
    full, short = make.matched_lead(), make.matched_lead()
    gone = held(make, short)[0]
    invitations.decline_invitation(ctx, person_of(gone.provider_id), gone.id, reason="other")
    for lead in (full, short):
        outcome.close_request(ctx, business_of(lead), reason="not_now")
    assert lacking(ctx) == (2, 1)


def test_a_place_whose_holder_saw_the_contact_is_not_empty_until_it_is_passed_on(ctx, make, clock):
    for _ in range(3):
        make.provider()
    lead = make.matched_lead()
    first, *others = held(make, lead)
    invitations.accept_invitation(ctx, person_of(first.provider_id), first.id)
    for each in others:
        a_quote(ctx, each)
    clock.now = first.respond_by
    endings.end_due_invitations(ctx)
    assert lacking(ctx) == (1, 0)
    endings.replace_invitation(ctx, business_of(lead), first.id)
    assert lacking(ctx) == (1, 1)


def test_where_to_recruit_next_comes_first(ctx, make):
    for number in range(3):
        make.provider(regions=("NZ",), standards=("ISO 9001",), name=f"Kea {number}")
    make.matched_lead(regions=["NZ"])
    for standard, times in (("ISO 45001", 1), ("ISO 9001", 2)):
        for _ in range(times):
            make.matched_lead(standards=[standard])
    cells = coverage_report(ctx, ADMIN).cells
    assert [(cell.standard, cell.region) for cell in cells] == [
        ("ISO 9001", "AU-NSW"),
        ("ISO 45001", "AU-NSW"),
        ("ISO 9001", "NZ"),
    ]
    assert [cell.share_with_empty_place for cell in cells] == [1.0, 1.0, 0.0]


def test_of_two_cells_as_bad_the_one_with_fewer_requests_and_then_providers_comes_first(ctx, make):
    make.provider(regions=("AU-WA",))
    for _ in range(3):
        make.provider(regions=("AU-NSW",))
    make.matched_lead(regions=["AU-NSW"])
    for region in ("AU-NSW", "AU-WA", "AU-QLD"):
        lead = make.matched_lead(regions=[region])
        if region == "AU-NSW":
            gone = held(make, lead)[0]
            who = person_of(gone.provider_id)
            invitations.decline_invitation(ctx, who, gone.id, reason="other")
    cells = [cell for cell in coverage_report(ctx, ADMIN).cells if cell.with_empty_place]
    assert [cell.region for cell in cells] == ["AU-QLD", "AU-WA", "AU-NSW"]


def test_pages_of_coverage_fit_together(ctx, make, clock):
    a_market(ctx, make, clock, 3, leads=2)
    whole = coverage_report(ctx, ADMIN)
    assert whole.following is None
    paged, after = [], None
    while after is not None or not paged:
        part = coverage_report(ctx, ADMIN, limit=4, after=after)
        paged += part.cells
        after = part.following
    assert paged == whole.cells
    assert len(paged) > 8
    nowhere = coverage_report(ctx, ADMIN, limit=4, after=("ISO 1", "AU", "consultant"))
    assert (nowhere.cells, nowhere.following) == ([], None)


def test_reports_are_for_administrators(ctx, make):
    who = person_of(make.provider().id)
    for report in (coverage_report, fairness):
        with pytest.raises(NotAllowed):
            report(ctx, who)
