"""What a run stores, compactly: what it saw, whom it chose, and how that was decided."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from psycopg.types.json import Jsonb
from sqlalchemy import insert

from marketplace.core.context import Transaction
from marketplace.core.db import Json, new_id
from marketplace.core.direct import Direct
from marketplace.leads.models import Lead
from marketplace.matching.bands import Fit
from marketplace.matching.bench import Bench
from marketplace.matching.eligibility import Filter, Wanted
from marketplace.matching.models import MatchingRun
from marketplace.matching.rules import RULE_VERSION, Choice, Round
from marketplace.matching.runs import Turn
from marketplace.providers.rules import ProviderKind

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
    last: MatchingRun | None = None,
) -> None:
    """Write down what the run saw, whom it chose and why.

    A lead that waits is tried again and again. Where the `last` run saw and came to the very same,
    it is noted there that it was so once more, and when.
    """
    place_of = {seat.provider_id: place for place, seat in zip(places, choice.chosen, strict=False)}
    turns = [
        Turn(seat, choice.gained.get(seat.provider_id), place_of.get(seat.provider_id))
        for seat in bench.seats
    ]
    seen = {
        "rule_version": RULE_VERSION,
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
        "funnel": [{"filter": name, "left": left} for name, left in bench.funnel.left],
        "market": {
            "looked_at": bench.funnel.looked_at,
            "providers": bench.funnel.providers,
            "bench_was_full": bench.was_full,
        },
        "bench": _packed(turns, choice.rounds),
        "clashes": [[str(one), str(other)] for one, other in bench.clashes],
        "excluded": _excluded(bench),
        "outcome": outcome,
        "by_hand_because": by_hand_because,
    }
    if last is not None and all(getattr(last, name) == value for name, value in seen.items()):
        last.times += 1
        last.last_at = tx.now
        return
    lists = {name: Jsonb(value) for name, value in seen.items() if isinstance(value, list)}
    known = {"id": new_id(), "lead_id": lead.id, "at": tx.now, "seed": seed}
    _WRITE.run(tx.session, {**known, **seen, **lists})


_NO_CAPACITY = {
    True: "had as many open invitations as it took",
    False: "had been invited as often that month as it took",
}


def _excluded(bench: Bench) -> list[Json]:
    """Return whom each filter took out, with words where the filter alone does not say why."""
    found: list[Json] = []
    for name, ids in bench.funnel.excluded.items():
        if name is not Filter.CAPACITY:
            found.append({"filter": name, "provider_ids": [str(each) for each in ids]})
            continue
        for is_full, why in _NO_CAPACITY.items():
            these = [str(each) for each in ids if (each in bench.funnel.full) is is_full]
            if these:
                found.append({"filter": name, "provider_ids": these, "why": why})
    return found + [
        {"filter": each.filter, "provider_ids": [str(one)], "why": each.why}
        for one, each in bench.lost
    ]


def _packed(turns: Sequence[Turn], rounds: Sequence[Round]) -> Json:
    """Return a bench with every kind of fit written once, and a seat or a round as a list."""
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
    number = {turn.seat.provider_id: at for at, turn in enumerate(turns)}
    return {
        "fits": [[fit.band, list(fit.lacks)] for fit in fits],
        "seats": seats,
        "rounds": [
            [
                each.kind,
                [number[one] for one in each.taken],
                [number[one] for one in each.scores],
                list(each.scores.values()),
            ]
            for each in rounds
        ],
    }


def _utc(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
