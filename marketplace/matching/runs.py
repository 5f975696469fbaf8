"""What a run stores, compactly, and how it is read again: as seats, and as the same choice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy import insert

from marketplace.core.context import Transaction
from marketplace.core.db import Json, new_id
from marketplace.core.direct import Direct
from marketplace.leads.models import Lead
from marketplace.matching import by_hand, rules
from marketplace.matching.bands import Fit
from marketplace.matching.bench import Bench
from marketplace.matching.eligibility import Filter, Wanted
from marketplace.matching.models import MatchingRun
from marketplace.matching.rules import RULE_VERSION, Choice, Seat
from marketplace.providers.rules import ProviderKind


@dataclass(frozen=True)
class Turn:
    """A provider on the bench of a stored run, and what the run did for it."""

    seat: Seat
    gained: float | None
    """None: nobody was chosen from its band, so its credit did not move."""
    place: int | None

    @property
    def credit_after(self) -> float:
        paid = rules.COST_OF_A_TURN if self.place is not None else 0.0
        return round(self.seat.credit + (self.gained or 0.0) - paid, rules.PRECISION)


_runs: Any = MatchingRun.__table__
_WRITE = Direct(
    insert(_runs),
    columns=(
        "id", "lead_id", "at", "rule_version", "seed", "wanted", "funnel", "market", "bench",
        "clashes", "excluded", "outcome", "by_hand_because",
    ),
)  # fmt: skip


def store_run(
    tx: Transaction,
    lead: Lead,
    wanted: Wanted,
    bench: Bench,
    choice: Choice,
    places: Sequence[int],
    *,
    needed_kinds: Sequence[ProviderKind],
    seed: int,
    outcome: str,
    by_hand_because: str | None = None,
) -> None:
    """Write down what the run saw, whom it chose and why."""
    place_of = {seat.provider_id: place for place, seat in zip(places, choice.chosen, strict=False)}
    turns = [
        Turn(seat, choice.gained.get(seat.provider_id), place_of.get(seat.provider_id))
        for seat in bench.seats
    ]
    _WRITE.run(
        tx.session,
        {
            "id": new_id(),
            "lead_id": lead.id,
            "at": tx.now,
            "rule_version": RULE_VERSION,
            "seed": seed,
            "wanted": {
                "service": wanted.service,
                "editions": dict(wanted.editions),
                "ended": list(wanted.ended),
                "regions": list(wanted.regions),
                "headcount": wanted.headcount,
                "sector": wanted.sector,
                "remote_ok": wanted.remote_ok,
                "weeks": wanted.weeks,
                "language": wanted.language,
                "places": list(places),
                "needed_kinds": list(needed_kinds),
            },
            "funnel": Jsonb([{"filter": name, "left": left} for name, left in bench.funnel.left]),
            "market": {"looked_at": bench.funnel.looked_at, "providers": bench.funnel.providers},
            "bench": _packed(turns),
            "clashes": Jsonb([[str(one), str(other)] for one, other in bench.clashes]),
            "excluded": Jsonb(
                [
                    *(
                        {"filter": name, "provider_ids": [str(each) for each in ids]}
                        for name, ids in bench.funnel.excluded.items()
                    ),
                    *(
                        {"filter": found.filter, "provider_ids": [str(each)], "why": found.why}
                        for each, found in bench.lost
                    ),
                ]
            ),
            "outcome": outcome,
            "by_hand_because": by_hand_because,
        },
    )


def _packed(turns: Sequence[Turn]) -> Json:
    """Return a bench with every kind of fit written once, and a seat as a list."""
    fits: dict[Fit, int] = {}
    seats = [
        [
            str(turn.seat.provider_id),
            turn.seat.kind,
            fits.setdefault(turn.seat.fit, len(fits)),
            turn.seat.weight,
            turn.seat.credit,
            turn.gained,
            _utc(turn.seat.invited_at),
            turn.place,
        ]
        for turn in turns
    ]
    return {"fits": [[fit.band, list(fit.lacks)] for fit in fits], "seats": seats}


def _utc(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


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
    again = replayed(run)
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
