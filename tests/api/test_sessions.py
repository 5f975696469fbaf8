"""Signing in, signing out and resetting a password over HTTP."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pyotp
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


def second_factor(client, head, clock):
    """Set a second factor up; return the answer, and the authenticator."""
    begun = client.post("/api/v1/account/second-factor", headers=head).json
    totp = pyotp.parse_uri(begun["address"])
    body = {
        "set_up": begun["set_up"], "code": totp.at(clock.now), "current_password": PASSWORD,
    }  # fmt: skip
    answer = client.put("/api/v1/account/second-factor", json=body, headers=head)
    clock.advance(seconds=30)
    return answer, totp


def test_what_is_wrong_with_the_form_is_said_before_the_link_is_looked_for(client):
    form = {"token": "password_invented", "password": "a slow green tram", "admin": True}
    answer = client.put(RESETS, json=form)
    assert answer.status_code == 422
    assert "admin" in answer.text


def test_where_one_is_signed_in_is_listed_and_ended(client, ctx, clock):
    user = a_person(ctx)
    tokens = []
    for name in ("crm/1.0", "curl/8", "phone/2"):
        body = {"email": user.email, "password": PASSWORD}
        answer = client.post(SESSIONS, json=body, headers={"User-Agent": name})
        tokens.append(answer.json["token"])
        clock.advance(seconds=1)
    head = bearer(tokens[0])
    items = client.get(SESSIONS, headers=head).json["items"]
    assert [each["device"] for each in items] == [
        "the program phone/2", "the program curl/8", "the program crm/1.0",
    ]  # fmt: skip
    assert [each["is_present"] for each in items] == [False, False, True]
    assert set(items[0]) == {
        "id", "device", "network", "created_at", "last_used_at", "expires_at", "is_present",
    }  # fmt: skip
    assert items[0]["network"] == "127.0.0.0/24"
    path = f"{SESSIONS}/{items[0]['id']}"
    stranger = bearer(sign_in(client, a_person(ctx, "lee@wattle.example")).json["token"])
    assert client.delete(path, headers=stranger).status_code == 404
    assert client.delete(path, headers=head).status_code == 204
    assert client.delete(path, headers=head).status_code == 404
    clock.advance(minutes=10)
    assert client.delete(SESSIONS, headers=head).status_code == 403
    proof = client.post(f"{SESSIONS}/proof", json={"current_password": PASSWORD}, headers=head)
    assert proof.status_code == 200
    assert client.delete(SESSIONS, headers=head).status_code == 401
    tokens[0] = proof.json["token"]
    assert client.delete(SESSIONS, headers=bearer(tokens[0])).status_code == 204
    opened = [client.get("/api/v1/account", headers=bearer(each)).status_code for each in tokens]
    assert opened == [200, 401, 401]


def test_a_password_is_changed_by_the_present_one(client, ctx):
    user = a_person(ctx)
    head = bearer(sign_in(client, user).json["token"])
    body = {"current_password": "no", "password": "a slow green tram"}
    refused = client.put("/api/v1/account/password", json=body, headers=head)
    assert refused.status_code == 422
    assert refused.json["errors"] == [{"pointer": "/current_password", "detail": "is not right"}]
    body["current_password"] = PASSWORD
    changed = client.put("/api/v1/account/password", json=body, headers=head)
    assert changed.status_code == 200
    assert client.get("/api/v1/account", headers=head).status_code == 401
    account = client.get("/api/v1/account", headers=bearer(changed.json["token"])).json
    assert account["email"] == user.email
    assert account["second_factor"] == {
        "is_set_up": False, "is_required": False, "recovery_codes_left": 0,
    }  # fmt: skip


def test_a_second_factor_is_set_up_used_renewed_and_removed(client, ctx, clock):
    user = a_person(ctx)
    answer, totp = second_factor(client, bearer(sign_in(client, user).json["token"]), clock)
    assert answer.status_code == 200
    codes, head = answer.json["recovery_codes"], bearer(answer.json["session"]["token"])
    assert len(codes) == 10
    assert sign_in(client, user).status_code == 401
    assert sign_in(client, user, totp=codes[0]).status_code == 201
    assert sign_in(client, user, totp=codes[0]).status_code == 401
    account = client.get("/api/v1/account", headers=head).json
    assert account["second_factor"]["recovery_codes_left"] == 9
    proof = {"current_password": PASSWORD, "totp": codes[1]}
    fresh = client.post("/api/v1/account/recovery-codes", json=proof, headers=head).json
    assert not set(fresh["recovery_codes"]) & set(codes)
    head = bearer(fresh["session"]["token"])
    proof["totp"] = totp.at(clock.now)
    removed = client.post("/api/v1/account/second-factor/removal", json=proof, headers=head)
    assert removed.status_code == 200
    again = client.post(
        "/api/v1/account/second-factor/removal", json=proof, headers=bearer(removed.json["token"])
    )
    assert again.status_code == 409
    assert sign_in(client, user).status_code == 201


def test_a_session_that_needs_a_second_factor_opens_its_set_up_alone(app, client, ctx, clock):
    product = app.extensions["marketplace"]
    policy = replace(product.ctx.policy, totp_for_admins="required")
    app.extensions["marketplace"] = replace(product, ctx=replace(product.ctx, policy=policy))
    begun = sign_in(client, an_admin(ctx)).json
    assert begun["needs_second_factor"] is True
    head = bearer(begun["token"])
    for path in ("/api/v1/admin/leads", "/api/v1/portal/team", SESSIONS):
        assert client.get(path, headers=head).status_code == 403
    assert client.get("/api/v1/account", headers=head).json["second_factor"]["is_required"]
    answer, _ = second_factor(client, head, clock)
    head = bearer(answer.json["session"]["token"])
    assert answer.json["session"]["needs_second_factor"] is False
    assert client.get("/api/v1/admin/leads", headers=head).status_code == 200


def test_too_many_wrong_ones_wait_alike_for_known_and_unknown_addresses(app, client, ctx):
    product = app.extensions["marketplace"]
    policy = replace(product.ctx.policy, rate_limits=True)
    app.extensions["marketplace"] = replace(product, ctx=replace(product.ctx, policy=policy))
    user = a_person(ctx, f"{uuid4().hex}@waits.example")
    client.environ_base["REMOTE_ADDR"] = "192.0.2.61"
    answers = []
    for email in (user.email, f"{uuid4().hex}@waits.example"):
        for number in range(6):
            answer = sign_in(client, user, email=email, password="wrong")
            assert answer.status_code == (401 if number < 5 else 429)
        assert answer.headers["Retry-After"] == "60"
        answers.append(answer.data)
    assert answers[0] == answers[1]
    assert b"too-many-requests" in answers[0]
