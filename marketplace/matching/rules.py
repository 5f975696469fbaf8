"""Who goes first among the eligible: fit before fairness, then everybody's fair turn.

Credit, per band: with `p` places to fill, each eligible provider gains `p x w / sum(w)` (at most
1, what that cuts off shared out again), each invited one pays 1, and the largest credit goes first;
ties by the longest wait, then by a seeded draw. Credits never reset. Money is no argument here.
"""

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from marketplace.invitations.rules import DeclineReason, InvitationState
from marketplace.matching.bands import Fit
from marketplace.providers.rules import ProviderKind

RULE_VERSION = "3"
"""Written on every run; a run of another version is not replayed by these rules."""

PRECISION = 9
"""Decimal places of a turn: a balance is the same number when it is read again."""


def weight(
    *, answered: float, missed: float, prior: tuple[float, float], bounds: tuple[float, float]
) -> float:
    """Return how large a provider's share is: 1 without a record, gently moved by it.

    A Beta prior (answered, missed) shrinks short records towards the middle, and the bounds keep it
    gentle: a gate and a weight, never a sort key.
    """
    believed = (answered + prior[0]) / (answered + missed + sum(prior))
    expected = prior[0] / sum(prior)
    least, most = bounds
    return round(min(most, max(least, believed / expected)), 4)


class Refund(StrEnum):
    """Whether the turn that an invitation cost comes back."""

    NEVER = "never"
    IF_OUT_OF_SCOPE_AND_SOON = "if_out_of_scope_and_soon"
    """A few times a month: a lead that is none of its business should cost a provider nothing."""
    IF_TAKEN_BACK_EARLY = "if_taken_back_early"
    """The request finished before it had had a fair time to answer."""


class Remark(StrEnum):
    """What an end leaves on the provider's record."""

    ANSWERED = "answered"
    ANSWERED_IF_RESPONDED = "answered_if_responded"
    MISSED = "missed"
    NOTHING = "nothing"


@dataclass(frozen=True)
class Settlement:
    """What the end of an invitation means for its holder's ledger."""

    refund: Refund
    remark: Remark


_S = InvitationState
COST_OF_A_TURN = 1.0
"""What every invitation costs, those by hand included; one that comes back costs nothing again."""

SETTLEMENTS = {
    # A quote is an answer at once, whatever becomes of it.
    _S.QUOTED: Settlement(Refund.NEVER, Remark.ANSWERED),
    _S.WON: Settlement(Refund.NEVER, Remark.ANSWERED),
    # Accepted and, when the request finished, not quoted yet: an answer only if it had asked.
    _S.LOST: Settlement(Refund.NEVER, Remark.ANSWERED_IF_RESPONDED),
    _S.DECLINED: Settlement(Refund.IF_OUT_OF_SCOPE_AND_SOON, Remark.ANSWERED),
    # Silence is paid for, or it would be cheaper than a no.
    _S.RELEASED: Settlement(Refund.NEVER, Remark.MISSED),
    _S.EXPIRED: Settlement(Refund.NEVER, Remark.MISSED),
    _S.WITHDRAWN: Settlement(Refund.IF_TAKEN_BACK_EARLY, Remark.NOTHING),
}
"""Every way in which an invitation can end (or be answered for good), and what that means."""


def settled_as(
    state: InvitationState, *, released: bool, accepted: bool, quoted: bool
) -> InvitationState:
    """Return the row of the table by which an invitation is settled: the first it came to.

    What comes after changes nothing, so the ledger is the same whenever an end is entered in it.
    Whoever takes a quote back has answered and had its turn. Whoever comes back after a release has
    cost the business that time: the miss stands, once, and what coming back is worth is the lead.
    To whoever had not accepted when its request finished, a choice is the same as none.
    """
    if released:
        return InvitationState.RELEASED
    if state is InvitationState.LOST and not accepted:
        return InvitationState.WITHDRAWN
    return InvitationState.QUOTED if quoted else state


def remark(state: InvitationState, *, responded: bool, struck: bool = False) -> Remark:
    """Return what an end leaves on its holder's record; it had `responded` by then, or not.

    A miss that an administrator has `struck` leaves nothing.
    """
    found = SETTLEMENTS[state].remark
    if found is Remark.MISSED and struck:
        return Remark.NOTHING
    if found is Remark.ANSWERED_IF_RESPONDED:
        return Remark.ANSWERED if responded else Remark.NOTHING
    return found


@dataclass(frozen=True)
class End:
    """How an invitation ended."""

    state: InvitationState
    lasted: timedelta
    """From when it was sent."""
    decline_reason: DeclineReason | None = None
    took_part: bool = False
    """It had accepted, and said something that the business could see."""
    request_finished: bool = False
    """It was taken back because the request finished, and not because its holder may not stay."""


def refund(
    end: End, *, refunds_this_month: int, soon: timedelta, at_most: int, fair_time: timedelta
) -> float:
    """Return how much of its turn comes back to the provider.

    `soon` and `at_most`: until when a decline as out of scope is refunded, and how often a month
    (or picking cherries would be free). `fair_time`: what everybody gets to answer in.
    """
    kind = SETTLEMENTS[end.state].refund
    if kind is Refund.IF_OUT_OF_SCOPE_AND_SOON:
        deserved = (
            end.decline_reason is DeclineReason.OUT_OF_SCOPE
            and not end.took_part
            and end.lasted <= soon
            and refunds_this_month < at_most
        )
    elif kind is Refund.IF_TAKEN_BACK_EARLY:
        deserved = end.request_finished and end.lasted < fair_time
    else:
        deserved = False
    return COST_OF_A_TURN if deserved else 0.0


@dataclass(frozen=True)
class Seat:
    """One eligible provider on the bench of a run."""

    provider_id: UUID
    kind: ProviderKind
    fit: Fit
    weight: float
    credit: float
    invited_at: datetime | None


Clashes = Collection[tuple[UUID, UUID]]
"""Pairs of the bench that may not both be invited, either way round (`eligibility.clashes`)."""


@dataclass(frozen=True)
class Round:
    """Turns that a run shared out at once, among some of one band, and who took them."""

    kind: ProviderKind | None
    """Among this kind alone, of which one was needed."""
    scores: dict[UUID, float]
    """What each of them stood with when it was decided: what it had until then, and its share."""
    taken: tuple[UUID, ...]
    """Who took them, in order."""


@dataclass(frozen=True)
class Choice:
    """What a run decides: who is invited, in order, and what that does to everybody's credit."""

    chosen: tuple[Seat, ...]
    gained: dict[UUID, float]
    """The share of turns of every provider in a band from which somebody was chosen."""
    credits: dict[UUID, float]
    """Their balances afterwards."""
    rounds: tuple[Round, ...] = ()
    """How it came to that, one after another; nobody is in one who was taken before."""


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


def shares_of_a_turn(gained: Mapping[UUID, float]) -> dict[UUID, float]:
    """Return what everybody in a band gained of one of the turns that a run shared out: together 1.

    A turn that comes back was never dealt, so it is taken from all who had a share of it. Otherwise
    credit would be made from nothing, and whoever joins, with none, would wait behind everybody.
    """
    turns = sum(gained.values())
    return {each: round(share / turns, PRECISION) for each, share in gained.items()}


def choose(
    bench: Sequence[Seat],
    places: int,
    *,
    needed_kinds: Collection[ProviderKind],
    clashes: Clashes = (),
    seed: int,
) -> Choice:
    """Return who of the bench is invited to `places` empty places, best band first.

    `needed_kinds`: kinds of which one has to be among the invited where one is eligible ("either").
    The same bench, places and seed give the same answer whatever the order of the bench.
    """
    table = _Table(bench, clashes, seed)
    kinds = sorted(needed_kinds)[:places]
    for index, kind in enumerate(kinds):
        table.fill(1, kind=kind, beside=kinds[index + 1 :])
    table.fill(places - len(table.chosen))
    return Choice(
        chosen=tuple(table.chosen),
        gained=table.gained,
        credits={each: table.credit[each] for each in table.gained},
        rounds=tuple(table.rounds),
    )


class _Table:
    """The bench while it is being chosen from."""

    def __init__(self, bench: Sequence[Seat], clashes: Clashes, seed: int) -> None:
        self._seats = sorted(bench, key=lambda seat: seat.provider_id)
        draw = random.Random(seed)  # nosec B311  # drawn from a seed, to be replayed
        self._lots = {seat.provider_id: draw.random() for seat in self._seats}
        self._apart: dict[UUID, set[UUID]] = {seat.provider_id: set() for seat in self._seats}
        for one, other in clashes:
            self._apart[one].add(other)
            self._apart[other].add(one)
        self._out: set[UUID] = set()
        self.credit = {seat.provider_id: seat.credit for seat in self._seats}
        self.gained: dict[UUID, float] = {}
        self.chosen: list[Seat] = []
        self.rounds: list[Round] = []

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
        able = [
            seat
            for seat in self._seats
            if (kind is None or seat.kind is kind) and seat.provider_id not in self._out
        ]
        if beside:
            able = [seat for seat in able if self._leaves_one_of(seat, beside)] or able
        for band in sorted({seat.fit.band for seat in able}):
            # Until nobody is left of it: with fewer turns to share out, others may come first.
            while places > 0 and (pool := self._left(able, band)):
                places -= self._fill_from(pool, places, kind)

    def _left(self, able: Sequence[Seat], band: int) -> list[Seat]:
        return [
            seat for seat in able if seat.fit.band == band and seat.provider_id not in self._out
        ]

    def _fill_from(self, pool: list[Seat], places: int, kind: ProviderKind | None) -> int:
        """Let the pool gain its turns, and take the largest credits; return how many were taken.

        It gains as many turns as are taken, so that credit is neither made nor lost.
        """
        places = min(places, len(pool))
        while True:
            shares = gains([seat.weight for seat in pool], places)
            scores = {
                seat.provider_id: round(self.credit[seat.provider_id] + share, PRECISION)
                for seat, share in zip(pool, shares, strict=True)
            }
            taken = self._first(pool, scores, places)
            if len(taken) == places:
                self.rounds.append(Round(kind, scores, tuple(seat.provider_id for seat in taken)))
                self._settle(pool, shares, taken)
                return places
            places = len(taken)

    def _first(self, pool: list[Seat], scores: dict[UUID, float], places: int) -> list[Seat]:
        """Return up to `places` whose turn it is."""

        def turn(seat: Seat) -> tuple[float, float, float]:
            waited_since = seat.invited_at.timestamp() if seat.invited_at else float("-inf")
            return (-scores[seat.provider_id], waited_since, self._lots[seat.provider_id])

        taken: list[Seat] = []
        apart: set[UUID] = set()
        for seat in sorted(pool, key=turn):
            # Two of one pool may be each other's relatives: then the first of them goes.
            if len(taken) < places and seat.provider_id not in apart:
                taken.append(seat)
                apart |= self._apart[seat.provider_id]
        return taken

    def _settle(self, pool: list[Seat], shares: list[float], taken: list[Seat]) -> None:
        paid = {seat.provider_id for seat in taken}
        for seat, share in zip(pool, shares, strict=True):
            each = seat.provider_id
            self.gained[each] = round(self.gained.get(each, 0.0) + share, PRECISION)
            cost = COST_OF_A_TURN if each in paid else 0.0
            self.credit[each] = round(self.credit[each] + share - cost, PRECISION)
        for seat in taken:
            self._out |= {seat.provider_id, *self._apart[seat.provider_id]}
        self.chosen += taken

    def _leaves_one_of(self, seat: Seat, kinds: Collection[ProviderKind]) -> bool:
        """Return whether of each of `kinds` somebody could still sit beside this seat."""
        out = self._out | self._apart[seat.provider_id] | {seat.provider_id}
        return all(
            any(other.kind is kind and other.provider_id not in out for other in self._seats)
            for kind in kinds
        )


def places_by_kind(
    kinds: Collection[ProviderKind], held: Collection[ProviderKind]
) -> frozenset[ProviderKind]:
    """Return the kinds of which a lead that asks for either has none yet."""
    return frozenset(kinds) - frozenset(held) if len(kinds) > 1 else frozenset()
