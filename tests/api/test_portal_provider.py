"""A provider's own data over HTTP."""

import json
from dataclasses import replace

import pytest
from sqlalchemy import select

from marketplace.catalogue.languages import languages
from marketplace.core.jobs import Job
from marketplace.notifications.models import Notification
from tests.pdfs import a_pdf, with_size
from tests.people import a_person, an_admin, bearer, session_token
from tests.providers import a_body, a_provider

PORTAL = "/api/v1/portal"
CLAIM = {
    "standard": "ISO 9001",
    "edition": "2026",
    "body": "JASANZ",
    "certificate_number": "S-100",
    "sectors": ["17"],
    "valid_from": "2026-01-01",
    "valid_until": "2028-12-31",
}
PDF = a_pdf()


@pytest.fixture
def body(ctx):
    return a_body(ctx)


def sign_in(ctx, provider, email):
    return bearer(session_token(ctx, a_person(ctx, email, provider_id=provider.id)))


@pytest.fixture
def head(ctx, body):
    return sign_in(ctx, body, body.contact_email)


def pointers(response):
    assert response.status_code == 422, response.json
    return {error["pointer"] for error in response.json["errors"]}


def upload(client, head, claim=CLAIM, file=PDF, name="cert.pdf", **more):
    """Send a claim with a file, as a browser would."""
    form = b"--b\r\nContent-Disposition: form-data; name="
    body = form + b'"accreditation"\r\n\r\n'
    body += (claim if isinstance(claim, str) else json.dumps(claim)).encode() + b"\r\n"
    if file is not None:
        body += form + f'"evidence"; filename="{name}"\r\n\r\n'.encode() + file + b"\r\n"
    return client.post(
        f"{PORTAL}/accreditations",
        data=body + b"--b--\r\n",
        content_type="multipart/form-data; boundary=b",
        headers=head | more,
    )


def test_a_provider_sees_itself(client, body, head):
    seen = client.get(f"{PORTAL}/provider", headers=head).json
    assert seen["id"] == str(body.id)
    assert (seen["kind"], seen["state"]) == ("certification_body", "verified")
    assert seen["contact"]["email"] == "kim@southern.example"
    assert seen["coverage"]["open_capacity"] == 5
    assert seen["pauses"] == []


def test_a_change_leaves_out_what_it_does_not_name(client, body, head, queue):
    queue.jobs.clear()
    wanted = {
        "website": None,
        "contact": {"phone": "+61 2 5550 9999"},
        "coverage": {"regions": ["NZ"], "open_capacity": 7},
    }
    changed = client.patch(f"{PORTAL}/provider", json=wanted, headers=head)
    assert changed.status_code == 200, changed.json
    assert changed.json["website"] is None
    assert changed.json["contact"] == {
        "name": "Kim Reyes",
        "email": "kim@southern.example",
        "phone": "+61 2 5550 9999",
    }
    covered = changed.json["coverage"]
    assert (covered["regions"], covered["open_capacity"]) == (["NZ"], 7)
    assert covered["standards"] == ["ISO 9001", "ISO 14001"]
    assert queue.jobs == [(Job.REMATCH_WAITING_LEADS, body.id)]


def test_whoever_was_written_to_so_far_is_told_that_letters_go_elsewhere(client, ctx, body, head):
    for contact in ({"name": "Kim R."}, {"email": "desk@southern.example"}):
        changed = client.patch(f"{PORTAL}/provider", json={"contact": contact}, headers=head)
        assert changed.status_code == 200, changed.json
    told = select(Notification.recipient, Notification.provider_id).where(
        Notification.template == "contact_changed"
    )
    with ctx.reading() as session:
        assert session.execute(told).all() == [(body.contact_email, body.id)]


def test_who_names_every_part_of_a_country_covers_the_country(client, head):
    states = ["AU-NSW", "AU-VIC", "AU-QLD", "AU-SA", "AU-WA", "AU-TAS", "AU-NT"]
    for named, covered in ((states, states), ([*states, "AU-ACT"], ["AU"])):
        wanted = {"coverage": {"regions": named}}
        changed = client.patch(f"{PORTAL}/provider", json=wanted, headers=head)
        assert changed.json["coverage"]["regions"] == covered


def test_a_change_names_every_wrong_field(client, head):
    wrong = {
        "name": "Another",
        "website": "?",
        "contact": {"email": "nobody"},
        "coverage": {"standards": ["ISO 1"], "headcount_min": 900, "remote": 1},
    }
    answer = client.patch(f"{PORTAL}/provider", json=wrong, headers=head)
    assert pointers(answer) == {
        "/name",
        "/website",
        "/contact/email",
        "/coverage/standards/0",
        "/coverage/headcount_min",
        "/coverage/remote",
    }


def test_a_provider_says_in_which_languages_it_works_and_how_soon_it_begins(client, head):
    seen = client.get(f"{PORTAL}/provider", headers=head).json["coverage"]
    assert (seen["languages"], seen["weeks_to_start"]) == ([], None), "it does not say"
    for spoken, weeks in ((["en", "de"], 0), (["mi"], 104), ([], None)):
        said = {"languages": spoken, "weeks_to_start": weeks}
        answer = client.patch(f"{PORTAL}/provider", json={"coverage": said}, headers=head)
        assert answer.status_code == 200, answer.json
        other = client.patch(f"{PORTAL}/provider", json={"coverage": {}}, headers=head)
        for each in (answer, other):
            assert said.items() <= each.json["coverage"].items()


LANGUAGES = list(languages())


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"languages": None}, {"/coverage/languages"}),
        ({"languages": "de"}, {"/coverage/languages"}),
        ({"languages": LANGUAGES[:21]}, {"/coverage/languages"}),
        ({"languages": ["de", "xx", "DE"]}, {"/coverage/languages/1", "/coverage/languages/2"}),
        ({"languages": ["de", 5, ""]}, {"/coverage/languages/1", "/coverage/languages/2"}),
        ({"languages": ["deu", "German"]}, {"/coverage/languages/0", "/coverage/languages/1"}),
        ({"languages": ["de", "en", "de"]}, {"/coverage/languages/2"}),
        ({"weeks_to_start": -1}, {"/coverage/weeks_to_start"}),
        ({"weeks_to_start": 105}, {"/coverage/weeks_to_start"}),
        ({"weeks_to_start": 1.5}, {"/coverage/weeks_to_start"}),
        ({"weeks_to_start": "4"}, {"/coverage/weeks_to_start"}),
        ({"weeks_to_start": True}, {"/coverage/weeks_to_start"}),
    ],
)
def test_wrong_languages_and_weeks_are_named(client, head, change, wrong):
    answer = client.patch(f"{PORTAL}/provider", json={"coverage": change}, headers=head)
    assert pointers(answer) == wrong


def test_as_many_languages_as_may_be_are_taken(client, head):
    change = {"coverage": {"languages": LANGUAGES[:20]}}
    answer = client.patch(f"{PORTAL}/provider", json=change, headers=head)
    assert answer.json["coverage"]["languages"] == LANGUAGES[:20]


def test_a_claim_is_listed_with_its_state(client, head):
    made = client.post(f"{PORTAL}/accreditations", json=CLAIM, headers=head)
    assert made.status_code == 201, made.json
    assert (made.json["state"], made.json["last_check"]) == ("claimed", None)
    listed = client.get(f"{PORTAL}/accreditations", headers=head).json
    assert listed == {"items": [made.json], "next": None}
    assert client.post(f"{PORTAL}/accreditations", json=CLAIM, headers=head).status_code == 409


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"standard": "ISO 1"}, "/standard"),
        ({"standard": "ISO 31000"}, "/standard"),
        ({"edition": "2062"}, "/edition"),
        ({"edition": None}, "/edition"),
        ({"body": "NOBODY"}, "/body"),
        ({"certificate_number": ""}, "/certificate_number"),
        ({"certificate_number": "a|b"}, "/certificate_number"),
        ({"sectors": ["17", "99"]}, "/sectors/1"),
        ({"sectors": []}, "/sectors"),
        ({"valid_from": "2029-01-01"}, "/valid_until"),
        ({"valid_until": "2026-11-22"}, "/valid_until"),
        ({"valid_until": "soon"}, "/valid_until"),
        ({"surprise": 1}, "/surprise"),
    ],
)
def test_a_wrong_claim_is_named(client, head, change, pointer):
    sent = client.post(f"{PORTAL}/accreditations", json=CLAIM | change, headers=head)
    assert pointers(sent) == {pointer}


def test_evidence_is_kept_and_comes_back_as_a_download(client, ctx, head):
    made = upload(client, head, name="Certificate 2026.pdf")
    assert made.status_code == 201, made.json
    assert made.json["evidence"] == "Certificate 2026.pdf"
    path = f"accreditations/{made.json['id']}/evidence"
    admin = bearer(session_token(ctx, an_admin(ctx)))
    for url, reader in ((f"{PORTAL}/{path}", head), (f"/api/v1/admin/{path}", admin)):
        got = client.get(url, headers=reader)
        assert (got.status_code, got.data, got.mimetype) == (200, PDF, "application/pdf")
        assert got.headers["Content-Disposition"].startswith("attachment")
        assert "Certificate 2026.pdf" in got.headers["Content-Disposition"]
        assert got.headers["X-Content-Type-Options"] == "nosniff"


def test_a_download_is_saved_and_kept_by_nobody_whatever_it_is_called(client, head):
    made = upload(client, head, name="Prüfbericht für 見積.pdf")
    got = client.get(f"{PORTAL}/accreditations/{made.json['id']}/evidence", headers=head)
    disposition = got.headers["Content-Disposition"]
    assert disposition.isascii()
    assert disposition.startswith("attachment; filename=")
    assert disposition.endswith(
        "filename*=UTF-8''Pr%C3%BCfbericht%20f%C3%BCr%20%E8%A6%8B%E7%A9%8D.pdf"
    )
    policy = got.headers["Content-Security-Policy"]
    assert policy.startswith("sandbox; default-src 'none'; object-src 'none';")
    assert got.headers["Cache-Control"] == "private, no-store"
    assert got.headers["Content-Length"] == str(len(PDF))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "must be a PDF, PNG or JPEG file"),
        (b"<html></html>%PDF-1.7 %%EOF", "must be a PDF, PNG or JPEG file"),
        (b"%PDF-1.7\n<html></html>\n%%EOF", "must be a PDF file that can be read"),
        (a_pdf(root=b"/OpenAction << /S /JavaScript /JS (x) >>"), "must not contain JavaScript"),
    ],
)
def test_what_is_dressed_as_evidence_is_looked_into_and_refused(client, head, content, said):
    refused = upload(client, head, name="Certificate.pdf", file=content)
    assert refused.status_code == 422
    assert said in refused.json["errors"][0]["detail"]


def test_evidence_is_nobody_elses(client, ctx, head):
    made = upload(client, head).json
    other = a_provider(ctx)
    stranger = sign_in(ctx, other, other.contact_email)
    got = client.get(f"{PORTAL}/accreditations/{made['id']}/evidence", headers=stranger)
    assert got.status_code == 404


def test_a_provider_has_so_many_files_of_evidence_kept_and_no_more(app, ctx, client, head):
    product = app.extensions["marketplace"]
    few = replace(ctx, policy=replace(ctx.policy, evidence_kept_at_most=2))
    app.extensions["marketplace"] = replace(product, ctx=few)
    for number in ("S-1", "S-2"):
        assert upload(client, head, CLAIM | {"certificate_number": number}).status_code == 201
    refused = upload(client, head, CLAIM | {"certificate_number": "S-3"})
    assert refused.status_code == 409
    assert "so many files" in refused.json["detail"]
    held = client.get(f"{PORTAL}/accreditations", headers=head).json["items"]
    assert {each["certificate_number"] for each in held} == {"S-1", "S-2"}


def test_a_file_may_have_ten_mebibytes_and_not_a_byte_more(client, head):
    most = 10 * 1024 * 1024
    assert upload(client, head, file=with_size(most)).status_code == 201
    more = upload(client, head, CLAIM | {"certificate_number": "2"}, PDF.ljust(most + 1, b"x"))
    assert more.status_code == 413
    far_more = upload(client, head, file=PDF.ljust(most + 1024 * 1024, b"x"))
    assert far_more.status_code == 413


def test_a_claim_without_a_file_is_no_larger_than_other_bodies(client, head):
    long = CLAIM | {"certificate_number": "1" * 300_000}
    answer = client.post(f"{PORTAL}/accreditations", json=long, headers=head)
    assert answer.status_code == 413


def test_what_is_no_document_is_refused_whatever_it_is_called(client, head):
    answer = upload(client, head, CLAIM | {"body": "NOBODY"}, b"<html>", "cert.pdf")
    assert pointers(answer) == {"/evidence", "/body"}


def test_a_form_without_its_parts_is_refused(client, head):
    assert upload(client, head, "{", None).status_code == 400
    assert "/standard" in pointers(upload(client, head, "{}", None))
    assert pointers(upload(client, head, "[]", None)) == {""}


def test_the_same_upload_sent_again_is_done_once(client, head):
    key = {"Idempotency-Key": "one"}
    first, second = (upload(client, head, **key) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json == second.json


def test_a_pause_begins_and_is_taken_back(client, head):
    span = {"from": "2026-12-20T00:00:00Z", "until": "2027-01-10T00:00:00+11:00"}
    made = client.post(f"{PORTAL}/pauses", json=span, headers=head)
    assert made.status_code == 201, made.json
    assert made.json["from"] == "2026-12-20T00:00:00Z"
    assert made.json["until"] == "2027-01-09T13:00:00Z", "times go out in UTC"
    listed = client.get(f"{PORTAL}/provider", headers=head).json["pauses"]
    assert [pause["id"] for pause in listed] == [made.json["id"]]
    gone = f"{PORTAL}/pauses/{made.json['id']}"
    assert client.delete(gone, headers=head).status_code == 204
    assert client.delete(gone, headers=head).status_code == 404


@pytest.mark.parametrize(
    ("start", "end", "wrong"),
    [
        ("2026-12-20T00:00:00Z", "2026-12-20T00:00:00Z", {"/until"}),
        ("2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z", {"/until"}),
        ("2026-12-20T00:00:00", "tomorrow", {"/from", "/until"}),
        (None, None, {"/from", "/until"}),
        # Of the first and the last day there is no other zone that could tell.
        ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", {"/from", "/until"}),
        ("2026-12-20T00:00:00Z", "9999-12-31T23:59:59Z", {"/until"}),
        # ISO 8601, but not RFC 3339.
        ("2026-W52-1T00:00:00Z", "20270110T000000Z", {"/from", "/until"}),
        ("2026-12-20T00:00Z", "2027-01-10T00:00:00+00:00:30", {"/from", "/until"}),
    ],
)
def test_a_wrong_pause_is_named(client, head, start, end, wrong):
    answer = client.post(f"{PORTAL}/pauses", json={"from": start, "until": end}, headers=head)
    assert pointers(answer) == wrong


@pytest.mark.parametrize("path", ["provider", "accreditations"])
def test_the_portal_is_for_providers(client, ctx, path):
    assert client.get(f"{PORTAL}/{path}").status_code == 401
    admin = bearer(session_token(ctx, an_admin(ctx)))
    assert client.get(f"{PORTAL}/{path}", headers=admin).status_code == 403
