"""Queues that nobody empties: they stop growing, and what was not rung is found all the same."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from redis import ConnectionError, Redis
from rq import Queue
from sqlalchemy import func, select

from marketplace.core import circuit_breaker
from marketplace.core import jobs as core
from marketplace.core.jobs import (
    MOST_WAITING,
    QUEUES,
    Job,
    QueueAway,
    RqJobQueue,
    backlog,
)
from marketplace.invitations.models import Invitation
from marketplace.leads import service as leads
from marketplace.matching import service as matching
from marketplace.matching import waiting
from marketplace.web.api.common import LeadIn
from marketplace.web.requests import load
from tests.factories import lead_form
from workers.schedule import scheduler


def lengths(redis):
    return {name: Queue(name, connection=redis).count for name in QUEUES}


def test_thousands_of_jobs_that_nobody_takes_fill_a_queue_up_to_its_bound(redis):
    queue = RqJobQueue(redis)
    for _ in range(300):
        queue.put(Job.DELIVER_NOTIFICATIONS, [], request_id="-")
    for _ in range(2_500):
        queue.put(Job.MATCH_LEADS, [uuid4()], request_id="-")
    assert lengths(redis)["mail"] == 1  # it will see whatever is due when it is begun
    assert lengths(redis)["matching"] == MOST_WAITING["matching"]
    assert lengths(redis)["webhooks"] == 0


def test_a_queue_that_was_emptied_takes_jobs_again(redis):
    queue = RqJobQueue(redis, most_waiting={"matching": 2})
    for _ in range(5):
        queue.put(Job.MATCH_LEADS, [uuid4()], request_id="-")
    assert lengths(redis)["matching"] == 2
    Queue("matching", connection=redis).empty()
    queue.put(Job.MATCH_LEADS, [uuid4()], request_id="-")
    assert lengths(redis)["matching"] == 1


def test_leads_that_were_not_rung_for_are_matched_by_the_sweep(ctx, redis, make):
    """Whoever sends a form while no worker runs is answered as ever."""
    for _ in range(3):
        make.provider(open_capacity=100)
    policy = replace(ctx.policy, lead_confirmation="off", lead_review="off")
    bounded = replace(ctx, policy=policy, queue=RqJobQueue(redis, most_waiting={"matching": 4}))
    for number in range(1, 13):
        leads.submit_lead(bounded, load(LeadIn(), lead_form(number)))
    assert lengths(redis)["matching"] == 4

    Queue("matching", connection=redis).empty()
    ctx.clock.advance(minutes=5)
    assert waiting.retry_waiting_leads(bounded) == 12
    rung = Queue("matching", connection=redis).jobs
    assert sum(len(job.args) for job in rung) == 12
    for job in rung:
        matching.match_leads(ctx, [UUID(each) for each in job.args])
    with ctx.reading() as session:
        assert session.scalar(select(func.count()).select_from(Invitation)) == 36


def test_what_was_rung_keeps_no_sweep_out(redis):
    """A queue that is as full as transactions make it still takes what the clock rings."""
    with redis.pipeline() as together:
        for name in QUEUES:
            for number in range(MOST_WAITING[name]):
                together.rpush(f"rq:queue:{name}", f"job-{number}")
        together.execute()
    rung = scheduler(redis, timedelta(seconds=1)).enqueue_jobs()
    assert {job.queue_name for job in rung} >= {"deadlines", "sweeps", "mail", "webhooks"}


def test_the_length_of_every_queue_and_the_age_of_its_oldest_job_are_known(redis):
    now = datetime.now(UTC)
    assert set(backlog(redis, now)) == set(QUEUES)
    assert all(each.waiting == 0 and not each.oldest for each in backlog(redis, now).values())

    queue = RqJobQueue(redis)
    for _ in range(3):
        queue.put(Job.MATCH_LEADS, [uuid4()], request_id="-")
    redis.lpush("rq:queue:matching", "a-job-that-is-gone")
    found = backlog(redis, datetime.now(UTC) + timedelta(minutes=7))
    assert found["matching"].waiting == 4
    assert timedelta(minutes=7) <= found["matching"].oldest < timedelta(minutes=7, seconds=30)
    assert found["mail"].waiting == 0


class Silent(Redis):
    """A Redis that says nothing for a second and a half."""

    asked = 0

    def __init__(self, clock):
        super().__init__()
        self.clock = clock

    def pipeline(self, *how, **more):
        type(self).asked += 1
        self.clock.now += 1.5
        raise ConnectionError("it says nothing")


class Clock:
    def __init__(self):
        self.now = 100.0

    def monotonic(self):
        return self.now


def test_a_redis_that_says_nothing_holds_up_one_request_in_a_while(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(core, "time", clock)
    monkeypatch.setattr(circuit_breaker, "time", clock)
    Silent.asked = 0
    queue = RqJobQueue(Silent(clock))
    with pytest.raises(ConnectionError):
        queue.put(Job.MATCH_LEADS, [uuid4()], request_id="-")
    for _ in range(20):
        with pytest.raises(QueueAway):
            queue.put(Job.MATCH_LEADS, [uuid4()], request_id="-")
    assert Silent.asked == 1
    clock.now += circuit_breaker.LEFT_ALONE
    with pytest.raises(ConnectionError):
        queue.put(Job.MATCH_LEADS, [uuid4()], request_id="-")
    assert Silent.asked == 2
