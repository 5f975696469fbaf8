"""Sweeps: everything that is due has its turn, once, and nobody stands in another's way."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text

from marketplace.core import sweeps
from marketplace.core.jobs import Job
from marketplace.core.sweeps import TOGETHER, one_by_one, sweep, sweep_together

ONE, OTHER = uuid4(), uuid4()


def does_as_the_server_says(tx):
    """Return whether this transaction itself says nothing of waiting for the disk."""
    setting = "SELECT setting, source FROM pg_settings WHERE name = 'synchronous_commit'"
    value, source = tx.session.execute(text(setting)).one()
    assert source != "session" or value == "off"
    return source != "session"


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


@pytest.fixture
def batch(monkeypatch):
    """How many are read at once: fewer than on a server, and still several times a few."""
    monkeypatch.setattr(sweeps, "BATCH", 2 * TOGETHER)
    return 2 * TOGETHER


class Row:
    """What is due, in its order, until it is taken away."""

    def __init__(self, ids):
        self.ids = list(ids)

    def due(self, _session, _now, limit):
        return self.ids[:limit]


@pytest.fixture(params=[sweep, sweep_together])
def sweeping(request, ctx):
    """Sweep either way: what is due, and what to do with each."""

    def each_by_itself(rows, act):
        return sweep(ctx, "a test", rows.due, act)

    def together(rows, act):
        def act_on_all(tx, ids):
            for each in ids:
                act(tx, each)

        return sweep_together(ctx, "a test", rows.due, act_on_all)

    return each_by_itself if request.param is sweep else together


def test_everything_due_has_its_turn(sweeping, batch):
    ids = [uuid4() for _ in range(2 * batch + 1)]
    rows = Row(ids)
    assert sweeping(rows, lambda _tx, each: rows.ids.remove(each)) == len(ids)
    assert rows.ids == []


@pytest.mark.parametrize("how", [sweep, sweep_together])
def test_deadlines_wait_for_no_sweep_that_has_much_to_do(ctx, how):
    hurried = replace(ctx, policy=replace(ctx.policy, sweep_interval=timedelta(0)))
    rows = Row([uuid4() for _ in range(3 * TOGETHER)])

    def act(_tx, ids):
        for each in ids if isinstance(ids, list) else [ids]:
            rows.ids.remove(each)

    done = how(hurried, "a test", rows.due, act)
    assert done == (TOGETHER if how is sweep else 3 * TOGETHER)
    assert len(rows.ids) == 3 * TOGETHER - done


def test_what_is_left_as_it_is_or_fails_keeps_nothing_from_its_turn(sweeping, batch):
    left = [uuid4() for _ in range(2 * batch)]
    poisoned = {uuid4() for _ in range(2)}
    acted_on = [uuid4() for _ in range(3)]
    rows = Row([*left, *poisoned, *acted_on])
    turns = []

    def act(tx, each):
        if each in poisoned:
            tx.session.execute(text("SELECT 1 / 0"))
        turns.append(each)
        if each in acted_on:
            tx.afterwards(Job.MATCH_LEADS, each)

    went_well = sweeping(rows, act)
    assert went_well == len(left) + len(acted_on)
    assert set(turns) == {*left, *acted_on}


def test_together_commits_at_once_and_alone_where_one_fails(ctx, bells):
    poisoned = uuid4()
    ids = [uuid4() for _ in range(TOGETHER)] + [uuid4(), poisoned, uuid4()]
    rows, calls = Row(ids), []

    def act(tx, some):
        calls.append(len(some))
        for each in some:
            tx.afterwards(Job.MATCH_LEADS, each)
        if poisoned in some:
            raise ZeroDivisionError

    def due(session, now, limit):
        return [] if calls else rows.due(session, now, limit)

    assert sweep_together(replace(ctx, queue=bells), "a test", due, act) == TOGETHER + 2
    assert calls == [TOGETHER, 3, 1, 1, 1]
    # What failed rang for nobody.
    rung = [each for _, some in bells.rung for each in some]
    assert rung == [each for each in ids if each != poisoned]
