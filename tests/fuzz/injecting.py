"""Putting hostile strings into the product: by every operation, and by every form of its pages."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import select

from marketplace.core.db import Base
from marketplace.web import openapi
from tests.conftest import Client
from tests.fuzz.filling import KNOWN, Filler, send_until_taken, texts_in
from tests.fuzz.hostile import MARK, PAYLOADS, Turns
from tests.fuzz.looks import look_at
from tests.fuzz.sizes import LONG, draw
from tests.fuzz.trees import Sendable, forms
from tests.fuzz.world import World, role_of

AT_ONCE = 3 if LONG else 1
"""How many texts each field gets in one round."""


class Injection:
    """Sends payloads by every operation that takes a body, and keeps what was taken."""

    def __init__(self, world: World, turns: Turns, counted: Any) -> None:
        self.world, self.turns, self.counted = world, turns, counted
        self.client = Client(world.app, world.app.response_class)
        self.spec = self.client.get("/api/openapi.json").json
        self.chance = draw("injection")
        self.taken: set[str] = set()
        self.operations: set[str] = set()
        self.doubted: set[str] = set()

    def go(self, only: set[str] | None = None) -> None:
        """Send something by every operation, or by `only` those."""
        for path, method, operation in openapi.operations(self.spec):
            content = operation.get("requestBody", {}).get("content", {}).get("application/json")
            if content is None or path.startswith(("/api/v1/sessions", "/api/v1/password")):
                continue
            if only is not None and f"{method} {path}" not in only:
                continue
            role = role_of(operation, path)
            if role in self.doubted and not self.world.is_whole(role):
                self.world.renew(role)
            self.doubted.discard(role)
            for _ in range(AT_ONCE):
                self._send(path, method, content["schema"], role)

    def give_all_kinds(self) -> None:
        """Go on with those operations that have a field which has not had every kind of text."""
        for _ in range(len(PAYLOADS)):
            where = {each for each, _ in self.turns.without_all if "/api/" in each}
            if not where:
                return
            self.go(where)

    def quote_with_it(self) -> None:
        """Let the provider of this world quote under the request that it has now."""
        path = "/api/v1/portal/invitations/{invitation_id}/quote"
        (content,) = self.spec["paths"][path]["put"]["requestBody"]["content"].values()
        table = Base.metadata.tables["invitations"]
        mine = select(table.c.id).where(
            table.c.lead_id == self.world.lead.id, table.c.provider_id == self.world.own.id
        )
        (held,) = self.world.make.ask(lambda session: session.scalars(mine).all())
        filler = Filler(self.spec, lambda name, segment="": str(held), self._for("quote"))
        body = filler.value(content["schema"], "")
        body |= {
            "kind": "consulting",
            "phases": [{"name": self.turns.text("quote", "phase"), "days": 2, "fee": "9.00"}],
        }
        body |= {"notes": " ".join(PAYLOADS), "exclusions": [PAYLOADS[5]]}
        where = path.replace("{invitation_id}", str(held))
        answer, _ = send_until_taken(
            lambda sent: self.client.put(where, json=sent, headers=self.world.headers["owner"]),
            body,
            MARK,
        )
        assert answer.status_code == 200, answer.text

    def _for(self, where: str) -> Callable[[str], str]:
        return lambda name: self.turns.text(where, name)

    def _send(self, path: str, method: str, schema: Any, role: str) -> None:
        def id_for(name: str, segment: str = "") -> str:
            for _ in range(9):
                found = self.world.somebodys_id(name, segment, role, self.chance)
                if self.chance.random() < 0.8:
                    return found
            return found

        filler = Filler(self.spec, id_for, self._for(f"{method} {path}"))
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
        if answer.status_code in (401, 404, 409):
            self.doubted.add(role)
        if answer.status_code < 300:
            self.operations.add(f"{method} {path}")
            texts = [text for text in texts_in(body) if MARK in text]
            self.taken.update(texts)
            self.counted["texts taken"] += len(texts)


LAST = re.compile(r"close|erase|choose|suspend|strike|leave|revoke|replace|lift|decline|remove")
"""Forms that end something, sent after those that need it."""

NEVER = ("/sign-out", "/sign-in", "/forgot-password", "/set-password", "/account/sessions")
"""Forms that would end the visit, or have nothing that is kept."""


def send_forms(injection: Injection, client: Any, role: str, pages: dict[str, str]) -> None:
    """Send each form of these pages once, with it in every field, and look at what comes of it."""
    found: dict[str, tuple[str, Sendable]] = {}
    for address, html in pages.items():
        for form in forms(html):
            action = form.action or address
            if form.typed and not action.startswith(NEVER):
                found.setdefault(re.sub(r"[0-9a-f-]{36}", "<id>", action), (action, form))
    for name in sorted(found, key=lambda each: (bool(LAST.search(each)), each)):
        action, form = found[name]
        for _ in range(AT_ONCE):
            _send_form(injection, client, f"{role} {name}", action, form)


def _send_form(injection: Injection, client: Any, name: str, action: str, form: Sendable) -> None:
    values = {
        field: [injection.turns.text(name, field)] if _is_free(form, field) else given
        for field, given in form.values.items()
    }
    for _ in range(3):
        injection.counted["forms of pages"] += 1
        answer = client.post(action, data=values)
        shown = answer
        if answer.status_code in (302, 303) and not urlsplit(answer.location).netloc:
            shown = client.get(answer.location)
        assert shown.status_code < 500, (name, values, shown.text)
        look_at(action, shown)
        if answer.status_code < 400:
            injection.operations.add(f"post {name}")
            injection.taken.update(text for texts in values.values() for text in texts)
            return
        if answer.status_code != 422:
            return
        # What was found wrong is said plainly, and then left out.
        again = [each for each in forms(answer.text) if each.action == form.action]
        wrong = {field for each in again for field in each.wrong}
        for field in wrong & set(values):
            was_hostile = any(MARK in text for text in values[field])
            values[field] = [_plain(field)] if was_hostile else []


def _is_free(form: Sendable, field: str) -> bool:
    return field in form.typed and field not in ("csrf_token", "token", "begun", "left")


def _plain(field: str) -> str:
    name = field.rpartition(".")[2]
    for part, text in (("email", "sam@fuzzed.example"), ("url", "https://fuzzed.example")):
        if part in name:
            return text
    for part in ("headcount", "days", "people", "fee", "rate", "sites", "capacity", "rating"):
        if part in name:
            return "5"
    for part in ("until", "from", "_on", "date"):
        if part in name:
            return "2027-03-31"
    return str(KNOWN.get(name, "Plain words"))
