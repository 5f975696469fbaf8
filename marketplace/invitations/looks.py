"""Who has looked at which brief, a person or a program, and whether more may be looked at."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from marketplace.accounts.letters import tell_admins
from marketplace.core.context import Transaction
from marketplace.core.errors import Conflict
from marketplace.invitations.harvest import Looks, Verdict, verdict
from marketplace.invitations.models import Invitation
from marketplace.invitations.rules import InvitationState
from marketplace.providers.models import Provider


def note_look(tx: Transaction, invitation: Invitation) -> None:
    """Write down that a brief is looked at for the first time; or raise `Conflict`.

    The invitation is locked, and live. All looks of one provider wait for each other, so that no
    two of them are the last one that it may have.
    """
    if invitation.looked_at is not None:
        return
    provider_id = invitation.provider_id
    key = func.hashtextextended(f"looks {provider_id}", 0)
    tx.session.execute(select(func.pg_advisory_xact_lock(key)))
    looks = looks_of(tx.session, provider_id, since=tx.now - tx.policy.looks_window)
    found = verdict(
        looks,
        undecided_at_most=tx.policy.undecided_at_most,
        looks_from=tx.policy.looks_from,
        answered_share=tx.policy.looks_answered_share,
    )
    if found is Verdict.ANSWER_FIRST and tx.policy.rate_limits:
        raise Conflict(
            f"you have looked at {looks.undecided} invitations that wait for your yes or no: "
            "please accept or decline one of them first"
        )
    invitation.looked_at = tx.now
    if found is Verdict.TELL:
        tell_admins(
            tx,
            "looks_without_answers",
            provider_id,
            path=f"/admin/providers/{provider_id}",
            occasion=_week(tx.now),
            provider=tx.session.get_one(Provider, provider_id).name,
            looked_at=looks.looked_at,
            answered=looks.answered,
            days=tx.policy.looks_window.days,
        )


def looks_of(session: Session, provider_id: UUID, *, since: datetime) -> Looks:
    """Return what a provider has looked at, and answered, since then."""
    seen_at = func.coalesce(Invitation.looked_at, Invitation.opened_at)
    is_undecided = Invitation.state.in_((InvitationState.SENT, InvitationState.OPENED))
    is_recent = seen_at > since
    is_answered = or_(Invitation.accepted_at.is_not(None), Invitation.responded_at.is_not(None))
    row = session.execute(
        select(
            func.count().filter(is_undecided, seen_at.is_not(None)),
            func.count().filter(is_recent),
            func.count().filter(is_recent, is_answered),
        ).where(Invitation.provider_id == provider_id)
    ).one()
    return Looks(*row)


def _week(now: datetime) -> str:
    year, week, _ = now.isocalendar()
    return f"{year}-{week}"
