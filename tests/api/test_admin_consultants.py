"""An administrator says which providers a lead's advisers are; nobody else is told."""

import pytest

from marketplace.core.db import new_id
from marketplace.invitations import service as invitations
from tests.api.bad_values import pointers
from tests.api.doors import admin_door, business_door, invitations_of, provider_door
from tests.factories import person_of

USED = [{"name": "Harbor Quality", "ended_on": "2026-02-01"}]


@pytest.fixture
def consultant(make):
    return make.provider(name="Harbour Quality Pty Ltd", regions=("NZ",))


@pytest.fixture
def ask(client, ctx):
    admin = admin_door(ctx)

    def request(method, path, body=None, who=admin, **headers):
        return client.open(f"/api/v1{path}", method=method, json=body, headers={**who, **headers})

    return request


def test_a_doubtful_adviser_is_shown_and_decided(ask, make, consultant, clock):
    lead = make.lead(consultants_used=USED)
    known = {"id": str(consultant.id), "name": "Harbour Quality Pty Ltd"}
    asked = {**USED[0], "resembles": [known], "provider": None, "decided_at": None}
    assert ask("GET", f"/admin/leads/{lead.id}").json["consultants_used"] == [asked]

    path = f"/admin/leads/{lead.id}/consultants"
    answer = ask("POST", path, {"name": "Harbor Quality", "provider_id": str(consultant.id)})

    assert answer.status_code == 200
    decided = {**asked, "provider": known, "decided_at": "2026-11-23T09:00:00Z"}
    assert answer.json == {"consultants_used": [decided]}
    case = ask("GET", f"/admin/leads/{lead.id}").json
    assert case["consultants_used"] == [decided]
    assert case["form"]["consultants_used"] == USED
    assert case["history"][0]["verb"] == "lead.consultant_decided"
    assert case["history"][0]["facts"] == {"consultant": 1, "provider": str(consultant.id)}

    clock.advance(minutes=5)
    answer = ask("POST", path, {"name": "Harbor Quality", "provider_id": None})
    decided = {**asked, "decided_at": "2026-11-23T09:05:00Z"}
    assert answer.json == {"consultants_used": [decided]}


def test_a_key_makes_it_happen_once(ask, make, consultant):
    lead = make.lead(consultants_used=USED)
    body = {"name": "Harbor Quality", "provider_id": str(consultant.id)}
    path = f"/admin/leads/{lead.id}/consultants"
    one, other = (ask("POST", path, body, **{"Idempotency-Key": "k-1"}) for _ in range(2))
    assert one.json == other.json


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({}, {"/name", "/provider_id"}),
        ({"name": "Harbor Quality"}, {"/provider_id"}),
        ({"name": "Harbor Quality", "provider_id": "x"}, {"/provider_id"}),
        ({"name": "Harbor Quality", "provider_id": ""}, {"/provider_id"}),
        ({"name": None, "provider_id": None}, {"/name"}),
        ({"name": "Wattle Quality", "provider_id": None}, {"/name"}),
        ({"name": "Harbor Quality", "provider_id": str(new_id())}, {"/provider_id"}),
        ({"name": "x", "provider_id": str(new_id())}, {"/name", "/provider_id"}),
        ({"name": "Harbor Quality", "provider_id": None, "why": "x"}, {"/why"}),
    ],
)
def test_what_cannot_be_decided_is_named(ask, make, consultant, body, wrong):
    lead = make.lead(consultants_used=USED)
    answer = ask("POST", f"/admin/leads/{lead.id}/consultants", body)
    assert answer.status_code == 422
    assert set(pointers(answer)) == wrong


def test_of_a_finished_request_nothing_is_decided(ask, make, consultant):
    lead = make.lead(consultants_used=USED)
    assert ask("POST", f"/admin/leads/{lead.id}/closure", {"reason": "x"}).status_code == 200
    body = {"name": "Harbor Quality", "provider_id": None}
    assert ask("POST", f"/admin/leads/{lead.id}/consultants", body).status_code == 409


@pytest.mark.parametrize("is_decided", [False, True])
def test_neither_the_business_nor_a_provider_learns_whom_an_adviser_may_be(
    ask, ctx, make, consultant, is_decided
):
    invited = make.provider()
    lead = make.matched_lead(consultants_used=USED)
    (held,) = invitations_of(make, lead)
    assert held.provider_id == invited.id
    if is_decided:
        body = {"name": "Harbor Quality", "provider_id": str(consultant.id)}
        ask("POST", f"/admin/leads/{lead.id}/consultants", body)
    business, provider = business_door(ctx, lead), provider_door(ctx, invited)
    masked = ask("GET", f"/portal/invitations/{held.id}", who=provider)
    invitations.accept_invitation(ctx, person_of(invited.id), held.id)
    seen = ask("GET", f"/portal/invitations/{held.id}", who=provider)
    own = ask("GET", "/request", who=business)
    assert "consultants_used" not in masked.json["lead"]
    assert seen.json["lead"]["consultants_used"] == USED
    assert own.json["lead"]["consultants_used"] == USED
    for answer in (masked, seen, own):
        for word in (str(consultant.id), consultant.name, "resembles", "decided_at"):
            assert word not in answer.get_data(as_text=True), word
