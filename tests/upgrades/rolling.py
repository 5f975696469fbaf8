"""Leads that walk their road through two versions at once, and the steps of a roll.

Every request of a walk takes the next door, so that what one version wrote the other reads. All is
HTTP, as the contract has it: what people do does not depend on the version.
"""

import csv
import itertools
import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from threading import Event as Signal
from threading import Lock
from typing import Any
from urllib.parse import quote

from redis import Redis
from rq import Queue
from rq.registry import FailedJobRegistry

from marketplace.core.jobs import QUEUES
from marketplace.core.verifying import verify_log
from marketplace.migrations.schema import upgrade
from tests.factories import lead_form
from tests.faults.campaign import counted, is_settled
from tests.fleet import ROOT, Fleet, wait_until
from tests.upgrades.before import Columns, build_database, columns_of, what_it_would_miss

PROVIDER_COLUMNS = (
    "name,kind,country,registration_number,website,contact_name,email,phone,standards,regions,"
    "sectors,headcount_min,headcount_max,remote,open_capacity,monthly_capacity,related_to,"
    "accreditations"
)
"""As the contract has them."""

PROVIDERS = 4
PAUSE = 0.5
"""Seconds between two leads of one who walks: processes start meanwhile, on the same cores."""

PASSWORD = "seven quiet herons"
PATIENCE = 60.0
"""Seconds for whatever people wait for."""

STARTED_WITHIN = 150.0
"""Seconds: several processes start at once, on a machine that may have much else to do."""


class Stumbled(Exception):
    """Somebody was answered otherwise than the contract has it."""


@dataclass
class Answer:
    """One request, and how it went."""

    door: str
    phase: str
    status: int
    seconds: float


@dataclass
class Road:
    """The doors that are open, and what people were answered there."""

    fleet: Fleet
    doors: dict[str, int] = field(default_factory=dict)
    """By version, the port of its web."""
    phase: str = ""
    answers: list[Answer] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)
    """References of forms that were taken."""
    finished: list[str] = field(default_factory=list)
    """In which phase each lead came to its end."""
    rest: Signal = field(default_factory=Signal)
    """While it is set nobody sets out: starting processes takes long enough by itself."""
    _turns: Iterator[int] = field(default_factory=itertools.count)
    _tokens: dict[str, str] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)
    _signing_in: Lock = field(default_factory=Lock)

    def ask(self, method: str, path: str, body: Any = None, token: str = "") -> Any:
        """Send a request to the next door, and return what it says."""
        with self._lock:
            doors = [*self.doors.items()]
            door, port = doors[next(self._turns) % len(doors)]
        phase, began = self.phase, time.monotonic()
        connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        headers = {"Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        try:
            sent = None if body is None else json.dumps(body)
            connection.request(method, f"/api/v1/{path}", sent, headers)
            answer = connection.getresponse()
            said = answer.read()
        except OSError as error:
            raise Stumbled(f"{door}, {phase}: {method} {path}: {error!r}") from error
        finally:
            connection.close()
        self.answers.append(Answer(door, phase, answer.status, time.monotonic() - began))
        if answer.status >= 400:
            raise Stumbled(f"{door}, {phase}: {method} {path}: {answer.status} {said!r}")
        return json.loads(said or b"null")

    def close_door(self, version: str) -> None:
        """Send nobody there any more, as a balancer does before it lets a host go."""
        with self._lock:
            del self.doors[version]

    def token_in_mail(self, to: str, what: str) -> str:
        """Return the token of the newest link of a kind that was mailed to somebody."""

        def look() -> str | None:
            for post in reversed(self.fleet.mail.taken[:]):
                (person,) = post["personalizations"]
                if person["to"][0]["email"] == to:
                    found = re.search(rf"/({what}_[\w-]+)", post["content"][0]["value"])
                    if found:
                        return found[1]
            return None

        return _wait_for(look, f"a {what} link for {to}")

    def provider(self, name: str) -> str:
        """Return the session of a provider's person, who sets a password the first time."""
        number = name.rpartition(" ")[2]
        email = f"kim@quality{number}.example"
        with self._signing_in:
            if email not in self._tokens:
                link = self.token_in_mail(email, "password")
                self.ask("PUT", "password-resets", {"token": link, "password": PASSWORD})
                signed_in = self.ask("POST", "sessions", {"email": email, "password": PASSWORD})
                self._tokens[email] = signed_in["token"]
            return self._tokens[email]

    def walk(self, number: int) -> None:
        """Let one business go all the way: three invitations, a decline, two quotes, a choice."""
        form = lead_form(number)
        self.taken.append(self.ask("POST", "leads", form)["reference"])
        link = self.token_in_mail(form["contact"]["email"], "confirm")
        business = self.ask("POST", "leads/confirmations", {"token": link})["request_token"]

        def invited() -> Any:
            held = self.ask("GET", "request", token=business)["invitations"]
            return held if len(held) >= 3 else None

        quick, curious, busy = _wait_for(invited, "three invitations")[:3]
        self._quote(quick, "9000.00")
        token, path = self._look(curious)
        self.ask("POST", f"{path}/acceptance", token=token)
        asked = self.ask("POST", f"{path}/questions", {"text": "How many shifts?"}, token)
        answer = {"question_id": asked["id"], "text": "Two."}
        self.ask("POST", "request/answers", answer, business)
        self._quote(curious, "8000.00")
        token, path = self._look(busy)
        self.ask("POST", f"{path}/decline", {"reason": "no_capacity"}, token)
        page = self.ask("GET", "request", token=business)
        totals = [each["total"] for each in page["comparison"]["kinds"]["consulting"]["columns"]]
        if sorted(totals) != ["8000.00", "9000.00"]:
            raise Stumbled(f"the comparison of {page['reference']} has {totals}")
        chosen = self.ask("POST", "request/choice", {"invitation_id": quick["id"]}, business)
        if chosen["status"] != "awarded":
            raise Stumbled(f"{page['reference']} is {chosen['status']} after the choice")
        self.finished.append(self.phase)

    def _look(self, invitation: Any) -> tuple[str, str]:
        token = self.provider(invitation["provider"]["name"])
        path = f"portal/invitations/{quote(invitation['id'])}"
        seen = self.ask("GET", path, token=token)
        if "Invented Works" in json.dumps(seen) and seen["state"] == "opened":
            raise Stumbled("an invitation shows who the business is before it was accepted")
        return token, path

    def _quote(self, invitation: Any, fee: str) -> None:
        token, path = self._look(invitation)
        body = {
            "kind": "consulting",
            "currency": "AUD",
            "phases": [{"name": "All of it", "days": 10, "fee": fee}],
            "valid_until": str(datetime.now(UTC).date() + timedelta(days=30)),
        }
        self.ask("PUT", f"{path}/quote", body, token)


def _wait_for(look: Callable[[], Any], what: str) -> Any:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if found := look():
            return found
        time.sleep(0.05)
    raise Stumbled(f"waited {PATIENCE:g} s in vain for {what}")


def provide(fleet: Fleet, tree: Path) -> Columns:
    """Let the version in `tree` build the database and take providers in."""
    path = fleet.folder / "providers.csv"
    with path.open("w", newline="") as out:
        rows = csv.DictWriter(out, PROVIDER_COLUMNS.split(","), restval="")
        rows.writeheader()
        for number in range(1, PROVIDERS + 1):
            rows.writerow(
                {
                    "name": f"Invented Quality {number}",
                    "kind": "consultant",
                    "country": "AU",
                    "contact_name": f"Kim Reyes {number}",
                    "email": f"kim@quality{number}.example",
                    "standards": "ISO 9001",
                    "regions": "AU-NSW",
                    "sectors": "17",
                    "remote": "yes",
                    "open_capacity": "1000",
                    "monthly_capacity": "10000",
                }
            )
    taking_in = ["import-providers", str(path), "--verified", "--invite"]
    owner = {"MARKETPLACE_MIGRATION_DATABASE_URL": fleet.postgres.owner_url}
    given = {**fleet.environment, **owner}
    return build_database(tree, given, ["migrate"], ["seed-catalogue"], taking_in)


def start(fleet: Fleet, version: str, tree: Path, *kinds: str) -> int:
    """Start processes of a version and return the port of its web, if that is one of them."""
    port = 0
    for kind in kinds:
        command: tuple[str, ...] = ("workers.run", kind)
        if kind == "web":
            with socket.create_server(("127.0.0.1", 0)) as free:
                port = free.getsockname()[1]
            # As `marketplace web` does, which would load the product twice.
            command = ("gunicorn", "--config", "config/gunicorn.conf.py", "--workers", "1")
            command += ("--threads", "4", "--bind", f"127.0.0.1:{port}")
        fleet.start(f"{kind} {version}", *command, tree=tree)
    return port


def is_ready(port: int) -> bool:
    """Return whether the web on a port says that it can serve."""
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


@contextmanager
def leads_walk(road: Road, *, at_once: int) -> Iterator[Callable[[int], None]]:
    """Let leads walk meanwhile, so many at once, one after the other; all come to their end.

    Yields a function that waits until so many more have come to it. Whatever anybody stumbled over
    is raised there, or at the end.
    """
    numbers, stop = itertools.count(1), Signal()
    stumbled: list[BaseException] = []

    def walk_on() -> None:
        while not (stop.is_set() or stumbled):
            try:
                if not road.rest.is_set():
                    road.walk(next(numbers))
                stop.wait(PAUSE)
            except BaseException as error:
                stumbled.append(error)

    def wait_for(more: int) -> None:
        target = len(road.finished) + more
        wait_until(
            lambda: bool(stumbled) or len(road.finished) >= target,
            f"{more} leads have ended",
            patience=STARTED_WITHIN,
        )
        if stumbled:
            raise stumbled[0]

    with ThreadPoolExecutor(at_once) as pool:
        walking: list[Future[None]] = [pool.submit(walk_on) for _ in range(at_once)]
        try:
            yield wait_for
        finally:
            stop.set()
            for each in walking:
                each.result()
    if stumbled:
        raise stumbled[0]


BEFORE, NOW = "the version before", "this version"


def roll(fleet: Fleet, tree: Path, *, leads: int, at_once: int = 1, in_full: bool = False) -> Road:
    """Go from the version in `tree` to this one as UPGRADES.md says, with leads under way.

    `leads`: how many come to their end in each phase at least. `in_full`: with schedulers too, and
    back to the version before once this one runs alone, and forward again.
    """
    road = Road(fleet)
    road.doors[BEFORE] = start(fleet, BEFORE, tree, "web", "worker")
    if in_full:
        start(fleet, BEFORE, tree, "scheduler")
    _await_ready(road.doors[BEFORE], BEFORE)
    road.phase = "1 before"
    with leads_walk(road, at_once=at_once) as until_ended:
        until_ended(leads)
        road.phase = "2 while it migrates"
        upgrade(fleet.product.app)
        road.phase = "3 the version before on the new schema"
        if not is_ready(road.doors[BEFORE]):
            raise Stumbled("the version before is not ready on the new schema")
        _hand_over(road, BEFORE, NOW, ROOT, until_ended, leads, phase="4", rests=not in_full)
        if in_full:
            _hand_over(road, NOW, BEFORE, tree, until_ended, leads, phase="6 back:")
            _hand_over(road, BEFORE, NOW, ROOT, until_ended, leads, phase="8 forward again:")
    return road


def _hand_over(
    road: Road, leaves: str, comes: str, tree: Path, until_ended: Callable[[int], None],
    leads: int, *, phase: str, rests: bool = False,
) -> None:  # fmt: skip
    """Let one version come beside the other, then the other leave: workers, web, scheduler.

    `rests`: whoever is on the way goes on, and nobody sets out while processes start and stop.
    """
    fleet = road.fleet
    if rests:
        road.rest.set()
    port = start(fleet, comes, tree, "worker", "web")
    _await_ready(port, comes)
    road.rest.clear()
    road.phase = f"{phase} both"
    road.doors[comes] = port
    until_ended(leads)
    road.close_door(leaves)
    road.phase = f"{phase} {comes} takes over"
    if rests:
        road.rest.set()
    stop(fleet, f"web {leaves}")
    stop(fleet, f"worker {leaves}")
    if f"scheduler {leaves}" in fleet.processes:
        stop(fleet, f"scheduler {leaves}")
        start(fleet, comes, tree, "scheduler")
    road.rest.clear()
    road.phase = f"{phase} {comes} alone"
    until_ended(leads)


def _await_ready(port: int, version: str) -> None:
    wait_until(lambda: is_ready(port), f"{version} is ready", patience=STARTED_WITHIN)


def stop(fleet: Fleet, name: str) -> None:
    """Ask a process to stop, and see that it finishes what it has in hand and leaves by itself."""
    process = fleet.processes[name]
    process.terminate()
    code = process.wait(PATIENCE)
    if code:
        raise Stumbled(f"{name} left with {code}")
    del fleet.processes[name]


def failed_jobs(fleet: Fleet) -> dict[str, int]:
    """Return how many jobs failed, by queue."""
    with Redis.from_url(fleet.environment["MARKETPLACE_REDIS_URL"]) as redis:
        counts = {name: len(FailedJobRegistry(queue=Queue(name, redis))) for name in QUEUES}
    return {name: count for name, count in counts.items() if count}


def complaints(fleet: Fleet) -> list[str]:
    """Return the lines of any log that say of a fault, or are none of ours.

    A warning may be of the machine, which has much else to do.
    """
    return [
        f"{log.stem}: {line}"
        for log in sorted(fleet.folder.glob("*.log"))
        for line in log.read_text(errors="replace").splitlines()
        if not line.startswith("Serving on")
        and not re.search(r'"level": ?"(debug|info|warning)"', line)
    ]


def found_wrong(fleet: Fleet, road: Road, reads: Columns) -> list[str]:
    """Return what is not as it has to be once every lead has ended, a line each."""
    wait_until(lambda: is_settled(fleet), "nothing is under way any more", patience=STARTED_WITHIN)
    found = counted(fleet, "upgrade", road.taken, fleet.ctx.clock())
    with fleet.ctx.reading() as session:
        missed = what_it_would_miss(reads, columns_of(session))
    counts = {
        "forms that were taken and are lost": found.lost,
        "leads that did not end": len(road.taken) - len(road.finished),
        "messages that are missing": found.missing,
        "messages that went out twice": found.doubled,
        "answers that say of a failure": sum(each.status >= 400 for each in road.answers),
    }
    return [
        *(f"{what}: {count}" for what, count in counts.items() if count),
        *(f"jobs that failed on {queue}: {count}" for queue, count in failed_jobs(fleet).items()),
        *found.broken,
        *missed,
        *verify_log(fleet.ctx).found,
        *complaints(fleet),
    ]
