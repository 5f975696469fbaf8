"""One trace from the form to the mail, through gunicorn, Redis and a worker."""

import json
import re
import socket
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path

import pytest

from marketplace.core.tracing import root_of
from tests.factories import lead_form
from tests.spans import a_collector
from tests.workers.conftest import ROOT, stopped, wait_until

MARKED = lead_form(
    company={"name": "Zanzibar Kettles", "country": "AU", "website": "https://kettles.example"},
    contact={
        "name": "Quilla Marker",
        "email": "quilla@kettles.example",
        "phone": "+61 2 5550 0123",
        "role": "Quartermaster",
    },
    notes="We brew umbrellas in Wollongong.",
)
MARKS = (
    "Zanzibar", "kettles", "Quilla", "quilla", "5550", "Quartermaster", "umbrellas", "Wollongong",
    "127.0.0.1",
)  # fmt: skip


@pytest.fixture
def clock():
    return lambda: datetime.now(UTC)


class Site:
    """The web door, from outside."""

    def __init__(self, port):
        self.port = port

    def ask(self, method, path, body=None):
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        head = {"Host": "localhost", "Content-Type": "application/json"}
        connection.request(method, path, body and json.dumps(body), head)
        answer = connection.getresponse()
        read = answer.read()
        connection.close()
        assert answer.status < 400, read
        return answer.headers["X-Request-Id"], json.loads(read) if read else None

    def is_there(self):
        try:
            self.ask("GET", "/healthz")
        except OSError:
            return False
        return True

    def mails(self, address):
        return self.ask("GET", f"/mailbox/messages?to={address}")[1]["items"]


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def test_a_form_its_match_and_its_mails_are_found_by_the_ids_of_two_requests(
    redis, start, log, make, monkeypatch
):
    provider = make.provider()
    with a_collector() as collector:
        monkeypatch.setenv("MARKETPLACE_OTLP_ENDPOINT", collector.address)
        site = Site(free_port())
        gunicorn = str(Path(ROOT, "config/gunicorn.conf.py"))
        web = start("--config", gunicorn, "--bind", f"127.0.0.1:{site.port}", module="gunicorn")
        worker = start("worker")
        wait_until(site.is_there, "the web door answers")
        sent, _ = site.ask("POST", "/api/v1/leads", MARKED)
        wait_until(lambda: site.mails("quilla@kettles.example"), "the mail is there")
        (mail,) = site.mails("quilla@kettles.example")
        token = re.search(r"/requests/\w+/(\w+_[\w-]+)", mail["text"]).group(1)
        confirmed, _ = site.ask("POST", "/api/v1/leads/confirmations", {"token": token})
        wait_until(lambda: site.mails(provider.contact_email), "the provider is asked")
        assert (stopped(worker), stopped(web)) == (0, 0)

    def of(request_id):
        return [each for each in collector.spans if each.trace == request_id]

    first = {each.name: each for each in of(sent)}
    form, rung, mail = first["request"], first["job"], first["delivery"]
    assert (form.label, form.process) == ("request POST /api/v1/leads", "marketplace-web")
    assert form.id == f"{root_of(sent):016x}" == rung.parent
    assert rung.said == {"job": "deliver_notifications", "queue": "mail"}
    assert mail.parent == rung.id
    assert mail.process == "marketplace-worker"
    assert mail.said == {
        "channel": "email", "attempt": 1, "template": "confirm_request", "outcome": "sent",
    }  # fmt: skip

    by_name = {
        each.said.get("job") or each.said.get("template") or each.name: each
        for each in of(confirmed)
    }
    assert by_name["request"].said["http.route"] == "/api/v1/leads/confirmations"
    assert by_name["request"].links == [sent]
    job, match = by_name["match_leads"], by_name["match"]
    assert job.parent == by_name["request"].id == f"{root_of(confirmed):016x}"
    assert job.said["queue"] == "matching"
    assert match.parent == job.id
    assert match.said == {"held": 0, "places": 3, "eligible": 1, "invited": 1}
    assert by_name["invitation"].said["outcome"] == "sent"

    said = b"".join(collector.received)
    assert not [each for each in (*MARKS, token, token[-12:]) if each.encode() in said]
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    handed_on = [line for line in lines if line["event"] == "notification_handed_on"]
    assert {(each["template"], each["request_id"]) for each in handed_on} >= {
        ("confirm_request", sent), ("invitation", confirmed),
    }  # fmt: skip
