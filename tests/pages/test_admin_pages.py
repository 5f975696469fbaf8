"""Administration: what needs a hand, moderation of requests and providers, messages."""

from dataclasses import replace
from datetime import timedelta

import pytest

from marketplace.core.actors import OPERATOR
from marketplace.core.db import new_id
from marketplace.core.events import record
from marketplace.leads import service as leads
from marketplace.matching import service as matching
from marketplace.notifications.models import Notification
from marketplace.notifications.rules import NotificationEvent
from marketplace.notifications.service import Recipient, notify
from marketplace.notifications.suppressions import suppress_address
from marketplace.providers.models import EvidenceFile, Provider
from marketplace.providers.rules import AccreditationState
from marketplace.web.api.common import LeadIn
from marketplace.web.requests import load
from tests.factories import lead_form
from tests.pages.steps import held_by
from tests.people import PASSWORD


@pytest.fixture
def in_review(ctx, make):
    """A request that an administrator has to look at."""
    careful = replace(ctx, policy=replace(ctx.policy, lead_confirmation="off"))
    form = lead_form(7)
    form["contact"]["phone"] = "+61 1"
    receipt = leads.submit_lead(careful, load(LeadIn(), form))
    return make.lead_called(receipt.reference)


def state(make, lead):
    return make.lead_called(lead.reference).state


def test_a_request_in_review_is_shown_with_its_reasons_and_approved(admin, in_review, make):
    page = admin.open("/admin")
    assert in_review.reference in page.text
    assert "The telephone number cannot exist" in page.text
    page = admin.send(f"{in_review.id}/approve")
    assert "its clock runs" in page.text
    assert state(make, in_review) == "open"
    admin.open("/admin")
    assert in_review.reference in admin.page.text  # now it waits for its places to be filled


def test_a_request_is_rejected_with_a_reason_that_its_business_reads(
    admin, in_review, make, work, client
):
    form = admin.open(f"/admin/leads/{in_review.id}")
    refused = admin.send("/reject", reason="")
    assert refused.status == 422
    assert "The reason is required" in refused.text
    page = admin.send("/reject", reason="We could not reach you.")
    assert "turned away" in page.text
    assert state(make, in_review) == "rejected"
    admin.page = form
    assert "only one in review can be approved" in admin.send("/approve").text
    work()
    (mail, *_) = client.get(f"/mailbox/messages?to={in_review.contact_email}").json["items"]
    assert "We could not reach you." in mail["text"]


def test_the_list_is_searched(admin, make):
    one, other = make.lead(number=3), make.lead(number=4)
    page = admin.open("/admin/leads?q=Works+3&state=")
    assert one.reference in page.text
    assert other.reference not in page.text
    assert one.reference not in admin.open("/admin/leads?state=closed").text
    assert admin.open("/admin/leads?state=nonsense").status == 422


def test_a_long_list_goes_on_overleaf(admin, make):
    first, *_ = [make.lead(number=number) for number in range(1, 4)]
    page = admin.open("/admin/leads?limit=2")
    assert first.reference not in page.text
    assert first.reference in admin.open(page.link("after=")).text


def test_a_case_shows_matching_invitations_and_history(admin, make):
    provider = make.provider(name="Harbour Quality Pty Ltd")
    make.provider(name="Elsewhere Consulting", regions=("NZ",))
    lead = make.matched_lead()
    page = admin.open(f"/admin/leads/{lead.id}")
    for said in (
        "Harbour Quality Pty Ltd: invited into place 1",
        "It was opened, and its clock began to run",
        f"Mail to {lead.contact_email}, waiting to be sent: \u201cYour request",
        "The bench",
    ):  # fmt: skip
        assert said in page.text
    invited = f"\u201cInvitation {lead.reference}: consulting for ISO 9001"
    assert f"mail to {provider.contact_email}, waiting to be sent: {invited}" in page.text


def test_the_funnel_is_drawn_with_its_numbers_beside_it_and_every_run_can_be_looked_at(
    admin, make, ctx
):
    make.provider(name="Elsewhere Consulting", regions=("NZ",))
    make.provider("certification_body")
    lead = make.matched_lead()
    page = admin.open(f"/admin/leads/{lead.id}")
    text = " ".join(page.text.split())
    assert "How many were left, of 2" in text
    assert "are of a kind that was asked for11" in text  # one left, one fell away
    assert "cover every region01" in text
    assert page.html.count('<rect width="50.0%"') == 4
    make.provider(name="Harbour Quality Pty Ltd")
    matching.match_lead(ctx, lead.id)
    page = admin.open(f"/admin/leads/{lead.id}")
    assert "1 of 3 empty places filled" in page.text
    assert "Other runs: 1" in page.text
    before = admin.open(page.link("run="))
    assert "cover every region01" in " ".join(before.text.split())


def test_history_tells_who_did_what_from_where_and_goes_on_overleaf(admin, in_review, make, ctx):
    admin.open(f"/admin/leads/{in_review.id}")
    admin.send("/reject", reason="We could not reach you.")
    page = admin.open(f"/admin/leads/{in_review.id}")
    text = " ".join(page.text.split())
    assert "It was turned awayAda Okoro, an administrator, from 127.0.0.0/24" in text
    assert "That is final" in text
    assert text.index("It was turned away") < text.index("The form was sent")

    with ctx.transaction() as tx:
        for _number in range(50):
            record(tx, OPERATOR, "lead.rematch_asked", in_review.id)
    page = admin.open(f"/admin/leads/{in_review.id}")
    assert "The form was sent" not in page.text
    assert page.text.count("Providers were to be looked for again") == 40
    page = admin.open(page.link("after="))
    assert "The form was sent" in page.text
    assert page.text.count("Providers were to be looked for again") == 10


def test_a_provider_is_invited_by_hand_and_told_why_another_was_not(admin, make):
    lead = make.matched_lead()
    chosen = make.provider(name="Harbour Quality Pty Ltd")
    far = make.provider(name="Harbour Far Away", regions=("NZ",))
    page = admin.open(f"/admin/leads/{lead.id}?find=harbour")
    assert offered(page) == [str(chosen.id)]
    assert "Harbour Far Away does not cover AU-NSW" in page.text
    assert admin.send("/invitations").status == 422
    before = page.form("/invitations")
    page = admin.send("/invitations", ("provider_id", str(chosen.id)), why="The business asked.")
    assert "The provider is invited" in page.text
    (invitation,) = held_by(make, lead)
    assert invitation.by_hand_because == "The business asked."

    page = admin.open(f"/admin/leads/{lead.id}?find=harbour")
    assert offered(page) == []
    assert "Harbour Quality Pty Ltd was invited to this request before" in page.text
    assert "Why was Harbour Quality Pty Ltd not invited?" not in page.text
    page = admin.open(f"/admin/leads/{lead.id}?find=harbour+far")
    explained = admin.open(page.link("provider_id="))
    assert "Harbour Far Away does not cover AU-NSW." in explained.text
    values = [*before.values, ("provider_id", str(far.id)), ("why", "Try it.")]
    refused = admin.post(before.action, values)
    assert "Harbour Far Away does not cover AU-NSW." in refused.text
    assert len(held_by(make, lead)) == 1


def offered(page):
    """Return the ids of those who can be chosen on the page of a request."""
    return [
        named["value"] for _, named in page.elements
        if named.get("type") == "radio" and named["name"] == "provider_id"
    ]  # fmt: skip


def test_whoever_may_be_invited_by_hand_is_offered_without_a_search_and_nobody_else(admin, make):
    lead = make.matched_lead()
    fitting = {str(make.provider(name=f"Fitting {number}").id) for number in range(2)}
    make.provider(name="Far Consulting", regions=("NZ",))
    make.provider(name="Newcomer Consulting", state="applied")
    make.provider("certification_body")
    page = admin.open(f"/admin/leads/{lead.id}")
    assert {*offered(page)} == fitting
    assert "Far Consulting" not in page.text
    page = admin.open(f"/admin/leads/{lead.id}?find=newcomer")
    assert offered(page) == []
    assert "Newcomer Consulting is applied, and only verified providers are invited" in page.text
    assert "No provider is called that" in admin.open(f"/admin/leads/{lead.id}?find=xyz").text


def test_of_many_ten_are_offered_and_others_are_found_by_name(admin, make):
    lead = make.matched_lead()
    for number in range(12):
        make.provider(name=f"Fitting {number:02} Consulting")
    page = admin.open(f"/admin/leads/{lead.id}")
    assert len(offered(page)) == 10
    assert "There are others" in page.text
    page = admin.open(f"/admin/leads/{lead.id}?find=11")
    assert len(offered(page)) == 1
    assert "There are others" not in page.text


def test_where_nobody_may_be_invited_by_hand_it_says_why_and_shows_no_form(admin, make):
    lead = make.matched_lead()
    assert "Nobody may be invited now. Look for" in admin.open(f"/admin/leads/{lead.id}").text
    for _ in range(4):
        make.provider()
    before = admin.open(f"/admin/leads/{lead.id}")
    matching_done = make.matched_lead()
    full = admin.open(f"/admin/leads/{matching_done.id}")
    taken = "All places of this request are taken. Nobody can be invited by hand."
    assert taken in full.text
    assert not [form for form in full.forms if "/invitations" in form.action]
    late = before.form("/invitations")
    action = late.action.replace(str(lead.id), str(matching_done.id))
    page = admin.post(action, late.values)
    assert (page.status, taken in page.text) == (422, True)
    assert 'href="#provider_id"' not in page.html
    admin.open(f"/admin/leads/{lead.id}")
    admin.send("/close", reason="Asked to by telephone.")
    assert "This request is finished. Nobody can be invited by hand." in admin.page.text
    assert not [form for form in admin.page.forms if "/invitations" in form.action]


def test_what_a_form_says_of_who_reads_a_reason_is_so(
    admin, in_review, make, work, client, signed_in
):
    provider, lead = make.provider(), make.matched_lead()
    said = {
        f"/admin/leads/{in_review.id}": "The business reads it word for word",
        f"/admin/leads/{lead.id}": "Administrators alone read it, on this page",
        f"/admin/providers/{provider.id}": "a mail and in the portal. Businesses learn",
    }
    for path, words in said.items():
        assert words in admin.open(path).text

    def read_by(words):
        work()
        letters = client.get("/mailbox/messages").json["items"]
        return {letter["to"] for letter in letters if words in letter["text"]}

    person = signed_in(provider)
    admin.open(f"/admin/providers/{provider.id}")
    admin.send(f"{provider.id}/suspend", reason="A complaint is looked at.")
    work()
    assert read_by("A complaint is looked at.") == {provider.contact_email}
    assert "A complaint is looked at." in person.open("/portal").text
    assert lead.contact_email in read_by("is suspended, and only verified providers are invited")
    admin.open(f"/admin/leads/{in_review.id}")
    admin.send("/reject", reason="We could not reach you.")
    assert read_by("We could not reach you.") == {in_review.contact_email}
    admin.open(f"/admin/leads/{lead.id}")
    admin.send("/close", reason="Their director telephoned.")
    assert "Their director telephoned." in admin.page.text
    assert lead.contact_email in read_by("is closed, and the providers have been told")
    assert not read_by("Their director telephoned.")


def test_one_of_a_kind_is_counted_as_one(admin, make):
    make.provider(name="Newcomer Consulting", state="applied")
    assert "1 application\n" in admin.open("/admin").text
    make.provider(name="Newcomer Certification", state="applied")
    assert "2 applications\n" in admin.open("/admin").text


def test_a_request_is_matched_again_and_closed(admin, make, work):
    lead = make.matched_lead()
    make.provider()
    page = admin.open(f"/admin/leads/{lead.id}")
    assert "Waiting since" in page.text
    admin.send("/rematch")
    work()
    assert len(held_by(make, lead)) == 1
    admin.open(f"/admin/leads/{lead.id}")
    assert "everybody is told" in admin.send("/close", reason="Asked to by telephone.").text
    assert state(make, lead) == "closed"


def test_clocks_that_run_out_are_named(admin, make, clock):
    lead = make.matched_lead()
    assert "No response yet" not in admin.open("/admin").text
    clock.advance(hours=19)
    admin.open("/admin")
    admin.send("/sign-in", email="ada@marketplace.example", password=PASSWORD)
    assert "No response yet, and little time left or none 1" in admin.page.text
    assert f"{lead.reference}, {lead.company_name}: 5 hours left" in admin.page.text


def test_a_provider_that_applied_is_approved_from_the_desk(admin, make):
    provider = make.provider(name="Newcomer Consulting", state="applied")
    admin.open("/admin")
    assert "verified" in admin.send(f"{provider.id}/approve").text
    assert provider_state(make, provider) == "verified"


def test_providers_are_found_rejected_suspended_and_reinstated(admin, make):
    applied = make.provider(name="Newcomer Consulting", state="applied")
    verified = make.provider("certification_body", name="Wattle Certification")
    page = admin.open("/admin/providers?q=wattle&state=&kind=")
    assert "Wattle Certification" in page.text
    assert "Newcomer" not in page.text

    admin.open(f"/admin/providers/{applied.id}")
    assert admin.send("/reject", reason=" ").status == 422
    admin.send("/reject", reason="Not a legal entity.")
    assert provider_state(make, applied) == "rejected"

    admin.open(f"/admin/providers/{verified.id}")
    admin.send(f"{verified.id}/suspend", reason="A complaint is being looked at.")
    assert provider_state(make, verified) == "suspended"
    assert "A complaint is being looked at." in admin.page.text
    admin.open(f"/admin/providers/{verified.id}")
    admin.send(f"{verified.id}/reinstate")
    assert provider_state(make, verified) == "verified"


def test_a_suspension_is_undone_in_one_press(admin, make):
    provider = make.provider(name="Harbour Quality Pty Ltd")
    admin.open(f"/admin/providers/{provider.id}")
    page = admin.send(f"{provider.id}/suspend", reason="The wrong one.")
    (undo, _later) = [form for form in page.forms if form.action.endswith("/reinstate")]
    page = admin.post(undo.action, undo.values)
    assert provider_state(make, provider) == "verified"
    assert "Undo" not in page.text
    assert "not possible now" in admin.post(undo.action, undo.values).text
    text = " ".join(page.text.split())
    assert "Was reinstatedAda Okoro, an administrator, from 127.0.0.0/24" in text


def test_an_accreditation_is_suspended_and_that_undone(admin, make):
    body = make.provider("certification_body", standards=("ISO 9001",))
    admin.open(f"/admin/providers/{body.id}")
    (suspend,) = [form for form in admin.page.forms if "accreditations" in form.action
                  and form.action.endswith("/suspend")]  # fmt: skip
    page = admin.post(suspend.action, suspend.values)
    assert "The accreditation is suspended" in page.text
    (undo, _later) = [form for form in page.forms if form.action.endswith("/reinstate")]
    page = admin.post(undo.action, undo.values)
    assert "The accreditation counts again" in page.text
    assert "Accreditation for ISO 9001, CERT-2: suspended" in page.text


def provider_state(make, provider):
    return make.ask(lambda session: session.get(Provider, provider.id)).state


def test_a_look_into_a_register_is_written_down(admin, make):
    body = make.provider("certification_body", standards=("ISO 9001",), accredited=False)
    held = make.accreditation(body, state=AccreditationState.CLAIMED, verified_at=None)
    admin.open(f"/admin/providers/{body.id}")
    refused = admin.send(f"{held.id}/check", result="found", checked_on="2027-01-01")
    assert refused.status == 422
    assert "The register is required" in refused.text
    page = admin.send(
        f"{held.id}/check", result="found", checked_on="2026-11-23", source="the body's register"
    )
    assert "Checked; looked at on 23 November 2026" in page.text


def test_a_message_that_was_given_up_is_sent_again(admin, ctx, make, work):
    lead = make.lead()
    work()
    with ctx.transaction() as tx:
        notify(tx, "request_closed", Recipient("jo@acme.example", "Jo"), lead.id, reference="R-1",
               path="/requests")  # fmt: skip
        tx.session.flush()
        given_up = tx.session.query(Notification).filter_by(template="request_closed").one()
        given_up.apply(NotificationEvent.CLAIM)
        given_up.apply(NotificationEvent.GIVE_UP)
        given_up.last_error = "the mail service refused it"
    page = admin.open("/admin")
    assert "the mail service refused it" in page.text
    assert "The message is sent again" in admin.send("/retry").text
    admin.page = page
    assert "not possible now" in admin.send("/retry").text


def test_an_address_whose_mail_comes_back_is_named_and_let_through_again(admin, ctx, make, work):
    lead = make.lead()
    work()
    suppress_address(ctx, OPERATOR, address=lead.contact_email)
    with ctx.transaction() as tx:
        to = Recipient(lead.contact_email, "Jo")
        notify(tx, "data_erased", to, lead.id, reference=lead.reference)
    work()
    assert "was stopped by hand" in admin.open(f"/admin/leads/{lead.id}").text
    desk = admin.open("/admin")
    assert "this address gets no mail" in desk.text
    assert "lift that first" in admin.send("/retry").text
    refused = admin.send("/lift", reason="")
    assert (refused.status, "The reason" in refused.text) == (422, True)
    assert "The address gets mail again" in admin.send("/lift", reason="They mended it.").text
    assert "The message is sent again" in admin.send("/retry").text
    assert "was stopped by hand" not in admin.open(f"/admin/leads/{lead.id}").text


def test_what_does_not_exist_is_not_found(admin, make):
    lead = make.lead()
    assert admin.open("/admin/leads/0190a000-0000-7000-8000-000000000000").status == 404
    assert admin.open("/admin/providers/0190a000-0000-7000-8000-000000000000").status == 404
    assert admin.open(f"/admin/leads/{lead.id}").status == 200


def test_an_adviser_that_resembles_a_provider_is_decided_from_the_case(admin, make):
    one = make.provider(name="Harbour Quality Pty Ltd")
    make.provider(name="Harbour Quality Training")
    lead = make.lead(consultants_used=[{"name": "Harbor Quality", "ended_on": None}])
    page = admin.open(f"/admin/leads/{lead.id}")
    for said in ("Is Harbor Quality a provider here?", "It is Harbour Quality Pty Ltd",
                 "It is Harbour Quality Training", "It is none of these"):  # fmt: skip
        assert said in page.text
    page = admin.send("/consultants", ("provider_id", str(one.id)))
    assert "counts for who may be invited" in page.text
    assert "it is Harbour Quality Pty Ltd. This may be changed" in page.text
    assert "Harbor Quality (which is Harbour Quality Pty Ltd)" in page.text
    page = admin.send("/consultants", ("provider_id", ""))
    assert "it is none of these. This may be changed" in page.text
    admin.send("/close", reason="Asked to by telephone.")
    assert "a provider here?" not in admin.page.text


def test_a_doubt_is_shown_with_its_names_as_they_are_written(admin, ctx, make):
    make.provider(name="Harbour Quality Pty Ltd")
    careful = replace(ctx, policy=replace(ctx.policy, lead_confirmation="off"))
    used = [{"name": "Harbor <Quality>", "ended_on": None}]
    form = lead_form(7, consultants_used=used, service="certification")
    receipt = leads.submit_lead(careful, load(LeadIn(), form))
    said = (
        "A consultant that is named, Harbor <Quality>, may be Harbour Quality Pty Ltd, "
        "a provider here"
    )
    assert said in admin.open("/admin").text
    lead = make.lead_called(receipt.reference)
    assert said in admin.open(f"/admin/leads/{lead.id}").text
    assert "Consultants in doubt" not in admin.page.text


def test_that_nothing_needs_a_hand_is_said_plainly(admin):
    page = admin.open("/admin")
    assert "Nothing needs a hand now." in page.text
    assert "None of these needs a hand now." in admin.open("/admin?only=review").text
    assert "Nothing needs a hand now." in admin.open("/admin?only=nonsense").text


def test_of_many_some_are_shown_with_how_many_there_are_and_the_way_to_the_rest(admin, make):
    for number in range(8):
        make.provider(name=f"Newcomer {number} Consulting", state="applied")
    page = admin.open("/admin")
    assert "Providers that applied 8" in page.text
    assert "Newcomer 0 Consulting" in page.text
    assert "Newcomer 7 Consulting" not in page.text
    page = admin.open(page.link("only=applications"))
    assert "Newcomer 7 Consulting" in page.text
    assert "follow once these are done" not in page.text


def test_the_signals_of_a_request_in_review_are_told_in_words(admin, in_review):
    page = admin.open("/admin")
    for said in ("The telephone number cannot exist", "of the optional fields filled in",
                 "The e-mail address is of the website's domain"):  # fmt: skip
        assert said in page.text


def test_accreditations_to_look_up_and_those_that_end_soon_are_named(admin, make, clock):
    body = make.provider("certification_body", standards=("ISO 9001",), accredited=False)
    today = clock.now.date()
    for name, days, state in (
        ("NEW-1", 400, AccreditationState.CLAIMED), ("OLD-1", -3, AccreditationState.CLAIMED),
        ("END-1", 30, AccreditationState.VERIFIED), ("OVER-1", -2, AccreditationState.VERIFIED),
        ("LONG-1", 300, AccreditationState.VERIFIED), ("PAST-1", -60, AccreditationState.VERIFIED),
    ):  # fmt: skip
        make.accreditation(
            body, certificate_number=name, valid_until=today + timedelta(days=days), state=state
        )
    page = admin.open("/admin")
    named = [name for name in ("NEW-1", "OLD-1", "END-1", "OVER-1", "LONG-1", "PAST-1")
             if name in page.text]  # fmt: skip
    assert named == ["NEW-1", "END-1", "OVER-1"]
    assert page.text.index("OVER-1") < page.text.index("END-1")
    assert "30 days left" in page.text


def test_letting_mail_through_is_undone(admin, ctx, make):
    suppress_address(ctx, OPERATOR, address="gone@works.example")
    admin.open("/admin")
    page = admin.send("/lift", reason="They mended it.")
    assert "gone@works.example" not in page.text
    page = admin.send("/stop")
    assert "gets no mail, as before" in page.text
    assert "gone@works.example" in page.text


@pytest.mark.parametrize("path", ["/admin/search?q=", "/admin/leads/{}?find=", "/mailbox?to="])
@pytest.mark.parametrize("typed", ["%00", "a" * 1000])
def test_what_nothing_can_be_called_is_refused_and_breaks_nothing(admin, make, path, typed):
    page = admin.open(path.format(make.lead().id) + typed)
    assert page.status == 422


def test_the_file_that_proves_an_accreditation_is_saved_from_desk_and_provider(
    admin, make, ctx, clock, signed_in
):
    body = make.provider("certification_body", standards=("ISO 9001",), accredited=False)
    held = make.accreditation(body, state=AccreditationState.CLAIMED)
    bare = make.accreditation(body, certificate_number="BARE-1")
    with ctx.transaction() as tx:
        tx.session.add(
            EvidenceFile(
                id=new_id(),
                accreditation_id=held.id, name="Schedule.pdf", media_type="application/pdf",
                content=b"%PDF-1.7", uploaded_at=clock.now,
            )
        )  # fmt: skip
    address = f"/admin/providers/{body.id}/accreditations/{held.id}/evidence"
    for page in ("/admin", f"/admin/providers/{body.id}"):
        assert admin.open(page).link("/evidence") == address
    got = admin.client.get(address)
    assert (got.status_code, got.data) == (200, b"%PDF-1.7")
    assert got.headers["Content-Disposition"].startswith("attachment")
    assert got.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in got.headers["Content-Security-Policy"]
    other = make.provider()
    assert admin.client.get(address.replace(str(body.id), str(other.id))).status_code == 404
    assert admin.client.get(address.replace(str(held.id), str(bare.id))).status_code == 404
    assert signed_in(other).client.get(address).status_code == 403
    assert signed_in(body).client.get(address).status_code == 403
