"""The 24-hour commitment: made when a lead opens, moved by the steps that cause it to move."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ARRAY, Select, Uuid, any_, bindparam, select, union_all
from sqlalchemy.orm import Session

from marketplace.catalogue.holidays import holidays_of
from marketplace.core.actors import SYSTEM
from marketplace.core.calendars import CLOCK_HOURS, BusinessDays, Calendar, CalendarKind
from marketplace.core.context import Transaction
from marketplace.core.db import one_of
from marketplace.core.direct import Direct
from marketplace.core.events import record
from marketplace.notifications import rules
from marketplace.notifications.models import Commitment
from marketplace.notifications.rules import CommitmentEvent, CommitmentState


def start(tx: Transaction, lead_id: UUID, *, time_zone: str, region: str) -> Commitment:
    """Make the commitment of a lead that opens now, in the calendar of this place."""
    calendar = _calendar(tx.policy.calendar, time_zone, region)
    times = rules.commitment_times(
        tx.now,
        window=tx.policy.response_window,
        at_risk_share=tx.policy.at_risk_share,
        calendar=calendar,
    )
    skipped = calendar.skipped(times.started_at, times.due_at)
    commitment = Commitment(
        lead_id=lead_id,
        state=CommitmentState.RUNNING,
        started_at=times.started_at,
        at_risk_at=times.at_risk_at,
        due_at=times.due_at,
        calendar=tx.policy.calendar,
        policy={
            "response_window_seconds": tx.policy.response_window.total_seconds(),
            "at_risk_share": tx.policy.at_risk_share,
            "time_zone": time_zone,
            "region": region,
            "holidays": [{"date": day.isoformat(), "name": name} for day, name in skipped.items()],
        },
        target=tx.policy.places,
        responses=0,
    )
    tx.session.add(commitment)
    return commitment


def commitment_of(session: Session, lead_id: UUID) -> Commitment | None:
    """Return the commitment of a lead, or none where it has not opened."""
    return session.get(Commitment, lead_id)


def commitments_of(session: Session, lead_ids: Collection[UUID]) -> list[Commitment]:
    """Return the commitments of those of these leads that have opened, by the leads' ids."""
    rows = select(Commitment).where(Commitment.lead_id.in_(lead_ids)).order_by(Commitment.lead_id)
    return list(session.scalars(rows))


@dataclass(frozen=True)
class Terms:
    """What the invitations of a lead go by."""

    due_at: datetime
    """When the first response to it is due."""
    calendar: Calendar
    """In which time their windows count: the same as its own."""


_TERMS = Direct(
    select(Commitment.lead_id, Commitment.due_at, Commitment.calendar, Commitment.policy).where(
        Commitment.lead_id == any_(bindparam("lead_ids", type_=ARRAY(Uuid())))
    )
)


def terms_of(session: Session, lead_id: UUID, *, otherwise: datetime) -> Terms:
    """Return the terms of a lead; where it has not opened, it is due `otherwise`."""
    return terms_of_each(session, [lead_id]).get(lead_id) or Terms(otherwise, CLOCK_HOURS)


def terms_of_each(session: Session, lead_ids: Collection[UUID]) -> dict[UUID, Terms]:
    """Return the terms of those of these leads that have opened."""
    found = {}
    for lead_id, due_at, calendar, made_under in _TERMS.rows(session, {"lead_ids": list(lead_ids)}):
        place = made_under.get("time_zone", "UTC"), made_under.get("region", "")
        found[lead_id] = Terms(due_at, _calendar(calendar, *place))
    return found


def _calendar(kind: str, time_zone: str, region: str) -> Calendar:
    if kind == CalendarKind.BUSINESS_DAYS:
        return BusinessDays(ZoneInfo(time_zone), holidays_of(region))
    return CLOCK_HOURS


def respond(tx: Transaction, lead_id: UUID, *, is_first_of_provider: bool) -> None:
    """Count a response that the business can see. The caller holds the lead's lock.

    The first one meets the commitment if it comes before `due_at`, and misses it if not, whether
    or not a sweep has been there yet.
    """
    commitment = tx.session.get(Commitment, lead_id)
    if commitment is None or not is_first_of_provider:
        return
    commitment.responses += 1
    settle(tx, commitment)
    if commitment.first_response_at is None:
        commitment.first_response_at = tx.now
        if rules.COMMITMENT_LIFECYCLE.allows(commitment.state, CommitmentEvent.RESPOND):
            commitment.apply(CommitmentEvent.RESPOND, now=tx.now)
            record(tx, SYSTEM, "commitment.met", lead_id)


def end(tx: Transaction, lead_id: UUID) -> None:
    """Let the commitment end with its request, if time has not settled it before."""
    commitment = tx.session.get(Commitment, lead_id)
    if commitment is None:
        return
    settle(tx, commitment)
    if rules.COMMITMENT_LIFECYCLE.allows(commitment.state, CommitmentEvent.END):
        commitment.apply(CommitmentEvent.END, now=tx.now)
        record(tx, SYSTEM, "commitment.ended", lead_id)


def settle(tx: Transaction, commitment: Commitment) -> CommitmentEvent | None:
    """Let happen what time alone has decided by now; return what that was, if anything."""
    event = rules.due_event(
        commitment.state, now=tx.now, at_risk_at=commitment.at_risk_at, due_at=commitment.due_at
    )
    if event is not None:
        commitment.apply(event, now=tx.now)
        verb = "missed" if event is CommitmentEvent.MISS else "at_risk"
        record(tx, SYSTEM, f"commitment.{verb}", commitment.lead_id)
    return event


def due_commitments(session: Session, *, now: datetime, limit: int) -> list[UUID]:
    """Return the leads whose commitment time alone would move, the most overdue first."""
    at_risk = _due(Commitment.at_risk_at, (CommitmentState.RUNNING,), now, limit)
    missed = _due(Commitment.due_at, (CommitmentState.AT_RISK,), now, limit)
    due = union_all(missed, at_risk).subquery()
    return list(session.scalars(select(due.c.lead_id).order_by(due.c.moment).limit(limit)))


def _due(
    moment: Any, states: Collection[CommitmentState], now: datetime, limit: int
) -> Select[tuple[UUID, datetime]]:
    return (
        select(Commitment.lead_id, moment.label("moment"))
        .where(one_of(Commitment.state, *states), moment <= now)
        .order_by(moment)
        .limit(limit)
    )
