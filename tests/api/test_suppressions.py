"""Addresses that get no mail: what administrators and the providers concerned see and do."""

import pytest
from sqlalchemy import select

from marketplace.bootstrap import channel_of
from marketplace.core.db import new_id
from marketplace.core.events import Event
from marketplace.leads.models import Lead
from marketplace.notifications.delivery import deliver_due_notifications
from marketplace.notifications.models import Notification
from marketplace.notifications.reports import Report, note_reports
from tests.api.doors import admin_door, business_door, provider_door
from tests.factories import lead_form

ADDRESSES = "/api/v1/admin/suppressions"
OUTBOX = "/api/v1/admin/notifications"


@pytest.fixture
def admin(ctx) -> dict[str, str]:
    return admin_door(ctx)


@pytest.fixture
def deliver(ctx, installation):
    return lambda: deliver_due_notifications(ctx, channel_of(installation.settings))


def newest_to(ctx, address: str) -> Notification:
    with ctx.reading() as session:
        rows = select(Notification).where(Notification.recipient == address)
        return session.scalars(rows.order_by(Notification.id.desc())).first()


def bounce(ctx, deliver, address: str) -> None:
    """Let the mail service report that the newest message to this address came back."""
    deliver()
    note_reports(ctx, [Report(newest_to(ctx, address).id, "bounce", 1, kind="bounce")])


def submit(client, number: int):
    return client.post("/api/v1/leads", json=lead_form(number))


def test_a_form_from_an_address_that_bounces_is_answered_alike_and_held_back(
    client, ctx, admin, deliver
):
    first = submit(client, 1)
    bounce(ctx, deliver, "sam@works1.example")
    again, other = submit(client, 1), submit(client, 2)
    assert [each.status_code for each in (first, again, other)] == [202] * 3
    assert first.json.keys() == again.json.keys() == other.json.keys()
    assert {each.json["status"] for each in (first, again, other)} == {"awaiting_confirmation"}
    deliver()
    held = client.get(f"{OUTBOX}?state=suppressed", headers=admin).json["items"]
    assert [each["recipient"] for each in held] == ["sam@works1.example"]


def test_an_address_that_bounces_shows_on_its_lead_until_it_is_lifted(
    client, ctx, admin, deliver, clock
):
    submit(client, 1)
    with ctx.reading() as session:
        (lead_id,) = session.scalars(select(Lead.id))
    lead = f"/api/v1/admin/leads/{lead_id}"
    assert client.get(lead, headers=admin).json["mail_stopped"] is None
    clock.advance(minutes=1)
    bounce(ctx, deliver, "sam@works1.example")
    shown = client.get(lead, headers=admin).json["mail_stopped"]
    assert shown == {"reason": "hard_bounce", "since": "2026-11-23T09:01:00Z"}
    (address,) = client.get(ADDRESSES, headers=admin).json["items"]
    assert address["address"] == "sam@works1.example"
    assert address["notification_id"] == str(newest_to(ctx, "sam@works1.example").id)

    submit(client, 1)
    deliver()
    (held,) = client.get(f"{OUTBOX}?state=suppressed", headers=admin).json["items"]
    retry, lift = f"{OUTBOX}/{held['id']}/retry", f"{ADDRESSES}/{address['id']}/lift"
    assert client.post(retry, headers=admin).status_code == 409
    assert client.post(lift, headers=admin, json={}).status_code == 422
    lifted = client.post(lift, headers=admin, json={"reason": "They have a new server."})
    assert (lifted.status_code, lifted.json["lifted_because"]) == (200, "They have a new server.")
    assert client.post(lift, headers=admin, json={"reason": "x"}).status_code == 409
    assert client.get(ADDRESSES, headers=admin).json["items"] == []
    assert client.get(lead, headers=admin).json["mail_stopped"] is None
    assert client.post(retry, headers=admin).json["state"] == "queued"
    assert deliver() == 1


def test_a_provider_and_its_administrators_see_that_its_mail_comes_back(
    client, ctx, make, admin, deliver
):
    provider = make.provider()
    make.matched_lead()
    bounce(ctx, deliver, provider.contact_email)
    person = provider_door(ctx, provider)
    own = client.get("/api/v1/portal/provider", headers=person).json
    known = client.get(f"/api/v1/admin/providers/{provider.id}", headers=admin).json
    assert own["mail_stopped"]["reason"] == known["mail_stopped"]["reason"] == "hard_bounce"
    client.patch(
        "/api/v1/portal/provider",
        headers=person,
        json={"contact": {"name": "Kim", "email": "kim@elsewhere.example"}},
    )
    assert client.get("/api/v1/portal/provider", headers=person).json["mail_stopped"] is None


def test_an_administrator_stops_mail_by_hand_once(client, ctx, admin):
    body = {"address": "Jo@Acme.example"}
    answer = client.post(ADDRESSES, headers=admin, json=body)
    assert (answer.status_code, answer.json["address"]) == (201, "jo@acme.example")
    assert (answer.json["reason"], answer.json["notification_id"]) == ("by_hand", None)
    assert client.post(ADDRESSES, headers=admin, json=body).status_code == 409
    assert client.post(ADDRESSES, headers=admin, json={"address": "x"}).status_code == 422
    with ctx.reading() as session:
        events = session.scalars(select(Event).where(Event.verb == "suppression.made")).all()
    assert [str(each.subject_id) for each in events] == [answer.json["id"]]
    assert "jo@" not in str(events[0].facts)


def test_an_address_that_was_never_stopped_is_not_found(client, admin):
    lift = f"{ADDRESSES}/{new_id()}/lift"
    assert client.post(lift, headers=admin, json={"reason": "x"}).status_code == 404


def test_a_business_that_is_forgotten_leaves_no_address_behind(client, ctx, make, admin, deliver):
    lead = make.lead()
    bounce(ctx, deliver, lead.contact_email)
    assert client.get(ADDRESSES, headers=admin).json["items"]
    business = business_door(ctx, lead)
    assert client.delete("/api/v1/request/personal-data", headers=business).status_code == 202
    deliver()
    for path in (ADDRESSES, OUTBOX):
        assert lead.contact_email not in client.get(path, headers=admin).get_data(as_text=True)
