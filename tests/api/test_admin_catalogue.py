"""The reference data in the administration, over HTTP."""

import pytest
from sqlalchemy import select

from marketplace.catalogue.models import AccreditationBody, Region, Sector, Standard
from marketplace.catalogue.seeding import seed_catalogue
from marketplace.core.events import Event
from marketplace.core.jobs import Job
from tests.people import an_admin, bearer, session_token

URL = "/api/v1/admin/catalogue"


@pytest.fixture
def head(ctx):
    return bearer(session_token(ctx, an_admin(ctx)))


@pytest.fixture
def restored(ctx):
    """Bring the entries that a test changes back to what the files say."""
    yield
    with ctx.transaction() as tx:
        for table, code in (
            (Standard, "ISO/IEC 27701"),
            (Sector, "17"),
            (AccreditationBody, "GAC (GE)"),
            (Region, "AU-QLD"),
        ):
            tx.session.delete(tx.session.get(table, code))
    seed_catalogue(ctx)


def pointers(response):
    assert response.status_code == 422, response.json
    return {error["pointer"] for error in response.json["errors"]}


@pytest.mark.parametrize(
    ("table", "number"),
    [("standards", 47), ("sectors", 57), ("accreditation-bodies", 73)],
)
def test_entries_are_listed_by_the_page(client, head, table, number):
    codes, after = [], ""
    while after is not None:
        page = client.get(f"{URL}/{table}?limit=40{after and '&after=' + after}", headers=head)
        codes += [item["code"] for item in page.json["items"]]
        after = page.json["next"]
    assert len(codes) == len(set(codes)) == number


def test_a_region_list_begins_with_what_follows_the_cursor(client, head):
    first = client.get(f"{URL}/regions?limit=1", headers=head).json
    second = client.get(f"{URL}/regions?limit=1&after={first['next']}", headers=head).json
    assert first["items"][0]["code"] < second["items"][0]["code"]
    assert pointers(client.get(f"{URL}/regions?after=!", headers=head)) == {"/after"}
    assert pointers(client.get(f"{URL}/regions?limit=101", headers=head)) == {"/limit"}


@pytest.mark.usefixtures("restored")
@pytest.mark.parametrize(
    ("entry", "change"),
    [
        ("standards/ISO/IEC 27701", {"transition_end": "2028-09-30", "note": "Checked"}),
        ("standards/ISO%2FIEC 27701", {"previous_edition": None, "transition_end": None}),
        ("sectors/17", {"name": "Metals"}),
        ("sectors/17", {"name": "Metals", "note": "", "nace": ""}),
        ("regions/AU-QLD", {"time_zone": "Australia/Lindeman"}),
        (
            "accreditation-bodies/GAC (GE)",
            {"recognition": "yes", "recognised_for": ["ISO 9001"], "countries": ["GE"]},
        ),
    ],
)
def test_an_entry_is_changed_logged_and_stays_changed(client, ctx, head, queue, entry, change):
    changed = client.patch(f"{URL}/{entry}", json=change, headers=head)
    assert changed.status_code == 200, changed.json
    assert changed.json | change == changed.json
    assert (Job.REMATCH_WAITING_LEADS, None) in queue.jobs
    seed_catalogue(ctx)
    again = client.patch(f"{URL}/{entry}", json={}, headers=head)
    assert again.json == changed.json
    with ctx.reading() as session:
        (event,) = session.scalars(select(Event).where(Event.verb == "catalogue.changed"))
    assert event.facts["code"] == changed.json["code"]
    assert set(event.facts["fields"]) <= set(change)


@pytest.mark.parametrize(
    ("entry", "change", "wrong"),
    [
        ("standards/ISO 9001", {"edition": "", "kind": "odd"}, {"/edition", "/kind"}),
        ("standards/ISO 9001", {"edition": None}, {"/edition"}),
        ("standards/ISO 9001", {"transition_end": "soon"}, {"/transition_end"}),
        ("standards/ISO 9001", {"code": "ISO 1"}, {"/code"}),
        ("regions/AU-NSW", {"time_zone": "Mars/Base"}, {"/time_zone"}),
        ("regions/AU-NSW", {"time_zone": "../etc/passwd"}, {"/time_zone"}),
        (
            "accreditation-bodies/UKAS",
            {"countries": ["GB", "XX"], "recognised_for": ["ISO 1"], "recognition": 1},
            {"/countries/1", "/recognised_for/0", "/recognition"},
        ),
    ],
)
def test_a_wrong_change_is_named(client, head, entry, change, wrong):
    assert pointers(client.patch(f"{URL}/{entry}", json=change, headers=head)) == wrong


def test_an_entry_that_is_not_there_is_not_found(client, head):
    assert client.patch(f"{URL}/standards/ISO 1", json={}, headers=head).status_code == 404
