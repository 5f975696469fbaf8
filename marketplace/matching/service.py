"""Fill a lead's empty places, or record why that could not be done."""

import secrets
from collections.abc import Sequence
from uuid import UUID

from marketplace.core.actors import SYSTEM, Actor
from marketplace.core.context import Context, Transaction
from marketplace.core.errors import Conflict, NotFound
from marketplace.core.events import record
from marketplace.core.jobs import Job
from marketplace.invitations import endings
from marketplace.invitations import queries as invitations
from marketplace.invitations import rules as invitation_rules
from marketplace.invitations import service as inviting
from marketplace.invitations.models import Invitation
from marketplace.leads import queries as leads
from marketplace.leads import service as leading
from marketplace.leads.models import Lead
from marketplace.matching import queries, rules
from marketplace.matching.bench import gather_bench
from marketplace.matching.eligibility import Wanted, obstacle, standing_obstacle
from marketplace.matching.explanation import outcome_of, store_run, waiting_reason
from marketplace.notifications.service import notify
from marketplace.providers import coverage
from marketplace.providers import queries as providers
from marketplace.providers.rules import ProviderFacts


def match_lead(ctx: Context, lead_id: UUID) -> None:
    """Invite the right providers into a lead's empty places, or note why none could be.

    Safe to call at any time and any number of times, by any number of workers at once: the lead's
    lock lets one run in, and it looks again at what is empty by then.
    """
    with ctx.transaction() as tx:
        lead = leads.lock_lead(tx.session, lead_id)
        if not lead.is_open or (lead.expires_at is not None and tx.now >= lead.expires_at):
            return
        wanted = queries.wanted_of(tx.session, lead, engagement=tx.policy.engagement)
        held = invitations.invitations_for_lead(tx.session, lead.id)
        known = providers.provider_facts(
            tx.session, [each.provider_id for each in held], now=tx.now
        )
        _withdraw_what_may_not_stand(tx, lead, wanted, held, known)
        places = invitation_rules.free_places(
            [each.holding for each in held], places=tx.policy.places
        )
        places = places[: max(0, tx.policy.max_invitations - len(held))]
        if places:
            _fill(tx, lead, wanted, held, known, places)
        else:
            _note_that_nothing_is_empty(tx, lead, held)


def rematch_waiting_leads(ctx: Context) -> int:
    """Ring for every lead that waits for a place to be filled, the longest waiting first.

    Each at most once per sweep interval, so that a long queue is not flooded.
    """
    with ctx.transaction() as tx:
        ids = leads.waiting_leads(tx.session, not_rung_since=tx.now - tx.policy.sweep_interval)
        leads.mark_rung(tx.session, ids, now=tx.now)
        for lead_id in ids:
            tx.afterwards(Job.MATCH_LEAD, lead_id)
        return len(ids)


def recheck_provider(ctx: Context, provider_id: UUID) -> int:
    """Look again at every lead in which this provider holds an invitation it has not answered.

    Rung when a provider or an accreditation was suspended: what may not stand is taken back.
    """
    with ctx.transaction() as tx:
        ids = invitations.leads_unanswered_by(tx.session, provider_id)
        for lead_id in ids:
            tx.afterwards(Job.MATCH_LEAD, lead_id)
        return len(ids)


def recheck_suspended_providers(ctx: Context) -> int:
    """Ring for every lead where a provider that is not verified holds an unanswered invitation."""
    with ctx.transaction() as tx:
        ids = invitations.leads_held_by_unverified(tx.session)
        for lead_id in ids:
            tx.afterwards(Job.MATCH_LEAD, lead_id)
        return len(ids)


def rematch_lead(ctx: Context, actor: Actor, lead_id: UUID) -> Lead:
    """Try to fill a lead's places now, as an administrator asks."""
    actor.require_admin()
    with ctx.transaction() as tx:
        lead = leads.lock_lead(tx.session, lead_id)
        lead.require_running(tx.now)
        record(tx, actor, "lead.rematch_asked", lead.id)
        tx.afterwards(Job.MATCH_LEAD, lead.id)
        return lead


def invite_by_hand(
    ctx: Context, actor: Actor, lead_id: UUID, provider_id: UUID, *, why: str
) -> Invitation:
    """Invite a provider that an administrator chose. No invariant bends: `Conflict` says which."""
    actor.require_admin()
    with ctx.transaction() as tx:
        lead = leads.lock_lead(tx.session, lead_id)
        lead.require_running(tx.now)
        held = invitations.invitations_for_lead(tx.session, lead.id)
        places = invitation_rules.free_places(
            [each.holding for each in held], places=tx.policy.places
        )
        if not places:
            raise Conflict("all places of this request are taken")
        if len(held) >= tx.policy.max_invitations:
            raise Conflict("this request has led to as many invitations as one may")
        coverage.lock_providers(tx.session, [provider_id])
        everybody = [provider_id, *(each.provider_id for each in held)]
        facts = providers.provider_facts(tx.session, everybody, now=tx.now)
        provider = facts.pop(provider_id, None)
        if provider is None:
            raise NotFound("no such provider")
        if any(each.provider_id == provider_id for each in held):
            facts[provider_id] = provider
        hindered = obstacle(
            queries.wanted_of(tx.session, lead, engagement=tx.policy.engagement),
            provider,
            invited=facts,
            now=tx.now,
            impartiality_years=tx.policy.impartiality_years,
        )
        if hindered is not None:
            raise Conflict(f"{provider.name} {hindered.why}")
        invitation = inviting.invite(tx, actor, lead, provider_id, places[0], by_hand_because=why)
        if len(places) == 1:
            lead.waiting_since = lead.waiting_reason = None
        return invitation


def _withdraw_what_may_not_stand(
    tx: Transaction,
    lead: Lead,
    wanted: Wanted,
    held: Sequence[Invitation],
    known: dict[UUID, ProviderFacts],
) -> None:
    """Take back unanswered invitations of providers that may not be invited any more.

    Suspended meanwhile, say, or without the accreditation. Once accepted, the business decides.
    """
    standing = [each for each in held if each.state in invitation_rules.UNANSWERED]
    hindered = {
        each.id: found
        for each in standing
        if (
            found := standing_obstacle(
                wanted,
                known[each.provider_id],
                now=tx.now,
                impartiality_years=tx.policy.impartiality_years,
            )
        )
    }
    if not hindered:
        return
    locked = {each.id: each for each in invitations.lock_live_invitations(tx.session, lead.id)}
    coverage.lock_providers(tx.session, [each.provider_id for each in standing])
    for each in standing:
        if each.id in hindered and each.id in locked:
            why = f"your organisation {hindered[each.id].why}"
            endings.withdraw(tx, SYSTEM, lead, locked[each.id], why)


def _fill(
    tx: Transaction,
    lead: Lead,
    wanted: Wanted,
    held: Sequence[Invitation],
    known: dict[UUID, ProviderFacts],
    places: list[int],
) -> None:
    seed = secrets.randbits(63)
    bench = gather_bench(tx, wanted, invited=known, seed=seed)
    held_kinds = {known[each.provider_id].kind for each in held if each.is_live}
    choice = rules.choose(
        bench.seats,
        len(places),
        needed_kinds=rules.places_by_kind(wanted.kinds, held_kinds),
        today=tx.now.date(),
        seed=seed,
    )
    for place, seat in zip(places, choice.chosen, strict=False):
        inviting.invite(tx, SYSTEM, lead, seat.provider.id, place)
        bench.credits[seat.provider.id].invited_at = tx.now
    for provider_id, balance in choice.credits.items():
        bench.credits[provider_id].balance = balance
    still_empty = len(places) - len(choice.chosen)
    outcome = outcome_of(bench, len(choice.chosen), len(places))
    # A lead that waits is tried again and again: only what is new is worth a row.
    if choice.chosen or outcome != queries.last_outcome(tx.session, lead.id):
        store_run(tx, lead, wanted, bench, choice, places, seed=seed, outcome=outcome)
        if still_empty:
            record(tx, SYSTEM, "lead.waits_for_a_provider", lead.id, places=still_empty)
    if not still_empty:
        lead.waiting_since = lead.waiting_reason = None
        return
    lead.waiting_since = lead.waiting_since or tx.now
    lead.waiting_reason = waiting_reason(bench, still_empty)
    if not any(each.is_live for each in held) and not choice.chosen:
        _tell_business(tx, lead)


def _note_that_nothing_is_empty(tx: Transaction, lead: Lead, held: Sequence[Invitation]) -> None:
    live = sum(each.is_live for each in held)
    if live < tx.policy.places and len(held) >= tx.policy.max_invitations:
        lead.waiting_since = None
        lead.waiting_reason = "as many providers were asked as may be for one request"
    else:
        lead.waiting_since = lead.waiting_reason = None


def _tell_business(tx: Transaction, lead: Lead) -> None:
    """Say, once, that nobody could be invited yet; honesty costs less than silence."""
    notify(
        tx,
        "place_waiting",
        leading.contact_of(lead),
        lead.id,
        occasion="nobody yet",
        link=leading.request_link(tx, lead),
        reference=lead.reference,
        reason=lead.waiting_reason or "",
    )
