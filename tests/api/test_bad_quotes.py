"""Every field of a quote wrong, of both kinds; and the smaller bodies, each field of each."""
# ruff: noqa: RUF001  # digits that cannot be told apart are among what is tested

import json

import pytest
from sqlalchemy import delete

from marketplace.core.db import new_id
from marketplace.providers.models import Accreditation
from marketplace.quotes.models import Quote
from tests.api.bad_values import pointers, with_value
from tests.api.doors import admin_door, business_door, invitations_of, provider_door
from tests.services.road import an_awarded_lead

CERTIFICATION = {
    "kind": "certification",
    "currency": "AUD",
    "tax_rate": "10",
    "standards": [{"code": "ISO 9001", "edition": "2026"}],
    "audit_days": {
        "stage_1": 1, "stage_2": 2.5, "surveillance_1": 1, "surveillance_2": 1,
        "recertification": 2,
    },
    "fees": {
        "application": "250.00", "stage_1": "1800", "stage_2": "4200.5",
        "surveillance_1": "2000.00", "surveillance_2": "2000.00", "recertification": "4000.00",
        "annual": "300.00", "travel": "500.00",
    },
    "travel_basis": "capped",
    "effective_personnel": 40,
    "earliest_start": "2027-01-10",
    "valid_until": "2027-02-28",
    "assumptions": ["One site", "One shift"],
    "notes": "Days by the table.\nTravel from Sydney.",
}  # fmt: skip

CONSULTING = {
    "kind": "consulting",
    "currency": "AUD",
    "tax_rate": "10",
    "phases": [
        {"name": "Gap analysis", "deliverables": ["Report"], "days": 2, "on_site": True,
         "fee": "2400.00"},
        {"name": "Implementation", "days": 8.5, "fee": "9500"},
    ],
    "travel": "300.00",
    "duration_weeks": 14,
    "earliest_start": "2027-01-10",
    "exclusions": ["Certification fees"],
    "valid_until": "2027-02-28",
    "notes": "We come by train.",
}  # fmt: skip

NOT_TEXT = (5, True, [], {})
EMPTY = ("", "  ", "\u200b\u200b\u200b")
NOT_AMOUNT = (
    5, 5.5, True, [], {}, "", " ", "-1.00", "+1.00", "1,000.00", "1.001", "1e3", "NaN", "Infinity",
    "$5", "5.", ".5", " 5", "1234567890", "٥٠", "５", "0x10",
)  # fmt: skip
NOT_DAYS = ("1", True, [], {}, "", -0.5, 0.3, 1.25, 1000.5, 10**40, 1e300)
NOT_WHOLE = ("40", True, 1.5, [], {}, "", 0, -1)
NOT_DATE = ("soon", "2027-02-30", "28/02/2027", "", 20270228, True, [], {}, "2026-11-22")

COMMON = [
    (
        "/currency",
        (
            *NOT_TEXT, *EMPTY, "aud", "AU", "AUDX", "ZZZ", "A$", None, ...,
            "XXX", "XTS", "XAU", "XDR", "CLF",
        ),
    ),
    (
        "/tax_rate",
        (True, [], {}, "", "ten", "10 %", "-1", "100.01", "10.001", 101, -1, "1e1", "١٠"),
    ),
    ("/earliest_start", (*NOT_DATE, "2028-11-23", "9999-12-31")),
    ("/valid_until", (*NOT_DATE, None, ..., "2028-11-23", "9999-12-31")),
    ("/total", (*NOT_AMOUNT, "0.00", "-0.01", "15349.99", "15350.01", "123456789012", "1e309")),
    ("/notes", (*NOT_TEXT, *EMPTY, "a\x00b", "x" * 4001)),
    ("/unknown", ("x", None)),
]  # fmt: skip

OF_CERTIFICATION = [
    *COMMON,
    ("/kind", (*NOT_TEXT, *EMPTY, "audit", "Certification", None, ...)),
    ("/standards", ("ISO 9001", 5, {}, None, [], [{"code": "ISO 9001"}] * 7, ...)),
    ("/standards/0", ("ISO 9001", 5, [], None)),
    ("/standards/0/code", (*NOT_TEXT, *EMPTY, "ISO 14001", "iso 9001", "x" * 61, None, ...)),
    ("/standards/0/edition", (*NOT_TEXT, *EMPTY, "x" * 41, "1066", "2027", "latest")),
    ("/audit_days", ("3", 5, [], None, ...)),
    *[
        (f"/audit_days/{name}", (*NOT_DAYS, None, ...))
        for name in ("stage_1", "stage_2")
    ],
    *[
        (f"/audit_days/{name}", NOT_DAYS)
        for name in ("surveillance_1", "surveillance_2", "recertification")
    ],
    ("/audit_days/stage_3", (1,)),
    ("/fees", ("3", 5, [], None, ...)),
    *[(f"/fees/{name}", (*NOT_AMOUNT, None, ...)) for name in ("stage_1", "stage_2")],
    *[
        (f"/fees/{name}", NOT_AMOUNT)
        for name in (
            "application", "surveillance_1", "surveillance_2", "recertification", "annual",
            "travel",
        )
    ],
    ("/fees/discount", ("5.00",)),
    ("/travel_basis", (*NOT_TEXT, "free", "Included", "", None)),
    ("/effective_personnel", (*NOT_WHOLE, 421, 1_000_000, 1_000_001, 10**40, 1e300)),
    ("/accreditation_id", (*NOT_TEXT, "", "x", str(new_id()))),
    ("/assumptions", (5, True, {}, "", [5], "x" * 4001, ["x"] * 51)),
    ("/phases", ([], None, [{"name": "x", "fee": "1.00"}])),
    ("/duration_weeks", (5, None)),
    ("/travel", ("5.00", None)),
    ("/exclusions", (["x"], None)),
]  # fmt: skip

OF_CONSULTING = [
    *COMMON,
    ("/kind", (*NOT_TEXT, *EMPTY, "advice", None, ...)),
    ("/phases", ("x", 5, {}, None, [], [{"name": "x", "fee": "1.00"}] * 31, ...)),
    ("/phases/0", ("x", 5, [], None)),
    ("/phases/0/name", (*NOT_TEXT, *EMPTY, "x" * 201, "a\nb", None, ...)),
    ("/phases/0/deliverables", (5, True, {}, "", None, [5], [""], ["x"] * 51, "x" * 4001)),
    ("/phases/0/days", NOT_DAYS),
    ("/phases/0/on_site", ("yes", 1, 0, "", [])),
    ("/phases/0/fee", (*NOT_AMOUNT, None, ...)),
    ("/phases/0/discount", ("1.00",)),
    ("/travel", NOT_AMOUNT),
    ("/duration_weeks", (*NOT_WHOLE, 521)),
    ("/exclusions", (5, True, {}, "", [5], ["x"] * 51)),
    ("/standards", ([{"code": "ISO 9001"}], None)),
    ("/fees", ({"stage_1": "1.00", "stage_2": "1.00"}, None)),
    ("/audit_days", ({"stage_1": 1, "stage_2": 1},)),
    ("/travel_basis", ("included", None)),
    ("/effective_personnel", (5,)),
    ("/accreditation_id", (str(new_id()),)),
    ("/assumptions", (["x"],)),
]


class Quoting:
    """One invitation, and its holder at the door."""

    def __init__(self, client, ctx, make, kind, **changes):
        self.client, self.make = client, make
        self.service = "certification" if kind == "certification_body" else "consulting"
        self.provider = make.provider(kind)
        self.lead = make.matched_lead(service=self.service, **changes)
        (self.invitation,) = invitations_of(make, self.lead)
        self.who = provider_door(ctx, self.provider)

    def put(self, body):
        path = f"/api/v1/portal/invitations/{self.invitation.id}/quote"
        return self.client.put(path, json=body, headers=self.who)

    def holds(self, editions):
        """Let these, by edition and state, be the accreditations for ISO 9001."""
        held = [
            self.make.accreditation(self.provider, edition=edition, state=state)
            for edition, state in editions
        ]
        kept = [each.id for each in held]
        with self.make.ctx.transaction() as tx:
            tx.session.execute(
                delete(Accreditation).where(
                    Accreditation.standard == "ISO 9001", Accreditation.id.not_in(kept)
                )
            )
        return held

    def state(self):
        (now,) = invitations_of(self.make, self.lead)
        return now.state


@pytest.fixture
def certifying(client, ctx, make):
    return Quoting(client, ctx, make, "certification_body")


@pytest.fixture
def consulting(client, ctx, make):
    return Quoting(client, ctx, make, "consultant")


def assert_each_is_named(quoting, full, table):
    for pointer, values in table:
        for value in values:
            # What a list of the wrong things leaves out cannot be told from the list itself.
            named = pointers(quoting.put(with_value(full, pointer, value)))
            assert named, (pointer, value)
            inside = {each for each in named if each.startswith(f"{pointer}/")}
            assert named == {pointer} or (isinstance(value, list) and named == inside), (
                pointer, value, named,
            )  # fmt: skip
    assert quoting.state() == "sent"
    assert quoting.make.ask(lambda session: session.query(Quote).count()) == 0


def test_each_wrong_value_of_a_certification_quote_is_named_and_nothing_is_kept(certifying):
    assert_each_is_named(certifying, CERTIFICATION, OF_CERTIFICATION)


def test_each_wrong_value_of_a_consulting_quote_is_named_and_nothing_is_kept(consulting):
    assert_each_is_named(consulting, CONSULTING, OF_CONSULTING)


def test_everything_wrong_at_once_is_named_in_one_answer(certifying):
    body = {
        "kind": "certification", "currency": "aud", "tax_rate": "x", "earliest_start": "2026-11-22",
        "valid_until": "2026-11-22", "notes": "\x00", "travel_basis": "free", "travel": "1.00",
        "standards": [{"code": "ISO 14001"}, {"edition": 5}], "effective_personnel": "40",
        "audit_days": {"stage_1": 0.3}, "fees": {"stage_1": 5, "annual": "x"}, "phases": [],
        "accreditation_id": "x", "assumptions": 5, "unknown": 1,
    }  # fmt: skip
    assert pointers(certifying.put(body)) == {
        "/currency", "/tax_rate", "/earliest_start", "/valid_until", "/notes", "/travel_basis",
        "/travel", "/standards/0/code", "/standards/1/code", "/standards/1/edition",
        "/effective_personnel",
        "/audit_days/stage_1", "/audit_days/stage_2", "/fees/stage_1", "/fees/stage_2",
        "/fees/annual", "/phases", "/accreditation_id", "/assumptions", "/unknown",
    }  # fmt: skip


def test_everything_wrong_with_a_consulting_quote_at_once(consulting):
    body = {
        "kind": "consulting", "currency": "ZZZ", "valid_until": "x", "phases": [{"days": "x"}, 5],
        "travel": 5, "duration_weeks": 0, "exclusions": {}, "fees": {},
    }  # fmt: skip
    assert pointers(consulting.put(body)) == {
        "/currency", "/valid_until", "/phases/0/name", "/phases/0/fee", "/phases/0/days",
        "/phases/1", "/travel", "/duration_weeks", "/exclusions", "/fees", "/fees/stage_1",
        "/fees/stage_2",
    }  # fmt: skip


def test_a_body_that_is_no_quote_at_all_is_refused(consulting):
    assert pointers(consulting.put({})) == {"/kind", "/currency", "/valid_until"}
    for body in ([], [CONSULTING], "x", 5, True):
        assert pointers(consulting.put(body)) == {""}


def test_a_quote_of_the_other_kind_is_not_taken(consulting, certifying):
    assert "/kind" in pointers(consulting.put(CERTIFICATION))
    assert "/kind" in pointers(certifying.put(CONSULTING))


MAY_BE_CERTIFICATION = [
    ("/tax_rate", ...), ("/tax_rate", None), ("/tax_rate", 0), ("/tax_rate", 7.75),
    ("/tax_rate", "100"), ("/notes", None), ("/notes", "two\r\nlines"),
    ("/earliest_start", "2026-11-23"), ("/earliest_start", None),
    ("/earliest_start", "2028-11-22"),
    ("/valid_until", "2026-11-23"), ("/valid_until", "2028-11-22"),
    # 250 + 1800 + 4200.5 + 2 x 2000 + 3 x 300 + 500; recertification is of the next cycle.
    ("/total", "11650.50"), ("/total", "11650.5"), ("/total", None),
    ("/effective_personnel", 420),
    ("/fees/travel", None), ("/fees/annual", ...), ("/fees/stage_1", "0"),
    ("/fees/stage_1", "999999999.99"), ("/fees/application", "0.5"),
    ("/audit_days/surveillance_1", None), ("/audit_days/stage_1", 0),
    ("/audit_days/stage_2", 1000), ("/audit_days/recertification", ...),
    ("/travel_basis", ...), ("/travel_basis", "at_cost"), ("/effective_personnel", None),
    ("/accreditation_id", None), ("/assumptions", "One text"), ("/assumptions", []),
    ("/assumptions", None), ("/standards/0/edition", ...), ("/standards/0/edition", None),
    ("/currency", "NZD"),
]  # fmt: skip

MAY_BE_CONSULTING = [
    ("/travel", None), ("/travel", ...), ("/duration_weeks", None), ("/exclusions", "One text"),
    ("/exclusions", ...), ("/phases/0/deliverables", "One\ntext"),
    ("/phases/0/deliverables", []),
    ("/phases/0/days", None), ("/phases/0/on_site", None), ("/phases/0/on_site", False),
    ("/phases", [{"name": "All of it", "fee": "0.01"}]),
    ("/phases/0/days", 1000), ("/duration_weeks", 520),
    ("/total", "12200.00"), ("/total", "12200"), ("/total", None),
    ("/phases", [{"name": "Again", "fee": "1"}] * 30),
]  # fmt: skip


def assert_each_is_taken(quoting, full, values):
    """Quote once for each, revising what was quoted before."""
    for pointer, value in values:
        answer = quoting.put(with_value(full, pointer, value))
        assert answer.status_code == 200, (pointer, value, answer.get_data(as_text=True))
        assert answer.json["state"] == "quoted"


def test_a_certification_quote_may_say_all_this(certifying):
    assert_each_is_taken(certifying, CERTIFICATION, MAY_BE_CERTIFICATION)


def test_travel_that_is_included_has_no_amount_of_its_own(certifying):
    included = with_value(CERTIFICATION, "/travel_basis", "included")
    assert pointers(certifying.put(included)) == {"/fees/travel"}
    for amount in (..., None, "0.00"):
        assert certifying.put(with_value(included, "/fees/travel", amount)).status_code == 200


def test_a_consulting_quote_may_say_all_this(consulting):
    assert_each_is_taken(consulting, CONSULTING, MAY_BE_CONSULTING)


def test_a_quote_that_stands_for_two_years_keeps_the_request_open_for_as_long_as_may_be(
    consulting,
):
    consulting.put(with_value(CONSULTING, "/valid_until", "2028-11-22"))
    lead = consulting.make.lead_called(consulting.lead.reference)
    assert (lead.expires_at - lead.opened_at).days == 120


def test_only_an_own_current_accreditation_for_a_standard_asked_for_can_be_named(
    certifying, make, ctx
):
    other = make.provider("certification_body")
    today = ctx.clock().date()
    good = make.accreditation(certifying.provider)
    bad = [
        make.accreditation(other),
        make.accreditation(certifying.provider, standard="ISO 14001"),
        make.accreditation(certifying.provider, state="claimed"),
        make.accreditation(certifying.provider, valid_until=today.replace(day=22)),
    ]
    for each in bad:
        body = {**CERTIFICATION, "accreditation_id": str(each.id)}
        assert pointers(certifying.put(body)) == {"/accreditation_id"}
    body = {**CERTIFICATION, "accreditation_id": str(good.id)}
    assert certifying.put(body).status_code == 200


@pytest.mark.parametrize(
    ("headcount", "most"), [(1, 100), (9, 100), (10, 100), (11, 110), (42, 420), (5000, 50_000)]
)
def test_who_is_counted_may_be_ten_times_the_headcount_and_not_one_more(
    client, ctx, make, headcount, most
):
    quoting = Quoting(client, ctx, make, "certification_body", headcount=headcount)
    many = with_value(CERTIFICATION, "/effective_personnel", most + 1)
    refused = quoting.put(many)
    assert pointers(refused) == {"/effective_personnel"}
    assert f"must be at most {most}," in refused.json["errors"][0]["detail"]
    assert quoting.put(with_value(CERTIFICATION, "/effective_personnel", most)).status_code == 200


EDITIONS = [
    # What is held for ISO 9001, by edition and state; what is quoted; whether that is refused.
    ([("2026", "verified")], "2026", False),
    ([("2026", "verified")], "2015", True),
    ([("2015", "verified")], "2026", True),
    ([("2015", "verified"), ("2026", "verified")], "2026", False),
    ([("2015", "verified"), ("2026", "claimed")], "2026", True),
    ([("2015", "verified"), ("2026", "suspended")], "2026", True),
    # An edition that is not known may be any.
    ([(None, "verified")], "2026", False),
    ([("2015", "verified"), (None, "verified")], "2026", False),
    ([("2026", "verified")], None, False),
]


@pytest.mark.parametrize(("held", "quoted", "is_refused"), EDITIONS)
def test_an_edition_that_the_body_is_known_not_to_be_accredited_for_is_refused(
    certifying, make, held, quoted, is_refused
):
    certifying.holds(held)
    answer = certifying.put(with_value(CERTIFICATION, "/standards/0/edition", quoted))
    if is_refused:
        assert pointers(answer) == {"/standards/0/edition"}
        assert "which is for 20" in answer.json["errors"][0]["detail"]
    else:
        assert answer.status_code == 200, answer.json


def test_an_edition_is_held_against_the_accreditation_that_is_named(certifying):
    old, new, unknown = certifying.holds(
        [("2015", "verified"), ("2026", "verified"), (None, "verified")]
    )
    for named, is_refused in ((old, True), (new, False), (unknown, False)):
        answer = certifying.put({**CERTIFICATION, "accreditation_id": str(named.id)})
        assert (answer.status_code == 422) is is_refused
        if is_refused:
            assert pointers(answer) == {"/standards/0/edition"}


def test_a_suspended_accreditation_cannot_be_named_whatever_its_edition(certifying):
    _, suspended = certifying.holds([("2026", "verified"), ("2015", "suspended")])
    answer = certifying.put({**CERTIFICATION, "accreditation_id": str(suspended.id)})
    assert pointers(answer) == {"/accreditation_id"}


def test_a_standard_is_quoted_once_and_one_that_is_left_out_is_named_and_not_refused(
    client, ctx, make
):
    wanted = ["ISO 9001", "ISO 14001"]
    quoting = Quoting(client, ctx, make, "certification_body", standards=wanted)
    twice = [{"code": "ISO 9001", "edition": edition} for edition in ("2015", "2026")]
    assert pointers(quoting.put({**CERTIFICATION, "standards": twice})) == {"/standards/1/code"}
    assert quoting.put(CERTIFICATION).status_code == 200
    shown = client.get("/api/v1/request", headers=business_door(ctx, quoting.lead)).json
    (column,) = shown["comparison"]["kinds"]["certification"]["columns"]
    assert column["standards_missing"] == ["ISO 14001"]


@pytest.mark.parametrize(
    ("standards", "named"),
    [
        (
            [{"code": "ISO 9001", "edition": "1066"}, {"edition": 5}],
            {"/standards/0/edition", "/standards/1/code", "/standards/1/edition"},
        ),
        (
            [{"code": "x"}, {"code": "ISO 9001", "edition": ""}, {"code": "ISO 9001"}],
            {"/standards/0/code", "/standards/1/edition", "/standards/2/code"},
        ),
        # Of what is no standard at all nobody knows which the others are.
        ([{"code": "x"}, 5], {"/standards/1"}),
        ([None, {"code": "x"}], {"/standards/0"}),
    ],
)
def test_of_several_standards_each_wrong_one_is_named_at_its_place(certifying, standards, named):
    assert pointers(certifying.put({**CERTIFICATION, "standards": standards})) == named


def test_a_part_of_what_a_currency_does_not_divide_is_named_and_whole_amounts_are_fine(
    certifying, client, ctx, make
):
    fees = {"application": "250.00", "stage_1": "1800.50", "stage_2": "4200.5", "annual": "0.01"}
    body = CERTIFICATION | {"currency": "JPY", "fees": fees}
    refused = certifying.put(body)
    assert pointers(refused) == {"/fees/stage_1", "/fees/stage_2", "/fees/annual"}
    assert {each["detail"] for each in refused.json["errors"]} == {
        "must be a whole amount: JPY has no smaller unit"
    }
    assert certifying.put(body | {"currency": "KWD"}).status_code == 200
    whole = dict.fromkeys(fees, "5000.00") | {"annual": "0"}
    assert certifying.put(body | {"fees": whole}).status_code == 200


def test_a_part_of_a_unit_is_named_in_every_phase_and_in_travel(consulting):
    phases = [
        {"name": "One", "fee": "1.00"}, {"name": "Two", "fee": "1.01"}, {"name": "3", "fee": ".10"}
    ]  # fmt: skip
    body = CONSULTING | {"currency": "VND", "travel": "0.50", "phases": phases[:2]}
    assert pointers(consulting.put(body)) == {"/phases/1/fee", "/travel"}
    assert pointers(consulting.put(body | {"phases": phases})) == {"/phases/2/fee", "/travel"}


def test_days_without_a_fee_and_a_fee_without_days_are_fine_and_named(certifying, ctx):
    body = with_value(CERTIFICATION, "/fees/surveillance_1", ...)
    body = with_value(body, "/audit_days/surveillance_2", ...)
    assert certifying.put(body).status_code == 200
    shown = certifying.client.get("/api/v1/request", headers=business_door(ctx, certifying.lead))
    (column,) = shown.json["comparison"]["kinds"]["certification"]["columns"]
    assert column["left_out"] == ["First surveillance audit"]
    assert column["days_left_out"] == ["Second surveillance audit"]


def test_a_total_is_a_check_and_no_part_of_the_quote(consulting, make):
    first = consulting.put({**CONSULTING, "total": "12200.00"}).json
    again = consulting.put(CONSULTING).json
    assert first["quote"]["total"] == again["quote"]["total"] == "12200.00"
    assert again["quote_versions"] == 1
    (quote,) = make.ask(lambda session: session.query(Quote).all())
    assert "total" not in quote.body


def test_a_total_that_does_not_add_up_says_what_would_and_counts_what_is_stated(certifying):
    refused = certifying.put({**CERTIFICATION, "total": "15650.50"})
    assert pointers(refused) == {"/total"}
    assert "must be 11650.50," in refused.json["errors"][0]["detail"]
    less = with_value(CERTIFICATION, "/fees/annual", ...)
    assert certifying.put({**less, "total": "10750.50"}).status_code == 200
    included = with_value(with_value(less, "/travel_basis", "included"), "/fees/travel", ...)
    assert certifying.put({**included, "total": "10250.50"}).status_code == 200


def test_of_amounts_that_cannot_be_read_no_total_is_asked_for(certifying, consulting):
    wrong = with_value(CERTIFICATION, "/fees/annual", "1e3")
    assert pointers(certifying.put({**wrong, "total": "1.00"})) == {"/fees/annual"}
    wrong = with_value(CONSULTING, "/phases/0/fee", "NaN")
    assert pointers(consulting.put({**wrong, "total": "1.00"})) == {"/phases/0/fee"}


def test_the_largest_quote_adds_up_to_the_cent(consulting):
    body = {**CONSULTING, "phases": [{"name": "x", "fee": "999999999.99"}] * 30}
    del body["travel"]
    assert pointers(consulting.put({**body, "total": "29999999999.71"})) == {"/total"}
    answer = consulting.put({**body, "total": "29999999999.70"})
    assert answer.json["quote"]["total"] == "29999999999.70"


def test_days_beyond_all_measure_are_told_how_many_may_be(consulting, certifying):
    refused = consulting.put(with_value(CONSULTING, "/phases/1/days", 1000.5))
    assert refused.json["errors"] == [
        {"pointer": "/phases/1/days", "detail": "must be at most 1000 days"}
    ]
    refused = certifying.put(with_value(CERTIFICATION, "/audit_days/stage_2", 2000))
    assert refused.json["errors"] == [
        {"pointer": "/audit_days/stage_2", "detail": "must be at most 1000 days"}
    ]


def test_a_number_that_is_none_is_no_json(certifying):
    path = f"/api/v1/portal/invitations/{certifying.invitation.id}/quote"
    for word in ("NaN", "Infinity", "-Infinity"):
        text = json.dumps(with_value(CERTIFICATION, "/audit_days/stage_1", "?"))
        answer = certifying.client.put(
            path,
            data=text.replace('"?"', word),
            content_type="application/json",
            headers=certifying.who,
        )
        assert answer.status_code == 400, word


# The smaller bodies.

IDS = (..., None, "", "x", 5, True, [], {}, "00000000-0000-0000-0000-00000000000")
TEXTS = (..., None, *NOT_TEXT, *EMPTY, "a\x00b", "a\ud800b")
REASONS = (..., None, *NOT_TEXT, "", "because", "NOT_NOW")

SOME_ID = str(new_id())

OF_THE_BUSINESS = [
    ("/request/choice", {"invitation_id": SOME_ID}, {"/invitation_id": IDS}),
    ("/request/replacement", {"invitation_id": SOME_ID}, {"/invitation_id": IDS}),
    ("/request/closure", {"reason": "not_now"}, {"/reason": REASONS}),
    (
        "/request/outcome",
        {"outcome": "awarded", "invitation_id": SOME_ID},
        {
            "/outcome": REASONS,
            "/invitation_id": ("", "x", 5, True, [], {}),
            "/reason": (*NOT_TEXT, "", "because", "PRICE"),
            "/comment": (*NOT_TEXT, *EMPTY, "a\x00b", "x" * 2001),
        },
    ),
    (
        "/request/answers",
        {"question_id": SOME_ID, "text": "Two."},
        {"/question_id": IDS, "/text": (*TEXTS, "x" * 4001)},
    ),
    (
        "/request/reviews",
        {"invitation_id": SOME_ID, "rating": 5, "comment": "Quick."},
        {
            "/invitation_id": IDS,
            "/rating": (..., None, "5", 0, 6, 4.5, True, [], {}, 10**30),
            "/comment": (*NOT_TEXT, *EMPTY, "a\x00b", "x" * 2001),
        },
    ),
    (
        "/request/follow-on",
        {},
        {
            "/standards": ("x", [], None), "/regions": ("x", [], None),
            "/headcount": ("5", 0, None), "/sites": ("5", 0), "/notes": (5, ""),
            "/needed_by": ("x",), "/remote_ok": ("x",),
            "/service": ("certification",), "/company": ({"name": "Other"},),
        },
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "good", "wrong"), OF_THE_BUSINESS, ids=[path for path, *_ in OF_THE_BUSINESS]
)
def test_each_wrong_value_of_what_a_business_sends_is_named(client, ctx, make, path, good, wrong):
    if path.endswith("follow-on"):
        who = business_door(ctx, an_awarded_lead(ctx, make))
    else:
        who = business_door(ctx, make.lead())
    for pointer, values in {**wrong, "/unknown": ("x",)}.items():
        for value in values:
            body = with_value(good, pointer, value)
            answer = client.post(f"/api/v1{path}", json=body, headers=who)
            assert pointers(answer) == {pointer}, (pointer, value)
    worst = dict.fromkeys((pointer[1:] for pointer in wrong), "\x00") | {"unknown": 1}
    answer = client.post(f"/api/v1{path}", json=worst, headers=who)
    assert pointers(answer) == {*wrong, "/unknown"}


OF_THE_PROVIDER = [
    (
        "decline",
        {"reason": "other"},
        {"/reason": REASONS, "/comment": (*NOT_TEXT, *EMPTY, "x" * 2001)},
    ),
    ("questions", {"text": "How many shifts?"}, {"/text": (*TEXTS, "x" * 2001)}),
]  # fmt: skip


@pytest.mark.parametrize(("verb", "good", "wrong"), OF_THE_PROVIDER, ids=["decline", "questions"])
def test_each_wrong_value_of_what_a_provider_sends_is_named(consulting, verb, good, wrong):
    path = f"/api/v1/portal/invitations/{consulting.invitation.id}/{verb}"
    for pointer, values in {**wrong, "/unknown": ("x",)}.items():
        for value in values:
            body = with_value(good, pointer, value)
            answer = consulting.client.post(path, json=body, headers=consulting.who)
            assert pointers(answer) == {pointer}, (pointer, value)
    assert consulting.state() == "sent"


OF_THE_ADMINISTRATOR = [
    ("rejection", {"reason": "Spam."}, {"/reason": (*TEXTS, "x" * 1001)}),
    ("closure", {"reason": "Asked to."}, {"/reason": (*NOT_TEXT, *EMPTY, "a\x00b", "x" * 1001)}),
    (
        "invitations",
        {"provider_id": SOME_ID, "why": "They asked."},
        {"/provider_id": IDS, "/why": (*TEXTS, "x" * 1001)},
    ),
]


@pytest.mark.parametrize(
    ("verb", "good", "wrong"), OF_THE_ADMINISTRATOR, ids=["rejection", "closure", "invitations"]
)
def test_each_wrong_value_of_what_an_administrator_sends_is_named(
    client, ctx, make, verb, good, wrong
):
    lead, who = make.lead(), admin_door(ctx)
    for pointer, values in {**wrong, "/unknown": ("x",)}.items():
        for value in values:
            body = with_value(good, pointer, value)
            answer = client.post(f"/api/v1/admin/leads/{lead.id}/{verb}", json=body, headers=who)
            assert pointers(answer) == {pointer}, (pointer, value)
    assert make.lead_called(lead.reference).state == "open"
