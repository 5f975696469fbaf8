"""A question that is left open for long, as everybody sees it whom it concerns."""

import pytest

from marketplace.invitations import extension, questions
from tests.factories import business_of, person_of
from tests.pages.steps import held_by, open_request

STANDS_STILL = "Your time stands still: the business has not answered a question."


@pytest.fixture
def asked(ctx, make):
    """Two providers, of which the first has asked, their invitations, the request, the question."""
    two = [make.provider(name=name) for name in ("Harbour Quality", "Wattle Advisory")]
    lead = make.matched_lead(number=0)
    by_holder = {each.provider_id: each for each in held_by(make, lead)}
    one, other = (by_holder[each.id] for each in two)
    question = questions.ask_question(
        ctx, person_of(one.provider_id), one.id, text="How many shifts?"
    )
    return two, (one, other), lead, question


def test_a_provider_sees_that_its_time_stands_still_and_then_by_how_much_it_is_later(
    ctx, asked, signed_in, clock
):
    (_, holder), (_, invitation), lead, question = asked
    provider = signed_in(holder)
    path = f"/portal/invitations/{invitation.id}"
    page = provider.open(path)
    assert "one that it leaves open for more than 4 hours does until it answers" in page.text
    assert "A provider asked" in page.text
    assert "How many shifts?" in page.text  # one thread for all, before it is answered too
    assert "Harbour" not in page.text
    assert "stands still" not in page.text
    assert "data-until" in page.html
    clock.advance(hours=4)
    for page in (provider.open(path), provider.open("/portal")):
        assert STANDS_STILL in page.text
        assert "20 hours left" in page.text
        assert "data-until" not in page.html  # nothing counts down that stands still
    clock.advance(hours=2, minutes=30)
    for page in (provider.open(path), provider.open("/portal")):
        assert STANDS_STILL in page.text
        assert "It is extended by 2 hours 30 minutes so far." in page.text
        assert "20 hours left" in page.text
    questions.answer_question(ctx, business_of(lead), question.id, text="Two.")
    clock.advance(hours=1)
    for page in (provider.open(path), provider.open("/portal")):
        assert "Extended by 2 hours 30 minutes, because the business had not answered" in page.text
        assert "19 hours left" in page.text
        assert "stands still" not in page.text
        assert "data-until" in page.html


def test_a_provider_answers_after_its_time_as_it_was_at_first(ctx, asked, signed_in, clock, make):
    (holder, _), (invitation, _), lead, _ = asked
    clock.now = invitation.respond_by
    clock.advance(minutes=5)
    provider = signed_in(holder)
    page = provider.open(f"/portal/invitations/{invitation.id}")
    assert "Too late" not in page.text
    assert "You have accepted" in provider.send("/accept").text
    states = {each.id: each.state for each in held_by(make, lead)}
    assert states[invitation.id] == "accepted"


def test_the_business_sees_at_the_question_that_providers_wait(ctx, asked, browser, clock):
    _, _, lead, question = asked
    business = browser()
    assert "Providers wait" not in open_request(ctx, business, lead).text
    clock.advance(hours=6)
    page = business.open("/requests")
    assert "Providers wait for this: since midnight" in page.text
    assert "their time to quote stands still until you answer" in page.text
    assert (
        page.text.count("That is 2 hours later than at first, since a question had no answer.") == 2
    )
    page = business.send("/requests/answers", **{f"text.{question.id}": "Two."})
    assert "Your answer is on its way" in page.text
    assert "Providers wait" not in page.text


def test_an_administrator_sees_it_beside_the_deadline_and_in_the_line_of_time(
    ctx, asked, admin, clock
):
    _, _, lead, _ = asked
    clock.advance(hours=5)
    extension.extend_windows(ctx)
    clock.advance(hours=1)
    extension.extend_windows(ctx)
    text = " ".join(admin.open(f"/admin/leads/{lead.id}").text.split())
    assert "2 hours later: an unanswered question" in text
    assert "Harbour Quality: has more time to quote: a question was left open for long" in text
    assert "1 hour more, 2 hours in all" in text
    assert "\u201cYour answer is awaited: " in text
    assert "\u201cMore time to quote: " in text
