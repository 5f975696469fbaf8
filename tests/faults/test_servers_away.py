"""PostgreSQL or Redis go away under the running application, and come back."""

from pathlib import Path

import pytest
from redis import Redis
from sqlalchemy import func, select

from marketplace.bootstrap import build
from marketplace.catalogue.seeding import seed_catalogue
from marketplace.core.db import db
from marketplace.leads.models import Lead
from marketplace.local.postgres import EmbeddedPostgres
from marketplace.local.redis import EmbeddedRedis
from marketplace.matching import waiting
from marketplace.migrations.schema import upgrade
from marketplace.web.app import create_app
from tests.conftest import Services, settings_for
from tests.factories import lead_form


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    folder = Path(tmp_path_factory.mktemp("servers"))
    for each in (folder, *list(folder.parents)[:2]):
        each.chmod(0o711)
    postgres, redis = EmbeddedPostgres(folder), EmbeddedRedis(folder)
    yield postgres, redis
    postgres.remove_data()
    redis.remove_data()


@pytest.fixture(scope="module")
def product(servers):
    postgres, redis = servers
    services = Services(postgres.start(), redis.start(), postgres.owner_url)
    product = build(settings_for(services, LEAD_CONFIRMATION="off", LEAD_REVIEW="off"))
    upgrade(product.app)
    with product.app.app_context():
        seed_catalogue(product.ctx)
    create_app(product)
    yield product
    with product.app.app_context():
        db.engine.dispose()


def leads_stored(product):
    with product.app.app_context(), product.ctx.reading() as session:
        return session.scalar(select(func.count()).select_from(Lead))


def test_without_postgresql_the_form_is_refused_for_a_moment_and_taken_afterwards(servers, product):
    postgres, _ = servers
    client = product.app.test_client()
    assert client.post("/api/v1/leads", json=lead_form(1)).status_code == 202

    postgres.stop()
    refused = client.post("/api/v1/leads", json=lead_form(2))
    assert refused.status_code == 503
    assert int(refused.headers["Retry-After"]) > 0
    assert refused.content_type == "application/problem+json"
    assert "sql" not in refused.get_data(as_text=True).lower()
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").status_code == 503

    postgres.start()
    assert client.post("/api/v1/leads", json=lead_form(2)).status_code == 202
    assert client.get("/readyz").status_code == 200
    assert leads_stored(product) == 2


def test_without_redis_the_form_is_taken_and_the_sweep_finds_it_later(servers, product):
    _, redis = servers
    before = leads_stored(product)
    client = product.app.test_client()

    redis.stop()
    taken = client.post("/api/v1/leads", json=lead_form(3))
    assert taken.status_code == 202
    ready = client.get("/readyz")
    assert ready.status_code == 200
    assert ready.json["redis"] != "ok"

    redis.start()
    assert leads_stored(product) == before + 1
    with product.app.app_context():
        assert waiting.retry_waiting_leads(product.ctx) == 3
    assert Redis.from_url(redis.url).llen("rq:queue:matching") >= 3


def test_with_redis_full_the_form_is_taken_and_the_sweep_finds_it_later(servers, product):
    _, redis = servers
    before = leads_stored(product)
    client = product.app.test_client()
    with Redis.from_url(redis.url) as filled:
        filled.flushall()
        filled.config_set("maxmemory", 1)
        try:
            answers = [client.post("/api/v1/leads", json=lead_form(n)) for n in (4, 5)]
            assert [answer.status_code for answer in answers] == [202, 202]
            for path in ("/", "/sign-in", "/readyz", "/metrics"):
                assert client.get(path).status_code == 200, path
        finally:
            filled.config_set("maxmemory", 0)
        assert leads_stored(product) == before + 2
        with product.app.app_context():
            assert waiting.retry_waiting_leads(product.ctx) >= 2  # others wait for their turn
        assert filled.llen("rq:queue:matching")
