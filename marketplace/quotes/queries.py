"""How quotes are found. Other people's quotes are read by `comparison` alone."""

from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from marketplace.catalogue import queries as catalogue
from marketplace.invitations.models import Invitation
from marketplace.invitations.rules import LIVE, InvitationState
from marketplace.quotes import audit_time
from marketplace.quotes.audit_time import Row, Table
from marketplace.quotes.models import Quote


def versions(session: Session, invitation_id: UUID) -> list[Quote]:
    """Return every version of the quote under one invitation, the latest first."""
    return list(
        session.scalars(
            select(Quote).where(Quote.invitation_id == invitation_id).order_by(Quote.version.desc())
        )
    )


def latest(session: Session, invitation_id: UUID) -> Quote | None:
    """Return the version of the quote under one invitation that counts."""
    return session.scalar(
        select(Quote)
        .where(Quote.invitation_id == invitation_id)
        .order_by(Quote.version.desc())
        .limit(1)
    )


def has_quotes(session: Session, lead_id: UUID) -> bool:
    """Return whether anybody has quoted for a lead yet."""
    first = (
        select(Quote.id)
        .join(Invitation, Invitation.id == Quote.invitation_id)
        .where(Invitation.lead_id == lead_id)
        .limit(1)
    )
    return session.scalar(first) is not None


def first_quoted_at(session: Session, lead_id: UUID) -> datetime | None:
    """Return when the first quote for a lead came, whatever has become of it."""
    return session.scalar(
        select(func.min(Invitation.quoted_at)).where(Invitation.lead_id == lead_id)
    )


def has_quotes_to_choose(session: Session, lead_id: UUID) -> bool:
    """Return whether there is a quote that was neither taken back nor withdrawn."""
    rows = select(Invitation.id).where(
        Invitation.lead_id == lead_id,
        Invitation.quoted_at.is_not(None),
        Invitation.state != InvitationState.DECLINED,
        Invitation.withdrawn_because.is_(None),
    )
    return session.scalar(rows.limit(1)) is not None


def latest_validity(session: Session, lead_id: UUID) -> date | None:
    """Return until when the longest standing of a lead's live quotes stands."""
    counting = (
        select(Quote.invitation_id, func.max(Quote.version).label("version"))
        .join(Invitation, Invitation.id == Quote.invitation_id)
        .where(Invitation.lead_id == lead_id, Invitation.state.in_(LIVE))
        .group_by(Quote.invitation_id)
        .subquery()
    )
    return session.scalar(
        select(func.max(Quote.valid_until)).join(
            counting,
            (Quote.invitation_id == counting.c.invitation_id)
            & (Quote.version == counting.c.version),
        )
    )


def audit_time_bases(session: Session, codes: Collection[str]) -> dict[str, str]:
    """Return what the audit time of each standard rests on: nothing, where none is known."""
    found = catalogue.standards_by_code(session, codes)
    return {code: found[code].audit_time_basis if code in found else "" for code in codes}


def audit_tables(session: Session, bases: Iterable[str]) -> Mapping[str, Table]:
    """Return the audit-time tables that these bases of standards lead to, by name."""
    wanted = {table for basis in bases if (table := audit_time.TABLES.get(basis))}
    rows = catalogue.audit_times(session, wanted) if wanted else []
    return audit_time.tables_of(
        Row(each.basis, each.audit, each.complexity, each.personnel_max, each.days) for each in rows
    )
