"""Which door is open to whom: the one list."""

from collections.abc import Collection

from flask import Blueprint as Pages
from flask import Flask, request
from flask_smorest import Api

from marketplace.core.actors import Kind
from marketplace.web.api import catalogue, portal_api_keys, sessions
from marketplace.web.auth import api_door, page_door
from marketplace.web.requests import Blueprint

ANYBODY = None
BUSINESS = frozenset({Kind.BUSINESS})
PROVIDER = frozenset({Kind.PROVIDER, Kind.API_KEY})
PROVIDER_PERSON = frozenset({Kind.PROVIDER})
PERSON = frozenset({Kind.PROVIDER, Kind.ADMIN})
ADMIN = frozenset({Kind.ADMIN})

API_DOORS: tuple[tuple[Blueprint, Collection[Kind] | None], ...] = (
    (catalogue.blp, ANYBODY),
    (portal_api_keys.blp, PROVIDER_PERSON),
    (sessions.blp, ANYBODY),
    (sessions.own, PERSON),
)

PAGE_DOORS: tuple[tuple[Pages, Collection[Kind] | None], ...] = ()


def register(app: Flask, api: Api) -> None:
    """Hang every group of endpoints in, behind the check that its line names."""
    checks = {blueprint.name: api_door(kinds) for blueprint, kinds in API_DOORS}
    checks |= {pages.name: page_door(kinds) for pages, kinds in PAGE_DOORS}

    @app.before_request
    def check() -> None:
        if request.blueprint in checks:
            checks[request.blueprint]()

    for blueprint, _ in API_DOORS:
        api.register_blueprint(blueprint)
    for pages, _ in PAGE_DOORS:
        app.register_blueprint(pages)
