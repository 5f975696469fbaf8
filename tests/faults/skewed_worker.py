"""A worker on a machine whose clock is wrong by as many seconds as a file says."""

import sys
from datetime import datetime, timedelta, tzinfo
from pathlib import Path

from marketplace import bootstrap
from workers import run

SKEW = Path(sys.argv[1])


class WrongClock(datetime):
    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:
        return datetime.now(tz) + timedelta(seconds=float(SKEW.read_text()))


if __name__ == "__main__":
    bootstrap.datetime = WrongClock
    run.main(["worker"])
