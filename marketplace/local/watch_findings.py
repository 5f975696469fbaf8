"""Whether what waits is being worked off, and whether who watches can see it, for `doctor`.

The same things that `config/deploy/prometheus/alerts.yml` wakes somebody for, for whoever stands in
front of the machine.
"""

import shutil
import socket
import tempfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from redis import Redis
from rq import Queue
from rq.registry import FailedJobRegistry
from sqlalchemy import text
from sqlalchemy.orm import Session

from config.settings import Settings
from marketplace.core import tracing
from marketplace.core.jobs import QUEUES, backlog
from marketplace.core.metrics import FOLDER
from marketplace.core.sweeps_done import last_done
from marketplace.insights.counts import due_messages

Told = tuple[str, bool]
"""A sentence on what was looked at, and whether it is wrong."""

SOON = ("deadlines", "matching")
"""Queues that businesses and providers wait for."""

QUEUE_AGE = {True: timedelta(minutes=1), False: timedelta(minutes=10)}
"""How long the oldest job may wait, in those queues and in others."""

SWEEPS_MISSED, SWEEP_SPARE = 4, 60.0
"""A sweep is late after so many of its intervals and so many seconds more."""

CLOCKS_APART = 5.0
"""Seconds by which the clocks of two hosts may differ, as far as it is seen from here."""

MESSAGE_AGE = timedelta(minutes=5)

FREE_AT_LEAST = 512 * 2**20
"""Bytes that a disk has left: below that, servers stop within the day."""

FREE_IN_MEMORY = 16 * 2**20
"""The same where processes count together: a file that cannot grow there ends a process."""

OF_MOST = 0.9
"""How much of its memory Redis may have in use, and of its connections PostgreSQL."""

PATIENCE = 3.0
"""Seconds within which somebody who watches takes a connection."""

_CONNECTIONS = text(
    "SELECT (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),"
    " current_setting('max_connections')::int"
    " - current_setting('superuser_reserved_connections')::int"
)

HELD_UP_FOR = timedelta(seconds=5)
"""For how long a commit may wait for the replica that is to have it too."""

_HELD_UP = text(
    "SELECT count(*), max(clock_timestamp() - query_start) FROM pg_stat_activity"
    " WHERE wait_event = 'SyncRep' AND clock_timestamp() - query_start >= :least"
)


def database_findings(session: Session, now: datetime) -> Iterator[Told]:
    """Look at what is due to be sent, and at how many connections are left."""
    for due in due_messages(session, now):
        if due.since is not None and now - due.since > MESSAGE_AGE:
            yield (
                f"{due.count} messages by {due.channel} are due, the oldest for "
                f"{_long(now - due.since)}. Does a worker serve that queue? Its log says why "
                "messages are put back.",
                True,
            )
    yield from _held_up(session)
    used, most = session.execute(_CONNECTIONS).one()
    if used > OF_MOST * most:
        yield (
            f"{used} of PostgreSQL's {most} connections are in use, and the next that is asked for "
            "may be refused. Run fewer threads and workers, put PgBouncer between, or raise "
            "max_connections (config/deploy/SCALING.md).",
            True,
        )
    else:
        yield f"{used} of PostgreSQL's {most} connections are in use.", False


def _held_up(session: Session) -> Iterator[Told]:
    waiting, longest = session.execute(_HELD_UP, {"least": HELD_UP_FOR}).one()
    if waiting:
        yield (
            f"Commits that wait for a synchronous replica: {waiting}, the longest for "
            f"{_long(longest)}. Forms hang until one is back, or until nobody waits for it any "
            "more: config/deploy/FAILOVER.md, What you do.",
            True,
        )


def redis_findings(redis: Redis, now: datetime) -> Iterator[Told]:
    """Look at the queues, at the sweeps, and at Redis' memory. Raises what Redis says."""
    late = False
    for name, queue in backlog(redis, now).items():
        if queue.oldest > QUEUE_AGE[name in SOON]:
            late = True
            yield (
                f"The oldest job of the queue {name} has waited for {_long(queue.oldest)}, and "
                f"{queue.waiting} wait. Nothing is lost. If the workers are busy, start more "
                f"(`marketplace worker --queues {name}`); if they are not, see their log.",
                True,
            )
    sweeps = last_done(redis)
    ahead = max((done.at - now.timestamp() for done in sweeps.values()), default=0.0)
    if ahead > CLOCKS_APART:
        late = True
        yield (
            f"By a worker's clock a sweep was done {_long(timedelta(seconds=ahead))} from now. "
            "Deadlines are judged by that clock: run `marketplace doctor` on every host to see "
            "whose is wrong, stop what runs there, and have it keep time by NTP.",
            True,
        )
    for name, done in sorted(sweeps.items()):
        age = now.timestamp() - done.at
        if age > SWEEPS_MISSED * done.every + SWEEP_SPARE:
            late = True
            yield (
                f"{name} was last done {_long(timedelta(seconds=age))} ago and should be every "
                f"{_long(timedelta(seconds=done.every))}: what it looks for is found late. Do a "
                f"scheduler and workers run, and what does their log say of {name}?",
                True,
            )
    if not late:
        yield "No queue is stale, and no sweep is late.", False
    failed = sum(
        FailedJobRegistry(queue=Queue(name, connection=redis)).get_job_count(cleanup=False)
        for name in QUEUES
    )
    if failed:
        yield (
            f"Jobs that failed within the last day: {failed}. The sweeps behind them tried again; "
            "the log of the workers says why (`job_failed`).",
            False,
        )
    yield from _memory(cast(dict[str, Any], redis.info("memory")))


def _memory(info: dict[str, Any]) -> Iterator[Told]:
    used, most = int(info["used_memory"]), int(info.get("maxmemory", 0))
    policy = str(info.get("maxmemory_policy", "noeviction"))
    if most and used > OF_MOST * most:
        yield (
            f"Redis has {used / most:.0%} of the memory in use that it may have. Once it is full "
            "forms are taken and nothing is lost, but no worker and no scheduler can go on: "
            "nothing is matched and no mail goes out. Raise maxmemory, then see which queue grows.",
            True,
        )
    if most and policy != "noeviction":
        yield (
            f"Redis throws away what it likes when it is full (maxmemory-policy {policy}), jobs "
            "among it. Set maxmemory-policy to noeviction.",
            True,
        )


def disk_findings(data_dir: Path | None, environment: dict[str, str]) -> Iterator[Told]:
    """Look at what disks of this machine have left; PostgreSQL's may be another machine's."""
    places = {Path(tempfile.gettempdir()): FREE_AT_LEAST}
    if data_dir is not None and data_dir.is_dir():
        places[data_dir] = FREE_AT_LEAST
    counted = environment.get(FOLDER, "/dev/shm")  # nosec B108  # looked at, nothing is put there
    if Path(counted).is_dir():
        places[Path(counted)] = FREE_IN_MEMORY
    full = False
    for place, least in places.items():
        free = shutil.disk_usage(place).free
        if free < least:
            full = True
            yield (
                f"Only {free / 2**20:.0f} MiB are free at {place}. Make room there before "
                "something stops in the middle of its work.",
                True,
            )
    if not full:
        yield "The disks of this machine have room.", False


def watcher_findings(settings: Settings) -> Iterator[Told]:
    """Look whether those can be reached who are told of faults and of traces."""
    named = {
        "SENTRY_DSN": (settings.sentry_dsn, "Faults are not reported", "what takes them"),
        "OTLP_ENDPOINT": (
            settings.otlp_endpoint, "Traces are lost", "the collector",
        ),
    }  # fmt: skip
    for name, (address, harm, who) in named.items():
        if not address:
            continue
        parts = urlsplit(address)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        at = f"{parts.hostname}, port {port}"
        try:
            socket.create_connection((parts.hostname or "", port), PATIENCE).close()
        except OSError as error:
            yield (
                f"{harm}: nobody answers at {at} ({error.strerror or error}). Nothing else waits "
                f"for it. Start {who}, let this machine reach it, or correct MARKETPLACE_{name}.",
                True,
            )
        else:
            if name == "OTLP_ENDPOINT" and not tracing.library().takes_spans(address):
                yield (
                    f"{harm}: what answers at {at} takes none. Is it a collector for OTLP over "
                    "HTTP, and does it want headers (OTEL_EXPORTER_OTLP_HEADERS)? See its log, or "
                    f"correct MARKETPLACE_{name}.",
                    True,
                )
            else:
                yield f"{at} of MARKETPLACE_{name} can be reached.", False
    if settings.metrics_listen and ip_address(settings.metrics_listen[0]).is_global:
        host, port = settings.metrics_listen
        yield (
            f"Workers tell their figures at {host}, port {port}, to whoever asks, and that is an "
            "address of the internet. Name an inner one in MARKETPLACE_METRICS_LISTEN.",
            True,
        )


def _long(time: timedelta) -> str:
    """Return how long something is, in the unit that suits it."""
    seconds = time.total_seconds()
    for size, unit in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} seconds"
