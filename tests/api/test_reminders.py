"""`/request/reminders`: agreed to, seen, changed and stopped over HTTP."""

import pytest

from tests.api.doors import admin_door, business_door
from tests.services.road import an_awarded_lead

PATH = "/api/v1/request/reminders"
BODY = {"certified_on": "2026-11-20", "consent": True}


@pytest.fixture
def lead(ctx, make):
    return an_awarded_lead(ctx, make)


@pytest.fixture
def who(ctx, lead):
    return business_door(ctx, lead)


def test_they_are_agreed_to_seen_and_stopped(client, who):
    assert client.get(PATH, headers=who).status_code == 404
    agreed = client.put(PATH, json=BODY, headers=who)
    assert agreed.status_code == 200
    assert agreed.json["good_until"] == "2029-11-19"
    assert agreed.json["editions"] == {"ISO 9001": "2026"}
    assert agreed.json["agreed"] == {"wording": "2026-11", "at": "2026-11-23T09:00:00Z"}
    assert agreed.json["dates"][0] == {
        "on": "2027-11-20",
        "what": "surveillance",
        "number": 1,
        "standard": None,
        "edition": None,
    }
    first = agreed.json["reminders"][0]
    assert (first["due_at"], first["state"]) == ("2027-07-19T23:00:00Z", "waiting")
    assert client.get(PATH, headers=who).json == agreed.json
    assert client.get("/api/v1/request", headers=who).json["reminders"] == agreed.json
    assert client.delete(PATH, headers=who).status_code == 204
    assert client.delete(PATH, headers=who).status_code == 404
    assert client.get("/api/v1/request", headers=who).json["reminders"] is None


@pytest.mark.parametrize("consent", [False, None, "true", 1, 0, [], {}])
def test_nothing_but_true_is_consent(client, who, consent):
    answer = client.put(PATH, json={**BODY, "consent": consent}, headers=who)
    assert answer.status_code == 422
    assert [each["pointer"] for each in answer.json["errors"]] == ["/consent"]
    assert client.get(PATH, headers=who).status_code == 404


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, ["/certified_on", "/consent"]),
        ([], [""]),
        ({**BODY, "certified_on": "2026-02-30"}, ["/certified_on"]),
        ({**BODY, "certified_on": "0001-01-01"}, ["/certified_on"]),
        ({**BODY, "certified_on": "9999-12-31"}, ["/certified_on"]),
        ({**BODY, "standards": "ISO 9001"}, ["/standards"]),
        ({**BODY, "standards": ["ISO 9001", "ISO 9001"]}, ["/standards/1"]),
        ({**BODY, "standards": [1]}, ["/standards/0"]),
        ({**BODY, "standards": [f"ISO {n}" for n in range(7)]}, ["/standards"]),
        ({**BODY, "editions": {"ISO/IEC 27001": "2013"}}, ["/editions/ISO~1IEC 27001"]),
        ({**BODY, "editions": {"ISO 9001": 2015}}, ["/editions/ISO 9001"]),
        ({**BODY, "edition": "2015"}, ["/edition"]),
        ({**BODY, "standards": ["ISO 9001\x00"]}, ["/standards/0"]),
    ],
)
def test_whatever_is_wrong_is_named(client, who, body, pointers):
    answer = client.put(PATH, json=body, headers=who)
    assert answer.status_code == 422, answer.json
    assert [each["pointer"] for each in answer.json["errors"]] == pointers


def test_before_a_choice_there_is_nothing_to_remind_of(ctx, client, make):
    answer = client.put(PATH, json=BODY, headers=business_door(ctx, make.lead()))
    assert answer.status_code == 409
    assert "chosen a provider" in answer.json["detail"]


def test_they_end_with_the_personal_data(client, who):
    client.put(PATH, json=BODY, headers=who)
    assert client.delete("/api/v1/request/personal-data", headers=who).status_code == 202
    assert client.get(PATH, headers=who).status_code == 401


def test_an_administrator_sees_whether_they_are_wanted(ctx, client, who, lead):
    admin = admin_door(ctx)
    address = f"/api/v1/admin/leads/{lead.id}"
    assert client.get(address, headers=admin).json["reminders"] is None
    client.put(PATH, json=BODY, headers=who)
    shown = client.get(address, headers=admin).json["reminders"]
    assert shown["certified_on"] == "2026-11-20"
    assert shown["agreed"]["wording"] == "2026-11"
