"""From consulting to certification: nobody is invited who is related to whoever advised."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from marketplace.core.errors import Conflict, Invalid, NotAllowed
from marketplace.core.forms import Form
from marketplace.leads.models import Lead
from marketplace.leads.rules import Outcome
from marketplace.leads.service import actor_of_request_token, mint_request_token
from marketplace.matching import service as matching
from marketplace.matching.left_out import left_out
from marketplace.providers.models import Provider
from marketplace.quotes import erasure, outcome
from marketplace.quotes import service as quotes
from marketplace.web.api.quotes import QuoteIn
from marketplace.web.api.request import FollowOnIn
from marketplace.web.requests import load
from tests.factories import business_of, person_of
from tests.pages.test_business_pages import CERTIFICATION
from tests.services.road import a_quote, held

NOTHING = Form({})


@pytest.fixture
def consultant(make):
    return make.provider(name="Harbour Quality Pty Ltd")


@pytest.fixture
def lead(ctx, make, consultant):
    lead = make.matched_lead()
    (invitation,) = held(make, lead)
    a_quote(ctx, invitation)
    return outcome.choose_provider(ctx, business_of(lead), invitation.id)


@pytest.fixture
def bodies(make, consultant):
    """One that the consultant owns, one that it left lately, one long ago, and one free."""
    named = ("Owned", "Left Lately", "Left Long Ago", "Free")
    found = {name: make.provider("certification_body", name=f"{name} Assurance") for name in named}
    today = make.ctx.clock().date()
    make.relationship(consultant, found["Owned"])
    make.relationship(found["Left Lately"], consultant, valid_until=today - timedelta(days=700))
    make.relationship(found["Left Long Ago"], consultant, valid_until=today - timedelta(days=740))
    return found


def invited_to(make, reference):
    lead = make.lead_called(reference)
    ids = [each.provider_id for each in held(make, lead)]
    return make.ask(lambda session: {session.get(Provider, each).name for each in ids})


def follow(ctx, make, lead):
    receipt = outcome.follow_on(ctx, business_of(lead), NOTHING)
    matching.match_lead(ctx, make.lead_called(receipt.reference).id)
    return receipt


def test_no_body_is_invited_that_is_or_was_lately_related_to_who_advised(ctx, make, lead, bodies):
    shown = left_out(ctx, business_of(lead))
    assert shown.advisers == ["Harbour Quality Pty Ltd"]
    assert [each["name"] for each in shown.bodies] == ["Left Lately Assurance", "Owned Assurance"]
    assert "related to a consultant that advised this business" in shown.bodies[0]["why"]
    receipt = follow(ctx, make, lead)
    assert invited_to(make, receipt.reference) == {"Free Assurance", "Left Long Ago Assurance"}


def test_a_body_of_the_consultants_own_name_is_left_out(ctx, make, lead):
    make.provider("certification_body", name="Harbour Quality Pty Limited")
    shown = left_out(ctx, business_of(lead))
    assert [each["name"] for each in shown.bodies] == ["Harbour Quality Pty Limited"]
    assert "advised this business itself" in shown.bodies[0]["why"]


def test_those_who_are_not_verified_are_not_named(ctx, make, lead, consultant):
    make.relationship(consultant, make.provider("certification_body", state="suspended"))
    assert left_out(ctx, business_of(lead)).bodies == []


def test_who_was_named_in_the_form_counts_as_long_as_that_is_two_years_ago_at_most(ctx, make):
    today = ctx.clock().date()
    named = [
        {"name": "Old Advice", "ended_on": str(today - timedelta(days=731))},
        {"name": "Late Advice", "ended_on": str(today - timedelta(days=700))},
        {"name": "Advice That Goes On", "ended_on": None},
    ]
    for each in named:
        adviser = make.provider(name=each["name"], regions=("NZ",))
        body = make.provider("certification_body", name=f"Body of {each['name']}")
        make.relationship(adviser, body)
    make.provider(name="Harbour Quality Pty Ltd")
    lead = make.matched_lead(consultants_used=named)
    (invitation,) = held(make, lead)
    a_quote(ctx, invitation)
    outcome.choose_provider(ctx, business_of(lead), invitation.id)
    shown = left_out(ctx, business_of(lead))
    assert shown.advisers == ["Late Advice", "Advice That Goes On", "Harbour Quality Pty Ltd"]
    assert [each["name"] for each in shown.bodies] == [
        "Body of Advice That Goes On",
        "Body of Late Advice",
    ]
    assert invited_to(make, follow(ctx, make, lead).reference) == {"Body of Old Advice"}


def test_of_ten_who_were_named_none_is_forgotten_for_the_one_that_was_chosen(ctx, make):
    named = [{"name": f"Adviser {n}", "ended_on": None} for n in range(10)]
    make.provider(name="Harbour Quality Pty Ltd")
    lead = make.matched_lead(consultants_used=named)
    (invitation,) = held(make, lead)
    a_quote(ctx, invitation)
    outcome.choose_provider(ctx, business_of(lead), invitation.id)
    followed = make.lead_called(follow(ctx, make, lead).reference)
    names = [each["name"] for each in followed.consultants_used]
    assert names == [*(each["name"] for each in named), "Harbour Quality Pty Ltd"]


def test_who_was_found_elsewhere_and_is_named_afterwards_counts_beside_who_was_chosen(
    ctx, make, lead, bodies
):
    elsewhere = make.provider(name="Advice From Elsewhere", regions=("NZ",))
    make.relationship(elsewhere, bodies["Free"])
    named = [{"name": "Advice From Elsewhere", "ended_on": "2026-11-01"}]
    form = load(FollowOnIn(), {"consultants_used": named})
    receipt = outcome.follow_on(ctx, business_of(lead), form)
    followed = make.lead_called(receipt.reference)
    assert [each["name"] for each in followed.consultants_used] == [
        "Advice From Elsewhere",
        "Harbour Quality Pty Ltd",
    ]
    matching.match_lead(ctx, followed.id)
    assert invited_to(make, receipt.reference) == {"Left Long Ago Assurance"}


@pytest.mark.parametrize(
    ("named", "pointer"),
    [
        ([{"ended_on": "2026-11-01"}], "/consultants_used/0/name"),
        ([{"name": "Advice", "ended_on": "soon"}], "/consultants_used/0/ended_on"),
        ([{"name": "Advice"}] * 11, "/consultants_used"),
        (None, "/consultants_used"),
    ],
)
def test_whom_it_names_has_to_be_said_in_full(ctx, make, lead, named, pointer):
    with pytest.raises(Invalid) as refused:
        outcome.follow_on(ctx, business_of(lead), load(FollowOnIn(), {"consultants_used": named}))
    assert [each.pointer for each in refused.value.errors] == [pointer]


def test_a_form_of_the_same_business_is_matched_as_its_follow_on_would_be(ctx, make, lead, bodies):
    fresh = make.matched_lead(number=2, service="certification")
    assert fresh.business_key == lead.business_key
    assert invited_to(make, fresh.reference) == {"Free Assurance", "Left Long Ago Assurance"}


@pytest.mark.parametrize("shown", [None, "2027-03"])
def test_what_it_is_sent_under_is_what_was_agreed_to_or_the_terms_that_were_shown_since(
    ctx, make, lead, shown
):
    receipt = outcome.follow_on(ctx, business_of(lead), NOTHING, terms_shown=shown)
    followed = make.lead_called(receipt.reference)
    assert followed.consent["terms_version"] == (shown or lead.consent["terms_version"])
    assert followed.consent["share_with_matched_providers"] is True


def test_followed_on_twice_the_second_is_led_to_the_first(ctx, make, lead, bodies):
    statuses = [follow(ctx, make, lead).status for _ in range(2)]
    assert statuses == ["open", "superseded"]


def test_followed_on_by_several_at_once_one_of_them_comes_in(ctx, installation, make, lead):
    def one(_):
        with installation.app.app_context():
            return outcome.follow_on(ctx, business_of(lead), NOTHING).status

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(one, range(4))) == ["open", *["superseded"] * 3]


def test_what_was_erased_is_not_followed_on_and_what_followed_it_stays_impartial(
    ctx, make, lead, bodies
):
    receipt = outcome.follow_on(ctx, business_of(lead), NOTHING)
    erasure.erase_request(ctx, business_of(lead))
    for refused in (
        lambda: outcome.follow_on(ctx, business_of(lead), NOTHING),
        lambda: left_out(ctx, business_of(lead)),
    ):
        with pytest.raises(Conflict, match="erased"):
            refused()
    matching.match_lead(ctx, make.lead_called(receipt.reference).id)
    assert invited_to(make, receipt.reference) == {"Free Assurance", "Left Long Ago Assurance"}


def test_erased_and_followed_on_at_once_nothing_fails(ctx, installation, make, lead):
    def erase():
        erasure.erase_request(ctx, business_of(lead))
        return "erased"

    def follow():
        try:
            return outcome.follow_on(ctx, business_of(lead), NOTHING).status
        except Conflict:
            return "refused"

    def one(act):
        with installation.app.app_context():
            return act()

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(one, [follow, erase, follow, erase]))
    assert found.count("erased") == 2
    assert set(found) <= {"erased", "open", "superseded", "refused"}


def test_by_a_link_that_has_lapsed_nobody_gets_in(ctx, make, lead, clock):
    with ctx.transaction() as tx:
        token = mint_request_token(tx, tx.session.get_one(Lead, lead.id))
    clock.advance(days=90)
    assert actor_of_request_token(ctx, token) is None


@pytest.mark.parametrize("kind", ["consultant", "certification_body"])
def test_an_either_request_is_followed_on_where_a_consultant_was_chosen(ctx, make, kind):
    chosen = make.provider(kind, name="Chosen Here")
    lead = make.matched_lead(service="either")
    (invitation,) = held(make, lead)
    if kind == "consultant":
        a_quote(ctx, invitation)
    else:
        form = load(QuoteIn(), CERTIFICATION)
        quotes.put_quote(ctx, person_of(chosen.id), invitation.id, form)
    outcome.choose_provider(ctx, business_of(lead), invitation.id)
    if kind == "consultant":
        followed = make.lead_called(outcome.follow_on(ctx, business_of(lead), NOTHING).reference)
        assert followed.service == "certification"
        assert left_out(ctx, business_of(lead)).advisers == ["Chosen Here"]
        return
    for refused in (outcome.follow_on, left_out):
        arguments = (ctx, business_of(lead), NOTHING)[: 2 if refused is left_out else 3]
        with pytest.raises(Conflict, match="only a consulting request"):
            refused(*arguments)


def test_the_bodies_of_an_either_request_that_are_related_to_who_was_chosen_are_left_out(
    ctx, make, consultant, bodies
):
    lead = make.matched_lead(service="either")
    advising = next(each for each in held(make, lead) if each.provider_id == consultant.id)
    a_quote(ctx, advising)
    outcome.choose_provider(ctx, business_of(lead), advising.id)
    receipt = follow(ctx, make, lead)
    assert invited_to(make, receipt.reference) == {"Free Assurance", "Left Long Ago Assurance"}


def test_what_became_a_consultants_after_it_had_ended_is_followed_on_as_well(
    ctx, make, consultant, bodies
):
    lead = make.matched_lead()
    (invitation,) = held(make, lead)
    a_quote(ctx, invitation)
    outcome.close_request(ctx, business_of(lead), reason="not_now")
    with pytest.raises(Conflict, match="only an awarded request"):
        outcome.follow_on(ctx, business_of(lead), NOTHING)
    outcome.tell_outcome(
        ctx, business_of(lead), outcome=Outcome.AWARDED, invitation_id=invitation.id
    )
    assert left_out(ctx, business_of(lead)).advisers == ["Harbour Quality Pty Ltd"]
    receipt = follow(ctx, make, lead)
    assert invited_to(make, receipt.reference) == {"Free Assurance", "Left Long Ago Assurance"}


def test_nobody_else_is_told_who_is_left_out(ctx, make, lead, consultant):
    with pytest.raises(NotAllowed):
        left_out(ctx, person_of(consultant.id))
