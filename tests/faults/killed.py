"""Do something in a process of its own that is killed before one of its statements.

What to do are the arguments: `match` and the id of a lead, or `seal`.

Reads a number per line: the statement before which to kill, where the one after the last is the
commit. Answers `killed`, or `done` once there are fewer statements than that. The process forks for
each, once it has rehearsed: as a worker's, its statements are compiled, and it pays for that once.
"""

import os
import signal
import sys
from contextlib import redirect_stdout, suppress
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import event

from marketplace.core.context import Context
from marketplace.core.db import db
from marketplace.core.sealing_log import seal_events
from marketplace.matching import service as matching
from workers.context import product


def work(ctx: Context) -> None:
    if sys.argv[1] == "match":
        matching.match_lead(ctx, UUID(sys.argv[2]))
    else:
        seal_events(ctx)


def killed(*, kill_at: int) -> None:
    seen = 0

    def count(*_: Any) -> None:
        nonlocal seen
        seen += 1
        if seen == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    class Counting(psycopg.Cursor[Any]):
        def execute(self, *arguments: Any, **options: Any) -> Any:
            count()
            return super().execute(*arguments, **options)

        def executemany(self, *arguments: Any, **options: Any) -> None:
            count()
            super().executemany(*arguments, **options)

    def use_it(connection: psycopg.Connection, _: Any) -> None:
        connection.cursor_factory = Counting

    with product().app.app_context():
        event.listen(db.engine, "connect", use_it)
        event.listen(db.engine, "commit", count)
        work(product().ctx)


class Enough(Exception):
    """Ends a rehearsal."""


def rehearse() -> None:
    """Do the work without its commit, and leave no connection for others to share."""

    def end(_: Any) -> None:
        raise Enough

    with product().app.app_context():
        engine = db.engine
        event.listen(engine, "commit", end)
        with suppress(Enough):
            work(product().ctx)
        event.remove(engine, "commit", end)
        db.session.remove()
        engine.dispose()


def main() -> None:
    with redirect_stdout(sys.stderr):  # what it logs is no answer
        rehearse()
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            sys.stdout = sys.stderr
            killed(kill_at=int(line))
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        was_killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        sys.stdout.write("killed\n" if was_killed else f"done {status}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
