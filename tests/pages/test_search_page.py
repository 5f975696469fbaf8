"""One field finds leads and providers by whatever an administrator has of them."""

import pytest

from marketplace.leads import service as leads
from marketplace.quotes import erasure
from marketplace.web.api.common import LeadIn
from marketplace.web.requests import load
from tests.factories import business_of, lead_form
from tests.people import a_person


@pytest.fixture
def market(ctx, make):
    harbour = make.provider(name="Harbour Quality Pty Ltd")
    body = make.provider("certification_body", name="Wattle Certification", accredited=False)
    make.accreditation(body, certificate_number="MS-7741")
    a_person(ctx, "lee@harbour.example", provider_id=harbour.id)
    form = lead_form()
    form["company"]["name"] = "Ökumenische Werke GmbH"
    receipt = leads.submit_lead(ctx, load(LeadIn(), form))
    return make.lead_called(receipt.reference), make.lead(number=77)


@pytest.mark.parametrize(
    ("typed", "named"),
    [
        ("works 77", "Invented Works 77 Pty Ltd"),
        ("inv wor", "Invented Works 77 Pty Ltd"),
        ("sam@works77.example", "Invented Works 77 Pty Ltd"),
        ("works77.example", "Invented Works 77 Pty Ltd"),
        ("ökum", "Ökumenische Werke GmbH"),
        ("Ökumenische", "Ökumenische Werke GmbH"),
        ("51 824 753 556", "Ökumenische Werke GmbH"),
        ("51824753556", "Ökumenische Werke GmbH"),
        ("harb qual", "Harbour Quality Pty Ltd"),
        ("provider1.example", "Harbour Quality Pty Ltd"),
        ("Lee@harbour.example", "Harbour Quality Pty Ltd"),
        ("ms-7741", "Wattle Certification"),
    ],
)
def test_a_few_letters_of_what_is_known_find_it(admin, market, typed, named):
    page = admin.open(search(typed))
    assert page.status == 200
    assert named in page.text
    others = {"Invented Works 77 Pty Ltd", "Ökumenische Werke GmbH", "Harbour Quality Pty Ltd",
              "Wattle Certification"} - {named}  # fmt: skip
    assert not [each for each in others if each in page.text]


def search(typed):
    return f"/admin/search?q={typed.replace(' ', '+').replace('&', '%26')}"


def test_a_whole_reference_leads_straight_there(admin, market):
    lead, _ = market
    for typed in (lead.reference, lead.reference.lower(), f" {lead.reference} "):
        assert admin.open(search(typed)).at == f"/admin/leads/{lead.id}"
    assert lead.reference in admin.open(search(lead.reference[:6])).text


@pytest.mark.parametrize("typed", ["", "  ", "zzz", "' | 'a':*", "\\ & !", "a" * 200, "%", "🦜"])
def test_whatever_is_typed_is_answered(admin, market, typed):
    page = admin.open(search(typed))
    assert page.status == 200
    assert "Harbour Quality" not in page.text


def test_who_was_erased_is_not_found(ctx, admin, market, make):
    lead, _ = market
    assert "Jo Tran" in admin.open(search("jo@acme.example")).text
    erasure.erase_request(ctx, business_of(lead))
    for typed in ("jo@acme.example", "erased", "ökumenische"):
        page = admin.open(search(typed))
        assert lead.reference not in page.text
        assert "Nothing begins with" in page.text


def test_it_is_for_administrators(make, signed_in, browser):
    assert signed_in(make.provider()).open("/admin/search?q=a").status == 403
    assert browser().open("/admin/search?q=a").at.startswith("/sign-in")
