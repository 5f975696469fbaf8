"""The ranges of quotes: which count, in which cell, what is shown of it, and how it is read."""

from datetime import UTC, date, datetime, timedelta

import pytest

from marketplace.core.errors import Invalid, NotAllowed
from marketplace.insights import quote_cells
from marketplace.insights.quote_ranges import quote_ranges, size_of
from marketplace.invitations import service as invitations
from marketplace.leads.models import Lead
from marketplace.matching import service as matching
from marketplace.providers.service import suspend_provider
from marketplace.quotes import erasure, outcome
from marketplace.quotes import service as quotes
from marketplace.quotes.rules import CERTIFICATION_LINES, left_out
from marketplace.web.api.quotes import QuoteIn
from marketplace.web.requests import load
from tests.factories import ADMIN, business_of, person_of
from tests.services.road import held

TICK = timedelta(microseconds=1)


def certificate(
    total,
    *,
    days=(1, 2, 1, 1),
    currency="AUD",
    standards=("ISO 9001",),
    travel_basis="included",
    **fees,
):
    """Return a quote that says everything, and comes to `total`."""
    stated = {line.key: "0.00" for line in CERTIFICATION_LINES if line.key != "travel"}
    audits = ("stage_1", "stage_2", "surveillance_1", "surveillance_2")
    return {
        "kind": "certification",
        "currency": currency,
        "standards": [{"code": code} for code in standards],
        "audit_days": {
            audit: each for audit, each in zip(audits, days, strict=True) if each is not None
        },
        "fees": {k: v for k, v in {**stated, "stage_2": str(total), **fees}.items() if v},
        **({"travel_basis": travel_basis} if travel_basis else {}),
        "valid_until": "2027-12-31",
    }


def advice(total, *, days=5, travel="0.00"):
    return {
        "kind": "consulting",
        "currency": "AUD",
        "phases": [{"name": "All of it", "days": days, "fee": str(total)}],
        **({"travel": travel} if travel else {}),
        "valid_until": "2027-12-31",
    }


BOTH = ("ISO 9001", "ISO 14001")


@pytest.fixture
def bodies(make):
    """Six certification bodies."""
    kind = "certification_body"
    return [make.provider(kind, standards=BOTH, regions=("AU", "NZ")) for _ in range(6)]


@pytest.fixture
def quoted(ctx, make):
    """Let a provider be invited to a request of its own, and quote; return the invitation."""

    def quoted(provider, body, **lead):
        service = body["kind"]
        wanted = make.lead(service=service, **lead)
        matching.invite_by_hand(ctx, ADMIN, wanted.id, provider.id, why="for the test")
        (invitation,) = held(make, wanted)
        again(invitation, body)
        return invitation

    def again(invitation, body):
        form = load(QuoteIn(), body)
        quotes.put_quote(ctx, person_of(invitation.provider_id), invitation.id, form)

    quoted.again = again
    return quoted


@pytest.fixture
def figures(ctx):
    """Return what is said of each measure in the cells of a report, by what tells them apart."""

    def figures(measure="total", **asked):
        found = quote_ranges(ctx, ADMIN, **asked).ranges
        return {
            (each.standards, each.country, each.size, each.region): (
                (each.n, each.providers, str(each.lower), str(each.median), str(each.upper))
                if each.is_shown
                else None
            )
            for each in found
            if each.measure == measure
        }

    return figures


WHOLE = ("ISO 9001", "AU", None, None)
SMALL = ("ISO 9001", "AU", "26-65", None)
NSW = ("ISO 9001", "AU", "26-65", "AU-NSW")
NOTHING_BELOW = {WHOLE: None}


def test_nothing_is_shown_of_four_quotes_or_of_four_providers_and_all_of_five(
    bodies, quoted, figures
):
    for number in range(4):
        quoted(bodies[number], certificate(1000 * (number + 1)))
    assert figures() == NOTHING_BELOW
    quoted(bodies[3], certificate(5000))  # a fifth quote, of the fourth provider
    assert figures() == NOTHING_BELOW
    quoted(bodies[4], certificate(6000))
    # 1000, 2000, 3000, 4000, 5000, 6000: quartiles lie between two of them in proportion.
    shown = (6, 5, "2250.00", "3500.00", "4750.00")
    assert figures() == {WHOLE: shown, SMALL: shown, NSW: shown}


def test_five_quotes_of_one_provider_and_four_others_are_the_market_and_six_are_its_own(
    bodies, quoted, figures
):
    for provider in (bodies[0], *bodies[:5], bodies[0], bodies[0]):
        quoted(provider, certificate(1000))
    assert figures()[WHOLE][:2] == (8, 5)
    quoted(bodies[0], certificate(1000))
    assert figures() == NOTHING_BELOW


def test_currencies_are_never_mixed(bodies, quoted, figures, ctx):
    for number, provider in enumerate(bodies[:5]):
        currency = "NZD" if number == 4 else "AUD"
        quoted(provider, certificate(1000, currency=currency))
    found = quote_ranges(ctx, ADMIN).ranges
    assert {(each.currency, each.is_shown) for each in found} == {("AUD", False), ("NZD", False)}
    quoted(bodies[4], certificate(1000))
    found = quote_ranges(ctx, ADMIN).ranges
    assert {(each.currency, each.is_shown) for each in found} == {("AUD", True), ("NZD", False)}


def test_a_revised_quote_is_counted_once_as_it_was_last_sent(bodies, quoted, figures, clock):
    held = [quoted(provider, certificate(1000)) for provider in bodies[:5]]
    for invitation in held:
        quoted.again(invitation, certificate(1500))
        quoted.again(invitation, certificate(2000))
    assert figures()[WHOLE] == (5, 5, "2000.00", "2000.00", "2000.00")


def test_a_quote_is_of_the_period_in_which_it_was_last_sent_before_its_end(
    bodies, quoted, figures, clock
):
    held = [quoted(provider, certificate(1000)) for provider in bodies[:5]]
    clock.now = datetime(2026, 11, 24, tzinfo=UTC) - TICK
    quoted.again(held[0], certificate(9000))
    clock.now += TICK
    for invitation in held:
        quoted.again(invitation, certificate(2000))
    monday, tuesday = date(2026, 11, 23), date(2026, 11, 24)
    assert figures(first=monday, last=monday)[WHOLE][2:] == ("1000.00", "1000.00", "1000.00")
    assert figures(first=tuesday, last=tuesday)[WHOLE][2:] == ("2000.00", "2000.00", "2000.00")
    assert figures(first=monday)[WHOLE][:2] == (5, 5)
    assert figures(last=date(2026, 11, 22)) == {}


def test_a_total_that_leaves_something_out_is_in_no_range_and_counted(bodies, quoted, figures, ctx):
    for provider in bodies[:5]:
        quoted(provider, certificate(1000))
    for provider in bodies[:2]:
        quoted(provider, certificate(1000, annual=None))
    whole = quote_ranges(ctx, ADMIN).ranges[0]
    assert (whole.n, whole.left_out, quote_ranges(ctx, ADMIN).n) == (5, 2, 5)
    assert figures("per_day")[WHOLE][:2] == (5, 5)
    assert figures("initial_days")[WHOLE] == (7, 5, "3.00", "3.00", "3.00")


def test_a_measure_that_too_few_state_is_not_shown_beside_one_that_enough_do(
    bodies, quoted, figures
):
    for number, provider in enumerate(bodies[:5]):
        surveillance = (None, 1) if number == 4 else (1, 1.5)
        quoted(provider, certificate(999, days=(1, 1, *surveillance)))
    assert figures()[NSW] == (5, 5, "999.00", "999.00", "999.00")
    assert figures("initial_days")[NSW] == (5, 5, "2.00", "2.00", "2.00")
    assert figures("surveillance_days") == NOTHING_BELOW
    assert figures("per_day") == NOTHING_BELOW
    quoted(bodies[5], certificate("1000.05", days=(1, 1, 1, 1)))
    assert figures("surveillance_days")[NSW] == (5, 5, "2.50", "2.50", "2.50")
    # 999.00 by 4.5 days, four times, and 1000.05 by 4: 250.0125, half a cent and more rounded up.
    assert figures("per_day")[NSW] == (5, 5, "222.00", "222.00", "222.00")


@pytest.mark.parametrize(
    ("amounts", "quartiles"),
    [
        (("0.01", "0.01", "0.02", "0.02", "0.03"), ("0.01", "0.02", "0.02")),
        # Six: places 1.25, 2.5 and 3.75 behind the first; half a cent goes up.
        (("0.00", "0.00", "0.00", "0.01", "0.01", "0.01"), ("0.00", "0.01", "0.01")),
        (("0.00", "0.00", "0.02", "0.02", "9.99", "9.99"), ("0.01", "0.02", "7.50")),
        (["999999999.99"] * 5, ["999999999.99"] * 3),
    ],
)
def test_quartiles_are_decimals_and_half_a_cent_is_rounded_up(
    bodies, quoted, figures, amounts, quartiles
):
    for provider, amount in zip(bodies, reversed(amounts), strict=False):
        quoted(provider, certificate(amount))
    assert figures()[NSW][2:] == tuple(quartiles)


def test_consulting_has_its_phases_and_days_and_its_own_cells(make, quoted, figures):
    consultants = [make.provider() for _ in range(5)]
    for number, provider in enumerate(consultants):
        quoted(provider, advice(1000, days=4, travel="200.00"))
        quoted(provider, advice(1000, days=None if number else 4, travel=None))
    assert figures()[NSW] == (5, 5, "1200.00", "1200.00", "1200.00")
    assert figures("per_day")[NSW] == (5, 5, "300.00", "300.00", "300.00")
    assert figures("work_days")[NSW] == (6, 5, "4.00", "4.00", "4.00")
    assert figures("initial_days") == figures("surveillance_days") == {}


def test_what_is_quoted_together_is_a_cell_of_its_own_by_what_was_quoted_for(
    bodies, quoted, figures
):
    for provider in bodies[:5]:
        quoted(provider, certificate(3000, standards=BOTH[::-1]), standards=list(BOTH))
        quoted(provider, certificate(1000), standards=list(BOTH))  # for one of them alone
    found = figures()
    assert found[WHOLE][:3] == (5, 5, "1000.00")
    assert found["ISO 9001 + ISO 14001", "AU", None, None][:3] == (5, 5, "3000.00")
    assert len(found) == 6


def test_a_request_over_several_regions_is_in_its_country_alone_and_over_several_countries_apart(
    bodies, quoted, figures
):
    for provider in bodies[:5]:
        quoted(provider, certificate(1000), regions=["AU-NSW", "AU-VIC"])
        quoted(provider, certificate(2000), regions=["AU"])
        quoted(provider, certificate(3000), regions=["NZ", "AU-NSW"])
    found = figures()
    assert found == {
        WHOLE: (10, 5, "1000.00", "1500.00", "2000.00"),
        SMALL: (10, 5, "1000.00", "1500.00", "2000.00"),
        ("ISO 9001", "several", None, None): (5, 5, "3000.00", "3000.00", "3000.00"),
        ("ISO 9001", "several", "26-65", None): (5, 5, "3000.00", "3000.00", "3000.00"),
    }


def test_nothing_can_be_found_by_subtraction(bodies, quoted, figures):
    for provider in bodies[:5]:
        quoted(provider, certificate(1000))
    quoted(bodies[5], certificate(9000), regions=["AU-VIC"])
    # Six less the five of New South Wales would leave the one of Victoria.
    vic = (*SMALL[:3], "AU-VIC")
    assert figures() == {
        WHOLE: (6, 6, "1000.00", "1000.00", "1000.00"),
        SMALL: (6, 6, "1000.00", "1000.00", "1000.00"),
        NSW: None,
        vic: None,
    }
    for provider in bodies[:4]:
        quoted(provider, certificate(9000), regions=["AU-VIC"])
    assert (figures()[NSW][0], figures()[vic][0]) == (5, 5)


def test_sizes_are_bands_of_headcount(ctx, bodies, quoted, figures):
    for provider in bodies[:5]:
        for headcount in (10, 11, 25):
            quoted(provider, certificate(headcount), headcount=headcount)
    found = figures()
    assert found[WHOLE][:2] == (15, 5)
    assert found["ISO 9001", "AU", "1-10", None] == (5, 5, "10.00", "10.00", "10.00")
    assert found["ISO 9001", "AU", "11-25", None] == (10, 5, "11.00", "18.00", "25.00")
    assert [size_of(number, ctx.policy.size_bands) for number in (1, 7)] == ["1-10", "626+"]


def test_a_quote_counts_whatever_became_of_its_request(ctx, make, bodies, quoted, figures):
    held = [quoted(provider, certificate(1000)) for provider in bodies]
    leads = [make.ask(lambda s, each=each: s.get_one(Lead, each.lead_id)) for each in held]
    outcome.choose_provider(ctx, business_of(leads[0]), held[0].id)
    outcome.close_request(ctx, business_of(leads[1]), reason="not_now")
    erasure.erase_request(ctx, business_of(leads[2]))
    assert figures()[WHOLE][:2] == (6, 6)
    # One that is taken back is no quote any more, nor one of who may not take part.
    invitations.decline_invitation(ctx, person_of(bodies[3].id), held[3].id, reason="other")
    assert figures()[WHOLE][:2] == (5, 5)
    suspend_provider(ctx, ADMIN, bodies[4].id, reason="An insurance is missing.")
    matching.match_lead(ctx, leads[4].id)
    assert figures() == NOTHING_BELOW


ANYTHING_OUT = [
    certificate(1),
    *(certificate(1, **{key: None}) for key in ("application", "surveillance_1", "annual")),
    certificate(1, travel_basis=None),
    certificate(1, travel="5.00", travel_basis=None),
    certificate(1, travel="5.00", travel_basis="capped"),
    certificate(1, travel_basis="capped"),
    certificate(1, travel="5.00", travel_basis="at_cost"),
    certificate(1, travel="0.00", travel_basis="at_cost"),
    certificate(1, travel_basis="at_cost"),
    certificate(1, days=(1, 1, None, None)),
    advice(1),
    advice(1, travel=None),
]


def test_a_total_is_whole_exactly_where_the_comparison_names_nothing_as_left_out(ctx, make, quoted):
    expected = {}
    for body in ANYTHING_OUT:
        is_certificate = body["kind"] == "certification"
        provider = make.provider("certification_body" if is_certificate else "consultant")
        quoted(provider, body)
        never = () if is_certificate else ("the certification body's own fees",)
        expected[provider.id] = int(set(left_out(body["kind"], body)) <= set(never))
    assert set(expected.values()) == {0, 1}
    statement = quote_cells.held(ctx.clock() - TICK, ctx.clock() + TICK, ctx.policy.size_bands)
    with ctx.reading() as session:
        counted = {row.provider_id: row.total for row in session.execute(statement)}
    assert counted == expected


def test_the_days_of_the_period_are_whole_and_the_last_ninety_by_default(ctx, clock):
    found = quote_ranges(ctx, ADMIN)
    assert found.since == datetime(2026, 8, 25, tzinfo=UTC)
    assert found.until == clock.now
    assert (found.n, found.ranges, found.following) == (0, [], None)
    one = quote_ranges(ctx, ADMIN, first=date(2026, 3, 1), last=date(2026, 3, 1))
    assert (one.since, one.until) == (
        datetime(2026, 3, 1, tzinfo=UTC),
        datetime(2026, 3, 2, tzinfo=UTC),
    )
    widest = quote_ranges(ctx, ADMIN, first=date.min, last=date.max)
    assert (widest.since, widest.until) == (datetime(2000, 1, 1, tzinfo=UTC), clock.now)
    for first, last in (
        (date(2026, 11, 24), None),
        (date(2026, 3, 2), date(2026, 3, 1)),
        (None, date.min),
    ):
        with pytest.raises(Invalid, match="/from"):
            quote_ranges(ctx, ADMIN, first=first, last=last)


def test_pages_fit_together(ctx, bodies, quoted):
    for provider in bodies[:5]:
        quoted(provider, certificate(1000))
        quoted(provider, certificate(2000, standards=["ISO 14001"]), standards=["ISO 14001"])
    whole = quote_ranges(ctx, ADMIN)
    paged, after = [], None
    while after is not None or not paged:
        part = quote_ranges(ctx, ADMIN, limit=5, after=after)
        assert (part.n, len(part.ranges) <= 5) == (whole.n, True)
        paged += part.ranges
        after = part.following
    assert paged == whole.ranges


def test_they_are_for_administrators(ctx, make, bodies):
    for actor in (person_of(bodies[0].id), business_of(make.lead())):
        with pytest.raises(NotAllowed):
            quote_ranges(ctx, actor)
