"""Hold a lead out to a provider, and take the provider's answer."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from marketplace.catalogue import queries as catalogue
from marketplace.core.actors import SYSTEM, Actor, Kind
from marketplace.core.context import Context, Transaction
from marketplace.core.db import new_id
from marketplace.core.errors import Conflict
from marketplace.core.events import record
from marketplace.core.jobs import Job
from marketplace.core.sweeps import sweep
from marketplace.invitations import queries, rules
from marketplace.invitations.models import Invitation
from marketplace.invitations.rules import DeclineReason, InvitationEvent, InvitationState
from marketplace.leads import queries as leads
from marketplace.leads import rules as rules_of_leads
from marketplace.leads import service as leading
from marketplace.leads.models import Lead
from marketplace.notifications import commitment
from marketplace.notifications.service import Recipient, notify
from marketplace.providers import coverage
from marketplace.providers.models import Coverage, Provider
from marketplace.providers.rules import ProviderState


def invite(
    tx: Transaction,
    actor: Actor,
    lead: Lead,
    provider_id: UUID,
    place: int,
    *,
    by_hand_because: str | None = None,
) -> Invitation:
    """Hold the lead out to one provider in one place, and tell them so. The lead is locked."""
    promise = commitment.commitment_of(tx.session, lead.id)
    deadline = rules.respond_by(
        now=tx.now,
        due_at=promise.due_at if promise else tx.now,
        at_least=tx.policy.min_response_window,
    )
    invitation = Invitation(
        id=new_id(),
        lead_id=lead.id,
        provider_id=provider_id,
        place=place,
        state=InvitationState.SENT,
        by_hand_because=by_hand_because,
        sent_at=tx.now,
        open_by=rules.open_by(now=tx.now, within=tx.policy.open_within, respond_by=deadline),
        respond_by=deadline,
    )
    tx.session.add(invitation)
    tx.session.flush()
    coverage.take_place(tx, provider_id)
    record(tx, actor, "invitation.sent", invitation.id, lead=str(lead.id), place=place)
    _tell(
        tx,
        "invitation",
        invitation,
        reference=lead.reference,
        standards=lead.standards,
        region=", ".join(lead.regions),
        headcount=lead.headcount,
        respond_by=deadline,
        places=tx.policy.places,
    )
    return invitation


def look_at_invitation(ctx: Context, actor: Actor, invitation_id: UUID) -> Invitation:
    """Return an invitation to its holder. A person's first look opens it; a program's does not.

    One that was released unopened comes back, with a fresh window, if a place is free.
    """
    with ctx.transaction() as tx:
        invitation = queries.invitation_of(tx.session, actor, invitation_id)
        if actor.kind is not Kind.PROVIDER or invitation.state not in (
            InvitationState.SENT,
            InvitationState.RELEASED,
        ):
            return invitation
        lead, invitation = _lock(tx, invitation)
        if invitation.state is InvitationState.RELEASED:
            _return_if_possible(tx, actor, lead, invitation)
        elif invitation.state is InvitationState.SENT and tx.now < invitation.respond_by:
            invitation.apply(InvitationEvent.OPEN, now=tx.now)
            record(tx, actor, "invitation.opened", invitation.id)
        return invitation


def accept_invitation(ctx: Context, actor: Actor, invitation_id: UUID) -> Invitation:
    """Take the provider's yes: from here on it sees who the business is. Twice is once."""
    with ctx.transaction() as tx:
        lead, invitation = _answering(tx, actor, invitation_id)
        if invitation.state in (InvitationState.ACCEPTED, InvitationState.QUOTED):
            lead.require_running(tx.now)
            invitation.require_answerable(tx.now)
            return invitation
        accept(tx, actor, lead, invitation)
        return invitation


def accept(tx: Transaction, actor: Actor, lead: Lead, invitation: Invitation) -> None:
    """Reveal the contact to the provider; a quote does this too. Both rows are locked."""
    require_may_answer(tx, lead, invitation)
    invitation.apply(InvitationEvent.ACCEPT, now=tx.now)
    record(tx, actor, "invitation.accepted", invitation.id, lead=str(lead.id))


def require_may_answer(tx: Transaction, lead: Lead, invitation: Invitation) -> None:
    """Raise `Conflict` unless the request runs and its holder is (still) verified."""
    lead.require_running(tx.now)
    provider = tx.session.get_one(Provider, invitation.provider_id, populate_existing=True)
    if provider.state is not ProviderState.VERIFIED:
        raise Conflict("your organisation is not verified at present, so it cannot take part")


def decline_invitation(
    ctx: Context,
    actor: Actor,
    invitation_id: UUID,
    *,
    reason: DeclineReason,
    comment: str | None = None,
) -> Invitation:
    """Take the provider's no, and look for another at once."""
    with ctx.transaction() as tx:
        lead, invitation = _answering(tx, actor, invitation_id)
        lead.require_running(tx.now)
        invitation.decline_reason, invitation.decline_comment = reason, comment
        _end(tx, actor, invitation, InvitationEvent.DECLINE, reason=reason)
        _pass_on(tx, lead, invitation)
        return invitation


def expire_due_invitations(ctx: Context) -> int:
    """Close every invitation whose deadline has passed; return how many there were."""
    return sweep(
        ctx,
        "expire_due_invitations",
        lambda session, now: queries.invitations_to_expire(session, now=now),
        _expire,
    )


def _expire(tx: Transaction, invitation_id: UUID) -> None:
    lead_id = queries.lead_id_of(tx.session, invitation_id)
    if lead_id is None:
        return
    lead = leads.lock_lead(tx.session, lead_id)
    invitation = queries.lock_invitation(tx.session, invitation_id)
    if invitation.state in rules.ANSWERABLE and tx.now >= invitation.respond_by:
        _end(tx, SYSTEM, invitation, InvitationEvent.EXPIRE)
        _tell(tx, "invitation_expired", invitation, reference=lead.reference)
        _pass_on(tx, lead, invitation)


def replace_invitation(ctx: Context, actor: Actor, invitation_id: UUID) -> None:
    """Pass on the place of a provider that accepted and did not quote, as the business asks.

    One more provider will see its contact; only the business may decide that.
    """
    with ctx.transaction() as tx:
        invitation = queries.invitation_of(tx.session, actor, invitation_id)
        lead, invitation = _lock(tx, invitation)
        lead.require_running(tx.now)
        if invitation.state is InvitationState.ACCEPTED and tx.now >= invitation.respond_by:
            _end(tx, actor, invitation, InvitationEvent.EXPIRE)
        if invitation.is_live:
            raise Conflict("this provider still has time to quote, or has quoted")
        if invitation.accepted_at is None or invitation.passed_on_at is not None:
            raise Conflict("this place was passed on already")
        invitation.passed_on_at = tx.now
        record(tx, actor, "invitation.passed_on", invitation.id, lead=str(lead.id))
        _tell(tx, "place_passed_on", invitation, reference=lead.reference)
        mark_waiting(tx, lead)


def withdraw(
    tx: Transaction, actor: Actor, lead: Lead, invitation: Invitation, reason: str
) -> None:
    """Take back an invitation whose holder may not be invited any more. Both rows are locked."""
    _end(tx, actor, invitation, InvitationEvent.WITHDRAW)
    _tell(tx, "invitation_withdrawn", invitation, reference=lead.reference, reason=reason)


def finish_invitations(
    tx: Transaction,
    actor: Actor,
    lead: Lead,
    *,
    outcome: str,
    standings: Mapping[UUID, Mapping[str, Any]],
    chosen_id: UUID | None = None,
) -> None:
    """End every live invitation with its request, and tell each holder. The lead is locked.

    `standings` gives, by invitation, the `rank`, `quotes` and `distance` that its holder may learn.
    """
    live = queries.lock_live_invitations(tx.session, lead.id)
    coverage.lock_providers(tx.session, [each.provider_id for each in live])
    for invitation in live:
        if invitation.id == chosen_id:
            _end(tx, actor, invitation, InvitationEvent.WIN)
            _tell(
                tx,
                "invitation_won",
                invitation,
                reference=lead.reference,
                company=lead.company_name,
                contact_name=lead.contact_name,
                contact_email=lead.contact_email,
                contact_phone=lead.contact_phone,
            )
            continue
        event = rules.event_when_the_request_finishes(invitation.state)
        if event is None:
            continue
        _end(tx, actor, invitation, event)
        if event is InvitationEvent.WITHDRAW:
            _tell(tx, "invitation_withdrawn", invitation, reference=lead.reference, reason=outcome)
            continue
        nothing = {"rank": None, "quotes": None, "distance": None}
        _tell(
            tx,
            "invitation_lost",
            invitation,
            reference=lead.reference,
            outcome=outcome,
            **standings.get(invitation.id, nothing),
        )


def note_response(tx: Transaction, lead: Lead, invitation: Invitation) -> None:
    """Count what the business can see of this provider: a quote, or a question. Both are locked."""
    is_first = invitation.responded_at is None
    invitation.responded_at = invitation.responded_at or tx.now
    commitment.respond(tx, lead.id, is_first_of_provider=is_first)


def mark_waiting(tx: Transaction, lead: Lead) -> None:
    """Note that a place of the lead is empty, and ask for it to be filled."""
    lead.waiting_since = lead.waiting_since or tx.now
    lead.waiting_reason = lead.waiting_reason or "a replacement is being looked for"
    tx.afterwards(Job.MATCH_LEAD, lead.id)


def lock_for_answer(tx: Transaction, actor: Actor, invitation_id: UUID) -> tuple[Lead, Invitation]:
    """Return lead and invitation, locked in that order, for its own provider to answer."""
    return _answering(tx, actor, invitation_id)


def holder_of(tx: Transaction, provider_id: UUID) -> Recipient:
    """Return whom mails to a provider go to, with times as told where it works."""
    provider = tx.session.get_one(Provider, provider_id)
    covered = tx.session.get(Coverage, provider_id)
    region = covered.regions[0] if covered and covered.regions else provider.country
    zone = catalogue.time_zone_of(tx.session, region)
    return Recipient(provider.contact_email, provider.contact_name, zone)


def _answering(tx: Transaction, actor: Actor, invitation_id: UUID) -> tuple[Lead, Invitation]:
    actor.own_provider()
    return _lock(tx, queries.invitation_of(tx.session, actor, invitation_id))


def _lock(tx: Transaction, invitation: Invitation) -> tuple[Lead, Invitation]:
    lead = leads.lock_lead(tx.session, invitation.lead_id)
    return lead, queries.lock_invitation(tx.session, invitation.id)


def _end(
    tx: Transaction, actor: Actor, invitation: Invitation, event: InvitationEvent, **facts: Any
) -> None:
    """Let an invitation end, and give its holder the capacity back."""
    invitation.apply(event, now=tx.now)
    coverage.free_place(tx, invitation.provider_id)
    record(tx, actor, f"invitation.{invitation.state}", invitation.id, **facts)


def _pass_on(tx: Transaction, lead: Lead, invitation: Invitation) -> None:
    """Look for another, or, where the contact was seen, ask the business whether to."""
    if invitation.accepted_at is None:
        mark_waiting(tx, lead)
        return
    notify(
        tx,
        "place_waiting",
        leading.contact_of(lead),
        lead.id,
        occasion=str(invitation.id),
        link=leading.request_link(tx, lead),
        reference=lead.reference,
        reason="a provider that had seen your contact details will not quote; on the page of your "
        "request you can ask for another, who will then see them too",
    )


def _return_if_possible(tx: Transaction, actor: Actor, lead: Lead, invitation: Invitation) -> None:
    holdings = [each.holding for each in queries.invitations_for_lead(tx.session, lead.id)]
    free = rules.free_places(holdings, places=tx.policy.places)
    provider = tx.session.get_one(Provider, invitation.provider_id, populate_existing=True)
    if (
        not free
        or not rules_of_leads.is_running(lead.state, now=tx.now, expires_at=lead.expires_at)
        or provider.state is not ProviderState.VERIFIED
    ):
        return
    promise = commitment.commitment_of(tx.session, lead.id)
    invitation.place = free[0]
    invitation.respond_by = rules.respond_by(
        now=tx.now,
        due_at=promise.due_at if promise else tx.now,
        at_least=tx.policy.min_response_window,
    )
    invitation.apply(InvitationEvent.RETURN, now=tx.now)
    invitation.ended_at = None
    coverage.take_place(tx, invitation.provider_id)
    record(tx, actor, "invitation.returned", invitation.id, lead=str(lead.id))
    # Much may have changed while it was away: the run takes it back if it may not stand, and sees
    # whether the lead still waits for anybody.
    tx.afterwards(Job.MATCH_LEAD, lead.id)


def _tell(tx: Transaction, template: str, invitation: Invitation, **values: Any) -> None:
    notify(
        tx,
        template,
        holder_of(tx, invitation.provider_id),
        invitation.id,
        path=f"/portal/invitations/{invitation.id}",
        **values,
    )
