"""Who was not chosen sees the contact for thirty days more, at no door for longer.

Everything that its people and its software can read is walked, pages and API, and whatever was
mailed to it or sent to its webhook: at the last instant of its time and at the first behind it,
with no worker running in between.
"""

from datetime import timedelta

import pytest
from sqlalchemy import select

from marketplace.core.actors import Actor, Kind
from marketplace.core.forms import Form
from marketplace.core.sealing import Seal
from marketplace.invitations import questions
from marketplace.invitations import service as invitations
from marketplace.invitations.models import Invitation
from marketplace.leads.models import Lead
from marketplace.notifications.models import Notification
from marketplace.notifications.rules import Way
from marketplace.providers import webhooks
from marketplace.providers.models import Provider
from marketplace.providers.webhooks import Webhook
from marketplace.quotes import erasure, outcome
from marketplace.quotes import service as quotes
from marketplace.web.api.quotes import QuoteIn
from marketplace.web.requests import load
from tests.api.doors import business_door, invitations_of, provider_door, software_door
from tests.factories import business_of, person_of
from tests.pages.browser import Browser
from tests.pages.conftest import browser, work
from tests.people import PASSWORD, a_person

__all__ = ["browser", "work"]

KEPT = timedelta(days=30)
INSTANT = timedelta(microseconds=1)

WORDS = ("zzyzx", "quenby", "2 5550 7788", "51824753556", "51 824 753 556")
"""What identifies the business, in small letters."""

QUOTE = {
    "kind": "consulting",
    "currency": "AUD",
    "phases": [{"name": "Gap analysis", "days": 2, "fee": "1000.00"}],
    "valid_until": "2027-01-31",
}


@pytest.fixture
def lost(ctx, make, installation, work):
    """Return a finished request, and the invitations of the chosen, a loser and an onlooker."""
    for _ in range(3):
        make.provider()
    lead = make.matched_lead(
        notes="Ask Quenby at Zzyzx Fabrication, 02 5550 7788.",
        company={
            "name": "Zzyzx Fabrication Pty Ltd",
            "country": "AU",
            "website": "https://www.zzyzx.example",
            "registration_number": "51 824 753 556",
        },
        contact={"name": "Quenby Tran", "email": "q@zzyzx.example", "phone": "+61 2 5550 7788"},
    )
    chosen, loser, onlooker = invitations_of(make, lead)
    for each in (chosen, loser, onlooker):
        actor = person_of(each.provider_id)
        webhooks.put_webhook(
            ctx,
            Actor(Kind.PROVIDER, id=actor.id, provider_id=each.provider_id),
            Form({"url": "https://crm.example/hook", "enabled": True}),
            seal=Seal(installation.settings.secret_key, "webhook"),
            loopback=True,
        )
    for each in (chosen, loser):
        invitations.accept_invitation(ctx, person_of(each.provider_id), each.id)
    asked = questions.ask_question(
        ctx, person_of(loser.provider_id), loser.id, text="Are you Zzyzx?"
    )
    questions.answer_question(
        ctx, business_of(lead), asked.id, text="Yes, Zzyzx: ring Quenby on 02 5550 7788."
    )
    for each in (chosen, loser):
        quotes.put_quote(ctx, person_of(each.provider_id), each.id, load(QuoteIn(), QUOTE))
    outcome.choose_provider(ctx, business_of(lead), chosen.id)
    work()
    return lead, chosen, loser, onlooker


@pytest.fixture
def read(app, ctx, make, client, browser):
    """Read everything that a provider can: return the texts by address."""

    def read(invitation):
        provider = make.ask(lambda session: session.get_one(Provider, invitation.provider_id))
        doors = [provider_door(ctx, provider), software_door(ctx, provider)]
        person = a_person(ctx, f"eyes-{provider.contact_email}", provider_id=provider.id)
        eyes: Browser = browser()
        eyes.open("/sign-in")
        assert eyes.send("/sign-in", email=person.email, password=PASSWORD).status == 200
        texts = {}
        for rule in app.url_map.iter_rules():
            if "GET" not in rule.methods or not rule.arguments <= {"invitation_id"}:
                continue
            path = rule.rule.replace("<uuid:invitation_id>", str(invitation.id))
            if path.startswith("/api/v1/portal"):
                for number, door in enumerate(doors):
                    texts[path, number] = client.get(path, headers=door).get_data(as_text=True)
            elif path.startswith("/portal"):
                texts[path, "page"] = eyes.client.get(path).get_data(as_text=True)
        assert len(texts) > 30
        return texts

    return read


def telling(texts):
    """Return where something stands that identifies the business."""
    return {key for key, text in texts.items() if any(word in text.lower() for word in WORDS)}


def sent(make, invitation):
    """Return all that was ever mailed to a provider, or sent to its software."""
    provider = make.ask(lambda session: session.get_one(Provider, invitation.provider_id))

    def found(session):
        hooks = select(Webhook.id).where(Webhook.provider_id == provider.id)
        to = {provider.contact_email, *map(str, session.scalars(hooks))}
        return session.scalars(select(Notification).where(Notification.recipient.in_(to))).all()

    own = make.ask(found)
    assert {each.channel for each in own} == {Way.EMAIL, Way.WEBHOOK}
    return {(each.template, each.channel): str(each.values) for each in own}


def without_its_own_question(texts):
    return {key: text.replace("Are you Zzyzx?", "") for key, text in texts.items()}


def test_who_accepted_and_was_not_chosen_sees_the_contact_for_thirty_days_and_then_nowhere(
    ctx, make, lost, read
):
    lead, chosen, loser, onlooker = lost
    page = f"/portal/invitations/{loser.id}"
    ends = make.ask(lambda session: session.get_one(Lead, lead.id)).finished_at + KEPT

    ctx.clock.now = ends - INSTANT
    assert {(page, "page"), (f"/api/v1{page}", 0), (f"/api/v1{page}", 1)} <= telling(read(loser))
    assert not telling(read(onlooker))

    ctx.clock.now = ends
    assert not telling(without_its_own_question(read(loser)))
    assert not telling(without_its_own_question(sent(make, loser)))
    assert not telling(sent(make, onlooker))
    chosen = make.ask(lambda session: session.get_one(Invitation, chosen.id))
    assert chosen.sees_contact(lead, now=ends, policy=ctx.policy)


def test_who_accepted_and_lets_the_time_pass_sees_it_no_longer_though_no_worker_runs(
    ctx, make, read
):
    make.provider()
    lead = make.matched_lead(notes="Ask Quenby at Zzyzx.", contact={
        "name": "Quenby Zzyzx", "email": "q@zzyzx.example"})  # fmt: skip
    (held,) = invitations_of(make, lead)
    invitations.accept_invitation(ctx, person_of(held.provider_id), held.id)
    ctx.clock.now = held.respond_by - INSTANT
    assert telling(read(held))
    ctx.clock.now = held.respond_by
    assert not telling(read(held))


def test_thirty_days_count_from_the_end_of_the_request_though_no_worker_has_met_it(ctx, make, read):
    make.provider()
    lead = make.matched_lead(contact={"name": "Quenby Zzyzx", "email": "q@zzyzx.example"})
    (held,) = invitations_of(make, lead)
    quotes.put_quote(ctx, person_of(held.provider_id), held.id, load(QuoteIn(), QUOTE))
    ends = make.ask(lambda session: session.get_one(Lead, lead.id)).expires_at
    ctx.clock.now = ends + KEPT - INSTANT
    assert telling(read(held))
    ctx.clock.now = ends + KEPT
    assert not telling(read(held))
    assert outcome.expire_due_leads(ctx) == 1
    assert not telling(read(held))


def test_once_the_business_has_had_its_data_erased_nobody_sees_it_any_longer(ctx, lost, read):
    lead, chosen, loser, _ = lost
    erasure.erase_request(ctx, business_of(lead))
    for each in (chosen, loser):
        assert not telling(without_its_own_question(read(each)))


def test_both_sides_are_told_until_when(ctx, lost, client, make, browser):
    lead, _, loser, _ = lost
    provider = make.ask(lambda session: session.get_one(Provider, loser.provider_id))
    ends = make.ask(lambda session: session.get_one(Lead, lead.id)).finished_at + KEPT
    until = ends.strftime("%Y-%m-%dT%H:%M:%SZ")

    def said(path, door):
        return client.get(f"/api/v1{path}", headers=door).json

    own, theirs = business_door(ctx, lead), provider_door(ctx, provider)
    assert said(f"/portal/invitations/{loser.id}", theirs)["contact_until"] == until
    assert said("/request", own)["contact_seen_until"] == until
    ctx.clock.now = ends
    own, theirs = business_door(ctx, lead), provider_door(ctx, provider)
    assert said(f"/portal/invitations/{loser.id}", theirs)["contact_until"] is None
    assert said("/request", own)["contact_seen_until"] is None
    for page in ("/privacy", "/terms"):
        assert "for 30 days after the end of your request" in browser().open(page).text
    assert "for 30 days after the end of the request" in browser().open("/terms/providers").text
