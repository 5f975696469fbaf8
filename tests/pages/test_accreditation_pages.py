"""Accreditations in the portal: entered with a file, not counting until somebody looked."""

from io import BytesIO

import pytest
from sqlalchemy import select
from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

from marketplace.core.actors import OPERATOR
from marketplace.core.events import Event
from marketplace.core.forms import Form
from marketplace.providers import accreditations
from marketplace.providers.accreditations import accreditations_of
from marketplace.providers.models import EvidenceFile
from marketplace.providers.rules import CheckResult, ProviderKind
from tests.pages.browser import Page
from tests.pdfs import a_pdf, with_size
from tests.people import PASSWORD

PDF, ANOTHER = a_pdf(), a_pdf(mark="2")

FILLED = {
    "standard": "ISO 45001",
    "edition": "2018",
    "body": "JASANZ",
    "certificate_number": "S-123",
    "valid_until": "2028-06-30",
}


def a_file(content, name):
    return FileStorage(BytesIO(content), name)


def send(person, **changed):
    """Send the form of the page as a browser does that has a file in it."""
    token = dict(person.page.form("/portal/accreditations").values)["csrf_token"]
    answer = post(person, {"csrf_token": token, **FILLED, **changed})
    return answer if answer.status_code != 303 else person.open("/portal/accreditations")


def post(person, data, path="/portal/accreditations"):
    boundary, body = encode_multipart(data)
    return person.client.post(
        path,
        data=body,
        content_type=f"multipart/form-data; boundary={boundary}",
    )


def held(make, provider):
    return make.ask(lambda session: accreditations_of(session, provider.id))


def test_one_is_entered_with_its_certificate_and_waits_to_be_looked_up(make, signed_in):
    body = make.provider(kind=ProviderKind.CERTIFICATION_BODY)
    before = len(held(make, body))
    person = signed_in(body)
    person.open("/portal/accreditations")
    page = send(person, evidence=a_file(PDF, "Certificate 2026.pdf"))
    assert "A person here looks it up" in page.text
    assert "not checked by us yet" in page.text
    (entered,) = [each for each in held(make, body) if each.accreditation.standard == "ISO 45001"]
    assert len(held(make, body)) == before + 1
    assert entered.evidence == "Certificate 2026.pdf"
    got = person.client.get(page.link("/evidence"))
    assert (got.status_code, got.data) == (200, PDF)
    assert got.headers["Content-Disposition"].startswith("attachment")


def test_without_a_file_it_is_entered_too(make, signed_in):
    body = make.provider(kind=ProviderKind.CERTIFICATION_BODY)
    person = signed_in(body)
    person.open("/portal/accreditations")
    assert "none sent" in send(person, evidence=a_file(b"", "")).text


def test_what_is_wrong_stands_beside_its_field_and_what_was_typed_stays(make, signed_in):
    person = signed_in(make.provider(kind=ProviderKind.CERTIFICATION_BODY))
    person.open("/portal/accreditations")
    answer = send(
        person, valid_until="soon", certificate_number="", evidence=a_file(b"MZ", "virus.pdf")
    )
    assert answer.status_code == 422
    assert "The file must be a PDF, PNG or JPEG file" in answer.text
    assert "The number of the certificate is required" in answer.text
    assert "The last day on which it counts" in answer.text
    assert 'value="2018"' in answer.text


HTML = b"%PDF-1.7\n<html><script>alert(1)</script>"
SVG = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
SCRIPT = b"/OpenAction << /S /JavaScript /JS (app.alert) >>"
"""What a browser or a reader would run, called a PDF."""

TEN_MEBIBYTES = with_size(10 * 1024 * 1024)


@pytest.mark.parametrize("size", [1, 2 * len(TEN_MEBIBYTES)])
def test_a_file_that_is_too_large_is_said_at_its_field_and_what_was_typed_stays(
    make, signed_in, size
):
    body = make.provider(kind=ProviderKind.CERTIFICATION_BODY)
    before = len(held(make, body))
    person = signed_in(body)
    person.open("/portal/accreditations")
    answer = send(person, evidence=a_file(TEN_MEBIBYTES + b"x" * size, "large.pdf"))
    assert answer.status_code == 422
    page = Page(answer, "/portal/accreditations")
    assert page.text.count("Choose a file of at most 10 MiB") == 2  # above, and at the field
    assert 'href="#evidence"' in page.html
    typed = dict(page.form("/portal/accreditations").values)
    assert {name: typed[name] for name in FILLED} == FILLED
    assert len(held(make, body)) == before
    assert "It is noted" in send(person, evidence=a_file(TEN_MEBIBYTES, "large.pdf")).text


def test_of_a_file_that_is_far_too_large_the_form_says_so_without_reading_it(make, signed_in):
    person = signed_in(make.provider(kind=ProviderKind.CERTIFICATION_BODY))
    person.open("/portal/accreditations")
    answer = person.client.post(
        "/portal/accreditations",
        content_type="multipart/form-data; boundary=x",
        environ_overrides={"CONTENT_LENGTH": str(1024**3)},
    )
    assert answer.status_code == 413
    assert "Choose a file of at most 10 MiB" in answer.text
    assert 'name="certificate_number"' in answer.text


def test_a_file_sent_while_the_session_lapsed_leads_to_signing_in_and_back(make, signed_in, clock):
    body = make.provider(kind=ProviderKind.CERTIFICATION_BODY)
    person = signed_in(body)
    person.open("/portal/accreditations")
    clock.advance(hours=13)
    answer = send(person, evidence=a_file(TEN_MEBIBYTES, "large.pdf"))
    assert answer.status_code == 401
    assert "what you typed is kept" in answer.text
    person.page = Page(answer, "/portal/accreditations")
    page = person.send("/sign-in", email=body.contact_email, password=PASSWORD)
    assert dict(page.form("/portal/accreditations").values)["certificate_number"] == "S-123"


def claimed(make, signed_in, **changes):
    """Sit down as somebody who has entered an accreditation that nobody has looked up."""
    body = make.provider(kind=ProviderKind.CERTIFICATION_BODY)
    person = signed_in(body)
    person.open("/portal/accreditations")
    send(person, **changes)
    (entered,) = [each for each in held(make, body) if each.accreditation.standard == "ISO 45001"]
    return person, body, entered.accreditation


def prove(person, accreditation, content, name="Schedule.pdf"):
    path = f"/portal/accreditations/{accreditation.id}/evidence"
    token = dict(person.page.form(path).values)["csrf_token"]
    return post(person, {"csrf_token": token, "evidence": a_file(content, name)}, path)


def files(make):
    return make.ask(lambda session: session.scalars(select(EvidenceFile.name)).all())


def test_evidence_is_added_later_and_replaced_and_twice_the_same_is_once(make, signed_in):
    person, _, accreditation = claimed(make, signed_in)
    for content, name in ((PDF, "Certificate.pdf"), (PDF, "Again.pdf"), (ANOTHER, "New.pdf")):
        assert prove(person, accreditation, content, name).status_code == 303
        page = person.open("/portal/accreditations")
        assert "The file is with us" in page.text
    assert files(make) == ["Certificate.pdf", "New.pdf"]
    assert person.client.get(page.link(f"{accreditation.id}/evidence")).data == ANOTHER


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "Choose the file to send"),
        (b"MZ", "The file must be a PDF, PNG or JPEG file"),
        (TEN_MEBIBYTES + b"x", "Choose a file of at most 10 MiB"),
        (HTML, "The file must be a PDF file"),
        (SVG, "The file must be a PDF, PNG or JPEG file"),
        (b"%PDF-1.7\n<svg onload='alert(1)'/>\n%%EOF", "The file cannot be read as a PDF"),
        (a_pdf(root=SCRIPT), "must not have scripts (JavaScript) in it"),
    ],
)
def test_evidence_that_is_none_is_refused_at_the_accreditation_that_it_was_for(
    make, signed_in, content, said
):
    person, _, accreditation = claimed(make, signed_in)
    answer = prove(person, accreditation, content, "x.pdf" if content else "")
    assert answer.status_code == 422
    assert said in answer.text
    assert answer.text.count('id="evidence"') == 1
    assert files(make) == []


def test_a_claim_is_taken_back_once_and_can_be_entered_again(make, signed_in):
    person, body, accreditation = claimed(make, signed_in)
    form = person.open("/portal/accreditations")
    assert "stated by you, not checked by us yet" in form.text
    for _ in range(2):
        person.page = form
        assert "It is taken back" in person.send(f"{accreditation.id}/take-back").text
    assert "S-123" not in person.page.text
    (taken,) = [each for each in held(make, body) if each.accreditation.id == accreditation.id]
    assert taken.accreditation.state == "withdrawn"
    deeds = make.ask(
        lambda session: session.scalars(
            select(Event.verb).where(Event.subject_id == accreditation.id).order_by(Event.id)
        ).all()
    )
    assert deeds == ["accreditation.claimed", "accreditation.withdrawn"]
    assert prove_by_hand(person, accreditation) == 303
    assert "this accreditation is withdrawn" in person.open("/portal/accreditations").text.lower()
    person.open("/portal/accreditations")
    assert "It is noted" in send(person).text


def prove_by_hand(person, accreditation):
    token = dict(person.page.form("/portal/accreditations").values)["csrf_token"]
    data = {"csrf_token": token, "evidence": a_file(PDF, "late.pdf")}
    path = f"/portal/accreditations/{accreditation.id}/evidence"
    return post(person, data, path).status_code


def test_what_was_verified_meanwhile_is_not_taken_back(make, signed_in, ctx):
    person, _, accreditation = claimed(make, signed_in)
    form = person.open("/portal/accreditations")
    seen = {"result": CheckResult.FOUND, "checked_on": ctx.clock().date(), "source": "JASANZ"}
    accreditations.verify_accreditation(ctx, OPERATOR, accreditation.id, Form(seen))
    person.page = form
    page = person.send(f"{accreditation.id}/take-back")
    assert "an administrator takes it back: please write to us" in page.text
    assert "What is verified only an administrator can" in page.text
    assert not [form for form in page.forms if form.action.endswith("take-back")]


def test_nobody_sends_evidence_for_anothers_nor_takes_it_back(make, signed_in):
    _, body, accreditation = claimed(make, signed_in)
    stranger = signed_in(make.provider(kind=ProviderKind.CERTIFICATION_BODY))
    page = stranger.open("/portal/accreditations")
    token = next(
        value for form in page.forms for name, value in form.values if name == "csrf_token"
    )
    path = f"/portal/accreditations/{accreditation.id}"
    data = {"csrf_token": token, "evidence": a_file(PDF, "x.pdf")}
    assert post(stranger, data, f"{path}/evidence").status_code == 404
    assert stranger.post(f"{path}/take-back", [("csrf_token", token)]).status == 404
    assert held(make, body)
    assert files(make) == []


def test_a_consultant_has_none_to_enter_and_no_entry_for_them_in_the_menu(make, signed_in):
    person = signed_in(make.provider(kind=ProviderKind.CONSULTANT))
    assert "/portal/accreditations" not in person.page.html
    page = person.open("/portal/accreditations")
    assert "As a consultant you have nothing to enter here" in page.text
    assert [form for form in page.forms if "accreditations" in form.action] == []
    body = signed_in(make.provider(kind=ProviderKind.CERTIFICATION_BODY))
    assert body.page.link("/portal/accreditations")
