"""`make chaos`: hosts are cut off one after another while leads are under way, and all is counted.

Two hosts serve the web, two do jobs, one keeps the clock, around a PostgreSQL with a synchronous
replica and a Redis with a replica under Sentinel: each is a network namespace that is made for this
and removed afterwards. What is printed: forms that were answered and lost, messages missing and
doubled, invariants that do not hold, and for how long nothing went on.
"""

import argparse
import logging
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import structlog
from rich.console import Console
from rich.table import Table
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from marketplace.core.db import db
from marketplace.core.verifying import verify_log
from marketplace.invitations.models import Invitation
from marketplace.leads.models import Lead
from marketplace.local.postgres import OWNER, SUPERUSER
from tests.chaos.hosts import (
    SCHEDULER,
    WEB,
    WORKERS,
    Businesses,
    Installation,
    installed,
    start_all,
)
from tests.chaos.network import why_not
from tests.faults.campaign import MANNERS, REGIONS, Result, counted, is_settled
from tests.fleet import SWEEP, wait_until

Wait = Callable[[float], None]
"""Lets so many seconds pass, in which providers go on with what they do."""

console = Console(width=132)


def cut_nothing(at: Installation, wait: Wait, span: float) -> None:
    """Nothing happens: what the others are to be held against."""
    wait(span)


def cut_web(at: Installation, wait: Wait, span: float) -> None:
    """A web host is cut off with requests in its hands, and comes back."""
    at.network.cut(WEB[0])
    wait(span)
    at.network.join(WEB[0])


def cut_worker(at: Installation, wait: Wait, span: float) -> None:
    """A worker host is cut off in the middle of a match, with the lead locked, and comes back."""
    victim = at.network.address(WORKERS[0])
    stands = (
        "SELECT count(*) FROM pg_stat_activity WHERE client_addr = %s AND wait_event_type = 'Lock'"
    )
    with at.postgres.superuser(at.postgres.primary) as watch:
        with psycopg.connect(_to(at)) as holder:
            holder.execute("LOCK TABLE matching_runs")  # the last that a match writes to
            wait_until(
                lambda: watch.execute(stands, [victim]).fetchone() != (0,),
                "its match stands still", patience=60,
            )  # fmt: skip
            at.network.cut(WORKERS[0])
        wait(span)
    at.network.join(WORKERS[0])


def cut_redis(at: Installation, wait: Wait, span: float) -> None:
    """The primary of Redis is cut off; the sentinels make the other one primary."""
    before = at.redis.primary()
    at.network.cut(before)
    began = time.monotonic()
    wait_until(
        lambda: at.redis.primary_or_none() not in (None, before),
        "the other one is primary", patience=60,
    )  # fmt: skip
    taken_over = time.monotonic() - began
    at.said.append(f"the sentinels took {taken_over:.1f} s")
    wait(max(0.0, span - taken_over))
    at.network.join(before)
    at.redis.await_both()


def promote(at: Installation, wait: Wait, span: float) -> None:
    """The primary of PostgreSQL is cut off, and its replica promoted; then it gets another."""
    lost = at.postgres.primary
    at.network.cut(lost)
    began = time.monotonic()
    time.sleep(2.0)  # until somebody has decided; whoever uses the database now waits for it
    at.postgres.promote()
    at.said.append(f"promoted after {time.monotonic() - began:.1f} s")
    wait(span)
    at.postgres.kill(lost)
    at.network.join(lost)
    at.postgres.add_replica()


def part_scheduler(at: Installation, wait: Wait, span: float) -> None:
    """The scheduler is cut off, and comes back."""
    at.network.cut(SCHEDULER)
    wait(span)
    at.network.join(SCHEDULER)


FAULTS = {
    "nothing": cut_nothing,
    "web host cut off": cut_web,
    "worker host cut off in mid-job": cut_worker,
    "Redis's primary cut off": cut_redis,
    "PostgreSQL's replica promoted": promote,
    "scheduler cut off, and back": part_scheduler,
}

MAY_DOUBLE = ("worker host cut off in mid-job", "PostgreSQL's replica promoted")
"""Where an answer can be lost between the send and its record, so that a message goes out twice."""


@dataclass
class Seen:
    """What one trial came to."""

    result: Result
    silence: float
    """Seconds for which no form was answered, at the longest."""
    slowest: float
    """Seconds from a form that was answered to its first invitation, at the longest."""
    refused: int
    is_settled: bool

    def is_sound(self, doubled_before: int) -> bool:
        found = self.result
        doubled = found.doubled > doubled_before and found.fault not in MAY_DOUBLE
        return self.is_settled and not (found.lost or found.missing or found.broken or doubled)


def make_market(at: Installation) -> None:
    for region in REGIONS:
        for manner in MANNERS:
            at.hosts.provider(
                manner, regions=(region,), open_capacity=1000, monthly_capacity=10_000
            )


def try_out(
    at: Installation, fault: str, *, leads: int, window: float, first: int, patience: float = 240.0
) -> Seen:
    """Let a fault loose while so many leads come in, and count what has become of everything."""
    draw = random.Random(fault)
    where = {number: draw.choice(REGIONS) for number in range(first, first + leads)}

    def live(seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            at.hosts.let_providers_act()
            time.sleep(0.1)

    began = at.hosts.ctx.clock()
    numbers = sorted(where)
    span = window / 2
    with Businesses(at.hosts, numbers, pace=1.5 * span / leads, regions=where.get) as businesses:
        live(span / 4)
        since = time.monotonic()
        FAULTS[fault](at, live, span)
        over_at, over = at.hosts.ctx.clock(), time.monotonic()
        deadline = over + patience
        settled = 0  # so often in a row: between two sweeps it may look so
        while settled < 3 and time.monotonic() < deadline:
            live(SWEEP)
            settled = settled + 1 if not businesses.numbers and _settled(at) else 0
        silence = businesses.longest_silence(since)
    result = counted(at.hosts, fault, businesses.taken, over_at)
    result.recovered_in = time.monotonic() - over
    return Seen(result, silence, _slowest(at, began), businesses.refused, settled == 3)


def _settled(at: Installation) -> bool:
    try:
        return is_settled(at.hosts)
    except SQLAlchemyError:
        db.session.remove()
        return False


def _slowest(at: Installation, began: datetime) -> float:
    """Return the longest time from the opening of a lead to its first invitation."""
    first = (
        select(Lead.opened_at, func.min(Invitation.sent_at).label("sent"))
        .join(Invitation, Invitation.lead_id == Lead.id)
        .where(Lead.opened_at >= began)
        .group_by(Lead.id, Lead.opened_at)
    )
    with at.hosts.ctx.reading() as session:
        waits = [(sent - opened).total_seconds() for opened, sent in session.execute(first)]
    return max(waits, default=0.0)


def _to(at: Installation) -> str:
    return f"host={at.network.address(at.postgres.primary)} user={SUPERUSER} dbname={OWNER}"


def run(wanted: argparse.Namespace) -> bool:
    """Try every fault that is wanted on one installation; return whether all was well."""
    table = Table(title=f"{wanted.leads} leads each, a day of {wanted.window:g} s")
    for heading in (
        "fault", "taken", "lost", "missing", "doubled", "refused", "no form answered for",
        "slowest match", "latest deadline", "settled after", "broken",
    ):  # fmt: skip
        table.add_column(heading)
    sound, number, doubled = True, 1, 0
    with tempfile.TemporaryDirectory(prefix="marketplace-chaos-") as folder:
        began = time.monotonic()
        with installed(Path(folder), window=timedelta(seconds=wanted.window)) as at:
            make_market(at)
            start_all(at)
            console.print(f"{len(at.network.hosts)} hosts stand after {_since(began)}.")
            for fault in wanted.only or FAULTS:
                seen = try_out(at, fault, leads=wanted.leads, window=wanted.window, first=number)
                number += wanted.leads
                found = seen.result
                sound = sound and seen.is_sound(doubled)
                broken = [*found.broken, *([] if seen.is_settled else ["not settled in time"])]
                table.add_row(
                    fault, str(found.leads), str(found.lost), str(found.missing),
                    str(found.doubled - doubled), str(seen.refused), f"{seen.silence:.1f} s",
                    f"{seen.slowest:.1f} s", f"{found.latest:.1f} s", f"{found.recovered_in:.1f} s",
                    "; ".join(broken) or "nothing",
                )  # fmt: skip
                doubled = found.doubled
                console.print(
                    f"{fault}: {found.leads} taken, {found.lost} lost; no form answered for "
                    f"{seen.silence:.1f} s, slowest match {seen.slowest:.1f} s, latest deadline "
                    f"{found.latest:.1f} s, settled {found.recovered_in:.1f} s after the fault"
                    f"{''.join(f'; {each}' for each in at.said)}"
                )
                at.said.clear()
            log = verify_log(at.hosts.ctx)
            sound = sound and not log.found
            if wanted.logs:
                _keep_logs(Path(folder), wanted.logs)
    console.print(table)
    console.print(
        f"The audit log: {log.events} events sealed, faults: {len(log.found)}. Asked for: nothing "
        "lost, missing or broken; nothing doubled but where an answer can be lost between the send "
        f"and its record. Sweeps every {SWEEP:g} s. Hosts and processes are removed."
    )
    return sound


def _keep_logs(folder: Path, kept: Path) -> None:
    kept.mkdir(parents=True, exist_ok=True)
    for path in [*folder.glob("*.log"), *folder.glob("*/*.log")]:
        (kept / path.name).write_bytes(path.read_bytes())
    console.print(f"What the processes said is in {kept}.")


def _since(began: float) -> str:
    return f"{time.monotonic() - began:.0f} s"


def main() -> None:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--leads", type=int, default=60, help="in flight during each fault")
    parser.add_argument("--window", type=float, default=30.0, help="the response window, seconds")
    parser.add_argument("--only", choices=FAULTS, action="append", help="one of the faults")
    parser.add_argument("--logs", type=Path, help="a folder to keep the logs in")
    wanted = parser.parse_args()
    reason = why_not()
    if reason is not None:
        console.print(f"[bold]NOT TRIED: several hosts cannot be made here, since {reason}.[/bold]")
        sys.exit(0)
    # What the people of the trial meet is counted, and not told line by line.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    # Whoever stops this stops it in order, so that nothing is left of the hosts.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(0 if run(wanted) else 1)


if __name__ == "__main__":
    main()
