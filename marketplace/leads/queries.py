"""How leads are found, and for whom."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Double,
    Select,
    Uuid,
    any_,
    bindparam,
    case,
    cast,
    extract,
    func,
    null,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.orm import Session

from marketplace.core.actors import Actor
from marketplace.core.db import one_of
from marketplace.core.errors import NotFound
from marketplace.core.links import Link, Purpose, link_for
from marketplace.leads.models import Lead
from marketplace.leads.rules import UNFINISHED, LeadState


def lead_of(session: Session, actor: Actor, lead_id: UUID) -> Lead:
    """Return the lead if it is this actor's: its own request, or any for an administrator."""
    if not actor.is_admin and actor.lead_id != lead_id:
        raise NotFound("no such request")
    lead = session.get(Lead, lead_id)
    if lead is None:
        raise NotFound("no such request")
    return lead


def lock_lead(session: Session, lead_id: UUID) -> Lead:
    """Hold the lead until the transaction ends, read afresh. The first of all locks."""
    lead = session.get(Lead, lead_id, with_for_update=True, populate_existing=True)
    if lead is None:
        raise NotFound("no such request")
    return lead


def lock_leads(session: Session, lead_ids: Collection[UUID]) -> dict[UUID, Lead]:
    """Hold these leads until the transaction ends, in the order of their ids, and read afresh."""
    rows = session.scalars(
        select(Lead)
        .where(Lead.id == any_(bindparam("ids", list(lead_ids), type_=ARRAY(Uuid()))))
        .order_by(Lead.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return {lead.id: lead for lead in rows}


def lock_business(session: Session, business_key: str) -> None:
    """Let one transaction at a time decide whether this business has a request running.

    The unique index behind it would refuse the second as well, but with nothing to say to anybody.
    """
    session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"), {"key": business_key}
    )


def set_aside_for(session: Session, lead: Lead) -> Sequence[Lead]:
    """Return the forms that the contact of a request sent while that, or another of theirs, ran."""
    return session.scalars(
        select(Lead)
        .where(
            Lead.business_key == lead.business_key,
            func.lower(Lead.contact_email) == lead.contact_email.lower(),
            one_of(Lead.state, LeadState.SUPERSEDED),
            Lead.erased_at.is_(None),
        )
        .order_by(Lead.id)
    ).all()


def unfinished_of_business(session: Session, business_key: str) -> Lead | None:
    """Return the one request of this business that is not finished, if there is one."""
    return session.scalar(
        select(Lead).where(Lead.business_key == business_key, one_of(Lead.state, *UNFINISHED))
    )


def is_taken(session: Session, reference: str) -> bool:
    """Return whether a lead has this reference."""
    return session.scalar(select(Lead.id).where(Lead.reference == reference)) is not None


def lead_of_request_token(
    session: Session, token: str, *, now: datetime, lives_on: timedelta | None
) -> UUID | None:
    """Return the lead that a request token opens, until `lives_on` after it was finished.

    None: for as long as anybody is named in it.
    """
    link = _request_link(session, token, now=now)
    if link is None:
        return None
    opens = select(Lead.id).where(Lead.id == link.subject_id, Lead.erased_at.is_(None))
    if lives_on is not None:
        opens = opens.where(or_(Lead.finished_at.is_(None), Lead.finished_at + lives_on > now))
    return session.scalar(opens)


def running_request(session: Session, token: str | None, *, now: datetime) -> str | None:
    """Return the reference of the request that a request token opens, while that is unfinished."""
    link = _request_link(session, token, now=now) if token else None
    if link is None:
        return None
    return session.scalar(
        select(Lead.reference).where(Lead.id == link.subject_id, one_of(Lead.state, *UNFINISHED))
    )


def _request_link(session: Session, token: str, *, now: datetime) -> Link | None:
    """Return the link to a request, or to what came of it: it opens the one as well."""
    purpose = Purpose.OUTCOME if token.startswith(f"{Purpose.OUTCOME}_") else Purpose.REQUEST
    return link_for(session, purpose, token, now=now)


def leads_of_contact(
    session: Session, email: str, *, now: datetime, lives_on: timedelta
) -> Sequence[Lead]:
    """Return the requests of this address that run, or else the latest whose page still opens.

    Where there is none either: the latest few in which it is named, which open that much alone.
    """
    theirs = _of_contact(email)
    running = session.scalars(theirs.where(one_of(Lead.state, *UNFINISHED))).all()
    if running:
        return running
    seen = (LeadState.AWARDED, LeadState.CLOSED, LeadState.EXPIRED, LeadState.REJECTED)
    ended = theirs.where(one_of(Lead.state, *seen), Lead.finished_at + lives_on > now)
    named = theirs.where(Lead.finished_at.is_not(None))
    return session.scalars(ended.limit(1)).all() or session.scalars(named.limit(LATE_LINKS)).all()


LATE_LINKS = 3
"""To how many requests that ended long ago a link is mailed at once."""


def latest_to_confirm(session: Session, email: str, *, now: datetime) -> Lead | None:
    """Return the latest form of this address that can still be confirmed, if there is one."""
    waiting = Lead.state == LeadState.AWAITING_CONFIRMATION, Lead.confirm_by > now
    return session.scalars(_of_contact(email).where(*waiting).limit(1)).first()


def _of_contact(email: str) -> Select[Lead]:
    return (
        select(Lead)
        .where(func.lower(Lead.contact_email) == email.strip().lower(), Lead.erased_at.is_(None))
        .order_by(Lead.id.desc())
    )


def lead_to_confirm(session: Session, token: str, *, now: datetime) -> Lead | None:
    """Return the lead that a confirmation link would confirm, using nothing up."""
    link = link_for(session, Purpose.CONFIRM_LEAD, token, now=now)
    if link is None or link.used_at is not None:
        return None
    lead = session.get(Lead, link.subject_id)
    if lead is None or lead.state is not LeadState.AWAITING_CONFIRMATION:
        return None
    return lead


def not_ours_link(session: Session, token: str, *, now: datetime) -> Link | None:
    """Return the link by which somebody says that a running request is not theirs."""
    return link_for(session, Purpose.NOT_OURS, token, now=now)


def leads_to_lapse(session: Session, *, now: datetime, limit: int) -> list[UUID]:
    """Return forms that were not confirmed in time, the oldest first."""
    return list(
        session.scalars(
            select(Lead.id)
            .where(one_of(Lead.state, LeadState.AWAITING_CONFIRMATION), Lead.confirm_by <= now)
            .order_by(Lead.confirm_by)
            .limit(limit)
        )
    )


def leads_to_expire(session: Session, *, now: datetime, limit: int) -> list[UUID]:
    """Return open requests whose time has run out, the oldest first."""
    return list(
        session.scalars(
            select(Lead.id)
            .where(one_of(Lead.state, LeadState.OPEN), Lead.expires_at <= now)
            .order_by(Lead.expires_at)
            .limit(limit)
        )
    )


def leads_to_ask(session: Session, *, now: datetime, limit: int) -> list[UUID]:
    """Return requests of which it is to be asked what came of them, the longest due first."""
    return list(
        session.scalars(
            select(Lead.id)
            .where(Lead.outcome_due_at.is_not(None), Lead.outcome_due_at <= now)
            .order_by(Lead.outcome_due_at)
            .limit(limit)
        )
    )


def leads_to_retry(
    session: Session,
    *,
    now: datetime,
    at_least: timedelta,
    share: float,
    at_most: timedelta,
    limit: int = 500,
) -> list[UUID]:
    """Return open leads with an empty place that are to be tried again, the longest waiting first.

    Those that were opened and never matched (their job was lost) wait as well.
    """
    due = next_try_at(at_least=at_least, share=share, at_most=at_most) <= now
    return list(
        session.scalars(
            select(Lead.id)
            .where(one_of(Lead.state, LeadState.OPEN), Lead.waiting_since.is_not(None), due)
            .order_by(Lead.waiting_since)
            .limit(limit)
        )
    )


def next_try_at(
    *, at_least: timedelta, share: float, at_most: timedelta
) -> ColumnElement[datetime | None]:
    """Return when a sweep tries a waiting lead again; null for one that waits for nothing.

    At once where it was never tried; then after a share of the time that it had waited by the last
    try, within bounds.
    """
    waited = cast(extract("epoch", Lead.rung_at - Lead.waiting_since), Double)
    pause = func.greatest(
        at_least.total_seconds(), func.least(waited * share, at_most.total_seconds())
    )
    return case(
        (Lead.waiting_since.is_(None), null()),
        (Lead.rung_at.is_(None), Lead.waiting_since),
        else_=Lead.rung_at + func.make_interval(0, 0, 0, 0, 0, 0, pause),
    )


def mark_rung(session: Session, ids: Sequence[UUID], *, now: datetime) -> None:
    """Note that a sweep has asked for these leads to be matched."""
    session.execute(update(Lead).where(Lead.id.in_(ids)).values(rung_at=now))


def found_leads(state: LeadState | None, q: str | None) -> Select[Lead]:
    """Return the statement for an administrator's list: by state, by words in who and what."""
    rows = select(Lead)
    if state is not None:
        rows = rows.where(Lead.state == state)
    if q:
        pattern = f"%{_escaped(q.lower())}%"
        rows = rows.where(
            or_(
                func.lower(Lead.reference).like(pattern, escape="\\"),
                func.lower(Lead.company_name).like(pattern, escape="\\"),
                func.lower(Lead.contact_email).like(pattern, escape="\\"),
            )
        )
    return rows


def _escaped(words: str) -> str:
    return words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
