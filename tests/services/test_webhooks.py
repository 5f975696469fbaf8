"""A provider's own software, told by signed calls that go by the outbox like mail."""

import base64
import hashlib
import hmac
import json
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event as Signal
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import select

from marketplace.bootstrap import webhook_channel_of
from marketplace.core.db import new_id
from marketplace.core.errors import Conflict, Invalid, NotFound
from marketplace.core.events import Event
from marketplace.core.forms import Form
from marketplace.core.jobs import Job
from marketplace.core.sealing import Seal
from marketplace.invitations.endings import end_due_invitations, remind_holders
from marketplace.invitations.extension import extend_windows
from marketplace.invitations.letters import CALLED
from marketplace.invitations.questions import answer_question, ask_question
from marketplace.notifications.delivery import deliver_due_notifications
from marketplace.notifications.models import Notification
from marketplace.notifications.rules import Attempt, NotificationState, SendOutcome, Way
from marketplace.notifications.service import Recipient, notify
from marketplace.providers import outward
from marketplace.providers.outward import LeadsInside, is_outside, problem_with
from marketplace.providers.webhooks import (
    Webhook,
    delete_webhook,
    put_webhook,
    try_webhook,
    webhook_of,
)
from tests.conftest import settings_for
from tests.factories import business_of, person_of
from tests.services.test_sendgrid import answering, dropping

SEAL = Seal("a secret of the tests and of nobody else", "webhook")


@dataclass
class Call:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def said(self) -> dict[str, Any]:
        said: dict[str, Any] = json.loads(self.body)
        return said


@dataclass
class Endpoint:
    """A provider's server."""

    behave: Callable[[BaseHTTPRequestHandler], None] = field(default_factory=lambda: answering(204))
    calls: list[Call] = field(default_factory=list)
    done: Signal = field(default_factory=Signal)
    url: str = ""


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    endpoint = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            endpoint.calls.append(Call(self.path, headers, body))
            endpoint.behave(self)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    endpoint.url = f"http://127.0.0.1:{server.server_port}/quotes?from=marketplace"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield endpoint
    endpoint.done.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def call(ctx, services) -> Callable[[], int]:
    channel = webhook_channel_of(settings_for(services))
    return lambda: deliver_due_notifications(ctx, channel, Way.WEBHOOK)


def hook_up(ctx, provider, url: str, *, enabled: bool = True) -> str | None:
    form = Form({"url": url, "enabled": enabled})
    return put_webhook(ctx, person_of(provider.id), form, seal=SEAL, loopback=True).secret


def outbox(ctx, way: Way = Way.WEBHOOK) -> list[Notification]:
    with ctx.reading() as session:
        rows = select(Notification).where(Notification.channel == way)
        return list(session.scalars(rows.order_by(Notification.id)))


@pytest.fixture
def tried(ctx, make, endpoint):
    """A provider with a webhook, and a trial in the outbox."""
    provider = make.provider()
    hook_up(ctx, provider, endpoint.url)
    try_webhook(ctx, person_of(provider.id))
    return provider


def test_an_invitation_is_told_by_a_signed_call_that_names_nobody(ctx, make, endpoint, call, queue):
    provider = make.provider()
    secret = hook_up(ctx, provider, endpoint.url)
    queue.jobs.clear()
    lead = make.matched_lead()
    assert (Job.DELIVER_WEBHOOKS, None) in queue.jobs
    assert call() == 1
    assert call() == 0
    (told,) = endpoint.calls
    (row,) = outbox(ctx)
    assert told.path == "/quotes?from=marketplace"
    assert told.said == {
        "type": "invitation.sent",
        "timestamp": "2026-11-23T09:00:00Z",
        "data": {
            "invitation_id": str(row.subject_id),
            "reference": lead.reference,
            "state": "sent",
            "respond_by": "2026-11-24T09:00:00Z",
        },
    }
    assert told.headers["webhook-id"] == str(row.id)
    at = told.headers["webhook-timestamp"]
    assert int(at) == int(ctx.clock().timestamp())
    assert secret.startswith("whsec_")
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = b".".join([str(row.id).encode(), at.encode(), told.body])
    wanted = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert told.headers["webhook-signature"] == f"v1,{wanted}"
    for word in (lead.company_name, lead.contact_email, lead.contact_name, secret):
        assert word not in str(endpoint.calls)


def test_where_mails_stay_in_the_mailbox_nothing_is_called_elsewhere(ctx, make, call, monkeypatch):
    """A rehearsal on the data of a real installation has its webhooks, too."""
    provider = make.provider()
    hook_up(ctx, provider, "https://hooks.acme.example/")
    try_webhook(ctx, person_of(provider.id))
    monkeypatch.setattr(outward, "post", lambda *_, **__: pytest.fail("it was called"))
    assert call() == 0
    (row,) = outbox(ctx)
    assert (row.state, row.last_error) == (
        NotificationState.SUPPRESSED,
        "nothing leaves this installation",
    )


def test_a_provider_is_told_by_mail_as_well_and_only_of_its_own(ctx, make, endpoint, call):
    hooked, other = make.provider(), make.provider()
    hook_up(ctx, hooked, endpoint.url)
    make.matched_lead()
    assert call() == 1
    letters = [each.recipient for each in outbox(ctx, Way.EMAIL) if each.template == "invitation"]
    assert sorted(letters) == sorted([hooked.contact_email, other.contact_email])


def test_what_is_called_is_one_of_the_kinds_that_are_promised():
    kinds = {f"invitation.{each}" for each in (
        "sent", "reminder", "extended", "released", "expired", "withdrawn", "won", "lost",
    )}  # fmt: skip
    assert set(CALLED.values()) == kinds | {"question.answered"}


def test_nothing_is_written_for_a_webhook_that_is_off_or_for_what_it_does_not_hear(ctx, make):
    off = make.provider()
    hook_up(ctx, off, "https://hooks.acme.example/", enabled=False)
    make.matched_lead()
    assert outbox(ctx) == []


def test_every_turn_of_an_invitation_has_a_call(ctx, make, clock):
    provider = make.provider()
    hook_up(ctx, provider, "https://hooks.acme.example/")
    lead = make.matched_lead()
    invitation_id = outbox(ctx)[0].subject_id
    person = person_of(provider.id)
    question = ask_question(ctx, person, invitation_id, text="How many shifts?")
    clock.advance(hours=5)
    extend_windows(ctx)
    answer_question(ctx, business_of(lead), question.id, text="Two.")
    clock.advance(hours=8, minutes=1)
    remind_holders(ctx)
    clock.advance(hours=12)
    end_due_invitations(ctx)
    told = [(each.template, each.values["state"]) for each in outbox(ctx)]
    assert told == [
        ("invitation.sent", "sent"),
        ("invitation.extended", "opened"),
        ("question.answered", "opened"),
        ("invitation.reminder", "opened"),
        ("invitation.expired", "expired"),
    ]
    for call in outbox(ctx):
        assert set(call.values) == {"invitation_id", "reference", "state", "respond_by"}


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (200, "sent"),
        (202, "sent"),
        (301, "queued"),
        (302, "queued"),
        (400, "failed"),
        (401, "queued"),
        (403, "queued"),
        (404, "queued"),
        (410, "suppressed"),
        (413, "failed"),
        (422, "failed"),
        (429, "queued"),
        (500, "queued"),
        (503, "queued"),
    ],
)
def test_what_comes_of_a_call_is_told_by_its_status_and_never_holds_up_mail(
    ctx, tried, endpoint, call, status, state
):
    endpoint.behave = answering(status, Location="https://elsewhere.example/")
    call()
    (row,) = outbox(ctx)
    assert row.state == state
    assert row.last_error == (None if state == "sent" else f"it answered {status}")
    assert len(endpoint.calls) == 1

    class Mail:
        public_url = "https://quotes.example"

        def send(self, ctx, message) -> Attempt:
            return Attempt(SendOutcome.SENT)

    with ctx.transaction() as tx:
        notify(tx, "data_erased", Recipient("jo@acme.example", "Jo"), new_id(), reference="R-1")
    assert deliver_due_notifications(ctx, Mail()) >= 1


def test_a_call_that_passes_is_tried_again_the_same_and_signed_anew(
    ctx, tried, endpoint, call, clock
):
    endpoint.behave = answering(503)
    assert call() == 0
    endpoint.behave = answering(200)
    clock.advance(minutes=1)
    assert call() == 1
    first, second = endpoint.calls
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert int(second.headers["webhook-timestamp"]) - int(first.headers["webhook-timestamp"]) == 60
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]


def test_what_is_queued_for_a_server_that_fails_waits_with_it_and_holds_up_no_other(
    ctx, make, tried, endpoint, call, clock
):
    for _ in range(3):
        try_webhook(ctx, person_of(tried.id))
        clock.advance(seconds=1)
    endpoint.behave = answering(503)
    call()
    assert len(endpoint.calls) == 1
    times = {each.next_attempt_at for each in outbox(ctx)}
    assert len(times) == 1
    assert [each.attempts for each in outbox(ctx)] == [1, 0, 0]
    endpoint.behave = answering(200)
    clock.now = times.pop()
    assert call() == 3


def test_an_endpoint_that_is_gone_is_switched_off_and_its_provider_told_once(
    ctx, tried, endpoint, call, clock
):
    endpoint.behave = answering(410)
    call()
    with ctx.reading() as session:
        webhook = webhook_of(session, tried.id)
        verbs = session.scalars(
            select(Event.verb).where(Event.subject_id == webhook.id).order_by(Event.id)
        ).all()
    assert (webhook.enabled, webhook.switched_off_because) == (False, "it answered 410")
    assert verbs[-1] == "webhook.switched_off"
    (letter,) = outbox(ctx, Way.EMAIL)
    assert (letter.template, letter.recipient) == ("webhook_switched_off", tried.contact_email)
    with pytest.raises(Conflict):
        try_webhook(ctx, person_of(tried.id))
    clock.advance(minutes=1)
    hook_up(ctx, tried, endpoint.url)
    try_webhook(ctx, person_of(tried.id))
    endpoint.behave = answering(200)
    assert call() == 1


@pytest.mark.parametrize("gone", ["deleted", "off"])
def test_what_was_queued_for_a_webhook_that_is_gone_is_not_sent(ctx, tried, endpoint, call, gone):
    if gone == "deleted":
        delete_webhook(ctx, person_of(tried.id))
    else:
        hook_up(ctx, tried, endpoint.url, enabled=False)
    assert call() == 0
    assert endpoint.calls == []
    assert [each.state for each in outbox(ctx)] == ["suppressed"]


def test_a_server_that_breaks_off_or_is_not_there_will_pass(ctx, tried, endpoint, call):
    endpoint.behave = dropping
    call()
    assert outbox(ctx)[0].state is NotificationState.QUEUED
    assert outbox(ctx)[0].last_error.startswith("no answer: ")


def test_a_server_that_dawdles_byte_by_byte_is_cut_off(endpoint):
    def dawdle(handler: BaseHTTPRequestHandler) -> None:
        for byte in b"HTTP/1.1 200 OK\r\n" * 100:
            if endpoint.done.wait(0.05):
                return
            try:
                handler.wfile.write(bytes([byte]))
            except OSError:
                return

    endpoint.behave = dawdle
    began = time.monotonic()
    with pytest.raises((OSError, HTTPException)):
        outward.post(endpoint.url, b"{}", {}, loopback=True, timeout=0.5)
    assert time.monotonic() - began < 3


# Where a call may lead


@pytest.mark.parametrize(
    ("address", "outside"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("240.0.0.1", False),
        ("255.255.255.255", False),
        ("::", False),
        ("::1", False),
        ("fe80::1", False),
        ("fe80::1%eth0", False),
        ("fc00::1", False),
        ("fec0::1", False),
        ("ff02::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::a00:1", False),
        ("2002:7f00:1::", False),
        ("2001:db8::1", False),
        ("hooks.acme.example", False),
    ],
)
def test_only_the_public_internet_is_outside(address, outside):
    assert is_outside(address) is outside


@pytest.mark.parametrize(
    ("url", "is_fine", "is_fine_in_development"),
    [
        ("https://hooks.acme.example/quotes?x=1", True, True),
        ("https://hooks.acme.example:8443", True, True),
        ("https://93.184.216.34/", True, True),
        ("http://hooks.acme.example/", False, False),
        ("http://localhost:9000/", False, True),
        ("https://localhost/", False, True),
        ("http://127.0.0.1:9000/", False, True),
        ("http://[::1]:9000/", False, True),
        ("https://127.0.0.1/", False, True),
        ("https://10.0.0.1/", False, False),
        ("http://10.0.0.1/", False, False),
        ("https://[::ffff:10.0.0.1]/", False, False),
        ("https://169.254.169.254/latest", False, False),
        ("ftp://hooks.acme.example/", False, False),
        ("https://", False, False),
        ("https://me:secret@hooks.acme.example/", False, False),
        ("https://hooks.acme.example/#a", False, False),
        ("https://hooks.acme.example/ a", False, False),
        ("https://hooks.acme.example:0/", False, False),
        ("https://hooks.acme.example:99999/", False, False),
        ("https://b\u00fccher.example/", False, False),
        ("https://[::1/", False, False),
        ("hooks.acme.example", False, False),
        ("https://-.example/", False, False),
    ],
)
def test_an_address_has_to_be_one_of_the_public_web(url, is_fine, is_fine_in_development):
    assert (problem_with(url, loopback=False) is None) is is_fine
    assert (problem_with(url, loopback=True) is None) is is_fine_in_development


@pytest.mark.parametrize(
    "found", [["10.0.0.1"], ["93.184.216.34", "127.0.0.1"], ["::ffff:169.254.169.254"]]
)
def test_a_name_that_leads_inside_is_not_connected_to(monkeypatch, found):
    def resolve(host, port, **_):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in found]

    def refuse(*_):
        raise AssertionError("connected")

    monkeypatch.setattr(outward.socket, "getaddrinfo", resolve)
    monkeypatch.setattr(outward.socket.socket, "connect", refuse)
    with pytest.raises(LeadsInside):
        outward.post("https://hooks.acme.example/", b"{}", {})


def test_the_connection_is_made_to_the_address_that_was_checked(monkeypatch):
    asked, reached = [], []

    def resolve(host, port, **_):
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.216.34", port))]

    def reach(_, address):
        reached.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(outward.socket, "getaddrinfo", resolve)
    monkeypatch.setattr(outward.socket.socket, "connect", reach)
    with pytest.raises(ConnectionRefusedError):
        outward.post("https://hooks.acme.example/", b"{}", {})
    assert (asked, reached) == (["hooks.acme.example"], [("93.184.216.34", 443)])


def test_in_production_this_machine_is_not_called(ctx, make, endpoint, services, tried):
    production = settings_for(
        services, MAIL_BACKEND="sendgrid", MAIL_FROM="q@m.example", SENDGRID_API_KEY="x"
    )
    deliver_due_notifications(ctx, webhook_channel_of(production), Way.WEBHOOK)
    (row,) = outbox(ctx)
    assert (row.state, endpoint.calls) == (NotificationState.FAILED, [])
    assert row.last_error == "its address is not on the public internet"


# Keeping it


def test_the_secret_is_told_once_and_stored_sealed(ctx, make):
    provider = make.provider()
    secret = hook_up(ctx, provider, "https://hooks.acme.example/")
    assert hook_up(ctx, provider, "https://hooks.acme.example/other") is None
    with ctx.reading() as session:
        webhook = session.scalars(select(Webhook)).one()
    assert secret.encode() not in webhook.sealed_secret
    assert SEAL.open(webhook.sealed_secret).decode() == secret
    assert webhook.url.endswith("/other")


def test_an_address_inside_is_refused(ctx, make):
    with pytest.raises(Invalid, match="/url"):
        hook_up(ctx, make.provider(), "https://10.0.0.1/")


def test_who_has_no_webhook_has_nothing_to_try_or_delete(ctx, make):
    person = person_of(make.provider().id)
    for deed in (try_webhook, delete_webhook):
        with pytest.raises(NotFound):
            deed(ctx, person)
