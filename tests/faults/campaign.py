"""`make faults`: leads in flight while processes are killed, servers go away and mail fails.

Each fault is let loose on an installation of its own, in real processes, with hundreds of leads
under way at a scaled clock. Afterwards everything is counted: leads that were lost, messages that
are missing or came twice, deadlines that were kept late, and what the invariants forbid.
"""

import argparse
import random
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from redis import Redis
from rich.console import Console
from rich.table import Table
from sqlalchemy import func, select

from marketplace.invitations.models import Invitation
from marketplace.invitations.rules import ANSWERABLE, LIVE, InvitationState
from marketplace.leads.models import Lead
from marketplace.matching.checking import check_coverage
from marketplace.matching.models import Credit
from marketplace.notifications.models import Commitment, Notification
from marketplace.notifications.rules import CommitmentState, NotificationState
from tests.factories import ADMIN
from tests.fleet import SWEEP, Fleet, Manner, running, wait_until
from tests.mail_service import answering, dropping, mostly

REGIONS = ("AU-NSW", "AU-VIC", "AU-QLD", "AU-SA", "AU-WA", "AU-TAS")
MANNERS = (*Manner, Manner.QUOTES)

Wait = Callable[[float], None]
"""Lets so many seconds pass, in which businesses and providers go on with what they do."""

console = Console(width=120)


def kill_workers(fleet: Fleet, wait: Wait, span: float) -> None:
    """A worker is killed outright again and again, whatever it is at, and another started."""
    for _ in range(max(3, int(span / 3))):
        fleet.kill("worker")
        fleet.start_worker()
        wait(3.0)


def kill_scheduler(fleet: Fleet, wait: Wait, span: float) -> None:
    """The scheduler is killed; after a while two of them run at once, for good."""
    fleet.kill("scheduler")
    wait(span)
    before = fleet.schedulers()  # the killed one is still in Redis, for two minutes
    fleet.start_scheduler()
    fleet.start_scheduler("another scheduler")
    wait_until(lambda: fleet.schedulers() > before, "a scheduler ticks")


def flush_redis(fleet: Fleet, wait: Wait, span: float) -> None:
    """Redis forgets everything, three times."""
    for _ in range(3):
        with Redis.from_url(fleet.environment["MARKETPLACE_REDIS_URL"]) as redis:
            redis.flushall()
        wait(span / 3)


def stop_redis(fleet: Fleet, wait: Wait, span: float) -> None:
    """Redis goes away, and comes back with nothing in it; recovered is who ticks again."""
    fleet.redis.stop()
    wait(span)
    fleet.redis.start()
    wait_until(lambda: fleet.schedulers() > 0, "a scheduler ticks again")


def restart_postgres(fleet: Fleet, wait: Wait, span: float) -> None:
    """PostgreSQL is stopped, which cuts every connection, and comes back; twice."""
    for _ in range(2):
        fleet.postgres.stop()
        wait(span / 4)
        fleet.postgres.start()
        wait(span / 4)


def fail_mail(fleet: Fleet, wait: Wait, span: float) -> None:
    """The mail service fails for a third of the messages, and then for all."""
    fleet.mail.behave = mostly(0.3, answering(500), draw=random.Random(1))
    wait(span / 2)
    fleet.mail.behave = answering(503)
    wait(span / 2)
    fleet.mail.behave = answering(202)


def drop_mail(fleet: Fleet, wait: Wait, span: float) -> None:
    """It takes a message and hangs up before it has said so, or asks to come later."""
    fleet.mail.behave = mostly(0.3, dropping, draw=random.Random(2))
    wait(span / 2)
    fleet.mail.behave = mostly(0.5, answering(429, Retry_After="1"), draw=random.Random(3))
    wait(span / 2)
    fleet.mail.behave = answering(202)


def jump_clock(fleet: Fleet, wait: Wait, span: float) -> None:
    """The clock of the worker's machine jumps ahead of the others', then behind, then is right."""
    skew = fleet.folder / "skew"
    fleet.kill("worker")
    for seconds in (2.0, -2.0):
        skew.write_text(str(seconds))
        fleet.start("worker", "tests.faults.skewed_worker", str(skew))
        wait(span / 2)
        fleet.kill("worker")
    fleet.start_worker()
    wait(3.0)


def fill_disk(fleet: Fleet, wait: Wait, span: float) -> None:
    """Nothing more can be written to the logs."""
    for name, start in (("worker", ("worker",)), ("scheduler", ("scheduler",))):
        fleet.kill(name)
        fleet.start(name, "workers.run", *start, log=Path("/dev/full"))
    wait(span)


FAULTS = {
    "worker killed": kill_workers,
    "scheduler killed, then two": kill_scheduler,
    "Redis emptied": flush_redis,
    "Redis stopped": stop_redis,
    "PostgreSQL restarted": restart_postgres,
    "mail fails 30 %, then wholly": fail_mail,
    "mail hangs up, or asks to wait": drop_mail,
    "clock jumps": jump_clock,
    "disk full for logs": fill_disk,
}

MAY_DOUBLE = (
    "worker killed", "mail hangs up, or asks to wait", "PostgreSQL restarted", "clock jumps",
    "disk full for logs",
)  # fmt: skip
"""Where an answer can be lost between the send and its record, so that a message goes out twice."""


@dataclass
class Result:
    """What was counted after a fault."""

    fault: str
    leads: int = 0
    lost: int = 0
    """Forms that were taken with 202 and have no settled commitment in the end."""
    broken: list[str] = field(default_factory=list)
    """Invariants that do not hold."""
    messages: int = 0
    missing: int = 0
    doubled: int = 0
    latest: float = 0.0
    """Seconds from a deadline, or from the recovery where that was later, to its effect."""
    recovered_in: float = 0.0
    """Seconds from the end of the fault until nothing was overdue."""

    @property
    def is_sound(self) -> bool:
        twice_for_nothing = self.doubled and self.fault not in MAY_DOUBLE
        return not (self.lost or self.broken or self.missing or twice_for_nothing)


def start_all(fleet: Fleet) -> None:
    """Start web, worker and scheduler, and make a market with providers of every manner."""
    for region in REGIONS:
        for manner in MANNERS:
            fleet.provider(manner, regions=(region,), open_capacity=1000, monthly_capacity=10_000)
    fleet.start_web()
    fleet.start_worker()
    fleet.start_scheduler()
    wait_until(fleet.is_up, "the web answers")


def try_out(fleet: Fleet, fault: str, *, leads: int, window: float, first: int = 1) -> Result:
    """Let a fault loose while `leads` are under way, and count what has become of everything.

    `first`: the number of the first form; every business sends one. What earlier trials left in the
    same installation counts along.
    """
    draw = random.Random(fault)
    taken: list[str] = []
    numbers = deque(range(first, first + leads))
    pace = window / 2 / leads

    def live(seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            sent_at = time.monotonic()
            if numbers:
                reference = fleet.submit(numbers[0], regions=[draw.choice(REGIONS)])
                if reference:  # or they try again
                    taken.append(reference)
                    numbers.popleft()
            fleet.let_providers_act()
            time.sleep(max(0.05, pace - (time.monotonic() - sent_at)))

    live(window / 4)
    FAULTS[fault](fleet, live, window / 2)
    over_at, over = fleet.ctx.clock(), time.monotonic()
    wait_until(fleet.is_up, "the web answers again")
    patience = time.monotonic() + 4 * window + 120
    live(window)
    while numbers or not is_settled(fleet):
        if time.monotonic() > patience:
            break
        live(0.5)
    result = counted(fleet, fault, taken, over_at)
    result.recovered_in = time.monotonic() - over
    return result


def is_settled(fleet: Fleet) -> bool:
    """Return whether nothing more is going to happen by itself."""
    with fleet.ctx.reading() as session:
        running_ = session.scalar(
            select(func.count()).select_from(Invitation).where(Invitation.state.in_(ANSWERABLE))
        )
        promised = session.scalar(
            select(func.count())
            .select_from(Commitment)
            .where(Commitment.state.in_([CommitmentState.RUNNING, CommitmentState.AT_RISK]))
        )
        unsent = session.scalar(
            select(func.count())
            .select_from(Notification)
            .where(Notification.state.in_([NotificationState.QUEUED, NotificationState.SENDING]))
        )
    return not (running_ or promised or unsent)


def counted(fleet: Fleet, fault: str, taken: list[str], over_at: datetime) -> Result:
    """Count everything; `over_at` is when the fault was over."""
    result = Result(fault, leads=len(taken))
    with fleet.ctx.reading() as session:
        leads = {each.reference: each for each in session.scalars(select(Lead))}
        promises = {each.lead_id: each for each in session.scalars(select(Commitment))}
        held = session.scalars(select(Invitation)).all()
        messages = session.scalars(select(Notification)).all()
        credit = session.scalar(select(func.sum(Credit.balance))) or 0.0
    # By business: who got no answer to a form that was taken sends it again.
    kept = {
        each.business_key
        for each in leads.values()
        if (promise := promises.get(each.id))
        and promise.state in (CommitmentState.MET, CommitmentState.MISSED)
    }
    result.lost = sum(
        reference not in leads or leads[reference].business_key not in kept for reference in taken
    )
    result.broken = list(_broken(fleet, held, credit))
    copies = fleet.mail.copies()
    result.messages = len(messages)
    result.missing = sum(str(each.id) not in copies for each in messages)
    result.doubled = sum(number - 1 for number in copies.values())
    lags = [0.0]
    for each in held:
        due = each.open_by if each.state is InvitationState.RELEASED else each.respond_by
        by_time = each.state in (InvitationState.RELEASED, InvitationState.EXPIRED)
        if by_time and each.ended_at is not None and each.ended_at >= over_at:
            lags.append((each.ended_at - max(due, over_at)).total_seconds())
    result.latest = max(lags)
    return result


def _broken(fleet: Fleet, held: list[Invitation], credit: float) -> list[str]:
    """Name the invariants that do not hold."""
    broken = []
    live: dict[object, int] = {}
    pairs = set()
    for each in held:
        live[each.lead_id] = live.get(each.lead_id, 0) + (each.state in LIVE)
        pairs.add((each.lead_id, each.provider_id))
    if max(live.values(), default=0) > 3:
        broken.append("more than three live invitations")
    if len(pairs) != len(held):
        broken.append("a provider invited twice to a lead")
    if abs(credit) > 1e-8 * len(held):  # shares are rounded to nine places
        broken.append(f"credit made or lost: {credit:g}")
    if any(each.quoted_at and each.quoted_at >= each.respond_by for each in held):
        broken.append("a late quote was taken")
    if check_coverage(fleet.ctx, ADMIN).remaining:
        broken.append("coverage rows that are not true")
    return broken


def main() -> None:
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--leads", type=int, default=500, help="in flight during each fault")
    parser.add_argument("--window", type=float, default=120.0, help="the response window, seconds")
    parser.add_argument("--only", choices=FAULTS, help="one of the faults")
    wanted = parser.parse_args()
    table = Table(
        title=f"{wanted.leads} leads, a day of {wanted.window:g} s, sweeps of {SWEEP:g} s"
    )
    for heading in ("fault", "taken", "lost", "messages", "missing", "doubled", "latest", "broken"):
        table.add_column(heading)
    sound = True
    for fault in [wanted.only] if wanted.only else FAULTS:
        with (
            console.status(fault),
            tempfile.TemporaryDirectory(prefix="marketplace-faults-") as folder,
            running(Path(folder), window=timedelta(seconds=wanted.window)) as fleet,
        ):
            start_all(fleet)
            found = try_out(fleet, fault, leads=wanted.leads, window=wanted.window)
        console.print(
            f"{fault}: {found.leads} taken, {found.lost} lost, {found.missing} messages missing, "
            f"{found.doubled} doubled, latest {found.latest:.1f} s"
        )
        sound = sound and found.is_sound
        figures = (found.leads, found.lost, found.messages, found.missing, found.doubled)
        table.add_row(
            fault, *map(str, figures), f"{found.latest:.1f} s", "; ".join(found.broken) or "nothing"
        )
    console.print(table)
    console.print(
        "Asked for: nothing lost, missing or broken; nothing doubled but where an answer can be "
        f"lost between the send and its record; nothing later than two sweeps, {2 * SWEEP:g} s."
    )
    sys.exit(0 if sound else 1)


if __name__ == "__main__":
    main()
