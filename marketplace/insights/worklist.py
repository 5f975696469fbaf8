"""What needs an administrator's hand now, on one page."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from marketplace.core.actors import Actor
from marketplace.core.context import Context
from marketplace.leads.models import Lead
from marketplace.leads.rules import LeadState
from marketplace.notifications.models import Commitment, Notification
from marketplace.notifications.rules import CommitmentState, NotificationState
from marketplace.providers.models import Provider
from marketplace.providers.rules import ProviderState

SHOWN = 25
"""Of each kind; the lists behind it hold the rest."""

GIVEN_UP = (NotificationState.FAILED, NotificationState.BOUNCED, NotificationState.DROPPED)


@dataclass(frozen=True)
class Worklist:
    """What waits for somebody, the oldest (or most urgent) first."""

    in_review: Sequence[Lead]
    waiting: Sequence[Lead]
    """Open, with an empty place that could not be filled."""
    at_risk: Sequence[tuple[Commitment, Lead]]
    """No response yet, and little or none of the time left."""
    applications: Sequence[Provider]
    messages: Sequence[Notification]
    """Given up, or sent back."""


def worklist(ctx: Context, actor: Actor) -> Worklist:
    """Return what needs a hand now; deadlines count from their instant, swept or not."""
    actor.require_admin()
    with ctx.reading() as session:
        running = (CommitmentState.RUNNING, CommitmentState.AT_RISK)
        clocks = session.execute(
            select(Commitment, Lead)
            .join(Lead, Lead.id == Commitment.lead_id)
            .where(
                Commitment.state.in_(running),
                Commitment.at_risk_at <= ctx.clock(),
                Lead.state == LeadState.OPEN,
            )
            .order_by(Commitment.due_at)
            .limit(SHOWN)
        )
        return Worklist(
            in_review=session.scalars(
                select(Lead).where(Lead.state == LeadState.IN_REVIEW).order_by(Lead.id).limit(SHOWN)
            ).all(),
            waiting=session.scalars(
                select(Lead)
                .where(Lead.state == LeadState.OPEN, Lead.waiting_since.is_not(None))
                .order_by(Lead.waiting_since)
                .limit(SHOWN)
            ).all(),
            at_risk=[(promise, lead) for promise, lead in clocks],
            applications=session.scalars(
                select(Provider)
                .where(Provider.state == ProviderState.APPLIED)
                .order_by(Provider.id)
                .limit(SHOWN)
            ).all(),
            messages=session.scalars(
                select(Notification)
                .where(Notification.state.in_(GIVEN_UP))
                .order_by(Notification.id.desc())
                .limit(SHOWN)
            ).all(),
        )


def provider_names(ctx: Context, actor: Actor, ids: Collection[UUID]) -> dict[str, str]:
    """Return what these providers are called, by id as text."""
    actor.require_admin()
    with ctx.reading() as session:
        rows = session.execute(select(Provider.id, Provider.name).where(Provider.id.in_(ids)))
        return {str(provider_id): name for provider_id, name in rows}
