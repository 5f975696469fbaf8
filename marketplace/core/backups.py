"""When a back-up was taken last: a fact like any other, so it stands in the log."""

from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from marketplace.core.actors import OPERATOR
from marketplace.core.context import Context
from marketplace.core.events import NOTHING_IN_PARTICULAR, Event, record

TAKEN = "backup.taken"


def note_backup(ctx: Context, *, as_of: datetime) -> None:
    """Write down that a back-up is safe that holds everything up to `as_of`."""
    with ctx.transaction() as tx:
        at = as_of.astimezone(UTC).isoformat(timespec="seconds")
        record(tx, OPERATOR, TAKEN, NOTHING_IN_PARTICULAR, as_of=at)


def last_backup(session: Session) -> datetime | None:
    """Return up to when the latest back-up that was noted holds everything."""
    of_backups = Event.subject_id == NOTHING_IN_PARTICULAR, Event.verb == TAKEN
    at = session.scalar(select(func.max(Event.facts["as_of"].astext)).where(*of_backups))
    return datetime.fromisoformat(at) if at else None
