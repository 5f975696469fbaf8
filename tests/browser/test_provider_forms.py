"""Forms of the portal with their scripts: a file that is too large, and a double click."""

import re

import pytest
from playwright.sync_api import expect

from tests.pages.test_accreditation_pages import PDF, TEN_MEBIBYTES
from tests.people import PASSWORD, a_person


@pytest.fixture
def at(ctx, make, window):
    """Sit down at a page of the portal."""

    def sit_down(path, kind="certification_body"):
        provider = make.provider(kind)
        email = a_person(ctx, provider.contact_email, provider_id=provider.id).email
        page = window().page
        page.goto(path)
        page.fill("#email", email)
        page.fill("#password", PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(f"**{path}")
        return page

    return sit_down


def test_that_a_file_is_too_large_is_said_before_the_form_is_sent(at):
    page = at("/portal/accreditations")
    sent = []
    page.on("request", lambda each: sent.append(each.url) if each.method == "POST" else None)
    said = page.get_by_role("alert").filter(has_text="Choose a file of at most 10 MiB")
    form = page.locator("form[enctype]").last
    file = form.get_by_label("The certificate or its schedule")
    large = {"name": "scan.pdf", "mimeType": "application/pdf", "buffer": TEN_MEBIBYTES + b"x"}
    file.set_input_files(large)
    expect(said).to_be_visible()
    form.get_by_label("Number of the certificate").fill("S-123")
    form.get_by_role("button", name="Enter it").click()
    expect(file).to_be_focused()
    expect(file).to_have_attribute("aria-describedby", re.compile("too-large"))
    assert sent == []
    file.set_input_files({**large, "buffer": PDF})
    expect(said).to_be_hidden()
    form.get_by_role("button", name="Enter it").click()
    expect(page.get_by_text("There is something to put right")).to_be_visible()
    assert form.get_by_label("Number of the certificate").input_value() == "S-123"


def test_a_double_click_makes_one_key_and_shows_its_secret(at):
    page = at("/portal/software", "consultant")
    page.get_by_label("What a new key is for").fill("Our files")
    page.get_by_role("button", name="Make a key").dblclick()
    expect(page.locator("code")).to_have_text(re.compile("^key_"))
    expect(page.get_by_role("heading", name="Our files", exact=True)).to_have_count(1)
    page.reload()
    expect(page.get_by_text("This key was made already")).to_be_visible()
    expect(page.get_by_role("heading", name="Our files", exact=True)).to_have_count(1)
