"""Who sits on the bench of a simulated run, as `bench` asks the database for it."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from uuid import UUID

from marketplace.matching import rules
from marketplace.matching.eligibility import obstacle
from marketplace.matching.rules import Seat
from marketplace.matching.simulation.books import Books
from marketplace.matching.simulation.ground import Ground
from marketplace.matching.simulation.strategies import Candidate
from marketplace.providers.rules import ProviderFacts, ProviderKind


@dataclass(frozen=True)
class Turn:
    """What a run for a lead begins with."""

    lead: int
    now: datetime
    seed: int
    invited: Mapping[UUID, ProviderFacts]
    """Everybody who was ever invited to the lead."""
    needed_kinds: Sequence[ProviderKind]


class Seating:
    """The benches of a simulation."""

    def __init__(self, ground: Ground, books: Books) -> None:
        self.ground, self.books = ground, books

    def may_have(
        self, lead: int, provider_id: UUID, invited: Mapping[UUID, ProviderFacts], now: datetime
    ) -> bool:
        """Return whether a provider is eligible now."""
        return not obstacle(
            self.ground.market.requests[lead].wanted,
            self.books.facts[provider_id],
            invited=invited,
            now=now,
            impartiality_years=self.ground.policy.impartiality_years,
        )

    def bench(self, turn: Turn) -> list[ProviderFacts]:
        """Return who is eligible now, up to a bench of them from a random point of the shuffle.

        A needed kind that is rare keeps a share of a full bench.
        """
        size = self.ground.policy.bench_size
        found = list(islice(self._eligible(turn), size))
        if len(found) >= size:
            share = size // (len(turn.needed_kinds) + 1)
            for kind in turn.needed_kinds:
                if sum(each.kind is kind for each in found) < share:
                    of_kind = (each for each in self._eligible(turn) if each.kind is kind)
                    rare = list(islice(of_kind, share))
                    others = [each for each in found if each.kind is not kind]
                    found = others[: size - len(rare)] + rare
        return found

    def _eligible(self, turn: Turn) -> Iterator[ProviderFacts]:
        in_order = self.ground.candidates(turn.lead)
        # drawn from a seed, to be replayed
        start = random.Random(turn.seed).randrange(len(self.ground.market.members) or 1)  # nosec B311
        first = [each for each, place in in_order.items() if place >= start]
        rest = [each for each, place in in_order.items() if place < start]
        for each in (*first, *rest):
            if self.may_have(turn.lead, each, turn.invited, turn.now):
                yield self.books.facts[each]

    def candidates(self, turn: Turn, bench: Sequence[ProviderFacts]) -> list[Candidate]:
        """Return everybody on a bench as the strategies see them."""
        # drawn from a seed, to be replayed
        lottery = random.Random(f"lots {turn.seed}")  # nosec B311
        return [
            Candidate(
                seat=self._seat(turn, provider),
                served=self.books.served[provider.id],
                answer=self.ground.answer(turn.lead, provider.id),
                room=1 - provider.used_this_month(turn.now) / provider.monthly_capacity,
                lot=lottery.random(),
            )
            for provider in bench
        ]

    def _seat(self, turn: Turn, provider: ProviderFacts) -> Seat:
        account, policy = self.books.outcome.accounts[provider.id], self.ground.policy
        return Seat(
            provider_id=provider.id,
            kind=provider.kind,
            fit=self.ground.fit(turn.lead, provider, turn.now.date()),
            weight=rules.weight(
                answered=account.answered,
                missed=account.missed,
                prior=policy.record_prior,
                bounds=policy.weight_bounds,
            ),
            credit=account.balance,
            invited_at=account.invited_at,
        )
