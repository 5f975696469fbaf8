"""Providers, accreditations and relationships in the administration, over HTTP."""

from uuid import uuid4

import pytest

from tests.people import a_person, an_admin, bearer, session_token
from tests.providers import a_body, a_provider, acting_for, an_accreditation, application

ADMIN = "/api/v1/admin"
LOOK = {"result": "found", "checked_on": "2026-11-23", "source": "the body's register"}


@pytest.fixture
def head(ctx):
    return bearer(session_token(ctx, an_admin(ctx)))


def pointers(response):
    assert response.status_code == 422, response.json
    return {error["pointer"] for error in response.json["errors"]}


def test_a_provider_is_written_down_approved_suspended_and_reinstated(client, head):
    made = client.post(f"{ADMIN}/providers", json=application(), headers=head)
    assert (made.status_code, made.json["state"]) == (201, "applied"), made.json
    one = f"{ADMIN}/providers/{made.json['id']}"
    approved = client.post(f"{one}/approval", headers=head)
    assert (approved.status_code, approved.json["state"]) == (200, "verified")
    assert client.post(f"{one}/approval", headers=head).status_code == 409
    why = {"reason": "Complaints by two businesses"}
    suspended = client.post(f"{one}/suspension", json=why, headers=head).json
    assert (suspended["state"], suspended["state_reason"]) == ("suspended", why["reason"])
    back = client.post(f"{one}/reinstatement", headers=head).json
    assert (back["state"], back["state_reason"]) == ("verified", None)
    assert client.get(one, headers=head).json == back


def test_a_rejected_provider_may_apply_again(client, head):
    number = {"registration_number": "51 824 753 556"}
    made = client.post(f"{ADMIN}/providers", json=application(**number), headers=head).json
    reject = f"{ADMIN}/providers/{made['id']}/rejection"
    assert pointers(client.post(reject, json={}, headers=head)) == {"/reason"}
    rejected = client.post(reject, json={"reason": "No references"}, headers=head)
    assert rejected.json["state"] == "rejected"
    again = client.post(f"{ADMIN}/providers", json=application(**number), headers=head)
    assert again.status_code == 201


def test_an_administrator_may_write_down_languages_and_how_soon(client, head):
    said = {"languages": ["de"], "weeks_to_start": None}
    made = client.post(f"{ADMIN}/providers", json=application(coverage=said), headers=head)
    assert said.items() <= made.json["coverage"].items()
    wrong = application("Another", coverage={"languages": ["xx"], "weeks_to_start": -1})
    assert pointers(client.post(f"{ADMIN}/providers", json=wrong, headers=head)) == {
        "/coverage/languages/0",
        "/coverage/weeks_to_start",
    }


def test_every_wrong_field_of_a_new_provider_is_named(client, head):
    wrong = application(kind="bank", country="XX", coverage={"regions": ["XX"], "sectors": ["99"]})
    assert pointers(client.post(f"{ADMIN}/providers", json=wrong, headers=head)) == {
        "/kind",
        "/country",
        "/coverage/regions/0",
        "/coverage/sectors/0",
    }


def test_providers_are_listed_newest_first_by_page_state_kind_and_words(client, ctx, head):
    first, second = a_provider(ctx), a_body(ctx)
    page = client.get(f"{ADMIN}/providers?limit=1", headers=head).json
    assert [item["id"] for item in page["items"]] == [str(second.id)]
    rest = client.get(f"{ADMIN}/providers?limit=1&after={page['next']}", headers=head).json
    assert [item["id"] for item in rest["items"]] == [str(first.id)]
    assert rest["next"] is None
    for query, found in (
        ("state=verified", 2),
        ("state=applied", 0),
        ("kind=certification_body", 1),
        ("q=harbour", 1),
        ("q=KIM@southern.example", 1),
        ("q=%25", 0),
    ):
        listed = client.get(f"{ADMIN}/providers?{query}", headers=head).json["items"]
        assert len(listed) == found, query
    assert pointers(client.get(f"{ADMIN}/providers?state=odd", headers=head)) == {"/state"}


def test_a_look_into_a_register_is_written_down_and_shown(client, ctx, head):
    body = a_body(ctx)
    held = an_accreditation(ctx, body)
    one = f"{ADMIN}/accreditations/{held}"
    seen = client.post(
        f"{one}/verification", json=LOOK | {"result": "not_found"}, headers=head
    ).json
    assert (seen["state"], seen["last_check"]["result"]) == ("claimed", "not_found")
    waiting = client.get(f"{ADMIN}/accreditations?state=claimed", headers=head).json
    assert [item["provider_id"] for item in waiting["items"]] == [str(body.id)]
    assert client.post(f"{one}/suspension", headers=head).status_code == 409
    assert client.post(f"{one}/verification", json=LOOK, headers=head).json["state"] == "verified"
    assert client.post(f"{one}/suspension", headers=head).json["state"] == "suspended"
    assert client.post(f"{one}/reinstatement", headers=head).json["state"] == "verified"
    own = bearer(session_token(ctx, a_person(ctx, body.contact_email, provider_id=body.id)))
    (shown,) = client.get("/api/v1/portal/accreditations", headers=own).json["items"]
    assert shown["last_check"] == {
        "result": "found",
        "checked_on": "2026-11-23",
        "source": "the body's register",
    }


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"result": "perhaps"}, "/result"),
        ({"checked_on": "2026-11-24"}, "/checked_on"),
        ({"checked_on": None}, "/checked_on"),
        ({"source": " "}, "/source"),
    ],
)
def test_a_wrong_look_is_named(client, ctx, head, change, pointer):
    held = an_accreditation(ctx, a_body(ctx))
    url = f"{ADMIN}/accreditations/{held}/verification"
    assert pointers(client.post(url, json=LOOK | change, headers=head)) == {pointer}


def test_a_relationship_is_declared_once_however_often_it_is_said(client, ctx, head):
    one, other = a_provider(ctx), a_body(ctx)
    said = {
        "provider_id": str(one.id),
        "other_id": str(other.id),
        "kind": "ownership",
        "from": "2025-01-01",
        "until": None,
    }
    made = client.post(f"{ADMIN}/relationships", json=said, headers=head)
    assert (made.status_code, made.json["from"]) == (201, "2025-01-01"), made.json
    turned = said | {"provider_id": said["other_id"], "other_id": said["provider_id"]}
    assert client.post(f"{ADMIN}/relationships", json=turned, headers=head).json == made.json
    shown = client.get(f"{ADMIN}/providers/{other.id}", headers=head).json["relationships"]
    assert shown == [made.json]


def test_a_wrong_relationship_is_named(client, ctx, head):
    one = str(a_provider(ctx).id)
    wrong = {"provider_id": one, "other_id": str(uuid4()), "kind": "friends"}
    sent = client.post(f"{ADMIN}/relationships", json=wrong, headers=head)
    assert pointers(sent) == {"/other_id", "/kind"}
    itself = {"provider_id": one, "other_id": one, "kind": "brand"}
    itself |= {"from": "2026-01-02", "until": "2026-01-01"}
    sent = client.post(f"{ADMIN}/relationships", json=itself, headers=head)
    assert pointers(sent) == {"/other_id", "/until"}
    sent = client.post(f"{ADMIN}/relationships", json=wrong | {"other_id": "x"}, headers=head)
    assert pointers(sent) == {"/other_id", "/kind"}


@pytest.mark.parametrize(
    "path",
    [
        "providers/{id}/approval",
        "providers/{id}/reinstatement",
        "accreditations/{id}/suspension",
        "accreditations/{id}/reinstatement",
    ],
)
def test_what_is_not_there_is_not_found(client, head, path):
    answer = client.post(f"{ADMIN}/{path.format(id=uuid4())}", headers=head)
    assert answer.status_code == 404


def test_the_administration_is_closed_to_providers_and_strangers(client, ctx):
    provider = a_provider(ctx)
    assert acting_for(provider).provider_id == provider.id
    own = bearer(session_token(ctx, a_person(ctx, provider.contact_email, provider_id=provider.id)))
    for url in (f"{ADMIN}/providers", f"{ADMIN}/catalogue/standards", f"{ADMIN}/accreditations"):
        assert client.get(url).status_code == 401
        assert client.get(url, headers=own).status_code == 403
