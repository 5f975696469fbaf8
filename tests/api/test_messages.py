"""A provider's inbox: what was mailed to it, and to nobody else."""

import pytest

from marketplace.invitations.models import Invitation
from marketplace.notifications.models import Notification
from marketplace.providers import service as providers
from marketplace.quotes import erasure
from tests.api.doors import invitations_of, provider_door, software_door
from tests.factories import ADMIN, business_of
from tests.services.road import a_quote


@pytest.fixture
def inbox(client):
    def ask(who, **args):
        return client.get("/api/v1/portal/messages", query_string=args, headers=who).json

    return ask


def subjects(page):
    return [each["template"] for each in page["items"]]


def test_what_was_mailed_to_a_provider_is_in_its_inbox_the_newest_first(ctx, make, inbox, clock):
    provider, other = make.provider(), make.provider(regions=("NZ",))
    lead = make.matched_lead()
    clock.advance(minutes=1)
    providers.suspend_provider(ctx, ADMIN, provider.id, reason="a complaint")
    page = inbox(provider_door(ctx, provider))
    assert subjects(page) == ["provider_suspended", "invitation"]
    invitation = page["items"][1]
    (held,) = invitations_of(make, lead)
    assert invitation["path"] == f"/portal/invitations/{held.id}"
    assert lead.reference in invitation["subject"]
    assert "9:00 am" in invitation["text"] or "8:00 pm" in invitation["text"]
    assert inbox(provider_door(ctx, other)) == {"items": [], "unread": 0, "next": None}


def test_a_persons_look_marks_what_it_shows_as_read_and_a_programs_does_not(ctx, make, inbox):
    provider = make.provider()
    for _ in range(3):
        make.matched_lead()
    software, person = software_door(ctx, provider), provider_door(ctx, provider)
    for _ in range(2):
        assert inbox(software)["unread"] == 3
    first = inbox(person, limit=2)
    assert (len(first["items"]), first["unread"]) == (2, 3)
    second = inbox(person, limit=2, after=first["next"])
    assert (len(second["items"]), second["unread"], second["next"]) == (1, 1, None)
    again = inbox(person)
    assert again["unread"] == 0
    assert all(each["was_read"] for each in again["items"])


def test_an_inbox_follows_the_provider_and_not_an_address(ctx, make, inbox):
    provider = make.provider()
    make.matched_lead()
    with ctx.transaction() as tx:
        tx.session.get_one(type(provider), provider.id).contact_email = "new@provider.example"
    make.matched_lead()
    assert len(inbox(provider_door(ctx, provider))["items"]) == 2


def test_what_the_business_had_erased_is_in_no_inbox(ctx, make, inbox):
    provider = make.provider()
    lead = make.matched_lead()
    (held,) = invitations_of(make, lead)
    a_quote(ctx, held)
    erasure.erase_request(ctx, business_of(lead))
    page = inbox(provider_door(ctx, provider))
    assert subjects(page) == ["invitation_lost"]


def test_what_has_no_words_any_more_stops_nobody(ctx, make, inbox):
    provider = make.provider()
    lead = make.matched_lead()
    with ctx.transaction() as tx:
        (held,) = tx.session.query(Invitation).filter_by(lead_id=lead.id)
        tx.session.execute(
            Notification.__table__.update()
            .where(Notification.subject_id == held.id)
            .values(template="of_old")
        )
    (item,) = inbox(provider_door(ctx, provider))["items"]
    assert item["subject"] == "A message that can no longer be shown"
