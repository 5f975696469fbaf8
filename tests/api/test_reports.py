"""Reports, statements and the waiting queue over HTTP."""

import csv
import io
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from marshmallow import Schema, fields

from marketplace.core.db import new_id
from marketplace.invitations import questions
from marketplace.invitations import service as invitations
from marketplace.matching import service as matching
from marketplace.web.paging import cursor, cursor_of
from marketplace.web.reporting import csv_answer
from tests.api.bad_values import pointers
from tests.api.doors import admin_door, business_door, invitations_of, provider_door, software_door
from tests.factories import ADMIN, person_of
from tests.services.road import a_quote, held

REPORTS = "/api/v1/admin/reports"
WAITING = "/api/v1/admin/waiting-leads"
STATEMENT = "/api/v1/portal/statement"


@pytest.fixture
def admin(ctx):
    return admin_door(ctx)


@pytest.fixture
def get(client, admin):
    def get(path, who=None):
        return client.get(path, headers=admin if who is None else who)

    return get


def table_of(answer):
    assert answer.status_code == 200, answer.json
    assert answer.mimetype == "text/csv"
    return list(csv.DictReader(io.StringIO(answer.text, newline="")))


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20"])
def test_no_cell_begins_as_a_formula_does(app, sign):
    rows = [SimpleNamespace(name=f"{sign}1+1", n=-1)]
    schema = Schema.from_dict({"name": fields.String(), "n": fields.Integer()})()
    with app.test_request_context():
        answer = csv_answer("names", schema, rows, beside={})
    (row,) = csv.DictReader(io.StringIO(answer.get_data(as_text=True), newline=""))
    assert row == {"name": f"'{sign}1+1", "n": "-1"}


def test_the_coverage_report(get, make):
    make.provider()
    make.matched_lead()
    answer = get(f"{REPORTS}/coverage").json
    assert answer == {
        "from": "2026-08-25T09:00:00Z",
        "until": "2026-11-23T09:00:00Z",
        "n": 1,
        "providers": 1,
        "items": [
            {
                "standard": "ISO 9001",
                "region": "AU-NSW",
                "kind": "consultant",
                "providers": 1,
                "remote_providers": 0,
                "n": 1,
                "with_empty_place": 1,
                "share_with_empty_place": 1.0,
            },
            *answer["items"][1:],
        ],
        "next": None,
    }
    assert {(each["n"], each["share_with_empty_place"]) for each in answer["items"][1:]} == {
        (0, None)
    }


def test_the_fairness_report(get, make):
    providers = [make.provider(), make.provider()]
    make.matched_lead()
    answer = get(f"{REPORTS}/fairness?month=2026-11").json
    assert (answer["from"], answer["until"]) == ("2026-11-01T00:00:00Z", "2026-11-23T09:00:00Z")
    assert answer["n"] == 2
    assert answer["gini"] == {"value": 0.0, "n": 2}
    assert answer["absolute_difference"] == {"mean": 0.0, "max": 0.0, "n": 2}
    assert answer["next"] is None
    ids = sorted(str(each.id) for each in providers)
    assert [each["provider_id"] for each in answer["items"]] == ids
    assert answer["items"][0] == {
        "provider_id": ids[0],
        "name": "Consultant Number 1",
        "kind": "consultant",
        "joined_at": "2026-11-23T09:00:00Z",
        "newcomer": True,
        "eligible": 1,
        "entitled": 1.0,
        "invited": 1,
        "by_hand": 0,
        "turns_given_back": 0,
        "difference": 0.0,
        "balance": 0.0,
        "answered": 0.0,
        "missed": 0.0,
        "weight": 1.0,
    }


@pytest.mark.parametrize("report", ["coverage", "fairness"])
def test_a_table_has_every_row_of_the_report_and_its_period(get, make, report):
    for _ in range(3):
        make.provider()
    make.matched_lead()
    first = get(f"{REPORTS}/{report}").json
    answer = get(f"{REPORTS}/{report}?format=csv&limit=1")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8; header=present"
    name = f"{report}_{first['from'][:10]}_2026-11-23.csv"
    assert answer.headers["Content-Disposition"] == f"attachment; filename={name}"
    assert answer.text.count("\r\n") == answer.text.count("\n") == len(first["items"]) + 1
    beside = {"from": first["from"], "until": first["until"]}
    assert table_of(answer) == [written(each) | beside for each in first["items"]]
    assert list(table_of(answer)[0]) == [*first["items"][0], "from", "until"]


def test_the_commitment_report(get, ctx, make, clock):
    provider = make.provider()
    lead = make.matched_lead()
    clock.advance(hours=2)
    (invitation,) = invitations_of(make, lead)
    questions.ask_question(ctx, person_of(provider.id), invitation.id, text="How many shifts?")
    figures = {
        "n": 1,
        "met": 1,
        "missed": 0,
        "share_met": 1.0,
        "ended": 0,
        "responses": 1,
        "median_hours": 2.0,
        "p90_hours": 2.0,
    }
    groups = [
        ("week", "2026-11-23", "2026-11-23"),
        ("standard", "ISO 9001", "ISO 9001"),
        ("region", "AU-NSW", "New South Wales"),
        ("provider", str(provider.id), "Consultant Number 1"),
    ]
    items = [{"by": by, "key": key, "name": name, **figures} for by, key, name in groups]
    total = {"by": "all", "key": "", "name": "", **figures}
    whole = {
        "from": "2026-08-25T11:00:00Z",
        "until": "2026-11-23T11:00:00Z",
        "n": 1,
        "total": total,
        "items": items,
        "next": None,
    }
    path = f"{REPORTS}/commitment"
    assert get(path).json == whole
    assert get(f"{path}?by=region").json == {**whole, "items": items[2:3]}
    assert get(f"{path}?since=2026-11-23T10:00:00Z&until=2027-01-01T00:00:00Z").json == {
        **whole,
        "from": "2026-11-23T10:00:00Z",
    }
    assert get(f"{path}?by=all").json == {**whole, "items": []}
    assert get(f"{path}?since=0001-01-01T00:00:00%2B14:00").json == {
        **whole,
        "from": "2000-01-01T00:00:00Z",
    }
    nothing = get(f"{path}?until=2026-11-23T11:00:00%2B00:30").json
    assert (nothing["n"], nothing["items"], nothing["total"]["share_met"]) == (0, [], None)
    beside = {"from": whole["from"], "until": whole["until"]}
    table = get(f"{path}?format=csv&limit=1")
    assert table_of(table) == [written(each) | beside for each in (total, *items)]
    name = "commitment_2026-08-25_2026-11-23.csv"
    assert table.headers["Content-Disposition"] == f"attachment; filename={name}"
    paged, following = [], ""
    while following is not None:
        part = get(f"{path}?limit=1{following}").json
        paged += part["items"]
        following = part["next"] and f"&after={part['next']}"
        assert part["total"] == total
    assert paged == items


def test_the_ranges_of_quotes(get, ctx, make):
    for fee in range(1000, 6000, 1000):
        lead, provider = make.lead(), make.provider()
        matching.invite_by_hand(ctx, ADMIN, lead.id, provider.id, why="the business asked")
        a_quote(ctx, held(make, lead)[0], f"{fee}.00", travel="0.00")
    answer = get(f"{REPORTS}/quotes").json
    cell = {
        "kind": "consulting",
        "currency": "AUD",
        "standards": "ISO 9001",
        "country": "AU",
        "size": None,
        "region": None,
        "n": 5,
        "providers": 5,
    }
    ranges = {
        "total": ("2000.00", "3000.00", "4000.00"),
        "per_day": ("400.00", "600.00", "800.00"),
        "work_days": ("5.00", "5.00", "5.00"),
    }
    items = [
        {
            **cell,
            **where,
            "measure": measure,
            **dict(zip(("lower", "median", "upper"), quartiles, strict=True)),
            "left_out": 0 if measure == "total" else None,
        }
        for where in ({}, {"size": "26-65"}, {"size": "26-65", "region": "AU-NSW"})
        for measure, quartiles in ranges.items()
    ]
    assert answer == {
        "from": "2026-08-25T00:00:00Z",
        "until": "2026-11-23T09:00:00Z",
        "n": 5,
        "quotes_at_least": 5,
        "providers_at_least": 5,
        "items": items,
        "next": None,
    }
    same = get(f"{REPORTS}/quotes?from=2026-11-23&until=2026-11-23").json
    assert same == {**answer, "from": "2026-11-23T00:00:00Z"}
    nothing = get(f"{REPORTS}/quotes?until=2026-11-22").json
    assert (nothing["n"], nothing["items"]) == (0, [])
    table = get(f"{REPORTS}/quotes?format=csv&limit=1")
    beside = {"from": answer["from"], "until": answer["until"]}
    assert table_of(table) == [written(each) | beside for each in items]
    paged, following = [], ""
    while following is not None:
        part = get(f"{REPORTS}/quotes?limit=2{following}").json
        paged += part["items"]
        following = part["next"] and f"&after={part['next']}"
    assert paged == items


def written(row):
    said = {None: "", True: "yes", False: "no"}
    return {
        name: said[value] if value is None or isinstance(value, bool) else str(value)
        for name, value in row.items()
    }


def test_a_name_that_a_spreadsheet_would_run_is_a_text_there(get, make):
    names = [f'{sign}HYPERLINK("https://evil.example", "Quotes, please")' for sign in "=+-@\t\r\n"]
    for name in (*names, "Harmless = + - @"):
        make.provider(name=name)
        make.matched_lead()
    rows = table_of(get(f"{REPORTS}/fairness?format=csv"))
    assert {row["name"] for row in rows} == {"Harmless = + - @", *(f"'{name}" for name in names)}
    items = get(f"{REPORTS}/fairness").json["items"]
    assert {item["name"] for item in items} == {"Harmless = + - @", *names}


def test_a_number_below_zero_stays_a_number(get, ctx, make):
    lead = make.lead()
    provider, _ = make.provider(), make.provider()
    matching.invite_by_hand(ctx, ADMIN, lead.id, provider.id, why="the business asked")
    rows = table_of(get(f"{REPORTS}/fairness?format=csv"))
    (row,) = (row for row in rows if row["provider_id"] == str(provider.id))
    assert (row["difference"], row["balance"]) == ("0.5", "-0.5")


@pytest.mark.parametrize("report", ["coverage", "fairness"])
def test_a_report_is_read_a_page_at_a_time(get, make, report):
    for _ in range(2):
        make.provider()
    make.matched_lead(standards=["ISO 9001", "ISO 14001"])
    whole = get(f"{REPORTS}/{report}").json
    assert len(whole["items"]) >= 2
    paged, path = [], f"{REPORTS}/{report}?limit=1"
    following = ""
    while following is not None:
        part = get(path + following).json
        paged += part["items"]
        following = part["next"] and f"&after={part['next']}"
        assert part["n"] == whole["n"]
    assert paged == whole["items"]


def test_where_nothing_has_happened_there_is_nothing(get):
    assert get(WAITING).json == {"items": [], "next": None}
    period = {"from": "2026-08-25T09:00:00Z", "until": "2026-11-23T09:00:00Z"}
    nothing = {"n": 0, "items": [], "next": None}
    assert get(f"{REPORTS}/coverage").json == {**nothing, **period, "providers": 0}
    assert get(f"{REPORTS}/fairness").json == {
        **nothing,
        **period,
        "from": "2026-08-01T00:00:00Z",
        "gini": {"value": None, "n": 0},
        "absolute_difference": {"mean": None, "max": None, "n": 0},
    }
    for report in ("coverage", "fairness"):
        assert table_of(get(f"{REPORTS}/{report}?format=csv")) == []


WRONG = [
    (f"{REPORTS}/fairness?month=2026-12", "/month"),
    (f"{REPORTS}/fairness?month=2026-13", "/month"),
    (f"{REPORTS}/fairness?months=0", "/months"),
    (f"{REPORTS}/fairness?months=13", "/months"),
    (f"{REPORTS}/fairness?months=x", "/months"),
    (f"{REPORTS}/fairness?month=2026-10&months=2", "/months"),
    (f"{REPORTS}/fairness?format=xlsx", "/format"),
    (f"{REPORTS}/fairness?after=x", "/after"),
    (f"{REPORTS}/fairness?limit=101", "/limit"),
    (f"{REPORTS}/commitment?since=2026-11-23T09:00:00Z", "/since"),
    (f"{REPORTS}/commitment?since=2026-11-20T00:00:00Z&until=2026-11-19T00:00:00Z", "/since"),
    (f"{REPORTS}/commitment?since=2026-11-20", "/since"),
    (f"{REPORTS}/commitment?until=2026-11-20T00:00:00", "/until"),
    (f"{REPORTS}/commitment?until=0001-01-01T00:00:00Z", "/since"),
    (f"{REPORTS}/commitment?by=country", "/by"),
    (f"{REPORTS}/quotes?from=2026-11-24", "/from"),
    (f"{REPORTS}/quotes?from=2026-11-02&until=2026-11-01", "/from"),
    (f"{REPORTS}/quotes?from=soon", "/from"),
    (f"{REPORTS}/quotes?until=20261101", "/until"),
    (f"{REPORTS}/quotes?format=pdf", "/format"),
    (f"{REPORTS}/quotes?after={cursor_of('consulting', 'AUD')}", "/after"),
    (f"{REPORTS}/commitment?format=pdf", "/format"),
    (f"{REPORTS}/commitment?after={cursor_of('country', 'AU')}", "/after"),
    (f"{REPORTS}/coverage?format=", "/format"),
    (f"{REPORTS}/coverage?after=x", "/after"),
    (f"{REPORTS}/coverage?after={cursor_of('ISO 9001', 'AU')}", "/after"),
    (f"{REPORTS}/coverage?after={cursor_of('a', 'b', 'c', 'd')}", "/after"),
    (f"{REPORTS}/coverage?after={cursor_of('ISO 9001', 'AU' + chr(0), 'c')}", "/after"),
    (f"{WAITING}?after=%ff", "/after"),
    (f"{WAITING}?after={cursor_of('soon', str(new_id()))}", "/after"),
    (f"{WAITING}?after={cursor_of('2026-11-23', str(new_id()))}", "/after"),
    (f"{WAITING}?after={cursor_of('2026-11-23T09:00:00Z', 'x')}", "/after"),
    (f"{WAITING}?limit=0", "/limit"),
]


def test_what_cannot_be_asked_is_named(get):
    for path, pointer in WRONG:
        assert pointers(get(path)) == {pointer}, path


def test_a_cursor_of_what_is_not_there_gives_an_empty_page(get):
    for path, words in (
        (f"{REPORTS}/coverage", ("ISO 1", "AU", "consultant")),
        (WAITING, ("0001-01-01T00:00:00+14:00", str(new_id()))),
        (WAITING, ("9999-12-31T23:59:59-12:00", str(new_id()))),
    ):
        answer = get(f"{path}?after={cursor_of(*words)}")
        assert (answer.status_code, answer.json.get("items")) == (200, []), answer.json
    assert get(f"{REPORTS}/fairness?after={cursor(new_id())}").json["items"] == []
    path = f"{REPORTS}/commitment?after={cursor_of('provider', str(new_id()))}"
    assert get(path).json["items"] == []


def test_the_waiting_queue(get, make, clock):
    make.provider()
    leads = [make.matched_lead(number=1), make.matched_lead(number=2)]
    clock.advance(hours=3)
    first = get(f"{WAITING}?limit=1").json
    assert first["items"] == [
        {
            "id": str(leads[0].id),
            "reference": leads[0].reference,
            "company_name": "Invented Works 1 Pty Ltd",
            "service": "consulting",
            "standards": ["ISO 9001"],
            "regions": ["AU-NSW"],
            "waiting_since": "2026-11-23T09:00:00Z",
            "waiting_seconds": 3 * 3600,
            "waiting_code": "too_few",
            "waiting_reason": "it takes 2 more fitting providers than there are",
            "empty_places": 2,
            "invitations": 1,
            "invitations_at_most": 9,
            "next_try_at": "2026-11-23T09:00:00Z",
        }
    ]
    second = get(f"{WAITING}?limit=1&after={first['next']}").json
    assert [each["id"] for each in second["items"]] == [str(leads[1].id)]
    assert second["next"] is None


def test_why_a_lead_waits_is_a_code_in_its_row_and_on_its_case(get, make):
    lead = make.matched_lead()
    (row,) = get("/api/v1/admin/leads").json["items"]
    case = get(f"/api/v1/admin/leads/{lead.id}").json
    (waiting,) = get(WAITING).json["items"]
    assert row["waiting_code"] == case["waiting_code"] == waiting["waiting_code"] == "kind"


# Statements


def test_a_provider_reads_its_own_statement_and_nobody_elses(get, ctx, make):
    provider = make.provider()
    (invitation,) = invitations_of(make, make.matched_lead())
    who = provider_door(ctx, provider)
    person = person_of(provider.id)
    invitations.decline_invitation(ctx, person, invitation.id, reason="no_capacity")
    expected = {
        "month": "2026-11",
        "from": "2026-11-01T00:00:00Z",
        "until": "2026-12-01T00:00:00Z",
        "eligible": 1,
        "entitled": 1.0,
        "invited": 1,
        "opened": 0,
        "answered": 1,
        "answered_in_time": 1,
        "declined": 1,
        "released": 0,
        "expired": 0,
        "won": 0,
        "turns_given_back": 0,
        "balance": 0.0,
        "balance_means": "You have had exactly your fair share of invitations so far.",
    }
    assert get(STATEMENT, who).json == expected
    assert get(f"{STATEMENT}?month=2026-11", software_door(ctx, provider)).json == expected
    other = get(f"{STATEMENT}?provider_id={provider.id}", provider_door(ctx, make.provider()))
    assert (other.status_code, other.json["invited"]) == (200, 0)


def test_a_statement_is_of_a_calendar_month_in_utc(get, ctx, make, clock):
    provider = make.provider()
    clock.now = datetime(2026, 11, 30, 23, 59, 59, 999999, tzinfo=UTC)
    make.matched_lead()
    clock.now = datetime(2026, 12, 1, tzinfo=UTC)
    for _ in range(2):
        make.matched_lead()
    who = provider_door(ctx, provider)
    for month, invited in (("2026-11", 1), ("2026-12", 2), ("2026-10", 0)):
        found = get(f"{STATEMENT}?month={month}", who).json
        assert (found["month"], found["invited"], found["eligible"]) == (month, invited, invited)


def test_a_month_that_is_none_or_has_not_begun_is_refused(get, ctx, make):
    who = provider_door(ctx, make.provider())
    for month in (
        "2026-12", "9999-12", "0000-01", "2026-00", "2026-13", "2026-1", "2026-11-01", "26-11",
        "", "now", "%D9%A2026-11", "2026-11%00", " 2026-11",
    ):  # fmt: skip
        assert pointers(get(f"{STATEMENT}?month={month}", who)) == {"/month"}, month
    assert get(f"{STATEMENT}?month=0001-01", who).json["invited"] == 0


# Who may


def test_reports_are_for_administrators_and_statements_for_providers(get, client, ctx, make):
    provider = make.provider()
    business = business_door(ctx, make.lead())
    portal = (provider_door(ctx, provider), software_door(ctx, provider))
    reports = ("commitment", "coverage", "fairness", "quotes")
    for path in (*(f"{REPORTS}/{report}" for report in reports), WAITING):
        assert client.get(path).status_code == 401
        assert client.get(f"{path}?format=csv").status_code == 401
        for who in (business, *portal):
            assert get(f"{path}?format=csv", who).status_code == 403
    assert client.get(STATEMENT).status_code == 401
    assert get(STATEMENT, business).status_code == 403
    assert get(STATEMENT).status_code == 403  # an administrator


def test_the_documentation_says_that_there_is_a_table(client):
    paths = client.get("/api/openapi.json").json["paths"]
    for report in ("commitment", "coverage", "fairness", "quotes"):
        operation = paths[f"{REPORTS}/{report}"]["get"]
        content = operation["responses"]["200"]["content"]
        assert content["text/csv"] == {"schema": {"type": "string"}}
        assert content["application/json"]["schema"]["$ref"].startswith("#/components/schemas/")
        (choice,) = [each for each in operation["parameters"] if each["name"] == "format"]
        assert choice["schema"]["enum"] == ["json", "csv"]


def test_the_funnel_counts_how_far_leads_have_come(ctx, client, make):
    make.provider()
    lead = make.matched_lead()
    a_quote(ctx, held(make, lead)[0])
    make.lead(standards=["ISO 50001"])
    found = client.get("/api/v1/admin/reports/funnel", headers=admin_door(ctx))
    assert found.status_code == 200
    body = found.json
    assert body["n"] == 2
    assert {each["step"]: each["n"] for each in body["items"]} == {
        "sent": 2, "confirmed": 2, "opened": 2, "invited": 1, "responded": 1, "quoted": 1,
        "awarded": 0,
    }  # fmt: skip
    assert [each["share_of_previous"] for each in body["items"]] == [1, 1, 1, 0.5, 1, 1, 0]
    assert body["next"] is None
    rows = client.get("/api/v1/admin/reports/funnel?format=csv", headers=admin_door(ctx))
    assert rows.text.splitlines()[0] == "step,n,share,share_of_previous,from,until"
    assert len(rows.text.splitlines()) == 8
    bad = client.get("/api/v1/admin/reports/funnel?format=pdf", headers=admin_door(ctx))
    assert bad.status_code == 422
