"""What happens in the processes of this host, counted for Prometheus.

Rows and queues say how much there is; these say how much happened, and how long it took. Each
process counts for itself, in files that `PROMETHEUS_MULTIPROC_DIR` names, and whichever of them is
asked sums up all of that folder: so whoever asks one of eight web processes hears of all eight, and
what a process counted stays when it ends. Without such a folder a process tells of itself alone.

The files belong to places and not to processes: who takes the place of one that has ended goes on
with its counts. The library would leave two behind for every process that ever was, in memory: a
process that ends again and again would fill that in a day, and no file could grow there any more.

Every label has few values, and none that anybody from outside can choose: routes are templates,
statuses are classes, jobs and templates are ours.
"""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Metric,
    values,
)
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector
from sqlalchemy import PoolProxiedConnection, QueuePool, event
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry

from marketplace.core.primary import is_away

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""The library's own name for where the processes of a host count together."""

OURS = "marketplace-counted-"

LEFT_BEHIND_AFTER = 60.0
"""Seconds after which a folder that nobody holds is nobody's: who makes one holds it at once."""

# What the library's own functions take and return, which they do not say.
_summed: Callable[[list[str]], Iterable[Metric]] = MultiProcessCollector.merge
_mark_dead: Callable[[str], None] = mark_process_dead

_place = ""


def _who() -> str:
    return _place or str(os.getpid())


def _have_folder() -> bool:
    """Return whether there is a folder to count in, made again where somebody cleared it away.

    As systemd does with what somebody has in memory whose last session ends. Without it whoever
    comes to count there, or to read, would fail: a watcher must not end what it watches.
    """
    folder = os.environ.get(FOLDER, "")
    if folder:
        with suppress(OSError):
            os.makedirs(folder, mode=0o700, exist_ok=True)
    return os.path.isdir(folder)


# Before anything is counted; the library would tell processes apart by their numbers, and where
# there is a name but no folder it would end them.
if _have_folder():
    values.ValueClass = values.MultiProcessValue(_who)  # type: ignore[no-untyped-call]  # its own
else:
    os.environ.pop(FOLDER, None)
    values.ValueClass = values.MutexValue

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper ends of what times are sorted into."""

REQUESTS = Counter("marketplace_requests", "Requests answered.", ["method", "route", "status"])
"""`status` is its class, such as `2xx`; `route` is a template, or `none`."""

REQUEST_SECONDS = Histogram(
    "marketplace_request_seconds", "How long requests took.", ["door"], buckets=SECONDS
)
"""`door` is `api`, `pages` or `operations`."""

ROUTE_SECONDS = Counter(
    "marketplace_route_seconds", "Seconds that requests took, in all.", ["method", "route"]
)
"""Beside how many there were: which route is slow, by one figure for each and not by twelve."""

JOB_SECONDS = Histogram(
    "marketplace_job_seconds", "How long jobs took.", ["job", "outcome"], buckets=SECONDS
)
"""`outcome` is `done`, `failed`, or `put_back`: PostgreSQL was away, and it is done again."""

DELIVERIES = Counter(
    "marketplace_deliveries", "Attempts to hand a message on.", ["channel", "outcome"]
)

CONNECTIONS = Gauge(
    "marketplace_database_connections",
    "Connections to PostgreSQL, in use and open.",
    ["state"],
    multiprocess_mode="livesum",
)

CONNECTION_WAIT = Histogram(
    "marketplace_database_connection_wait_seconds",
    "How long a request or a job waited until it had a connection to PostgreSQL.",
    ["outcome"],
    buckets=(0.001, 0.005, 0.025, 0.1, 0.5, 2.0, 10.0, 30.0),
)
"""`outcome` is `lent`, `too_long` (every connection was in use all the while) or `failed`."""

PROCESSES_ENDED = Counter(
    "marketplace_processes_ended", "Processes that ended unasked and were replaced.", ["process"]
)
"""By a crash, for their memory, or for a job that hung: the log says of each."""

MEMORY = Gauge(
    "marketplace_process_resident_bytes",
    "Memory of each process that serves requests or does jobs.",
    ["process"],
    multiprocess_mode="liveall",
)

_at_nought: list[Callable[[], object]] = []


def begin_at_nought(count: Counter | Histogram, *labels: str) -> None:
    """Have it told before it is counted: of a count that begins at one, no increase is seen.

    Where processes count together, those tell that take a place: each command that is run there
    would leave files for good.
    """
    tell = partial(count.labels, *labels)
    if os.environ.get(FOLDER):
        _at_nought.append(tell)
    else:
        tell()


for _outcome in ("lent", "too_long", "failed"):
    begin_at_nought(CONNECTION_WAIT, _outcome)
for _process in ("web", "worker"):
    begin_at_nought(PROCESSES_ENDED, _process)

MEMORY_EVERY = 5.0
"""Seconds between two looks at how much memory a process has."""

_PAGE = os.sysconf("SC_PAGE_SIZE")
_looked_at = 0.0


def counting_together(environment: MutableMapping[str, str]) -> int | None:
    """Name a folder in which the processes that are started with this environment count together.

    One that is named already stays: whoever runs several services on a host may give them one.
    Where none can be made each process counts for itself.

    Returns a descriptor by which those who inherit it hold the folder: what nobody holds any more,
    since all were killed, is removed by the next who come. None: there is nothing to hold.
    """
    if environment.get(FOLDER):
        return None
    try:
        where = in_memory()
        _remove_left_behind(where)
        folder = tempfile.mkdtemp(prefix=OURS, dir=where)
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        fcntl.flock(held, fcntl.LOCK_SH)
    except OSError:
        return None
    environment[FOLDER] = folder
    return held


def in_memory() -> Path:
    """Return where there are files in memory, or on a disk where we may not make any."""
    shared = Path("/dev/shm")  # nosec B108  # what is made there is private
    return shared if os.access(shared, os.W_OK | os.X_OK) else Path(tempfile.gettempdir())


def _remove_left_behind(where: Path) -> None:
    """Remove what our own processes made there and none of them holds."""
    for folder in where.glob(f"{OURS}*"):
        with suppress(OSError):
            seen = folder.lstat()
            if seen.st_uid != os.getuid() or time.time() - seen.st_mtime < LEFT_BEHIND_AFTER:
                continue
            held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)  # refused while somebody lives
                shutil.rmtree(folder)
            finally:
                os.close(held)


def count_no_more() -> None:
    """Remove the folder, if it was made by `counting_together`; the last to leave does."""
    folder = os.environ.get(FOLDER, "")
    if Path(folder).name.startswith(OURS):
        shutil.rmtree(folder, ignore_errors=True)


def take_place(parent: int, number: int) -> None:
    """Go on with what whoever had this place of `parent` counted. To be called in a new process."""
    global _place
    _place = f"{parent}-{number}"
    _have_folder()
    for tell in _at_nought:
        tell()


def place_is_free(parent: int, number: int) -> None:
    """Forget what a process of ours that has ended held; what it counted stays."""
    if os.environ.get(FOLDER):
        _mark_dead(f"{parent}-{number}")


def registry(*more: Collector) -> CollectorRegistry:
    """Return whatever the processes of this host counted, and what `more` collects."""
    summed = CollectorRegistry()
    if _have_folder():
        summed.register(EveryProcess(Path(os.environ[FOLDER])))
    else:
        summed.register(_ThisProcess())
    for each in more:
        summed.register(each)
    return summed


class EveryProcess(Collector):
    """The library's sum over a folder, without files that hold nothing: it would fail over them.

    A process that begins has opened one and not filled it yet; one that died then never will.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterable[Metric]:
        """Return what all processes counted together."""
        return _summed([str(each) for each in self._folder.glob("*.db") if _holds_something(each)])


def _holds_something(file: Path) -> bool:
    with suppress(FileNotFoundError):  # of a process that has ended meanwhile
        return file.stat().st_size > 0
    return False


class _ThisProcess(Collector):
    def collect(self) -> Iterator[Any]:
        return (each for each in REGISTRY.collect() if each.name.startswith("marketplace_"))


@contextmanager
def timed_job(name: str) -> Iterator[None]:
    """Count a job, and how long it took."""
    began, outcome = time.perf_counter(), "failed"
    try:
        yield
        outcome = "done"
    except Exception as error:
        if is_away(error):
            outcome = "put_back"
        raise
    finally:
        JOB_SECONDS.labels(name, outcome).observe(time.perf_counter() - began)
        note_memory("worker")


def note_memory(process: str) -> None:
    """Note how much memory this process has, now and then."""
    global _looked_at
    now = time.monotonic()
    if now - _looked_at < MEMORY_EVERY:
        return
    _looked_at = now
    try:
        resident = int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE
    except (OSError, ValueError, IndexError):  # not on Linux
        return
    MEMORY.labels(process).set(resident)


class WatchedPool(QueuePool):
    """SQLAlchemy's pool, which tells how long one waits for a connection, opened or found."""

    def connect(self) -> PoolProxiedConnection:
        """Lend a connection."""
        began, outcome = time.perf_counter(), "failed"
        try:
            lent = super().connect()
            outcome = "lent"
        except PoolTimeout:
            outcome = "too_long"
            raise
        finally:
            CONNECTION_WAIT.labels(outcome).observe(time.perf_counter() - began)
        return lent


def watch_connections() -> None:
    """Count the connections of every pool of this process from here on. Once is enough."""
    if event.contains(QueuePool, "checkout", _lent):
        return
    event.listen(QueuePool, "connect", _opened)
    event.listen(QueuePool, "close", _closed)
    event.listen(QueuePool, "checkout", _lent)
    event.listen(QueuePool, "checkin", _given_back)


def _opened(*_: object) -> None:
    CONNECTIONS.labels("open").inc()


def _closed(*_: object) -> None:
    CONNECTIONS.labels("open").dec()


_LENT = "counted as lent"
"""Noted of a place in the pool, whichever connection stands in it."""


def _lent(_connection: object, place: ConnectionPoolEntry, _lent: object) -> None:
    """Count one once: a place whose connection turns out to be lost is lent with another."""
    if place.record_info is not None and not place.record_info.get(_LENT):
        place.record_info[_LENT] = True
        CONNECTIONS.labels("in_use").inc()


def _given_back(_connection: object, place: ConnectionPoolEntry) -> None:
    """Count one back that was lent: a place that found no connection is given back as well."""
    if place.record_info and place.record_info.pop(_LENT, False):
        CONNECTIONS.labels("in_use").dec()
