"""The waiting queue as an administrator sees it: who waits, since when, why, and until when."""

from dataclasses import replace
from datetime import timedelta

import pytest

from marketplace.core.errors import NotAllowed
from marketplace.core.jobs import Job
from marketplace.insights.worklist import waiting_leads, worklist
from marketplace.invitations import service as invitations
from marketplace.leads.models import Lead
from marketplace.matching import service as matching
from marketplace.matching import waiting
from marketplace.quotes import outcome
from tests.factories import ADMIN, business_of, person_of
from tests.services.road import held

TICK = timedelta(microseconds=1)


def queue_of(ctx, **asked):
    found, _ = waiting_leads(ctx, ADMIN, **{"limit": 100, "after": None, **asked})
    return found


def ids(found):
    return [each.lead.id for each in found]


def asked_out(ctx, make):
    """Return a lead that led to as many invitations as it may, with places empty."""
    few = replace(ctx, policy=replace(ctx.policy, max_invitations=1))
    make.provider(regions=("NZ",))
    lead = make.lead(regions=["NZ"])
    matching.match_lead(few, lead.id)
    return few, lead


def test_the_longest_waiting_comes_first_with_its_age_and_its_reason(ctx, make, clock):
    make.provider(regions=("NZ",))
    first = make.matched_lead()
    clock.advance(hours=2)
    second = make.matched_lead(regions=["NZ"])
    clock.advance(hours=1)
    one, other = queue_of(ctx)
    assert ids([one, other]) == [first.id, second.id]
    assert (one.waiting_seconds, other.waiting_seconds) == (3 * 3600, 3600)
    assert one.lead.waiting_code == "regions"
    assert (one.empty_places, one.invitations, one.invitations_at_most) == (3, 0, 9)
    assert other.lead.waiting_code == "too_few"
    assert (other.empty_places, other.invitations) == (2, 1)


FREE, BOOKED, SMALL = {}, {"open_capacity": 0}, {"headcount": (1, 5)}
UNACCREDITED = {"accredited": False}


@pytest.mark.parametrize(
    ("bodies", "code", "reason"),
    [
        ([BOOKED, BOOKED], "capacity", "every fitting provider is fully booked"),
        (
            [BOOKED, BOOKED, UNACCREDITED],
            "capacity",
            "no provider that fits may be invited now: most are fully booked",
        ),
        (
            [BOOKED, BOOKED, BOOKED, UNACCREDITED, UNACCREDITED, SMALL],
            "capacity",
            "no provider that fits may be invited now: the largest part are fully booked",
        ),
        (
            [BOOKED, UNACCREDITED],
            "accreditation",
            "no provider that fits may be invited now: as many are fully booked as have no current "
            "accreditation for what is asked",
        ),
        # Who does not suit is not counted, however many they are.
        (
            [{"regions": ("NZ",)}, {"standards": ("ISO 22000",)}, {"state": "suspended"}, BOOKED],
            "capacity",
            "every fitting provider is fully booked",
        ),
        (
            [{"regions": ("NZ",)}, {"standards": ("ISO 22000",)}],
            "regions",
            "no provider of these standards covers the region",
        ),
        ([FREE], "too_few", "it takes 2 more fitting providers than there are"),
        (
            [FREE, BOOKED, BOOKED],
            "too_few",
            "it takes 2 more fitting providers than may be invited now: of the others all "
            "are fully booked",
        ),
    ],
)
@pytest.mark.parametrize("sampled", [False, True])
def test_what_most_of_those_who_suit_fail_by_is_to_blame(ctx, make, bodies, code, reason, sampled):
    for each in bodies:
        make.provider("certification_body", **each)
    lead = make.lead(service="certification")
    if sampled:
        ctx = replace(ctx, policy=replace(ctx.policy, funnel_sample=1))
    matching.match_lead(ctx, lead.id)
    (found,) = queue_of(ctx)
    assert found.lead.waiting_code == code
    if not sampled or code != "too_few":
        assert found.lead.waiting_reason == reason


def test_where_impartiality_keeps_an_empty_place_empty_it_is_said(ctx, make):
    consultant, body = make.provider(), make.provider("certification_body")
    make.relationship(consultant, body)
    lead = make.matched_lead(service="either")
    (found,) = queue_of(ctx)
    assert (found.lead.waiting_code, found.lead.waiting_reason) == (
        "impartiality",
        "impartiality rules out 1 more fitting provider beside one invited",
    )
    matching.match_lead(ctx, lead.id)
    (found,) = queue_of(ctx)
    assert (found.lead.waiting_code, found.lead.waiting_reason) == (
        "impartiality",
        "no provider that fits may be invited now: as many were asked before as are ruled out by "
        "impartiality",
    )


def test_whose_places_are_filled_or_whose_request_is_finished_does_not_wait(ctx, make):
    for _ in range(3):
        make.provider()
    make.matched_lead()
    lost = make.matched_lead(regions=["NZ"])
    assert ids(queue_of(ctx)) == [lost.id]
    outcome.close_request(ctx, business_of(lost), reason="not_now")
    assert queue_of(ctx) == []


def test_a_place_whose_holder_saw_the_contact_is_not_counted_as_empty(ctx, make):
    for _ in range(2):
        make.provider()
    lead = make.matched_lead()
    (first, _) = held(make, lead)
    who = person_of(first.provider_id)
    invitations.accept_invitation(ctx, who, first.id)
    invitations.decline_invitation(ctx, who, first.id, reason="no_capacity")
    (found,) = queue_of(ctx)
    assert (found.empty_places, found.invitations) == (1, 2)


def test_one_for_which_nobody_more_may_be_asked_is_shown_last_and_not_tried_again(
    ctx, make, clock, queue
):
    few, exhausted = asked_out(ctx, make)
    clock.advance(hours=1)
    other = make.matched_lead()
    found = queue_of(few)
    assert ids(found) == [other.id, exhausted.id]
    assert found[1].lead.waiting_code == "all_asked"
    assert found[1].lead.waiting_reason == "as many providers were asked as may be for one request"
    assert (found[1].waited, found[1].waiting_seconds, found[1].next_try_at) == (None, None, None)
    assert (found[1].empty_places, found[1].invitations, found[1].invitations_at_most) == (2, 1, 1)
    queue.jobs.clear()
    clock.advance(days=1)
    waiting.retry_waiting_leads(few)
    assert queue.jobs == [(Job.MATCH_LEADS, other.id)]


def test_a_run_that_invites_the_last_who_may_be_asked_says_so_itself(ctx, make):
    for _ in range(4):
        make.provider()
    few = replace(ctx, policy=replace(ctx.policy, max_invitations=4))
    lead = make.lead()
    matching.match_lead(few, lead.id)
    for invitation in held(make, lead)[:2]:
        who = person_of(invitation.provider_id)
        invitations.decline_invitation(few, who, invitation.id, reason="no_capacity")
    matching.match_lead(few, lead.id)
    (found,) = queue_of(few)
    assert (found.lead.waiting_code, found.empty_places, found.invitations) == ("all_asked", 1, 4)


@pytest.mark.parametrize(
    ("waited", "pause"),
    [
        (timedelta(0), timedelta(seconds=15)),
        (timedelta(seconds=150), timedelta(seconds=15)),
        (timedelta(minutes=10), timedelta(minutes=1)),
        (timedelta(hours=1), timedelta(minutes=6)),
        (timedelta(hours=2, minutes=30), timedelta(minutes=15)),
        (timedelta(days=9), timedelta(minutes=15)),
    ],
)
def test_it_is_tried_again_at_the_moment_that_is_told(ctx, make, clock, queue, waited, pause):
    lead = make.matched_lead()
    (found,) = queue_of(ctx)
    assert found.next_try_at == found.lead.waiting_since  # never tried by a sweep: at once
    clock.now += waited
    assert waiting.retry_waiting_leads(ctx) == 1
    (found,) = queue_of(ctx)
    assert found.next_try_at == clock.now + pause
    queue.jobs.clear()
    clock.now = found.next_try_at - TICK
    assert waiting.retry_waiting_leads(ctx) == 0
    clock.now += TICK
    assert waiting.retry_waiting_leads(ctx) == 1
    assert queue.jobs == [(Job.MATCH_LEADS, lead.id)]


def test_a_page_goes_on_behind_the_last_lead_even_if_that_waits_no_longer(ctx, make, clock):
    few, exhausted = asked_out(ctx, make)
    leads = []
    for number in range(5):
        leads.append(make.matched_lead())
        clock.advance(minutes=number % 2)  # some wait since the same moment
    whole = [*ids(queue_of(few))]
    assert whole == [*(lead.id for lead in leads), exhausted.id]
    first, place = waiting_leads(few, ADMIN, limit=2, after=None)
    assert ids(first) == whole[:2]
    outcome.close_request(ctx, business_of(leads[1]), reason="not_now")
    second, place = waiting_leads(few, ADMIN, limit=2, after=place)
    assert ids(second) == whole[2:4]
    last, place = waiting_leads(few, ADMIN, limit=2, after=place)
    assert ids(last) == whole[4:]
    assert place is None
    behind_all = (last[-1].place[0], last[-1].place[1])
    assert waiting_leads(few, ADMIN, limit=2, after=behind_all) == ([], None)


def test_the_first_page_shows_the_same_queue(ctx, make):
    make.matched_lead()
    assert ids(worklist(ctx, ADMIN).waiting) == ids(queue_of(ctx))


def test_it_is_for_administrators(ctx, make):
    who = person_of(make.provider().id)
    with pytest.raises(NotAllowed):
        waiting_leads(ctx, who, limit=1, after=None)


def test_a_lead_that_waits_no_longer_keeps_no_word_of_it(ctx, make):
    lead = make.matched_lead()
    for _ in range(3):
        make.provider()
    matching.match_lead(ctx, lead.id)
    now = make.ask(lambda s: s.get(Lead, lead.id))
    assert (now.waiting_since, now.waiting_code, now.waiting_reason) == (None, None, None)
    assert queue_of(ctx) == []
