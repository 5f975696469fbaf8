"""What is the same under every strategy: who could ever be eligible, how well they fit, their luck.

Worked out once per market and policy, when it is first asked for, by the rules of the product.
"""

import random
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from marketplace.core.policy import Policy
from marketplace.matching import bands
from marketplace.matching.bands import Fit
from marketplace.matching.eligibility import Filter, obstacle
from marketplace.matching.simulation.answering import Answer, answer
from marketplace.matching.simulation.markets import Market
from marketplace.notifications.rules import commitment_times
from marketplace.providers.rules import ProviderFacts

LASTING = frozenset(
    {Filter.KIND, Filter.EDITION, Filter.STANDARDS, Filter.REGIONS, Filter.HEADCOUNT}
)
"""What keeps a provider of a simulated market from a lead keeps it from it for good."""


class Ground:
    """A market under a policy, to run strategies on."""

    def __init__(self, market: Market, policy: Policy) -> None:
        self.market, self.policy = market, policy
        self._habits = {each.facts.id: each.habits for each in market.members}
        self._candidates: dict[int, dict[UUID, int]] = {}
        self._answers: dict[tuple[int, UUID], Answer] = {}
        self._fits: dict[tuple[int, UUID, date], Fit] = {}

    def candidates(self, lead: int) -> Mapping[UUID, int]:
        """Return who could be eligible for a lead at some time: places in the shuffle, rising."""
        if lead not in self._candidates:
            request = self.market.requests[lead]
            self._candidates[lead] = {
                member.facts.id: place
                for place, member in enumerate(self.market.members)
                if not self._is_out(lead, member.facts, request.opened_at)
            }
        return self._candidates[lead]

    def _is_out(self, lead: int, provider: ProviderFacts, now: datetime) -> bool:
        first = obstacle(
            self.market.requests[lead].wanted,
            provider,
            invited={},
            now=now,
            impartiality_years=self.policy.impartiality_years,
        )
        return first is not None and first.filter in LASTING

    def answer(self, lead: int, provider_id: UUID) -> Answer:
        """Return what a provider does with a lead if it is ever invited to it."""
        key = lead, provider_id
        if key not in self._answers:
            self._answers[key] = answer(
                self._habits[provider_id],
                provider_id,
                self.market.requests[lead].id,
                seed=self.market.seed,
            )
        return self._answers[key]

    def fit(self, lead: int, provider: ProviderFacts, today: date) -> Fit:
        """Return how well a provider that is eligible today fits a lead."""
        key = lead, provider.id, today
        if key not in self._fits:
            wanted = self.market.requests[lead].wanted
            points = self.policy.band_points
            self._fits[key] = bands.fit(wanted, provider, today=today, points=points)
        return self._fits[key]

    def due_at(self, lead: int) -> datetime:
        """Return when the first response to a lead is due; a simulated market has clock hours."""
        times = commitment_times(
            self.market.requests[lead].opened_at,
            window=self.policy.response_window,
            at_risk_share=self.policy.at_risk_share,
        )
        return times.due_at

    def finishes_at(self, lead: int) -> datetime:
        """Return when a lead is finished: by the business, or when its time has run out."""
        request = self.market.requests[lead]
        return min(request.finished_at, request.opened_at + self.policy.lead_lifetime)

    def seed(self, lead: int, run: int) -> int:
        """Return the seed of a lead's next run."""
        # drawn from a seed, to be replayed
        return random.Random(f"{self.market.seed} {lead} {run}").getrandbits(62)  # nosec B311

    def turning_points(self) -> list[datetime]:
        """Return when time alone may help leads that wait: months and accreditations begin."""
        starts_at, ends_at = self.market.starts_at, self.market.ends_at + self.policy.lead_lifetime
        days = {starts_at.date() + timedelta(days=n) for n in range((ends_at - starts_at).days + 1)}
        begins = {
            held.valid_from
            for member in self.market.members
            for held in member.facts.accreditations
        }
        return [
            datetime(day.year, day.month, day.day, tzinfo=UTC)
            for day in sorted(days)
            if day > starts_at.date() and (day.day == 1 or day in begins)
        ]
