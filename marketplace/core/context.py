"""What a use case needs from outside, and the one way to open a transaction.

The first parameter of a function says which kind it is:

    ctx      a use case: opens one transaction, commits it, then rings the jobs it asked for
    tx       a step inside someone else's transaction; never commits, but for the last statement of
             one that has sent none yet (`at_once`)
    session  a question put to the database; changes nothing
    (none)   a rule: plain values in, plain values out
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from marketplace.core.attempts import Attempts
from marketplace.core.direct import Direct, Values, alone, driver
from marketplace.core.jobs import Asked, HeldBack, Job, JobQueue, in_batches
from marketplace.core.policy import Policy
from marketplace.core.sealing import Seal

_DO_NOT_WAIT = "SET LOCAL synchronous_commit TO off"
_ONE_PICTURE = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
"""How the driver begins a transaction of questions: said with its BEGIN, not in another message."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, repr=False)
class Origin:
    """Where a change comes from: the request (or job) and the network address behind it."""

    request_id: str = "-"
    address: str | None = None
    door: str = "-"
    """`page`, `embed` or `api`, where somebody asks."""


@dataclass
class Transaction:
    """One unit of work: a session, the moment it happens, the jobs it leads to."""

    session: Session
    now: datetime
    policy: Policy
    origin: Origin
    jobs: list[Asked] = field(default_factory=list)

    def afterwards(self, job: Job, subject_id: UUID | None = None) -> None:
        """Ask for `job` once this transaction has been committed."""
        self.jobs.append((job, subject_id))

    def at_once(self, statement: Direct, values: Values) -> list[Any]:
        """Let one statement be the whole of this transaction, in one round trip; return its rows.

        Where something was sent before, or somebody else holds the transaction open, it is a part
        of that. What it wrote is committed otherwise, so it comes last, or has written nothing.
        """
        engine = self.session.get_bind()
        if self.session.in_transaction() or not isinstance(engine, Engine):
            return statement.rows(self.session, values)
        with alone(engine) as connection:
            return statement.rows_on(connection, values)


@dataclass(frozen=True)
class Context:
    """The outside, as a use case sees it. One per process; `at` makes one per request or job."""

    sessions: Callable[[], Session]
    """The session of the current application context."""
    queue: JobQueue
    clock: Callable[[], datetime]
    policy: Policy
    seal: Callable[[str], Seal]
    """Makes the seal for a purpose, with the key of this installation."""
    attempts: Attempts
    """How often something was tried in vain."""
    origin: Origin = Origin()

    def at(self, origin: Origin) -> "Context":
        """Return the same context, for changes that come from `origin`."""
        return replace(self, origin=origin)

    @contextmanager
    def transaction(
        self, *, waits_for_disk: bool = True, waits_for_locks: timedelta | None = None
    ) -> Iterator[Transaction]:
        """Commit on the way out, or roll back if anything was raised; then ring the jobs.

        `waits_for_disk`: whether the commit returns only when PostgreSQL would remember it after a
        power cut. What is written later can not get there earlier, so of several transactions that
        nobody has been told of, the last one may wait for all. Everything else waits.

        `waits_for_locks`: how long to wait for a row that somebody else holds, before it raises;
        as long as it takes where nothing is said.
        """
        session = self.sessions()
        tx = Transaction(session, self.clock(), self.policy, self.origin)
        try:
            if not waits_for_disk:
                driver(session).execute(_DO_NOT_WAIT)
            if waits_for_locks is not None:
                milliseconds = int(waits_for_locks.total_seconds() * 1000)
                driver(session).execute(f"SET LOCAL lock_timeout TO {milliseconds}")
            yield tx
            if session.in_transaction():
                session.commit()
        except BaseException:
            session.rollback()
            raise
        finally:
            session.close()
        self._ring(tx.jobs)

    @contextmanager
    def ringing_together(self) -> Iterator["Context"]:
        """Yield a context whose transactions ring on the way out, all together.

        So a job that each of them asks for is rung once, and one that takes many ids gets them.
        """
        held_back = HeldBack()
        try:
            yield replace(self, queue=held_back)
        finally:
            self._ring(held_back.asked)

    def _ring(self, asked: list[Asked]) -> None:
        for job, subject_ids in in_batches(asked):
            try:
                self.queue.put(job, subject_ids, request_id=self.origin.request_id)
            except Exception as error:
                # What was committed is safe; the next sweep will find it.
                log.warning("job_not_rung", job=job, subjects=len(subject_ids), error=str(error))

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Open a session for questions only: one consistent picture, and no write gets through."""
        session = self.sessions()
        try:
            session.connection(execution_options=_ONE_PICTURE)
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
