"""Enter in the fairness ledger how invitations ended: on the record, and a turn given back."""

from collections.abc import Mapping
from uuid import UUID

from marketplace.core.actors import SYSTEM
from marketplace.core.context import Context, Transaction
from marketplace.core.events import record
from marketplace.core.sweeps import sweep
from marketplace.invitations import queries as invitations
from marketplace.invitations import track_record
from marketplace.invitations.models import Invitation
from marketplace.invitations.rules import InvitationState
from marketplace.leads import queries as leads
from marketplace.leads.models import Lead
from marketplace.matching import ledger, queries, rules, runs
from marketplace.matching.rules import End
from marketplace.notifications import commitment
from marketplace.providers import coverage
from marketplace.providers.rules import month_of


def settle_ended_invitations(ctx: Context) -> int:
    """Settle every invitation that has ended; return how many there were.

    Each once: on its holder's record, and its turn given back where the table says so.
    """
    return sweep(
        ctx,
        "settle_ended_invitations",
        lambda session, _now, limit: invitations.unsettled_invitations(session, limit=limit),
        _settle,
    )


def _settle(tx: Transaction, invitation_id: UUID) -> None:
    lead_id = invitations.lead_id_of(tx.session, invitation_id)
    if lead_id is None:
        return
    lead = leads.lock_lead(tx.session, lead_id)
    invitation = invitations.lock_invitation(tx.session, invitation_id)
    struck = track_record.is_struck(tx.session, invitation.id)
    state = settled_as(invitation, struck=struck)
    if invitation.settled_at is not None or state not in rules.SETTLEMENTS:
        return
    holder = invitation.provider_id
    # Whom the turn was shared out among is known before: nobody is locked out of turn.
    shares = _shares(tx, invitation) if _may_come_back(tx, lead, invitation, state) else {}
    concerned = {holder, *shares}
    coverage.lock_rows(tx.session, concerned)
    accounts = ledger.accounts_of(tx, concerned)
    back = _back(tx, lead, invitation, state)
    changed = dict(accounts)
    if back:
        dealt = {each: share for each, share in shares.items() if each in accounts}
        changed |= ledger.undo_turn(tx, accounts, dealt, month_of(invitation.sent_at))
        record(tx, SYSTEM, "invitation.turn_given_back", invitation.id)
    changed[holder] = changed[holder].after_end(
        back=back,
        remark=rules.remark(state, responded=invitation.responded_at is not None, struck=struck),
        fading=tx.policy.record_fading,
    )
    ledger.write(tx, {each: found for each, found in changed.items() if found != accounts[each]})
    invitation.settled_at = tx.now


def settled_as(invitation: Invitation, *, struck: bool) -> InvitationState:
    """Return what an invitation is settled as; a release that was `struck` has never been."""
    return rules.settled_as(
        invitation.state,
        released=invitation.released_at is not None and not struck,
        accepted=invitation.accepted_at is not None,
        quoted=invitation.quoted_at is not None,
    )


def _may_come_back(
    tx: Transaction, lead: Lead, invitation: Invitation, state: InvitationState
) -> bool:
    return _refund(tx, lead, invitation, state, refunds_this_month=0) > 0


def _back(tx: Transaction, lead: Lead, invitation: Invitation, state: InvitationState) -> float:
    """Return what comes back, now that no other decline of its holder can be settled."""
    refunds = _refunds(tx, invitation)
    return _refund(tx, lead, invitation, state, refunds_this_month=refunds)


def _refund(
    tx: Transaction,
    lead: Lead,
    invitation: Invitation,
    state: InvitationState,
    *,
    refunds_this_month: int,
) -> float:
    ended_at = invitation.ended_at or invitation.sent_at
    calendar = commitment.terms_of(tx.session, lead.id, otherwise=invitation.sent_at).calendar
    end = End(
        state=state,
        lasted=calendar.between(invitation.sent_at, ended_at),
        decline_reason=invitation.decline_reason,
        took_part=invitation.accepted_at is not None and invitation.responded_at is not None,
        request_finished=lead.finished_at is not None and ended_at >= lead.finished_at,
    )
    return rules.refund(
        end,
        refunds_this_month=refunds_this_month,
        soon=tx.policy.decline_refund_within,
        at_most=tx.policy.decline_refunds_per_month,
        fair_time=tx.policy.min_response_window,
    )


def _refunds(tx: Transaction, invitation: Invitation) -> int:
    """Return how many declines of the same month (UTC) have had their turn back before."""
    if invitation.state is not InvitationState.DECLINED or invitation.ended_at is None:
        return 0
    month = month_of(invitation.ended_at)
    return invitations.refunded_declines(tx.session, invitation.provider_id, month=month)


def _shares(tx: Transaction, invitation: Invitation) -> Mapping[UUID, float]:
    """Return who had a share of the turn: the band that it was dealt in.

    Nobody, where it was not: by hand, before such turns were shared out as well.
    """
    for run in queries.runs_at(tx.session, invitation):
        turns = runs.turns_of(run)
        bands = [
            turn.seat.fit.band
            for turn in turns
            if turn.place is not None and turn.seat.provider_id == invitation.provider_id
        ]
        if bands:
            return rules.shares_of_a_turn(
                {
                    turn.seat.provider_id: turn.gained
                    for turn in turns
                    if turn.seat.fit.band == bands[0] and turn.gained is not None
                }
            )
    return {}
