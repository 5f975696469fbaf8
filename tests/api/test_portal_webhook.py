"""A provider's webhook over HTTP."""

import pytest

from tests.api.doors import admin_door, provider_door, software_door

HOOK = "/api/v1/portal/webhook"
URL = "https://hooks.harbour.example/quotes"


@pytest.fixture
def provider(make):
    return make.provider()


@pytest.fixture
def person(ctx, provider):
    return provider_door(ctx, provider)


def test_a_webhook_is_made_changed_tried_and_deleted(client, person):
    assert client.get(HOOK, headers=person).status_code == 404
    made = client.put(HOOK, headers=person, json={"url": URL})
    assert made.status_code == 200
    assert made.json.pop("secret").startswith("whsec_")
    assert (made.json["url"], made.json["enabled"], made.json["calls"]) == (URL, True, [])
    changed = client.put(HOOK, headers=person, json={"url": f"{URL}/2", "enabled": False})
    assert (changed.json["url"], changed.json["enabled"]) == (f"{URL}/2", False)
    assert changed.json["secret"] is None
    assert client.post(f"{HOOK}/test", headers=person).status_code == 409
    client.put(HOOK, headers=person, json={"url": URL})
    assert client.post(f"{HOOK}/test", headers=person).status_code == 202
    shown = client.get(HOOK, headers=person).json
    assert "secret" not in shown
    (call,) = shown["calls"]
    assert (call["type"], call["state"], call["attempts"]) == ("webhook.test", "queued", 0)
    assert client.delete(HOOK, headers=person).status_code == 204
    assert client.delete(HOOK, headers=person).status_code == 404


def test_who_has_none_is_told_so_and_the_document_says_that_they_may_be(client, person):
    paths = client.get("/api/openapi.json").json["paths"]
    for method, path in (("get", HOOK), ("delete", HOOK), ("post", f"{HOOK}/test")):
        answer = client.open(path, method=method.upper(), headers=person)
        assert answer.status_code == 404, (method, path)
        assert "404" in paths[path][method]["responses"], (method, path)


@pytest.mark.parametrize(
    ("url", "detail"),
    [
        ("http://hooks.harbour.example/", "must begin with https://"),
        ("https://192.168.1.1/", "must be on the public internet"),
        ("nothing", "must name a host such as hooks.acme.example"),
    ],
)
def test_an_address_that_may_not_be_called_is_refused(client, person, url, detail):
    answer = client.put(HOOK, headers=person, json={"url": url})
    assert answer.status_code == 422
    assert answer.json["errors"] == [{"pointer": "/url", "detail": detail}]


def test_a_webhook_is_for_people_of_its_own_provider(client, ctx, make, provider, person):
    client.put(HOOK, headers=person, json={"url": URL})
    stranger = provider_door(ctx, make.provider())
    assert client.get(HOOK, headers=stranger).status_code == 404
    for who in (software_door(ctx, provider), admin_door(ctx)):
        assert client.get(HOOK, headers=who).status_code == 403
    assert client.get(HOOK).status_code == 401
