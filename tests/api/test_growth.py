"""What strangers can make grow is bounded: what is refused leaves nothing, and the rest goes."""

from dataclasses import replace

import pytest
from redis import Redis
from sqlalchemy import func, select

from marketplace.core.idempotency import IdempotentRequest, forget_old_answers
from marketplace.leads.models import Lead
from marketplace.notifications.models import Notification
from marketplace.web.limit_table import line_of
from tests.factories import lead_form

FORM = "/api/v1/leads"
AT_MOST = int(line_of("POST", FORM).limits.split()[0])


@pytest.fixture
def send(app, ctx, client, services):
    """Send a form with a key, from one address, with limits on."""
    Redis.from_url(services.redis_url).flushdb()
    product = app.extensions["marketplace"]
    policy = replace(ctx.policy, rate_limits=True)
    app.extensions["marketplace"] = replace(product, ctx=replace(ctx, policy=policy))

    def send(number, **changes):
        return client.post(
            FORM,
            json=lead_form(number, **changes),
            headers={"Idempotency-Key": f"key-{number}"},
            environ_overrides={"REMOTE_ADDR": "192.0.2.77"},
        ).status_code

    return send


def rows(make, table):
    return make.ask(lambda session: session.scalar(select(func.count()).select_from(table)))


def test_a_flood_of_forms_leaves_as_much_as_the_limit_lets_in_and_no_more(
    send, make, ctx, clock, services
):
    answers = [send(number) for number in range(AT_MOST + 5)]
    assert answers == [202] * AT_MOST + [429] * 5
    grown = [rows(make, table) for table in (Lead, IdempotentRequest, Notification)]
    assert grown == [AT_MOST] * 3
    redis = Redis.from_url(services.redis_url)
    kept = [redis.ttl(key) for key in redis.scan_iter("*limits*")]
    assert kept
    assert all(0 < seconds <= 3600 for seconds in kept)
    clock.advance(hours=25)
    assert forget_old_answers(ctx) == AT_MOST
    assert rows(make, IdempotentRequest) == 0


def test_what_is_refused_leaves_nothing(send, make):
    assert [send(number, headcount=0) for number in range(5)] == [422] * 5
    assert [rows(make, table) for table in (Lead, IdempotentRequest, Notification)] == [0] * 3
