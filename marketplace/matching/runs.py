"""How a stored run is read again: as seats, as the rounds that decided, and as the same choice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from marketplace.matching import by_hand, rules
from marketplace.matching.bands import Fit
from marketplace.matching.eligibility import Filter
from marketplace.matching.models import MatchingRun
from marketplace.matching.rules import RULE_VERSION, Choice, Round, Seat
from marketplace.providers.rules import ProviderKind


@dataclass(frozen=True)
class Turn:
    """A provider on the bench of a stored run, and what the run did for it."""

    seat: Seat
    gained: float | None
    """None: nobody was chosen from its band, so its credit did not move."""
    place: int | None

    @property
    def band(self) -> int:
        return self.seat.fit.band

    @property
    def score(self) -> float:
        """What it stood with when the last turn that it had a share of was decided."""
        return round(self.seat.credit + (self.gained or 0.0), rules.PRECISION)

    @property
    def credit_after(self) -> float:
        paid = rules.COST_OF_A_TURN if self.place is not None else 0.0
        return round(self.seat.credit + (self.gained or 0.0) - paid, rules.PRECISION)


def turns_of(run: MatchingRun) -> list[Turn]:
    """Return everybody on the bench of a stored run, whatever version of the rules stored it."""
    if run.rule_version == "1":
        return [_turn_of_version_1(seat) for seat in run.bench]
    fits = [Fit(band, tuple(lacks)) for band, lacks in run.bench["fits"]]
    return [
        Turn(
            Seat(
                provider_id=UUID(each),
                kind=ProviderKind(kind),
                fit=fits[fit],
                weight=weight,
                credit=credit,
                invited_at=None if invited_at is None else datetime.fromisoformat(invited_at),
            ),
            gained,
            place,
        )
        for each, kind, fit, weight, credit, gained, invited_at, place in run.bench["seats"]
    ]


def _turn_of_version_1(seat: Mapping[str, Any]) -> Turn:
    invited_at, place = seat["invited_at"], seat["place"]
    paid = rules.COST_OF_A_TURN if place is not None else 0.0
    return Turn(
        Seat(
            provider_id=UUID(seat["provider_id"]),
            kind=ProviderKind(seat["kind"]),
            fit=Fit(seat["band"], tuple(seat["lacks"])),
            weight=seat["weight"],
            credit=seat["credit_before"],
            invited_at=None if invited_at is None else datetime.fromisoformat(invited_at),
        ),
        gained=round(seat["credit_after"] - seat["credit_before"] + paid, 6),
        place=place,
    )


def rounds_of(run: MatchingRun) -> list[Round]:
    """Return how a stored run decided, round by round, whatever version of the rules stored it.

    Where that was not written down yet: as the rules of today would, if they decide the same;
    else as if every band had been decided at once.
    """
    turns = turns_of(run)
    if run.rule_version == "1" or "rounds" not in run.bench:
        again = replayed(run)
        return [*again.rounds] if _is_the_same(again, run) else _rounds_by_band(turns)
    ids = [turn.seat.provider_id for turn in turns]
    return [
        Round(
            kind=None if kind is None else ProviderKind(kind),
            scores={ids[at]: score for at, score in zip(seats, scores, strict=True)},
            taken=tuple(ids[at] for at in taken),
        )
        for kind, taken, seats, scores in run.bench["rounds"]
    ]


def _rounds_by_band(turns: Sequence[Turn]) -> list[Round]:
    chosen = sorted((turn for turn in turns if turn.place), key=lambda turn: turn.place or 0)
    return [
        Round(
            kind=None,
            scores={turn.seat.provider_id: turn.score for turn in turns if turn.band == band},
            taken=tuple(turn.seat.provider_id for turn in chosen if turn.band == band),
        )
        for band in sorted({turn.band for turn in chosen})
    ]


def replayed(run: MatchingRun) -> Choice:
    """Return what the rules of today choose from what a stored run saw; or make of a choice."""
    turns = turns_of(run)
    bench = [turn.seat for turn in turns]
    needed_kinds = [ProviderKind(kind) for kind in run.wanted.get("needed_kinds", ())]
    if run.by_hand_because is not None:
        (chosen,) = (turn.seat.provider_id for turn in turns if turn.place is not None)
        return by_hand.choice_of(bench, chosen, needed_kinds=needed_kinds)
    return rules.choose(
        bench,
        len(run.wanted["places"]),
        needed_kinds=needed_kinds,
        clashes=[(UUID(one), UUID(other)) for one, other in run.clashes],
        seed=run.seed,
    )


def replay_agrees(run: MatchingRun) -> bool | None:
    """Return whether a replay gives the same answer; None where other rules stored the run."""
    if run.rule_version != RULE_VERSION:
        return None
    return _is_the_same(replayed(run), run)


def _is_the_same(again: Choice, run: MatchingRun) -> bool:
    chosen = {turn.place: turn.seat.provider_id for turn in turns_of(run) if turn.place}
    same_places = [seat.provider_id for seat in again.chosen] == [
        chosen[place] for place in run.wanted["places"] if place in chosen
    ]
    same_gains = all(
        again.gained.get(turn.seat.provider_id) == turn.gained for turn in turns_of(run)
    )
    return same_places and same_gains


def excluded_by(run: MatchingRun) -> dict[UUID, tuple[Filter, str | None]]:
    """Return which filter took out whom, of those that the run names; with the words it kept."""
    found: dict[UUID, tuple[Filter, str | None]] = {}
    for entry in run.excluded:
        ids = entry.get("provider_ids") or [entry["provider_id"]]
        for each in ids:
            found[UUID(each)] = (Filter(entry["filter"]), entry.get("why"))
    return found
