"""The product of this worker process, built on first use and so never shared across a fork."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from rq import get_current_job

from config.settings import Settings
from marketplace.bootstrap import Product, build, channel_of
from marketplace.core.context import Context, Origin
from marketplace.notifications.channels import Channel


@cache
def product() -> Product:
    """Return the product; connections open on first use, inside the job's own process."""
    return build(Settings.from_env())


@cache
def channel() -> Channel:
    """Return the way out for mail that the settings name."""
    return channel_of(product().settings)


@contextmanager
def job_context() -> Iterator[Context]:
    """Push one application context, and carry the id of the request that led to this job."""
    job = get_current_job()
    request_id = (job.meta.get("request_id") if job else None) or (job.id if job else "-")
    with product().app.app_context():
        yield product().ctx.at(Origin(request_id=request_id))
