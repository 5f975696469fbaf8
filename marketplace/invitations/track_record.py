"""A provider's track record: the misses on it, how long each counts, and where it stands."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, DateTime, Select, Uuid, any_, bindparam, exists, or_, select
from sqlalchemy.orm import Session

from marketplace.core.direct import Direct
from marketplace.core.policy import Policy
from marketplace.invitations import rules
from marketplace.invitations.models import Invitation, Miss
from marketplace.leads.models import Lead
from marketplace.providers import pauses
from marketplace.providers.models import Pause, Provider

_misses: Any = Miss.__table__
_COUNTING = Direct(
    select(_misses.c.provider_id, _misses.c.at, Lead.reference)
    .join(Invitation, Invitation.id == _misses.c.invitation_id)
    .join(Lead, Lead.id == Invitation.lead_id)
    .join(Provider, Provider.id == _misses.c.provider_id)
    .where(
        _misses.c.provider_id == any_(bindparam("ids", type_=ARRAY(Uuid()))),
        _misses.c.at > bindparam("since", type_=DateTime(timezone=True)),
        _misses.c.struck_at.is_(None),
        or_(Provider.came_back_at.is_(None), _misses.c.at > Provider.came_back_at),
    )
    .order_by(_misses.c.at)
)


def counting(
    session: Session, provider_ids: Collection[UUID], *, since: datetime
) -> Mapping[UUID, Sequence[Any]]:
    """Return moment and reference of each miss that is not struck, since the last way back.

    By provider, the earliest first.
    """
    found: dict[UUID, list[Any]] = {each: [] for each in provider_ids}
    for row in _COUNTING.rows(session, {"ids": list(found), "since": since}):
        found[row.provider_id].append(row)
    return found


def are_too_many(counted: Sequence[Any], policy: Policy) -> bool:
    """Return whether so many of these lie so close together that the provider is paused."""
    return rules.is_missing_too_often(
        [row.at for row in counted],
        too_many=policy.misses_before_pause,
        window=policy.misses_window,
    )


def how_many_count(session: Session, provider_id: UUID, *, policy: Policy, now: datetime) -> int:
    """Return how many misses of a provider count towards a pause now."""
    since = now - policy.misses_window
    return len(counting(session, [provider_id], since=since)[provider_id])


WAS_STRUCK = exists().where(Miss.invitation_id == Invitation.id, Miss.struck_at.is_not(None))
"""That the miss of an invitation was taken off the record: it counts for nothing."""


def is_struck(session: Session, invitation_id: UUID) -> bool:
    """Return whether the miss of this invitation, if it is one, was taken off the record."""
    struck = select(Invitation.id).where(Invitation.id == invitation_id, WAS_STRUCK)
    return session.scalar(struck) is not None


@dataclass(frozen=True)
class Missed:
    """A miss as it is shown: of which request, whose, and until when it counts."""

    miss: Miss
    reference: str
    provider: str
    counts_until: datetime | None


@dataclass(frozen=True)
class Standing:
    """How a provider's record stands."""

    counting: int
    too_many: int
    days: int
    pause: Pause | None


def standing(session: Session, provider_id: UUID, *, policy: Policy, now: datetime) -> Standing:
    """Return how many misses count now, at how many a provider is paused, and whether it is."""
    return Standing(
        counting=how_many_count(session, provider_id, policy=policy, now=now),
        too_many=policy.misses_before_pause,
        days=policy.misses_window.days,
        pause=pauses.pause_for_misses(session, provider_id),
    )


def misses(*, provider_id: UUID | None = None, to_decide: bool = False) -> Select[Miss]:
    """Return misses, to be paged: of one provider, or those whose objection waits for a word."""
    rows = select(Miss)
    if provider_id is not None:
        rows = rows.where(Miss.provider_id == provider_id)
    if to_decide:
        rows = rows.where(
            Miss.objected_at.is_not(None), Miss.struck_at.is_(None), Miss.upheld_at.is_(None)
        )
    return rows


def shown(session: Session, found: Sequence[Miss], policy: Policy) -> list[Missed]:
    """Return these misses as they are shown, in their order."""
    rows = session.execute(
        select(Invitation.id, Lead.reference, Provider.name, Provider.came_back_at)
        .join(Lead, Lead.id == Invitation.lead_id)
        .join(Provider, Provider.id == Invitation.provider_id)
        .where(Invitation.id.in_([each.invitation_id for each in found]))
    )
    about = {row.id: row for row in rows}
    return [_missed(each, about[each.invitation_id], policy) for each in found]


def _missed(miss: Miss, about: Any, policy: Policy) -> Missed:
    until = rules.miss_counts_until(
        miss.at,
        struck=miss.struck_at is not None,
        came_back_at=about.came_back_at,
        window=policy.misses_window,
    )
    return Missed(miss, about.reference, about.name, until)
