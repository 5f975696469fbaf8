"""Which addresses get no mail: those that bounce, those that complained, those stopped by hand."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Select, delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from marketplace.core.actors import SYSTEM, Actor
from marketplace.core.context import Context, Transaction
from marketplace.core.db import new_id
from marketplace.core.errors import Conflict, NotFound
from marketplace.core.events import record, record_each
from marketplace.notifications.models import Notification, Suppression
from marketplace.notifications.rules import SuppressionReason, address_key


def suppressions() -> Select[Suppression]:
    """Return those in force, to be read a page at a time."""
    return select(Suppression).where(Suppression.lifted_at.is_(None))


def suppression_of(session: Session, address: str) -> Suppression | None:
    """Return why this address gets no mail, if it gets none."""
    return session.scalar(suppressions().where(Suppression.address == address_key(address)))


def suppressions_of(session: Session, addresses: Collection[str]) -> dict[str, Suppression]:
    """Return those of these addresses that get no mail, by their `address_key`."""
    keys = {address_key(each) for each in addresses}
    found = session.scalars(suppressions().where(Suppression.address.in_(keys)))
    return {each.address: each for each in found}


def stopped_among(session: Session, addresses: Collection[str]) -> set[str]:
    """Return the keys of those of these addresses that get no mail."""
    return set(suppressions_of(session, addresses))


@dataclass(frozen=True)
class Cause:
    """The message about which the mail service reported what ends all mail to its address."""

    notification: Notification
    reason: SuppressionReason


def suppress_for(tx: Transaction, causes: Sequence[Cause]) -> None:
    """Stop mail to the addresses of these messages; what one has caused before, it causes no more.

    A message that has been emptied says nothing about any address.
    """
    rows: dict[str, dict[str, Any]] = {}
    for cause in causes:
        if cause.notification.has_reader:
            key = address_key(cause.notification.recipient)
            rows.setdefault(
                key,
                {
                    "id": new_id(),
                    "address": key,
                    "reason": cause.reason,
                    "since": tx.now,
                    "notification_id": cause.notification.id,
                },
            )
    if not rows:
        return
    made = tx.session.execute(
        insert(Suppression)
        .on_conflict_do_nothing()
        .returning(Suppression.id, Suppression.reason, Suppression.notification_id),
        # In one order, so that two bodies of reports cannot wait for each other.
        [rows[key] for key in sorted(rows)],
    )
    facts = {each: {"reason": why, "notification": str(cause)} for each, why, cause in made}
    record_each(tx, SYSTEM, "suppression.made", facts)


def forget_bounces(tx: Transaction, address: str) -> None:
    """Forget that mail to this address comes back. Who wanted no mail goes on getting none."""
    tx.session.execute(
        delete(Suppression).where(
            Suppression.address == address_key(address),
            Suppression.reason == SuppressionReason.HARD_BOUNCE,
        )
    )


def suppress_address(ctx: Context, actor: Actor, *, address: str) -> Suppression:
    """Stop mail to an address by hand."""
    actor.require_admin()
    with ctx.transaction() as tx:
        return _suppress(tx, actor, address)


def suppress_again(ctx: Context, actor: Actor, suppression_id: UUID) -> Suppression:
    """Stop mail, by hand, to an address that was let through."""
    actor.require_admin()
    with ctx.transaction() as tx:
        lifted = tx.session.get(Suppression, suppression_id)
        if lifted is None:
            raise NotFound("no such address")
        return _suppress(tx, actor, lifted.address)


def _suppress(tx: Transaction, actor: Actor, address: str) -> Suppression:
    made: Suppression | None = tx.session.scalar(
        insert(Suppression)
        .values(
            id=new_id(),
            address=address_key(address),
            reason=SuppressionReason.BY_HAND,
            since=tx.now,
        )
        .on_conflict_do_nothing()
        .returning(Suppression)
    )
    if made is None:
        raise Conflict("this address gets no mail already")
    record(tx, actor, "suppression.made", made.id, reason=made.reason)
    return made


def lift_suppression(
    ctx: Context, actor: Actor, suppression_id: UUID, *, reason: str
) -> Suppression:
    """Let an address get mail again; what was held back from it can be retried."""
    actor.require_admin()
    with ctx.transaction() as tx:
        suppression = tx.session.get(Suppression, suppression_id, with_for_update=True)
        if suppression is None:
            raise NotFound("no such address")
        if suppression.lifted_at is not None:
            raise Conflict("this address gets mail again already")
        suppression.lifted_at, suppression.lifted_because = tx.now, reason
        record(tx, actor, "suppression.lifted", suppression.id, reason=suppression.reason)
        return suppression
