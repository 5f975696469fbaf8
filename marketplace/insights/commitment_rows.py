"""The statement behind the commitment report: what was decided in a period, by group.

Requests come from commitment rows, providers' figures from the columns of invitations; nothing else
is a source.
"""

from collections.abc import Collection
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Float,
    Select,
    Text,
    and_,
    case,
    cast,
    extract,
    func,
    literal,
    not_,
    or_,
    select,
    union_all,
)

from marketplace.invitations.models import Invitation
from marketplace.invitations.queries import RESPONSE_HOURS
from marketplace.invitations.rules import ANSWERABLE, InvitationState
from marketplace.invitations.track_record import WAS_STRUCK
from marketplace.leads.models import Lead
from marketplace.notifications.models import Commitment
from marketplace.notifications.rules import CommitmentState


class Group(StrEnum):
    """By what figures are grouped, in the order of the report."""

    ALL = "all"
    WEEK = "week"
    STANDARD = "standard"
    REGION = "region"
    PROVIDER = "provider"


PLACES = {group: place for place, group in enumerate(Group)}


def figures(since: datetime, until: datetime, now: datetime, groups: Collection[Group]) -> CTE:
    """Return a row for every group and key with anything decided from `since` on, before `until`.

    `place` is that of the group. Deadlines count from their instant, swept or not.
    """
    decided = union_all(*_decided(since, until, now, groups)).cte("decided")
    met, missed, hours = decided.c.met, decided.c.missed, decided.c.hours
    return (
        select(
            decided.c.place,
            decided.c.key,
            func.count().filter(or_(met, missed)).label("n"),
            func.count().filter(met).label("met"),
            func.count().filter(missed).label("missed"),
            func.count().filter(not_(or_(met, missed))).label("ended"),
            func.count(hours).label("responses"),
            func.percentile_cont(0.5).within_group(hours).label("median_hours"),
            func.percentile_cont(0.9).within_group(hours).label("p90_hours"),
        )
        .group_by(decided.c.place, decided.c.key)
        .cte("figures")
    )


def _decided(
    since: datetime, until: datetime, now: datetime, groups: Collection[Group]
) -> list[Select[Any]]:
    """What was decided in the period, once for every group and key that it is in."""

    def in_period(decided_at: ColumnElement[datetime]) -> ColumnElement[bool]:
        ends = decided_at <= now if until == now else decided_at < until
        return and_(decided_at >= since, ends)

    decided_at = func.least(Commitment.first_response_at, Commitment.settled_at, Commitment.due_at)
    monday = func.date_trunc("week", func.timezone("UTC", decided_at))
    keys: dict[Group, ColumnElement[str]] = {
        Group.ALL: literal(""),
        Group.WEEK: func.to_char(monday, "YYYY-MM-DD"),
        Group.STANDARD: func.unnest(Lead.standards),
        Group.REGION: func.unnest(Lead.regions),
    }
    found = [
        _promises(group, key).where(in_period(decided_at))
        for group, key in keys.items()
        if group in groups
    ]
    if Group.PROVIDER in groups:
        unopened = Invitation.opened_at.is_(None)
        due_at = case((unopened, Invitation.open_by), else_=Invitation.respond_by)
        decided_at = func.least(Invitation.responded_at, Invitation.ended_at, due_at)
        found.append(_invitations().where(in_period(decided_at)))
    return found


def _promises(group: Group, key: ColumnElement[str]) -> Select[Any]:
    missed = (CommitmentState.MISSED, CommitmentState.RUNNING, CommitmentState.AT_RISK)
    took = Commitment.first_response_at - Commitment.started_at
    found = select(
        literal(PLACES[group]).label("place"),
        key.label("key"),
        (Commitment.state == CommitmentState.MET).label("met"),
        Commitment.state.in_(missed).label("missed"),
        cast(extract("epoch", took) / 3600.0, Float).label("hours"),
    )
    if group in (Group.STANDARD, Group.REGION):
        return found.join(Lead, Lead.id == Commitment.lead_id)
    return found


def _invitations() -> Select[Any]:
    met = and_(
        Invitation.responded_at.is_not(None), Invitation.responded_at < Invitation.respond_by
    )
    passed = or_(
        Invitation.released_at.is_not(None),
        Invitation.state.in_([InvitationState.EXPIRED, *ANSWERABLE]),
    )
    return select(
        literal(PLACES[Group.PROVIDER]).label("place"),
        cast(Invitation.provider_id, Text).label("key"),
        met.label("met"),
        and_(not_(met), passed, not_(WAS_STRUCK)).label("missed"),
        RESPONSE_HOURS.label("hours"),
    )
