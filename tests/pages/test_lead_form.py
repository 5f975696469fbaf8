"""The front page: the form, its errors, and the road to the confirmed request."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from html import unescape

import pytest
from sqlalchemy import event

from marketplace.catalogue.models import Standard
from marketplace.catalogue.queries import standards
from marketplace.core.calendars import CalendarKind
from marketplace.core.db import db
from marketplace.invitations import questions
from marketplace.leads.models import Lead
from marketplace.notifications.models import MailboxMessage, Notification
from marketplace.quotes import outcome
from tests.api.doors import invitations_of
from tests.conftest import Client
from tests.factories import business_of, person_of
from tests.pages.steps import FILLED, NEED, fill_in, open_request


def leads(make):
    return make.ask(lambda session: session.query(Lead).order_by(Lead.id).all())


def test_the_form_says_beforehand_what_will_happen(browser):
    text = browser().open("/").text
    for said in (
        "Up to three",
        "Free for you",
        "Who sees what, and when",
        "24 hours",
        "money never",
    ):
        assert said in text


@pytest.mark.parametrize(
    ("calendar", "said"),
    [
        (CalendarKind.CLOCK_HOURS, "4 hours 30 minutes."),
        (CalendarKind.BUSINESS_DAYS, "4 hours 30 minutes on business days."),
    ],
)
def test_the_promise_is_the_one_that_is_kept(app, ctx, browser, calendar, said):
    window = timedelta(hours=4, minutes=30)
    policy = replace(ctx.policy, response_window=window, calendar=calendar)
    product = app.extensions["marketplace"]
    app.extensions["marketplace"] = replace(product, ctx=replace(ctx, policy=policy))
    text = browser().open("/").text
    assert f"First response within {said}" in text
    assert ("public holidays" in text) is (calendar is CalendarKind.BUSINESS_DAYS)


def test_how_often_the_promise_is_kept_is_shown_where_there_is_enough_to_go_by(
    app, ctx, browser, clock, make
):
    product = app.extensions["marketplace"]
    policy = replace(ctx.policy, public_figures_from=1)
    app.extensions["marketplace"] = replace(product, ctx=replace(ctx, policy=policy))
    assert "once 1 requests of the last 90 days are decided" in browser().open("/").text
    provider = make.provider()
    lead = make.matched_lead()
    clock.advance(hours=2)
    (invitation,) = invitations_of(make, lead)
    questions.ask_question(ctx, person_of(provider.id), invitation.id, text="How many shifts?")
    said = " ".join(browser().open("/").text.split())
    assert "100 % of 1 requests had their first response in time" in said
    assert "from 25 August 2026 to 23 November 2026" in said
    assert "came within 2 hours" in said
    app.extensions["marketplace"] = product
    assert "100 %" in browser().open("/").text  # as it stood in this minute
    clock.advance(minutes=1)
    assert "100 %" not in browser().open("/").text


def test_a_form_is_confirmed_and_opens_the_page_of_the_request(browser, clock, make, link_to):
    make.provider(name="Harbour Quality Pty Ltd")
    business = browser()
    sent = fill_in(business, clock)
    (lead,) = leads(make)
    assert sent.at == "/requests/sent"
    assert lead.reference in sent.text
    assert "mia@kestrel.example" in sent.text
    assert "Thursday 26 November, Sydney time" in sent.text
    assert (lead.website, lead.headcount) == ("https://kestrel.example", 42)
    assert lead.signals["seconds_to_fill"] == 120
    assert lead.signals["honeypot_filled"] is False

    asked = business.open(link_to("mia@kestrel.example", "confirm"))
    assert leads(make)[0].state == "awaiting_confirmation"
    own = business.send(asked.at)
    assert own.at == "/requests"
    assert lead.reference in own.text
    assert "your request is confirmed" in own.text

    again = business.open(asked.at)
    assert again.status == 410
    assert "all is well" in again.text
    link_to("mia@kestrel.example", "open")  # lets the workers work
    assert "Harbour Quality Pty Ltd" in business.open("/requests").text


def test_every_wrong_field_is_named_at_once_and_what_was_typed_is_kept(browser, make):
    visitor = browser()
    visitor.open("/")
    page = visitor.send(
        "/",
        ("standards", "ISO 31000"),
        headcount="many",
        sites="0",
        company__country="",
        company__registration_number="51 824 753 557",
        contact__name="Mia",
        contact__email="mia at kestrel",
        needed_by="2020-01-01",
        region_written="Narnia",
        notes="Two lines\nof notes",
        consultants_used__1__ended_on="2026-02-01",
    )
    assert page.status == 422
    assert page.title.startswith("Error: ")
    linked = re.findall(r'<a href="#([^"]+)">', page.html.split("summary-title")[2])
    assert linked[:11] == [
        "service", "standards", "needed_by", "regions", "headcount", "sites", "company-name",
        "company-country", "consultants_used-0-name", "contact-email",
        "consent-share_with_matched_providers",
    ]  # fmt: skip
    ids = {attributes.get("id") for _, attributes in page.elements}
    assert set(linked) <= ids
    assert "ISO 31000 gives guidance" in page.html.split('id="standards-problem"')[1]
    assert "Narnia” is not a region" in page.text
    typed = dict(page.form("/").values)
    assert typed["headcount"] == "many"
    assert typed["notes"] == "Two lines\nof notes"
    assert typed["consultants_used.0.ended_on"] == "2026-02-01"
    assert typed["contact.email"] == "mia at kestrel"
    assert "Narnia" in [value for name, value in page.form("/").values if name == "region_written"]
    assert leads(make) == []


def said_of(page):
    """Return what the summary says, by the id of the field; beside that stands the same."""
    summary = page.html.split('aria-labelledby="summary-title"')[1].split("</ul>")[0]
    said = re.findall(r'<li><a href="#([^"]+)">(.*?)</a></li>', summary)
    for id_, sentence in said:
        beside = page.html.split(f'id="{id_}-problem"')[1].split("</div>")[0]
        assert f"</span>{sentence}</p>" in beside
    return [(id_, unescape(sentence)) for id_, sentence in said]


def test_a_form_sent_blank_says_what_to_do_about_each_field(browser, make):
    visitor = browser()
    values = visitor.open("/").form("/").values
    names = {n for n, _ in values} | {"service", "standards", "regions"}
    blank = [(name, "") for name in names - {"csrf_token", "begun"}]
    page = visitor.post("/", [*blank, ("csrf_token", dict(values)["csrf_token"])])
    assert page.status == 422
    assert said_of(page) == [
        ("service", "Choose what you are looking for"),
        ("standards", "Tick at least one standard"),
        (
            "regions",
            "Say where your sites are: tick a state, or write a postcode, a country or a region",
        ),
        ("headcount", "Say how many people work there"),
        ("sites", "Write in digits at how many sites they work, such as 2"),
        ("company-name", "Write the company's name"),
        ("company-country", "Choose the company's country"),
        ("contact-name", "Write your name"),
        ("contact-email", "Write your e-mail address"),
        (
            "consent-share_with_matched_providers",
            "Tick that we may share your request: no provider can be given it without that",
        ),
    ]
    assert leads(make) == []


WRONG = {
    "service": ("everything", "Choose what you are looking for"),
    "certification_status": ("x", "Choose whether you hold a certificate today"),
    "timeframe": ("x", "Choose how soon you need it, or “Not sure”"),
    "needed_by": (
        "31/03/2027",
        "Write the date by which you need it as year, month and day, such as 2027-03-31, or leave "
        "it blank",
    ),
    "remote_ok": ("perhaps", "Say whether remote work is fine"),
    "language": ("xx", "Choose a language of the list, or “Any language”"),
    "headcount": ("about forty", "Write the number of people in digits, such as 42"),
    "sites": ("0", "The number of sites must be from 1 to 10,000"),
    "company__name": ("K", "Write the company's name in full: it has two letters at least"),
    "company__country": ("XX", "Choose the company's country"),
    "company__website": (
        "kestrel",
        "“kestrel” is not a web address: please write one such as www.acme.example, or leave it "
        "blank",
    ),
    "sector": ("999", "Choose a sector of the list, or “Not sure”"),
    "consultants_used__0__ended_on": (
        "last year",
        "Write the date on which consultant 1 ended as year, month and day, such as 2026-02-01, or "
        "leave it blank",
    ),
    "contact__email": (
        "mia at kestrel",
        "“mia at kestrel” is not an e-mail address: please write one such as name@acme.example",
    ),
}


def test_what_is_wrong_is_said_in_a_sentence_about_what_was_typed(browser, clock):
    typed = {name: value for name, (value, _) in WRONG.items()}
    page = fill_in(browser(), clock, **typed, consultants_used__0__name="Ridge Consulting")
    said = dict(said_of(page))
    for name, (_, sentence) in WRONG.items():
        assert said.pop(name.replace("__", "-")) == sentence
    assert not said


@pytest.mark.parametrize(
    ("name", "typed", "sentence"),
    [
        ("needed_by", "2020-01-01", "The date by which you need it has passed"),
        ("headcount", "0", "The number of people must be from 1 to 1,000,000"),
        ("headcount", "2000000", "The number of people must be from 1 to 1,000,000"),
        (
            "company__registration_number",
            "51 824 753 557",
            "This is not a valid ABN or ACN: please check its digits, or leave it blank",
        ),
        ("company__registration_number", "?", "A registration number has 2 to 30 letters"),
        ("company__name", "x" * 201, "“Company” has room for 200 characters: you wrote 201"),
        ("company__website", "k.example/" + "x" * 300, "“Website” has room for 300 characters"),
        ("contact__name", "x" * 121, "“Your name” has room for 120 characters: you wrote 121"),
        ("contact__name", "\u200b", "Write your name"),
        ("contact__phone", "1" * 41, "“Telephone” has room for 40 characters: you wrote 41"),
        ("contact__role", "x" * 121, "“Your role” has room for 120 characters: you wrote 121"),
        ("contact__role", "a\x00b", "“Your role” has characters in it that cannot be seen"),
        ("contact__email", "x" * 300 + "@a.example", "is not an e-mail address"),
        ("notes", "x" * 4001, "has room for 4,000 characters: you wrote 4,001"),
        ("consultants_used__0__name", "x" * 201, "The name of consultant 1 has room for 200"),
        ("consultants_used__0__ended_on", "2026-02-01", "Write the name of consultant 1, or clear"),
        ("region_written", "Oz" * 40, "OzOz” is not a region that we know"),
        ("standards", "ISO 99999", "“ISO 99999” is not a standard that we know"),
    ],
)
def test_each_field_says_in_which_way_it_is_wrong(browser, clock, make, name, typed, sentence):
    page = fill_in(browser(), clock, **{name: typed})
    ((_, said),) = said_of(page)
    assert sentence in said
    assert leads(make) == []


def test_too_many_are_counted(browser, clock, make):
    visitor = browser()
    visitor.open("/")
    codes = [each.code for each in make.ask(standards) if each.certifiable][:8]
    states = ["ACT", "NSW", "NT", "QLD", "SA", "TAS", "VIC", "WA"]
    ticked = [("standards", code) for code in codes]
    ticked += [("regions", f"AU-{state}") for state in states]
    page = visitor.send("/", *ticked, **FILLED, region_written="NZ; FJ; PG")
    assert said_of(page) == [
        ("standards", "Choose up to 6 standards: you ticked 8"),
        ("regions", "Choose up to 10 places: you gave 11"),
    ]


def test_each_of_several_wrong_things_has_a_line_of_its_own(browser, clock, make):
    visitor = browser()
    visitor.open("/")
    ticked = [("standards", "ISO 31000"), ("standards", "ISO/IEC 17025")]
    page = visitor.send(
        "/", *ticked, **FILLED, region_written="Narnia; 0100; Middle Earth and beyond"
    )
    said = said_of(page)
    assert [id_ for id_, _ in said] == ["standards"] * 2 + ["regions"] * 3
    for (_, sentence), begun in zip(
        said,
        (
            "ISO 31000 gives guidance",
            "ISO/IEC 17025 is not certified but accredited",
            "“Narnia” is not a region that we know: please write a name",
            "“0100” is a postcode that tells us no region: please tick the region",
            "“Middle Earth and beyond” is not a region that we know",
        ),
        strict=True,
    ):
        assert sentence.startswith(begun)


def test_a_form_is_put_right_from_the_page_that_says_what_is_wrong(browser, clock, make):
    visitor = browser()
    assert fill_in(visitor, clock, contact__email="").status == 422
    assert visitor.send("/", contact__email="mia@kestrel.example").at == "/requests/sent"
    (lead,) = leads(make)
    assert lead.standards == ["ISO 9001"]
    assert lead.signals["seconds_to_fill"] == 120  # from the first look at the form


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("New Zealand (NZ)", "NZ"),
        ("nz", "NZ"),
        ("new zealand", "NZ"),
        ("NZ-AUK", "NZ-AUK"),
        ("Auckland", "NZ-AUK"),
        ("Virgin Islands, U.S.", "VI"),
    ],
)
def test_regions_may_be_written(browser, clock, make, written, code):
    fill_in(browser(), clock, region_written=written)
    assert leads(make)[0].regions == ["AU-NSW", code]


@pytest.mark.parametrize(
    "written",
    [
        "Nar\x00nia",
        "'; DROP TABLE regions; --",
        "%",
        "(AUX",
        "Middle Earth and all that is beyond it",
        "🦄",
    ],
)
@pytest.mark.parametrize("country", ["AU", "\x00\x00"])
def test_what_is_no_region_is_refused_whatever_it_is(browser, clock, make, written, country):
    page = fill_in(browser(), clock, region_written=written, company__country=country)
    assert page.status == 422
    assert "is not a region that we know" in page.text
    assert not any("characters" in said for _, said in said_of(page))
    assert leads(make) == []


def test_a_thousand_names_of_regions_are_asked_for_at_once(browser, clock, ctx, make):
    written = ";".join(f"Narnia {number}" for number in range(1000))
    asked = []

    def note(*args):
        asked.append(args[2])

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        assert fill_in(browser(), clock, region_written=written).status == 422
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
    assert len(asked) < 60


def test_the_language_of_the_work_may_be_chosen_and_is_no_matter_otherwise(browser, clock, make):
    visitor = browser()
    assert dict(visitor.open("/").form("/").values)["language"] == ""
    fill_in(visitor, clock, language="de")
    assert leads(make)[0].language == "de"


def test_a_language_that_is_not_offered_is_named(browser, clock, make):
    page = fill_in(browser(), clock, language="xx")
    assert page.status == 422
    assert "Choose a language of the list" in page.text
    assert leads(make) == []


def choice_of(page, code):
    """Return what stands beside a standard: its words, and what else it is found by."""
    for each in re.findall(r'<div class="choice" data-words=.*?</div>', page.html, re.DOTALL):
        if f'value="{code}"' in each:
            return unescape(each)
    raise AssertionError(code)


@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("Quality", "ISO 9001"),
        ("Environment", "ISO 14001"),
        ("Safety at work", "ISO 45001"),
        ("Information security", "ISO/IEC 27001"),
        ("Food safety", "ISO 22000"),
        ("tender", "ISO 9001"),
        ("whs", "ISO 45001"),
        ("gdpr", "ISO/IEC 27701"),
        ("Privacy information", "ISO/IEC 27701"),
        ("lab", "ISO/IEC 17025"),
    ],
)
def test_a_standard_stands_beside_plain_words(browser, word, code):
    assert word in choice_of(browser().open("/"), code)


def test_somebody_of_whom_a_tender_asks_it_is_told_which_standard_is_meant(browser):
    text = browser().open("/").text
    assert "“safety”, OHS or WHS is ISO 45001" in text


def test_every_standard_of_the_catalogue_can_be_found_and_says_what_it_is(browser, make):
    page = browser().open("/")
    for standard in make.ask(standards):
        said = choice_of(page, standard.code)
        if not standard.certifiable:
            assert f"{standard.where_to_turn}." in said
            assert standard.title in said


def test_a_standard_that_the_catalogue_gained_is_offered_among_the_others(browser, ctx, make):
    with ctx.transaction() as tx:
        old = make.ask(standards)[0]
        columns = {**old.columns, "code": "ISO 99999", "title": "Invented systems", "position": 99}
        tx.session.add(Standard(**columns))
    try:
        page = browser().open("/")
        assert "Invented systems" in choice_of(page, "ISO 99999")
        assert "<legend>Others</legend>" in page.html
    finally:
        with ctx.transaction() as tx:
            tx.session.delete(tx.session.get(Standard, "ISO 99999"))


@pytest.mark.parametrize("code", ["ISO 31000", "ISO/IEC 17025", "AS/NZS 4801"])
def test_what_nobody_is_certified_to_is_refused_with_where_to_turn(browser, clock, make, code):
    page = fill_in(browser(), clock, standards=code)
    assert page.status == 422
    (standard,) = [each for each in make.ask(standards) if each.code == code]
    assert standard.where_to_turn in unescape(page.html.split('id="standards-problem"')[1])
    assert ("standards", code) in page.form("/").values
    assert leads(make) == []


@pytest.mark.parametrize(
    ("written", "code", "understood"),
    [
        ("2150", "AU-NSW", "Postcode 2150"),
        ("2612", "AU-ACT", "Australian Capital Territory"),
        ("0801", "AU-NT", "Northern Territory"),
        ("12 High Street, Bendigo 3550", "AU-VIC", "Victoria"),
    ],
)
def test_an_australian_postcode_is_taken_for_its_state_and_that_is_said(
    browser, clock, make, written, code, understood
):
    visitor = browser()
    sent = fill_in(visitor, clock, region_written=written)
    regions = leads(make)[0].regions
    assert regions == list(dict.fromkeys(["AU-NSW", code]))
    assert understood in sent.text
    assert "We took it to be in" in sent.text


def test_a_state_that_was_guessed_can_be_corrected_before_the_form_is_sent(browser, clock, make):
    visitor = browser()
    page = fill_in(visitor, clock, region_written="2612", contact__email="")
    assert "We took 2612 to be in Australian Capital Territory" in page.text
    typed = page.form("/").values
    assert {value for name, value in typed if name == "regions"} == {"AU-NSW", "AU-ACT"}
    assert ("region_written", "2612") not in typed
    visitor.send("/", regions="AU-VIC", contact__email="mia@kestrel.example")
    assert leads(make)[0].regions == ["AU-VIC"]


@pytest.mark.parametrize(("country", "written"), [("NZ", "1010"), ("AU", "0100")])
def test_a_postcode_that_tells_nothing_is_refused_and_kept(browser, clock, make, country, written):
    page = fill_in(browser(), clock, company__country=country, region_written=written)
    assert page.status == 422
    assert f"“{written}” is a postcode that tells us no region" in page.text
    assert ("region_written", written) in page.form("/").values
    assert leads(make) == []


@pytest.mark.parametrize(
    ("country", "typed", "wrong", "says"),
    [
        ("AU", "51 824 753 556", False, "The check digits of this number are right."),
        ("AU", "51 824 753 557", True, "This is not a valid ABN or ACN"),
        ("NZ", "9429041535111", True, "is not a valid NZBN"),
        ("DE", "HRB 12345", False, ""),
        ("", "\x00", True, "has 2 to 30 letters and digits"),
        ("AU", "1" * 5000, True, "has 2 to 30"),
    ],
)
def test_a_number_is_checked_while_it_is_typed_by_the_rule_that_holds_when_it_is_sent(
    client, country, typed, wrong, says
):
    answer = client.get("/checks/number", query_string={"country": country, "typed": typed})
    assert answer.json["wrong"] is wrong
    assert says in answer.json["says"]
    assert "Set-Cookie" not in answer.headers
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("country", "typed", "region"),
    [
        ("AU", "2612", "AU-ACT"),
        ("AU", "Narnia", None),
        ("AU", "1" * 5000, None),
        ("NZ", "1010", None),
        ("", "", None),
        ("\x00\x00", "2612", None),
        ("AU", "\x002612", None),
    ],
)
def test_a_postcode_is_understood_while_it_is_typed(client, country, typed, region):
    answer = client.get("/checks/region", query_string={"country": country, "typed": typed})
    assert answer.json["region"] == region
    assert ("Postcodes cross borders" in answer.json["says"]) is (region is not None)


@pytest.mark.parametrize(("country", "typed"), [("NZ", "1010"), ("AU", "0100")])
def test_a_postcode_that_tells_nothing_says_so_while_it_is_typed(client, country, typed):
    answer = client.get("/checks/region", query_string={"country": country, "typed": typed})
    assert answer.json["region"] is None
    assert f"“{typed}” is a postcode that tells us no region" in answer.json["says"]


def test_who_has_a_request_running_is_told_so_where_another_could_be_sent(
    ctx, browser, make, clock
):
    lead = make.matched_lead()
    business = browser()
    open_request(ctx, business, lead)
    page = business.open("/")
    assert f"Your request {lead.reference} is running" in " ".join(page.text.split())
    assert f'<a href="/requests">{lead.reference}</a>' in page.html
    assert lead.reference not in browser().open("/").text
    outcome.close_request(ctx, business_of(lead), reason="not_now")
    assert lead.reference not in business.open("/").text


def throttle(app, ctx):
    policy = replace(ctx.policy, rate_limits=True)
    product = app.extensions["marketplace"]
    app.extensions["marketplace"] = replace(product, ctx=replace(ctx, policy=policy))


def test_who_sends_too_often_is_told_how_long_to_wait_and_keeps_what_was_typed(
    app, ctx, browser, clock, make
):
    throttle(app, ctx)
    visitor = browser()
    fill_in(visitor, clock, headcount="many")
    tries = (visitor.send("/", headcount="many") for _ in range(41))
    assert any(each.status == 429 for each in tries)
    page = visitor.send("/", headcount="42")
    assert page.status == 429
    text = " ".join(page.text.split())
    assert "nothing was sent. Please wait 1 minute, then send it once more" in text
    assert int(page.response.headers["Retry-After"]) <= 60
    typed = page.form("/").values
    for given in (("headcount", "42"), ("contact.name", "Mia Ferrante"), ("standards", "ISO 9001")):
        assert given in typed
    assert leads(make) == []
    policy = replace(ctx.policy, rate_limits=False)
    product = app.extensions["marketplace"]
    app.extensions["marketplace"] = replace(product, ctx=replace(ctx, policy=policy))
    assert visitor.send("/").at == "/requests/sent"
    (lead,) = leads(make)
    assert lead.signals["seconds_to_fill"] == 120


def test_search_engines_are_told_what_the_page_says_and_nothing_else(browser):
    page = browser().open("/")
    (data,) = re.findall(r'<script type="application/ld\+json">(.*?)</script>', page.html)
    service, questions = json.loads(data)["@graph"]
    assert service["url"] == "http://localhost/"
    text = " ".join(page.text.split())
    assert len(questions["mainEntity"]) == 5
    for each in questions["mainEntity"]:
        assert each["name"] in text
        assert each["acceptedAnswer"]["text"] in text
    metas = {
        a.get("name") or a.get("property"): a["content"]
        for t, a in page.elements
        if t == "meta" and "content" in a
    }
    assert metas["description"] == metas["og:description"]
    assert 50 < len(metas["description"]) < 160
    assert metas["og:url"] == "http://localhost/"
    assert ("link", {"rel": "canonical", "href": "http://localhost/"}) in page.elements


def test_robots_are_kept_from_where_nobody_is_let_in_without_a_name(client):
    answer = client.get("/robots.txt")
    assert answer.mimetype == "text/plain"
    closed = [line for line in answer.text.splitlines() if line.startswith("Disallow: ")]
    assert closed == [f"Disallow: {path}" for path in ("/admin", "/portal", "/mailbox", "/api/v1/")]
    assert "Set-Cookie" not in answer.headers


def test_what_will_happen_is_said_beside_the_button(browser):
    last = browser().open("/").html.split('id="contact-title"')[1].split("</form>")[0]
    for said in (
        "Up to three providers are invited",
        "free for you",
        "Before you confirm it, nobody sees anything",
        "not who you are",
        "Within 24 hours",
    ):
        assert said in last


@pytest.mark.parametrize(
    ("review", "said"),
    [
        ("auto", "Some requests are first read by one of us; the clock starts after that."),
        ("always", "Each request is first read by one of us; the clock starts after that."),
        ("off", None),
    ],
)
def test_that_a_person_may_read_a_request_first_is_said_before_it_is_sent_and_confirmed(
    app, ctx, browser, clock, link_to, review, said
):
    policy = replace(ctx.policy, lead_review=review)
    product = app.extensions["marketplace"]
    app.extensions["marketplace"] = replace(product, ctx=replace(ctx, policy=policy))
    business = browser()
    pages = [business.open("/"), fill_in(business, clock)]
    pages.append(business.open(link_to("mia@kestrel.example", "confirm")))
    for page in pages:
        text = " ".join(page.text.split())
        assert ("first read by one of us" in text) is (said is not None), page.at
        assert (said or "") in text, page.at


def test_the_terms_that_are_agreed_to_can_be_read_and_say_what_is_so(app, ctx, browser):
    policy = replace(ctx.policy, places=2, confirm_within=timedelta(hours=7))
    product = app.extensions["marketplace"]
    app.extensions["marketplace"] = replace(product, ctx=replace(ctx, policy=policy))
    visitor = browser()
    tick = visitor.open("/").html.split('id="consent-share_with_matched_providers-hint"')[1]
    linked = re.findall(r'<a href="(/\w+)">', tick.split("</p>")[0])
    terms, privacy = (" ".join(visitor.open(path).text.split()) for path in linked)
    assert f"Terms of {policy.terms_version}" in terms
    assert "up to 2 providers, never more at once" in terms
    assert "Within 24 hours of your request opening" in terms
    assert "not confirmed within 7 hours lapses" in privacy
    for path in ("/terms", "/privacy"):
        assert path in visitor.open("/sign-in").html.split("<footer")[1]


@pytest.mark.parametrize("confirmation", ["required", "off"])
def test_a_confirmation_is_spoken_of_where_one_is_asked_for(app, ctx, browser, confirmation):
    policy = replace(ctx.policy, lead_confirmation=confirmation)
    product = app.extensions["marketplace"]
    app.extensions["marketplace"] = replace(product, ctx=replace(ctx, policy=policy))
    text = browser().open("/").text
    assert ("confirm" in text) is (confirmation == "required")


def test_the_form_is_not_heavy_even_with_every_error_in_it(browser):
    visitor = browser()
    for page in (visitor.open("/"), visitor.send("/", company__country="", sites="x")):
        assert len(page.html.encode()) < 60 * 1024


def test_a_machine_that_fills_in_everything_is_noticed(browser, clock, make):
    fill_in(browser(), clock, fax="1234")
    assert leads(make)[0].signals["honeypot_filled"] is True


@pytest.mark.parametrize("begun", ["", "forged.seal"])
def test_a_form_that_was_never_shown_counts_as_filled_in_at_once(browser, clock, make, begun):
    fill_in(browser(), clock, begun=begun)
    assert leads(make)[0].signals["seconds_to_fill"] == 0


def test_sending_the_same_page_twice_makes_one_request(browser, clock, make):
    visitor = browser()
    form = visitor.open("/")
    clock.advance(minutes=2)
    first = visitor.send("/", *NEED, **FILLED)
    visitor.page = form
    second = visitor.send("/", *NEED, **FILLED)
    assert second.text == first.text
    assert len(leads(make)) == 1


def test_clicking_five_times_at_once_makes_one_request(app, browser, clock, make):
    visitor = browser()
    form = visitor.open("/").form("/")
    clock.advance(minutes=2)
    cookie = visitor.client.get_cookie("marketplace").value
    filled = {name.replace("__", "."): value for name, value in FILLED.items()}
    values = {**dict(form.values), **filled, **dict(NEED)}

    def click(_):
        client = Client(app, app.response_class)
        client.set_cookie("marketplace", cookie)
        return client.post("/", data=values).status_code

    with ThreadPoolExecutor(5) as pool:
        assert list(pool.map(click, range(5))) == [303] * 5
    assert len(leads(make)) == 1


def test_going_back_to_put_the_address_right_makes_another_request(browser, clock, make):
    visitor = browser()
    form = visitor.open("/")
    clock.advance(minutes=2)
    visitor.send("/", *NEED, **FILLED)
    visitor.page = form
    visitor.send("/", *NEED, **FILLED | {"contact__email": "mia@kestrel-joinery.example"})
    assert [lead.contact_email for lead in leads(make)] == [
        "mia@kestrel.example",
        "mia@kestrel-joinery.example",
    ]


def test_a_request_that_is_not_theirs_can_be_reported(browser, clock, make, link_to, ctx, admin):
    del ctx
    first = browser()
    fill_in(first, clock)
    first.open(link_to("mia@kestrel.example", "confirm"))
    first.send("/requests/confirm")
    fill_in(browser(), clock, contact__email="sam@kestrel.example")
    stranger = browser()
    path = link_to("sam@kestrel.example", "not-ours")
    assert "Kestrel" not in stranger.open(path).text
    assert "Thank you" in stranger.send("not-ours").text
    (lead, _) = leads(make)
    assert link_to("ada@marketplace.example", str(lead.id)) == f"/admin/leads/{lead.id}"


def asked_to_confirm(browser, clock, link_to):
    """Send the form, and open the page behind the link in the mail in another browser."""
    fill_in(browser(), clock)
    reader = browser()
    return reader, reader.open(link_to("mia@kestrel.example", "confirm"))


def test_who_did_not_send_a_form_erases_it_at_once_from_the_page_behind_the_mail(
    browser, clock, make, link_to, admin
):
    reader, asked = asked_to_confirm(browser, clock, link_to)
    (lead,) = leads(make)
    front = reader.send("/confirm/erase")
    assert front.at == "/"
    assert f"The form {lead.reference} has been erased" in front.text
    (erased,) = leads(make)
    for model in (Lead, Notification, MailboxMessage):
        for row in make.ask(lambda session, model=model: session.query(model).all()):
            for known in ("Kestrel", "kestrel.example", "Mia", "5550 1234", "tender"):
                assert known not in str(row.columns), model
    assert erased.form == {}
    assert "What identified people was erased" in admin.open(f"/admin/leads/{lead.id}").text
    assert "the business, by its link" in admin.page.text
    assert reader.open(asked.at).status == 410
    for form in asked.forms[-2:]:
        assert reader.post(form.action, form.values).status == 410
    assert fill_in(browser(), clock).at == "/requests/sent"  # and may be asked for anew


def test_looking_at_the_page_or_at_the_address_that_erases_changes_nothing(
    browser, clock, make, link_to
):
    reader, asked = asked_to_confirm(browser, clock, link_to)
    address = asked.form("/confirm/erase").action
    assert reader.open(address).status == 410  # as the address of a link that is none
    assert reader.post(address, []).status == 400
    (lead,) = leads(make)
    assert lead.contact_name == "Mia Ferrante"
    reader.page = asked
    assert reader.post(asked.at, asked.forms[-2].values).at == "/requests"


def test_a_form_that_was_confirmed_is_not_erased_by_the_link_that_confirmed_it(
    browser, clock, make, link_to
):
    reader, asked = asked_to_confirm(browser, clock, link_to)
    reader.post(asked.at, asked.forms[-2].values)
    reader.page = asked
    assert reader.send("/confirm/erase").status == 410
    assert leads(make)[0].state == "open"
    assert leads(make)[0].contact_name == "Mia Ferrante"


def test_confirming_and_erasing_at_once_comes_to_one_of_them(app, browser, clock, make, link_to):
    reader, asked = asked_to_confirm(browser, clock, link_to)
    cookie = reader.client.get_cookie("marketplace").value

    def click(form):
        client = Client(app, app.response_class)
        client.set_cookie("marketplace", cookie)
        return client.post(form.action, data=dict(form.values)).status_code

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(click, asked.forms[-2:] * 2))
    assert sorted(answers) == [303, 410, 410, 410]
    (lead,) = leads(make)
    assert (lead.state == "open") is (lead.erased_at is None)
