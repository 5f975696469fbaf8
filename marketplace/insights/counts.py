"""How much is in which state, now: the figures that a monitoring system keeps over time."""

from enum import StrEnum

from sqlalchemy import func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from marketplace.invitations.models import Invitation
from marketplace.invitations.rules import InvitationState
from marketplace.leads.models import Lead
from marketplace.leads.rules import LeadState
from marketplace.notifications.models import Commitment, Notification
from marketplace.notifications.rules import CommitmentState, NotificationState

_COUNTED: dict[str, tuple[InstrumentedAttribute[StrEnum], type[StrEnum]]] = {
    "leads": (Lead.state, LeadState),
    "invitations": (Invitation.state, InvitationState),
    "commitments": (Commitment.state, CommitmentState),
    "notifications": (Notification.state, NotificationState),
}


def counts_by_state(session: Session) -> dict[str, dict[str, int]]:
    """Return how many leads, invitations, commitments and notifications are in each state."""
    return {
        name: dict.fromkeys(map(str, states), 0) | _counts(session, column)
        for name, (column, states) in _COUNTED.items()
    }


def _counts(session: Session, column: InstrumentedAttribute[StrEnum]) -> dict[str, int]:
    rows = session.execute(select(column, func.count()).group_by(column))
    return {str(state): number for state, number in rows}
