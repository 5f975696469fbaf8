"""How much is in which state, now: the figures that a monitoring system keeps over time."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from marketplace.invitations.models import Invitation
from marketplace.invitations.rules import InvitationState
from marketplace.leads.models import Lead
from marketplace.leads.rules import LeadState
from marketplace.notifications.models import Commitment, Notification
from marketplace.notifications.rules import CommitmentState, NotificationState, Way

COUNTED: dict[str, tuple[InstrumentedAttribute[StrEnum], type[StrEnum]]] = {
    "leads": (Lead.state, LeadState),
    "invitations": (Invitation.state, InvitationState),
    "commitments": (Commitment.state, CommitmentState),
    "notifications": (Notification.state, NotificationState),
}
"""What is counted, by its name: the column, and the states that there are."""


def counts_by_state(session: Session) -> dict[str, dict[str, int]]:
    """Return how many leads, invitations, commitments and notifications are in each state."""
    return {
        name: dict.fromkeys(map(str, states), 0) | _counts(session, column)
        for name, (column, states) in COUNTED.items()
    }


def _counts(session: Session, column: InstrumentedAttribute[StrEnum]) -> dict[str, int]:
    rows = session.execute(select(column, func.count()).group_by(column))
    return {str(state): number for state, number in rows}


@dataclass(frozen=True)
class Due:
    """How many messages are due to go one way, and since when the first of them is."""

    channel: Way
    count: int
    since: datetime | None


def due_messages(session: Session, now: datetime) -> list[Due]:
    """Return what is due to be handed on, by every way; what is being handed on counts along."""
    rows = session.execute(
        select(Notification.channel, func.count(), func.min(Notification.next_attempt_at))
        .where(
            Notification.state.in_([NotificationState.QUEUED, NotificationState.SENDING]),
            Notification.next_attempt_at <= now,
        )
        .group_by(Notification.channel)
    )
    found = {way: Due(way, count, since) for way, count, since in rows}
    return [found.get(way, Due(way, 0, None)) for way in Way]
