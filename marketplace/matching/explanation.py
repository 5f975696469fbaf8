"""Why these three: what a run stores, and how it answers "why not me"."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from marketplace.core.actors import Actor
from marketplace.core.context import Context, Transaction
from marketplace.core.db import new_id
from marketplace.core.errors import NotFound
from marketplace.invitations import queries as invitations
from marketplace.leads import queries as leads
from marketplace.leads.models import Lead
from marketplace.matching import queries
from marketplace.matching.bench import Bench
from marketplace.matching.eligibility import Filter, Wanted, obstacle
from marketplace.matching.models import MatchingRun
from marketplace.matching.rules import RULE_VERSION, Choice
from marketplace.providers import queries as providers

WAITING_WORDS = {
    Filter.KIND: "no provider of the kind that is asked for has joined yet",
    Filter.STATE: "no provider of the kind that is asked for is verified yet",
    Filter.STANDARDS: "no verified provider offers all of the standards asked for",
    Filter.REGIONS: "no provider of these standards covers the region",
    Filter.HEADCOUNT: "no provider of these standards takes a business of this size",
    Filter.CAPACITY: "every fitting provider is fully booked",
    Filter.PAUSE: "every fitting provider is on leave",
    Filter.ACCREDITATION: "no fitting body has a current accreditation for what is asked",
    Filter.INVITED: "every fitting provider was asked before",
    Filter.IMPARTIALITY: "impartiality rules out every other fitting provider",
}


def waiting_reason(bench: Bench, still_empty: int) -> str:
    """Return in words why places stay empty: the filter that left nobody more."""
    if bench.seats:
        return f"{still_empty} more fitting provider(s) than there are would be needed"
    for name, left in bench.funnel:
        if left == 0:
            return WAITING_WORDS[name]
    return "nobody could be invited"


def store_run(
    tx: Transaction,
    lead: Lead,
    wanted: Wanted,
    bench: Bench,
    choice: Choice,
    places: Sequence[int],
    *,
    seed: int,
    outcome: str,
) -> None:
    """Write down what the run saw, whom it chose and why."""
    place_of = {seat.provider.id: place for place, seat in zip(places, choice.chosen, strict=False)}
    run = MatchingRun(
        id=new_id(),
        lead_id=lead.id,
        at=tx.now,
        rule_version=RULE_VERSION,
        seed=seed,
        wanted={
            "service": wanted.service,
            "editions": dict(wanted.editions),
            "regions": list(wanted.regions),
            "headcount": wanted.headcount,
            "sector": wanted.sector,
            "remote_ok": wanted.remote_ok,
            "places": list(places),
        },
        funnel=[{"filter": name, "left": left} for name, left in bench.funnel],
        bench=[
            {
                "provider_id": str(seat.provider.id),
                "kind": seat.provider.kind,
                "band": seat.fit.band,
                "lacks": list(seat.fit.lacks),
                "weight": seat.weight,
                "credit_before": round(seat.credit, 6),
                "credit_after": round(choice.credits.get(seat.provider.id, seat.credit), 6),
                "invited_at": _utc(seat.invited_at) if seat.invited_at else None,
                "place": place_of.get(seat.provider.id),
            }
            for seat in bench.seats
        ],
        excluded=[
            {"provider_id": str(provider_id), "filter": found.filter, "why": found.why}
            for provider_id, found in bench.excluded
        ],
        outcome=outcome,
    )
    tx.session.add(run)


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def outcome_of(bench: Bench, chosen: int, wanted: int) -> str:
    """Return in one sentence what a run came to."""
    if chosen == wanted:
        return f"{chosen} of {wanted} empty places filled from {len(bench.seats)} eligible"
    why = waiting_reason(bench, wanted - chosen)
    return f"{chosen} of {wanted} empty places filled from {len(bench.seats)} eligible: {why}"


def explain_matching(
    ctx: Context, actor: Actor, lead_id: UUID, *, provider_id: UUID | None = None
) -> dict[str, Any]:
    """Return every run for a lead, and why one provider was not invited, if one is named."""
    actor.require_admin()
    with ctx.reading() as session:
        lead = leads.lead_of(session, actor, lead_id)
        runs = queries.runs_of_lead(session, lead.id)
        answer = None
        if provider_id is not None:
            answer = _why_not(ctx, session, lead, provider_id, runs)
        return {
            "waiting_since": lead.waiting_since,
            "waiting_reason": lead.waiting_reason,
            "why_not": answer,
            "runs": runs,
        }


def _why_not(
    ctx: Context, session: Session, lead: Lead, provider_id: UUID, runs: Sequence[MatchingRun]
) -> str:
    """Return in a sentence why a provider was not invited: what runs saw, or what is so now."""
    now = ctx.clock()
    held = invitations.invitations_for_lead(session, lead.id)
    facts = providers.provider_facts(
        session, [provider_id, *(each.provider_id for each in held)], now=now
    )
    if provider_id not in facts:
        raise NotFound("no such provider")
    provider = facts[provider_id]
    for each in held:
        if each.provider_id == provider_id:
            return f"{provider.name} was invited, into place {each.place}."
    for run in runs:
        for seat in run.bench:
            if seat["provider_id"] == str(provider_id):
                return f"{provider.name} {_why_passed_over(seat, run)}."
        for excluded in run.excluded:
            if excluded["provider_id"] == str(provider_id):
                return f"{provider.name} {excluded['why']}."
    found = obstacle(
        queries.wanted_of(session, lead, engagement=ctx.policy.engagement),
        provider,
        invited={each.provider_id: facts[each.provider_id] for each in held},
        now=now,
        impartiality_years=ctx.policy.impartiality_years,
    )
    if found is not None:
        return f"{provider.name} {found.why}."
    if not runs:
        return f"{provider.name} is eligible; nobody has been looked for yet."
    return (
        f"{provider.name} is eligible, but was not among the {len(runs[0].bench)} providers, taken "
        "from a random point of a shuffled list, over which the turn ran."
    )


def _why_passed_over(seat: dict[str, Any], run: MatchingRun) -> str:
    invited = [each for each in run.bench if each["place"] is not None]
    better = [each for each in invited if each["band"] < seat["band"]]
    if better and len(better) == len(invited):
        return "was eligible, but all the places went to a better fit: it " + (
            " and ".join(seat["lacks"]) or "fits less well"
        )
    return (
        f"was eligible, but it was the turn of others: its credit of {seat['credit_before']:.2f} "
        "turns (or, at the same credit, its wait) came behind theirs"
    )
