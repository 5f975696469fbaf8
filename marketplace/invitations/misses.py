"""What a provider let lapse: on its record once, told, objected to, struck; too much pauses it.

Whoever writes here holds the lead, the invitation and with it the miss, and then the provider.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ARRAY, DateTime, Text, Uuid, bindparam, select, text
from sqlalchemy.orm import Session

from marketplace.accounts.letters import tell_admins
from marketplace.core.actors import SYSTEM, Actor
from marketplace.core.context import Context, Transaction
from marketplace.core.direct import Direct
from marketplace.core.errors import NotFound
from marketplace.core.events import record, record_each
from marketplace.core.links import Purpose
from marketplace.invitations import queries, rules, track_record
from marketplace.invitations.letters import Letter, holders, tell_holder, tell_holders
from marketplace.invitations.models import Invitation, Miss
from marketplace.invitations.rules import MissKind
from marketplace.invitations.track_record import Missed
from marketplace.leads.models import Lead
from marketplace.notifications.forgetting import forget_messages
from marketplace.notifications.service import LinkTo, Message, notify_each
from marketplace.providers import coverage, pauses
from marketplace.providers.models import Provider

_WRITE = Direct(
    text(
        """
        INSERT INTO misses (invitation_id, provider_id, at, kind)
        SELECT * FROM unnest(:invitations, :providers, :moments, :kinds)
        ON CONFLICT DO NOTHING RETURNING invitation_id
        """
    ).bindparams(
        bindparam("invitations", type_=ARRAY(Uuid())),
        bindparam("providers", type_=ARRAY(Uuid())),
        bindparam("moments", type_=ARRAY(DateTime(timezone=True))),
        bindparam("kinds", type_=ARRAY(Text())),
    )
)


def record_misses(tx: Transaction, lapsed: Sequence[tuple[Invitation, MissKind]]) -> None:
    """Put invitations that lapsed on their holders' records, once whatever comes of them later.

    Whoever let too many lapse within the window is paused, in the same transaction.
    """
    moments = {
        each.id: rules.lapsed_at(kind, open_by=each.open_by, respond_by=each.respond_by)
        for each, kind in lapsed
    }
    values = {
        "invitations": list(moments),
        "providers": [each.provider_id for each, _ in lapsed],
        "moments": list(moments.values()),
        "kinds": [kind.value for _, kind in lapsed],
    }
    written = {row.invitation_id for row in _WRITE.rows(tx.session, values)}
    new = [(each, kind) for each, kind in lapsed if each.id in written]
    facts = {each.id: {"provider": str(each.provider_id), "kind": kind} for each, kind in new}
    record_each(tx, SYSTEM, "miss.recorded", facts)
    earliest: dict[UUID, datetime] = {}
    for each, _ in new:
        moment = moments[each.id]
        earliest[each.provider_id] = min(earliest.get(each.provider_id, moment), moment)
    if earliest:
        _pause_who_misses_too_often(tx, earliest)


def _pause_who_misses_too_often(tx: Transaction, earliest: Mapping[UUID, datetime]) -> None:
    """Pause whom a new miss, the earliest at this moment, makes one too many of."""
    window = tx.policy.misses_window
    counted = track_record.counting(tx.session, earliest, since=min(earliest.values()) - window)
    too_many = {}
    for each, moment in earliest.items():
        near = [row for row in counted[each] if row.at > moment - window]
        if track_record.are_too_many(near, tx.policy):
            too_many[each] = [row.reference for row in near]
    if too_many:
        _pause(tx, too_many)


def _pause(tx: Transaction, references: Mapping[UUID, list[str]]) -> None:
    """Pause these providers for the misses of these leads, and tell each the way back."""
    paused = pauses.begin_pauses_for_misses(tx, references)
    facts = {each: {"pause": str(pause_id)} for each, pause_id in paused.items()}
    record_each(tx, SYSTEM, "provider.paused_for_misses", facts)
    to = holders(tx, paused)
    lives_until = tx.now + tx.policy.way_back_link_lives
    notify_each(
        tx,
        [
            Message(
                "provider_paused",
                to[each].contact,
                pause_id,
                {"references": references[each], "days": tx.policy.misses_window.days},
                path="/portal/record",
                link=LinkTo(Purpose.COME_BACK, pause_id, lives_until),
                provider_id=each,
            )
            for each, pause_id in paused.items()
        ],
    )


class Then(StrEnum):
    """What became of a place whose holder let it lapse."""

    PASSED_ON = "passed_on"
    CAME_BACK = "came_back"
    """It was still free, so its holder has it again."""
    FINISHED = "finished"
    """The request was over by then."""


def tell_of_misses(
    tx: Transaction,
    lapsed: Sequence[tuple[Lead, Invitation, MissKind]],
    then: Then = Then.PASSED_ON,
) -> None:
    """Tell the holders of what time has ended, and how their records stand now.

    One that lapses a second time, or whose miss was struck, is no miss again: nothing says so.
    """
    ids = [invitation.id for _, invitation, _ in lapsed]
    misses = {
        each.invitation_id: each
        for each in tx.session.scalars(
            select(Miss)
            .where(Miss.invitation_id.in_(ids))
            .execution_options(populate_existing=True)
        )
    }
    counted = track_record.counting(
        tx.session,
        {invitation.provider_id for _, invitation, _ in lapsed},
        since=tx.now - tx.policy.misses_window,
    )
    tell_holders(
        tx,
        [
            Letter(
                f"invitation_{kind}",
                invitation,
                {
                    "reference": lead.reference,
                    "then": then,
                    "is_miss": misses[invitation.id].kind is kind
                    and misses[invitation.id].struck_at is None,
                    "misses": len(counted[invitation.provider_id]),
                    "too_many": tx.policy.misses_before_pause,
                    "days": tx.policy.misses_window.days,
                },
            )
            for lead, invitation, kind in lapsed
        ],
    )


def tell_of_miss(
    tx: Transaction, lead: Lead, invitation: Invitation, kind: MissKind, then: Then = Then.PASSED_ON
) -> None:
    """Tell the holder of what time has ended, and how its record stands now."""
    tell_of_misses(tx, [(lead, invitation, kind)], then)


OBJECTED = "miss_objected"
"""The letter by which administrators have what a provider said."""


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
            OBJECTED,
            miss.invitation_id,
            path=f"/admin/providers/{miss.provider_id}",
            reference=lead.reference,
            objection=text,
        )
        return track_record.shown(tx.session, [miss], tx.policy)[0]


def uphold_miss(ctx: Context, actor: Actor, invitation_id: UUID, *, reason: str) -> Missed:
    """Let a miss stand that its provider objected to, with a reason that the provider reads."""
    actor.require_admin()
    with ctx.transaction() as tx:
        miss = _miss_of(tx.session, actor, invitation_id)
        lead, invitation = lock_miss(tx, miss)
        reason = lead.unnamed(reason)
        miss.uphold(reason, by=actor.id, now=tx.now)
        _forget_objection_of_erased(tx, lead, miss)
        record(tx, actor, "miss.upheld", miss.invitation_id, provider=str(miss.provider_id))
        tell_holder(tx, "miss_upheld", invitation, reference=lead.reference, reason=reason)
        return track_record.shown(tx.session, [miss], tx.policy)[0]


def strike(tx: Transaction, actor: Actor, invitation_id: UUID, reason: str) -> Miss:
    """Take a miss off the record, and end a pause that no longer stands. Return it, all locked."""
    miss = _miss_of(tx.session, actor, invitation_id)
    lead, invitation = lock_miss(tx, miss)
    coverage.lock_rows(tx.session, [miss.provider_id])
    reason = lead.unnamed(reason)  # its provider reads that, and may never have accepted
    miss.strike(reason, by=actor.id, now=tx.now)
    _forget_objection_of_erased(tx, lead, miss)
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


def _forget_objection_of_erased(tx: Transaction, lead: Lead, miss: Miss) -> None:
    """Forget what was said after the business had itself erased, once that has been decided.

    Administrators had it by mail as well.
    """
    if lead.erased_at is not None:
        miss.objection = None
        forget_messages(tx, [miss.invitation_id], template=OBJECTED)


def _end_pause_if_fewer(tx: Transaction, actor: Actor, provider_id: UUID) -> bool:
    """End the pause for misses unless as many as it takes are left, whenever they were."""
    pause = pauses.pause_for_misses(tx.session, provider_id)
    if pause is None:
        return False
    joined_at = tx.session.get_one(Provider, provider_id).created_at
    left = track_record.counting(tx.session, [provider_id], since=joined_at)
    if track_record.are_too_many(left[provider_id], tx.policy):
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
