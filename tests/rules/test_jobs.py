from uuid import UUID

import pytest

from marketplace.core.jobs import AT_ONCE, Job, in_batches

ONE, OTHER = UUID(int=1), UUID(int=2)
MATCH, REMATCH, DELIVER = Job.MATCH_LEADS, Job.REMATCH_WAITING_LEADS, Job.DELIVER_NOTIFICATIONS


@pytest.mark.parametrize(
    ("asked", "rung"),
    [
        ([], []),
        ([(MATCH, ONE)], [(MATCH, (ONE,))]),
        ([(MATCH, ONE), (MATCH, OTHER), (MATCH, ONE)], [(MATCH, (ONE, OTHER))]),
        ([(DELIVER, None), (DELIVER, None)], [(DELIVER, ())]),
        ([(REMATCH, ONE), (REMATCH, OTHER)], [(REMATCH, (ONE,)), (REMATCH, (OTHER,))]),
        ([(REMATCH, ONE), (REMATCH, None)], [(REMATCH, ()), (REMATCH, (ONE,))]),
        (
            [(MATCH, ONE), (DELIVER, None), (MATCH, OTHER)],
            [(MATCH, (ONE, OTHER)), (DELIVER, ())],
        ),
    ],
)
def test_what_is_asked_for_more_than_once_is_rung_once_and_matches_are_rung_together(asked, rung):
    assert in_batches(asked) == rung


def test_a_job_takes_so_many_ids_at_most():
    ids = [UUID(int=number) for number in range(2 * AT_ONCE[MATCH] + 1)]
    rung = in_batches((MATCH, each) for each in ids)
    assert [len(some) for _, some in rung] == [AT_ONCE[MATCH], AT_ONCE[MATCH], 1]
    assert [each for _, some in rung for each in some] == ids
