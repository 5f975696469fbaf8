"""Who goes first among the eligible: fit before fairness, then everybody's fair turn.

Credit, per band: with `p` places to fill, each eligible provider gains `p x w / sum(w)` (at most
1, what that cuts off shared out again), each invited one pays 1, and the largest credit goes first;
ties by the longest wait, then by a seeded draw. Credits never reset. Money is no argument here.
"""

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID

from marketplace.matching.eligibility import Wanted, counting, covers, related_obstacle
from marketplace.providers.rules import ProviderFacts, ProviderKind

RULE_VERSION = "1"


@dataclass(frozen=True)
class Fit:
    """How well an eligible provider fits a lead: 0 is best, one more for everything that lacks."""

    band: int
    lacks: tuple[str, ...]


def fit(wanted: Wanted, provider: ProviderFacts, *, today: date) -> Fit:
    """Return the band of an eligible provider, and in words what keeps it from a better one."""
    if provider.kind is ProviderKind.CONSULTANT:
        knows_sector = wanted.sector is None or wanted.sector in provider.sectors
        lacks = set() if knows_sector else {f"not known to cover sector {wanted.sector}"}
    else:
        lacks = _scope_unknown(wanted, provider, today=today)
    if not all(covers(provider, region) for region in wanted.regions):
        lacks.add("works remotely, without a presence in the region")
    return Fit(len(lacks), tuple(sorted(lacks)))


def _scope_unknown(wanted: Wanted, provider: ProviderFacts, *, today: date) -> set[str]:
    """Return what a body's accreditations leave unsaid, by the one that says most per standard.

    One of them has to say it all: the edition of one and the sector of another make no scope.
    """
    unsaid: set[str] = set()
    for code, edition in wanted.editions.items():
        each_unsaid = [
            ({"accreditation does not say for which edition it is"} if not held.edition else set())
            | (
                {f"not known to cover sector {wanted.sector}"}
                if wanted.sector is not None and held.sectors is None
                else set()
            )
            for held in counting(provider, code, edition, wanted.sector, today=today)
        ]
        unsaid |= min(each_unsaid, key=len, default=set())
    return unsaid


PRIOR_ANSWERED, PRIOR_MISSED = 8.0, 2.0
"""What is believed of a provider without a record: ten invitations, eight of them answered."""

LEAST_WEIGHT, MOST_WEIGHT = 0.5, 1.25


def weight(*, answered: int, missed: int) -> float:
    """Return how large a provider's share is: 1 without a record, gently moved by it.

    A Beta prior shrinks short records towards the middle, and the bounds keep it gentle: a gate
    and a weight, never a sort key.
    """
    believed = (answered + PRIOR_ANSWERED) / (answered + missed + PRIOR_ANSWERED + PRIOR_MISSED)
    expected = PRIOR_ANSWERED / (PRIOR_ANSWERED + PRIOR_MISSED)
    return round(min(MOST_WEIGHT, max(LEAST_WEIGHT, believed / expected)), 4)


@dataclass(frozen=True)
class Seat:
    """One eligible provider on the bench of a run."""

    provider: ProviderFacts
    fit: Fit
    weight: float
    credit: float
    invited_at: datetime | None


@dataclass(frozen=True)
class Choice:
    """What a run decides: who is invited, in order, and what everybody's credit comes to."""

    chosen: tuple[Seat, ...]
    credits: dict[UUID, float]
    """The balance afterwards of every provider whose credit moved."""


def gains(weights: Sequence[float], places: int) -> list[float]:
    """Share out `places` turns by weight, nobody getting more than one turn.

    What the cap cuts off is shared out among the rest. The sum is `places`, or everybody's 1.
    """
    if places >= len(weights):
        return [1.0] * len(weights)
    shares = [0.0] * len(weights)
    rest = list(range(len(weights)))
    left = float(places)
    while rest:
        per_weight = left / sum(weights[index] for index in rest)
        capped = [index for index in rest if weights[index] * per_weight >= 1.0]
        if not capped:
            for index in rest:
                shares[index] = weights[index] * per_weight
            return shares
        for index in capped:
            shares[index] = 1.0
        left -= len(capped)
        rest = [index for index in rest if index not in capped]
    return shares


def choose(
    bench: Sequence[Seat],
    places: int,
    *,
    needed_kinds: Collection[ProviderKind],
    today: date,
    seed: int,
) -> Choice:
    """Return who of the bench is invited to `places` empty places, best band first.

    `needed_kinds`: kinds of which one has to be among the invited where one is eligible ("either").
    The same bench, places and seed give the same answer whatever the order of the bench.
    """
    table = _Table(bench, today=today, seed=seed)
    kinds = sorted(needed_kinds)[:places]
    for index, kind in enumerate(kinds):
        table.fill(1, kind=kind, beside=kinds[index + 1 :])
    table.fill(places - len(table.chosen))
    return Choice(tuple(table.chosen), table.moved())


class _Table:
    """The bench while it is being chosen from."""

    def __init__(self, bench: Sequence[Seat], *, today: date, seed: int) -> None:
        ordered = sorted(bench, key=lambda seat: seat.provider.id)
        draw = random.Random(seed)
        self._lots = {seat.provider.id: draw.random() for seat in ordered}
        self._before = {seat.provider.id: seat.credit for seat in ordered}
        self._seats = ordered
        self._today = today
        self.chosen: list[Seat] = []

    def fill(
        self,
        places: int,
        *,
        kind: ProviderKind | None = None,
        beside: Collection[ProviderKind] = (),
    ) -> None:
        """Choose up to `places` seats (of `kind`), band by band.

        `beside`: kinds of which one has to come after. Whoever rules the last of them out goes
        only where everybody does.
        """
        open_to = [
            seat
            for seat in self._seats
            if (kind is None or seat.provider.kind is kind) and not self._is_out(seat)
        ]
        open_to = [seat for seat in open_to if self._leaves_one_of(seat, beside)] or open_to
        able = {seat.provider.id for seat in open_to}
        for band in sorted({seat.fit.band for seat in open_to}):
            pool = [
                seat
                for seat in self._seats
                if seat.fit.band == band and seat.provider.id in able and not self._is_out(seat)
            ]
            places -= self._fill_from(pool, places)

    def _fill_from(self, pool: list[Seat], places: int) -> int:
        """Let the pool gain its turns, and take the largest credits; return how many were taken.

        It gains as many turns as are taken, so that credit is neither made nor lost.
        """
        places = min(places, len(pool))
        while places > 0:
            shares = gains([seat.weight for seat in pool], places)
            grown = [
                replace(seat, credit=seat.credit + share)
                for seat, share in zip(pool, shares, strict=True)
            ]
            taken = self._first(grown, places)
            if len(taken) == places:
                after = {seat.provider.id: seat for seat in (*grown, *taken)}
                self._seats = [after.get(seat.provider.id, seat) for seat in self._seats]
                self.chosen += taken
                return places
            places = len(taken)
        return 0

    def _first(self, grown: list[Seat], places: int) -> list[Seat]:
        """Return up to `places` whose turn it is, each having paid for it."""
        taken: list[Seat] = []
        for seat in sorted(grown, key=self._turn):
            # Two of one pool may be each other's relatives: then the first of them goes.
            if len(taken) < places and not self._is_out(seat, beside=taken):
                taken.append(replace(seat, credit=seat.credit - 1.0))
        return taken

    def _leaves_one_of(self, seat: Seat, kinds: Collection[ProviderKind]) -> bool:
        """Return whether of each of `kinds` somebody could still sit beside this seat."""
        return all(
            any(
                other.provider.kind is kind and not self._is_out(other, beside=[seat])
                for other in self._seats
            )
            for kind in kinds
        )

    def _turn(self, seat: Seat) -> tuple[float, float, float]:
        waited_since = seat.invited_at.timestamp() if seat.invited_at else float("-inf")
        return (-round(seat.credit, 9), waited_since, self._lots[seat.provider.id])

    def _is_out(self, seat: Seat, *, beside: Collection[Seat] = ()) -> bool:
        """Return whether a seat is taken, or may not sit beside one that is."""
        taken = [each.provider for each in (*self.chosen, *beside)]
        if any(each.id == seat.provider.id for each in taken):
            return True
        return related_obstacle(seat.provider, taken, today=self._today) is not None

    def moved(self) -> dict[UUID, float]:
        """Return the balances that are not what they were; none at all if nobody was chosen."""
        if not self.chosen:
            return {}
        return {
            seat.provider.id: seat.credit
            for seat in self._seats
            if seat.credit != self._before[seat.provider.id]
        }


def places_by_kind(
    kinds: Collection[ProviderKind], held: Collection[ProviderKind]
) -> frozenset[ProviderKind]:
    """Return the kinds of which a lead that asks for either has none yet."""
    return frozenset(kinds) - frozenset(held) if len(kinds) > 1 else frozenset()
