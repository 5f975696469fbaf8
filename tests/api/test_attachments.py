"""Files of quotes over HTTP: looked into, and given as downloads to those whom they are for."""

import json
from dataclasses import replace
from io import BytesIO

import pytest

from marketplace.core import pdfs
from marketplace.core.db import db, new_id
from marketplace.core.errors import Unavailable
from marketplace.quotes.models import Quote
from marketplace.web import files
from tests.api.bad_values import pointers
from tests.api.doors import (
    admin_door,
    business_door,
    invitations_of,
    provider_door,
    software_door,
)
from tests.api.test_bad_quotes import CONSULTING
from tests.pdfs import a_pdf, with_size

MEBIBYTE = 1024 * 1024


class Attaching:
    """One invitation, and its holder at the door."""

    def __init__(self, client, ctx, make):
        self.client = client
        self.provider = make.provider()
        self.lead = make.matched_lead()
        (self.invitation,) = invitations_of(make, self.lead)
        self.path = f"/api/v1/portal/invitations/{self.invitation.id}"
        self.who = provider_door(ctx, self.provider)

    def send(self, content=None, name="Offer.pdf", who=None, *, path=None, part="file", **more):
        content = a_pdf() if content is None else content
        head = f'--b\r\nContent-Disposition: form-data; name="{part}"; filename="{name}"\r\n\r\n'
        return self.client.post(
            path or f"{self.path}/attachments",
            data=head.encode() + content + b"\r\n--b--\r\n",
            content_type="multipart/form-data; boundary=b",
            headers=(who or self.who) | more,
        )

    def get(self, path="", who=None):
        return self.client.get(f"{self.path}/attachments{path}", headers=who or self.who)

    def quote(self):
        return self.client.put(f"{self.path}/quote", json=CONSULTING, headers=self.who)


@pytest.fixture
def attaching(client, ctx, make):
    return Attaching(client, ctx, make)


@pytest.fixture
def unlooked(monkeypatch):
    """Take everything that begins and ends as a PDF, where it is not what is tested."""
    monkeypatch.setattr(pdfs, "_look", lambda *_, **__: "fine")


def test_a_pdf_is_attached_listed_downloaded_and_removed(attaching):
    made = attaching.send()
    assert made.status_code == 201, made.json
    file = made.json
    assert file == {
        "id": file["id"], "name": "Offer.pdf", "size": len(a_pdf()),
        "added_at": "2026-11-23T09:00:00Z", "is_with_business": False, "is_removed": False,
    }  # fmt: skip
    assert attaching.get().json == {"items": [file], "next": None}
    got = attaching.get(f"/{file['id']}")
    assert (got.status_code, got.data, got.mimetype) == (200, a_pdf(), "application/pdf")
    gone = attaching.client.delete(
        f"{attaching.path}/attachments/{file['id']}", headers=attaching.who
    )
    assert (gone.status_code, gone.data) == (204, b"")
    assert attaching.get().json["items"] == []
    for method in ("get", "delete"):
        again = attaching.client.open(
            f"{attaching.path}/attachments/{file['id']}", method=method, headers=attaching.who
        )
        assert again.status_code == 404


def test_attaching_opens_and_reveals_nothing(attaching, make):
    attaching.send()
    (now,) = invitations_of(make, attaching.lead)
    assert (now.state, now.opened_at, now.accepted_at) == ("sent", None, None)


def test_the_business_and_administrators_download_what_came_with_a_quote(
    attaching, ctx, make, unlooked
):
    file = attaching.send(name="Prüfung.pdf").json
    business, admin = business_door(ctx, attaching.lead), admin_door(ctx)
    doors = [
        (f"/api/v1/request/attachments/{file['id']}", business),
        (f"/api/v1/admin/leads/{attaching.lead.id}/attachments/{file['id']}", admin),
        (f"{attaching.path}/attachments/{file['id']}", attaching.who),
        (f"{attaching.path}/attachments/{file['id']}", software_door(ctx, attaching.provider)),
    ]
    for url, who in doors[:2]:
        assert attaching.client.get(url, headers=who).status_code == 404, "not sent yet"
    assert attaching.quote().status_code == 200
    for url, who in doors:
        got = attaching.client.get(url, headers=who)
        assert (got.status_code, got.data, got.mimetype) == (200, a_pdf(), "application/pdf"), url
        assert got.headers["Content-Disposition"].startswith("attachment; filename=")
        assert got.headers["Content-Disposition"].endswith("filename*=UTF-8''Pr%C3%BCfung.pdf")
        assert got.headers["X-Content-Type-Options"] == "nosniff"
        policy = got.headers["Content-Security-Policy"]
        assert policy.startswith("sandbox; default-src 'none'; object-src 'none';")
        assert got.headers["Cache-Control"] == "private, no-store"
    stranger = business_door(ctx, make.lead())
    assert attaching.client.get(doors[0][0], headers=stranger).status_code == 404
    elsewhere = f"/api/v1/admin/leads/{make.lead().id}/attachments/{file['id']}"
    assert attaching.client.get(elsewhere, headers=admin).status_code == 404


def test_a_quote_says_which_files_it_brought_to_both_sides(attaching, ctx, unlooked):
    file = attaching.send().json
    said = {name: file[name] for name in ("id", "name", "size", "added_at")}
    assert attaching.quote().json["quote"]["attachments"] == [said]
    seen = attaching.client.get("/api/v1/request", headers=business_door(ctx, attaching.lead))
    assert seen.json["invitations"][0]["quote"]["attachments"] == [said]
    case = attaching.client.get(f"/api/v1/admin/leads/{attaching.lead.id}", headers=admin_door(ctx))
    assert case.json["invitations"][0]["quote"]["attachments"] == [said]
    (listed,) = attaching.get().json["items"]
    assert listed["is_with_business"]


def test_to_another_provider_a_file_and_its_invitation_are_as_if_they_were_not(
    attaching, ctx, make
):
    file = attaching.send().json
    attaching.quote()
    stranger = provider_door(ctx, make.provider())
    answers = set()
    for invitation_id, attachment_id in (
        (attaching.invitation.id, file["id"]), (attaching.invitation.id, new_id()),
        (new_id(), file["id"]), (new_id(), new_id()),
    ):  # fmt: skip
        path = f"/api/v1/portal/invitations/{invitation_id}/attachments"
        found = [
            attaching.client.get(path, headers=stranger),
            attaching.client.get(f"{path}/{attachment_id}", headers=stranger),
            attaching.client.delete(f"{path}/{attachment_id}", headers=stranger),
            attaching.send(who=stranger, path=path),
            attaching.send(b"MZ", who=stranger, path=path),
        ]
        answers |= {(each.status_code, each.get_data(as_text=True)) for each in found}
    assert {status for status, _ in answers} == {404}
    assert len(answers) == 1
    assert attaching.get(f"/{file['id']}").status_code == 200


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "must be a PDF file"),
        (b"MZ\x90\x00 %%EOF", "must be a PDF file"),
        (b"\x89PNG\r\n\x1a\n", "must be a PDF file"),
        (b"%PDF-1.7\n<html>\n%%EOF", "must be a PDF file that can be read"),
        (a_pdf(root=b"/OpenAction << /S /JavaScript /JS (x) >>"), "must not contain JavaScript"),
        (a_pdf(root=b"/OpenAction << /S /Launch /F (x) >>"), "must not start programs"),
        (a_pdf(root=b"/Names << /EmbeddedFiles << >> >>"), "must not have other files"),
    ],
)
def test_what_is_not_what_it_says_is_refused_at_the_file(attaching, content, said):
    answer = attaching.send(content)
    assert pointers(answer) == {"/file"}
    assert answer.json["errors"][0]["detail"].startswith(said)
    assert attaching.get().json["items"] == []


def test_a_file_may_have_five_mebibytes_and_a_body_ten(attaching, unlooked):
    exact = with_size(5 * MEBIBYTE)
    assert len(exact) == 5 * MEBIBYTE
    assert attaching.send(exact).status_code == 201
    answer = attaching.send(exact + b"\n")
    assert pointers(answer) == {"/file"}
    assert answer.json["errors"][0]["detail"] == "must have at most 5 MiB"
    assert pointers(attaching.send(with_size(9 * MEBIBYTE))) == {"/file"}
    assert attaching.send(with_size(10 * MEBIBYTE)).status_code == 413
    assert len(attaching.get().json["items"]) == 1


def test_a_file_is_one_part_called_file_and_nothing_else(attaching):
    assert pointers(attaching.send(part="evidence")) == {"/evidence", "/file"}
    two = attaching.client.post(
        f"{attaching.path}/attachments",
        data={"file": [(BytesIO(a_pdf()), "a.pdf"), (BytesIO(a_pdf()), "b.pdf")], "a/b": "x"},
        content_type="multipart/form-data",
        headers=attaching.who,
    )
    assert pointers(two) == {"/file", "/a~1b"}
    empty = attaching.client.post(
        f"{attaching.path}/attachments", content_type="multipart/form-data; boundary=b",
        data=b"--b--\r\n", headers=attaching.who,
    )  # fmt: skip
    assert pointers(empty) == {"/file"}
    words = attaching.client.post(
        f"{attaching.path}/attachments", data={"file": "x"}, headers=attaching.who,
        content_type="multipart/form-data",
    )  # fmt: skip
    assert pointers(words) == {"/file"}


def test_what_is_no_form_with_parts_is_refused(attaching):
    path = f"{attaching.path}/attachments"
    for sent in (
        {"json": {"file": "x"}},
        {"data": a_pdf(), "content_type": "application/pdf"},
        {"data": "file=x", "content_type": "application/x-www-form-urlencoded"},
        {},
    ):
        answer = attaching.client.post(path, headers=attaching.who, **sent)
        assert answer.status_code == 415, sent
        assert answer.content_type == "application/problem+json"


@pytest.mark.parametrize(
    ("name", "called"),
    [
        ("Angebot für 見積.pdf", "Angebot für 見積.pdf"),
        ("../../etc/passwd", "passwd.pdf"),
        (r"C:\\Offers\\Offer.pdf", "Offer.pdf"),
        ("Offer.exe", "Offer.pdf"),
        ("a%0d%0aSet-Cookie: x=y.pdf", "a0d0aSet-Cookie xy.pdf"),
        ("x" * 255, "x" * 80 + ".pdf"),
        ("\u202e<script>", "script.pdf"),
        ("...", "file.pdf"),
        ("", None),
    ],
)
def test_a_file_is_called_something_plain(attaching, unlooked, name, called):
    made = attaching.send(name=name)
    if called is None:
        assert pointers(made) == {"/file"}
        return
    assert made.json["name"] == called
    head = attaching.get(f"/{made.json['id']}").headers["Content-Disposition"]
    assert head.isascii()
    assert head.isprintable()
    assert head.startswith("attachment; filename=")


def test_an_upload_repeated_with_its_key_is_answered_again_and_without_one_is_the_same_file(
    attaching, unlooked
):
    answers = [attaching.send(**{"Idempotency-Key": "one"}) for _ in range(2)]
    answers.append(attaching.send())
    assert {each.status_code for each in answers} == {201}
    assert len({each.json["id"] for each in answers}) == 1
    other = attaching.send(a_pdf(mark="other"), **{"Idempotency-Key": "one"})
    assert pointers(other) == {""}


def test_after_the_time_to_answer_nothing_is_taken(attaching, clock, ctx, unlooked):
    file = attaching.send().json
    attaching.client.get(attaching.path, headers=attaching.who)  # a person's look opens it
    clock.now = attaching.invitation.respond_by
    attaching.who = provider_door(ctx, attaching.provider)
    assert attaching.send(a_pdf(mark="2")).status_code == 409
    removal = attaching.client.delete(
        f"{attaching.path}/attachments/{file['id']}", headers=attaching.who
    )
    assert removal.status_code == 409


def test_where_no_file_can_be_looked_into_just_now_it_is_said_and_nothing_is_lost(
    attaching, monkeypatch
):
    def busy(*_, **__):
        raise Unavailable("many files are being looked into just now: please try again shortly")

    monkeypatch.setattr(files, "why_no_pdf", busy)
    answer = attaching.send()
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    monkeypatch.undo()
    assert attaching.send().status_code == 201


def test_no_transaction_is_open_while_a_file_is_looked_into(attaching, monkeypatch, app):
    with app.app_context():
        pool = db.engine.pool
    in_use = []
    monkeypatch.setattr(files, "why_no_pdf", lambda *_, **__: in_use.append(pool.checkedout()))
    before = pool.checkedout()
    assert attaching.send().status_code == 201
    assert in_use == [before]


def test_so_many_uploads_from_one_address_are_turned_away(attaching, app, ctx, unlooked):
    product = app.extensions["marketplace"]
    limited = replace(ctx, policy=replace(ctx.policy, rate_limits=True))
    app.extensions["marketplace"] = replace(product, ctx=limited)
    answers = [attaching.send(b"MZ") for _ in range(61)]
    assert [each.status_code for each in answers] == [422] * 60 + [429]
    described = attaching.client.get("/api/openapi.json").json["paths"]
    post = described["/api/v1/portal/invitations/{invitation_id}/attachments"]["post"]
    assert {"201", "404", "409", "413", "415", "422", "429"} <= post["responses"].keys()


def test_erasing_personal_data_takes_the_files_along(attaching, ctx, make, unlooked):
    file = attaching.send().json
    attaching.quote()
    business = business_door(ctx, attaching.lead)
    assert (
        attaching.client.delete("/api/v1/request/personal-data", headers=business).status_code
        == 202
    )
    assert attaching.get(f"/{file['id']}").status_code == 404
    assert attaching.get().json["items"] == []
    assert make.ask(lambda session: session.query(Quote).one()).attachment_ids
    assert json.dumps(file["name"]) not in attaching.client.get(
        attaching.path, headers=attaching.who
    ).get_data(as_text=True)
