"""What a log line may say, and what it never says."""

import ast
import dataclasses
import importlib
import inspect
import json
import logging
import pkgutil
import random
import string
import sys
import threading
import traceback
import warnings
from pathlib import Path
from socket import socketpair

import pytest
import structlog
from gunicorn.config import Config
from gunicorn.http.errors import InvalidHeader, InvalidRequestLine, ParseException
from gunicorn.workers.base import Worker
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError

import marketplace
from config import logging as ours
from config.log_lines import FIELDS, declared, frames, mask
from marketplace.core import tracing
from marketplace.core.db import Base
from marketplace.core.links import Purpose, new_token
from marketplace.leads.models import Lead
from marketplace.notifications.wording import LINK_PATHS

PREFIXES = [*Purpose, "session", "key", "device", "form"]

ROOT = Path(__file__).parents[2]

FREE = ("event", "error", "detail", "reason")
"""Fields with free text: of a library's, or in words of ours."""


@pytest.fixture
def lines(written):
    """Return a function that gives the lines written so far."""
    return lambda: [json.loads(line) for line in written.getvalue().splitlines()]


@pytest.fixture
def taken_over(lines, monkeypatch):
    for module in (sys, threading):
        monkeypatch.setattr(module, "excepthook", module.excepthook)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        ours.take_over()
        yield
        logging.captureWarnings(False)


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


@pytest.mark.parametrize("name", ["rq.worker", "gunicorn.error", "sqlalchemy.pool", "redis"])
def test_a_librarys_line_has_the_same_form(lines, name):
    with structlog.contextvars.bound_contextvars(request_id="0123456789abcdef"):
        logging.getLogger(name).warning("lost %s", "redis://:hidden@cache:6379")
    (line,) = lines()
    assert line["event"] == "lost redis://[masked]@cache:6379"
    assert line["request_id"] == "0123456789abcdef"


def test_a_traceback_shows_where_and_what_and_no_text_of_any_exception(lines):
    token = new_token(Purpose.REQUEST)
    try:
        try:
            raise KeyError("Jo Tran")
        except KeyError as error:
            raise ValueError(f"no {token} for jo@acme.example\nJo Tran") from error
    except ValueError as error:
        structlog.get_logger("marketplace.test").error("fault", exc_info=error)
    (line,) = lines()
    assert "builtins.ValueError" in line["exception"]
    assert "builtins.KeyError" in line["exception"]
    assert "test_logging.py:" in line["exception"]
    for secret in (token, "acme.example", "Tran"):
        assert secret not in json.dumps(line)


def test_a_traceback_that_a_library_writes_as_text_loses_the_same(lines):
    """RQ does, with the exception's own words."""
    try:
        raise ValueError("no place for Jo Tran")
    except ValueError:
        said = traceback.format_exc()
    logging.getLogger("rq.worker").error("[Job %s]: exception raised (%s)\n%s", "1", "x", said)
    (line,) = lines()
    assert "ValueError" in line["event"]
    assert "test_logging.py" in line["event"]
    assert "Tran" not in json.dumps(line)
    assert "raise" not in line["event"].partition("(x)")[2]


def test_lines_of_an_errors_own_text_are_no_types_of_errors(lines):
    """Such as a row that PostgreSQL refuses, whose notes have lines."""
    told = "refused\nDETAIL:  Failing row contains (Mia,\nQuenby\nTran: jo).\nquenby.tran"
    try:
        try:
            raise KeyError(told)
        except KeyError:
            raise ValueError(told) from None
    except ValueError:
        said = traceback.format_exc()
    logging.getLogger("rq.worker").error("failed\n%s", f"{said}\nDuring it:\n\n{said}")
    logging.getLogger("sqlalchemy.pool").warning(told)
    both = json.dumps(lines())
    assert both.count("ValueError") == 2
    for word in ("Mia", "uenby", "Tran"):
        assert word not in both


@pytest.mark.parametrize("where", ["the process", "a thread"])
def test_what_nobody_catches_is_a_line_like_another(lines, taken_over, where):
    def go():
        raise ValueError("no place for Jo Tran")

    if where == "a thread":
        thread = threading.Thread(target=go)
        thread.start()
        thread.join()
    else:
        try:
            go()
        except ValueError:
            sys.excepthook(*sys.exc_info())
    (line,) = lines()
    assert (line["event"], line["level"]) == ("fault", "error")
    assert line["exception"].endswith("builtins.ValueError")
    assert "Tran" not in json.dumps(line)


def test_a_warning_is_a_line_like_another(lines, taken_over):
    warnings.warn("jo@acme.example is odd", stacklevel=1)
    (line,) = lines()
    assert line["logger"] == "py.warnings"
    assert "acme" not in json.dumps(line)


@pytest.mark.parametrize("password", ["hidden", "hid/den", "hid@den", "h:i#dden?"])
def test_the_password_in_an_address_is_masked_whatever_signs_it_has(password):
    said = mask(f"lost redis://:{password}@cache.example:6379/0, which 'is away'")
    assert said == "lost redis://[masked]@cache.example:6379/0, which 'is away'"


SENT = "GET /admin/search?q=Jo Tran&t=not-one-of-ours HTTP/1.1"


@pytest.mark.parametrize("error", [InvalidRequestLine(SENT), InvalidHeader("Cookie: Jo Tran")])
def test_the_web_server_says_what_is_wrong_with_a_request_and_not_what_was_sent(
    lines, monkeypatch, error
):
    for name in ("configure", "take_over"):
        monkeypatch.setattr(ours, name, lambda *_: None)  # that was done
    settings = Config()
    worker = Worker(1, 1, [], None, 30, settings, ours.GunicornLogger(settings))
    here, there = socketpair()
    with here, there:
        try:
            raise error
        except ParseException as met:
            worker.handle_error(None, here, ("203.0.113.7", 4711), met)
        worker.log.exception("Error handling request %s %s", "GET", SENT.split()[1])
        worker.log.warning("Something %s else", "quite")
    assert [line["event"] for line in lines()] == [
        f"Invalid request: {type(error).__name__}",
        "Error handling request",
        "Something quite else",
    ]


def test_of_an_error_of_the_database_the_code_is_told():
    class Refused(Exception):
        sqlstate = "23505"

    error = IntegrityError("INSERT", {"name": "Jo Tran"}, Refused("Key (name)=(Jo Tran) exists."))
    told = frames((type(error), error, None))
    assert told.endswith("IntegrityError")
    error.__cause__ = error.orig
    assert "Refused 23505" in frames((type(error), error, None))
    assert "Tran" not in frames((type(error), error, None))


@pytest.mark.parametrize("prefix", PREFIXES)
def test_every_sort_of_token_is_masked_wherever_it_stands(prefix):
    token = new_token(prefix)
    assert token.partition("_")[2] not in mask(f"GET /x/{token}?t={token} '{token}'")
    line = dict.fromkeys(FIELDS, token) | {"facts": {"tokens": [token, {"a": token}]}}
    assert token.partition("_")[2] not in json.dumps(declared(None, "info", line))


@pytest.mark.parametrize("ends", ["", "?lang=en", "/", "/stop"])
@pytest.mark.parametrize("path", sorted(set(LINK_PATHS.values())))
def test_what_stands_for_a_token_in_a_path_is_masked_whatever_it_is(path, ends):
    masked = mask(f"Error handling request {path}not-one-of-ours{ends}")
    assert "not-one-of-ours" not in masked
    assert path in masked


@pytest.mark.parametrize(
    "text",
    [
        "lead_opened",
        "request_running_elsewhere",
        "session_lifetime",
        "0192f3c1-7d2e-7c3b-9c37-6f3f7c1a2b3c",
        "workers.jobs.match_leads",
        "GET /api/v1/portal/invitations",
        'connection to server at "127.0.0.1", port 5432 failed',
        "2026-11-30T13:05:07Z",
        "took 0.512345678 s",
    ],
)
def test_what_is_no_secret_stays_readable(text):
    assert mask(text) == text


def test_what_a_library_does_every_time_it_is_asked_is_not_a_line(lines):
    logging.getLogger("alembic.runtime.migration").info("Context impl PostgresqlImpl.")
    logging.getLogger("alembic.runtime.migration").warning("something is amiss")
    assert [line["event"] for line in lines()] == ["something is amiss"]


NAMES = st.sampled_from(["Mia Ferrante", "Jo Tran", "Ørsted A/S", "李 雷", "O'Brien & Søns"])
PHONES = st.sampled_from(["+61 2 5550 1234", "(02) 5550 1234", "0255501234", "+44 20 7946 0958"])
ADDRESSES = st.sampled_from(["mia@kestrel.example", "jo.tran+iso@sub.acme.example"])
TOKENS = st.builds(
    lambda prefix, seed: (
        f"{prefix}_{''.join(random.Random(seed).choices(string.ascii_letters, k=32))}"
    ),
    st.sampled_from([str(each) for each in PREFIXES]),
    st.integers(0, 99),
)
WRAPPED = (lambda x: x, lambda x: [x], lambda x: {"a": x}, lambda x: {x: 1}, lambda x: (x, {x}))


class Holder:
    """Something that would tell all it knows, if it were asked."""

    def __init__(self, known):
        self.known = known

    def __repr__(self):
        return f"Holder({self.known})"

    __str__ = __repr__


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    planted=st.one_of(NAMES, PHONES, ADDRESSES, TOKENS),
    wrap=st.sampled_from([*WRAPPED, Holder]),
    other=st.text(string.ascii_lowercase, min_size=1, max_size=8),
)
def test_whatever_is_planted_anywhere_is_in_no_line(lines, planted, wrap, other):
    log = structlog.get_logger("marketplace.test")
    before = len(lines())
    for name in [*(n for n in FIELDS if n not in FREE), "some_id", f"_{other}x", f"x{other}"]:
        if name not in ("level", "logger", "event", "exception"):
            log.warning("planted", **{name.lstrip("_"): wrap(planted)})
    try:
        raise RuntimeError(wrap(planted), planted) from ValueError(planted)
    except RuntimeError as error:
        error.add_note(planted)
        log.error("fault", exc_info=error, known=error)
        logging.getLogger("rq.worker").exception("failed")
    written = json.dumps(lines()[before:], ensure_ascii=False)
    assert planted not in written
    assert planted.partition("_")[2] not in written or "_" not in planted


@settings(max_examples=60, deadline=None)
@given(
    planted=st.one_of(PHONES, ADDRESSES, TOKENS),
    around=st.tuples(*[st.sampled_from(["", " ", ": ", "'", '"', "(", ", ", "\n", "<", "="])] * 2),
    field=st.sampled_from(FREE),
)
def test_what_can_be_recognized_is_masked_in_free_text(planted, around, field):
    said = around[0] + planted + around[1]
    assert planted not in json.dumps(declared(None, "info", {field: said, "event": said}))


@pytest.mark.parametrize(
    "hostile",
    [
        'x\n{"event": "forged"}',
        "x\r\n2026-11-30 INFO forged",
        "\x1b[2J\x1b[31mred",
        "\u202egnp.exe",
        "\u2066x\u2069",
        "x\u2028y\u2029z",
        "\x00\x07\x7f\x9b",
        "\ud800",
    ],
)
def test_nothing_that_is_said_can_end_a_line_or_move_a_cursor(written, monkeypatch, hostile):
    # Without pytest's own: it sends on what it hears, and half a surrogate pair cannot be sent.
    monkeypatch.setattr(logging.getLogger(), "handlers", logging.getLogger().handlers[:1])
    structlog.get_logger("t").info(hostile, reason=hostile, method=hostile)
    logging.getLogger("rq.worker").warning("%s", hostile)
    assert written.getvalue().count("\n") == 2
    assert all(32 <= ord(sign) < 127 or sign == "\n" for sign in written.getvalue())
    assert all(json.loads(line)["event"] for line in written.getvalue().splitlines())


def log_calls():
    """Yield every call of a logger in the product: where, its words, and its fields."""
    for room in ("marketplace", "workers", "config"):
        for path in (ROOT / room).rglob("*.py"):
            code = path.read_text()
            for node in ast.walk(ast.parse(code)) if "log." in code else ():
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Attribute)
                    and node.func.attr in ("debug", "info", "warning", "error", "exception")
                    and isinstance(node.func.value, ast.Name)
                    and node.func.value.id == "log"
                ):
                    yield f"{path.name}:{node.lineno}", node.args, node.keywords


def test_every_line_of_ours_has_constant_words_and_declared_fields():
    found = list(log_calls())
    assert len(found) > 20
    for where, args, keywords in found:
        assert isinstance(args[0], ast.Constant), where
        for each in keywords:
            known = each.arg in (*FIELDS, "exc_info", None) or each.arg.endswith("_id")
            assert known, (where, each.arg)


PERSONAL = {
    "address", "body", "company_name", "contact", "contact_email", "contact_name", "contact_phone",
    "content", "data", "email", "emails", "html", "phone", "recipient", "request_token", "secret",
    "set_password_token", "stop_url", "token", "totp_address", "typed", "values", "website",
}  # fmt: skip
"""Names of what identifies somebody or opens something, wherever a class has such a field."""

SHOWN = {"History", "Happened", "Sample", "Shown", "_About"}
"""Classes whose fields of such names hold something else: what a page shows of the audit log,
and what is invented."""


def test_nothing_that_holds_something_personal_tells_it_when_it_is_printed():
    looked_at = 0
    tracing.library()  # what makes spans cannot be imported by itself
    for found in pkgutil.walk_packages(marketplace.__path__, "marketplace."):
        if any(part in found.name for part in ("migrations", "confine", "pdf_look", "typeset")):
            continue
        module = importlib.import_module(found.name)
        for name, kind in inspect.getmembers(module, inspect.isclass):
            if not dataclasses.is_dataclass(kind) or kind.__module__ != module.__name__:
                continue
            held = {each.name for each in dataclasses.fields(kind) if each.repr} & PERSONAL
            if held and name not in SHOWN:
                assert kind.__repr__ is object.__repr__, (kind, held)
            looked_at += 1
    assert looked_at > 100


def test_a_row_is_printed_without_its_values():
    lead = Lead(company_name="Kestrel Joinery", contact_email="mia@kestrel.example")
    assert "estrel" not in repr(lead)
    assert all(mapper.class_.__repr__ is object.__repr__ for mapper in Base.registry.mappers)
