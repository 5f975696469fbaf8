"""Who lets people or software in or out proves who they are, unless they did so a moment ago."""

import pytest

from marketplace.web.doors import API_DOORS, PAGE_DOORS
from tests.people import PASSWORD, a_person, an_admin, bearer, session_token

LEE = {"name": "Lee Okafor", "email": "lee@works.example"}
PROOF = {"current_password": PASSWORD}

LETTING_IN = {
    "POST /api/v1/portal/team": LEE,
    "POST /api/v1/portal/api-keys": {"name": "CRM"},
    "PUT /api/v1/portal/webhook": {"url": "https://crm.kestrel.example/hook", "enabled": True},
    "DELETE /api/v1/portal/webhook": None,
    "PATCH /api/v1/portal/team/{colleague}": {"role": "owner"},
    "DELETE /api/v1/portal/team/{colleague}": None,
}
"""By software, as an owner."""


@pytest.mark.parametrize("call", LETTING_IN)
def test_software_is_told_to_prove_it_after_ten_minutes_and_not_before(
    ctx, make, client, clock, call
):
    kim = a_person(ctx, provider_id=make.provider().id)
    colleague = a_person(ctx, "max@harbour.example", provider_id=kim.provider_id)
    head = bearer(session_token(ctx, kim))
    method, path = call.format(colleague=colleague.id).split()
    clock.advance(minutes=10)
    refused = client.open(path, method=method, json=LETTING_IN[call], headers=head)
    assert refused.status_code == 403
    assert "POST /api/v1/sessions/proof" in refused.json["detail"]
    assert client.get("/api/v1/portal/team", headers=head).status_code == 200
    head = bearer(client.post("/api/v1/sessions/proof", json=PROOF, headers=head).json["token"])
    clock.advance(minutes=9, seconds=59)
    done = client.open(path, method=method, json=LETTING_IN[call], headers=head)
    assert done.status_code in (200, 201, 204, 404), done.text
    assert (done.status_code == 404) is (call == "DELETE /api/v1/portal/webhook")


def test_an_administrator_proves_it_too(ctx, client, clock):
    head = bearer(session_token(ctx, an_admin(ctx)))
    clock.advance(minutes=10)
    bo = {"name": "Bo Lindqvist", "email": "bo@marketplace.example"}
    assert client.post("/api/v1/admin/people", json=bo, headers=head).status_code == 403
    head = bearer(client.post("/api/v1/sessions/proof", json=PROOF, headers=head).json["token"])
    assert client.post("/api/v1/admin/people", json=bo, headers=head).status_code == 201


def test_on_a_page_what_was_typed_is_kept_and_sent_once_it_is_proved(make, signed_in, clock):
    kim = signed_in(make.provider())
    kim.open("/portal/team")
    clock.advance(minutes=10)
    page = kim.send("/portal/team", **LEE)
    assert page.status == 403
    assert "Is it you?" in page.text
    assert kim.send("/account/proof", current_password="seven noisy herons").status == 422
    page = kim.send("/account/proof", **PROOF)
    assert "Nothing that you typed is lost" in page.text
    page = kim.send("/portal/team")
    assert "They are written to at lee@works.example" in page.text
    kim.open("/portal/software")
    assert "The secret of the key" in kim.send("/keys", name="CRM").text  # and not asked again


def test_proving_it_leads_nowhere_else(make, signed_in):
    kim = signed_in(make.provider())
    kim.open("/account/proof?next=https://evil.example/")
    assert kim.send("/account/proof", **PROOF).at == "/account"
    kim.open("/account/proof?next=/portal/team")
    assert kim.send("/account/proof", **PROOF).at == "/portal/team"


def test_all_that_lets_somebody_in_is_declared(app):
    declared = {each for _, door in (*API_DOORS, *PAGE_DOORS) for each in door.asks_again}
    rules = [rule for rule in app.url_map.iter_rules() if rule.endpoint in declared]
    assert {rule.endpoint for rule in rules} == declared
    assert len(declared) >= 15
