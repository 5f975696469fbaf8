"""Why these three, and why not that one: what a stored run says in words, by itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from marketplace.core.actors import Actor
from marketplace.core.context import Context
from marketplace.core.db import Json
from marketplace.leads import queries as leads
from marketplace.matching import queries, runs
from marketplace.matching.models import MatchingRun
from marketplace.matching.reasons import excluded, reasons
from marketplace.matching.runs import Turn
from marketplace.matching.why_not import why_not


def outcome_of(chosen: int, wanted: int, eligible: int, why: str | None) -> str:
    """Return in one sentence what a run came to."""
    said = f"{chosen} of {wanted} empty places filled from {eligible} eligible"
    return said if why is None else f"{said}: {why}"


def explain_matching(
    ctx: Context, actor: Actor, lead_id: UUID, *, provider_id: UUID | None = None
) -> dict[str, Any]:
    """Return every run for a lead, and why one provider was not invited, if one is named."""
    actor.require_admin()
    with ctx.reading() as session:
        lead = leads.lead_of(session, actor, lead_id)
        stored = queries.runs_of_lead(session, lead.id)
        answer = None
        if provider_id is not None:
            answer = why_not(session, lead, provider_id, stored, policy=ctx.policy, now=ctx.clock())
        return {
            "waiting_since": lead.waiting_since,
            "waiting_reason": lead.waiting_reason,
            "waiting_code": lead.waiting_code,
            "why_not": answer,
            "runs": [view(run) for run in stored],
        }


@dataclass(frozen=True)
class Explained:
    """The runs for a lead, one of them unfolded, and why one provider was not invited."""

    runs: Sequence[MatchingRun]
    """The latest first."""
    run: Json | None
    """The one that was asked for, else the latest."""
    why_not: str | None


def explain_run(
    ctx: Context, actor: Actor, lead_id: UUID, *, run_id: UUID | None, provider_id: UUID | None
) -> Explained:
    """Return one run for a lead with its bench and reasons: to be looked at one by one."""
    actor.require_admin()
    with ctx.reading() as session:
        lead = leads.lead_of(session, actor, lead_id)
        stored = queries.runs_of_lead(session, lead.id)
        asked = next((run for run in stored if run.id == run_id), stored[0] if stored else None)
        answer = None
        if provider_id is not None:
            answer = why_not(session, lead, provider_id, stored, policy=ctx.policy, now=ctx.clock())
        return Explained(stored, view(asked) if asked else None, answer)


def view(run: MatchingRun) -> Json:
    """Return a stored run with its packed bench unfolded, and a reason beside everybody."""
    turns, why = runs.turns_of(run), reasons(run)
    return {
        **run.columns,
        "replay_agrees": runs.replay_agrees(run),
        "bench": [
            {
                "provider_id": str(turn.seat.provider_id),
                "kind": turn.seat.kind,
                "band": turn.band,
                "lacks": list(turn.seat.fit.lacks),
                "weight": turn.seat.weight,
                "credit_before": turn.seat.credit,
                "gained": turn.gained,
                "score": turn.score,
                "credit_after": turn.credit_after,
                "invited_at": turn.seat.invited_at,
                "place": turn.place,
                "why": why[turn.seat.provider_id],
            }
            for turn in sorted(turns, key=_as_decided)
        ],
        "rounds": _rounds(run, turns),
        "excluded": [
            {"provider_id": str(provider_id), "filter": name, "why": words}
            for provider_id, (name, words) in excluded(run).items()
        ],
    }


def _as_decided(turn: Turn) -> tuple[int, float, float]:
    waited_since = turn.seat.invited_at.timestamp() if turn.seat.invited_at else float("-inf")
    return (turn.band, -turn.score, waited_since)


def _rounds(run: MatchingRun, turns: Sequence[Turn]) -> list[Json]:
    """Return how the turns were shared out, one round after another."""
    by_id = {turn.seat.provider_id: turn for turn in turns}
    return [
        {
            "kind": each.kind,
            "band": by_id[each.taken[0]].band,
            "places": [by_id[one].place for one in each.taken],
            "scores": [
                {"provider_id": str(one), "score": score} for one, score in each.scores.items()
            ],
        }
        for each in runs.rounds_of(run)
    ]
