"""Lists whose rows move while they are read: nothing is passed over."""

import pytest

from tests.api.doors import admin_door, invitations_of, provider_door
from tests.services.road import a_quote

INVITATIONS = "/api/v1/portal/invitations"
CLOCKS = "/api/v1/admin/commitments"
ACCREDITATIONS = "/api/v1/portal/accreditations"


def pages(client, path, who):
    """Yield a list one row at a time, each asked for when the one before has been seen to."""
    after = ""
    while after is not None:
        page = client.get(f"{path}limit=1{after}", headers=who).json
        yield from page["items"]
        after = page["next"] and f"&after={page['next']}"


@pytest.fixture
def held(ctx, make, clock):
    """Return a provider, and its invitations to four requests, the most urgent first."""
    provider = make.provider()
    found = []
    for _ in range(4):
        found += invitations_of(make, make.matched_lead())
        clock.advance(minutes=10)
    return provider, found


@pytest.mark.parametrize("asked", ["?state=sent&", "?"])
def test_what_is_opened_or_answered_on_the_way_hides_nothing_behind_it(ctx, client, held, asked):
    provider, found = held
    who = provider_door(ctx, provider)
    seen = []
    for number, each in enumerate(pages(client, f"{INVITATIONS}{asked}", who)):
        if each["id"] in seen:
            continue  # it has moved behind
        seen.append(each["id"])
        one = next(held for held in found if str(held.id) == each["id"])
        if number % 2:
            a_quote(ctx, one)
        else:
            assert client.get(f"{INVITATIONS}/{one.id}", headers=who).json["state"] == "opened"
    assert seen == [str(each.id) for each in found]


def test_a_clock_that_stops_on_the_way_hides_no_other(ctx, client, held):
    _, found = held
    seen = []
    for each in pages(client, f"{CLOCKS}?", admin_door(ctx)):
        if each["lead_id"] in seen:
            continue
        seen.append(each["lead_id"])
        a_quote(ctx, next(held for held in found if str(held.lead_id) == each["lead_id"]))
    assert seen == [str(each.lead_id) for each in found]


def test_own_accreditations_come_one_page_at_a_time_the_newest_first(ctx, client, make):
    body, other = (make.provider("certification_body") for _ in range(2))
    made = [make.accreditation(each, standard="ISO 9001").id for each in (body, other, body)]
    who = provider_door(ctx, body)
    seen = [each["id"] for each in pages(client, f"{ACCREDITATIONS}?", who)]
    assert len(seen) == 4
    assert seen == sorted(seen, reverse=True)
    assert seen[:2] == [str(made[2]), str(made[0])]
    assert str(made[1]) not in seen


@pytest.mark.parametrize("path", [INVITATIONS, CLOCKS])
@pytest.mark.parametrize("after", ["x", "AaIw2nLDdHSlJ6Ul3nx6ww", "MAoxCnNvb24", "bmFuCm5hbgpuYW4"])
def test_what_is_no_cursor_is_named(ctx, client, make, path, after):
    who = admin_door(ctx) if path is CLOCKS else provider_door(ctx, make.provider())
    answer = client.get(f"{path}?after={after}", headers=who)
    assert [each["pointer"] for each in answer.json["errors"]] == ["/after"]
