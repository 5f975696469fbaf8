"""Reading all that can be read: who reads, and at which addresses."""

import itertools
import re

from flask.testing import FlaskClient
from sqlalchemy import select

from tests.conftest import Client
from tests.fuzz.sizes import LONG
from tests.fuzz.world import World, table_of
from tests.pages.browser import Browser
from tests.people import PASSWORD, a_person, an_admin


def readers(world: World) -> dict[str, FlaskClient]:
    """Return a client for everybody: pages by cookie, the API by token beside it."""
    found = {}
    for role, person in (
        ("owner", a_person(world.ctx, world.own.contact_email, provider_id=world.own.id)),
        ("admin", an_admin(world.ctx, "eve@marketplace.example")),
    ):
        browser = Browser(Client(world.app, world.app.response_class))
        browser.open("/sign-in")
        assert browser.send("/sign-in", email=person.email, password=PASSWORD).status == 200
        found[role] = browser.client
    browser = Browser(Client(world.app, world.app.response_class))
    token = world.headers["business"]["Authorization"].removeprefix("Bearer ")
    assert browser.open(f"/requests/open/{token}").status == 200
    return {
        **found,
        "business": browser.client,
        "nobody": Client(world.app, world.app.response_class),
    }


BELOW = {
    "owner": ("/portal", "/account", "/api/v1/portal", "/api/v1/account"),
    "admin": ("/admin", "/api/v1/admin", "/account"),
    "business": ("/requests", "/api/v1/request"),
    "nobody": ("/",),
}
"""Where each of them reads; in the long form all read everywhere."""

TOO_MUCH = ("/mailbox/gallery", "/how-matching-works", "/static")
"""Pages with nothing in them that anybody typed."""


def addresses(world: World, role: str) -> list[str]:
    """Return every address that somebody reads, with ids of things there are."""
    of_others = tuple(each for who in BELOW if who != "nobody" for each in BELOW[who])
    found = _addresses(world)
    if LONG:
        return found
    if role == "nobody":
        return [each for each in found if not each.startswith((*of_others, *TOO_MUCH))]
    return [each for each in found if each.startswith(BELOW[role])]


def _addresses(world: World) -> list[str]:
    found = []
    for rule in world.app.url_map.iter_rules():
        if (
            "GET" not in rule.methods
            or "token" in rule.arguments
            or rule.endpoint.endswith("static")
        ):
            continue
        if not rule.arguments:
            found.append(rule.rule)
            continue
        several = {}
        for name in rule.arguments:
            segment = rule.rule.partition(f":{name}>")[0].rpartition("/")[0].rpartition("/")[2]
            table = table_of(name, segment) if name.endswith("_id") else None
            if table is None:
                several[name] = ["coverage", "1"]
                continue
            key = table.c[name] if name in table.c else next(iter(table.primary_key.columns))
            rows = select(key).order_by(key.desc()).limit(10 if LONG else 1)
            several[name] = [
                str(each) for each in world.make.ask(lambda s, r=rows: s.scalars(r).all())
            ]
        for values in itertools.product(*several.values()):
            address = rule.rule
            for name, value in zip(several, values, strict=True):
                address = re.sub(rf"<[^<>]*\b{name}>", value, address)
            found.append(address)
    found += [f"{each}?format=csv" for each in found if "/api/v1/admin/reports/" in each]
    return found
