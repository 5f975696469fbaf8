"""SendGrid's signed Event Webhook."""

import base64
import itertools
import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import func, select
from sqlalchemy.event import listen, remove

from marketplace.core.db import db, new_id
from marketplace.core.events import Event
from marketplace.notifications.delivery import deliver_due_notifications
from marketplace.notifications.models import Notification, Suppression
from marketplace.notifications.rules import Attempt, NotificationState, SendOutcome
from marketplace.notifications.service import Recipient, notify

HOOK = "/api/v1/hooks/sendgrid"
PRIVATE = ec.generate_private_key(ec.SECP256R1())


def public_key(private: ec.EllipticCurvePrivateKey = PRIVATE) -> str:
    der = private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return base64.b64encode(der).decode()


class Hook:
    """SendGrid's side: posts events, signed."""

    def __init__(self, client, clock) -> None:
        self.client = client
        self.clock = clock

    def post(self, body: Any, *, key=PRIVATE, age: int = 0, **headers: str):
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        signed_at = str(int(self.clock.now.timestamp()) - age)
        signature = key.sign(signed_at.encode() + raw, ec.ECDSA(hashes.SHA256()))
        sent = {
            "X-Twilio-Email-Event-Webhook-Signature": base64.b64encode(signature).decode(),
            "X-Twilio-Email-Event-Webhook-Timestamp": signed_at,
            "Content-Type": "application/json",
            **headers,
        }
        return self.client.post(HOOK, data=raw, headers=sent)


@pytest.fixture
def hook(client, clock, app) -> Hook:
    product = app.extensions["marketplace"]
    settings = replace(product.settings, sendgrid_webhook_public_key=public_key())
    app.extensions["marketplace"] = replace(product, settings=settings)
    return Hook(client, clock)


def sent_message(ctx, outcome=SendOutcome.SENT) -> Notification:
    class Channel:
        public_url = "https://quotes.example"

        def send(self, ctx, message) -> Attempt:
            return Attempt(outcome)

    with ctx.transaction() as tx:
        notify(tx, "data_erased", Recipient("jo@acme.example", "Jo"), new_id(), reference="R-1")
    deliver_due_notifications(ctx, Channel())
    return newest(ctx)


def newest(ctx) -> Notification:
    with ctx.reading() as session:
        return session.scalars(select(Notification).order_by(Notification.id.desc())).first()


def event(notification: Notification, what: str, /, **more: Any) -> dict[str, Any]:
    return {
        "email": "jo@acme.example",
        "timestamp": 1_795_424_400,
        "event": what,
        "sg_event_id": "invented",
        "notification_id": str(notification.id),
        **more,
    }


@pytest.mark.parametrize(
    ("what", "state", "error"),
    [
        ({"event": "delivered"}, "delivered", None),
        (
            {"event": "bounce", "type": "bounce", "status": "5.1.1", "reason": "jo@ is unknown"},
            "bounced",
            "bounce bounce 5.1.1",
        ),
        ({"event": "bounce", "type": "blocked"}, "bounced", "bounce blocked"),
        ({"event": "dropped", "reason": "Bounced Address"}, "dropped", "dropped"),
        ({"event": "processed"}, "sent", None),
        ({"event": "open"}, "sent", None),
        ({"event": "no such thing"}, "sent", None),
    ],
)
def test_a_signed_event_moves_its_message(ctx, hook, what, state, error):
    message = sent_message(ctx)
    answer = hook.post([event(message, "", **what)])
    assert (answer.status_code, answer.data) == (204, b"")
    moved = newest(ctx)
    assert (moved.state, moved.last_error) == (state, error)
    assert (moved.delivered_at is not None) == (state == "delivered")


def test_an_event_that_is_replayed_changes_nothing(ctx, hook):
    message = sent_message(ctx)
    for _ in range(3):
        assert hook.post([event(message, "delivered"), event(message, "processed")])
    with ctx.reading() as session:
        verbs = session.scalars(select(Event.verb).where(Event.verb.like("%delivered"))).all()
    assert verbs == ["notification.delivered"]
    assert newest(ctx).state is NotificationState.DELIVERED


def test_events_are_taken_in_the_order_of_their_times(ctx, hook):
    message = sent_message(ctx)
    late = event(message, "bounce", timestamp=1_795_424_500)
    assert hook.post([late, event(message, "delivered")]).status_code == 204
    assert newest(ctx).state is NotificationState.BOUNCED


@pytest.mark.parametrize(
    ("what", "state"), [("delivered", "delivered"), ("processed", "sent"), ("dropped", "dropped")]
)
def test_an_event_tells_that_a_send_whose_answer_was_lost_went_out(ctx, hook, clock, what, state):
    message = sent_message(ctx, SendOutcome.PASSING)
    assert message.state is NotificationState.QUEUED
    hook.post([event(message, what)])
    clock.advance(hours=1)
    assert newest(ctx).state == state

    class Channel:
        public_url = "https://quotes.example"

        def send(self, ctx, message) -> Attempt:
            raise AssertionError("sent again")

    assert deliver_due_notifications(ctx, Channel()) == 0
    assert newest(ctx).state == state


def test_what_is_not_about_a_message_of_ours_is_passed_over(ctx, hook):
    message = sent_message(ctx)
    strangers = [
        {"event": "delivered"},
        {"event": "delivered", "notification_id": str(new_id())},
        {"event": "delivered", "notification_id": "'; DROP TABLE notifications"},
        {"event": "delivered", "notification_id": None},
        {"event": ["delivered"], "notification_id": {}},
        "delivered", 7, None, [],
    ]  # fmt: skip
    assert hook.post([*strangers, event(message, "delivered", timestamp="soon")]).status_code == 204
    assert newest(ctx).state is NotificationState.DELIVERED


def test_a_thousand_events_arrive_at_once(ctx, hook):
    message = sent_message(ctx)
    padded = [event(message, "open", useragent="x" * 900) for _ in range(999)]
    body = json.dumps([*padded, event(message, "delivered")]).encode()
    assert len(body) > 1024 * 1024
    assert hook.post(body).status_code == 204
    assert newest(ctx).state is NotificationState.DELIVERED


@contextmanager
def statements() -> Iterator[list[str]]:
    """Yield what is sent to the database from here on."""
    sent: list[str] = []

    def note(*arguments: Any) -> None:
        sent.append(arguments[2])

    listen(db.engine, "before_cursor_execute", note)
    yield sent
    remove(db.engine, "before_cursor_execute", note)


def test_a_thousand_events_of_a_thousand_messages_are_taken_in_by_few_statements(ctx, hook):
    with ctx.transaction() as tx:
        for number in range(1000):
            person = Recipient(f"person{number}@acme.example", "Jo")
            notify(tx, "data_erased", person, new_id(), reference="R-1")
    with ctx.reading() as session:
        messages = session.scalars(select(Notification)).all()
    reports = [
        ("delivered", {}),
        ("bounce", {"type": "bounce"}),
        ("processed", {}),
        ("dropped", {}),
    ]
    events = [
        event(message, what, **more)
        for message, (what, more) in zip(messages, itertools.cycle(reports), strict=False)
    ]
    began = time.process_time()  # ours alone, however busy the machine is
    with statements() as sent:
        assert hook.post(events).status_code == 204
    assert time.process_time() - began < 1
    assert len(sent) <= 5
    with ctx.reading() as session:
        states = Counter(session.scalars(select(Notification.state)))
        stopped = session.scalar(select(func.count()).select_from(Suppression))
    assert states == dict.fromkeys(("delivered", "bounced", "sent", "dropped"), 250)
    assert stopped == 250
    with statements() as sent:
        assert hook.post(events).status_code == 204
    assert [each.split()[0] for each in sent] == ["SELECT", "INSERT"]


def test_a_body_beyond_ten_mebibytes_is_refused(hook):
    assert hook.post(b"[" + b" " * (10 * 1024 * 1024 - 2) + b"]").status_code == 204
    assert hook.post(b"[" + b" " * 10 * 1024 * 1024 + b"]").status_code == 413


def test_nothing_is_believed_without_a_good_signature_of_just_now(ctx, hook):
    message = sent_message(ctx)
    events = [event(message, "bounce")]
    signature, timestamp = (
        f"X-Twilio-Email-Event-Webhook-{part}" for part in ("Signature", "Timestamp")
    )
    someone = ec.generate_private_key(ec.SECP256R1())
    answers = [
        hook.post(events, key=someone),
        hook.post(events, age=601),
        hook.post(events, age=-601),
        hook.post(events, **{signature: ""}),
        hook.post(events, **{signature: "no base64!"}),
        hook.post(events, **{signature: base64.b64encode(b"short").decode()}),
        hook.post(events, **{timestamp: ""}),
        hook.post(events, **{timestamp: "now"}),
        hook.post(events, **{timestamp: "9" * 4000}),
        hook.post(events, **{timestamp: str(int(hook.clock.now.timestamp()) - 1)}),
        hook.post(b"\xff\xfe"),
        hook.client.post(HOOK, json=events),
    ]
    assert [answer.status_code for answer in answers] == [403] * len(answers)
    assert answers[0].content_type == "application/problem+json"
    assert newest(ctx).state is NotificationState.SENT
    assert hook.post(events, age=599).status_code == 204


def test_everything_is_refused_while_no_key_is_set(client, clock):
    assert Hook(client, clock).post([]).status_code == 403


@pytest.mark.parametrize("key", ["no key", "bm8ga2V5"])
def test_everything_is_refused_while_the_key_is_none(app, client, clock, key):
    product = app.extensions["marketplace"]
    settings = replace(product.settings, sendgrid_webhook_public_key=key)
    app.extensions["marketplace"] = replace(product, settings=settings)
    assert Hook(client, clock).post([]).status_code == 403


@pytest.mark.parametrize("body", [b"{", b"{}", b"null", b"[" * 100_000])
def test_a_signed_body_that_is_no_list_of_events_is_malformed(hook, body):
    assert hook.post(body).status_code == 400
