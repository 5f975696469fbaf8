"""A provider's team over HTTP: seen by all of it, changed by its owners."""

import pytest

from marketplace.core.actors import TeamRole
from tests.people import a_person, bearer, session_token

TEAM = "/api/v1/portal/team"
LEE = {"name": "Lee Okafor", "email": "lee@harbour.example"}


@pytest.fixture
def kim(ctx, make):
    return a_person(ctx, provider_id=make.provider().id)


@pytest.fixture
def owner(ctx, kim):
    return bearer(session_token(ctx, kim))


def one_of(ctx, kim, role, email="sam@harbour.example"):
    """Let somebody sign in for Kim's provider in this role."""
    person = a_person(ctx, email, name="Sam Ito", provider_id=kim.provider_id)
    with ctx.transaction() as tx:
        tx.session.get_one(type(person), person.id).team_role = TeamRole(role)
    return person, bearer(session_token(ctx, person))


def test_a_colleague_is_invited_as_a_member_unless_it_is_said(client, owner):
    made = client.post(TEAM, json=LEE, headers=owner)
    assert made.status_code == 201
    assert made.json["role"] == "member"
    owners = client.post(TEAM, json={**LEE, "role": "owner"}, headers=owner)
    assert owners.json["id"] == made.json["id"]
    seen = client.get(TEAM, headers=owner).json
    assert [(each["email"], each["role"], each["can_sign_in"]) for each in seen["people"]] == [
        ("kim@harbour.example", "owner", True)
    ]
    assert [(each["email"], each["role"]) for each in seen["invited"]] == [(LEE["email"], "owner")]
    path = f"{TEAM}/{made.json['id']}"
    changed = client.patch(path, json={"role": "read_only"}, headers=owner)
    assert (changed.status_code, changed.json["role"]) == (200, "read_only")
    assert client.delete(path, headers=owner).status_code == 204
    assert client.get(TEAM, headers=owner).json["invited"] == []


def test_an_owner_changes_a_role_and_removes_somebody(client, ctx, kim, owner):
    sam, theirs = one_of(ctx, kim, "member")
    path = f"{TEAM}/{sam.id}"
    changed = client.patch(path, json={"role": "read_only"}, headers=owner)
    assert changed.json["role"] == "read_only"
    assert client.get(TEAM, headers=theirs).status_code == 401
    assert client.delete(path, headers=owner).status_code == 204
    assert client.delete(path, headers=owner).status_code == 404
    mine = f"{TEAM}/{kim.id}"
    assert client.patch(mine, json={"role": "member"}, headers=owner).status_code == 409
    assert client.delete(mine, headers=owner).status_code == 409


@pytest.mark.parametrize("role", ["member", "read_only"])
def test_the_others_look(client, ctx, kim, owner, role):
    sam, theirs = one_of(ctx, kim, role)
    assert client.get(TEAM, headers=theirs).status_code == 200
    for answer in (
        client.post(TEAM, json=LEE, headers=theirs),
        client.patch(f"{TEAM}/{sam.id}", json={"role": "owner"}, headers=theirs),
        client.delete(f"{TEAM}/{kim.id}", headers=theirs),
        client.post("/api/v1/portal/api-keys", json={"name": "Mine"}, headers=theirs),
    ):
        assert answer.status_code == 403
        assert "only owners" in answer.json["detail"]


def test_a_key_without_the_scope_is_told_which_one_it_lacks(client, owner):
    made = client.post(
        "/api/v1/portal/api-keys",
        json={"name": "Reader", "scopes": ["read"], "expires_at": "2027-01-01T00:00:00Z"},
        headers=owner,
    )
    assert made.json["scopes"] == ["read"]
    assert made.json["expires_at"] == "2027-01-01T00:00:00Z"
    key = bearer(made.json["secret"])
    assert client.get("/api/v1/portal/provider", headers=key).status_code == 200
    refused = client.patch("/api/v1/portal/provider", json={}, headers=key)
    assert refused.status_code == 403
    assert refused.json["detail"] == "this key lacks the scope manage"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"scopes": []}, "/scopes"),
        ({"scopes": ["team"]}, "/scopes/0"),
        ({"scopes": ["read", "read"]}, "/scopes/1"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
        ({"expires_at": "soon"}, "/expires_at"),
        ({"expires_at": "9999-12-31T23:59:59-14:00"}, "/expires_at"),
    ],
)
def test_a_wrong_key_is_named_by_field(client, owner, body, pointer):
    answer = client.post("/api/v1/portal/api-keys", json={"name": "x", **body}, headers=owner)
    assert answer.status_code == 422
    assert [each["pointer"] for each in answer.json["errors"]] == [pointer]
