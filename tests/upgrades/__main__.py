"""`make upgrade`: from one version to the next, back, and forward again, with leads under way.

Every request of every lead takes the next door, so that what one version wrote the other reads.
"""

import argparse
import statistics
import sys
import tempfile
from collections import Counter
from datetime import timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.fleet import running
from tests.upgrades.before import NotThere, commit_before, unpack
from tests.upgrades.rolling import Road, found_wrong, provide, roll

console = Console(width=120)


def main() -> None:
    parser = argparse.ArgumentParser(prog="make upgrade", description=__doc__)
    parser.add_argument("--leads", type=int, default=20, help="to end in each phase, at least")
    parser.add_argument("--at-once", type=int, default=3, help="how many walk at once")
    parser.add_argument(
        "--from", dest="commit", help="the version before (else: without the newest migration)"
    )
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="marketplace-upgrade-") as path:
        folder = Path(path)
        try:
            commit = wanted.commit or commit_before()
            tree = unpack(commit, folder / "before")
        except NotThere as reason:
            sys.exit(f"make upgrade: there is no version before: {reason}")
        console.print(f"The version before is {commit}.")
        with running(
            folder,
            window=timedelta(minutes=30),
            settings={"LEAD_CONFIRMATION": "required"},
            is_built=False,
        ) as fleet:
            reads = provide(fleet, tree)
            road = roll(fleet, tree, leads=wanted.leads, at_once=wanted.at_once, in_full=True)
            wrong = found_wrong(fleet, road, reads)
    _show(road)
    for each in wrong:
        console.print(f"wrong: {each}")
    sys.exit(1 if wrong else 0)


def _show(road: Road) -> None:
    table = Table(title=f"{len(road.finished)} leads by {len(road.answers)} requests")
    for heading in ("phase", "leads ended", "answers", "by version", "median", "slowest"):
        table.add_column(heading)
    ended = Counter(road.finished)
    for phase in sorted({each.phase for each in road.answers}):
        these = [each for each in road.answers if each.phase == phase]
        doors = Counter(each.door for each in these)
        seconds = [each.seconds for each in these]
        table.add_row(
            phase,
            str(ended[phase]),
            str(len(these)),
            ", ".join(f"{count} {door}" for door, count in doors.items()),
            f"{1000 * statistics.median(seconds):.0f} ms",
            f"{1000 * max(seconds):.0f} ms",
        )
    console.print(table)


if __name__ == "__main__":
    main()
