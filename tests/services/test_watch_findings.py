"""What `doctor` says of what waits, and of whoever watches: in plain words, with what to do."""

import shutil
import time
from collections import namedtuple
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from redis import Redis
from rq import Queue

from marketplace.core import sweeps_done
from marketplace.core.jobs import Job, RqJobQueue
from marketplace.local import watch_findings as found
from tests.collectors import collecting
from tests.conftest import settings_for

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def redis(services):
    with Redis.from_url(services.redis_url) as redis:
        redis.flushall()
        yield redis
        redis.flushall()


def wrongs(findings):
    return [said for said, is_wrong in findings if is_wrong]


def test_with_nothing_to_do_nothing_is_wrong(redis, ctx):
    assert wrongs(found.redis_findings(redis, datetime.now(UTC))) == []
    with ctx.reading() as session:
        assert wrongs(found.database_findings(session, ctx.clock())) == []


@pytest.mark.parametrize(
    ("job", "queue", "patience"),
    [(Job.MATCH_LEADS, "matching", 60), (Job.DELIVER_NOTIFICATIONS, "mail", 600)],
)
def test_a_queue_is_stale_by_its_oldest_job(redis, job, queue, patience):
    RqJobQueue(redis).put(job, (), request_id="-")
    now = datetime.now(UTC)
    fresh, stale = (now + timedelta(seconds=patience + more) for more in (-10, 1))
    assert wrongs(found.redis_findings(redis, fresh)) == []
    (said,) = wrongs(found.redis_findings(redis, stale))
    assert f"the queue {queue} has waited for" in said
    assert f"`marketplace worker --queues {queue}`" in said


def test_a_sweep_is_late_after_several_of_its_rounds(redis):
    now = datetime.now(UTC)
    sweeps_done.note(redis, "end_due_invitations", now=now, every=15)
    sweeps_done.note(redis, "forget_old_answers", now=now, every=3600)
    assert wrongs(found.redis_findings(redis, now + timedelta(seconds=115))) == []
    (said,) = wrongs(found.redis_findings(redis, now + timedelta(seconds=125)))
    assert said.startswith("end_due_invitations was last done 2 minutes ago")
    assert "scheduler" in said


def test_a_worker_whose_clock_is_ahead_is_told_of_by_what_it_did(redis):
    now = datetime.now(UTC)
    sweeps_done.note(redis, "end_due_invitations", now=now + timedelta(seconds=3), every=15)
    assert wrongs(found.redis_findings(redis, now)) == []
    sweeps_done.note(redis, "end_due_invitations", now=now + timedelta(hours=3), every=15)
    (said,) = wrongs(found.redis_findings(redis, now))
    assert said.startswith("By a worker's clock a sweep was done 3 hours from now.")


def test_failed_jobs_are_counted_and_nothing_to_be_woken_for(redis):
    job = Queue("mail", connection=redis).create_job("workers.jobs.nobody")
    job.save()
    redis.zadd("rq:failed:mail", {job.id: time.time() + 1000})
    said = dict(found.redis_findings(redis, datetime.now(UTC)))
    (line,) = [each for each in said if "failed" in each]
    assert "within the last day: 1" in line
    assert said[line] is False


def test_a_redis_that_is_full_or_throws_jobs_away_is_named(redis):
    most, policy = redis.config_get("maxmemory"), redis.config_get("maxmemory-policy")
    used = redis.info("memory")["used_memory"]
    try:
        redis.config_set("maxmemory", used + used // 20)
        redis.config_set("maxmemory-policy", "allkeys-lru")
        full, throws = wrongs(found.redis_findings(redis, datetime.now(UTC)))
    finally:
        redis.config_set("maxmemory", most["maxmemory"])
        redis.config_set("maxmemory-policy", policy["maxmemory-policy"])
    assert "nothing is matched and no mail goes out. Raise maxmemory" in full
    assert "allkeys-lru" in throws
    assert "noeviction" in throws


def test_mail_that_nobody_sends_is_named(ctx, make, clock):
    make.lead()
    with ctx.reading() as session:
        assert wrongs(found.database_findings(session, clock.now + timedelta(minutes=4))) == []
        (said,) = wrongs(found.database_findings(session, clock.now + timedelta(minutes=6)))
    assert "messages by email are due, the oldest for 6 minutes" in said


def test_connections_that_run_out_are_named(ctx, monkeypatch):
    monkeypatch.setattr(found, "OF_MOST", 0.0)
    with ctx.reading() as session:
        (said,) = wrongs(found.database_findings(session, ctx.clock()))
    assert "connections are in use" in said


def test_a_disk_without_room_is_named(tmp_path, monkeypatch):
    assert wrongs(found.disk_findings(tmp_path, {})) == []
    real = shutil.disk_usage

    def usage(path):
        return Usage(2**40, 2**40, 2**20) if path == tmp_path else real(path)

    monkeypatch.setattr(found.shutil, "disk_usage", usage)
    (said,) = wrongs(found.disk_findings(tmp_path, {}))
    assert f"Only 1 MiB are free at {tmp_path}" in said


@pytest.mark.parametrize(
    ("name", "address", "harm"),
    [
        ("SENTRY_DSN", "http://s3cret@{}/7", "Faults are not reported"),
        ("OTLP_ENDPOINT", "http://{}/behind/a/path", "Traces are lost"),
    ],
)
def test_whoever_takes_faults_and_traces_is_tried(services, name, address, harm):
    with collecting() as there:
        place = urlsplit(there.address).netloc
        settings = settings_for(services, **{name: address.format(place)})
        ((said, is_wrong),) = found.watcher_findings(settings)
        asked = [(path, body) for path, _, body in there.came]
    # Sentry's protocol has nothing that is empty: there a connection alone has to do.
    assert asked == ([("/behind/a/path/v1/traces", b"")] if name == "OTLP_ENDPOINT" else [])
    assert said == f"{place.replace(':', ', port ')} of MARKETPLACE_{name} can be reached."
    assert not is_wrong
    settings = settings_for(services, **{name: address.format("127.0.0.1:1")})
    (said,) = wrongs(found.watcher_findings(settings))
    assert said.startswith(f"{harm}: nobody answers at 127.0.0.1, port 1 (Connection refused)")
    assert f"MARKETPLACE_{name}" in said
    assert "s3cret" not in said
    assert [*found.watcher_findings(settings_for(services))] == []


def test_a_collector_that_answers_and_takes_nothing_is_named(services):
    with collecting(status=401) as there:
        settings = settings_for(services, OTLP_ENDPOINT=there.address)
        (said,) = wrongs(found.watcher_findings(settings))
    assert said.startswith("Traces are lost: what answers at 127.0.0.1, port")
    assert "OTEL_EXPORTER_OTLP_HEADERS" in said


@pytest.mark.parametrize(("address", "is_open"), [("198.51.100.7", False), ("8.8.4.4", True)])
def test_figures_that_are_told_to_the_internet_are_named(services, address, is_open):
    settings = settings_for(services, METRICS_LISTEN=f"{address}:9100")
    said = wrongs(found.watcher_findings(settings))
    assert bool(said) is is_open
    assert all("MARKETPLACE_METRICS_LISTEN" in each for each in said)
