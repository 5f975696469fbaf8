"""The development mailbox, as the contract and a browser see it."""

import html
import re
from dataclasses import replace
from datetime import timedelta

import pytest

from marketplace.bootstrap import build
from marketplace.core.db import new_id
from marketplace.core.links import Purpose
from marketplace.notifications.channels import MailboxChannel
from marketplace.notifications.delivery import deliver_due_notifications
from marketplace.notifications.samples import SAMPLES
from marketplace.notifications.service import LinkTo, Recipient, notify
from marketplace.web.app import create_app
from tests.conftest import settings_for


@pytest.fixture
def arrived(ctx, clock, installation):
    """Deliver a message about `reference` to `address`."""

    def deliver(reference: str, address: str = "jo@acme.example") -> None:
        with ctx.transaction() as tx:
            link = LinkTo(Purpose.REQUEST, new_id(), tx.now + timedelta(days=1))
            person = Recipient(address, "Jo <b>Tran</b>")
            notify(tx, "request_closed", person, new_id(), link=link, reference=reference)
        channel = MailboxChannel(
            secrets=installation.settings.secret_key,
            public_url=installation.settings.public_url,
        )
        assert deliver_due_notifications(ctx, channel) == 1
        clock.advance(seconds=1)

    return deliver


def test_messages_are_given_as_the_contract_says_the_newest_first(client, arrived):
    arrived("R-1")
    arrived("R-2", "kim@harbour.example")
    answer = client.get("/mailbox/messages")
    assert answer.status_code == 200
    assert answer.json.keys() == {"items"}
    newest, oldest = answer.json["items"]
    assert newest.keys() == {"id", "to", "subject", "text", "html", "template", "sent_at"}
    assert newest["subject"] == "Your request R-2 is closed"
    assert (newest["to"], newest["template"]) == ("kim@harbour.example", "request_closed")
    assert newest["sent_at"] == "2026-11-23T09:00:01Z"
    assert oldest["sent_at"] == "2026-11-23T09:00:00Z"
    assert "http://localhost/requests/open/request_" in oldest["text"]


@pytest.mark.parametrize("to", ["kim@harbour.example", " Kim@Harbour.example "])
def test_messages_to_one_address_can_be_asked_for(client, arrived, to):
    arrived("R-1")
    arrived("R-2", "kim@harbour.example")
    (item,) = client.get("/mailbox/messages", query_string={"to": to}).json["items"]
    assert item["to"] == "kim@harbour.example"
    assert client.get("/mailbox/messages?to=nobody@acme.example").json == {"items": []}


def test_the_page_shows_a_message_whose_links_open_outside_its_frame(client, arrived):
    arrived("R-1")
    arrived("R-2")
    page = client.get("/mailbox").text
    assert "Your request R-1 is closed" in page
    assert "<h2>Your request R-2 is closed</h2>" in page
    frame = re.search(r'<iframe [^>]*sandbox="([^"]*)" srcdoc="([^"]*)"', page)
    assert frame is not None
    assert "allow-popups" in frame[1]
    assert "allow-scripts" not in frame[1]
    assert "allow-same-origin" not in frame[1]
    inside = html.unescape(frame[2])
    assert '<base target="_blank">' in inside
    assert 'href="http://localhost/requests/open/request_' in inside
    assert re.search(r'<pre>.*<a href="http://localhost/requests/open/request_', page, re.DOTALL)


def test_one_message_can_be_shown_by_itself(client, arrived):
    arrived("R-1")
    arrived("R-2")
    oldest = client.get("/mailbox/messages").json["items"][1]
    page = client.get(f"/mailbox/{oldest['id']}").text
    assert "<h2>Your request R-1 is closed</h2>" in page
    assert client.get(f"/mailbox/{new_id()}").status_code == 404


def test_the_gallery_shows_every_message_and_case_as_html_and_as_text(client):
    index = client.get("/mailbox/gallery").text
    for number, sample in enumerate(SAMPLES, 1):
        assert f'href="/mailbox/gallery/{number}"' in index
        answer = client.get(f"/mailbox/gallery/{number}")
        assert f"<dd>{sample.template}</dd>" in answer.text
        assert f"<dd>{sample.case}</dd>" in answer.text or not sample.case
        frame = re.search(r'<iframe [^>]*sandbox="" srcdoc="([^"]*)"', answer.text)
        assert "<!doctype html>" in html.unescape(frame[1])
        assert re.search(r"<pre>Hello.*", answer.text)
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    for number in (0, len(SAMPLES) + 1):
        assert client.get(f"/mailbox/gallery/{number}").status_code == 404


def test_an_empty_mailbox_says_so(client):
    assert "Nothing has arrived" in client.get("/mailbox").text
    assert "Nothing has arrived for" in client.get("/mailbox?to=<b>jo").text
    assert "<b>jo" not in client.get("/mailbox?to=<b>jo").text


def test_links_that_work_are_kept_out_of_caches_and_referrers(client, arrived):
    arrived("R-1")
    for path in ("/mailbox", "/mailbox/messages"):
        headers = client.get(path).headers
        assert headers["Cache-Control"] == "no-store"
        assert headers["Referrer-Policy"] == "no-referrer"


def test_messages_from_before_the_secret_changed_stop_nobody(client, arrived, app, ctx, services):
    arrived("R-1")
    other = settings_for(services, SECRET_KEY="another secret of the tests, as long")
    product = app.extensions["marketplace"]
    app.extensions["marketplace"] = replace(product, settings=other)
    (item,) = client.get("/mailbox/messages").json["items"]
    assert item["subject"] == "(sealed under another secret)"
    assert client.get("/mailbox").status_code == 200


def test_where_mail_is_really_sent_there_is_no_mailbox(services):
    settings = settings_for(
        services,
        MAIL_BACKEND="sendgrid",
        MAIL_FROM="quotes@marketplace.example",
        SENDGRID_API_KEY="SG.invented-key",
    )
    app = create_app(build(settings))
    assert [rule for rule in app.url_map.iter_rules() if "mailbox" in str(rule)] == []
    for path in ("/mailbox/messages", "/mailbox/gallery", "/mailbox/gallery/1"):
        assert app.test_client().get(path).status_code == 404
