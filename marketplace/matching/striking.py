"""Strike a miss: from the record that pauses, and from the one that weighs in the fair turn."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from marketplace.core.actors import Actor
from marketplace.core.context import Context, Transaction
from marketplace.invitations import misses, track_record
from marketplace.invitations.models import Invitation, Miss
from marketplace.invitations.track_record import Missed
from marketplace.matching import ledger, rules
from marketplace.matching.rules import Remark
from marketplace.matching.settling import settled_as


def strike_miss(ctx: Context, actor: Actor, invitation_id: UUID, *, reason: str) -> Missed:
    """Take a miss back, with a reason that its provider reads; a second time raises `Conflict`.

    A pause that only stood with it ends. One that is not in the fairness ledger yet is settled
    without it; of one that is, what it still counts is taken off. The turn stays paid for.
    """
    actor.require_admin()
    with ctx.transaction() as tx:
        miss = misses.strike(tx, actor, invitation_id, reason)
        invitation = tx.session.get_one(Invitation, invitation_id)
        if invitation.settled_at is not None:
            _take_off(tx, invitation)
        return track_record.shown(tx.session, [miss], tx.policy)[0]


def _take_off(tx: Transaction, invitation: Invitation) -> None:
    accounts = ledger.accounts_of(tx, [invitation.provider_id])
    later = [each for each in _remarks_since(tx.session, invitation) if each is not Remark.NOTHING]
    changed = {
        each: account.after_striking(
            counts=tx.policy.record_fading ** len(later),
            remark=_remark(invitation, struck=True),
        )
        for each, account in accounts.items()
    }
    ledger.write(tx, changed)


def _remark(invitation: Invitation, *, struck: bool) -> Remark:
    state = settled_as(invitation, struck=struck)
    return rules.remark(state, responded=invitation.responded_at is not None, struck=struck)


def _remarks_since(session: Session, invitation: Invitation) -> Sequence[Remark]:
    """Return what has come onto its holder's record since this invitation was settled."""
    was_struck = and_(Miss.invitation_id == Invitation.id, Miss.struck_at <= Invitation.settled_at)
    rows = session.execute(
        select(Invitation, Miss.invitation_id)
        .outerjoin(Miss, was_struck)
        .where(
            Invitation.provider_id == invitation.provider_id,
            Invitation.settled_at > invitation.settled_at,
        )
    )
    return [_remark(each, struck=struck is not None) for each, struck in rows]
