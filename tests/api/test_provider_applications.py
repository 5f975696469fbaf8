"""A provider asks to join, over HTTP."""

import pytest
from sqlalchemy import select

from marketplace.notifications.models import Notification
from marketplace.providers.models import Coverage, Provider
from tests.people import an_admin
from tests.providers import application

URL = "/api/v1/provider-applications"


def pointers(response):
    assert response.status_code == 422, response.json
    return {error["pointer"] for error in response.json["errors"]}


def written(ctx):
    with ctx.reading() as session:
        return session.scalars(select(Provider)).all(), session.scalars(select(Coverage)).all()


def letters(ctx):
    with ctx.reading() as session:
        rows = session.execute(select(Notification.template, Notification.recipient))
        return sorted(rows)


def test_an_application_is_stored_and_mailed_to_the_contact_and_every_administrator(client, ctx):
    an_admin(ctx)
    answer = client.post(URL, json=application(registration_number="51 824 753 556"))
    assert (answer.status_code, answer.json) == (202, {"status": "received"})
    (provider,), (coverage,) = written(ctx)
    assert (provider.state, coverage.state) == ("applied", "applied")
    assert provider.legal_entity == "AU:51824753556"
    assert provider.name_key == "harbour quality"
    assert coverage.regions == ["AU-NSW", "AU-VIC"]
    assert letters(ctx) == [
        ("application_received", "kim@harbour.example"),
        ("application_to_review", "ada@marketplace.example"),
    ]


def test_applying_again_is_answered_alike_and_makes_no_second_provider(client, ctx):
    an_admin(ctx)
    first = client.post(URL, json=application())
    second = client.post(URL, json=application(name="HARBOUR QUALITY (pty) LTD"))
    assert (first.status_code, first.json) == (second.status_code, second.json)
    assert len(written(ctx)[0]) == 1
    assert len(letters(ctx)) == 2


def test_an_entity_that_is_a_consultant_does_not_become_a_certification_body(client, ctx):
    number = "51 824 753 556"
    client.post(URL, json=application(registration_number=number))
    again = application("Other Name", kind="certification_body", registration_number=number)
    assert client.post(URL, json=again).status_code == 202
    (provider,), _ = written(ctx)
    assert provider.kind == "consultant"


def test_a_company_is_the_same_by_its_abn_and_by_the_acn_inside_it(client, ctx):
    client.post(URL, json=application(registration_number="74 676 061 760"))
    client.post(URL, json=application("Other Name", registration_number="676 061 760"))
    assert len(written(ctx)[0]) == 1


def test_everything_but_the_required_fields_may_be_left_out(client, ctx):
    sent = {
        "name": "Nordlys ApS",
        "kind": "consultant",
        "country": "DK",
        "contact": {"name": "Bo", "email": "bo@nordlys.example"},
        "coverage": {"standards": ["ISO 9001"], "regions": ["DK"]},
    }
    assert client.post(URL, json=sent).status_code == 202
    _, (coverage,) = written(ctx)
    assert (coverage.headcount_min, coverage.headcount_max) == (1, 1_000_000)
    assert coverage.sectors == []
    assert (coverage.languages, coverage.weeks_to_start) == ([], None)


def test_an_application_may_say_in_which_languages_and_how_soon(client, ctx):
    said = {"languages": ["en", "de"], "weeks_to_start": 6}
    assert client.post(URL, json=application(coverage=said)).status_code == 202
    _, (coverage,) = written(ctx)
    assert (coverage.languages, coverage.weeks_to_start) == (["en", "de"], 6)


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"name": ""}, "/name"),
        ({"name": "x" * 201}, "/name"),
        ({"name": "\u0000"}, "/name"),
        ({"name": "???"}, "/name"),
        ({"kind": "bank"}, "/kind"),
        ({"kind": None}, "/kind"),
        ({"country": "XX"}, "/country"),
        ({"country": "AU-NSW"}, "/country"),
        ({"registration_number": "51 824 753 557"}, "/registration_number"),
        ({"website": "not an address"}, "/website"),
        ({"contact": None}, "/contact"),
        ({"contact": {"name": "Kim", "email": "nobody"}}, "/contact/email"),
        ({"contact": {"email": "kim@harbour.example"}}, "/contact/name"),
        ({"coverage": {"standards": []}}, "/coverage/standards"),
        ({"coverage": {"standards": ["ISO 9001", "ISO 1"]}}, "/coverage/standards/1"),
        ({"coverage": {"standards": ["ISO 9001", "ISO 9001"]}}, "/coverage/standards/1"),
        ({"coverage": {"regions": ["AU-XYZ"]}}, "/coverage/regions/0"),
        ({"coverage": {"sectors": ["99"]}}, "/coverage/sectors/0"),
        ({"coverage": {"headcount_min": 0}}, "/coverage/headcount_min"),
        ({"coverage": {"headcount_min": 10, "headcount_max": 9}}, "/coverage/headcount_max"),
        ({"coverage": {"remote": "yes"}}, "/coverage/remote"),
        ({"coverage": {"open_capacity": -1}}, "/coverage/open_capacity"),
        ({"coverage": {"monthly_capacity": 1.5}}, "/coverage/monthly_capacity"),
        ({"coverage": {"languages": ["de", "xx"]}}, "/coverage/languages/1"),
        ({"coverage": {"languages": ["de"] * 21}}, "/coverage/languages"),
        ({"coverage": {"languages": None}}, "/coverage/languages"),
        ({"coverage": {"weeks_to_start": 105}}, "/coverage/weeks_to_start"),
        ({"surprise": 1}, "/surprise"),
    ],
)
def test_a_wrong_field_is_named(client, ctx, change, pointer):
    assert pointers(client.post(URL, json=application(**change))) == {pointer}
    assert written(ctx) == ([], [])


def test_every_wrong_field_is_named_at_once(client):
    wrong = application(
        name=7,
        kind="bank",
        country="XX",
        website="?",
        contact={"name": "", "email": "x"},
        coverage={"standards": ["ISO 1"], "regions": ["XX"], "headcount_max": "many"},
        more=1,
    )
    assert pointers(client.post(URL, json=wrong)) == {
        "/name",
        "/kind",
        "/country",
        "/website",
        "/contact/name",
        "/contact/email",
        "/coverage/standards/0",
        "/coverage/regions/0",
        "/coverage/headcount_max",
        "/more",
    }


def test_the_same_key_is_done_once(client, ctx):
    for _ in range(2):
        answer = client.post(URL, json=application(), headers={"Idempotency-Key": "k-1"})
        assert answer.status_code == 202
    assert len(written(ctx)[0]) == 1


def test_every_required_field_that_is_left_out_is_named_in_the_same_words(client):
    response = client.post(URL, json={})
    assert pointers(response) == {"/name", "/kind", "/country", "/contact", "/coverage"}
    assert {error["detail"] for error in response.json["errors"]} == {"is required"}
