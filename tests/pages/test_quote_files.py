"""Files in the form of a quote: whichever button is pressed, nothing that was typed is lost."""

from dataclasses import replace
from io import BytesIO
from threading import BoundedSemaphore

import pytest
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.test import encode_multipart

from marketplace.core import pdfs
from marketplace.core.db import new_id
from marketplace.invitations.models import Attachment, QuoteDraft
from marketplace.quotes.models import Quote
from tests.pages.browser import Page
from tests.pages.steps import CONSULTING, held_by, open_request
from tests.pages.test_quote_form import QuoteForm
from tests.pdfs import a_pdf
from tests.people import PASSWORD

MEBIBYTE = 1024 * 1024


class FilesForm(QuoteForm):
    """The same form, with a file chosen in it."""

    def press(self, button="", content=None, name="Offer.pdf", **filled):
        given = {name.replace("__", "."): value for name, value in filled.items()}
        kept = [pair for pair in self.form.values if pair[0] not in {*given, "file"}]
        chosen = FileStorage(BytesIO(content or b""), name if content else "")
        boundary, body = encode_multipart(MultiDict([*kept, *given.items(), ("file", chosen)]))
        answer = self.person.client.post(
            self.path + button, data=body, content_type=f"multipart/form-data; boundary={boundary}"
        )
        return self.person._at(answer, self.path + button)


@pytest.fixture
def quoting(make, signed_in):
    provider = make.provider()
    lead = make.matched_lead()
    (invitation,) = held_by(make, lead)
    form = FilesForm(signed_in(provider), invitation)
    form.lead, form.provider = lead, provider
    return form


LOOKED_INTO_FOR_REAL = pdfs._look


@pytest.fixture(autouse=True)
def looked_into(monkeypatch):
    """Say what would be found, without a process for each file; that has its own tests."""
    monkeypatch.setattr(
        pdfs, "_look", lambda content, **_: "script" if b"/JavaScript" in content else "fine"
    )


def by(app, ctx, **changes):
    """Let the application go by another policy."""
    product = app.extensions["marketplace"]
    other = replace(ctx, policy=replace(ctx.policy, **changes))
    app.extensions["marketplace"] = replace(product, ctx=other)


def files(make):
    return make.ask(lambda session: session.query(Attachment).order_by(Attachment.id).all())


def quotes(make):
    return make.ask(lambda session: session.query(Quote).all())


def test_the_whole_form_sends_files_and_its_first_button_removes_none(quoting):
    page = quoting.person.page
    (form,) = [named for tag, named in page.elements if named.get("id") == "quote"]
    assert form["enctype"] == "multipart/form-data"
    quoting.press("/attachments", a_pdf())
    buttons = [named.get("formaction", "") for tag, named in page.elements if tag == "button"]
    first = next(each for each in buttons if "/quote/" in each)
    assert first.endswith("/sum#sum"), "what a browser presses on Enter"


def test_a_file_is_added_and_what_was_typed_stays(quoting, make):
    page = quoting.press("/attachments", a_pdf(), **CONSULTING | {"notes": "Half a sent"})
    assert page.status == 200
    assert "The file is among those of your quote." in page.text
    assert "Offer.pdf" in page.text
    assert "Not sent yet." in page.text
    typed = quoting.typed
    assert typed["notes"] == "Half a sent"
    assert typed["phases.0.fee"] == CONSULTING["phases__0__fee"]
    (file,) = files(make)
    got = quoting.person.client.get(page.link(str(file.id)))
    assert (got.status_code, got.data) == (200, a_pdf())
    assert got.headers["Content-Disposition"] == "attachment; filename=Offer.pdf"
    assert got.headers["Cache-Control"] == "private, no-store"
    policy = got.headers["Content-Security-Policy"]
    assert policy.startswith("sandbox; default-src 'none'; object-src 'none';")
    assert quotes(make) == []


def test_adding_the_same_again_is_fine(quoting, make):
    for _ in range(2):
        assert quoting.press("/attachments", a_pdf()).status == 200
    assert len(files(make)) == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "Choose the file to add."),
        (b"MZ", "The file must be a PDF file"),
        (a_pdf(root=b"/JavaScript 1"), "The file must not have scripts (JavaScript) in it"),
        (a_pdf() + b" " * 5 * MEBIBYTE, "The file must have at most 5 MiB"),
    ],
)
def test_what_is_wrong_with_a_file_stands_at_its_field_and_what_was_typed_stays(
    quoting, make, content, said
):
    page = quoting.press("/attachments", content, **CONSULTING)
    assert page.status == 422
    assert page.text.count(said) == 2  # above, and at the field
    assert 'href="#file"' in page.html
    assert quoting.typed["phases.0.name"] == "Gap analysis"
    assert files(make) == []


def test_of_a_file_far_too_large_the_form_says_so_with_the_draft_as_it_was_kept(quoting):
    quoting.press("/draft", notes="Kept")
    answer = quoting.person.client.post(
        quoting.path,
        content_type="multipart/form-data; boundary=x",
        environ_overrides={"CONTENT_LENGTH": str(1024**3)},
    )
    assert answer.status_code == 413
    assert "The file must have at most 5 MiB" in answer.text
    quoting.person.page = Page(answer, quoting.path)
    assert quoting.typed["notes"] == "Kept"


def test_a_file_that_is_chosen_goes_along_with_the_quote_itself(quoting, make, ctx, browser):
    page = quoting.press("", a_pdf(), **CONSULTING)
    assert "Your quote is with the business" in page.text
    (quote,), (file,) = quotes(make), files(make)
    assert quote.attachment_ids == [file.id]
    assert quoting.person.client.get(page.link(str(file.id))).data == a_pdf()
    business = browser()
    seen = open_request(ctx, business, quoting.lead)
    link = seen.link(f"/requests/attachments/{file.id}")
    assert seen.html.count(link) == 2  # side by side, and with the whole quote
    assert business.client.get(link).data == a_pdf()


def test_a_quote_and_its_file_are_refused_together_and_each_mistake_is_named(quoting, make):
    page = quoting.press("", b"MZ", **CONSULTING | {"valid_until": ""})
    assert page.status == 422
    assert "The file must be a PDF file" in page.text
    assert "The last day on which the quote stands is required" in page.text
    assert (quotes(make), files(make)) == ([], [])
    assert "Please choose it again: a browser does not keep it." in page.text


def test_a_good_file_with_a_wrong_quote_is_kept_for_when_it_is_right(quoting, make):
    page = quoting.press("", a_pdf(), **CONSULTING | {"valid_until": ""})
    assert page.status == 422
    assert "Offer.pdf" in page.text
    assert len(files(make)) == 1
    assert "Your quote is with the business" in quoting.press("", valid_until="2027-03-31").text
    assert quotes(make)[0].attachment_ids == [files(make)[0].id]


@pytest.mark.parametrize("button", ["/sum", "/draft"])
def test_whatever_button_is_pressed_a_chosen_file_is_added(quoting, make, button):
    page = quoting.press(button, a_pdf(), notes="Typed")
    assert page.status == 200
    assert "Offer.pdf" in page.text
    assert quoting.typed["notes"] == "Typed"
    page = quoting.press(button, b"MZ", notes="Typed again")
    assert page.status == 422
    assert "The file must be a PDF file" in page.text
    assert quoting.typed["notes"] == "Typed again"
    assert len(files(make)) == 1


def test_a_draft_that_is_saved_with_a_wrong_file_is_saved(quoting, make):
    quoting.press("/draft", b"MZ", notes="Typed")
    (draft,) = make.ask(lambda session: session.query(QuoteDraft).all())
    assert draft.typed["notes"] == ["Typed"]


def test_where_files_cannot_be_looked_into_just_now_nothing_that_was_typed_is_lost(
    quoting, make, monkeypatch, app, ctx
):
    monkeypatch.setattr(pdfs, "_look", LOOKED_INTO_FOR_REAL)
    monkeypatch.setattr(pdfs._PROGRAM, "room", BoundedSemaphore(1))
    by(app, ctx, pdf_look_seconds=0)
    with pdfs._PROGRAM.room:
        page = quoting.press("/attachments", a_pdf(), notes="Typed")
    assert page.status == 422
    assert page.text.count("Many files are being looked into just now: please try again") == 2
    assert quoting.typed["notes"] == "Typed"
    assert files(make) == []


def test_a_form_with_parts_is_no_way_around_what_a_draft_may_hold(quoting, make):
    large = {f"phases.{row}.deliverables": "x" * 200_000 for row in range(20)}
    answer = quoting.press("/draft", a_pdf(), **large)
    assert answer.status == 413
    assert make.ask(lambda session: session.query(QuoteDraft).all()) == []


def remove_button(page):
    return next(
        named["formaction"].partition("#")[0].partition("/quote")[2]
        for tag, named in page.elements
        if named.get("formaction", "").endswith("/remove#files")
    )


def test_a_file_is_removed_and_what_was_typed_stays(quoting, make):
    page = quoting.press("/attachments", a_pdf())
    button = remove_button(page)
    for said in ("The file is removed.", "The file was gone already."):
        page = quoting.press(button, notes="Typed")
        assert page.status == 200
        assert said in page.text
        assert quoting.typed["notes"] == "Typed"
    assert files(make) == []


def test_what_the_business_has_and_will_have_is_said_of_each_file(quoting, make):
    quoting.press("", a_pdf(), **CONSULTING)
    quoting.open()
    page = quoting.press("/attachments", a_pdf(mark="2"), name="Second.pdf")
    assert "With the business." in page.text
    assert "Not with the business until you send the quote again." in page.text
    page = quoting.press(remove_button(page))
    assert "Removed: the business has it until you send the quote again." in page.text
    told = "You changed its files since: the business sees that once you send the quote again."
    assert told in quoting.person.open(f"/portal/invitations/{quoting.invitation.id}").text
    quoting.open()
    assert told not in quoting.press("").text
    page = quoting.open()
    assert page.text.count("With the business.") == 1
    assert "Second.pdf" in page.text
    assert "Offer.pdf" not in page.text


def test_when_there_are_as_many_as_may_be_one_is_removed_first(quoting, make, app, ctx):
    by(app, ctx, attachments_at_most=2)
    quoting.press("/attachments", a_pdf())
    page = quoting.press("/attachments", a_pdf(mark="2"))
    assert "That is all 2: to add another, remove one." in page.text
    assert 'type="file"' not in page.html
    page = quoting.press("/attachments", a_pdf(mark="3"))
    assert page.status == 422
    assert "The file may not be added: a quote has at most 2" in page.text
    assert len(files(make)) == 2


def test_a_file_that_comes_too_late_is_said_on_the_invitations_page(quoting, make, clock):
    sent = quoting.form
    clock.now = quoting.invitation.respond_by
    quoting.person.open("/sign-in")
    quoting.person.send("/sign-in", email=quoting.provider.contact_email, password=PASSWORD)
    token = next(
        value
        for form in quoting.person.page.forms
        for name, value in form.values
        if name == "csrf_token"
    )
    sent.values[:] = [(n, token if n == "csrf_token" else v) for n, v in sent.values]
    for button in ("/attachments", f"/attachments/{new_id()}/remove", "", "/draft", "/sum"):
        page = Page(post(quoting, sent, button), quoting.path)
        assert page.status == 303
        assert page.response.location.endswith(f"/portal/invitations/{quoting.invitation.id}")
    page = quoting.person.open(f"/portal/invitations/{quoting.invitation.id}")
    assert "The time to answer this invitation has passed" in page.text
    assert files(make) == []


def post(quoting, form, button):
    chosen = FileStorage(BytesIO(a_pdf()), "Offer.pdf")
    kept = [pair for pair in form.values if pair[0] != "file"]
    boundary, body = encode_multipart(MultiDict([*kept, ("file", chosen)]))
    return quoting.person.client.post(
        quoting.path + button,
        data=body,
        content_type=f"multipart/form-data; boundary={boundary}",
    )


def test_nobody_adds_removes_or_reads_under_anothers_invitation(quoting, make, signed_in):
    quoting.press("/attachments", a_pdf())
    (file,) = files(make)
    stranger = signed_in(make.provider(name="Wattle Advisory"))
    stranger.open("/portal/leave")
    token = dict(stranger.page.form("/portal/leave").values)["csrf_token"]
    assert stranger.open(f"{quoting.path}/attachments/{file.id}").status == 404
    for path in ("attachments", f"attachments/{file.id}/remove", "sum", ""):
        answer = stranger.client.post(
            f"{quoting.path}/{path}".rstrip("/"),
            data={"csrf_token": token, "file": (BytesIO(a_pdf(mark="theirs")), "a.pdf")},
        )
        assert answer.status_code == 404, path
    assert [each.id for each in files(make)] == [file.id]


def test_a_file_sent_while_the_session_lapsed_leads_to_signing_in_and_back(quoting, clock):
    clock.advance(hours=13)
    page = quoting.press("/attachments", a_pdf(), notes="Typed")
    assert page.status == 401
    quoting.person.page = page
    page = quoting.person.send("/sign-in", email=quoting.provider.contact_email, password=PASSWORD)
    assert "Only the file has to be chosen once more." in page.text
    assert dict(page.form("/quote").values)["notes"] == "Typed"


def test_an_administrator_reads_them_beside_the_quote_and_in_the_history(quoting, make, admin):
    quoting.press("", a_pdf(), **CONSULTING)
    (file,) = files(make)
    page = admin.open(f"/admin/leads/{quoting.lead.id}")
    assert admin.client.get(page.link(str(file.id))).data == a_pdf()
    assert "added a file to its quote" in page.text
