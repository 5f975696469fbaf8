"""What a provider let lapse: on its record once, told, objected to, struck; too much pauses it.

Whoever writes here holds the lead, the invitation and with it the miss, and then the provider.
"""

from typing import Any
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from marketplace.accounts.letters import tell_admins
from marketplace.core.actors import SYSTEM, Actor
from marketplace.core.context import Context, Transaction
from marketplace.core.direct import Direct
from marketplace.core.errors import NotFound
from marketplace.core.events import record
from marketplace.core.links import Purpose
from marketplace.invitations import queries, rules, track_record
from marketplace.invitations.letters import holders, tell_holder
from marketplace.invitations.models import Invitation, Miss
from marketplace.invitations.rules import MissKind
from marketplace.invitations.track_record import Missed
from marketplace.leads.models import Lead
from marketplace.notifications.service import LinkTo, notify
from marketplace.providers import coverage, pauses
from marketplace.providers.models import Provider

_misses: Any = Miss.__table__
_WRITE = Direct(
    insert(_misses).on_conflict_do_nothing(),
    columns=("invitation_id", "provider_id", "at", "kind"),
)


def record_miss(tx: Transaction, invitation: Invitation, kind: MissKind) -> None:
    """Put an invitation that lapsed on its holder's record, once whatever comes of it later.

    Whoever let too many lapse within the window is paused, in the same transaction.
    """
    moment = rules.lapsed_at(kind, open_by=invitation.open_by, respond_by=invitation.respond_by)
    provider_id = invitation.provider_id
    values = {
        "invitation_id": invitation.id,
        "provider_id": provider_id,
        "at": moment,
        "kind": kind,
    }
    if not _WRITE.run(tx.session, values):
        return
    record(tx, SYSTEM, "miss.recorded", invitation.id, provider=str(provider_id), kind=kind)
    counted = track_record.counting(tx.session, provider_id, since=moment - tx.policy.misses_window)
    if track_record.are_too_many(counted, tx.policy):
        _pause(tx, provider_id, [row.reference for row in counted])


def _pause(tx: Transaction, provider_id: UUID, references: list[str]) -> None:
    pause_id = pauses.begin_pause_for_misses(tx, provider_id)
    if pause_id is None:
        return
    record(tx, SYSTEM, "provider.paused_for_misses", provider_id, pause=str(pause_id))
    notify(
        tx,
        "provider_paused",
        holders(tx, [provider_id])[provider_id].contact,
        pause_id,
        path="/portal/record",
        link=LinkTo(Purpose.COME_BACK, pause_id, tx.now + tx.policy.way_back_link_lives),
        references=references,
        days=tx.policy.misses_window.days,
        provider_id=provider_id,
    )


def tell_of_miss(tx: Transaction, lead: Lead, invitation: Invitation) -> None:
    """Tell the holder of what time has ended, and how its record stands now."""
    provider_id = invitation.provider_id
    tell_holder(
        tx,
        f"invitation_{invitation.state}",
        invitation,
        reference=lead.reference,
        misses=track_record.how_many_count(tx.session, provider_id, policy=tx.policy, now=tx.now),
        too_many=tx.policy.misses_before_pause,
        days=tx.policy.misses_window.days,
    )


def object_to_miss(ctx: Context, actor: Actor, invitation_id: UUID, *, text: str) -> Missed:
    """Take what a provider has to say against a miss of its own, once; an administrator decides."""
    actor.own_provider()
    with ctx.transaction() as tx:
        miss = _miss_of(tx.session, actor, invitation_id)
        lead, _ = lock_miss(tx, miss)
        miss.object(text, now=tx.now)
        record(tx, actor, "miss.objected", miss.invitation_id)
        tell_admins(
            tx,
            "miss_objected",
            miss.invitation_id,
            path=f"/admin/providers/{miss.provider_id}",
            reference=lead.reference,
            objection=text,
        )
        return track_record.shown(tx.session, [miss], tx.policy)[0]


def strike(tx: Transaction, actor: Actor, invitation_id: UUID, reason: str) -> Miss:
    """Take a miss off the record, and end a pause that no longer stands. Return it, all locked."""
    miss = _miss_of(tx.session, actor, invitation_id)
    lead, invitation = lock_miss(tx, miss)
    coverage.lock_rows(tx.session, [miss.provider_id])
    miss.strike(reason, by=actor.id, now=tx.now)
    record(tx, actor, "miss.struck", miss.invitation_id, provider=str(miss.provider_id))
    is_back = _end_pause_if_fewer(tx, actor, miss.provider_id)
    tell_holder(
        tx,
        "miss_struck",
        invitation,
        reference=lead.reference,
        reason=reason,
        is_back=is_back,
    )
    return miss


def _end_pause_if_fewer(tx: Transaction, actor: Actor, provider_id: UUID) -> bool:
    """End the pause for misses unless as many as it takes are left, whenever they were."""
    pause = pauses.pause_for_misses(tx.session, provider_id)
    if pause is None:
        return False
    joined_at = tx.session.get_one(Provider, provider_id).created_at
    left = track_record.counting(tx.session, provider_id, since=joined_at)
    if track_record.are_too_many(left, tx.policy):
        return False
    pauses.end_pause(tx, actor, pause)
    return True


def lock_miss(tx: Transaction, miss: Miss) -> tuple[Lead, Invitation]:
    """Hold a miss, by its lead and its invitation, and read it afresh."""
    invitation = tx.session.get_one(Invitation, miss.invitation_id)
    held = queries.lock_with_lead(tx.session, invitation)
    tx.session.refresh(miss)
    return held


def _miss_of(session: Session, actor: Actor, invitation_id: UUID) -> Miss:
    """Return the miss if it is this provider's; an administrator finds everybody's."""
    miss = session.get(Miss, invitation_id)
    if miss is None or not (actor.is_admin or miss.provider_id == actor.provider_id):
        raise NotFound("there is no such miss")
    return miss
