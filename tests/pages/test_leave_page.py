"""Leave, planned by days in the provider's own time zone."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from marketplace.providers.models import Pause


@pytest.fixture
def person(make, signed_in):
    person = signed_in(make.provider(regions=("AU-NSW",)))
    person.open("/portal/leave")
    return person


def planned(make):
    return make.ask(lambda session: session.scalars(select(Pause)).all())


def test_leave_lasts_from_the_beginning_of_its_first_day_to_the_end_of_its_last(person, make):
    page = person.send("/leave", **{"from": "2026-12-24"}, until="2027-01-03")
    assert "You get no invitations in this time" in page.text
    (leave,) = planned(make)
    # Sydney is eleven hours ahead in summer.
    assert leave.starts_at == datetime(2026, 12, 23, 13, tzinfo=UTC)
    assert leave.ends_at == datetime(2027, 1, 3, 13, tzinfo=UTC)
    assert "Thursday 24 December" in page.text
    assert "You get no invitations" in person.open("/portal/profile").text


def test_it_is_taken_back(person, make):
    person.send("/leave", **{"from": "2026-12-24"}, until="2026-12-24")
    page = person.send("/end")
    assert "The leave is taken back" in page.text
    assert "No leave is planned" in page.text
    assert planned(make) == []


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        ("", "", "The first day is required"),
        ("soon", "2026-12-24", "The first day"),
        ("2026-12-24", "2026-12-23", "The last day must be later than its beginning"),
        ("2026-01-01", "2026-01-02", "The last day is in the past"),
        ("0001-01-01", "9999-12-31", "The last day is not in this age"),
    ],
)
def test_what_is_no_time_is_refused_and_stays_as_typed(person, make, first, last, said):
    page = person.send("/leave", **{"from": first}, until=last)
    assert page.status == 422
    assert said in page.text
    assert dict(page.form("/leave").values)["until"] == last
    assert planned(make) == []
