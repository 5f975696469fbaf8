"""A provider's record over HTTP: its own alone, objections once, strikes by administrators."""

import pytest

from marketplace.core.db import new_id
from marketplace.invitations import endings
from tests.api.doors import admin_door, invitations_of, provider_door, software_door

MISSES, ADMIN = "/api/v1/portal/misses", "/api/v1/admin/misses"


@pytest.fixture
def missed(ctx, make, clock):
    """Let a provider miss so many invitations; return it and them."""

    def lapse(count=1):
        provider = make.provider(name="Harbour Quality Pty Ltd")
        found = []
        for _ in range(count):
            (invitation,) = invitations_of(make, make.matched_lead())
            clock.now = invitation.open_by
            endings.end_due_invitations(ctx)
            found.append(invitation)
        return provider, found

    return lapse


def test_a_provider_reads_its_record_and_objects_once(ctx, client, missed):
    provider, (one, two) = missed(2)
    who = provider_door(ctx, provider)
    seen = client.get(MISSES, headers=who).json
    assert seen["standing"] == {"counting": 2, "too_many": 3, "days": 30, "pause": None}
    assert [each["invitation_id"] for each in seen["items"]] == [str(two.id), str(one.id)]
    first = seen["items"][-1]
    assert (first["kind"], first["at"]) == ("released", "2026-11-23T21:00:00Z")
    assert first["counts_until"] == "2026-12-23T21:00:00Z"
    assert first["objected_at"] is first["struck_at"] is None

    path = f"{MISSES}/{one.id}/objection"
    assert client.post(path, json={"text": " "}, headers=who).status_code == 422
    made = client.post(path, json={"text": "No mail came."}, headers=who)
    assert (made.status_code, made.json["objection"]) == (201, "No mail came.")
    assert client.post(path, json={"text": "Really."}, headers=who).status_code == 409
    page = client.get(f"{MISSES}?limit=1", headers=who).json
    assert len(page["items"]) == 1
    after = client.get(f"{MISSES}?limit=1&after={page['next']}", headers=who).json
    assert after["items"][0]["objection"] == "No mail came."


def test_another_providers_miss_does_not_exist(ctx, client, make, missed):
    provider, (one,) = missed()
    stranger = make.provider()
    for who in (provider_door(ctx, stranger), software_door(ctx, make.provider())):
        assert client.get(MISSES, headers=who).json["items"] == []
        path = f"{MISSES}/{one.id}/objection"
        assert client.post(path, json={"text": "x"}, headers=who).status_code == 404
        assert (
            client.post(f"{ADMIN}/{one.id}/strike", json={"reason": "x"}, headers=who).json[
                "status"
            ]
            == 403
        )
    (mine,) = client.get(MISSES, headers=provider_door(ctx, provider)).json["items"]
    assert mine["objected_at"] is mine["struck_at"] is None


def test_a_paused_provider_sees_its_pause_and_ends_it(ctx, client, missed):
    provider, _ = missed(3)
    who = provider_door(ctx, provider)
    pause = client.get(MISSES, headers=who).json["standing"]["pause"]
    assert (pause["until"], pause["reason"]) == (None, "repeated_misses")
    assert client.get("/api/v1/portal/provider", headers=who).json["pauses"] == [pause]
    path = f"/api/v1/portal/pauses/{pause['id']}"
    assert client.delete(path, headers=who).status_code == 204
    assert client.delete(path, headers=who).status_code == 404
    seen = client.get(MISSES, headers=who).json
    assert seen["standing"]["pause"] is None
    assert seen["standing"]["counting"] == 0
    assert {each["counts_until"] for each in seen["items"]} == {None}


def test_an_administrator_finds_objections_and_strikes_a_miss_once(ctx, client, missed):
    provider, (one, two) = missed(2)
    who, admin = provider_door(ctx, provider), admin_door(ctx)
    client.post(f"{MISSES}/{one.id}/objection", json={"text": "No mail came."}, headers=who)

    def listed(state):
        items = client.get(f"{ADMIN}{state}", headers=admin).json["items"]
        return [each["invitation_id"] for each in items]

    assert listed("") == listed("?state=objected") == [str(one.id)]
    assert listed("?state=all") == [str(two.id), str(one.id)]
    assert client.get(f"{ADMIN}?state=x", headers=admin).status_code == 422
    path = f"{ADMIN}/{one.id}/strike"
    assert client.post(path, json={"reason": ""}, headers=admin).status_code == 422
    struck = client.post(path, json={"reason": "Our mail failed."}, headers=admin)
    assert struck.status_code == 200
    assert struck.json["strike_reason"] == "Our mail failed."
    assert struck.json["provider"] == provider.name
    assert struck.json["struck_by"] is not None
    assert client.post(path, json={"reason": "Again."}, headers=admin).status_code == 409
    unknown = client.post(f"{ADMIN}/{new_id()}/strike", json={"reason": "x"}, headers=admin)
    assert unknown.status_code == 404
    assert listed("") == []
    seen = client.get(MISSES, headers=who).json
    assert seen["standing"]["counting"] == 1
    assert seen["items"][-1]["strike_reason"] == "Our mail failed."
    assert "struck_by" not in seen["items"][-1]


def test_an_administrator_lets_a_miss_stand_once_and_it_can_be_struck_still(ctx, client, missed):
    provider, (one, two) = missed(2)
    who, admin = provider_door(ctx, provider), admin_door(ctx)
    client.post(f"{MISSES}/{one.id}/objection", json={"text": "No mail came."}, headers=who)
    path = f"{ADMIN}/{one.id}/uphold"
    assert client.post(path, json={"reason": ""}, headers=admin).status_code == 422
    assert client.post(path, json={"reason": "x"}, headers=who).status_code == 403
    stands = client.post(path, json={"reason": "It was delivered."}, headers=admin)
    assert stands.status_code == 200
    assert stands.json["upheld_by"] is not None
    assert client.get(ADMIN, headers=admin).json["items"] == []
    seen = client.get(MISSES, headers=who).json
    assert seen["standing"]["counting"] == 2
    assert seen["items"][-1]["uphold_reason"] == "It was delivered."
    assert "upheld_by" not in seen["items"][-1]
    for other, said in ((one, "answered already"), (two, "nobody has objected")):
        again = client.post(f"{ADMIN}/{other.id}/uphold", json={"reason": "x"}, headers=admin)
        assert (again.status_code, said in again.json["detail"]) == (409, True)
    struck = client.post(f"{ADMIN}/{one.id}/strike", json={"reason": "Yes."}, headers=admin)
    assert struck.status_code == 200
