"""Real RQ workers, killed in the middle of a match; and a Redis that forgets everything."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import replace

import psycopg
import pytest
from redis import Redis
from sqlalchemy import func, select, text

from marketplace.core.db import db
from marketplace.core.events import Event
from marketplace.invitations.models import Invitation
from marketplace.invitations.rules import LIVE
from marketplace.leads import service as leads
from marketplace.leads.models import Lead
from marketplace.matching.models import Credit, MatchingRun
from marketplace.notifications.models import Notification
from marketplace.notifications.rules import NotificationState
from marketplace.providers.models import Coverage
from marketplace.web.api.common import LeadIn
from marketplace.web.requests import load
from tests.conftest import empty_tables
from tests.factories import Factory, lead_form
from tests.workers.conftest import descendants

PATIENCE = 30
"""Seconds within which everything has to be in order again."""


@pytest.fixture
def real(installation, services):
    """The product as it runs: the wall clock, the real queue, an empty Redis."""
    Redis.from_url(services.redis_url).flushall()
    policy = replace(installation.ctx.policy, lead_confirmation="off", lead_review="off")
    with installation.app.app_context():
        yield replace(installation.ctx, policy=policy)
        db.session.remove()
    empty_tables(installation.app)


@pytest.fixture
def processes(services, tmp_path):
    """Start `worker` and `scheduler` processes; what is left of them is ended afterwards."""
    started = []

    def start(*what):
        environment = {
            **os.environ,
            "MARKETPLACE_DATABASE_URL": services.database_url,
            "MARKETPLACE_REDIS_URL": services.redis_url,
            "MARKETPLACE_SECRET_KEY": "a secret of the tests and of nobody else",
            "MARKETPLACE_PUBLIC_URL": "http://localhost",
            "MARKETPLACE_MAIL_BACKEND": "mailbox",
            "MARKETPLACE_SWEEP_INTERVAL": "PT1S",
        }
        with (tmp_path / f"{what[0]}-{len(started)}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "workers.run", *what],
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        started.append(process)
        return process

    yield start
    for process in started:
        with_group(process, signal.SIGKILL)
        process.wait()
    # Redis would give the first job of the next test to one that it believes is still there.
    with Redis.from_url(services.redis_url) as redis:
        wait_until(lambda: redis.info("clients")["blocked_clients"] == 0, "nobody waits for a job")


def with_group(process, number):
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def wait_until(true, what):
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if true():
            return
        time.sleep(0.05)
    pytest.fail(f"waited {PATIENCE} s in vain until {what}")


def count(ctx, table, *conditions):
    with ctx.reading() as session:
        return session.scalar(select(func.count()).select_from(table).where(*conditions))


def live(ctx):
    return count(ctx, Invitation, Invitation.state.in_(LIVE))


def submit(ctx, number):
    return leads.submit_lead(ctx, load(LeadIn(), lead_form(number)))


@contextmanager
def hold(url, statement):
    """Hold a lock that a match needs, so that a worker stands still in the middle of one."""
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        connection.execute(statement)
        yield
        connection.rollback()


def somebody_waits_for_a_lock(ctx):
    with ctx.reading() as session:
        waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return session.scalar(waiting) > 0


@pytest.mark.parametrize(
    ("statement", "outright"),
    [
        ("SELECT * FROM coverage FOR UPDATE", True),  # before the first write of the match
        ("LOCK TABLE notifications", False),  # after the first invitation, before the run is stored
        ("LOCK TABLE matching_runs", False),  # after the last invitation, before the commit
    ],
)
def test_a_worker_killed_in_the_middle_of_a_match_leaves_nothing_half_done(
    real, services, processes, statement, outright
):
    """Killed outright with its parent, or just the process at work, which the parent replaces."""
    make = Factory(real)
    for _ in range(4):
        make.provider()
    submit(real, 1)
    with hold(services.database_url, statement):
        worker = processes("worker")
        wait_until(lambda: somebody_waits_for_a_lock(real), "the match stands still")
        if outright:
            with_group(worker, signal.SIGKILL)
            worker.wait()
        else:
            (at_work,) = descendants(worker.pid)
            os.kill(at_work, signal.SIGKILL)
    wait_until(lambda: not somebody_waits_for_a_lock(real), "the killed transaction is gone")
    assert live(real) == 0
    assert count(real, MatchingRun) == 0

    if outright:
        processes("worker")
    processes("scheduler")
    wait_until(lambda: live(real) == 3, "the lead is matched")
    wait_until(lambda: all_is_sent(real), "every message is sent")
    assert count(real, MatchingRun) == 1
    assert count(real, Notification, Notification.template == "invitation") == 3
    assert count(real, Event, Event.verb == "invitation.sent") == 3


def all_is_sent(ctx):
    return count(ctx, Notification, Notification.state != NotificationState.SENT) == 0


def test_an_emptied_redis_loses_nothing(real, services, processes):
    make = Factory(real)
    for _ in range(4):
        make.provider()
    for number in range(1, 11):
        submit(real, number)
    redis = Redis.from_url(services.redis_url)
    assert redis.dbsize() > 0
    redis.flushall()

    processes("worker")
    processes("scheduler")
    wait_until(lambda: live(real) == 30, "every lead is matched")
    redis.flushall()
    for number in range(11, 16):
        submit(real, number)
    redis.flushall()
    wait_until(lambda: live(real) == 45, "the later leads are matched too")
    wait_until(lambda: all_is_sent(real), "every message is sent")
    assert count(real, Lead, Lead.waiting_since.is_not(None)) == 0


def test_twenty_leads_are_matched_by_five_workers_without_breaking_an_invariant(
    real, services, processes
):
    make = Factory(real)
    for capacity in (5, 5, 5, 10, 10, 10, 10, 10):  # what is left of the first is fought for
        make.provider(open_capacity=capacity)
    for number in range(1, 21):
        submit(real, number)
    processes("worker", "--processes", "5")
    processes("scheduler")
    wait_until(lambda: live(real) == 60, "every lead is matched")
    with real.reading() as session:
        held = session.execute(select(Invitation.lead_id, Invitation.place, Invitation.provider_id))
        held = held.all()
        coverage = session.execute(
            select(Coverage.provider_id, Coverage.open_count, Coverage.open_capacity)
        ).all()
        balance = session.scalar(select(func.sum(Credit.balance)))
    assert max(Counter(lead for lead, _, _ in held).values()) == 3
    assert {place for _, place, _ in held} == {1, 2, 3}
    assert len({(lead, place) for lead, place, _ in held}) == len(held)
    assert len({(lead, provider) for lead, _, provider in held}) == len(held)
    of_provider = Counter(provider for _, _, provider in held)
    assert {provider: count for provider, count, _ in coverage} == of_provider
    assert all(count <= capacity for _, count, capacity in coverage)
    assert balance == pytest.approx(0, abs=1e-3)
