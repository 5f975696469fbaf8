"""The comparison on paper: what the page says, as a PDF that can be handed to a board."""

from io import BytesIO

import pytest
from pypdf import PdfReader

from marketplace.invitations import questions
from marketplace.matching import service as matching
from marketplace.providers.models import Provider
from marketplace.providers.service import suspend_provider
from marketplace.quotes import comparison, erasure, outcome
from marketplace.quotes import service as quotes
from marketplace.web.api.quotes import QuoteIn
from marketplace.web.pages import compared, paper
from marketplace.web.requests import load
from tests.api.doors import admin_door, business_door, provider_door
from tests.factories import ADMIN, business_of, person_of
from tests.pages.steps import held_by, open_request
from tests.pages.test_business_pages import CERTIFICATION

NAMES = ("Southern Cross Assurance", "Wattle Certification", "Meridian Registrars")

WHOLE = {
    **CERTIFICATION,
    "standards": [{"code": "ISO 9001", "edition": "2026"}],
    "audit_days": {
        "stage_1": 1, "stage_2": 2.5, "surveillance_1": 1, "surveillance_2": 1,
        "recertification": 2.5,
    },
    "fees": {
        "application": "250.00", "stage_1": "1400.10", "stage_2": "4200.20",
        "surveillance_1": "1800.30", "surveillance_2": "1800.40", "annual": "333.33",
        "recertification": "3900.00",
    },
    "travel_basis": "included",
    "tax_rate": "10",
    "effective_personnel": 30,
    "earliest_start": "2027-01-11",
    "assumptions": ["One shift.", "Audits are held in English."],
}  # fmt: skip


def quote(ctx, invitation, body):
    form = load(QuoteIn(), body)
    return quotes.put_quote(ctx, person_of(invitation.provider_id), invitation.id, form)


@pytest.fixture
def lead(ctx, make):
    """A request to three certification bodies: two have quoted, and one has asked."""
    for name in NAMES:
        make.provider("certification_body", name=name)
    lead = make.matched_lead(
        service="certification", needed_by="2027-03-31", notes="For a tender.\nTwo halls."
    )
    first, second, third = held_by(make, lead)
    quote(ctx, first, WHOLE)
    few = {"stage_1": 0.5, "stage_2": 0.5}
    quote(ctx, second, {**CERTIFICATION, "audit_days": few})
    asked = questions.ask_question(ctx, person_of(third.provider_id), third.id, text="One shift?")
    questions.answer_question(ctx, business_of(lead), asked.id, text="Two.\nFrom six to ten.")
    return lead


def read(answer):
    assert answer.status_code == 200, answer.get_data(as_text=True)
    assert answer.mimetype == "application/pdf"
    return PdfReader(BytesIO(answer.data))


def text_of(reader):
    return "".join("".join(page.extract_text() for page in reader.pages).split())


def names_of(make, lead):
    """Return what the providers are called, as they were invited."""
    held = held_by(make, lead)
    return [make.ask(lambda s, each=each: s.get(Provider, each.provider_id)).name for each in held]


def squeezed(text):
    """Return a text as it is found in a PDF, where gaps and line breaks are one."""
    return "".join(text.split())


@pytest.fixture
def business(ctx, browser, lead):
    visitor = browser()
    open_request(ctx, visitor, lead)
    return visitor


def test_the_paper_says_all_that_the_page_says(ctx, app, business, lead):
    page = business.open("/requests")
    found = text_of(read(business.client.get(page.link("comparison.pdf"))))
    shown = comparison.request_page(ctx, business_of(lead))
    with app.test_request_context():
        (side_by_side,) = shown["comparison"]["kinds"].values()
        parts = compared.parts("certification", side_by_side)
        said = [
            *compared.above(side_by_side, shown["comparison"]),
            *compared.below("certification", shown["comparison"], ctx.policy),
            compared.justified(),
            *(
                each
                for _, sentences in compared.rests_on(side_by_side["columns"])
                for each in sentences
            ),
        ]
    cells = [cell for part in parts for row in part.rows for cell in row.cells]
    told = [
        *said,
        *(part.heading for part in parts),
        *(row.label for part in parts for row in part.rows),
        *(text for cell in cells for text in (cell.text, *cell.notes, *cell.warnings)),
    ]
    assert "AUD 10,450.99" in told
    assert "below what the accreditation rules allow without a special reason" in told
    page_text = squeezed(page.text)
    for each in told:
        assert squeezed(each) in page_text, each
        assert squeezed(each) in found, each


def test_it_says_for_whom_it_is_what_was_asked_and_how_it_stands(make, business, lead):
    reader = read(business.client.get("/requests/comparison.pdf"))
    found = text_of(reader)
    for each in (
        f"Request {lead.reference} of {lead.company_name}",
        "As it stood on 23 November 2026, 8:00 pm AEDT.",
        "New South Wales, Australia",
        "42 at 1 site",
        "needed by 31 March 2027",
        "For a tender.",
        "Two halls.",
        "Certification body",
        "accredited by JASANZ, number CERT-",
        "Vouched for when the provider was taken in",
        "One shift?",
        "From six to ten.",
        "nothing that anybody pays moves them",
        f"Page 1 of {len(reader.pages)}",
    ):
        assert squeezed(each) in found, each
    *quoted, asked = names_of(make, lead)
    assert [squeezed(name) in found for name in quoted] == [True, True]
    assert squeezed(asked) not in found
    root = reader.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"].value is True
    assert root["/Lang"] == "en-AU"
    assert reader.metadata.title == f"Request {lead.reference}: quotes side by side"


def test_it_is_saved_under_the_reference_and_kept_by_nobody_between(business, lead):
    answer = business.client.get("/requests/comparison.pdf")
    name = f"attachment; filename=quotes-{lead.reference}.pdf"
    assert answer.headers["Content-Disposition"] == name
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_quotes_stand_in_the_order_of_the_page(ctx, make, business, lead):
    first, second, _ = held_by(make, lead)
    quote(ctx, first, {**WHOLE, "fees": {**WHOLE["fees"], "stage_2": "99000.00"}})
    whole = {**WHOLE, "fees": {**WHOLE["fees"], "stage_2": "1.00"}}
    quote(ctx, second, whole)
    names = names_of(make, lead)[:2]
    for order, wanted in (("", names), ("nonsense", names), ("total", names[::-1])):
        path = f"/requests/comparison.pdf?order={order}"
        found = text_of(read(business.client.get(path)))
        assert found.index(squeezed(wanted[0])) < found.index(squeezed(wanted[1])), order
    assert squeezed("the lowest total first") in found


def test_whose_provider_was_chosen_is_marked(ctx, make, business, lead):
    outcome.choose_provider(ctx, business_of(lead), held_by(make, lead)[0].id)
    assert "chosen" in text_of(read(business.client.get("/requests/comparison.pdf")))


def test_of_a_request_that_was_erased_nobody_is_named_and_the_quotes_stay(ctx, client, lead):
    erasure.erase_request(ctx, business_of(lead))
    path = f"/api/v1/admin/leads/{lead.id}/comparison.pdf"
    found = text_of(read(client.get(path, headers=admin_door(ctx))))
    assert "AUD10,450.99" in found
    for each in (lead.company_name, "For a tender.", "One shift?", "What was asked"):
        assert squeezed(each) not in found, each


def test_a_quote_whose_provider_may_take_no_part_any_more_says_so(ctx, make, business, lead):
    gone = held_by(make, lead)[0]
    suspend_provider(ctx, ADMIN, gone.provider_id, reason="An insurance is missing.")
    matching.match_lead(ctx, lead.id)
    found = text_of(read(business.client.get("/requests/comparison.pdf")))
    assert "Withdrawn,because" in found


def test_business_and_administrator_have_it_by_each_door(ctx, client, admin, lead):
    papers = [
        client.get("/api/v1/request/comparison.pdf", headers=business_door(ctx, lead)),
        client.get(f"/api/v1/admin/leads/{lead.id}/comparison.pdf", headers=admin_door(ctx)),
        admin.client.get(admin.open(f"/admin/leads/{lead.id}").link("comparison.pdf")),
    ]
    assert len({text_of(read(each)) for each in papers}) == 1
    wrong = client.get("/api/v1/request/comparison.pdf?order=x", headers=business_door(ctx, lead))
    assert (wrong.status_code, wrong.json["errors"][0]["pointer"]) == (422, "/order")


def test_nobody_else_has_it(ctx, make, client, browser, signed_in, lead):
    assert browser().open("/requests/comparison.pdf").status == 401
    provider = make.provider()
    person = signed_in(provider)
    assert person.open(f"/admin/leads/{lead.id}/comparison.pdf").status == 403
    assert person.open("/requests/comparison.pdf").status in (401, 403)
    who = provider_door(ctx, provider)
    assert client.get("/api/v1/request/comparison.pdf", headers=who).status_code == 403
    other = business_door(ctx, make.lead())
    answer = client.get("/api/v1/request/comparison.pdf", headers=other)
    assert (answer.status_code, answer.json["detail"]) == (
        409,
        "there is nothing to compare yet: nobody has quoted",
    )


def test_before_anybody_has_quoted_there_is_none_and_no_way_to_it(ctx, make, browser):
    visitor = browser()
    page = open_request(ctx, visitor, make.matched_lead())
    assert "comparison.pdf" not in page.html
    page = visitor.open("/requests/comparison.pdf")
    assert (page.status, "nobody has quoted" in page.text) == (409, True)


HOSTILE = [
    '#panic("x") $ x^2 $ *b* _a_ @d <e> \\ `raw`',
    '"] #read("/etc/passwd") ["',
    "W" * 200,
    "Кестрел \u0420\u0424 Ελλάς",
    "\u05d0\u05d1\u05d2 \u0645\u0631\u062d\u0628\u0627",
    "\U0001f600 \u65e5\u672c",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_whatever_is_written_is_set_as_it_is_written(ctx, make, client, name):
    provider = make.provider(name=name)
    make.provider(name="Another")
    lead = make.matched_lead(notes=name * 4)
    for invitation in held_by(make, lead):
        body = {
            "kind": "consulting",
            "currency": "AUD",
            "phases": [{"name": name, "days": 2, "fee": "3000.00"}],
            "exclusions": [name],
            "valid_until": "2027-03-31",
        }
        quote(ctx, invitation, body)
    answer = client.get("/api/v1/request/comparison.pdf", headers=business_door(ctx, lead))
    found = text_of(read(answer)).replace("\u200b", "")
    assert "AUD3,000.00" in found
    if name.isascii() or "\u0420" in name:
        assert found.count(squeezed(name)) >= 8
    assert provider


def test_who_writes_without_end_keeps_nobody_from_the_paper(ctx, make, client):
    for number in range(3):
        make.provider(name=f"{number} {'Lorem ipsum dolor ' * 10}".strip())
    lead = make.matched_lead(notes="word " * 799)
    phases = [
        {"name": f"{number} {'x' * 190}", "days": 2, "fee": "3000.00"} for number in range(30)
    ]
    body = {
        "kind": "consulting",
        "currency": "AUD",
        "phases": phases,
        "exclusions": ["The first of many."] + ["\U0001f600" * 1000] * 49,
        "client_duties": ["a word " * 140] * 25 + ["y" * 1000] * 25,
        "valid_until": "2027-03-31",
    }
    for invitation in held_by(make, lead):
        quote(ctx, invitation, body)
    for number in range(12):
        text = f"Question {number}: {'what ' * 380}"
        invitation = held_by(make, lead)[0]
        asked = questions.ask_question(
            ctx, person_of(invitation.provider_id), invitation.id, text=text
        )
        questions.answer_question(ctx, business_of(lead), asked.id, text="this " * 780)
    answer = client.get("/api/v1/request/comparison.pdf", headers=business_door(ctx, lead))
    found = text_of(read(answer))
    assert found.count("AUD90,000.00") >= 3
    assert found.count("Thefirstofmany.") == 3
    assert found.count(squeezed("Shortened here: the page has all of it.")) == 3 * 3
    assert "Question5:" in found
    assert "Question8:" not in found
    assert squeezed("There were more: the page has all of them.") in found


@pytest.mark.parametrize(
    ("text", "set_as"),
    [
        ("From AUD 1,000.00 to NZD 2,000.00", "From AUD\xa01,000.00 to NZD\xa02,000.00"),
        ("ISO 9001 (2026)", "ISO\xa09001 (2026)"),
        ("three words only", "three words only"),
        ("W" * 23, "W" * 23),
        ("W" * 24, "\u200b".join(["W" * 6] * 4)),
        ("a\u0301" * 12, "\u200b".join(["a\u0301" * 3] * 4)),
        ("a" * 5 + "\u0301" * 30 + "b", "a" * 5 + "\u0301" * 30 + "\u200bb"),
        (["x", {"y": ("z" * 24, 1, None, True)}], ["x", {"y": [
            "\u200b".join(["z" * 6] * 4), 1, None, True]}]),
    ],
)  # fmt: skip
def test_an_amount_stays_whole_and_what_has_no_gap_may_be_broken(text, set_as):
    assert paper.settable(text) == set_as
