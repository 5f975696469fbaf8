"""A provider's statement as a page, with its chart: the same figures as the JSON interface's."""

from datetime import datetime
from xml.etree import ElementTree

import pytest

from marketplace.invitations import service as invitations
from tests.factories import person_of
from tests.services.road import held


@pytest.fixture
def provider(ctx, make):
    provider = make.provider()
    (one,) = held(make, make.matched_lead())
    invitations.decline_invitation(ctx, person_of(provider.id), one.id, reason="other")
    make.matched_lead()
    return provider


def test_a_month_is_told_in_words_numbers_and_a_chart(provider, signed_in):
    person = signed_in(provider)
    person.open("/portal/profile")
    page = person.open(person.page.link("/statement"))
    assert "Statement of November 2026" in page.text
    assert "exactly your fair share" in page.text
    text = " ".join(page.text.split())
    assert "1, by a quote, a question or a no; 1 in time" in text
    (image,) = [
        named for tag, named in page.elements if tag == "img" and "statement" in named["src"]
    ]
    assert image["alt"].startswith("Invited 2, with a fair share of 2;")
    drawn = person.client.get(image["src"])
    assert drawn.content_type == "image/svg+xml; charset=utf-8"
    assert drawn.headers["Content-Security-Policy"].startswith("default-src 'none'")
    words = [each.text for each in ElementTree.fromstring(drawn.data).iter() if each.text]
    assert "Answered in time" in words
    assert "Your fair share" in words
    assert "<script" not in drawn.text


def test_months_lead_back_to_the_first_and_no_further_than_now(provider, signed_in, clock):
    clock.now = datetime(2027, 1, 15, 12, tzinfo=clock.now.tzinfo)
    person = signed_in(provider)
    page = person.open("/portal/statement")
    assert "Statement of January 2027" in page.text
    assert "The month after" not in page.text
    page = person.open(page.link("month=2026-12"))
    page = person.open(page.link("month=2026-11"))
    assert "Statement of November 2026" in page.text
    assert "The month before" not in page.text
    assert "The month after" in page.text


@pytest.mark.parametrize("month", ["x", "2026-13", "2999-01", ""])
def test_a_month_that_cannot_be_shows_the_current_one(provider, signed_in, month):
    page = signed_in(provider).open(f"/portal/statement?month={month}")
    assert page.status == 200
    assert "Statement of November 2026" in page.text
