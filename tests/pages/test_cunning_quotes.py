"""Quotes that would look better than they are: what the business reads of them."""

import re
from datetime import UTC, datetime

import pytest

from marketplace.core.errors import Conflict
from marketplace.providers import accreditations
from marketplace.providers.models import Accreditation
from marketplace.quotes import comparison, outcome
from marketplace.quotes import service as quotes
from marketplace.quotes.models import Quote
from marketplace.quotes.ordering import Order
from marketplace.web.api.quotes import QuoteIn
from marketplace.web.requests import load
from tests.factories import business_of, person_of
from tests.pages.steps import held_by, open_request
from tests.providers import OPERATOR

FEES = {
    "application": "350.00",
    "stage_1": "2250.00",
    "stage_2": "6750.00",
    "surveillance_1": "3000.00",
    "surveillance_2": "3000.00",
    "recertification": "6000.00",
    "annual": "420.00",
    "travel": "380.00",
}
DAYS = {
    "stage_1": 1.5,
    "stage_2": 4.5,
    "surveillance_1": 2,
    "surveillance_2": 2,
    "recertification": 4,
}
CHEAP = FEES | {"stage_2": "750.00"}


def put(ctx, invitation, body):
    quotes.put_quote(ctx, person_of(invitation.provider_id), invitation.id, load(QuoteIn(), body))


@pytest.fixture
def against(ctx, make):
    """Return a request over which two have quoted: one honestly, and one as it is told."""

    def quoted(codes=("ISO 9001", "ISO 14001"), certification_status="none", **cunning):
        for name in ("Honest Registrars", "Cunning Registrars"):
            make.provider("certification_body", name=name, standards=codes)
        lead = make.matched_lead(
            service="certification",
            standards=list(codes),
            headcount=42,
            sites=1,
            certification_status=certification_status,
        )
        honest = {
            "kind": "certification",
            "currency": "AUD",
            "standards": [{"code": code} for code in codes],
            "audit_days": DAYS,
            "fees": FEES,
            "travel_basis": "capped",
            "valid_until": "2027-01-31",
        }
        for invitation, body in zip(held_by(make, lead), (honest, honest | cunning), strict=True):
            put(ctx, invitation, {name: said for name, said in body.items() if said is not None})
        return lead

    return quoted


def columns(ctx, lead, order=Order.INVITED):
    shown = comparison.request_page(ctx, business_of(lead), order)["comparison"]
    return shown["kinds"]["certification"]["columns"]


def read(ctx, browser, lead):
    """Return what the page says, by its lines: of the honest quote, and of the cunning one."""
    html = open_request(ctx, browser(), lead).html
    found = {}
    for row in re.findall(r'<tr role="row"[^>]*>(.*?)</tr>', html, re.DOTALL):
        label, *cells = re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)
        texts = [" ".join(re.sub(r"<[^>]+>", " ", cell).split()) for cell in cells]
        found.setdefault(label, texts)
    return found


def test_a_total_without_a_standard_is_not_the_lowest_and_says_what_it_is_without(
    ctx, browser, against
):
    lead = against(fees=CHEAP, standards=[{"code": "ISO 9001"}])
    honest, cunning = columns(ctx, lead)
    assert cunning["total"] < honest["total"]
    for order in (Order.TOTAL, Order.PER_DAY):
        first = columns(ctx, lead, order)[0]
        assert first["invitation_id"] == honest["invitation_id"]
    page = read(ctx, browser, lead)
    assert page["Three years in all"] == ["AUD 16,990.00", "AUD 10,990.00 without: ISO 14001"]
    assert page["A year, on average"][1] == "AUD 3,663.33 of what is stated"
    chosen = f"/requests/choose/{cunning['invitation_id']}"
    person = browser()
    open_request(ctx, person, lead)
    assert "Not in it: ISO 14001." in person.open(chosen).text


@pytest.mark.parametrize(
    ("cunning", "said"),
    [
        ({"travel_basis": "capped"}, "AUD 380.00 On top, up to the amount given"),
        ({"travel_basis": "at_cost"}, "AUD 380.00 On top, at cost"),
        ({"travel_basis": None}, "AUD 380.00 whether it can come to more is not stated"),
    ],
)
def test_an_amount_for_travel_says_whether_it_can_come_to_more(
    ctx, browser, against, cunning, said
):
    assert read(ctx, browser, against(**cunning))["Travel"][1] == said


def test_visits_for_nothing_that_take_no_time_are_named(ctx, browser, against):
    free = FEES | {"surveillance_1": "0.00", "surveillance_2": "0.00"}
    page = read(ctx, browser, against(fees=free, audit_days={"stage_1": 1.5, "stage_2": 4.5}))
    assert page["Audit days in the three years"] == [
        "10 days",
        "6 days without the days of: First surveillance audit without the days of: Second "
        "surveillance audit",
    ]


def test_small_print_stands_among_the_terms_and_is_not_folded_away(ctx, browser, against):
    page = read(ctx, browser, against(notes="All fees rise by 9 % a year.\n\nNo refunds."))
    assert page["Notes"] == ["none", "All fees rise by 9 % a year. No refunds."]


def test_the_next_cycle_is_in_no_total_whether_its_price_is_stated_or_hidden(ctx, browser, against):
    hidden = {name: fee for name, fee in FEES.items() if name != "recertification"}
    page = read(ctx, browser, against(fees=hidden))
    assert page["Recertification audit (next cycle)"] == ["AUD 6,000.00", "not stated"]
    assert page["Not in the total"] == ["Recertification audit (next cycle)"] * 2


def test_a_quote_that_stands_no_longer_is_not_the_lowest(ctx, clock, browser, against):
    lead = against(fees=CHEAP, valid_until="2026-12-01")
    honest, bait = (each["invitation_id"] for each in columns(ctx, lead))

    def lowest():
        return columns(ctx, lead, Order.TOTAL)[0]["invitation_id"]

    assert lowest() == bait
    assert read(ctx, browser, lead)["Stands until"][1] == "1 December 2026"
    clock.now = datetime(2026, 12, 1, 23, tzinfo=UTC)
    assert lowest() == bait
    assert read(ctx, browser, lead)["Stands until"] == [
        "31 January 2027",
        "1 December 2026 only a few days: ask whether it can stand longer",
    ]
    clock.now = datetime(2026, 12, 2, 0, tzinfo=UTC)
    assert lowest() == honest
    assert "it stands no longer: ask before" in read(ctx, browser, lead)["Stands until"][1]
    person = browser()
    open_request(ctx, person, lead)
    warning = "The quote stands until 1 December 2026; it stands no longer: ask before"
    assert warning in person.open(f"/requests/choose/{bait}").text
    assert "The quote stands until" not in person.open(f"/requests/choose/{honest}").text
    # Once the request is over nothing is asked, and the order stays as it was then.
    outcome.choose_provider(ctx, business_of(lead), honest)
    clock.advance(days=70)
    assert read(ctx, browser, lead)["Stands until"] == ["31 January 2027", "1 December 2026"]
    assert lowest() == honest


def test_whoever_counts_few_people_does_not_hide_that_its_days_are_few(ctx, browser, against):
    few = DAYS | {"stage_1": 0.5, "stage_2": 1.5}
    lead = against(effective_personnel=1, audit_days=few)
    page = read(ctx, browser, lead)
    # One person: 1.5 and 2.5 days; 42 people: 3.85 and 6.775, of which 56 % are the least.
    assert page["Stages 1 and 2 together"][1] == (
        "2 days for all 42 people that you named the tables suggest 4 to 10.5 days: ask how it "
        "counted 1 stage 1: 0.5, stage 2: 1.5 the tables suggest 2 to 4.5 days"
    )
    assert "ask how it counted" not in page["First surveillance audit"][0]


def test_days_for_a_standard_without_a_table_are_not_far_above_the_table_of_another(
    ctx, browser, against
):
    lead = against(codes=("ISO 9001", "ISO 22301"))
    page = read(ctx, browser, lead)
    assert page["Stages 1 and 2 together"][0] == (
        "6 days stage 1: 1.5, stage 2: 4.5 for ISO 9001 alone the tables suggest 2 to 4 days"
    )


def test_a_transfer_without_stages_1_and_2_breaks_no_rule(ctx, browser, against):
    lead = against(
        codes=("ISO 9001",),
        certification_status="transfer",
        audit_days=DAYS | {"stage_1": 0, "stage_2": 0.5, "surveillance_2": 0.5},
    )
    page = read(ctx, browser, lead)
    assert page["Stages 1 and 2 together"][1] == (
        "0.5 days stage 1: 0, stage 2: 0.5 the tables suggest 2.5 to 4 days a transfer may need "
        "less"
    )
    assert columns(ctx, lead)[1]["audits"][0]["verdict"] == "not_judged"


def test_an_accreditation_for_one_standard_is_not_shown_as_one_for_all(ctx, browser, make, against):
    lead = against()
    held = {
        (each.provider_id, each.standard): each
        for each in make.ask(lambda session: session.query(Accreditation).all())
    }
    first, second = held_by(make, lead)
    own = held[second.provider_id, "ISO 14001"]
    other = held[second.provider_id, "ISO 9001"]
    body = {
        "kind": "certification",
        "currency": "AUD",
        "standards": [{"code": "ISO 9001"}, {"code": "ISO 14001"}],
        "audit_days": DAYS,
        "fees": FEES,
        "valid_until": "2027-01-31",
        "accreditation_id": str(own.id),
    }
    put(ctx, second, body)

    def said():
        return read(ctx, browser, lead)["Accredited by"]

    of_first = held[first.provider_id, "ISO 9001"]
    assert said()[0].startswith(
        f"not named in the quote; the provider holds ISO 9001: {of_first.body} "
    )
    assert f"ISO 14001: {own.body} {own.certificate_number}" in said()[1]
    assert f"ISO 9001: {other.body} {other.certificate_number}" in said()[1]
    assert said()[1].count("held by the provider, not named in the quote") == 1
    accreditations.suspend_accreditation(ctx, OPERATOR, other.id)
    assert "ISO 9001: none that is good and that we know of" in said()[1]


def test_a_quote_that_was_revised_between_looking_and_choosing_is_looked_at_again(
    ctx, browser, make, against
):
    lead = against()
    first, _ = held_by(make, lead)
    person = browser()
    open_request(ctx, person, lead)
    asked = person.open(f"/requests/choose/{first.id}")
    assert "AUD 16,990.00 without tax" in asked.text
    mine = make.ask(
        lambda session: dict(session.query(Quote).filter_by(invitation_id=first.id).one().body)
    )
    put(ctx, first, mine | {"fees": FEES | {"stage_2": "96750.00"}})
    page = person.send(f"/requests/choose/{first.id}")
    assert "quote was revised since you looked at it: look at it again" in page.text
    assert make.lead_called(lead.reference).is_open
    person.open(f"/requests/choose/{first.id}")
    person.send(f"/requests/choose/{first.id}")
    assert not make.lead_called(lead.reference).is_open
    with pytest.raises(Conflict):
        put(ctx, first, mine)
