"""The pages of reminders: agreeing, changing, stopping, and the form that one begins."""

import pytest
from sqlalchemy import select

from marketplace.bootstrap import channel_of
from marketplace.core import links
from marketplace.core.events import Event
from marketplace.core.links import Link, Purpose
from marketplace.leads import reminding
from marketplace.leads.models import Certificate, Lead
from marketplace.notifications import delivery
from marketplace.quotes import outcome
from tests.factories import business_of
from tests.pages.steps import open_request
from tests.services.road import a_quote, an_awarded_lead, held

AGREED = (("consent", "yes"),)


@pytest.fixture
def lead(ctx, make):
    return an_awarded_lead(ctx, make)


@pytest.fixture
def business(ctx, browser, lead):
    visitor = browser()
    open_request(ctx, visitor, lead)
    return visitor


def certificates(make):
    return make.ask(lambda session: session.scalars(select(Certificate)).all())


def agree(business, **changes):
    business.open("/requests/reminders")
    filled = {"certified_on": "2026-11-20", "consent": "yes", **changes}
    return business.send("/requests/reminders", **filled)


def link_to(ctx, make, purpose):
    (certificate,) = certificates(make)
    with ctx.transaction() as tx:
        return links.mint(tx, purpose, certificate.id, expires_at=certificate.forget_at)


def manage(ctx, make):
    return f"/reminders/{link_to(ctx, make, Purpose.REMINDERS)}"


def test_nobody_has_ticked_the_box_and_nothing_is_kept_before_somebody_does(business, make):
    page = business.open(business.page.link("/requests/reminders"))
    assert ("consent", "yes") not in page.form("/requests/reminders").values
    assert "from three to seven in the three years" in page.text
    refused = business.send("/requests/reminders", certified_on="2026-11-20")
    assert refused.status == 422
    assert "Tick that we may write to you" in refused.text
    assert dict(refused.form("/requests/reminders").values)["certified_on"] == "2026-11-20"
    assert certificates(make) == []


def test_agreed_to_it_shows_what_falls_due_and_can_be_moved_and_stopped(business, make):
    page = agree(business)
    assert page.at == "/requests/reminders"
    assert "Surveillance audit 1, by 20 November 2027" in page.text
    assert "before the certificate ends on 19 November 2029" in page.text
    assert certificates(make)[0].consent["door"] == "page"
    assert "We remind you of the dates" in business.open("/requests").text
    business.open("/requests/reminders")
    assert "by 1 December 2027" in business.send("/change", certified_on="2026-12-01").text
    moved = business.send("/change", certified_on="1999-01-01")
    assert moved.status == 422
    assert "more than three years ago" in moved.text
    business.open("/requests/reminders")
    assert "The reminders are stopped" in business.send("/stop").text
    assert certificates(make) == []
    assert "Be reminded of them" in business.open("/requests").text


def test_it_is_stopped_twice_and_changed_after_that_without_a_fault(business):
    agree(business)
    form = business.page.form("/stop")
    move = business.page.form("/change")
    business.post(form.action, form.values)
    assert business.post(form.action, form.values).status == 200
    assert business.post(move.action, move.values).status == 200


def test_the_edition_of_a_certificate_is_asked_for_where_there_are_two(business, make):
    agree(business)
    (certificate,) = certificates(make)
    assert certificate.editions == {"ISO 9001": "2026"}
    business.open("/requests/reminders")
    business.send("/stop")
    business.open("/requests/reminders")
    offered = dict(business.page.form("/requests/reminders").values)
    assert offered["editions.ISO 9001"] == "2026"
    values = [
        (name, "2015" if name.startswith("editions.") else value)
        for name, value in business.page.form("/requests/reminders").values
    ]
    page = business.post("/requests/reminders", [*values, ("certified_on", "2026-11-20"), *AGREED])
    assert "edition 2026 is" not in page.text  # published before
    assert "certificates to the edition before 2026 end on 30 September 2029" in page.text


def test_before_a_choice_nothing_is_offered(ctx, browser, make):
    visitor = browser()
    page = open_request(ctx, visitor, make.lead())
    assert "/requests/reminders" not in page.html
    assert "There is no certificate yet" in visitor.open("/requests/reminders").text


def test_where_no_certificate_has_such_a_cycle_nothing_is_offered(ctx, browser, make):
    lead = an_awarded_lead(ctx, make)
    with ctx.transaction() as tx:
        tx.session.get_one(Lead, lead.id).standards = ["BRCGS Food Safety"]
    visitor = browser()
    assert "/requests/reminders" not in open_request(ctx, visitor, lead).html


def test_the_link_of_a_mail_opens_them_without_an_account_and_uses_nothing_up(
    ctx, browser, business, make
):
    agree(business)
    anybody, address = browser(), manage(ctx, make)
    for _ in range(2):
        assert "Surveillance audit 1" in anybody.open(address).text
        assert anybody.open(f"{address}/stop").at == "/reminders"
    assert len(certificates(make)) == 1
    assert "by 28 February 2028" in anybody.send("/reminders", certified_on="2027-02-28").text
    assert anybody.send("/reminders", certified_on="soon").status == 422
    anybody.open(address)
    assert "The reminders are stopped" in anybody.send("/stop").text
    assert certificates(make) == []
    assert anybody.open(address).status == 410


def test_a_mail_program_stops_them_by_an_empty_form_alone(ctx, app, business, make):
    agree(business)
    address = manage(ctx, make)
    client = app.test_client()
    for _ in range(2):
        answer = client.post(
            f"{address}/stop", data={"List-Unsubscribe": "One-Click"}, follow_redirects=False
        )
        assert answer.status_code == 200
        assert "Set-Cookie" not in answer.headers
    assert certificates(make) == []
    assert client.post("/reminders/dates_x/stop").status_code == 410


def test_the_mail_says_by_what_it_is_stopped_and_its_form_is_filled_in(
    ctx, browser, business, lead, make, clock, installation
):
    agree(business)
    clock.advance(days=240)
    reminding.remind_of_certificates(ctx)
    delivery.deliver_due_notifications(ctx, channel_of(installation.settings))
    letters = business.client.get("/mailbox/messages").json["items"]
    (text,) = (each["text"] for each in letters if each["template"] == "cycle_reminder")
    assert "The first surveillance audit is due by 20 November 2027" in text
    anybody = browser()
    again = next(line for line in text.split() if "/requests/again/" in line)
    before = make.ask(lambda session: session.query(Lead).count())
    page = anybody.open(again.removeprefix("http://localhost"))
    values = page.form("/").values
    typed = dict(values)
    assert typed["company.name"] == lead.company_name
    assert typed["contact.email"] == lead.contact_email
    assert (typed["headcount"], typed["sites"], typed["needed_by"]) == ("42", "1", "2027-11-20")
    assert (typed["certification_status"], typed["service"]) == ("certified", "certification")
    assert ("standards", "ISO 9001") in values
    assert ("regions", "AU-NSW") in values
    assert typed["consultants_used.0.name"].startswith("Consultant Number")
    assert ("consent.share_with_matched_providers", "yes") not in values
    assert "nothing is sent until you agree below" in page.text
    assert make.ask(lambda session: session.query(Lead).count()) == before
    assert anybody.send("/").status == 422  # consent is asked for anew
    sent = anybody.send("/", consent__share_with_matched_providers="yes")
    assert sent.at == "/requests/sent"
    latest = make.ask(lambda session: session.query(Lead).order_by(Lead.id.desc()).first())
    assert latest.consultants_used[0]["name"].startswith("Consultant Number")
    assert latest.needed_by.isoformat() == "2027-11-20"
    manage_ = next(line for line in text.split() if "/reminders/" in line)
    assert "Stop all of them" in anybody.open(manage_.removeprefix("http://localhost")).text


def test_whoever_has_a_request_running_is_led_to_it_by_mail_as_by_any_form(
    ctx, browser, business, make
):
    agree(business)
    anybody = browser()
    for _ in range(2):
        anybody.open(f"/requests/again/{link_to(ctx, make, Purpose.ASK_AGAIN)}")
        sent = anybody.send("/", consent__share_with_matched_providers="yes")
        assert sent.at == "/requests/sent"


def test_no_field_of_the_form_is_lost_where_regions_and_advisers_are_many(
    ctx, browser, make, clock
):
    named = [{"name": f"Adviser {n}", "ended_on": "2026-10-01"} for n in range(4)]
    regions = ["AU-NSW", "NZ-AUK", "NZ-WGN", "FJ"]
    make.provider(regions=("AU", "NZ", "FJ"))
    lead = make.matched_lead(regions=regions, consultants_used=named)
    lead = award(ctx, make, lead)
    visitor = browser()
    open_request(ctx, visitor, lead)
    agree(visitor)
    page = visitor.open(f"/requests/again/{link_to(ctx, make, Purpose.ASK_AGAIN)}")
    typed = page.form("/").values
    assert [value for name, value in typed if name == "region_written"] == regions[1:]
    seen = [value for name, value in typed if name.endswith(".name") and "used" in name]
    assert seen[:4] == [each["name"] for each in named]
    assert len(seen) == 5
    visitor.send("/", consent__share_with_matched_providers="yes")
    latest = make.ask(lambda session: session.query(Lead).order_by(Lead.id.desc()).first())
    assert sorted(latest.regions) == sorted(regions)
    assert len(latest.consultants_used) == 5


def test_a_form_with_rows_without_end_is_shown_again_with_as_many_as_there_may_be(browser):
    visitor = browser()
    visitor.open("/")
    rows = [(f"consultants_used.{n}.name", "x") for n in (*range(500), 999_999_999_999)]
    kept = [each for each in visitor.page.form("/").values if each[0] in ("csrf_token", "begun")]
    page = visitor.post("/", [*kept, *rows, *[("region_written", "x")] * 400])
    assert page.status == 422
    names = [name for name, _ in page.form("/").values]
    assert len([name for name in names if name.startswith("consultants_used.")]) == 20
    assert names.count("region_written") == 10


def test_a_link_that_has_lapsed_opens_nothing(ctx, browser, business, make, clock):
    agree(business)
    anybody, address = browser(), manage(ctx, make)
    again = f"/requests/again/{link_to(ctx, make, Purpose.ASK_AGAIN)}"
    clock.advance(days=366 * 4)
    for path in (address, again, "/reminders/dates_x", "/requests/again/again_x"):
        page = anybody.open(path)
        assert page.status == 410
        assert "If you have stopped the reminders already" in page.text
    # One that is for something else opens nothing either.
    clock.advance(days=-366 * 4)
    token = again.rpartition("/")[2]
    assert anybody.open(f"/reminders/{token}").status == 410


def test_no_raw_token_is_kept_anywhere(ctx, business, make):
    agree(business)
    token = link_to(ctx, make, Purpose.REMINDERS)
    for model in (Link, Event, Certificate):
        for row in make.ask(lambda session, model=model: session.scalars(select(model)).all()):
            assert token not in str(row.columns)


def test_an_administrator_sees_whether_reminders_are_wanted(admin, business, lead, make):
    assert "agreed to" not in admin.open(f"/admin/leads/{lead.id}").text
    agree(business)
    page = admin.open(f"/admin/leads/{lead.id}")
    assert "to the words of 2026-11" in page.text
    assert "Reminders of the certificate's dates were agreed to" in page.text


def award(ctx, make, lead):
    (invitation,) = held(make, lead)
    a_quote(ctx, invitation)
    return outcome.choose_provider(ctx, business_of(lead), invitation.id)
