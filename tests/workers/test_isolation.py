"""One process does one job after another, and none leaves anything to the next."""

import os
from pathlib import Path

import pytest
from rq import Queue

from tests.workers import deeds
from tests.workers.conftest import descendants, held, starting, wait_until


@pytest.fixture(scope="module")
def steady(installation, services, tmp_path_factory):
    """Return a worker for the tests that it should survive."""
    with starting(services, tmp_path_factory.mktemp("steady")) as start:
        yield start("worker")


def queries(postgres):
    """Return how many long queries of the tests' own are running."""
    (number,) = postgres.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep(%'"
        " AND pid <> pg_backend_pid()"
    ).fetchone()
    return number


def test_a_job_that_overruns_its_limit_is_stopped_and_the_same_process_does_the_next(
    steady, do, fail, postgres
):
    process, _ = do(deeds.ask)
    assert "JobOverran" in fail(deeds.pass_over_every_fault, limit=1)
    assert "JobOverran" in fail(deeds.query_for, 300, limit=1)
    assert queries(postgres) == 0
    assert do(deeds.ask)[0] == process


def test_one_job_leaves_nothing_to_the_next(steady, do, put, fail, postgres):
    process, connection = do(deeds.ask)
    noted = fail(deeds.fail_with_a_lock_held)
    assert "ValueError" in noted
    assert "in fail_with_a_lock_held" in noted
    # What an error says may be of anybody: Redis keeps it no more than the log does.
    assert "in the middle of a transaction" not in noted
    assert held(postgres) == 0
    next_job = put(deeds.say_what_is_bound)
    wait_until(lambda: next_job.is_finished, "the next job is done")
    bound = {"job": "tests.workers.deeds.say_what_is_bound", "request_id": next_job.id}
    assert next_job.latest_result().return_value == bound
    assert do(deeds.ask) == (process, connection)


def test_connections_that_break_between_two_jobs_cost_the_next_one_nothing(steady, do, postgres):
    process, connection = do(deeds.ask)
    postgres.execute("SELECT pg_terminate_backend(%s, 5000)", [connection])
    same_process, other_connection = do(deeds.ask)
    assert same_process == process
    assert other_connection != connection


def test_a_job_that_cannot_be_read_fails_alone(steady, redis, do):
    process = do(deeds.say_who)
    queue = Queue("mail", connection=redis)
    unreadable = queue.create_job(deeds.say_who)
    unreadable.save()
    redis.hset(unreadable.key, "data", b"nobody wrote this")
    queue.push_job_id(unreadable.id)
    wait_until(lambda: unreadable.get_status() == "failed", "the job has failed")
    assert do(deeds.say_who) == process


def test_the_parent_of_the_workers_is_connected_to_nothing(steady, do):
    do(deeds.ask)
    (at_work,) = descendants(steady.pid)
    assert len(sockets(at_work)) >= 2
    assert sockets(steady.pid) == []


def sockets(pid):
    links = [os.readlink(each) for each in Path(f"/proc/{pid}/fd").iterdir()]
    return [link for link in links if link.startswith("socket:")]
