"""The bench of a run: up to 64 providers that are eligible now, locked, with credit and record."""

from dataclasses import dataclass, field
from uuid import UUID

from marketplace.core.context import Transaction
from marketplace.matching import queries, rules
from marketplace.matching.eligibility import Filter, Obstacle, Wanted, obstacle
from marketplace.matching.models import Credit
from marketplace.matching.rules import Seat
from marketplace.providers import coverage
from marketplace.providers import queries as providers
from marketplace.providers.rules import ProviderFacts

LATER_FILTERS = (
    Filter.PAUSE,
    Filter.ACCREDITATION,
    Filter.INVITED,
    Filter.IMPARTIALITY,
)
"""What the coverage row does not tell: looked at provider by provider."""


@dataclass
class Bench:
    """Who was looked at, and what came of it."""

    seats: list[Seat] = field(default_factory=list)
    excluded: list[tuple[UUID, Obstacle]] = field(default_factory=list)
    credits: dict[UUID, Credit] = field(default_factory=dict)
    funnel: list[tuple[Filter, int]] = field(default_factory=list)


def gather_bench(
    tx: Transaction, wanted: Wanted, *, invited: dict[UUID, ProviderFacts], seed: int
) -> Bench:
    """Return the bench of a lead: locked first, then looked at again as the database has it now.

    Candidates come in batches from a random point of the shuffle; those that are not eligible make
    room for the next, until the bench is full or nobody is left.
    """
    bench = Bench()
    eligible: dict[UUID, ProviderFacts] = {}
    batches = queries.candidates(
        tx.session, wanted, now=tx.now, seed=seed, batch=tx.policy.bench_size
    )
    for batch in batches:
        facts = providers.provider_facts(tx.session, batch, now=tx.now)
        # In the order of the shuffle, so that a cut favours nobody.
        shuffled = {each: facts[each] for each in batch if each in facts}
        _look_at(tx, wanted, shuffled, invited, eligible, bench)
        if len(eligible) >= tx.policy.bench_size:
            break
    kept = list(eligible)[: tx.policy.bench_size]
    coverage.lock_providers(tx.session, kept)
    # What another transaction changed while we waited for the locks counts: once more, afresh.
    fresh = providers.provider_facts(tx.session, kept, now=tx.now)
    eligible.clear()
    _look_at(tx, wanted, fresh, invited, eligible, bench)
    bench.credits = queries.lock_credits(tx.session, eligible)
    records = queries.records(tx.session, eligible, now=tx.now)
    for provider_id, provider in sorted(eligible.items()):
        answered, missed = records.get(provider_id, (0, 0))
        bench.seats.append(
            Seat(
                provider=provider,
                fit=rules.fit(wanted, provider, today=tx.now.date()),
                weight=rules.weight(answered=answered, missed=missed),
                credit=bench.credits[provider_id].balance,
                invited_at=bench.credits[provider_id].invited_at,
            )
        )
    bench.funnel = _funnel(tx, wanted, bench)
    return bench


def _look_at(
    tx: Transaction,
    wanted: Wanted,
    facts: dict[UUID, ProviderFacts],
    invited: dict[UUID, ProviderFacts],
    eligible: dict[UUID, ProviderFacts],
    bench: Bench,
) -> None:
    for provider_id, provider in facts.items():
        found = obstacle(
            wanted,
            provider,
            invited=invited,
            now=tx.now,
            impartiality_years=tx.policy.impartiality_years,
        )
        if found is None:
            eligible[provider_id] = provider
        else:
            bench.excluded.append((provider_id, found))


def _funnel(tx: Transaction, wanted: Wanted, bench: Bench) -> list[tuple[Filter, int]]:
    """Return how many each filter left: of all by the coverage row, then of those looked at."""
    steps = queries.funnel(tx.session, wanted, now=tx.now)
    left = len(bench.seats) + len(bench.excluded)
    for name in LATER_FILTERS:
        left -= sum(found.filter is name for _, found in bench.excluded)
        steps.append((name, left))
    return steps
