"""The bench of a run: up to 64 providers that are eligible now, locked, with credit and record."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy.orm import Session

from marketplace.core.context import Transaction
from marketplace.core.direct import Direct
from marketplace.matching import bands, candidates, conditions, ledger, rules
from marketplace.matching.account import Account
from marketplace.matching.candidates import Funnel
from marketplace.matching.conditions import Asked
from marketplace.matching.eligibility import Obstacle, Wanted, clashes, obstacle
from marketplace.matching.rules import Seat
from marketplace.providers import coverage
from marketplace.providers.facts import facts_of, statement_of_facts
from marketplace.providers.rules import ProviderFacts, ProviderKind

_FACTS_AND_ACCOUNTS = Direct(ledger.with_account(statement_of_facts(of_some_standards=True)))


@dataclass(frozen=True)
class Bench:
    """Who may be invited, and what came of everybody else."""

    seats: list[Seat]
    clashes: list[tuple[UUID, UUID]]
    accounts: dict[UUID, Account]
    """The ledger of everybody on the bench."""
    asked: Asked
    funnel: Funnel
    lost: list[tuple[UUID, Obstacle]] = field(default_factory=list)
    """Eligible when they were found, and not any more when they were locked."""
    was_full: bool = False
    """There may be more than those that were looked at."""


def gather_bench(
    tx: Transaction,
    wanted: Wanted,
    *,
    invited: Mapping[UUID, ProviderFacts],
    needed_kinds: Collection[ProviderKind],
    seed: int,
    chosen: UUID | None = None,
) -> Bench:
    """Return the bench of a lead: found, locked in the order of ids, then looked at again.

    What another transaction changed while we waited for the locks counts: `eligibility` has the
    last word on everybody, by what the database says of them now; also on whom an administrator has
    `chosen`, who is looked at wherever the bench begins.
    """
    asked = conditions.asked(
        wanted, invited=invited, now=tx.now, impartiality_years=tx.policy.impartiality_years
    )
    ids = drawn(tx.session, wanted, asked, needed_kinds, seed=seed, size=tx.policy.bench_size)
    if chosen is not None and chosen not in ids:
        # Of a full bench the last are those of a kind that is rare: they stay.
        ids = [*ids[max(0, len(ids) + 1 - tx.policy.bench_size) :], chosen]
    coverage.lock_rows(tx.session, ids)
    today = tx.now.date()
    seats, eligible, accounts, lost = [], [], {}, []
    values = {"ids": ids, "now": tx.now, "standards": list(wanted.editions)}
    for row in _FACTS_AND_ACCOUNTS.rows(tx.session, values):
        provider = facts_of(row)
        hindered = obstacle(
            wanted,
            provider,
            invited=invited,
            now=tx.now,
            impartiality_years=tx.policy.impartiality_years,
        )
        if hindered is not None:
            lost.append((provider.id, hindered))
            continue
        account = accounts[provider.id] = ledger.account_of(row)
        eligible.append(provider)
        seats.append(
            Seat(
                provider_id=provider.id,
                kind=provider.kind,
                fit=bands.fit(wanted, provider, today=today, points=tx.policy.band_points),
                weight=rules.weight(
                    answered=account.answered,
                    missed=account.missed,
                    prior=tx.policy.record_prior,
                    bounds=tx.policy.weight_bounds,
                ),
                credit=account.balance,
                invited_at=account.invited_at,
            )
        )
    return Bench(
        seats=sorted(seats, key=lambda seat: seat.provider_id),
        clashes=clashes(eligible, today=today),
        accounts=accounts,
        asked=asked,
        funnel=candidates.funnel(tx.session, asked, seed=seed, sample=tx.policy.funnel_sample),
        lost=lost,
        was_full=len(ids) >= tx.policy.bench_size,
    )


def drawn(
    session: Session,
    wanted: Wanted,
    asked: Asked,
    needed_kinds: Collection[ProviderKind],
    *,
    seed: int,
    size: int,
) -> list[UUID]:
    """Return who is eligible, unlocked, from a random point of the shuffle.

    Where one of each kind has to be invited, a kind that is rare keeps a share of a full bench.
    """
    found = candidates.eligible_ids(
        session, wanted, asked, kinds=wanted.kinds, seed=seed, limit=size
    )
    if len(found) >= size:
        share = size // (len(needed_kinds) + 1)
        for kind in sorted(needed_kinds):
            if sum(each is kind for _, each in found) < share:
                rare = candidates.eligible_ids(
                    session, wanted, asked, kinds=[kind], seed=seed, limit=share
                )
                others = [each for each in found if each[1] is not kind]
                found = others[: size - len(rare)] + rare
    return [provider_id for provider_id, _ in found]
