"""How often one address may knock."""

import re
import shutil
import tempfile
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from flask import Flask
from redis import Redis
from sqlalchemy import select

from marketplace.accounts import keys
from marketplace.bootstrap import build
from marketplace.core.actors import Actor, Kind
from marketplace.core.db import db
from marketplace.core.forms import Form
from marketplace.local.redis import EmbeddedRedis
from marketplace.notifications.models import Notification
from marketplace.notifications.rules import NotificationState
from marketplace.web import limit_table, limits
from marketplace.web.app import create_app
from marketplace.web.limit_counts import Counting
from marketplace.web.limit_table import AT_THE_DOOR, LIMITS, READS, SAFE, WRITES, line_of
from tests.conftest import Client, settings_for
from tests.people import a_person, bearer, session_token

RESETS = "/api/v1/password-resets"
AT_MOST = 20
"""What the table says of `PUT` there, per minute."""


def throttled(app: Flask) -> Flask:
    product = app.extensions["marketplace"]
    policy = replace(product.ctx.policy, rate_limits=True)
    app.extensions["marketplace"] = replace(product, ctx=replace(product.ctx, policy=policy))
    return app


def knock(client, address, **kwargs):
    body = {"token": "password_unknown", "password": "seven quiet herons"}
    return client.put(RESETS, json=body, environ_overrides={"REMOTE_ADDR": address}, **kwargs)


def test_the_table_names_routes_that_exist(app):
    routes = {(m, rule.rule) for rule in app.url_map.iter_rules() for m in rule.methods}
    assert set(LIMITS) <= routes


def test_every_route_is_counted_or_says_why_not(app):
    """What writes has its own line or that of all writes; what costs has one of its own."""
    seen = set()
    for rule in app.url_map.iter_rules():
        for method in rule.methods - {"OPTIONS"}:
            line = line_of(method, rule.rule)
            seen.add(line.scope)
            assert line.why, (method, rule.rule)
            if method not in SAFE:
                assert line != READS, (method, rule.rule)
                is_by_nobody = line.is_exempt and rule.endpoint.startswith(("hooks", "stop_"))
                assert not line.is_exempt or is_by_nobody, (method, rule.rule)
            elif COSTLY.search(rule.rule) and not CHEAP_ALL_THE_SAME.match(rule.rule):
                assert line not in (READS, WRITES), (method, rule.rule)
    assert {"writes", "reads", "lead form", "papers", "uploads", "downloads"} <= seen


COSTLY = re.compile(
    r"\.(pdf|csv|svg|zip|json)$|report|search|matching|export|evidence|/attachments/|statement|download"
)
CHEAP_ALL_THE_SAME = re.compile(
    r"/api/(openapi\.json|v1/matching-disclosure)$|/how-matching-works$"
)
"""Made once for each process, and kept."""


def test_every_list_that_takes_words_is_counted_as_a_search():
    lists = ("/admin/leads", "/admin/providers")
    for path in ("/admin/search", *lists, *(f"/api/v1{each}" for each in lists)):
        assert line_of("GET", path).scope == "searches", path


def test_redis_is_told_nobodys_address(app, client, services):
    throttled(app)
    knock(client, "192.0.2.77")
    with Redis.from_url(services.redis_url) as redis:
        keys = [key.decode() for key in redis.scan_iter("*limits*")]
    assert keys
    assert not [each for each in keys if "192.0.2" in each]


def test_no_two_lines_of_one_scope_disagree():
    by_scope = {}
    for line in LIMITS.values():
        by_scope.setdefault(line.scope, set()).add((line.limits, line.without_redis))
    assert {scope: len(each) for scope, each in by_scope.items() if len(each) > 1} == {}


def test_an_address_that_knocks_too_often_is_told_when_to_come_back(app, client):
    throttled(app)
    answers = [knock(client, "192.0.2.1") for _ in range(AT_MOST + 1)]
    assert [answer.status_code for answer in answers] == [410] * AT_MOST + [429]
    refusal = answers[-1]
    assert refusal.content_type == "application/problem+json"
    assert refusal.json["type"] == "/problems/too-many-requests"
    assert 1 <= int(refusal.headers["Retry-After"]) <= 61
    assert "Retry-After" not in answers[0].headers
    assert knock(client, "192.0.2.2").status_code == 410


def test_one_route_filled_up_leaves_the_others_open(app, client):
    throttled(app)
    for _ in range(AT_MOST + 1):
        knock(client, "192.0.2.3")
    asked = client.post(
        RESETS,
        json={"email": "nobody@harbour.example"},
        environ_overrides={"REMOTE_ADDR": "192.0.2.3"},
    )
    assert asked.status_code == 202


def test_an_ipv6_customer_is_one_sender_however_many_addresses_it_has(app, client):
    throttled(app)
    for number in range(AT_MOST):
        knock(client, f"2001:db8:0:1::{number:x}")
    assert knock(client, "2001:db8:0:1:ffff::1").status_code == 429
    assert knock(client, "2001:db8:0:2::1").status_code == 410


def test_limits_can_be_switched_off(client):
    answers = {knock(client, "192.0.2.4").status_code for _ in range(AT_MOST * 2)}
    assert answers == {410}


PROFILE = "/api/v1/portal/provider"
TRIAL = "/api/v1/portal/webhook/test"


def test_a_provider_is_one_party_from_however_many_addresses_and_people(app, client, ctx, make):
    throttled(app)
    one, other = make.provider(), make.provider()
    tokens = [
        session_token(ctx, a_person(ctx, f"p{n}@harbour.example", provider_id=one.id))
        for n in range(2)
    ]
    stranger = session_token(ctx, a_person(ctx, "q@kestrel.example", provider_id=other.id))

    def try_webhook(token, address):
        headers, at = bearer(token), {"REMOTE_ADDR": address}
        return client.post(TRIAL, headers=headers, environ_overrides=at).status_code

    at_most = int(line_of("POST", TRIAL).limits.split()[0])
    answers = {try_webhook(tokens[n % 2], f"198.51.100.{n}") for n in range(at_most)}
    assert 429 not in answers
    assert try_webhook(tokens[0], "203.0.113.1") == 429
    assert try_webhook(tokens[1], "203.0.113.2") == 429
    # Another one behind the very same address goes on.
    assert {try_webhook(stranger, "203.0.113.1")} == answers


def test_no_software_that_was_stolen_keeps_an_owner_from_revoking_it(
    app, client, ctx, make, monkeypatch
):
    throttled(app)
    for name in ("READS", "WRITES"):
        line = replace(getattr(limit_table, name), limits="3 per minute")
        monkeypatch.setattr(limit_table, name, line)
    kim = a_person(ctx, provider_id=make.provider().id)
    me = Actor(Kind.PROVIDER, id=kim.id, provider_id=kim.provider_id)
    stolen = keys.make_api_key(ctx, me, Form({"name": "CRM"}))
    owner, thief = bearer(session_token(ctx, kim)), bearer(stolen.secret)
    for method in ("GET", "PATCH"):
        answers = [
            client.open(PROFILE, method=method, json={}, headers=thief).status_code
            for _ in range(4)
        ]
        assert answers[-1] == 429
    path = f"/api/v1/portal/api-keys/{stolen.key.id}"
    assert client.get("/api/v1/portal/api-keys", headers=owner).status_code == 200
    assert client.delete(path, headers=owner).status_code == 204


def test_whoever_is_refused_at_a_door_is_counted_by_address(app, client):
    throttled(app)
    at_most = int(AT_THE_DOOR.limits.split()[0])

    def ask(address):
        headers = bearer("session_" + "x" * 32)
        return client.get(PROFILE, headers=headers, environ_overrides={"REMOTE_ADDR": address})

    assert {ask("192.0.2.20").status_code for _ in range(at_most)} == {401}
    refused = ask("192.0.2.20")
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) >= 1
    assert ask("192.0.2.21").status_code == 401


def test_a_head_works_as_hard_as_a_get_and_is_counted_with_it(app, client):
    throttled(app)
    asked = {"query_string": {"country": "AU"}, "environ_overrides": {"REMOTE_ADDR": "192.0.2.30"}}
    for _ in range(30):
        assert client.get("/checks/number", **asked).status_code == 200
        assert client.head("/checks/number", **asked).status_code == 200
    assert client.head("/checks/number", **asked).status_code == 429


def test_counting_costs_one_round_trip_however_many_limits_a_line_has(app, client, services):
    throttled(app)
    assert ";" in line_of("POST", "/api/v1/leads").limits
    redis = Redis.from_url(services.redis_url)
    asked = {"json": {}, "environ_overrides": {"REMOTE_ADDR": "192.0.2.40"}}
    client.post("/api/v1/leads", **asked)
    redis.config_resetstat()
    for _ in range(10):
        client.post("/api/v1/leads", **asked)
    calls = {name: each["calls"] for name, each in redis.info("commandstats").items()}
    from_us = {name: n for name, n in calls.items() if name.split("_")[1] in ("evalsha", "eval")}
    assert sum(from_us.values()) == 10, calls


@pytest.mark.parametrize("is_away", [False, True])
def test_whoever_is_turned_away_for_a_minute_uses_nothing_up_of_the_hour(services, is_away):
    redis = Redis.from_url("redis://127.0.0.1:1/0" if is_away else services.redis_url)
    counting, party = Counting(redis), uuid4().hex

    def knock(limits):
        return counting.wait(limits, "doors", party, alone=is_away)

    waits = [knock("2 per minute; 4 per hour") for _ in range(5)]
    assert waits[:2] == [0, 0]
    assert all(0 < each <= 60 for each in waits[2:])
    # The very hour, beside another minute: of its four, two are left.
    waits = [knock("9 per minute; 4 per hour") for _ in range(3)]
    assert waits[:2] == [0, 0]
    assert 3500 < waits[2] <= 3600


@contextmanager
def with_a_redis_of_its_own(services):
    """Yield an application that counts in a Redis of its own, which can be stopped, and that."""
    folder = Path(tempfile.mkdtemp(prefix="marketplace-limits-"))
    folder.chmod(0o711)
    redis = EmbeddedRedis(folder, durable=False)
    product = build(settings_for(services, REDIS_URL=redis.start(), RATE_LIMITS="on"))
    app = create_app(product)
    try:
        yield Client(app, app.response_class), redis
    finally:
        redis.remove_data()
        shutil.rmtree(folder, ignore_errors=True)
        with app.app_context():
            db.engine.dispose()


def test_without_redis_each_line_does_as_it_says_and_with_it_again_as_before(services, ctx):
    def ask_for_a_link(client):
        body = {"email": "nobody@harbour.example"}
        return client.post(RESETS, json=body, environ_overrides={"REMOTE_ADDR": "192.0.2.50"})

    with with_a_redis_of_its_own(services) as (client, redis):
        assert ask_for_a_link(client).status_code == 202
        redis.stop()
        # Open: each process counts by itself, and turns nobody else away.
        answers = [knock(client, "192.0.2.5").status_code for _ in range(AT_MOST + 1)]
        assert answers == [410] * AT_MOST + [429]
        assert knock(client, "192.0.2.6").status_code == 410
        # Closed: not until it can be counted over all of them.
        refused = ask_for_a_link(client)
        assert refused.status_code == 503
        assert refused.json["type"] == "/problems/unavailable"
        assert int(refused.headers["Retry-After"]) >= 1
        redis.start()
        until = time.monotonic() + 40
        while ask_for_a_link(client).status_code == 503:
            assert time.monotonic() < until
            time.sleep(0.2)
        assert ask_for_a_link(client).status_code == 202


def test_with_redis_full_each_line_does_as_it_says_and_with_room_again_as_before(services, ctx):
    """It answers whatever is read, and takes nothing."""

    def ask_for_a_link(client):
        body = {"email": "nobody@harbour.example"}
        return client.post(RESETS, json=body, environ_overrides={"REMOTE_ADDR": "192.0.2.51"})

    with (
        with_a_redis_of_its_own(services) as (client, redis),
        Redis.from_url(redis.url) as filled,
    ):
        assert ask_for_a_link(client).status_code == 202
        filled.config_set("maxmemory", 1)
        answers = [knock(client, "192.0.2.8").status_code for _ in range(AT_MOST + 1)]
        assert answers == [410] * AT_MOST + [429]
        assert knock(client, "192.0.2.9").status_code == 410
        assert ask_for_a_link(client).json["type"] == "/problems/unavailable"
        filled.config_set("maxmemory", 0)
        until = time.monotonic() + 40
        while ask_for_a_link(client).status_code == 503:
            assert time.monotonic() < until
            time.sleep(0.2)


def test_whoever_empties_redis_again_and_again_gets_no_more_mail_sent(app, client, ctx, make):
    """Each line counts anew, and what a mailbox gets is counted in PostgreSQL."""
    throttled(app)
    user = a_person(ctx)

    def ask_for_a_link(n):
        app.extensions["marketplace"].redis.flushall()
        at = {"REMOTE_ADDR": f"192.0.2.{n}"}
        return client.post(RESETS, json={"email": user.email}, environ_overrides=at).status_code

    assert {ask_for_a_link(n) for n in range(20)} == {202}
    sent = select(Notification).where(Notification.state != NotificationState.SUPPRESSED)
    rows = make.ask(lambda session: session.scalars(sent).all())
    assert 0 < len(rows) <= ctx.policy.mails_asked_per_hour


@pytest.mark.parametrize(
    ("address", "sender"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8::1", "2001:db8::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("", "unknown"),
        ("a socket", "unknown"),
    ],
)
def test_a_sender_is_an_address_or_a_network(app, address, sender):
    with app.test_request_context(environ_overrides={"REMOTE_ADDR": address}):
        assert limits.sender() == sender
