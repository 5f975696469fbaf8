"""Spans of requests, and that nobody waits for who collects them."""

import logging
import socket
import time
from unittest.mock import Mock

import pytest

from marketplace.core import tracing
from marketplace.core.tracing import root_of, sayable, trace_of
from tests.spans import a_collector

ORDER = ("job", "match", "delivery")


@pytest.fixture
def collector():
    with a_collector() as collector:
        tracing.configure(collector.address, "web")
        yield collector
        tracing.stop()


def arrived(collector):
    tracing.stop()
    return collector.spans


def test_an_id_of_32_digits_is_the_traces_own_and_any_other_makes_one():
    ours = "0192f3c17d2e7c3b9c376f3f7c1a2b3c"
    assert f"{trace_of(ours):032x}" == ours
    assert trace_of("0192f3c1-7d2e-7c3b-9c37-6f3f7c1a2b3c") == trace_of(ours)
    assert 0 < trace_of("a-request-of-theirs") != trace_of("a-request-of-others")
    assert trace_of("0" * 32) != 0  # which is none
    assert 0 < root_of(ours) < 2**64


def test_a_span_says_numbers_and_words_of_lists_and_nothing_else():
    said = {
        "http__route": "/api/v1/leads/<uuid:lead_id>",
        "places": 3,
        "nobody": None,
        "address": "kim@harbour.example",
        "name": "Kim Reyes",
        "phone": "+61 2 5550 0123",
        "error": "Key (email)=(kim@harbour.example) already exists",
    }
    assert sayable(said) == {"http.route": "/api/v1/leads/<uuid:lead_id>", "places": 3}


def test_a_request_is_a_span_by_its_route_with_its_id_and_believes_no_one_elses(client, collector):
    theirs = "4bf92f3577b34da6a3ce929d0e0e4736"
    answer = client.get(
        "/requests/confirm/kim-reyes-token?who=kim",
        headers={"traceparent": f"00-{theirs}-00f067aa0ba902b7-01"},
    )
    request_id = answer.headers["X-Request-Id"]
    (span,) = arrived(collector)
    assert span.label == "request GET /requests/confirm/<token>"
    assert (span.trace, span.parent) == (request_id, "")
    assert span.id == f"{root_of(request_id):016x}"
    assert span.said == {
        "http.request.method": "GET",
        "http.route": "/requests/confirm/<token>",
        "http.response.status_code": answer.status_code,
    }
    assert span.process == "marketplace-web"
    assert b"kim" not in b"".join(collector.received)
    assert theirs not in (span.trace, *span.links)


def test_a_fault_is_a_failed_span_and_what_asks_for_signs_of_life_is_none(
    app, client, collector, monkeypatch
):
    def fail():
        raise ValueError("of kim@harbour.example")

    endpoint = next(r.endpoint for r in app.url_map.iter_rules() if r.rule == "/")
    monkeypatch.setitem(app.view_functions, endpoint, fail)
    assert client.get("/healthz").status_code == 200
    assert client.get("/").status_code == 500
    (span,) = arrived(collector)
    assert span.failed
    assert span.said["error.type"] == "http.500"
    assert b"harbour" not in b"".join(collector.received)


def test_what_belongs_to_another_request_is_in_its_trace_and_linked(collector):
    rung, caused = "1" * 32, "a-request-before"
    with (
        tracing.span("job", of=rung, begins=True, job="deliver_notifications"),
        tracing.span("delivery", of=caused),
    ):
        tracing.note(template="confirm_request")
    with pytest.raises(KeyError), tracing.span("match", of=rung):
        raise KeyError("kim@harbour.example")
    job, match, delivery = sorted(arrived(collector), key=lambda each: ORDER.index(each.name))
    assert delivery.trace == f"{trace_of(caused):032x}"
    assert delivery.parent == f"{root_of(caused):016x}"
    assert delivery.links == [rung]
    assert delivery.said == {"template": "confirm_request"}
    assert (match.trace, match.parent) == (rung, job.id) == (rung, f"{root_of(rung):016x}")
    assert match.failed
    assert match.said == {"error.type": "KeyError"}
    assert b"harbour" not in b"".join(collector.received)


@pytest.mark.parametrize("answers", [False, True])
def test_nobody_waits_for_a_collector_that_is_away_or_says_nothing(client, monkeypatch, answers):
    otlp = tracing.library()
    monkeypatch.setattr(otlp, "PATIENCE", 2)
    monkeypatch.setattr(otlp, "LAST_PATIENCE", 0.1)
    monkeypatch.setattr(otlp, "EVERY", 10)
    monkeypatch.setattr(otlp, "WAITING_AT_MOST", 600)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        if answers:
            silent.listen()
        tracing.configure(f"http://127.0.0.1:{silent.getsockname()[1]}", "web")
        client.get("/robots.txt")  # starts it
        begun = time.monotonic()
        for _ in range(2_000):
            with tracing.span("match"):
                pass
        took = time.monotonic() - begun
        tracing.stop()
    # Of two thousand spans several parcels are made: who waited for each would be here for longer.
    assert took < 6, took
    assert time.monotonic() - begun - took < 6


def test_that_spans_are_lost_is_said_once_in_a_while(monkeypatch, caplog):
    otlp = tracing.library()
    clock = Mock(return_value=1000.0)
    monkeypatch.setattr(otlp, "time", Mock(monotonic=clock))
    said_by = logging.getLogger(otlp.OTLPSpanExporter.__module__)
    monkeypatch.setattr(said_by, "filters", [])
    for _ in range(2):
        otlp._say_less()
    for at in (1000.0, 1005.0, 1059.0, 1061.0):
        clock.return_value = at
        said_by.error("lost")
    assert len([each for each in caplog.records if each.name == said_by.name]) == 2
