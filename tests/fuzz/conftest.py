"""Fixtures of the campaigns: a count of what was tried, and a world to try it on."""

import pytest

from tests.fuzz.summary import counted
from tests.fuzz.world import World, catalogue_as_it_was

__all__ = ["counted"]


@pytest.fixture
def world(app, ctx, make, queue):
    """A marketplace with something in every state, and somebody of every kind."""
    with catalogue_as_it_was(app):
        yield World(app, ctx, make)
