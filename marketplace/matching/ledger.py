"""The fairness ledger: what every provider is owed, and what it has done with its turns.

Whoever writes an account holds the provider's coverage row, as every step does that concerns it.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Date,
    DateTime,
    Double,
    Integer,
    Select,
    Uuid,
    bindparam,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import insert

from marketplace.core.context import Transaction
from marketplace.core.direct import Direct
from marketplace.matching import rules
from marketplace.matching.account import Account
from marketplace.matching.models import Credit, CreditMonth
from marketplace.matching.rules import Choice
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


def account_of(row: Any) -> Account:
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
    write(tx, entered)


def undo_turn(
    tx: Transaction, accounts: Mapping[UUID, Account], shares: Mapping[UUID, float], month: date
) -> dict[UUID, Account]:
    """Take a turn back from all who had a share of it, and return their accounts; all are locked.

    It was shared out in `month`: where that is over, it is taken from what the month came to.
    """
    over = [each for each in shares if (accounts[each].month or month) > month]
    closed = {kept.provider_id: kept for kept in _months(tx, over, month)}
    for each, kept in closed.items():
        kept.entitled = round(kept.entitled - shares[each], rules.PRECISION)
    return {
        each: accounts[each].after_undoing(share, month_is_open=each not in closed)
        for each, share in shares.items()
    }


def _months(tx: Transaction, ids: Collection[UUID], month: date) -> Iterable[CreditMonth]:
    if not ids:
        return ()
    rows = select(CreditMonth).where(CreditMonth.provider_id.in_(ids), CreditMonth.month == month)
    return tx.session.scalars(rows.execution_options(populate_existing=True))


def accounts_of(tx: Transaction, ids: Collection[UUID]) -> dict[UUID, Account]:
    """Return the accounts of these providers, each of them locked."""
    rows = tx.session.execute(with_account(select(Provider.id)).where(Provider.id.in_(ids)))
    return {row.id: account_of(row) for row in rows}


_NAMES = ", ".join(_COLUMNS)
_VALUES = ", ".join(f":{name}" for name in _COLUMNS)
_CHANGES = ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS)
_WRITE = Direct(
    text(
        f"""
        INSERT INTO credits (provider_id, {_NAMES})
        SELECT * FROM unnest(:provider_id, {_VALUES})
        ON CONFLICT (provider_id) DO UPDATE SET {_CHANGES}
        """  # nosec B608  # our own names; values are bound
    ).bindparams(
        bindparam("provider_id", type_=ARRAY(Uuid())),
        *(bindparam(name, type_=ARRAY(of_type)) for name, of_type in _COLUMNS.items()),
    )
)


def write(tx: Transaction, accounts: Mapping[UUID, Account]) -> None:
    """Write these accounts, new ones and known ones, in one statement."""
    if accounts:
        columns = {name: [getattr(each, name) for each in accounts.values()] for name in _COLUMNS}
        _WRITE.run(tx.session, {"provider_id": list(accounts), **columns})


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
