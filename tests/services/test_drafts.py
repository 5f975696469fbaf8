"""Drafts of quotes: kept as typed, never a step, never anybody else's, and gone with the end."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from marketplace.core.errors import Conflict, NotAllowed, NotFound
from marketplace.core.events import Event
from marketplace.invitations import endings
from marketplace.invitations import service as invitations
from marketplace.invitations.models import QuoteDraft
from marketplace.invitations.rules import DeclineReason, InvitationState
from marketplace.leads.rules import CloseReason
from marketplace.notifications.models import Notification
from marketplace.quotes import drafts, erasure, outcome
from marketplace.quotes.models import Quote
from tests.factories import ADMIN, business_of, person_of
from tests.services.road import a_quote, again, held

TYPED = {"notes": ["half a sent"], "phases.0.fee": ["about 12"], "valid_until": [""]}
OTHER = {"notes": ["another sentence"]}


@pytest.fixture
def invited(make):
    """A request and the one invitation to it."""
    make.provider()
    lead = again(make, make.matched_lead())
    (invitation,) = held(make, lead)
    return lead, invitation


@pytest.fixture
def save(ctx, invited):
    """Save something over what was seen last, or over what is said."""

    def save(typed, seen=None, by=None):
        _, invitation = invited
        who = by or person_of(invitation.provider_id)
        if seen is None:
            seen = look(ctx, invitation).mark
        return drafts.save_draft(ctx, who, invitation.id, typed, seen=seen)

    return save


def look(ctx, invitation):
    with ctx.reading() as session:
        return drafts.draft_of(session, person_of(invitation.provider_id), invitation.id)


def test_a_draft_is_kept_as_it_was_typed_and_is_no_step(ctx, make, invited, save):
    lead, invitation = invited
    before = make.ask(lambda s: (len(s.query(Event).all()), len(s.query(Notification).all())))
    saved = save(TYPED)
    assert saved.is_saved
    assert look(ctx, invitation).typed == TYPED
    assert look(ctx, invitation).saved_at == ctx.clock()
    now = again(make, invitation)
    assert now.columns == invitation.columns
    assert now.state is InvitationState.SENT
    assert again(make, lead).columns == lead.columns
    after = make.ask(lambda s: (len(s.query(Event).all()), len(s.query(Notification).all())))
    assert after == before
    assert make.ask(lambda s: s.query(Quote).count()) == 0


def test_there_is_nothing_before_anything_is_saved(ctx, invited):
    found = look(ctx, invited[1])
    assert (found.typed, found.saved_at, found.mark) == (None, None, "0-")


def test_saving_goes_on_from_what_was_saved_and_the_same_again_changes_nothing(
    ctx, clock, invited, save
):
    first = save(TYPED)
    clock.advance(minutes=1)
    assert save(TYPED, first.mark) == first
    second = save(OTHER, first.mark)
    assert second.mark != first.mark
    assert second.saved_at == clock()
    assert look(ctx, invited[1]).typed == OTHER


def test_of_two_windows_the_later_one_does_not_take_the_place_of_the_other(ctx, invited, save):
    seen_by_both = look(ctx, invited[1]).mark
    first = save(TYPED, seen_by_both)
    late = save(OTHER, seen_by_both)
    assert not late.is_saved
    assert (late.typed, late.mark) == (TYPED, first.mark)
    assert look(ctx, invited[1]).typed == TYPED
    assert save(OTHER, late.mark).is_saved  # told, and wanted all the same
    assert look(ctx, invited[1]).typed == OTHER


def test_two_windows_that_typed_the_same_do_not_disagree(ctx, invited, save):
    seen_by_both = look(ctx, invited[1]).mark
    first = save(TYPED, seen_by_both)
    assert save(TYPED, seen_by_both) == first


def test_a_window_from_before_the_quote_was_sent_brings_no_draft_back(ctx, invited, save):
    _, invitation = invited
    nothing_yet = look(ctx, invitation).mark
    saved = save(TYPED, nothing_yet)
    a_quote(ctx, invitation)
    for stale in (nothing_yet, saved.mark, "", "0-", "x" * 500):
        assert not save(OTHER, stale).is_saved
        assert look(ctx, invitation).typed is None
    assert save(OTHER, "1-").is_saved
    assert look(ctx, invitation).typed == OTHER


def test_of_many_that_save_at_once_one_does(ctx, invited, at_once):
    _, invitation = invited
    seen = look(ctx, invitation).mark
    who = person_of(invitation.provider_id)
    found = at_once(
        [
            lambda n=n: drafts.save_draft(
                ctx, who, invitation.id, {"notes": [f"window {n}"]}, seen=seen
            )
            for n in range(4)
        ]
    )
    assert [each.is_saved for each in found].count(True) == 1
    (kept,) = [each for each in found if each.is_saved]
    assert look(ctx, invitation).typed == kept.typed
    assert {each.mark for each in found} == {kept.mark}


def test_a_save_at_the_moment_of_a_decline_leaves_nothing_behind(ctx, make, invited, at_once):
    _, invitation = invited
    who = person_of(invitation.provider_id)
    seen = look(ctx, invitation).mark
    at_once(
        [
            lambda: invitations.decline_invitation(
                ctx, who, invitation.id, reason=DeclineReason.NO_CAPACITY
            ),
            *[
                lambda n=n: drafts.save_draft(
                    ctx, who, invitation.id, {"notes": [str(n)]}, seen=seen
                )
                for n in range(3)
            ],
        ]
    )
    assert again(make, invitation).state is InvitationState.DECLINED
    assert count(make) == 0


def count(make):
    return make.ask(lambda session: session.query(QuoteDraft).count())


def decline(ctx, lead, invitation, clock):
    who = person_of(invitation.provider_id)
    invitations.decline_invitation(ctx, who, invitation.id, reason=DeclineReason.OTHER)


def release(ctx, lead, invitation, clock):
    clock.now = invitation.open_by
    assert endings.end_due_invitations(ctx) == 1


def expire(ctx, lead, invitation, clock):
    invitations.accept_invitation(ctx, person_of(invitation.provider_id), invitation.id)
    clock.now = invitation.respond_by
    assert endings.end_due_invitations(ctx) == 1


def close(ctx, lead, invitation, clock):
    outcome.close_request(ctx, business_of(lead), reason=CloseReason.NOT_NOW)


def choose(ctx, lead, invitation, clock):
    a_quote(ctx, invitation)
    mark = look(ctx, invitation).mark
    who = person_of(invitation.provider_id)
    assert drafts.save_draft(ctx, who, invitation.id, OTHER, seen=mark).is_saved
    outcome.choose_provider(ctx, business_of(lead), invitation.id)


def erase(ctx, lead, invitation, clock):
    erasure.erase_request(ctx, business_of(lead))


def quote(ctx, lead, invitation, clock):
    a_quote(ctx, invitation)


def quote_the_same_again(ctx, lead, invitation, clock):
    a_quote(ctx, invitation)
    mark = look(ctx, invitation).mark
    who = person_of(invitation.provider_id)
    assert drafts.save_draft(ctx, who, invitation.id, OTHER, seen=mark).is_saved
    a_quote(ctx, invitation)


def discard(ctx, lead, invitation, clock):
    drafts.discard_draft(ctx, person_of(invitation.provider_id), invitation.id)


@pytest.mark.parametrize(
    "ends",
    [decline, release, expire, close, choose, erase, quote, quote_the_same_again, discard],
    ids=lambda ends: ends.__name__,
)
def test_a_draft_is_gone_once_it_cannot_be_sent_any_more_or_was(
    ctx, make, clock, invited, save, ends
):
    lead, invitation = invited
    save(TYPED)
    assert count(make) == 1
    ends(ctx, lead, invitation, clock)
    assert count(make) == 0


@pytest.mark.parametrize(
    "ends", [decline, release, expire, close, choose, erase], ids=lambda ends: ends.__name__
)
def test_nothing_is_kept_after_the_end(ctx, make, clock, invited, save, ends):
    lead, invitation = invited
    ends(ctx, lead, invitation, clock)
    with pytest.raises(Conflict):
        save(TYPED)
    assert count(make) == 0


def test_the_deadline_ends_it_whether_or_not_a_sweep_has_run(ctx, make, clock, invited, save):
    _, invitation = invited
    invitations.look_at_invitation(ctx, person_of(invitation.provider_id), invitation.id)
    clock.now = invitation.respond_by - timedelta(microseconds=1)
    assert save(TYPED).is_saved
    clock.now = invitation.respond_by
    with pytest.raises(Conflict, match="time to answer"):
        save(OTHER)
    assert look(ctx, invitation).typed == TYPED


def test_only_the_people_of_its_provider_see_it(ctx, make, invited, save):
    lead, invitation = invited
    save(TYPED)
    colleague = person_of(invitation.provider_id)
    assert save(OTHER, by=colleague).is_saved
    for stranger, refusal in (
        (person_of(make.provider().id), NotFound),
        (ADMIN, NotAllowed),
        (business_of(lead), NotAllowed),
    ):
        with ctx.reading() as session, pytest.raises(refusal):
            drafts.draft_of(session, stranger, invitation.id)
        with pytest.raises(refusal):
            drafts.save_draft(ctx, stranger, invitation.id, TYPED, seen="0-")
        with pytest.raises(refusal):
            drafts.discard_draft(ctx, stranger, invitation.id)
    assert look(ctx, invitation).typed == OTHER


def test_what_postgresql_cannot_hold_is_left_out(ctx, invited, save):
    save({"notes": ["a\x00b\N{GRINNING FACE}\u2028\x07\ufffe"]})
    assert look(ctx, invited[1]).typed == {"notes": ["ab\N{GRINNING FACE}\u2028\x07\ufffe"]}


def test_drafts_are_found_for_a_list(ctx, make, clock, invited, save):
    _, invitation = invited
    save(TYPED)
    with ctx.reading() as session:
        assert drafts.drafted(session, [invitation.id]) == {invitation.id: clock()}
        assert drafts.drafted(session, []) == {}


def test_each_invitation_has_a_draft_of_its_own(ctx, make):
    for _ in range(2):
        make.provider()
    one, two = held(make, make.matched_lead())
    for invitation, typed in ((one, TYPED), (two, OTHER)):
        who = person_of(invitation.provider_id)
        drafts.save_draft(ctx, who, invitation.id, typed, seen="0-")
    a_quote(ctx, one)
    kept = make.ask(lambda session: session.scalars(select(QuoteDraft.invitation_id)).all())
    assert kept == [two.id]
    assert look(ctx, two).typed == OTHER
