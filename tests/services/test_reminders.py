"""Reminders of a certificate's dates: by consent, each once, moved, stopped and forgotten."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select

from marketplace.bootstrap import channel_of
from marketplace.catalogue import service as catalogue
from marketplace.catalogue.models import Standard
from marketplace.core import links
from marketplace.core.actors import OPERATOR
from marketplace.core.errors import Conflict, Gone, Invalid, NotFound
from marketplace.core.events import Event
from marketplace.core.forms import Form
from marketplace.core.links import Link, Purpose
from marketplace.leads import asking_again, reminders, reminding
from marketplace.leads.cycle import ReminderState
from marketplace.leads.models import Certificate, CertificateReminder, Lead
from marketplace.leads.rules import LeadState
from marketplace.notifications import delivery
from marketplace.notifications.models import MailboxMessage, Notification, Suppression
from marketplace.quotes import erasure, outcome
from marketplace.quotes import service as quotes
from marketplace.web.api.quotes import QuoteIn
from marketplace.web.api.request import RemindersIn
from marketplace.web.requests import load
from tests.factories import business_of, person_of
from tests.pages.test_business_pages import CERTIFICATION
from tests.services.road import a_quote, an_awarded_lead, held

CERTIFIED = date(2026, 11, 20)


def body(**changes):
    return {"certified_on": str(CERTIFIED), "consent": True, **changes}


def want(ctx, lead, **changes):
    form = load(RemindersIn(), body(**changes))
    return outcome.want_reminders(ctx, business_of(lead), form, door="api")


@pytest.fixture
def lead(ctx, make):
    return an_awarded_lead(ctx, make)


def kept(make, model=Certificate):
    return make.ask(lambda session: session.scalars(select(model).order_by(model.id)).all())


def waiting(make):
    """Return the days on which mails are still to go out."""
    rows = kept(make, CertificateReminder)
    found = [each for each in rows if each.state is ReminderState.WAITING]
    return [each.due_at.date() for each in sorted(found, key=lambda each: each.due_at)]


def states(make):
    rows = sorted(kept(make, CertificateReminder), key=lambda each: each.due_at)
    return [str(each.state) for each in rows]


def mails(make, template="cycle_reminder"):
    rows = select(Notification).where(Notification.template == template).order_by(Notification.id)
    return make.ask(lambda session: session.scalars(rows).all())


def verbs(make, lead):
    rows = select(Event).where(Event.subject_id == lead.id).order_by(Event.id)
    found = make.ask(lambda session: session.scalars(rows).all())
    return [each.verb for each in found if each.verb.startswith("reminders.")]


def at(clock, year, month, day, hour=0):
    clock.now = datetime(year, month, day, hour, tzinfo=UTC)


def token_of(ctx, certificate, purpose=Purpose.REMINDERS):
    with ctx.transaction() as tx:
        return links.mint(tx, purpose, certificate.id, expires_at=certificate.forget_at)


# Consent.


def test_who_agrees_has_the_mails_planned_and_the_consent_is_proven(ctx, make, lead):
    certificate = want(ctx, lead)
    assert waiting(make) == [date(2027, 7, 19), date(2028, 7, 19), date(2029, 2, 18)]
    assert certificate.consent == {
        "wording": ctx.policy.reminders_wording,
        "at": ctx.clock().isoformat().replace("+00:00", "Z"),
        "door": "api",
        "address": None,
    }
    (event,) = (each for each in kept(make, Event) if each.verb == "reminders.agreed")
    assert event.facts["wording"] == ctx.policy.reminders_wording
    assert (event.facts["door"], event.subject_id, event.actor_kind) == ("api", lead.id, "business")
    (told,) = mails(make, "reminders_agreed")
    assert told.link_purpose is Purpose.REMINDERS
    assert told.values["dates"][0] == "The first surveillance audit is due by 20 November 2027"


def test_a_mail_goes_out_at_nine_where_the_business_is(ctx, make, lead):
    want(ctx, lead)
    first = min(kept(make, CertificateReminder), key=lambda each: each.due_at)
    assert first.due_at == datetime(2027, 7, 19, 23, tzinfo=UTC)  # 20 July in Sydney


@pytest.mark.parametrize("consent", [False, None, "yes", 1])
def test_nobody_is_reminded_without_consent(ctx, make, lead, consent):
    with pytest.raises(Invalid) as caught:
        want(ctx, lead, consent=consent)
    assert [each.pointer for each in caught.value.errors] == ["/consent"]
    assert kept(make) == []


def test_only_an_awarded_request_leads_to_reminders(ctx, make):
    open_one = make.lead()
    with pytest.raises(Conflict):
        want(ctx, open_one)
    outcome.close_request(ctx, business_of(open_one), reason="not_now")
    with pytest.raises(Conflict):
        want(ctx, open_one)


@pytest.mark.parametrize(
    ("changes", "pointers"),
    [
        ({"certified_on": "2023-11-23"}, ["/certified_on"]),
        ({"certified_on": "2028-11-24"}, ["/certified_on"]),
        ({"certified_on": "soon"}, ["/certified_on"]),
        ({"certified_on": None}, ["/certified_on"]),
        ({"standards": []}, ["/standards"]),
        ({"standards": ["ISO 9001", "ISO 1"]}, ["/standards/1"]),
        ({"standards": ["ISO 31000"]}, ["/standards/0"]),
        ({"standards": ["BRCGS Food Safety"]}, ["/standards/0"]),
        ({"editions": {"ISO 14001": "2015"}}, ["/editions/ISO 14001"]),
        ({"editions": {"ISO 9001": "1994"}}, ["/editions/ISO 9001"]),
        ({"certified_on": "1900-01-01", "standards": ["ISO 1"]}, ["/certified_on", "/standards/0"]),
        ({"surprise": 1}, ["/surprise"]),
    ],
)
def test_every_wrong_field_is_named_and_nothing_is_kept(ctx, make, lead, changes, pointers):
    with pytest.raises(Invalid) as caught:
        want(ctx, lead, **changes)
    assert sorted(each.pointer for each in caught.value.errors) == pointers
    assert kept(make) == []


@pytest.mark.parametrize("day", ["2023-11-24", "2028-11-23", "2026-11-23"])
def test_a_decision_of_three_years_ago_or_in_two_years_will_do(ctx, make, lead, day):
    assert want(ctx, lead, certified_on=day).certified_on == date.fromisoformat(day)


def test_agreed_to_twice_it_is_there_once_and_says_what_was_said_last(ctx, make, lead):
    want(ctx, lead)
    want(ctx, lead)
    want(ctx, lead, certified_on="2026-10-31")
    (certificate,) = kept(make)
    assert certificate.certified_on == date(2026, 10, 31)
    assert waiting(make) == [date(2027, 6, 29), date(2028, 6, 29), date(2029, 1, 29)]
    assert len(mails(make, "reminders_agreed")) == 1


def test_agreed_to_by_several_at_once_it_is_there_once(ctx, installation, make, lead):
    def agree(_):
        with installation.app.app_context():
            want(ctx, lead)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(agree, range(4)))
    assert len(kept(make)) == 1
    assert len(waiting(make)) == 3


def test_what_a_later_request_is_reminded_of_an_earlier_one_no_longer_is(ctx, make, lead):
    want(ctx, lead, standards=["ISO 9001", "ISO 14001"])
    receipt = outcome.follow_on(ctx, business_of(lead), Form({}))
    later = make.lead_called(receipt.reference)
    chosen = held(make, lead)[0].id
    with ctx.transaction() as tx:
        row = tx.session.get_one(Lead, later.id)
        row.state, row.finished_at = LeadState.AWARDED, tx.now
        row.awarded_invitation_id = chosen
    want(ctx, later, certified_on="2026-12-01")
    assert [each.standards for each in kept(make)] == [["ISO 14001"], ["ISO 9001"]]
    want(ctx, later, certified_on="2026-12-01", standards=["ISO 9001", "ISO 14001"])
    assert [each.lead_id for each in kept(make)] == [later.id]
    assert verbs(make, lead) == ["reminders.agreed", "reminders.changed", "reminders.ended"]


def test_who_sends_requests_for_several_businesses_is_reminded_for_each(ctx, make, lead):
    contact = {"name": "Jo Tran", "email": "jo@agents.example", "phone": None, "role": None}
    numbers = {"name": "Kestrel Joinery Pty Ltd", "country": "AU", "website": None}
    for number in ("51 824 753 556", "53 004 085 616"):
        company = {**numbers, "registration_number": number}
        client = make.matched_lead(company=company, contact=contact)
        (invitation,) = held(make, client)
        a_quote(ctx, invitation)
        outcome.choose_provider(ctx, business_of(client), invitation.id)
        want(ctx, client)
    assert len(kept(make)) == 2


# Sending.


def test_each_mail_goes_out_once_in_its_time(ctx, make, lead, clock):
    want(ctx, lead)
    at(clock, 2027, 7, 19, 22)
    assert reminding.remind_of_certificates(ctx) == 0
    due = [date(2027, 7, 20), date(2028, 7, 20), date(2029, 2, 18)]
    sent_on = []
    looked = False
    while clock.now.date() < date(2030, 1, 5):
        if reminding.remind_of_certificates(ctx):
            sent_on.append(clock.now.date())
            assert reminding.remind_of_certificates(ctx) == 0
        if not looked and clock.now.date() > date(2028, 8, 20):
            looked = True
            assert states(make) == ["sent", "sent", "waiting"]
            first = mails(make)[0]
            assert first.values["dates"] == [
                "The first surveillance audit is due by 20 November 2027"
            ]
            assert first.link_purpose is Purpose.ASK_AGAIN
            assert first.recipient == lead.contact_email
        # Day by day about those on which a mail is due, and between them week by week.
        is_near = any(abs(clock.now.date() - each) <= timedelta(days=10) for each in due)
        clock.advance(days=1 if is_near else 7)
    assert looked
    assert sent_on[:3] == due


def test_a_mail_says_on_which_day_it_was_agreed_to_where_the_business_is(ctx, make, lead, clock):
    at(clock, 2026, 11, 30, 20)  # 1 December in Sydney
    want(ctx, lead, certified_on="2026-11-30")
    at(clock, 2027, 8, 1)
    reminding.remind_of_certificates(ctx)
    (mail,) = mails(make)
    assert mail.values["agreed_on"] == "2026-12-01"
    assert not mail.values["seeks_body"]


def test_two_machines_at_once_send_it_once(ctx, installation, make, lead, clock):
    want(ctx, lead)
    at(clock, 2027, 7, 20)

    def sweep(_):
        with installation.app.app_context():
            reminding.remind_of_certificates(ctx)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(sweep, range(4)))
    assert len(mails(make)) == 1
    assert verbs(make, lead).count("reminders.sent") == 1


def test_a_sweep_that_was_killed_half_way_sends_it_all_the_same(
    ctx, make, lead, clock, monkeypatch
):
    want(ctx, lead)
    at(clock, 2027, 7, 20)

    def killed(*_args, **_values):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(reminding, "notify", killed)
        with pytest.raises(KeyboardInterrupt):
            reminding.remind_of_certificates(ctx)
    assert states(make) == ["waiting"] * 3
    assert reminding.remind_of_certificates(ctx) == 1
    assert len(mails(make)) == 1


def test_one_that_comes_late_is_sent_up_to_its_day_and_not_after_it(ctx, make, lead, clock):
    want(ctx, lead)
    at(clock, 2027, 11, 20)
    assert reminding.remind_of_certificates(ctx) == 1
    assert states(make) == ["sent", "waiting", "waiting"]
    at(clock, 2028, 11, 21)
    reminding.remind_of_certificates(ctx)
    assert states(make) == ["sent", "skipped", "waiting"]
    assert len(mails(make)) == 1
    assert verbs(make, lead)[-1] == "reminders.skipped"


def test_of_several_that_were_missed_one_mail_says_all_that_is_still_ahead(ctx, make, lead, clock):
    want(ctx, lead, editions={"ISO 9001": "2015"})
    assert len(waiting(make)) == 4
    at(clock, 2028, 8, 1)
    reminding.remind_of_certificates(ctx)
    (mail,) = mails(make)
    assert mail.values["dates"] == ["The second surveillance audit is due by 20 November 2028"]


def test_the_days_of_an_edition_are_told_with_what_comes_within_thirty_days(ctx, make, lead):
    want(ctx, lead, editions={"ISO 9001": "2015"})
    assert waiting(make) == [
        date(2027, 6, 29),  # 31 March 2028: last audits; and the first surveillance with it
        date(2028, 7, 19),
        date(2028, 12, 29),  # 30 September 2029: the end
        date(2029, 2, 18),
    ]


def test_who_holds_the_current_edition_is_told_of_no_transition(ctx, make, lead):
    want(ctx, lead)
    about = [each["what"] for row in kept(make, CertificateReminder) for each in row.about]
    assert sorted(about) == ["recertification", "surveillance", "surveillance"]


@pytest.fixture
def change_standard(ctx, make):
    """Change the catalogue's ISO 9001, and put it back after the test."""
    before = make.ask(lambda session: session.get(Standard, "ISO 9001").columns)
    names = ("edition", "previous_edition", "last_new_certificate_to_previous", "transition_end",
             "published")  # fmt: skip

    def change(**values):
        catalogue.change_entry(ctx, OPERATOR, Standard, "ISO 9001", Form(values))

    yield change
    change(**{name: before[name] for name in names})


def test_other_dates_in_the_catalogue_move_what_was_not_sent_yet(
    ctx, make, lead, clock, change_standard
):
    want(ctx, lead, editions={"ISO 9001": "2015"})
    change_standard(transition_end=date(2029, 5, 31))
    assert reminding.remind_of_certificates(ctx) == 1
    assert reminding.remind_of_certificates(ctx) == 0
    assert waiting(make)[2] == date(2028, 8, 30)
    assert verbs(make, lead)[-1] == "reminders.moved"
    at(clock, 2028, 8, 31)
    reminding.remind_of_certificates(ctx)
    # That much later it is the last day that has moved, and it is said once more.
    change_standard(transition_end=date(2029, 6, 20))
    reminding.remind_of_certificates(ctx)
    assert [each for each in waiting(make) if each.year == 2028] == []
    change_standard(transition_end=date(2029, 9, 30))
    reminding.remind_of_certificates(ctx)
    assert date(2028, 12, 29) in waiting(make)


def test_a_new_edition_makes_the_one_that_is_held_the_old_one(ctx, make, lead, change_standard):
    want(ctx, lead)
    change_standard(
        edition="2028",
        previous_edition="2026",
        published="2028-02-01",
        last_new_certificate_to_previous=date(2029, 8, 1),
        transition_end=date(2031, 2, 1),
    )
    reminding.remind_of_certificates(ctx)
    about = [each for row in kept(make, CertificateReminder) for each in row.about]
    assert [(each["what"], each["on"]) for each in about if each["standard"]] == [
        ("edition_published", "2028-02-01"),
        ("last_audits", "2029-08-01"),
    ]


def test_nothing_outdated_is_sent(ctx, make, lead, clock, change_standard):
    want(ctx, lead, editions={"ISO 9001": "2015"})
    change_standard(last_new_certificate_to_previous=date(2029, 1, 31))
    at(clock, 2027, 6, 30)
    reminding.remind_of_certificates(ctx)
    assert mails(make) == []


# Changed, stopped and forgotten.


def test_by_its_link_the_day_is_changed_without_an_account(ctx, make, lead):
    certificate = want(ctx, lead)
    token = token_of(ctx, certificate)
    reminders.change_by_link(ctx, token, Form({"certified_on": date(2026, 2, 28)}))
    assert waiting(make) == [date(2026, 11, 23), date(2027, 10, 27), date(2028, 5, 26)]
    with pytest.raises(Invalid):
        reminders.change_by_link(ctx, token, Form({"certified_on": date(2020, 1, 1)}))
    assert verbs(make, lead) == ["reminders.agreed", "reminders.changed"]


def test_a_day_that_moves_after_its_mail_is_told_once_more_where_it_moves_far(
    ctx, make, lead, clock
):
    certificate = want(ctx, lead)
    token = token_of(ctx, certificate)
    at(clock, 2027, 7, 20)
    reminding.remind_of_certificates(ctx)
    reminders.change_by_link(ctx, token, Form({"certified_on": date(2026, 12, 10)}))
    assert len(waiting(make)) == 2
    reminders.change_by_link(ctx, token, Form({"certified_on": date(2027, 3, 1)}))
    assert len(waiting(make)) == 3


@pytest.mark.parametrize("purpose", [Purpose.ASK_AGAIN, Purpose.REQUEST])
def test_no_other_link_changes_or_stops_them(ctx, make, lead, purpose):
    token = token_of(ctx, want(ctx, lead), purpose)
    with pytest.raises(Gone):
        reminders.stop_by_link(ctx, token)
    with pytest.raises(Gone):
        reminders.change_by_link(ctx, token, Form({"certified_on": CERTIFIED}))
    assert len(kept(make)) == 1


def test_stopped_by_a_link_they_are_forgotten_at_once_and_stopping_again_is_well(
    ctx, make, lead, clock, installation
):
    certificate = want(ctx, lead)
    delivery.deliver_due_notifications(ctx, channel_of(installation.settings))
    token = token_of(ctx, certificate)
    at(clock, 2027, 7, 20)
    reminding.remind_of_certificates(ctx)
    # Decided, and not sent yet.
    reminders.stop_by_link(ctx, token)
    delivery.deliver_due_notifications(ctx, channel_of(installation.settings))
    assert (kept(make), kept(make, CertificateReminder)) == ([], [])
    about = {each.template for each in kept(make, MailboxMessage)}
    assert not about & {"cycle_reminder", "reminders_agreed"}
    assert [str(each.state) for each in mails(make)] == ["suppressed"]
    assert all(each.is_empty for each in (*mails(make), *mails(make, "reminders_agreed")))
    reminders.stop_by_link(ctx, token)
    assert verbs(make, lead)[-1] == "reminders.ended"
    assert reminding.remind_of_certificates(ctx) == 0


def test_stopped_while_it_is_being_sent_nothing_is_left_to_go_out(
    ctx, installation, make, lead, clock
):
    token = token_of(ctx, want(ctx, lead))
    at(clock, 2027, 7, 20)

    def one(act):
        with installation.app.app_context():
            act()

    def sweep():
        reminding.remind_of_certificates(ctx)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(one, [sweep, lambda: reminders.stop_by_link(ctx, token)] * 6))
    assert (kept(make), kept(make, CertificateReminder)) == ([], [])
    assert {str(each.state) for each in mails(make)} <= {"suppressed"}
    assert verbs(make, lead).count("reminders.ended") == 1


def test_service_mail_goes_on_when_reminders_are_stopped(ctx, make, lead, installation):
    token = token_of(ctx, want(ctx, lead))
    reminders.stop_by_link(ctx, token)
    assert kept(make, Suppression) == []
    receipt = outcome.follow_on(ctx, business_of(lead), Form({}))
    delivery.deliver_due_notifications(ctx, channel_of(installation.settings))
    (opened,) = (
        each
        for each in mails(make, "request_opened")
        if each.subject_id == make.lead_called(receipt.reference).id
    )
    assert (opened.state, opened.recipient) == ("sent", lead.contact_email)


def test_stopped_on_its_page_they_are_gone_and_there_is_nothing_more_to_stop(ctx, make, lead):
    want(ctx, lead)
    reminders.stop_reminders(ctx, business_of(lead))
    assert kept(make) == []
    with pytest.raises(NotFound):
        reminders.stop_reminders(ctx, business_of(lead))


def test_erasing_a_request_stops_and_forgets_and_ends_every_link(ctx, make, lead, clock):
    certificate = want(ctx, lead)
    token = token_of(ctx, certificate)
    at(clock, 2027, 7, 20)
    reminding.remind_of_certificates(ctx)
    erasure.erase_request(ctx, business_of(lead))
    assert (kept(make), kept(make, CertificateReminder)) == ([], [])
    left = select(Link).where(Link.subject_id == certificate.id)
    assert make.ask(lambda session: session.scalars(left).all()) == []
    with pytest.raises(Gone):
        reminders.stop_by_link(ctx, token)
    for row in (*mails(make), *mails(make, "reminders_agreed"), *kept(make, Event)):
        assert lead.contact_email not in str(row.columns)
        assert lead.company_name not in str(row.columns)
    with pytest.raises(Conflict):
        want(ctx, lead)


def test_they_go_on_when_nothing_is_left_of_the_request(ctx, make, lead, clock):
    want(ctx, lead)
    with ctx.transaction() as tx:
        erasure._erase(tx, tx.session.get_one(Lead, lead.id))
    at(clock, 2027, 7, 20)
    assert reminding.remind_of_certificates(ctx) == 1
    assert mails(make)[0].recipient == lead.contact_email


def test_when_the_certificate_is_over_it_is_forgotten_thirty_days_later(ctx, make, lead, clock):
    want(ctx, lead)
    at(clock, 2029, 2, 19)
    reminding.remind_of_certificates(ctx)
    at(clock, 2029, 12, 19, 12)
    assert reminding.remind_of_certificates(ctx) == 0
    assert len(kept(make)) == 1
    at(clock, 2029, 12, 19, 13)  # the day has begun in Sydney
    assert reminding.remind_of_certificates(ctx) == 1
    assert kept(make) == []
    assert all(each.is_empty for each in mails(make))


def test_who_has_a_consultant_only_is_told_when_to_look_for_a_body(ctx, make, lead, clock):
    want(ctx, lead, certified_on="2027-08-31")
    assert waiting(make)[0] == date(2027, 2, 27)
    at(clock, 2027, 2, 28)
    reminding.remind_of_certificates(ctx)
    (mail,) = mails(make)
    assert mail.values["dates"][0].startswith("The certificate is expected on 31 August 2027")
    assert mail.values["seeks_body"]
    form = again(ctx, make, clock)
    assert (form["certification_status"], form["needed_by"]) == ("none", "2027-08-31")
    assert form["service"] == "certification"


def test_by_several_requests_of_one_business_at_once_nobody_waits_for_ever(
    ctx, installation, make, lead
):
    receipt = outcome.follow_on(ctx, business_of(lead), Form({}))
    later = make.lead_called(receipt.reference)
    chosen = held(make, lead)[0].id
    with ctx.transaction() as tx:
        row = tx.session.get_one(Lead, later.id)
        row.state, row.finished_at = LeadState.AWARDED, tx.now
        row.awarded_invitation_id = chosen

    def agree(which):
        with installation.app.app_context():
            want(ctx, which)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(agree, [lead, later] * 6))
    assert len(kept(make)) == 1


def test_of_any_standard_nothing_is_planned_anew_while_the_catalogue_stays(ctx, make, lead):
    rows = select(Standard).order_by(Standard.position)
    known = make.ask(lambda session: session.scalars(rows).all())
    codes = [each.code for each in known if each.has_three_year_cycle]
    for start in range(0, len(codes), 6):
        want(ctx, lead, standards=codes[start : start + 6])
        assert reminding.remind_of_certificates(ctx) == 0
        reminders.stop_reminders(ctx, business_of(lead))
    assert len(codes) > 20


# What the next form begins with.


def again(ctx, make, clock):
    (certificate,) = kept(make)
    today = clock.now.date()
    return make.ask(
        lambda session: asking_again.asked_again(
            session, certificate, today=today, policy=ctx.policy
        )
    )


def test_the_next_form_is_filled_in_as_the_first_was_but_for_its_consent(ctx, make, lead, clock):
    want(ctx, lead)
    at(clock, 2027, 7, 20)
    reminding.remind_of_certificates(ctx)
    form = again(ctx, make, clock)
    assert form["company"] == lead.form["company"]
    assert form["contact"] == lead.form["contact"]
    assert (form["service"], form["standards"]) == ("certification", ["ISO 9001"])
    assert (form["regions"], form["headcount"], form["sites"]) == (["AU-NSW"], 42, 1)
    assert (form["certification_status"], form["needed_by"]) == ("certified", "2027-11-20")
    assert not {"consent", "notes", "timeframe"} & form.keys()


def test_before_a_transition_it_says_that_there_is_one(ctx, make, lead, clock):
    want(ctx, lead, editions={"ISO 9001": "2015"})
    at(clock, 2027, 6, 30)
    reminding.remind_of_certificates(ctx)
    assert again(ctx, make, clock)["certification_status"] == "transition"


def test_after_the_end_it_says_that_the_certificate_has_lapsed(ctx, make, lead, clock):
    want(ctx, lead)
    at(clock, 2029, 2, 19)
    reminding.remind_of_certificates(ctx)
    at(clock, 2029, 11, 20)
    form = again(ctx, make, clock)
    assert (form["certification_status"], form["needed_by"]) == ("lapsed", None)


@pytest.mark.parametrize(
    ("days", "seen"),
    [(0, None), (364, None), (365, "2027-11-23"), (365 + 730, "2027-11-23"), (365 + 731, "gone")],
)
def test_it_names_the_consultant_that_was_chosen_for_as_long_as_that_matters(
    ctx, make, lead, clock, days, seen
):
    want(ctx, lead)
    clock.advance(days=days)
    named = again(ctx, make, clock)["consultants_used"]
    assert [each["ended_on"] for each in named] == ([] if seen == "gone" else [seen])
    assert all(each["name"].startswith("Consultant") for each in named)


def test_it_names_those_whom_the_first_form_named(ctx, make, clock):
    ended = str(clock.now.date() - timedelta(days=100))
    named = [{"name": "Lighthouse Advice", "ended_on": ended}]
    lead = an_awarded_lead(ctx, make, consultants_used=named)
    want(ctx, lead)
    assert again(ctx, make, clock)["consultants_used"][0] == named[0]


def test_a_body_that_was_chosen_is_nobodys_consultant(ctx, make, clock):
    make.provider("certification_body")
    lead = make.matched_lead(service="certification")
    (invitation,) = held(make, lead)
    quotes.put_quote(
        ctx, person_of(invitation.provider_id), invitation.id, load(QuoteIn(), CERTIFICATION)
    )
    outcome.choose_provider(ctx, business_of(lead), invitation.id)
    want(ctx, lead)
    assert again(ctx, make, clock)["consultants_used"] == []
