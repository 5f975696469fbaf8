"""How much there is, for Prometheus: counted in rows and queues, so true for all machines at once.

What happened in the processes of this host is counted by `marketplace.core.metrics`.
"""

from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from datetime import datetime
from functools import partial
from threading import Lock
from typing import cast

import structlog
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from redis import Redis, RedisError
from rq import cron_scheduler_registry
from rq.worker_registration import REDIS_WORKER_KEYS
from sqlalchemy.exc import SQLAlchemyError

from marketplace.bootstrap import Product
from marketplace.core.jobs import QUEUES, backlog, try_to_write
from marketplace.core.sealing_log import tail
from marketplace.core.sweeps_done import last_done
from marketplace.insights.counts import due_messages
from marketplace.web.auth import product
from marketplace.web.beside import beside
from marketplace.web.row_counts import RowCounts

PATIENCE = 5.0
"""Seconds after which PostgreSQL counts as away: Prometheus gives up after ten."""

WORKERS = REDIS_WORKER_KEYS
SCHEDULER = b"rq:cron_scheduler:"
"""What stands before the name of a scheduler, where it is for two minutes after a sign of life."""

log = structlog.get_logger(__name__)


class Figures(Collector):
    """What is in which state, what waits, and since when; without what is away just now."""

    def __init__(self) -> None:
        self.counts = RowCounts()
        self._rows_asked: Future[list[Metric]] | None = None
        self._lock = Lock()

    def collect(self) -> Iterator[Metric]:
        """Yield every figure; where PostgreSQL or Redis is away, that it is."""
        up = GaugeMetricFamily("marketplace_up", "Whether it answers: 1 or 0.", labels=["part"])
        for part, figures in (("database", self._rows_in_time), ("redis", self._queues)):
            try:
                found = list(figures())
            except (SQLAlchemyError, RedisError, OSError, ValueError) as error:
                log.warning("not_counted", what=part, error=type(error).__name__)
                found = []
            up.add_metric([part], float(bool(found) and (part != "redis" or _takes_writes())))
            yield from found
        yield up

    def _rows_in_time(self) -> list[Metric]:
        """Ask PostgreSQL beside whoever asks us; raise `TimeoutError` where it says nothing.

        Of one that hangs nobody is told by TCP. Whoever asks meanwhile waits for the same answer.
        """
        with self._lock:
            asked = self._rows_asked
            if asked is None or asked.done():
                rows = partial(self._rows, product())
                asked = self._rows_asked = beside(lambda: list(rows()))
        return asked.result(PATIENCE)

    def _rows(self, running: Product) -> Iterator[Metric]:
        now = running.ctx.clock()
        with running.app.app_context(), running.ctx.reading() as session:
            waits = tail(session)
            due = due_messages(session, now)
        for name, counts in self.counts.latest(running).items():
            yield _gauge(name, f"How many {name} are in each state.", "state", counts)
        yield _gauge(
            "events", "Events of the audit log that wait to be sealed.", "state",
            {"unsealed": waits.count},
        )  # fmt: skip
        yield _gauge(
            "events_age_seconds", "For how long the oldest of them has waited.", "state",
            {"unsealed": _age(waits.since, now)},
        )  # fmt: skip
        yield _gauge(
            "messages_due", "Messages that are due to be handed on.", "channel",
            {str(each.channel): each.count for each in due},
        )  # fmt: skip
        yield _gauge(
            "messages_due_age_seconds", "For how long the oldest of them has been due.", "channel",
            {str(each.channel): _age(each.since, now) for each in due},
        )  # fmt: skip

    def _queues(self) -> Iterator[Metric]:
        redis, now = product().redis, product().ctx.clock()
        queues = backlog(redis, now)
        yield _gauge(
            "queue_jobs", "Jobs that wait, by queue.", "queue",
            {name: each.waiting for name, each in queues.items()},
        )  # fmt: skip
        yield _gauge(
            "queue_age_seconds", "For how long the oldest of them has waited.", "queue",
            {name: each.oldest.total_seconds() for name, each in queues.items()},
        )  # fmt: skip
        served = _queues_of_workers(redis)
        yield _gauge(
            "processes", "Workers and schedulers that were seen lately, on all machines.", "kind",
            {"worker": len(served), "scheduler": _schedulers(redis)},
        )  # fmt: skip
        yield _gauge(
            "queue_workers", "Workers that serve a queue, among others.", "queue",
            {name: sum(name in theirs for theirs in served) for name in QUEUES},
        )  # fmt: skip
        memory = cast(dict[str, int], redis.info("memory"))
        yield _gauge(
            "redis_memory_bytes", "What Redis has in use, and may have; 0: all there is.", "state",
            {"used": memory["used_memory"], "most": memory.get("maxmemory", 0)},
        )  # fmt: skip
        done = last_done(redis)
        yield _gauge(
            "sweep_age_seconds", "How long ago a sweep was last done, or first expected.", "sweep",
            # below nought: the clock of the worker that did it is ahead of ours
            {name: now.timestamp() - each.at for name, each in done.items()},
        )  # fmt: skip
        yield _gauge(
            "sweep_every_seconds", "How far apart it is rung.", "sweep",
            {name: each.every for name, each in done.items()},
        )  # fmt: skip


def _takes_writes() -> bool:
    try:
        try_to_write(product().redis)
    except RedisError as error:
        log.warning("takes_no_writes", what="redis", error=type(error).__name__)
        return False
    return True


def _queues_of_workers(redis: Redis) -> list[list[str]]:
    """Return what each worker serves; of one that was killed the name stays, and nothing else."""
    with redis.pipeline(transaction=False) as asked:
        for key in cast(set[bytes], redis.smembers(WORKERS)):
            asked.hget(key.decode(), "queues")
        return [served.decode().split(",") for served in asked.execute() if served is not None]


def _schedulers(redis: Redis) -> int:
    """Return how many schedulers gave a sign of life, by no clock but that of Redis."""
    names = cast(list[bytes], redis.zrange(cron_scheduler_registry.get_registry_key(), 0, -1))
    return cast(int, redis.exists(*[SCHEDULER + name for name in names])) if names else 0


def _age(since: datetime | None, now: datetime) -> float:
    return max((now - since).total_seconds(), 0.0) if since else 0.0


def _gauge(name: str, about: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(f"marketplace_{name}", about, labels=[label])
    for value, number in values.items():
        family.add_metric([value], number)
    return family
