"""Whatever is started before the database is there, or in shape, waits for it and says so once."""

import json
import os
import time

import psycopg
import pytest
from rq import Queue, Worker
from sqlalchemy import make_url

import workers.context
from marketplace.bootstrap import build
from marketplace.core import metrics
from marketplace.core.db import db
from marketplace.core.errors import Conflict
from marketplace.local.doctor import examine
from marketplace.migrations.schema import upgrade
from marketplace.web.app import create_app
from tests.conftest import Services, settings_for
from tests.factories import lead_form
from tests.workers.conftest import stopped, wait_until
from workers.waiting import why_no_database


@pytest.fixture
def later(services):
    """Yield addresses of a database that is not there, and what makes it, and a product on it."""
    name = f"marketplace_later_{os.getpid()}"
    of_product, of_owner = (
        make_url(url).set(database=name).render_as_string(hide_password=False)
        for url in (services.database_url, services.owner_url)
    )
    door = services.owner_url.replace("+psycopg", "")
    apps = []

    def product_on(**settings):
        product = build(settings_for(addresses, **settings))
        apps.append(product.app)
        return product

    addresses = Services(of_product, services.redis_url, of_owner)
    with psycopg.connect(door, autocommit=True) as connection:
        yield addresses, lambda: connection.execute(f"CREATE DATABASE {name}"), product_on
        for app in apps:
            with app.app_context():
                db.engine.dispose()
        connection.execute(f"DROP DATABASE IF EXISTS {name}")


def wrongs(addresses):
    """Return what `doctor` finds wrong with an installation on these addresses."""
    environment = {
        "MARKETPLACE_DATABASE_URL": addresses.database_url,
        "MARKETPLACE_REDIS_URL": addresses.redis_url,
        "MARKETPLACE_SECRET_KEY": "a secret of the tests and of nobody else",
        "MARKETPLACE_PUBLIC_URL": "http://localhost",
        "MARKETPLACE_MAIL_BACKEND": "mailbox",
    }
    return [each.text for each in examine(environment) if each.is_wrong]


def test_a_worker_and_the_web_wait_for_a_database_and_for_its_migrations(later, redis, start, log):
    addresses, make, product_on = later
    worker = start("worker", database_url=addresses.database_url)
    job = Queue("mail", connection=redis).enqueue(time.time)
    product = product_on(LEAD_CONFIRMATION="off")
    client = create_app(product).test_client()

    def refused():
        answer = client.post("/api/v1/leads", json=lead_form(1))
        return answer.status_code == 503 and int(answer.headers["Retry-After"]) > 0

    wait_until(lambda: Worker.count(connection=redis) == 1, "the worker is registered")
    assert refused()
    assert client.get("/readyz").status_code == 503

    make()
    assert refused()
    assert client.get("/readyz").json["migrations"] != "ok"
    assert client.get("/healthz").status_code == 200
    assert worker.poll() is None
    assert job.get_status(refresh=True) == "queued"

    upgrade(product.app)
    assert client.get("/readyz").status_code == 200
    assert not refused()
    wait_until(lambda: job.is_finished, "the job is done")
    assert stopped(worker) == 0
    said = [json.loads(line) for line in log.read_text().splitlines()]
    assert [(line["event"], line.get("what")) for line in said] == [
        ("waiting", "postgresql"),
        ("there_again", "postgresql"),
    ]


def test_to_wait_for_a_database_is_no_job_that_fails(services, monkeypatch):
    """It would be told as one every few seconds, and wake somebody to look for it."""
    away = build(settings_for(services, DATABASE_URL="postgresql://127.0.0.1:1/none"))
    monkeypatch.setattr(workers.context, "product", lambda: away)
    before = [*metrics.JOB_SECONDS.collect()]
    assert "refused" in why_no_database()
    assert [*metrics.JOB_SECONDS.collect()] == before


def test_a_worker_that_waits_for_the_database_stops_at_once(later, redis, start):
    addresses, *_ = later
    worker = start("worker", "--processes", "2", database_url=addresses.database_url)
    wait_until(lambda: Worker.count(connection=redis) == 2, "the workers are registered")
    began = time.monotonic()
    assert stopped(worker) == 0
    assert time.monotonic() - began < 5


def test_a_worker_takes_no_job_while_the_database_refuses_it(later, redis, start, log, postgres):
    """What was handed back is done when it is there again, and nothing is tried before."""
    addresses, make, product_on = later
    make()
    upgrade(product_on().app)
    start("worker", database_url=addresses.database_url)
    first = Queue("sweeps", connection=redis).enqueue("workers.jobs.retry_waiting_leads")
    wait_until(lambda: first.is_finished, "the first job is done")

    name = make_url(addresses.owner_url).database
    with psycopg.connect(addresses.owner_url.replace("+psycopg", ""), autocommit=True) as owner:
        owner.execute(f"ALTER DATABASE {name} CONNECTION LIMIT 0")
        lost = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
        postgres.execute(f"{lost} AND usename = current_user", [name])
        jobs = [
            Queue("sweeps", connection=redis).enqueue("workers.jobs.retry_waiting_leads")
            for _ in range(3)
        ]
        wait_until(lambda: '"waiting"' in log.read_text(), "the worker waits")
        waits = [job.get_status(refresh=True) for job in jobs]
        assert any("has no connection left" in each for each in wrongs(addresses))
        owner.execute(f"ALTER DATABASE {name} CONNECTION LIMIT -1")
    assert set(waits) == {"queued"}
    wait_until(lambda: all(job.is_finished for job in jobs), "all of them are done")


def test_nothing_is_tried_on_a_database_that_was_set_read_only(later, redis, start, log, postgres):
    """As one is that was demoted: worker, `/readyz`, `doctor` and `migrate` say so in words."""
    addresses, make, product_on = later
    make()
    product = product_on()
    upgrade(product.app)
    client = create_app(product).test_client()
    name = make_url(addresses.owner_url).database
    with psycopg.connect(addresses.owner_url.replace("+psycopg", ""), autocommit=True) as owner:
        owner.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        start("worker", database_url=addresses.database_url)
        wait_until(lambda: '"waiting"' in log.read_text(), "the worker waits")
        assert "it takes no writes" in log.read_text()
        job = Queue("sweeps", connection=redis).enqueue("workers.jobs.retry_waiting_leads")
        answer = client.get("/readyz")
        assert answer.status_code == 503
        assert "takes no writes" in answer.json["database"]
        assert any("The database takes no writes" in each for each in wrongs(addresses))
        with pytest.raises(Conflict, match="takes no writes"):
            upgrade(product.app)
        assert job.get_status(refresh=True) == "queued"
        owner.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
    wait_until(lambda: job.is_finished, "the job is done")
    assert client.get("/readyz").status_code == 200
