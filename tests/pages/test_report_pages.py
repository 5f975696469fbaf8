"""Reports for administrators: figures, charts and tables of the last 90 days."""

import csv
from xml.etree import ElementTree

import pytest

from marketplace.invitations import endings, questions
from marketplace.leads import service as leads
from marketplace.matching import service as matching
from marketplace.web.api.common import LeadIn
from marketplace.web.requests import load
from tests.factories import ADMIN, lead_form, person_of
from tests.services.road import a_quote, held


@pytest.fixture
def decided(ctx, make, clock):
    """One request with a response in time, one without; return who responded."""
    provider = make.provider(name="=Harbour Quality Pty Ltd")
    (one,) = held(make, make.matched_lead())
    (other,) = held(make, make.matched_lead(standards=["ISO 14001"], regions=["AU-VIC"]))
    clock.advance(hours=2)
    questions.ask_question(ctx, person_of(provider.id), one.id, text="How many shifts?")
    clock.now = other.respond_by
    endings.end_due_invitations(ctx)
    return provider


def test_the_figures_are_there_with_how_many_they_are_of(decided, admin):
    page = admin.open("/admin/reports")
    text = " ".join(page.text.split())
    assert "50 % of 2 requests in time" in text
    assert "2 hours until the first response, for half of them" in text
    assert "23 November 202650 %21" in text
    by = {
        name: " ".join(admin.open(page.link(f"by={name}")).text.split())
        for name in ("standard", "region", "provider")
    }
    assert "ISO 9001100 %10" in by["standard"]
    assert "New South Wales100 %10" in by["region"]
    assert "Victoria0 %11none" in by["region"]
    assert "=Harbour Quality Pty Ltd" in by["provider"]
    assert "Requests by week" in admin.open("/admin/reports?by=nonsense").text


def test_the_heat_map_says_in_words_what_its_shades_say(decided, admin):
    text = " ".join(admin.open("/admin/reports/coverage").text.split())
    assert "2 requests" in text
    assert "New South WalesAU-NSW" in text
    assert "1 asked1 there100 % left empty" in text
    shades = ["none", "up to a quarter", "up to a half", "up to three quarters"]
    assert "".join([*shades, "more than three quarters"]) in text


def test_the_heat_map_says_as_of_when_it_is_and_is_never_older_than_a_minute(
    decided, admin, make, clock
):
    as_of = f"to 24 Nov 2026 {clock.now:%H:%M} UTC; counted anew every minute"
    assert as_of in admin.open("/admin/reports/coverage").text
    make.lead(standards=["ISO 9001"])
    clock.now = clock.now.replace(second=59)
    assert "2 requests" in admin.open("/admin/reports/coverage").text
    assert as_of in admin.page.text
    clock.advance(seconds=1)
    assert "3 requests" in admin.open("/admin/reports/coverage").text


def test_turns_are_told_against_the_fair_share(decided, admin):
    page = admin.open("/admin/reports/fairness")
    text = " ".join(page.text.split())
    assert "1 owed a turn or invited" in text
    assert "Gini" not in text  # one alone is not treated unequally
    assert "=Harbour Quality Pty Ltd: owed 2, had 2" in page.html


def test_a_gini_coefficient_is_said_as_the_part_of_a_share_between_two_providers(ctx, make, admin):
    first, second = make.provider(), make.provider()
    for number in range(4):
        lead = make.lead()
        chosen = first if number < 3 else second
        matching.invite_by_hand(ctx, ADMIN, lead.id, chosen.id, why="the business asked")
    text = " ".join(admin.open("/admin/reports/fairness").text.split())
    # Both were owed two turns: one had three of them, the other one.
    assert "of the 2 providers that were owed a turn or more" in text
    assert "one had 100 % of a fair share more than the other" in text
    assert "a Gini coefficient of 0.25" in text


def test_the_funnel_counts_in_every_step_what_came_further(ctx, decided, admin, make):
    make.lead(standards=["ISO 50001"])
    leads.submit_lead(ctx, load(LeadIn(), lead_form(70)))
    page = admin.open("/admin/reports/funnel")
    text = " ".join(page.text.split())
    for said in (
        "Of 4 forms", "Forms that were sent4100.0 %100.0 %", "Confirmed by e-mail375.0 %75.0 %",
        "Opened: the clock ran375.0 %100.0 %", "A provider was invited250.0 %66.7 %",
        "A provider responded125.0 %50.0 %", "A provider quoted00.0 %0.0 %",
    ):  # fmt: skip
        assert said in text, said
    assert page.html.count('<rect width="75.0%"') == 2


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/admin/reports", "week of 23 November 2026: 1 in time, 1 missed"),
        ("/admin/reports/fairness", "=Harbour Quality Pty Ltd: owed 2, had 2"),
    ],
)
def test_a_chart_says_in_words_what_it_shows(decided, admin, path, shown):
    page = admin.open(path)
    (image,) = [
        named
        for tag, named in page.elements
        if tag == "img" and ".svg" in named["src"] and "reports" in named["src"]
    ]
    assert image["alt"] == shown
    drawn = admin.client.get(image["src"])
    assert drawn.content_type == "image/svg+xml; charset=utf-8"
    assert shown in "".join(ElementTree.fromstring(drawn.data).itertext())


def test_what_is_quoted_is_a_table_of_ranges_with_how_many_they_are_of(ctx, make, admin):
    for fee in range(1000, 6000, 1000):
        lead, provider = make.lead(), make.provider()
        matching.invite_by_hand(ctx, ADMIN, lead.id, provider.id, why="the business asked")
        (last,) = held(make, lead)
        a_quote(ctx, last, f"{fee}.00", travel="0.00", currency="NZD" if fee == 5000 else "AUD")
    text = " ".join(admin.open("/admin/reports/quotes").text.split())
    assert "Consulting, in NZD" in text
    assert text.count("fewer than 5") == 6
    a_quote(ctx, last, "5000.00", travel="0.00")
    text = " ".join(admin.open("/admin/reports/quotes").text.split())
    assert "from 5 quotes by 5 providers up" in text
    assert "Consulting, in AUD" in text
    assert "NZD" not in text
    assert "ISO 9001, Australia" in text
    assert "Of any size3,000.002,000.00 to 4,000.005 quotes, 5 providers600.00" in text
    assert "26\N{EN DASH}65 peopleNew South Wales3,000.00" in text
    table = admin.client.get(admin.page.link("quotes.csv"))
    assert table.text.count("consulting,AUD,ISO 9001,AU") == 9
    none = admin.open("/admin/reports/quotes?from=&until=2026-11-22")
    assert "Nobody quoted on these days" in none.text
    assert "until=2026-11-22" in none.link("quotes.csv")
    wrong = admin.open("/admin/reports/quotes?from=soon")
    assert (wrong.status, "The first day must be a date" in wrong.text) == (422, True)
    assert "3,000.00" in wrong.text


@pytest.mark.parametrize("name", ["commitment", "coverage", "fairness", "funnel"])
def test_each_is_there_as_a_table(decided, admin, name):
    page = admin.open("/admin/reports" if name == "commitment" else f"/admin/reports/{name}")
    got = admin.client.get(page.link(f"{name}.csv"))
    assert got.content_type.startswith("text/csv")
    rows = list(csv.reader(got.text.splitlines()))
    assert len(rows) > 1
    assert {len(row) for row in rows} == {len(rows[0])}
    assert "attachment" in got.headers["Content-Disposition"]


def test_before_anything_was_decided_it_says_so(admin):
    text = admin.open("/admin/reports").text
    assert "none decided" in text
    assert "nothing was decided yet" in admin.page.html
    assert "nobody" in admin.open("/admin/reports/coverage").text.lower()
    assert "0 owed a turn or invited" in " ".join(
        admin.open("/admin/reports/fairness").text.split()
    )
    assert "Of 0 forms" in admin.open("/admin/reports/funnel").text
    assert admin.open("/admin/reports/nothing.csv").status == 404


def test_it_is_for_administrators(make, signed_in, browser):
    person = signed_in(make.provider())
    for path in (
        "/admin/reports",
        "/admin/reports/commitment.csv",
        "/admin/reports/commitment.svg",
        "/admin/reports/coverage",
        "/admin/reports/fairness",
        "/admin/reports/fairness.svg",
        "/admin/reports/funnel",
        "/admin/reports/quotes",
        "/admin/reports/quotes.csv",
    ):
        assert person.open(path).status == 403
        assert browser().open(path).at.startswith("/sign-in")
