"""How providers answer, as a model for the simulation: every number here is invented.

Of the invitations that a provider gets it never looks at some. It looks at the others after a
while, and then leaves some at that, declines some with a reason, accepts some without ever quoting,
puts a question before it quotes, or quotes. How long it takes to look and to act is log-normal, in
clock hours: nights, weekends and holidays are not modelled apart. What is drawn for one provider
and one lead depends on these two and a seed alone, never on when or by whom it was chosen, so that
strategies are compared on equal luck.
"""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import accumulate
from math import log
from uuid import UUID

from marketplace.invitations.rules import DeclineReason


class Deed(StrEnum):
    """What a provider does with an invitation that it has looked at."""

    NOTHING = "nothing"
    DECLINE = "decline"
    ACCEPT = "accept"
    """It sees the contact, and never quotes."""
    ASK = "ask"
    """A question first, and a quote after it."""
    QUOTE = "quote"


@dataclass(frozen=True)
class Habits:
    """How one provider answers: shares of its invitations, and median hours."""

    never_looks: float = 0.12
    stays_silent: float = 0.06
    """Of those it looks at, as all that follow."""
    declines: float = 0.14
    accepts_only: float = 0.04
    asks: float = 0.12
    hours_to_look: float = 1.5
    hours_to_act: float = 6.0
    """From looking to a quote; a question comes after a third of that, a decline after a tenth."""


SPREAD_OF_LOOKING = 1.2
SPREAD_OF_ACTING = 0.7
"""Standard deviations of the logarithm of the hours."""

REASONS = {
    DeclineReason.OUT_OF_SCOPE: 35,
    DeclineReason.NO_CAPACITY: 25,
    DeclineReason.TIMEFRAME: 15,
    DeclineReason.TOO_SMALL: 10,
    DeclineReason.TOO_FAR: 10,
    DeclineReason.OTHER: 5,
}
"""How often a decline is for which reason."""


@dataclass(frozen=True)
class Window:
    """The times of an invitation."""

    sent_at: datetime
    open_by: datetime
    respond_by: datetime
    due_at: datetime
    """When the lead's first response is due."""


@dataclass(frozen=True)
class Answer:
    """What a provider will do with a lead; times count from when the invitation is sent."""

    looks_after: timedelta | None
    """None: it never does."""
    deed: Deed
    acts_after: timedelta
    quotes_after: timedelta | None
    """None: there will be no quote."""
    reason: DeclineReason | None

    def quotes_at(self, window: Window) -> datetime | None:
        """Return when a quote to this invitation comes, or None if none comes in time."""
        if self.looks_after is None or self.quotes_after is None:
            return None
        at = window.sent_at + self.quotes_after
        in_time = window.sent_at + self.looks_after < window.open_by and at < window.respond_by
        return at if in_time else None

    def frees_at(self, window: Window) -> datetime:
        """Return when the place of an invitation that leads to no quote is free for another."""
        if self.looks_after is None or window.sent_at + self.looks_after >= window.open_by:
            return window.open_by
        if self.deed is Deed.DECLINE:
            return min(window.sent_at + self.acts_after, window.respond_by)
        if self.deed is Deed.ACCEPT:
            return datetime.max.replace(tzinfo=window.sent_at.tzinfo)
        return window.respond_by


NOTHING = Answer(None, Deed.NOTHING, timedelta(0), None, None)


def answer(habits: Habits, provider_id: UUID, lead_id: UUID, *, seed: int) -> Answer:
    """Draw what a provider will do with a lead; the same for the same two and seed."""
    # drawn from a seed, to be replayed
    draw = random.Random(f"{seed} {provider_id} {lead_id}")  # nosec B311
    looks, chance = draw.random(), draw.random()
    to_look = _hours(draw, habits.hours_to_look, SPREAD_OF_LOOKING)
    to_quote = _hours(draw, habits.hours_to_act, SPREAD_OF_ACTING)
    (reason,) = draw.choices(list(REASONS), list(REASONS.values()))
    if looks < habits.never_looks:
        return NOTHING
    deed = _deed(habits, chance)
    part = {Deed.ASK: 1 / 3, Deed.DECLINE: 0.1}.get(deed, 1.0)
    return Answer(
        looks_after=to_look,
        deed=deed,
        acts_after=to_look + to_quote * part,
        quotes_after=to_look + to_quote if deed in (Deed.ASK, Deed.QUOTE) else None,
        reason=reason if deed is Deed.DECLINE else None,
    )


def _deed(habits: Habits, chance: float) -> Deed:
    """Return what a provider that has looked does, by a number from 0 to 1."""
    shares = {
        Deed.NOTHING: habits.stays_silent,
        Deed.DECLINE: habits.declines,
        Deed.ACCEPT: habits.accepts_only,
        Deed.ASK: habits.asks,
    }
    for deed, up_to in zip(shares, accumulate(shares.values()), strict=True):
        if chance < up_to:
            return deed
    return Deed.QUOTE


def _hours(draw: random.Random, median: float, spread: float) -> timedelta:
    return timedelta(hours=draw.lognormvariate(log(median), spread))
