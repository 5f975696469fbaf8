"""What a simulation says of itself: the market, the model of answers, the figures by name."""

from collections.abc import Callable, Sequence

from marketplace.matching.simulation.figures import Figures, FirstMonth
from marketplace.matching.simulation.markets import Market
from marketplace.matching.simulation.strategies import Strategy

NAMES = {
    Strategy.CREDIT: "credit",
    Strategy.ORACLE: "oracle",
    Strategy.RANDOM: "random",
    Strategy.LEAST_RECENTLY_SERVED: "least recently served",
    Strategy.LOWEST_COUNT: "lowest count",
}
"""What each strategy is called."""

STRATEGIES = (
    "Credit is what the product does; an oracle knows who will answer in time; the others choose "
    "at random, who has waited longest, who has had least. All have the same eligibility, bands, "
    "places, deadlines and luck."
)


def about(market: Market) -> str:
    """Return in sentences who is in a market, and how they are taken to answer."""
    members = market.members
    new = sum(each.joins_at is not None for each in members)
    back = sum(bool(each.returns_at) for each in members)
    return (
        f"{market.name}; {new} join during it, {back} come back from four weeks' leave or more. "
        f"{_answers(market)}"
    )


def _answers(market: Market) -> str:
    """Return the model of answers, averaged over a market."""
    habits = [each.habits for each in market.members]
    if not habits:
        return "There is nobody to answer."

    def mean(values: Sequence[float]) -> float:
        return sum(values) / len(habits)

    return (
        "A model, not a measurement, of how they answer, on average: "
        f"{mean([each.never_looks for each in habits]):.0%} of invitations are never looked at; of "
        f"the others {mean([each.stays_silent for each in habits]):.0%} are left at that, "
        f"{mean([each.declines for each in habits]):.0%} declined, "
        f"{mean([each.accepts_only for each in habits]):.0%} accepted and never quoted, "
        f"{mean([each.asks for each in habits]):.0%} quoted after a question, the rest quoted; "
        f"half the looks come within {mean([each.hours_to_look for each in habits]):.1f} hours, "
        f"half the quotes {mean([each.hours_to_act for each in habits]):.1f} hours after a look "
        "(log-normal, by the clock)."
    )


def _share(value: float) -> str:
    return f"{value:.1%}"


def _month(month: FirstMonth) -> str:
    if not month.providers:
        return "nobody"
    if month.entitled <= 0:
        return f"{month.invited:g} of 0"
    return f"{month.invited:g} of {month.entitled:.1f} ({month.invited / month.entitled:.0%})"


ROWS: Sequence[tuple[str, Callable[[Figures], str]]] = (
    ("Drift from the fair share, mean (turns)", lambda each: f"{each.drift_mean:.2f}"),
    ("Drift from the fair share, most (turns)", lambda each: f"{each.drift_most:.2f}"),
    ("Gini of turns per fair share", lambda each: f"{each.gini:.3f}"),
    ("Newcomers' first month of their share", lambda each: _month(each.newcomers)),
    ("Returners' first month of their share", lambda each: _month(each.returners)),
    ("Leads with one quote inside 24 hours", lambda each: _share(each.with_one_quote)),
    ("Leads with three quotes inside 24 hours", lambda each: _share(each.with_three_quotes)),
    ("Commitments met (quote or question)", lambda each: _share(each.commitments_met)),
    ("Invitations per lead", lambda each: f"{each.invitations_per_lead:.2f}"),
    ("Turns given back", lambda each: _share(each.came_back)),
    ("Leads that waited with an empty place", lambda each: _share(each.waited)),
)
"""The table: what each row is called, and what it says of a strategy."""


def in_words(shown: Sequence[Figures]) -> str:
    """Return how far each strategy strays from the fair share, as a sentence each."""
    return " ".join(
        f"{NAMES[each.strategy].capitalize()} strays {each.drift_mean:.1f} turns from the fair "
        f"share on average, {each.drift_most:.1f} at most."
        for each in shown
    )
