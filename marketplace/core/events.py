"""The audit log: who did what to what, when and from where, in the transaction that did it.

Append-only, by permission and by triggers in the database; `sealing_log` chains what was committed.
Facts are codes, ids and numbers: no personal content.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CTE,
    BigInteger,
    Column,
    Index,
    Insert,
    Select,
    SmallInteger,
    Table,
    UniqueConstraint,
    Uuid,
    bindparam,
    insert,
    select,
    text,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.core.actors import Actor
from marketplace.core.context import Transaction
from marketplace.core.db import Base, Id, Json, new_id
from marketplace.core.direct import Direct
from marketplace.core.networks import network_of

NOTHING_IN_PARTICULAR = UUID(int=0)
"""The subject of what was done to no one thing, but to many at once."""


class Event(Base):
    """One thing that happened."""

    __tablename__ = "events"
    __table_args__ = (
        Index(None, "subject_id"),
        Index(None, "actor_id"),
        Index(
            "uq_events_contact_read",
            "subject_id",
            "actor_kind",
            text(f"coalesce(actor_id, '{UUID(int=0)}'::uuid)"),
            text("(facts ->> 'day')"),
            unique=True,
            postgresql_where=text("verb = 'lead.contact_read'"),
        ),
    )

    id: Mapped[Id]
    at: Mapped[datetime]
    actor_kind: Mapped[str]
    actor_id: Mapped[UUID | None]
    verb: Mapped[str]
    """Subject and past participle: `lead.opened`, `invitation.declined`."""
    subject_id: Mapped[UUID]
    facts: Mapped[Json]
    request_id: Mapped[str]
    address: Mapped[str | None]


class EventSeal(Base):
    """One link of the chain behind the log (`core.chain`)."""

    __tablename__ = "event_seals"
    __table_args__ = (UniqueConstraint("event_id"),)

    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    event_id: Mapped[UUID]
    form: Mapped[int] = mapped_column(SmallInteger)
    hash: Mapped[bytes]


unsealed_events = Table("unsealed_events", Base.metadata, Column("event_id", Uuid, nullable=False))
"""What is committed and not sealed yet. A trigger on events fills it, the sealer empties it."""


def record(tx: Transaction, actor: Actor, verb: str, subject_id: UUID, **facts: Any) -> None:
    """Write down that `actor` did `verb` to the subject."""
    tx.session.add(Event(**written(tx, actor, verb, subject_id, facts)))


def record_each(tx: Transaction, actor: Actor, verb: str, subjects: Mapping[UUID, Json]) -> None:
    """Write down that `actor` did `verb` to each of these, with the facts of each."""
    _WRITE.run(
        tx.session,
        *(written(tx, actor, verb, each, facts) for each, facts in subjects.items()),
    )


def record_once_a_day(tx: Transaction, actor: Actor, verb: str, subject_id: UUID) -> None:
    """Write down that `actor` did `verb` to the subject, unless they did so this day (in UTC).

    For what shows the log itself: else each look would change what the next one shows. Two at the
    same moment may both be written down.
    """
    midnight = tx.now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    done = recorded(subject_id=subject_id, actor_id=actor.id, verb=verb).where(Event.at >= midnight)
    if tx.session.scalar(select(done.exists())) is not True:
        record(tx, actor, verb, subject_id)


def record_contact_reads(
    tx: Transaction, actor: Actor, leads: Iterable[UUID], **facts: Any
) -> None:
    """Write down that `actor` was shown the contacts of these, once a day (in UTC) for each.

    Whoever asks again is not written down again, by a unique index: so that reading stays quick,
    and a program that looks every minute does not drown what else happened. In the order of their
    ids: whoever looks at two lists at once must not wait for himself.
    """
    facts |= {"day": tx.now.date().isoformat(), "door": tx.origin.door}
    _WRITE_ONCE.run(
        tx.session,
        *(written(tx, actor, "lead.contact_read", each, facts) for each in sorted(set(leads))),
    )


_events: Any = Event.__table__
COLUMNS = (
    "id", "at", "actor_kind", "actor_id", "verb", "subject_id", "facts", "request_id", "address",
)  # fmt: skip
"""What `written` returns of an event."""
_WRITE = Direct(insert(_events), columns=COLUMNS)
_WRITE_ONCE = Direct(postgresql.insert(_events).on_conflict_do_nothing(), columns=COLUMNS)


def recorded_with(change: CTE) -> Insert:
    """Return the statement that makes `change`, to one row, and writes it down if it was made.

    It takes what `written` returns besides the values of the change.
    """
    values = (bindparam(name, type_=_events.c[name].type) for name in COLUMNS)
    return insert(_events).from_select(COLUMNS, select(*values).select_from(change))


def written(tx: Transaction, actor: Actor, verb: str, subject_id: UUID, facts: Json) -> Json:
    """Return the columns of an event.

    Of where it came from the network alone: a whole address tells of a person, and nothing can be
    erased from here. Where it is needed whole, it stands where it can be (consents, sign-ins).
    """
    return {
        "id": new_id(),
        "at": tx.now,
        "actor_kind": actor.kind,
        "actor_id": actor.id,
        "verb": verb,
        "subject_id": subject_id,
        "facts": facts,
        "request_id": tx.origin.request_id,
        "address": network_of(tx.origin.address),
    }


def recorded(
    *, subject_id: UUID | None = None, actor_id: UUID | None = None, verb: str | None = None
) -> Select[Event]:
    """Return the log, or what happened to one subject, what one actor did, or one sort of thing.

    To be paged.
    """
    rows = select(Event)
    if subject_id is not None:
        rows = rows.where(Event.subject_id == subject_id)
    if actor_id is not None:
        rows = rows.where(Event.actor_id == actor_id)
    if verb is not None:
        rows = rows.where(Event.verb == verb)
    return rows
