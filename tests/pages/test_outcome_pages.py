"""Afterwards: what came of a request, by the link in a mail; reviews, replies, and the desk."""

import pytest

from marketplace.leads.rules import Outcome
from marketplace.providers.models import Provider
from marketplace.quotes import asking, outcome
from tests.factories import business_of
from tests.pages.steps import held_by, open_request
from tests.services.road import a_quote


@pytest.fixture
def quoted(ctx, make):
    """A request that one of its two providers has quoted for."""
    for name in ("Harbour Quality Pty Ltd", "Sandstone Systems"):
        make.provider(name=name)
    lead = make.matched_lead()
    first, _ = held_by(make, lead)
    a_quote(ctx, first)
    name = make.ask(lambda session: session.get(Provider, first.provider_id)).name
    return lead, first, name


def now(make, lead):
    return make.lead_called(lead.reference)


def test_the_mail_leads_to_the_four_answers_and_looking_tells_nothing(
    ctx, make, clock, browser, link_to, quoted
):
    lead, _, name = quoted
    clock.advance(days=7)
    asking.ask_for_outcomes(ctx)
    path = link_to(lead.contact_email, "outcome")
    visitor = browser()
    for _ in range(2):
        page = visitor.open(path)
        assert page.at == "/requests/outcome"
    for answer in (
        f"We chose {name}",
        "We took a provider from elsewhere",
        "We are not going ahead now",
        "None of the quotes suited us",
    ):
        assert answer in page.text
    assert "Sandstone Systems" not in page.text or name == "Sandstone Systems"
    assert now(make, lead).outcome is None
    # The same link opens all of the request.
    assert lead.reference in visitor.open("/requests").title
    visitor.open(path)
    page = visitor.send(
        "/requests/outcome", ("outcome", "not_now"), reason="budget", comment="Next year."
    )
    assert "Thank you for telling us." in page.text
    told = now(make, lead)
    assert (told.state, told.outcome, told.outcome_reason) == ("closed", "not_now", "budget")
    assert told.outcome_comment == "Next year."


def test_a_link_that_is_none_says_so(browser):
    assert browser().open("/requests/outcome/outcome_nobody").status == 410
    assert browser().open("/requests/outcome").status == 401


def test_whom_they_chose_is_one_answer_and_ends_the_request(ctx, make, browser, quoted):
    lead, first, name = quoted
    business = browser()
    open_request(ctx, business, lead)
    business.open(business.page.link("/requests/outcome"))
    refused = business.send("/requests/outcome", reason="price")
    assert refused.status == 422
    assert "Your answer is required" in refused.text
    page = business.send("/requests/outcome", ("outcome", f"awarded:{first.id}"))
    assert f"You have chosen {name}." in page.text
    assert now(make, lead).state == "awarded"
    again = business.open(page.link("/requests/outcome"))
    assert f"You have chosen {name}" in again.text
    assert "We are not going ahead now" not in again.text
    page = business.send("/requests/outcome", reason="fit", comment="They know our trade.")
    assert "Thank you for telling us." in page.text
    told = now(make, lead)
    assert (told.state, told.outcome, told.outcome_reason) == ("awarded", "awarded", "fit")
    assert told.outcome_comment == "They know our trade."
    business.open("/requests/outcome")
    business.send("/requests/outcome", outcome="not_now")
    assert now(make, lead).outcome == "awarded"


def test_who_answered_is_reviewed_once_also_while_the_request_runs(ctx, make, browser, quoted):
    lead, first, name = quoted
    _, silent = held_by(make, lead)
    business = browser()
    page = open_request(ctx, business, lead)
    assert f"/requests/review/{silent.id}" not in page.html
    page = business.open(page.link(f"/requests/review/{first.id}"))
    assert "Your request still runs" in page.text
    page = business.send("/requests/review", ("rating", "4"), comment="Quick.")
    assert "Thank you for your review." in page.text
    assert f"You rated how {name} answered: 4 of 5." in page.text
    page = business.open(f"/requests/review/{silent.id}")
    assert "has not answered, so there is nothing to review" in page.text
    assert not [form for form in page.forms if "review" in form.action]


def test_one_that_expired_is_told_of_without_reviving_it_and_put_right(
    ctx, make, clock, browser, quoted
):
    lead, first, _ = quoted
    clock.now = now(make, lead).expires_at
    outcome.expire_due_leads(ctx)
    business = browser()
    page = open_request(ctx, business, lead)
    assert "What came of it?" in page.text
    business.open(page.link("/requests/outcome"))
    business.send("/requests/outcome", ("outcome", "other_provider"))
    page = business.open("/requests/outcome")
    assert "You have told us" in page.text
    assert dict(page.form("/requests/outcome").values)["outcome"] == "other_provider"
    business.send("/requests/outcome", outcome=f"awarded:{first.id}")
    told = now(make, lead)
    assert (told.state, told.outcome) == ("expired", "awarded")
    assert held_by(make, lead)[0].state == "lost"


@pytest.mark.parametrize("answer", ["awarded", "awarded:x", "lost", "not_now:x", ":"])
def test_an_answer_that_no_page_offers_is_refused(ctx, make, browser, quoted, answer):
    lead, *_ = quoted
    business = browser()
    open_request(ctx, business, lead)
    business.open("/requests/outcome")
    assert business.send("/requests/outcome", outcome=answer).status == 422
    assert now(make, lead).state == "open"


@pytest.fixture
def reviewed(ctx, browser, quoted):
    """The browser of the business that has reviewed the provider, with this comment."""
    lead, first, _ = quoted

    def review(comment):
        outcome.close_request(ctx, business_of(lead), reason="not_now")
        business = browser()
        open_request(ctx, business, lead)
        business.open(f"/requests/review/{first.id}")
        business.send("/requests/review", ("rating", "4"), comment=comment)
        return business, first

    return review


def provider_of(make, invitation):
    return make.ask(lambda session: session.get(Provider, invitation.provider_id))


def test_a_review_and_its_reply_are_read_by_those_who_come_after(
    ctx, make, browser, signed_in, reviewed
):
    business, first = reviewed("Quick, and clear.")
    person = signed_in(provider_of(make, first))
    page = person.open("/portal/record")
    page = person.open(page.link("/portal/reviews"))
    assert "4 of 5" in page.text
    assert "One review. From 3 on a mean is shown." in page.text
    assert "A business in New South Wales, Australia" in page.text
    assert person.send("/reply", text=" ").status == 422
    page = person.send("/reply", text="Thank you.")
    assert "Your reply is in." in page.text
    page = person.send("/reply", text="Thank you, and come again.")
    assert "Thank you, and come again." in page.text
    other = browser()
    page = open_request(ctx, other, make.matched_lead())
    assert "Quick, and clear." in page.text
    assert "Thank you, and come again." in page.text
    assert "too few for a mean" in page.text
    own = business.open(f"/requests/review/{first.id}")
    assert "Thank you, and come again." in own.text


def test_what_is_reported_waits_on_the_desk_and_both_sides_read_the_reason(
    make, admin, signed_in, reviewed, work, client
):
    business, first = reviewed("Quick, and clear.")
    provider = provider_of(make, first)
    person = signed_in(provider)
    person.open("/portal/reviews")
    page = person.send("/report", reason="That was somebody else.")
    assert "You reported the review" in page.text
    desk = admin.open("/admin")
    assert "Reviews and replies to decide" in desk.text
    page = admin.open(desk.link("/admin/reviews"))
    assert "That was somebody else." in page.text
    (form,) = [each for each in page.forms if "/hide" in each.action]
    assert admin.post(form.action, form.values).status == 422
    page = admin.send("/hide", reason="They were never there.")
    assert "It is hidden, and both sides are told why." in page.text
    assert "Reviews and replies to decide" not in admin.open("/admin").text
    assert "No reviews yet." in person.open("/portal/reviews").text
    assert "They were never there." in business.open(f"/requests/review/{first.id}").text
    work()
    letters = client.get("/mailbox/messages", query_string={"to": provider.contact_email}).json
    assert any("They were never there." in each["text"] for each in letters["items"])
    admin.open("/admin/reviews?state=hidden")
    page = admin.send("/show", reason="They were, after all.")
    assert "It is shown" in page.text


def test_what_may_name_somebody_waits_before_it_shows(make, admin, signed_in, reviewed):
    business, first = reviewed("Ms Okafor was rude.")
    assert "waits for an administrator" in business.open(f"/requests/review/{first.id}").text
    person = signed_in(provider_of(make, first))
    assert "No reviews yet." in person.open("/portal/reviews").text
    page = admin.open("/admin/reviews")
    assert "it may name a person" in page.text
    admin.send("/show", reason="She is known for it.")
    assert "Ms Okafor" in person.open("/portal/reviews").text


def test_one_that_was_not_chosen_reads_how_its_quote_stood(ctx, make, signed_in):
    three = [make.provider() for _ in range(3)]
    lead = make.matched_lead()
    held = held_by(make, lead)
    for each, fee in zip(held, ("1000.00", "1100.00", "2000.00"), strict=True):
        a_quote(ctx, each, fee)
    outcome.choose_provider(ctx, business_of(lead), held[0].id)
    by_id = {each.id: each for each in three}
    for each, said in zip(
        held,
        (None, "By price your quote was number 2 of 3. It was within 10 % of the median.",
         "By price your quote was number 3 of 3. It was further than 30 % from the median."),
        strict=True,
    ):  # fmt: skip
        page = signed_in(by_id[each.provider_id]).open(f"/portal/invitations/{each.id}")
        assert ("How your quote stood" in page.text) == (said is not None)
        assert said is None or said in " ".join(page.text.split())
        assert not any(fee in page.text for fee in ("1,000.00", "1,100.00") if each is held[2])


def test_administrators_read_what_came_of_a_request(ctx, make, admin, quoted):
    lead, first, name = quoted
    assert "The business is asked" in admin.open(f"/admin/leads/{lead.id}").text
    told = {"invitation_id": first.id, "comment": "They knew our trade."}
    outcome.tell_outcome(ctx, business_of(lead), outcome=Outcome.AWARDED, **told)
    page = admin.open(f"/admin/leads/{lead.id}")
    assert f"It went to a provider that was invited here: {name}." in " ".join(page.text.split())
    assert "They knew our trade." in page.text
    assert "What came of them" in admin.open("/admin/reports/funnel").text
