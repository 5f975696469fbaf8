"""The portal: invitations, every answer to one, and the provider's own profile."""

from datetime import timedelta

import pytest

from marketplace.invitations import service as invitations
from marketplace.invitations.models import Invitation, Question
from marketplace.invitations.rules import DeclineReason
from marketplace.leads.models import Lead
from marketplace.providers.models import Coverage, Provider
from marketplace.quotes import erasure
from marketplace.quotes import service as quotes
from marketplace.quotes.models import Quote
from marketplace.web.api.quotes import QuoteIn
from marketplace.web.requests import load
from tests.factories import business_of, person_of
from tests.pages.steps import CONSULTING, held_by
from tests.people import PASSWORD, a_person


@pytest.fixture
def invited(make, signed_in):
    """A provider that was invited, its browser, and the invitation."""
    provider = make.provider(name="Harbour Quality Pty Ltd")
    lead = make.matched_lead(number=0)
    (invitation,) = held_by(make, lead)
    return signed_in(provider), lead, invitation


def state(make, lead):
    return held_by(make, lead)[0].state


def test_the_list_says_how_long_there_is_in_words_and_as_a_bar(invited, clock):
    provider, lead, invitation = invited
    clock.advance(hours=3)
    page = provider.open("/portal")
    assert "1 needs an answer" in page.text
    assert lead.reference in page.text
    # Nobody has opened it: first it has to be opened, within twelve hours.
    assert "9 hours left" in page.text
    assert "to open it, until" in page.text
    assert bar(page)["value"] == "75"
    provider.open(f"/portal/invitations/{invitation.id}")
    clock.advance(hours=3)
    page = provider.open("/portal")
    assert "18 hours left" in page.text
    assert "to quote, until" in page.text
    assert bar(page)["value"] == "75"
    page = provider.open(f"/portal/invitations/{invitation.id}")
    assert bar(page)["value"] == "75"


def bar(page):
    (found,) = [attributes for tag, attributes in page.elements if tag == "meter"]
    assert (found["min"], found["max"]) == ("0", "100")
    labels = [attributes for _, attributes in page.elements if "id" in attributes]
    assert found["aria-labelledby"] in {each["id"] for each in labels}
    return found


def test_what_needs_an_answer_comes_first_and_the_most_urgent_on_top(make, signed_in, ctx, clock):
    body = make.provider()
    quoted, later, sooner = (make.matched_lead() for _ in range(3))
    who = person_of(body.id)
    ids = {lead: held_by(make, lead)[0].id for lead in (quoted, later, sooner)}
    body_of = {
        "kind": "consulting",
        "currency": "AUD",
        "phases": [{"name": "All", "fee": "1.00"}],
        "valid_until": "2027-01-31",
    }
    quotes.put_quote(ctx, who, ids[quoted], load(QuoteIn(), body_of))
    with ctx.transaction() as tx:
        tx.session.get_one(Invitation, ids[sooner]).open_by -= timedelta(hours=1)
    page = signed_in(body).page
    places = [page.html.index(lead.reference) for lead in (sooner, later, quoted)]
    assert places == sorted(places)
    assert "2 need an answer" in page.text
    assert page.html.index("Answered or over") < places[2]
    assert [tag for tag, _ in page.elements].count("meter") == 2


def test_a_list_of_what_is_over_says_that_nothing_waits(invited, ctx):
    provider, _, invitation = invited
    invitations.decline_invitation(
        ctx, person_of(invitation.provider_id), invitation.id, reason=DeclineReason.OTHER
    )
    page = provider.open("/portal")
    assert "Nothing needs an answer" in page.text


def test_every_page_of_the_portal_is_a_step_away(invited):
    provider, _, _ = invited
    page = provider.open("/portal")
    for name in (
        "messages", "record", "statement", "profile", "leave", "software"
    ):  # fmt: skip
        page = provider.open(page.link(f"/portal/{name}"))
        assert page.status == 200
        (current,) = [
            attributes
            for tag, attributes in page.elements
            if tag == "a" and attributes.get("aria-current") == "page"
        ]
        assert current["href"] == f"/portal/{name}"


def test_looking_opens_the_invitation_and_shows_nobodys_name(invited, make):
    provider, lead, invitation = invited
    assert state(make, lead) == "sent"
    page = provider.open(f"/portal/invitations/{invitation.id}")
    assert state(make, lead) == "opened"
    assert "New South Wales" in page.text
    for secret in ("Acme", "Jo Tran", "acme.example", "5550 1234"):
        assert secret not in page.html


def test_accepting_shows_who_it_is_and_twice_is_once(invited, make):
    provider, lead, invitation = invited
    form = provider.open(f"/portal/invitations/{invitation.id}")
    page = provider.send("/accept")
    assert "jo@acme.example" in page.text
    assert "Acme Fabrication Pty Ltd, Australia" in page.text
    assert state(make, lead) == "accepted"
    provider.page = form
    assert provider.send("/accept").status == 200
    assert state(make, lead) == "accepted"


def decline_path(invitation):
    return f"/portal/invitations/{invitation.id}/decline"


def test_declining_takes_two_clicks_from_the_mail(make, browser, ctx, link_to):
    body = make.provider()
    a_person(ctx, body.contact_email, provider_id=body.id)
    lead = make.matched_lead()
    path = link_to(body.contact_email, "/decline")
    anybody = browser()
    page = anybody.open(path)
    assert page.at.startswith("/sign-in")
    page = anybody.send("/sign-in", email=body.contact_email, password=PASSWORD)
    assert page.at == path
    page = anybody.send("/decline", reason="no_capacity")
    assert page.at == path
    assert "You have declined. The place is free for another provider." in page.text
    assert "We have no capacity" in page.text
    (invitation,) = held_by(make, lead)
    assert (invitation.state, invitation.decline_reason) == ("declined", "no_capacity")


def test_a_program_that_follows_links_declines_and_opens_nothing(invited, make):
    provider, lead, invitation = invited
    for _ in range(2):
        assert provider.open(decline_path(invitation)).status == 200
        assert provider.client.head(decline_path(invitation)).status_code == 200
    assert held_by(make, lead)[0].columns == invitation.columns


def test_every_reason_is_a_button(invited):
    provider, _, invitation = invited
    page = provider.open(decline_path(invitation))
    offered = [
        attributes["value"]
        for tag, attributes in page.elements
        if tag == "button" and attributes.get("name") == "reason"
    ]
    assert offered == [each.value for each in DeclineReason]
    for secret in ("Acme", "Jo Tran", "acme.example", "5550 1234"):
        assert secret not in page.html


@pytest.mark.parametrize("reason", ["", "because", "NO_CAPACITY"])
def test_without_a_reason_nothing_is_declined(invited, make, reason):
    provider, lead, invitation = invited
    provider.open(decline_path(invitation))
    page = provider.send("/decline", reason=reason)
    assert page.status == 422
    assert "The reason" in page.text
    assert state(make, lead) == "sent"


def test_declining_twice_and_in_two_windows_is_told_and_changes_nothing(invited, make):
    provider, lead, invitation = invited
    form = provider.open(decline_path(invitation))
    provider.send("/decline", reason="no_capacity")
    provider.page = form
    again = provider.send("/decline", reason="too_far")
    assert again.status == 200
    assert "You had declined already. Nothing has changed." in again.text
    assert held_by(make, lead)[0].decline_reason == "no_capacity"
    assert 'name="reason"' not in provider.open(decline_path(invitation)).html


def test_a_comment_may_follow_once(invited, make):
    provider, lead, invitation = invited
    provider.open(decline_path(invitation))
    form = provider.send("/decline", reason="other")
    refused = provider.send("/comment", comment=" ")
    assert refused.status == 422
    page = provider.send("/comment", comment="We are moving.\nAsk in March.")
    assert "Administrators read your comment" in page.text
    assert "Ask in March." in page.text
    assert not [each for each in page.forms if "comment" in each.action]
    provider.page = form
    assert "commented on it already" in provider.send("/comment", comment="Another").text
    assert held_by(make, lead)[0].decline_comment == "We are moving.\nAsk in March."


def test_only_a_decline_can_be_commented_on(invited, make):
    provider, lead, invitation = invited
    word = dict(provider.open(decline_path(invitation)).form("/decline").values)["csrf_token"]
    values = [("csrf_token", word), ("comment", "x")]
    page = provider.post(f"{decline_path(invitation)}/comment", values)
    assert "There is no decline to comment on" in page.text
    assert held_by(make, lead)[0].decline_comment is None


def test_after_the_data_are_erased_no_comment_comes_back(invited, make, ctx):
    provider, lead, invitation = invited
    provider.open(decline_path(invitation))
    provider.send("/decline", reason="other")
    erasure.erase_request(ctx, business_of(lead))
    page = provider.send("/comment", comment="About Jo Tran")
    assert "There is no decline to comment on" in page.text
    assert held_by(make, lead)[0].decline_comment is None


def test_a_quote_is_taken_back_by_the_same_page(invited, make, ctx):
    provider, lead, invitation = invited
    provider.open(f"/portal/invitations/{invitation.id}/quote")
    provider.send("/quote", **CONSULTING)
    page = provider.open(decline_path(invitation))
    assert "Take the quote back" in page.text
    assert "Your quote is taken back" in page.text
    provider.send("/decline", reason="other")
    assert state(make, lead) == "declined"


@pytest.mark.parametrize(
    ("deadline", "said"),
    [("open_by", "The time for this invitation has passed."), ("respond_by", "has passed.")],
)
def test_a_late_decline_is_told_clearly(invited, make, clock, signed_in, deadline, said):
    provider, lead, invitation = invited
    if deadline == "respond_by":
        provider.open(f"/portal/invitations/{invitation.id}")
    form = provider.open(decline_path(invitation))
    clock.now = getattr(held_by(make, lead)[0], deadline)
    holder = make.ask(lambda session: session.get(Provider, invitation.provider_id))
    holder.contact_email = "colleague@provider.example"
    colleague = signed_in(holder)
    page = colleague.open(decline_path(invitation))
    assert "There is nothing to decline any more" in page.text
    assert said in page.text
    assert 'name="reason"' not in page.html
    word = dict(colleague.open("/portal/profile").form("profile").values)["csrf_token"]
    values = [("csrf_token", word), ("reason", "other")]
    page = colleague.post(form.form("/decline").action, values)
    assert "problem-flash" in page.html
    assert page.status == 200
    assert state(make, lead) != "declined"


def test_a_question_is_asked(invited, make):
    provider, _, invitation = invited
    provider.open(f"/portal/invitations/{invitation.id}")
    assert provider.send("/questions", text=" ").status == 422
    assert (
        "Is there a night shift?"
        in provider.send("/questions", text="Is there a night shift?").text
    )
    assert len(make.ask(lambda session: session.query(Question).all())) == 1


def test_a_consultant_quotes_and_revises(invited, make):
    provider, lead, invitation = invited
    page = provider.open(f"/portal/invitations/{invitation.id}")
    provider.open(page.link("/quote"))
    refused = provider.send("/quote", **{**CONSULTING, "phases__2__fee": "", "valid_until": ""})
    assert refused.status == 422
    assert "The fee of phase 2 is required" in refused.text
    assert "The last day on which the quote stands is required" in refused.text
    assert dict(refused.form("/quote").values)["phases.0.fee"] == "$4,200.00"
    page = provider.send("/quote", phases__1__fee="9800", valid_until="2027-03-31")
    assert "Your quote is with the business" in page.text
    assert "AUD 14,000.00" in page.text
    assert state(make, lead) == "quoted"

    form = provider.open(page.link("/quote"))
    assert dict(form.form("/quote").values)["phases.1.deliverables"] == "Manual\nTraining"
    assert "version 2" in provider.send("/quote", phases__0__fee="4000").text
    provider.page = form
    provider.send("/quote", phases__0__fee="4000")
    assert len(make.ask(lambda session: session.query(Quote).all())) == 2


def test_a_revision_keeps_more_phases_than_an_empty_form_has_rows(invited, ctx):
    provider, _, invitation = invited
    phases = [{"name": f"Phase {n}", "fee": "100.00"} for n in range(1, 9)]
    body = {
        "kind": "consulting",
        "currency": "AUD",
        "phases": phases,
        "valid_until": str(ctx.clock().date()),
    }
    quotes.put_quote(ctx, person_of(invitation.provider_id), invitation.id, load(QuoteIn(), body))
    provider.open(f"/portal/invitations/{invitation.id}/quote")
    assert "AUD 900.00" in provider.send("/quote", phases__7__fee="200").text


def test_a_certification_body_quotes_with_what_it_leaves_out_left_out(make, signed_in):
    body = make.provider("certification_body")
    lead = make.matched_lead(service="certification", standards=["ISO 9001", "ISO 14001"])
    (invitation,) = held_by(make, lead)
    provider = signed_in(body)
    form = provider.open(f"/portal/invitations/{invitation.id}/quote")
    typed = dict(form.form("/quote").values)
    assert (typed["standards.1.code"], typed["standards.1.edition"]) == ("ISO 14001", "2026")
    refused = provider.send("/quote", fees__stage_1="free", valid_until="2027-03-31")
    assert refused.status == 422
    assert "Stage 1 audit (fee) must be an amount" in refused.text
    assert "Stage 2 audit (days) is required" in refused.text
    provider.send(
        "/quote",
        audit_days__stage_1="1",
        audit_days__stage_2="2.5",
        fees__stage_1="1,400",
        fees__stage_2="4200",
        travel_basis="included",
    )
    (quote,) = make.ask(lambda session: session.query(Quote).all())
    assert str(quote.total) == "5600.00"
    assert quote.body["fees"]["annual"] is None
    assert "not stated" in provider.page.text


def test_a_late_answer_is_refused_in_words(invited, clock, make):
    provider, lead, invitation = invited
    clock.advance(hours=13)
    provider.open(f"/portal/invitations/{invitation.id}")
    page = provider.send("/sign-in", email=invitation_contact(make, invitation), password=PASSWORD)
    assert page.at == f"/portal/invitations/{invitation.id}"
    clock.advance(hours=11)
    assert "The time to answer this invitation has passed" in provider.send("/accept").text
    assert "Too late to answer" in provider.page.text
    assert not [form for form in provider.page.forms if "/portal/" in form.action]
    assert state(make, lead) == "opened"  # no sweep has run


def invitation_contact(make, invitation):
    provider = make.ask(lambda session: session.get(Provider, invitation.provider_id))
    return provider.contact_email


def test_another_providers_invitation_does_not_exist(invited, make, signed_in):
    _, _, invitation = invited
    stranger = signed_in(make.provider())
    assert stranger.open(f"/portal/invitations/{invitation.id}").status == 404
    assert stranger.open(f"/portal/invitations/{invitation.id}/quote").status == 404


def test_the_profile_is_changed(make, signed_in):
    body = make.provider()
    provider = signed_in(body)
    form = provider.open("/portal/profile")
    assert ("coverage.standards", "ISO 14001") in form.form("profile").values
    refused = provider.send(
        "profile", coverage__others="AU-NSW\nAtlantis", coverage__headcount_min="x"
    )
    assert refused.status == 422
    assert (
        "\u201cAtlantis\u201d is not a region that we know: please write a name or an ISO code"
        in refused.text
    )
    page = provider.send(
        "profile",
        ("coverage.sectors", "28"),
        website="",
        coverage__near="AU-NSW",
        coverage__others="AU-VIC\nNew Zealand",
        coverage__headcount_min="5",
    )
    assert "Your profile is saved" in page.text
    covered = make.ask(lambda session: session.get(Coverage, body.id))
    assert covered.regions == ["AU-NSW", "AU-VIC", "NZ"]
    assert sorted(covered.sectors) == ["17", "28"]
    assert covered.headcount_min == 5
    assert make.ask(lambda session: session.get(Provider, body.id)).website is None
    shown = page.form("profile").values
    assert [value for name, value in shown if name == "coverage.near"] == ["AU-NSW", "AU-VIC"]
    assert dict(shown)["coverage.others"] == "New Zealand (NZ)"
    provider.send("profile")
    assert make.ask(lambda session: session.get(Coverage, body.id)).columns == covered.columns


def test_languages_are_written_by_name_or_code_and_weeks_as_a_number(make, signed_in):
    body = make.provider()
    provider = signed_in(body)
    provider.open("/portal/profile")
    provider.send(
        "profile",
        coverage__languages="english, DE\nNorwegian Bokmål;de",
        coverage__weeks_to_start="6",
    )
    assert "Your profile is saved" in provider.page.text
    covered = make.ask(lambda session: session.get(Coverage, body.id))
    assert (covered.languages, covered.weeks_to_start) == (["en", "de", "nb"], 6)

    shown = dict(provider.page.form("profile").values)
    assert shown["coverage.languages"] == "English\nGerman\nNorwegian Bokmål"
    assert shown["coverage.weeks_to_start"] == "6"
    provider.send("profile")
    assert make.ask(lambda session: session.get(Coverage, body.id)).columns == covered.columns

    refused = provider.send(
        "profile", coverage__languages="German\nKlingon", coverage__weeks_to_start="105"
    )
    assert refused.status == 422
    assert "\u201cKlingon\u201d is not a language that we know" in refused.text
    assert "The number of weeks until you can begin must be from 0 to 104" in refused.text
    assert dict(refused.form("profile").values)["coverage.languages"] == "German\nKlingon"

    provider.send("profile", coverage__languages="", coverage__weeks_to_start="")
    covered = make.ask(lambda session: session.get(Coverage, body.id))
    assert (covered.languages, covered.weeks_to_start) == ([], None)


def test_the_language_asked_for_stands_in_the_brief_before_acceptance(make, signed_in):
    provider = make.provider()
    lead = make.matched_lead(language="de")
    (invitation,) = held_by(make, lead)
    page = signed_in(provider).open(f"/portal/invitations/{invitation.id}")
    assert "Language" in page.text
    assert "German" in page.text


def test_that_somebody_advised_the_business_stands_in_the_brief_and_who_comes_with_acceptance(
    make, signed_in
):
    body = make.provider("certification_body")
    used = [{"name": "Ironbark Advice Pty Ltd", "ended_on": "2026-02-01"}]
    lead = make.matched_lead(service="certification", consultants_used=used)
    (invitation,) = held_by(make, lead)
    provider = signed_in(body)
    page = provider.open(f"/portal/invitations/{invitation.id}")
    assert "a consultant: you see who it is once you accept" in page.text
    assert "Ironbark" not in page.html
    page = provider.send("/accept")
    assert "Ironbark Advice Pty Ltd until 1 February 2026" in page.text
    assert "a consultant: you see who it is" not in page.text


def coverage_is(ctx, provider, **changes):
    with ctx.transaction() as tx:
        covered = tx.session.get_one(Coverage, provider.id)
        for name, value in changes.items():
            setattr(covered, name, value)


NONE_CAN_COME = "No new invitations can come at present"


def test_an_inbox_to_which_invitations_can_come_says_nothing_of_it(make, signed_in):
    for kind in ("consultant", "certification_body"):
        assert NONE_CAN_COME not in signed_in(make.provider(kind)).page.text


@pytest.mark.parametrize(
    ("changes", "said", "leads_to"),
    [
        ({"open_capacity": 0}, "You take no invitations", "profile#coverage-open_capacity"),
        (
            {"open_capacity": 2, "open_count": 2},
            "You take 2 invitations at once, and hold 2.",
            "profile#coverage-open_capacity",
        ),
        (
            {"monthly_capacity": 1, "month_count": 1},
            "You take 1 invitation in a month, and have had 1. The next can come in December 2026.",
            "profile#coverage-monthly_capacity",
        ),
    ],
)
def test_an_inbox_says_why_no_invitation_can_come_and_where_that_is_changed(
    make, signed_in, ctx, changes, said, leads_to
):
    provider = make.provider()
    coverage_is(ctx, provider, **changes)
    person = signed_in(provider)
    page = person.page
    assert NONE_CAN_COME in page.text
    assert said in " ".join(page.text.split())
    path, _, field = page.link(leads_to).partition("#")
    assert f'id="{field}"' in person.open(path).html


def test_an_inbox_says_that_one_is_on_leave_and_when_one_will_be(make, signed_in, ctx):
    provider = make.provider(regions=("AU-NSW",))
    person = signed_in(provider)
    person.open("/portal/leave")
    today = ctx.clock().date()
    person.send("/leave", **{"from": str(today)}, until=str(today + timedelta(days=2)))
    person.send("/portal/leave", **{"from": "2027-01-02"}, until="2027-01-04")
    page = person.open("/portal")
    assert NONE_CAN_COME in page.text
    assert "You are on leave, 23 to 25 November 2026." in page.text
    assert "You get no invitations on your leave, 2 to 4 January 2027" in page.text
    assert page.link("/portal/leave")


def test_two_leaves_at_once_are_two_sentences_on_lines_of_their_own(make, signed_in, ctx):
    person = signed_in(make.provider(regions=("AU-NSW",)))
    today = ctx.clock().date()
    for days in (2, 5):
        person.open("/portal/leave")
        person.send(
            "/portal/leave", **{"from": str(today)}, until=str(today + timedelta(days=days))
        )
    html = person.open("/portal").html
    assert html.count('<span class="each">You are on leave') == 2


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("applied", "We are still looking at your application"),
        ("suspended", "You are suspended. Write to us when it is put right."),
        ("rejected", "Your application was turned away."),
    ],
)
def test_an_inbox_says_that_one_is_not_verified_and_why(make, signed_in, ctx, state, said):
    provider = make.provider(state=state)
    with ctx.transaction() as tx:
        tx.session.get_one(Provider, provider.id).state_reason = "An insurance is under question."
    page = signed_in(provider).page
    assert NONE_CAN_COME in page.text
    assert said in page.text
    assert "An insurance is under question." in page.text


def test_the_inbox_of_a_body_without_an_accreditation_that_counts_says_so(make, signed_in):
    body = make.provider("certification_body", accredited=False)
    make.accreditation(body, state="claimed")
    make.accreditation(body, standard="ISO 45001")  # which it does not offer
    page = signed_in(body).page
    assert "No accreditation for a standard that you offer counts" in page.text
    make.accreditation(body)
    assert NONE_CAN_COME not in signed_in(body).page.text


def test_once_accepted_the_quote_is_what_is_offered_first(invited):
    provider, _, invitation = invited
    provider.open(f"/portal/invitations/{invitation.id}")
    page = provider.send("/accept")
    offered = [
        attributes
        for tag, attributes in page.elements
        if tag in ("a", "button") and "primary" in attributes.get("class", "").split()
    ]
    assert [each.get("href") for each in offered] == [f"/portal/invitations/{invitation.id}/quote"]


def test_the_mail_of_an_invitation_says_service_and_regions_as_people_do(make, link_to, client):
    provider = make.provider()
    lead = make.matched_lead(regions=["AU-NSW", "AU-VIC"])
    link_to(provider.contact_email, "/invitations")
    letters = client.get("/mailbox/messages", query_string={"to": provider.contact_email}).json
    (letter,) = [each for each in letters["items"] if lead.reference in each["subject"]]
    assert "consulting for ISO 9001, New South Wales, Victoria" in letter["subject"]
    assert "Where: New South Wales, Victoria" in letter["text"]
    assert "AU-" not in letter["text"]
    assert "Sydney time" in letter["text"]


def test_the_profile_says_what_is_asked_for_often_where_one_works_and_one_does_not_offer(
    make, signed_in, ctx
):
    said = "requests where you work asked for"
    provider = make.provider(regions=("AU-NSW",))
    asked = [
        make.lead(standards=["ISO 9001", "ISO 45001"], regions=["AU-NSW", "AU-VIC"])
        for _ in range(4)
    ]
    for change in ({"service": "certification"}, {"regions": ["AU-VIC"]}, {"regions": ["NZ"]}):
        make.lead(**{"standards": ["ISO 45001"], **change})
    person = signed_in(provider)
    assert said not in person.open("/portal/profile").text
    make.lead(standards=["ISO 45001"], service="either")
    page = person.open("/portal/profile")
    assert "In the last 90 days 5 requests where you work asked for ISO 45001" in page.text
    assert page.text.count(said) == 1
    with ctx.transaction() as tx:
        tx.session.get_one(Lead, asked[0].id).opened_at -= timedelta(days=91)
    assert said not in person.open("/portal/profile").text
