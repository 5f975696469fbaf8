"""Holders are told of the end of an accreditation, each time once, and matching stops by itself."""

from datetime import date, timedelta

import pytest
from sqlalchemy import select

from marketplace.matching import service as matching
from marketplace.notifications.models import Notification
from marketplace.providers import service as providers
from marketplace.providers.expiry import tell_of_expiring_accreditations
from marketplace.providers.models import Accreditation
from marketplace.providers.rules import AccreditationState
from tests.factories import ADMIN
from tests.services.road import held


@pytest.fixture
def body(make):
    return make.provider("certification_body", standards=("ISO 9001",), accredited=False)


def letters(make):
    """Return what was told: the standards, and whether it was over, in order."""
    query = (
        select(Notification)
        .where(Notification.template == "accreditation_expires")
        .order_by(Notification.id)
    )
    found = make.ask(lambda session: session.scalars(query).all())
    return [(each.values["standards"], each.values["is_over"]) for each in found]


def end_of(clock, days):
    return clock.now.date() + timedelta(days=days)


def test_the_holder_is_told_sixty_thirty_and_seven_days_before_and_when_it_is_over(
    ctx, make, clock, body
):
    make.accreditation(body, valid_until=end_of(clock, 100))
    told_on = []
    for day in range(120):
        if tell_of_expiring_accreditations(ctx):
            told_on.append(100 - day)
        assert tell_of_expiring_accreditations(ctx) == 0
        clock.advance(days=1)
    assert told_on == [60, 30, 7, -1]
    assert letters(make) == [(["ISO 9001"], is_over) for is_over in (False, False, False, True)]


def test_of_several_notices_that_were_missed_the_last_is_enough(ctx, make, clock, body):
    make.accreditation(body, valid_until=end_of(clock, 60))
    clock.advance(days=55)
    assert tell_of_expiring_accreditations(ctx) == 1
    assert tell_of_expiring_accreditations(ctx) == 0
    assert len(letters(make)) == 1


def test_nobody_is_told_of_what_ended_long_ago(ctx, make, clock, body):
    make.accreditation(body, valid_until=end_of(clock, -8))
    assert tell_of_expiring_accreditations(ctx) == 0


def test_what_ends_on_one_day_is_told_in_one_letter(ctx, make, clock, body):
    for standard in ("ISO 14001", "ISO 9001"):
        make.accreditation(body, standard=standard, valid_until=end_of(clock, 7))
    make.accreditation(body, standard="ISO 45001", valid_until=end_of(clock, 30))
    assert tell_of_expiring_accreditations(ctx) == 1
    assert letters(make) == [(["ISO 14001", "ISO 9001"], False), (["ISO 45001"], False)]


def test_a_new_date_is_told_anew(ctx, make, clock, body):
    accreditation = make.accreditation(body, valid_until=end_of(clock, 30))
    assert tell_of_expiring_accreditations(ctx) == 1
    with ctx.transaction() as tx:
        tx.session.get_one(Accreditation, accreditation.id).valid_until = end_of(clock, 28)
    assert tell_of_expiring_accreditations(ctx) == 1


@pytest.mark.parametrize(
    ("changes", "is_news"),
    [
        ({}, False),
        ({"edition": "2015"}, True),
        ({"state": AccreditationState.CLAIMED}, True),
        ({"standard": "ISO 14001"}, True),
        ({"valid_from": date(2040, 1, 1)}, True),
    ],
)
def test_what_has_been_renewed_is_no_news(ctx, make, clock, body, changes, is_news):
    make.accreditation(body, valid_until=end_of(clock, 7))
    make.accreditation(body, **{"valid_until": end_of(clock, 4000), **changes})
    assert (tell_of_expiring_accreditations(ctx) == 1) is is_news


@pytest.mark.parametrize("state", [each for each in AccreditationState if each != "verified"])
def test_what_does_not_count_ends_unnoticed(ctx, make, clock, body, state):
    make.accreditation(body, valid_until=end_of(clock, 7), state=state)
    assert tell_of_expiring_accreditations(ctx) == 0


def test_a_suspended_provider_is_not_told(ctx, make, clock, body):
    make.accreditation(body, valid_until=end_of(clock, 7))
    providers.suspend_provider(ctx, ADMIN, body.id, reason="a complaint")
    assert tell_of_expiring_accreditations(ctx) == 0


def test_matching_stops_with_the_day_though_no_sweep_has_come_by(ctx, make, clock, body):
    make.accreditation(body, valid_until=clock.now.date())
    ask = {"service": "certification", "standards": ["ISO 9001"]}
    last = make.matched_lead(**ask)
    assert [each.provider_id for each in held(make, last)] == [body.id]
    clock.advance(days=1)
    late = make.matched_lead(**ask)
    assert held(make, late) == []
    matching.match_lead(ctx, last.id)
    assert [each.state for each in held(make, last)] == ["withdrawn"]
