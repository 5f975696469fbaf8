"""Fixtures: a real PostgreSQL and a real Redis, those that are given or our own."""

import io
import logging
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
import structlog
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import make_url

from config import logging as lines_of_servers
from config.settings import Settings
from marketplace.accounts import credentials
from marketplace.bootstrap import Product, build
from marketplace.catalogue.seeding import seed_catalogue
from marketplace.core import events
from marketplace.core.context import Context
from marketplace.core.db import Base, db
from marketplace.core.jobs import Job
from marketplace.local.postgres import SUPERUSER, EmbeddedPostgres
from marketplace.local.redis import EmbeddedRedis
from marketplace.migrations.privileges import APPEND_ONLY
from marketplace.migrations.schema import upgrade
from marketplace.web.app import create_app
from tests.factories import Factory
from tests.facts_of_events import wrong_facts
from tests.fuzz.summary import counted, pytest_runtest_logreport, pytest_terminal_summary

__all__ = ["counted", "pytest_runtest_logreport", "pytest_terminal_summary"]


def pytest_xdist_auto_num_workers() -> int:
    """Return how many processes share the tests out: one where they all empty one given Redis.

    Else two more than there are cores: a good part of the tests waits for deadlines and faults.
    """
    return 1 if os.environ.get("MARKETPLACE_REDIS_URL") else (os.cpu_count() or 1) + 2


WAITING = ("deploy", "faults", "recovery", "upgrades", "workers")
"""Folders whose tests wait for most of their time, for servers, deadlines and faults."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put files that wait between those that compute: side by side they would leave cores idle.

    They are through by three quarters of the way, since the longest takes minutes.
    """
    files = list(dict.fromkeys(each.path for each in items))
    waiting = [each for each in files if each.parent.name in WAITING]
    others = [each for each in files if each not in waiting]
    place = {each: number / len(others) for number, each in enumerate(others)}
    place |= {each: 0.75 * number / len(waiting) for number, each in enumerate(waiting)}
    items.sort(key=lambda item: place[item.path])


STRONG = credentials._hasher
"""What passwords are really hashed with: slow on purpose, which tests that sign in need not be."""

credentials._hasher = PasswordHasher(time_cost=1, memory_cost=256, parallelism=1)


def log_as_tests_do() -> None:
    """Write lines for people, with plain tracebacks: to draw one with colours takes seconds."""
    structlog.reset_defaults()  # `configure` keeps what it is not told, as of a server's own lines
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=True),
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
        ],
        # A logger that remembers how it was set up would be deaf to later tests of this process.
        cache_logger_on_first_use=False,
    )


log_as_tests_do()


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """All that is logged meanwhile, as it is written on a server."""
    out = io.StringIO()
    monkeypatch.setattr("sys.stderr", out)
    root = logging.getLogger()
    before = root.handlers, root.level
    lines_of_servers.configure("web")
    structlog.configure(cache_logger_on_first_use=False)
    yield out
    root.handlers, root.level = before
    log_as_tests_do()


_as_written = events.written


def _held_to_the_table(*arguments: Any) -> Any:
    """Return the columns of an event, and fail where its facts say what none may."""
    columns = _as_written(*arguments)
    assert not wrong_facts(columns["verb"], columns["facts"]), (columns["verb"], columns["facts"])
    return columns


events.written = _held_to_the_table


@dataclass(frozen=True)
class Services:
    """Where this test run finds its servers."""

    database_url: str
    redis_url: str
    owner_url: str
    """Where who owns the tables connects: of our own servers another role than the product's."""
    eraser_url: str = ""
    """Where somebody connects who may do anything: of our own servers there is."""


@pytest.fixture(scope="session")
def services() -> Iterator[Services]:
    with ExitStack() as stack:
        database_url = os.environ.get("MARKETPLACE_DATABASE_URL", "")
        redis_url = os.environ.get("MARKETPLACE_REDIS_URL", "")
        if database_url:
            database_url = stack.enter_context(_database_of_our_own(database_url))
            owner_url, eraser_url = database_url, ""
        if not (database_url and redis_url):
            folder = Path(tempfile.mkdtemp(prefix="marketplace-tests-"))
            stack.callback(shutil.rmtree, folder)
            # Root's servers run as somebody else, who has to get through to their folders.
            folder.chmod(0o711)
            if not database_url:
                postgres = EmbeddedPostgres(folder, durable=False)
                stack.callback(postgres.remove_data)
                database_url, owner_url = postgres.start(), postgres.owner_url
                anybody = make_url(owner_url).set(username=SUPERUSER)
                eraser_url = anybody.render_as_string(hide_password=False)
            if not redis_url:
                redis = EmbeddedRedis(folder, durable=False)
                stack.callback(redis.remove_data)
                redis_url = redis.start()
        yield Services(database_url, redis_url, owner_url, eraser_url)


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


class Clock:
    """Stands still until told otherwise."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **delta: float) -> None:
        self.now += timedelta(**delta)


class RecordingQueue:
    """Remembers which jobs were rung."""

    def __init__(self) -> None:
        self.jobs: list[tuple[Job, UUID | None]] = []

    def put(self, job: Job, subject_ids: Sequence[UUID], *, request_id: str) -> None:
        self.jobs += [(job, each) for each in subject_ids] or [(job, None)]


CATALOGUE = (
    "accreditation_bodies", "audit_times", "catalogue_version", "regions", "sectors", "standards",
)  # fmt: skip
"""Tables that are filled once and that no test changes for good."""


def settings_for(services: Services, **changes: str) -> Settings:
    """Return the settings of a test installation; `changes` are names without the prefix."""
    values = {
        "DATABASE_URL": services.database_url,
        "MIGRATION_DATABASE_URL": services.owner_url,
        "REDIS_URL": services.redis_url,
        "SECRET_KEY": "a secret of the tests and of nobody else",
        "PUBLIC_URL": "http://localhost",
        "MAIL_BACKEND": "mailbox",
        "RATE_LIMITS": "off",
        "TOTP_FOR_ADMINS": "optional",
        **changes,
    }
    return Settings.from_env({f"MARKETPLACE_{name}": value for name, value in values.items()})


@pytest.fixture(scope="session")
def installation(services: Services) -> Iterator[Product]:
    """The product on a database that the migrations built and `seed-catalogue` filled."""
    product = build(settings_for(services))
    upgrade(product.app)
    create_app(product)
    with product.app.app_context():
        seed_catalogue(product.ctx)
    url = _plain(services.eraser_url or services.owner_url)
    with psycopg.connect(url, autocommit=True) as eraser:
        if _may_do_anything(eraser):
            eraser.execute("SET session_replication_role = replica")  # no trigger, no foreign key
        product.app.extensions["eraser"] = eraser
        yield product
    with product.app.app_context():
        db.engine.dispose()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue() -> RecordingQueue:
    return RecordingQueue()


@pytest.fixture
def ctx(installation: Product, clock: Clock, queue: RecordingQueue) -> Iterator[Context]:
    """The context of a service test: real commits, our clock, and a queue that only records.

    What the test wrote is deleted afterwards.
    """
    # Tests wind the clock by hours between two clicks; those of idle sessions say for how long.
    policy = replace(installation.ctx.policy, session_idle=installation.ctx.policy.session_lifetime)
    ctx = replace(installation.ctx, clock=clock, queue=queue, policy=policy)
    with installation.app.app_context():
        yield ctx
        db.session.remove()
    empty_tables(installation.app)


@pytest.fixture
def make(ctx: Context) -> Factory:
    return Factory(ctx)


@pytest.fixture
def app(installation: Product, ctx: Context) -> Iterator[Flask]:
    """The web application, on the same context as the test."""
    app = installation.app
    app.extensions["marketplace"] = replace(installation, ctx=ctx)
    yield app
    app.extensions["marketplace"] = installation
    app.extensions.pop("kept", None)


class Client(FlaskClient):
    """Gives every request an application context of its own, as a server does.

    Otherwise it would take the one that the test has open, and what one request keeps in `g` (who
    asks, what was sent) would be there for the next.
    """

    def open(self, *args: Any, **kwargs: Any) -> Any:
        with self.application.app_context():
            return super().open(*args, **kwargs)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return Client(app, app.response_class)


def empty_tables(app: Flask) -> None:
    """Delete every row but the catalogue's, the append-only ones included.

    Which tables have rows is asked first: most tests write to a few, and to delete nothing from
    all the others five thousand times takes minutes. So does it to let append-only tables go, after
    which every connection plans its questions anew: who may do anything need not.
    """
    eraser: psycopg.Connection = app.extensions["eraser"]
    with eraser.transaction():
        full = [table for (table,) in eraser.execute(WITH_ROWS)]
        held = [] if _may_do_anything(eraser) else [each for each in APPEND_ONLY if each in full]
        deletes = "".join(f"DELETE FROM {table};" for table in full)
        eraser.execute(let_go(held) + deletes + take_hold(held))


def _may_do_anything(connection: psycopg.Connection) -> bool:
    return connection.info.parameter_status("is_superuser") == "on"


WITH_ROWS = " UNION ALL ".join(
    f"SELECT '{table.name}' WHERE EXISTS (SELECT FROM {table.name})"
    for table in reversed(Base.metadata.sorted_tables)
    if table.name not in CATALOGUE
)
"""Names them in an order in which their rows can be deleted."""


def let_go(tables: Iterable[str] = APPEND_ONLY) -> str:
    """Return the SQL after which who owns these append-only tables can change their rows."""
    return "".join(
        f"ALTER TABLE {table} DISABLE TRIGGER USER; "
        f"GRANT UPDATE, DELETE ON {table} TO CURRENT_USER;"
        for table in tables
    )


def take_hold(tables: Iterable[str] = APPEND_ONLY) -> str:
    """Return the SQL that takes back what `let_go` gave."""
    return "".join(
        f"ALTER TABLE {table} ENABLE TRIGGER USER; "
        f"REVOKE UPDATE, DELETE ON {table} FROM CURRENT_USER; "
        f"GRANT {APPEND_ONLY[table]} ON {table} TO CURRENT_USER;"
        for table in tables
    )


@contextmanager
def nothing_held(app: Flask) -> Iterator[psycopg.Connection]:
    """Connect as who owns the tables, with nothing in the way of changing those append-only."""
    with psycopg.connect(_owner_url(app)) as connection:
        connection.execute(let_go())
        yield connection
        connection.execute(take_hold())


def _owner_url(app: Flask) -> str:
    return _plain(app.config["MIGRATION_DATABASE_URI"])


def _plain(url: str) -> str:
    return url.replace("+psycopg", "")
