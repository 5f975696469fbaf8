"""Fixtures: a real PostgreSQL and a real Redis, those that are given or our own."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from marketplace.local.postgres import EmbeddedPostgres
from marketplace.local.redis import EmbeddedRedis


@dataclass(frozen=True)
class Services:
    """Where this test run finds its servers."""

    database_url: str
    redis_url: str


@pytest.fixture(scope="session")
def services() -> Iterator[Services]:
    with ExitStack() as stack:
        database_url = os.environ.get("MARKETPLACE_DATABASE_URL", "")
        redis_url = os.environ.get("MARKETPLACE_REDIS_URL", "")
        if database_url:
            database_url = stack.enter_context(_database_of_our_own(database_url))
        if not (database_url and redis_url):
            folder = Path(tempfile.mkdtemp(prefix="marketplace-tests-"))
            stack.callback(shutil.rmtree, folder)
            # Root's servers run as somebody else, who has to get through to their folders.
            folder.chmod(0o711)
            if not database_url:
                postgres = EmbeddedPostgres(folder, durable=False)
                stack.callback(postgres.remove_data)
                database_url = postgres.start()
            if not redis_url:
                redis = EmbeddedRedis(folder, durable=False)
                stack.callback(redis.remove_data)
                redis_url = redis.start()
        yield Services(database_url, redis_url)


@contextmanager
def _database_of_our_own(server_url: str) -> Iterator[str]:
    """Make a database on the given server and drop it at the end, whoever is still in it."""
    given = make_url(server_url)
    name = f"marketplace_test_{os.getpid()}"
    door = given.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(door, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
    try:
        yield given.set(database=name).render_as_string(hide_password=False)
    finally:
        with psycopg.connect(door, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
