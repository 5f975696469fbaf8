"""The page about privacy says what is so: every length is that of the policy in force."""

from dataclasses import fields, replace
from datetime import timedelta

from marketplace.invitations import service as invitations
from marketplace.quotes import outcome
from tests.api.doors import business_door
from tests.factories import business_of, person_of
from tests.pages.steps import held_by, open_request
from tests.people import PASSWORD

KEPT = (
    "unconfirmed_kept", "turned_away_kept", "contacts_kept", "messages_kept", "links_kept",
    "sign_ins_kept", "devices_kept", "people_kept", "applications_kept", "suppressions_kept",
    "contact_seen_after_loss", "certificate_remembered", "request_link_lives_on",
)  # fmt: skip


def test_every_length_on_it_follows_the_policy(app, browser):
    product = app.extensions["marketplace"]
    policy = product.ctx.policy
    # What is not said there is of programs and drafts: of nobody who reads it.
    left_out = {"calls_kept", "team_invitations_kept", "drafts_kept"}
    kept = {each.name for each in fields(policy) if each.name.endswith("_kept")}
    assert kept - left_out <= set(KEPT)
    lengths = {name: 1001 + number for number, name in enumerate(KEPT)}
    changed = replace(policy, **{name: timedelta(days=n) for name, n in lengths.items()})
    before = " ".join(browser().open("/privacy").text.split())
    app.extensions["marketplace"] = replace(product, ctx=replace(product.ctx, policy=changed))
    text = " ".join(browser().open("/privacy").text.split())
    for name, days in lengths.items():
        assert f"{days} days" in text, name
        assert f"{days} days" not in before, name


def test_a_business_sees_what_it_agreed_to_and_who_saw_its_contact_and_saves_it(ctx, make, browser):
    provider = make.provider()
    lead = make.matched_lead()
    business = browser()
    open_request(ctx, business, lead)
    page = business.open("/requests/personal-data")
    assert "to the words of 2026-11" in page.text
    assert "No provider has seen your name" in page.text
    (invitation,) = held_by(make, lead)
    invitations.accept_invitation(ctx, person_of(provider.id), invitation.id)
    assert f"{provider.name}, since" in business.open("/requests/personal-data").text
    saved = business.open("/requests/personal-data/download").response
    assert saved.headers["Content-Disposition"].startswith("attachment")
    assert saved.headers["Cache-Control"] == "private, no-store"
    assert saved.json["request"]["contact_email"] == lead.contact_email


def test_when_the_page_of_a_request_has_closed_what_is_kept_is_had_and_erased_by_oneself_still(
    ctx, make, browser, client, clock
):
    lead = make.matched_lead()
    outcome.close_request(ctx, business_of(lead), reason="not_now")
    clock.advance(days=90)
    door = business_door(ctx, lead)
    token = door["Authorization"].removeprefix("Bearer ")
    at = "/api/v1/request"
    assert client.get(at, headers=door).status_code == 401
    given = client.get(f"{at}/personal-data", headers=door)
    assert given.json["request"]["contact_email"] == lead.contact_email
    business = browser()
    assert "Your personal data" in business.open(f"/requests/open/{token}").text
    assert "Back to the request" not in business.page.text
    assert "Read the terms" in business.page.text
    assert "Erase your personal data?" in business.open("/requests/erase").text
    assert "has been erased" in business.send("/erase").text
    assert business.open(f"/requests/open/{token}").status == 410
    assert client.get(f"{at}/personal-data", headers=door).status_code == 401


def test_the_terms_are_read_again_as_they_were_agreed_to(app, ctx, make, browser):
    lead = make.matched_lead()
    business = browser()
    open_request(ctx, business, lead)
    product = app.extensions["marketplace"]
    changed = replace(product.ctx.policy, places=1, lead_lifetime=timedelta(days=77))
    app.extensions["marketplace"] = replace(product, ctx=replace(product.ctx, policy=changed))
    agreed = " ".join(business.open("/requests/terms").text.split())
    assert "up to 3 providers, never more at once" in agreed
    assert "ends 30 days after it opened" in agreed
    assert "ends 77 days after it opened" in " ".join(business.open("/terms").text.split())


def test_somebody_erases_their_account_by_the_page_and_is_signed_out(signed_in, make, browser):
    person = signed_in(make.provider(state="applied"))
    person.open("/account/data")
    assert person.send("/erase", current_password="not it at all").status == 422
    person.open("/account/data")
    page = person.send("/erase", current_password=PASSWORD)
    assert "Your account is erased." in page.text
    assert "Sign in" in person.open("/account/data").text
