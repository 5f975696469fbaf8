"""The main road by HTTP alone: form, confirmation, invitations, decline, quotes, choice."""

import re
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from marketplace.bootstrap import channel_of
from marketplace.leads.service import submit_lead
from marketplace.providers.models import Provider
from marketplace.web.api.common import LeadIn
from marketplace.web.requests import load
from tests.factories import lead_form
from tests.jobs import do_jobs
from tests.people import a_person, an_admin, bearer, session_token


@pytest.fixture
def road(client, ctx, make, installation):
    return Road(client, ctx, make, channel_of(installation.settings))


class Road:
    """One lead on its way, and everybody who meets it."""

    def __init__(self, client, ctx, make, channel):
        self.client, self.ctx, self.make, self.channel = client, ctx, make, channel
        self.admin = bearer(session_token(ctx, an_admin(ctx)))
        self.people = {}

    def providers(self, count, kind="consultant"):
        for _ in range(count):
            provider = self.make.provider(kind)
            person = a_person(
                self.ctx, provider.contact_email, name="Kim Reyes", provider_id=provider.id
            )
            self.people[str(provider.id)] = bearer(session_token(self.ctx, person))

    def work(self):
        do_jobs(self.ctx, self.channel)

    def mails(self, address):
        return self.client.get(f"/mailbox/messages?to={address}").json["items"]

    def token_from(self, mail):
        return re.search(r"/requests/\w+/(\w+_[\w-]+)", mail["text"]).group(1)

    def post(self, path, body=None, who=None, expect=200):
        response = self.client.post(f"/api/v1{path}", json=body, headers=who)
        assert response.status_code == expect, response.get_data(as_text=True)
        return response.json

    def get(self, path, who=None):
        response = self.client.get(f"/api/v1{path}", headers=who)
        assert response.status_code == 200, response.get_data(as_text=True)
        return response.json

    def put(self, path, body, who=None, expect=200):
        response = self.client.put(f"/api/v1{path}", json=body, headers=who)
        assert response.status_code == expect, response.get_data(as_text=True)
        return response.json

    def confirmed(self, **changes):
        form = lead_form(**changes)
        self.post("/leads", form, expect=202)
        self.work()
        mail = self.mails(form["contact"]["email"])[0]
        assert mail["template"] == "confirm_request"
        confirmed = self.post("/leads/confirmations", {"token": self.token_from(mail)})
        self.work()
        return confirmed, bearer(confirmed["request_token"])

    def case(self, reference):
        (row,) = self.get(f"/admin/leads?q={reference}", self.admin)["items"]
        return self.get(f"/admin/leads/{row['id']}", self.admin)


def consulting_quote(ctx, fee="9500.00"):
    today = ctx.clock().date()
    return {
        "kind": "consulting",
        "currency": "AUD",
        "phases": [
            {"name": "Gap analysis", "deliverables": ["Report"], "days": 2, "fee": "2400.00"},
            {"name": "Implementation", "days": 8.5, "on_site": False, "fee": fee},
        ],
        "travel": "300.00",
        "duration_weeks": 14,
        "earliest_start": str(today + timedelta(days=14)),
        "exclusions": ["Certification fees"],
        "valid_until": str(today + timedelta(days=60)),
        "tax_rate": "10",
    }  # fmt: skip


def test_one_form_leads_to_three_invitations_quotes_and_a_choice(road):
    road.providers(5)
    confirmed, business = road.confirmed()
    assert confirmed["status"] == "open"
    assert confirmed["commitment"]["state"] == "running"

    case = road.case(confirmed["reference"])
    assert case["consent"]["at"] == case["created_at"]
    held = case["invitations"]
    assert sorted(each["place"] for each in held) == [1, 2, 3]
    assert all(each["state"] == "sent" for each in held)

    first, second, third = ((each["id"], road.people[each["provider"]["id"]]) for each in held)
    seen = road.get(f"/portal/invitations/{first[0]}", first[1])
    assert seen["state"] == "opened"
    assert seen["lead"]["masked"]
    assert "Acme" not in str(seen)

    road.post(f"/portal/invitations/{first[0]}/decline", {"reason": "no_capacity"}, first[1])
    road.work()
    held = road.case(confirmed["reference"])["invitations"]
    assert [each["state"] for each in held] == ["declined", "sent", "sent", "sent"]
    assert held[3]["place"] == held[0]["place"]

    revealed = road.post(f"/portal/invitations/{second[0]}/acceptance", who=second[1])
    assert revealed["lead"]["contact"]["email"] == "jo@acme.example"
    road.put(f"/portal/invitations/{second[0]}/quote", consulting_quote(road.ctx), second[1])
    road.put(f"/portal/invitations/{third[0]}/quote", consulting_quote(road.ctx, "7000"), third[1])
    road.work()

    page = road.get("/request", business)
    assert page["commitment"]["state"] == "met"
    assert page["commitment"]["responses"] == 2
    columns = page["comparison"]["kinds"]["consulting"]["columns"]
    assert [column["total"] for column in columns] == ["12200.00", "9700.00"]
    assert columns[0]["total_with_tax"] == "13420.00"
    quote = page["invitations"][1]["quote"]
    for each in ("submitted_at", "valid_until"):
        assert columns[0][each] == quote[each], "times are RFC 3339 wherever they stand"

    answer = road.post("/request/choice", {"invitation_id": third[0]}, business)
    assert answer["status"] == "awarded"
    road.work()
    held = {each["id"]: each for each in road.case(confirmed["reference"])["invitations"]}
    assert held[third[0]]["state"] == "won"
    assert held[second[0]]["state"] == "lost"
    assert sorted(each["state"] for each in held.values()) == [
        "declined", "lost", "lost", "won",
    ]  # fmt: skip
    told = {
        mail["template"] for each in held.values() for mail in road.mails(contact_of(road, each))
    }
    assert {"invitation_won", "invitation_lost"} <= told
    road.post("/request/choice", {"invitation_id": second[0]}, business, expect=409)


def contact_of(road, invitation):
    provider_id = invitation["provider"]["id"]
    return road.make.ask(lambda session: session.get(Provider, provider_id).contact_email)


def test_a_second_confirmation_answers_gone_and_changes_nothing(road):
    form = lead_form()
    road.post("/leads", form, expect=202)
    road.work()
    token = road.token_from(road.mails("jo@acme.example")[0])
    road.post("/leads/confirmations", {"token": token})
    road.post("/leads/confirmations", {"token": token}, expect=410)


def test_a_second_form_is_answered_like_the_first_and_ends_superseded(road):
    confirmed, _ = road.confirmed()
    again = road.post("/leads", lead_form(), expect=202)
    assert set(again) == {"reference", "status", "confirm_by"}
    assert again["status"] == "awaiting_confirmation"
    road.work()
    assert road.case(again["reference"])["state"] == "superseded"
    mail = road.mails("jo@acme.example")[0]
    assert mail["template"] == "request_running"
    page = road.get("/request", bearer(road.token_from(mail)))
    assert page["reference"] == confirmed["reference"]


def test_another_contact_learns_that_a_request_runs_and_nothing_of_it(road):
    confirmed, _ = road.confirmed()
    other = lead_form()
    other["contact"]["email"] = "someone@else.example"
    road.post("/leads", other, expect=202)
    road.work()
    (mail,) = road.mails("someone@else.example")
    assert mail["template"] == "request_running_elsewhere"
    assert confirmed["reference"] not in mail["text"]


def test_the_business_answers_a_question_once_for_all(road):
    road.providers(3)
    confirmed, business = road.confirmed()
    held = road.case(confirmed["reference"])["invitations"]
    asking, other = held[0], held[1]
    asked = road.post(
        f"/portal/invitations/{asking['id']}/questions",
        {"text": "How many shifts?"},
        road.people[asking["provider"]["id"]],
        expect=201,
    )
    assert road.get("/request", business)["commitment"]["state"] == "met"
    road.post(
        "/request/answers",
        {"question_id": asked["id"], "text": "Two, at Acme's own site."},
        business,
        expect=201,
    )
    heard = road.get(f"/portal/invitations/{other['id']}", road.people[other["provider"]["id"]])
    (question,) = heard["questions"]
    assert question["question"] == "How many shifts?"
    assert not question["is_own"]
    assert "Acme" not in question["answer"]
    road.post(
        "/request/answers",
        {"question_id": asked["id"], "text": "Three."},
        business,
        expect=409,
    )


def test_an_answer_that_comes_late_gives_every_provider_as_much_more_time(road):
    road.providers(3)
    confirmed, business = road.confirmed()
    held = road.case(confirmed["reference"])["invitations"]
    doors = [(each, road.people[each["provider"]["id"]]) for each in held]
    asking, who = doors[0]
    path = f"/portal/invitations/{asking['id']}/questions"
    asked = road.post(path, {"text": "How many shifts?"}, who, expect=201)

    def times():
        """Return until when, by how much later, and whether time stands still: to all alike."""
        shown = [
            *road.get("/request", business)["invitations"],
            *road.case(confirmed["reference"])["invitations"],
            *(road.get(f"/portal/invitations/{each['id']}", who) for each, who in doors),
            *(road.get("/portal/invitations", who)["items"][0] for _, who in doors),
        ]
        names = ("respond_by", "extended_minutes", "stands_still")
        (found,) = {tuple(each[name] for name in names) for each in shown}
        return found

    assert times() == (asking["respond_by"], 0, False) == ("2026-11-24T09:00:00Z", 0, False)
    road.ctx.clock.advance(hours=4)
    assert times() == ("2026-11-24T09:00:00Z", 0, True)
    road.ctx.clock.advance(hours=2)
    assert times() == ("2026-11-24T11:00:00Z", 120, True)
    road.post(
        "/request/answers", {"question_id": asked["id"], "text": "Two."}, business, expect=201
    )
    road.ctx.clock.advance(hours=1)
    assert times() == ("2026-11-24T11:00:00Z", 120, False)
    road.work()
    for each, _ in doors:
        provider = road.make.ask(
            lambda session, key=each["provider"]["id"]: session.get(Provider, UUID(key))
        )
        mail = road.mails(provider.contact_email)[0]
        assert mail["template"] == "question_answered"
        assert "You have until 10:00 pm today" in mail["text"]
        assert "later than it was at first" in mail["text"]


def test_closing_reviewing_and_erasing(road):
    road.providers(3)
    confirmed, business = road.confirmed()
    held = road.case(confirmed["reference"])["invitations"]
    one = held[0]
    who = road.people[one["provider"]["id"]]
    road.put(f"/portal/invitations/{one['id']}/quote", consulting_quote(road.ctx), who)
    road.post("/request/closure", {"reason": "not_now"}, business)
    review = {"invitation_id": one["id"], "rating": 5, "comment": "Quick."}
    road.post("/request/reviews", review, business, expect=201)
    road.post("/request/reviews", review, business, expect=409)
    road.post("/request/reviews", {**review, "invitation_id": held[1]["id"]}, business, expect=409)
    assert road.client.delete("/api/v1/request/personal-data", headers=business).status_code == 202
    assert road.client.get("/api/v1/request", headers=business).status_code == 401
    assert "Acme" not in str(road.case(confirmed["reference"]))
    assert "Jo Tran" not in str(road.case(confirmed["reference"]))


def test_an_awarded_consulting_request_is_followed_on_for_certification(road):
    road.providers(3)
    road.providers(2, "certification_body")
    confirmed, business = road.confirmed()
    one = road.case(confirmed["reference"])["invitations"][0]
    who = road.people[one["provider"]["id"]]
    road.put(f"/portal/invitations/{one['id']}/quote", consulting_quote(road.ctx), who)
    road.post("/request/follow-on", {}, business, expect=409)
    road.post("/request/choice", {"invitation_id": one["id"]}, business)
    kept_out = road.get("/request/follow-on", business)
    assert kept_out == {"advisers": [one["provider"]["name"]], "bodies": [], "years": 2}
    next_one = road.post("/request/follow-on", {"headcount": 50}, business, expect=202)
    road.work()
    case = road.case(next_one["reference"])
    assert case["service"] == "certification"
    assert case["headcount"] == 50
    assert case["form"]["consultants_used"][-1]["name"] == one["provider"]["name"]
    assert len(case["invitations"]) == 2


def test_a_request_in_review_is_not_open_yet_and_an_administrator_closes_it_without_a_word(
    road, ctx, make
):
    policy = replace(ctx.policy, lead_confirmation="off", lead_review="always")
    receipt = submit_lead(replace(ctx, policy=policy), load(LeadIn(), lead_form()))
    lead, provider = make.lead_called(receipt.reference), make.provider()
    path = f"/admin/leads/{lead.id}"
    by_hand = {"provider_id": str(provider.id), "why": "the business asked"}
    for each, body in (("rematch", None), ("invitations", by_hand)):
        refused = road.post(f"{path}/{each}", body, road.admin, expect=409)
        assert refused["detail"] == "this request is not open yet"
    assert road.post(f"{path}/closure", who=road.admin)["status"] == "closed"
    assert road.get(path, road.admin)["finish_reason"] is None
    refused = road.post(f"{path}/rematch", who=road.admin, expect=409)
    assert refused["detail"] == "this request is finished"


def test_administrators_see_why(road):
    road.providers(4)
    confirmed, _ = road.confirmed()
    case = road.case(confirmed["reference"])
    runs = road.get(f"/admin/leads/{case['id']}/matching", road.admin)["runs"]
    assert len(runs[0]["bench"]) == 4
    assert runs[0]["funnel"][0]["left"] == 4
    assert (runs[0]["times"], runs[0]["last_at"]) == (1, None)
    (dealt,) = runs[0]["rounds"]
    assert (dealt["kind"], dealt["band"], dealt["places"]) == (None, 0, [1, 2, 3])
    assert [each["score"] for each in dealt["scores"]] == [0.75] * 4
    left_out = next(seat for seat in runs[0]["bench"] if seat["place"] is None)
    why = road.get(
        f"/admin/leads/{case['id']}/matching?provider_id={left_out['provider_id']}", road.admin
    )
    assert "the draw decided" in why["why_not"]
    clocks = road.get("/admin/commitments", road.admin)["items"]
    assert clocks[0]["reference"] == confirmed["reference"]
