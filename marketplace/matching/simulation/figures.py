"""What a simulation shows: how far everybody was from a fair share, and what businesses got."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import fmean
from uuid import UUID

from marketplace.matching.simulation.books import Entry, Outcome
from marketplace.matching.simulation.ground import Ground
from marketplace.matching.simulation.strategies import Strategy

PROMISE = timedelta(hours=24)
"""Within which quotes are counted, whatever the policy says that is tried."""

FIRST_MONTH = timedelta(days=30)

LEAST_SHARE = 1.0
"""Fair shares below one turn are left out of the Gini: less than one cannot be dealt fairly."""


@dataclass(frozen=True)
class Standing:
    """A provider at the end."""

    provider_id: UUID
    name: str
    entitled: float
    """Its fair share: what it gained in all runs."""
    invited: float
    """The turns it had, less those that came back."""

    @property
    def drift(self) -> float:
        """How many turns it had more than its fair share."""
        return self.invited - self.entitled


@dataclass(frozen=True)
class FirstMonth:
    """What providers that joined, or came back, had in the month after."""

    providers: int
    invited: float
    entitled: float


@dataclass(frozen=True)
class Figures:
    """What a strategy comes to. Shares are of all leads."""

    strategy: Strategy
    drift_mean: float
    """In turns over the whole time, without regard to the direction."""
    drift_most: float
    gini: float
    """Of turns per fair share: 0, all alike, to 1."""
    newcomers: FirstMonth
    returners: FirstMonth
    with_one_quote: float
    """Leads with a quote inside 24 hours."""
    with_three_quotes: float
    commitments_met: float
    """Leads with a quote or a question within the policy's response window."""
    invitations_per_lead: float
    came_back: float
    """Turns given back, of all that were dealt."""
    waited: float
    """Leads that at some time had a place which nobody could take."""
    standings: tuple[Standing, ...]


def figures(ground: Ground, outcome: Outcome) -> Figures:
    """Return what an outcome of this market comes to."""
    leads = max(1, len(ground.market.requests))
    standings = _standings(ground, outcome.entries)
    quotes, met = _answers(ground, outcome)
    dealt = len(outcome.sent)
    back = -sum(entry.paid for entry in outcome.entries if entry.paid < 0)
    members = ground.market.members
    return Figures(
        strategy=outcome.strategy,
        drift_mean=fmean([abs(each.drift) for each in standings] or [0.0]),
        drift_most=max((abs(each.drift) for each in standings), default=0.0),
        gini=gini(
            [each.invited / each.entitled for each in standings if each.entitled >= LEAST_SHARE]
        ),
        newcomers=_first_month(
            outcome.entries,
            [(each.facts.id, each.joins_at) for each in members if each.joins_at is not None],
        ),
        returners=_first_month(
            outcome.entries, [(each.facts.id, at) for each in members for at in each.returns_at]
        ),
        with_one_quote=sum(number >= 1 for number in quotes.values()) / leads,
        with_three_quotes=sum(number >= 3 for number in quotes.values()) / leads,
        commitments_met=len(met) / leads,
        invitations_per_lead=dealt / leads,
        came_back=back / max(1, dealt),
        waited=len(outcome.waited) / leads,
        standings=standings,
    )


def gini(values: Collection[float]) -> float:
    """Return how unequal these are: 0 where all are alike, towards 1 where one has everything."""
    total, count = sum(values), len(values)
    if total <= 0:
        return 0.0
    ranked = sum(rank * value for rank, value in enumerate(sorted(values), start=1))
    return 2 * ranked / (count * total) - (count + 1) / count


def _standings(ground: Ground, entries: Iterable[Entry]) -> tuple[Standing, ...]:
    entitled: defaultdict[UUID, float] = defaultdict(float)
    invited: defaultdict[UUID, float] = defaultdict(float)
    for entry in entries:
        entitled[entry.provider_id] += entry.gained
        invited[entry.provider_id] += entry.paid
    return tuple(
        Standing(facts.id, facts.name, entitled[facts.id], invited[facts.id])
        for facts in (member.facts for member in ground.market.members)
    )


def _first_month(entries: Iterable[Entry], starts: Sequence[tuple[UUID, datetime]]) -> FirstMonth:
    lines: defaultdict[UUID, list[Entry]] = defaultdict(list)
    for entry in entries:
        lines[entry.provider_id].append(entry)
    theirs = [
        entry
        for provider_id, start in starts
        for entry in lines[provider_id]
        if start <= entry.at < start + FIRST_MONTH
    ]
    return FirstMonth(
        providers=len(starts),
        invited=sum(entry.paid for entry in theirs),
        entitled=sum(entry.gained for entry in theirs),
    )


def _answers(ground: Ground, outcome: Outcome) -> tuple[Counter[int], set[int]]:
    """Return how many quotes came inside 24 hours by lead, and the leads answered when due."""
    quotes: Counter[int] = Counter()
    met: set[int] = set()
    for sent in outcome.sent:
        opened_at = ground.market.requests[sent.lead].opened_at
        if sent.quoted_at is not None and sent.quoted_at < opened_at + PROMISE:
            quotes[sent.lead] += 1
        if sent.responded_at is not None and sent.responded_at < ground.due_at(sent.lead):
            met.add(sent.lead)
    return quotes, met
