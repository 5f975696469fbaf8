"""`POST /leads` beside a bare application with one INSERT, under the same gunicorn settings.

In turn, some seconds each, so that neither has the quieter machine. Every form is of a business of
its own at an address of its own: nothing is refused, held back or set aside.
"""

import itertools
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psycopg

from marketplace.local.postgres import EmbeddedPostgres
from marketplace.local.redis import EmbeddedRedis
from tests.bench import bare
from tests.bench.clients import Sent, User, send_all
from tests.bench.spent import Meter
from tests.bench.system import settings, web
from tests.factories import lead_form

PATH = "/api/v1/leads"


@dataclass(frozen=True)
class Round:
    """The same many requests at one of the two."""

    sent: Sent
    cost: dict[str, float]
    """Milliseconds of processor for each request, by kind of process; the users are one as well."""


def time_forms(
    postgres: EmbeddedPostgres, redis: EmbeddedRedis, *, rounds: int, users: int, seconds: float
) -> dict[str, list[Round]]:
    """Return the rounds of the product and of the floor, taken in turn; the first is left out."""
    plain = postgres.url.replace("+psycopg", "")
    with psycopg.connect(postgres.owner_url.replace("+psycopg", ""), autocommit=True) as owner:
        owner.execute(bare.TABLE)
        owner.execute("GRANT INSERT ON bare_forms TO PUBLIC")
    taken: dict[str, list[Round]] = {"bare": [], "product": []}
    with ExitStack() as stack:
        logs = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        floor = stack.enter_context(
            web({"BARE_DATABASE_URL": plain}, logs / "bare", app="tests.bench.bare:app")
        )
        product = stack.enter_context(web(settings(postgres.url, redis.url), logs / "web"))
        many = requests()
        for number in range(rounds + 1):
            for name, (port, pid) in {"bare": floor, "product": product}.items():
                some = list(itertools.islice(many, int(seconds * 2000)))
                meter = Meter(
                    {"web": [pid], "PostgreSQL": [postgres.pid or 0], "Redis": [redis.pid or 0]}
                )
                began = time.process_time()
                sent = send_all(port, some, users=users, within=seconds, status=202)
                ours = (time.process_time() - began) * 1000
                if number:
                    spent = {**meter.spent(), "users": ours}
                    cost = {kind: ms / len(sent.times) for kind, ms in spent.items()}
                    taken[name].append(Round(sent, cost))
    return taken


def requests() -> Iterator[bytes]:
    """Yield forms of one business after another, each from an address of its own."""
    for number in itertools.count(1):
        address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        yield User(0, address).request("POST", PATH, lead_form(number))
