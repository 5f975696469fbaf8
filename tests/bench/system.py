"""The whole product in real processes: gunicorn, workers and scheduler, each as it is run."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from marketplace.bootstrap import Product
from marketplace.catalogue.seeding import seed_catalogue
from marketplace.core.context import Context
from marketplace.core.db import db
from marketplace.local.commands import scheduler_command, web_command, worker_command
from marketplace.local.doorway import open_door
from marketplace.local.postgres import EmbeddedPostgres
from marketplace.local.redis import EmbeddedRedis
from marketplace.migrations.schema import upgrade


@contextmanager
def servers() -> Iterator[tuple[EmbeddedPostgres, EmbeddedRedis]]:
    """Start a PostgreSQL as durable as in production, and a Redis, in a folder that goes."""
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="marketplace-bench-"))
        folder.chmod(0o711)
        stack.callback(shutil.rmtree, folder)
        postgres = EmbeddedPostgres(folder, durable=True)
        stack.callback(postgres.remove_data)
        postgres.start()
        redis = EmbeddedRedis(folder, durable=False)
        stack.callback(redis.remove_data)
        redis.start()
        yield postgres, redis


@contextmanager
def prepared(product: Product) -> Iterator[Context]:
    """Bring a fresh database into shape; yield the product's context, in its application."""
    upgrade(product.app)
    with product.app.app_context():
        seed_catalogue(product.ctx)
        yield product.ctx
        db.session.remove()
        db.engine.dispose()


READY_WITHIN = 60
"""Seconds."""


def settings(database_url: str, redis_url: str, **more: str) -> dict[str, str]:
    """Return the environment of the product's processes: as in production, limits and all.

    A proxy is believed to stand in front, so that every user can have an address of its own.
    """
    values = {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "SECRET_KEY": "a secret of the bench and of nobody else",
        "PUBLIC_URL": "http://localhost",
        "MAIL_BACKEND": "mailbox",
        "TRUSTED_PROXIES": "1",
        "TOTP_FOR_ADMINS": "optional",
        **more,
    }
    return {f"MARKETPLACE_{name}": value for name, value in values.items()}


@contextmanager
def process(
    command: list[str], environment: Mapping[str, str], log: Path, *, pass_fds: tuple[int, ...] = ()
) -> Iterator[int]:
    """Run a command until the block ends; yield its process id."""
    with log.open("ab") as out:
        running = subprocess.Popen(
            command,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            pass_fds=pass_fds,
        )
    try:
        yield running.pid
    finally:
        running.terminate()
        try:
            running.wait(30)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()


@contextmanager
def web(
    environment: Mapping[str, str],
    log: Path,
    *,
    app: str = "wsgi:app",
    processes: int = 2,
    threads: int = 8,
) -> Iterator[tuple[int, int]]:
    """Serve an application as the product is served; yield port and process id."""
    with ExitStack() as stack:
        door = stack.enter_context(open_door(0))
        port = door.getsockname()[1]
        command = [*web_command(door.fileno(), processes=processes, threads=threads), app]
        pid = stack.enter_context(process(command, environment, log, pass_fds=(door.fileno(),)))
        await_ready(port)
        yield port, pid


def await_ready(port: int) -> None:
    """Wait until requests are served."""
    end = time.monotonic() + READY_WITHIN
    while True:
        try:
            with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5):
                return
        except (URLError, OSError):
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


@contextmanager
def worker(environment: Mapping[str, str], log: Path, *, processes: int = 1) -> Iterator[int]:
    """Run workers; yield the id of the process above them."""
    with process(worker_command(processes), environment, log) as pid:
        yield pid


@contextmanager
def scheduler(environment: Mapping[str, str], log: Path) -> Iterator[int]:
    """Run the scheduler; yield its process id."""
    with process(scheduler_command(), environment, log) as pid:
        yield pid
