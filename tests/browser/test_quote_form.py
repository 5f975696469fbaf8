"""The quote form with its script: the server's own sum, warnings, and a draft that keeps."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from playwright.sync_api import expect

from marketplace.invitations.models import QuoteDraft
from tests.browser.conftest import PHONE
from tests.pages.steps import held_by
from tests.pdfs import a_pdf
from tests.people import PASSWORD, a_person

OUTPUTS = ("sum-total", "sum-with-tax", "sum-without")

BOTH = """
async typed => {
  const form = document.getElementById("quote");
  for (const [name, value] of Object.entries(typed)) form.elements.namedItem(name).value = value;
  form.dispatchEvent(new Event("input"));
  const address = form.querySelector("[formaction*='/sum']").formAction;
  const body = new URLSearchParams(new FormData(form));
  const answer = await fetch(address, {method: "POST", body});
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const read = from => ["sum-total", "sum-with-tax", "sum-without"].map(
    id => from.getElementById(id).textContent.trim()
  );
  return [read(document), read(page)];
}
"""
"""Fill the form in; return what the script says of it, and what the server says."""


@pytest.fixture
def at_form(ctx, make, window):
    """Sit down at the quote form of a provider of a kind, which was invited just now."""
    pages = []

    def sit_down(kind="certification_body", *, again=None, size=PHONE, **changes):
        if again is not None:
            person = window(size)
            invitation, email = again
        else:
            provider = make.provider(kind)
            service = "certification" if kind == "certification_body" else "consulting"
            lead = make.matched_lead(service=service, **changes)
            (invitation,) = held_by(make, lead)
            email = a_person(ctx, provider.contact_email, provider_id=provider.id).email
            person = window(size)
        person.go("/sign-in")
        person.page.fill("#email", email)
        person.page.fill("#password", PASSWORD)
        person.page.get_by_role("button", name="Sign in").click()
        person.page.wait_for_url("**/portal")
        person.go(f"/portal/invitations/{invitation.id}/quote")
        pages.append(person.page)
        return person.page, (invitation, email)

    yield sit_down
    for page in pages:  # or the last save would come while the database is being emptied
        page.evaluate("if (typeof isStopped !== 'undefined') isStopped = true")
        page.wait_for_function("typeof isSaving === 'undefined' || !isSaving")


def drafts(make):
    return [each.typed.get("notes") for each in make.ask(lambda s: s.query(QuoteDraft).all())]


AMOUNT = st.one_of(
    st.just(""),
    st.integers(0, 10**11 - 1).map(lambda cents: f"{cents // 100}.{cents % 100:02}"),
    st.integers(0, 10**9 - 1).map(str),
    st.integers(1000, 10**9 - 1).map(lambda whole: f"${whole:,}"),
    st.sampled_from(
        [" 12.5 ", "1,23", "1,234.5", "$ 9", "$$9", "0", "00.10", ".5", "5.", "1e3", "-1", "1.005",
         "1234567890", "\uff11\uff12", "12 000", "a lot", "0,000,000,000.10", "\u00a07"]
    ),
)  # fmt: skip
RATE = st.sampled_from(
    ["", "10", "0", "100", "100.01", "7.75", "12.345", "1,5", "ten", " 15 ", "5.", "10 %", "5%%"]
)
CERTIFICATION = st.fixed_dictionaries(
    {
        **{
            f"fees.{key}": AMOUNT
            for key in ("application", "stage_1", "stage_2", "surveillance_1", "surveillance_2",
                        "recertification", "annual", "travel")
        },
        "travel_basis": st.sampled_from(["", "included", "capped", "at_cost"]),
        "currency": st.sampled_from(["AUD", "", " nzd", "jpy "]),
        "tax_rate": RATE,
    }
)  # fmt: skip
CONSULTING = st.fixed_dictionaries(
    {
        # No row is left blank before one that is filled in: the server closes such rows up.
        **{f"phases.{n}.name": st.just("Phase") for n in range(3)},
        **{f"phases.{n}.fee": AMOUNT for n in range(3)},
        "travel": AMOUNT,
        "tax_rate": RATE,
    }
)
A_FEW = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.mark.parametrize(
    ("kind", "forms"),
    [("certification_body", CERTIFICATION), ("consultant", CONSULTING)],
    ids=["certification", "consulting"],
)
def test_the_script_adds_up_to_the_cent_as_the_server_does(at_form, kind, forms):
    page, _ = at_form(kind)

    @A_FEW
    @given(forms)
    def agree(typed):
        by_script, by_server = page.evaluate(BOTH, typed)
        assert by_script == by_server, typed

    agree()


def test_the_script_writes_money_as_the_language_of_the_page_does(at_form):
    page, _ = at_form("consultant")
    for language, said in (("en", "AUD 1,234,567.80"), ("el", "AUD 1.234.567,80")):
        page.evaluate("language => { document.documentElement.lang = language; }", language)
        page.get_by_label("Fee").first.fill("1234567.8")
        expect(page.locator("#sum-total")).to_have_text(said)
        page.get_by_label("Fee").first.fill("")


def test_nothing_is_shown_as_zero_before_anything_is_typed(at_form):
    page, _ = at_form("consultant")
    total = page.locator("#sum-total")
    expect(total).to_have_text("nothing is filled in yet")
    page.get_by_label("Fee").first.fill("0")
    expect(total).to_have_text("AUD 0.00")
    page.get_by_label("Fee").first.fill("")
    expect(total).to_have_text("nothing is filled in yet")


def test_too_few_days_are_warned_of_while_they_are_typed(at_form):
    page, _ = at_form(headcount=45)
    warning = page.get_by_text("Stage 1 and 2 together: less than 3 days")
    other = page.get_by_text("What the tables suggest above is for 45 people")
    page.get_by_label("Stage 1 audit, days").fill("1")
    expect(warning).to_be_hidden()
    page.get_by_label("Stage 2 audit, days").fill("1.5")
    expect(warning).to_be_visible()
    page.get_by_label("Stage 2 audit, days").fill("2")
    expect(warning).to_be_hidden()
    page.get_by_label("Second surveillance audit, days").fill("0.5")
    expect(page.get_by_text("Second surveillance audit: less than 1 day")).to_be_visible()
    page.get_by_label("Effective personnel").fill("20")
    expect(other).to_be_visible()
    expect(page.get_by_text("Second surveillance audit: less than 1 day")).to_be_hidden()
    page.get_by_label("Effective personnel").press("Enter")
    page.wait_for_url("**/quote/sum#sum")
    expect(
        page.get_by_text("Effective personnel is 20 people, as counted for the quote.")
    ).to_have_count(1)
    expect(other).to_be_hidden()


def test_a_draft_saves_itself_and_of_two_windows_neither_overwrites_the_other(at_form, make):
    page, door = at_form("consultant")
    second, _ = at_form(again=door)
    page.get_by_label("Notes for the business").fill("typed in the first window")
    expect(page.locator("#draft-said")).to_contain_text("Draft saved")
    assert drafts(make) == [["typed in the first window"]]
    page.get_by_label("Notes for the business").fill("and more")
    expect(page.locator("#draft-said")).to_contain_text("Draft saved")
    second.get_by_label("Notes for the business").fill("typed in the second window")
    expect(second.locator("#draft-said")).to_contain_text("theirs is kept")
    second.get_by_label("Notes for the business").fill("typed on")
    second.get_by_role("button", name="Save as a draft").click()
    expect(second.get_by_text("Two drafts of one quote")).to_be_visible()
    assert second.input_value("[name=notes]") == "typed on"
    second.get_by_role("button", name="Save as a draft").click()
    expect(second.get_by_text("The draft is saved. It is not sent.")).to_be_visible()
    assert drafts(make) == [["typed on"]]


def test_leaving_keeps_what_was_typed_last(at_form, make):
    page, _ = at_form("consultant")
    page.get_by_label("Notes for the business").fill("just before leaving")
    page.goto("/sign-in")
    while not drafts(make):  # what a page sends when it is left arrives by and by
        page.wait_for_timeout(50)
    page.goto("/portal")
    expect(page.get_by_text("draft saved")).to_be_visible()
    page.get_by_role("link", name="Go on with the quote").click()
    assert page.input_value("[name=notes]") == "just before leaving"
    page.get_by_role("link", name="Back to the invitation").click()
    page.go_back()
    assert page.input_value("[name=notes]") == "just before leaving"
    assert drafts(make) == [["just before leaving"]]


def test_a_draft_that_cannot_be_saved_says_so_and_is_tried_again(at_form, make):
    page, _ = at_form("consultant")
    page.clock.install()
    page.route("**/quote/draft", lambda route: route.fulfill(status=429, body=""))
    page.reload()
    page.get_by_label("Notes for the business").fill("while the line was down")
    page.clock.run_for(3_000)
    expect(page.locator("#draft-said")).to_contain_text("could not be saved just now")
    assert drafts(make) == []
    page.unroute("**/quote/draft")
    page.clock.run_for(15_000)
    expect(page.locator("#draft-said")).to_contain_text("Draft saved")
    assert drafts(make) == [["while the line was down"]]


def test_a_file_too_large_is_said_before_anything_is_sent_and_the_draft_goes_on(at_form, make):
    page, _ = at_form("consultant")
    sent = []
    page.on("request", lambda each: sent.append(each.url) if each.method == "POST" else None)
    file = page.get_by_label("Add a file")
    large = {"name": "Offer.pdf", "mimeType": "application/pdf", "buffer": b"x" * (5 * 2**20 + 1)}
    file.set_input_files(large)
    said = page.get_by_role("alert").filter(has_text="The file must have at most 5 MiB")
    expect(said).to_be_visible()
    page.get_by_role("button", name="Add the file").click()
    expect(file).to_be_focused()
    assert [each for each in sent if not each.endswith("/draft")] == []
    page.get_by_label("Notes for the business").fill("We come by train.")
    expect(page.locator("#draft-said")).to_contain_text("Draft saved", timeout=10_000)
    assert drafts(make) == [["We come by train."]]


def test_a_file_is_added_and_removed_in_place_with_what_was_typed(at_form):
    page, _ = at_form("consultant")
    page.get_by_label("Notes for the business").fill("We come by train.")
    offer = {"name": "Offer.pdf", "mimeType": "application/pdf", "buffer": a_pdf()}
    page.get_by_label("Add a file").set_input_files(offer)
    page.get_by_role("button", name="Add the file").click()
    expect(page.get_by_role("link", name="Offer.pdf")).to_be_visible()
    expect(page.get_by_text("Not sent yet.")).to_be_in_viewport()
    expect(page.get_by_label("Notes for the business")).to_have_value("We come by train.")
    with page.expect_download() as begun:
        page.get_by_role("link", name="Offer.pdf").click()
    assert begun.value.suggested_filename == "Offer.pdf"
    page.get_by_role("button", name="Remove Offer.pdf").click()
    expect(page.get_by_role("link", name="Offer.pdf")).to_have_count(0)
    expect(page.get_by_label("Notes for the business")).to_have_value("We come by train.")
