"""Signing in, signing out and resetting a password over HTTP."""

from datetime import timedelta
from uuid import uuid4

import pytest

from marketplace.core import links
from marketplace.core.links import Purpose
from tests.people import PASSWORD, a_person, an_admin, bearer

SESSIONS = "/api/v1/sessions"
RESETS = "/api/v1/password-resets"


def sign_in(client, user, **changes):
    return client.post(SESSIONS, json={"email": user.email, "password": PASSWORD, **changes})


def test_signing_in_answers_a_token_that_opens_doors_until_signing_out(client, ctx):
    user = a_person(ctx)
    answer = sign_in(client, user)
    assert answer.status_code == 201
    assert answer.json["expires_at"] == "2026-11-23T21:00:00Z"
    assert answer.json["user"] == {
        "id": str(user.id),
        "name": "Kim Reyes",
        "role": "provider",
        "provider_id": str(user.provider_id),
    }
    head = bearer(answer.json["token"])
    assert client.get("/api/v1/portal/api-keys", headers=head).status_code == 200
    assert client.delete(f"{SESSIONS}/current", headers=head).status_code == 204
    assert client.delete(f"{SESSIONS}/current", headers=head).status_code == 401
    assert client.get("/api/v1/portal/api-keys", headers=head).status_code == 401


def test_an_administrator_has_no_provider(client, ctx):
    answer = sign_in(client, an_admin(ctx))
    assert answer.json["user"]["role"] == "admin"
    assert answer.json["user"]["provider_id"] is None


def test_wrong_address_and_wrong_password_answer_alike(client, ctx):
    user = a_person(ctx)
    wrong = sign_in(client, user, password="not the password")
    unknown = sign_in(client, user, email="nobody@harbour.example")
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.data == unknown.data
    assert wrong.content_type == "application/problem+json"
    assert wrong.json["type"] == "/problems/not-signed-in"


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, ["/email", "/password"]),
        ({"email": "no address", "password": 7, "totp": 123456}, ["/email", "/password", "/totp"]),
        ({"email": "a@b.example", "password": "x", "remember": True}, ["/remember"]),
    ],
)
def test_every_wrong_field_of_a_sign_in_is_named(client, body, pointers):
    answer = client.post(SESSIONS, json=body)
    assert answer.status_code == 422
    assert sorted(e["pointer"] for e in answer.json["errors"]) == pointers


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer session_unknown", "Bearer nonsense", "Basic dXNlcjpwYXNz"],
)
def test_a_bad_credential_opens_nothing(client, header):
    answer = client.delete(f"{SESSIONS}/current", headers={"Authorization": header})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_asking_for_a_reset_never_tells_whether_somebody_signs_in_there(client, ctx):
    user = a_person(ctx)
    known = client.post(RESETS, json={"email": user.email})
    unknown = client.post(RESETS, json={"email": "nobody@harbour.example"})
    assert known.status_code == unknown.status_code == 202
    assert known.data == unknown.data


def test_a_reset_link_sets_a_password_once(client, ctx):
    user = a_person(ctx)
    with ctx.transaction() as tx:
        token = links.mint(
            tx, Purpose.SET_PASSWORD, user.id, expires_at=tx.now + timedelta(hours=1)
        )
    weak = client.put(RESETS, json={"token": token, "password": "Kim Reyes Kim"})
    assert weak.status_code == 422
    assert [e["pointer"] for e in weak.json["errors"]] == ["/password"]
    body = {"token": token, "password": "a slow green tram"}
    assert client.put(RESETS, json=body).status_code == 204
    again = client.put(RESETS, json=body)
    assert again.status_code == 410
    assert again.json["type"] == "/problems/gone"
    assert sign_in(client, user).status_code == 401
    assert sign_in(client, user, password="a slow green tram").status_code == 201


def test_an_invented_token_is_as_gone_as_a_used_one(client):
    answer = client.put(RESETS, json={"token": f"password_{uuid4()}", "password": PASSWORD})
    assert answer.status_code == 410
