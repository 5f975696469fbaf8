"""How often one address may knock."""

from dataclasses import replace

import pytest
from flask import Flask

from marketplace.bootstrap import build
from marketplace.core.db import db
from marketplace.web import limits
from marketplace.web.app import create_app
from tests.conftest import Client, settings_for

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
    assert set(limits.LIMITS) <= routes


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


def test_without_redis_each_process_counts_by_itself_and_turns_nobody_else_away(services, ctx):
    away = settings_for(services, REDIS_URL="redis://127.0.0.1:1", RATE_LIMITS="on")
    product = build(away)
    app = create_app(product)
    client = Client(app, app.response_class)
    answers = [knock(client, "192.0.2.5").status_code for _ in range(AT_MOST + 1)]
    assert answers == [410] * AT_MOST + [429]
    assert knock(client, "192.0.2.6").status_code == 410
    with app.app_context():
        db.engine.dispose()


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
