"""Files of quotes: no step by themselves, and seen with the quote that brought them."""

from dataclasses import replace
from datetime import timedelta

import pytest

from marketplace.core.db import new_id
from marketplace.core.errors import Conflict, FieldError, Invalid, NotAllowed, NotFound
from marketplace.core.events import Event
from marketplace.core.files import SentFile
from marketplace.core.forms import Form
from marketplace.invitations import endings
from marketplace.invitations import service as invitations
from marketplace.invitations.models import Attachment
from marketplace.invitations.rules import DeclineReason, InvitationState
from marketplace.leads.rules import CloseReason
from marketplace.notifications.models import Notification
from marketplace.quotes import attachments, comparison, erasure, inbox, outcome
from marketplace.quotes.models import Quote
from tests.factories import ADMIN, business_of, person_of
from tests.services.road import a_quote, again, held


@pytest.fixture
def invited(make):
    """A request and the one invitation to it."""
    make.provider()
    lead = again(make, make.matched_lead())
    (invitation,) = held(make, lead)
    return lead, invitation


def sent(content=b"%PDF-1", name="Offer.pdf"):
    return Form({"file": SentFile(name, "application/pdf", content)})


def add(ctx, invitation, content=b"%PDF-1", name="Offer.pdf"):
    who = person_of(invitation.provider_id)
    return attachments.add_attachment(ctx, who, invitation.id, sent(content, name)).attachment


def remove(ctx, invitation, attachment):
    who = person_of(invitation.provider_id)
    attachments.remove_attachment(ctx, who, invitation.id, attachment.id)


def own(ctx, invitation):
    """Return the names of the files as their provider sees them, with whose they are by now."""
    with ctx.reading() as session:
        found = attachments.attachments_of(
            session, person_of(invitation.provider_id), invitation.id
        )
        return [(each.attachment.name, each.is_with_business, each.is_removed) for each in found]


def at_business(ctx, lead):
    """Return the names of the files that the business sees."""
    shown = comparison.request_page(ctx, business_of(lead))
    return [
        file["name"]
        for each in shown["invitations"]
        if each["quote"]
        for file in each["quote"]["attachments"]
    ]


def stored(make):
    return make.ask(lambda session: session.query(Attachment).order_by(Attachment.id).all())


def content_for(ctx, actor, lead, attachment):
    with ctx.reading() as session:
        return comparison.attachment_of(session, actor, lead.id, attachment.id).content


def test_adding_one_is_no_step_and_tells_nobody(ctx, make, invited):
    lead, invitation = invited
    letters = make.ask(lambda session: session.query(Notification).count())
    file = add(ctx, invitation)
    assert (file.name, file.size, file.added_at) == ("Offer.pdf", 6, ctx.clock())
    assert again(make, invitation).columns == invitation.columns
    assert again(make, lead).columns == lead.columns
    assert again(make, invitation).state is InvitationState.SENT
    assert make.ask(lambda session: session.query(Notification).count()) == letters
    assert own(ctx, invitation) == [("Offer.pdf", False, False)]
    shown = inbox.own_invitation(ctx, person_of(invitation.provider_id), invitation.id)
    assert (shown["quote"], shown["lead"]["masked"]) == (None, True)
    with pytest.raises(NotFound):
        content_for(ctx, business_of(lead), lead, file)
    with pytest.raises(NotFound):
        content_for(ctx, ADMIN, lead, file)


def test_the_business_gets_them_with_the_quote_and_what_changes_later_with_the_next(
    ctx, make, invited
):
    lead, invitation = invited
    first = add(ctx, invitation, b"%PDF-1", "First.pdf")
    a_quote(ctx, invitation)
    assert at_business(ctx, lead) == ["First.pdf"]
    second = add(ctx, invitation, b"%PDF-2", "Second.pdf")
    remove(ctx, invitation, first)
    # Nothing changes behind the back of the business ...
    assert at_business(ctx, lead) == ["First.pdf"]
    assert own(ctx, invitation) == [("First.pdf", True, True), ("Second.pdf", False, False)]
    assert content_for(ctx, business_of(lead), lead, first) == b"%PDF-1"
    with pytest.raises(NotFound):
        content_for(ctx, business_of(lead), lead, second)
    # ... until a quote is sent; the same words with other files are another version.
    assert a_quote(ctx, invitation).version == 2
    assert at_business(ctx, lead) == ["Second.pdf"]
    assert own(ctx, invitation) == [("Second.pdf", True, False)]
    for actor in (business_of(lead), ADMIN):
        assert content_for(ctx, actor, lead, second) == b"%PDF-2"
        with pytest.raises(NotFound):
            content_for(ctx, actor, lead, first)
    # Every version is kept with its files, and says which they are.
    assert [each.name for each in stored(make)] == ["First.pdf", "Second.pdf"]
    versions = make.ask(lambda session: session.query(Quote).order_by(Quote.version).all())
    assert [each.attachment_ids for each in versions] == [[first.id], [second.id]]


def test_the_same_quote_with_the_same_files_sent_twice_is_one_version(ctx, invited):
    _, invitation = invited
    add(ctx, invitation)
    assert [a_quote(ctx, invitation).version for _ in range(2)] == [1, 1]


def test_what_is_said_of_a_file_stands_beside_its_quote(ctx, invited):
    lead, invitation = invited
    file = add(ctx, invitation)
    a_quote(ctx, invitation)
    described = {
        "id": str(file.id), "name": "Offer.pdf", "size": 6, "added_at": "2026-11-23T09:00:00Z",
    }  # fmt: skip
    provider = inbox.own_invitation(ctx, person_of(invitation.provider_id), invitation.id)
    (business,) = comparison.request_page(ctx, business_of(lead))["invitations"]
    assert provider["quote"]["attachments"] == business["quote"]["attachments"] == [described]


def test_the_same_content_twice_is_one_file_under_its_first_name(ctx, make, invited):
    _, invitation = invited
    first = add(ctx, invitation, name="First.pdf")
    assert add(ctx, invitation, name="Again.pdf").id == first.id
    assert own(ctx, invitation) == [("First.pdf", False, False)]
    verbs = make.ask(
        lambda session: [
            each.verb
            for each in session.query(Event).filter_by(subject_id=invitation.id).order_by(Event.id)
        ]
    )
    assert verbs.count("attachment.added") == 1


def test_one_that_was_removed_can_be_added_again(ctx, make, invited):
    _, invitation = invited
    never_sent = add(ctx, invitation, b"%PDF-1")
    remove(ctx, invitation, never_sent)
    assert stored(make) == []
    kept = add(ctx, invitation, b"%PDF-1")
    a_quote(ctx, invitation)
    remove(ctx, invitation, kept)
    assert own(ctx, invitation) == [("Offer.pdf", True, True)]
    assert add(ctx, invitation, b"%PDF-1").id == kept.id
    assert own(ctx, invitation) == [("Offer.pdf", True, False)]


def test_removing_what_is_gone_or_never_was_finds_nothing(ctx, invited):
    _, invitation = invited
    file = add(ctx, invitation)
    remove(ctx, invitation, file)
    with pytest.raises(NotFound):
        remove(ctx, invitation, file)
    file.id = new_id()
    with pytest.raises(NotFound):
        remove(ctx, invitation, file)


def test_a_sixth_is_refused_at_its_field_and_takes_the_place_of_one_that_is_removed(ctx, invited):
    _, invitation = invited
    five = [add(ctx, invitation, b"%%PDF-%d" % number) for number in range(5)]
    assert add(ctx, invitation, b"%PDF-0").id == five[0].id  # there already, so none too many
    with pytest.raises(Invalid) as refused:
        add(ctx, invitation, b"%PDF-5")
    assert [each.pointer for each in refused.value.errors] == ["/file"]
    assert "at most 5 files" in str(refused.value)
    remove(ctx, invitation, five[0])
    add(ctx, invitation, b"%PDF-5")
    with pytest.raises(Invalid):
        add(ctx, invitation, b"%PDF-0")
    assert len(own(ctx, invitation)) == 5


def test_of_many_that_would_be_the_last_one_is_however_many_come_at_once(
    ctx, make, invited, at_once
):
    _, invitation = invited
    for number in range(4):
        add(ctx, invitation, b"%%PDF-%d" % number)
    calls = [
        lambda number=number: add(ctx, invitation, b"%%PDF-at-once-%d" % number)
        for number in range(4)
    ]
    outcomes = at_once(calls)
    assert sorted(type(each).__name__ for each in outcomes) == ["Attachment"] + ["Invalid"] * 3
    assert len(stored(make)) == 5


def test_the_same_file_sent_several_times_at_once_is_one(ctx, make, invited, at_once):
    _, invitation = invited
    found = at_once([lambda: add(ctx, invitation)] * 4)
    assert {each.id for each in found} == {each.id for each in stored(make)}
    assert len(stored(make)) == 1


def test_a_quote_sent_while_a_file_comes_in_brings_it_or_does_not(ctx, make, invited, at_once):
    lead, invitation = invited
    outcomes = at_once(
        [lambda: add(ctx, invitation), lambda: a_quote(ctx, invitation).attachment_ids]
    )
    (file,) = stored(make)
    assert outcomes[1] in ([], [file.id])
    assert (file.sent_at is not None) == bool(outcomes[1])
    assert at_business(ctx, lead) == ["Offer.pdf"] * len(outcomes[1])


def test_a_quote_sent_while_a_file_is_removed_brings_it_and_keeps_it_or_does_not(
    ctx, make, invited, at_once
):
    lead, invitation = invited
    file = add(ctx, invitation)
    removed, brought = at_once(
        [
            lambda: remove(ctx, invitation, file),
            lambda: a_quote(ctx, invitation).attachment_ids,
        ]
    )
    assert removed is None
    assert brought in ([], [file.id])
    # What a version names is there to be read.
    assert [each.id for each in stored(make)] == brought
    assert at_business(ctx, lead) == ["Offer.pdf"] * len(brought)


def test_no_more_than_so_many_are_kept_with_all_versions(ctx, invited):
    _, invitation = invited
    ctx = replace(ctx, policy=replace(ctx.policy, attachments_kept_at_most=3))
    for number in range(3):
        file = add(ctx, invitation, b"%%PDF-%d" % number)
        a_quote(ctx, invitation)
        remove(ctx, invitation, file)
    with pytest.raises(Conflict, match="takes no other"):
        add(ctx, invitation, b"%PDF-3")
    add(ctx, invitation, b"%PDF-0")  # kept as it is


def test_another_provider_and_software_of_another_find_nothing(ctx, make, invited):
    lead, invitation = invited
    file = add(ctx, invitation)
    a_quote(ctx, invitation)
    make.provider(name="Wattle Advisory")
    stranger = person_of(make.provider(name="Other").id)
    said = set()
    for id_ in (invitation.id, new_id()):
        for act in (
            lambda id_=id_: attachments.add_attachment(ctx, stranger, id_, sent(b"%PDF-x")),
            lambda id_=id_: attachments.add_attachment(ctx, stranger, id_, Form({"file": None})),
            lambda id_=id_: attachments.remove_attachment(ctx, stranger, id_, file.id),
            lambda id_=id_: looked_at(ctx, stranger, id_, file.id),
            lambda id_=id_: listed(ctx, stranger, id_),
        ):
            with pytest.raises(NotFound) as refused:
                act()
            said.add(str(refused.value))
    assert said == {"no such invitation"}
    with pytest.raises(NotFound):
        content_for(ctx, stranger, lead, file)


def looked_at(ctx, actor, invitation_id, attachment_id):
    with ctx.reading() as session:
        return attachments.own_attachment(session, actor, invitation_id, attachment_id)


def listed(ctx, actor, invitation_id):
    with ctx.reading() as session:
        return attachments.attachments_of(session, actor, invitation_id)


def test_a_file_of_one_invitation_is_not_found_under_another(ctx, make):
    provider = make.provider()
    first, second = (held(make, make.matched_lead())[0] for _ in range(2))
    file = add(ctx, first)
    with pytest.raises(NotFound):
        looked_at(ctx, person_of(provider.id), second.id, file.id)
    with pytest.raises(NotFound):
        attachments.remove_attachment(ctx, person_of(provider.id), second.id, file.id)


def test_another_business_finds_nothing_and_the_own_one_is_no_provider(ctx, make, invited):
    lead, invitation = invited
    file = add(ctx, invitation)
    a_quote(ctx, invitation)
    other = make.lead()
    for of in (lead, other):
        with pytest.raises(NotFound):
            content_for(ctx, business_of(other), of, file)
    with pytest.raises(NotAllowed):
        attachments.add_attachment(ctx, business_of(lead), invitation.id, sent())


def test_what_is_wrong_with_the_file_comes_after_whose_it_is_and_whether_it_is_late(
    ctx, clock, invited
):
    _, invitation = invited
    wrong = Form({}, (FieldError("/file", "must be a PDF file"),))
    holder = person_of(invitation.provider_id)
    with pytest.raises(Invalid):
        attachments.add_attachment(ctx, holder, invitation.id, wrong)
    with pytest.raises(NotFound):
        attachments.add_attachment(ctx, person_of(new_id()), invitation.id, wrong)
    clock.now = invitation.respond_by
    with pytest.raises(Conflict):
        attachments.add_attachment(ctx, holder, invitation.id, wrong)


def test_up_to_the_deadline_a_file_is_taken_and_at_it_neither_added_nor_removed(
    ctx, clock, invited
):
    _, invitation = invited
    invitations.look_at_invitation(ctx, person_of(invitation.provider_id), invitation.id)
    clock.now = invitation.respond_by - timedelta(microseconds=1)
    file = add(ctx, invitation)
    clock.now = invitation.respond_by
    for act in (lambda: add(ctx, invitation, b"%PDF-2"), lambda: remove(ctx, invitation, file)):
        with pytest.raises(Conflict, match="the time to answer"):
            act()


def test_after_a_quote_files_are_added_for_the_next_until_the_request_ends(
    ctx, clock, make, invited
):
    lead, invitation = invited
    a_quote(ctx, invitation)
    clock.now = invitation.respond_by + timedelta(days=3)
    file = add(ctx, invitation)
    outcome.close_request(ctx, business_of(lead), reason=CloseReason.NOT_NOW)
    with pytest.raises(Conflict):
        add(ctx, invitation, b"%PDF-2")
    # It was never sent, so it went with the invitation.
    with pytest.raises(Conflict):
        remove(ctx, invitation, file)
    assert stored(make) == []


def ended(how, ctx, clock, lead, invitation):
    person = person_of(invitation.provider_id)
    if how == "declined":
        invitations.decline_invitation(ctx, person, invitation.id, reason=DeclineReason.OTHER)
    elif how == "closed":
        outcome.close_request(ctx, business_of(lead), reason=CloseReason.NOT_NOW)
    else:
        if how == "expired":
            invitations.look_at_invitation(ctx, person, invitation.id)
        clock.now = invitation.respond_by
        assert endings.end_due_invitations(ctx) == 1


@pytest.mark.parametrize("how", ["declined", "closed", "released", "expired"])
def test_what_was_never_sent_goes_with_the_invitation_however_it_ends(
    ctx, clock, make, invited, how
):
    lead, invitation = invited
    add(ctx, invitation)
    ended(how, ctx, clock, lead, invitation)
    assert not again(make, invitation).is_live
    assert stored(make) == []


def test_what_a_quote_brought_stays_with_it_and_is_hidden_once_that_is_taken_back(
    ctx, make, invited, clock
):
    lead, invitation = invited
    file = add(ctx, invitation)
    a_quote(ctx, invitation)
    add(ctx, invitation, b"%PDF-2", "Late.pdf")
    ended("declined", ctx, clock, lead, invitation)
    assert [each.name for each in stored(make)] == ["Offer.pdf"]
    assert at_business(ctx, lead) == []
    with pytest.raises(NotFound):
        content_for(ctx, business_of(lead), lead, file)
    # Its provider still has its own.
    person = person_of(invitation.provider_id)
    assert looked_at(ctx, person, invitation.id, file.id).content == b"%PDF-1"


def test_who_was_chosen_is_read_as_before(ctx, invited):
    lead, invitation = invited
    file = add(ctx, invitation)
    a_quote(ctx, invitation)
    outcome.choose_provider(ctx, business_of(lead), invitation.id)
    assert content_for(ctx, business_of(lead), lead, file) == b"%PDF-1"


def test_erasing_a_request_takes_its_files_along_and_no_others(ctx, make):
    make.provider()
    erased, other = make.matched_lead(), make.matched_lead()
    for lead in (erased, other):
        (invitation,) = held(make, lead)
        add(ctx, invitation)
        a_quote(ctx, invitation)
    erasure.erase_request(ctx, business_of(erased))
    (left,) = stored(make)
    assert left.invitation_id == held(make, other)[0].id
    (gone,) = held(make, erased)
    shown = inbox.own_invitation(ctx, person_of(gone.provider_id), gone.id)
    assert shown["quote"]["attachments"] == []
    assert own(ctx, gone) == []


def test_a_file_that_comes_in_while_the_request_is_erased_does_not_stay(ctx, make, at_once):
    make.provider()
    for _ in range(4):
        lead = make.matched_lead()
        (invitation,) = held(make, lead)
        outcomes = at_once(
            [
                lambda lead=lead: erasure.erase_request(ctx, business_of(lead)),
                lambda invitation=invitation: add(ctx, invitation),
            ]
        )
        assert isinstance(outcomes[1], Attachment | Conflict)
        assert stored(make) == []


def test_of_two_that_remove_the_same_file_at_once_one_does(ctx, make, invited, at_once):
    _, invitation = invited
    file = add(ctx, invitation)
    outcomes = at_once([lambda: remove(ctx, invitation, file)] * 2)
    assert sorted(type(each).__name__ for each in outcomes) == ["NoneType", "NotFound"]
    assert stored(make) == []
