"""Outcomes, reviews, replies and decisions over HTTP: each side its own, and what each may see."""

import pytest

from marketplace.quotes import outcome
from tests.api.doors import (
    admin_door,
    business_door,
    invitations_of,
    provider_door,
    software_door,
)
from tests.factories import business_of
from tests.services.road import a_quote

REQUEST, PORTAL, ADMIN = (
    f"/api/v1/{each}" for each in ("request", "portal/reviews", "admin/reviews")
)


@pytest.fixture
def reviewed(ctx, client, make):
    """A provider, the business that reviewed it with this comment, and the id of the review."""

    def review(comment="Quick."):
        provider = make.provider(name="Harbour Quality Pty Ltd")
        lead = make.matched_lead()
        (invitation,) = invitations_of(make, lead)
        a_quote(ctx, invitation)
        outcome.close_request(ctx, business_of(lead), reason="not_now")
        who = business_door(ctx, lead)
        body = {"invitation_id": str(invitation.id), "rating": 4, "comment": comment}
        given = client.post(f"{REQUEST}/reviews", json=body, headers=who)
        assert given.status_code == 201
        return provider, who, given.json

    return review


def test_a_business_says_what_came_of_its_request(ctx, client, make):
    make.provider()
    lead = make.matched_lead()
    (invitation,) = invitations_of(make, lead)
    a_quote(ctx, invitation)
    who = business_door(ctx, lead)
    assert client.get(REQUEST, headers=who).json["outcome"] is None
    body = {"outcome": "awarded"}
    refused = client.post(f"{REQUEST}/outcome", json=body, headers=who)
    assert refused.status_code == 422
    assert refused.json["errors"] == [{"pointer": "/invitation_id", "detail": "is required"}]
    body |= {"invitation_id": str(invitation.id), "reason": "fit", "comment": "They knew us."}
    told = client.post(f"{REQUEST}/outcome", json=body, headers=who)
    assert (told.status_code, told.json["status"]) == (200, "awarded")
    seen = client.get(REQUEST, headers=who).json["outcome"]
    assert {name: seen[name] for name in body} == body
    other = client.post(f"{REQUEST}/outcome", json={"outcome": "not_now"}, headers=who)
    assert other.status_code == 409
    case = client.get(f"/api/v1/admin/leads/{lead.id}", headers=admin_door(ctx)).json
    assert (case["outcome"], case["outcome_comment"]) == ("awarded", "They knew us.")
    assert case["outcome_due_at"] is None


def test_what_a_business_says_of_the_outcome_reaches_no_provider(ctx, client, make):
    provider = make.provider()
    lead = make.matched_lead()
    (invitation,) = invitations_of(make, lead)
    a_quote(ctx, invitation)
    body = {"outcome": "none_suited", "reason": "contact", "comment": "They were rude to us."}
    assert (
        client.post(f"{REQUEST}/outcome", json=body, headers=business_door(ctx, lead)).json[
            "status"
        ]
        == "closed"
    )
    who = provider_door(ctx, provider)
    for path in (f"/portal/invitations/{invitation.id}", "/portal/messages", "/portal/reviews"):
        said = client.get(f"/api/v1{path}", headers=who).text
        assert "rude" not in said
        assert "none_suited" not in said


def test_the_catalogue_says_what_may_be_answered(client):
    found = client.get("/api/v1/catalogue").json
    assert found["outcomes"] == ["awarded", "other_provider", "not_now", "none_suited"]
    assert {"price", "other"} <= set(found["outcome_reasons"])


def test_a_provider_reads_replies_and_reports_and_nobody_learns_who_wrote(
    ctx, client, make, reviewed
):
    provider, business, given = reviewed()
    who = provider_door(ctx, provider)
    seen = client.get(PORTAL, headers=who).json
    assert (seen["rating"], seen["rating_count"], seen["rating_from"]) == (None, 1, 3)
    (item,) = seen["items"]
    assert item == {
        "id": given["id"], "rating": 4, "comment": "Quick.",
        "by": {"sector": "17", "region": "AU-NSW", "month": "2026-11"},
        "reported_at": None, "decision_reason": None, "reply": None,
    }  # fmt: skip
    path = f"{PORTAL}/{given['id']}"
    for text in ("Thank you.", "Thank you, and come again."):
        replied = client.put(f"{path}/reply", json={"text": text}, headers=who)
        assert (replied.status_code, replied.json["reply"]["text"]) == (200, text)
        assert replied.json["reply"]["may_be_changed"]
    own = client.get(REQUEST, headers=business).json["invitations"][0]["review"]
    assert own["reply"]["text"] == "Thank you, and come again."
    another = client.get(REQUEST, headers=business_door(ctx, make.matched_lead()))
    (read,) = another.json["invitations"][0]["provider"]["reviews"]
    assert read == {
        "rating": 4, "comment": "Quick.", "by": item["by"], "reply": "Thank you, and come again.",
    }  # fmt: skip
    reported = client.post(f"{path}/report", json={"reason": "Not us."}, headers=who)
    assert reported.status_code == 200
    assert reported.json["reported_at"]
    assert client.post(f"{path}/report", json={"reason": "x"}, headers=who).status_code == 409


def test_another_providers_review_does_not_exist(ctx, client, make, reviewed):
    _, _, given = reviewed()
    for who in (provider_door(ctx, make.provider()), software_door(ctx, make.provider())):
        assert client.get(PORTAL, headers=who).json["items"] == []
        path = f"{PORTAL}/{given['id']}"
        assert client.put(f"{path}/reply", json={"text": "x"}, headers=who).status_code == 404
        assert client.post(f"{path}/report", json={"reason": "x"}, headers=who).status_code == 404


def test_a_business_reports_a_reply_and_nobody_elses(ctx, client, make, reviewed):
    provider, business, given = reviewed()
    path = f"{REQUEST}/reviews/{given['id']}/report"
    assert client.post(path, json={"reason": "x"}, headers=business).status_code == 404
    who = provider_door(ctx, provider)
    client.put(f"{PORTAL}/{given['id']}/reply", json={"text": "No, you."}, headers=who)
    stranger = business_door(ctx, make.lead())
    assert client.post(path, json={"reason": "x"}, headers=stranger).status_code == 404
    reported = client.post(path, json={"reason": "It is rude."}, headers=business)
    assert reported.status_code == 200
    assert reported.json["reply"]["reported_at"]
    assert client.post(path, json={"reason": "x"}, headers=business).status_code == 409


def test_an_administrator_sees_what_waits_and_decides_with_a_reason(ctx, client, make, reviewed):
    provider, business, given = reviewed("Ask hello@elsewhere.example")
    assert given["state"] == "queued"
    assert client.get(PORTAL, headers=provider_door(ctx, provider)).json["items"] == []
    who = admin_door(ctx)
    (case,) = client.get(ADMIN, headers=who).json["items"]
    assert (case["provider"], case["review"]["doubts"]) == ("Harbour Quality Pty Ltd", ["contact"])
    assert case["review"]["waits_for_a_decision"]
    path = f"{ADMIN}/{given['id']}"
    assert client.post(f"{path}/hiding", json={}, headers=who).status_code == 422
    why = {"reason": "An address stands in it."}
    hidden = client.post(f"{path}/hiding", json=why, headers=who)
    assert (hidden.status_code, hidden.json["review"]["state"]) == (200, "hidden")
    assert client.post(f"{path}/hiding", json=why, headers=who).status_code == 409
    assert client.get(ADMIN, headers=who).json["items"] == []
    for state, n in (("hidden", 1), ("shown", 0), ("queued", 0), ("all", 1)):
        found = client.get(f"{ADMIN}?state={state}", headers=who).json["items"]
        assert len(found) == n, state
    assert client.get(f"{ADMIN}?state=lost", headers=who).status_code == 422
    own = client.get(REQUEST, headers=business).json["invitations"][0]["review"]
    assert (own["state"], own["decision_reason"]) == ("hidden", "An address stands in it.")
    shown = client.post(f"{path}/restoration", json={"reason": "Let it."}, headers=who)
    assert shown.json["review"]["state"] == "shown"
    part = {"reason": "x", "part": "reply"}
    assert client.post(f"{path}/hiding", json=part, headers=who).status_code == 404
    assert client.post(f"{path}/hiding", json={**part, "part": "x"}, headers=who).status_code == 422
