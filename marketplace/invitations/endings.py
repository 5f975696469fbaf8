"""How invitations end: expired, passed on, withdrawn, or with their request."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import delete

from marketplace.core.actors import SYSTEM, Actor
from marketplace.core.context import Context, Transaction
from marketplace.core.errors import Conflict
from marketplace.core.events import record
from marketplace.core.jobs import Job
from marketplace.core.sweeps import sweep_together
from marketplace.invitations import extension, queries, rules, standing
from marketplace.invitations.letters import Letter, tell_holder, tell_holders
from marketplace.invitations.misses import Then, record_misses, tell_of_miss, tell_of_misses
from marketplace.invitations.models import Attachment, Invitation, QuoteDraft
from marketplace.invitations.rules import InvitationEvent, InvitationState, MissKind
from marketplace.leads import service as leading
from marketplace.leads.models import Lead
from marketplace.notifications.service import notify
from marketplace.providers import coverage
from marketplace.providers.models import Provider


def end(
    tx: Transaction, actor: Actor, invitation: Invitation, event: InvitationEvent, **facts: Any
) -> None:
    """Let an invitation end, and give its holder the capacity back; a lapse goes on its record."""
    end_each(tx, actor, [(invitation, event)], **facts)


def end_each(
    tx: Transaction,
    actor: Actor,
    ends: Sequence[tuple[Invitation, InvitationEvent]],
    **facts: Any,
) -> None:
    """Let invitations end as `end` does one. They and their leads are locked."""
    for invitation, event in ends:
        invitation.apply(event, now=tx.now)
        record(tx, actor, f"invitation.{invitation.state}", invitation.id, **facts)
    ids = [invitation.id for invitation, _ in ends]
    forget_drafts(tx, ids)
    _forget_unsent_files(tx, ids)
    coverage.free_places(tx, [invitation.provider_id for invitation, _ in ends])
    lapsed = [
        (invitation, rules.MISSES[event]) for invitation, event in ends if event in rules.MISSES
    ]
    if lapsed:
        record_misses(tx, lapsed)


def forget_drafts(tx: Transaction, invitation_ids: Sequence[UUID]) -> None:
    """Forget what was typed under these invitations and can be sent no longer, or was sent."""
    tx.session.execute(delete(QuoteDraft).where(QuoteDraft.invitation_id.in_(invitation_ids)))


def _forget_unsent_files(tx: Transaction, invitation_ids: Sequence[UUID]) -> None:
    """Forget the files under these invitations that no version of a quote was sent with."""
    tx.session.execute(
        delete(Attachment).where(
            Attachment.invitation_id.in_(invitation_ids), Attachment.sent_at.is_(None)
        )
    )


def pass_on(tx: Transaction, lead: Lead, invitation: Invitation) -> None:
    """Look for another, or, where the contact was seen, ask the business whether to."""
    if invitation.accepted_at is None:
        mark_waiting(tx, lead)
        return
    notify(
        tx,
        "place_to_decide",
        leading.contact_of(lead),
        lead.id,
        # Several that give up in one moment are told of in one letter.
        occasion=tx.now.isoformat(),
        link=leading.request_link(tx, lead),
        reference=lead.reference,
    )


def mark_waiting(tx: Transaction, lead: Lead) -> None:
    """Note that a place of the lead is empty, and ask for it to be filled."""
    if lead.waiting_since is None:
        lead.wait("replacement", "a replacement is being looked for", now=tx.now)
    tx.afterwards(Job.MATCH_LEADS, lead.id)


def end_due_invitations(ctx: Context) -> int:
    """Release what was not opened in time and expire what was not answered; return how many."""
    return sweep_together(
        ctx,
        "end_due_invitations",
        lambda session, now, limit: queries.invitations_to_end(session, now=now, limit=limit),
        _end_due,
    )


def _end_due(tx: Transaction, invitation_ids: Sequence[UUID]) -> None:
    held = queries.lock_each_with_lead(tx.session, invitation_ids)
    found = extension.catch_up(tx, held, at_least=tx.policy.extension_step)
    due = [
        (lead, invitation, event)
        for lead, invitation in held
        if (event := invitation.due_event(tx.now)) is not None
        # Who waits for an answer of the business has time; who never looked does not wait for it.
        and not (event is InvitationEvent.EXPIRE and found[invitation.id].stands_still)
    ]
    lapsed = those_who_could_answer(tx, due)
    if not lapsed:
        return
    end_each(tx, SYSTEM, [(invitation, event) for _, invitation, event in lapsed])
    tell_of_misses(
        tx, [(lead, invitation, rules.MISSES[event]) for lead, invitation, event in lapsed]
    )
    for lead, invitation, _ in lapsed:
        pass_on(tx, lead, invitation)


def those_who_could_answer(
    tx: Transaction, due: Sequence[tuple[Lead, Invitation, InvitationEvent]]
) -> list[tuple[Lead, Invitation, InvitationEvent]]:
    """Return those whose answers were not refused before their time was over: the misses.

    The others end with their request, or are taken back by the run for which this asks.
    """
    in_time = [each for each in due if not _ended_before(*each)]
    ids = [invitation.id for _, invitation, _ in in_time]
    hindered = standing.obstacles_of(tx.session, ids, policy=tx.policy, now=tx.now)
    for lead, invitation, _ in in_time:
        if invitation.id in hindered:
            tx.afterwards(Job.MATCH_LEADS, lead.id)
    return [each for each in in_time if each[1].id not in hindered]


def _ended_before(lead: Lead, invitation: Invitation, event: InvitationEvent) -> bool:
    """Return whether the request was over when the time of an invitation was, or before."""
    let_pass = rules.lapsed_at(
        rules.MISSES[event], open_by=invitation.open_by, respond_by=invitation.respond_by
    )
    return lead.expires_at is not None and lead.expires_at <= let_pass


def remind_holders(ctx: Context) -> int:
    """Remind every holder whose time for that has come; return how many there were."""
    return sweep_together(
        ctx,
        "remind_holders",
        lambda session, now, limit: queries.invitations_to_remind(session, now=now, limit=limit),
        _remind,
    )


def _remind(tx: Transaction, invitation_ids: Sequence[UUID]) -> None:
    """Remind each once, however many reminders were missed; of what time has ended, nobody."""
    letters = []
    held = queries.lock_each_with_lead(tx.session, invitation_ids)
    found = extension.catch_up(tx, held, at_least=tx.policy.extension_step)
    for lead, invitation in held:
        moment = invitation.remind_at
        if moment is None or moment > tx.now:
            continue
        if invitation.opened_at is not None and found[invitation.id].stands_still:
            continue  # its turn comes once its time runs again
        if invitation.opened_at is None:
            invitation.remind_at = None
        else:
            invitation.plan_reminder(tx.now)
        if not invitation.is_live or invitation.quoted_at or invitation.due_event(tx.now):
            continue
        values = {
            "reference": lead.reference,
            "service": lead.service,
            "standards": lead.standards,
            "state": invitation.state,
            "due_at": invitation.respond_by if invitation.opened_at else invitation.open_by,
        }
        letters.append(Letter("invitation_reminder", invitation, values, moment.isoformat()))
        record(tx, SYSTEM, "invitation.reminded", invitation.id)
    if letters:
        tell_holders(tx, letters)


def replace_invitation(ctx: Context, actor: Actor, invitation_id: UUID) -> None:
    """Pass on the place of a provider that accepted and did not quote, as the business asks.

    One more provider will see its contact; only the business may decide that.
    """
    with ctx.transaction() as tx:
        invitation = queries.invitation_of(tx.session, actor, invitation_id)
        lead, invitation = queries.lock_with_lead(tx.session, invitation)
        lead.require_running(tx.now)
        extension.catch_up(tx, [(lead, invitation)])
        if invitation.state is InvitationState.ACCEPTED and tx.now >= invitation.respond_by:
            end(tx, actor, invitation, InvitationEvent.EXPIRE)
            tell_of_miss(tx, lead, invitation, MissKind.EXPIRED)
        if invitation.is_live:
            raise Conflict("this provider still has time to quote, or has quoted")
        if invitation.accepted_at is None or invitation.passed_on_at is not None:
            raise Conflict("this place was passed on already")
        invitation.passed_on_at = tx.now
        record(tx, actor, "invitation.passed_on", invitation.id, lead=str(lead.id))
        if invitation.state is not InvitationState.WITHDRAWN:  # that was told already
            tell_holder(tx, "place_passed_on", invitation, reference=lead.reference)
        mark_waiting(tx, lead)


def withdraw(
    tx: Transaction, actor: Actor, lead: Lead, invitation: Invitation, *, reason: str, told: str
) -> None:
    """Take back an invitation whose holder may not take part any more, and tell both sides.

    `reason` is told to the business, `told` to the holder. Both rows are locked. What was answered
    is taken back as well; but where the contact was seen, only the business lets one more see it.
    """
    had_contact = invitation.accepted_at is not None
    invitation.withdrawn_because = reason
    end(tx, actor, invitation, InvitationEvent.WITHDRAW)
    tell_holder(
        tx,
        "invitation_withdrawn",
        invitation,
        reference=lead.reference,
        reason=told,
        had_contact=had_contact,
    )
    notify(
        tx,
        "provider_withdrawn",
        leading.contact_of(lead),
        lead.id,
        occasion=str(invitation.id),
        link=leading.request_link(tx, lead),
        reference=lead.reference,
        provider=tx.session.get_one(Provider, invitation.provider_id).name,
        reason=reason,
        had_quoted=invitation.quoted_at is not None,
        had_contact=had_contact,
    )
    if not had_contact:
        mark_waiting(tx, lead)


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
    extension.catch_up(tx, [(lead, each) for each in live])
    for invitation in live:
        if invitation.id == chosen_id:
            end(tx, actor, invitation, InvitationEvent.WIN)
            provider = str(invitation.provider_id)
            record(tx, SYSTEM, "lead.contact_read", lead.id, provider=provider, door="mail")
            tell_holder(
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
        overdue = invitation.due_event(tx.now)
        if overdue is not None and not _ended_before(lead, invitation, overdue):
            # Its time was over, and no sweep has met it yet.
            end(tx, SYSTEM, invitation, overdue)
            tell_of_miss(tx, lead, invitation, rules.MISSES[overdue], Then.FINISHED)
            continue
        event = rules.event_when_the_request_finishes(
            invitation.state, awarded=chosen_id is not None
        )
        if event is None:
            continue
        end(tx, actor, invitation, event)
        if event is InvitationEvent.WITHDRAW:
            tell_holder(
                tx,
                "invitation_withdrawn",
                invitation,
                reference=lead.reference,
                reason=outcome,
                had_contact=False,
            )
            continue
        nothing = {"rank": None, "quotes": None, "distance": None}
        tell_holder(
            tx,
            "invitation_lost",
            invitation,
            reference=lead.reference,
            outcome=outcome,
            had_accepted=invitation.accepted_at is not None,
            **standings.get(invitation.id, nothing),
        )
