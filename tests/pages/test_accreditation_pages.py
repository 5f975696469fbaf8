"""Accreditations in the portal: entered with a file, not counting until somebody looked."""

from io import BytesIO

from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

from marketplace.providers.accreditations import accreditations_of
from marketplace.providers.rules import ProviderKind

PDF = b"%PDF-1.7\n..."

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
    token = dict(person.page.form("accreditations").values)["csrf_token"]
    answer = post(person, {"csrf_token": token, **FILLED, **changed})
    return answer if answer.status_code != 303 else person.open("/portal/accreditations")


def post(person, data):
    boundary, body = encode_multipart(data)
    return person.client.post(
        "/portal/accreditations",
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


def test_a_file_that_is_too_large_is_refused_and_a_large_one_is_not(make, signed_in):
    body = make.provider(kind=ProviderKind.CERTIFICATION_BODY)
    person = signed_in(body)
    person.open("/portal/accreditations")
    ten_mebibytes = PDF.ljust(10 * 1024 * 1024, b"x")
    too_large = post(person, {**FILLED, "evidence": a_file(ten_mebibytes * 2, "large.pdf")})
    assert too_large.status_code == 413
    assert "It is noted" in send(person, evidence=a_file(ten_mebibytes, "large.pdf")).text


def test_a_consultant_has_none_to_enter(make, signed_in):
    person = signed_in(make.provider(kind=ProviderKind.CONSULTANT))
    page = person.open("/portal/accreditations")
    assert "None is entered yet" in page.text
    assert [form for form in page.forms if "accreditations" in form.action] == []
