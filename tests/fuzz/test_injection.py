"""Strings that mean something elsewhere, into every field; then a look at all that comes out."""

import io
import json
import re
from typing import Any

from marshmallow import ValidationError
from sqlalchemy import select

from config.log_lines import FIELDS
from marketplace.bootstrap import channel_of
from marketplace.core.context import Context
from marketplace.core.db import Base
from marketplace.notifications.channels import Message
from marketplace.notifications.rules import Attempt
from marketplace.web.fields import Email, Password, Text
from tests.fuzz.hostile import MARK, PAYLOADS, REFUSED, Turns
from tests.fuzz.injecting import Injection, send_forms
from tests.fuzz.looks import look_at, look_at_letter, look_at_page
from tests.fuzz.reading import addresses, readers
from tests.fuzz.sizes import LONG, rounds
from tests.fuzz.test_parsers import schemas
from tests.jobs import do_jobs
from tests.mail_service import MailService
from tests.pdfs import a_pdf
from tests.services.test_sendgrid import sendgrid, service

__all__ = ["service"]


def text_fields() -> list[tuple[str, Text]]:
    """Return every field of free text by which something comes in."""
    found = []
    for schema in schemas():
        for name, each in schema().fields.items():
            for inner in (each, getattr(each, "inner", None)):
                # A password is taken as it is typed, and shown nowhere.
                if isinstance(inner, Text) and not isinstance(inner, Password):
                    found.append((f"{schema.__module__}.{schema.__name__}.{name}", inner))
    return found


UNSEEN = r"[\x00-\x09\x0b-\x1f\x7f\u2028\u202e\ud800\ufeff]"


def taken(each: Text, text: str) -> str | None:
    """Return what a field makes of a text, or None where it refuses it."""
    try:
        return each.deserialize(text)
    except ValidationError:
        return None


def test_no_text_on_one_line_takes_what_would_begin_another_or_is_not_seen(counted, app):
    found = text_fields()
    assert len(found) > 30
    with app.test_request_context():
        for name, each in found:
            for hostile in REFUSED:
                kept = taken(each, hostile)
                assert kept is None or each.lines, (name, hostile)
                assert not re.search(UNSEEN, kept or ""), (name, hostile)
                counted["texts at fields"] += 1
            if isinstance(each, Email):
                for hostile in (*PAYLOADS, *(f"{p}@{MARK}.example" for p in PAYLOADS)):
                    kept = taken(each, hostile)
                    assert not re.search(r"[<>\"\s]", kept or ""), (name, kept)
                    counted["texts at fields"] += 1


class BothWays:
    """Hands every mail to the development mailbox and to the mail service's own client."""

    def __init__(self, mailbox: Any, client: Any) -> None:
        self.mailbox, self.client, self.public_url = mailbox, client, mailbox.public_url

    def send(self, ctx: Context, message: Message) -> Attempt:
        self.mailbox.send(ctx, message)
        attempt: Attempt = self.client.send(ctx, message)
        return attempt


def test_whatever_was_put_in_comes_out_as_what_it_is(
    world, ctx, installation, service, written, counted
):
    injection = Injection(world, Turns(), counted)
    mail = BothWays(channel_of(installation.settings), sendgrid(service.url))
    seen: set[str] = set()
    for _ in rounds(1):
        injection.go()
        # What was sent may have ended the request: its quotes are looked at on paper as well.
        world.build()
        injection.quote_with_it()
        bring_a_file_called_so(injection)
        do_jobs(ctx, mail)
        seen |= look_everywhere(injection)
        do_jobs(ctx, mail)
    assert len(injection.operations) > 10, injection.operations
    assert len(injection.taken) > 10
    assert injection.turns.kinds == set(PAYLOADS)
    if LONG:
        injection.give_all_kinds()
        assert not [each for each, _ in injection.turns.without_all if "/api/" in each]
    counted["fields"] = len(injection.turns.given)
    counted["fields that had every kind"] = len(injection.turns.given) - len(
        injection.turns.without_all
    )
    assert seen >= {"text/html", "application/json", "text/csv", "application/pdf"}, seen
    look_at_mails(injection, service, counted)
    look_at_lines(written.getvalue(), counted)


def bring_a_file_called_so(injection: Injection) -> None:
    """Add a file to the quote; it is named by whoever sends it."""
    world = injection.world
    held = Base.metadata.tables["invitations"]
    mine = select(held.c.id).where(
        held.c.lead_id == world.lead.id, held.c.provider_id == world.own.id
    )
    for each in world.make.ask(lambda session: session.scalars(mine).all()):
        answer = injection.client.post(
            f"/api/v1/portal/invitations/{each}/attachments",
            data={"file": (io.BytesIO(a_pdf(mark="q")), f'{MARK}";\r\nX-Injected: {MARK}.pdf')},
            headers=world.headers["owner"],
        )
        assert answer.status_code == 201, answer.text
        injection.counted["files"] += 1


def look_everywhere(injection: Injection) -> set[str]:
    """Look at every answer that there is, then send what forms there are on the pages."""
    world, counted = injection.world, injection.counted
    seen = set()
    everybody = readers(world)
    pages: dict[str, dict[str, str]] = {role: {} for role in everybody}
    for role, client in everybody.items():
        for address in addresses(world, role):
            headers = world.headers[role] if address.startswith("/api/") else {}
            answer = client.get(address, headers=headers)
            body = answer.get_data()
            answer.close()  # of files, which the server streams
            assert answer.status_code < 500, (role, address, answer.text)
            if answer.status_code < 400:
                counted["answers looked at"] += 1
                counted["answers with it in them"] += MARK.encode() in body
                seen.add(look_at(address, answer))
            if answer.mimetype == "text/html":
                pages[role][address] = answer.text
    for role, client in everybody.items():
        send_forms(injection, client, role, pages[role])
    return seen


def look_at_mails(injection: Injection, service: MailService, counted: Any) -> None:
    """Look at every mail that has come of it: they say it, and do nothing else."""
    letters = injection.client.get("/mailbox/messages?limit=100").json["items"]
    for letter in letters:
        counted["mails looked at"] += 1
        assert not re.search(r"[\r\n\x00-\x1f]", letter["subject"]), letter["subject"]
        assert not re.search(r"[\r\n\x00-\x1f<>]", letter["to"]), letter["to"]
        look_at_page(letter["template"], letter["html"] or "")
    for post in service.posts:
        counted["posts to the mail service"] += 1
        counted["posts with it in them"] += MARK in str(post)
        look_at_letter(post)
    assert any(MARK in str(post) for post in service.posts)
    assert len(service.posts) >= len(letters)


def look_at_lines(written: str, counted: Any) -> None:
    """Look at every line of the log: one object each, of declared fields, and nobody's words."""
    assert MARK not in written
    for line in written.splitlines():
        counted["lines of the log"] += 1
        said = json.loads(line)
        assert isinstance(said, dict), line
        assert not [n for n in said if n not in FIELDS and not n.endswith("_id")], said
        assert said["level"] in ("info", "warning"), said
    assert counted["lines of the log"] > 100
