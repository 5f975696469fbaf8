"""What a use case needs from outside, and the one way to open a transaction.

The first parameter of a function says which kind it is:

    ctx      a use case: opens one transaction, commits it, then rings the jobs it asked for
    tx       a step inside someone else's transaction; never commits
    session  a question put to the database; changes nothing
    (none)   a rule: plain values in, plain values out
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy import text
from sqlalchemy.orm import Session

from marketplace.core.jobs import Job, JobQueue
from marketplace.core.policy import Policy

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Origin:
    """Where a change comes from: the request (or job) and the network address behind it."""

    request_id: str = "-"
    address: str | None = None


@dataclass
class Transaction:
    """One unit of work: a session, the moment it happens, the jobs it leads to."""

    session: Session
    now: datetime
    policy: Policy
    origin: Origin
    jobs: dict[tuple[Job, UUID | None], None] = field(default_factory=dict)
    """An ordered set: a job that is asked for twice is rung once."""

    def afterwards(self, job: Job, subject_id: UUID | None = None) -> None:
        """Ask for `job` once this transaction has been committed."""
        self.jobs[job, subject_id] = None


@dataclass(frozen=True)
class Context:
    """The outside, as a use case sees it. One per process; `at` makes one per request or job."""

    sessions: Callable[[], Session]
    """The session of the current application context."""
    queue: JobQueue
    clock: Callable[[], datetime]
    policy: Policy
    origin: Origin = Origin()

    def at(self, origin: Origin) -> "Context":
        """Return the same context, for changes that come from `origin`."""
        return replace(self, origin=origin)

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Commit on the way out, or roll back if anything was raised; then ring the jobs."""
        session = self.sessions()
        tx = Transaction(session, self.clock(), self.policy, self.origin)
        try:
            yield tx
            session.commit()
        except BaseException:
            session.rollback()
            raise
        finally:
            session.close()
        for job, subject_id in tx.jobs:
            try:
                self.queue.put(job, subject_id, request_id=self.origin.request_id)
            except Exception as error:
                # What was committed is safe; the next sweep will find it.
                log.warning("job_not_rung", job=job, subject=subject_id, error=str(error))

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Open a session for questions only: one consistent picture, and no write gets through."""
        session = self.sessions()
        try:
            session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
            yield session
            # What was read stays readable. It commits, having written nothing: the driver forgets
            # all it has prepared when a transaction is rolled back.
            session.expunge_all()
            session.commit()
        except BaseException:
            session.rollback()
            raise
        finally:
            session.close()
