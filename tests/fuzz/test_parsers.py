"""Whatever reads outside text: refuses in its own words or takes, and never falls over."""

import csv
import io
import json
import string
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from email_validator import validate_email
from hypothesis import assume, given
from hypothesis import strategies as st
from marshmallow import ValidationError

from config.settings import PREFIX, Settings, SettingsError
from marketplace.core import identity
from marketplace.core.actors import OPERATOR
from marketplace.core.errors import Invalid
from marketplace.core.pdfs import why_no_pdf
from marketplace.leads import signals
from marketplace.matching.simulation.policy_files import FIELDS, read_policy
from marketplace.notifications import reports
from marketplace.providers import lines
from marketplace.providers.cells import COLUMNS, FURTHER_COLUMNS, read_row
from marketplace.providers.exporting import export_providers
from marketplace.providers.importing import _reference, import_providers
from marketplace.web import paging
from marketplace.web.fields import In, is_plain_address
from marketplace.web.requests import load, parsed_json
from tests.fuzz.sizes import LONG, generated
from tests.pdfs import a_pdf
from tests.services.test_import_providers import BODY, CONSULTANT

NASTY = [
    "", " ", "\x00", "a\x00b", "\ufeff", "\u202e", "\ud800", "é", "e\u0301", "\u0661", "²", "Ⅷ",
    "=1+1", "+cmd|' /C calc'!A0", "@SUM(1)", "-2+3", "\t=1", "\r=1", "|", "||||", ";;;", ",", '"',
    '""', "'", "\\", "\n", "\r\n", "a\nb", "1e999", "-1", "9" * 400, "0x10", "NaN", "null", "[]",
    "../../etc/passwd", "%00", "${jndi:ldap://x.example}", "{{7*7}}", "x" * 70_000, "👩‍🔬" * 50,
    "PT0S", "P1Y", "-PT1H", "PT1H" * 100, "P99999999999D", "2026-02-30", "0000-00-00", "9999-12-31",
    "10000-01-01",
    "\uff12\uff10\uff12\uff16-01-01", "1,000", "1.005", "١٢٣", "AU", "ISO 9001", "51 824 753 556",
]  # fmt: skip

TEXTS = st.one_of(
    st.sampled_from(NASTY), st.text(max_size=60), st.text(st.characters(), max_size=8)
)

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([10**400, -(10**30), 1e308, float("inf"), -0.0, 0.5, 1.25]),
    st.floats(allow_nan=False),
    TEXTS,
)

JSON = st.recursive(
    SCALARS,
    lambda below: st.one_of(
        st.lists(below, max_size=4),
        st.dictionaries(TEXTS.filter(lambda t: len(t) < 99), below, max_size=4),
    ),
    max_leaves=8,
)


def refusal(declared: type[Exception], call: Callable[[], Any]) -> Any:
    """Return the declared refusal that a call ends in, or None where it took what it was given."""
    try:
        call()
    except declared as refused:
        return refused
    return None


def schemas() -> list[type[In]]:
    """Return every schema by which something that comes in is read."""
    found, waiting = [], [In]
    while waiting:
        for each in waiting.pop().__subclasses__():
            if each not in found and each.__module__.startswith("marketplace."):
                found.append(each)
                waiting.append(each)
    return sorted(found, key=lambda each: (each.__module__, each.__name__))


def test_every_field_of_every_schema_takes_or_refuses_whatever_json_there_is(counted, app):
    every = [schema() for schema in schemas()]
    names = [
        (schema, each.data_key or name) for schema in every for name, each in schema.fields.items()
    ]
    counted["fields"] = len(names)

    @generated(40)
    @given(which=st.integers(0, len(names) - 1), values=st.lists(JSON, min_size=6, max_size=6))
    def try_them(which, values):
        for number, value in enumerate(values):
            schema, name = names[(which + number * 37) % len(names)]
            counted["values"] += 1
            form = load(schema, {name: value})
            # What is wrong is said of it, or below it, or of what is missing beside it.
            assert all(isinstance(each.pointer, str) and each.detail for each in form.problems)
        counted["bodies"] += 1
        schema, _ = names[which]
        load(schema, values[0])
        load(
            schema,
            {
                (each.data_key or n): values[k % 6]
                for k, (n, each) in enumerate(schema.fields.items())
            },
        )

    with app.test_request_context():
        try_them()


@generated(30)
@given(
    raw=st.one_of(
        TEXTS,
        JSON.map(lambda value: json.dumps(value)),
        st.text('[]{}":,0123456789eE+-.ntfu\\ ', max_size=40),
    )
)
def test_json_is_read_as_the_library_reads_it_or_refused(raw):
    try:
        ours = parsed_json(raw)
    except ValueError:
        return
    assert ours == json.loads(raw)


SETTING = sorted(
    {
        "DATABASE_URL", "REDIS_URL", "SECRET_KEY", "PUBLIC_URL", *(
            name.upper() for name in Settings.__dataclass_fields__
        ),
    }
)  # fmt: skip


@generated(30)
@given(env=st.dictionaries(st.sampled_from(SETTING), TEXTS, max_size=8))
def test_settings_are_taken_or_all_that_is_wrong_is_named(env):
    given_ = {PREFIX + name: value for name, value in env.items()}
    refused = refusal(SettingsError, lambda: Settings.from_env(given_))
    # A secret is not repeated where it is said to be wrong.
    secret = env.get("SECRET_KEY", "")
    assert len(secret) < 8 or not secret.isalnum() or secret not in str(refused)


COUNTRIES = ["AU", "NZ", "DE", "GB", "US", "FR", "IN", "ZZ", "", "\x00"]


@generated(30)
@given(
    country=st.sampled_from(COUNTRIES),
    number=st.one_of(TEXTS, st.text("0123456789 -./ABNCZ", max_size=24)),
)
def test_a_registration_number_is_normal_or_refused_and_normal_for_good(country, number):
    try:
        found = identity.normal_number(country, number)
    except ValueError:
        assert refusal(ValueError, lambda: identity.legal_entity(country, number))
        return
    assert found == identity.normal_number(country, found)
    assert identity.legal_entity(country, number) == identity.legal_entity(country, found)


@generated(20)
@given(body=JSON)
def test_reports_of_the_mail_service_are_passed_over_or_read(body):
    entries = body if isinstance(body, list) else [body]
    known = {"notification_id": str(UUID(int=1)), "event": body, "status": body, "timestamp": body}
    found = reports.reports_in([*entries, known, {**known, "type": body}])
    assert all(isinstance(each.at, int) and len(each.code) <= 20 for each in found)


@generated(30)
@given(text=st.one_of(TEXTS, st.text(string.ascii_letters + string.digits + "-_=", max_size=40)))
def test_a_cursor_is_read_or_refused(text):
    for each in (paging.Cursor(), paging.CursorOf(int, Decimal, str), paging.CursorOf(UUID)):
        refused = refusal(ValidationError, lambda each=each: each.deserialize(text))
        assert refused is None or "cursor" in str(refused)


@generated(15)
@given(
    given_=st.dictionaries(
        st.one_of(
            st.sampled_from(sorted(FIELDS)), st.text(string.ascii_lowercase, min_size=1, max_size=9)
        ),
        TEXTS,
        max_size=4,
    ),
    raw=st.one_of(TEXTS, st.text("[]{}=\"'.,#\n0123456789abc", max_size=40)),
)
def test_a_policy_file_is_taken_or_all_that_is_wrong_is_named(
    tmp_path_factory, ctx_policy, given_, raw
):
    path = tmp_path_factory.getbasetemp() / "policy.toml"
    written = "\n".join(f"{name} = {json.dumps(value)}" for name, value in given_.items())
    for text in (written, raw, f"places = {raw}"):
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        refused = refusal(Invalid, lambda: read_policy(path, ctx_policy))
        assert refused is None or refused.errors


@pytest.fixture(scope="module")
def ctx_policy(installation):
    return installation.ctx.policy


@generated(20)
@given(phone=TEXTS, country=st.sampled_from(COUNTRIES))
def test_a_telephone_number_is_possible_or_not(phone, country):
    number = signals._number(phone, country)
    assert signals._is_elsewhere(number, country) in (True, False)


_PARTS = st.text(string.ascii_letters + string.digits + "..@@--+_", max_size=12)
_ENDS = st.sampled_from(["works.example", "a-b.example", "xn--a.example", "ab--c.de", "x.test",
                         "x.invalid", "localhost", "a" * 63 + ".de", "a" * 64 + ".de", "x.1a",
                         "b." * 120 + "example", "xy..de", "-x.de", "x-.de", ""])  # fmt: skip


@generated(60)
@given(local=_PARTS | st.just("a" * 64) | st.just("a" * 65), middle=_PARTS, end=_ENDS)
def test_what_passes_for_a_plain_address_is_one_and_the_same(local, middle, end):
    for text in (f"{local}@{end}", f"{local}@{middle}.{end}", f"{local}.{middle}@{end}"):
        if is_plain_address(text):
            checked = validate_email(
                text, check_deliverability=False, test_environment=True, strict=True
            )
            assert checked.normalized.lower() == text.lower()


def test_nearly_every_address_is_plain():
    for text in ("jo@acme.com.au", "Jo.Tran+iso@Acme-Works.example", "x_1@sub.a2b.example"):
        assert is_plain_address(text), text


GOOD = a_pdf()


@generated(2)
@given(
    places=st.lists(
        st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), min_size=1, max_size=12
    )
)
def test_a_broken_pdf_is_a_pdf_or_told_why_it_is_none(places):
    broken = bytearray(GOOD)
    for place, value in places:
        broken[place] = value
    said = why_no_pdf(bytes(broken), memory=512 * 1024 * 1024, seconds=5)
    assert said is None or said.startswith("must ")


# Files of providers


@pytest.fixture(scope="module")
def reference(installation):
    with installation.app.app_context(), installation.ctx.reading() as session:
        return _reference(session)


CELLS = st.one_of(
    TEXTS,
    st.sampled_from([*CONSULTANT.values(), *BODY.values()]),
    st.lists(
        st.sampled_from(
            ["JASANZ", "S-1", "ISO 9001:2026", "ISO 9001", "2028-12-31", "17,28", "", "x"]
        ),
        max_size=6,
    ).map("|".join),
    st.lists(
        st.sampled_from(["AU", "AU-NSW", "NZ", "17", "ISO 9001", "", "zz", "de"]), max_size=6
    ).map(";".join),
)

WHOLE = (*COLUMNS, *FURTHER_COLUMNS)


@generated(40)
@given(cells=st.dictionaries(st.sampled_from(WHOLE), CELLS))
def test_a_row_of_a_file_is_read_or_each_wrong_cell_is_named(reference, cells):
    row = read_row({**CONSULTANT, **cells}, reference)
    for column, said in row.problems:
        assert column in WHOLE
        assert said
        assert len(said) < 400
    assert all(1 <= len(each.body) <= 60 for each in row.accreditations)


@generated(30)
@given(
    raw=st.one_of(
        st.binary(max_size=200),
        st.text('",;\n\r\t\x00é"\ufeff=ab', max_size=60).map(lambda t: t.encode()),
    )
)
def test_a_file_is_read_line_by_line_and_every_line_that_cannot_be_is_named(raw):
    found = list(lines.read_lines(io.BytesIO(raw)))
    numbers = [line.number for line in found]
    assert numbers == sorted(set(numbers))
    for line in found:
        assert line.problem is None or line.cells == []
        assert line.bytes_read <= len(raw)


HOSTILE_FILES = [
    b"", b"\n", b"\xef\xbb\xbf", b"\xff\xfen\x00a\x00", b"\x00" * 1000, b"\x80\x81", b'"',
    b'name,"kind\n', b"name;kind;country\n", b"name\n" * 3, b"," * 100_000, b"a" * 3_000_000,
    b"PK\x03\x04" + b"\x00" * 99, b"%PDF-1.7\n", b"<html>", b'""\r\n""\r\n', b"name,name\n1,2\n",
]  # fmt: skip


def file_of(rows: list[dict[str, Any]]) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, WHOLE, restval="")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode("utf-8", "surrogatepass")


def test_whole_files_are_taken_or_every_bad_row_is_named_and_nothing_is_kept(
    ctx, tmp_path, counted
):
    path = tmp_path / "providers.csv"

    def take(raw: bytes) -> Any:
        path.write_bytes(raw)
        counted["files"] += 1
        return import_providers(ctx, OPERATOR, path, verified=True)

    for raw in HOSTILE_FILES if LONG else HOSTILE_FILES[::3]:
        assert take(raw).problems, raw[:40]

    @generated(2)
    @given(
        rows=st.lists(
            st.dictionaries(st.sampled_from(WHOLE), CELLS, min_size=1), min_size=1, max_size=4
        )
    )
    def several(rows):
        whole = [{**CONSULTANT, "languages": "", "weeks_to_start": "", **row} for row in rows]
        raw = file_of(whole)
        report = take(raw)
        wrong = {problem.line for problem in report.problems if problem.column is not None}
        # A cell with a line break is no row: then other lines are named than there are rows.
        if not any("\n" in str(v) or "\r" in str(v) for row in whole for v in row.values()):
            assert wrong <= set(range(2, len(rows) + 2))
        assert report.problems or report.rows == len(rows)

    several()


def test_what_is_exported_comes_in_again_and_changes_nothing(ctx, tmp_path, counted):
    path = tmp_path / "providers.csv"
    names = [
        "=HYPERLINK(1)",
        "+1 Ltd",
        "-1 & Co",
        "@SUM Pty",
        "\uff1d1 Ltd",
        "''=1 Ltd",  # as it is shown: an apostrophe belongs to the name
        "'Quoted' Ltd",
        'The "Best", Ltd',
        "Größe; Söhne",
        "株式会社",
        "O'Neil|Co",
    ]
    rows = [
        {
            **CONSULTANT,
            "name": name,
            "registration_number": "",
            "email": f"kim@p{n}.example",
            "contact_name": f"={n}",
            "phone": "+61 2 5550 1234",
            "website": f"p{n}.example",
        }
        for n, name in enumerate(names)
    ]
    path.write_bytes(file_of(rows))
    first = import_providers(ctx, OPERATOR, path, verified=True)
    assert [str(problem) for problem in first.problems] == []

    out = io.StringIO(newline="")
    assert export_providers(ctx, OPERATOR, out) == len(names)
    rows_out = list(csv.DictReader(io.StringIO(out.getvalue(), newline="")))
    assert [row["name"] for row in rows_out] == [*(f"'{name}" for name in names[:5]), *names[5:]]
    assert {row["contact_name"][:2] for row in rows_out} == {"'="}
    assert {row["phone"] for row in rows_out} == {"+61 2 5550 1234"}
    path.write_text(out.getvalue(), encoding="utf-8", newline="")
    again = import_providers(ctx, OPERATOR, path, verified=True)
    assert not again.problems
    assert (again.created, again.changed, again.unchanged) == (0, 0, len(names))
    second = io.StringIO(newline="")
    export_providers(ctx, OPERATOR, second)
    assert second.getvalue() == out.getvalue()
    counted["rows out and in again"] = len(names)


# What headers say


HEADERS = [
    "Idempotency-Key",
    "X-Request-Id",
    "Accept-Language",
    "Accept",
    "If-None-Match",
    "Authorization",
    "User-Agent",
    "Referer",
    "Origin",
    "X-Forwarded-For",
    "Accept-Encoding",
    "Cookie",
    "Sec-Fetch-Site",
    "Content-Type",
    "Range",
    "If-Modified-Since",
]


def test_a_header_of_any_content_is_no_fault_and_comes_back_in_none(client, counted):
    paths = [
        ("GET", "/"),
        ("GET", "/api/v1/catalogue"),
        ("POST", "/api/v1/leads"),
        ("POST", "/sign-in"),
        ("GET", "/nowhere"),
        ("GET", "/embed"),
    ]

    @generated(15)
    @given(
        name=st.sampled_from(HEADERS),
        value=st.one_of(
            TEXTS.filter(lambda t: len(t) < 5000), st.text('=;,*q0.1-enAUde"', max_size=30)
        ),
        where=st.sampled_from(paths),
    )
    def header(name, value, where):
        sent = value.encode("utf-8", "surrogatepass").decode("latin-1")
        assume("\n" not in sent and "\r" not in sent)  # no server lets those through
        method, path = where
        answer = client.open(path, method=method, headers={name: sent})
        counted["headers"] += 1
        assert answer.status_code < 500, (name, value, answer.text)
        if len(value) > 20 and not value.isalnum():
            assert not any(sent in each for each in answer.headers.values()), (name, value)

    header()
