"""Real RQ workers, killed in the middle of a match; and a Redis that forgets everything."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import replace

import psycopg
import pytest
from redis import Redis
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from marketplace.core.db import db
from marketplace.core.events import Event
from marketplace.invitations.models import Invitation
from marketplace.invitations.rules import LIVE
from marketplace.leads import service as leads
from marketplace.leads.models import Lead
from marketplace.matching.models import MatchingRun
from marketplace.notifications.models import Notification
from marketplace.notifications.rules import NotificationState
from marketplace.web.api.common import LeadIn
from marketplace.web.requests import load
from tests.conftest import empty_tables
from tests.factories import Factory, lead_form

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

    def start(what):
        environment = {
            **os.environ,
            "MARKETPLACE_DATABASE_URL": services.database_url,
            "MARKETPLACE_REDIS_URL": services.redis_url,
            "MARKETPLACE_SECRET_KEY": "a secret of the tests and of nobody else",
            "MARKETPLACE_PUBLIC_URL": "http://localhost",
            "MARKETPLACE_MAIL_BACKEND": "mailbox",
            "MARKETPLACE_SWEEP_INTERVAL": "PT1S",
        }
        with (tmp_path / f"{what}-{len(started)}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "workers.run", what],
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
    "statement",
    [
        "SELECT * FROM coverage FOR UPDATE",  # before the first write of the match
        "LOCK TABLE notifications",  # after the first invitation, before the run is stored
        "LOCK TABLE matching_runs",  # after the last invitation, before the commit
    ],
)
def test_a_worker_killed_in_the_middle_of_a_match_leaves_nothing_half_done(
    real, services, processes, statement
):
    make = Factory(real)
    for _ in range(4):
        make.provider()
    submit(real, 1)
    with hold(services.database_url, statement):
        worker = processes("worker")
        wait_until(lambda: somebody_waits_for_a_lock(real), "the match stands still")
        with_group(worker, signal.SIGKILL)
        worker.wait()
    wait_until(lambda: not somebody_waits_for_a_lock(real), "the killed transaction is gone")
    assert live(real) == 0
    assert count(real, MatchingRun) == 0

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


def test_twenty_leads_are_matched_by_several_workers_without_breaking_an_invariant(
    real, services, processes
):
    make = Factory(real)
    for _ in range(8):
        make.provider(open_capacity=9)
    for number in range(1, 21):
        submit(real, number)
    for _ in range(3):
        processes("worker")
    processes("scheduler")
    wait_until(lambda: live(real) == 60, "all the capacity there is is used")
    with real.reading() as session:
        assert most_live_per_lead(session) == 3
        assert most_live_per_place(session) == 1


def most_live_per_lead(session: Session) -> int:
    counts = (
        select(func.count().label("n"))
        .where(Invitation.state.in_(LIVE))
        .group_by(Invitation.lead_id)
        .subquery()
    )
    return session.scalar(select(func.max(counts.c.n)))


def most_live_per_place(session: Session) -> int:
    counts = (
        select(func.count().label("n"))
        .where(Invitation.state.in_(LIVE))
        .group_by(Invitation.lead_id, Invitation.place)
        .subquery()
    )
    return session.scalar(select(func.max(counts.c.n)))
