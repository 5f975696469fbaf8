"""The line that every request leaves."""

import re
from dataclasses import replace

import pytest
import structlog
from sqlalchemy import select

from marketplace.core.events import Event
from marketplace.core.links import Purpose, new_token
from tests.people import PASSWORD, a_person, bearer, session_token


@pytest.fixture
def all_lines():
    with structlog.testing.capture_logs(
        processors=[structlog.contextvars.merge_contextvars]
    ) as lines:
        yield lines


@pytest.fixture
def requests(all_lines):
    return lambda: [line for line in all_lines if line["event"] == "request"]


@pytest.fixture
def alarms(all_lines):
    """Return what was noted besides the lines of requests, in a word each."""
    return lambda: [line for line in all_lines if line["log_level"] == "warning"]


def test_a_request_leaves_a_line_with_its_route_status_and_id(client, ctx, requests):
    user = a_person(ctx)
    head = {**bearer(session_token(ctx, user)), "X-Request-Id": "a-request-of-ours"}
    key_id = "0192f3c1-7d2e-7c3b-9c37-6f3f7c1a2b3c"
    client.delete(f"/api/v1/portal/api-keys/{key_id}", headers=head)
    (line,) = requests()
    assert line.pop("ms") >= 0
    assert line == {
        "event": "request",
        "log_level": "info",
        "method": "DELETE",
        "route": "/api/v1/portal/api-keys/<uuid:key_id>",
        "key_id": key_id,
        "status": 404,
        "by": "provider",
        "by_id": str(user.id),
        "request_id": "a-request-of-ours",
    }


def test_a_path_that_may_hold_a_token_is_not_written(client, requests):
    token = new_token(Purpose.CONFIRM_LEAD)
    client.get(f"/api/v1/nowhere/{token}?token={token}")
    client.get(f"/requests/confirm/{token}")
    assert len(requests()) == 2
    assert token not in str(requests())


@pytest.mark.parametrize("prefix", [Purpose.REQUEST, "session", "key"])
def test_a_token_is_no_id_of_a_request(ctx, client, requests, make, prefix):
    """The id goes into lines, jobs, and the audit log, out of which nothing is ever taken."""
    token = new_token(prefix)
    person = a_person(ctx)
    answer = client.post(
        "/api/v1/sessions",
        json={"email": person.email, "password": PASSWORD},
        headers={"X-Request-Id": token},
    )
    assert answer.status_code == 201
    assert answer.headers["X-Request-Id"] != token
    assert token not in str(requests())
    assert token not in make.ask(lambda session: session.scalars(select(Event.request_id)).all())


def test_who_is_not_let_in_is_noted_by_a_mark_of_the_address_at_both_doors(
    ctx, app, client, alarms
):
    person = a_person(ctx)
    for email in (person.email, f" {person.email.upper()} ", "nobody@harbour.example"):
        body = {"email": email, "password": "not the password"}
        assert client.post("/api/v1/sessions", json=body).status_code == 401
    page = client.get("/sign-in").text
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)[1]
    body = {"email": person.email, "password": "not the password", "csrf_token": token}
    assert client.post("/sign-in", data=body).status_code == 401
    found = [line for line in alarms() if line["event"] == "sign_in_refused"]
    first, same, other, page = (line["account"] for line in found)
    assert first == same == page != other
    assert re.fullmatch("[0-9a-f]{16}", first)
    assert {line["why"] for line in found} == {"not-signed-in"}
    assert "harbour" not in str(found)


def test_what_is_refused_is_noted(ctx, client, alarms):
    inside = bearer(session_token(ctx, a_person(ctx)))
    assert client.get("/api/v1/admin/leads", headers=inside).status_code == 403
    assert client.get("/api/v1/admin/leads", headers=bearer("session_x")).status_code == 401
    assert client.get("/api/v1/admin/leads").status_code == 401  # nobody in particular
    assert client.post("/forgot-password", data={"email": "x"}).status_code == 400
    assert client.post("/api/v1/hooks/sendgrid", json=[]).status_code == 403
    assert client.get("/", headers={"Host": "elsewhere.example"}).status_code == 421
    noted = [(line["event"], line.get("why")) for line in alarms()]
    assert noted == [
        ("refused", "not-allowed"),
        ("refused", "not-signed-in"),
        ("forged_form", "the_csrf_token_is_missing"),
        ("bad_signature", None),
        ("refused", "not-allowed"),
        ("wrong_host", None),
    ]


def test_a_limit_that_is_hit_is_noted_with_its_route(app, ctx, client, alarms):
    product = app.extensions["marketplace"]
    policy = replace(ctx.policy, rate_limits=True)
    app.extensions["marketplace"] = replace(product, ctx=replace(ctx, policy=policy))
    for _ in range(62):
        answer = client.get("/checks/number", environ_overrides={"REMOTE_ADDR": "203.0.113.9"})
    assert answer.status_code == 429
    assert alarms()[0]["event"] == "limit_hit"
    assert alarms()[0]["route"] == "/checks/number"
