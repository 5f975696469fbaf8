"""SendGrid's own client against a server that speaks `POST /v3/mail/send`, well or badly."""

import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler

import pytest
from sqlalchemy import select

from marketplace.bootstrap import channel_of
from marketplace.core.db import new_id
from marketplace.core.links import Link, Purpose
from marketplace.notifications.channels import (
    SEND_TIMEOUT,
    MailboxChannel,
    Message,
    SendGridChannel,
)
from marketplace.notifications.delivery import deliver_due_notifications
from marketplace.notifications.models import Notification
from marketplace.notifications.rules import NotificationState, SendOutcome
from marketplace.notifications.service import LinkTo, Recipient, notify
from marketplace.notifications.wording import Words
from tests.conftest import settings_for
from tests.mail_service import MailService, answering, dropping, half_an_answer

KEY = "SG.invented-key"


@pytest.fixture
def service(monkeypatch) -> Iterator[MailService]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    service = MailService()
    yield service
    service.stop()


def sendgrid(base_url: str, timeout: float = 5.0) -> SendGridChannel:
    return SendGridChannel(
        api_key=KEY,
        base_url=base_url,
        sender="quotes@marketplace.example",
        public_url="https://quotes.example",
        timeout=timeout,
    )


def message(recipient: str = "jo@acme.example") -> Message:
    return Message(
        new_id(), recipient, "data_erased", Words("A subject", "A text", "<p>A text</p>")
    )


def test_a_message_is_posted_whole_with_its_id_and_without_tracking(ctx, service):
    sent = message()
    assert sendgrid(service.url).send(ctx, sent).outcome is SendOutcome.SENT
    assert service.paths == ["/v3/mail/send"]
    assert service.headers[0]["Authorization"] == f"Bearer {KEY}"
    (post,) = service.posts
    (person,) = post["personalizations"]
    assert person["to"] == [{"email": "jo@acme.example"}]
    arguments = {**post.get("custom_args", {}), **person.get("custom_args", {})}
    assert arguments == {"notification_id": str(sent.id)}
    assert post["from"] == {
        "email": "quotes@marketplace.example",
        "name": "ISO quotes marketplace",
    }
    assert post["subject"] == "A subject"
    assert post["content"] == [
        {"type": "text/plain", "value": "A text"},
        {"type": "text/html", "value": "<p>A text</p>"},
    ]
    assert post["tracking_settings"] == {
        "click_tracking": {"enable": False, "enable_text": False},
        "open_tracking": {"enable": False},
        "subscription_tracking": {"enable": False},
    }


def test_what_sells_something_says_to_mail_programs_how_it_is_stopped(ctx, service):
    """RFC 8058: by an empty form to an address of its own, without another question."""
    stop = "https://quotes.example/reminders/dates_x/stop"
    sendgrid(service.url).send(ctx, replace(message(), stop_url=stop))
    (post,) = service.posts
    headers = {**post.get("headers", {}), **post["personalizations"][0].get("headers", {})}
    assert headers == {
        "List-Unsubscribe": f"<{stop}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }


def test_service_mail_has_nothing_of_that_sort(ctx, service):
    sendgrid(service.url).send(ctx, message())
    assert "List-Unsubscribe" not in str(service.posts)


def test_a_reminder_goes_out_with_both_and_a_link_of_its_own_for_each(ctx, service, make):
    with ctx.transaction() as tx:
        link = LinkTo(Purpose.ASK_AGAIN, new_id(), tx.now + timedelta(days=30))
        notify(
            tx,
            "cycle_reminder",
            Recipient("jo@acme.example", "Jo Tran"),
            link.subject_id,
            link=link,
            standards=["ISO 9001"],
            dates=["The first surveillance audit is due by 20 November 2027"],
            agreed_on="2026-11-20",
        )
    deliver_due_notifications(ctx, sendgrid(service.url))
    (post,) = service.posts
    headers = {**post.get("headers", {}), **post["personalizations"][0].get("headers", {})}
    stop = headers["List-Unsubscribe"].strip("<>")
    assert stop.startswith("https://quotes.example/reminders/dates_")
    assert stop.endswith("/stop")
    (text, _html) = (each["value"] for each in post["content"])
    assert stop.removesuffix("/stop") in text.splitlines()
    links = make.ask(lambda session: session.scalars(select(Link)).all())
    assert {each.purpose for each in links} == {Purpose.ASK_AGAIN, Purpose.REMINDERS}
    assert {each.subject_id for each in links} == {link.subject_id}


def test_a_domain_beyond_ascii_is_written_as_mail_servers_take_it(ctx, service):
    sendgrid(service.url).send(ctx, message("jo@bücher.example"))
    (person,) = service.posts[0]["personalizations"]
    assert person["to"] == [{"email": "jo@xn--bcher-kva.example"}]


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (400, SendOutcome.MESSAGE_REFUSED),
        (413, SendOutcome.MESSAGE_REFUSED),
        (401, SendOutcome.WE_ARE_REFUSED),
        (403, SendOutcome.WE_ARE_REFUSED),
        (404, SendOutcome.WE_ARE_REFUSED),
        (429, SendOutcome.PASSING),
        (500, SendOutcome.PASSING),
        (502, SendOutcome.PASSING),
    ],
)
def test_a_refusal_is_told_by_its_status(ctx, service, status, outcome):
    service.behave = answering(status)
    attempt = sendgrid(service.url).send(ctx, message())
    assert (attempt.outcome, attempt.detail) == (outcome, f"the mail service answered {status}")


@pytest.mark.parametrize(
    ("asked", "seconds"), [("30", 30), ("999999999", 3600), ("soon", 0), ("-5", 0), ("", 0)]
)
def test_a_wish_to_wait_is_heard_within_reason(ctx, service, asked, seconds):
    service.behave = answering(429, Retry_After=asked)
    assert sendgrid(service.url).send(ctx, message()).not_before.total_seconds() == seconds


@pytest.mark.parametrize("behave", [dropping, half_an_answer])
def test_a_connection_that_breaks_off_will_pass(ctx, service, behave):
    service.behave = behave
    attempt = sendgrid(service.url).send(ctx, message())
    assert attempt.outcome is SendOutcome.PASSING
    assert attempt.detail.startswith("no answer: ")


def test_a_server_that_stalls_is_waited_for_so_long_and_no_longer(ctx, service):
    def stall(handler: BaseHTTPRequestHandler) -> None:
        service.done.wait(30)

    service.behave = stall
    attempt = sendgrid(service.url, timeout=0.2).send(ctx, message())
    assert attempt.outcome is SendOutcome.PASSING
    assert len(service.posts) == 1


def test_a_server_that_is_not_there_will_pass(ctx):
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    attempt = sendgrid(f"http://127.0.0.1:{port}").send(ctx, message())
    assert attempt.outcome is SendOutcome.PASSING


def test_the_lease_is_longer_than_the_wait_for_an_answer(ctx):
    assert SEND_TIMEOUT == 10.0
    assert ctx.policy.send_lease.total_seconds() > 2 * SEND_TIMEOUT


def test_neither_the_key_nor_the_message_is_logged_however_talkative_the_log(ctx, service, caplog):
    caplog.set_level("DEBUG")
    sendgrid(service.url).send(ctx, message())
    for secret in (KEY, "jo@acme.example", "A subject"):
        assert secret not in caplog.text


# From the outbox to the mail service


def say(ctx, address: str = "jo@acme.example") -> None:
    with ctx.transaction() as tx:
        notify(tx, "data_erased", Recipient(address, "Jo Tran"), new_id(), reference="R-1")


def only(ctx) -> Notification:
    with ctx.reading() as session:
        (notification,) = session.scalars(select(Notification))
    return notification


def test_the_outbox_reaches_the_mail_service(ctx, service):
    say(ctx)
    assert deliver_due_notifications(ctx, sendgrid(service.url)) == 1
    assert only(ctx).state is NotificationState.SENT
    assert "Your personal data of R-1 has been erased" in service.posts[0]["subject"]


def test_an_outage_delays_a_message_and_does_not_lose_it(ctx, service, clock):
    say(ctx)
    for behave in (answering(500), dropping, answering(429, Retry_After="60")):
        service.behave = behave
        assert deliver_due_notifications(ctx, sendgrid(service.url)) == 0
        assert only(ctx).state is NotificationState.QUEUED
        clock.advance(minutes=2)
    service.behave = answering(202)
    assert deliver_due_notifications(ctx, sendgrid(service.url)) == 1
    assert len(service.posts) == 4
    assert len({post["custom_args"]["notification_id"] for post in service.posts}) == 1


def test_a_wrong_key_stops_the_channel_until_it_is_right(ctx, service, clock):
    for number in range(3):
        say(ctx, f"person{number}@acme.example")
    service.behave = answering(401)
    for _ in range(5):
        deliver_due_notifications(ctx, sendgrid(service.url))
    assert len(service.posts) == 1
    clock.advance(minutes=5)
    service.behave = answering(202)
    assert deliver_due_notifications(ctx, sendgrid(service.url)) == 3


def test_the_settings_name_the_way_out(services, service, ctx):
    assert isinstance(channel_of(settings_for(services)), MailboxChannel)
    by_sendgrid = settings_for(
        services,
        MAIL_BACKEND="sendgrid",
        MAIL_FROM="quotes@marketplace.example",
        SENDGRID_API_KEY=KEY,
        SENDGRID_BASE_URL=service.url,
    )
    channel = channel_of(by_sendgrid)
    assert channel.public_url == "http://localhost"
    assert channel.send(ctx, message()).outcome is SendOutcome.SENT
