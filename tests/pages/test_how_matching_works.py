"""The page that says what decides the matching: all of it, with the numbers in force."""

from dataclasses import replace
from datetime import timedelta

import pytest

from marketplace.core.agreements import Agreed, current
from marketplace.matching.bands import Lack
from marketplace.matching.eligibility import Filter
from marketplace.web.pages.how_matching_works import FIT, HARD

PATH = "/how-matching-works"


@pytest.fixture
def anybody(browser):
    return browser()


def test_every_rule_by_which_somebody_can_fail_or_lack_has_its_sentence(anybody, client):
    assert set(HARD) == set(Filter)
    assert set(FIT) == set(Lack)
    page = anybody.open(PATH)
    told = client.get("/api/v1/matching-disclosure").json
    assert {each["code"] for each in told["hard_rules"]} == set(Filter)
    assert {each["code"] for each in told["fit"]} == set(Lack)
    for each in told["hard_rules"] + told["fit"]:
        assert each["says"] in page.text, each


CHANGES = [
    ({"places": 2}, "up to 2 at once"),
    ({"max_invitations": 7}, "up to 7 invitations in all"),
    ({"impartiality_years": 5}, "in the last 5 years"),
    ({"bench_size": 12}, "up to 12 of them at a time"),
    ({"weight_bounds": (0.7, 1.5)}, "never below 0.7 and never above 1.5 times"),
    ({"decline_refund_within": timedelta(hours=9)}, "declines within 9 hours"),
    ({"decline_refunds_per_month": 6}, "6 times a month"),
    ({"misses_before_pause": 8}, "lets 8 invitations lapse within 30 days"),
    ({"misses_window": timedelta(days=44)}, "within 44 days"),
    ({"band_points": {"sector": 3}}, "known to cover the sector. This counts 3 times."),
    ({"lead_review": "always"}, "a person decides, each time"),
    ({"lead_review": "off"}, "open without being looked at"),
]


@pytest.mark.parametrize(("change", "says"), CHANGES, ids=[next(iter(c)) for c, _ in CHANGES])
def test_the_page_follows_the_policy(app, browser, change, says):
    assert says not in browser().open(PATH).text
    product = app.extensions["marketplace"]
    changed = replace(product.ctx, policy=replace(product.ctx.policy, **change))
    app.extensions["marketplace"] = replace(product, ctx=changed)
    assert says in browser().open(PATH).text


@pytest.mark.parametrize("path", ["/", "/terms", "/privacy", "/join"])
def test_it_is_found_from_where_somebody_agrees(anybody, path):
    assert f'href="{PATH}"' in anybody.open(path).html.split("<main")[1]


def test_terms_of_a_version_can_be_read_and_those_that_never_were_are_not_found(anybody):
    for path in ("/terms", "/terms/providers"):
        assert anybody.open(f"{path}?version=2026-11").status == 200
        assert anybody.open(f"{path}?version=1999-01").status == 404


def test_the_sentences_beside_what_is_ticked_are_those_that_are_kept(ctx, anybody):
    for path, agreed in (("/", Agreed.SHARING), ("/join", Agreed.PROVIDER_TERMS)):
        assert current(agreed, ctx.policy).sentence in anybody.open(path).text
