"""Whom an administrator may invite to a lead now, by hand, and why not whom it looked for."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from marketplace.core.actors import Actor
from marketplace.core.context import Context
from marketplace.core.errors import Conflict
from marketplace.core.policy import Policy
from marketplace.invitations import queries as invitations
from marketplace.invitations import rules as invitation_rules
from marketplace.invitations.models import Invitation
from marketplace.leads import queries as leads
from marketplace.leads.models import Lead
from marketplace.matching import bench, by_hand, conditions, queries, rules
from marketplace.matching.eligibility import clashes, obstacle
from marketplace.providers import directory
from marketplace.providers.facts import provider_facts
from marketplace.providers.models import Provider
from marketplace.providers.rules import ProviderFacts, ProviderState


@dataclass(frozen=True)
class Hindered:
    """A provider that may not be invited, and what hinders it, as a sentence goes on."""

    provider: ProviderFacts
    why: str


@dataclass(frozen=True)
class Invitable:
    """Providers by name: those that may be invited, and those looked for that may not."""

    may: Sequence[ProviderFacts]
    may_not: Sequence[Hindered]
    has_more: bool
    """There are others: another word finds them."""


def invitable(ctx: Context, actor: Actor, lead_id: UUID, *, words: str, at_most: int) -> Invitable:
    """Return who may be invited, or, of those who are called by these `words`, who may and who not.

    `Conflict` says why nobody may. What is said is so now: an invitation looks again.
    """
    actor.require_admin()
    now, policy = ctx.clock(), ctx.policy
    with ctx.reading() as session:
        lead = leads.lead_of(session, actor, lead_id)
        held = invitations.invitations_for_lead(session, lead.id)
        places, left = room(lead, held, policy=policy, now=now)
        wanted = queries.wanted_of(session, lead, policy, now.date())
        invited = provider_facts(session, [each.provider_id for each in held], now=now)
        held_kinds = {invited[each.provider_id].kind for each in held if each.is_live}
        needed_kinds = sorted(rules.places_by_kind(wanted.kinds, held_kinds))
        years = policy.impartiality_years
        asked = conditions.asked(wanted, invited=invited, now=now, impartiality_years=years)
        drawn = bench.drawn(
            session, wanted, asked, needed_kinds, seed=lead.id.int, size=policy.bench_size
        )
        named = _named(session, words, at_most + 1) if words else drawn
        facts = provider_facts(session, {*drawn, *named}, now=now)
    hindered = {}
    for each in facts.values():
        it = obstacle(wanted, each, invited=invited, now=now, impartiality_years=years)
        if it is not None:
            hindered[each.id] = it.why
    eligible = [each for each in facts.values() if each.id not in hindered]
    kinds, apart = {each.id: each.kind for each in eligible}, clashes(eligible, today=now.date())
    for each in eligible:
        kind = by_hand.kept_out(
            kinds, each.id, places=min(len(places), left) - 1,
            needed_kinds=needed_kinds, clashes=apart,
        )  # fmt: skip
        if kind is not None:
            hindered[each.id] = by_hand.leaves_no_place(kind)
    shown = sorted((facts[each] for each in named if each in facts), key=lambda each: each.name)
    may = [each for each in shown if each.id not in hindered]
    may_not = [Hindered(each, hindered[each.id]) for each in shown if each.id in hindered]
    return Invitable(
        may=may[:at_most],
        may_not=may_not[:at_most] if words else [],
        has_more=len(named) > at_most,
    )


def room(
    lead: Lead, held: Sequence[Invitation], *, policy: Policy, now: datetime
) -> tuple[list[int], int]:
    """Return the free places of a lead and how many may be invited at all, or raise `Conflict`."""
    lead.require_running(now)
    places = invitation_rules.free_places([each.holding for each in held], places=policy.places)
    if not places:
        raise Conflict("all places of this request are taken")
    left = policy.max_invitations - len(held)
    if left <= 0:
        raise Conflict("this request has led to as many invitations as one may")
    return places, left


def _named(session: Session, words: str, limit: int) -> Collection[UUID]:
    """Return who is called that, those that are verified before others."""
    rows = directory.providers_like(None, None, words).with_only_columns(Provider.id)
    is_verified = Provider.state == ProviderState.VERIFIED
    return session.scalars(rows.order_by(is_verified.desc(), Provider.id.desc()).limit(limit)).all()
