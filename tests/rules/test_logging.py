"""What a log line may say, and what it never says."""

import io
import json
import logging

import pytest
import structlog

from config import logging as ours
from marketplace.core.links import Purpose, new_token

PREFIXES = [*Purpose, "session", "key"]


@pytest.fixture
def lines(monkeypatch):
    """Return a function that gives the lines written so far."""
    written = io.StringIO()
    monkeypatch.setattr("sys.stderr", written)
    root = logging.getLogger()
    before = root.handlers, root.level
    ours.configure("web")
    yield lambda: [json.loads(line) for line in written.getvalue().splitlines()]
    root.handlers, root.level = before
    structlog.reset_defaults()


def test_a_line_is_json_with_its_process_and_the_id_of_its_request(lines):
    with structlog.contextvars.bound_contextvars(request_id="0123456789abcdef"):
        structlog.get_logger("marketplace.test").info("lead_taken_in", reference="R-7K3QX9")
    (line,) = lines()
    assert (
        line.items()
        >= {
            "event": "lead_taken_in",
            "level": "info",
            "logger": "marketplace.test",
            "process": "web",
            "reference": "R-7K3QX9",
            "request_id": "0123456789abcdef",
        }.items()
    )
    assert line["at"].endswith("Z")


def test_a_librarys_line_has_the_same_form(lines):
    with structlog.contextvars.bound_contextvars(request_id="0123456789abcdef"):
        logging.getLogger("rq.worker").warning("lost %s", "redis://:hidden@cache:6379")
    (line,) = lines()
    assert line["event"] == "lost redis://[masked]@cache:6379"
    assert line["request_id"] == "0123456789abcdef"


def test_a_traceback_shows_no_token_and_no_address(lines):
    token = new_token(Purpose.REQUEST)
    try:
        raise ValueError(f"no {token} for jo@acme.example\nDETAIL:  Key (name)=(Jo Tran) exists.")
    except ValueError as error:
        structlog.get_logger("marketplace.test").error("fault", exc_info=error)
    text = json.dumps(lines())
    assert "ValueError" in text
    assert token not in text
    assert "acme.example" not in text
    assert "Jo Tran" not in text


@pytest.mark.parametrize("prefix", PREFIXES)
def test_every_sort_of_token_is_masked_wherever_it_stands(prefix):
    token = new_token(prefix)
    assert token.partition("_")[2] not in ours.mask(f"GET /x/{token}?t={token} '{token}'")
    nested = ours.masked(None, "info", {"event": "x", "facts": {"tokens": [token, {"a": token}]}})
    assert token not in json.dumps(nested)


@pytest.mark.parametrize(
    "path",
    [
        "/requests/confirm/{}",
        "/requests/open/{}",
        "/requests/outcome/{}",
        "/requests/again/{}",
        "/reminders/{}",
        "/requests/not-ours/{}?lang=en",
        "/set-password/{}/",
    ],
)
def test_what_stands_for_a_token_in_a_path_is_masked_whatever_it_is(path):
    masked = ours.mask("Error handling request " + path.format("not-one-of-ours"))
    assert "not-one-of-ours" not in masked
    assert path.partition("{")[0] in masked


@pytest.mark.parametrize(
    "text",
    [
        "lead_opened",
        "request_running_elsewhere",
        "session_lifetime",
        "0192f3c1-7d2e-7c3b-9c37-6f3f7c1a2b3c",
        "workers.jobs.match_leads",
        "GET /api/v1/portal/invitations",
    ],
)
def test_what_is_no_secret_stays_readable(text):
    assert ours.mask(text) == text


def test_what_a_library_does_every_time_it_is_asked_is_not_a_line(lines):
    logging.getLogger("alembic.runtime.migration").info("Context impl PostgresqlImpl.")
    logging.getLogger("alembic.runtime.migration").warning("something is amiss")
    assert [line["event"] for line in lines()] == ["something is amiss"]
