"""A provider's record in the portal, the ways back from a pause, and strikes by administrators."""

import pytest

from marketplace.invitations import endings
from marketplace.providers import pauses
from tests.pages.steps import held_by


@pytest.fixture
def missed(ctx, make, clock):
    """Let a provider miss so many invitations; return it and them."""

    def lapse(count=1):
        provider = make.provider(name="Harbour Quality Pty Ltd")
        found = []
        for _ in range(count):
            (invitation,) = held_by(make, make.matched_lead())
            clock.now = invitation.open_by
            endings.end_due_invitations(ctx)
            found.append(invitation)
        return provider, found

    return lapse


@pytest.fixture
def paused(missed):
    """A provider that missed three, and what it missed."""
    return missed(3)


def is_paused(make, provider):
    return make.ask(lambda session: pauses.pause_for_misses(session, provider.id)) is not None


def test_a_provider_reads_its_record_and_objects_once(missed, signed_in):
    provider, (one, _) = missed(2)
    person = signed_in(provider)
    assert "2 of 3 misses within 30 days" in person.open("/portal").text
    form = person.open("/portal/record")
    assert "2 count at present" in form.text
    assert "It counts until" in form.text
    refused = person.send(f"{one.id}/object", text=" ")
    assert refused.status == 422
    page = person.send(f"{one.id}/object", text="No mail came.")
    assert "Your objection is with an administrator" in page.text
    assert "No mail came." in page.text
    person.page = form
    assert "objected to this miss already" in person.send(f"{one.id}/object", text="Again").text


def test_who_has_missed_nothing_reads_that(make, signed_in):
    person = signed_in(make.provider())
    assert "misses within" not in person.open("/portal").text
    assert "Nothing was missed." in person.open("/portal/record").text


def test_a_place_that_came_back_is_said_to_be_a_miss(make, clock, signed_in):
    provider = make.provider()
    (invitation,) = held_by(make, make.matched_lead())
    clock.now = invitation.open_by
    page = signed_in(provider).open(f"/portal/invitations/{invitation.id}")
    assert "which is a miss on your record" in page.text


def test_looking_at_the_link_in_the_notice_ends_nothing_and_one_click_does(
    paused, make, browser, link_to
):
    provider, _ = paused
    path = link_to(provider.contact_email, "come-back")
    visitor = browser()
    for _ in range(2):
        form = visitor.open(path)
        assert form.status == 200
        assert "Take invitations again?" in form.text
    assert is_paused(make, provider)
    page = visitor.send("/come-back")
    assert (page.status, "Welcome back" in page.text) == (200, True)
    assert not is_paused(make, provider)
    visitor.page = form
    again = visitor.send("/come-back")
    assert again.status == 410
    assert "If you get invitations again already, all is well" in again.text
    assert visitor.open(path).status == 410
    assert visitor.open("/come-back/back_x").status == 410


def test_the_portal_says_that_it_is_paused_and_one_click_ends_it(paused, make, signed_in):
    provider, _ = paused
    person = signed_in(provider)
    assert "until you say that you are back" in person.open("/portal/profile").text
    assert "Invitations to you are paused" in person.open("/portal/record").text
    assert "Invitations to you are paused" in person.open("/portal").text
    page = person.send("/end")
    assert "You get invitations again from now on." in page.text
    assert "paused" not in page.text
    assert not is_paused(make, provider)


def test_an_administrator_strikes_a_miss_with_a_reason_that_the_provider_reads(
    paused, make, admin, signed_in
):
    provider, (one, *_) = paused
    form = admin.open(f"/admin/providers/{provider.id}")
    assert "for repeated misses, until it comes back" in form.text
    assert admin.send(f"{one.id}/strike", reason="").status == 422
    page = admin.send(f"{one.id}/strike", reason="Our mail failed.")
    assert "The miss is struck" in page.text
    assert "Our mail failed." in page.text
    assert not is_paused(make, provider)
    admin.page = form
    assert "struck already" in admin.send(f"{one.id}/strike", reason="Again").text
    person = signed_in(provider)
    assert "Our mail failed." in person.open("/portal/record").text


def test_an_objection_stands_on_the_work_list_until_it_is_answered(paused, admin, signed_in):
    provider, (one, *_) = paused
    person = signed_in(provider)
    person.open("/portal/record")
    person.send(f"{one.id}/object", text="No mail came.")
    assert "No mail came." in admin.open("/admin").text
    admin.open(f"/admin/providers/{provider.id}")
    assert admin.send(f"{one.id}/uphold", reason="").status == 422
    assert "The miss stands" in admin.send(f"{one.id}/uphold", reason="It was delivered.").text
    assert "No mail came." not in admin.open("/admin").text
    assert "It was delivered." in person.open("/portal/record").text


def test_the_records_of_others_cannot_be_touched(paused, make, signed_in, browser):
    provider, (one, *_) = paused
    pause = make.ask(lambda session: pauses.pause_for_misses(session, provider.id))
    stranger = signed_in(make.provider(regions=("NZ",)))
    page = stranger.open("/portal/profile")
    token = dict(page.forms[-1].values)["csrf_token"]
    for path in (f"/portal/record/{one.id}/object", f"/portal/pauses/{pause.id}/end"):
        assert stranger.post(path, [("csrf_token", token), ("text", "x")]).status == 404
    assert is_paused(make, provider)
    assert "Sign in" in browser().open("/portal/record").text
