"""What Prometheus is told: how much there is everywhere, and what happened on this host."""

import re
import time
from datetime import timedelta
from threading import Event
from unittest.mock import Mock

import pytest
from sqlalchemy import create_engine, event
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from marketplace.core import metrics, sweeps_done
from marketplace.core.connections import look_before_use
from marketplace.core.db import db, new_id
from marketplace.core.jobs import Job, RqJobQueue
from marketplace.notifications.delivery import deliver_due_notifications
from marketplace.notifications.rules import SendOutcome
from marketplace.web import figures, row_counts
from marketplace.web.figures import Figures
from tests.api.test_operations import elsewhere
from tests.services.test_outbox import Channel, refused, say
from workers.schedule import scheduler

__all__ = ["elsewhere"]

LINE = re.compile(r"(marketplace_[a-z_]+)(?:\{(.*)\})? (\S+)")


@pytest.fixture
def told(client):
    """Return every figure by its name and labels."""

    def ask(who=client):
        answer = who.get("/metrics")
        assert answer.status_code == 200
        lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
        found = [LINE.fullmatch(line) for line in lines]
        assert all(found), lines
        return {(each[1], each[2] or ""): float(each[3]) for each in found}

    return ask


def test_requests_are_counted_by_route_and_class_and_by_nothing_that_was_sent(client, told):
    seen = told()
    for path in ("/sign-in", "/sign-in?next=secret", "/nothing-secret", "/api/v1/nothing-secret"):
        client.get(path)
    client.open("/sign-in", method="SECRET")
    after = told()
    more = {key: after[key] - seen.get(key, 0) for key in after}
    counted = "marketplace_requests_total"
    assert more[counted, 'method="GET",route="/sign-in",status="2xx"'] == 2
    assert more[counted, 'method="GET",route="none",status="4xx"'] == 2
    assert more[counted, 'method="other",route="none",status="4xx"'] == 1
    assert more["marketplace_request_seconds_count", 'door="pages"'] == 5
    assert 0 < more["marketplace_route_seconds_total", 'method="GET",route="/sign-in"'] < 60
    assert "secret" not in str(after).lower()


def test_a_connection_is_counted_while_it_is_lent(client, ctx, told):
    key = "marketplace_database_connections", 'state="in_use"'
    before = told()[key]
    with ctx.transaction() as tx:
        tx.session.connection()
        assert told()[key] == before + 1
    assert told()[key] == before


@pytest.fixture
def engine(services):
    """An engine as the product has it."""
    metrics.watch_connections()
    engine = look_before_use(
        create_engine(
            services.database_url.replace("postgresql:", "postgresql+psycopg:"),
            poolclass=metrics.WatchedPool,
        )
    )
    yield engine
    engine.dispose()


def connections_counted():
    (family,) = metrics.CONNECTIONS.collect()
    told = {each.labels["state"]: each.value for each in family.samples}
    return [told.get(state, 0) for state in ("open", "in_use")]


def test_what_is_connected_again_as_it_is_lent_is_counted_once(engine):
    """Whether a connection is lost is found out only as it is lent, after it was counted."""
    before = connections_counted()
    with engine.connect() as connection:
        lost = connection.connection.driver_connection
    lost.close()
    with engine.connect() as connection:
        assert connection.connection.driver_connection is not lost
    engine.dispose()
    assert connections_counted() == before


def test_what_cannot_be_connected_again_is_not_counted_as_given_back(engine):
    """After a fail over the places of a pool are there, and their connections are not."""
    before = connections_counted()
    with engine.connect() as connection:
        connection.invalidate()
    refused = OperationalError("", {}, Exception("away"))
    event.listen(engine, "do_connect", Mock(side_effect=refused))
    for _ in range(3):
        with pytest.raises(OperationalError):
            engine.connect()
    engine.dispose()
    assert connections_counted() == before


def test_how_long_one_waits_for_a_connection_is_told_by_how_that_ended(services):
    engine = create_engine(
        services.database_url.replace("postgresql:", "postgresql+psycopg:"),
        poolclass=metrics.WatchedPool, pool_size=1, max_overflow=0, pool_timeout=0.05,
    )  # fmt: skip

    def counted():
        told = {
            (each.name.rpartition("_")[2], each.labels["outcome"]): each.value
            for each in metrics.CONNECTION_WAIT.collect()[0].samples
        }
        return [
            told.get((what, outcome), 0)
            for what in ("count", "sum")
            for outcome in ("lent", "too_long", "failed")
        ]

    before = counted()
    with engine.connect(), pytest.raises(PoolTimeout):
        engine.connect()
    engine.dispose()
    nowhere = create_engine("postgresql+psycopg://127.0.0.1:1/none", poolclass=metrics.WatchedPool)
    with pytest.raises(OperationalError):
        nowhere.connect()
    more = [after - earlier for after, earlier in zip(counted(), before, strict=True)]
    assert more[:3] == [1, 1, 1]
    assert 0.05 <= more[4] < 5


def test_what_is_due_to_go_out_is_counted_with_its_age(ctx, clock, told):
    say(ctx, "R-1", "R-2")
    clock.advance(minutes=5)
    found = told()
    assert found["marketplace_messages_due", 'channel="email"'] == 2
    assert found["marketplace_messages_due_age_seconds", 'channel="email"'] == 300
    assert found["marketplace_messages_due_age_seconds", 'channel="webhook"'] == 0


def test_every_attempt_to_hand_a_message_on_is_counted_by_how_it_ended(ctx, clock, told):
    before = told()
    say(ctx, "R-1", "R-2")
    deliver_due_notifications(ctx, Channel(refused(SendOutcome.PASSING)))
    clock.advance(hours=1)
    deliver_due_notifications(ctx, Channel())
    after = told()
    for outcome in ("sent", "passing"):
        key = "marketplace_deliveries_total", f'channel="email",outcome="{outcome}"'
        assert after[key] == before[key] + 2
    # Told as none before the first: a count that begins at one has not increased.
    assert ("marketplace_deliveries_total", 'channel="email",outcome="we_are_refused"') in before
    assert (
        "marketplace_database_connection_wait_seconds_count", 'outcome="too_long"'
    ) in before  # fmt: skip


def test_jobs_that_wait_are_counted_by_queue(installation, told):
    redis = installation.redis
    redis.flushall()
    RqJobQueue(redis).put(Job.MATCH_LEADS, [new_id()], request_id="r" * 8)
    found = told()
    assert found["marketplace_queue_jobs", 'queue="matching"'] == 1
    assert found["marketplace_queue_jobs", 'queue="mail"'] == 0
    assert found["marketplace_processes", 'kind="worker"'] == 0


def test_workers_that_were_killed_are_not_counted_though_their_names_stay(installation, told):
    redis = installation.redis
    redis.flushall()
    redis.sadd("rq:workers", "rq:worker:killed", "rq:worker:here", "rq:worker:there")
    for name in ("here", "there"):
        redis.hset(f"rq:worker:{name}", "queues", "mail,webhooks")
    found = told()
    assert found["marketplace_processes", 'kind="worker"'] == 2
    assert found["marketplace_queue_workers", 'queue="mail"'] == 2
    assert found["marketplace_queue_workers", 'queue="matching"'] == 0
    redis.delete("rq:worker:here", "rq:worker:there")
    found = told()
    assert found["marketplace_processes", 'kind="worker"'] == 0
    assert found["marketplace_queue_workers", 'queue="mail"'] == 0


@pytest.mark.parametrize("off", [-3600, 0, 3600])
def test_a_scheduler_is_there_while_it_gives_signs_of_life_whatever_its_clock_says(
    installation, told, off
):
    redis = installation.redis
    redis.flushall()
    cron = scheduler(redis, timedelta(seconds=15))
    cron.register_birth()
    redis.zadd("rq:cron_schedulers", {cron.name: time.time() + off})
    assert told()["marketplace_processes", 'kind="scheduler"'] == 1
    redis.delete(cron.key)  # as it goes when it was killed
    assert told()["marketplace_processes", 'kind="scheduler"'] == 0
    redis.flushall()


def test_a_redis_that_takes_nothing_more_is_away_and_what_is_in_it_is_told(installation, told):
    installation.redis.config_set("maxmemory", 1)
    try:
        found = told()
    finally:
        installation.redis.config_set("maxmemory", 0)
    assert found["marketplace_up", 'part="redis"'] == 0
    assert ("marketplace_queue_jobs", 'queue="mail"') in found
    assert found["marketplace_redis_memory_bytes", 'state="most"'] == 1
    assert told()["marketplace_up", 'part="redis"'] == 1


def test_what_redis_has_in_use_is_told_beside_what_it_may_have(installation, told):
    redis = installation.redis
    assert told()["marketplace_redis_memory_bytes", 'state="most"'] == 0
    try:
        redis.config_set("maxmemory", 2**30)
        found = told()
    finally:
        redis.config_set("maxmemory", 0)
    assert found["marketplace_redis_memory_bytes", 'state="most"'] == 2**30
    assert 0 < found["marketplace_redis_memory_bytes", 'state="used"'] < 2**30


def test_when_a_sweep_was_last_done_is_told_until_redis_is_emptied(installation, clock, told):
    redis = installation.redis
    redis.flushall()
    sweeps_done.note(redis, "expire_due_leads", now=clock(), every=60)
    clock.advance(seconds=90)
    found = told()
    assert found["marketplace_sweep_age_seconds", 'sweep="expire_due_leads"'] == 90
    assert found["marketplace_sweep_every_seconds", 'sweep="expire_due_leads"'] == 60
    clock.advance(seconds=-100)  # so that the worker's clock is ahead
    assert told()["marketplace_sweep_age_seconds", 'sweep="expire_due_leads"'] == -10
    redis.flushall()
    assert not [name for name, _ in told() if "sweep_age" in name]


@pytest.mark.parametrize(
    ("part", "away", "still_told"),
    [
        ("redis", {"REDIS_URL": "redis://127.0.0.1:1"}, "marketplace_leads"),
        ("database", {"DATABASE_URL": "postgresql://127.0.0.1:1/none"}, "marketplace_queue_jobs"),
    ],
)
def test_what_is_away_is_told_and_hides_nothing_else(elsewhere, told, part, away, still_told):
    asked = elsewhere(**away)
    found = told(asked)
    with asked.application.app_context():
        db.engine.dispose()
    assert found["marketplace_up", f'part="{part}"'] == 0
    assert sum(value for (name, _), value in found.items() if name == "marketplace_up") == 1
    assert still_told in {name for name, _ in found}


@pytest.fixture
def other_machine(client):
    """Return a function that asks a process that has counted nothing yet."""

    def collected():
        with client.application.app_context():
            families = {each.name: each for each in Figures().collect()}
        return {each.labels["state"]: each.value for each in families["marketplace_leads"].samples}

    return collected


def test_rows_are_counted_now_and_then_and_once_for_all_machines(
    client, installation, make, told, other_machine
):
    redis = installation.redis
    redis.flushall()
    open_leads = "marketplace_leads", 'state="open"'
    assert told()[open_leads] == 0
    assert 0 < redis.pttl(row_counts.TURN) <= 30_000
    make.lead()
    assert told()[open_leads] == 0
    assert other_machine()["open"] == 0
    redis.set(row_counts.TURN, "of somebody else", keepttl=True)
    assert other_machine()["open"] == 0
    redis.delete(row_counts.TURN)  # by Redis' own clock
    assert other_machine()["open"] == 1
    assert told()[open_leads] == 1


def test_a_count_that_takes_long_holds_nobody_up_and_is_made_less_often(
    client, installation, told, monkeypatch
):
    """And who took so long that others think it is gone does not end their turn."""
    redis = installation.redis
    redis.flushall()
    begun, go_on = Event(), Event()

    def slow(session):
        begun.set()
        go_on.wait(20)
        return real(session)

    fresh, real = Figures(), row_counts.counts_by_state
    monkeypatch.setitem(client.application.extensions, "figures", fresh)
    monkeypatch.setattr(row_counts, "counts_by_state", slow)
    monkeypatch.setattr(row_counts, "PATIENCE", 0.01)
    monkeypatch.setattr(row_counts, "SHARE", 1_000_000)
    found = told()
    assert begun.is_set()
    assert not [name for name, _ in found if name == "marketplace_leads"]
    assert found["marketplace_up", 'part="database"'] == 1
    redis.set(row_counts.TURN, "of somebody else", ex=60)
    go_on.set()
    fresh.counts._counter.join(20)
    assert told()["marketplace_leads", 'state="open"'] == 0
    assert redis.get(row_counts.TURN) == b"of somebody else"
    redis.delete(row_counts.TURN)
    told()
    fresh.counts._counter.join(20)
    assert redis.ttl(row_counts.TURN) > 30


def test_a_database_that_hangs_is_away_and_hides_nothing_else(client, told, monkeypatch):
    go_on, asked, real = Event(), [], figures.due_messages

    def hang(session, now):
        asked.append(now)
        go_on.wait(20)
        return real(session, now)

    monkeypatch.setattr(figures, "due_messages", hang)
    monkeypatch.setattr(figures, "PATIENCE", 0.01)
    for _ in range(3):
        found = told()
        assert found["marketplace_up", 'part="database"'] == 0
        assert found["marketplace_queue_jobs", 'queue="mail"'] == 0
    assert len(asked) == 1  # and no thread more is left behind
    go_on.set()
    monkeypatch.setattr(figures, "PATIENCE", 20)
    assert told()["marketplace_up", 'part="database"'] == 1


def test_what_another_version_kept_is_not_told(client, installation, other_machine):
    for kept in (b"no json", b"{}", b"[]", b'{"secret": {"a": 1}}'):
        installation.redis.delete(row_counts.TURN)
        installation.redis.set(row_counts.COUNTS, kept)
        assert other_machine()["open"] == 0


def test_what_is_in_redis_and_makes_no_sense_hides_nothing_else(client, installation, told):
    redis = installation.redis
    redis.flushall()
    RqJobQueue(redis).put(Job.MATCH_LEADS, [new_id()], request_id="r" * 8)
    (job,) = redis.lrange("rq:queue:matching", 0, -1)
    redis.hset(b"rq:job:" + job, "enqueued_at", "yesterday")
    found = told()
    assert found["marketplace_up", 'part="redis"'] == 0
    assert found["marketplace_up", 'part="database"'] == 1
    redis.flushall()
