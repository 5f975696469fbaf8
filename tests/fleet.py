"""A whole installation in real processes, on servers of its own, and people who use it.

Web, workers and scheduler run as an operator runs them, against a PostgreSQL and a Redis that can
be stopped and a mail service that can fail. Businesses send their forms over HTTP; providers do,
by use cases, what `Manner` says that they do, at shares of the time that they have.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from uuid import UUID

from redis import Redis
from rq.cron import CronScheduler
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from marketplace.bootstrap import Product, build
from marketplace.catalogue.seeding import seed_catalogue
from marketplace.core.context import Context
from marketplace.core.db import db
from marketplace.core.errors import MarketplaceError
from marketplace.invitations import questions
from marketplace.invitations import service as invitations
from marketplace.invitations.models import Invitation
from marketplace.local.postgres import EmbeddedPostgres
from marketplace.local.redis import EmbeddedRedis
from marketplace.migrations.schema import upgrade
from tests.conftest import Services, settings_for
from tests.factories import Factory, lead_form, person_of
from tests.mail_service import MailService
from tests.services.road import a_quote

ROOT = Path(__file__).parents[1]

SWEEP = 1.0
"""Seconds between two sweeps."""


class Manner(StrEnum):
    """How a provider treats every invitation."""

    QUOTES = "quotes"
    DECLINES = "declines"
    ASKS = "asks"
    """Puts a question, and then never quotes."""
    IS_SILENT = "is_silent"
    """Opens it, and says nothing."""
    NEVER_LOOKS = "never_looks"
    IS_LATE = "is_late"
    """Opens it in time, and quotes after its deadline."""


LOOKS, ACTS, COMES_LATE = 0.1, 0.2, 1.05
"""At which shares of the window from `sent_at` to `respond_by` they look, act, or act too late."""


@dataclass
class Fleet:
    """What runs, and how to reach it."""

    folder: Path
    ctx: Context
    product: Product
    environment: dict[str, str]
    postgres: EmbeddedPostgres
    redis: EmbeddedRedis
    mail: MailService
    manners: dict[UUID, Manner] = field(default_factory=dict)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    port: int = 0
    done: set[tuple[UUID, str]] = field(default_factory=set)
    refused: list[str] = field(default_factory=list)
    """What providers tried too late, and were told."""

    def start(self, name: str, *command: str, log: Path | None = None, tree: Path = ROOT) -> None:
        """Start a process under a name; it leads a group of its own. `tree`: of which version."""
        with (log or self.folder / f"{name}.log").open("ab") as output:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=tree,
                env={**os.environ, **self.environment, "PYTHONPATH": str(tree)},
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def start_web(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.start("web", "marketplace.cli", "web", "--port", str(self.port), "--threads", "4")

    def start_worker(self, name: str = "worker") -> None:
        self.start(name, "workers.run", "worker", "--processes", "1")

    def start_scheduler(self, name: str = "scheduler") -> None:
        self.start(name, "workers.run", "scheduler")

    def schedulers(self) -> int:
        """Return how many schedulers are at work."""
        with Redis.from_url(self.environment["MARKETPLACE_REDIS_URL"]) as redis:
            return len(CronScheduler.all(redis))

    def kill(self, name: str) -> None:
        """Kill a process and all that belongs to it, at once."""
        process = self.processes.pop(name)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def provider(self, manner: Manner, **how: Any) -> UUID:
        """Make a provider of a manner."""
        made = Factory(self.ctx).provider(name=f"{manner} {len(self.manners) + 1}", **how)
        self.manners[made.id] = manner
        return made.id

    def submit(self, number: int, **changes: Any) -> str | None:
        """Send a form over HTTP; return the reference that was given, or None if it was refused."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        body = json.dumps(lead_form(number, **changes))
        try:
            connection.request("POST", "/api/v1/leads", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            said = json.loads(answer.read())
        except (OSError, HTTPException, ValueError):
            return None
        finally:
            connection.close()
        return str(said["reference"]) if answer.status == 202 else None

    def is_up(self) -> bool:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()

    def let_providers_act(self) -> None:
        """Let every provider do what it is time for; what fails on the way is tried again."""
        now = self.ctx.clock()
        try:
            with self.ctx.reading() as session:
                rows = session.execute(
                    select(
                        Invitation.id,
                        Invitation.provider_id,
                        Invitation.sent_at,
                        Invitation.respond_by,
                    )
                    # Long after its deadline nobody tries any more.
                    .where(Invitation.respond_by > now - self.ctx.policy.response_window / 4)
                    .order_by(Invitation.id)
                ).all()
            for invitation_id, provider_id, sent_at, respond_by in rows:
                passed = (now - sent_at) / (respond_by - sent_at)
                self._act(invitation_id, provider_id, passed)
        except SQLAlchemyError:
            db.session.remove()

    def _act(self, invitation_id: UUID, provider_id: UUID, passed: float) -> None:
        for share, deed in _deeds(self.manners[provider_id]):
            if passed >= share and (invitation_id, deed) not in self.done:
                try:
                    self._do(deed, invitation_id, provider_id)
                except MarketplaceError as refusal:
                    self.refused.append(f"{deed}: {refusal}")
                self.done.add((invitation_id, deed))

    def _do(self, deed: str, invitation_id: UUID, provider_id: UUID) -> None:
        who = person_of(provider_id)
        if deed == "look":
            invitations.look_at_invitation(self.ctx, who, invitation_id)
        elif deed == "decline":
            invitations.decline_invitation(self.ctx, who, invitation_id, reason="no_capacity")
        elif deed == "ask":
            questions.ask_question(self.ctx, who, invitation_id, text="How many shifts?")
        else:
            with self.ctx.reading() as session:
                invitation = session.get_one(Invitation, invitation_id)
            a_quote(self.ctx, invitation)


def _deeds(manner: Manner) -> Sequence[tuple[float, str]]:
    return {
        Manner.QUOTES: [(LOOKS, "look"), (ACTS, "quote")],
        Manner.DECLINES: [(LOOKS, "look"), (ACTS, "decline")],
        Manner.ASKS: [(LOOKS, "look"), (ACTS, "ask")],
        Manner.IS_SILENT: [(LOOKS, "look")],
        Manner.NEVER_LOOKS: [],
        Manner.IS_LATE: [(LOOKS, "look"), (COMES_LATE, "quote")],
    }[manner]


def hurried(window: timedelta, mail: MailService) -> dict[str, str]:
    """Return the settings of an installation whose days are short, and whose mail goes there."""
    return {
        "RESPONSE_WINDOW": f"PT{window.total_seconds():g}S",
        "SWEEP_INTERVAL": f"PT{SWEEP:g}S",
        "LEAD_CONFIRMATION": "off",
        "LEAD_REVIEW": "off",
        "MAIL_BACKEND": "sendgrid",
        "MAIL_FROM": "quotes@marketplace.example",
        "SENDGRID_API_KEY": "SG.invented-key",
        "SENDGRID_BASE_URL": mail.url,
    }


@contextmanager
def running(
    folder: Path,
    *,
    window: timedelta,
    settings: Mapping[str, str] | None = None,
    is_built: bool = True,
) -> Iterator[Fleet]:
    """Start servers and a mail service, build the database, and yield what runs on them.

    No process of the product runs yet. Everything is ended and removed afterwards.
    `is_built=False` leaves the database empty: another version is to build it.
    """
    with ExitStack() as stack:
        folder.chmod(0o711)  # root's servers run as somebody else, who has to get through
        mail = MailService()
        stack.callback(mail.stop)
        postgres = EmbeddedPostgres(folder, durable=False)
        stack.callback(postgres.remove_data)
        database_url = postgres.start()
        redis = EmbeddedRedis(folder, durable=False)
        stack.callback(redis.remove_data)
        redis_url = redis.start()
        wanted = {**hurried(window, mail), **(settings or {})}
        read = settings_for(Services(database_url, redis_url, postgres.owner_url), **wanted)
        product = build(read)
        if is_built:
            upgrade(product.app)
        environment = {
            "no_proxy": "127.0.0.1",
            "MARKETPLACE_DATABASE_URL": database_url,
            "MARKETPLACE_REDIS_URL": redis_url,
            "MARKETPLACE_SECRET_KEY": read.secret_key,
            "MARKETPLACE_PUBLIC_URL": read.public_url,
            "MARKETPLACE_RATE_LIMITS": "off",
            "MARKETPLACE_TOTP_FOR_ADMINS": "optional",
            **{f"MARKETPLACE_{name}": value for name, value in wanted.items()},
        }
        stack.enter_context(product.app.app_context())
        if is_built:
            seed_catalogue(product.ctx)
        fleet = Fleet(folder, product.ctx, product, environment, postgres, redis, mail)
        stack.callback(_end, fleet)
        yield fleet


def _end(fleet: Fleet) -> None:
    for name in [*fleet.processes]:
        fleet.kill(name)
    db.session.remove()
    db.engine.dispose()


def wait_until(true: Callable[[], bool], what: str, *, patience: float = 30.0) -> None:
    """Return once it is true; fail when that takes too long."""
    deadline = time.monotonic() + patience
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {patience:g} s in vain until {what}")
        time.sleep(0.05)
