"""Who may not take part (any more) cannot answer, and loses what it has not answered."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from marketplace.catalogue.models import AccreditationBody
from marketplace.catalogue.rules import Recognition
from marketplace.core.errors import Conflict
from marketplace.core.jobs import Job
from marketplace.invitations import questions, standing
from marketplace.invitations import service as invitations
from marketplace.invitations.rules import InvitationState
from marketplace.leads.models import Lead
from marketplace.matching import service as matching
from marketplace.matching import waiting
from marketplace.providers import accreditations
from marketplace.providers.models import Accreditation
from tests.factories import ADMIN, person_of
from tests.services.road import a_quote, held


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


def test_an_ended_relationship_hinders_nobody(ctx, make, clock, either):
    lead, _, second, consultant, body = either
    ended = clock.now.date() - timedelta(days=1)
    make.relationship(body, consultant, valid_until=ended)
    assert waiting.recheck_standing(ctx) == 0
    invitations.accept_invitation(ctx, person_of(body.id), second.id)
    with ctx.reading() as session:
        for each in held(make, lead):
            assert standing.obstacle_of(session, each.id, policy=ctx.policy, now=clock.now) is None
