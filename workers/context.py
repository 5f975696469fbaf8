"""The product of this process: built once, before any worker is forked, and connected by none yet.

Connections are opened on first use, which is in the process that takes jobs or rings sweeps: no two
processes share one. A worker keeps its connection, and what it compiled, from job to job.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from rq import get_current_job
from sqlalchemy import QueuePool
from sqlalchemy.orm import configure_mappers

from config.settings import Settings
from marketplace.bootstrap import ALWAYS_THE_SAME, Product, build, channel_of, webhook_channel_of
from marketplace.core import metrics, sweeps_done, tracing
from marketplace.core.context import Context, Origin
from marketplace.core.db import db
from marketplace.notifications.channels import Channel

EVERY = "every"
"""What a job that the clock rings carries: how many seconds lie between two of them."""


@cache
def product() -> Product:
    """Return the product, which is connected to nothing before its first use."""
    configure_mappers()  # here already, so that processes forked later share the result
    return build(Settings.from_env(), server_options=ALWAYS_THE_SAME)


@cache
def channel() -> Channel:
    """Return the way out for mail that the settings name."""
    return channel_of(product().settings)


@cache
def webhook_channel() -> Channel:
    """Return the way out to providers' own software."""
    return webhook_channel_of(product().settings)


@contextmanager
def job_context() -> Iterator[Context]:
    """Have a context for a job that carries the id of the request that led to it; count the job."""
    job = get_current_job()
    request_id = (job.meta.get("request_id") if job else None) or (job.id if job else "-")
    name = str(job.func_name).rpartition(".")[2] if job else "none"
    with (
        metrics.timed_job(name),
        tracing.span(
            "job",
            of=request_id,
            begins=not (job and job.meta.get("request_id")),
            job=name,
            queue=job.origin if job else None,
        ),
        context(request_id) as ctx,
    ):
        yield ctx
    if job and (every := job.meta.get(EVERY)):
        sweeps_done.note(product().redis, name, now=product().ctx.clock(), every=every)


@contextmanager
def context(request_id: str = "-") -> Iterator[Context]:
    """Push one application context.

    On the way out its session is closed and the connection goes back to the pool, which ends a
    transaction that was left open; whatever broke in between, the pool finds out before it lends
    that connection again.
    """
    with product().app.app_context():
        yield product().ctx.at(Origin(request_id=request_id))


def connections_in_use() -> int:
    """Return how many connections to PostgreSQL are out of the pool: between jobs, none."""
    return _pool().checkedout()


@cache
def _pool() -> QueuePool:
    with product().app.app_context():
        pool = db.engine.pool
    if not isinstance(pool, QueuePool):
        raise TypeError("connections are pooled, or there is nothing to count")
    return pool
