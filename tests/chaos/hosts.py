"""The product on several hosts: two for the web, two with workers, one with the scheduler."""

import json
import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http.client import HTTPConnection, HTTPException
from itertools import pairwise
from pathlib import Path
from typing import Any

from rq.cron import CronScheduler

from config.servers import redis_at
from marketplace.bootstrap import build
from marketplace.catalogue.seeding import seed_catalogue
from marketplace.core.db import db
from marketplace.migrations.schema import upgrade
from tests.chaos.network import Network
from tests.chaos.servers import Postgres, RedisUnderSentinel
from tests.conftest import Services, settings_for
from tests.factories import lead_form
from tests.fleet import Fleet, hurried, wait_until
from tests.mail_service import MailService

WEB = ("web-a", "web-b")
WORKERS = ("worker-a", "worker-b")
SCHEDULER = "clock"
DATABASES = ("db-a", "db-b")
REDISES = ("redis-a", "redis-b")
WITNESS = "witness"
PEOPLE = "people"
"""Where businesses, providers, the mail service and what balances the load are."""

HOSTS = (PEOPLE, *WEB, *WORKERS, SCHEDULER, *DATABASES, *REDISES, WITNESS)

PORT = 8000
TRIED_FOR, PASSED_OVER_FOR = 5.0, 3.0
"""Seconds that the balancer gives a web host, and for which it leaves one alone that was silent."""


@dataclass
class Hosts(Fleet):
    """A fleet whose processes run on hosts of their own."""

    network: Network = field(kw_only=True)
    silent_until: dict[str, float] = field(default_factory=dict)

    def start(self, name: str, *command: str, log: Path | None = None) -> None:
        """Start a process on the host of that name."""
        with (log or self.folder / f"{name}.log").open("ab") as output:
            self.processes[name] = subprocess.Popen(
                self.network.command(name, [sys.executable, "-m", *command]),
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def start_web(self) -> None:
        for host in WEB:
            address = ("--host", self.network.address(host), "--port", str(PORT))
            size = ("--processes", "1", "--threads", "4")
            self.start(host, "marketplace.cli", "web", *address, *size)

    def start_worker(self, name: str = "") -> None:
        for host in [name] if name else WORKERS:
            self.start(host, "marketplace.cli", "worker")

    def start_scheduler(self, name: str = SCHEDULER) -> None:
        self.start(name, "marketplace.cli", "scheduler")

    def schedulers(self) -> int:
        with redis_at(self.environment["MARKETPLACE_REDIS_URL"], socket_timeout=2) as redis:
            return len(CronScheduler.all(redis))

    def submit(self, number: int, **changes: Any) -> str | None:
        """Send a form as through a balancer: to the next web host, where one says nothing."""
        body = json.dumps(lead_form(number, **changes))
        now = time.monotonic()
        hosts = WEB if number % 2 else tuple(reversed(WEB))
        willing = [host for host in hosts if self.silent_until.get(host, 0.0) <= now]
        for host in willing or hosts:
            answer = self._ask(host, "POST", "/api/v1/leads", body)
            if answer is None:
                self.silent_until[host] = time.monotonic() + PASSED_OVER_FOR
            elif answer[0] == 202:
                return str(json.loads(answer[1])["reference"])
        return None

    def is_up(self) -> bool:
        """Return whether every web host is ready."""
        answers = [self._ask(host, "GET", "/readyz") for host in WEB]
        return all(answer is not None and answer[0] == 200 for answer in answers)

    def _ask(self, host: str, method: str, path: str, body: str = "") -> tuple[int, bytes] | None:
        address = self.network.address(host)
        connection = HTTPConnection(address, PORT, timeout=TRIED_FOR)
        headers = {"Content-Type": "application/json", "Host": "localhost"}
        try:
            connection.request(method, path, body or None, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, HTTPException):
            return None
        finally:
            connection.close()


class Businesses:
    """Send their forms one after another, each until it is taken, whatever is going on."""

    def __init__(self, hosts: Hosts, numbers: Sequence[int], *, pace: float, regions: Any) -> None:
        """`pace`: seconds from one form to the next; `regions`: the region for a number."""
        self._hosts, self._pace, self._regions = hosts, pace, regions
        self.numbers = deque(numbers)
        self.taken: list[str] = []
        self.answered: list[float] = []
        """When a form was answered, by the monotonic clock."""
        self.refused = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._send)

    def __enter__(self) -> "Businesses":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def longest_silence(self, since: float) -> float:
        """Return for how many seconds no form was answered, at the longest."""
        times = [since, *(at for at in self.answered if at > since)]
        if self.numbers:  # some of them still wait
            times.append(time.monotonic())
        return max((after - before for before, after in pairwise(times)), default=0)

    def _send(self) -> None:
        while self.numbers and not self._stop.is_set():
            began = time.monotonic()
            reference = self._hosts.submit(
                self.numbers[0], regions=[self._regions(self.numbers[0])]
            )
            if reference:
                self.taken.append(reference)
                self.answered.append(time.monotonic())
                self.numbers.popleft()
            else:
                self.refused += 1
            self._stop.wait(max(0.05, self._pace - (time.monotonic() - began)))


@dataclass
class Installation:
    """What stands on the hosts, and the servers behind it."""

    network: Network
    hosts: Hosts
    postgres: Postgres
    redis: RedisUnderSentinel
    said: list[str] = field(default_factory=list)
    """What else is worth telling of the fault at hand."""


@contextmanager
def installed(folder: Path, *, window: timedelta) -> Iterator[Installation]:
    """Make the hosts, start the servers on them, build the database; end and remove all of it."""
    with ExitStack() as stack:
        folder.chmod(0o711)  # PostgreSQL runs as somebody else, who has to get through
        network = stack.enter_context(Network(HOSTS))
        stack.enter_context(network.inside(PEOPLE))
        mail = MailService(network.address(PEOPLE))
        stack.callback(mail.stop)
        inside = [folder / name for name in ("postgres", "redis")]
        for each in inside:
            each.mkdir()
        postgres = Postgres(network, inside[0], DATABASES)
        stack.callback(postgres.stop)
        postgres.start()
        redis = RedisUnderSentinel(network, inside[1], REDISES, WITNESS)
        stack.callback(redis.stop)
        redis.start()
        wanted = hurried(window, mail)
        services = Services(postgres.product_url, redis.url, postgres.owner_url)
        read = settings_for(services, **wanted)
        product = build(read)
        upgrade(product.app)
        environment = {
            "no_proxy": "*",
            "MARKETPLACE_DATABASE_URL": postgres.product_url,
            "MARKETPLACE_REDIS_URL": redis.url,
            "MARKETPLACE_SECRET_KEY": read.secret_key,
            "MARKETPLACE_PUBLIC_URL": read.public_url,
            "MARKETPLACE_RATE_LIMITS": "off",
            "MARKETPLACE_TOTP_FOR_ADMINS": "optional",
            **{f"MARKETPLACE_{name}": value for name, value in wanted.items()},
        }
        stack.enter_context(product.app.app_context())
        seed_catalogue(product.ctx)
        hosts = Hosts(
            folder, product.ctx, product, environment, postgres, redis, mail, network=network
        )  # type: ignore[arg-type]  # not the embedded ones
        stack.callback(_end, hosts)
        yield Installation(network, hosts, postgres, redis)


def start_all(at: Installation) -> None:
    """Start the product on its hosts, the web last: nothing minds the order."""
    at.hosts.start_worker()
    at.hosts.start_scheduler()
    at.hosts.start_web()
    wait_until(at.hosts.is_up, "every web host is ready", patience=120)
    wait_until(lambda: at.hosts.schedulers() > 0, "the scheduler ticks", patience=60)


def _end(hosts: Hosts) -> None:
    for name in [*hosts.processes]:
        hosts.kill(name)
    db.session.remove()
    db.engine.dispose()
