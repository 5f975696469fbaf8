"""Whatever we signed and gave out of our hands, changed byte by byte: it is as if it never was."""

import base64
import hashlib
import hmac
import string
from dataclasses import replace
from typing import Any

import pyotp
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from itsdangerous import URLSafeTimedSerializer
from sendgrid.helpers.eventwebhook import EventWebhookHeader
from sqlalchemy import func, select
from werkzeug.datastructures import MultiDict

from marketplace.core.actors import OPERATOR
from marketplace.core.events import Event
from marketplace.core.forms import Form
from marketplace.leads import sites
from marketplace.leads.models import Lead
from marketplace.providers.webhooks import try_webhook
from marketplace.web import openapi, paging
from tests.api.test_hooks import HOOK, PRIVATE, Hook, public_key
from tests.conftest import Client
from tests.factories import person_of
from tests.fuzz.sizes import LONG, draw
from tests.pages.browser import Browser
from tests.pages.conftest import browser, signed_in
from tests.pages.steps import FILLED, NEED, held_by, open_request
from tests.people import PASSWORD, a_person, session_token
from tests.services.test_webhooks import call, endpoint, hook_up

__all__ = ["browser", "call", "endpoint", "signed_in"]

SIGNATURE, SIGNED_AT = EventWebhookHeader.SIGNATURE, EventWebhookHeader.TIMESTAMP

ALPHABET = string.ascii_letters + string.digits + "_-"


def flips(text: str, name: str, short: int) -> list[str]:
    """Return texts that differ in one place, and decode to something else if they decode.

    In the long form there is one for every place, in the short one for so many.
    """
    chance = draw(name)
    places = range(len(text)) if LONG else chance.sample(range(len(text)), min(short, len(text)))
    found = []
    for place in places:
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


def torn(seal: str) -> list[str]:
    """Return what is left of a seal, or comes of it, when it is cut, doubled or turned."""
    payload, *rest = seal.split(".")
    elsewhere = URLSafeTimedSerializer("another secret of 32 characters", salt="cookie-session")
    return [
        payload, f"{payload}..", f"{payload}.{rest[0]}.", ".".join(rest), seal[::-1], seal + "A",
        seal[1:], f".{seal}", f"{seal}.{rest[-1]}", "\x00", "{}", "x" * 3000, elsewhere.dumps({}),
        seal[:-1],
    ]  # fmt: skip


def deeds(make: Any) -> int:
    """Return how many events the log has: whatever is done leaves one."""
    return int(make.ask(lambda session: session.scalar(select(func.count()).select_from(Event))))


@pytest.fixture
def no_form_tokens(app):
    """Let the cookie be what decides; the tokens of forms have a test of their own below."""
    app.config["WTF_CSRF_ENABLED"] = False
    yield
    app.config["WTF_CSRF_ENABLED"] = True


def test_no_changed_cookie_signs_anybody_in(app, make, signed_in, no_form_tokens, counted):
    good = signed_in(make.provider()).client
    assert good.get("/portal").status_code == 200
    sent = [
        rule.rule
        for rule in app.url_map.iter_rules()
        if "POST" in rule.methods
        and not rule.arguments
        and rule.rule.startswith(("/portal", "/account"))
    ]
    assert len(sent) > 10
    before = deeds(make)
    cookie = good.get_cookie(app.config["SESSION_COOKIE_NAME"])
    for number, value in enumerate([*flips(cookie.value, "cookie", 12), *torn(cookie.value)]):
        client = Client(app, app.response_class)
        client.set_cookie(cookie.key, value)
        path = sent[number % len(sent)]
        for answer in (client.get("/portal"), client.post(path, data={"name": "Mallory"})):
            counted["changed cookies"] += 1
            assert answer.status_code in (303, 401), (path, value, answer.status_code)
            assert "/sign-in" in answer.headers.get("Location", "/sign-in"), (path, answer.location)
    assert deeds(make) == before


def test_no_changed_cookie_does_anything_for_a_business(
    app, ctx, make, browser, no_form_tokens, counted
):
    make.provider()
    lead = make.matched_lead()
    (held,) = held_by(make, lead)
    visitor = browser()
    assert open_request(ctx, visitor, lead).status == 200
    cookie = visitor.client.get_cookie(app.config["SESSION_COOKIE_NAME"])
    sent = [
        ("/requests/close", {"reason": "not_now"}),
        (f"/requests/choose/{held.id}", {}),
        ("/requests/erase", {"sure": "yes"}),
        (f"/requests/replace/{held.id}", {}),
    ]
    before = deeds(make)
    for number, value in enumerate([*flips(cookie.value, "request", 8), *torn(cookie.value)]):
        client = Client(app, app.response_class)
        client.set_cookie(cookie.key, value)
        path, data = sent[number % len(sent)]
        answer = client.post(path, data=data)
        counted["changed cookies"] += 1
        assert 300 < answer.status_code < 500, (path, value, answer.status_code)
        assert lead.company_name not in answer.text
    assert deeds(make) == before


def test_no_form_is_taken_with_a_changed_csrf_token(browser, counted):
    visitor = browser()
    values = dict(visitor.open("/sign-in").form("/sign-in").values)
    good = values["csrf_token"]
    theirs = dict(browser().open("/sign-in").form("/sign-in").values)["csrf_token"]
    for token in (*flips(good, "csrf", 20), *torn(good), theirs, ""):
        sent = {**values, "email": "jo@acme.example", "password": "x", "csrf_token": token}
        answer = visitor.client.post("/sign-in", data=sent)
        counted["changed form tokens"] += 1
        assert answer.status_code == 400, (token, answer.status_code)


def test_no_changed_seal_of_an_embedded_form_is_taken(ctx, browser, counted):
    address = "https://kestrel.example"
    sites.add_site(ctx, OPERATOR, Form({"name": "Kestrel", "address": address}))
    visitor = browser()
    visitor.open(f"/embed?site={address}")
    good = dict(visitor.page.form("/embed").values)["begun"]
    given = [(name.replace("__", "."), value) for name, value in FILLED.items()]
    for seal in (*flips(good, "seal", 8), *torn(good), ""):
        answer = visitor.client.post(
            f"/embed?site={address}", data=MultiDict([*given, *NEED, ("begun", seal)])
        )
        counted["changed seals"] += 1
        assert answer.status_code == 422, (seal, answer.status_code)
        assert "was open for too long" in answer.text
    with ctx.reading() as session:
        assert session.query(Lead).count() == 0


def test_no_changed_form_is_carried_over_a_sign_in(app, make, signed_in, clock, counted):
    provider = make.provider()
    (invitation,) = held_by(make, make.matched_lead())
    person = signed_in(provider)
    person.open(f"/portal/invitations/{invitation.id}")
    clock.advance(hours=13)
    waits = person.send("/questions", text="One shift & two sites?")
    good = dict(waits.form("/sign-in").values)["left"]
    embedded = dict(Browser(person.client).open("/").form("/").values).get("begun", "")

    def signs_in_with(left: str) -> Any:
        visitor = Browser(Client(app, app.response_class))
        visitor.open("/sign-in")
        known = dict(visitor.page.form("/sign-in").values)
        typed = {**known, "email": provider.contact_email, "password": PASSWORD, "left": left}
        return visitor.client.post("/sign-in", data=typed)

    assert "Send what you typed?" in signs_in_with(good).text
    for seal in (*flips(good, "left", 6), *torn(good), "", embedded):
        answer = signs_in_with(seal)
        counted["changed forms carried along"] += 1
        assert answer.status_code == 303, (seal, answer.status_code)
        assert "One shift" not in answer.text


def test_no_changed_secret_of_a_second_factor_is_taken(ctx, client, counted):
    person = a_person(ctx)
    header = {"Authorization": f"Bearer {session_token(ctx, person)}"}
    path = "/api/v1/account/second-factor"
    begun = client.post(path, headers=header).json
    code = pyotp.TOTP(begun["secret"]).at(ctx.clock())
    good = begun["set_up"]
    for seal in (*flips(good, "set up", 12), good[1:], good[:-5], good[::-1], f"x{good}", "x", ""):
        sent = {"set_up": seal, "code": code, "current_password": PASSWORD}
        answer = client.put(path, json=sent, headers=header)
        counted["changed secrets"] += 1
        assert answer.status_code == 422, (seal, answer.status_code, answer.text)
    account = client.get("/api/v1/account", headers=header).json
    assert account["second_factor"]["is_set_up"] is False, account


def test_a_call_to_software_is_signed_in_every_byte(ctx, make, endpoint, call, counted):
    """Whoever checks it by the Standard Webhooks scheme takes it as it was sent, and no other."""
    provider = make.provider()
    secret = hook_up(ctx, provider, endpoint.url)
    try_webhook(ctx, person_of(provider.id))
    assert call() == 1
    (told,) = endpoint.calls
    names = ("webhook-id", "webhook-timestamp", "webhook-signature")
    parts = [told.headers[name].encode() for name in names] + [told.body]

    def is_good(said: bytes, at: bytes, signature: bytes, body: bytes) -> bool:
        key = base64.b64decode(secret.removeprefix("whsec_"))
        wanted = hmac.new(key, b".".join([said, at, body]), hashlib.sha256).digest()
        return hmac.compare_digest(b"v1," + base64.b64encode(wanted), signature)

    assert is_good(*parts)
    for which, part in enumerate(parts):
        for place in range(len(part)):
            changed = bytearray(part)
            changed[place] ^= 1 << (place % 8)
            counted["changed calls"] += 1
            assert not is_good(*parts[:which], bytes(changed), *parts[which + 1 :]), (which, place)


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
        cursors = [*flips(good, path, 1), *chance.sample(others, 10 if LONG else 2)]
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
