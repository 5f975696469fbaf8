"""Who was shown the contact of a request, and when: for the business, and in the log."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from marketplace.core.actors import Actor
from marketplace.core.context import Context
from marketplace.core.events import Event, record_contact_reads
from marketplace.leads.models import Lead


@dataclass(frozen=True)
class ContactRead:
    """The first time in a day that somebody was shown the contact."""

    at: datetime
    by: str
    """A `core.actors.Kind`."""
    provider_id: UUID | None
    """For which provider, if for one."""
    door: str
    """`page` or `api`; `mail` where we wrote it to the provider; `-` at the command line."""


def contact_reads(session: Session, lead_id: UUID) -> list[ContactRead]:
    """Return who was shown the contact of a request, in order of time."""
    rows = session.scalars(
        select(Event)
        .where(Event.subject_id == lead_id, Event.verb == "lead.contact_read")
        .order_by(Event.id)
    )
    return [
        ContactRead(
            at=each.at,
            by=each.actor_kind,
            provider_id=UUID(each.facts["provider"]) if each.facts.get("provider") else None,
            door=each.facts["door"],
        )
        for each in rows
    ]


def note_leads_shown(ctx: Context, actor: Actor, leads: Iterable[Lead]) -> None:
    """Write down whose contacts an administrator is about to be shown; of some nothing is left."""
    shown: Sequence[UUID] = [each.id for each in leads if each.erased_at is None]
    if shown:
        with ctx.transaction() as tx:
            record_contact_reads(tx, actor, shown)


def note_addresses_shown(ctx: Context, actor: Actor, addresses: Iterable[str]) -> None:
    """Write down whose contacts an administrator is shown among these addresses.

    In whatever list they stand: where an address is that of several requests, of each of them.
    """
    wanted = {each.strip().lower() for each in addresses}
    with ctx.reading() as session:
        found = session.scalars(
            select(Lead).where(func.lower(Lead.contact_email).in_(wanted), Lead.erased_at.is_(None))
        ).all()
    note_leads_shown(ctx, actor, found)
