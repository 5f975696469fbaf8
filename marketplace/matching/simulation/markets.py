"""A market: who is in it, how they answer, and what is asked for."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from marketplace.matching.eligibility import Wanted
from marketplace.matching.simulation.answering import Habits
from marketplace.providers.rules import ProviderFacts

LONG_PAUSE = timedelta(days=28)
"""Whoever comes back from a pause of at least this is a returner."""


@dataclass(frozen=True)
class Member:
    """A provider in a market."""

    facts: ProviderFacts
    """As they are while it takes part; its counters are those of the beginning."""
    habits: Habits
    joins_at: datetime | None = None
    """None: it is there from the beginning."""

    @property
    def returns_at(self) -> list[datetime]:
        """When it comes back from long pauses."""
        return [end for start, end in self.facts.pauses if end - start >= LONG_PAUSE]


@dataclass(frozen=True)
class Request:
    """A lead of a market."""

    id: UUID
    wanted: Wanted
    opened_at: datetime
    finished_at: datetime
    """When the business has chosen or given up; until then a quote holds its provider's place."""


@dataclass(frozen=True)
class Market:
    """Providers in the shuffled order from which benches are taken, and leads as they open."""

    name: str
    members: tuple[Member, ...]
    requests: tuple[Request, ...]
    starts_at: datetime
    ends_at: datetime
    seed: int
    """Of the luck in it: how providers answer, who goes first among equals."""
