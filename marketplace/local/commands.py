"""The command lines of the product's processes: the same for `up` and for servers.

`-P`: a folder `config` where the command happens to be typed must not be taken for ours.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import config
from config.settings import PREFIX
from marketplace.core.jobs import QUEUES

ROOT = Path(config.__file__).resolve().parents[1]
GUNICORN_CONF = ROOT / "config" / "gunicorn.conf.py"


def environment_of(settings: Mapping[str, str]) -> dict[str, str]:
    """Return what such a process gets to see: not how to connect as who owns the tables."""
    return {k: v for k, v in settings.items() if k != f"{PREFIX}MIGRATION_DATABASE_URL"}


def web_command(door: int, *, processes: int = 2, threads: int = 8) -> list[str]:
    """Return how to serve HTTP on a socket that is open already, as file descriptor `door`."""
    return [
        *(sys.executable, "-P", "-m", "gunicorn"),
        *("--config", str(GUNICORN_CONF), "--chdir", str(ROOT), "--bind", f"fd://{door}"),
        *("--workers", str(processes), "--threads", str(threads)),
    ]


def worker_command(processes: int, queues: Sequence[str] = QUEUES) -> list[str]:
    """Return how to take jobs off the queues, or off some of them."""
    return [
        *(sys.executable, "-P", "-m", "workers.run", "worker"),
        *("--processes", str(processes), "--queues", ",".join(queues)),
    ]


def scheduler_command() -> list[str]:
    """Return how to ring the sweeps."""
    return [sys.executable, "-P", "-m", "workers.run", "scheduler"]


def rehearsal_command(url: str) -> list[str]:
    """Return how to walk an invented lead down the road."""
    return [sys.executable, "-P", "-m", "marketplace.local.rehearsal", url]
