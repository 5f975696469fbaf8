"""What is not yours is not there, also where a body names it; no provider learns of another."""

from datetime import timedelta

import pytest

from marketplace.bootstrap import channel_of
from marketplace.core.db import new_id
from marketplace.quotes import outcome
from tests.api.doors import (
    admin_door,
    business_door,
    invitations_of,
    provider_door,
    software_door,
)
from tests.api.test_bad_quotes import CONSULTING
from tests.factories import business_of
from tests.jobs import do_jobs
from tests.people import bearer
from tests.services.road import a_quote

TICK = timedelta(microseconds=1)
SOME_ID = new_id()


@pytest.fixture
def ask(client):
    def request(method, path, body=None, who=None):
        return client.open(f"/api/v1{path}", method=method, json=body, headers=who)

    return request


def test_a_credential_that_nobody_gave_out_is_none(ask):
    """Of what is declared and who is let in where, `test_every_door.py` tries all."""
    for path in ("/request", "/portal/invitations", "/admin/leads", "/sessions"):
        for token in ("request_x", "outcome_x", "session_x", "key_x", "x", "key_", "session_\x00"):
            answer = ask("GET", path, None, bearer(token.replace("\x00", "%00")))
            assert answer.status_code == 401, (path, token)
            assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_an_id_that_is_none_is_not_found(ask, ctx, make):
    person, admin = provider_door(ctx, make.provider()), admin_door(ctx)
    assert ask("GET", "/portal/invitations/x", who=person).status_code == 404
    for path in ("/admin/leads/1", f"/admin/leads/{SOME_ID}", f"/admin/providers/{SOME_ID}"):
        assert ask("GET", path, who=admin).status_code == 404


def test_somebody_elses_request_invitations_and_questions_are_not_found(ask, ctx, make):
    provider = make.provider()
    theirs, own = make.matched_lead(), make.matched_lead()
    (invitation,) = invitations_of(make, theirs)
    who = provider_door(ctx, provider)
    a_quote(ctx, invitation)
    path = f"/portal/invitations/{invitation.id}/questions"
    question = ask("POST", path, {"text": "How many shifts?"}, who).json["id"]
    business = business_door(ctx, own)
    named = {"invitation_id": str(invitation.id)}
    for path, body in (
        ("/request/choice", named),
        ("/request/replacement", named),
        ("/request/outcome", {**named, "outcome": "awarded"}),
        ("/request/reviews", {**named, "rating": 1}),
        ("/request/answers", {"question_id": question, "text": "x"}),
    ):
        assert ask("POST", path, body, business).status_code == 404, path
    assert theirs.reference not in ask("GET", "/request", who=business).get_data(as_text=True)


def test_a_request_link_opens_the_request_until_ninety_days_after_its_end(ask, ctx, make, clock):
    lead = make.lead()
    who = business_door(ctx, lead)
    assert ask("POST", "/request/closure", {"reason": "not_now"}, who).status_code == 200
    clock.now += timedelta(days=90) - TICK
    assert ask("GET", "/request", who=who).status_code == 200
    clock.now += TICK
    assert ask("GET", "/request", who=who).status_code == 401


def test_reading_with_a_key_opens_nothing_and_a_persons_look_does(ask, ctx, make):
    provider = make.provider()
    lead = make.matched_lead()
    (invitation,) = invitations_of(make, lead)
    path = f"/portal/invitations/{invitation.id}"
    software = software_door(ctx, provider)
    for url in (path, "/portal/invitations"):
        assert ask("GET", url, who=software).status_code == 200
        assert invitations_of(make, lead)[0].state == "sent"
        assert invitations_of(make, lead)[0].opened_at is None
    person = provider_door(ctx, provider)
    assert ask("GET", "/portal/invitations", who=person).json["items"][0]["state"] == "sent"
    assert ask("GET", path, who=person).json["state"] == "opened"
    # Software may answer all the same.
    answered = ask("POST", f"{path}/acceptance", who=software)
    assert answered.json["state"] == "accepted"
    assert answered.json["lead"]["company"]["name"] == lead.company_name


def test_at_the_deadline_every_answer_is_a_conflict_and_a_moment_before_none_is(
    ask, ctx, make, clock
):
    answers = [
        ("POST", "acceptance", None),
        ("POST", "decline", {"reason": "other"}),
        ("PUT", "quote", CONSULTING),
        ("POST", "questions", {"text": "How many shifts?"}),
    ]
    provider = make.provider()
    leads = [make.matched_lead() for _ in answers]
    held = [invitations_of(make, lead)[0] for lead in leads]
    due = held[0].respond_by
    assert {each.respond_by for each in held} == {due}
    who = provider_door(ctx, provider)
    for each in held:
        ask("GET", f"/portal/invitations/{each.id}", who=who)
    clock.now = due
    who = provider_door(ctx, provider)
    for each in held:
        for method, verb, body in answers:
            path = f"/portal/invitations/{each.id}/{verb}"
            assert ask(method, path, body, who).status_code == 409, verb
        assert ask("GET", f"/portal/invitations/{each.id}", who=who).json["state"] == "opened"
    clock.now = due - TICK
    for each, (method, verb, body) in zip(held, answers, strict=True):
        path = f"/portal/invitations/{each.id}/{verb}"
        assert ask(method, path, body, who).status_code in (200, 201), verb


# Invariant 6: no provider learns of another.


def paths_of_the_portal(app, invitation):
    """Return every address of the portal that can be read."""
    rules = [
        rule
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/api/v1/portal") and "GET" in rule.methods
    ]
    assert rules
    return [
        rule.rule.removeprefix("/api/v1").replace("<uuid:invitation_id>", str(invitation.id))
        for rule in rules
    ]


def tells_of(provider, invitation):
    return {
        str(provider.id),
        str(invitation.id),
        provider.name,
        provider.contact_name,
        provider.contact_email,
        provider.website.removeprefix("https://"),
    }


@pytest.mark.parametrize("finish", ["running", "chosen", "closed"])
def test_no_provider_reads_of_another_in_any_answer_or_mail(
    app, ask, ctx, make, installation, client, finish
):
    channel = channel_of(installation.settings)
    names = ("Harbour Quality Pty Ltd", "Sandstone Systems", "Wattle & Gum Advisory")
    three = [make.provider(name=name) for name in names]
    lead = make.matched_lead()
    held = {each.provider_id: each for each in invitations_of(make, lead)}
    people = {each.id: provider_door(ctx, each) for each in three}
    asked = []
    for fee, each in zip(("1111.00", "2222.00", "3333.00"), three, strict=True):
        path = f"/portal/invitations/{held[each.id].id}"
        text = (
            f"We at {each.name} ({each.contact_email}, {each.contact_name}) ask: how many shifts?"
        )
        answer = ask("POST", f"{path}/questions", {"text": text}, people[each.id])
        asked.append(answer.json["id"])
        a_quote(ctx, held[each.id], fee)
    business = business_door(ctx, lead)
    for question, each in zip(asked, three, strict=True):
        body = {"question_id": question, "text": f"Dear {each.name.upper()}: two shifts."}
        assert ask("POST", "/request/answers", body, business).status_code == 201
    chosen = three[0]
    if finish == "chosen":
        outcome.choose_provider(ctx, business_of(lead), held[chosen.id].id)
    elif finish == "closed":
        assert ask("POST", "/request/closure", {"reason": "not_now"}, business).status_code == 200
    do_jobs(ctx, channel)

    for own in three:
        pages = [
            ask("GET", path, who=people[own.id]).get_data(as_text=True)
            for path in paths_of_the_portal(app, held[own.id])
        ]
        mails = client.get(f"/mailbox/messages?to={own.contact_email}").get_data(as_text=True)
        assert "shifts" in pages[0] + "".join(pages)
        assert "invitation" in mails
        for other in three:
            if other is own:
                continue
            for word in tells_of(other, held[other.id]):
                for text in (*pages, mails):
                    assert word.lower() not in text.lower(), (own.name, word)
        own_fee = f"{three.index(own) + 1}" * 4 + ".00"
        assert any(own_fee in text for text in pages)
        for fee in {"1111.00", "2222.00", "3333.00"} - {own_fee}:
            assert not any(fee in text for text in (*pages, mails)), fee


def test_before_it_accepts_a_provider_reads_nothing_that_says_who_asks(
    app, ask, ctx, make, installation, client
):
    provider = make.provider()
    notes = (
        "We are ACME-Fabrication (ABN 51 824 753 556), ask Jo Tran, jo (at) acme (dot) example, "
        "02 5550 1234, www.acme.example. Harbour Quality helped us. 42 people at 3 sites, ISO 9001."
    )
    used = [{"name": "Harbour Quality Pty Ltd", "ended_on": "2026-02-01"}]
    lead = make.matched_lead(number=0, notes=notes, consultants_used=used)
    (invitation,) = invitations_of(make, lead)
    do_jobs(ctx, channel_of(installation.settings))
    who = provider_door(ctx, provider)
    texts = [
        ask("GET", path, who=who).get_data(as_text=True)
        for path in paths_of_the_portal(app, invitation)
    ]
    texts.append(
        client.get(f"/mailbox/messages?to={provider.contact_email}").get_data(as_text=True)
    )
    for text in texts:
        for word in (
            "acme",
            "tran",
            "824 753",
            "51824753556",
            "5550 1234",
            "harbour",
            str(lead.id),
        ):
            assert word not in text.lower(), word
    assert any("42 people at 3 sites, ISO 9001." in text for text in texts)
