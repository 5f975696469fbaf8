"""Keys for a provider's own software over HTTP."""

import pytest

from marketplace.accounts.models import ApiKey
from marketplace.core.links import token_hash
from tests.people import a_person, a_provider, an_admin, bearer, session_token

KEYS = "/api/v1/portal/api-keys"


@pytest.fixture
def head(ctx):
    return bearer(session_token(ctx, a_person(ctx)))


def test_a_key_is_shown_once_and_stored_as_a_hash(client, ctx, head):
    made = client.post(KEYS, json={"name": "Our CRM"}, headers=head)
    assert made.status_code == 201
    secret = made.json["secret"]
    assert secret.startswith("key_")
    listed = client.get(KEYS, headers=head).json
    assert listed == {
        "items": [
            {
                "id": made.json["id"],
                "name": "Our CRM",
                "scopes": ["read", "answer", "manage"],
                "made_by": made.json["made_by"],
                "created_at": "2026-11-23T09:00:00Z",
                "expires_at": None,
                "last_used_at": None,
            }
        ],
        "next": None,
    }
    with ctx.reading() as session:
        assert session.get_one(ApiKey, made.json["id"]).token_hash == token_hash(secret)


def test_a_key_makes_reads_and_ends_no_keys(client, head):
    made = client.post(KEYS, json={"name": "Our CRM"}, headers=head).json
    key = bearer(made["secret"])
    assert client.get(KEYS, headers=key).status_code == 403
    assert client.post(KEYS, json={"name": "Another"}, headers=key).status_code == 403
    assert client.delete(f"{KEYS}/{made['id']}", headers=key).status_code == 403


def test_using_a_key_is_noted(client, ctx, head):
    made = client.post(KEYS, json={"name": "Our CRM"}, headers=head).json
    client.get(KEYS, headers=bearer(made["secret"]))
    assert client.get(KEYS, headers=head).json["items"][0]["last_used_at"] == "2026-11-23T09:00:00Z"


def test_a_revoked_key_is_refused_from_then_on(client, head):
    made = client.post(KEYS, json={"name": "Our CRM"}, headers=head).json
    assert client.delete(f"{KEYS}/{made['id']}", headers=head).status_code == 204
    assert client.get(KEYS, headers=bearer(made["secret"])).status_code == 401
    assert client.delete(f"{KEYS}/{made['id']}", headers=head).status_code == 404
    assert client.get(KEYS, headers=head).json["items"] == []


def test_another_providers_key_does_not_exist(client, ctx, head):
    made = client.post(KEYS, json={"name": "Our CRM"}, headers=head).json
    other = a_person(ctx, "lee@bayside.example", provider_id=a_provider(ctx, "Bayside Systems"))
    stranger = bearer(session_token(ctx, other))
    assert client.delete(f"{KEYS}/{made['id']}", headers=stranger).status_code == 404
    assert client.get(KEYS, headers=stranger).json["items"] == []


def test_an_administrator_has_no_keys(client, ctx):
    head = bearer(session_token(ctx, an_admin(ctx)))
    assert client.get(KEYS, headers=head).status_code == 403


def test_a_repeated_creation_is_refused_since_its_secret_was_shown(client, head):
    once = {**head, "Idempotency-Key": "key-of-the-key"}
    assert client.post(KEYS, json={"name": "Our CRM"}, headers=once).status_code == 201
    again = client.post(KEYS, json={"name": "Our CRM"}, headers=once)
    assert again.status_code == 409
    assert len(client.get(KEYS, headers=head).json["items"]) == 1


def test_the_list_is_paged_newest_first(client, head):
    for number in range(5):
        client.post(KEYS, json={"name": f"Key {number}"}, headers=head)
    first = client.get(f"{KEYS}?limit=3", headers=head).json
    rest = client.get(f"{KEYS}?limit=3&after={first['next']}", headers=head).json
    names = [key["name"] for key in first["items"] + rest["items"]]
    assert names == ["Key 4", "Key 3", "Key 2", "Key 1", "Key 0"]
    assert rest["next"] is None


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=many", "after=nonsense"])
def test_a_bad_page_is_named(client, head, query):
    answer = client.get(f"{KEYS}?{query}", headers=head)
    assert answer.status_code == 422
    assert [e["pointer"] for e in answer.json["errors"]] == ["/" + query.partition("=")[0]]


@pytest.mark.parametrize("body", [{}, {"name": ""}, {"name": "x" * 101}, {"name": None}])
def test_a_key_needs_a_name(client, head, body):
    answer = client.post(KEYS, json=body, headers=head)
    assert answer.status_code == 422
    assert [e["pointer"] for e in answer.json["errors"]] == ["/name"]
