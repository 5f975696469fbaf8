"""Every fault of the campaign in short, one after another on one installation."""

from datetime import timedelta
from itertools import count

import pytest

from tests.faults.campaign import FAULTS, MAY_DOUBLE, start_all, try_out
from tests.fleet import running

WINDOW = 6.0
LEADS = 8


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faults")
    with running(folder, window=timedelta(seconds=WINDOW)) as fleet:
        start_all(fleet)
        yield fleet


numbers = count(1, LEADS)


@pytest.mark.parametrize("fault", FAULTS)
def test_nothing_is_lost_missing_or_broken_after_a_fault(fleet, fault):
    before = sum(fleet.mail.copies().values()) - len(fleet.mail.copies())
    found = try_out(fleet, fault, leads=LEADS, window=WINDOW, first=next(numbers))
    assert found.leads > 0
    assert (found.lost, found.missing, found.broken) == (0, 0, [])
    assert found.doubled == before or fault in MAY_DOUBLE
