"""What a provider that was not chosen learns of the others' prices: so much, then, and no more."""

import json
from datetime import timedelta

import pytest
from sqlalchemy import select

from marketplace.invitations import endings
from marketplace.invitations import service as invitations
from marketplace.matching import service as matching
from marketplace.notifications.models import Notification
from marketplace.notifications.rules import Way
from marketplace.providers import service as providers
from marketplace.quotes import inbox, outcome
from tests.factories import ADMIN, business_of, person_of
from tests.services.road import a_quote, again, held

ALL_THREE = [("1000.00", "AUD"), ("1100.00", "AUD"), ("1400.00", "AUD")]


@pytest.fixture
def quoted(ctx, make):
    """Let three providers quote these amounts, or (None) accept and stay silent."""

    def quote(*amounts):
        for _ in range(3):
            make.provider()
        lead = make.matched_lead()
        found = held(make, lead)
        for each, amount in zip(found, amounts, strict=True):
            if amount is None:
                invitations.accept_invitation(ctx, person_of(each.provider_id), each.id)
            else:
                a_quote(ctx, each, amount[0], currency=amount[1])
        return lead, found

    return quote


def choose(ctx, lead, invitation):
    outcome.choose_provider(ctx, business_of(lead), invitation.id)


def read(ctx, invitation):
    """Return what its holder reads of how it stood, which is what its mail says as well."""
    with ctx.reading() as session:
        mailed = session.scalars(
            select(Notification.values).where(
                Notification.subject_id == invitation.id,
                Notification.template == "invitation_lost",
            )
        ).all()
    shown = inbox.own_invitation(ctx, person_of(invitation.provider_id), invitation.id)["standing"]
    if mailed:
        told = {name: mailed[0][name] for name in ("rank", "quotes", "distance")}
        assert told == (shown or dict.fromkeys(told))
    else:
        assert shown is None
    return shown and tuple(shown.values())


def test_of_three_each_that_was_not_chosen_learns_its_rank_and_how_far_from_the_median(ctx, quoted):
    lead, (one, two, dear) = quoted(*ALL_THREE)
    assert [read(ctx, each) for each in (one, two, dear)] == [None] * 3  # not before the end
    choose(ctx, lead, one)
    assert read(ctx, one) is None
    assert read(ctx, two) == (2, 3, "within 10 %")
    assert read(ctx, dear) == (3, 3, "within 30 %")


@pytest.mark.parametrize("end", ["closed", "expired"])
def test_where_nobody_was_chosen_all_three_learn_it(ctx, make, clock, quoted, end):
    lead, found = quoted(*ALL_THREE)
    if end == "closed":
        outcome.close_request(ctx, business_of(lead), reason="not_now")
    else:
        clock.now = again(make, lead).expires_at
        assert [read(ctx, each) for each in found] == [None] * 3  # not before a sweep has told it
        outcome.expire_due_leads(ctx)
    assert [read(ctx, each) for each in found] == [
        (1, 3, "within 10 %"), (2, 3, "within 10 %"), (3, 3, "within 30 %"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "amounts",
    [
        (("1000.00", "AUD"), ("1100.00", "AUD"), None),
        (("1000.00", "AUD"), ("1100.00", "AUD"), ("1400.00", "NZD")),
        (("1000.00", "AUD"), None, None),
    ],
    ids=["two quotes", "two currencies", "one quote"],
)
def test_with_fewer_than_three_to_compare_nobody_learns_anything(ctx, quoted, amounts):
    lead, found = quoted(*amounts)
    choose(ctx, lead, found[0])
    assert [read(ctx, each) for each in found] == [None] * 3


@pytest.mark.parametrize("how", ["declined", "suspended"])
def test_a_quote_that_was_taken_back_or_withdrawn_counts_for_nobody(ctx, make, quoted, how):
    lead, (one, two, gone) = quoted(*ALL_THREE)
    if how == "declined":
        who = person_of(gone.provider_id)
        invitations.decline_invitation(ctx, who, gone.id, reason="no_capacity")
    else:
        providers.suspend_provider(ctx, ADMIN, gone.provider_id, reason="x")
        matching.match_lead(ctx, lead.id)
    assert again(make, gone).state in ("declined", "withdrawn")
    choose(ctx, lead, one)
    assert [read(ctx, each) for each in (one, two, gone)] == [None] * 3


def test_one_that_accepted_and_let_its_time_pass_learns_nothing(ctx, clock, quoted):
    lead, (one, two, late) = quoted(ALL_THREE[0], ALL_THREE[1], None)
    clock.now = late.respond_by + timedelta(hours=1)
    endings.end_due_invitations(ctx)
    choose(ctx, lead, one)
    assert [read(ctx, each) for each in (one, two, late)] == [None] * 3


def test_equal_prices_share_the_better_rank(ctx, quoted):
    lead, (one, two, three) = quoted(*[("1000.00", "AUD")] * 3)
    choose(ctx, lead, one)
    assert read(ctx, two) == read(ctx, three) == (1, 3, "within 10 %")


def test_of_several_versions_the_last_counts(ctx, quoted):
    lead, (one, two, dear) = quoted(*ALL_THREE)
    a_quote(ctx, dear, "900.00")
    choose(ctx, lead, one)
    assert read(ctx, dear)[0] == 1
    assert read(ctx, two)[0] == 3


def test_no_other_message_of_the_end_says_anything_of_prices(ctx, make, quoted):
    lead, found = quoted(*ALL_THREE)
    choose(ctx, lead, found[0])
    with ctx.reading() as session:
        written = session.execute(
            select(Notification.template, Notification.channel, Notification.values).where(
                Notification.subject_id.in_([each.id for each in found])
            )
        ).all()
    for template, channel, values in written:
        said = json.dumps(values)
        assert not any(amount in said for amount in ("1000", "1100", "1400")), template
        if template != "invitation_lost" or channel == Way.WEBHOOK:
            assert not values.keys() & {"rank", "quotes", "distance"}, template
