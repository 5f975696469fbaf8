"""The funnel: how far the requests of a period have come, from the form to what came of them.

A request that took a step is counted in every step before it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import and_, func, or_, select, true
from sqlalchemy.orm import Session

from marketplace.core.actors import Actor
from marketplace.core.context import Context
from marketplace.insights.periods import RECENT
from marketplace.invitations.models import Invitation
from marketplace.leads.models import Lead
from marketplace.leads.rules import LeadState, Outcome
from marketplace.notifications.models import Commitment


class Step(StrEnum):
    """How far a request has come, in the order of its road."""

    SENT = "sent"
    CONFIRMED = "confirmed"
    """Or needed no confirmation."""
    OPENED = "opened"
    """No other of its business was running, and nobody turned it away."""
    INVITED = "invited"
    """A provider was."""
    RESPONDED = "responded"
    """A provider asked or quoted."""
    QUOTED = "quoted"
    AWARDED = "awarded"


@dataclass(frozen=True)
class Stage:
    """How many requests took one step."""

    step: Step
    n: int
    share: float | None
    """Of all that were sent."""
    share_of_previous: float | None
    """Of those that took the step before."""


@dataclass(frozen=True)
class CameTo:
    """How many of the requests that were opened came to one outcome."""

    outcome: Outcome | None
    """None: nobody has told, or it was sent by mistake."""
    n: int
    share: float | None
    """Of all that were opened."""


@dataclass(frozen=True)
class HeldBack:
    """The requests that a doubt held for a person to look at, and how that was decided."""

    n: int
    let_in: int
    turned_away: int
    waiting: int
    precision: float | None
    """Of those that were decided, the share that was turned away: how often the doubt was right."""


@dataclass(frozen=True)
class FunnelReport:
    """The requests whose forms came in a period."""

    since: datetime
    until: datetime
    n: int
    stages: Sequence[Stage]
    outcomes: Sequence[CameTo]
    held: HeldBack


def funnel_report(ctx: Context, actor: Actor) -> FunnelReport:
    """Return how far the requests of the last 90 days have come."""
    actor.require_admin()
    now = ctx.clock()
    since = now - RECENT
    taken = (
        select(
            Invitation.lead_id,
            func.bool_or(Invitation.quoted_at.is_not(None)).label("is_quoted"),
        )
        .where(Invitation.sent_at >= since)
        .group_by(Invitation.lead_id)
        .subquery()
    )
    unconfirmed = (LeadState.AWAITING_CONFIRMATION, LeadState.LAPSED)
    took = {
        Step.SENT: true(),
        Step.CONFIRMED: Lead.state.not_in(unconfirmed),
        Step.OPENED: Lead.opened_at.is_not(None),
        Step.INVITED: taken.c.lead_id.is_not(None),
        Step.RESPONDED: Commitment.first_response_at.is_not(None),
        Step.QUOTED: taken.c.is_quoted,
        # By a choice, or as the business said when its request had ended.
        Step.AWARDED: or_(Lead.state == LeadState.AWARDED, Lead.outcome == Outcome.AWARDED),
    }
    steps = list(Step)
    counted = [
        func.count().filter(and_(*(took[each] for each in steps[: place + 1]))).label(step)
        for place, step in enumerate(steps)
    ]
    with ctx.reading() as session:
        counts = session.execute(
            select(*counted)
            .select_from(Lead)
            .outerjoin(taken, taken.c.lead_id == Lead.id)
            .outerjoin(Commitment, Commitment.lead_id == Lead.id)
            .where(Lead.created_at >= since, Lead.created_at <= now)
        ).one()
        came_to = dict(
            session.execute(
                select(Lead.outcome, func.count())
                .where(
                    Lead.created_at >= since,
                    Lead.created_at <= now,
                    Lead.opened_at.is_not(None),
                )
                .group_by(Lead.outcome)
            ).all()
        )
        held = _held(session, since, now)
    stages: list[Stage] = []
    for step, n in zip(steps, counts, strict=True):
        before = stages[-1].n if stages else n
        stages.append(Stage(step, n, _share(n, counts[0]), _share(n, before)))
    opened = sum(came_to.values())
    outcomes = [
        CameTo(each, came_to.get(each, 0), _share(came_to.get(each, 0), opened))
        for each in (*Outcome, None)
    ]
    return FunnelReport(since, now, counts[0], stages, outcomes, held)


def _held(session: Session, since: datetime, until: datetime) -> HeldBack:
    """Count those with reasons to doubt; one that nobody confirmed was never held."""
    turned_away, let_in = Lead.state == LeadState.REJECTED, Lead.opened_at.is_not(None)
    no, yes, waiting = session.execute(
        select(
            func.count().filter(turned_away),
            func.count().filter(let_in),
            func.count().filter(Lead.state == LeadState.IN_REVIEW),
        ).where(
            Lead.created_at >= since,
            Lead.created_at <= until,
            func.cardinality(Lead.review_reasons) > 0,
        )
    ).one()
    return HeldBack(no + yes + waiting, yes, no, waiting, _share(no, no + yes))


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
