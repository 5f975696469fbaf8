"""What a business wishes beyond eligibility, and what providers say of it: the way to bands."""

import pytest
from sqlalchemy import select

from marketplace.invitations import brief
from marketplace.matching import explanation
from marketplace.matching.models import MatchingRun
from marketplace.providers import profile
from marketplace.quotes import comparison
from marketplace.web.api.provider_schemas import ChangedProviderSchema
from marketplace.web.requests import load
from tests.factories import ADMIN, business_of, person_of


def says(ctx, provider, **coverage):
    """Let a provider say something of itself, as it does in the portal."""
    form = load(ChangedProviderSchema(), {"coverage": coverage})
    profile.update_provider(ctx, person_of(provider.id), form)


def bands(make, lead):
    """Return the band and the lacks of everybody on the bench of the lead's one run."""
    (run,) = make.ask(
        lambda s: s.scalars(select(MatchingRun).where(MatchingRun.lead_id == lead.id)).all()
    )
    bench = explanation.view(run)["bench"]
    return {seat["provider_id"]: (seat["band"], seat["lacks"]) for seat in bench}


@pytest.mark.parametrize(
    ("asked", "fitting", "other", "lack"),
    [
        (
            {"language": "de"},
            {"languages": ["en", "de"]},
            {"languages": ["en"]},
            "does not say that it works in de",
        ),
        (
            {"timeframe": "asap"},
            {"weeks_to_start": 4},
            {"weeks_to_start": 5},
            "cannot start as soon as is asked for",
        ),
    ],
)
def test_of_two_equals_the_one_that_says_it_cannot_is_in_a_lower_band(
    ctx, make, asked, fitting, other, lack
):
    one, two, silent = (make.provider() for _ in range(3))
    says(ctx, one, **fitting)
    says(ctx, two, **other)
    found = bands(make, make.matched_lead(**asked))
    best, below = found[str(one.id)], found[str(two.id)]
    assert best == (0, [])
    assert below == (best[0] + 1, [lack])
    assert found[str(silent.id)] == best, "who does not say is not held to it"


def test_where_nothing_is_asked_for_what_is_said_makes_no_difference(ctx, make):
    one, two = make.provider(), make.provider()
    says(ctx, one, languages=["de"], weeks_to_start=0)
    says(ctx, two, languages=["en"], weeks_to_start=104)
    found = bands(make, make.matched_lead(timeframe=None))
    assert set(map(str, found.values())) == {str((0, []))}


def test_the_language_is_told_to_the_provider_at_once_and_to_the_business_as_sent(ctx, make):
    make.provider()
    lead = make.matched_lead(language="de")
    seen = brief.lead_for(lead, sees_contact=False, sees_notes=True)
    assert (seen["masked"], seen["language"]) == (True, "de")
    assert comparison.request_page(ctx, business_of(lead))["lead"]["language"] == "de"


@pytest.mark.parametrize(
    ("standards", "sector", "lacks"),
    [
        (["ISO 9001"], "3", []),
        (["ISO 22000"], "CIV", []),
        (["ISO 9001", "ISO 22000"], "3", ["not known to cover sector 3"]),
        (["ISO 9001", "ISO 22000"], "CIV", ["not known to cover sector CIV"]),
        (["ISO 9001"], "28", None),
        (["ISO 9001", "ISO 22000"], "CI", None),
    ],
)
def test_a_scope_in_another_system_of_codes_is_unknown_and_not_no(
    ctx, make, standards, sector, lacks
):
    """ISO 9001 is scoped by IAF codes and ISO 22000 by categories of the food chain."""
    body = make.provider(
        "certification_body", standards=("ISO 9001", "ISO 22000"), accredited=False
    )
    make.accreditation(body, standard="ISO 9001", edition="2026", sectors=["3"])
    make.accreditation(body, standard="ISO 22000", edition="2018", sectors=["CIV"])
    lead = make.matched_lead(service="certification", standards=standards, sector=sector)
    (run,) = explanation.explain_matching(ctx, ADMIN, lead.id)["runs"]
    assert [each["lacks"] for each in run["bench"]] == ([] if lacks is None else [lacks])
