"""The outbox over HTTP, for administrators."""

import pytest

from marketplace.core.db import new_id
from marketplace.notifications.delivery import deliver_due_notifications
from marketplace.notifications.rules import Attempt, SendOutcome
from marketplace.notifications.service import Recipient, notify
from tests.people import a_person, an_admin, bearer, session_token

OUTBOX = "/api/v1/admin/notifications"


@pytest.fixture
def admin(ctx) -> dict[str, str]:
    return bearer(session_token(ctx, an_admin(ctx)))


class Channel:
    """Refuses what is about `R-bad`."""

    public_url = "https://quotes.example"

    def send(self, ctx, message) -> Attempt:
        if "R-bad" in message.words.subject:
            return Attempt(SendOutcome.MESSAGE_REFUSED, "the mail service answered 400")
        return Attempt(SendOutcome.SENT)


@pytest.fixture
def outbox(ctx) -> None:
    """Leave a failed message, a sent one and a queued one behind."""
    for reference in ("R-bad", "R-2", "R-3"):
        if reference == "R-3":
            deliver_due_notifications(ctx, Channel())
        with ctx.transaction() as tx:
            person = Recipient("jo@acme.example", "Jo Tran")
            notify(tx, "data_erased", person, new_id(), reference=reference)


def states(answer) -> list[str]:
    return [item["state"] for item in answer.json["items"]]


def test_the_outbox_is_listed_the_newest_first_and_a_page_at_a_time(client, admin, outbox):
    answer = client.get(OUTBOX, headers=admin)
    assert answer.status_code == 200
    assert states(answer) == ["queued", "sent", "failed"]
    assert answer.json["next"] is None
    first = client.get(f"{OUTBOX}?limit=2", headers=admin)
    assert states(first) == ["queued", "sent"]
    rest = client.get(f"{OUTBOX}?limit=2&after={first.json['next']}", headers=admin)
    assert states(rest) == ["failed"]


def test_a_message_is_listed_without_its_words_and_its_link(client, admin, outbox):
    failed = client.get(f"{OUTBOX}?state=failed", headers=admin).json["items"][0]
    assert failed.pop("id")
    assert failed.pop("subject_id")
    assert failed == {
        "channel": "email",
        "template": "data_erased",
        "recipient": "jo@acme.example",
        "state": "failed",
        "attempts": 1,
        "next_attempt_at": "2026-11-23T09:01:00Z",
        "created_at": "2026-11-23T09:00:00Z",
        "sent_at": None,
        "delivered_at": None,
        "last_error": "the mail service answered 400",
    }


def test_one_state_can_be_asked_for(client, admin, outbox):
    assert states(client.get(f"{OUTBOX}?state=sent", headers=admin)) == ["sent"]
    assert states(client.get(f"{OUTBOX}?state=bounced", headers=admin)) == []
    answer = client.get(f"{OUTBOX}?state=lost", headers=admin)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json["errors"]] == ["/state"]


def test_what_was_given_up_is_retried_once(client, admin, outbox):
    failed = client.get(f"{OUTBOX}?state=failed", headers=admin).json["items"][0]
    retry = f"{OUTBOX}/{failed['id']}/retry"
    answer = client.post(retry, headers=admin)
    assert (answer.status_code, answer.json["state"]) == (200, "queued")
    assert client.post(retry, headers=admin).status_code == 409
    assert client.post(f"{OUTBOX}/{new_id()}/retry", headers=admin).status_code == 404


def test_the_outbox_is_for_administrators(client, ctx, outbox):
    provider = bearer(session_token(ctx, a_person(ctx)))
    for headers, status in ((None, 401), (provider, 403)):
        assert client.get(OUTBOX, headers=headers).status_code == status
        retry = f"{OUTBOX}/{new_id()}/retry"
        assert client.post(retry, headers=headers).status_code == status
