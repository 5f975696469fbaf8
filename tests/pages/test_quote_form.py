"""The form of a quote: what the tables suggest, what it adds up to, and its draft."""

import json
import re

import pytest

from marketplace.invitations import service as invitations
from marketplace.invitations.models import QuoteDraft
from marketplace.leads.models import Lead
from marketplace.providers.models import Accreditation, Provider
from marketplace.quotes.audit_time import Assumption, Expected, Gap
from marketplace.quotes.models import Quote
from marketplace.web.pages.quote_labels import WHY_NOT, assumed
from tests.factories import person_of
from tests.pages.steps import CONSULTING, held_by, open_request
from tests.people import PASSWORD


class QuoteForm:
    """A provider's browser, at the quote form of its one invitation."""

    def __init__(self, person, invitation):
        self.person, self.invitation = person, invitation
        self.path = f"/portal/invitations/{invitation.id}/quote"
        self.open()

    def open(self):
        return self.person.open(self.path)

    @property
    def form(self):
        (form,) = [each for each in self.person.page.forms if each.action == self.path]
        return form

    @property
    def typed(self):
        return {name: value for name, value in self.form.values if value}

    def press(self, button="", **filled):
        """Press a button of the form: to send it, "/sum" or "/draft"."""
        given = {name.replace("__", "."): value for name, value in filled.items()}
        kept = [(name, value) for name, value in self.form.values if name not in given]
        return self.person.post(self.path + button, [*kept, *given.items()])

    def save_as_a_script(self, values=None):
        values = dict(self.form.values) | (values or {})
        headers = {"Accept": "application/json"}
        return self.person.client.post(f"{self.path}/draft", data=values, headers=headers)


@pytest.fixture
def certifying(make, signed_in):
    """Return the form of a certification body that was invited to a request like this."""

    def at(**changes):
        standards = changes.get("standards", ["ISO 9001"])
        provider = make.provider("certification_body", standards=tuple(standards))
        lead = make.matched_lead(service="certification", **{"standards": standards} | changes)
        (invitation,) = [i for i in held_by(make, lead) if i.provider_id == provider.id]
        return QuoteForm(signed_in(provider), invitation)

    return at


@pytest.fixture
def consulting(make, signed_in):
    provider = make.provider()
    (invitation,) = held_by(make, make.matched_lead())
    return QuoteForm(signed_in(provider), invitation)


def words(page):
    return re.sub(r"\s+", " ", page.text)


def stored(make, table):
    return make.ask(lambda session: session.query(table).all())


# What the tables suggest


def test_a_certification_body_sees_what_the_tables_suggest_before_it_sends(certifying):
    page = words(certifying(headcount=45).person.page)
    assert "3 to 4 days for stage 1 and 2 together" in page
    assert "because ISO 9001 is asked for by 45 people at 1 site." in page
    assert "Each surveillance audit: 1 to 1.5 days. Recertification: 2 to 2.5 days." in page
    assert "Effective personnel is taken to be the headcount, 45 people. It is at most that" in page
    assert "The lower end is 30 % below the tables" in page
    assert "%%" not in page


def test_several_standards_and_sites_are_reckoned_together_and_said(certifying):
    page = words(
        certifying(standards=["ISO 9001", "ISO 14001"], headcount=200, sites=10).person.page
    )
    assert "the range spans the table's columns from the lowest to the highest" in page
    assert "over 10 sites, of which an initial audit visits 5 (IAF MD 1)" in page
    assert "another 20 % below" in page
    assert "The work is no special case" in page


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"headcount": 10_701}, "ISO 9001: its table has no row for so many people."),
        ({"standards": ["ISO 22301"]}, "ISO 22301: there is no table of audit time for it here."),
        (
            {"standards": ["ISO 14001"], "sector": "36"},
            "ISO 14001: its table does not hold for this sector",
        ),
    ],
)
def test_where_the_tables_have_no_figure_the_certification_body_is_asked(certifying, changes, said):
    page = words(certifying(**changes).person.page)
    assert said in page
    assert "This is for you, as the certification body, to say." in page
    assert "days for stage 1 and 2 together, because" not in page


def test_a_consultant_is_told_of_no_audit_time(consulting):
    assert "audit-time tables" not in consulting.person.page.text


def test_what_the_provider_counted_itself_takes_the_place_of_the_headcount(certifying):
    form = certifying(headcount=45)
    page = words(form.press("/sum", effective_personnel="25"))
    assert "2 to 3 days" in page
    assert "Effective personnel is 25 people, as counted for the quote." in page
    for nonsense in ("few", "0", "-3", "1.5"):
        assert "3 to 4 days" in words(form.press("/sum", effective_personnel=nonsense))


def shown_warnings(page):
    return [
        attributes["data-of"]
        for tag, attributes in page.elements
        if "data-of" in attributes and "hidden" not in attributes
    ]


def test_too_few_days_are_warned_of_and_not_refused(certifying, make):
    form = certifying(headcount=45)
    assert shown_warnings(form.person.page) == []
    few = {"audit_days__stage_1": "1", "audit_days__stage_2": "1.5"}
    page = form.press("/sum", **few, audit_days__surveillance_2="0.5")
    assert shown_warnings(page) == ["initial", "surveillance_2"]
    assert shown_warnings(form.press("/sum", audit_days__stage_2="2")) == ["surveillance_2"]
    fees = {"fees__stage_1": "1000", "fees__stage_2": "1000", "valid_until": "2027-03-31"}
    page = form.press(**few, **fees)
    assert "Your quote is with the business" in page.text
    assert len(stored(make, Quote)) == 1
    form.open()
    assert shown_warnings(form.person.page) == ["initial", "surveillance_2"]


def test_every_assumption_and_every_gap_has_words():
    found = Expected({}, (), {}, (), personnel=1, sites=3, visited=3)
    said = {assumed(each, found) for each in Assumption}
    assert len(said) == len(Assumption)
    assert all(each.endswith(".") for each in said)
    assert set(WHY_NOT) == set(Gap)


def test_a_masked_brief_gives_the_range_and_nothing_else_away(certifying):
    page = certifying().person.page
    for secret in ("Acme", "Jo Tran", "acme.example", "5550 1234"):
        assert secret not in page.html


# What it adds up to


def sums(page):
    found = re.findall(r'<output id="sum-([\w-]+)">(.*?)</output>', page.html)
    return {name: re.sub("<.*?>", "", text) for name, text in found}


def test_adding_up_shows_three_years_keeps_what_was_typed_and_stores_nothing(certifying, make):
    form = certifying()
    page = form.press(
        "/sum",
        fees__application="250",
        fees__stage_1="$1,800.10",
        fees__stage_2="4,200.20",
        fees__surveillance_1=" 2000.3 ",
        fees__annual="333.33",
        fees__recertification="9999",
        tax_rate="10",
        notes="Two auditors.",
    )
    # 250 + 1800.10 + 4200.20 + 2000.30 + 3 x 333.33
    assert page.status == 200
    assert sums(page) == {
        "total": "AUD 9,250.59",
        "with-tax": "AUD 10,175.65",
        "without": "Not stated: Second surveillance audit; Travel",
    }
    assert form.typed["fees.stage_1"] == "$1,800.10"
    assert form.typed["notes"] == "Two auditors."
    assert not page.title.startswith("Error")
    assert stored(make, Quote) == stored(make, QuoteDraft) == []


def test_what_cannot_be_read_is_named_and_travel_may_be_included(certifying):
    page = certifying().press(
        "/sum",
        fees__stage_1="1000",
        fees__stage_2="a lot",
        fees__travel="12,34",
        travel_basis="included",
        tax_rate="ten",
    )
    assert sums(page)["total"] == "AUD 1,000.00"
    assert sums(page)["with-tax"] == "not stated"
    assert sums(page)["without"] == (
        "Cannot be read: Stage 2 audit. Not stated: Application and registration; "
        "First surveillance audit; Second surveillance audit; Annual fee, for one year"
    )


@pytest.mark.parametrize(("country", "currency"), [("AU", "AUD"), ("GB", "GBP"), ("BG", "EUR")])
def test_a_new_quote_begins_in_the_currency_of_the_business(certifying, country, currency):
    form = certifying(company={"name": "Kestrel Works", "country": country})
    assert form.typed["currency"] == currency


def test_a_currency_in_small_letters_and_a_percent_sign_are_understood(consulting, make):
    consulting.press(**CONSULTING | {"currency": " aud ", "tax_rate": "10 %"})
    (quote,) = stored(make, Quote)
    assert quote.currency == "AUD"
    assert "plus 10 % tax" in words(consulting.person.page)


def test_travel_that_is_included_is_not_shown_as_not_stated(certifying):
    form = certifying()
    page = form.press(
        audit_days__stage_1="1",
        audit_days__stage_2="2",
        fees__stage_1="1000",
        fees__stage_2="2000",
        travel_basis="included",
        currency="AUD",
        valid_until="2027-03-01",
    )
    (row,) = re.findall(r"<tr><th scope=\"row\">Travel</th>.*?</tr>", page.html)
    assert "included" in row
    assert "not stated" not in row


def test_phases_are_added_up_and_one_without_a_fee_is_named(consulting):
    filled = {**CONSULTING, "phases__1__name": "Train", "travel": "99.99"}
    page = consulting.press("/sum", **filled)
    assert sums(page) == {
        "total": "AUD 14,099.99",
        "with-tax": "AUD 15,509.99",
        "without": "Not stated: the fee of phase 2",
    }
    page = consulting.press("/sum", phases__1__name="", travel="")
    assert sums(page)["without"] == "Not stated: Travel"
    assert consulting.typed["phases.1.name"] == "Build"  # the blank row closed up


def test_the_sum_of_the_form_is_the_total_of_the_quote(certifying, make):
    form = certifying()
    page = form.press(
        "/sum",
        fees__stage_1="1000.01",
        fees__stage_2="2000.02",
        fees__annual="0.33",
        audit_days__stage_1="1",
        audit_days__stage_2="2",
        valid_until="2027-03-31",
    )
    said = sums(page)["total"]
    form.press()
    (quote,) = stored(make, Quote)
    assert said == f"AUD {quote.total:,.2f}" == "AUD 3,001.02"


def test_what_a_phase_covers_is_ticked_kept_and_compared(consulting, make, ctx, browser):
    ticked = [("phases.0.covers", "gap_analysis"), ("phases.0.covers", "internal_audit")]
    kept = [(name, value) for name, value in consulting.form.values if "phases" not in name]
    given = [(name.replace("__", "."), value) for name, value in CONSULTING.items()]
    refused = consulting.person.post(
        consulting.path, [*kept, *given, *ticked, ("valid_until", "long ago")]
    )
    assert refused.status == 422
    assert [each for each in consulting.form.values if "covers" in each[0]] == ticked
    consulting.person.post(
        consulting.path,
        [
            *[each for each in kept if each[0] != "valid_until"],
            *given,
            *ticked,
            ("client_duties", "Writes the procedures\nAn hour a week"),
        ],
    )
    (quote,) = stored(make, Quote)
    assert [phase.get("covers") for phase in quote.body["phases"]] == [
        ["gap_analysis", "internal_audit"], None
    ]  # fmt: skip
    page = words(open_request(ctx, browser(), make.ask(lambda s: s.query(Lead).one())))
    assert "Internal auditGap analysis" in page
    assert "TrainingBuildby its words" in page
    assert "Management reviewnot mentioned" in page
    assert "What is left to youWrites the proceduresAn hour a week" in page


def test_an_unfinished_form_that_is_refused_is_added_up_as_well(consulting):
    page = consulting.press(phases__0__fee="100", currency="nzd")
    assert page.status == 422
    assert sums(page)["total"] == "nzd 100.00"


# The draft


def test_a_draft_is_saved_as_it_is_and_is_there_when_its_writer_comes_back(consulting, make):
    page = consulting.press("/draft", phases__0__fee="about 12", valid_until="", notes="Half a")
    assert page.status == 200
    assert "The draft is saved. It is not sent." in page.text
    consulting.person.open("/portal")
    assert "draft saved" in consulting.person.page.text
    page = consulting.person.open(consulting.person.page.link("/quote"))
    assert "Draft saved" in page.text
    assert "not sent" in page.text
    assert consulting.typed["phases.0.fee"] == "about 12"
    assert consulting.typed["notes"] == "Half a"
    assert not page.title.startswith("Error")
    assert stored(make, Quote) == []
    overview = consulting.person.open(f"/portal/invitations/{consulting.invitation.id}")
    assert "A draft of your quote was saved" in words(overview)


def test_saving_a_draft_opens_and_accepts_nothing(make, signed_in, ctx):
    provider = make.provider()
    lead = make.matched_lead()
    (invitation,) = held_by(make, lead)
    person = signed_in(provider)
    word = dict(person.open("/portal/profile").form("profile").values)["csrf_token"]
    path = f"/portal/invitations/{invitation.id}/quote/draft"
    answer = person.client.post(
        path,
        data={"csrf_token": word, "notes": "x", "draft": "0-"},
        headers={"Accept": "application/json"},
    )
    assert answer.status_code == 200
    assert held_by(make, lead)[0].columns == invitation.columns


def test_sending_the_quote_ends_the_draft(consulting, make):
    consulting.press("/draft", **CONSULTING)
    page = consulting.press()
    assert "Your quote is with the business" in page.text
    assert stored(make, QuoteDraft) == []
    assert "There is no draft yet" in consulting.open().text


def test_a_revision_can_be_drafted_and_discarded(consulting, make):
    consulting.press(**CONSULTING)
    consulting.open()
    consulting.press("/draft", phases__0__fee="1")
    assert consulting.typed["phases.0.fee"] == "1"
    page = consulting.person.send("/discard")
    assert "The draft is gone." in page.text
    assert consulting.typed["phases.0.fee"] == "4200.00"
    assert "/discard" not in page.html
    twice = consulting.person.post(f"{consulting.path}/draft/discard", consulting.form.values)
    assert twice.status == 200


def test_two_windows_both_keep_what_was_typed_and_a_person_decides(consulting, make):
    other = QuoteForm(consulting.person, consulting.invitation)
    first_window = consulting.person.page
    other.press("/draft", notes="from the second window")
    consulting.person.page = first_window
    page = consulting.press("/draft", notes="from the first window")
    assert page.status == 409
    assert "Two drafts of one quote" in page.text
    assert consulting.typed["notes"] == "from the first window"
    assert [each.typed["notes"] for each in stored(make, QuoteDraft)] == [
        ["from the second window"]
    ]
    page = consulting.press("/draft")
    assert page.status == 200
    assert [each.typed["notes"] for each in stored(make, QuoteDraft)] == [["from the first window"]]


def test_adding_up_in_a_window_that_is_behind_does_not_make_it_the_newer_one(consulting, make):
    first_window = consulting.person.page
    consulting.press("/draft", notes="newer")
    consulting.person.page = first_window
    consulting.press("/sum", notes="older")
    assert consulting.press("/draft").status == 409
    assert [each.typed["notes"] for each in stored(make, QuoteDraft)] == [["newer"]]


def test_a_script_saves_by_the_same_door_and_is_told_in_words(consulting, make):
    answer = consulting.save_as_a_script({"notes": "typed by and by"})
    assert answer.status_code == 200
    told = json.loads(answer.text)
    assert told["said"].startswith("Draft saved 8:00 pm today, Sydney time")
    assert "<" not in told["said"]
    stale = consulting.save_as_a_script({"notes": "another"})
    assert stale.status_code == 409
    assert "theirs is kept" in json.loads(stale.text)["said"]
    after = consulting.save_as_a_script({"notes": "another", "draft": told["draft"]})
    assert after.status_code == 200
    assert json.loads(after.text)["draft"] != told["draft"]
    assert "Set-Cookie" not in answer.headers or "HttpOnly" in answer.headers["Set-Cookie"]


def test_a_late_draft_is_refused_in_words_to_a_person_and_to_a_script(
    make, clock, consulting, signed_in
):
    clock.now = consulting.invitation.respond_by
    colleague = make.ask(lambda s: s.get(Provider, consulting.invitation.provider_id))
    colleague.contact_email = "colleague@provider.example"
    person = signed_in(colleague)
    word = dict(person.open("/portal/profile").form("profile").values)["csrf_token"]
    typed = {"csrf_token": word, "notes": "late", "draft": "0-"}
    path = f"{consulting.path}/draft"
    answer = person.client.post(path, data=typed, headers={"Accept": "application/json"})
    assert answer.status_code == 409
    assert "The time to answer this invitation has passed." in json.loads(answer.text)["said"]
    page = person.post(path, list(typed.items()))
    assert page.at == f"/portal/invitations/{consulting.invitation.id}"
    assert "The time to answer this invitation has passed." in page.text
    assert stored(make, QuoteDraft) == []


def test_a_script_without_a_session_is_told_so_and_saves_nothing(consulting, browser, make):
    stranger = browser()
    word = dict(stranger.open("/sign-in").form("/sign-in").values)["csrf_token"]
    answer = stranger.client.post(
        f"{consulting.path}/draft",
        data={"csrf_token": word, "notes": "x"},
        headers={"Accept": "application/json"},
    )
    assert (answer.status_code, stored(make, QuoteDraft)) == (401, [])


@pytest.mark.parametrize("button", ["", "/sum", "/draft", "/draft/discard"])
def test_whose_session_has_lapsed_keeps_what_was_sent_and_finds_the_draft(
    consulting, clock, make, button
):
    consulting.press("/draft", notes="typed before lunch")
    holder = make.ask(lambda s: s.get(Provider, consulting.invitation.provider_id))
    clock.advance(hours=13)
    assert consulting.press(button).status == 401
    person = consulting.person
    page = person.send("/sign-in", email=holder.contact_email, password=PASSWORD)
    assert "Send what you typed?" in page.text
    person.open(consulting.path)
    assert consulting.typed["notes"] == "typed before lunch"


def test_what_the_form_does_not_have_is_not_kept(consulting, make):
    rows = {f"phases.{n}.name": f"Phase {n}" for n in range(40)}
    hostile = {
        "no_such_field": "x",
        "csrf": "x",
        "fees.none": "x",
        "phases.99999999999999999999.fee": "1",
        "phases.-1.fee": "1",
        "phases.x.fee": "1",
        "notes": "kept\x00",
    }
    assert consulting.save_as_a_script(rows | hostile).status_code == 200
    (draft,) = stored(make, QuoteDraft)
    names = set(draft.typed)
    assert not names & set(hostile) - {"notes"}
    assert not {name for name in names if "csrf" in name or name == "draft"}
    assert draft.typed["notes"] == ["kept"]
    assert len([name for name in names if name.endswith(".name")]) == 30
    assert consulting.open().status == 200


@pytest.mark.parametrize("filling", ['"', "\\", "\n", "\x01", "\N{GRINNING FACE}", "<", "\x00"])
def test_the_largest_form_fits(consulting, make, filling):
    body = f"csrf_token={consulting.typed['csrf_token']}&draft=0-&notes="
    room = 256 * 1024 - len(body)
    raw = filling.encode()
    answer = consulting.person.client.post(
        f"{consulting.path}/draft",
        data=body.encode() + raw * (room // len(raw)),
        content_type="application/x-www-form-urlencoded",
        headers={"Accept": "application/json"},
    )
    assert answer.status_code == 200
    assert len(stored(make, QuoteDraft)) == 1
    larger = consulting.person.client.post(
        f"{consulting.path}/draft",
        data=body.encode() + b"x" * (room + 1),
        content_type="application/x-www-form-urlencoded",
        headers={"Accept": "application/json"},
    )
    assert larger.status_code == 413


def test_another_providers_draft_does_not_exist(consulting, make, signed_in):
    consulting.press("/draft", notes="ours")
    stranger = signed_in(make.provider())
    word = dict(stranger.open("/portal/profile").form("profile").values)["csrf_token"]
    for end in ("/draft", "/sum", "/draft/discard", ""):
        assert stranger.post(consulting.path + end, [("csrf_token", word)]).status == 404
    assert stranger.open(consulting.path).status == 404
    assert len(stored(make, QuoteDraft)) == 1


def test_a_forged_draft_is_refused(consulting, make):
    for end in ("/draft", "/sum", "/draft/discard"):
        assert consulting.person.post(consulting.path + end, [("notes", "x")]).status == 400
    assert stored(make, QuoteDraft) == []


def test_after_the_end_the_form_leads_back_to_the_invitation(ctx, consulting):
    who = person_of(consulting.invitation.provider_id)
    invitations.decline_invitation(ctx, who, consulting.invitation.id, reason="other")
    page = consulting.open()
    assert page.at == f"/portal/invitations/{consulting.invitation.id}"
    assert "You have declined" in page.text


def test_the_key_that_sends_a_form_from_a_field_does_not_send_the_quote(consulting):
    """A browser presses the first button of a form when Enter is pressed in a field."""
    form = consulting.person.page.html.split('id="quote"')[1]
    first = re.search(r"<button[^>]*>", form)[0]
    assert "/quote/sum" in first


# What is wrong


def test_what_is_wrong_by_request_calendar_and_accreditation_stands_at_its_field(certifying, make):
    form = certifying(headcount=45)
    page = form.press(
        standards__0__edition="1066",
        audit_days__stage_1="1000.5",
        audit_days__stage_2="1",
        fees__stage_1="1000",
        fees__stage_2="-1",
        effective_personnel="451",
        currency="XXX",
        earliest_start="2026-11-01",
        valid_until="2031-01-01",
    )
    assert page.status == 422
    said = words(page)
    for sentence in (
        "The edition of standard 1 must be one of ISO 9001, such as 2026 or 2015",
        "Stage 1 audit (days) must be at most 1000",
        "Stage 2 audit (fee) must be an amount without a currency, such as 1250.00",
        "The effective number of personnel must be at most 450, for a business of this size",
        "The currency must be three letters that name one",
        "The earliest start is in the past",
        "The last day on which the quote stands must not be after 2028-11-22",
    ):
        assert said.count(sentence) == 2, sentence  # above, and at the field
    assert form.typed["effective_personnel"] == "451"
    assert stored(make, Quote) == []


def test_an_edition_that_is_known_not_to_be_covered_is_said_at_its_field(certifying, make):
    form = certifying()
    with make.ctx.transaction() as tx:
        tx.session.query(Accreditation).update({"edition": "2026"})
    page = form.press(
        standards__0__edition="2015",
        audit_days__stage_1="1",
        audit_days__stage_2="3",
        fees__stage_1="1000",
        fees__stage_2="3000",
        valid_until="2027-03-31",
    )
    said = "The edition of standard 1 is not covered by your accreditation, which is for 2026"
    assert words(page).count(said) == 2
    assert "Your quote is with the business" in form.press(standards__0__edition="2026").text
