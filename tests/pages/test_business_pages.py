"""The business's own page: how its request stands, and every decision about it."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from marketplace.invitations import endings, questions
from marketplace.invitations import service as invitations
from marketplace.leads.models import Lead
from marketplace.providers import accreditations
from marketplace.providers.models import Accreditation, Provider
from marketplace.quotes import outcome
from marketplace.quotes import service as quotes
from marketplace.quotes.models import Review
from marketplace.web.api.quotes import QuoteIn
from marketplace.web.requests import load
from tests.factories import business_of, person_of
from tests.pages.steps import held_by, open_request
from tests.providers import OPERATOR, an_accreditation
from tests.services.road import an_awarded_lead

CERTIFICATION = {
    "kind": "certification",
    "currency": "AUD",
    "standards": [{"code": "ISO 9001"}],
    "audit_days": {"stage_1": 1, "stage_2": 2.5},
    "fees": {"stage_1": "1400.00", "stage_2": "4200.00"},
    "valid_until": "2027-03-31",
}
CONSULTING = {
    "kind": "consulting",
    "currency": "AUD",
    "phases": [{"name": "Gap analysis", "days": 2, "fee": "3000.00"}],
    "valid_until": "2027-03-31",
}


def quote(ctx, invitation, body):
    return quotes.put_quote(
        ctx, person_of(invitation.provider_id), invitation.id, load(QuoteIn(), body)
    )


@pytest.fixture
def certification(ctx, make):
    """A request to three certification bodies, two of which have quoted."""
    for name in ("Southern Cross Assurance", "Wattle Certification", "Meridian Registrars"):
        make.provider("certification_body", name=name)
    lead = make.matched_lead(service="certification")
    first, second, _ = held_by(make, lead)
    quote(ctx, first, CERTIFICATION)
    dearer = {**CERTIFICATION["fees"], "stage_2": "9000.00", "annual": "450.00"}
    quote(ctx, second, {**CERTIFICATION, "fees": dearer, "tax_rate": "10"})
    return lead


def state(make, lead):
    return make.lead_called(lead.reference).state


def test_without_its_link_the_page_says_how_to_get_in(browser):
    page = browser().open("/requests")
    assert page.status == 401
    assert "Open the link from your e-mail" in page.text


def test_a_lost_link_is_mailed_again_and_nobody_learns_whether_there_is_one(
    ctx, browser, certification, link_to
):
    answers = set()
    for email in (f" {certification.contact_email.upper()} ", "nobody@harbour.example"):
        visitor = browser()
        visitor.open("/requests")
        answers.add(visitor.send("/requests/link", email=email).text)
    assert len(answers) == 1
    page = visitor.open(link_to(certification.contact_email, "requests/open"))
    assert certification.reference in page.title


def test_who_asks_for_links_without_end_is_told_to_wait_whether_there_is_one_or_not(
    app, ctx, browser, certification
):
    product = app.extensions["marketplace"]
    policy = replace(ctx.policy, rate_limits=True)
    app.extensions["marketplace"] = replace(product, ctx=replace(ctx, policy=policy))
    visitor = browser()
    lost = visitor.open("/requests/link")
    answers = {}
    for _ in range(12):
        for email in (certification.contact_email, "nobody@harbour.example"):
            visitor.page = lost
            page = visitor.send("/requests/link", email=email)
            answers.setdefault((page.status, email), set()).add(" ".join(page.text.split()))
    assert {status for status, _ in answers} == {200, 429}
    assert len({frozenset(texts) for (status, _), texts in answers.items() if status == 200}) == 1
    for (status, _), texts in answers.items():
        wait = "nothing was sent. Please wait 1 minute, then send it once more."
        assert status == 200 or all(wait in text for text in texts)


def test_what_is_no_address_is_said_beside_the_field(browser):
    visitor = browser()
    visitor.open("/requests/link")
    refused = visitor.send("/requests/link", email="nowhere")
    assert refused.status == 422
    assert "Your e-mail address must be an e-mail address" in refused.text
    assert visitor.open("/requests/open/request_nobody").link("/requests/link")


def test_a_link_opens_the_page_and_stays_out_of_its_address(ctx, browser, certification):
    page = open_request(ctx, browser(), certification)
    assert (page.status, page.at) == (200, "/requests")
    assert certification.reference in page.title


def test_a_link_that_is_no_good_is_said_to_be(browser):
    assert browser().open("/requests/open/request_nobody").status == 410
    assert browser().open("/requests/confirm/confirm_nobody").status == 410
    assert browser().open("/requests/not-ours/notours_nobody").status == 410


def test_quotes_stand_side_by_side_and_nothing_missing_counts_as_zero(ctx, browser, certification):
    page = open_request(ctx, browser(), certification)
    assert "AUD 5,600.00" in page.text
    assert "AUD 11,750.00" in page.text
    assert "AUD 12,925.00" in page.text  # with tax
    assert "not stated" in page.text
    assert "AUD 0.00" not in page.text
    assert "accredited by JASANZ" in page.text


def test_a_comparison_says_what_is_quoted_and_what_a_low_total_leaves_out(ctx, browser, make):
    body = make.provider("certification_body", name="Southern Cross Assurance")
    make.provider("certification_body", name="Wattle Certification")
    lead = make.matched_lead(service="certification")
    first, second = held_by(make, lead)
    held = make.ask(
        lambda session: session.query(Accreditation).filter_by(standard="ISO 9001").first()
    )
    own = first if held.provider_id == first.provider_id else second
    other = second if own is first else first
    fees = {**CERTIFICATION["fees"], "travel": "800.00"}
    more = {"travel_basis": "at_cost", "effective_personnel": 40, "accreditation_id": str(held.id)}
    edition = {"standards": [{"code": "ISO 9001", "edition": "2026"}]}
    quote(ctx, own, {**CERTIFICATION, "fees": fees, **more, **edition})
    quote(ctx, other, {**CERTIFICATION, "currency": "NZD"})
    page = open_request(ctx, browser(), lead)
    for said in (
        "ISO 9001 (2026)", f"{held.body} {held.certificate_number}", "Travel beyond the estimate",
        "for which edition is not known", "different currencies", "without: Travel",
        "On top, at cost",
    ):  # fmt: skip
        assert said in page.text, said
    assert body.name in page.text


def test_a_comparison_warns_of_few_days_and_of_a_late_start_and_can_be_put_in_order(
    ctx, browser, make
):
    """The same sums as in `quotes_by_hand.csv`, as a person reads them."""
    for name in ("Harbour Certification", "Wattle Certification", "Kestrel Certification"):
        make.provider("certification_body", name=name, standards=("ISO 9001",))
    lead = make.matched_lead(
        service="certification", standards=["ISO 9001"], headcount=65, needed_by="2027-06-30"
    )
    named = make.ask(lambda session: dict(session.query(Provider.id, Provider.name).all()))
    for number, invitation in enumerate(held_by(make, lead)):
        low = number == 1
        body = {
            **CERTIFICATION,
            "audit_days": {"stage_1": 0.5 if low else 1, "stage_2": 1.5 if low else 3},
            "fees": {"stage_1": "600.00", "stage_2": f"{9 - number}000.00", "annual": "100.00"},
            "travel_basis": "included",
            "earliest_start": "2027-06-07" if low else "2027-04-20",
        }
        quote(ctx, invitation, body)
    first, second, third = (named[each.provider_id] for each in held_by(make, lead))
    page = open_request(ctx, browser(), lead)
    text = re.sub(r"\s+", " ", page.text)
    assert "in the order in which the providers were invited; nothing that anybody pays" in text
    assert text.count("below what the accreditation rules allow without a special reason") == 1
    assert text.count("the tables suggest 3.5 to 5 days") == 3
    assert text.count("not in time for the day you need it") == 1
    assert text.count("in time for the day you need it") == 3
    assert (
        "A year, on averageAUD 3,300.00of what is stated" in text
    )  # 600 + 9,000 + 3 x 100, over three
    assert "ISO 9001, edition not stated" in text
    assert "Effective personnel is taken to be the headcount, 65 people." in text
    assert "IAF MD 5, 2.3.2" in text

    def heads(shown):
        return re.findall(r'class="figure">([^<]+ Certification)', shown.html)

    assert heads(page) == [first, second, third]
    person = browser()
    open_request(ctx, person, lead)
    assert heads(person.open("/requests?order=total")) == [third, second, first]
    assert heads(person.open("/requests?order=start")) == [first, third, second]
    assert heads(person.open("/requests?order=whatever")) == [first, second, third]


def test_a_mean_by_day_says_which_paid_days_are_not_in_it(ctx, browser, make):
    make.provider("certification_body")
    lead = make.matched_lead(service="certification")
    (own,) = held_by(make, lead)
    fees = {**CERTIFICATION["fees"], "surveillance_2": "900.00"}
    days = {"stage_1": 1, "stage_2": 2, "surveillance_1": 1}
    quote(ctx, own, {**CERTIFICATION, "fees": fees, "audit_days": days})
    page = open_request(ctx, browser(), lead)
    assert page.text.count("without the days of: Second surveillance audit") == 2


def test_choosing_asks_once_more_and_tells_everybody(ctx, browser, certification, make, work):
    business = browser()
    page = open_request(ctx, business, certification)
    asked = business.open(page.link("/requests/choose/"))
    assert state(make, certification) == "open"
    assert "cannot be taken back" in asked.text
    own = business.send("/requests/choose/")
    assert "You have chosen" in own.text
    assert "provider chosen" in own.text
    assert 'href="mailto:quotes@provider' in own.html
    assert state(make, certification) == "awarded"

    business.page = asked
    again = business.send("/requests/choose/")
    assert (again.status, again.at) == (200, "/requests")
    assert "finished already" in again.text
    assert business.open(asked.at).text.count("finished already") == 1


def test_a_question_is_answered_once_for_all(ctx, browser, certification, make):
    *_, third = held_by(make, certification)
    asked = "Do you work in shifts?"
    questions.ask_question(ctx, person_of(third.provider_id), third.id, text=asked)
    business = browser()
    page = open_request(ctx, business, certification)
    assert asked in page.text

    (field,) = answers_to(page)
    refused = business.send("/requests/answers", **{field: "  "})
    assert refused.status == 422
    assert "Your answer to question 1 is required" in refused.text
    own = business.send("/requests/answers", **{field: "Yes, in two.\nNights on demand."})
    assert "Nights on demand." in own.text
    assert "Your answer is on its way" in own.text
    business.page = refused
    assert "answered already" in business.send("/requests/answers", **{field: "Late"}).text


def answers_to(page):
    """Return the fields for answers, in the order in which the questions stand."""
    return [name for name, _ in page.form("/requests/answers").values if name.startswith("text.")]


def ask_thrice(ctx, make, lead):
    *_, third = held_by(make, lead)
    for text in ("Do you work in shifts?", "Do you design?", "Do you export?"):
        questions.ask_question(ctx, person_of(third.provider_id), third.id, text=text)


def test_several_questions_are_answered_together_and_a_blank_one_stays_open(
    ctx, browser, certification, make
):
    ask_thrice(ctx, make, certification)
    business = browser()
    first, second, third = answers_to(open_request(ctx, business, certification))
    own = business.send("/requests/answers", **{first: "In two.", third: "To Fiji."})
    assert "Your answers are on their way" in own.text
    assert "In two." in own.text
    assert "To Fiji." in own.text
    assert answers_to(own) == [second]


def test_one_answer_that_is_refused_costs_none_of_the_others(ctx, browser, certification, make):
    ask_thrice(ctx, make, certification)
    business = browser()
    first, second, third = answers_to(open_request(ctx, business, certification))
    typed = {first: "In two.", second: "x" * 4001, third: "To Fi"}
    refused = business.send("/requests/answers", **typed)
    assert refused.status == 422
    assert dict(refused.form("/requests/answers").values).items() >= typed.items()
    assert refused.html.count('aria-invalid="true"') == 1
    wrong = second.replace(".", "-")
    assert f'href="#{wrong}"' in refused.html
    assert f'id="{wrong}-problem"' in refused.html
    assert "Your answer to question 2" in refused.text


def test_an_answer_given_meanwhile_does_not_hold_the_others_up(ctx, browser, certification, make):
    ask_thrice(ctx, make, certification)
    business = browser()
    page = open_request(ctx, business, certification)
    first, second, _ = answers_to(page)
    business.send("/requests/answers", **{first: "In two."})
    business.page = page
    own = business.send("/requests/answers", **{first: "In three.", second: "We do."})
    assert "answered already" in own.text
    assert "Your answer is on its way" in own.text
    assert "In three." not in own.text
    assert "We do." in own.text


def test_answers_to_somebody_elses_questions_are_passed_over(ctx, browser, certification, make):
    ask_thrice(ctx, make, certification)
    owner, stranger = browser(), browser()
    field, *_ = answers_to(open_request(ctx, owner, certification))
    values = owner.page.form("/requests/answers").values
    open_request(ctx, stranger, make.matched_lead(service="certification"))
    given = [(name, "Intruding" if name == field else value) for name, value in values]
    stranger.post("/requests/answers", [*given, ("text.nothing", "Intruding")])
    assert "Intruding" not in owner.open("/requests").text
    assert len(answers_to(owner.page)) == 3


def test_a_place_is_passed_on_only_after_it_was_asked_once_more(
    ctx, browser, certification, make, clock
):
    *_, third = held_by(make, certification)
    invitations.accept_invitation(ctx, person_of(third.provider_id), third.id)
    clock.advance(hours=25)
    endings.end_due_invitations(ctx)
    business = browser()
    page = open_request(ctx, business, certification)
    asked = business.open(page.link("/requests/replace/"))
    assert "one more provider will see them" in asked.text
    assert "looking for another provider" in business.send("/requests/replace/").text
    business.page = asked
    assert "passed on already" in business.send("/requests/replace/").text


def test_closing_takes_a_reason(ctx, browser, certification, make):
    business = browser()
    page = open_request(ctx, business, certification)
    asked = business.open(page.link("/requests/close"))
    assert business.send("/requests/close").status == 422
    assert state(make, certification) == "open"
    own = business.send("/requests/close", ("reason", "not_now"))
    assert "Your request is closed" in own.text
    assert state(make, certification) == "closed"

    said = "This request is finished already; there is nothing to close."
    for reason in ("mistake", "nonsense"):
        business.page = asked
        again = business.send("/requests/close", ("reason", reason))
        assert again.status in (409, 422)
        assert said in again.text
        assert not [form for form in again.forms if "close" in form.action]
    assert said in business.open("/requests/close").text


def test_a_provider_that_answered_is_reviewed_once(ctx, browser, certification, make):
    business = browser()
    open_request(ctx, business, certification)
    quoted = held_by(make, certification)[0].id
    outcome.close_request(ctx, business_of(certification), reason="not_now")
    page = business.open("/requests")
    asked = business.open(page.link("/requests/review/"))
    assert "how soon, how clearly" in asked.text
    assert business.send("/requests/review/").status == 422
    assert "Thank you" in business.send("/requests/review/", ("rating", "4"), comment="Quick").text
    rated = business.open("/requests")
    assert "answered: 4 of 5." in rated.text
    given = business.open(rated.link(f"/requests/review/{quoted}"))
    assert "4 of 5" in given.text
    assert not given.forms[1:]
    business.page = asked
    assert "reviewed already" in business.send("/requests/review/", ("rating", "1")).text
    (review,) = make.ask(lambda session: session.query(Review).all())
    assert (review.rating, review.comment) == (4, "Quick")


def test_an_awarded_consulting_request_is_followed_on(ctx, browser, make):
    make.provider(name="Harbour Quality Pty Ltd")
    lead = make.matched_lead()
    (invitation,) = held_by(make, lead)
    quote(ctx, invitation, CONSULTING)
    business = browser()
    page = open_request(ctx, business, lead)
    assert "Gap analysis" in page.text
    business.open(page.link("/requests/choose/"))
    page = business.send("/requests/choose/")
    body = make.provider("certification_body", name="Southern Assurance")
    make.relationship(body, make.ask(lambda session: session.get(Provider, invitation.provider_id)))
    asked = business.open(page.link("/requests/follow-on"))
    assert "You were advised by: Harbour Quality Pty Ltd." in asked.text
    assert "So these are left out:" in asked.text
    assert "Southern Assurance" in asked.text
    assert dict(asked.form("follow-on").values)["headcount"] == "42"
    assert business.send("/requests/follow-on", headcount="lots").status == 422
    named = {"consultants_used.0.name": "", "consultants_used.0.ended_on": "2026-02-01"}
    refused = business.send("/requests/follow-on", **named)
    assert refused.status == 422
    assert "Write the name of consultant 1" in refused.text
    named["consultants_used.0.name"] = "Found Elsewhere"
    own = business.send("/requests/follow-on", headcount="45", **named)
    assert "Your new request is in" in own.text
    latest = make.ask(lambda session: session.query(Lead).order_by(Lead.id.desc()).first())
    assert (latest.service, latest.headcount, latest.follows_lead_id) == (
        "certification",
        45,
        lead.id,
    )
    assert latest.consultants_used == [
        {"name": "Found Elsewhere", "ended_on": "2026-02-01"},
        {"name": "Harbour Quality Pty Ltd", "ended_on": None},
    ]
    business.open("/requests/follow-on")
    assert "You have a request running already" in business.send("/requests/follow-on").text


def test_a_form_that_follows_on_begins_without_a_day_that_has_passed_and_says_what_is_agreed_to(
    ctx, clock, browser, make
):
    make.provider()
    lead = make.matched_lead(needed_by=str(ctx.clock().date() + timedelta(days=20)))
    (invitation,) = held_by(make, lead)
    quote(ctx, invitation, CONSULTING)
    outcome.choose_provider(ctx, business_of(lead), invitation.id)
    clock.advance(days=30)
    business = browser()
    open_request(ctx, business, lead)
    page = business.open("/requests/follow-on")
    assert "shared with up to three matched certification bodies" in page.text
    assert dict(page.form("follow-on").values)["needed_by"] == ""
    assert "Your new request is in" in business.send("/requests/follow-on").text


def test_certification_is_not_offered_once_more_where_a_body_was_chosen(ctx, browser, make):
    make.provider("certification_body")
    lead = make.matched_lead(service="either")
    (invitation,) = held_by(make, lead)
    quote(ctx, invitation, CERTIFICATION)
    business = browser()
    page = open_request(ctx, business, lead)
    business.open(page.link("/requests/choose/"))
    chosen = business.send("/requests/choose/")
    assert "/requests/follow-on" not in chosen.html
    refused = business.open("/requests/follow-on")
    assert refused.at == "/requests"
    assert "Only a consulting request can be followed on" in refused.text


def test_before_a_choice_nothing_can_be_followed_on(ctx, browser, certification):
    business = browser()
    open_request(ctx, business, certification)
    assert "Only an awarded request" in business.open("/requests/follow-on").text


def test_the_page_says_until_when_it_can_be_followed_on(ctx, browser, make):
    lead = an_awarded_lead(ctx, make)
    assert "This page stays open until 21 February 2027" in open_request(ctx, browser(), lead).text


def test_erasing_forgets_the_business_and_ends_its_link(ctx, browser, certification, make):
    business = browser()
    page = open_request(ctx, business, certification)
    business.open(page.link("/requests/erase"))
    assert state(make, certification) == "open"
    front = business.send("/requests/erase")
    assert front.at == "/"
    assert "has been erased" in front.text
    assert make.lead_called(certification.reference).contact_name == "erased"
    assert business.open("/requests").status == 401


def test_another_requests_invitation_does_not_exist(ctx, browser, certification, make):
    other = make.matched_lead(service="certification")
    business = browser()
    open_request(ctx, business, other)
    theirs = held_by(make, certification)[0].id
    for path in (f"/requests/choose/{theirs}", f"/requests/review/{theirs}"):
        assert business.open(path).status == 404


def test_a_deadline_that_has_passed_is_said_so_before_any_sweep(ctx, browser, make, clock):
    make.provider()
    lead = make.matched_lead()
    business = browser()
    assert "24 hours left" in open_request(ctx, business, lead).text
    clock.advance(hours=24)
    assert "missed it. We are sorry" in business.open("/requests").text


def test_the_form_is_shown_as_it_was_sent(ctx, browser, make):
    advised = [{"name": "Ridge Consulting", "ended_on": "2026-02-01"}]
    lead = make.matched_lead(consultants_used=advised)
    page = open_request(ctx, browser(), lead)
    sent = page.text.split("What you sent")[1]
    company, contact = lead.form["company"], lead.form["contact"]
    for said in (
        company["name"], contact["name"], contact["email"], "Ridge Consulting, until 1 February",
        "New South Wales, Australia", "Close this request",
    ):  # fmt: skip
        assert said in sent
    assert lead.form["contact"].get("phone", "") in sent
    agreed = " ".join(sent.split("What you agreed to")[1].split())
    assert agreed.startswith("At ")
    assert "under the terms of 2026-11: that your request is shared" in agreed


def test_a_finished_request_says_what_was_not_needed_and_offers_another(
    ctx, browser, certification
):
    business = browser()
    page = open_request(ctx, business, certification)
    assert "Send a new request" not in page.text
    outcome.close_request(ctx, business_of(certification), reason="not_now")
    page = business.open("/requests")
    assert "Send a new request" in page.text
    assert page.text.count("no longer needed") == 1
    assert "withdrawn" not in page.text
    assert "send the form again" not in page.text


def test_a_shared_computer_forgets_the_request_and_the_link_opens_it_again(
    ctx, browser, certification, make
):
    business = browser()
    open_request(ctx, business, certification)
    front = business.send("/requests/forget")
    assert front.at == "/"
    assert "has forgotten your request" in front.text
    assert business.open("/requests").status == 401
    assert state(make, certification) == "open"
    assert open_request(ctx, business, certification).status == 200


def test_who_has_quoted_comes_first_and_who_takes_no_part_is_folded(
    ctx, browser, certification, make
):
    first, second, third = held_by(make, certification)
    invitations.decline_invitation(ctx, person_of(third.provider_id), third.id, reason="other")
    names = re.findall(
        r'<h3 id="provider-([^"]*)"|(<details><summary>One provider)',
        open_request(ctx, browser(), certification).html,
    )
    order = [id_ or "folded" for id_, _ in names]
    assert order == [str(first.id), str(second.id), "folded", str(third.id)]


def test_accreditations_for_what_was_asked_come_first_and_others_are_folded(ctx, browser, make):
    make.provider("certification_body", standards=["ISO 9001", "ISO 14001"])
    lead = make.matched_lead(service="certification", standards=["ISO 9001"])
    html = open_request(ctx, browser(), lead).html
    asked, other = html.index("<strong>ISO 9001"), html.index("<strong>ISO 14001")
    assert asked < html.index("And one more accreditation") < other


def test_a_badge_says_when_it_was_checked_and_by_whom_it_is_vouched_for(ctx, browser, make, clock):
    looked_up = make.provider("certification_body", name="Wattle Assurance", accredited=False)
    make.provider("certification_body", name="Meridian Registrars")
    held = an_accreditation(ctx, looked_up)
    clock.advance(days=2)
    lead = make.matched_lead(service="certification")
    business = browser()
    page = open_request(ctx, business, lead)
    badge = (
        "accredited by JASANZ, number S-100.\nChecked by us on 23 November 2026; valid until 31 "
    )
    assert badge in page.text
    assert page.text.count("Checked by us") == 1
    assert page.text.count("Vouched for when the provider was taken in") == 2
    accreditations.suspend_accreditation(ctx, OPERATOR, held)
    page = business.open("/requests")
    assert "Suspended; last looked at on 23 November 2026." in page.text
    assert "Checked by us" not in page.text
