"""Every field of the lead form wrong, one at a time and all at once; and what is fine after all."""
# ruff: noqa: RUF001  # letters that cannot be told apart are among what is tested

import copy
from datetime import UTC, date, datetime, time

import pytest
from sqlalchemy import func, select

from marketplace.leads.models import Lead
from tests.api.bad_values import pointers, with_value
from tests.factories import lead_form

FULL = {
    **lead_form(),
    "editions": {"ISO 9001": "2026"},
    "sites": 2,
    "certification_status": "none",
    "needed_by": "2027-03-31",
    "consultants_used": [{"name": "Harbour Quality Pty Ltd", "ended_on": "2026-02-01"}],
}

NOT_TEXT = (5, True, 1.5, [], {}, ["text"])
NOT_OBJECT = ("text", 5, True, [], [{}])
NOT_NUMBER = ("42", True, False, 1.5, [], {}, "", "many", None)
NOT_LIST = ("ISO 9001", 5, True, {}, None)
NOT_DATE = ("tomorrow", "31/03/2027", "2027-3-31", "2027-13-01", "2027-02-30", "20270331",
            "2027-03-31T00:00:00Z", "２０２７-03-31", "", 20270331, True, [], {})  # fmt: skip
CONTROL = (
    "a\x00b",
    "a\x1bb",
    "a\u0085b",
    "a\u2028b",
    "a\ud800b",
    "a\ufeffb",
    "a\u202eb",
    "a\u2066b",
)
EMPTY = ("", "   ", "\t\n", "\u200b\u200b", "\u2060 \u200d")

TABLE = [
    ("/company", (*NOT_OBJECT, None, ...)),
    ("/company/name", (*NOT_TEXT, *EMPTY, *CONTROL, "A", "x" * 201, "a\nb", None, ...)),
    ("/company/country", (*NOT_TEXT, *EMPTY, *CONTROL, "A", "AUS", "au", "XX", "ZZ", None, ...)),
    (
        "/company/registration_number",
        (*NOT_TEXT, *EMPTY, *CONTROL, "51 824 753 557", "10 000 000 000", "00 000 000 019", "1",
         "x" * 41, "51\u200b824753556"),
    ),
    (
        "/company/website",
        (*NOT_TEXT, *EMPTY, *CONTROL, "acme", "ftp://acme.example", "javascript:alert(1)",
         "https://", "https://acme", "https://acme .example", "https://a\u2100.example",
         "https://[::1", "https://acme\u3000fab.example", "https://acme\u200b.example",
         "https://jo:secret@acme.example", f"https://{'a' * 300}.example", "http://.example."),
    ),
    ("/contact", (*NOT_OBJECT, None, ...)),
    ("/contact/name", (*NOT_TEXT, *EMPTY, *CONTROL, "x" * 121, None, ...)),
    (
        "/contact/email",
        (*NOT_TEXT, *EMPTY, *CONTROL, "jo", "jo@", "@acme.example", "jo@acme", "jo@@acme.example",
         "jo tran@acme.example", "jo@acme..example", "Jo <jo@acme.example>", "jo@[127.0.0.1]",
         "jo@acme.example, al@acme.example", f"{'j' * 65}@acme.example", f"jo@{'a' * 250}.example",
         "jo@-acme.example", ".jo@acme.example", None, ...),
    ),
    ("/contact/phone", (*NOT_TEXT, *EMPTY, *CONTROL, "1" * 41)),
    ("/contact/role", (*NOT_TEXT, *EMPTY, *CONTROL, "x" * 121)),
    ("/service", (*NOT_TEXT, *EMPTY, "advice", "Consulting", "CONSULTING", None, ...)),
    ("/standards", (*NOT_LIST, [], ["ISO 9001"] * 7, ...)),
    (
        "/standards/0",
        (*NOT_TEXT, *EMPTY, *CONTROL, "ISO 9002", "iso 9001", "ISO 31000", "ISO/IEC 17025",
         "SOC 2", "x" * 61, None),
    ),
    ("/editions", ("2026", 5, True, [], ["2026"], None)),
    ("/editions/ISO 9001", (*NOT_TEXT, *EMPTY, *CONTROL, "1815", "2025", "x" * 41, None)),
    ("/editions/ISO 14001", ("2026",)),
    ("/editions/ISO~1IEC 27001", ("2022",)),
    ("/regions", (*NOT_LIST, [], ["AU-NSW"] * 11, ...)),
    ("/regions/0", (*NOT_TEXT, *EMPTY, *CONTROL, "NSW", "au-nsw", "AU-XXX", "XX", "x" * 11, None)),
    ("/headcount", (*NOT_NUMBER, 0, -1, 1_000_001, 10**30, 1e30, ...)),
    ("/sites", (*NOT_NUMBER, 0, -1, 10_001, 10**30)),
    ("/sector", (*NOT_TEXT, *EMPTY, *CONTROL, "99", "17a", "seventeen", "x" * 61)),
    ("/certification_status", (*NOT_TEXT, *EMPTY, "maybe", "None", None)),
    ("/timeframe", (*NOT_TEXT, *EMPTY, "soon", "3 months")),
    ("/needed_by", (*NOT_DATE, "2026-11-22", "0001-01-01", "10000-01-01")),
    ("/remote_ok", ("true", "yes", "", 1, 0, 1.0, [], {}, None)),
    ("/language", (*NOT_TEXT, *EMPTY, *CONTROL, "DE", "deu", "xx", "German", "x" * 61)),
    ("/consultants_used", ("Harbour", 5, True, {}, None, [{"name": "Harbour"}] * 11)),
    ("/consultants_used/0", (*NOT_OBJECT, None)),
    (
        "/consultants_used/0/name",
        (*NOT_TEXT, *EMPTY, *CONTROL, "x" * 201, None, ...),
    ),
    ("/consultants_used/0/ended_on", NOT_DATE),
    ("/notes", (*NOT_TEXT, *EMPTY, "a\x00b", "a\x1bb", "a\tb", "a\ud800b", "a\u202eb", "x" * 4001)),
    ("/consent", (*NOT_OBJECT, None, ...)),
    ("/consent/share_with_matched_providers", (False, "true", 1, 0, [], {}, None, ...)),
    ("/consent/terms_version", (*NOT_TEXT, *EMPTY, *CONTROL, "x" * 41, None, ...)),
    ("/unknown", ("x", None, {}, 5)),
    ("/key", ("x",)),
    ("/value", ("x",)),
    ("/a~1b~0c", ("x",)),
    ("/company/unknown", ("x", None)),
    ("/contact/value", ("x",)),
    ("/consent/key", ("x",)),
    ("/consultants_used/0/key", ("x",)),
]  # fmt: skip


def saved(make):
    return make.ask(lambda session: session.scalar(select(func.count()).select_from(Lead)))


@pytest.mark.parametrize(("pointer", "values"), TABLE, ids=[row[0] for row in TABLE])
def test_each_wrong_value_is_refused_and_its_field_and_no_other_is_named(
    client, make, pointer, values
):
    form = {**FULL, "editions": {}} if pointer.startswith("/standards") else FULL
    for value in values:
        answer = client.post("/api/v1/leads", json=with_value(form, pointer, value))
        named = pointers(answer)
        below = {each for each in named if each.startswith(f"{pointer}/")}
        if value == [] or value == {} or isinstance(value, list | dict):
            # What lacks everything is named by what it lacks.
            assert named - below <= {pointer}, (value, named)
            assert named, value
        elif value is ... and pointer in ("/company", "/contact", "/consent"):
            assert named == {pointer}
        else:
            assert named == {pointer}, (value, named)
    assert saved(make) == 0


@pytest.mark.parametrize(
    ("pointer", "below"),
    [
        ("/company", {"name", "country"}),
        ("/contact", {"name", "email"}),
        ("/consent", {"share_with_matched_providers", "terms_version"}),
    ],
)
def test_an_empty_object_is_named_by_all_that_it_lacks(client, pointer, below):
    answer = client.post("/api/v1/leads", json=with_value(FULL, pointer, {}))
    assert pointers(answer) == {f"{pointer}/{name}" for name in below}


@pytest.mark.parametrize(
    ("pointer", "value", "named"),
    [
        ("/standards", ["ISO 9001", "ISO 14001", "ISO 9001"], {"/standards/2"}),
        ("/standards", ["ISO 9001"] * 3, {"/standards/1", "/standards/2"}),
        ("/standards", ["ISO 9001", " ISO 9001 "], {"/standards/1"}),
        ("/standards", ["ISO 9001", "ISO 9002", "ISO 31000"], {"/standards/1", "/standards/2"}),
        ("/standards", ["ISO 9001", 5, None], {"/standards/1", "/standards/2"}),
        ("/regions", ["AU-NSW", "AU-NSW", "AU-VIC", "AU-VIC"], {"/regions/1", "/regions/3"}),
        ("/regions", ["AU-NSW", "AU-XXX", "ZZ"], {"/regions/1", "/regions/2"}),
        ("/regions", ["AU-NSW", "", "\x00"], {"/regions/1", "/regions/2"}),
        (
            "/consultants_used",
            [{"name": "Harbour"}, {"name": ""}, {"ended_on": "x"}],
            {
                "/consultants_used/1/name",
                "/consultants_used/2/name",
                "/consultants_used/2/ended_on",
            },
        ),
        (
            "/editions",
            {"ISO 9001": 5, "": "2026", "x": "2026"},
            {"/editions/ISO 9001", "/editions/"},
        ),
    ],
)  # fmt: skip
def test_every_wrong_entry_of_a_list_is_named(client, pointer, value, named):
    answer = client.post("/api/v1/leads", json=with_value(FULL, pointer, value))
    assert pointers(answer) == named


ALL_WRONG = {
    "company": {"name": "", "country": "XX", "registration_number": 5, "website": "acme", "x": 1},
    "contact": {"name": "\x00", "email": "jo", "phone": "", "role": "x" * 121},
    "service": "advice",
    "standards": ["ISO 9002", "ISO 31000"],
    "editions": {"ISO 9001": "2026", "ISO 14001": 5},
    "regions": ["NSW", "ZZ"],
    "headcount": "42",
    "sites": 0,
    "sector": "99",
    "certification_status": "maybe",
    "timeframe": "soon",
    "needed_by": "2026-11-22",
    "remote_ok": "no",
    "language": "xx",
    "consultants_used": [{"ended_on": "x"}],
    "notes": "\x00",
    "consent": {"share_with_matched_providers": False},
    "unknown": True,
}


def test_everything_wrong_at_once_is_named_in_one_answer(client, make):
    assert pointers(client.post("/api/v1/leads", json=ALL_WRONG)) == {
        "/company/name",
        "/company/country",
        "/company/registration_number",
        "/company/website",
        "/company/x",
        "/contact/name",
        "/contact/email",
        "/contact/phone",
        "/contact/role",
        "/service",
        "/standards/0",
        "/standards/1",
        "/editions/ISO 14001",
        "/regions/0",
        "/regions/1",
        "/headcount",
        "/sites",
        "/sector",
        "/certification_status",
        "/timeframe",
        "/needed_by",
        "/remote_ok",
        "/language",
        "/consultants_used/0/name",
        "/consultants_used/0/ended_on",
        "/notes",
        "/consent/share_with_matched_providers",
        "/consent/terms_version",
        "/unknown",
    }
    assert saved(make) == 0


def test_of_a_text_that_is_too_short_is_said_how_long_it_has_to_be(client):
    form = lead_form(1)
    form["company"] |= {"name": "K", "country": " A "}
    refusal = client.post("/api/v1/leads", json=form)
    assert {each["pointer"]: each["detail"] for each in refusal.json["errors"]} == {
        "/company/name": "must have at least 2 characters",
        "/company/country": "must have at least 2 characters",
    }


def test_what_only_the_catalogue_can_tell_is_all_named_at_once(client):
    form = copy.deepcopy(FULL)
    form["company"] |= {"country": "AU", "registration_number": "12"}
    form |= {
        "standards": ["ISO 9001", "ISO 31000", "ISO 9002"],
        "editions": {"ISO 9001": "1815", "ISO 45001": "2018"},
        "regions": ["AU-NSW", "AU-XXX"],
        "sector": "99",
        "language": "xx",
        "needed_by": "2026-11-22",
    }
    assert pointers(client.post("/api/v1/leads", json=form)) == {
        "/company/registration_number",
        "/standards/1",
        "/standards/2",
        "/editions/ISO 9001",
        "/editions/ISO 45001",
        "/regions/1",
        "/sector",
        "/language",
        "/needed_by",
    }


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("ISO 31000", "guidance"),
        ("ISO/IEC 17025", "accreditation body"),
        ("SOC 2", "audit firm"),
    ],
)
def test_what_nobody_can_be_certified_to_is_refused_with_where_to_turn(client, code, words):
    answer = client.post(
        "/api/v1/leads", json=with_value(FULL, "/standards", [code]) | {"editions": {}}
    )
    assert pointers(answer) == {"/standards/0"}
    assert words in answer.json["errors"][0]["detail"]


@pytest.mark.parametrize(
    ("today", "status", "words"),
    [
        (date(2028, 3, 31), "none", None),
        (date(2028, 4, 1), "none", "new certificates to edition 2015 ended on 31 March 2028"),
        (date(2028, 4, 1), "lapsed", "please ask for edition 2026, or say so if you hold"),
        (date(2028, 4, 1), "certified", None),
        (date(2029, 9, 30), "transfer", None),
        (date(2029, 10, 1), "transfer", "edition 2015 ended on 30 September 2029"),
    ],
)
def test_an_edition_whose_time_is_over_is_refused_with_what_to_ask_for(
    client, clock, today, status, words
):
    clock.now = datetime.combine(today, time(9), tzinfo=UTC)
    form = lead_form(3, editions={"ISO 9001": "2015"}, certification_status=status)
    answer = client.post("/api/v1/leads", json=form)
    if words is None:
        assert answer.status_code == 202, answer.get_data(as_text=True)
    else:
        assert pointers(answer) == {"/editions/ISO 9001"}
        assert words in answer.json["errors"][0]["detail"]


def sent(client, make, **changes):
    form = lead_form(3, **changes)
    answer = client.post("/api/v1/leads", json=form)
    assert answer.status_code == 202, answer.get_data(as_text=True)
    return make.lead_called(answer.json["reference"])


def test_the_least_that_a_form_can_be_is_enough(client, make):
    form = {
        "company": {"name": "Ab", "country": "AU"},
        "contact": {"name": "J", "email": "jo@acme.example"},
        "service": "either",
        "standards": ["ISO 9001"],
        "regions": ["AU"],
        "headcount": 1,
        "consent": {"share_with_matched_providers": True, "terms_version": "1"},
    }
    answer = client.post("/api/v1/leads", json=form)
    assert answer.status_code == 202
    lead = make.lead_called(answer.json["reference"])
    assert lead.editions == {"ISO 9001": "2026"}
    assert (lead.sites, lead.certification_status, lead.remote_ok) == (1, "none", False)
    assert (lead.sector, lead.notes, lead.needed_by, lead.timeframe) == (None, None, None, None)
    assert lead.language is None
    assert lead.consultants_used == []


def test_what_may_be_left_out_may_be_null(client, make):
    nothing = dict.fromkeys(("sector", "timeframe", "needed_by", "language", "notes"))
    form = lead_form(3, **nothing)
    form["company"] |= {"registration_number": None, "website": None}
    form["contact"] |= {"phone": None, "role": None}
    form["consultants_used"] = [{"name": "Harbour", "ended_on": None}]
    assert client.post("/api/v1/leads", json=form).status_code == 202


@pytest.mark.parametrize(
    ("pointer", "value", "column", "kept"),
    [
        ("/company/name", "  Größe & Söhne 株式会社 \n", "company_name", "Größe & Söhne 株式会社"),
        ("/company/name", "Cafe\u0301", "company_name", "Caf\u00e9"),
        ("/company/name", "x" * 200, "company_name", "x" * 200),
        ("/company/name", "👩‍🔬 Labs", "company_name", "👩‍🔬 Labs"),
        ("/contact/name", "  Zoë Ångström ", "contact_name", "Zoë Ångström"),
        ("/contact/email", " Jo.Tran@Works3.EXAMPLE ", "contact_email", "jo.tran@works3.example"),
        ("/contact/email", "jo@straße.example", "contact_email", "jo@straße.example"),
        ("/contact/email", "jo+iso@works3.example", "contact_email", "jo+iso@works3.example"),
        ("/company/website", "acme.example", "website", "https://acme.example"),
        ("/company/website", "http://acme.example:8080/a?b=[c]#d", "website",
         "http://acme.example:8080/a?b=[c]#d"),
        ("/company/website", "bücher.example", "website", "https://bücher.example"),
        ("/company/registration_number", "53 004 085 616", "registration_number", "53004085616"),
        ("/company/registration_number", "004-085-616", "registration_number", "004085616"),
        ("/headcount", 1_000_000, "headcount", 1_000_000),
        ("/headcount", 42.0, "headcount", 42),
        ("/needed_by", "2026-11-23", "needed_by", "2026-11-23"),
        ("/needed_by", "9999-12-31", "needed_by", "9999-12-31"),
        ("/notes", "one\r\ntwo\rthree\nfour\r\n", "notes", "one\ntwo\nthree\nfour"),
        ("/notes", "x" * 4000, "notes", "x" * 4000),
        ("/notes", "हिन्दी, 日本語, עברית", "notes", "हिन्दी, 日本語, עברית"),
        ("/editions", {"ISO 9001": "2015"}, "editions", {"ISO 9001": "2015"}),
        ("/service", "certification", "service", "certification"),
        ("/language", " de ", "language", "de"),
    ],
)  # fmt: skip
def test_a_good_value_is_kept_in_its_normal_form(client, make, pointer, value, column, kept):
    answer = client.post("/api/v1/leads", json=with_value(lead_form(3), pointer, value))
    assert answer.status_code == 202, answer.get_data(as_text=True)
    found = getattr(make.lead_called(answer.json["reference"]), column)
    assert (str(found) if column == "needed_by" else found) == kept


def test_as_many_standards_regions_and_consultants_as_may_be_are_taken(client, make):
    standards = ["ISO 9001", "ISO 14001", "ISO 45001", "ISO/IEC 27001", "ISO 22000", "ISO 13485"]
    regions = [
        "AU-NSW",
        "AU-VIC",
        "AU-QLD",
        "AU-SA",
        "AU-WA",
        "AU-TAS",
        "AU-NT",
        "AU-ACT",
        "NZ",
        "AU",
    ]
    used = [{"name": f"Adviser {number}"} for number in range(10)]
    lead = sent(client, make, standards=standards, regions=regions, consultants_used=used)
    assert lead.standards == standards
    assert lead.regions == regions
    assert len(lead.consultants_used) == 10


def test_one_consultant_may_be_named_twice(client, make):
    used = [{"name": "Harbour", "ended_on": "2024-02-01"}, {"name": "Harbour", "ended_on": None}]
    assert len(sent(client, make, consultants_used=used).consultants_used) == 2


@pytest.mark.parametrize(
    "body", [{}, {"token": ""}, {"token": None}, {"token": 5}, {"token": "x" * 201}]
)
def test_a_confirmation_without_a_token_names_it(client, body):
    assert pointers(client.post("/api/v1/leads/confirmations", json=body)) == {"/token"}


@pytest.mark.parametrize(
    "token", ["x", "confirm_x", "request_x", "🗝", "confirm_" + "a" * 150, "../../etc", "' OR 1=1"]
)
def test_a_token_that_nobody_was_given_is_gone(client, token):
    answer = client.post("/api/v1/leads/confirmations", json={"token": token})
    assert answer.status_code == 410
