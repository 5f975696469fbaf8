"""Whether what happens to this machine could be undone, for `doctor`."""

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from marketplace.core.backups import last_backup
from marketplace.core.policy import Policy

_ARCHIVE = text(
    "SELECT current_setting('archive_mode') <> 'off', last_archived_time, last_failed_time,"
    " coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false)"
    " FROM pg_stat_archiver"
)


def backup_findings(session: Session, policy: Policy, now: datetime) -> Iterator[tuple[str, bool]]:
    """Yield what was looked at, a sentence each, and whether it is wrong."""
    is_archived, archived_at, failed_at, fails = session.execute(_ARCHIVE).one()
    is_recent = archived_at is not None and now - archived_at <= policy.back_up_within
    if fails and is_archived:
        yield (
            f"PostgreSQL cannot archive its log since {failed_at:%Y-%m-%d %H:%M} UTC: what happens "
            "from then on could not be recovered, and its disk fills. Look at archive_command.",
            True,
        )
    elif is_archived and is_recent:
        yield f"PostgreSQL archived its log last at {archived_at:%Y-%m-%d %H:%M} UTC.", False
    elif is_archived and archived_at is not None:
        yield (
            f"PostgreSQL archived its log last at {archived_at:%Y-%m-%d %H:%M} UTC, and does not "
            "say that it fails. Does archive_command hang, or is there no archive_timeout?",
            True,
        )
    elif is_archived:  # it has only just been started, or archive_command is empty
        yield "PostgreSQL is to archive its log, and has archived none of it yet.", False
    is_archived = is_archived and is_recent and not fails
    taken = last_backup(session)
    if taken is None:
        if not is_archived:
            yield (
                "No back-up was noted here yet: `marketplace back-up FILE` takes one "
                "(config/deploy/BACKUP.md).",
                False,
            )
    elif now - taken > policy.back_up_within and not is_archived:
        yield (
            f"The last back-up that was noted is of {taken:%Y-%m-%d %H:%M} UTC. Has what takes "
            "them stopped? `marketplace back-up FILE` takes one.",
            True,
        )
    else:
        yield f"The last back-up that was noted is of {taken:%Y-%m-%d %H:%M} UTC.", False
