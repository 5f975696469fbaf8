"""An edition whose time is over while a lead waits: nobody is asked for it any more."""

from datetime import UTC, date, datetime

import pytest

from marketplace.catalogue import service as catalogue
from marketplace.catalogue.models import Standard
from marketplace.core.errors import Conflict
from marketplace.core.forms import Form
from marketplace.matching import explanation
from marketplace.matching import service as matching
from tests.factories import ADMIN
from tests.services.test_matching import held_by, lead_now

OLD = {"ISO 9001": "2015"}


@pytest.fixture
def waiting(make, clock):
    """Return a lead to keep a certificate up under the old edition, and whom it could go to now."""
    clock.now = datetime(2029, 9, 15, tzinfo=UTC)
    lead = make.matched_lead(
        service="either", editions=OLD, certification_status="certified", regions=["NZ"]
    )
    body = make.provider("certification_body", regions=("NZ",), accredited=False)
    make.accreditation(body, edition="2015", valid_until=date(2031, 1, 1))
    return lead, body, make.provider(regions=("NZ",))


@pytest.mark.parametrize(("day", "invited"), [(30, 2), (31, 0)])
def test_a_lead_is_matched_up_to_the_last_day_of_the_edition_that_it_waits_for(
    ctx, make, clock, waiting, day, invited
):
    lead, *_ = waiting
    clock.now = datetime(2029, 9, 30, 23, 59, tzinfo=UTC)
    clock.advance(days=day - 30)
    matching.match_lead(ctx, lead.id)
    assert len(held_by(make, lead.id)) == invited
    assert lead_now(make, lead.id).waiting_code == ("too_few" if invited else "edition")


def test_after_it_the_lead_waits_and_everybody_is_told_why(ctx, make, clock, waiting):
    lead, body, consultant = waiting
    clock.now = datetime(2029, 10, 5, tzinfo=UTC)
    matching.match_lead(ctx, lead.id)
    assert "the current edition" in lead_now(make, lead.id).waiting_reason
    for each in (body, consultant):
        with pytest.raises(Conflict, match="edition 2015 of ISO 9001 can be asked for no longer"):
            matching.invite_by_hand(ctx, ADMIN, lead.id, each.id, why="it was asked for")
    seen = explanation.explain_matching(ctx, ADMIN, lead.id, provider_id=body.id)
    assert "edition 2015 of ISO 9001 can be asked for no longer" in seen["why_not"]
    said = {each["provider_id"]: each["why"] for each in seen["runs"][0]["excluded"]}
    assert said[str(body.id)].endswith("edition 2015 of ISO 9001 can be asked for no longer")


def test_a_later_end_in_the_catalogue_lets_it_be_matched_again(ctx, make, clock, waiting):
    lead, *_ = waiting
    clock.now = datetime(2029, 10, 5, tzinfo=UTC)
    matching.match_lead(ctx, lead.id)
    later = Form({"transition_end": date(2029, 12, 31)})
    try:
        catalogue.change_entry(ctx, ADMIN, Standard, "ISO 9001", later)
        matching.match_lead(ctx, lead.id)
        assert len(held_by(make, lead.id)) == 2
    finally:
        as_it_was = Form({"transition_end": date(2029, 9, 30)})
        catalogue.change_entry(ctx, ADMIN, Standard, "ISO 9001", as_it_was)
