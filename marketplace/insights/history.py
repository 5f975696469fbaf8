"""All that happened to a lead or a provider, in one line of time, the newest first.

Events and messages carry ids that are ordered by time, so the two are merged by them.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from marketplace.accounts.models import ApiKey, User
from marketplace.core.actors import Actor
from marketplace.core.context import Context
from marketplace.core.events import Event
from marketplace.invitations.models import Invitation, Question
from marketplace.leads.models import Lead
from marketplace.notifications import wording
from marketplace.notifications.models import Notification
from marketplace.notifications.rules import Way
from marketplace.providers.models import Accreditation, Provider

SHOWN = 40
"""On one page."""

INVITATIONS_AT_MOST = 500
"""Of a provider: what became of older ones stands with their requests."""


@dataclass(frozen=True)
class Happened:
    """One thing that happened, or one message that was written."""

    id: UUID
    at: datetime
    verb: str
    """Of an event as it was recorded; of a message `message`."""
    facts: Mapping[str, Any]
    actor_kind: str
    actor: str | None
    """What whoever did it is called, where that is known."""
    address: str | None
    """From where."""
    about: Mapping[str, str] = field(default_factory=dict)
    """What it was about, in words: a `provider`, a `reference`, a `standard`."""
    lead_id: UUID | None = None
    provider_id: UUID | None = None


@dataclass(frozen=True)
class History:
    """One page of it."""

    entries: Sequence[Happened]
    following: UUID | None
    """Where the next page begins, if there is one."""


@dataclass(frozen=True)
class _About:
    """What a subject is called, and where it is to be seen."""

    words: Mapping[str, str] = field(default_factory=dict)
    lead_id: UUID | None = None
    provider_id: UUID | None = None


_Subjects = Mapping[UUID, _About]


def lead_history(ctx: Context, actor: Actor, lead_id: UUID, *, after: UUID | None) -> History:
    """Return what happened to a lead, its invitations, questions, quotes and clock."""
    actor.require_admin()
    with ctx.reading() as session:
        subjects = {lead_id: _About()}
        for invitation_id, provider_id, name in session.execute(
            select(Invitation.id, Provider.id, Provider.name)
            .join(Provider, Provider.id == Invitation.provider_id)
            .where(Invitation.lead_id == lead_id)
        ):
            subjects[invitation_id] = _About({"provider": name}, provider_id=provider_id)
        asked = session.execute(
            select(Question.id, Question.invitation_id).where(Question.lead_id == lead_id)
        )
        subjects |= {question: subjects[invitation] for question, invitation in asked}
        return _history(session, subjects, Notification.subject_id.in_(subjects), after)


def provider_history(
    ctx: Context, actor: Actor, provider_id: UUID, *, after: UUID | None
) -> History:
    """Return what happened to a provider, its people, accreditations and latest invitations."""
    actor.require_admin()
    with ctx.reading() as session:
        subjects = {provider_id: _About()}
        for held in session.scalars(
            select(Accreditation).where(Accreditation.provider_id == provider_id)
        ):
            words = {"standard": held.standard, "number": held.certificate_number}
            subjects[held.id] = _About(words)
        for user_id, name in session.execute(
            select(User.id, User.name).where(User.provider_id == provider_id)
        ):
            subjects[user_id] = _About({"person": name})
        for key_id, name in session.execute(
            select(ApiKey.id, ApiKey.name).where(ApiKey.provider_id == provider_id)
        ):
            subjects[key_id] = _About({"key": name})
        for invitation_id, lead_id, reference in session.execute(
            select(Invitation.id, Lead.id, Lead.reference)
            .join(Lead, Lead.id == Invitation.lead_id)
            .where(Invitation.provider_id == provider_id)
            .order_by(Invitation.id.desc())
            .limit(INVITATIONS_AT_MOST)
        ):
            subjects[invitation_id] = _About({"reference": reference}, lead_id=lead_id)
        theirs = or_(
            Notification.provider_id == provider_id, Notification.subject_id == provider_id
        )
        return _history(session, subjects, theirs, after)


def _history(
    session: Session, subjects: _Subjects, messages: ColumnElement[bool], after: UUID | None
) -> History:
    events = select(Event).where(Event.subject_id.in_(subjects))
    written = select(Notification).where(messages, Notification.channel == Way.EMAIL)
    if after is not None:
        events, written = events.where(Event.id < after), written.where(Notification.id < after)
    happened = session.scalars(events.order_by(Event.id.desc()).limit(SHOWN + 1)).all()
    sent = session.scalars(written.order_by(Notification.id.desc()).limit(SHOWN + 1)).all()
    names = _names(session, {each.actor_id for each in happened if each.actor_id})
    entries = sorted(
        [
            *(_event(each, subjects[each.subject_id], names) for each in happened),
            *(_message(each, subjects.get(each.subject_id, _About())) for each in sent),
        ],
        key=lambda each: each.id,
        reverse=True,
    )
    following = entries[SHOWN - 1].id if len(entries) > SHOWN else None
    return History(entries[:SHOWN], following)


def _names(session: Session, ids: Collection[UUID]) -> dict[UUID, str]:
    found = session.execute(
        select(User.id, User.name)
        .where(User.id.in_(ids))
        .union_all(select(ApiKey.id, ApiKey.name).where(ApiKey.id.in_(ids)))
    )
    return dict(found.all())


def _event(event: Event, about: _About, names: Mapping[UUID, str]) -> Happened:
    return Happened(
        id=event.id,
        at=event.at,
        verb=event.verb,
        facts=event.facts,
        actor_kind=event.actor_kind,
        actor=names.get(event.actor_id) if event.actor_id else None,
        address=event.address,
        about=about.words,
        lead_id=about.lead_id,
        provider_id=about.provider_id,
    )


def subject_of(message: Notification) -> str | None:
    """Return what stands above a message, if that is still known: in English, as it was sent."""
    try:
        return wording.subject(
            message.template, message.values, time_zone=message.time_zone, now=message.created_at
        )
    except wording.CannotBeWritten:
        return None


def _message(message: Notification, about: _About) -> Happened:
    return Happened(
        id=message.id,
        at=message.created_at,
        verb="message",
        facts={
            "subject": subject_of(message),
            "to": message.recipient if message.has_reader else None,
            "state": message.state,
            "error": message.last_error,
        },
        actor_kind="system",
        actor=None,
        address=None,
        about=about.words,
        lead_id=about.lead_id,
        provider_id=about.provider_id,
    )
