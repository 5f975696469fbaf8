"""The same request sent twice is done once: answered the same, refused or taken anew."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from sqlalchemy import func, select

from marketplace.core.idempotency import (
    TAKEN_OVER_AFTER,
    IdempotentRequest,
    digest,
    forget_old_answers,
)
from marketplace.core.sealing import Seal
from marketplace.leads.models import Lead
from marketplace.quotes.models import Review
from marketplace.web import openapi
from tests.api.bad_values import pointers
from tests.api.doors import business_door
from tests.factories import lead_form
from tests.services.road import a_quote, held

KEY = "0f1e2d3c"
TICK = timedelta(microseconds=1)


@pytest.fixture
def send(client):
    def post(path="/leads", body=None, *, key=KEY, who=None):
        headers = {"Idempotency-Key": key, **(who or {})}
        body = lead_form(1) if body is None else body
        return client.post(f"/api/v1{path}", json=body, headers=headers)

    return post


def count(make, model):
    return make.ask(lambda session: session.scalar(select(func.count()).select_from(model)))


def begun(ctx, *, key=KEY, body=b"{}", at=None):
    """Write down that a request with this key began, as one that is still running has."""
    with ctx.transaction() as tx:
        tx.session.add(
            IdempotentRequest(
                scope_hash=digest("", "POST", "/api/v1/leads", key),
                body_hash=digest(body),
                begun_at=at or tx.now,
            )
        )


def test_the_same_key_and_body_answers_the_first_response_again(send, make, clock):
    first = send()
    clock.advance(hours=3)
    again = send()
    assert first.status_code == again.status_code == 202
    assert first.data == again.data
    assert again.content_type == "application/json"
    assert count(make, Lead) == 1


def test_without_a_key_every_request_is_one_of_its_own(client, make):
    for _ in range(2):
        assert client.post("/api/v1/leads", json=lead_form(1)).status_code == 202
    assert count(make, Lead) == 2


def test_another_body_under_the_same_key_is_refused(send, make):
    assert send().status_code == 202
    assert pointers(send(body=lead_form(1, headcount=43))) == {""}
    assert count(make, Lead) == 1
    assert send().status_code == 202


def test_while_the_first_still_runs_the_second_is_a_conflict(client, ctx, make):
    begun(ctx)
    answer = client.post("/api/v1/leads", data=b"{}", headers={"Idempotency-Key": KEY})
    assert answer.status_code == 409
    assert "still running" in answer.json["detail"]


def test_one_whose_process_was_killed_is_taken_over_by_the_same_body_alone(
    ctx, app, send, make, clock
):
    begun(ctx, body=app.json.dumps(lead_form(1)).encode())
    clock.now += TAKEN_OVER_AFTER - TICK
    assert send().status_code == 409
    clock.now += TICK
    assert pointers(send(body=lead_form(2))) == {""}
    assert send().status_code == 202
    assert send().status_code == 202
    assert count(make, Lead) == 1


def test_after_a_day_the_key_is_new(send, make, clock):
    first = send().json
    clock.now += timedelta(hours=24) - TICK
    assert send().json == first
    clock.now += TICK
    second = send(body=lead_form(2))
    assert second.status_code == 202
    assert second.json["reference"] != first["reference"]
    assert send(body=lead_form(2)).json == second.json
    assert count(make, Lead) == 2


def test_what_is_past_its_day_is_forgotten_and_nothing_else(ctx, send, clock):
    send()
    clock.advance(hours=23, minutes=59)
    send(key="other", body=lead_form(2))
    assert forget_old_answers(ctx) == 0
    clock.advance(minutes=1)
    assert forget_old_answers(ctx) == 1
    assert forget_old_answers(ctx) == 0


def test_a_key_belongs_to_its_credential(ctx, send, make):
    one, other = make.lead(), make.lead()
    for lead in (one, other):
        answer = send("/request/closure", {"reason": "not_now"}, who=business_door(ctx, lead))
        assert answer.status_code == 200
        assert answer.json["reference"] == lead.reference


def test_a_key_belongs_to_its_route(ctx, send, make):
    make.provider()
    lead = make.matched_lead()
    (invitation,) = held(make, lead)
    a_quote(ctx, invitation)
    who = business_door(ctx, lead)
    body = {"invitation_id": str(invitation.id)}
    assert send("/request/replacement", body, who=who).status_code == 409
    assert send("/request/choice", body, who=who).json["status"] == "awarded"
    # Twice is a conflict by itself; with the key it is the first answer again.
    assert send("/request/choice", body, who=who).json["status"] == "awarded"
    assert send("/request/choice", body, who=who, key="another").status_code == 409


def test_a_key_is_no_credential(ctx, send, make):
    lead = make.lead()
    who = business_door(ctx, lead)
    assert send("/request/closure", {"reason": "not_now"}, who=who).status_code == 200
    assert send("/request/closure", {"reason": "not_now"}).status_code == 401


def test_a_created_thing_is_created_once_and_its_status_is_kept(ctx, send, make):
    make.provider()
    lead = make.matched_lead()
    (invitation,) = held(make, lead)
    a_quote(ctx, invitation)
    who = business_door(ctx, lead)
    review = {"invitation_id": str(invitation.id), "rating": 4}
    answers = [send("/request/reviews", review, who=who) for _ in range(3)]
    assert [each.status_code for each in answers] == [201] * 3
    assert len({each.data for each in answers}) == 1
    assert count(make, Review) == 1


@pytest.mark.parametrize(
    ("wrong", "status"),
    [({"headcount": 0}, 422), ({"standards": ["ISO 31000"]}, 422), ({"unknown": 1}, 422)],
)
def test_a_refused_first_request_does_not_burn_the_key(send, make, wrong, status):
    assert send(body=lead_form(1, **wrong)).status_code == status
    assert count(make, IdempotentRequest) == 0
    assert send().status_code == 202
    assert count(make, Lead) == 1


def test_a_malformed_body_does_not_burn_the_key_either(client, send, make):
    headers = {"Idempotency-Key": KEY}
    for data, kind, status in ((b"{", "application/json", 400), (b"{}", "text/plain", 415)):
        answer = client.post("/api/v1/leads", data=data, content_type=kind, headers=headers)
        assert answer.status_code == status
    assert send().status_code == 202


@pytest.mark.parametrize(
    "key", ["", " ", "a b", "x" * 256, "a\tb", "ключ".encode().decode("latin-1")]
)
def test_a_key_that_is_none_is_refused(send, make, key):
    assert pointers(send(key=key)) == {""}
    assert count(make, Lead) == 0


def test_two_at_once_make_one_lead(app, send, make):
    start = Barrier(6)

    def one(_):
        start.wait()
        return send()

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(one, range(6)))
    assert {each.status_code for each in answers} <= {202, 409}
    taken = [each.json["reference"] for each in answers if each.status_code == 202]
    assert len(set(taken)) == 1
    assert count(make, Lead) == 1
    assert send().json["reference"] == taken[0]


def test_no_stored_answer_holds_what_opens_a_door(send, make):
    """The request token is answered by confirmations alone, which honour no key."""
    send()
    (kept,) = make.ask(lambda session: session.scalars(select(IdempotentRequest.answer)).all())
    opened = Seal(f"\0{KEY}", "kept answer").open(kept)
    assert b"reference" in opened
    assert not re.search(rb"(request|confirm|session|key)_[\w-]{20}", opened)


def test_of_what_answers_a_secret_the_making_of_a_key_alone_honours_one(app):
    spec = openapi.document(app)
    honours = []
    for path, method, operation in openapi.operations(spec):
        if openapi.IDEMPOTENCY_KEY in operation.get("parameters", ()):
            honours.append((method, path, answered(spec, operation)))
    assert len(honours) > 20
    telling = [(method, path) for method, path, names in honours if names & OPENS]
    assert telling == [("post", "/api/v1/portal/api-keys")]


OPENS = {"token", "request_token", "secret", "recovery_codes", "set_up"}
"""What fields are called whose values let somebody in."""


def answered(spec, operation):
    """Return the names of all fields that an operation answers with when all is well."""
    names, seen = set(), set()
    parts = [each for status, each in operation["responses"].items() if status.startswith("2")]
    while parts:
        part = parts.pop()
        if not isinstance(part, dict):
            continue
        names |= set(part.get("properties", ()))
        schema = str(part.get("$ref", "")).rpartition("/")[2]
        if schema in spec["components"]["schemas"] and schema not in seen:
            seen.add(schema)
            parts.append(spec["components"]["schemas"][schema])
        parts += part.values()
    return names


def test_a_kept_answer_says_nothing_to_who_reads_the_database(ctx, make, send):
    make.provider()
    lead = make.matched_lead()
    door = business_door(ctx, lead)
    (invitation,) = held(make, lead)
    a_quote(ctx, invitation)
    body = {"invitation_id": str(invitation.id), "rating": 4, "comment": "Quillon says so."}
    first = send("/request/reviews", body, who=door)
    kept = make.ask(lambda session: session.scalars(select(IdempotentRequest.answer)).all())
    assert "Quillon" in first.text
    assert all(b"Quillon" not in each for each in kept)
    assert send("/request/reviews", body, who=door).data == first.data
    with ctx.transaction() as tx:  # as it was kept before
        tx.session.scalars(select(IdempotentRequest)).one().answer = first.data
    assert send("/request/reviews", body, who=door).data == first.data
