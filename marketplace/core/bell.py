"""Ring for many from one thread: whoever committed meanwhile needs one ring for all.

Of jobs that drain whatever is due. A form takes as long to ask Redis whether one of these waits as
to write half of its rows; so in a process that answers many at once it does not ask itself.
"""

import atexit
import time
from collections.abc import Sequence
from threading import Event, Lock, Thread
from uuid import UUID

import structlog

from marketplace.core.jobs import DRAINS, Job, JobQueue

APART = 0.02
"""Seconds between two rings. The first of all comes at once; who commits meanwhile waits."""

log = structlog.get_logger(__name__)


class Bell:
    """A queue before the queue. What a process that dies did not ring for, the sweeps find."""

    def __init__(self, queue: JobQueue) -> None:
        self._queue = queue
        self._asked: dict[Job, str] = {}
        self._somebody_asked = Event()
        self._lock = Lock()
        self._ringer: Thread | None = None

    def put(self, job: Job, subject_ids: Sequence[UUID], *, request_id: str) -> None:
        """Ring soon what drains, and anything else at once; that may raise."""
        if job not in DRAINS:
            self._queue.put(job, subject_ids, request_id=request_id)
            return
        with self._lock:
            self._asked.setdefault(job, request_id)
            if self._ringer is None:  # not before: a fork would leave it behind
                ringer = Thread(target=self._ring_on, name="bell", daemon=True)
                ringer.start()  # raises where there may be no more: whoever comes next tries again
                self._ringer = ringer
                atexit.register(self.ring)
        self._somebody_asked.set()

    def ring(self) -> None:
        """Ring what was asked for by now."""
        with self._lock:
            asked, self._asked = self._asked, {}
        for job, request_id in asked.items():
            with structlog.contextvars.bound_contextvars(request_id=request_id):
                try:
                    self._queue.put(job, (), request_id=request_id)
                except Exception as error:  # what was committed is safe; the next sweep finds it
                    log.warning("job_not_rung", job=job, subjects=0, error=str(error))

    def _ring_on(self) -> None:
        while True:
            self._somebody_asked.wait()
            self._somebody_asked.clear()
            self.ring()
            time.sleep(APART)
