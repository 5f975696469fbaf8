"""Ways to decide whose turn it is, to be compared: by credit, as the product does, and others.

All of them run `rules.choose`: bands, both kinds, impartiality and everybody's share of the turns
are the product's in every one. The others only put an order of their own in the place of credit.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from marketplace.matching import rules
from marketplace.matching.rules import COST_OF_A_TURN, PRECISION, Choice, Clashes, Seat
from marketplace.matching.simulation.answering import Answer, Window
from marketplace.providers.rules import ProviderKind


class Strategy(StrEnum):
    CREDIT = "credit"
    ORACLE = "oracle"
    """Knows who will answer, and when."""
    RANDOM = "random"
    LEAST_RECENTLY_SERVED = "least_recently_served"
    LOWEST_COUNT = "lowest_count"


@dataclass(frozen=True)
class Candidate:
    """An eligible provider, and what one strategy or another may know of it."""

    seat: Seat
    served: int
    """How many invitations it has had."""
    answer: Answer
    """What it will do: only an oracle can know that."""
    room: float
    """The share of its month's capacity that is left."""
    lot: float
    """Its number in this run's lottery."""


def _by_foresight(each: Candidate, window: Window) -> tuple[float, ...]:
    """Who quotes by the due time, whoever has most room first; who quotes later; the early nos."""
    quotes_at = each.answer.quotes_at(window)
    if quotes_at is None:
        return (2, (each.answer.frees_at(window) - window.sent_at).total_seconds())
    if quotes_at < window.due_at:
        return (0, -each.room)
    return (1, quotes_at.timestamp())


def _by_wait(each: Candidate, _window: Window) -> tuple[float, ...]:
    at = each.seat.invited_at
    return (at.timestamp() if at else float("-inf"), each.lot)


Order = Callable[[Candidate, Window], tuple[float, ...]]
ORDERS: Mapping[Strategy, Order] = {
    Strategy.ORACLE: _by_foresight,
    Strategy.RANDOM: lambda each, _: (each.lot,),
    Strategy.LEAST_RECENTLY_SERVED: _by_wait,
    Strategy.LOWEST_COUNT: lambda each, _: (each.served, each.lot),
}

APART = 1_000.0
"""Between the orders of two candidates: more than anybody can gain in a run."""


def choose(
    strategy: Strategy,
    candidates: Sequence[Candidate],
    places: int,
    *,
    needed_kinds: Collection[ProviderKind],
    clashes: Clashes,
    seed: int,
    window: Window,
) -> Choice:
    """Return whom a strategy invites, with what that does to everybody's real credit.

    `window`: the times of the invitations that this run sends.
    """
    seats = [each.seat for each in candidates]
    order = ORDERS.get(strategy)
    if order is None:
        return rules.choose(seats, places, needed_kinds=needed_kinds, clashes=clashes, seed=seed)
    ranked = sorted(candidates, key=lambda each: order(each, window))
    pretended = [replace(each.seat, credit=-APART * rank) for rank, each in enumerate(ranked)]
    choice = rules.choose(pretended, places, needed_kinds=needed_kinds, clashes=clashes, seed=seed)
    return _with_real_credit(choice, seats)


def _with_real_credit(choice: Choice, seats: Sequence[Seat]) -> Choice:
    real = {seat.provider_id: seat for seat in seats}
    chosen = tuple(real[seat.provider_id] for seat in choice.chosen)
    paid = {seat.provider_id for seat in chosen}
    credits = {
        each: round(real[each].credit + gained - COST_OF_A_TURN * (each in paid), PRECISION)
        for each, gained in choice.gained.items()
    }
    return Choice(chosen, choice.gained, credits)
