"""What a load balancer, a monitoring system and an operator on call ask."""

import socket
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from flask import current_app
from sqlalchemy import make_url, text

from marketplace.bootstrap import build
from marketplace.migrations.schema import as_owner
from marketplace.web import operations
from marketplace.web.app import create_app
from tests.conftest import Client, settings_for
from tests.factories import lead_form


@pytest.fixture
def elsewhere(services):
    """Return a function that gives a client of an application with other settings."""

    def client(**changes):
        app = create_app(build(settings_for(services, **changes)))
        return Client(app, app.response_class)

    return client


@pytest.fixture
def silent_server():
    """A server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@contextmanager
def revision(ctx, number):
    """Let the database say that it is at another revision."""
    say = text("UPDATE alembic_version SET version_num = :n")
    with as_owner(current_app) as connection:
        before = connection.scalar(text("SELECT version_num FROM alembic_version"))
        connection.execute(say, {"n": number})
        connection.commit()
        yield
        connection.execute(say, {"n": before})
        connection.commit()


def test_alive_is_alive_whatever_else_is_away(elsewhere):
    client = elsewhere(
        DATABASE_URL="postgresql://127.0.0.1:1/none", REDIS_URL="redis://127.0.0.1:1"
    )
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json) == (200, {"status": "alive"})


def test_ready_names_every_part(client, clock, monkeypatch):
    monkeypatch.setattr(operations, "PATIENCE", 30)  # a busy machine takes its time
    clock.now = datetime.now(UTC)
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json == {
        "status": "ready", "database": "ok", "migrations": "ok", "redis": "ok", "clock": "ok",
    }  # fmt: skip


@pytest.mark.parametrize(("off_by", "named"), [(0.2, "ok"), (-30, "+30."), (30, "-")])
def test_a_clock_that_is_off_is_named_and_stops_nothing(client, clock, off_by, named):
    clock.now = datetime.now(UTC) + timedelta(seconds=off_by)
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json["clock"].startswith(named)


def test_without_redis_it_is_ready_and_says_so(elsewhere):
    answer = elsewhere(REDIS_URL="redis://127.0.0.1:1").get("/readyz")
    assert answer.status_code == 200
    assert answer.json["redis"].startswith("away")


def test_without_the_database_it_is_not_ready(elsewhere):
    answer = elsewhere(DATABASE_URL="postgresql://127.0.0.1:1/none").get("/readyz")
    assert answer.status_code == 503
    assert answer.json["status"] == "not ready"
    assert answer.json["database"] == "away"
    assert answer.json["redis"] == "ok"


def test_a_database_and_a_redis_that_hang_are_away_within_a_few_seconds(elsewhere, silent_server):
    client = elsewhere(
        DATABASE_URL=f"postgresql://{silent_server}/none", REDIS_URL=f"redis://{silent_server}"
    )
    begun = time.monotonic()
    answer = client.get("/readyz")
    assert time.monotonic() - begun < 5
    assert answer.status_code == 503
    assert answer.json["database"] == "away"
    assert answer.json["redis"].startswith("away")


def test_a_database_that_hangs_is_a_503_and_no_fault(elsewhere, silent_server):
    client = elsewhere(DATABASE_URL=f"postgresql://{silent_server}/none")
    answer = client.post("/api/v1/leads", json=lead_form())
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0


def test_a_missing_migration_is_not_ready_and_a_newer_schema_is(client, ctx):
    with revision(ctx, "0001"):
        behind = client.get("/readyz")
    with revision(ctx, "9999"):
        ahead = client.get("/readyz")
    assert behind.status_code == 503
    assert behind.json["migrations"].startswith("missing")
    assert (ahead.status_code, ahead.json["migrations"]) == (200, "ok")


def test_an_empty_database_lacks_migrations(services, elsewhere):
    empty = make_url(services.owner_url).set(drivername="postgresql", database="nothing_yet")
    url = services.owner_url.replace("postgresql+psycopg:", "postgresql:")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE nothing_yet")
        client = elsewhere(DATABASE_URL=empty.render_as_string(hide_password=False))
        answer = client.get("/readyz")
        connection.execute("DROP DATABASE nothing_yet WITH (FORCE)")
    assert answer.status_code == 503
    assert answer.json["database"] == "ok"
    assert answer.json["migrations"].startswith("missing")


@pytest.mark.parametrize(
    ("address", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("10.1.2.3", {}, 200),
        ("::1", {}, 200),
        ("fd00::17", {}, 200),
        ("203.0.114.9", {}, 404),
        ("2a00::17", {}, 404),
        ("::ffff:10.1.2.3", {}, 200),
        ("::ffff:203.0.114.9", {}, 404),
        ("2002:cb00:7209::1", {}, 404),  # 6to4
        ("2001:0:cb00:7209::1", {}, 404),  # Teredo
        ("", {}, 404),
        # Through a proxy somebody outside seems to be inside.
        ("10.1.2.3", {"X-Forwarded-For": "203.0.114.9"}, 404),
        ("127.0.0.1", {"Forwarded": "for=203.0.114.9"}, 404),
    ],
)
def test_metrics_are_told_to_those_inside_only(client, ctx, address, headers, status):
    """A count that moves would tell a provider that another has quoted."""
    answer = client.get("/metrics", environ_base={"REMOTE_ADDR": address}, headers=headers)
    assert answer.status_code == status
    assert ("marketplace_" in answer.text) == (status == 200)


def test_metrics_count_rows_by_state(client, ctx):
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.content_type.startswith("text/plain; version=0.0.4")
    lines = answer.text.splitlines()
    assert 'marketplace_leads{state="open"} 0.0' in lines
    assert 'marketplace_commitments{state="at_risk"} 0.0' in lines
