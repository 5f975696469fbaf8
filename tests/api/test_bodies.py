"""What is sent in the wrong form, and how every refusal looks."""

import io
import json
import re

import pytest
from flask import url_for

from marketplace.core.db import new_id
from marketplace.web.pages.guard import UPLOADS
from tests.api.doors import invitations_of, provider_door
from tests.people import a_person, bearer, session_token

SESSIONS = "/api/v1/sessions"
TOO_LARGE = 256 * 1024 + 1


def assert_problem(answer, status, slug):
    assert answer.status_code == status
    assert answer.content_type == "application/problem+json"
    problem = json.loads(answer.data)
    assert problem["type"] == f"/problems/{slug}"
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert ("errors" in problem) == (status == 422)
    assert answer.headers["X-Request-Id"]
    return problem


def send(client, body, content_type="application/json"):
    return client.post(SESSIONS, data=body, content_type=content_type)


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "nonsense",
        '{"email": "a@b.example",}',
        "[" * 50_000,
        '{"a":' * 50_000,
        '{"totp": ' + "9" * 5_001 + "}",
        '{"totp": NaN}',
        '{"email": "a@b.example", "email": "c@d.example", "password": "x"}',
        '{"email": {"fee": "1.00", "fee": "1.00"}}',
        '{"totp": -Infinity}',
        b'{"email": "\xff\xfe"}',
        b"\xef\xbb\xbf{}",
        '{"email": "a@b.example"} {}',
        " ",
    ],
    ids=lambda body: repr(body[:12]),
)
def test_what_is_not_json_is_malformed(client, body):
    assert_problem(send(client, body), 400, "malformed")


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "application/xml", "multipart/mixed", ""],
)
def test_only_json_is_taken(client, content_type):
    answer = send(client, '{"email": "a@b.example"}', content_type)
    assert_problem(answer, 415, "unsupported-media-type")


def test_a_charset_may_be_named(client):
    answer = send(client, "{}", "application/json; charset=utf-8")
    assert_problem(answer, 422, "invalid")


@pytest.mark.parametrize("declared", [True, False])
def test_a_body_that_is_too_large_is_not_read(client, declared):
    body = b'{"password": "' + b"x" * TOO_LARGE + b'"}'
    if declared:
        answer = send(client, body)
    else:
        answer = client.post(
            SESSIONS,
            input_stream=io.BytesIO(body),
            content_type="application/json",
            headers={"Transfer-Encoding": "chunked"},
            environ_overrides={"wsgi.input_terminated": True},
        )
    assert_problem(answer, 413, "too-large")


def test_a_body_of_just_the_size_is_read(client):
    body = b'{"a": "' + b"x" * (256 * 1024 - 9) + b'"}'
    assert len(body) == 256 * 1024
    assert_problem(send(client, body), 422, "invalid")


@pytest.mark.parametrize("body", ["[]", '["email"]', '"text"', "7", "true", "null"])
def test_what_is_no_object_is_not_a_form(client, body):
    problem = assert_problem(send(client, body), 422, "invalid")
    assert problem["errors"]


def test_no_body_at_all_lacks_every_required_field(client):
    problem = assert_problem(client.post(SESSIONS), 422, "invalid")
    assert sorted(e["pointer"] for e in problem["errors"]) == ["/email", "/password"]


def test_null_is_no_form_even_where_nothing_is_required(client, ctx, make):
    head = provider_door(ctx, make.provider())
    answer = client.patch(
        "/api/v1/portal/provider", data="null", content_type="application/json", headers=head
    )
    assert_problem(answer, 422, "invalid")
    assert client.patch("/api/v1/portal/provider", headers=head).status_code == 200


@pytest.mark.parametrize(
    ("body", "content_type", "status", "slug"),
    [
        ("{", "application/json", 400, "malformed"),
        ("yes", "text/plain", 415, "unsupported-media-type"),
        ("null", "application/json", 422, "invalid"),
        ('{"reason": "other"}', "application/json", 422, "invalid"),
        (" " * TOO_LARGE, "application/json", 413, "too-large"),
    ],
)
def test_what_nobody_reads_is_refused_and_nothing_is_done(
    client, ctx, make, body, content_type, status, slug
):
    provider = make.provider()
    (invitation,) = invitations_of(make, make.matched_lead())
    head = provider_door(ctx, provider)
    path = f"/api/v1/portal/invitations/{invitation.id}"
    answer = client.post(f"{path}/acceptance", data=body, content_type=content_type, headers=head)
    assert_problem(answer, status, slug)
    assert client.get(path, headers=head).json["accepted_at"] is None
    assert client.post(f"{path}/acceptance", json={}, headers=head).status_code == 200


def test_unknown_fields_are_named_by_pointers_that_escape(client):
    body = {"email": "a@b.example", "password": "x", "a/b": 1, "c~d": 2, "": 3}
    problem = assert_problem(client.post(SESSIONS, json=body), 422, "invalid")
    assert sorted(e["pointer"] for e in problem["errors"]) == ["/", "/a~1b", "/c~0d"]


@pytest.mark.parametrize(
    "text", ["\\u0000", "\\ud800", "\\u001b[0m", "a\\u2028b", "a\\u202eb", "a\\u2069b"]
)
def test_control_characters_and_half_characters_are_refused(client, ctx, text):
    head = bearer(session_token(ctx, a_person(ctx)))
    answer = client.post(
        "/api/v1/portal/api-keys",
        data=f'{{"name": "x{text}x"}}',
        content_type="application/json",
        headers=head,
    )
    problem = assert_problem(answer, 422, "invalid")
    assert [e["pointer"] for e in problem["errors"]] == ["/name"]


def test_texts_are_trimmed_and_normalised(client, ctx):
    head = bearer(session_token(ctx, a_person(ctx)))
    made = client.post("/api/v1/portal/api-keys", json={"name": "  cafe\u0301 "}, headers=head)
    assert made.json["name"] == "caf\u00e9"


def test_a_wrong_method_says_which_are_right(client):
    answer = client.patch(SESSIONS, json={})
    assert_problem(answer, 405, "method-not-allowed")
    assert "POST" in answer.headers["Allow"]


@pytest.mark.parametrize(
    "path", ["/api/v1/nowhere", "/api/", "/api/v2/leads", "/api/v1/portal/api-keys/7"]
)
def test_there_is_nothing_at_an_unknown_path(client, path):
    assert_problem(client.delete(path), 404, "not-found")


def test_a_missing_credential_is_asked_for(client):
    answer = client.get("/api/v1/portal/api-keys")
    assert_problem(answer, 401, "not-signed-in")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/catalogue"),
        ("GET", "/healthz"),
        ("GET", "/api/v1/nowhere"),
        ("PATCH", SESSIONS),
        ("POST", SESSIONS),
        ("OPTIONS", SESSIONS),
        ("HEAD", "/api/v1/catalogue"),
    ],
)
def test_every_response_has_the_id_of_its_request(client, method, path):
    ours = client.open(path, method=method)
    assert re.fullmatch(r"[0-9a-f]{32}", ours.headers["X-Request-Id"])
    theirs = client.open(path, method=method, headers={"X-Request-Id": "a-request-of-theirs"})
    assert theirs.headers["X-Request-Id"] == "a-request-of-theirs"


@pytest.mark.parametrize("sent", ["short", "x" * 65, 'a"quoted"id', "<script>alert(1)</script>"])
def test_an_id_that_could_do_harm_in_a_log_is_replaced(client, sent):
    answer = client.get("/healthz", headers={"X-Request-Id": sent})
    assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["X-Request-Id"])


def test_a_fault_says_nothing_about_itself(client, monkeypatch):
    def fail(*_):
        raise RuntimeError("secret detail of SELECT 1")

    monkeypatch.setattr("marketplace.accounts.passwords.set_password", fail)
    body = {"token": "password_x", "password": "seven quiet herons"}
    answer = client.put("/api/v1/password-resets", json=body)
    assert_problem(answer, 500, "fault")
    assert "secret detail" not in answer.text
    assert "Traceback" not in answer.text


def test_of_what_nobody_sends_no_page_reads_more_than_a_form_has(app, client):
    part = b'--line\r\nContent-Disposition: form-data; name="f"; filename="f.pdf"\r\n\r\n'
    for endpoint in UPLOADS:
        values = {
            "invitation_id": new_id(),
            "accreditation_id": new_id(),
            "attachment_id": new_id(),
        }
        with app.test_request_context():
            path = url_for(endpoint, **values).partition("?")[0]
        body = io.BytesIO(part + b"x" * (4 * TOO_LARGE) + b"\r\n--line--\r\n")
        answer = client.post(
            path,
            input_stream=body,
            content_length=len(body.getvalue()),
            content_type="multipart/form-data; boundary=line",
            headers={"Origin": "http://localhost"},
        )
        assert (answer.status_code, body.tell()) == (303, 0), path
