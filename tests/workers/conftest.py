"""Real processes of the RQ door, and what is seen of them from outside."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest
from redis import Redis, RedisError
from rq import Queue

ROOT = Path(__file__).parents[2]
PATIENCE = 30
"""Seconds within which everything has to have happened."""


@pytest.fixture
def redis(services):
    with Redis.from_url(services.redis_url) as redis:
        redis.flushall()
        yield redis


@pytest.fixture
def log(tmp_path):
    """Where the processes of a test write their lines."""
    return tmp_path / "log"


@pytest.fixture
def start(installation, services, tmp_path):
    """Start a process of the RQ door; what is left of it is killed afterwards.

    On a database in shape: a worker waits for one.
    """
    with starting(services, tmp_path) as start:
        yield start


@contextmanager
def starting(services, folder):
    """Yield a function that starts a process of the RQ door, which logs to `log` in the folder."""
    started = []

    def start(
        *what,
        module="workers.run",
        database_url=None,
        redis_url=services.redis_url,
        hangs_up=signal.SIG_DFL,
    ):
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "MARKETPLACE_DATABASE_URL": database_url or services.database_url,
            "MARKETPLACE_REDIS_URL": redis_url,
            "MARKETPLACE_SECRET_KEY": "a secret of the tests and of nobody else",
            "MARKETPLACE_PUBLIC_URL": "http://localhost",
            "MARKETPLACE_MAIL_BACKEND": "mailbox",
            "MARKETPLACE_SWEEP_INTERVAL": "PT1S",
        }
        with (folder / "log").open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", module, *what],
                env=environment,
                stdout=output,
                stderr=output,
                cwd=folder,
                start_new_session=True,
                # whoever runs the tests may have it ignored, as `nohup` does
                preexec_fn=lambda: signal.signal(signal.SIGHUP, hangs_up),
            )
        started.append(process)
        return process

    try:
        yield start
    finally:
        for process in started:
            process.kill()
            process.wait()
        # Redis would give the first job of the next test to one that it believes is still there.
        with Redis.from_url(services.redis_url) as redis:
            wait_until(
                lambda: redis.info("clients")["blocked_clients"] == 0, "nobody waits for a job"
            )


@pytest.fixture
def put(redis):
    """Put a job on a queue and do not wait for it."""

    def put(deed, *arguments, limit=60):
        return Queue("mail", connection=redis).enqueue(deed, *arguments, job_timeout=limit)

    return put


@pytest.fixture
def do(put):
    """Have a job done; return what it returned."""

    def do(deed, *arguments):
        job = put(deed, *arguments)
        wait_until(lambda: job.is_finished, f"{deed.__name__} is done")
        return job.latest_result().return_value

    return do


@pytest.fixture
def fail(put):
    """Have a job fail; return what RQ noted as the reason."""

    def fail(deed, *arguments, limit=60):
        job = put(deed, *arguments, limit=limit)
        wait_until(lambda: job.is_failed, f"{deed.__name__} fails")
        return job.latest_result().exc_string

    return fail


@pytest.fixture
def postgres(services):
    url = services.database_url.replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


def wait_until(true, what):
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with suppress(RedisError):
            if true():
                return
        time.sleep(0.05)
    pytest.fail(f"waited {PATIENCE} s in vain until {what}")


def stopped(process, number=signal.SIGTERM):
    process.send_signal(number)
    return process.wait(PATIENCE)


def descendants(pid):
    """Return the processes below one, whatever session they are in."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if fields[0] != "Z":
                    parents[int(entry.name)] = int(fields[1])
    found, above = [], [pid]
    while above:
        above = [child for child, parent in parents.items() if parent in above]
        found.extend(above)
    return found


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def held(postgres):
    """Return how many of the tests' own locks are held."""
    (number,) = postgres.execute("SELECT count(*) FROM pg_locks WHERE objid = 4711").fetchone()
    return number
