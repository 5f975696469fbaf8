"""Faults that are handed on by Sentry's protocol: to a server that takes envelopes apart."""

import json
import logging
import subprocess
import sys
from urllib.parse import urlsplit

import pytest
import structlog
from rq import Queue
from sentry_sdk.envelope import Envelope
from sqlalchemy import text

from config import reporting
from tests.collectors import collecting
from tests.workers import deeds
from tests.workers.conftest import ROOT, starting, wait_until

PRIVATE = ("Quenby", "acme.example", "lead_", "s3cret", "203.0.113.7", "Mozilla")
"""Whatever of this stands anywhere in what goes out is of somebody."""


@pytest.fixture
def collector():
    with collecting() as collector:
        yield collector


@pytest.fixture
def reporting_there(collector, written):
    reporting.begin(dsn_of(collector), "web")
    yield collector
    reporting.finish()
    reporting.stop()


def dsn_of(collector):
    return f"http://key@{urlsplit(collector.address).netloc}/7"


def events_of(collector):
    """Return every event that came, read by the library's own reader of envelopes."""
    return [
        item.payload.json
        for path, _, body in collector.came
        if path == "/api/7/envelope/"
        for item in Envelope.deserialize(body).items
        if item.type == "event"
    ]


def test_a_fault_behind_a_page_is_reported_and_nothing_of_who_met_it(
    reporting_there, client, monkeypatch
):
    def fail(*_, kept="s3cret of Quenby", **__):  # a local variable that nobody may see
        raise ValueError("no place for Quenby at jo@acme.example")

    name = next(r.endpoint for r in client.application.url_map.iter_rules() if r.rule == "/")
    monkeypatch.setitem(client.application.view_functions, name, fail)
    answer = client.get(
        "/?token=lead_s3cret&q=Quenby",
        headers={
            "Cookie": "session=s3cret",
            "Authorization": "Bearer s3cret",
            "X-Request-Id": "a-request-of-ours",
            "User-Agent": "Mozilla of Quenby",
        },
        environ_base={"REMOTE_ADDR": "203.0.113.7"},
    )
    assert answer.status_code == 500
    (event,) = reporting_there.wait_for(events_of, "the fault")
    assert event["tags"]["request_id"] == "a-request-of-ours"
    assert event["tags"]["process"] == "web"
    assert event["logentry"]["message"] == "fault"
    (error,) = event["exception"]["values"]
    assert (error["type"], error["value"]) == ("ValueError", "")
    last = error["stacktrace"]["frames"][-1]
    assert last["function"] == "fail"
    assert "vars" not in last
    assert {"request", "user", "breadcrumbs", "extra", "contexts", "modules"}.isdisjoint(event)
    for word in PRIVATE:
        assert word.encode() not in reporting_there.everything


def test_of_a_row_that_is_refused_the_code_alone_goes_out(reporting_there, ctx):
    try:
        with ctx.reading() as session:
            session.execute(text("SELECT CAST('Quenby' AS int)"))
    except Exception:
        structlog.get_logger("marketplace.test").exception("fault", email="jo@acme.example")
    (event,) = reporting_there.wait_for(events_of, "the fault")
    first, second = event["exception"]["values"]
    assert (first["type"], first["value"]) == ("InvalidTextRepresentation", "22P02")
    assert second["type"] == "DataError"
    assert b"Quenby" not in reporting_there.everything
    assert b"acme" not in reporting_there.everything


def test_what_a_library_says_is_told_as_that_and_warnings_are_not(reporting_there):
    logging.getLogger("some.library").error("cannot write to %s", "jo@acme.example of Quenby")
    structlog.get_logger("marketplace.test").warning("notification_put_back")
    structlog.get_logger("marketplace.test").error("mail_paused", channel="email")
    reporting.finish()
    said, paused = events_of(reporting_there)
    assert (said["logentry"]["message"], said["logger"]) == ("said_by_a_library", "some.library")
    assert paused["logentry"]["message"] == "mail_paused"
    assert paused["tags"]["channel"] == "email"
    assert b"Quenby" not in reporting_there.everything


def test_a_job_that_fails_is_reported_once_by_the_worker(
    services, tmp_path, redis, collector, monkeypatch
):
    monkeypatch.setenv("MARKETPLACE_SENTRY_DSN", dsn_of(collector))
    with starting(services, tmp_path) as start:
        start("worker")
        job = Queue("mail", connection=redis).enqueue(
            deeds.fail_with_a_lock_held, meta={"request_id": "abc12345"}
        )
        event, *more = collector.wait_for(events_of, "the failed job")
        assert not more
        wait_until(lambda: job.get_status() == "failed", "the job has failed")
    assert event["logentry"]["message"] == "job_failed"
    assert event["tags"]["process"] == "worker"
    assert event["tags"]["request_id"] == "abc12345"
    assert event["tags"]["job"] == "tests.workers.deeds.fail_with_a_lock_held"
    assert event["exception"]["values"][-1]["type"] == "ValueError"
    assert b"in the middle of a transaction" not in collector.everything


def test_what_ends_a_process_is_reported_before_it_is_gone(collector):
    """As of a scheduler, or of what looks after workers: nobody else would tell."""
    script = (
        "from config import logging, reporting; logging.configure('scheduler');"
        f"logging.take_over(); reporting.begin({dsn_of(collector)!r}, 'scheduler');"
        "raise ValueError('s3cret')"
    )
    ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, stderr=subprocess.DEVNULL)
    assert ended.returncode == 1
    (event,) = events_of(collector)
    assert event["tags"]["process"] == "scheduler"
    assert event["exception"]["values"][-1]["type"] == "ValueError"
    assert b"s3cret" not in collector.everything


def test_a_service_that_is_away_stops_nobody(written, client):
    reporting.begin("http://key@127.0.0.1:1/7", "web")
    try:
        structlog.get_logger("marketplace.test").error("fault")
        assert client.get("/healthz").status_code == 200
    finally:
        reporting.stop()
    assert '"event": "fault"' in written.getvalue()


def test_without_a_dsn_and_an_endpoint_nothing_of_it_is_imported():
    script = (
        "import json, sys; from config import reporting, logging; reporting.begin('', 'web');"
        "import marketplace.web.app, workers.run;"
        "print(json.dumps([n for n, it in sys.modules.items() if it and n.partition('.')[0] in"
        " ('sentry_sdk', 'opentelemetry')]))"
    )
    said = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert json.loads(said.stdout) == []
