from contextlib import suppress
from dataclasses import replace
from uuid import uuid4

import pytest
from sqlalchemy import text

from marketplace.core.jobs import Job
from marketplace.core.sweeps import TOGETHER, one_by_one

ONE, OTHER = uuid4(), uuid4()


class Bells:
    """Remembers every ring by itself."""

    def __init__(self):
        self.rung = []

    def put(self, job, subject_ids, *, request_id):
        self.rung.append((job, tuple(subject_ids)))


def does_as_the_server_says(tx):
    """Return whether this transaction itself says nothing of waiting for the disk."""
    setting = "SELECT setting, source FROM pg_settings WHERE name = 'synchronous_commit'"
    value, source = tx.session.execute(text(setting)).one()
    assert source != "session" or value == "off"
    return source != "session"


@pytest.fixture
def bells():
    return Bells()


def test_what_several_transactions_ask_for_is_rung_together_even_if_the_last_of_them_fails(
    ctx, bells
):
    with suppress(ZeroDivisionError), replace(ctx, queue=bells).ringing_together() as together:
        for lead_id in (ONE, OTHER):
            with together.transaction() as tx:
                tx.afterwards(Job.MATCH_LEADS, lead_id)
                tx.afterwards(Job.DELIVER_NOTIFICATIONS)
        assert bells.rung == []
        with together.transaction() as tx:
            tx.afterwards(Job.MATCH_LEADS, uuid4())
            raise ZeroDivisionError
    assert bells.rung == [(Job.MATCH_LEADS, (ONE, OTHER)), (Job.DELIVER_NOTIFICATIONS, ())]


def test_one_after_another_the_last_of_a_few_waits_for_the_disk(ctx, bells):
    ids = [uuid4() for _ in range(TOGETHER + 2)]
    waits = []

    def act(tx, each):
        waits.append(does_as_the_server_says(tx))
        tx.afterwards(Job.MATCH_LEADS, each)

    assert one_by_one(replace(ctx, queue=bells), "a test", ids, act) == len(ids)
    assert [number for number, it_waits in enumerate(waits, 1) if it_waits] == [
        TOGETHER,
        TOGETHER + 2,
    ]
    assert [len(some) for _, some in bells.rung] == [TOGETHER, 2]
    with ctx.transaction() as tx:
        assert does_as_the_server_says(tx)


def test_one_that_fails_is_passed_over_and_the_others_are_done(ctx):
    done = []

    def act(tx, each):
        if each == ONE:
            tx.session.execute(text("SELECT 1 / 0"))
        done.append(each)

    assert one_by_one(ctx, "a test", [OTHER, ONE, OTHER], act) == 2
    assert done == [OTHER, OTHER]
