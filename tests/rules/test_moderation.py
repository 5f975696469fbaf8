"""Which reviews a person reads before they show, and when ratings have a mean."""

import pytest

from marketplace.leads.masking import Identity
from marketplace.quotes.moderation import Doubt, Party, doubts_about, is_own, mean

BUSINESS = Identity(
    company_name="Kestrel Joinery Pty Ltd",
    contact_name="Mia Ferrante",
    contact_email="mia@kestrel.example",
    website="https://kestrel.example",
)
PERSON = Identity("", "Kim Reyes", "")


@pytest.mark.parametrize(
    "text",
    [
        None,
        "Quick, clear, and the quote fitted.",
        "Harbour Quality Pty Ltd answered within a day; 3 days of audit for ISO 9001:2015.",
        "They asked twice about our 42 people and 3 sites, then quoted 12,500.00 AUD.",
        "Slow. We waited from 2026-11-02 to 2026-11-20 and heard nothing in between!",
        "Professional, and no drama. A missed call, then a good one.",
    ],
)
def test_a_clean_text_shows_at_once(text):
    assert doubts_about(text, named=[BUSINESS, PERSON]) == []


@pytest.mark.parametrize(
    ("text", "doubts"),
    [
        ("Ask sam@harbour.example", [Doubt.CONTACT]),
        ("See www.elsewhere.example/better", [Doubt.CONTACT]),
        ("https://elsewhere.example is cheaper", [Doubt.CONTACT]),
        ("sam (at) harbour (dot) example", [Doubt.CONTACT]),
        ("Call 02 5550 1234 instead", [Doubt.CONTACT]),
        ("Call +61 (2) 5550-1234", [Doubt.CONTACT]),
        ("Kim was rude", [Doubt.PERSON]),
        ("K i m  R e y e s never called", [Doubt.PERSON]),
        ("Ms Okafor came late", [Doubt.PERSON]),
        ("dr. okafor came late", [Doubt.PERSON]),
        ("At Kestrel we were not amused", [Doubt.PERSON]),
        ("MIA FERRANTE will not come back", [Doubt.PERSON]),
        ("Kim, kim@harbour.example", [Doubt.CONTACT, Doubt.PERSON]),
    ],
)
def test_what_may_name_somebody_or_says_how_to_reach_them_is_read_first(text, doubts):
    assert doubts_about(text, named=[BUSINESS, PERSON]) == doubts


def party(email, website=None, legal_entity=None):
    return Party([email], website, legal_entity)


HARBOUR = Party(
    ["quotes@harbour.example", "kim.private@freemail.example"],
    "https://www.harbour-quality.example/about",
    "AU:676061760",
)


@pytest.mark.parametrize(
    ("business", "is_free_mail", "expected"),
    [
        (party("jo@acme.example"), False, False),
        (party("jo@acme.example", legal_entity="AU:676061760"), False, True),
        (party("jo@acme.example", legal_entity="AU:824753556"), False, False),
        (party("jo@harbour.example"), False, True),
        (party("jo@sales.harbour.example"), False, True),
        (party("jo@harbour-quality.example"), False, True),
        (party("jo@notharbour.example"), False, False),
        (party("jo@freemail.example", "https://harbour-quality.example/"), True, True),
        (party("jo@acme.example", "https://harbour.example"), False, True),
        (party("jo@acme.example", "https://acme.example"), False, False),
        (party("Quotes@Harbour.example"), False, True),
        # Anybody can have an address there: only the very same one is theirs.
        (party("jo@freemail.example"), True, False),
        (party("kim.private@freemail.example"), True, True),
    ],
)
def test_a_business_may_be_the_provider_by_its_number_its_address_or_its_domain(
    business, is_free_mail, expected
):
    stranger = Party(["x@other.example"], None, None)
    assert is_own(business, [stranger, HARBOUR], is_free_mail=is_free_mail) is expected
    assert not is_own(business, [stranger], is_free_mail=is_free_mail)


@pytest.mark.parametrize(
    ("ratings", "expected"),
    [
        ([], None),
        ([5], None),
        ([5, 4], None),
        ([5, 4, 3], 4.0),
        ([5, 5, 4], 4.7),
        ([1, 1, 2, 5], 2.2),
    ],
)
def test_fewer_than_three_ratings_have_no_mean(ratings, expected):
    assert mean(sum(ratings), len(ratings), at_least=3) == expected
