"""The fairness report: what every provider was owed in some months, and what it had."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CTE, FromClause, Numeric, cast, func, select, tuple_, union_all
from sqlalchemy.orm import Session

from marketplace.core.actors import Actor
from marketplace.core.context import Context
from marketplace.core.errors import FieldError, Invalid
from marketplace.core.events import Event
from marketplace.core.policy import Policy
from marketplace.insights.periods import Months, last_months, one_month, recent_months
from marketplace.invitations.models import Invitation
from marketplace.matching import rules
from marketplace.matching.models import Credit, CreditMonth
from marketplace.matching.simulation.figures import LEAST_SHARE, gini
from marketplace.providers.models import Provider
from marketplace.providers.rules import ProviderKind

_REFUNDABLE = [
    state
    for state in rules.SETTLEMENTS
    for counts in {
        rules.settled_as(state, released=False, accepted=accepted, quoted=False)
        for accepted in (True, False)
    }
    if rules.SETTLEMENTS[counts].refund is not rules.Refund.NEVER
]
"""The ends after which a turn may have come back, for what they were settled as."""


@dataclass(frozen=True)
class Share:
    """One provider: months added up, and its account as it stands now."""

    provider_id: UUID
    name: str
    kind: ProviderKind
    joined_at: datetime
    newcomer: bool
    """Joined within the period."""
    eligible: int
    entitled: float
    invited: int
    by_hand: int
    """Of those invited: chosen by an administrator."""
    turns_given_back: int
    """Of those invited: cost it nothing in the end, and count as nothing it had."""
    difference: float
    """Turns had less turns owed: above zero, more than its fair share."""
    balance: float
    answered: float
    missed: float
    weight: float


@dataclass(frozen=True)
class Fairness:
    """Everybody who could have been chosen, or was invited, in the period."""

    months: Months
    until: datetime
    n: int
    gini: float | None
    """How unequally invitations follow what was owed: 0 is equal, 1 is one provider having all."""
    gini_n: int
    """Over the providers that were owed a turn or more."""
    mean_difference: float | None
    max_difference: float | None
    shares: Sequence[Share]
    """The largest differences first, whichever way."""
    following: UUID | None
    """Where the next page begins, if there is one."""

    @property
    def percent_apart(self) -> int | None:
        """What the coefficient means: how far any two of them are apart, in per cent of the mean.

        Half the mean difference of all pairs, with itself among them, is the coefficient.
        """
        if self.gini is None or self.gini_n < 2:
            return None
        return round(200 * self.gini * self.gini_n / (self.gini_n - 1))


def fairness(
    ctx: Context,
    actor: Actor,
    *,
    month: date | None = None,
    months: int | None = None,
    limit: int | None = None,
    after: UUID | None = None,
) -> Fairness:
    """Return the report of a month, of the last so many, or of those of the last 90 days.

    `limit`: all of it where there is none. `after`: from behind this provider on.
    """
    actor.require_admin()
    now = ctx.clock()
    if month is not None and months is not None:
        raise Invalid([FieldError("/months", "cannot be given together with a month")])
    if months is not None:
        period = last_months(months, now)
    else:
        period = recent_months(now) if month is None else one_month(month, now)
    with ctx.reading() as session:
        rows = _rows(period)
        summary = session.execute(
            select(
                func.count(),
                func.avg(func.abs(rows.c.difference)),
                func.max(func.abs(rows.c.difference)),
                func.array_agg(rows.c.had / rows.c.entitled).filter(rows.c.entitled >= LEAST_SHARE),
            )
        )
        n, mean, largest, ratios = summary.one()
        shares = _shares(session, rows, period, ctx.policy, limit=limit, after=after)
    has_more = limit is not None and len(shares) > limit
    return Fairness(
        months=period,
        until=min(period.ends_at, now),
        n=n,
        gini=round(gini([float(each) for each in ratios]), 4) if ratios else None,
        gini_n=len(ratios or ()),
        mean_difference=_rounded(mean),
        max_difference=_rounded(largest),
        shares=shares[:limit],
        following=shares[limit - 1].provider_id if has_more and limit else None,
    )


def _rows(months: Months) -> CTE:
    """What the ledger and the invitations say of the period, one row per provider.

    In decimal numbers: however often it is asked, a difference is the same and pages fit together.
    """
    turns = union_all(
        select(Credit.provider_id, Credit.eligible, Credit.entitled).where(
            Credit.month.between(months.first, months.last)
        ),
        select(CreditMonth.provider_id, CreditMonth.eligible, CreditMonth.entitled).where(
            CreditMonth.month.between(months.first, months.last)
        ),
    ).subquery()
    owed = (
        select(
            turns.c.provider_id,
            func.sum(turns.c.eligible).label("eligible"),
            func.sum(cast(turns.c.entitled, Numeric)).label("entitled"),
        )
        .group_by(turns.c.provider_id)
        .subquery()
    )
    had = _had(months)
    entitled, turns_had = func.coalesce(owed.c.entitled, 0), func.coalesce(had.c.had, 0)
    return (
        select(
            func.coalesce(owed.c.provider_id, had.c.provider_id).label("provider_id"),
            func.coalesce(owed.c.eligible, 0).label("eligible"),
            entitled.label("entitled"),
            func.coalesce(had.c.invited, 0).label("invited"),
            func.coalesce(had.c.by_hand, 0).label("by_hand"),
            func.coalesce(had.c.given_back, 0).label("given_back"),
            turns_had.label("had"),
            (turns_had - entitled).label("difference"),
        )
        .select_from(owed.join(had, owed.c.provider_id == had.c.provider_id, full=True))
        .cte("shares")
    )


def _had(months: Months) -> FromClause:
    """The invitations of the period by provider, and how many turns they cost."""
    of_the_period = (Invitation.sent_at >= months.starts_at, Invitation.sent_at < months.ends_at)
    given_back = (
        select(Invitation.provider_id, func.count().label("turns"))
        .join(Event, Event.subject_id == Invitation.id)
        .where(
            *of_the_period,
            Invitation.state.in_(_REFUNDABLE),
            Event.verb == "invitation.turn_given_back",
        )
        .group_by(Invitation.provider_id)
        .subquery()
    )
    sent = (
        select(
            Invitation.provider_id,
            func.count().label("invited"),
            func.count().filter(Invitation.by_hand_because.is_not(None)).label("by_hand"),
        )
        .where(*of_the_period)
        .group_by(Invitation.provider_id)
        .subquery()
    )
    turns = func.coalesce(given_back.c.turns, 0)
    return (
        select(sent, turns.label("given_back"), (sent.c.invited - turns).label("had"))
        .outerjoin(given_back, given_back.c.provider_id == sent.c.provider_id)
        .subquery()
    )


def _shares(
    session: Session,
    rows: CTE,
    months: Months,
    policy: Policy,
    *,
    limit: int | None,
    after: UUID | None,
) -> list[Share]:
    joined_at = func.coalesce(Provider.verified_at, Provider.created_at)
    size = -func.abs(rows.c.difference)
    found = (
        select(
            rows,
            Provider.name,
            Provider.kind,
            joined_at.label("joined_at"),
            (joined_at >= months.starts_at).label("newcomer"),
            func.coalesce(Credit.balance, 0).label("balance"),
            func.coalesce(Credit.answered, 0).label("answered"),
            func.coalesce(Credit.missed, 0).label("missed"),
        )
        .join(Provider, Provider.id == rows.c.provider_id)
        .outerjoin(Credit, Credit.provider_id == rows.c.provider_id)
        .order_by(size, rows.c.provider_id)
    )
    if after is not None:
        last = select(size).where(rows.c.provider_id == after).scalar_subquery()
        found = found.where(tuple_(size, rows.c.provider_id) > tuple_(last, after))
    if limit is not None:
        found = found.limit(limit + 1)
    return [_share(row, policy) for row in session.execute(found)]


def _share(row: Any, policy: Policy) -> Share:
    return Share(
        provider_id=row.provider_id,
        name=row.name,
        kind=row.kind,
        joined_at=row.joined_at,
        newcomer=row.newcomer,
        eligible=row.eligible,
        entitled=round(float(row.entitled), 2),
        invited=row.invited,
        by_hand=row.by_hand,
        turns_given_back=row.given_back,
        difference=round(float(row.difference), 2),
        balance=round(row.balance, 2),
        answered=round(row.answered, 2),
        missed=round(row.missed, 2),
        weight=rules.weight(
            answered=row.answered,
            missed=row.missed,
            prior=policy.record_prior,
            bounds=policy.weight_bounds,
        ),
    )


def _rounded(value: Any) -> float | None:
    return None if value is None else round(float(value), 2)
