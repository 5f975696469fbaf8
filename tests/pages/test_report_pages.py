"""Reports for administrators: figures, charts and tables of the last 90 days."""

import csv
from xml.etree import ElementTree

import pytest

from marketplace.invitations import endings, questions
from tests.factories import person_of
from tests.services.road import held


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
    assert "50 % of 2" in text
    assert "2.0 h median" in text
    assert "New South Wales100 %1" in text
    assert "Victoria0 %1none" in text
    assert "=Harbour Quality Pty Ltd" in text
    assert "1 asked1 there" in text


def test_the_chart_says_in_words_what_it_shows(decided, admin):
    page = admin.open("/admin/reports")
    (image,) = [
        named
        for tag, named in page.elements
        if tag == "img" and ".svg" in named["src"] and "reports" in named["src"]
    ]
    assert image["alt"] == "week of 2026-11-23: 1 in time, 1 missed"
    drawn = admin.client.get(image["src"])
    assert drawn.content_type == "image/svg+xml"
    assert ElementTree.fromstring(drawn.data) is not None


@pytest.mark.parametrize("name", ["commitment", "coverage", "fairness"])
def test_each_is_there_as_a_table(decided, admin, name):
    page = admin.open("/admin/reports")
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
    assert admin.open("/admin/reports/nothing.csv").status == 404


def test_it_is_for_administrators(make, signed_in, browser):
    person = signed_in(make.provider())
    for path in (
        "/admin/reports",
        "/admin/reports/commitment.csv",
        "/admin/reports/commitment.svg",
    ):
        assert person.open(path).status == 403
        assert browser().open(path).at.startswith("/sign-in")
