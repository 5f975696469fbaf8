"""When a provider gets no invitations: as it wishes itself, or for what it let lapse."""

from collections.abc import Collection, Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from marketplace.core import links
from marketplace.core.actors import Actor, Kind
from marketplace.core.context import Context, Transaction
from marketplace.core.db import new_id
from marketplace.core.errors import FieldError, Gone, NotFound
from marketplace.core.events import record
from marketplace.core.forms import Form
from marketplace.core.jobs import Job
from marketplace.core.links import Purpose
from marketplace.providers.coverage import hold_provider
from marketplace.providers.models import Pause, Provider
from marketplace.providers.rules import PauseReason


def add_pause(ctx: Context, actor: Actor, form: Form) -> Pause:
    """Stop invitations to the provider for a time."""
    with ctx.transaction() as tx:
        provider, _ = hold_provider(tx, actor.own_provider())
        start, end = form.values.get("from"), form.values.get("until")
        problems = []
        if end is not None and end <= tx.now:
            problems.append(FieldError("/until", "is in the past"))
        elif start is not None and end is not None and end <= start:
            problems.append(FieldError("/until", "must be later than its beginning"))
        wanted = form.accept(problems)
        pause = Pause(
            id=new_id(),
            provider_id=provider.id,
            starts_at=wanted["from"],
            ends_at=wanted["until"],
            created_at=tx.now,
        )
        tx.session.add(pause)
        record(tx, actor, "provider.paused", provider.id, pause=str(pause.id))
        return pause


def delete_pause(ctx: Context, actor: Actor, pause_id: UUID) -> None:
    """End a pause, or take back one that has not begun."""
    with ctx.transaction() as tx:
        provider, _ = hold_provider(tx, actor.own_provider())
        pause = tx.session.get(Pause, pause_id)
        if pause is None or pause.provider_id != provider.id:
            raise NotFound("there is no such pause")
        _come_back(tx, actor, provider, pause)


def come_back(ctx: Context, token: str) -> None:
    """End the pause whose notice carries this link; of one that has ended already, raise `Gone`."""
    with ctx.transaction() as tx:
        pause = pause_by_link(tx.session, token, now=tx.now)
        if pause is not None:
            provider, _ = hold_provider(tx, pause.provider_id)
            # Somebody may have been quicker.
            pause = pause_by_link(tx.session, token, now=tx.now)
        if pause is None:
            raise Gone("this link was used or has lapsed")
        _come_back(tx, Actor(Kind.PROVIDER, provider_id=provider.id), provider, pause)


def _come_back(tx: Transaction, actor: Actor, provider: Provider, pause: Pause) -> None:
    if pause.reason is PauseReason.REPEATED_MISSES:
        provider.came_back_at = tx.now
    end_pause(tx, actor, pause)


def end_pause(tx: Transaction, actor: Actor, pause: Pause) -> None:
    """Let a pause be over, and try waiting leads that its provider fits. The provider is locked."""
    tx.session.delete(pause)
    record(tx, actor, "provider.pause_ended", pause.provider_id, pause=str(pause.id))
    tx.afterwards(Job.REMATCH_WAITING_LEADS, pause.provider_id)


def begin_pauses_for_misses(tx: Transaction, provider_ids: Collection[UUID]) -> Mapping[UUID, UUID]:
    """Pause providers until they come back; return the pause of each that was not paused so.

    What they were invited to before runs on.
    """
    rows = [
        {
            "id": new_id(),
            "provider_id": each,
            "starts_at": tx.now,
            "reason": PauseReason.REPEATED_MISSES,
            "created_at": tx.now,
        }
        for each in sorted(provider_ids)
    ]
    begun = tx.session.execute(
        insert(Pause).values(rows).on_conflict_do_nothing().returning(Pause.provider_id, Pause.id)
    )
    return {row.provider_id: row.id for row in begun}


def pause_for_misses(session: Session, provider_id: UUID) -> Pause | None:
    """Return the pause of a provider that missed too often, until it comes back."""
    return session.scalar(
        select(Pause).where(
            Pause.provider_id == provider_id, Pause.reason == PauseReason.REPEATED_MISSES
        )
    )


def pause_by_link(session: Session, token: str, *, now: datetime) -> Pause | None:
    """Return the pause from which this link leads back, while it lasts."""
    link = links.link_for(session, Purpose.COME_BACK, token, now=now)
    if link is None:
        return None
    return session.get(Pause, link.subject_id, populate_existing=True)
