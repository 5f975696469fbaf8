"""The fairness ledger: what every provider is owed, and what it has done with its turns.

Whoever writes an account holds the provider's coverage row, as every step does that concerns it.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Date,
    DateTime,
    Double,
    Integer,
    Row,
    Select,
    Uuid,
    bindparam,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import insert

from marketplace.core.actors import SYSTEM
from marketplace.core.context import Context, Transaction
from marketplace.core.events import record
from marketplace.core.sweeps import sweep
from marketplace.invitations import queries as invitations
from marketplace.invitations.models import Invitation
from marketplace.invitations.rules import InvitationState
from marketplace.leads import queries as leads
from marketplace.leads.models import Lead
from marketplace.matching import rules
from marketplace.matching.account import Account
from marketplace.matching.models import Credit, CreditMonth
from marketplace.matching.rules import Choice, End
from marketplace.providers import coverage
from marketplace.providers.models import Provider
from marketplace.providers.rules import month_of

_COLUMNS: dict[str, Any] = {
    "balance": Double(),
    "invited_at": DateTime(timezone=True),
    "answered": Double(),
    "missed": Double(),
    "month": Date(),
    "eligible": Integer(),
    "entitled": Double(),
}


def with_account(providers: Select[Any]) -> Select[Any]:
    """Return a statement about providers with the columns that `account_of` reads."""
    credits, provider_id = Credit.__table__, Provider.__table__.c.id
    columns = [credits.c[name].label(f"account_{name}") for name in _COLUMNS]
    return providers.add_columns(*columns).outerjoin(credits, credits.c.provider_id == provider_id)


def account_of(row: Row[Any]) -> Account:
    """Return the account in a row of `with_account`."""
    if row.account_balance is None:
        return Account()
    return Account(
        balance=row.account_balance,
        invited_at=row.account_invited_at,
        answered=row.account_answered,
        missed=row.account_missed,
        month=row.account_month,
        eligible=row.account_eligible,
        entitled=row.account_entitled,
    )


def enter_turns(tx: Transaction, accounts: dict[UUID, Account], choice: Choice) -> None:
    """Enter what a run decided. Every provider that is in it is locked."""
    month = month_of(tx.now)
    invited = {seat.provider_id for seat in choice.chosen}
    entered = {}
    for provider_id, gained in choice.gained.items():
        entered[provider_id] = accounts[provider_id].after_run(
            gained=gained,
            balance=choice.credits[provider_id],
            month=month,
            invited_at=tx.now if provider_id in invited else None,
        )
    _close_months(tx, {each: accounts[each] for each in entered}, month)
    _write(tx, entered)


def charge_by_hand(tx: Transaction, provider_id: UUID) -> None:
    """Let a provider that was invited by hand pay for its turn. It is locked."""
    account = _accounts(tx, [provider_id])[provider_id]
    charged = replace(account, balance=account.balance - rules.COST_OF_A_TURN, invited_at=tx.now)
    _write(tx, {provider_id: charged})


def settle_ended_invitations(ctx: Context) -> int:
    """Enter in the ledger how invitations ended; return how many were.

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
    if invitation.settled_at is not None or invitation.state not in rules.SETTLEMENTS:
        return
    coverage.lock_rows(tx.session, [invitation.provider_id])
    account = _accounts(tx, [invitation.provider_id])[invitation.provider_id]
    back = rules.refund(
        _end_of(invitation, lead),
        refunds_this_month=_refunds(tx, invitation),
        soon=tx.policy.decline_refund_within,
        at_most=tx.policy.decline_refunds_per_month,
        fair_time=tx.policy.min_response_window,
    )
    settled = account.after_end(
        back=back,
        remark=rules.remark(invitation.state, responded=invitation.responded_at is not None),
        fading=tx.policy.record_fading,
    )
    if settled != account:
        _write(tx, {invitation.provider_id: settled})
    if back:
        record(tx, SYSTEM, "invitation.turn_given_back", invitation.id)
    invitation.settled_at = tx.now


def _end_of(invitation: Invitation, lead: Lead) -> End:
    ended_at = invitation.ended_at or invitation.sent_at
    return End(
        state=invitation.state,
        lasted=ended_at - invitation.sent_at,
        decline_reason=invitation.decline_reason,
        request_finished=lead.finished_at is not None and ended_at >= lead.finished_at,
    )


def _refunds(tx: Transaction, invitation: Invitation) -> int:
    """Return how many declines of the same month (UTC) have had their turn back before."""
    if invitation.state is not InvitationState.DECLINED or invitation.ended_at is None:
        return 0
    return invitations.refundable_declines(
        tx.session,
        invitation.provider_id,
        month=month_of(invitation.ended_at),
        within=tx.policy.decline_refund_within,
    )


def _accounts(tx: Transaction, ids: Sequence[UUID]) -> dict[UUID, Account]:
    rows = tx.session.execute(with_account(select(Provider.id)).where(Provider.id.in_(ids)))
    return {row.id: account_of(row) for row in rows}


_NAMES = ", ".join(_COLUMNS)
_WRITE = text(
    f"INSERT INTO credits (provider_id, {_NAMES}) SELECT * FROM unnest(:provider_id, "
    + ", ".join(f":{name}" for name in _COLUMNS)
    + ") ON CONFLICT (provider_id) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS)
).bindparams(
    bindparam("provider_id", type_=ARRAY(Uuid())),
    *(bindparam(name, type_=ARRAY(of_type)) for name, of_type in _COLUMNS.items()),
)


def _write(tx: Transaction, accounts: dict[UUID, Account]) -> None:
    """Write these accounts, new ones and known ones, in one statement."""
    if accounts:
        columns = {name: [getattr(each, name) for each in accounts.values()] for name in _COLUMNS}
        tx.session.execute(_WRITE, {"provider_id": list(accounts), **columns})


def _close_months(tx: Transaction, accounts: dict[UUID, Account], month: date) -> None:
    """Keep what an earlier month came to, for statements and reports."""
    closed = [
        {
            "provider_id": provider_id,
            "month": account.month,
            "eligible": account.eligible,
            "entitled": account.entitled,
        }
        for provider_id, account in accounts.items()
        if account.month is not None and account.month < month
    ]
    if closed:
        tx.session.execute(insert(CreditMonth).on_conflict_do_nothing(), closed)
