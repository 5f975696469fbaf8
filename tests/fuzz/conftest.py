"""Fixtures of the campaigns: a count of what was tried, and a world to try it on."""

import time
from pathlib import Path

import pytest

from tests.fuzz.sizes import MINUTES, allow
from tests.fuzz.world import World, catalogue_as_it_was

_begun: dict[Path, float] = {}


@pytest.fixture(autouse=True)
def allowance(request):
    """Share out what is left of a campaign's minutes among those of its tests that are left."""
    now = time.monotonic()
    items = [item for item in request.session.items if item.path == request.path]
    left = MINUTES * 60 - (now - _begun.setdefault(request.path, now))
    allow(left / (len(items) - items.index(request.node)))


@pytest.fixture
def world(app, ctx, make, queue):
    """A marketplace with something in every state, and somebody of every kind."""
    with catalogue_as_it_was(app):
        yield World(app, ctx, make)
