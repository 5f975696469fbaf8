"""Fill a lead's empty places, or record why that could not be done."""

import secrets
from collections.abc import Sequence
from uuid import UUID

from marketplace.core import tracing
from marketplace.core.actors import SYSTEM, Actor
from marketplace.core.context import Context, Transaction
from marketplace.core.errors import Conflict, NotFound
from marketplace.core.events import record
from marketplace.core.jobs import Job
from marketplace.core.sweeps import one_by_one
from marketplace.invitations import endings
from marketplace.invitations import queries as invitations
from marketplace.invitations import rules as invitation_rules
from marketplace.invitations import service as inviting
from marketplace.invitations.models import Invitation
from marketplace.leads import advisers as advising
from marketplace.leads import queries as leads
from marketplace.leads import service as leading
from marketplace.leads.models import Lead
from marketplace.matching import by_hand, ledger, queries, rules
from marketplace.matching.bench import Bench, gather_bench
from marketplace.matching.eligibility import (
    Filter,
    Obstacle,
    Wanted,
    related_obstacle,
    standing_obstacle,
)
from marketplace.matching.explanation import outcome_of
from marketplace.matching.invitable import room
from marketplace.matching.rules import Seat
from marketplace.matching.shortage import why_empty
from marketplace.matching.storing import store_run
from marketplace.notifications.service import notify
from marketplace.providers import coverage
from marketplace.providers.facts import provider_facts
from marketplace.providers.models import Provider
from marketplace.providers.rules import ProviderFacts


def match_lead(ctx: Context, lead_id: UUID) -> None:
    """Invite the right providers into a lead's empty places, or note why none could be.

    Safe to call at any time and any number of times, by any number of workers at once: the lead's
    lock lets one run in, and it looks again at what is empty by then.
    """
    with ctx.transaction() as tx:
        _match(tx, lead_id)


def match_leads(ctx: Context, lead_ids: Sequence[UUID]) -> int:
    """Match one lead after another, each by itself; return how many went well.

    That some of them wait for the disk together loses nothing: nobody is told of an invitation
    before a message about it was claimed, by a commit that comes later and waits; and a lead whose
    match a power cut took back waits for one as before.
    """
    return one_by_one(ctx, "match_leads", lead_ids, _match)


def _match(tx: Transaction, lead_id: UUID) -> None:
    with tracing.span("match"):
        _look_and_fill(tx, lead_id)


def _look_and_fill(tx: Transaction, lead_id: UUID) -> None:
    lead = leads.lock_lead(tx.session, lead_id)
    if not lead.is_open or (lead.expires_at is not None and tx.now >= lead.expires_at):
        return
    advising.look_again(tx, lead)
    wanted = queries.wanted_of(tx.session, lead, tx.policy, tx.now.date())
    held = invitations.invitations_for_lead(tx.session, lead.id)
    ids = [each.provider_id for each in held]
    known = provider_facts(tx.session, ids, now=tx.now) if ids else {}
    if _withdraw_what_may_not_stand(tx, lead, wanted, held, known):
        # Another run fills the places: the providers of its bench are locked in order, and of these
        # some are locked already.
        tx.afterwards(Job.MATCH_LEADS, lead.id)
        return
    free = invitation_rules.free_places([each.holding for each in held], places=tx.policy.places)
    places = free[: max(0, tx.policy.max_invitations - len(held))]
    tracing.note(held=len(held), places=len(places))
    if places:
        _fill(tx, lead, wanted, held, known, places)
    else:
        lead.wait_no_longer()
    if len(places) < len(free) and lead.waiting_since is None:
        # It waits for nothing: it is shown, and not tried again.
        lead.waiting_reason = "as many providers were asked as may be for one request"
        lead.waiting_code = "all_asked"


def rematch_lead(ctx: Context, actor: Actor, lead_id: UUID) -> Lead:
    """Try to fill a lead's places now, as an administrator asks."""
    actor.require_admin()
    with ctx.transaction() as tx:
        lead = leads.lock_lead(tx.session, lead_id)
        lead.require_running(tx.now)
        record(tx, actor, "lead.rematch_asked", lead.id)
        tx.afterwards(Job.MATCH_LEADS, lead.id)
        return lead


def invite_by_hand(
    ctx: Context, actor: Actor, lead_id: UUID, provider_id: UUID, *, why: str
) -> Invitation:
    """Invite a provider that an administrator chose. No invariant bends: `Conflict` says which.

    Its turn is shared out and paid for as one that a run gave it, and stored as a run.
    """
    actor.require_admin()
    with ctx.transaction() as tx:
        lead = leads.lock_lead(tx.session, lead_id)
        held = invitations.invitations_for_lead(tx.session, lead.id)
        places, left = room(lead, held, policy=tx.policy, now=tx.now)
        wanted = queries.wanted_of(tx.session, lead, tx.policy, tx.now.date())
        known = provider_facts(tx.session, [each.provider_id for each in held], now=tx.now)
        held_kinds = {known[each.provider_id].kind for each in held if each.is_live}
        needed_kinds = sorted(rules.places_by_kind(wanted.kinds, held_kinds))
        seed = secrets.randbits(63)
        bench = gather_bench(
            tx, wanted, invited=known, needed_kinds=needed_kinds, seed=seed, chosen=provider_id
        )
        seat = _seat_by_hand(tx, bench, provider_id)
        kept_out = by_hand.kept_out(
            {each.provider_id: each.kind for each in bench.seats}, seat.provider_id,
            places=min(len(places), left) - 1, needed_kinds=needed_kinds, clashes=bench.clashes,
        )  # fmt: skip
        if kept_out is not None:
            raise Conflict(f"this {by_hand.leaves_no_place(kept_out)}")
        choice = by_hand.choice_of(bench.seats, provider_id, needed_kinds=needed_kinds)
        (invitation,) = inviting.invite(
            tx, actor, lead, {places[0]: provider_id}, by_hand_because=why
        )
        ledger.enter_turns(tx, bench.accounts, choice)
        store_run(
            tx, lead, wanted, bench, choice, places,
            needed_kinds=needed_kinds, seed=seed, by_hand_because=why,
            outcome=outcome_of(1, len(places), len(bench.seats), "by hand"),
        )  # fmt: skip
        if len(places) == 1:
            lead.wait_no_longer()
        return invitation


def _seat_by_hand(tx: Transaction, bench: Bench, provider_id: UUID) -> Seat:
    """Return the seat of a provider that an administrator chose, or say why it has none."""
    for seat in bench.seats:
        if seat.provider_id == provider_id:
            return seat
    hindered = dict(bench.lost).get(provider_id)
    if hindered is None:
        raise NotFound("no such provider")
    raise Conflict(f"{tx.session.get_one(Provider, provider_id).name} {hindered.why}")


def _withdraw_what_may_not_stand(
    tx: Transaction,
    lead: Lead,
    wanted: Wanted,
    held: Sequence[Invitation],
    known: dict[UUID, ProviderFacts],
) -> bool:
    """Take back live invitations of providers that may not take part any more, if any.

    Suspended meanwhile, say, or without the accreditation: whatever they have answered.
    """
    live = [each for each in held if each.is_live]
    staying: list[ProviderFacts] = []
    hindered: dict[UUID, Obstacle] = {}
    # Of two who have become related since, the one that comes before stays.
    for each in sorted(live, key=lambda each: (invitation_rules.precedence(each.state), each.id)):
        provider = known[each.provider_id]
        found = standing_obstacle(
            wanted, provider, now=tx.now, impartiality_years=tx.policy.impartiality_years
        ) or related_obstacle(provider, staying, today=tx.now.date())
        if found is None:
            staying.append(provider)
        else:
            hindered[each.id] = found
    if not hindered:
        return False
    locked = invitations.lock_live_invitations(tx.session, lead.id)
    coverage.lock_providers(tx.session, [each.provider_id for each in locked])
    for each in locked:
        if each.id in hindered:
            endings.withdraw(
                tx, SYSTEM, lead, each,
                reason=_why(hindered[each.id], "it"),
                told=_why(hindered[each.id], "your organisation"),
            )  # fmt: skip
    return True


def _why(hindered: Obstacle, who: str) -> str:
    """Return why a place is taken back, in words that say nothing of others."""
    if hindered.filter is Filter.IMPARTIALITY:
        return f"impartiality (ISO/IEC 17021-1, 5.2) does not allow {who} to take part"
    return f"{who} {hindered.why}"


def _fill(
    tx: Transaction,
    lead: Lead,
    wanted: Wanted,
    held: Sequence[Invitation],
    known: dict[UUID, ProviderFacts],
    places: list[int],
) -> None:
    seed = secrets.randbits(63)
    held_kinds = {known[each.provider_id].kind for each in held if each.is_live}
    needed_kinds = sorted(rules.places_by_kind(wanted.kinds, held_kinds))
    # Each lead has a point of its own to begin at, at every try: what differs then is the market.
    bench = gather_bench(tx, wanted, invited=known, needed_kinds=needed_kinds, seed=lead.id.int)
    choice = rules.choose(
        bench.seats,
        len(places),
        needed_kinds=needed_kinds,
        clashes=bench.clashes,
        seed=seed,
    )
    chosen = {place: seat.provider_id for place, seat in zip(places, choice.chosen, strict=False)}
    tracing.note(eligible=len(bench.seats), invited=len(chosen))
    inviting.invite(tx, SYSTEM, lead, chosen)
    ledger.enter_turns(tx, bench.accounts, choice)
    still_empty = len(places) - len(chosen)
    empty = None
    if still_empty:
        empty = why_empty(tx.session, wanted, bench, chosen=len(chosen), empty=still_empty)
    outcome = outcome_of(len(chosen), len(places), len(bench.seats), empty and empty[1])
    last = None if chosen else queries.last_run(tx.session, lead.id)
    store_run(
        tx, lead, wanted, bench, choice, places,
        needed_kinds=needed_kinds, seed=seed, outcome=outcome, last=last,
    )  # fmt: skip
    if still_empty and (last is None or last.outcome != outcome):
        record(tx, SYSTEM, "lead.waits_for_a_provider", lead.id, places=still_empty)
    if empty is None:
        lead.wait_no_longer()
        return
    lead.wait(*empty, now=tx.now)
    if not any(each.is_live for each in held) and not chosen:
        _tell_business(tx, lead)
    if bench.was_full and bench.lost:
        # Those we waited for are gone, and there are others that were not looked at.
        tx.afterwards(Job.MATCH_LEADS, lead.id)


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
