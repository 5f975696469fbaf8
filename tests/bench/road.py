"""The whole road over HTTP: form, confirmation, match, open, accept, quote, choose.

Users of a stated number send one lead after another and walk it down the road, each in a market of
its own region, against gunicorn, workers and scheduler as they run in production, limits included.
Providers act at once; what they do is drawn from `MIX` with a seed. What the mails bring (the link
to confirm) is minted here instead, since nothing keeps a raw token: the mail goes out all the same.
"""

import random
import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum, auto
from typing import Any
from uuid import UUID

import psycopg
from redis import Redis
from rq import Queue

from marketplace.core.context import Context
from marketplace.core.links import Purpose, new_token, token_hash
from tests.bench.clients import User, run_together
from tests.bench.worker import DISJOINT, drained
from tests.factories import Factory, lead_form
from tests.people import a_person, session_token

PROVIDERS_EACH = 20
"""In each of these markets, which share none: so many that none is asked more often in an hour of
load than the limits allow."""

MIX = {"confirms": 0.9, "declines": 0.1, "silent": 0.1, "chooses": 0.7}
"""Of forms, how many are confirmed; of those invited, how many decline or only look, while all
others accept and quote; of requests with a quote, how many choose."""

LOOK_EVERY = 0.02
"""Seconds between two looks into the database for what the workers have done."""

PATIENCE = 60
"""Seconds to wait for that."""

UNDECIDED = 8
"""Invitations that a provider has looked at and leaves undecided, before it declines the oldest: it
may not look at many more than that."""

_INVITED = """
    SELECT i.id, i.provider_id FROM invitations i
    JOIN notifications n ON n.subject_id = i.id AND n.template = 'invitation'
    WHERE i.lead_id = %s AND n.sent_at IS NOT NULL
"""
_MINT = """
    INSERT INTO links (token_hash, purpose, subject_id, minted_at, expires_at)
    SELECT %s, %s, id, now(), now() + interval '1 hour' FROM leads WHERE reference = %s
    RETURNING subject_id
"""


@dataclass
class Walked:
    """What came of it."""

    seconds: float = 0.0
    leads: int = 0
    steps: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Seconds that each step took, by its name."""
    outcomes: Counter[str] = field(default_factory=Counter)


class Answer(Enum):
    """What a provider does with an invitation that it has looked at."""

    QUOTE = auto()
    DECLINE = auto()
    NONE = auto()


class Road:
    """Markets with providers who are signed in, and businesses that walk through them."""

    def __init__(self, ctx: Context, url: str, port: int) -> None:
        """`url`: where psycopg looks for what the workers have done."""
        self._url, self._port = url, port
        self._until = str(ctx.clock().date() + timedelta(days=60))
        self._tokens = dict(_providers(ctx))
        self._undecided: dict[UUID, deque[UUID]] = defaultdict(deque)
        self._number = 0
        self._lock = threading.Lock()

    def walk(self, *, users: int, leads: int, within: float) -> Walked:
        """Walk so many leads down the road, or as many as `within` seconds allow."""
        walked, end = Walked(), time.monotonic() + within
        left = iter(range(leads))

        def one() -> None:
            with psycopg.connect(self._url, autocommit=True) as database:
                while time.monotonic() < end:
                    with self._lock:
                        if next(left, None) is None:
                            return
                        self._number += 1
                        number = self._number
                    self._one_lead(number, database, walked)
                    walked.leads += 1

        started = time.perf_counter()
        run_together([one] * users)
        walked.seconds = time.perf_counter() - started
        return walked

    def _one_lead(self, number: int, database: psycopg.Connection[Any], walked: Walked) -> None:
        draw = random.Random(number)
        business = User(self._port, f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}")
        wanted = lead_form(number, regions=[draw.choice(DISJOINT)])
        with _timed(walked, "form"):
            reference = business.ask("POST", "/api/v1/leads", wanted)["reference"]
        if draw.random() >= MIX["confirms"]:
            walked.outcomes["never confirmed"] += 1
            return
        token = new_token(Purpose.CONFIRM_LEAD)
        minted = (token_hash(token), Purpose.CONFIRM_LEAD.value, reference)
        [(lead_id,)] = database.execute(_MINT, minted).fetchall()
        with _timed(walked, "confirmation"):
            confirmed = business.ask("POST", "/api/v1/leads/confirmations", {"token": token})
        assert confirmed["status"] == "open", confirmed
        with _timed(walked, "match, to the third mail"):
            invited = _invited(database, lead_id)
        answers = {each: self._answers(*each, draw, walked) for each in invited}
        quoted = [each for each, answer in answers.items() if answer is Answer.QUOTE]
        if quoted and draw.random() < MIX["chooses"]:
            choice, token = {"invitation_id": str(quoted[0][0])}, confirmed["request_token"]
            with _timed(walked, "compare"):
                business.ask("GET", "/api/v1/request", token=token)
            with _timed(walked, "choose"):
                business.ask("POST", "/api/v1/request/choice", choice, token=token)
            walked.outcomes["awarded"] += 1
        else:
            walked.outcomes["left open"] += 1
            for each, answer in answers.items():
                if answer is Answer.NONE:
                    self._leave_undecided(*each, walked)
        business.leave()

    def _answers(
        self, invitation_id: UUID, provider_id: UUID, draw: random.Random, walked: Walked
    ) -> "Answer":
        """Let the holder of an invitation do something; return what."""
        token, path = self._tokens[provider_id], _path(invitation_id)
        provider = User(self._port)
        with _timed(walked, "open"):
            provider.ask("GET", path, token=token)
        drawn = draw.random()
        if drawn < MIX["declines"]:
            answer = Answer.DECLINE
            self._decline(provider, invitation_id, token, walked)
        elif drawn < MIX["declines"] + MIX["silent"]:
            answer = Answer.NONE
        else:
            answer = Answer.QUOTE
            with _timed(walked, "accept"):
                provider.ask("POST", f"{path}/acceptance", token=token)
            with _timed(walked, "quote"):
                provider.ask("PUT", f"{path}/quote", self._quote(draw), token=token)
        provider.leave()
        return answer

    def _leave_undecided(self, invitation_id: UUID, provider_id: UUID, walked: Walked) -> None:
        """Let the holder think it over, and decline what it has thought over for longest."""
        with self._lock:
            waiting = self._undecided[provider_id]
            waiting.append(invitation_id)
            oldest = waiting.popleft() if len(waiting) > UNDECIDED else None
        if oldest is not None:
            provider = User(self._port)
            self._decline(provider, oldest, self._tokens[provider_id], walked)
            provider.leave()

    @staticmethod
    def _decline(provider: User, invitation_id: UUID, token: str, walked: Walked) -> None:
        path = f"{_path(invitation_id)}/decline"
        with _timed(walked, "decline"):
            provider.ask("POST", path, {"reason": "no_capacity"}, token=token)

    def _quote(self, draw: random.Random) -> dict[str, Any]:
        phases = [{"name": "All of it", "days": 5, "fee": f"{draw.randint(4000, 9000)}.00"}]
        return {
            "kind": "consulting",
            "currency": "AUD",
            "phases": phases,
            "valid_until": self._until,
        }


def _path(invitation_id: UUID) -> str:
    return f"/api/v1/portal/invitations/{invitation_id}"


def _providers(ctx: Context) -> Iterator[tuple[UUID, str]]:
    """Make the providers of every market; yield each with the token of somebody signed in."""
    make = Factory(ctx)
    for region in DISJOINT:
        for number in range(PROVIDERS_EACH):
            held = make.provider(
                name=f"Consultants {region} {number}",
                regions=(region,),
                open_capacity=100_000,
                monthly_capacity=100_000,
            )
            email = f"kim@{region}-{number}.example".lower()
            yield held.id, session_token(ctx, a_person(ctx, email, provider_id=held.id))


def _invited(database: psycopg.Connection[Any], lead_id: UUID) -> list[tuple[UUID, UUID]]:
    """Wait until three invitations of a lead have been mailed; return them with their holders."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        rows = database.execute(_INVITED, (lead_id,)).fetchall()
        if len(rows) >= 3:
            return rows
        time.sleep(LOOK_EVERY)
    raise TimeoutError("three mails did not go out: is a worker running?")


@contextmanager
def _timed(walked: Walked, step: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    walked.steps[step].append(time.perf_counter() - started)


def no_ops_per_second(redis_url: str, count: int) -> float:
    """Return how many jobs that do nothing the workers that are running get through a second."""
    queue = Queue("matching", connection=Redis.from_url(redis_url))

    def ring() -> None:
        for _ in range(count):
            queue.enqueue("tests.bench.nothing.nothing", result_ttl=0)

    drained(queue, ring)  # the first of a process are slower
    return count / drained(queue, ring)
