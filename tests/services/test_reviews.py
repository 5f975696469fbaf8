"""Reviews and replies: from real requests alone, read first where in doubt, told, and forgotten."""

from dataclasses import replace

import pytest
from sqlalchemy import select, text, update

from marketplace.core.errors import Conflict, NotAllowed, NotFound
from marketplace.core.events import Event
from marketplace.core.identity import legal_entity
from marketplace.insights.worklist import Kind, worklist
from marketplace.invitations import questions
from marketplace.leads.rules import CloseReason
from marketplace.notifications.models import Notification
from marketplace.providers.models import Provider
from marketplace.quotes import comparison, erasure, opinions, outcome, reviews
from marketplace.quotes.models import Review, ReviewReply
from marketplace.quotes.moderation import Part, ReviewState
from tests.factories import ADMIN, business_of, person_of
from tests.people import a_person, an_admin
from tests.services.road import a_quote, again, held


@pytest.fixture
def provider(make):
    return make.provider(name="Harbour Quality Pty Ltd")


@pytest.fixture
def answered(ctx, make, provider):
    """Make a finished request that the provider has quoted for; return it and the invitation."""

    def answer(**changes):
        lead = make.matched_lead(**changes)
        (invitation,) = held(make, lead)
        a_quote(ctx, invitation)
        outcome.close_request(ctx, business_of(lead), reason="not_now")
        return lead, invitation

    return answer


@pytest.fixture
def given(ctx, answered):
    """Let a business review the provider; return its request and the review."""

    def give(rating=4, comment="Quick, and clear.", **changes):
        lead, invitation = answered(**changes)
        review = reviews.review_provider(
            ctx, business_of(lead), invitation.id, rating=rating, comment=comment
        )
        return lead, review

    return give


def reply_to(ctx, review, said="Thank you."):
    return reviews.reply_to_review(ctx, person_of(review.provider_id), review.id, text=said)


def report(ctx, review, reason="It is about somebody else."):
    return reviews.report_review(ctx, person_of(review.provider_id), review.id, reason=reason)


def hide(ctx, review, part=Part.REVIEW, reason="It names a person."):
    return reviews.hide(ctx, ADMIN, review.id, reason=reason, part=part)


def show(ctx, review, part=Part.REVIEW, reason="It is fair."):
    return reviews.restore(ctx, ADMIN, review.id, reason=reason, part=part)


def reply_of(make, review):
    return make.ask(lambda session: session.get(ReviewReply, review.id))


def mails(make, template):
    rows = select(Notification).where(Notification.template == template)
    return make.ask(lambda session: session.scalars(rows.order_by(Notification.id)).all())


def verbs(make, review):
    rows = select(Event.verb).where(
        Event.subject_id == review.invitation_id, Event.verb.like("review.%")
    )
    return make.ask(lambda session: session.scalars(rows.order_by(Event.id)).all())


def rating(ctx, provider):
    with ctx.reading() as session:
        return opinions.ratings(session, [provider.id], ctx.policy).get(provider.id, (None, 0))


def read_by_another(ctx, make):
    """Return what another business reads of the one provider that is invited for it."""
    lead = make.matched_lead()
    (invitation,) = comparison.request_page(ctx, business_of(lead))["invitations"]
    return invitation["provider"]


def waiting(ctx):
    return [each.review.id for each in worklist(ctx, ADMIN).reviews]


# What shows, and of whom.


def test_a_clean_review_shows_at_once_and_the_provider_is_told(ctx, make, provider, given):
    _, review = given(rating=5)
    assert review.state is ReviewState.SHOWN
    seen = read_by_another(ctx, make)
    (said,) = seen["reviews"]
    assert (said.review.rating, said.comment) == (5, "Quick, and clear.")
    assert said.by_whom == {"sector": "17", "region": "AU-NSW", "month": "2026-11"}
    (mail,) = mails(make, "review_given")
    assert (mail.recipient, mail.provider_id) == (provider.contact_email, provider.id)
    assert mail.values == {"rating": 5}
    assert mails(make, "review_to_decide") == []


def test_of_fewer_than_three_there_is_no_mean_and_their_number_is_always_told(
    ctx, make, provider, given
):
    for number, rated in enumerate((5, 4, 4), start=1):
        given(rating=rated)
        mean, n = rating(ctx, provider)
        assert n == number
        assert mean == (4.3 if number == 3 else None)
    seen = read_by_another(ctx, make)
    assert (seen["rating"], seen["rating_count"]) == (4.3, 3)


def test_the_latest_few_of_each_of_several_providers_are_read_together(ctx, make):
    kept = {make.provider().id: [], make.provider().id: []}
    for _ in range(3):
        lead = make.matched_lead()
        for invitation in held(make, lead):
            a_quote(ctx, invitation)
            review = reviews.review_provider(
                ctx, business_of(lead), invitation.id, rating=4, comment=None
            )
            kept[invitation.provider_id].insert(0, review.id)
        outcome.close_request(ctx, business_of(lead), reason="not_now")
    one, other = kept
    hide(ctx, make.ask(lambda session: session.get(Review, kept[one][0])))
    nobody = make.provider().id
    with ctx.reading() as session:
        found = opinions.latest(session, [*kept, nobody], at_most=2)
    ids = {provider_id: [each.review.id for each in few] for provider_id, few in found.items()}
    assert ids == {one: kept[one][1:], other: kept[other][:2]}


def test_only_the_latest_few_are_read(ctx, make, provider, given):
    few = replace(ctx, policy=replace(ctx.policy, reviews_shown=2))
    _oldest, *latest = [given(comment=f"Number {n}.")[1].id for n in range(3)]
    seen = read_by_another(few, make)
    assert [each.review.id for each in seen["reviews"]] == latest[::-1]
    assert seen["rating_count"] == 3


@pytest.mark.parametrize(
    ("comment", "doubts"),
    [
        ("Write to hello@elsewhere.example instead.", ["contact"]),
        ("Kim Reyes was rude.", ["person"]),
        ("Contact 1 was rude.", ["person"]),
        ("Mr Okafor was rude.", ["person"]),
    ],
)
def test_what_may_name_or_reach_somebody_is_read_first_and_counts_for_nothing_until_then(
    ctx, make, provider, given, comment, doubts
):
    admin = an_admin(ctx)
    a_person(ctx, provider_id=provider.id)
    lead, review = given(comment=comment)
    assert (review.state, review.doubts) == (ReviewState.QUEUED, doubts)
    assert rating(ctx, provider) == (None, 0)
    assert read_by_another(ctx, make)["reviews"] == []
    assert mails(make, "review_given") == []
    assert [mail.recipient for mail in mails(make, "review_to_decide")] == [admin.email]
    assert waiting(ctx) == [review.id]
    show(ctx, review)
    assert rating(ctx, provider) == (None, 1)
    assert len(read_by_another(ctx, make)["reviews"]) == 1
    assert waiting(ctx) == []
    (told,) = mails(make, "review_decided")
    assert (told.recipient, told.values["is_shown"]) == (lead.contact_email, True)
    assert len(mails(make, "review_given")) == 1
    assert mails(make, "review_of_you_decided") == []


def test_a_review_that_may_name_another_provider_is_read_first(ctx, make, provider):
    """A provider learns of nobody else's name or existence, not from its reviews either."""
    make.provider(name="Wattle Assurance Pty Ltd")
    lead = make.matched_lead()
    mine = next(each for each in held(make, lead) if each.provider_id == provider.id)
    a_quote(ctx, mine)
    review = reviews.review_provider(
        ctx, business_of(lead), mine.id, rating=2, comment="Wattle quoted less, and sooner."
    )
    assert (review.state, review.doubts) == (ReviewState.QUEUED, ["other"])


def test_who_names_its_own_business_is_read_first(given):
    lead, review = given(comment="At Invented Works they were quick.")
    assert "Invented Works" in lead.company_name
    assert review.doubts == ["person"]


NUMBER = "51 824 753 556"
ENTITY = legal_entity("AU", NUMBER)


@pytest.mark.parametrize(
    ("of_provider", "of_business"),
    [
        ({"contact_email": "me@own.example"}, {}),
        ({"website": "https://www.own.example/us"}, {}),
        ({"legal_entity": ENTITY}, {"registration_number": NUMBER}),
    ],
    ids=["domain", "website", "number"],
)
@pytest.mark.parametrize("is_related", [False, True])
def test_a_business_that_may_be_the_provider_or_one_related_to_it_does_not_count(
    ctx, make, provider, given, of_provider, of_business, is_related
):
    known = provider
    if is_related:
        known = make.provider(name="Wattle Holding", standards=("ISO 50001",))
        make.relationship(known, provider)
    with ctx.transaction() as tx:
        row = tx.session.get_one(Provider, known.id)
        for name, value in of_provider.items():
            setattr(row, name, value)
    company = {"name": "Own Works", "country": "AU", **of_business}
    domain = "elsewhere" if of_business else "own"
    contact = {"name": "Al Own", "email": f"al@{domain}.example"}
    _, review = given(rating=5, comment="The best.", company=company, contact=contact)
    assert review.doubts == ["own"]
    assert rating(ctx, provider) == (None, 0)
    assert waiting(ctx) == [review.id]


def test_so_does_one_whose_people_sign_in_for_the_provider(ctx, provider, given):
    a_person(ctx, "kim@own.example", provider_id=provider.id)
    _, review = given(contact={"name": "Al Own", "email": "al@own.example"})
    assert review.doubts == ["own"]


def test_only_who_was_answered_reviews_and_once(ctx, make, provider, answered):
    _, invitation = answered()
    silent = make.provider()
    other = make.matched_lead()
    unanswered = next(each for each in held(make, other) if each.provider_id == silent.id)
    with pytest.raises(Conflict, match="that answered"):
        reviews.review_provider(ctx, business_of(other), unanswered.id, rating=5, comment=None)
    with pytest.raises(NotFound):
        reviews.review_provider(ctx, business_of(other), invitation.id, rating=5, comment=None)
    with pytest.raises(NotAllowed):
        reviews.review_provider(ctx, person_of(provider.id), invitation.id, rating=5, comment=None)


def test_of_a_request_that_was_not_theirs_nobody_reviews(ctx, make, provider):
    """It was no real one, as whoever got its mail has said."""
    lead = make.matched_lead()
    (invitation,) = held(make, lead)
    a_quote(ctx, invitation)
    outcome.close_request(ctx, business_of(lead), reason=CloseReason.NOT_OURS)
    with pytest.raises(Conflict, match="not yours"):
        reviews.review_provider(ctx, business_of(lead), invitation.id, rating=1, comment=None)


def test_of_many_at_once_one_review_is_taken(ctx, make, answered, at_once):
    lead, invitation = answered()
    answers = at_once(
        [
            lambda: reviews.review_provider(
                ctx, business_of(lead), invitation.id, rating=5, comment=None
            )
        ]
        * 6
    )
    assert sum(isinstance(each, Review) for each in answers) == 1
    assert make.ask(lambda session: session.query(Review).count()) == 1


def test_what_was_said_to_administrators_alone_stays_with_them(ctx, make, given):
    given(comment="Between us: slow.")
    with ctx.transaction() as tx:
        tx.session.execute(update(Review).values(comment_is_private=True))
    (said,) = read_by_another(ctx, make)["reviews"]
    assert (said.review.rating, said.comment) == (4, None)


def test_a_web_process_of_the_version_before_takes_comments_for_administrators_alone(ctx):
    """It may run beside this one, says nothing of that, and its page promised it."""
    with ctx.reading() as session:
        defaults = session.scalars(
            text(
                "SELECT column_default FROM information_schema.columns"
                " WHERE table_name = 'reviews' AND column_name IN ('comment_is_private', 'state')"
                " ORDER BY column_name"
            )
        ).all()
    assert [each.partition("::")[0] for each in defaults] == ["true", "'shown'"]


# Replies.


def test_a_reply_shows_below_the_review_and_may_be_put_otherwise(ctx, make, given):
    lead, review = given()
    reply_to(ctx, review)
    reply_to(ctx, review)
    reply_to(ctx, review, "Thank you, and come again.")
    (said,) = read_by_another(ctx, make)["reviews"]
    assert said.shown_reply.text == "Thank you, and come again."
    assert verbs(make, review) == ["review.given", "review.replied", "review.replied"]
    (mail,) = mails(make, "review_replied")
    assert mail.recipient == lead.contact_email


def test_a_reply_that_may_name_the_business_is_read_first(ctx, make, given):
    lead, review = given()
    reply_to(ctx, review, f"{lead.contact_name} of {lead.company_name} knows better.")
    assert reply_of(make, review).state is ReviewState.QUEUED
    (said,) = read_by_another(ctx, make)["reviews"]
    assert said.shown_reply is None
    assert mails(make, "review_replied") == []
    assert waiting(ctx) == [review.id]
    reply_to(ctx, review, "We see that otherwise.")
    assert reply_of(make, review).state is ReviewState.SHOWN
    assert waiting(ctx) == []
    assert len(mails(make, "review_replied")) == 1


def test_who_never_accepted_cannot_try_out_names_in_a_reply(ctx, make, provider):
    """Shown at once or read first would tell whether a name that was guessed is the one."""
    lead = make.matched_lead()
    (invitation,) = held(make, lead)
    questions.ask_question(ctx, person_of(provider.id), invitation.id, text="How many shifts?")
    review = reviews.review_provider(
        ctx, business_of(lead), invitation.id, rating=4, comment="Quick."
    )
    for guess in ("Thank you, Bolt Works.", f"Thank you, {lead.company_name}."):
        reply_to(ctx, review, guess)
        reply = reply_of(make, review)
        assert (reply.state, reply.doubts) == (ReviewState.QUEUED, ["person"])


def test_a_reason_that_names_the_business_is_covered_before_the_provider_reads_it(ctx, make, given):
    lead, review = given()
    hide(ctx, review, reason=f"{lead.company_name} asked for it.")
    assert again(make, review).decision_reason == "\u2588\u2588\u2588 asked for it."
    (mail,) = mails(make, "review_of_you_decided")
    assert lead.company_name not in str(mail.values)


def test_of_one_who_was_erased_nothing_is_kept_that_was_said_afterwards(ctx, make, given):
    lead, review = given()
    erasure.erase_request(ctx, business_of(lead))
    with pytest.raises(Conflict, match="erased"):
        report(ctx, review, f"It is {lead.company_name} again.")
    reply_to(ctx, review, f"{lead.company_name} never paid.")
    hide(ctx, review, Part.REPLY, reason=f"It names {lead.company_name}.")
    reply = reply_of(make, review)
    assert (reply.state, reply.text, reply.decision_reason) == (ReviewState.HIDDEN, None, None)


def test_however_often_a_doubtful_reply_is_put_otherwise_administrators_are_asked_once(
    ctx, make, given
):
    an_admin(ctx)
    lead, review = given()
    for n in range(4):
        reply_to(ctx, review, f"{lead.contact_name}, for the {n}th time.")
        reply_to(ctx, review, f"For the {n}th time.")
    assert len(mails(make, "review_to_decide")) == 1
    reviews.report_reply(ctx, business_of(lead), review.id, reason="That is not so.")
    assert len(mails(make, "review_to_decide")) == 2


def test_once_somebody_has_objected_or_decided_a_reply_stands_as_it_is(ctx, make, given):
    lead, review = given()
    reply_to(ctx, review)
    reviews.report_reply(ctx, business_of(lead), review.id, reason="That is not so.")
    with pytest.raises(Conflict, match="stands as it is"):
        reply_to(ctx, review, "Something else.")
    show(ctx, review, Part.REPLY)
    with pytest.raises(Conflict, match="stands as it is"):
        reply_to(ctx, review, "Something else.")
    assert reply_of(make, review).text == "Thank you."


def test_of_many_replies_at_once_there_is_one(ctx, make, given, at_once):
    _, review = given()
    answers = at_once([lambda n=n: reply_to(ctx, review, f"Reply {n}.") for n in range(5)])
    assert not any(isinstance(each, Exception) for each in answers)
    assert make.ask(lambda session: session.query(ReviewReply).count()) == 1


def test_nobody_elses_review_is_replied_to_or_reported(ctx, make, given):
    lead, review = given()
    stranger, other_business = make.provider(), make.lead()
    for act in (
        lambda: reviews.reply_to_review(ctx, person_of(stranger.id), review.id, text="x"),
        lambda: reviews.report_review(ctx, person_of(stranger.id), review.id, reason="x"),
        lambda: reviews.report_reply(ctx, business_of(other_business), review.id, reason="x"),
        # There is no reply to report yet.
        lambda: reviews.report_reply(ctx, business_of(lead), review.id, reason="x"),
    ):
        with pytest.raises(NotFound):
            act()
    for who in (business_of(lead), person_of(review.provider_id)):
        with pytest.raises(NotAllowed):
            reviews.hide(ctx, who, review.id, reason="x", part=Part.REVIEW)


def test_what_does_not_show_is_not_there_for_its_provider(ctx, given, provider):
    _, review = given(comment="Ask hello@elsewhere.example")
    with pytest.raises(NotFound):
        reply_to(ctx, review)
    with pytest.raises(NotFound):
        report(ctx, review)
    with ctx.reading() as session:
        assert session.scalars(opinions.reviews_of(provider.id)).all() == []


# Reports and decisions.


def test_what_was_reported_shows_until_an_administrator_decides_and_both_are_told(
    ctx, make, provider, given
):
    lead, review = given()
    report(ctx, review)
    assert again(make, review).state is ReviewState.SHOWN
    assert waiting(ctx) == [review.id]
    assert worklist(ctx, ADMIN).counts[Kind.REVIEWS] == 1
    with pytest.raises(Conflict, match="reported already"):
        report(ctx, review)
    hide(ctx, review)
    assert waiting(ctx) == []
    assert rating(ctx, provider) == (None, 0)
    assert read_by_another(ctx, make)["reviews"] == []
    for template, recipient in (
        ("review_decided", lead.contact_email),
        ("review_of_you_decided", provider.contact_email),
    ):
        (mail,) = mails(make, template)
        assert mail.recipient == recipient
        assert (mail.values["is_shown"], mail.values["reason"]) == (False, "It names a person.")
    assert verbs(make, review) == ["review.given", "review.reported", "review.hidden"]
    with pytest.raises(Conflict):
        hide(ctx, review)


def test_what_was_let_stand_is_reported_no_more(ctx, make, given):
    _, review = given()
    report(ctx, review)
    show(ctx, review)
    assert again(make, review).state is ReviewState.SHOWN
    assert waiting(ctx) == []
    with pytest.raises(Conflict):
        report(ctx, review)
    with pytest.raises(Conflict, match="shown already"):
        show(ctx, review)


def test_what_was_hidden_may_be_shown_again_and_what_never_showed_was_never_there(
    ctx, make, provider, given
):
    _, shown = given()
    hide(ctx, shown)
    show(ctx, shown)
    assert rating(ctx, provider) == (None, 1)
    assert len(mails(make, "review_of_you_decided")) == 2
    _, queued = given(comment="Ask hello@elsewhere.example")
    hide(ctx, queued)
    assert len(mails(make, "review_of_you_decided")) == 2
    assert rating(ctx, provider) == (None, 1)


def test_a_reply_is_hidden_by_itself_and_goes_with_its_review(ctx, make, given):
    lead, review = given()
    reply_to(ctx, review)
    reviews.report_reply(ctx, business_of(lead), review.id, reason="That is not so.")
    assert waiting(ctx) == [review.id]
    hide(ctx, review, Part.REPLY)
    (said,) = read_by_another(ctx, make)["reviews"]
    assert said.shown_reply is None
    assert verbs(make, review)[-2:] == ["review.reply_reported", "review.reply_hidden"]
    hide(ctx, review)
    assert read_by_another(ctx, make)["reviews"] == []
    with pytest.raises(NotFound):
        show(ctx, given()[1], Part.REPLY)


def test_two_decisions_at_once_are_one(ctx, make, given, at_once):
    _, review = given()
    answers = at_once([lambda: hide(ctx, review)] * 4)
    assert sum(isinstance(each, Review) for each in answers) == 1
    assert verbs(make, review).count("review.hidden") == 1
    assert len(mails(make, "review_decided")) == 1


# Forgotten.


def test_with_the_personal_data_go_all_texts_and_the_rating_stays(ctx, make, provider, given):
    lead, review = given(comment="We were glad.")
    reply_to(ctx, review, "We were, too.")
    report(ctx, review, "Jo was never here.")
    erasure.erase_request(ctx, business_of(lead))
    now, reply = again(make, review), reply_of(make, review)
    assert (now.rating, now.comment, now.report) == (4, None, None)
    assert (reply.text, reply.report) == (None, None)
    assert rating(ctx, provider) == (None, 1)
    (said,) = read_by_another(ctx, make)["reviews"]
    assert (said.comment, said.shown_reply) == (None, None)
    with pytest.raises(Conflict):
        reply_to(ctx, review, "One more word.")
    # Whoever had itself forgotten is not written to any more.
    before = len(mails(make, "review_decided"))
    hide(ctx, review)
    assert len(mails(make, "review_decided")) == before
    assert len(mails(make, "review_of_you_decided")) >= 1


def test_whoever_had_its_data_erased_meanwhile_says_no_more(ctx, make, provider, given, answered):
    """Another tab held the lock: its link was looked at before."""
    lead, invitation = answered()
    erasure.erase_request(ctx, business_of(lead))
    with pytest.raises(Conflict, match="erased"):
        reviews.review_provider(
            ctx, business_of(lead), invitation.id, rating=1, comment="Jo Tran says no."
        )
    assert make.ask(lambda session: session.query(Review).count()) == 0
    lead, review = given()
    reply_to(ctx, review)
    erasure.erase_request(ctx, business_of(lead))
    with pytest.raises(Conflict, match="erased"):
        reviews.report_reply(ctx, business_of(lead), review.id, reason="I am Jo Tran.")
    assert reply_of(make, review).report is None


def test_a_first_reply_to_one_who_is_forgotten_is_read_first(ctx, make, given):
    """It may name the business, and nothing is kept by which that could be told."""
    lead, review = given()
    erasure.erase_request(ctx, business_of(lead))
    reply_to(ctx, review, f"{lead.company_name} never paid.")
    reply = reply_of(make, review)
    assert (reply.state, reply.doubts) == (ReviewState.QUEUED, ["person"])
    assert waiting(ctx) == [review.id]


def test_the_reason_of_a_decision_is_forgotten_too_for_it_may_say_whom_it_spares(ctx, make, given):
    lead, review = given()
    reply_to(ctx, review)
    for part in (Part.REPLY, Part.REVIEW):
        hide(ctx, review, part, reason=f"It names {lead.contact_name}.")
    erasure.erase_request(ctx, business_of(lead))
    assert again(make, review).decision_reason is None
    assert reply_of(make, review).decision_reason is None


# A hundred thousand.


def test_the_queue_and_the_latest_of_a_provider_are_found_by_indexes_of_their_own(
    ctx, given, provider
):
    given()
    with ctx.reading() as session:
        session.execute(text("SET LOCAL enable_seqscan = off"))
        for rows, index in (
            (opinions.reviews(None, to_decide=True), "ix_reviews_undecided"),
            (opinions.reviews(None, to_decide=True), "ix_review_replies_undecided"),
            (opinions.latest_ids([provider.id], at_most=3), "ix_reviews_shown"),
        ):
            compiled = rows.compile(compile_kwargs={"literal_binds": True})
            plan = session.scalars(text(f"EXPLAIN {compiled}")).all()
            assert any(index in line for line in plan), plan
