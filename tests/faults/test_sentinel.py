"""Redis under Sentinel loses its primary: limits, queues, counters and workers go on."""

import socket
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from redis import Redis, RedisError
from redis.sentinel import MasterNotFoundError, Sentinel
from rq import Queue, Worker
from rq.cron import CronScheduler

from config.servers import redis_at
from marketplace.bootstrap import build
from marketplace.core.db import db
from marketplace.core.jobs import Job
from marketplace.local.redis import EmbeddedRedis, _program
from marketplace.web.app import create_app
from tests.conftest import Services, settings_for
from tests.workers.conftest import starting, stopped, wait_until

PASSWORD = "of-the-tests-alone"


def free_ports(count):
    doors = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [door.getsockname()[1] for door in doors]
    for door in doors:
        door.close()
    return ports


@dataclass
class Watched:
    """A primary and a replica, and one sentinel that decides alone."""

    folder: Path
    program: str
    ports: list[int] = field(default_factory=lambda: free_ports(3))
    processes: dict[int, subprocess.Popen] = field(default_factory=dict)

    @property
    def url(self):
        return f"redis+sentinel://:{PASSWORD}@127.0.0.1:{self.ports[2]}/marketplace/1"

    def start(self):
        first, second, watching = self.ports
        common = f'bind 127.0.0.1\nsave ""\nrequirepass {PASSWORD}\nmasterauth {PASSWORD}\n'
        self.serve(first, f"port {first}\n{common}")
        self.serve(second, f"port {second}\n{common}replicaof 127.0.0.1 {first}\n")
        self.serve(
            watching,
            f"port {watching}\nbind 127.0.0.1\n"
            f"sentinel monitor marketplace 127.0.0.1 {first} 1\n"
            f"sentinel auth-pass marketplace {PASSWORD}\n"
            "sentinel down-after-milliseconds marketplace 300\n"
            "sentinel failover-timeout marketplace 1000\n",
            "--sentinel",
        )
        wait_until(self.has_replica, "the sentinel knows the replica")

    def serve(self, port, config, *how):
        path = self.folder / f"{port}.conf"
        path.write_text(config)
        command = [self.program, str(path), *how]
        self.processes[port] = subprocess.Popen(
            command, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def has_replica(self):
        with Redis(port=self.ports[2]) as sentinel:
            (seen,) = sentinel.sentinel_masters().values()
            return seen["num-slaves"] == 1 and "disconnected" not in seen["flags"]

    def primary(self):
        with suppress(RedisError, MasterNotFoundError):
            return Sentinel([("127.0.0.1", self.ports[2])]).discover_master("marketplace")[1]
        return None

    def kill(self, port):
        process = self.processes.pop(port)
        process.kill()
        process.wait()

    def stop(self):
        for port in [*self.processes]:
            self.kill(port)


@pytest.fixture
def watched(tmp_path):
    keeper = EmbeddedRedis(tmp_path, durable=False)
    keeper.start()  # for its program, which is put within reach where it is not
    program = str(_program(keeper._place))
    keeper.remove_data()
    watched = Watched(tmp_path, program)
    try:
        watched.start()
        yield watched
    finally:
        watched.stop()


def test_all_that_uses_redis_goes_on_with_the_new_primary(
    installation, services, watched, tmp_path
):
    addresses = Services(services.database_url, watched.url, services.owner_url)
    product = build(settings_for(addresses, RATE_LIMITS="on"))
    client = create_app(product).test_client()
    now, an_hour = datetime.now(UTC), timedelta(hours=1)

    def limits_are_counted():
        client.post("/api/v1/leads/confirmations", json={"token": "x" * 40})
        return bool(redis.keys("limits*") or redis.keys("LIMIT*"))

    with (
        starting(services, tmp_path) as start,
        redis_at(watched.url, socket_timeout=2) as redis,
    ):
        running = [start(what, redis_url=watched.url) for what in ("worker", "scheduler")]
        wait_until(lambda: Worker.count(connection=redis) == 1, "the worker is registered")
        wait_until(lambda: CronScheduler.all(redis), "the scheduler is registered")
        wait_until(limits_are_counted, "limits are counted in Redis")
        product.ctx.attempts.add("somebody", now=now, forget_after=an_hour)

        before = watched.primary()
        watched.kill(before)
        began = time.monotonic()
        wait_until(lambda: watched.primary() not in (None, before), "the other one is primary")

        def rung():
            with suppress(RedisError):
                product.ctx.queue.put(Job.DELIVER_NOTIFICATIONS, [], request_id="-")
                return True
            return False

        wait_until(rung, "a job is rung")
        done = Queue("matching", connection=redis).enqueue(time.time)
        wait_until(lambda: done.is_finished, "the worker does a job")
        redis.delete(*redis.keys("limits*"), *redis.keys("LIMIT*"), "nothing")
        wait_until(limits_are_counted, "limits are counted in Redis again")
        time.sleep(max(0.0, began + 6 - time.monotonic()))  # counters leave Redis alone for five
        product.ctx.attempts.add("somebody", now=now, forget_after=an_hour)
        assert redis.keys("attempts:*")
        tick = {
            each.name: each.latest_enqueue_time
            for scheduler in CronScheduler.all(redis)
            for each in scheduler.get_jobs()
        }
        assert tick
        assert [stopped(each) for each in running] == [0, 0]
    with product.app.app_context():
        db.engine.dispose()
