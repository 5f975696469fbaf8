"""Who may not take part (any more) cannot answer, and loses what it holds, answered or not."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from marketplace.catalogue.models import AccreditationBody
from marketplace.catalogue.rules import Recognition
from marketplace.core.errors import Conflict
from marketplace.core.jobs import Job
from marketplace.invitations import endings, questions, standing
from marketplace.invitations import service as invitations
from marketplace.invitations.rules import InvitationState
from marketplace.leads.models import Lead
from marketplace.matching import service as matching
from marketplace.matching import settling, waiting
from marketplace.matching.models import Credit
from marketplace.notifications.models import Notification
from marketplace.providers import accreditations
from marketplace.providers import service as providers
from marketplace.providers.models import Accreditation
from marketplace.quotes import comparison, outcome
from marketplace.quotes import service as quotes
from marketplace.web.api.quotes import QuoteIn
from marketplace.web.requests import load
from tests.factories import ADMIN, business_of, person_of
from tests.services.road import a_quote, again, held


def a_body(make, **changes):
    return make.provider("certification_body", standards=("ISO 9001",), **changes)


def accreditation_of(make, body):
    query = select(Accreditation).where(Accreditation.provider_id == body.id)
    return make.ask(lambda session: session.scalars(query).one())


def suspend(ctx, make, body, consultant, lead):
    accreditations.suspend_accreditation(ctx, ADMIN, accreditation_of(make, body).id)


def lapse(ctx, make, body, consultant, lead):
    with ctx.transaction() as tx:
        held = tx.session.get_one(Accreditation, accreditation_of(make, body).id)
        held.valid_until = tx.now.date() - timedelta(days=1)


def drop_recognition(ctx, make, body, consultant, lead):
    held = accreditation_of(make, body)
    with ctx.transaction() as tx:
        tx.session.get_one(AccreditationBody, held.body).recognition = Recognition.UNVERIFIED


def relate(ctx, make, body, consultant, lead):
    make.relationship(body, consultant)


def find_adviser(ctx, make, body, consultant, lead):
    other = make.provider(regions=("NZ",))
    make.relationship(other, body)
    with ctx.transaction() as tx:
        entry = {"name": "X", "ended_on": None, "provider_id": str(other.id)}
        tx.session.execute(update(Lead).where(Lead.id == lead.id).values(consultants_used=[entry]))


CHANGES = [suspend, lapse, drop_recognition, relate, find_adviser]


@pytest.fixture
def recognised_again(ctx):
    yield
    with ctx.transaction() as tx:
        tx.session.execute(
            update(AccreditationBody)
            .where(AccreditationBody.code == "JASANZ")
            .values(recognition=Recognition.RECOGNISED)
        )


@pytest.fixture
def either(ctx, make):
    """A lead for either, with a consultant that was there first and a body."""
    consultant = make.provider(standards=("ISO 9001",))
    lead = make.matched_lead(service="either", standards=["ISO 9001"])
    body = a_body(make)
    matching.match_lead(ctx, lead.id)
    one, other = held(make, lead)
    assert (one.provider_id, other.provider_id) == (consultant.id, body.id)
    return lead, one, other, consultant, body


@pytest.mark.usefixtures("recognised_again")
@pytest.mark.parametrize("change", CHANGES)
def test_whoever_may_not_stay_cannot_answer_though_nobody_has_looked(ctx, make, either, change):
    lead, _, invitation, consultant, body = either
    change(ctx, make, body, consultant, lead)
    who = person_of(body.id)
    for answer in (
        lambda: invitations.accept_invitation(ctx, who, invitation.id),
        lambda: questions.ask_question(ctx, who, invitation.id, text="How many shifts?"),
    ):
        with pytest.raises(
            Conflict, match=r"^(your organisation holds no|impartiality)"
        ) as refused:
            answer()
        assert consultant.name not in str(refused.value)
        assert "consultant" not in str(refused.value)
    assert held(make, lead)[1].state is InvitationState.SENT


@pytest.mark.usefixtures("recognised_again")
@pytest.mark.parametrize("change", CHANGES)
def test_whoever_may_not_stay_is_found_by_the_sweep_though_nobody_rang(
    ctx, make, queue, either, change
):
    lead, _, _, consultant, body = either
    assert waiting.recheck_standing(ctx) == 0
    change(ctx, make, body, consultant, lead)
    queue.jobs.clear()
    assert waiting.recheck_standing(ctx) == 1
    assert queue.jobs == [(Job.MATCH_LEADS, lead.id)]
    matching.match_lead(ctx, lead.id)
    assert [each.state for each in held(make, lead)] == ["sent", "withdrawn"]
    assert waiting.recheck_standing(ctx) == 0


def test_of_two_who_become_related_the_one_that_has_accepted_stays(ctx, make, either):
    lead, first, second, consultant, body = either
    invitations.accept_invitation(ctx, person_of(body.id), second.id)
    make.relationship(body, consultant)
    with pytest.raises(Conflict, match="impartiality"):
        invitations.accept_invitation(ctx, person_of(consultant.id), first.id)
    assert waiting.recheck_standing(ctx) == 1
    matching.match_lead(ctx, lead.id)
    assert [each.state for each in held(make, lead)] == ["withdrawn", "accepted"]


def test_of_two_who_have_accepted_only_the_first_goes_on_once_they_are_related(ctx, make, either):
    _, first, second, consultant, body = either
    for each in (first, second):
        invitations.accept_invitation(ctx, person_of(each.provider_id), each.id)
    make.relationship(consultant, body)
    a_quote(ctx, first)
    with pytest.raises(Conflict, match="impartiality"):
        questions.ask_question(ctx, person_of(body.id), second.id, text="How many shifts?")


ANSWERS = {
    "accepted": lambda ctx, each: invitations.accept_invitation(
        ctx, person_of(each.provider_id), each.id
    ),
    "quoted": lambda ctx, each: a_certification_quote(ctx, each),
}


def a_certification_quote(ctx, invitation):
    body = {
        "kind": "certification",
        "currency": "AUD",
        "standards": [{"code": "ISO 9001", "edition": "2015"}],
        "fees": {"stage_1": "1000.00", "stage_2": "2000.00"},
        "audit_days": {"stage_1": 1, "stage_2": 2},
        "travel_basis": "included",
        "valid_until": str(ctx.clock().date() + timedelta(days=60)),
    }
    form = load(QuoteIn(), body)
    return quotes.put_quote(ctx, person_of(invitation.provider_id), invitation.id, form)


def told(make, template):
    query = select(Notification).where(Notification.template == template)
    return make.ask(lambda session: session.scalars(query).all())


@pytest.mark.usefixtures("recognised_again")
@pytest.mark.parametrize("answered", ANSWERS)
@pytest.mark.parametrize("change", CHANGES)
def test_what_was_answered_is_taken_back_as_well_and_both_sides_are_told(
    ctx, make, queue, either, change, answered
):
    lead, _, second, consultant, body = either
    ANSWERS[answered](ctx, second)
    if change is relate:
        invitations.accept_invitation(ctx, person_of(consultant.id), held(make, lead)[0].id)
    change(ctx, make, body, consultant, lead)
    assert waiting.recheck_standing(ctx) == 1
    for _ in range(2):
        matching.match_lead(ctx, lead.id)
    gone = held(make, lead)[1]
    assert gone.state is InvitationState.WITHDRAWN
    assert gone.withdrawn_because is not None
    assert not gone.sees_contact(lead, now=ctx.clock(), policy=ctx.policy)
    (to_holder,) = told(make, "invitation_withdrawn")
    assert to_holder.values["had_contact"] is True
    assert "your organisation" in to_holder.values["reason"]
    (to_business,) = told(make, "provider_withdrawn")
    assert to_business.values["provider"] == body.name
    assert to_business.values["had_quoted"] is (answered == "quoted")
    assert consultant.name not in gone.withdrawn_because
    assert waiting.recheck_standing(ctx) == 0


def test_the_place_of_one_that_saw_the_contact_is_filled_when_the_business_asks(ctx, make, either):
    lead, _, second, consultant, body = either
    ANSWERS["quoted"](ctx, second)
    other = a_body(make)
    lapse(ctx, make, body, consultant, lead)
    for _ in range(2):
        matching.match_lead(ctx, lead.id)
    before = {each.provider_id for each in held(make, lead)}
    shown = comparison.request_page(ctx, business_of(lead))["invitations"][1]
    assert shown["may_be_replaced"]
    endings.replace_invitation(ctx, business_of(lead), second.id)
    matching.match_lead(ctx, lead.id)
    assert {each.provider_id for each in held(make, lead)} == before | {other.id}
    assert told(make, "place_passed_on") == []


def test_a_place_that_was_not_answered_is_filled_at_once(ctx, make, queue, either):
    lead, _, _, consultant, body = either
    lapse(ctx, make, body, consultant, lead)
    other = a_body(make)
    queue.jobs.clear()
    matching.match_lead(ctx, lead.id)
    assert (Job.MATCH_LEADS, lead.id) in queue.jobs
    assert told(make, "provider_withdrawn")[0].values["had_contact"] is False
    matching.match_lead(ctx, lead.id)
    assert other.id in {each.provider_id for each in held(make, lead)}


@pytest.mark.parametrize("has_been_swept", [False, True])
def test_the_quote_of_one_that_may_not_stay_cannot_be_chosen(ctx, make, either, has_been_swept):
    lead, _, second, consultant, body = either
    ANSWERS["quoted"](ctx, second)
    lapse(ctx, make, body, consultant, lead)
    if has_been_swept:
        matching.match_lead(ctx, lead.id)
    with pytest.raises(Conflict, match=r"holds no verified and current accreditation") as refused:
        outcome.choose_provider(ctx, business_of(lead), second.id)
    assert body.name in str(refused.value)
    assert again(make, lead).state == "open"


def test_the_business_sees_a_withdrawn_quote_as_withdrawn_and_why(ctx, make, either):
    lead, _, second, consultant, body = either
    ANSWERS["quoted"](ctx, second)
    lapse(ctx, make, body, consultant, lead)
    matching.match_lead(ctx, lead.id)
    shown = comparison.request_page(ctx, business_of(lead))
    column = shown["comparison"]["kinds"]["certification"]["columns"][0]
    for seen in (shown["invitations"][1], column):
        assert seen["withdrawn_because"].startswith(
            "it holds no verified and current accreditation"
        )
    assert shown["invitations"][1]["quote"] is not None


def test_a_suspended_provider_loses_what_it_holds_and_keeps_what_it_answered(ctx, make, either):
    lead, _, second, _, body = either
    ANSWERS["quoted"](ctx, second)
    settling.settle_ended_invitations(ctx)
    providers.suspend_provider(ctx, ADMIN, body.id, reason="a complaint")
    assert waiting.recheck_provider(ctx, body.id) == 1
    matching.match_lead(ctx, lead.id)
    settling.settle_ended_invitations(ctx)
    assert again(make, second).state is InvitationState.WITHDRAWN
    record = make.ask(lambda session: session.get(Credit, body.id))
    assert (record.answered, record.missed) == (1, 0)


def test_of_two_who_have_accepted_the_later_goes_once_they_are_related(ctx, make, either):
    lead, first, second, consultant, body = either
    for each in (second, first):
        invitations.accept_invitation(ctx, person_of(each.provider_id), each.id)
    make.relationship(consultant, body)
    assert waiting.recheck_standing(ctx) == 1
    matching.match_lead(ctx, lead.id)
    assert [each.state for each in held(make, lead)] == ["accepted", "withdrawn"]


def test_an_ended_relationship_hinders_nobody(ctx, make, clock, either):
    lead, _, second, consultant, body = either
    ended = clock.now.date() - timedelta(days=1)
    make.relationship(body, consultant, valid_until=ended)
    assert waiting.recheck_standing(ctx) == 0
    invitations.accept_invitation(ctx, person_of(body.id), second.id)
    ids = [each.id for each in held(make, lead)]
    with ctx.reading() as session:
        for each in ids:
            assert standing.obstacle_of(session, each, policy=ctx.policy, now=clock.now) is None
