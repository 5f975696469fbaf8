from contextlib import suppress
from dataclasses import replace
from uuid import uuid4

from marketplace.core.jobs import Job

ONE, OTHER = uuid4(), uuid4()


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
