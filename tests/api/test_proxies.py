"""From where somebody comes is what our own proxies say, and never what they say themselves."""

import pytest
from sqlalchemy import select

from marketplace.bootstrap import build
from marketplace.core.db import db
from marketplace.core.events import Event
from marketplace.web.app import create_app
from tests.conftest import Client, settings_for
from tests.people import PASSWORD, a_person

SAID = "192.0.2.66, 203.0.113.9"
"""What stands in the header behind one proxy: the invented first, then what the proxy saw."""


def app_behind(services, proxies):
    return build(settings_for(services, TRUSTED_PROXIES=str(proxies)))


@pytest.mark.parametrize(
    ("proxies", "network"),
    [(0, "198.51.100.0/24"), (1, "203.0.113.0/24"), (2, "192.0.2.0/24")],
)
def test_as_many_hops_count_as_there_are_proxies(services, installation, ctx, proxies, network):
    product = app_behind(services, proxies)
    app = create_app(product)
    person = a_person(ctx)
    answer = Client(app, app.response_class).post(
        "/api/v1/sessions",
        json={"email": person.email, "password": PASSWORD},
        headers={"X-Forwarded-For": SAID, "X-Real-IP": "192.0.2.1", "Forwarded": "for=192.0.2.2"},
        environ_overrides={"REMOTE_ADDR": "198.51.100.7"},
    )
    assert answer.status_code == 201, answer.text
    with ctx.reading() as session:
        signed_in = select(Event.address).where(Event.verb == "user.signed_in")
        assert session.scalars(signed_in).all() == [network]
    with product.app.app_context():
        db.engine.dispose()
