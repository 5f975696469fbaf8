"""A provider's page of the fairness ledger, and how a run and an end are entered on it. Pure."""

from dataclasses import dataclass, replace
from datetime import date, datetime

from marketplace.matching.rules import PRECISION, Remark


@dataclass(frozen=True)
class Account:
    """What a provider is owed and what it did with its turns; one never written begins with 0."""

    balance: float = 0.0
    invited_at: datetime | None = None
    answered: float = 0.0
    missed: float = 0.0
    month: date | None = None
    eligible: int = 0
    entitled: float = 0.0

    def in_month(self, month: date) -> "Account":
        """Return the account with its counts of `month` open; it never goes back to an earlier."""
        if self.month is not None and self.month >= month:
            return self
        return replace(self, month=month, eligible=0, entitled=0.0)

    def after_run(
        self, *, gained: float, balance: float, month: date, invited_at: datetime | None
    ) -> "Account":
        """Return the account after a run in which it gained; `invited_at`: none if it was not."""
        opened = self.in_month(month)
        return Account(
            balance=balance,
            invited_at=opened.invited_at if invited_at is None else invited_at,
            answered=opened.answered,
            missed=opened.missed,
            month=opened.month,
            eligible=opened.eligible + 1,
            entitled=round(opened.entitled + gained, PRECISION),
        )

    def after_undoing(self, share: float, *, month_is_open: bool) -> "Account":
        """Return the account after a turn came back of which it had gained a share.

        `month_is_open`: it gained it in the month that is counted here, and not in one before.
        """
        undone = share if month_is_open else 0.0
        return replace(
            self,
            balance=round(self.balance - share, PRECISION),
            entitled=round(self.entitled - undone, PRECISION),
        )

    def after_end(self, *, back: float, remark: Remark, fading: float) -> "Account":
        """Return the account after an invitation ended: its turn given `back`, and remembered.

        `fading`: what every earlier invitation still counts from now on.
        """
        settled = replace(self, balance=round(self.balance + back, PRECISION))
        if remark is Remark.NOTHING:
            return settled
        return replace(
            settled,
            answered=self.answered * fading + (remark is Remark.ANSWERED),
            missed=self.missed * fading + (remark is Remark.MISSED),
        )

    def after_striking(self, *, counts: float, remark: Remark) -> "Account":
        """Return the account after a miss was struck that was on it already, and still `counts`.

        `remark`: what would stand there otherwise. That earlier ones fade once for it stays so.
        """
        return replace(
            self,
            answered=self.answered + (counts if remark is Remark.ANSWERED else 0.0),
            missed=max(0.0, self.missed - counts),
        )
