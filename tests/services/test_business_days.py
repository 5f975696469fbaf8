"""A commitment counted in business days, and everything about it that the calendar moves."""

from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import DBAPIError

from marketplace.core.calendars import CalendarKind
from marketplace.core.events import Event
from marketplace.invitations import service as invitations
from marketplace.leads import clock as clocks
from marketplace.matching import service as matching
from marketplace.matching import settling
from marketplace.notifications.models import Commitment
from marketplace.quotes import outcome
from tests.api.doors import admin_door, business_door
from tests.factories import Factory, business_of, person_of
from tests.services.road import held

SYDNEY = ZoneInfo("Australia/Sydney")


def at(day, hour, minute=0, month=4):
    return datetime(2026, month, day, hour, minute, tzinfo=SYDNEY)


@pytest.fixture
def in_business_days(ctx, clock):
    """Return a context that counts in business days, on the Thursday before Easter, 3 pm."""
    clock.now = at(2, 15)
    return replace(ctx, policy=replace(ctx.policy, calendar=CalendarKind.BUSINESS_DAYS))


@pytest.fixture
def make(in_business_days):
    return Factory(in_business_days)


def promise_of(make, lead):
    return make.ask(lambda session: session.get(Commitment, lead.id))


def test_it_is_due_and_at_risk_on_business_days_and_says_why(make):
    promise = promise_of(make, make.lead())
    assert promise.calendar == "business_days"
    assert promise.at_risk_at == at(7, 9)
    assert promise.due_at == at(7, 15)
    assert promise.policy == {
        "response_window_seconds": 86400.0,
        "at_risk_share": 0.25,
        "time_zone": "Australia/Sydney",
        "region": "AU-NSW",
        "holidays": [
            {"date": "2026-04-03", "name": "Good Friday"},
            {"date": "2026-04-06", "name": "Easter Monday"},
        ],
    }


def test_the_place_is_the_first_region_of_the_request(make):
    promise = promise_of(make, make.lead(regions=["NZ-OTA", "AU-NSW"]))
    assert (promise.policy["region"], promise.policy["time_zone"]) == ("NZ-OTA", "Pacific/Auckland")
    assert promise.due_at == datetime(2026, 4, 7, 17, tzinfo=ZoneInfo("Pacific/Auckland"))


def test_it_is_missed_at_its_instant_and_not_on_a_day_that_does_not_count(make, ctx, clock):
    lead = make.matched_lead()
    for moment, state in (
        (at(5, 12), "running"),
        (at(7, 9), "at_risk"),
        (at(7, 14, 59), "at_risk"),
        (at(7, 15), "missed"),
    ):
        clock.now = moment
        clocks.settle_due_commitments(ctx)
        assert promise_of(make, lead).state == state, moment


def test_windows_of_invitations_count_in_it_whatever_the_policy_says_by_then(make, ctx, clock):
    make.provider()
    lead = make.lead()
    matching.match_lead(ctx, lead.id)  # under clock hours
    (invitation,) = held(make, lead)
    assert invitation.respond_by == at(7, 15)
    assert invitation.open_by == at(7, 3)
    assert invitation.reminders == [at(7, 3), at(7, 11, 24)]
    clock.now = invitation.open_by  # released by a look, and back with a fresh window
    looked = invitations.look_at_invitation(ctx, person_of(invitation.provider_id), invitation.id)
    assert looked.respond_by == at(7, 15)
    make.provider()
    clock.now = at(10, 20)
    matching.match_lead(ctx, lead.id)
    late = held(make, lead)[-1]
    assert late.respond_by == at(13, 4)  # Friday 8 pm and eight hours
    assert late.reminders == [at(13, 0), at(13, 2, 48)]


def test_what_was_made_before_counts_by_the_clock_still(make, ctx, in_business_days):
    make.provider()
    lead = Factory(ctx).lead()
    matching.match_lead(in_business_days, lead.id)
    promise = promise_of(make, lead)
    assert (promise.calendar, promise.due_at) == ("clock_hours", at(3, 15))
    (invitation,) = held(make, lead)
    assert invitation.respond_by == at(3, 15)
    assert invitation.open_by == at(3, 3)


def test_who_had_no_fair_time_on_business_days_has_its_turn_back(make, ctx, clock):
    make.provider()
    lead = make.lead()
    clock.now = at(4, 12)  # a Saturday
    matching.match_lead(ctx, lead.id)
    clock.now = at(7, 7)  # seven hours of what counts later
    outcome.close_request(ctx, business_of(lead), reason="not_now")
    settling.settle_ended_invitations(ctx)
    (invitation,) = held(make, lead)
    verbs = select(Event.verb).where(Event.subject_id == invitation.id)
    assert "invitation.turn_given_back" in make.ask(lambda session: session.scalars(verbs).all())


@pytest.mark.parametrize("column", ["started_at", "at_risk_at", "due_at", "calendar", "policy"])
def test_the_database_refuses_to_move_it(make, ctx, column):
    lead = make.lead()
    moved = {"calendar": "clock_hours", "policy": {}}.get(column, at(30, 12))
    move = update(Commitment).where(Commitment.lead_id == lead.id).values({column: moved})
    with pytest.raises(DBAPIError, match="does not move"), ctx.transaction() as tx:
        tx.session.execute(move)
    with ctx.transaction() as tx:
        tx.session.get(Commitment, lead.id).responses = 1
    assert promise_of(make, lead).responses == 1


def test_it_is_shown_where_the_commitment_is_shown(make, ctx, client):
    lead = make.lead()
    shown = [
        client.get("/api/v1/request", headers=business_door(ctx, lead)).json["commitment"],
        client.get(f"/api/v1/admin/leads/{lead.id}", headers=admin_door(ctx)).json["commitment"],
        client.get("/api/v1/admin/commitments", headers=admin_door(ctx)).json["items"][0],
    ]
    for each in shown:
        assert each["calendar"] == "business_days"
        assert each["policy"]["region"] == "AU-NSW"
        assert each["policy"]["holidays"][0] == {"date": "2026-04-03", "name": "Good Friday"}
        assert each["due_at"] == "2026-04-07T05:00:00Z"


def test_a_rehearsal_on_a_business_day_is_as_by_the_clock(make, ctx, in_business_days, clock):
    clock.now = at(7, 12)
    short = replace(in_business_days.policy, response_window=timedelta(seconds=60))
    promise = promise_of(make, Factory(replace(ctx, policy=short)).lead())
    assert promise.due_at - promise.started_at == timedelta(seconds=60)
