"""Bodies, queries and headers that are too much or make no sense, at every operation and page."""

import gzip
import io
import itertools
import json
import random
import re
import zlib
from typing import Any

import pytest

from marketplace.web import openapi
from marketplace.web.requests import MAX_BODY
from tests.conftest import Client
from tests.fuzz.hostile import mutated
from tests.fuzz.sizes import LONG, draw, is_over, rounds
from tests.fuzz.world import World, role_of

DEEP = 40_000


def bodies() -> list[tuple[str, bytes, dict[str, str]]]:
    """Return what is sent as JSON, by what is wrong with it."""
    whole = json.dumps({"email": "jo@acme.example", "name": "Jö", "text": "x"})
    bomb = b"[" + b" " * 10_000_000 + b"]"
    return [
        ("UTF-16", whole.encode("utf-16"), {}),
        ("UTF-16 named", whole.encode("utf-16"),
         {"Content-Type": "application/json; charset=utf-16"}),
        ("UTF-32", whole.encode("utf-32"), {}),
        ("Latin-1", json.dumps("é", ensure_ascii=False).encode("latin-1"), {}),
        ("a charset that is none", b"{}", {"Content-Type": "application/json; charset=nonsense"}),
        ("gzip", gzip.compress(bomb), {"Content-Encoding": "gzip"}),
        ("deflate", zlib.compress(bomb), {"Content-Encoding": "deflate"}),
        ("gzip in gzip", gzip.compress(gzip.compress(bomb)), {"Content-Encoding": "gzip, gzip"}),
        ("brotli by name", b"\x0b\x02\x80{}\x03", {"Content-Encoding": "br"}),
        ("deep lists", b"[" * DEEP + b"]" * DEEP, {}),
        ("deep objects", b'{"a":' * DEEP + b"1" + b"}" * DEEP, {}),
        ("unfinished depth", b'{"a":[' * DEEP, {}),
        ("a name twice", b'{"name": "a", "name": "b"}', {}),
        ("a name twice below", b'{"company": {"name": "a", "name": "b"}}', {}),
        ("a large number", b'{"name": ' + b"9" * 20_000 + b"}", {}),
        ("a large exponent", b'{"name": 1e999999, "limit": -1e999999}', {}),
        ("not a number", b'{"name": NaN}', {}),
        ("many names", json.dumps({f"n{n}": n for n in range(20_000)}).encode(), {}),
        ("many entries", json.dumps([0] * 60_000).encode(), {}),
        ("a long name", json.dumps({"n" * 200_000: 1}).encode(), {}),
        ("too large", b" " * (MAX_BODY + 1), {}),
        ("NUL", b"\x00" * 100, {}),
        ("half a letter", b'{"name": "\xf0\x9f"}', {}),
        ("half a surrogate", b'{"name": "\\ud800"}', {}),
        ("a proto", b'{"__proto__": {"is_admin": true}, "constructor": {}}', {}),
        ("form", b"name=a&name=b", {"Content-Type": "application/x-www-form-urlencoded"}),
        ("XML", b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
         {"Content-Type": "application/xml"}),
        ("no type", b"{}", {"Content-Type": ""}),
        ("several types", b"{}", {"Content-Type": "application/json, text/plain"}),
    ]  # fmt: skip


def parts(count: int, *, size: int = 1, header: str = "") -> bytes:
    """Return a form of so many parts."""
    one = 'Content-Disposition: form-data; name="p%d"' + (f"; {header}" if header else "")
    return (
        b"".join(
            b"--line\r\n" + (one % n).encode() + b"\r\n\r\n" + b"x" * size + b"\r\n"
            for n in range(count)
        )
        + b"--line--\r\n"
    )


MULTIPART = {"Content-Type": "multipart/form-data; boundary=line"}

FORMS = [
    ("thousands of parts", parts(1_500), MULTIPART),
    ("thousands of files", parts(1_100, header='filename="a.pdf"'), MULTIPART),
    ("a large header", parts(1, header='filename="' + "a" * 300_000 + '"'), MULTIPART),
    ("a large field", parts(1, size=400_000), MULTIPART),
    ("no end", parts(3)[:-10], MULTIPART),
    ("no boundary", parts(1), {"Content-Type": "multipart/form-data"}),
    ("an empty boundary", parts(1), {"Content-Type": 'multipart/form-data; boundary=""'}),
    ("a long boundary", parts(1), {"Content-Type": "multipart/form-data; boundary=" + "a" * 5_000}),
    ("parts without names", b"--line\r\n\r\nx\r\n--line--\r\n", MULTIPART),
    ("headers that are none", b"--line\r\n\x00:\xff\r\n\r\nx\r\n--line--\r\n", MULTIPART),
    ("thousands of fields", b"&".join(b"f%d=1" % n for n in range(1_001)),
     {"Content-Type": "application/x-www-form-urlencoded"}),
    ("rows by the million", b"phases.999999999999.name=a&phases.00000000001.name=b&phases..name=c",
     {"Content-Type": "application/x-www-form-urlencoded"}),
    ("bad percents", b"name=%zz%00%ff%fe&csrf_token=%00",
     {"Content-Type": "application/x-www-form-urlencoded"}),
    ("JSON", b"{}", {"Content-Type": "application/json"}),
]  # fmt: skip


@pytest.fixture
def open_forms(app):
    app.config["WTF_CSRF_ENABLED"] = False
    yield
    app.config["WTF_CSRF_ENABLED"] = True


def test_no_body_of_any_sort_is_a_fault_of_any_operation(app, world, counted):
    client = Client(app, app.response_class)
    chance = draw("bodies")
    spec = client.get("/api/openapi.json").json
    every = bodies()
    turn = itertools.cycle(every)
    doubted: set[str] = set()
    for number in rounds(1):
        for path, method, operation in openapi.operations(spec):
            if "requestBody" not in operation and method == "get":
                continue
            if number and is_over():
                break
            role = role_of(operation, path)
            if role in doubted and not world.is_whole(role):
                world.renew(role)
            doubted.discard(role)
            where = somewhere(world, path, role, chance)
            takes_one = "requestBody" in operation
            for what, raw, headers in every if LONG or path.endswith("/leads") else [next(turn)]:
                # After the first round each is sent with some bytes changed.
                raw = mutated(raw[:5000], chance) if number else raw
                sent = {"Content-Type": "application/json", **headers, **world.headers[role]}
                answer = client.open(where, method=method.upper(), data=raw, headers=sent)
                counted["bodies"] += 1
                assert answer.status_code < 500, (method, path, what, raw[:99], answer.text)
                is_refused = answer.status_code >= 400
                if answer.status_code < 300 or answer.status_code == 401:
                    doubted.add(role)
                is_problem = answer.content_type == "application/problem+json"
                assert is_problem == is_refused, (method, path, what)
                # An empty object is fine where nothing is required, whatever charset it names; and
                # nothing at all where nothing is read.
                is_fine = raw.strip() == b"{}" or number or not (takes_one or raw)
                assert is_refused or is_fine, (method, path, what, answer.status_code)


def somewhere(world: World, path: str, role: str, chance: random.Random) -> str:
    """Return the path of an operation with ids of things there are."""

    def id_for(found: re.Match[str]) -> str:
        return f"{found[1]}/{world.somebodys_id(found[2], found[1], role, chance)}"

    return re.sub(r"([^/]+)/\{(\w+)\}", id_for, path)


def test_no_form_of_any_sort_is_a_fault_of_any_page_or_upload(app, world, open_forms, counted):
    client = Client(app, app.response_class)
    chance = draw("forms")
    turn = itertools.cycle(FORMS)
    signed_in = {
        "/portal": ("sign_in", world.headers["owner"]),
        "/admin": ("sign_in", world.headers["admin"]),
        "/requests": ("request", world.headers["business"]),
    }
    for rule in app.url_map.iter_rules():
        is_upload = "attachments" in rule.rule or "accreditations" in rule.rule
        if "POST" not in rule.methods or (rule.rule.startswith("/api/") and not is_upload):
            continue
        where = rule.rule
        role = "admin" if "/admin" in where else "business" if "/requests" in where else "owner"
        for name in rule.arguments:
            segment = where.partition(f":{name}>")[0].rpartition("/")[0].rpartition("/")[2]
            found = (
                world.somebodys_id(name, segment, role, chance)
                if name.endswith("_id")
                else "confirm_" + "a" * 32
            )
            where = "".join((where.partition("<")[0], found, where.partition(">")[2]))
        asks = Client(app, app.response_class)
        for start, (key, header) in signed_in.items():
            if where.startswith(start):
                with asks.session_transaction() as cookie:
                    cookie[key] = header["Authorization"].removeprefix("Bearer ")
        for what, raw, headers in FORMS if LONG else [next(turn)]:
            sent = {**headers, **(world.headers["owner"] if where.startswith("/api/") else {})}
            answer = asks.post(where, data=raw, headers=sent)
            counted["forms"] += 1
            assert answer.status_code < 500, (where, what, answer.text)
            assert not (what == "thousands of fields" and answer.status_code == 422), where
    assert client.get("/healthz").status_code == 200


def test_no_query_is_a_fault_and_a_parameter_given_twice_is_refused(app, world, counted):
    client = Client(app, app.response_class)
    spec = client.get("/api/openapi.json").json
    for path, method, operation in openapi.operations(spec):
        names = [p["name"] for p in operation.get("parameters", []) if p["in"] == "query"]
        if method != "get" or not names or "{" in path:
            continue
        role = role_of(operation, path)

        def ask(query: str, path: str = path, role: str = role) -> Any:
            counted["queries"] += 1
            return client.get(f"{path}?{query}", headers=world.headers[role])

        for name in names:
            twice = ask(f"{name}=1&{name}=2")
            assert twice.status_code == 422, (path, name, twice.text)
            assert [each["pointer"] for each in twice.json["errors"]] == [f"/{name}"]
        hostile = [
            "&".join(f"{name}[]=1" for name in names), "&".join(f"x{n}=1" for n in range(3_000)),
            f"{names[0]}=" + "9" * 20_000, f"{names[0]}=%00", f"{names[0]}=%ff%fe", "&" * 5_000,
            f"{names[0]}", f"{names[0]}==", "=", "%", f"{names[0]};{names[0]}=1",
        ]  # fmt: skip
        for query in hostile if LONG else hostile[:: draw(path).randint(2, 4)]:
            answer = ask(query)
            assert answer.status_code in (200, 404, 409, 422), (
                path,
                query[:80],
                answer.status_code,
            )


def test_a_body_without_end_is_read_to_its_limit_and_no_further(app, counted):
    class Endless(io.RawIOBase):
        """Gives as much as anybody asks for, and counts."""

        given = 0

        def readable(self) -> bool:
            return True

        def seek(self, *where: Any) -> int:
            return 0

        def readinto(self, room: Any) -> int:
            room[:] = b" " * len(room)
            self.given += len(room)
            return len(room)

    client = Client(app, app.response_class)
    for path in ("/api/v1/leads", "/api/v1/sessions", "/api/v1/provider-applications"):
        stream = Endless()
        answer = client.post(
            path,
            input_stream=stream,
            content_type="application/json",
            headers={"Transfer-Encoding": "chunked"},
            environ_overrides={"wsgi.input_terminated": True},
        )
        assert answer.status_code == 413
        assert stream.given <= MAX_BODY + 128 * 1024
        counted["bodies without end"] += 1
