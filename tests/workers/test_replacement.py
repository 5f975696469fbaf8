"""A job may take its process down: the parent has another one go on."""

from tests.workers import deeds
from tests.workers.conftest import held, wait_until


def test_a_job_that_cannot_be_interrupted_is_killed_and_another_process_goes_on(
    start, do, put, log
):
    start("worker", module="tests.workers.impatient")
    process = do(deeds.say_who)
    put(deeds.spin_in_c, limit=1)
    assert do(deeds.say_who) != process
    assert '"job": "tests.workers.deeds.spin_in_c"' in log.read_text()
    assert f"{process} was ended: Killed" in log.read_text()


def test_a_process_that_crashes_in_its_job_is_replaced(start, do, put, log):
    start("worker")
    process = do(deeds.say_who)
    put(deeds.crash)
    assert do(deeds.say_who) != process
    assert f"{process} was ended: Segmentation fault" in log.read_text()


def test_a_process_whose_job_keeps_a_connection_ends_and_the_connection_with_it(
    start, do, put, postgres, log
):
    start("worker")
    process = do(deeds.say_who)
    put(deeds.keep_a_connection)
    assert do(deeds.say_who) != process
    wait_until(lambda: held(postgres) == 0, "the lock is free")
    assert "connection_not_given_back" in log.read_text()
