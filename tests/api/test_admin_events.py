"""The audit log over HTTP."""

import pytest

from marketplace.core.actors import OPERATOR
from marketplace.core.db import new_id
from marketplace.core.events import record
from marketplace.core.sealing_log import seal_events
from tests.people import a_person, an_admin, bearer, session_token

EVENTS = "/api/v1/admin/events"


@pytest.fixture
def head(ctx):
    return bearer(session_token(ctx, an_admin(ctx)))


def test_who_did_what_to_what_when_and_from_where(client, ctx, head):
    person = a_person(ctx)
    client.post(
        "/api/v1/sessions",
        json={"email": person.email, "password": "seven quiet herons"},
        headers={"X-Request-Id": "a-request-of-ours"},
        environ_overrides={"REMOTE_ADDR": "192.0.2.9"},
    )
    answer = client.get(f"{EVENTS}?actor={person.id}", headers=head)
    assert answer.status_code == 200
    (event,) = answer.json["items"]
    assert event.pop("id")
    assert event == {
        "at": "2026-11-23T09:00:00Z",
        "actor": {"kind": "provider", "id": str(person.id)},
        "verb": "user.signed_in",
        "subject_id": str(person.id),
        "facts": {"factor": "none"},
        "request_id": "a-request-of-ours",
        "address": "192.0.2.0/24",
    }


def test_what_happened_to_one_subject_comes_newest_first_a_page_at_a_time(client, ctx, head):
    subject = new_id()
    for number in range(5):
        with ctx.transaction() as tx:
            record(tx, OPERATOR, "thing.moved", subject, version=number)
            record(tx, OPERATOR, "thing.moved", new_id(), version=-1)
    first = client.get(f"{EVENTS}?subject={subject}&limit=3", headers=head).json
    rest = client.get(
        f"{EVENTS}?subject={subject}&limit=3&after={first['next']}", headers=head
    ).json
    steps = [event["facts"]["version"] for event in first["items"] + rest["items"]]
    assert steps == [4, 3, 2, 1, 0]
    assert rest["next"] is None


def test_it_is_narrowed_down_by_verb_and_says_up_to_what_it_is_sealed(client, ctx, head):
    with ctx.transaction() as tx:
        record(tx, OPERATOR, "thing.moved", new_id())
    seal_events(ctx)
    answer = client.get(f"{EVENTS}?verb=thing.moved", headers=head).json
    assert [event["verb"] for event in answer["items"]] == ["thing.moved"]
    assert answer["sealed"] >= 3
    assert answer["head"].startswith(f"{answer['sealed']}:")
    assert answer["unsealed"] == 0
    assert client.get(f"{EVENTS}?verb='; DROP", headers=head).status_code == 422


def test_the_whole_log_is_there_without_a_filter(client, head):
    verbs = [event["verb"] for event in client.get(EVENTS, headers=head).json["items"]]
    assert verbs == ["user.signed_in", "user.created"]


@pytest.mark.parametrize("query", ["subject=one", "actor=1", "limit=0", "after=x"])
def test_a_wrong_parameter_is_named(client, head, query):
    answer = client.get(f"{EVENTS}?{query}", headers=head)
    assert answer.status_code == 422
    assert [e["pointer"] for e in answer.json["errors"]] == ["/" + query.partition("=")[0]]


def test_the_log_is_for_administrators(client, ctx):
    assert client.get(EVENTS).status_code == 401
    head = bearer(session_token(ctx, a_person(ctx)))
    assert client.get(EVENTS, headers=head).status_code == 403
