"""Why these three, and why not that one: what a stored run says in words, by itself."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from marketplace.core.actors import Actor
from marketplace.core.context import Context
from marketplace.core.db import Json
from marketplace.core.errors import NotFound
from marketplace.invitations import queries as invitations
from marketplace.leads import queries as leads
from marketplace.leads.models import Lead
from marketplace.matching import queries, runs
from marketplace.matching.eligibility import Filter, obstacle
from marketplace.matching.models import MatchingRun
from marketplace.matching.reasons import reasons
from marketplace.matching.runs import Turn
from marketplace.providers.facts import provider_facts


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
            answer = _why_not(ctx, session, lead, provider_id, stored)
        return {
            "waiting_since": lead.waiting_since,
            "waiting_reason": lead.waiting_reason,
            "waiting_code": lead.waiting_code,
            "why_not": answer,
            "runs": [view(run) for run in stored],
        }


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
            {
                "provider_id": str(provider_id),
                "filter": name,
                "why": why or _why_excluded(name, run),
            }
            for provider_id, (name, why) in runs.excluded_by(run).items()
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


def _why_excluded(name: Filter, run: MatchingRun) -> str:
    """Return in words what a filter asked, by what the lead wanted."""
    wanted = run.wanted
    standards = ", ".join(
        f"{code} (edition {edition})" for code, edition in wanted["editions"].items()
    )
    sector = f" for sector {wanted['sector']}" if wanted["sector"] else ""
    return {
        Filter.KIND: f"is not of the kind that a request for {wanted['service']} is for",
        Filter.EDITION: "could not be invited: the time to ask for the edition of "
        f"{' and '.join(wanted.get('ended', ()))} was over",
        Filter.STATE: "was not verified",
        Filter.STANDARDS: f"does not offer all of {', '.join(wanted['editions'])}",
        Filter.REGIONS: f"does not cover {', '.join(wanted['regions'])}"
        + (" nor work remotely" if wanted["remote_ok"] else ""),
        Filter.HEADCOUNT: f"does not take businesses of {wanted['headcount']} people",
        Filter.CAPACITY: "had no free capacity, at once or in that month",
        Filter.PAUSE: "was on leave or had paused invitations",
        Filter.ACCREDITATION: "held no verified and current accreditation by a recognised body for "
        f"each of {standards}{sector}",
        Filter.INVITED: "was invited to this request before",
        Filter.IMPARTIALITY: "was related to a provider that was invited to this request, or to "
        "one that had advised the business, or had advised it itself",
    }[name]


def _why_not(
    ctx: Context, session: Session, lead: Lead, provider_id: UUID, stored: Sequence[MatchingRun]
) -> str:
    """Return in a sentence why a provider was not invited: what runs saw, or what is so now."""
    now = ctx.clock()
    held = invitations.invitations_for_lead(session, lead.id)
    facts = provider_facts(session, [provider_id, *(each.provider_id for each in held)], now=now)
    if provider_id not in facts:
        raise NotFound("no such provider")
    name = facts[provider_id].name
    for each in held:
        if each.provider_id == provider_id:
            return f"{name} was invited, into place {each.place}."
    for run in stored:
        why = reasons(run).get(provider_id)
        if why is not None:
            return f"{name} {why}."
        found = runs.excluded_by(run).get(provider_id)
        if found is not None:
            # What it is now says more than the filter, where it is the same filter still.
            now_so = _hindered_now(ctx, session, lead, facts, provider_id)
            filter_, why = found
            same = now_so is not None and now_so[0] is filter_
            return f"{name} {now_so[1] if now_so and same else why or _why_excluded(filter_, run)}."
    hindered = _hindered_now(ctx, session, lead, facts, provider_id)
    if hindered is not None:
        return f"{name} {hindered[1]}."
    if not stored:
        return f"{name} is eligible; nobody has been looked for yet."
    return (
        f"{name} is eligible, but was not among the {len(runs.turns_of(stored[0]))} providers, "
        "taken from a random point of a shuffled list, over which the turn ran."
    )


def _hindered_now(
    ctx: Context, session: Session, lead: Lead, facts: dict[UUID, Any], provider_id: UUID
) -> tuple[Filter, str] | None:
    now = ctx.clock()
    found = obstacle(
        queries.wanted_of(session, lead, ctx.policy, now.date()),
        facts[provider_id],
        invited={each: known for each, known in facts.items() if each != provider_id},
        now=now,
        impartiality_years=ctx.policy.impartiality_years,
    )
    return None if found is None else (found.filter, found.why)
