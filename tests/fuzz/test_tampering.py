"""Every credential, changed, cut, lengthened, swapped and used up: never let in, and told alike."""

import re
import string
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from marketplace.core import links
from marketplace.core.links import Purpose
from marketplace.leads.models import Lead
from marketplace.leads.rules import LeadState
from marketplace.web import openapi
from tests.conftest import Client
from tests.fuzz.sizes import LONG, draw, is_over, rounds
from tests.fuzz.world import World
from tests.people import a_person

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
    rules = list(app.url_map.iter_rules())
    # A link leads to a page without its token, whose forms say which token they were shown for.
    ways = [each.rule.removesuffix("/<token>") for each in rules if each.rule.endswith("/<token>")]
    for rule in rules:
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
        base = next((way for way in ways if rule.rule.startswith(way)), None)
        if base is not None and "POST" in rule.methods and not rule.arguments:
            found.append(
                Door(
                    f"form {rule.rule}",
                    lambda token, rule=rule: client().post(
                        rule.rule,
                        data={"token": token, "password": "nine calm otters swim"},
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
    for number in rounds(1):
        for door in doors:
            for kind, tokens in credentials.items():
                every = list(mutants(tokens[0], 20 if LONG else 4, f"{door.name} {kind} {number}"))
                # At one door of each sort all of them, at the others one now and then.
                sort = (door.name.split()[0], kind)
                amount = len(every) if LONG else 6
                if sort in tried_whole:
                    amount = 3 if LONG else chance.random() < 0.15
                tried_whole.add(sort)
                look_at_refusals(door, kind, chance.sample(every, amount), counted)
            if number and is_over():
                break
    counted["doors"] = len(doors)


def look_at_refusals(door: Door, kind: str, mutants: list[str], counted: Any) -> None:
    """Knock with what is nearly a token: let in by none, and told as of one that never was."""
    refused: tuple[int, str] | None = None
    for mutant in mutants:
        answer = door.knock(mutant)
        counted["changed tokens"] += 1
        # 404 is what no route takes, 422 what is no token at all (blank, or too long).
        assert answer.status_code in (401, 404, 410, 422), (door.name, mutant, answer.status_code)
        if mutant.startswith(f"{kind}_"):
            unknown = links.new_token(kind)
            refused = refused or told(door.knock(unknown), unknown)
            alike = answer.status_code != refused[0] or told(answer, mutant) == refused
            assert alike, (door.name, mutant)


def test_a_token_of_one_kind_opens_nothing_that_another_kind_opens(doors, credentials, counted):
    for number, door in enumerate(doors):
        opened = set()
        for kind, tokens in credentials.items():
            # In the short form of one thing that a link could be about, of the next at each door.
            for token in tokens if LONG else [tokens[number % len(tokens)]]:
                answer = door.knock(token)
                counted["tokens at doors"] += 1
                assert answer.status_code < 500, (door.name, kind, answer.text)
                if is_in(answer):
                    opened.add(kind)
        allowed = [{kind} for kind in credentials] + TOGETHER + [{"session", "key"}]
        assert not opened or opened in allowed, (door.name, opened)


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
