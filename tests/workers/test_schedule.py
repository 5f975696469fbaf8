"""The sweeps on the clock."""

from datetime import timedelta

from rq import Queue
from rq.cron import CronScheduler
from rq.utils import now

from marketplace.core import sweeps_done
from marketplace.core.jobs import QUEUE_OF, QUEUES, Job, backlog
from tests.workers.conftest import stopped, wait_until
from workers import jobs
from workers.schedule import SWEEPS, scheduler

INTERVAL = timedelta(seconds=15)


def rings(cron):
    return [job.func_name for job in cron.enqueue_jobs()]


def test_every_job_that_a_transaction_rings_is_there():
    for job in Job:
        assert callable(getattr(jobs, job))


def test_every_sweep_rings_at_once_and_then_in_its_turn(redis):
    cron = scheduler(redis, INTERVAL)
    assert len(rings(cron)) == len(SWEEPS)
    assert rings(cron) == []
    waits = [
        (each.next_enqueue_time - each.latest_enqueue_time) / INTERVAL for each in cron.get_jobs()
    ]
    assert waits == [every for _, every, _ in SWEEPS]


def make_due(cron):
    for job in cron.get_jobs():
        job.set_enqueue_time(now() - timedelta(days=2))


def test_a_tick_that_nobody_took_waits_and_is_not_rung_again(redis):
    """By no scheduler; and for how long a queue has not been served is seen by its age."""
    one, other = scheduler(redis, INTERVAL), scheduler(redis, INTERVAL)
    rings(one)
    for cron in (one, other, one):
        make_due(cron)
        assert rings(cron) == []
        assert rings(cron) == []
    later = now() + timedelta(hours=1)
    ages = {name: each.oldest for name, each in backlog(redis, later).items()}
    stale = {name for name, age in ages.items() if age >= timedelta(hours=1)}
    assert stale == {queue for _, _, queue in SWEEPS}


def test_a_scheduler_of_before_whose_clock_was_ahead_has_none_rung_twice(redis):
    cron = scheduler(redis, INTERVAL)
    for job in cron.get_jobs():
        redis.zadd(job.job_history_key, {"taken": now().timestamp() + 3600})
    assert len(rings(cron)) == len(SWEEPS)
    make_due(cron)
    assert rings(cron) == []


def test_a_tick_that_was_taken_or_lost_is_rung_again(redis):
    cron = scheduler(redis, INTERVAL)
    rings(cron)
    make_due(cron)
    # As it goes to a worker that is cut off before it hears of it.
    redis.lmove("rq:queue:webhooks", "rq:queue:webhooks:intermediate")
    assert rings(cron) == ["workers.jobs.deliver_webhooks"]
    redis.flushall()
    make_due(cron)
    assert len(rings(cron)) == len(SWEEPS)


def test_deadlines_wait_for_nothing_that_piles_up(redis):
    scheduler(redis, INTERVAL).enqueue_jobs()
    first = {job.func_name.rpartition(".")[2] for job in Queue(QUEUES[0], connection=redis).jobs}
    assert first == {"end_due_invitations", "settle_due_commitments", "remind_holders"}
    assert QUEUES[0] not in QUEUE_OF.values()


def test_calls_to_providers_servers_hold_up_no_sweep(redis):
    scheduler(redis, INTERVAL).enqueue_jobs()
    (job,) = Queue("webhooks", connection=redis).jobs
    assert job.func_name == "workers.jobs.deliver_webhooks"
    assert QUEUE_OF[Job.DELIVER_WEBHOOKS] == "webhooks" == QUEUES[-1]


def test_a_clock_that_is_put_back_does_not_silence_the_sweeps(redis):
    cron = scheduler(redis, INTERVAL)
    cron.enqueue_jobs()
    redis.flushall()  # all were taken
    for job in cron.get_jobs():
        job.set_enqueue_time(now() + timedelta(hours=1))
    assert len(rings(cron)) == len(SWEEPS)
    assert rings(cron) == []


def test_a_sweep_that_is_never_done_has_an_age_and_one_that_is_no_more_has_none(redis):
    """From when the clock first expected it, also where Redis was emptied meanwhile."""
    cron = scheduler(redis, INTERVAL)
    sweeps_done.note(redis, "a_sweep_of_the_version_before", now=now(), every=15)
    sweeps_done.note(redis, "seal_events", now=now() - timedelta(hours=2), every=7)
    redis.hset(sweeps_done.KEY, "extend_windows", "nonsense")
    for _ in range(2):
        cron.heartbeat()
        found = sweeps_done.last_done(redis)
        assert "a_sweep_of_the_version_before" not in found
        assert now().timestamp() - found["forget_old_answers"].at < 60
        assert found["forget_old_answers"].every == 3600
        assert now().timestamp() - found["seal_events"].at > 7000
    assert len(found) == len(SWEEPS) - 1
    redis.flushall()
    cron.heartbeat()
    assert sweeps_done.last_done(redis).keys() == {each.__name__ for each, _, _ in SWEEPS}


def test_several_schedulers_at_once_are_no_trouble(redis, start):
    both = [start("scheduler"), start("scheduler")]
    wait_until(lambda: len(CronScheduler.all(redis)) == 2, "both schedulers are registered")
    assert [stopped(each) for each in both] == [0, 0]
    assert CronScheduler.all(redis) == []
