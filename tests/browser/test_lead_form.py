"""The lead form with scripts: quicker to fill in, and nothing typed is lost."""

import time

import pytest
from playwright.sync_api import expect

from marketplace.core import links
from marketplace.leads.models import Lead
from marketplace.quotes import outcome
from marketplace.web.api.request import RemindersIn
from marketplace.web.requests import load
from tests.browser.conftest import DESK, PHONE
from tests.browser.test_looks import STILL, WATCH
from tests.factories import business_of
from tests.services.road import an_awarded_lead

NEED = {"contact.name": "Mia Ferrante", "headcount": "42", "company.name": "Kestrel Joinery"}
OLD = (
    "localStorage.setItem('lead-form', JSON.stringify({at: Date.now() - 8 * 24 * 3600e3, fields}))"
)


def field(page, name):
    return page.locator(f"[name='{name}']:not([type=hidden])")


def fill_in(page):
    for name, value in NEED.items():
        field(page, name).fill(value)
    page.check("[value='ISO 9001']")
    page.check("[value='AU-NSW']")


def test_a_standard_is_found_by_what_it_is_about(window):
    page = window().page
    page.goto("/")
    offered = page.locator("#standards .choice:visible input")
    common = offered.evaluate_all("all => all.map(each => each.value)")
    for words, found in (
        ("the tender asks for safety at work", {"ISO 45001", "AS/NZS 4801", "OHSAS 18001"}),
        ("ISO9001:2026", {"ISO 9001"}),
        ("laboratory", {"ISO/IEC 17025", "ISO 15189"}),
        ("Personal DATA", {"ISO/IEC 27701"}),
        ("labs", {"ISO/IEC 17025", "ISO 15189"}),
        ("ISO 22301 and 50001", {"ISO 22301", "ISO 50001"}),  # two at once
        ("unicorns", set()),
    ):
        page.fill("#standards-filter", words)
        assert set(offered.evaluate_all("all => all.map(each => each.value)")) == found, words
        said = {0: "Nothing fits", 1: "1 standard fits"}.get(
            len(found), f"{len(found)} standards fit"
        )
        expect(page.locator("#standards-found")).to_contain_text(said)
    page.fill("#standards-filter", "laboratory")
    page.check("[value='ISO/IEC 17025']")
    page.fill("#standards-filter", "food")
    expect(page.locator("[value='ISO/IEC 17025']")).to_be_visible()  # what is ticked stays in sight
    page.uncheck("[value='ISO/IEC 17025']")
    page.fill("#standards-filter", "")
    assert offered.evaluate_all("all => all.map(each => each.value)") == common


def test_a_number_is_checked_while_it_is_typed_and_stops_nobody(window, make, clock):
    page = window().page
    page.goto("/")
    number, said = field(page, "company.registration_number"), page.locator("#number-checked")
    number.press_sequentially("51 824 753 557")
    page.wait_for_timeout(700)
    expect(said).to_be_empty()  # whoever still types has made no mistake yet
    assert number.get_attribute("aria-invalid") is None
    number.press("Tab")
    expect(said).to_contain_text("is not a valid ABN or ACN")
    expect(said).to_have_attribute("aria-live", "polite")
    expect(number).to_have_attribute("aria-invalid", "true")
    assert "number-checked" in number.get_attribute("aria-describedby").split()
    assert said.evaluate(
        "e => e.parentElement.contains(document.querySelector('#company-registration_number'))"
    )
    number.fill("51 824 753 556")
    expect(said).to_contain_text("check digits of this number are right")
    expect(said).to_have_attribute("aria-live", "off")  # not read out while somebody types
    assert number.get_attribute("aria-invalid") is None
    page.select_option("[name='company.country']", "NZ")
    expect(said).to_be_empty()
    page.route("**/checks/**", lambda route: route.fulfill(status=429))
    number.fill("1")
    number.press("Tab")
    page.click("button.big")
    expect(page.locator(".summary")).to_be_focused()


def test_a_postcode_ticks_its_state_which_can_be_unticked(window):
    page = window().page
    page.goto("/")
    written = page.locator("#region_written-0")
    written.fill("2612")
    written.press("Tab")
    said = page.locator("#region_written-understood")
    expect(page.locator("[value='AU-ACT']")).to_be_checked()
    expect(said).to_contain_text("We took 2612 to be in")
    page.uncheck("[value='AU-ACT']")
    expect(written).to_have_value("")  # which would tick it once more when the form is sent
    expect(said).to_be_empty()
    written.fill("Auckland")
    written.press("Tab")
    expect(written).to_have_value("Auckland")


def test_a_postcode_that_is_changed_takes_back_what_was_guessed_and_not_what_was_ticked(window):
    page = window().page
    page.goto("/")
    said = page.locator("#region_written-understood")

    def write(n, text):
        page.locator(f"#region_written-{n}").fill(text)
        page.keyboard.press("Tab")

    def ticked():
        return page.locator("[name=regions]:checked").evaluate_all("all => all.map(e => e.value)")

    page.check("[value='AU-VIC']")
    write(0, "2612")
    expect(said).to_contain_text("2612")
    assert ticked() == ["AU-ACT", "AU-VIC"]
    write(0, "3550")  # in Victoria, which is ticked already
    expect(said).to_contain_text("3550")
    assert ticked() == ["AU-VIC"]
    write(0, "0100")
    expect(said).to_contain_text("“0100” is a postcode that tells us no region")
    assert ticked() == ["AU-VIC"]
    for n in (0, 1):
        write(n, "2612")
        expect(said).to_contain_text("2612")
    write(0, "New Zealand")
    expect(said).to_be_empty()
    assert ticked() == ["AU-ACT", "AU-VIC"]  # the other postcode says so still
    write(1, "")
    expect(page.locator("[value='AU-ACT']")).not_to_be_checked()
    assert ticked() == ["AU-VIC"]


def test_a_guess_is_taken_back_after_the_page_was_left_too_and_where_the_country_changes(window):
    page = window().page
    page.goto("/")
    said = page.locator("#region_written-understood")
    ticked = "[name=regions]:checked"
    page.check("[value='AU-VIC']")
    page.locator("#region_written-0").fill("2612")
    page.keyboard.press("Tab")
    expect(said).to_contain_text("2612")
    page.goto("/join")
    page.goto("/")
    expect(page.locator(ticked)).to_have_count(2)
    page.locator("#region_written-0").fill("2000")
    page.keyboard.press("Tab")
    expect(page.locator("[value='AU-NSW']")).to_be_checked()
    expect(page.locator("[value='AU-ACT']")).not_to_be_checked()
    page.select_option("[name='company.country']", "NZ")
    expect(said).to_contain_text("tells us no region")
    expect(page.locator(ticked)).to_have_count(1)
    expect(page.locator("[value='AU-VIC']")).to_be_checked()  # nobody guessed that


def test_what_was_said_of_a_number_goes_once_it_is_right(window, make):
    page = window().page
    page.goto("/")
    field(page, "company.registration_number").fill("51 824 753 557")
    page.click("button.big")
    refused = page.locator("#company-registration_number-problem")
    expect(refused).to_be_visible()
    number = field(page, "company.registration_number")
    number.fill("51 824 753 556")
    number.press("Tab")
    expect(page.locator("#number-checked")).to_contain_text("are right")
    expect(refused).to_have_count(0)
    expect(page.locator(".field.wrong", has=number)).to_have_count(0)
    number.fill("51 824 753 557")
    number.press("Tab")
    expect(page.locator("#number-checked.problem")).to_be_visible()
    expect(page.locator(".field.wrong", has=number)).to_have_count(1)


def test_what_was_typed_is_there_when_the_page_was_left_and_names_only_in_its_own_tab(window):
    page = window().page
    page.goto("/")
    fill_in(page)
    page.locator("#region_written-0").fill("12 High Street, Bendigo 3550")
    page.goto("/join")
    page.goto("/")
    expect(page.get_by_text("We kept what you typed here before.")).to_be_visible()
    for name, value in NEED.items():
        expect(field(page, name)).to_have_value(value)
    expect(page.locator("[value='ISO 9001']")).to_be_checked()
    other = page.context.new_page()
    other.goto("/")
    expect(field(other, "headcount")).to_have_value("42")
    expect(field(other, "company.name")).to_have_value("")
    expect(field(other, "contact.name")).to_have_value("")
    stored = other.evaluate("JSON.stringify(localStorage)")
    assert "Mia" not in stored
    assert "Kestrel" not in stored
    assert "High Street" not in stored
    assert "consent" not in stored
    assert "csrf" not in stored
    page.click("text=Start afresh")
    page.goto("/")
    expect(field(page, "headcount")).to_have_value("")
    expect(field(page, "contact.name")).to_have_value("")


def test_starting_afresh_takes_back_what_was_said_of_the_fields(window):
    page = window().page
    page.goto("/")
    offered = page.locator("#standards .choice:visible")
    common = offered.count()
    page.fill("#standards-filter", "laboratory")
    field(page, "company.registration_number").fill("123")
    page.keyboard.press("Tab")
    expect(page.locator("#number-checked")).not_to_be_empty()
    page.click("text=Start afresh")
    expect(page.locator("#number-checked")).to_be_empty()
    expect(offered).to_have_count(common)


@pytest.mark.parametrize("stored", [OLD, "localStorage.setItem('lead-form', '{')"])
def test_what_is_old_or_broken_is_not_brought_back(window, stored):
    page = window().page
    page.goto("/")
    page.evaluate(f"const fields = {{headcount: ['42']}}; {stored}")
    page.goto("/")
    expect(field(page, "headcount")).to_have_value("")
    fill_in(page)
    page.goto("/")
    expect(field(page, "headcount")).to_have_value("42")


def test_an_error_is_read_first_and_what_was_typed_stays(window, make, clock):
    page = window().page
    page.goto("/")
    fill_in(page)
    page.check("[value='consulting']")
    field(page, "contact.email").fill("mia at kestrel")
    page.check("#consent-share_with_matched_providers")
    page.click("button.big")
    expect(page.locator(".summary")).to_be_focused()
    page.locator(".summary a").click()
    expect(field(page, "contact.email")).to_be_focused()
    expect(field(page, "contact.email")).to_have_value("mia at kestrel")
    expect(field(page, "contact.name")).to_have_value("Mia Ferrante")


def test_what_was_sent_is_kept_no_longer_and_back_finds_the_form_as_it_was(window, make, clock):
    page = window().page
    page.goto("/")
    clock.advance(minutes=2)
    fill_in(page)
    page.check("[value='consulting']")
    field(page, "contact.email").fill("mia@kestrel.example")
    page.check("#consent-share_with_matched_providers")
    page.dblclick("button.big")
    expect(page.get_by_text("We have written to")).to_be_visible()
    assert page.evaluate("localStorage.length + sessionStorage.length") == 0
    page.go_back()
    expect(field(page, "contact.name")).to_have_value("Mia Ferrante")
    assert len(make.ask(lambda session: session.query(Lead).all())) == 1


@pytest.mark.parametrize("size", [PHONE, DESK])
def test_nothing_moves_when_what_was_typed_before_comes_back(window, size):
    page = window(size).page
    page.add_init_script(WATCH)
    page.goto("/")
    fill_in(page)
    page.locator("summary", has_text="more standards").click()
    page.check("[value='ISO 37001']")
    page.locator("summary", has_text="consultant advised").click()
    field(page, "consultants_used.0.name").fill("Ridge Consulting")
    page.route("**/lead_form.js*", lambda route: (time.sleep(0.5), route.continue_()))
    page.goto("/", wait_until="load")
    expect(page.locator("[value='ISO 37001']")).to_be_visible()
    expect(field(page, "consultants_used.0.name")).to_be_visible()
    page.wait_for_timeout(300)
    moved = page.evaluate("window.shifted")
    assert sum(amount for amount, *_ in moved) <= STILL, moved


def test_what_was_typed_before_does_not_overwrite_a_form_that_a_reminder_filled_in(
    window, ctx, make
):
    lead = an_awarded_lead(ctx, make)
    body = {"certified_on": "2026-11-20", "consent": True}
    form = load(RemindersIn(), body)
    certificate = outcome.want_reminders(ctx, business_of(lead), form, door="api")
    with ctx.transaction() as tx:
        again = links.mint(
            tx, links.Purpose.ASK_AGAIN, certificate.id, expires_at=certificate.forget_at
        )
    page = window().page
    page.goto("/")
    fill_in(page)
    page.check("[value='AU-WA']")
    page.goto(f"/requests/again/{again}")
    expect(field(page, "company.name")).to_have_value(lead.company_name)
    expect(field(page, "contact.email")).to_have_value(lead.contact_email)
    expect(page.locator("[value='AU-WA']")).not_to_be_checked()
    expect(page.locator("[value='AU-NSW']")).to_be_checked()
    expect(page.get_by_text("nothing is sent until you agree below")).to_be_visible()
