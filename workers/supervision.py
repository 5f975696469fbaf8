"""The parent of the worker processes: replaces one that ends, and kills one whose job hangs.

It opens no connection and takes no job: nothing that stops a job can stop it, and no processes that
it forks share a connection.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

import structlog

from config import reporting
from marketplace.core import metrics, tracing
from marketplace.core.processes import BackOff, tie_to_parent
from workers.limits import Deadline

GRACE = 15.0
"""Seconds past its deadline after which the process of a job is killed.

More than the ten that psycopg takes at most to take a query back from PostgreSQL.
"""

GLANCE = 0.1
"""Seconds between two looks at the worker processes."""

STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""What asks to stop; the last says that the terminal is gone, which `nohup` has ignored."""

Body = Callable[[Deadline], None]
"""What a worker process does; it notes there until when its present job may run."""

log = structlog.get_logger(__name__)


class Post:
    """Where one worker process works, and another after it."""

    def __init__(self, body: Body, place: int) -> None:
        self.pid = 0
        self._place = place
        self._body = body
        self._deadline = Deadline()
        self._back_off = BackOff()
        self._not_before = 0.0

    def look_after(self, *, replace: bool) -> None:
        """Kill the process if its job hangs; if there is none, start one if that is wanted."""
        if self.pid:
            ended, status = os.waitpid(self.pid, os.WNOHANG)
            if ended:
                self._see_off(os.waitstatus_to_exitcode(status), replace=replace)
            elif self._deadline.passed_by(GRACE):
                why = f"{self.pid} is killed {GRACE:g} s past the limit of its job"
                log.error("job_hangs", job=self._deadline.name, reason=why)
                self.tell(signal.SIGKILL)
                self._deadline.forget()
        elif replace and time.monotonic() >= self._not_before:
            self._back_off.started()
            try:
                self.pid = _fork(self._begin)
            except OSError as error:  # no memory, say: those that are at work go on
                self._wait(str(error))

    def _begin(self) -> None:
        metrics.take_place(os.getppid(), self._place)
        self._body(self._deadline)

    def tell(self, number: signal.Signals) -> None:
        if self.pid:
            os.kill(self.pid, number)

    def _see_off(self, code: int, *, replace: bool) -> None:
        how = f"was ended: {signal.strsignal(-code)}" if code < 0 else f"ended with {code}"
        pid, self.pid = self.pid, 0
        metrics.place_is_free(os.getpid(), self._place)
        self._deadline.forget()  # whoever was killed could not
        if replace:
            metrics.PROCESSES_ENDED.labels("worker").inc()
            self._wait(f"{pid} {how}")

    def _wait(self, reason: str) -> None:
        wait = self._back_off.ended()
        self._not_before = time.monotonic() + wait
        log.warning("started_again", what="worker", reason=reason, wait=wait)


def supervise(processes: int, body: Body, *others: Body) -> None:
    """Keep so many processes at work until asked to stop; then let each finish its job.

    `others`: what one more process each does meanwhile.

    Asked again, it asks them again: they give up the job at hand.
    """
    asked: list[int] = []
    _heed(lambda signum, _frame: asked.append(signum))
    bodies = [*[body] * processes, *others]
    posts = [Post(each, place) for place, each in enumerate(bodies)]
    passed_on = 0
    while not asked or any(post.pid for post in posts):
        for post in posts:
            post.look_after(replace=not asked)
        if passed_on < len(asked):
            passed_on = len(asked)
            for post in posts:
                post.tell(signal.SIGTERM)
        time.sleep(GLANCE)


def stop_at_once_on_signals() -> None:
    def leave(_signum: int, _frame: FrameType | None) -> NoReturn:
        sys.exit(0)

    _heed(leave)


def _heed(handler: Callable[[int, FrameType | None], object]) -> None:
    for number in STOPS:
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def _fork(body: Callable[[], None]) -> int:
    """Do `body` in a new process, which is killed when this one ends; return its id."""
    parent = os.getpid()
    # Until the child has handlers of its own, what it is told would go to a copy of ours.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    try:
        pid = os.fork()
        if pid == 0:
            _be_a_child(parent, body)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
    return pid


def _be_a_child(parent: int, body: Callable[[], None]) -> NoReturn:
    code = 1
    try:
        tie_to_parent(parent, signal.SIGKILL)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a terminal tells all, and the parent us
        stop_at_once_on_signals()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
        body()
        code = 0
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 1
    except Exception:
        log.exception("worker_failed")
    finally:
        tracing.stop()
        reporting.finish()
        sys.stdout.flush()
        os._exit(code)
