"""`make bench`: print every figure beside the floor that was measured in the same run.

Servers of our own, as durable as in production, in a folder that is removed afterwards.
"""

import argparse
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from marketplace.bootstrap import ALWAYS_THE_SAME, Product, build
from marketplace.core.context import Context
from tests.bench import load
from tests.bench.deadlines import IDLE, idle_sweeps, sweep_due
from tests.bench.load import quantile
from tests.bench.log import time_log
from tests.bench.mail import time_mail
from tests.bench.market import grow_market
from tests.bench.one_match import Timings, time_matches
from tests.bench.pages import time_pages
from tests.bench.system import prepared, servers
from tests.bench.worker import Work, time_worker
from tests.conftest import RecordingQueue, Services, settings_for

console = Console(width=110)

KINDS = ("match", "worker", "deadlines", "pages", "log", "forms", "road", "processes", "soak")


@contextmanager
def installation() -> Iterator[tuple[Context, str, str]]:
    """Start a fresh PostgreSQL and Redis with the product on them."""
    with servers() as (postgres, redis):
        database_url = postgres.owner_url  # what grows a market switches triggers off meanwhile
        product = another(database_url, redis.url)
        with prepared(product):
            yield replace(product.ctx, queue=RecordingQueue()), database_url, redis.url


def another(database_url: str, redis_url: str) -> Product:
    """Return the product as a worker has it, with connections of its own."""
    settings = settings_for(Services(database_url, redis_url, database_url))
    return build(settings, server_options=ALWAYS_THE_SAME)


def bench_matches(sizes: list[int], leads: int, *, profile: bool) -> None:
    """One match in markets of these sizes, against the bare statements that it issues."""
    table = Table(title=f"One match, milliseconds ({leads} leads a market, half each way)")
    for heading in ("providers", "match", "p99", "bare SQL", "p99", "ratio", "p99", "first touch",
                    "p99", "statements"):  # fmt: skip
        table.add_column(heading, justify="right")
    medians: dict[int, Timings] = {}
    with installation() as (ctx, database_url, redis_url):
        rehearsing = another(database_url, redis_url)
        for size in sizes:
            with console.status(f"{size:,} providers"):
                grow_market(database_url.replace("+psycopg", ""), size)
                url = database_url.replace("+psycopg", "")
                timings = time_matches(ctx, rehearsing, url, leads, seed=size)
            medians[size] = timings
            table.add_row(f"{size:,}", *_figures(timings))
            if profile:
                _print_statements(timings)
    console.print(table)
    console.print("Asked for: both ratios at most 1.5.")
    small, large = min(sizes), max(sizes)
    growth = quantile(medians[large].product, 0.5) / quantile(medians[small].product, 0.5)
    on_server = quantile(medians[large].first_touch, 0.5)
    console.print(
        f"Median at {large:,} over median at {small:,}: {growth:.2f} (asked for: at most 15). "
        f"PostgreSQL's side at {large:,}, nothing warm: {on_server:.1f} ms (asked for: under 25)."
    )


def _figures(timings: Timings) -> list[str]:
    product = [quantile(timings.product, share) for share in (0.5, 0.99)]
    bare = [quantile(timings.bare, share) for share in (0.5, 0.99)]
    first = [quantile(timings.first_touch, share) for share in (0.5, 0.99)]
    ratios = [ours / floor for ours, floor in zip(product, bare, strict=True)]
    return [
        *(f"{each:.1f}" for each in (*product, *bare)),
        *(f"{each:.2f}" for each in ratios),
        *(f"{each:.1f}" for each in first),
        f"{timings.statements:.1f}",
    ]


def _print_statements(timings: Timings) -> None:
    count = len(timings.first_touch)
    for statement, seconds in timings.by_statement.most_common():
        console.print(f"{seconds / count * 1000:8.3f} ms  {statement}", highlight=False)


def bench_worker(providers: int, early: int, leads: int) -> None:
    """Leads per second of one worker process, against no-ops, and its memory."""
    status = console.status(f"one worker, {leads:,} leads, {providers:,} providers")
    with TemporaryDirectory() as logs, installation() as (ctx, database_url, redis_url), status:
        grow_market(database_url.replace("+psycopg", ""), providers, roomy=100)
        settings = {
            "MARKETPLACE_DATABASE_URL": database_url,
            "MARKETPLACE_REDIS_URL": redis_url,
            "MARKETPLACE_SECRET_KEY": "a secret of the bench and of nobody else",
            "MARKETPLACE_PUBLIC_URL": "http://localhost",
            "MARKETPLACE_MAIL_BACKEND": "mailbox",
        }
        log = Path(logs) / "work"
        work = time_worker(ctx, redis_url, settings, log, early=early, leads=leads)
    console.print(_table_of(work, early, leads))


def _table_of(work: Work, early: int, leads: int) -> Table:
    table = Table(title=f"One worker process, {leads:,} leads")
    for heading in ("", "figure", "asked for"):
        table.add_column(heading)
    ratio = work.leads_per_second / work.no_ops_per_second
    growth = work.resident_late / work.resident_early - 1
    megabyte = 2**20
    table.add_row("no-op jobs per second", f"{work.no_ops_per_second:.0f}", "")
    table.add_row("leads matched per second", f"{work.leads_per_second:.0f}", "")
    table.add_row("leads to no-ops", f"{ratio:.2f}", "at least 0.5")
    table.add_row("invitations per lead", f"{work.invitations / leads:.2f}", "")
    table.add_row(
        f"memory after {early:,} and {leads:,} matches",
        f"{work.resident_early / megabyte:.0f} and {work.resident_late / megabyte:.0f} MiB: "
        f"{growth:+.0%}",
        "within 20 %",
    )
    return table


def bench_deadlines(providers: int, due: int, stored: list[int]) -> None:
    """Deadlines that are due at once, sweeps with nothing to do, and mail."""
    status = console.status("deadlines and mail")
    with installation() as (ctx, database_url, _), status:
        grow_market(database_url.replace("+psycopg", ""), providers, roomy=1000)
        floor, delivered = time_mail(ctx, 1000)
        swept = sweep_due(ctx, due)
        idle = {size: idle_sweeps(ctx, size) for size in stored}
    table = Table(title="Deadlines and mail")
    for heading in ("", "figure", "asked for"):
        table.add_column(heading)
    growth = swept.resident_late / swept.resident_early - 1
    per_ten_thousand = swept.seconds / swept.deadlines * 10_000
    table.add_row("ten thousand due deadlines swept", f"{per_ten_thousand:.1f} s", "under 30 s")
    table.add_row("memory over them", f"{growth:+.0%}", "flat")
    table.add_row("messages a second, bare client", f"{floor:.0f}", "")
    table.add_row("messages a second, delivered", f"{delivered:.0f}", "")
    table.add_row("delivered to bare", f"{delivered / floor:.2f}", "at least 0.5")
    console.print(table)
    table = Table(title="A sweep that finds nothing to do, milliseconds by invitations stored")
    table.add_column("sweep")
    for size in stored:
        table.add_column(f"{size:,}", justify="right")
    for name in IDLE:
        table.add_row(name, *(f"{idle[size][name] * 1000:.2f}" for size in stored))
    console.print(table)


def bench_pages(providers: int, count: int) -> None:
    """Server time of pages with so many requests stored, against a page that asks for nothing."""
    with installation() as (ctx, database_url, redis_url), console.status("pages"):
        grow_market(database_url.replace("+psycopg", ""), providers, roomy=1000)
        viewed = time_pages(ctx, another(database_url, redis_url), count, views=60)
    title = (
        f"Pages with {count:,} running requests and {providers:,} providers (asked: p95 < 100 ms)"
    )
    table = Table(title=title)
    for heading in ("page", "median, ms", "p95, ms", "median to the floor's", "HTML, KiB"):
        table.add_column(heading, justify="left" if heading == "page" else "right")
    floor = quantile(viewed[0].seconds, 0.5)
    for each in viewed:
        median = quantile(each.seconds, 0.5)
        table.add_row(
            re.sub(r"[0-9a-f-]{36}", "…", each.path),
            f"{median:.1f}",
            f"{quantile(each.seconds, 0.95):.1f}",
            f"{median / floor:.1f}",
            f"{each.size / 1024:.0f}",
        )
    console.print(table)


def bench_log(events: int) -> None:
    """What the chain behind the audit log costs writers, and how fast it grows and is verified."""
    with installation() as (ctx, database_url, _), console.status(f"{events:,} events"):
        figures = time_log(ctx, database_url.replace("+psycopg", ""), events)
    table = Table(title=f"The audit log, {events:,} events")
    for heading in ("", "figure"):
        table.add_column(heading)
    table.add_row("an event written, no trigger", f"{figures['writer_without']:.0f} µs")
    table.add_row("an event written", f"{figures['writer_with']:.0f} µs")
    table.add_row("sealed a second", f"{figures['sealed_a_second']:,.0f}")
    table.add_row("verified a second", f"{figures['verified_a_second']:,.0f}")
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--sizes", default="10000,100000,1000000", help="of the markets")
    parser.add_argument("--leads", type=int, default=600, help="in each market")
    parser.add_argument("--worker-leads", type=int, default=10_000)
    parser.add_argument("--profile", action="store_true", help="show every statement's share")
    parser.add_argument("--stored", default="10000,100000,1000000", help="invitations")
    parser.add_argument("--due", type=int, default=10_000, help="deadlines due at once")
    parser.add_argument("--only", choices=KINDS, help="one of them")
    parser.add_argument("--events", type=int, default=200_000, help="in the audit log")
    parser.add_argument("--users", type=int, default=8, help="at once, of forms and road")
    parser.add_argument("--rounds", type=int, default=5, help="of forms, and of one worker and two")
    parser.add_argument("--seconds", type=float, default=5, help="of each round of forms")
    parser.add_argument("--walks", type=int, default=150, help="leads down the road")
    parser.add_argument("--workers", type=int, default=1, help="worker processes on the road")
    parser.add_argument(
        "--soak", type=float, default=120, help="seconds of the long run; 3600 for the whole hour"
    )
    wanted = parser.parse_args()
    # Asked to stop, it stops whatever it started.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if wanted.only in (None, "match"):
        sizes = [int(size) for size in wanted.sizes.split(",")]
        bench_matches(sizes, wanted.leads, profile=wanted.profile)
    if wanted.only in (None, "worker"):
        bench_worker(10_000, wanted.worker_leads // 10, wanted.worker_leads)
    if wanted.only in (None, "deadlines"):
        stored = [int(size) for size in wanted.stored.split(",")]
        bench_deadlines(10_000, wanted.due, stored)
    if wanted.only in (None, "pages"):
        bench_pages(10_000, 10_000)
    if wanted.only in (None, "log"):
        bench_log(wanted.events)
    if wanted.only in (None, "forms"):
        load.bench_forms(console, users=wanted.users, rounds=wanted.rounds, seconds=wanted.seconds)
    if wanted.only in (None, "road"):
        how = {"users": wanted.users, "workers": wanted.workers}
        load.bench_road(console, leads=wanted.walks, seconds=300, **how)
    if wanted.only in (None, "processes"):
        load.bench_processes(console, leads=400, rounds=wanted.rounds)
    if wanted.only in (None, "soak"):
        load.bench_soak(console, users=wanted.users, seconds=wanted.soak, workers=wanted.workers)


if __name__ == "__main__":
    main()
