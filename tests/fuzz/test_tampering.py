"""Every credential, changed, cut, lengthened, swapped and used up: never let in, and told alike."""

import base64
import re
import string
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from itsdangerous import URLSafeTimedSerializer
from sendgrid.helpers.eventwebhook import EventWebhookHeader
from werkzeug.datastructures import MultiDict

from marketplace.core import links
from marketplace.core.actors import OPERATOR
from marketplace.core.forms import Form
from marketplace.core.links import Purpose
from marketplace.leads import sites
from marketplace.leads.models import Lead
from marketplace.leads.rules import LeadState
from marketplace.web import openapi, paging
from tests.api.test_hooks import HOOK, PRIVATE, Hook, public_key
from tests.conftest import Client
from tests.fuzz.sizes import LONG, MINUTES, draw, tries
from tests.fuzz.world import World
from tests.pages.browser import Browser
from tests.pages.steps import FILLED, NEED
from tests.people import PASSWORD, a_person

SIGNATURE, SIGNED_AT = EventWebhookHeader.SIGNATURE, EventWebhookHeader.TIMESTAMP

TOGETHER = [{Purpose.REQUEST, Purpose.OUTCOME}]
"""Kinds of links that open one door by design: both were mailed to the same business."""

ALPHABET = string.ascii_letters + string.digits + "_-"


@dataclass(frozen=True)
class Door:
    """Somewhere that takes a token: by which way, and what it answers."""

    name: str
    knock: Callable[[str], Any]


def mutants(token: str, amount: int, name: str) -> Iterator[str]:
    """Yield what is nearly this token: the same ones each time, and every place of it in turn."""
    chance = draw(name)
    prefix, _, secret = token.partition("_")
    yield from (secret, f"_{secret}", f"{prefix}_", prefix, "_", f"{token}=", f"{token}\u200b")
    yield from (token.upper(), token.lower(), token.swapcase(), token[::-1], token + token)
    yield from (
        f"{prefix}_{'A' * 32}",
        f"{token}.",
        f"{token},{token}",
        f"{token}%00",
        f'"{token}"',
    )
    # The header of a JSON web token that says that nothing signs it.
    yield f"{prefix}_eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0."
    places = list(range(len(token)))
    chance.shuffle(places)
    for number in range(amount):
        place = places[number % len(places)]
        other = chance.choice(ALPHABET.replace(token[place], ""))
        yield token[:place] + other + token[place + 1 :]
        yield token[: place + 1] + other + token[place + 1 :]
        yield token[:place] if chance.random() < 0.5 else token[place + 1 :]


@pytest.fixture
def forms_without_csrf(app):
    """Let the token of a link be what decides; that of forms has a test of its own below."""
    app.config["WTF_CSRF_ENABLED"] = False
    yield
    app.config["WTF_CSRF_ENABLED"] = True


@pytest.fixture
def doors(app, forms_without_csrf):
    """Everything that takes a token: as bearer, in a body, in the address of a page."""

    def client():
        return Client(app, app.response_class)

    spec = client().get("/api/openapi.json").json
    found = []
    seen = set()
    for path, method, operation in openapi.operations(spec):
        # One check stands before all that are open to the same: in the short form one is tried.
        same = str(operation["security"])
        is_another = LONG or same not in seen
        if "{" not in path and method == "get" and operation["security"] and is_another:
            seen.add(same)
            found.append(
                Door(
                    f"bearer {path}",
                    lambda token, path=path: client().get(path, headers=_bearer(token)),
                )
            )
        for content in operation.get("requestBody", {}).get("content", {}).values():
            name = content["schema"].get("$ref", "").rpartition("/")[2]
            fields = spec["components"]["schemas"].get(name, {}).get("properties", {})
            if "token" in fields:
                rest = {"password": "nine calm otters swim"} if "password" in fields else {}
                found.append(
                    Door(
                        f"body {method} {path}",
                        lambda token, path=path, method=method, rest=rest: client().open(
                            path, method=method.upper(), json={"token": token, **rest}
                        ),
                    )
                )
    for rule in app.url_map.iter_rules():
        if "token" in rule.arguments:
            for method in sorted(rule.methods & {"GET", "POST"}):
                found.append(
                    Door(
                        f"page {method} {rule.rule}",
                        lambda token, rule=rule, method=method: client().open(
                            rule.rule.replace("<token>", _in_path(token)),
                            method=method,
                            # The token is taken out of the address, and what it opens comes next.
                            follow_redirects=True,
                        ),
                    )
                )
    return found


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token.encode().decode('latin-1')}"}


def _in_path(token: str) -> str:
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "%25" for c in token)


def told(answer: Any, token: str) -> tuple[int, str]:
    """Return what an answer says, but for the token itself and what differs each time."""
    text = answer.get_data(as_text=True)
    for word in filter(None, (token, _in_path(token))):
        text = text.replace(word, "TOKEN") if len(word) > 8 else text
    return answer.status_code, re.sub(r'(name="csrf_token"[^>]*value=)"[^"]*"', r"\1", text)


def is_in(answer: Any) -> bool:
    return answer.status_code < 400


@pytest.fixture
def credentials(world, ctx, make):
    """A good one of every kind, by kind; of links one for everything that a link could be about."""
    found = {
        "session": [world.headers["owner"], world.headers["admin"]],
        "key": [world.headers["software"]],
    }
    tokens = {
        kind: [header["Authorization"].removeprefix("Bearer ") for header in headers]
        for kind, headers in found.items()
    }
    waiting = make.ask(
        lambda s: s.query(Lead).filter_by(state=LeadState.AWAITING_CONFIRMATION).first()
    )
    person = a_person(ctx, world.own.contact_email, provider_id=world.own.id)
    with ctx.transaction() as tx:
        for purpose in Purpose:
            tokens[purpose] = [
                links.mint(tx, purpose, about, expires_at=waiting.confirm_by)
                for about in (world.lead.id, waiting.id, person.id)
            ]
    return tokens


def test_no_changed_token_opens_anything_and_all_are_refused_alike(doors, credentials, counted):
    chance = draw("which mutants")
    tried_whole = set()
    for door in doors:
        statuses = set()
        for kind, tokens in credentials.items():
            every = list(mutants(tokens[0], tries(4, 20), f"{door.name} {kind}"))
            # At one door of each sort all of them, at the others some.
            sort = (door.name.split()[0], kind)
            if sort not in tried_whole:
                chosen = every if LONG else chance.sample(every, 9)
            else:
                # In the short form at three doors of ten, in the long one as the time allows.
                share = MINUTES * 3_000 / len(doors) / len(credentials) if LONG else 0.3
                some = int(share) + (chance.random() < share % 1)
                chosen = chance.sample(every, min(some, len(every)))
            tried_whole.add(sort)
            refused: tuple[int, str] | None = None
            for mutant in chosen:
                answer = door.knock(mutant)
                counted["changed tokens"] += 1
                assert answer.status_code < 500, (door.name, mutant)
                assert not is_in(answer), (door.name, mutant)
                statuses.add(answer.status_code)
                if mutant.startswith(f"{kind}_"):
                    unknown = links.new_token(kind)
                    refused = refused or told(door.knock(unknown), unknown)
                    alike = answer.status_code != refused[0] or told(answer, mutant) == refused
                    assert alike, (door.name, mutant)
        # 404 is what no route takes, 422 what is no token at all (blank, or too long).
        assert statuses <= {401, 404, 410, 422}, (door.name, statuses)
    counted["doors"] = len(doors)


def test_a_token_of_one_kind_opens_nothing_that_another_kind_opens(doors, credentials, counted):
    for door in doors:
        opened = set()
        for kind, tokens in credentials.items():
            for token in tokens:
                answer = door.knock(token)
                counted["tokens at doors"] += 1
                assert answer.status_code < 500, (door.name, kind, answer.text)
                if is_in(answer):
                    opened.add(kind)
        allowed = [{kind} for kind in credentials] + TOGETHER + [{"session", "key"}]
        assert not opened or opened in allowed, (door.name, opened)


def flips(text: str, chance: Any, amount: int) -> list[str]:
    """Return texts that differ in one place, and decode to something else if they decode."""
    found = []
    for place in chance.sample(range(len(text)), min(amount, len(text))):
        other = chance.choice([c for c in ALPHABET if c != text[place]])
        found.append(text[:place] + other + text[place + 1 :])
    return [each for each in found if _decoded(each) != _decoded(text)]


def _decoded(text: str) -> list[bytes]:
    """Return the parts of a signed text: the last letter of base64 has bits that say nothing."""
    found = []
    for part in text.split("."):
        try:
            found.append(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        except ValueError:
            found.append(part.encode())
    return found


def test_no_changed_cookie_signs_anybody_in(app, world, ctx, counted):
    a_person(ctx, world.own.contact_email, provider_id=world.own.id)
    browser = Browser(Client(app, app.response_class))
    browser.open("/sign-in")
    browser.send("/sign-in", email=world.own.contact_email, password=PASSWORD)
    assert browser.client.get("/portal").status_code == 200
    name = app.config["SESSION_COOKIE_NAME"]
    good = browser.client.get_cookie(name).value
    payload, *rest = good.split(".")
    forged = [
        *flips(good, draw("cookie"), tries(40, 500)),
        payload, f"{payload}..", f"{payload}.{rest[0]}.", ".".join(rest), good[::-1],
        good + "A", good[1:], f".{good}", f"{good}.{rest[-1]}", "\x00", "{}", "x" * 3000,
        URLSafeTimedSerializer("another secret of 32 characters", salt="cookie-session").dumps({}),
    ]  # fmt: skip
    for value in forged:
        client = Client(app, app.response_class)
        client.set_cookie(name, value)
        answer = client.get("/portal")
        counted["changed cookies"] += 1
        assert answer.status_code in (303, 401), (value, answer.status_code)


def test_no_form_is_taken_with_a_changed_csrf_token(app, world, ctx, counted):
    browser = Browser(Client(app, app.response_class))
    page = browser.open("/sign-in")
    values = dict(page.form("/sign-in").values)
    good = values["csrf_token"]
    other = Browser(Client(app, app.response_class)).open("/sign-in")
    theirs = dict(other.form("/sign-in").values)["csrf_token"]
    for token in (*flips(good, draw("csrf"), tries(20, 300)), theirs, "", good[:-1], good + "A"):
        sent = {**values, "email": "jo@acme.example", "password": "x", "csrf_token": token}
        answer = browser.client.post("/sign-in", data=sent)
        counted["changed form tokens"] += 1
        assert answer.status_code == 400, (token, answer.status_code)


def test_no_changed_seal_of_an_embedded_form_is_taken(app, ctx, counted):
    address = "https://kestrel.example"
    sites.add_site(ctx, OPERATOR, Form({"name": "Kestrel", "address": address}))
    browser = Browser(Client(app, app.response_class))
    browser.open(f"/embed?site={address}")
    good = dict(browser.page.form("/embed").values)["begun"]
    given = [(name.replace("__", "."), value) for name, value in FILLED.items()]
    for seal in (*flips(good, draw("seal"), tries(20, 300)), "", good[:-2], good + "A", "e30.x"):
        answer = browser.client.post(
            f"/embed?site={address}", data=MultiDict([*given, *NEED, ("begun", seal)])
        )
        counted["changed seals"] += 1
        assert answer.status_code == 422, (seal, answer.status_code)
        assert "was open for too long" in answer.text
    with ctx.reading() as session:
        assert session.query(Lead).count() == 0


def known(answer: Any) -> set[str]:
    """Return what the entries of a list are known by; the rest of them may move by being read."""
    return {str(each.get("id") or each.get("invitation_id")) for each in answer.json["items"]}


def test_a_changed_cursor_shows_nobody_more_than_is_theirs(app, world, counted):
    client = Client(app, app.response_class)
    chance = draw("cursors")
    spec = client.get("/api/openapi.json").json
    for path, method, operation in openapi.operations(spec):
        names = {parameter["name"] for parameter in operation.get("parameters", [])}
        if method != "get" or "after" not in names or "{" in path:
            continue
        role = "owner" if "/portal/" in path else "admin"
        whole = known(client.get(f"{path}?limit=100", headers=world.headers[role]))
        first = client.get(f"{path}?limit=1", headers=world.headers[role]).json
        good = first["next"] or paging.cursor(world.lead.id)
        others = [good[:-1], good + "AAAA", "", "=", "\x00", "Cg", "CgoK", "x" * 3000, "\u0661"]
        others.append(paging.cursor_of("9" * 400, "-1", "x"))
        cursors = [*flips(good, chance, tries(2, 60)), *chance.sample(others, 10 if LONG else 3)]
        for cursor in cursors:
            answer = client.get(path, query_string={"after": cursor}, headers=world.headers[role])
            counted["changed cursors"] += 1
            assert answer.status_code in (200, 422), (path, cursor, answer.status_code)
            if answer.status_code == 200 and role == "owner":
                assert known(answer) <= whole, (path, cursor)


def test_no_changed_signature_of_delivery_events_is_taken(client, clock, app, counted):
    product = app.extensions["marketplace"]
    key = public_key()
    app.extensions["marketplace"] = replace(
        product, settings=replace(product.settings, sendgrid_webhook_public_key=key)
    )
    hook = Hook(client, clock)
    assert hook.post([]).status_code == 204
    body = b"[]"
    at = str(int(clock.now.timestamp()))
    signature = PRIVATE.sign(at.encode() + body, ec.ECDSA(hashes.SHA256()))
    good = base64.b64encode(signature).decode()
    changed = []
    for place in range(0, len(signature), 1 if LONG else 5):
        flipped = bytearray(signature)
        flipped[place] ^= 1 << (place % 8)
        changed.append(base64.b64encode(bytes(flipped)).decode())
    changed += [good[:-4], "", "=", "\u0661", good[::-1], "A" * 9000, at]
    for each in changed:
        headers = {SIGNATURE: each, SIGNED_AT: at, "Content-Type": "application/json"}
        answer = client.post(HOOK, data=body, headers=_as_sent(headers))
        counted["changed signatures"] += 1
        assert answer.status_code == 403, each
    for time in (
        f"{at}0",
        f"-{at}",
        f"{at}.0",
        "\u0661" + at[1:],
        at[:-1],
        "9" * 400,
        "",
        f" {at}",
    ):
        headers = {SIGNATURE: good, SIGNED_AT: time, "Content-Type": "application/json"}
        counted["changed signatures"] += 1
        assert client.post(HOOK, data=body, headers=_as_sent(headers)).status_code == 403, time
    for other in (b"[ ]", b"", b"[]\n", b"\xff"):
        headers = {SIGNATURE: good, SIGNED_AT: at, "Content-Type": "application/json"}
        counted["changed signatures"] += 1
        assert client.post(HOOK, data=other, headers=headers).status_code == 403, other


def _as_sent(headers: dict[str, str]) -> dict[str, str]:
    return {name: value.encode().decode("latin-1") for name, value in headers.items()}


def test_what_was_used_up_or_revoked_is_told_as_what_never_was(app, world, counted):
    client = Client(app, app.response_class)
    api = "/api/v1"
    ways = [
        (
            "owner",
            "/portal/provider",
            lambda h: client.delete(f"{api}/sessions/current", headers=h),
        ),
        ("admin", "/admin/leads", lambda h: client.delete(f"{api}/sessions/current", headers=h)),
        ("software", "/portal/provider", lambda h: _revoke_keys(client, world)),
    ]
    keeper = dict(world.headers)
    for role, path, end in reversed(ways):
        header = keeper[role]
        assert client.get(api + path, headers=header).status_code == 200, role
        assert end(header).status_code == 204
        token = header["Authorization"].removeprefix("Bearer ")
        unknown = links.new_token(token.partition("_")[0])
        old = client.get(api + path, headers=header)
        never = client.get(api + path, headers=_bearer(unknown))
        counted["ended credentials"] += 1
        assert old.status_code == 401
        assert told(old, token) == told(never, unknown)


def _revoke_keys(client: Any, world: World) -> Any:
    keys = "/api/v1/portal/api-keys"
    held = client.get(keys, headers=world.headers["owner"]).json["items"]
    answers = [
        client.delete(f"{keys}/{each['id']}", headers=world.headers["owner"]) for each in held
    ]
    return answers[-1]
