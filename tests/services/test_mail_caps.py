"""However many forms and requests for links name a mailbox, it gets few mails that nobody asked."""

from dataclasses import replace
from functools import partial

import pytest
from sqlalchemy import select

from marketplace.accounts import passwords
from marketplace.core.context import Origin
from marketplace.core.errors import Conflict, Invalid
from marketplace.core.forms import Form
from marketplace.core.links import Purpose
from marketplace.invitations import questions
from marketplace.invitations.queries import invitations_for_lead
from marketplace.leads import service as leads
from marketplace.notifications.mailboxes import OVER_CAP
from marketplace.notifications.models import Notification
from marketplace.notifications.rules import NotificationState
from marketplace.providers import profile
from marketplace.quotes import service as quotes
from marketplace.web.api.common import LeadIn
from marketplace.web.api.quotes import QuoteIn
from marketplace.web.requests import load
from tests.factories import business_of, lead_form, person_of
from tests.people import a_person
from tests.services.test_leads import token_for

VICTIM = "jo.tran@gmail.com"
VARIANTS = (VICTIM, "jotran@gmail.com", "j.o.tran+{}@gmail.com", "JoTran+iso{}@googlemail.com")


@pytest.fixture
def capped(ctx):
    return replace(ctx, policy=replace(ctx.policy, rate_limits=True))


def send_form(ctx, number, email=VICTIM):
    form = lead_form(number)
    form["company"].pop("registration_number", None)
    form["contact"]["email"] = email
    somewhere = ctx.at(Origin(address=f"198.51.100.{number % 250}"))
    return leads.submit_lead(somewhere, load(LeadIn(), form))


def mails(make):
    written = select(Notification).order_by(Notification.id)
    rows = make.ask(lambda session: session.scalars(written).all())
    return [row for row in rows if row.state is not NotificationState.SUPPRESSED]


def test_fifty_forms_from_everywhere_to_one_mailbox_mail_it_four_times_an_hour(capped, make, clock):
    answers = [send_form(capped, n, VARIANTS[n % 4].format(n)) for n in range(50)]
    assert len(mails(make)) == capped.policy.mails_asked_per_hour == 4
    assert len({(each.status, each.confirm_by) for each in answers}) == 1
    held = make.ask(
        lambda s: s.scalars(
            select(Notification).where(Notification.state == NotificationState.SUPPRESSED)
        ).all()
    )
    assert len(held) == 46
    assert {each.last_error for each in held} == {OVER_CAP}
    # Another mailbox gets its own, all the same.
    send_form(capped, 60, "mia@kestrel.example")
    assert len(mails(make)) == 5


def test_over_a_day_it_is_ten(capped, make, clock):
    for n in range(24):
        for _ in range(2):
            send_form(capped, n)
        clock.advance(hours=0.9)
    assert len(mails(make)) == capped.policy.mails_asked_per_day == 10
    clock.advance(hours=24)
    send_form(capped, 70)
    assert len(mails(make)) == 11


def test_an_honest_second_form_within_the_hour_gets_its_mail(capped, make, clock):
    send_form(capped, 1)
    clock.advance(minutes=20)
    send_form(capped, 2)
    assert [each.template for each in mails(make)] == ["confirm_request"] * 2


def test_fifty_resets_mail_four_links_and_forms_do_not_use_them_up(
    capped, make, clock, ctx, monkeypatch
):
    monkeypatch.setattr(passwords, "LIKE_TIME", 0.0)
    a_person(ctx, VICTIM)
    for n in range(10):
        send_form(capped, n)
    for _ in range(50):
        passwords.ask_password_reset(capped, Form({"email": VICTIM}))
        clock.advance(seconds=70)
    templates = [each.template for each in mails(make)]
    assert templates.count("password_reset") == 4
    assert templates.count("confirm_request") == 4


def test_whoever_fills_the_day_up_keeps_no_owner_from_a_link_that_is_good(
    capped, make, clock, ctx, monkeypatch
):
    monkeypatch.setattr(passwords, "LIKE_TIME", 0.0)
    a_person(ctx, VICTIM)
    for _ in range(12 * 6):
        passwords.ask_password_reset(capped, Form({"email": VICTIM}))
        sent = [each for each in mails(make) if each.template == "password_reset"]
        assert max(each.link_expires_at for each in sent) > clock.now
        clock.advance(minutes=10)
    assert 10 < len(sent) <= 4 * 2 + 2 + 10


def test_what_is_owed_to_whoever_confirmed_is_never_held_back(capped, make):
    receipts = [send_form(capped, n) for n in range(8)]
    lead = make.lead_called(receipts[-1].reference)
    leads.confirm_lead(capped, token_for(capped, lead))
    owed = {each.template for each in mails(make)} - {"confirm_request"}
    assert owed & {"request_opened", "request_in_review"}


def test_whoever_fills_a_mailbox_with_forms_keeps_nobody_from_confirming_their_own(
    capped, make, clock, ctx, monkeypatch
):
    monkeypatch.setattr(passwords, "LIKE_TIME", 0.0)
    a_person(ctx, VICTIM)
    for n in range(10):
        send_form(capped, n)
    own = make.lead_called(send_form(capped, 11).reference)
    for _ in range(50):
        leads.ask_for_link(capped, Form({"email": VICTIM}))
        clock.advance(seconds=70)
    again = [each for each in mails(make) if each.template == "confirm_request_again"]
    assert len(again) == 4
    assert {(each.link_purpose, each.link_subject_id) for each in again} == {
        (Purpose.CONFIRM_LEAD, own.id)
    }
    # Nor does that use up what a new password takes.
    passwords.ask_password_reset(capped, Form({"email": VICTIM}))
    assert "password_reset" in {each.template for each in mails(make)}
    leads.confirm_lead(capped, token_for(capped, own))
    leads.ask_for_link(capped, Form({"email": VICTIM}))
    assert mails(make)[-1].template == "request_link"


def test_a_form_that_can_no_longer_be_confirmed_is_not_written_about_again(
    capped, make, clock, monkeypatch
):
    monkeypatch.setattr(passwords, "LIKE_TIME", 0.0)
    own = make.lead_called(send_form(capped, 1).reference)
    clock.now = own.confirm_by
    leads.ask_for_link(capped, Form({"email": VICTIM}))
    assert [each.template for each in mails(make)] == ["confirm_request"]


def test_without_confirmation_the_first_mail_of_a_form_counts_too(capped, make):
    off = replace(capped, policy=replace(capped.policy, lead_confirmation="off"))
    for n in range(20):
        send_form(off, n, f"jo.tran+{n}@gmail.com")
    to_victim = [each for each in mails(make) if each.mailbox == "jotran@gmail.com"]
    assert len(to_victim) == 4


def test_forms_at_once_do_not_pass_the_cap(capped, make, at_once):
    at_once([partial(send_form, capped, number) for number in range(12)])
    assert len(mails(make)) == 4


@pytest.fixture
def held(make):
    """An accepted invitation, and its lead."""
    make.provider()
    lead = make.matched_lead()
    return lead, make.ask(lambda session: invitations_for_lead(session, lead.id))[0]


def mailed(make, template):
    return [each for each in mails(make) if each.template == template]


def test_a_provider_asks_so_many_questions_before_one_is_answered(capped, make, held):
    lead, invitation = held
    ask = partial(questions.ask_question, capped, person_of(invitation.provider_id), invitation.id)
    asked = [ask(text=f"How many shifts on line {n}?") for n in range(10)]
    with pytest.raises(Conflict, match="10 of your questions wait"):
        ask(text="And at night?")
    assert len(mailed(make, "question_asked")) == 10
    questions.answer_question(capped, business_of(lead), asked[0].id, text="Two.")
    ask(text="And at night?")


def test_of_a_quote_that_is_revised_without_end_one_mail_an_hour_goes_out(
    capped, make, held, clock
):
    _, invitation = held
    for n in range(1, 20):
        phases = [{"name": "Gap analysis", "days": 2, "fee": f"{n}.00"}]
        body = {"kind": "consulting", "currency": "AUD", "phases": phases}
        form = load(QuoteIn(), {**body, "valid_until": "2027-01-31"})
        quotes.put_quote(capped, person_of(invitation.provider_id), invitation.id, form)
        if n == 15:
            clock.advance(hours=1)
    told = [*mailed(make, "quote_received"), *mailed(make, "all_quotes_in")]
    assert len(told) == capped.policy.versions_told_each + 2


def test_a_provider_does_not_fill_a_mailbox_by_naming_it_its_own_again_and_again(
    capped, make, clock
):
    provider = make.provider()
    change = partial(profile.update_provider, capped, person_of(provider.id))

    def to(email):
        change(Form({"contact": {"email": email}}))

    to(VICTIM)
    for n in range(3):
        to(f"desk{n}@harbour.example")
    with pytest.raises(Invalid, match="4 times a day"):
        to(VICTIM)
    change(Form({"contact": {"phone": "+61 2 5550 1234", "email": "desk2@harbour.example"}}))
    assert [each.recipient for each in mailed(make, "contact_changed")].count(VICTIM) == 1
    clock.advance(days=1)
    to(VICTIM)


def test_switched_off_nothing_is_held_back(ctx, make):
    for n in range(12):
        send_form(ctx, n)
    assert len(mails(make)) == 12
