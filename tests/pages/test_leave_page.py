"""Leave, planned by days in the provider's own time zone."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from marketplace.core.forms import Form
from marketplace.providers import pauses
from marketplace.providers.models import Pause, Provider
from tests.factories import person_of


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
    for path in ("/portal/leave", "/portal/profile", "/portal"):
        assert "24 December 2026 to 3 January 2027" in person.open(path).text


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        ("2026-12-01", "2026-12-14", "1 to 14 December 2026"),
        ("2026-11-28", "2026-12-04", "28 November to 4 December 2026"),
        ("2026-12-24", "2026-12-24", "24 December 2026"),
    ],
)
def test_it_is_told_in_plain_dates(person, first, last, said):
    page = person.send("/leave", **{"from": first}, until=last)
    (shown,) = re.findall(r"<strong>([^<]*)</strong>", page.html)
    assert shown == said


def test_one_that_a_program_planned_by_the_hour_is_told_by_the_hour(person, make, ctx):
    starts_at = ctx.clock() + timedelta(hours=1)
    (provider,) = make.ask(lambda session: session.scalars(select(Provider.id)).all())
    form = Form({"from": starts_at, "until": starts_at + timedelta(hours=2)})
    pauses.add_pause(ctx, person_of(provider), form)
    page = person.open("/portal/leave")
    assert re.search(r"9:00 pm today.* until 11:00 pm today, Sydney time", page.text)


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
        ("2026-12-24", "2026-12-23", "The last day must not be before the first one"),
        ("2026-01-01", "2026-01-02", "The last day is in the past"),
        ("0001-01-01", "9999-12-31", "The last day must be a day between the years 2000 and 2999"),
    ],
)
def test_what_is_no_time_is_refused_and_stays_as_typed(person, make, first, last, said):
    page = person.send("/leave", **{"from": first}, until=last)
    assert page.status == 422
    assert said in page.text
    assert dict(page.form("/leave").values)["until"] == last
    assert planned(make) == []
