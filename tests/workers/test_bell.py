"""A web process rings for mail from one thread, for all who committed meanwhile."""

import os
import subprocess
import sys
import time
from threading import Event
from uuid import uuid4

import pytest
from rq import Queue

from marketplace.core import bell as bells
from marketplace.core.bell import Bell
from marketplace.core.jobs import Job, RqJobQueue
from tests.fleet import ROOT

MAIL, WEBHOOKS = Job.DELIVER_NOTIFICATIONS, Job.DELIVER_WEBHOOKS


class Slow:
    """A queue that takes as long as it is told to, and may be away."""

    def __init__(self):
        self.rung, self.goes_on, self.away = [], Event(), False
        self.goes_on.set()

    def put(self, job, subject_ids, *, request_id):
        self.rung.append((job, tuple(subject_ids), request_id))
        assert self.goes_on.wait(20)
        if self.away:
            raise ConnectionError("not there")


@pytest.fixture
def queue():
    return Slow()


def await_rung(queue, times):
    end = time.monotonic() + 20
    while len(queue.rung) < times:
        assert time.monotonic() < end, queue.rung
        time.sleep(0.005)


def test_whoever_asks_while_it_rings_is_rung_for_once_and_afterwards(queue):
    bell = Bell(queue)
    queue.goes_on.clear()
    bell.put(MAIL, [], request_id="first")
    await_rung(queue, 1)
    for number in range(500):
        bell.put(MAIL, [], request_id=f"later-{number}")
        bell.put(WEBHOOKS, [], request_id="a webhook")
    assert queue.rung == [(MAIL, (), "first")]
    queue.goes_on.set()
    await_rung(queue, 3)
    assert queue.rung[1:] == [(MAIL, (), "later-0"), (WEBHOOKS, (), "a webhook")]


def test_one_ring_does_not_wait_for_others(queue, monkeypatch):
    monkeypatch.setattr(bells, "APART", 600)
    Bell(queue).put(MAIL, [], request_id="-")
    await_rung(queue, 1)


def test_what_names_something_is_rung_by_whoever_asks(queue):
    lead = uuid4()
    bell = Bell(queue)
    bell.put(Job.MATCH_LEADS, [lead], request_id="a request")
    assert queue.rung == [(Job.MATCH_LEADS, (lead,), "a request")]
    queue.away = True
    with pytest.raises(ConnectionError):
        bell.put(Job.MATCH_LEADS, [lead], request_id="a request")


def test_it_goes_on_after_a_queue_that_was_away(queue, monkeypatch):
    monkeypatch.setattr(bells, "APART", 0)
    bell = Bell(queue)
    queue.away = True
    bell.put(MAIL, [], request_id="in vain")
    await_rung(queue, 1)
    queue.away = False
    bell.put(MAIL, [], request_id="again")
    await_rung(queue, 2)
    assert queue.rung[1] == (MAIL, (), "again")


def test_its_lines_in_the_log_name_the_request_that_it_rings_for(queue, written):
    bell = Bell(queue)
    queue.away = True
    bell.put(MAIL, [], request_id="a-request-in-vain")
    end = time.monotonic() + 20
    while "job_not_rung" not in written.getvalue():
        assert time.monotonic() < end
        time.sleep(0.005)
    assert '"request_id":"a-request-in-vain"' in written.getvalue().replace(" ", "")


def test_where_no_thread_can_be_begun_whoever_comes_next_tries_again(queue, monkeypatch):
    def refuse(_thread):
        raise RuntimeError("can't start new thread")

    bell = Bell(queue)
    with monkeypatch.context() as few:
        few.setattr(bells.Thread, "start", refuse)
        with pytest.raises(RuntimeError):
            bell.put(MAIL, [], request_id="first")
    bell.put(MAIL, [], request_id="second")
    await_rung(queue, 1)


def test_many_at_once_ring_no_more_often_than_need_be(queue, monkeypatch):
    monkeypatch.setattr(bells, "APART", 0.2)
    bell = Bell(queue)
    end = time.monotonic() + 1
    while time.monotonic() < end:
        bell.put(MAIL, [], request_id="-")
        time.sleep(0.001)
    assert 2 <= len(queue.rung) <= 6


def test_a_process_that_ends_well_rings_for_the_last(redis, services):
    """Whose ring was still to come, since another had come just before."""
    ending = """
import os, time
from redis import Redis
from rq import Queue
from marketplace.core import bell
from marketplace.core.bell import Bell
from marketplace.core.jobs import Job, RqJobQueue
bell.APART = 60
redis = Redis.from_url(os.environ["REDIS_URL"])
bell = Bell(RqJobQueue(redis))
bell.put(Job.DELIVER_NOTIFICATIONS, [], request_id="first")
while not Queue("mail", connection=redis).count:
    time.sleep(0.001)
Queue("mail", connection=redis).empty()
bell.put(Job.DELIVER_NOTIFICATIONS, [], request_id="last")
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "REDIS_URL": services.redis_url}
    subprocess.run([sys.executable, "-c", ending], check=True, env=environment, timeout=60)
    assert Queue("mail", connection=redis).count == 1


def test_on_redis_what_one_ring_leaves_is_one_job(redis):
    bell = Bell(RqJobQueue(redis))
    for _ in range(50):
        bell.put(MAIL, [], request_id="-")
    bell.ring()
    assert Queue("mail", connection=redis).count == 1
