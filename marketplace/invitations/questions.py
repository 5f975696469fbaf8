"""Clarification questions: one provider asks, the business answers once, all hear it together."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from marketplace.core.actors import Actor
from marketplace.core.context import Context, Transaction
from marketplace.core.db import new_id
from marketplace.core.errors import Conflict, NotFound
from marketplace.core.events import record
from marketplace.invitations import extension, looks, queries
from marketplace.invitations import service as invitations
from marketplace.invitations.letters import tell_holder
from marketplace.invitations.models import Invitation, Question
from marketplace.invitations.rules import InvitationEvent, InvitationState
from marketplace.leads import queries as leads
from marketplace.leads import service as leading
from marketplace.leads.masking import Identity, mask_identities, mask_text
from marketplace.leads.models import Lead
from marketplace.notifications.service import notify
from marketplace.providers.models import Provider


def ask_question(ctx: Context, actor: Actor, invitation_id: UUID, *, text: str) -> Question:
    """Put a question to the business. It answers the commitment, but not the invitation."""
    with ctx.transaction() as tx:
        lead, invitation = invitations.lock_for_answer(tx, actor, invitation_id)
        invitations.require_may_answer(tx, lead, invitation)
        invitation.require_answerable(tx.now)
        _require_patience(tx, invitation)
        if invitation.state is InvitationState.SENT:  # whoever asks has read it, by whatever means
            looks.note_look(tx, invitation)
            invitation.apply(InvitationEvent.OPEN, now=tx.now)
            record(tx, actor, "invitation.opened", invitation.id)
        question = Question(
            id=new_id(),
            lead_id=lead.id,
            invitation_id=invitation.id,
            text=text,
            asked_at=tx.now,
            look_at=extension.first_look(tx, lead.id),
        )
        tx.session.add(question)
        invitations.note_response(tx, lead, invitation)
        record(tx, actor, "question.asked", question.id, lead=str(lead.id))
        notify(
            tx,
            "question_asked",
            leading.contact_of(lead),
            lead.id,
            occasion=str(question.id),
            link=leading.request_link(tx, lead),
            reference=lead.reference,
            question=text,
        )
        return question


def _require_patience(tx: Transaction, invitation: Invitation) -> None:
    """Raise `Conflict` where many questions wait for the business, which is mailed each. Locked."""
    waiting = tx.session.scalars(
        select(func.count()).where(
            Question.invitation_id == invitation.id, Question.answered_at.is_(None)
        )
    ).one()
    if waiting >= tx.policy.questions_waiting_at_most and tx.policy.rate_limits:
        raise Conflict(
            f"{waiting} of your questions wait for an answer: please wait for one before the next"
        )


def answer_question(ctx: Context, actor: Actor, question_id: UUID, *, text: str) -> Question:
    """Take the business' answer, and let every provider with a live invitation know it at once."""
    with ctx.transaction() as tx:
        lead = leads.lock_lead(tx.session, actor.own_lead())
        question = tx.session.get(Question, question_id, with_for_update=True)
        if question is None or question.lead_id != lead.id:
            raise NotFound("no such question")
        lead.require_running(tx.now)
        if question.answered_at is not None:
            raise Conflict("this question was answered already")
        question.answer, question.answered_at, question.look_at = text, tx.now, None
        record(tx, actor, "question.answered", question.id, lead=str(lead.id))
        invited = _providers(tx.session, lead)
        live = queries.lock_live_invitations(tx.session, lead.id)
        extension.catch_up(tx, [(lead, each) for each in live])
        for invitation in live:
            # A letter stays where it is, whoever is chosen: what would name the business stands on
            # the page, for as long as its holder may see it.
            shown = _as_shown_to(invitation, lead, question, invited, sees_contact=False)
            tell_holder(
                tx,
                "question_answered",
                invitation,
                occasion=str(question.id),
                reference=lead.reference,
                question=shown["question"],
                answer=shown["answer"],
                respond_by=None if invitation.quoted_at else invitation.respond_by,
                is_extended=bool(invitation.extended_by),
            )
        return question


def thread_for(
    session: Session, lead: Lead, invitation: Invitation, *, sees_contact: bool
) -> list[dict[str, object]]:
    """Return the thread as one provider may see it: one for all who take part, answered or not.

    Who asked is never said, by itself or in the words; nothing in it identifies the business unless
    its holder sees the contact. One that has left reads what was answered before it did, and of
    others no more.
    """
    invited = _providers(session, lead)
    return [
        {
            "id": question.id,
            "is_own": question.invitation_id == invitation.id,
            "asked_at": question.asked_at,
            "answered_at": question.answered_at,
            **_as_shown_to(invitation, lead, question, invited, sees_contact=sees_contact),
        }
        for question in queries.questions_for_lead(session, lead.id)
        if invitation.is_live
        or question.invitation_id == invitation.id
        or _was_answered_by(question, invitation.ended_at)
    ]


def _was_answered_by(question: Question, moment: datetime | None) -> bool:
    answered_at = question.answered_at
    return answered_at is not None and moment is not None and answered_at <= moment


def _providers(session: Session, lead: Lead) -> dict[UUID, Identity]:
    """Return how everybody who was ever invited to the lead could be known."""
    rows = session.scalars(
        select(Provider)
        .join(Invitation, Invitation.provider_id == Provider.id)
        .where(Invitation.lead_id == lead.id)
    )
    return {
        provider.id: Identity(
            company_name=provider.name,
            contact_name=provider.contact_name,
            contact_email=provider.contact_email,
            contact_phone=provider.contact_phone,
            website=provider.website,
            registration_number=provider.registration_number,
        )
        for provider in rows
    }


def _as_shown_to(
    invitation: Invitation,
    lead: Lead,
    question: Question,
    invited: Mapping[UUID, Identity],
    *,
    sees_contact: bool,
) -> dict[str, str | None]:
    others = [known for each, known in invited.items() if each != invitation.provider_id]

    def shown(text: str) -> str:
        if sees_contact:
            return mask_identities(text, others)
        return mask_text(text, lead.identity, *others)

    # Its own words as they are: covering a name that was guessed would say that the guess is right.
    is_own = question.invitation_id == invitation.id
    return {
        "question": question.text if is_own else shown(question.text),
        "answer": None if question.answer is None else shown(question.answer),
    }
