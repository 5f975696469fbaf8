"""Spam is held with its reasons, answered alike, and seen by administrators; honest forms open."""

from sqlalchemy import select

from marketplace.core.context import Origin
from marketplace.insights.funnel import funnel_report
from marketplace.leads import service as leads
from marketplace.leads.rules import LeadState
from marketplace.leads.signals import Telltale
from marketplace.notifications.models import Notification
from marketplace.web.api.common import LeadIn
from marketplace.web.requests import load
from tests.factories import ADMIN, lead_form
from tests.people import an_admin
from tests.services.test_leads import token_for

OFFER = "We sell the cheapest ISO certificates, delivered in {} days, see www.a.example now!!"


def send(ctx, make, number, notes, telltale=None, address="198.51.100.9", **contact):
    form = lead_form(number, notes=notes)
    form["contact"].update(contact)
    somewhere = ctx.at(Origin(address=address))
    receipt = leads.submit_lead(somewhere, load(LeadIn(), form), telltale)
    return receipt, make.lead_called(receipt.reference)


def confirm(ctx, make, lead):
    said = leads.confirm_lead(ctx, token_for(ctx, lead))
    return said, make.lead_called(lead.reference)


def templates(make):
    return make.ask(lambda session: list(session.scalars(select(Notification.template))))


def test_the_same_words_from_others_are_held_though_the_first_of_them_looked_fine(ctx, make):
    sent = [send(ctx, make, n, OFFER.format(n), address=f"203.0.113.{n}")[1] for n in range(1, 4)]
    # By the time that one is confirmed it is one of three, whichever came first.
    sent = [confirm(ctx, make, lead)[1] for lead in sent]
    assert [lead.signals["same_text"] for lead in sent] == [2, 2, 2]
    first = sent[0]
    assert first.state is LeadState.IN_REVIEW
    assert first.review_reasons == [
        "other businesses sent the same notes, or nearly, within a week",
        "the notes hold a link",
    ]


def test_who_waits_with_the_confirmation_hides_nothing_by_it(ctx, make, clock):
    for n in range(1, 4):
        send(ctx, make, n, OFFER.format(n))
        confirmed_later = send(ctx, make, 10 + n, None, email="sam@waits.example")[1]
    clock.advance(hours=30)
    _, lead = confirm(ctx, make, confirmed_later)
    # All within the hour before it came in, and by now long ago.
    assert lead.signals["from_network"] == 5
    assert lead.signals["unconfirmed"] == 2


def test_what_was_confirmed_since_had_not_been_when_the_form_came_in(ctx, make, clock):
    _, first = send(ctx, make, 1, None, email="sam@waits.example")
    clock.advance(minutes=1)
    _, second = send(ctx, make, 2, None, email="sam@waits.example")
    clock.advance(minutes=1)
    confirm(ctx, make, first)
    assert confirm(ctx, make, second)[1].signals["unconfirmed"] == 1


def test_an_honest_form_among_spam_opens(ctx, make):
    for n in range(1, 4):
        send(ctx, make, n, OFFER.format(n))
    _, lead = send(
        ctx,
        make,
        9,
        "We make steel frames at two sites; a tender asks for it.",
        address="192.0.2.1",
    )
    assert confirm(ctx, make, lead)[1].state is LeadState.OPEN


def test_plain_spam_is_answered_alike_and_held_without_another_mail(ctx, make):
    an_admin(ctx)
    honest, _ = send(ctx, make, 20, "Two sites, one shift, a tender.", address="192.0.2.9")
    receipt, lead = send(ctx, make, 21, OFFER, Telltale(0.5, "http://a.example"))
    assert (receipt.status, receipt.confirm_by) == (honest.status, honest.confirm_by)
    before = templates(make)
    said, lead = confirm(ctx, make, lead)
    assert lead.state is LeadState.IN_REVIEW
    assert said.status == LeadState.IN_REVIEW
    assert said.request_token
    assert templates(make) == before == ["confirm_request", "confirm_request"]
    assert len(lead.review_reasons) >= 2


def test_what_is_only_doubtful_is_told_to_both_sides(ctx, make):
    an_admin(ctx)
    _, lead = send(ctx, make, 22, "A tender.", Telltale(0.5))
    confirm(ctx, make, lead)
    assert set(templates(make)) == {"confirm_request", "request_in_review", "review_needed"}


def test_it_is_reported_how_often_a_doubt_was_right(ctx, make):
    held = [send(ctx, make, n, "A tender.", Telltale(0.5))[1] for n in range(30, 34)]
    for lead in held:
        confirm(ctx, make, lead)
    leads.approve_lead(ctx, ADMIN, held[0].id)
    for lead in held[1:3]:
        leads.reject_lead(ctx, ADMIN, lead.id, reason="spam")
    found = funnel_report(ctx, ADMIN).held
    assert (found.n, found.let_in, found.turned_away, found.waiting) == (4, 1, 2, 1)
    assert found.precision == 0.6667
